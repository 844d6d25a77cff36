"""Tasks of lesson 06 about who may look at whom: a mask, and a repair."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama import attention
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.attention_ideas import LESSON, Generator

Mask = Callable[..., Tensor]

NOT_ITSELF = Misconception(
    name="not_itself",
    looks_like="tokens that may not look at themselves",
    principle="A token sees itself and what came before. The first one would otherwise have nobody to look at.",
    question="What does your mask say where key and query stand at the same position?",
)
ONE_AHEAD = Misconception(
    name="one_ahead",
    looks_like="a mask that lets each token see the next one",
    principle="The next token is the answer. In training a model would copy it, and in writing it is not there.",
    question="For the query at position 2, which is the last key that it sees?",
)
INVERTED = Misconception(
    name="inverted",
    looks_like="True and False in each other's place",
    principle="True is where a query may look.",
    question="What does your mask say about a token and itself?",
)
UPSIDE_DOWN = Misconception(
    name="upside_down",
    looks_like="tokens that see what comes after them",
    principle="Rows are queries and columns are keys: a row is filled from the left up to its own position.",
    question="Which axis are your keys on, and which of the two has to be the smaller one?",
)
FROM_ZERO = Misconception(
    name="from_zero",
    looks_like="queries that are counted from 0, although others came before",
    principle="S - T tokens wait in the cache, so the first query of this call stands at position S - T.",
    question="At which position does a single new token stand, after six others?",
)
NO_WINDOW = Misconception(
    name="no_window",
    looks_like="a window that is ignored",
    principle="With a window a query sees at most that many keys, itself included.",
    question="Which of your lines reads `window`?",
)
WINDOW_PLUS_ONE = Misconception(
    name="window_plus_one",
    looks_like="a window of one key too many",
    principle="The query's own place counts: a window of 3 is the token and the two before it.",
    question="How many keys does the last query of yours see with a window of 3?",
)
WINDOW_SHORT = Misconception(
    name="window_short",
    looks_like="a window of one key too few",
    principle="A window of 3 is the token and the two before it.",
    question="How many keys does the last query of yours see with a window of 3?",
)
WINDOW_ALONE = Misconception(
    name="window_alone",
    looks_like="a window that forgets to look back only",
    principle="A window takes away from what a causal mask allows; it never adds.",
    question="With a window, may your first query look at the last key?",
)


def _is_added(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Zeros where a query may look, something very low elsewhere?"""
    low = [np.where(right > 0.5, got == 0, got < -1e3) for got, right in zip(outputs, expected, strict=True)]
    return bool(low) and all(each.all() for each in low)


ADDED = Misconception(
    name="added",
    looks_like="a mask to be added to the scores",
    principle="Some code adds 0 or minus infinity. Here a mask is of bools, and `attend` decides what to do with it.",
    question="What is True or False about each pair of a query and a key?",
    signature=_is_added,
)


def faulty_mask(bugs: Bugs) -> Mask:
    """causal_mask with these bugs."""

    def make(T: int, S: int, window: int | None = None) -> Tensor:
        start = 0 if "from_zero" in bugs else S - T
        query, key = torch.arange(start, start + T)[:, None], torch.arange(S)[None, :]
        last = query + int("one_ahead" in bugs) - int("not_itself" in bugs)
        mask = key >= last if "upside_down" in bugs else key <= last
        if window is not None and "no_window" not in bugs:
            first = query - window + 1 - int("window_plus_one" in bugs) + int("window_short" in bugs)
            mask = key >= first if "window_alone" in bugs else mask & (key >= first)
        if "added" in bugs:
            return torch.zeros(T, S).masked_fill(~mask, -torch.inf)
        return ~mask if "inverted" in bugs else mask

    return make


