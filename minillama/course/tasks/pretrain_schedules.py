"""Lesson 09's schedule: the cosine that is promoted."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.pretrain_hand import LESSON
from minillama.train import loop

FIRST_IS_ZERO = idea(
    "first_is_zero", "a first step whose rate is 0",
    "A step with a rate of 0 changes nothing. The warm-up begins with one share of the peak and ends with all of it.",
    "What does your warm-up give at step 0, and at its last step?", 0.6,
)  # fmt: skip
WARM_PLUS_ONE = idea(
    "warm_plus_one", "a warm-up that never reaches the peak",
    "The last step of the warm-up has all of the peak: there are warmup_steps of them, and as many shares.",
    "What does your warm-up give at its last step?", 0.7,
)  # fmt: skip
WARM_TOO_LONG = idea(
    "warm_too_long", "a warm-up that has one step too many",
    "Steps are counted from 0: the warm-up is over when as many steps as it has are done.",
    "Which part of yours answers for step number warmup_steps?", 0.7,
)  # fmt: skip
NO_PEAK = idea("no_peak", "a share of the peak where the rate is asked for", "A share is multiplied by the peak rate.",
               "What does your function give at the peak, for a peak of 0.001?", 0.7)  # fmt: skip
NO_WARMUP = "a run that begins at the peak"
NO_WARMUP_PRINCIPLE = (
    "At the beginning AdamW's averages know one gradient only. The warm-up keeps the first steps small."
)


def faulty_cosine(bugs: Bugs = frozenset()) -> Callable[..., float]:
    """loop.cosine_schedule with these bugs."""

    def schedule(step: int, n_steps: int, peak_lr: float, warmup_steps: int, floor: float = 0.1) -> float:
        step += "early" in bugs
        if "floor_fixed" in bugs:
            floor = 0.1
        if step < warmup_steps + ("warm_too_long" in bugs) and "no_warmup" not in bugs:
            return peak_lr * (step + ("first_is_zero" not in bugs)) / (warmup_steps + ("warm_plus_one" in bugs))
        start = 0 if "whole_run" in bugs else warmup_steps - ("from_last" in bugs)
        progress = max(0, step - start + ("falls_early" in bugs)) / max(1, n_steps - ("ends_late" not in bugs) - start)
        progress = progress if "comes_back" in bugs else min(1.0, progress)
        wave = (1 + math.cos(math.pi * progress)) / 2
        wave = 1 - progress if "line" in bugs else math.cos(math.pi * progress / 2) if "quarter" in bugs else wave
        wave = (1 + math.cos(2 * math.pi * progress)) / 2 if "whole_wave" in bugs else wave
        if "to_zero" in bugs:
            return peak_lr * wave
        if "no_peak" in bugs:
            return floor + (1 - floor) * wave
        if "floor_as_rate" in bugs:
            return floor + (peak_lr - floor) * wave
        if "cut_off" in bugs:
            return peak_lr * max(floor, wave)
        return peak_lr * (floor + wave if "floor_on_top" in bugs else floor + (1 - floor) * wave)

    return schedule


def begins_at_the_peak(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is the rate of step 0 the peak, or nearly, though there is a warm-up, and the end right?"""
    found = False
    for case, got, right in zip(cases, outputs, expected, strict=True):
        step, n_steps, peak, warmup = case.args[:4]
        if step < warmup:
            if not 0.9 * peak <= got <= peak * 1.0001:
                return False
            found |= step == 0 and abs(got - peak) < 1e-6 * peak
        elif step >= n_steps - 1 and abs(got - right) > 1e-4 * peak:
            return False
    return found


