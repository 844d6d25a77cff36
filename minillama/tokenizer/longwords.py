"""The merge rule for words of up to millions of symbols: a queue of pairs over a linked list, compiled on first use.

The plain loop in merge.py looks at all pairs before each merge. Here a heap holds them in the order of merging and a
merge touches only its neighbours, so the time grows as n log n, as in the sentencepiece library.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np

Part = TypeVar("Part", str, bytes)


class LongWords(Generic[Part]):
    """Splits long words into pieces.

    Args:
        pairs: (left, right) -> rank of their merge, 0 to 2**31 - 1.

    >>> LongWords({("a", "a"): 0}).pieces("aaa")
    ['aa', 'a']
    """

    def __init__(self, pairs: Mapping[tuple[Part, Part], int]) -> None:
        self.numbers: dict[Part, int] = {}
        rows = np.empty((len(pairs), 4), np.int64)  # left, right, rank, merged
        for row, ((left, right), rank) in enumerate(pairs.items()):
            rows[row] = self._number(left), self._number(right), rank, self._number(left + right)
        self.symbols: list[Part] = list(self.numbers)
        self.table = _make_table(rows)

    def _number(self, part: Part) -> int:
        return self.numbers.setdefault(part, len(self.numbers))

    def pieces(self, word: Part) -> list[Part]:
        """The pieces of a word, equal to those of `merge_by_rank`."""
        from minillama.tokenizer._longwords_compiled import merge_long  # loads Numba: half a second

        parts = [word[i : i + 1] for i in range(len(word))]
        numbers = np.array([self.numbers.get(part, -1) for part in parts], np.int32)
        starts, merged = merge_long(numbers, *self.table)
        return [
            self.symbols[number] if number >= 0 else parts[start]
            for start, number in zip(starts.tolist(), merged.tolist(), strict=True)
        ]


def _make_table(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort the pairs by left and right symbol: keys, ranks and merged symbols, to be looked up by bisection."""
    keys = rows[:, 0] << 32 | rows[:, 1]
    order = np.argsort(keys)
    return keys[order], rows[order, 2], rows[order, 3].astype(np.int32)
