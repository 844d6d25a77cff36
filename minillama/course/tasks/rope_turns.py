"""Tasks of lesson 04 about turning: apply_rope, a cached step, a part of each head, and a test that tells."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from minillama import rope
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.rope_inputs import (
    DISTANCE_ONLY,
    LENGTHS_STAY,
    START_STAYS,
    Generator,
    draw,
    tables,
    turning_cases,
)
from minillama.course.tasks.rope_tables import CLOCKWISE, FROM_ONE, HALVES, LESSON, OVERWRITTEN

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


def faulty_turn(bugs: Bugs) -> Turn:
    """apply_rope with these bugs."""

    def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        wide = x.float()
        heads = x.shape[2]
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
    probes=(LENGTHS_STAY, DISTANCE_ONLY, START_STAYS),
    piece="minillama.rope:apply_rope", atol=1e-4,
    misconceptions=(HALVES, HALVES_OUT, CLOCKWISE, OVERWRITTEN, HEAD_AXIS),
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
        cos, sin = cos[start : start + q.shape[1]], sin[start : start + q.shape[1]]
        keys = k if "queries_only" in bugs else rope.apply_rope(k, cos, sin)
        values = rope.apply_rope(v, cos, sin) if "values_too" in bugs else v
        return rope.apply_rope(q, cos, sin), keys, values

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
    ),
    hints=(
        "Two things meet in a score. Turn those, by the rows of their positions.",
        "cos and sin have a row for each position of the context; this step needs T of them.",
        "rows = those of positions past to past + T\nturn q and k by these rows, leave v",
    ),
)  # fmt: skip


# A part of each head


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
            turned = faulty_turn(frozenset({"halves"} if halves else ()) | (bugs & {"clockwise"}))(turning, cos, sin)
            if "drops_rest" in bugs:
                return turned
            rest = torch.zeros_like(rest) if "zero_rest" in bugs else rest
            return torch.cat((turned, rest) if first_end else (rest, turned), -1)

        return turn

    return with_bugs


def partial_cases(rng: Generator) -> list[Case]:
    """R of K channels turn, R a half or a third of K."""
    R, T = 2 * int(rng.integers(2, 4)), int(rng.integers(5, 8))
    return [
        Case(name=f"{R} of {K} channels", args=(draw(rng, 2, T, H, K, dtype=dtype), *tables(range(T), R // 2)))
        for K, H, dtype in ((2 * R, 2, np.float32), (3 * R, 3, np.float32), (2 * R, 2, np.float16))
    ]


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
            CLOCKWISE,
        ),
        hints=(
            "You have a function that turns all channels that it is given. Give it fewer.",
            "cos is (T, R/2): it says how many channels turn. x is (B, T, H, K) with K larger than R.",
            "split the last axis in two parts\nturn the one\njoin both in the order that they had",
        ),
        family={"side": ("first", "last"), "pairing": ("neighbours", "halves")},
        build=make_partial_rotary,
    )  # fmt: skip


partial_rotary = make_partial_rotary()


# A test that tells

CANDIDATES = ("right", "right_too", "clockwise", "halves", "head_axis", "overwritten", "from_one", "twice")


def candidate(name: str) -> Turn:
    """An implementation of apply_rope to be accepted or rejected, by name."""
    if name == "right_too":
        return rope.apply_rope
    if name == "twice":
        return lambda x, cos, sin: rope.apply_rope(x, cos * cos - sin * sin, 2 * sin * cos)
    if name == "from_one":
        # Every angle grows by that of one more position: cos(a + s), with the speed s of each pair from its rows.
        def one_further(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            speed = torch.atan2(sin[1] * cos[0] - cos[1] * sin[0], cos[1] * cos[0] + sin[1] * sin[0])
            angles = torch.atan2(sin, cos) + speed
            return rope.apply_rope(x, angles.cos(), angles.sin())

        return one_further
    return faulty_turn(frozenset() if name == "right" else frozenset({name}))


def faulty_test(bugs: Bugs) -> Callable[[Turn], bool]:
    """A test of apply_rope; with bugs, one that looks at too little."""

    def accept(turn: Turn) -> bool:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(1, 4, 2, 8, generator=generator)
        cos, sin = (torch.from_numpy(table) for table in tables(range(4), 4))
        got = turn(x, cos, sin)
        if "anything" in bugs:
            return True
        if "nothing" in bugs:
            return False
        if "lengths_only" in bugs:
            return bool(torch.allclose(got.norm(dim=-1), x.norm(dim=-1), atol=1e-4))
        if "start_only" in bugs:
            return bool(torch.allclose(got[:, 0, 0], x[:, 0, 0], atol=1e-4))
        return bool(torch.allclose(got, rope.apply_rope(x, cos, sin), atol=1e-4))

    return accept


def _test_cases(rng: Generator) -> Sequence[Case]:
    names = rng.permutation(CANDIDATES)
    path = "minillama.course.tasks.rope_turns:candidate"
    return [Case(name=f"candidate {i + 1}", args=(Made(path, {"name": str(name)}),)) for i, name in enumerate(names)]


def _fault(name: str, looks_like: str, principle: str, question: str, credit: float = 0.3) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, credit=credit)


test_rope: Task = Task(
    id="rope.test_rope", lesson=LESSON, kind="test", title="Write the test that tells", points=4, difficulty=4,
    importance=4, minutes=15,
    reference=faulty_test(frozenset()), faulty=faulty_test, cases=_test_cases, driver="accepts",
    outputs=("your verdict",), forbidden=("minillama.rope:apply_rope",),
    misconceptions=(
        _fault(
            "anything", "a test that accepts everything", "Six of the eight are wrong.",
            "Which of your lines can fail?", 0.0,
        ),
        _fault(
            "nothing", "a test that rejects everything", "Two of the eight are right.",
            "Do you compare floats exactly, or with another convention?", 0.0,
        ),
        _fault(
            "lengths_only", "a test of lengths alone",
            "A turn by any wrong angle, and of any wrong pair, keeps lengths too.",
            "What else is true of the right turn, and of no other?",
        ),
        _fault(
            "start_only", "a test of position 0 alone", "At position 0 a turn does nothing, in either direction.",
            "What happens to (1, 0) at position 1?",
        ),
    ),
    hints=(
        "Take a vector so simple that you know every number of the result, and look at all of them.",
        "x (1, T, H, K) with H unlike T; cos and sin (T, K/2) that you made yourself.",
        "x = one 1 in the first channel, zeros elsewhere\nposition 0: unchanged\n"
        "position t: cos in channel 0, sin in channel 1, zeros elsewhere, for every head",
    ),
)  # fmt: skip
