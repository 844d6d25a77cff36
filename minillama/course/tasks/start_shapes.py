"""Tasks of lesson 00 about shapes: on paper, heads, and readers side by side."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.hand import answers_by_hand

LESSON = "00_start_here"
Generator = np.random.Generator


Signature = Callable[[Sequence[Case], Sequence[Any], Sequence[Any]], bool]


def idea(
    name: str, looks_like: str, principle: str, question: str, credit: float = 0.5, signature: Signature | None = None
) -> Misconception:
    """A misconception in one line."""
    return Misconception(
        name=name, looks_like=looks_like, principle=principle, question=question, credit=credit, signature=signature
    )


# By hand

VALUES: dict[str, Any] = {
    "sum": [4, 3], "silent": [1, 5, 5], "view": [2, 3], "turned": [1, 4], "einsum": [5, 7], "gradient": [6, -2],
    "again": [12, -4], "memory": 2,
}  # fmt: skip
SLIPS: dict[str, dict[str, Any]] = {  # misconception -> what it gives instead
    "no_stretch": {"sum": [4, 1], "silent": [1, 5, 1]},
    "paired": {"silent": [1, 5]},
    "by_columns": {"view": [1, 4]},
    "as_view": {"turned": [2, 3]},
    "not_turned": {"turned": [3, 4, 5]},
    "letters_kept": {"einsum": [5, 3, 7]},
    "letters_swapped": {"einsum": [7, 5]},
    "not_derived": {"gradient": [9, 1]},
    "fresh": {"again": [6, -2]},
    "bits": {"memory": 16},
    "float32": {"memory": 4},
}

by_hand = answers_by_hand(VALUES, SLIPS)


trace_by_hand = Task(
    id="start.by_hand", lesson=LESSON, kind="trace", title="Shapes on paper", points=2, difficulty=1, importance=4,
    minutes=8,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in VALUES],
    misconceptions=(
        idea(
            "no_stretch", "a result with the shape of one of the two",
            "Each axis of the result is as long as the longer of the two: a 1 is stretched, on either side.",
            "Which axis of length 1 meets a longer one?",
        ),
        idea(
            "paired", "two axes of the same meaning that find each other",
            "PyTorch knows no meanings. It lays shapes on each other from the right, and puts ones at the left.",
            "Under which axis of (1, 5, 1) does the 5 of (1, 5) come to lie?",
        ),
        idea(
            "by_columns", "numbers that are laid out column by column",
            "Memory is one long row, and a view cuts it into rows: the last axis runs fastest.",
            "Which numbers fill row 0?",
        ),
        idea(
            "as_view", "a view where a transpose is asked for",
            "A transpose exchanges rows and columns; a view cuts the same long row at other places.",
            "What stands in column 1 before the transpose?",
        ),
        idea(
            "not_turned", "a row of the matrix as it was before the transpose",
            "After the transpose a row is what was a column.", "How many numbers does a column have?",
        ),
        idea(
            "letters_kept", "an einsum that keeps every letter",
            "A letter that is missing on the right of the arrow is summed away.", "Which letters stand behind `->`?",
        ),
        idea(
            "letters_swapped", "an einsum whose result has its axes in another order",
            "The letters behind the arrow say the order.", "Which letter comes first behind `->`?",
        ),
        idea(
            "not_derived", "the squares themselves, not their slope",
            "The gradient says how fast y grows when a number of x does.", "What is the slope of x squared at 3?",
        ),
        idea(
            "fresh", "a gradient that starts afresh at every backward",
            "`backward` adds to what is in `grad`: that is why every training step clears it first.",
            "What was in `x.grad` before the second call?",
        ),
        idea("bits", "bits counted as bytes", "A byte has 8 bits.", "How many bytes are 16 bits?"),
        idea(
            "float32", "the bytes of a float32", "The number behind `float` counts bits: of 16, two bytes are made.",
            "How many bits has a float16, and how many a byte?",
        ),
    ),
    hints=(
        "Write shapes under each other, flush right; write the numbers of a view down as one long row first.",
        "`sum`, `silent` and `einsum` are shapes; `view`, `turned`, `gradient` and `again` have two numbers; "
        "`memory` is one.",
        "(4, 1)\n   (3)   -> what is missing is a 1, and a 1 is stretched\n"
        "0 1 2 3 4 5 cut after every second, or after every third\nslope of x * x: 2 * x",
    ),
)  # fmt: skip


# Heads


def faulty_heads(bugs: Bugs) -> Callable[[Tensor, int], Tensor]:
    """start.reshape_heads with these bugs."""

    def reshape_heads(x: Tensor, n_heads: int) -> Tensor:
        B, T, D = x.shape
        H, K = n_heads, D // n_heads
        if "sizes_swapped" in bugs:
            H, K = K, H
        if "view" in bugs:
            return x.reshape(B, H, T, K)
        if "across" in bugs:
            return x.reshape(B, T, K, H).permute(0, 3, 1, 2)
        if "channels_down" in bugs:
            return x.transpose(1, 2).reshape(B, H, T, K)
        heads = x.reshape(B, T, H, K)
        return heads if "not_turned" in bugs else heads.transpose(1, 2)

    return reshape_heads


def _head_cases(rng: Generator) -> Sequence[Case]:
    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    T = int(rng.integers(4, 7))
    return [
        Case(name=f"2 sentences of {T} tokens, 3 heads of 4 channels", args=(draw(2, T, 12), 3)),
        Case(name="as many tokens as heads", args=(draw(1, 3, 12), 3)),
        Case(name="tokens, heads and channels of one number", args=(draw(2, 4, 16), 4)),
        Case(name="2 heads of 5 channels", args=(draw(1, 3, 10), 2)),
    ]


VIEW_FOR_TRANSPOSE = idea(
    "view", "a view where a transpose belongs",
    "A view only cuts the long row of numbers at other places; it moves none of them. The shape comes out right, and "
    "numbers of several tokens share a row.",
    "Of which token are the numbers of `result[0, 0, 1]`?",
)  # fmt: skip

reshape_heads = Task(
    id="start.reshape_heads", lesson=LESSON, kind="complete", title="Cut tokens into heads", points=3, difficulty=2,
    importance=5, minutes=8,
    reference=faulty_heads(frozenset()), faulty=faulty_heads, cases=_head_cases,
    misconceptions=(
        VIEW_FOR_TRANSPOSE,
        idea(
            "not_turned", "a result without the transpose",
            "The heads stand before the tokens in (B, H, T, K), so that each head has its table of tokens.",
            "Which two axes have to change places?", 0.7,
        ),
        idea(
            "across", "heads that take every so many-th channel",
            "The first K channels of a token are head 0, the next K head 1, and so on.",
            "Which channels of token 0 are in `result[0, 0, 0]`?",
        ),
        idea(
            "sizes_swapped", "the number of heads and their size exchanged",
            "`n_heads` says how many there are; how long each is follows.", "What do you divide D by?",
        ),
        idea(
            "channels_down", "a transpose of tokens and channels before the cut",
            "Each token has to stay one piece, until its channels are cut into heads.",
            "Of which tokens are the numbers of `result[0, 0, 0]`?",
        ),
    ),
    hints=(
        "Two steps: cut the last axis in two, then let two axes change places. In one step it cannot be done.",
        "(B, T, D) -> (B, T, H, K) -> (B, H, T, K), with K = D / H",
        "K = channels of a token / heads\ncut the last axis into (H, K); no number moves\nexchange axes 1 and 2",
    ),
)  # fmt: skip


# Readers side by side


def build_readers(drop: str) -> Task:
    """start.side_by_side, with what is left over dropped at the "end" or at the "start" of the text."""

    def faulty(bugs: Bugs) -> Callable[[Tensor, int], Tensor]:
        def side_by_side(text: Tensor, n: int) -> Tensor:
            steps = len(text) // n
            if "filled" in bugs:
                steps = -(-len(text) // n)
                return torch.cat((text, text.new_zeros(steps * n - len(text)))).reshape(n, steps).T
            at_end = (drop == "end") != ("other_end" in bugs)
            kept = text[: steps * n] if at_end else text[len(text) - steps * n :]
            if "view" in bugs:
                return kept.reshape(steps, n)
            if "dealt" in bugs:
                return kept.reshape(steps, n).T
            if "not_turned" in bugs:
                return kept.reshape(n, steps)
            return kept.reshape(n, steps).T

        return side_by_side

    def cases(rng: Generator) -> Sequence[Case]:
        def ids(count: int) -> np.ndarray:
            return rng.permutation(100)[:count]

        return [
            Case(name="12 tokens and 3 readers", args=(ids(12), 3)),
            Case(name="14 tokens and 4 readers: two are left over", args=(ids(14), 4)),
            Case(name="9 tokens and 3 readers", args=(ids(9), 3)),
            Case(name="11 tokens and 2 readers", args=(ids(11), 2)),
        ]

    return Task(
        id="start.side_by_side", lesson=LESSON, kind="vary", title="Let n readers share a text", points=5,
        difficulty=3, importance=3, minutes=12,
        reference=faulty(frozenset()), faulty=faulty, cases=cases, family={"drop": ("end", "start")},
        build=build_readers,
        phrases=(
            f"what is left over at the {drop} of the text is dropped",
            f"`{faulty(frozenset())(torch.arange(7), 3).tolist()}`",
        ),
        misconceptions=(
            idea(
                "view", "a view where a transpose belongs",
                "A view leaves neighbours of the text in one row: they go to different readers.",
                "Which tokens does reader 0 get, one step after the other?",
            ),
            idea(
                "dealt", "a text that is dealt out like cards, one token to each reader in turn",
                "Every reader gets a stretch of the text without gaps.", "What comes after token 0 for reader 0?",
            ),
            idea(
                "not_turned", "one row a reader instead of one row a step",
                "Row s holds what all readers read in step s.", "How many rows does the result have to have?", 0.7,
            ),
            idea(
                "other_end", "the tokens that are left over dropped at the other end",
                f"What does not fill a whole step is left out at the {drop} of the text.",
                "Which token of the text does your reader 0 start with?", 0.7,
            ),
            idea(
                "filled", "a text that is filled up to whole steps", "What is left over is dropped, nothing is added.",
                "How many steps do 14 tokens make for 4 readers?", 0.7,
            ),
        ),
        hints=(
            "Cut the text into n stretches of the same length, then let every row of the result take one from each.",
            "(T,) -> (n, T // n) -> (T // n, n)",
            "steps = T // n\nkeep steps * n tokens\none row a reader, then exchange rows and columns",
        ),
    )  # fmt: skip


side_by_side = build_readers("end")
