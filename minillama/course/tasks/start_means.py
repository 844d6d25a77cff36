"""Task of lesson 00 about an average of some: broadcasting that pairs what nobody meant to pair."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.start_shapes import LESSON, Generator, idea


def faulty_mean(bugs: Bugs) -> Callable[[Tensor, Tensor], Tensor]:
    """start.mean_of_kept with these bugs."""

    def mean_of_kept(losses: Tensor, keep: Tensor) -> Tensor:
        keep = 1 - keep if "inverted" in bugs else keep
        weights = keep if "broadcast" in bugs else keep.squeeze() if "squeezed" in bugs else keep.squeeze(-1)
        weights = keep.transpose(1, 2) if "axis_moved" in bugs else weights
        if "ignored" in bugs:
            return losses.mean()
        kept = losses * weights
        if "zeros_dropped" in bugs:
            return kept[kept != 0].mean()
        if "a_sentence_each" in bugs:
            return kept.sum(-1) / weights.sum(-1)
        if "mean_of_means" in bugs:
            return (kept.sum(-1) / weights.sum(-1)).mean()
        total = kept.sum()
        if "sum" in bugs:
            return total
        return total / (kept.numel() if "all_counted" in bugs else weights.sum())

    return mean_of_kept


def _mean_cases(rng: Generator) -> Sequence[Case]:
    def case(B: int, T: int, name: str) -> Case:
        counts = rng.permutation(np.arange(B) % (T - 1)) + 1  # unlike from row to row, never all, never none
        keep = np.stack([rng.permutation(np.arange(T) < count) for count in counts]).astype(np.float32)
        return Case(name=name, args=(rng.uniform(1, 9, (B, T)).astype(np.float32), keep[..., None]))

    zero = case(2, 7, "a loss of exactly 0 that counts")
    zero.args[0][zero.args[1][..., 0] == 1] *= np.arange(zero.args[1].sum())  # the first of them becomes 0
    single = np.array([1, 0, 1], np.float32).reshape(3, 1, 1)
    return [
        case(1, 5, "one sentence of 5 tokens"),
        case(3, 5, "3 sentences of 5 tokens"),
        case(4, 4, "as many sentences as tokens"),
        zero,
        Case(name="3 sentences of a single token", args=(rng.uniform(1, 9, (3, 1)).astype(np.float32), single)),
    ]


def _is_of_table(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is it the sum over the table of every loss with every mark, divided by one of what it may be divided by?"""
    fitting = []
    for case, output in zip(cases, outputs, strict=True):
        losses, keep = (np.asarray(each, dtype=np.float64) for each in case.args)
        table = losses * keep
        divisors = np.array([1.0, keep.sum(), keep.sum() * table.size / keep.size, losses.size, table.size])
        fitting.append(np.isclose(float(output), table.sum() / divisors, rtol=1e-4))
    return bool(fitting) and bool(np.all(fitting, axis=0).any())


mean_of_kept = Task(
    id="start.mean_of_kept", lesson=LESSON, kind="complete", title="Average the tokens that count", points=3,
    difficulty=2, importance=5, minutes=8,
    reference=faulty_mean(frozenset()), faulty=faulty_mean, cases=_mean_cases,
    misconceptions=(
        idea(
            "broadcast", "a silent (B, T) against (B, T, 1)",
            "From the right, T meets 1 and is stretched: every loss meets every mark, and a table of T by T comes out. "
            "With a single sentence nothing complains.",
            "What is the shape of your product, for one sentence of 5 tokens?",
            signature=_is_of_table,
        ),
        idea(
            "ignored", "a mean over all tokens", "Tokens with a 0 in `keep` do not count.",
            "Where is `keep` in your code?", 0.3,
        ),
        idea(
            "all_counted", "a division by the number of all tokens",
            "A mean divides by as many as went into the sum.", "How many losses are left after `keep`?",
        ),
        idea(
            "mean_of_means", "a mean of each sentence's mean",
            "Then a token of a sentence with few of them weighs more than another.",
            "By what do you divide, and how often?",
        ),
        idea(
            "a_sentence_each", "a mean for each sentence, and not one for all",
            "Asked is one number, in which all tokens that count weigh the same.",
            "Over which axes do your sums run?",
        ),
        idea(
            "zeros_dropped", "a loss of 0 taken for one that does not count",
            "A token may be foreseen perfectly. Whether it counts stands in `keep`, not in its loss.",
            "How does your code tell which tokens count?", 0.7,
        ),
        idea(
            "squeezed", "a squeeze that takes every axis of length 1 away",
            "A sentence of a single token has such an axis, too: then B losses meet B marks from the right, and make a "
            "table.",
            "Which axes are left of (3, 1, 1) in your code?", 0.7,
        ),
        idea(
            "axis_moved", "an axis of length 1 that was moved, not taken away",
            "(B, T) against (B, 1, T) gives (B, B, T): the losses of every sentence meet the marks of every sentence.",
            "What is the shape of your product, for 3 sentences of 5 tokens?",
        ),
        idea("sum", "a sum without a division", "It grows with the length of the text.", "How many tokens count?"),
        idea("inverted", "the tokens that do not count", "A 1 in `keep` marks what stays.", "Which losses meet a 0?"),
    ),
    hints=(
        "Bring `keep` to the shape of `losses` first. Then: sum of what counts, divided by how many count.",
        "losses (B, T), keep (B, T, 1) -> (B, T); the result has no axis at all",
        "drop the last axis of keep\nmultiply, sum over everything\ndivide by the sum of keep",
    ),
)  # fmt: skip
