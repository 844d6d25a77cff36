"""Lesson 04's variant that nobody shows: a turn of a part of each head."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.rope_ideas import CLOCKWISE, LESSON, OVERWRITTEN, SWAPPED
from minillama.course.tasks.rope_inputs import Generator, draw, tables
from minillama.course.tasks.rope_turns import Turn, faulty_turn

PAIRS = {"neighbours": "neighbours as pairs", "halves": "the i-th and the (R/2 + i)-th of these as a pair"}
PASSED_ON = {"clockwise", "swapped", "overwritten"}  # faults of the turn itself


def partial(side: str, pairing: str) -> Callable[[Bugs], Turn]:
    """Partial rotary embedding: R = 2 * cos.shape[1] channels of each head turn, at its first or last end."""

    def with_bugs(bugs: Bugs) -> Turn:
        first_end = (side == "first") != ("wrong_end" in bugs)
        halves = (pairing == "halves") != ("other_pairs" in bugs)

        def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            if "whole_head" in bugs:  # every (K/R)th pair of the whole head
                every = x.shape[-1] // (2 * cos.shape[-1])
                cos, sin = cos.repeat_interleave(every, -1), sin.repeat_interleave(every, -1)
                return faulty_turn(frozenset({"halves"} if halves else ()) | bugs)(x, cos, sin)
            R = 2 * cos.shape[-1]
            turning, rest = (x[..., :R], x[..., R:]) if first_end else (x[..., -R:], x[..., :-R])
            turned = faulty_turn(frozenset({"halves"} if halves else ()) | (bugs & PASSED_ON))(turning, cos, sin)
            if "half_R" in bugs:  # R/2 channels meet R/2 columns: it runs only where one pair is left to spread
                return torch.cat((faulty_turn(frozenset())(x[..., : R // 2], cos, sin), x[..., R // 2 :]), -1)
            if "rest_first" in bugs:
                return torch.cat((rest, turned) if first_end else (turned, rest), -1)
            if "drops_rest" in bugs:
                return turned
            rest = torch.zeros_like(rest) if "zero_rest" in bugs else rest
            return torch.cat((turned, rest) if first_end else (rest, turned), -1)

        return turn

    return with_bugs


def partial_cases(rng: Generator) -> list[Case]:
    """R of K channels turn, R a half or a third of K."""
    large, T = 2 * int(rng.integers(3, 5)), int(rng.integers(5, 8))
    return [
        Case(name=f"{R} of {K} channels", args=(draw(rng, 2, T, H, K, dtype=dtype), *tables(range(T), R // 2)))
        for R, K, H, dtype in (
            (large, 2 * large, 2, np.float32), (4, 12, 3, np.float32), (large, 3 * large, 3, np.float32),
            (large, 2 * large, 2, np.float16),
        )
    ]  # fmt: skip


def make_partial_rotary(side: str = "first", pairing: str = "neighbours") -> Task:
    """The task for one end of the head and one convention of pairs."""
    faulty = partial(side, pairing)
    return Task(
        id="rope.partial_rotary", lesson=LESSON, kind="vary", title=f"Turn only the {side} channels", points=6,
        difficulty=3, importance=3, minutes=12,
        reference=faulty(frozenset()), faulty=faulty, cases=partial_cases, atol=1e-4,
        misconceptions=(
            Misconception(
                name="wrong_end",
                looks_like="a turn at the wrong end of each head",
                principle=f"The {side} R channels of every head turn, the others are handed on.",
                question="Which slice of the last axis do you turn?",
            ),
            Misconception(
                name="zero_rest",
                looks_like="zeros where nothing should turn",
                principle="Channels that do not turn still carry meaning: that is why some models leave them alone.",
                question="What do you put into the channels that do not turn?",
            ),
            Misconception(
                name="drops_rest",
                looks_like="a result that holds the turned channels alone",
                principle="The result has the shape of x.",
                question="Where do the other channels go?",
            ),
            Misconception(
                name="half_R",
                looks_like="R/2 taken for R",
                principle="A table has a column for each pair, and a pair has two channels.",
                question="How many channels do the columns of cos turn?",
            ),
            Misconception(
                name="rest_first",
                looks_like="both parts joined in the other order",
                principle="Every channel comes back in its place.",
                question="Which part stood first in x?",
            ),
            Misconception(
                name="whole_head",
                looks_like="a turn of the whole head, with the table stretched over it",
                principle="Position is carried by R channels only.",
                question="How many channels does a table with R/2 columns turn?",
            ),
            Misconception(
                name="other_pairs",
                looks_like="the other convention of pairs",
                principle=f"Here the pairs are {pairing}.",
                question="Which channel is the partner of the first one that turns?",
            ),
            CLOCKWISE, SWAPPED, OVERWRITTEN,
        ),
        hints=(
            "You have a function that turns all channels that it is given. Give it fewer.",
            "cos is (T, R/2): it says how many channels turn. x is (B, T, H, K) with K larger than R.",
            "split the last axis in two parts\nturn the one\njoin both in the order that they had",
        ),
        family={"side": ("first", "last"), "pairing": ("neighbours", "halves")},
        build=make_partial_rotary,
        phrases=(f"**{side} R channels** of every head, {PAIRS[pairing]},",),
    )  # fmt: skip


partial_rotary = make_partial_rotary()
