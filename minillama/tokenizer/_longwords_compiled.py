"""The compiled loop of longwords.py, in a file of its own because it loads Numba."""

import heapq

import numpy as np
from numba import njit

NO_PAIR = -1


@njit(cache=True)
def find_pair(left: int, right: int, keys: np.ndarray) -> np.intp | int:
    """The row of a pair in the sorted keys, or NO_PAIR."""
    if left < 0 or right < 0:
        return NO_PAIR
    key = np.int64(left) << 32 | np.int64(right)
    row = np.searchsorted(keys, key)
    return row if row < len(keys) and keys[row] == key else NO_PAIR


@njit(cache=True)
def merge_long(
    numbers: np.ndarray, keys: np.ndarray, ranks: np.ndarray, merged: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Join the pair of lowest rank, the leftmost of equals, until none is left.

    Args:
        numbers: (n) int32, the word's symbols; -1 for one that joins nothing. It is overwritten.
        keys: (P) int64 ascending, left << 32 | right.
        ranks: (P) int64, of the merge.
        merged: (P) int32, the symbol made.

    Returns:
        (m) where each piece starts in the word, and (m) its symbol.
    """
    n = len(numbers)
    after = np.arange(1, n + 1)  # the linked list: the symbol to the right, n for none
    before = np.arange(-1, n - 1)
    alive = np.ones(n, np.bool_)
    queue = [np.int64(0) for _ in range(0)]  # rank << 32 | place of the left symbol
    for i in range(n - 1):
        row = find_pair(numbers[i], numbers[i + 1], keys)
        if row != NO_PAIR:
            queue.append(ranks[row] << 32 | i)
    heapq.heapify(queue)
    while len(queue):
        entry = heapq.heappop(queue)
        i = int(entry & 0xFFFFFFFF)
        if not alive[i] or after[i] == n:
            continue
        row = find_pair(numbers[i], numbers[after[i]], keys)
        if row == NO_PAIR or ranks[row] != entry >> 32:
            continue  # outdated: a neighbour has been merged since
        gone = after[i]
        alive[gone] = False
        numbers[i] = merged[row]
        after[i] = after[gone]
        if after[i] < n:
            before[after[i]] = i
        for left in (before[i], i):
            if left >= 0 and after[left] < n:
                pair = find_pair(numbers[left], numbers[after[left]], keys)
                if pair != NO_PAIR:
                    heapq.heappush(queue, ranks[pair] << 32 | left)
    starts = np.flatnonzero(alive)
    return starts, numbers[starts]
