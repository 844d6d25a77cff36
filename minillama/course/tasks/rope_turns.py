"""Tasks of lesson 04 about turning: apply_rope, and a step with a cache."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama import rope
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.signatures import in_16_bits
from minillama.course.tasks.rope_ideas import CLOCKWISE, FROM_ONE, HALVES, LESSON, OVERWRITTEN, SWAPPED
from minillama.course.tasks.rope_inputs import (
    DISTANCE_ONLY,
    LENGTHS_STAY,
    START_STAYS,
    WIDE,
    Generator,
    draw,
    tables,
    turning_cases,
)

Turn = Callable[[Tensor, Tensor, Tensor], Tensor]

HALVES_OUT = Misconception(
    name="halves_out",
    looks_like="channels that are read as neighbours and put back as halves",
    principle="Channel 2i comes back as channel 2i, its partner beside it. The model would not show it, since queries "
    "and keys are reordered alike; a cache or a kernel that trusts the order would.",
    question="In which order does your last line join the two parts?",
)
HEAD_AXIS = Misconception(
    name="head_axis",
    looks_like="angles that follow the head instead of the position",
    principle="x is (B, T, H, K) and cos is (T, K/2). Broadcasting lines axes up from the right, and H is in the way.",
    question="Which axis of x does the first axis of your cos meet?",
)


def regrouped(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The turn of a head that was made by a reshape to (B, H, T, K)."""
    B, T, H, K = x.shape
    return rope.apply_rope(x.reshape(B, H, T, K).transpose(1, 2), cos, sin).transpose(1, 2).reshape(x.shape)


