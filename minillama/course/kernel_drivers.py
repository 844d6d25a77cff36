"""How answers about kernels are called: threads that all run at the same moment, rows that are counted. No answers."""

from collections.abc import Callable
from typing import Any


def at_once(answer: Callable[..., Any], threads: int, *arrays: Any) -> dict[str, Any]:
    """The answer is what each of several threads does: what stands in the result if they all run at the same moment.

    Each of them finds the result as it was before any began, and where several write to one place, the last one's
    number stays: the worst that can happen, every time.

    Args:
        answer: (thread, threads, *inputs, result), writes into the result.
        threads: how many.
        arrays: the inputs, and last the result as it is before.
    """
    *inputs, before = arrays
    after, writers, busy = before.copy(), [0] * len(before), set[int]()
    for thread in range(threads):
        own = before.copy()
        answer(thread, threads, *(each.copy() for each in inputs), own)
        for row in range(len(before)):
            if own[row] != before[row]:
                after[row] = own[row]
                writers[row] += 1
                busy.add(thread)
    alone = len(busy) == 1 < threads <= len(before)
    return {
        "result": after, "number of threads that wrote each row": writers,
        "who did the work": "one thread alone" if alone else "all of them",
    }  # fmt: skip


def counted(answer: Callable[..., Any], weights: Any, steps: Any, codes: Any, scales: Any) -> dict[str, Any]:
    """The answer asks for rows that are taken apart: what it gives, and how often it asked.

    Args:
        answer: (n_rows, take_apart, codes, scales) -> result; take_apart(row) -> weights (B, 32) and steps (B,).
        weights: (N, B, 32) int8.
        steps: (N, B).
        codes: (T, B, 32) int8, of the activations.
        scales: (T, B).
    """
    asked = 0

    def take_apart(row: int) -> tuple[Any, Any]:
        nonlocal asked
        asked += 1
        return weights[row].copy(), steps[row].copy()

    result = answer(len(weights), take_apart, codes, scales)
    return {"result": result, "number of times that a row was taken apart": asked}
