"""Lesson 04's task by hand: two speeds, an angle, a turned vector, a partner."""

import dataclasses
from typing import Any

from minillama.course.record import Case, Misconception, Task
from minillama.course.tasks.hand import answers_by_hand
from minillama.course.tasks.rope_ideas import (
    CLOCKWISE,
    FROM_ONE,
    HALF_EXPONENT,
    HALVES,
    INVERSE_THETA,
    LESSON,
    OVERWRITTEN,
    SWAPPED,
)

RIGHT = {"frequencies": [1.0, 0.1], "angle": 0.5, "turned": [0.4, 2.2], "partner": 5}
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "half_exponent": {"frequencies": [1.0, 100**-0.25], "angle": 5 * 100**-0.25},
    "inverse_theta": {"frequencies": [1.0, 10.0], "angle": 50.0},
    "other_theta": {"frequencies": [1.0, 0.01], "angle": 0.05},
    "slow_first": {"frequencies": [0.1, 1.0]},
    "from_one": {"angle": 0.6},
    "degrees": {"angle": 28.648},
    "pair_zero": {"angle": 5.0},
    "no_position": {"angle": 0.1},
    "clockwise": {"turned": [2.0, -1.0]},
    "overwritten": {"turned": [0.4, 0.92]},
    "swapped": {"turned": [1.0, 2.0]},
    "second_first": {"turned": [2.2, 0.4]},
    "halves": {"partner": 0},
    "halves_up": {"partner": 8},
    "pairs_from_one": {"partner": 3},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


MISCONCEPTIONS = (
    HALF_EXPONENT, INVERSE_THETA,
    Misconception(
        name="other_theta",
        looks_like="LLaMA's own θ, or an exponent that reaches 1",
        principle="Here θ is 100. Of K = 4 channels the last pair is i = 1, half of the way.",
        question="What is the exponent of pair 1, and of which number?",
    ),
    Misconception(
        name="slow_first",
        looks_like="the slowest pair in the first place",
        principle="Pair 0 has the exponent 0.",
        question="What is any number to the power of 0?",
    ),
    FROM_ONE,
    Misconception(
        name="degrees",
        looks_like="an angle in degrees",
        principle="Speeds are in radians a position, and so is every angle: once round is 6.28.",
        question="Did your calculator turn it into degrees?",
    ),
    Misconception(
        name="pair_zero",
        looks_like="the angle of pair 0",
        principle="Every pair turns at its own speed, and pairs are counted from 0.",
        question="Which of your two speeds belongs to pair 1?",
    ),
    Misconception(
        name="no_position",
        looks_like="the speed itself",
        principle="A speed is what a pair turns by from one position to the next.",
        question="How many of these steps are there up to position 5?",
    ),
    CLOCKWISE, OVERWRITTEN, SWAPPED,
    Misconception(
        name="second_first",
        looks_like="the two new numbers in the other order",
        principle="The first number of a point comes first, before the turn and after it.",
        question="Which of your two results starts from first times cos?",
    ),
    HALVES,
    dataclasses.replace(HALVES, name="halves_up", question="Which channels does a head of 8 have?"),
    Misconception(
        name="pairs_from_one",
        looks_like="pairs that begin with channel 1",
        principle="Channels are counted from 0, and the first pair holds the channels 0 and 1.",
        question="Which channels make pair 2?",
    ),
)  # fmt: skip

turn_by_hand = Task(
    id="rope.turn_by_hand", lesson=LESSON, kind="trace", title="Turn one vector by hand", points=2, difficulty=1,
    importance=4, minutes=6,
    reference=by_hand(), faulty=by_hand,
    cases=lambda rng: [Case(name=name, args=(name,)) for name in ("frequencies", "angle", "turned", "partner")],
    misconceptions=MISCONCEPTIONS,
    rtol=5e-3, atol=5e-3,
    hints=(
        "Every pair is a clock hand. Its speed is theta to a power from 0 to -1; its angle is speed times position.",
        "`frequencies` has K/2 = 2 numbers, `angle` is one, `turned` has 2, `partner` is a channel's number.",
        "speed of pair i: theta ^ (-2i / K)\nangle: position * speed\n"
        "new first:  first * cos - second * sin\nnew second: first * sin + second * cos",
    ),
)  # fmt: skip
