"""Tasks of lesson 06 about one head's weights, and about heads that stand first."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Misconception, Probe, Task
from minillama.course.tasks.attention_ideas import (
    LESSON,
    MASK_AFTER,
    MASK_INVERTED,
    MASK_ZERO,
    NAN_ROWS,
    NO_MASK,
    NO_SCALE,
    OVER_QUERIES,
    SCALE_D,
    SCALE_UP,
    Generator,
    causal,
    draw,
)


def fault(name: str, looks_like: str, principle: str, question: str, **more: Any) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, **more)


def weights_of(scores: Tensor, allowed: Tensor, bugs: Bugs) -> Tensor:
    """Masked scores (..., T, S) to weights, with these bugs."""
    lowest = -torch.inf if "nan_rows" in bugs else torch.finfo(torch.float32).min
    forbidden = allowed if "mask_inverted" in bugs else ~allowed
    axis = -2 if "over_queries" in bugs else -1
    if "mask_after" in bugs:
        return scores.softmax(axis) * allowed
    if "mask_zero" in bugs:
        return scores.masked_fill(~allowed, 0.0).softmax(axis)
    return (scores if "no_mask" in bugs else scores.masked_fill(forbidden, lowest)).softmax(axis)


def scaled(scores: Tensor, K: int, bugs: Bugs) -> Tensor:
    """Scores with their scale, or with a wrong one."""
    power = 0.0 if "no_scale" in bugs else -1.0 if "scale_d" in bugs else 0.5 if "scale_up" in bugs else -0.5
    return scores * float(K) ** power


# The weights of one head


def faulty_weights(bugs: Bugs) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """attention.attention_weights with these bugs."""

    def weights(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        K = q.shape[0] if "scale_length" in bugs else q.shape[1]
        scores = k @ q.T if "keys_ask" in bugs else q @ k.T
        return weights_of(scaled(scores, K, bugs), mask, bugs)

    return weights


def _row_cases(rng: Generator) -> list[Case]:
    T = int(rng.integers(5, 8))
    return [Case(name=f"{T} tokens", args=(draw(rng, T, 4), draw(rng, T, 4), causal(T, T)))]


def _row_sum(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    sums = outputs[0].sum(-1)
    row = int(np.abs(sums - 1).argmax())
    if np.isnan(sums).any() or abs(sums[row] - 1) < 1e-3:
        return None
    return f"The weights of query {row} sum to {sums[row]:.3f}."


ROWS_SUM_TO_ONE = Probe(
    name="rows sum to one",
    cases=_row_cases,
    broken=_row_sum,
    principle="Each query shares out one whole of attention among the keys that it may see.",
    question="Is the softmax the last thing that happens, and does it run over the keys?",
)


def weight_cases(rng: Generator) -> list[Case]:
    """A prompt, a step after others, any mask at all, and a query that may look nowhere."""
    T, past, K = int(rng.integers(4, 7)), int(rng.integers(2, 5)), int(rng.choice([8, 9, 12]))
    scattered = rng.random((4, 6)) < 0.5
    scattered[:, 0], scattered[:, 1] = True, False
    padded = causal(5, 5)
    padded[:2], padded[2:, :2] = False, False
    return [
        Case(name=f"{T} tokens of {K} channels", args=(2 * draw(rng, T, K), 2 * draw(rng, T, K), causal(T, T))),
        Case(
            name=f"3 queries after {past} cached keys",
            args=(2 * draw(rng, 3, 16), 2 * draw(rng, past + 3, 16), causal(3, past + 3)),
        ),
        Case(name="a scattered mask", args=(draw(rng, 4, K), draw(rng, 6, K), scattered)),
        Case(
            name="two rows of padding, which may look nowhere", args=(draw(rng, 5, 4), draw(rng, 5, 4), padded),
            part="padding",
        ),
    ]  # fmt: skip


ONE_HEAD = (
    NO_SCALE, SCALE_D, SCALE_UP,
    fault(
        "scale_length", "a scale that follows the number of queries",
        "A score is a sum over K channels: that number makes it large, however many tokens there are.",
        "Which axis of q does a dot product add up?",
    ),
    OVER_QUERIES, MASK_AFTER, MASK_ZERO, NO_MASK, MASK_INVERTED, NAN_ROWS,
)  # fmt: skip

attention_weights = Task(
    id="attention.attention_weights", lesson=LESSON, kind="complete", title="Weigh the keys of one head", points=3,
    difficulty=2, importance=5, minutes=10,
    reference=faulty_weights(frozenset()), faulty=faulty_weights, cases=weight_cases, probes=(ROWS_SUM_TO_ONE,),
    outputs=("weights",), misconceptions=ONE_HEAD,
    hints=(
        "Every query meets every key; then scale, mask, softmax, in this order.",
        "q (T, K) and k (S, K) -> scores (T, S), the shape of the mask.",
        "scores = dot products of all pairs / root of K\nwhere the mask is False: a number far below all others\n"
        "softmax over the keys",
    ),
)  # fmt: skip


# Heads first


def faulty_split(bugs: Bugs) -> Callable[[Tensor, int], Tensor]:
    """attention.split_heads with these bugs."""

    def split(x: Tensor, n_heads: int) -> Tensor:
        B, T, D = x.shape
        K = D // n_heads
        if "viewed" in bugs:
            return x.reshape(B, n_heads, T, K)
        if "dealt_out" in bugs:
            return x.reshape(B, T, K, n_heads).permute(0, 3, 1, 2)
        if "not_moved" in bugs:
            return x.reshape(B, T, n_heads, K)
        if "channels_first" in bugs:
            return x.reshape(B, T, n_heads, K).transpose(1, 3)
        if "heads_as_channels" in bugs:
            return x.reshape(B, T, K, n_heads).transpose(1, 2)
        return x.reshape(B, T, n_heads, K).transpose(1, 2)

    return split


def split_cases(rng: Generator) -> list[Case]:
    """Sizes that all differ, as many heads as tokens, and sizes that all agree."""
    H, K, T = int(rng.integers(2, 4)), int(rng.integers(4, 6)), int(rng.integers(6, 9))
    return [
        Case(name=f"{T} tokens and {H} heads of {K} channels", args=(draw(rng, 2, T, H * K), H)),
        Case(name="as many heads as tokens", args=(draw(rng, 1, 4, 20), 4)),
        Case(name="4 tokens and 4 heads of 4 channels", args=(draw(rng, 1, 4, 16), 4)),
    ]


split_heads = Task(
    id="attention.split_heads", lesson=LESSON, kind="complete", title="Put the heads first", points=2, difficulty=2,
    importance=4, minutes=6,
    reference=faulty_split(frozenset()), faulty=faulty_split, cases=split_cases, outputs=("heads",),
    misconceptions=(
        fault(
            "viewed", "a reshape where two axes have to change places",
            "A reshape reads the numbers in their order. It would give head 0 the first tokens, all their channels.",
            "Which token do the numbers of your [0, 0, 1] come from?",
        ),
        fault(
            "dealt_out", "channels that are dealt out to the heads in turn",
            "Head 0 has the first K channels of a token, head 1 the next K.",
            "Which channels of a token does your head 0 hold?",
        ),
        fault(
            "not_moved", "heads that stand behind the tokens", "What is asked for is (B, H, T, K).",
            "Which two axes have still to change places?",
        ),
        fault(
            "channels_first", "two other axes exchanged", "What is asked for is (B, H, T, K).",
            "Which axis is which, counted from 0, before your transpose?",
        ),
        fault(
            "heads_as_channels", "the number of heads taken for the channels of one",
            "n_heads is how many there are; each gets D / n_heads channels.",
            "How many channels has a head, with D = 20 and 4 heads?",
        ),
    ),
    hints=(
        "First cut the channels into heads, then move the axis.",
        "(B, T, D) -> (B, T, H, K) -> (B, H, T, K), with K = D / H.",
        "cut the last axis into H parts of K\nexchange the axes of tokens and heads",
    ),
)  # fmt: skip
