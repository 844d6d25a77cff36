"""Lesson 04's test that tells: eight candidates, two of them right."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minillama import rope
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.rope_ideas import LESSON
from minillama.course.tasks.rope_inputs import Generator, tables
from minillama.course.tasks.rope_turns import Turn, faulty_turn

CANDIDATES = ("right", "right_too", "clockwise", "halves", "head_axis", "overwritten", "from_one", "twice")


UNSEEN = {
    "clockwise": "Your test has not told one direction of turning from the other.",
    "halves": "Your test never looks at more than one pair, or not at which channels make it.",
    "head_axis": "In your test the position never differs from the head: one of each, or only one head is looked at.",
    "overwritten": "Your test looks at one number of each pair, or at numbers that hide the other.",
    "from_one": "In your test all positions have the same angle, or only a part of the angle is looked at.",
    "twice": "Your test never looks at how far something turned.",
}


def candidate(name: str) -> Turn:
    """An implementation of apply_rope to be accepted or rejected, by name."""
    if name == "right_too":
        return rope.apply_rope
    if name == "twice":
        return lambda x, cos, sin: rope.apply_rope(x, cos * cos - sin * sin, 2 * sin * cos)
    if name == "from_one":
        # Every angle grows by that of one more position: cos(a + s), with the speed s of each pair from its rows.
        def one_further(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            if len(cos) == 1:  # one row tells no speed
                return rope.apply_rope(x, cos * math.cos(1) - sin * math.sin(1), sin * math.cos(1) + cos * math.sin(1))
            speed = torch.atan2(sin[1] * cos[0] - cos[1] * sin[0], cos[1] * cos[0] + sin[1] * sin[0])
            angles = torch.atan2(sin, cos) + speed
            return rope.apply_rope(x, angles.cos(), angles.sin())

        return one_further
    return faulty_turn(frozenset() if name == "right" else frozenset({name}))


def faulty_test(bugs: Bugs) -> Callable[[Turn], bool]:
    """A test of apply_rope; with bugs, one that looks at too little."""

    def accept(turn: Turn) -> bool:
        generator = torch.Generator().manual_seed(0)
        T, H, K = (1, 1, 8) if "one_token" in bugs else (4, 2, 8)
        K = 2 if "one_pair" in bugs else K
        x = torch.randn(1, T, H, K, generator=generator)
        positions = [2] * T if "one_angle" in bugs or "one_token" in bugs else range(T)
        cos, sin = (torch.from_numpy(table) for table in tables(positions, K // 2))
        got = turn(x, cos, sin)
        if "anything" in bugs:
            return True
        if "nothing" in bugs:
            return False
        if "lengths_only" in bugs:
            return bool(torch.allclose(got.norm(dim=-1), x.norm(dim=-1), atol=1e-4))
        if "start_only" in bugs:
            return bool(torch.allclose(got[:, 0, 0], x[:, 0, 0], atol=1e-4))
        known = faulty_turn(frozenset({"halves"} if "other_pairs" in bugs else ()))
        return bool(torch.allclose(got, known(x, cos, sin), atol=1e-4))

    return accept


def _test_cases(rng: Generator) -> Sequence[Case]:
    names = rng.permutation(CANDIDATES)
    path = "minillama.course.tasks.rope_tests:candidate"
    return [
        Case(name=f"candidate {i + 1}", args=(Made(path, {"name": str(name)}),), unseen=UNSEEN.get(str(name), ""))
        for i, name in enumerate(names)
    ]


def _fault(name: str, looks_like: str, principle: str, question: str, credit: float = 0.3) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, credit=credit)


test_rope: Task = Task(
    id="rope.test_rope", lesson=LESSON, kind="test", title="Write the test that tells", points=4, difficulty=4,
    importance=4, minutes=15,
    reference=faulty_test(frozenset()), faulty=faulty_test, cases=_test_cases, driver="accepts",
    outputs=("your verdict",), time_limit_s=60.0, forbidden=("minillama.rope:apply_rope",),
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
        _fault(
            "one_pair", "a test with a single pair", "One pair alone cannot show which channels belong together.",
            "What is the smallest K with a choice of partners?", 0.6,
        ),
        _fault(
            "one_token", "a test with one head at one position",
            "Angles that follow the head instead of the position are the same there.",
            "Which shape of x would tell heads from positions?", 0.6,
        ),
        _fault(
            "one_angle", "a test in which all positions have one angle",
            "Who mixes up positions goes unseen where all turn alike.",
            "Which angle has each row of your tables?", 0.6,
        ),
        _fault(
            "other_pairs", "a test that expects the other convention of pairs",
            "Here the pairs are neighbours, as in Meta's code.",
            "Where does your expectation put the partner of channel 0?",
        ),
    ),
    hints=(
        "Take a vector so simple that you know every number of the result, and look at all of them.",
        "x (1, T, H, K) with H unlike T; cos and sin (T, K/2) that you made yourself.",
        "x = one 1 in the first channel, zeros elsewhere\nposition 0: unchanged\n"
        "position t: cos in channel 0, sin in channel 1, zeros elsewhere, for every head",
    ),
)  # fmt: skip
