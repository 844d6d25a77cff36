"""Lesson 05's task by hand: one small layer, and its size."""

from collections.abc import Callable
from math import exp
from typing import Any

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.feedforward_ideas import LESSON, PRODUCT_FIRST, ROUNDS_DOWN, SIGMOID, SWAPPED, WHOLE_FOUR


def by_hand(bugs: Bugs = frozenset()) -> Callable[[str], Any]:
    """The values of feedforward.by_hand: x = (1, -1), w1 the unit matrix, w3 exchanges, w2 = (1, -1)."""

    def silu(t: float) -> float:
        sigmoid = 1 / (1 + exp(-t))
        if "sigmoid" in bugs:
            return sigmoid
        if "relu" in bugs:
            return max(t, 0.0)
        return t / (1 + exp(-abs(t))) if "odd" in bugs else t * sigmoid

    gate, up = (1.0, -1.0), (-1.0, 1.0)
    if "swapped" in bugs:
        gate, up = up, gate
    if "product_first" in bugs:
        hidden = [silu(g * u) for g, u in zip(gate, up, strict=True)]
    else:
        hidden = [silu(g) * u for g, u in zip(gate, up, strict=True)]
    size = 512 if "whole_four" in bugs else 341
    size = size if "not_rounded" in bugs else size // 32 * 32 if "rounds_down" in bugs else -(-size // 32) * 32
    if "not_bent" in bugs:
        hidden = [-1.0, -1.0]
    if "up_forgotten" in bugs:
        hidden = [silu(1.0), silu(-1.0)]
    output = hidden[0] + hidden[1] if "summed" in bugs else hidden[0] - hidden[1]
    if bugs & {"sigmoid", "relu", "not_bent", "up_forgotten"}:
        output = -0.4621  # who has the hidden channels right has bent rightly: -1 comes of a sum, then
    values = {
        "silu": [silu(2.0), abs(silu(-2.0)) if "sign_lost" in bugs else silu(-2.0)],
        "hidden": hidden,
        "output": output,
        "size": size,
        "weights": (2 if "two_matrices" in bugs else 3) * 128 * size,
    }
    return lambda question: values[question]


feedforward_by_hand = Task(
    id="feedforward.by_hand", lesson=LESSON, kind="trace", title="Run one small layer by hand", points=2, difficulty=1,
    importance=4, minutes=8,
    reference=by_hand(), faulty=by_hand,
    cases=lambda rng: [Case(name=name, args=(name,)) for name in ("silu", "hidden", "output", "size", "weights")],
    misconceptions=(
        SIGMOID, SWAPPED, PRODUCT_FIRST, ROUNDS_DOWN, WHOLE_FOUR,
        Misconception(
            name="relu",
            looks_like="ReLU: negative numbers cut to 0",
            principle="SiLU lets a little of a negative number through.",
            question="By what do you multiply -2?",
        ),
        Misconception(
            name="odd",
            looks_like="one sigmoid for both signs",
            principle="Each number is multiplied by its *own* sigmoid, and those of 2 and -2 add up to 1.",
            question="What is the sigmoid of -2?",
        ),
        Misconception(
            name="sign_lost",
            looks_like="a minus that gets lost",
            principle="A sigmoid is never below 0, so what comes through its door keeps the sign that it had.",
            question="What is -2 times a number between 0 and 1?",
        ),
        Misconception(
            name="not_bent",
            looks_like="a gate that is not bent",
            principle="The gate goes through SiLU before it meets what passes.",
            question="What does SiLU make of the gate 1?",
        ),
        Misconception(
            name="up_forgotten",
            looks_like="the bent gates alone",
            principle="The gate lets through what w3 makes: the two are multiplied.",
            question="Where do the rows of w3 enter?",
        ),
        Misconception(
            name="summed",
            looks_like="a sum without the sign in w2",
            principle="w2 multiplies the second channel by -1, and that channel is negative itself.",
            question="What is minus a negative number?",
        ),
        Misconception(
            name="not_rounded",
            looks_like="a size before it is rounded",
            principle="The size ends on a multiple: whole blocks of numbers keep the processor busy.",
            question="Does 32 divide yours?",
        ),
        Misconception(
            name="two_matrices",
            looks_like="two matrices in place of three",
            principle="The gate has a matrix of its own.",
            question="Which matrix did you not count: w1, w2 or w3?",
        ),
    ),
    rtol=5e-3, atol=5e-3,
    hints=(
        "Each hidden channel is one bent number times one straight number. Take them one by one.",
        "`silu` and `hidden` have two numbers each; `output`, `size` and `weights` are one.",
        "silu of t: t times the sigmoid of t\nhidden channel: silu of its gate, times its up\n"
        "output: hidden channels times w2, summed\nsize: 8/3 of dim without its fraction, then up to the next multiple",
    ),
)  # fmt: skip
