"""Llama 3's byte BPE: ids and text equal to tiktoken's."""

import doctest
import json
import random
import unicodedata

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.errors import TokenizerError
from minillama.tokenizer import Tokenizer, byte_alphabet
from minillama.tokenizer import llama3 as module
from minillama.tokenizer.bpe import stream_decode
from minillama.tokenizer.llama3 import (
    PATTERN,
    ByteBPETokenizer,
    llama3_tokenizer,
    parse_ranks,
    serialize_ranks,
)

HARD = [
    "", " ", "   ", "\n\n  \n x", "Hello world", " Hello", "I'LL don't we'Re", "1234567890", "a1b22c333d4444",
    "你好，世界", "🙂👍🏽 👨‍👩‍👧", "e\u0301", "\t\tx = 1;\r\n", "<|begin_of_text|>", "\x00\x1c\x85\u2028", "ﬁ½Ⅳ",
    "'ſ 'S", "\u00a0a\u3000b", "نص عربي", "x" * 500, " " * 500 + "x", "\n" * 500, "#" * 500, "9" * 500, "!?" * 300,
    "ab " * 300,
]  # fmt: skip


def in_old_unicode(text):
    """Characters that both libraries' Unicode tables know: newer ones are letters in one and unknown in the other."""
    return all(unicodedata.category(character) != "Cn" for character in text)


TEXTS = st.text(max_size=30).filter(in_old_unicode) | st.text("ab'sSLl 1 \n\r\té你🙂.,", max_size=30)


@pytest.fixture(scope="module")
def llama3(shared_data):
    return ByteBPETokenizer.from_file(shared_data / "llama3_tokenizer.model")


@pytest.fixture(scope="module")
def library(llama3):
    return tiktoken.Encoding("llama3", pat_str=PATTERN, mergeable_ranks=llama3.ranks, special_tokens=llama3.specials)


@pytest.fixture(scope="module")
def small():
    """A vocabulary that "hell" + "o" cannot reach by merging: ignore_merges alone gives "hello"."""
    pieces = [bytes([byte]) for byte in range(256)] + [b"he", b"ll", b"hello", b" hello"]
    return {piece: rank for rank, piece in enumerate(pieces)}


def test_examples_in_docstrings():
    assert doctest.testmod(module).failed == doctest.testmod(byte_alphabet).failed == 0


@pytest.mark.shared
def test_names_and_ids_are_metas(llama3):
    assert isinstance(llama3, Tokenizer)
    assert (llama3.vocab_size, llama3.bos_id, llama3.eos_id) == (128_256, 128_000, 128_001)
    assert llama3.stop_ids == {128_001, 128_008, 128_009}
    names = {128_006: "<|start_header_id|>", 128_007: "<|end_header_id|>", 128_008: "<|eom_id|>", 128_009: "<|eot_id|>"}
    assert {token: llama3.piece(token) for token in names} == names
    assert len(llama3.specials) == 256
    assert sorted(llama3.specials.values()) == list(range(128_000, 128_256))


@pytest.mark.shared
@pytest.mark.parametrize("text", HARD)
def test_ids_and_text_equal_tiktoken_on_hard_strings(llama3, library, text):
    ids = llama3.encode(text, bos=False)
    assert ids == library.encode(text, disallowed_special=())
    assert llama3.decode(ids) == text


@pytest.mark.shared
def test_ids_and_text_equal_tiktoken_on_real_text(llama3, library, shared_data):
    lines = (shared_data / "tinyshakespeare.txt").read_text(encoding="utf-8").split("\n")
    records = json.loads((shared_data / "alpaca_5000.json").read_text(encoding="utf-8"))
    texts = [*lines, *("\n".join(record.values()) for record in records)]
    for text in random.Random(0).sample(texts, 1000):
        ids = llama3.encode(text, bos=False)
        assert ids == library.encode(text, disallowed_special=())
        assert llama3.decode(ids) == text


@pytest.mark.shared
@given(text=TEXTS)
@settings(max_examples=300, deadline=None)
def test_ids_equal_tiktoken_on_random_strings(llama3, library, text):
    assert llama3.encode(text, bos=False) == library.encode(text, disallowed_special=())


@pytest.mark.shared
@given(ids=st.lists(st.integers(0, 127_999) | st.integers(0, 255), max_size=10))
@settings(max_examples=300, deadline=None)
def test_any_ids_decode_as_in_tiktoken_and_stream_alike(llama3, library, ids):
    assert llama3.decode(ids) == library.decode(ids)
    assert "".join(stream_decode(iter(ids), llama3)) == library.decode(ids)


