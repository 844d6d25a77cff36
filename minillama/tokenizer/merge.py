"""The one rule behind every BPE tokenizer here: of all neighbours that can be joined, join those of the lowest rank.

Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", section 3.2.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, Generic, TypeVar

from minillama.tokenizer.longwords import NEVER, LongWords, symbols_of

Part = TypeVar("Part", str, bytes)

REMEMBERED_WORDS, REMEMBERED_LENGTH = 1 << 16, 32
SHORT_WORD = 200  # symbols; the plain loop is quicker on words up to this length


def merge_by_rank(parts: list[Part], rank: Callable[[Part, Part], int]) -> list[Part]:
    """Join the two neighbours of lowest rank, the leftmost of equals, until none can be joined.

    Time grows with the square of the length: meant for words.

    Args:
        parts: the characters (or bytes) of a word.
        rank: of two neighbours; NEVER when they do not join.

    Returns:
        The pieces of the word.

    >>> ranks = {"he": 0, "ll": 1, "hell": 2}
    >>> merge_by_rank(list("hello"), lambda left, right: ranks.get(left + right, NEVER))
    ['hell', 'o']
    """
    parts = list(parts)
    ranks = [rank(left, right) for left, right in pairwise(parts)]
    while ranks and (lowest := min(ranks)) != NEVER:
        i = ranks.index(lowest)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
        ranks[i : i + 2] = [rank(parts[i], parts[i + 1])] if i + 1 < len(parts) else []
        if i > 0:
            ranks[i - 1] = rank(parts[i - 1], parts[i])
    return parts


class Merger(Generic[Part]):
    """Splits words into pieces and these into ids, remembers the words that it has seen, and is quick on long ones.

    Args:
        ranks: piece -> rank, when any two neighbours that spell the piece may join; or (left, right) -> rank, when
            only these two may.
        spell: the ids of one piece, whether it is in the vocabulary or not.

    >>> Merger({"ab": 0}, lambda piece: [len(piece)]).ids("aab")
    [1, 2]
    """

    def __init__(self, ranks: Mapping[Any, int], spell: Callable[[Part], list[int]]) -> None:
        self.ranks = ranks
        self.spell: Callable[[Part], list[int]] = spell
        self.by_pair = isinstance(next(iter(ranks), None), tuple)
        self.known: dict[Part, list[int]] = {}

    def rank(self, left: Part, right: Part) -> int:
        """The place of a merge in the order of merging."""
        return self.ranks.get((left, right) if self.by_pair else left + right, NEVER)

    def ids(self, word: Part) -> list[int]:
        """The ids of one word; do not change the list, it is remembered."""
        ids = self.known.get(word)
        if ids is None:
            pieces = self.pieces(word)
            spelled = {piece: self.spell(piece) for piece in set(pieces)}
            ids = [token for piece in pieces for token in spelled[piece]]
            if len(word) <= REMEMBERED_LENGTH:
                if len(self.known) >= REMEMBERED_WORDS:
                    self.known.clear()
                self.known[word] = ids
        return ids

    def pieces(self, word: Part) -> list[Part]:
        """The pieces of one word."""
        if len(word) > SHORT_WORD:
            return self._long_words.pieces(word)
        return merge_by_rank(symbols_of(word), self.rank)

    @cached_property
    def _long_words(self) -> LongWords[Part]:
        return LongWords(self.rank)


def all_splits(ranks: Mapping[Part, int]) -> dict[tuple[Part, Part], int]:
    """Every pair of symbols that spells a piece -> the rank of the piece; a symbol is a piece or a single character."""
    return {
        (piece[:i], piece[i:]): rank
        for piece, rank in ranks.items()
        for i in range(1, len(piece))
        if (i == 1 or piece[:i] in ranks) and (i == len(piece) - 1 or piece[i:] in ranks)
    }
