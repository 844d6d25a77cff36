"""The from-scratch BPE: what it learns, and that sentencepiece encodes and decodes alike with the result."""

import doctest
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.errors import TokenizerError
from minillama.tokenizer import bpe
from minillama.tokenizer.bpe import (
    FIRST_PIECES,
    alphabet,
    count_pairs,
    decode,
    encode_bpe,
    merge,
    split_words,
    stream_decode,
    train_bpe,
    vocabulary_from_merges,
)
from minillama.tokenizer.llama3 import ByteBPETokenizer
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer

BYTES = ByteBPETokenizer({bytes([byte]): byte for byte in range(256)}, {"<s>": 256}, ".")
TEXT = """The old miller had 3 sons, and 12 hens; the hens laid eggs in the mill.
"Who has taken the eggs?" said the miller.  "The youngest," said the eldest.
    Nobody had: the cat, the cat had eaten the eggs, 25 of them. Äpfel, naïve, 你好.
"""


@pytest.fixture(scope="module")
def trained():
    return SentencePieceTokenizer(vocabulary_from_merges(train_bpe(TEXT, 400), alphabet(TEXT)))


def learn_plainly(text, room):
    """The same merges by counting all pairs again before every merge."""
    words = Counter(tuple(word) for word in split_words(text))
    merges, made = [], set()
    while len(made) < room:
        pairs = count_pairs(words)
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        merges.append(best)
        made.add("".join(best))
        merged = Counter()
        for symbols, times in words.items():
            merged[merge(symbols, best)] += times
        words = merged
    return merges


def test_examples_in_docstrings():
    assert doctest.testmod(bpe).failed == 0


def test_training_equals_counting_again_before_every_merge():
    room = 400 - FIRST_PIECES - len(alphabet(TEXT))
    assert train_bpe(TEXT, 400) == learn_plainly(TEXT, room)


@given(st.text(alphabet="ab ", max_size=60))
@settings(max_examples=50, deadline=None)
def test_training_on_overlaps_equals_counting_again(text):
    assert train_bpe(text, FIRST_PIECES + len(alphabet(text)) + 10) == learn_plainly(text, 10)


def test_training_breaks_ties_by_dictionary_order():
    assert train_bpe("ba ab ba ab", 300)[:2] == [("a", "b"), ("b", "a")]


def test_training_does_not_cross_words():
    merges = train_bpe("new york " * 50, 400)
    assert all("▁" not in (left + right)[1:] for left, right in merges)


def test_digits_are_split_when_asked():
    split = train_bpe("12 12 12 12", 300)
    whole = train_bpe("12 12 12 12", 300, split_digits=False)
    assert split == []
    assert ("1", "2") in whole


def test_vocabulary_has_the_size_asked_for(trained):
    text = "one two three four " * 3 + TEXT * 2
    assert len(vocabulary_from_merges(train_bpe(text, 360), alphabet(text))) == 360


def test_coverage_leaves_rare_characters_to_the_bytes():
    text = "abc " * 1000 + "Ω"
    assert "Ω" in alphabet(text)
    assert "Ω" not in alphabet(text, coverage=0.999)
    vocab = vocabulary_from_merges(train_bpe(text, 300, coverage=0.999), alphabet(text, coverage=0.999))
    assert decode(encode_bpe("aΩb", vocab), vocab) == "aΩb"


def test_too_small_a_vocabulary_is_refused():
    with pytest.raises(TokenizerError, match="expected at least"):
        train_bpe(TEXT, 100)


def test_ids_equal_sentencepiece_on_the_training_text(trained):
    assert trained.encode(TEXT, bos=False) == trained.library.encode(TEXT)


@given(text=st.text(max_size=40) | st.text(alphabet="the eggs12▁\n", max_size=40))
@settings(max_examples=200, deadline=None)
def test_ids_and_text_equal_sentencepiece(trained, text):
    ids = trained.encode(text, bos=False)
    assert ids == encode_bpe(text, trained.vocabulary)
    assert ids == trained.library.encode(text)
    assert trained.decode(ids) == trained.library.decode(ids)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_streaming_any_ids_joins_to_the_text_of_sentencepiece(trained, data):
    ids = data.draw(st.lists(st.integers(0, len(trained.vocabulary) - 1) | st.integers(3, 258), max_size=12))
    pieces = list(stream_decode(iter(ids), trained.vocabulary))
    assert "".join(pieces) == decode(ids, trained) == trained.library.decode(ids)
    assert all(pieces)


def test_streaming_gives_text_as_soon_as_a_character_is_whole(trained):
    asked = []

    def ids():
        for token in trained.encode("a🙂b", bos=False):
            asked.append(token)
            yield token

    seen = [(piece, len(asked)) for piece in stream_decode(ids(), trained)]
    assert [piece for piece, _ in seen] == ["a", "🙂", "b"]
    assert [count for _, count in seen] == [2, 6, 7] or [count for _, count in seen] == [1, 5, 6]


def test_streaming_flushes_broken_bytes_at_the_end(trained):
    ids = trained.encode("🙂", bos=False)[:-1]
    assert list(stream_decode(ids, trained)) == ["\ufffd\ufffd\ufffd"]


def test_one_leading_space_is_left_out_at_the_very_start(trained):
    ids = [trained.bos_id, *trained.encode("  a", bos=False)]
    assert decode(ids, trained) == "  a"
    assert decode(trained.encode("a", bos=False) * 2, trained) == "a a"


def test_ids_that_continue_a_text_keep_their_space(trained):
    ids = trained.encode("a b", bos=False)
    assert "".join(stream_decode(ids, trained, at_start=False)) == " a b"


def test_ids_out_of_range_are_refused(trained):
    for token in (-1, len(trained.vocabulary)):
        with pytest.raises(TokenizerError, match="outside the vocabulary"):
            decode([token], trained)


@pytest.mark.parametrize("ids", ["5", None, 5, [2.5], ["a"], [[1]], [None]])
def test_what_is_no_list_of_ids_is_refused(trained, ids):
    for tokenizer in (trained, BYTES):
        with pytest.raises(TokenizerError, match=r"(is|are) of type"):
            tokenizer.decode(ids)
        assert tokenizer.decode(np.array([70, 71])) == tokenizer.decode([70, 71])


@pytest.mark.parametrize("text", [None, b"a", ["a"], 1])
def test_what_is_no_text_is_refused(trained, text):
    for tokenizer in (trained, BYTES):
        with pytest.raises(TokenizerError, match=f"the text is of type {type(text).__name__}, expected str"):
            tokenizer.encode(text)


def test_training_handles_many_words_in_little_time():
    generator = random.Random(0)
    words = ["".join(generator.choices("abcdefghij", k=8)) for _ in range(2000)]
    merges = train_bpe(" ".join(generator.choices(words, k=100_000)), 1000)
    assert len(merges) >= 1000 - FIRST_PIECES - 11
