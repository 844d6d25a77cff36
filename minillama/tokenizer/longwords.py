"""The merge rule for words of up to millions of symbols.

The plain loop in merge.py looks at all pairs before each merge: its time grows with the square of the length. Here all
pairs of one rank are joined in one round of NumPy operations, and a text has only as many ranks as it has different
pieces. That gives the same pieces as long as no merge makes a pair that should have come before its own rank, which
holds for vocabularies that were learned; each round checks it, and a word that fails is merged one pair at a time.
"""

import heapq
from collections.abc import Callable
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

Part = TypeVar("Part", str, bytes)

NEVER = 1 << 31  # above every rank
END = 0  # the number of no symbol: it closes the linked list, and marks places whose symbol was merged away
REMEMBERED_PAIRS = 1 << 20


def symbols_of(word: Part) -> list[Part]:
    """The characters of a text, or the single bytes of bytes."""
    return [word[i : i + 1] for i in range(len(word))]


class LongWords(Generic[Part]):
    """Splits long words into pieces.

    Args:
        rank: of two neighbours, 0 to 2**31 - 1; NEVER when they do not join.

    >>> LongWords(lambda left, right: 0 if left + right == "aa" else NEVER).pieces("aaa")
    ['aa', 'a']
    """

    def __init__(self, rank: Callable[[Part, Part], int]) -> None:
        self.rank: Callable[[Part, Part], int] = rank
        self.symbols: list[Part] = []
        self.numbers: dict[Part, int] = {}
        self.pairs = _Pairs(self._look_up)

    def pieces(self, word: Part) -> list[Part]:
        """The pieces of a word, equal to those of `merge_by_rank`."""
        if len(self.pairs) > REMEMBERED_PAIRS:
            self.pairs.clear()
        pieces = self._merge_in_rounds(word)
        return self._merge_one_by_one(word) if pieces is None else pieces

    def _number(self, part: Part) -> int:
        number = self.numbers.get(part)
        if number is None:
            self.symbols.append(part)
            number = self.numbers[part] = len(self.symbols)
        return number

    def _numbers_of(self, parts: list[Part]) -> list[int]:
        for part in set(parts):
            self._number(part)
        return [self.numbers[part] for part in parts]

    def _look_up(self, key: int) -> tuple[int, int]:
        """The rank of a pair, and the number of what it makes."""
        left, right = key >> 32, key & 0xFFFFFFFF
        if left == END or right == END:
            return NEVER, END
        left_part, right_part = self.symbols[left - 1], self.symbols[right - 1]
        rank = self.rank(left_part, right_part)
        return rank, END if rank == NEVER else self._number(left_part + right_part)

    def _merge_in_rounds(self, word: Part) -> list[Part] | None:
        n = len(word)
        symbols = np.array([*self._numbers_of(symbols_of(word)), END])  # (n + 1)
        after = np.roll(np.arange(n + 1), -1)  # a ring: place n, the end, is also what stands before the start
        before = np.roll(np.arange(n + 1), 1)
        queue = _Queue()
        queue.add(np.arange(n), self.pairs.find(symbols, symbols[after])[0][:n])
        while queue:
            rank, places = queue.pop()
            ranks, made = self.pairs.find(symbols[places], symbols[after[places]])
            current = ranks == rank  # the others have changed since they were queued
            places, made = places[current], made[current]
            chosen = _leftmost(places, after)
            places, made = places[chosen], made[chosen]
            gone = after[places]
            right = after[gone]
            at_once, _ = self.pairs.find(made, symbols[right])  # the pair on the right before that one merges as well
            symbols[gone], symbols[places] = END, made
            after[places], before[right] = right, places
            touched = np.concatenate((before[places], places))
            ranks, _ = self.pairs.find(symbols[touched], symbols[after[touched]])
            if min(ranks.min(initial=NEVER), at_once.min(initial=NEVER)) <= rank:
                return None
            queue.add(touched, ranks)
        return [self.symbols[number - 1] for number in symbols[symbols != END].tolist()]

    def _merge_one_by_one(self, word: Part) -> list[Part]:
        n = len(word)
        parts = symbols_of(word)
        after, before = list(range(1, n + 1)), list(range(-1, n - 1))
        queue = [(self.rank(parts[i], parts[i + 1]), i) for i in range(n - 1)]
        heapq.heapify(queue)
        while queue and queue[0][0] != NEVER:
            rank, i = heapq.heappop(queue)
            right = after[i]
            if not parts[i] or right == n or self.rank(parts[i], parts[right]) != rank:
                continue  # outdated: a neighbour was merged since
            parts[i], parts[right] = parts[i] + parts[right], parts[right][:0]
            after[i] = after[right]
            if after[i] < n:
                before[after[i]] = i
                heapq.heappush(queue, (self.rank(parts[i], parts[after[i]]), i))
            if before[i] >= 0:
                heapq.heappush(queue, (self.rank(parts[before[i]], parts[i]), before[i]))
        return [part for part in parts if part]


class _Pairs(dict[int, tuple[int, int]]):
    """Remembers what was found out about pairs: left << 32 | right -> (rank, number of what they make)."""

    def __init__(self, look_up: Callable[[int], tuple[int, int]]) -> None:
        super().__init__()
        self.look_up = look_up

    def __missing__(self, key: int) -> tuple[int, int]:
        self[key] = found = self.look_up(key)
        return found

    def find(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Ranks and merged symbols, (2, n), of n pairs of symbols."""
        keys, places = np.unique(left << 32 | right, return_inverse=True)
        return np.array([self[key] for key in keys.tolist()], np.int64).reshape(-1, 2).T[:, places]


class _Queue:
    """Places by the rank of the pair that stands there, the lowest rank first."""

    def __init__(self) -> None:
        self.ranks: list[int] = []  # a heap
        self.places: dict[int, list[np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.ranks)

    def add(self, places: np.ndarray, ranks: np.ndarray) -> None:
        order = np.argsort(ranks, kind="stable")
        order = order[: np.searchsorted(ranks, NEVER, sorter=order)]
        places, ranks = places[order], ranks[order]
        borders = np.flatnonzero(np.diff(ranks, prepend=-1)).tolist()
        for start, end in pairwise([*borders, len(ranks)]):
            rank = int(ranks[start])
            if rank not in self.places:
                self.places[rank] = []
                heapq.heappush(self.ranks, rank)
            self.places[rank].append(places[start:end])

    def pop(self) -> tuple[int, np.ndarray]:
        rank = heapq.heappop(self.ranks)
        return rank, np.unique(np.concatenate(self.places.pop(rank)))


def _leftmost(places: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Which of some places, in ascending order, merge: of a run where each takes the next one's symbol, every other."""
    index = np.arange(len(places))
    starts_run = np.ones(len(places), bool)
    starts_run[1:] = after[places[:-1]] != places[1:]
    run_start = np.maximum.accumulate(np.where(starts_run, index, 0))
    return (index - run_start) % 2 == 0