def cosine_cases(rng: Generator) -> Sequence[Case]:
    """The beginning, the warm-up's end, the middle, the last step, and one after it."""
    warmup, n_steps = int(rng.integers(8, 13)), int(rng.integers(60, 80))
    peak = float(rng.choice((1e-3, 2e-3, 3e-4)))
    third = warmup + (n_steps - warmup) // 3
    return [
        Case(name="the first step", args=(0, n_steps, peak, warmup)),
        Case(name="a step of the warm-up", args=(warmup // 2, n_steps, peak, warmup)),
        Case(name="the last step of the warm-up", args=(warmup - 1, n_steps, peak, warmup)),
        Case(name="the first step after the warm-up", args=(warmup, n_steps, peak, warmup)),
        Case(name="a third of the cosine", args=(third, n_steps, peak, warmup)),
        Case(name="two thirds of the cosine", args=(2 * third - warmup, n_steps, peak, warmup, 0.2)),
        Case(name="the last step", args=(n_steps - 1, n_steps, peak, warmup)),
        Case(name="the last step and a floor of 0.25", args=(n_steps - 1, n_steps, peak, warmup, 0.25)),
        Case(name="a step behind the end", args=(n_steps + 9, n_steps, peak, warmup)),
        Case(name="no warm-up", args=(0, n_steps, peak, 0)),
    ]


cosine_schedule = Task(
    id="train.cosine_schedule", lesson=LESSON, kind="rebuild", title="Let the learning rate rise and fall", points=3,
    difficulty=2, importance=4, minutes=12,
    reference=loop.cosine_schedule, faulty=faulty_cosine, cases=cosine_cases,
    piece="minillama.train.loop:cosine_schedule", forbidden=("minillama.train.loop:cosine_schedule",),
    rtol=1e-5, atol=1e-9,
    misconceptions=(
        idea("no_warmup", NO_WARMUP, NO_WARMUP_PRINCIPLE, "What does your function give at step 0?", 0.5,
             begins_at_the_peak),
        FIRST_IS_ZERO,
        idea(
            "early", "a schedule that is one step ahead",
            "Step 0 is the first. The rate that a step gets is the rate of that step.",
            "Which step's rate do you compute when you are asked for step 0?", 0.6,
        ),
        idea(
            "to_zero", "a cosine that falls to zero",
            "The rate ends at the floor, a share of the peak: the last tokens still teach something.",
            "Where does your formula use `floor`?",
        ),
        idea(
            "floor_on_top", "a floor that is added to the whole cosine",
            "The wave runs from the peak to the floor. Its height is what lies between them.",
            "How high is your first step after the warm-up, beside the peak?",
        ),
        idea(
            "cut_off", "a cosine to zero that is cut off at the floor",
            "The wave is squeezed into what lies between peak and floor, and touches the floor at the end only.",
            "At which step does yours reach the floor?",
        ),
        idea(
            "floor_fixed", "a floor that is always a tenth", "`floor` is an argument.",
            "What does your function give at the last step for a floor of 0.25?", 0.7,
        ),
        idea(
            "whole_run", "a cosine that began at step 0",
            "The cosine begins where the warm-up ends, at its highest point.",
            "How far along is your wave at the first step after the warm-up?",
        ),
        idea(
            "from_last", "a cosine that begins one step before its time",
            "The last step of the warm-up has the whole peak, and the first step of the cosine has it once more.",
            "What does your function give at the first step after the warm-up?", 0.7,
        ),
        idea(
            "ends_late", "a cosine that would end one step after the last",
            "Steps are counted from 0: the last is n_steps - 1, and there the floor is reached.",
            "How many steps lie between the first of the cosine and the last?", 0.7,
        ),
        idea(
            "comes_back", "a cosine that rises again behind the end",
            "A run that goes on a little stays at the floor.", "What is your progress after the last step?", 0.7,
        ),
        idea("line", "a straight line down", "A cosine is slow at first, then fast, then slow.",
             "Which function bends it?"),
        WARM_PLUS_ONE, WARM_TOO_LONG, NO_PEAK,
        idea(
            "falls_early", "a cosine that is one step ahead of the warm-up",
            "The first step after the warm-up stands at the top of the wave.",
            "How far along is your wave at step number warmup_steps?", 0.7,
        ),
        idea(
            "whole_wave", "a whole wave, down and up again", "From the peak to the floor it is half a wave.",
            "Which angle does your cosine end with?",
        ),
        idea(
            "floor_as_rate", "a floor that is taken for a rate", "The floor is a share of the peak.",
            "Which rate is a floor of 0.1, for a peak of 0.001?",
        ),
        idea(
            "quarter", "a quarter of a wave",
            "Half a wave: flat at the peak and flat at the floor.", "Which angle does your cosine end with?",
        ),
    ),
    hints=(
        "Two parts: a line up, then half a wave down. How far along is the step in the part that it is in?",
        "All are numbers. A share of the warm-up from 1 / warmup_steps to 1; a progress from 0 to 1.",
        "in the warm-up: peak x (steps taken, this one too) / warmup_steps\nafter it: progress = steps since / steps "
        "there are, at most 1\npeak x (floor + what is above it x (1 + cos(pi x progress)) / 2)",
    ),
)  # fmt: skip