def is_regrouped(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are these its outputs? With as many heads as positions they are those of `head_axis` too, and tell nothing."""
    telling = [(case.args, got) for case, got in zip(cases, outputs, strict=True) if case.args[0].shape[1] > 4]
    return bool(telling) and all(
        np.allclose(got, regrouped(*map(torch.from_numpy, given)).double().numpy(), rtol=5e-3, atol=1e-2)
        for given, got in telling
    )


UNTURNED = Misconception(
    name="unturned",
    looks_like="vectors that come back as they were",
    principle="Every position but 0 turns what stands there.",
    question="Does what you return come from the two new parts, or from x?",
    credit=0.0,
)
UNTURNED_STEP = dataclasses.replace(UNTURNED, question="Which two of the three tensors need a position?")
FIRST_ROW = Misconception(
    name="first_row",
    looks_like="one row of the table for all positions",
    principle="Row t of cos belongs to the tokens at place t of x.",
    question="Which shape have your cos and sin when they meet x?",
)
REGROUPED = Misconception(
    name="regrouped",
    looks_like="numbers that were dealt out anew to heads and positions",
    principle="A reshape reads the numbers in their order and knows no axes: only a transpose exchanges two axes.",
    question="Which token does x[0, 1, 0] belong to after your reshape?",
    signature=is_regrouped,
)
HALF_WORK = Misconception(
    name="half_work",
    looks_like="a turn that is computed in 16 bits",
    principle="Two products that nearly cancel leave the rounding of both. Wide while computing, narrow at the end.",
    question="In which dtype are the two products when they are subtracted?",
    signature=in_16_bits,
)


def faulty_turn(bugs: Bugs) -> Turn:
    """apply_rope with these bugs."""

    def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        wide = x if "half_work" in bugs else x.float()
        heads = x.shape[2]
        if "unturned" in bugs:
            return x.clone()
        if "half_work" in bugs:
            cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        if "swapped" in bugs:
            cos, sin = sin, cos
        if "first_row" in bugs:
            cos, sin = cos[:1], sin[:1]
        if "regrouped" in bugs:
            return regrouped(x, cos, sin)
        if "head_axis" in bugs:
            if heads > len(cos):
                raise IndexError("more heads than rows")
            cos, sin = cos[None, None, :heads], sin[None, None, :heads]
        else:
            cos, sin = cos[None, :, None], sin[None, :, None]
        first, second = wide.chunk(2, dim=-1) if "halves" in bugs else (wide[..., 0::2], wide[..., 1::2])
        sin = -sin if "clockwise" in bugs else sin
        turned = first * cos - second * sin
        other = (turned if "overwritten" in bugs else first) * sin + second * cos
        split = "halves" in bugs or "halves_out" in bugs
        joined = torch.cat((turned, other), -1) if split else torch.stack((turned, other), -1).flatten(-2)
        return joined.to(x.dtype)

    return turn


apply_rope = Task(
    id="rope.apply_rope", lesson=LESSON, kind="rebuild", title="Turn queries and keys", points=4, difficulty=3,
    importance=5, minutes=15,
    reference=rope.apply_rope, faulty=faulty_turn, cases=turning_cases,
    probes=(LENGTHS_STAY, DISTANCE_ONLY, START_STAYS, WIDE),
    piece="minillama.rope:apply_rope", atol=1e-4, exact_dtype=True,
    misconceptions=(
        HALVES, HALVES_OUT, CLOCKWISE, OVERWRITTEN, HEAD_AXIS, SWAPPED, UNTURNED, FIRST_ROW, REGROUPED, HALF_WORK,
    ),
    hints=(
        "Split the channels into first and second numbers of all pairs; turn them all at once; put them back in place.",
        "x (B, T, H, K) -> first and second (B, T, H, K/2). cos (T, K/2) needs an axis of 1 where x has its heads.",
        "first, second = even channels, odd channels, in float32\ncos, sin get an axis for the heads\n"
        "new first, new second by the formula of the trace\ninterleave them again, and return to the dtype of x",
    ),
)  # fmt: skip


# One step with a cache


def faulty_step(bugs: Bugs) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """rope.rotate_step with these bugs."""

    def step(q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, past: int) -> tuple[Tensor, Tensor, Tensor]:
        start = 0 if "forgets_past" in bugs else past
        start += "from_one" in bugs
        whole = (cos, sin)
        cos, sin = cos[start : start + q.shape[1]], sin[start : start + q.shape[1]]
        if "unturned" in bugs:
            return q, k, v
        if "one_row" in bugs:
            cos, sin = cos[:1].expand_as(cos), sin[:1].expand_as(sin)
        rows = [table[: k.shape[1]] for table in whole] if "keys_from_zero" in bugs else [cos, sin]
        keys = k if "queries_only" in bugs else rope.apply_rope(k, *rows)
        values = rope.apply_rope(v, cos, sin) if "values_too" in bugs else v
        queries = q if "keys_only" in bugs else rope.apply_rope(q, cos, sin)
        return (keys, queries, values) if "keys_first" in bugs else (queries, keys, values)

    return step


def step_cases(rng: Generator) -> list[Case]:
    """A prompt, one token after it, and a few tokens after it."""
    cos, sin = tables(range(32), 4)
    H, G, past = 4, int(rng.choice([1, 2])), int(rng.integers(4, 16))
    return [
        Case(
            name=f"{T} token{'s' if T > 1 else ''} after {before}",
            args=(draw(rng, 1, T, H, 8), draw(rng, 1, T, G, 8), draw(rng, 1, T, G, 8), cos, sin, before),
        )
        for T, before in ((5, 0), (1, past), (3, past))
    ]


rotate_step = Task(
    id="rope.rotate_step", lesson=LESSON, kind="complete", title="Turn one step, with a cache", points=2,
    difficulty=2, importance=5, minutes=6,
    reference=faulty_step(frozenset()), faulty=faulty_step, cases=step_cases, outputs=("q", "k", "v"), atol=1e-4,
    misconceptions=(
        Misconception(
            name="values_too",
            looks_like="values that are turned as well",
            principle="Only scores should feel positions. What a token says must not depend on where it says it.",
            question="Which two tensors meet in a dot product?",
        ),
        Misconception(
            name="forgets_past",
            looks_like="positions that start again at 0 in every step",
            principle="Cached keys were turned when they were new. The token after 7 others stands at position 7.",
            question="Which row of cos belongs to the first token of this step?",
        ),
        FROM_ONE,
        Misconception(
            name="queries_only",
            looks_like="keys that are not turned",
            principle="A score feels the distance only where both are turned: the dot product subtracts the angles.",
            question="What is left of the angle when one of the two stands still?",
        ),
        Misconception(
            name="keys_only",
            looks_like="queries that are not turned",
            principle="A score feels the distance only where both are turned: the dot product subtracts the angles.",
            question="What is left of the angle when one of the two stands still?",
        ),
        Misconception(
            name="keys_first",
            looks_like="keys that come back before the queries",
            principle="They come back in the order in which they came in: q, k, v.",
            question="In which order does your last line name the three?",
            credit=0.7,
        ),
        Misconception(
            name="keys_from_zero",
            looks_like="keys that are counted from 0 in every step, beside queries that are not",
            principle="A token's query and key stand at one and the same position.",
            question="Which rows turn the keys of this step, and which the queries?",
        ),
        UNTURNED_STEP,
        Misconception(
            name="one_row",
            looks_like="one position for all tokens of a step",
            principle="A prompt is a step, too: its tokens come together and stand at positions of their own.",
            question="How many rows does a step of T tokens take?",
        ),
    ),
    hints=(
        "Two things meet in a score. Turn those, by the rows of their positions.",
        "cos and sin have a row for each position of the context; this step needs T of them.",
        "rows = those of positions past to past + T\nturn q and k by these rows, leave v",
    ),
)  # fmt: skip