@pytest.mark.shared
def test_very_long_words_equal_tiktoken(llama3, library):
    letters = "".join(random.Random(0).choices("abcdeéABC你", k=20_000))
    for text in ("a" * 20_000, letters, " " * 20_000 + "a", "\n \n" * 5000, "#!" * 10_000):
        assert llama3.encode(text, bos=False) == library.encode(text, disallowed_special=())


@pytest.mark.shared
def test_special_tokens_are_text_unless_asked_for(llama3, library):
    text = "<|begin_of_text|>hi<|eot_id|>\n\n  <|python_tag|>"
    assert llama3.encode(text, bos=False, special=True) == library.encode(text, allowed_special="all")
    assert llama3.encode(text, bos=False) == library.encode(text, disallowed_special=())
    assert llama3.decode(llama3.encode(text, special=True, eos=True)) == "hi\n\n  "
    assert llama3.encode("hi", eos=True) == [128_000, *library.encode("hi"), 128_001]


@pytest.mark.shared
def test_file_survives_writing_byte_for_byte(llama3, shared_data, tmp_path):
    llama3.save(tmp_path / "tokenizer.model")
    assert (tmp_path / "tokenizer.model").read_bytes() == (shared_data / "llama3_tokenizer.model").read_bytes()


@pytest.mark.shared
def test_merges_in_order_give_the_same_ids(llama3):
    by_pairs = ByteBPETokenizer(llama3.ranks, llama3.specials, PATTERN, merges=llama3.merges)
    for text in HARD:
        assert by_pairs.encode(text) == llama3.encode(text, bos=False)


def test_ignore_merges_takes_whole_words(small):
    ignoring = ByteBPETokenizer(small, {}, PATTERN)
    merging = ByteBPETokenizer(small, {}, PATTERN, ignore_merges=False)
    assert ignoring.encode("hello hello") == [258, 259]
    assert merging.encode("hello") == [256, 257, ord("o")]


def test_given_merges_alone_may_join(small):
    tokenizer = ByteBPETokenizer(small, {}, PATTERN, merges=[(b"l", b"l")], ignore_merges=False)
    assert tokenizer.encode("hell") == [ord("h"), ord("e"), 257]


def test_a_control_token_ends_a_broken_character(small):
    tokenizer = ByteBPETokenizer(small, {"<s>": 260}, PATTERN)
    ids = list("é".encode())
    assert tokenizer.decode(ids) == "é"
    assert tokenizer.decode([ids[0], 260, ids[1]]) == "\ufffd\ufffd"


def test_ids_that_are_missing_are_refused(small):
    tokenizer = ByteBPETokenizer(small, {"<s>": 300}, PATTERN)
    for token in (-1, 280, 301):
        with pytest.raises(TokenizerError, match="outside the vocabulary"):
            tokenizer.decode([token])


def test_half_a_surrogate_pair_is_refused(small):
    with pytest.raises(TokenizerError, match="surrogate"):
        ByteBPETokenizer(small, {}, PATTERN).encode("\udfff")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"specials": {"<s>": 0}}, "have one id"),
        ({"specials": {"": 300}}, "empty piece"),
        ({"specials": {"<s>": 1 << 40}}, "ids run from"),
        ({"bos_id": 999}, "not in the vocabulary"),
        ({"merges": [(b"x", b"yz")]}, "not made of pieces"),
        ({"pattern": "("}, "pattern"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(small, change, message):
    with pytest.raises(TokenizerError, match=message):
        ByteBPETokenizer(**{"ranks": small, "specials": {}, "pattern": PATTERN} | change)


def test_a_vocabulary_without_all_bytes_is_refused():
    with pytest.raises(TokenizerError, match="no piece for byte 0x02"):
        llama3_tokenizer({b"\x00": 0, b"\x01": 1})


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"IQ== 0\nIg", b"IQ== 0\nIQ== 1", b"IQ== 0\nIg== 2", b"IQ== 0\nIg== 0", b"!! 0", b"IQ== x", b"IQ== -1",
     b"IQ== 99999999999999999999", b"\xff\xfe 0", b"IQ== 0 0"],
)  # fmt: skip
def test_damaged_files_are_refused(data):
    with pytest.raises(TokenizerError):
        parse_ranks(data)


def test_ranks_survive_writing(small):
    assert parse_ranks(serialize_ranks(small)) == small


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(TokenizerError, match="no such file"):
        ByteBPETokenizer.from_file(tmp_path / "none")