def mask_cases(rng: Generator) -> list[Case]:
    """A prompt, queries after cached keys, one query alone; then windows."""
    T, past, window = int(rng.integers(4, 7)), int(rng.integers(3, 7)), int(rng.integers(2, 4))
    return [
        Case(name=f"T = {T} and S = {T}", args=(T, T)),
        Case(name=f"T = 3 and S = {past + 3}", args=(3, past + 3)),
        Case(name=f"T = 1 and S = {past + 1}", args=(1, past + 1)),
        Case(name=f"T = {T + 1}, S = {T + 1} and a window of {window}", args=(T + 1, T + 1, window), part="window"),
        Case(name=f"T = 2, S = {past + 4} and a window of 3", args=(2, past + 4, 3), part="window"),
    ]


causal_mask = Task(
    id="attention.causal_mask", lesson=LESSON, kind="rebuild", title="Say who may look at whom", points=3,
    difficulty=2, importance=5, minutes=10,
    reference=attention.causal_mask, faulty=faulty_mask, cases=mask_cases, piece="minillama.attention:causal_mask",
    exact_dtype=True, outputs=("mask",),
    misconceptions=(
        NOT_ITSELF, ONE_AHEAD, INVERTED, UPSIDE_DOWN, FROM_ZERO, NO_WINDOW, WINDOW_PLUS_ONE, WINDOW_SHORT, WINDOW_ALONE,
        ADDED,
    ),
    hints=(
        "Write down the position of every query and of every key, and compare each with each.",
        "Queries as a column (T, 1), keys as a row (1, S): a comparison of the two is (T, S).",
        "keys stand at 0 to S - 1, queries at the last T of these\nmay look: key not after query\n"
        "with a window: and less than `window` places back",
    ),
)  # fmt: skip


# A colleague's mask


def repaired(bugs: Bugs) -> Mask:
    """The colleague's mask, with these of its faults left in."""

    def make(T: int, S: int, window: int | None = None) -> Tensor:
        past = 0 if "past_lost" in bugs else S - T
        future = "as_found" in bugs or "future_left" in bugs
        long = "as_found" in bugs or "window_left" in bugs
        mask = torch.ones(T, S, dtype=torch.bool).tril(past + future - ("blind" in bugs))
        if window is not None and "window_lost" not in bugs:
            mask = mask.triu(past - window + 1 - long + ("window_short" in bugs))
        return mask

    return make


def left(name: str, looks_like: str, principle: str, question: str, credit: float = 0.5) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, credit=credit)


repair_mask = Task(
    id="attention.repair_mask", lesson=LESSON, kind="diagnose", title="Repair a mask that reads ahead", points=4,
    difficulty=3, importance=5, minutes=10,
    reference=attention.causal_mask, faulty=repaired, cases=mask_cases, exact_dtype=True, outputs=("mask",),
    misconceptions=(
        left(
            "as_found", "the mask as it was",
            "The first query of a prompt sees the second token, and a window holds one key too many.",
            "Which row of it shows a token that is not there yet when a model writes?", 0.0,
        ),
        left(
            "future_left", "a mask that still reads ahead",
            "tril(d) keeps the columns up to the row's number plus d, that one included.",
            "What is the last True of row 0, when nothing came before?",
        ),
        left(
            "window_left", "a window that still holds one key too many",
            "There is a second fault, and it hides where no window is used. triu(d) keeps the columns from the row's "
            "number plus d on, that one included.",
            "How many are True in the last row, with a window of 2?",
        ),
        left(
            "blind", "a repair that goes one too far", "A token sees itself.",
            "What is True in row 0, when nothing came before?",
        ),
        left(
            "past_lost", "a repair that loses the cache", "The first row of a step stands at position S - T, not at 0.",
            "What may a single new token look at, after six others?",
        ),
        left(
            "window_lost", "a window that got lost in the repair", "The colleague's model needs its window.",
            "Which line reads `window`?",
        ),
        left(
            "window_short", "a window of one key too few", "A window of 3 is the token and the two before it.",
            "How many are True in the last row, with a window of 3?",
        ),
    ),
    hints=(
        "Print it for T = S = 4, and point at each True: was that token there when this one was written?",
        "(T, S) bool. `tril` and `triu` count diagonals from the upper left corner.",
        "tril: the last column of row i is that of its own position\n"
        "triu: the first column of row i is window - 1 places before that",
    ),
)  # fmt: skip
