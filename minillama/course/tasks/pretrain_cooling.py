"""Lesson 09's variant: a schedule that stays at its peak until it cools down."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.pretrain_hand import LESSON
from minillama.course.tasks.pretrain_schedules import (
    FIRST_IS_ZERO,
    NO_PEAK,
    NO_WARMUP,
    NO_WARMUP_PRINCIPLE,
    WARM_PLUS_ONE,
    WARM_TOO_LONG,
)

SHAPES: dict[str, Callable[[float], float]] = {
    "root": lambda progress: 1 - math.sqrt(progress),
    "line": lambda progress: 1 - progress,
    "square": lambda progress: 1 - progress**2,
}
IN_WORDS = {"root": "1 - root of progress", "line": "1 - progress", "square": "1 - progress squared"}


def cooling(shape: str, floor: float) -> Callable[[Bugs], Callable[..., float]]:
    """Warm-up, a stay at the peak, and a way down to the floor in the last steps."""

    def with_bugs(bugs: Bugs = frozenset()) -> Callable[..., float]:
        bend = SHAPES[next(each for each in SHAPES if each != shape)] if "other_shape" in bugs else SHAPES[shape]
        least = (0.1 if floor == 0 else 0.0) if "other_floor" in bugs else floor

        def schedule(step: int, n_steps: int, peak_lr: float, warmup_steps: int, cooldown_steps: int) -> float:
            if step < warmup_steps + ("warm_too_long" in bugs) and "no_warmup" not in bugs:
                return peak_lr * (step + ("first_is_zero" not in bugs)) / (warmup_steps + ("warm_plus_one" in bugs))
            start = n_steps - cooldown_steps
            if "never_stays" in bugs:
                start, cooldown_steps = warmup_steps, n_steps - warmup_steps
            if "length_for_start" in bugs:
                start, cooldown_steps = cooldown_steps, n_steps - cooldown_steps
            taken = step - start + ("late" not in bugs) + ("early" in bugs)
            taken -= "stays_longer" in bugs and taken == 1
            if "from_the_peak" in bugs:
                taken, cooldown_steps = taken - 1, cooldown_steps - 1
            progress = min(1.0, max(0.0, taken / cooldown_steps))
            if "no_peak" in bugs and progress > 0:
                return least + (1 - least) * bend(progress)
            return peak_lr * (least + (1 - least) * bend(progress))

        return schedule

    return with_bugs


def cooling_cases(rng: Generator) -> list[Case]:
    """The warm-up, the stay, the first, a middle and the last step of the way down."""
    warmup, cooldown, n_steps = int(rng.integers(4, 8)), int(rng.integers(20, 28)), int(rng.integers(70, 90))
    peak, start = float(rng.choice((1e-3, 2e-3))), n_steps - cooldown
    places = {
        "the first step": 0, "a step of the warm-up": warmup // 2, "the last step of the warm-up": warmup - 1,
        "the first step after the warm-up": warmup, "the middle of the run": n_steps // 2 + 4,
        "the last step at the peak": start - 1,
        "the first step on the way down": start, "a step on the way down": start + cooldown // 3,
        "the last step": n_steps - 1,
    }  # fmt: skip
    return [Case(name=name, args=(step, n_steps, peak, warmup, cooldown)) for name, step in places.items()]


def falls_otherwise(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is everything right but the height within the way down, whose first step is a small one down from the peak?"""
    found = False
    for case, got, right in zip(cases, outputs, expected, strict=True):
        step, n_steps, peak, _, cooldown = case.args
        off = abs(got - right) > 1e-5 * peak
        inside = n_steps - cooldown <= step < n_steps - 1
        if not 0 <= got < peak * (1 - 1e-6) if inside else off:
            return False
        if step == n_steps - cooldown and got < peak / 2:
            return False
        found |= inside and off
    return found


def make_cooling(shape: str = "root", floor: float = 0.0) -> Task:
    """The task for one shape of the way down, and one floor."""
    faulty = cooling(shape, floor)
    written = {"line": "(1 − p)", "root": "(1 − √p)", "square": "(1 − p²)"}[shape]
    height = f"({IN_WORDS[shape]})" if floor == 0 else f"({floor:g} + {1 - floor:g} x ({IN_WORDS[shape]}))"
    return Task(
        id="train.stay_and_cool", lesson=LESSON, kind="vary", title="Stay at the peak, then cool down", points=6,
        difficulty=3, importance=3, minutes=12,
        reference=faulty(frozenset()), faulty=faulty, cases=cooling_cases, rtol=1e-5, atol=1e-9,
        misconceptions=(
            idea("no_warmup", NO_WARMUP, NO_WARMUP_PRINCIPLE, "What does your function give at step 0?"),
            FIRST_IS_ZERO, WARM_PLUS_ONE, WARM_TOO_LONG, NO_PEAK,
            idea(
                "early", "a way down that is one step early",
                "The last step is the one at the end of the way, and no other.",
                "At which step does yours reach the end?", 0.7,
            ),
            idea(
                "from_the_peak", "a first step of the cool-down that is still at the peak",
                "A step counts itself: after the first of 20 steps a twentieth of the way is taken.",
                "What is your progress at the first step of the cool-down?", 0.7,
            ),
            idea(
                "never_stays", "a way down that begins right after the warm-up",
                "Between warm-up and cool-down the rate stays at its peak.",
                "At which step does your rate begin to fall?",
            ),
            idea(
                "length_for_start", "the length of the cool-down taken for its first step",
                "cooldown_steps says how many of the last steps belong to it.",
                "How many steps lie between your first falling one and the end?",
            ),
            idea(
                "late", "a way down that is one step late",
                "The first step of the cool-down is below the peak already, and the last one is at the end of the way.",
                "What is your progress at the last step?", 0.7,
            ),
            idea(
                "stays_longer", "a rate that stays at its peak one step too long",
                "The way down has cooldown_steps steps, and the first of them is below the peak already.",
                "Which number has your first falling step, and how many steps are there from it to the end?", 0.7,
            ),
            idea(
                "other_shape", "a way down of another shape",
                "The task names the curve: how the height above the floor depends on the progress.",
                "How high is your rate at a quarter of the way?", 0.5, falls_otherwise,
            ),
            idea(
                "other_floor", "a way down that ends somewhere else",
                f"Here the last step has {floor:g} of the peak.", "What does your last step have?",
            ),
        ),
        hints=(
            "Three parts. In which of them is the step, and how far along?",
            "All are numbers. The cool-down has cooldown_steps steps, the last of which is n_steps - 1.",
            "in the warm-up: as before\nbefore the last cooldown_steps: peak\nelse progress = steps of the cool-down "
            f"taken, this one too / cooldown_steps\npeak x {height}",
        ),
        family={"shape": tuple(SHAPES), "floor": (0.0, 0.1)}, build=make_cooling,
        phrases=(
            "to 0 at the very last" if floor == 0 else f"to {floor:g} of the peak at the very last",
            f"The way down has the shape of a {shape}:",
            f"peak × {written}" if floor == 0 else f"peak × ({floor:g} + {1 - floor:g} × {written})",
        ),
    )  # fmt: skip


stay_and_cool = make_cooling()
