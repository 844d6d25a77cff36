"""The task of lesson 02 that is done by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.language_model_inputs import LESSON


def by_hand(bugs: Bugs = frozenset()) -> Callable[[str], Any]:
    """The values of language_model.by_hand."""
    powers = np.array([5.0, 4.0, 1.0])
    log = math.log2 if "bits" in bugs else math.log10 if "base_10" in bugs else math.log
    sign = 1 if "no_minus" in bugs else -1
    window = [5, 9, 2, 7]
    targets = window[:-1] if "unshifted" in bugs else window[1:]
    chances = np.array([1 / 2, 1 / 4, 1 / 8])
    perplexity = 2 ** float(-np.log2(chances).mean())
    if "mean_of_perplexities" in bugs:
        perplexity = float((1 / chances).mean())
    if "of_mean_chance" in bugs:
        perplexity = float(1 / chances.mean())
    if "whole_text" in bugs:
        perplexity = float(1 / chances.prod())
    values = {
        "chances": powers / (1 if "no_division" in bugs else powers.max() if "by_largest" in bugs else powers.sum()),
        "surprise": sign * log(0.5),
        "targets": targets,
        "step_zero": 32_000.0 if "count" in bugs else -sign * log(32_000),
        "perplexity": perplexity,
    }
    return lambda question: values[question]


def _slip(name: str, looks_like: str, principle: str, question: str) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question)


hand = Task(
    id="language_model.by_hand", lesson=LESSON, kind="trace", title="Five numbers by hand", points=2, difficulty=1,
    importance=4, minutes=8,
    reference=by_hand(), faulty=by_hand,
    cases=lambda rng: [
        Case(name=name, args=(name,)) for name in ("chances", "surprise", "targets", "step_zero", "perplexity")
    ],
    misconceptions=(
        _slip("no_division", "the powers themselves", "Chances sum to 1.", "What do your three numbers sum to?"),
        _slip(
            "by_largest", "powers divided by the largest of them", "Chances sum to 1.",
            "What do your three numbers sum to?",
        ),
        _slip(
            "bits", "a logarithm to base 2", "Losses here are in nats, with the natural logarithm: ln 2 is 0.69.",
            "Which logarithm did you take?",
        ),
        _slip(
            "base_10", "a logarithm to base 10",
            "Losses here are in nats, with the natural logarithm: ln 10 is 2.30.", "Which logarithm did you take?",
        ),
        _slip(
            "no_minus", "a missing minus", "A logarithm of a chance is below 0, and a surprise is not.",
            "What sign has the logarithm of 1/2?",
        ),
        _slip(
            "unshifted", "targets that are the inputs themselves",
            "The target of a token is the token that comes after it.", "What stands after the 5?",
        ),
        _slip(
            "count", "the number of pieces itself",
            "That is the perplexity at step 0. The loss is its logarithm.", "e to which power is that number?",
        ),
        _slip(
            "mean_of_perplexities", "a mean of three perplexities",
            "First the mean of the surprises, then e to it, once.", "What is the mean of the three surprises?",
        ),
        _slip(
            "of_mean_chance", "one over the mean chance",
            "Surprises are averaged, not chances.", "What is the mean of the three surprises?",
        ),
        _slip(
            "whole_text", "the perplexity of all three tokens as if they were one",
            "Perplexity is a number a token.", "By how many tokens do you divide before you take e to it?",
        ),
    ),
    rtol=5e-3, atol=5e-3,
    hints=(
        "A chance is a power divided by the sum of all. A surprise is minus the natural logarithm of a chance.",
        "`chances` has three numbers, `targets` three ids, the others are one number each.",
        "chances: each power / sum of the powers\nsurprise: -ln(chance)\ntargets: the ids from the second on\n"
        "step_zero: -ln(1 / V)\nperplexity: e ^ (mean of the three surprises)",
    ),
)  # fmt: skip
