"""llama2.c's tokenizer.bin: read, written byte for byte, and with the ids of the sentencepiece library."""

import doctest
import struct

import pytest

from minillama.errors import TokenizerError
from minillama.tokenizer import llama2c as module
from minillama.tokenizer.bpe import vocabulary_from_merges
from minillama.tokenizer.llama2c import (
    parse_tokenizer_bin,
    read_tokenizer_bin,
    serialize_tokenizer_bin,
    write_tokenizer_bin,
)
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer, Vocabulary


@pytest.fixture(scope="module")
def vocab():
    return vocabulary_from_merges([("▁", "a"), ("▁a", "b")], ["▁", "a", "b"])


def test_examples_in_docstrings():
    assert doctest.testmod(module).failed == 0


def test_a_vocabulary_survives(vocab, tmp_path):
    write_tokenizer_bin(SentencePieceTokenizer(vocab), tmp_path / "tokenizer.bin")
    assert read_tokenizer_bin(tmp_path / "tokenizer.bin").vocabulary == vocab


@pytest.mark.shared
def test_the_real_file_survives_byte_for_byte(shared_data):
    data = (shared_data / "tok512.bin").read_bytes()
    vocab = parse_tokenizer_bin(data)
    assert len(vocab) == 512
    assert vocab.pieces[:4] == ("<unk>", "<s>", "</s>", "<0x00>")
    assert vocab.pieces[259] == "▁t"
    assert serialize_tokenizer_bin(vocab) == data


@pytest.mark.shared
def test_ids_equal_the_library_on_the_story(shared_data):
    tokenizer = read_tokenizer_bin(shared_data / "tok512.bin")
    story = (shared_data / "stories260K_greedy.txt").read_text(encoding="utf-8")
    ids = tokenizer.encode(story)
    assert ids == [1, *tokenizer.library.encode(story)]
    assert tokenizer.decode(ids) == story


@pytest.mark.shared
def test_the_real_llama_vocabulary_survives(shared_data):
    llama = SentencePieceTokenizer.from_file(shared_data / "llama_tokenizer.model")
    assert parse_tokenizer_bin(serialize_tokenizer_bin(llama.vocabulary)) == llama.vocabulary


def test_every_cut_inside_a_piece_is_refused(vocab):
    data = serialize_tokenizer_bin(vocab)
    ends, at = {4}, 4
    while at < len(data):
        at += 8 + struct.unpack_from("<i", data, at + 4)[0]
        ends.add(at)
    for end in set(range(len(data))) - ends:
        with pytest.raises(TokenizerError):
            parse_tokenizer_bin(data[:end])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x07", struct.pack("<ifi", 7, 0.0, 1 << 30), struct.pack("<ifi", 7, 0.0, -5),
     struct.pack("<ifi", 7, 0.0, 0), struct.pack("<ifi", -1, 0.0, 1) + b"a", struct.pack("<ifi", 7, 0.0, 1) + b"\xff",
     struct.pack("<i", 7)],
)  # fmt: skip
def test_damaged_files_are_refused(data):
    with pytest.raises(TokenizerError):
        parse_tokenizer_bin(data)


def test_a_score_that_is_no_number_is_refused(vocab):
    data = bytearray(serialize_tokenizer_bin(vocab))
    data[4:8] = struct.pack("<f", float("inf"))
    with pytest.raises(TokenizerError, match="finite"):
        parse_tokenizer_bin(bytes(data))


@pytest.mark.parametrize("change", [{"bos_id": None}, {"add_dummy_prefix": False}, {"charsmap": b"x"}])
def test_what_the_format_cannot_say_is_refused(vocab, change):
    fields = {name: getattr(vocab, name) for name in ("pieces", "scores", "types")}
    with pytest.raises(TokenizerError, match=r"llama2\.c"):
        serialize_tokenizer_bin(Vocabulary(**fields | change))
