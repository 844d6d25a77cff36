"""The merge rule: three ways of doing it give the same pieces, on learned and on odd ranks."""

import doctest
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.tokenizer import longwords, merge
from minillama.tokenizer.longwords import NEVER, LongWords
from minillama.tokenizer.merge import SHORT_WORD, Merger, all_splits, merge_by_rank

PIECES = st.dictionaries(st.text("abc", min_size=2, max_size=5), st.integers(0, 5), max_size=12)


def merge_plainly(word, rank):
    """The rule as it is said: look at all pairs, join the first of the lowest, again."""
    parts = list(word)
    while len(parts) > 1:
        ranks = [rank(left, right) for left, right in pairwise(parts)]
        if min(ranks) == NEVER:
            break
        i = ranks.index(min(ranks))
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts


def test_examples_in_docstrings():
    assert doctest.testmod(merge).failed == doctest.testmod(longwords).failed == 0


@given(ranks=PIECES, word=st.text("abc", max_size=40))
@settings(max_examples=300, deadline=None)
def test_all_ways_agree_with_shared_ranks(ranks, word):
    merger = Merger(ranks, lambda piece: [len(piece)])
    long_words = LongWords(merger.rank)
    expected = merge_plainly(word, merger.rank)
    assert merge_by_rank(list(word), merger.rank) == expected
    assert long_words.pieces(word) == expected
    assert long_words._merge_one_by_one(word) == expected


@given(ranks=PIECES, word=st.text("abc", max_size=40), order=st.randoms())
@settings(max_examples=200, deadline=None)
def test_all_ways_agree_with_pairs(ranks, word, order):
    pairs = list(all_splits(ranks))
    order.shuffle(pairs)
    merger = Merger({pair: rank for rank, pair in enumerate(pairs)}, lambda piece: [len(piece)])
    expected = merge_plainly(word, merger.rank)
    assert merge_by_rank(list(word), merger.rank) == expected
    assert LongWords(merger.rank).pieces(word) == expected


def test_rounds_are_enough_for_ranks_that_were_learned():
    long_words = LongWords(Merger({"aa": 0, "aab": 1, "aaaa": 2}, lambda piece: [0]).rank)
    assert long_words._merge_in_rounds("aaaaabaaaa") == ["aaaa", "a", "b", "aaaa"]


def test_a_merge_that_comes_before_its_own_rank_goes_one_by_one():
    long_words = LongWords(Merger({"ab": 5, "abc": 1, "cd": 5}, lambda piece: [0]).rank)
    assert long_words._merge_in_rounds("abcd") is None
    assert long_words.pieces("abcd") == ["abc", "d"]


def test_bytes_and_long_words():
    merger = Merger({b"ab": 0, b"abab": 1}, lambda piece: [len(piece)])
    assert merger.ids(b"ab" * SHORT_WORD) == [4] * (SHORT_WORD // 2)


def test_pieces_of_a_million_symbols_keep_the_text():
    merger = Merger({"ab": 0, "ba": 1, "aba": 2, "abba": 3}, lambda piece: [len(piece)])
    word = "abbaaabab" * 20_000
    assert "".join(merger.pieces(word)) == word
