"""Tokenizers inside GGUF files: both kinds go in and come out with the same ids."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minillama.checkpoint.gguf import open_gguf
from minillama.checkpoint.gguf_tokenizer import metadata_of_tokenizer, tokenizer_of
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.errors import CheckpointError, TokenizerError
from minillama.tokenizer.llama3 import ByteBPETokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer
from tests.checkpoint.gguf_files import byte_pair_tokenizer, random_checkpoint, sentencepiece_tokenizer

TEXTS = ["", "ab", " ab ab", "é and 💛 \n\t abc", "<s>ab</s>", "1234567 abab  a"]


def test_sentencepiece_comes_back_equal(tmp_path: Path) -> None:
    write_gguf(random_checkpoint(), tmp_path / "x.gguf")
    tokenizer = open_gguf(tmp_path / "x.gguf").tokenizer()
    assert isinstance(tokenizer, SentencePieceTokenizer)
    assert tokenizer.vocabulary == sentencepiece_tokenizer().vocabulary
    for text in TEXTS:
        assert tokenizer.encode(text, special=True) == sentencepiece_tokenizer().encode(text, special=True)


def test_the_settings_of_sentencepiece_are_kept() -> None:
    vocabulary = replace(
        sentencepiece_tokenizer().vocabulary,
        add_dummy_prefix=False,
        remove_extra_whitespaces=True,
        pad_id=0,
        bos_id=None,
    )
    tokenizer = tokenizer_of(metadata_of_tokenizer(SentencePieceTokenizer(vocabulary), len(vocabulary)))
    assert isinstance(tokenizer, SentencePieceTokenizer)
    assert tokenizer.vocabulary == vocabulary


def test_byte_pairs_come_back_equal(tmp_path: Path) -> None:
    original = byte_pair_tokenizer()
    write_gguf(random_checkpoint(tokenizer=original), tmp_path / "x.gguf")
    tokenizer = open_gguf(tmp_path / "x.gguf").tokenizer()
    assert isinstance(tokenizer, ByteBPETokenizer)
    assert (tokenizer.ranks, tokenizer.specials, tokenizer.merges) == (
        original.ranks,
        original.specials,
        original.merges,
    )
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.stop_ids) == (260, 261, {261, 262})
    for text in (*TEXTS, "ab<|eot_id|>"):
        assert tokenizer.encode(text, special=True) == original.encode(text, special=True)


def test_real_llama_tokenizers_come_back_equal(shared_data: Path) -> None:
    llama2 = SentencePieceTokenizer.from_file(shared_data / "llama_tokenizer.model")
    again = tokenizer_of(metadata_of_tokenizer(llama2, 32_000))
    assert isinstance(again, SentencePieceTokenizer)
    assert again.vocabulary.pieces == llama2.vocabulary.pieces
    assert again.encode("Hello world") == llama2.encode("Hello world") == [1, 15043, 3186]
    llama3 = ByteBPETokenizer.from_file(shared_data / "llama3_tokenizer.model")
    again3 = tokenizer_of(metadata_of_tokenizer(llama3, 128_256))
    assert isinstance(again3, ByteBPETokenizer)
    assert (again3.ranks, again3.specials) == (llama3.ranks, llama3.specials)
    assert (again3.bos_id, again3.eos_id, again3.stop_ids) == (128_000, 128_001, llama3.stop_ids)
    text = "Hello wörld 💛 supercalifragilistic 12345\n\n  x"
    assert again3.encode(text) == llama3.encode(text)


def test_rows_without_a_token_get_unused_ones(tmp_path: Path) -> None:
    for tokenizer in (sentencepiece_tokenizer(270), byte_pair_tokenizer()):
        write_gguf(random_checkpoint(tokenizer=tokenizer), tmp_path / "x.gguf")
        metadata = metadata_of_tokenizer(tokenizer, 280)
        assert len(metadata["tokenizer.ggml.tokens"]) == 280  # type: ignore[arg-type]
        assert metadata["tokenizer.ggml.tokens"][-1] == "[PAD279]"  # type: ignore[index]
        assert open_gguf(tmp_path / "x.gguf").tokenizer().encode("ab ab") == tokenizer.encode("ab ab")


def test_a_tokenizer_larger_than_the_embedding_is_refused() -> None:
    with pytest.raises(TokenizerError, match="280 pieces, but the model only 279 rows"):
        metadata_of_tokenizer(sentencepiece_tokenizer(), 279)


@pytest.mark.parametrize("make", [sentencepiece_tokenizer, byte_pair_tokenizer])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", None, "model is missing or no text"),
        ("model", "bert", "'bert', expected 'llama' or 'gpt2'"),
        ("tokens", None, "no list of texts"),
        ("tokens", [1, 2], "no list of texts"),
        ("tokens", [], "no list of 0 numbers"),
        ("token_type", np.zeros(3, np.int32), "no list of 280 numbers"),
        ("token_type", np.zeros(280, np.float32), "no list of 280 numbers"),
        ("bos_token_id", "1", "bos_token_id is str"),
        ("bos_token_id", 5000, "5000"),
        ("eos_token_id", -7, "-7"),
    ],
)
def test_damaged_tokenizers_are_refused(make, key: str, value: object, message: str) -> None:
    metadata = metadata_of_tokenizer(make(), 280)
    metadata = {name: kept for name, kept in metadata.items() if name != f"tokenizer.ggml.{key}"}
    if value is not None:
        metadata[f"tokenizer.ggml.{key}"] = value  # type: ignore[assignment]
    with pytest.raises((CheckpointError, TokenizerError), match=message) as caught:
        tokenizer_of(metadata)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("pre", "qwen2", "'qwen2', expected 'llama-bpe'"),
        ("merges", ["a"], "merges holds 'a', expected two tokens"),
        ("merges", ["a \x00"], r"merges holds 'a \\x00', expected two tokens"),
        ("tokens", ["a"] * 280, "token twice"),
        ("tokens", [" "] * 280, "not spelled"),
    ],
)
def test_damaged_byte_pairs_are_refused(key: str, value: object, message: str) -> None:
    metadata = metadata_of_tokenizer(byte_pair_tokenizer(), 280) | {f"tokenizer.ggml.{key}": value}
    with pytest.raises((CheckpointError, TokenizerError), match=message):
        tokenizer_of(metadata)  # type: ignore[arg-type]


def test_the_highest_number_stands_for_no_token() -> None:
    metadata = metadata_of_tokenizer(sentencepiece_tokenizer(), 280)
    assert tokenizer_of(metadata | {"tokenizer.ggml.eos_token_id": 0xFFFFFFFF}).eos_id is None


def test_another_tokenizer_can_be_named(tmp_path: Path) -> None:
    write_gguf(random_checkpoint(), tmp_path / "x.gguf")
    sentencepiece_tokenizer(300).save(tmp_path / "tokenizer.model")
    assert open_gguf(tmp_path / "x.gguf", tmp_path / "tokenizer.model").tokenizer().vocab_size == 300
