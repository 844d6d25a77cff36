"""Inputs and properties that the tasks of lesson 03 share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minillama.course.record import Case, Probe

Generator = np.random.Generator


def draw(rng: Generator, *shape: int) -> np.ndarray:
    """Normal numbers around 1, float32: a norm that subtracts the mean gives other results for them."""
    return (1.0 + 1.5 * rng.standard_normal(shape)).astype(np.float32)


def tiny(rng: Generator, *shape: int) -> np.ndarray:
    """Numbers whose squares are smaller than eps = 1e-5."""
    return (1e-3 * draw(rng, *shape)).astype(np.float32)


def weights(rng: Generator, *shape: int) -> np.ndarray:
    """From 0.5 to 2, float32."""
    return rng.uniform(0.5, 2.0, shape).astype(np.float32)


def draw_half(rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """x (1, 2, 6) and weights in float16, for which it shows when a result, or a root, was rounded at another place.

    None of the numbers that are rounded lies near the middle of two float16: every spelling rounds it alike. About one
    in 1,400 draws is like that, so many are drawn at once.
    """
    while True:
        x = (1.0 + 1.5 * rng.standard_normal((1024, 2, 6))).astype(np.float16)
        weight = rng.uniform(4.0, 8.0, (1024, 1, 6)).astype(np.float16)
        wide = x.astype(np.float64)
        root = np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-5)
        normed, late = wide / root, wide / root * weight
        right = normed.astype(np.float16) * weight
        coarse = x / root.astype(np.float16) * weight
        fits = np.abs(wide).min((1, 2)) > 0.05
        for other in (late, late.astype(np.float16), coarse):
            fits &= _clearly_apart(right, other)
        for numbers in (normed, late):
            fits &= _far_from_middles(numbers)
        if fits.any():
            first = int(np.argmax(fits))
            return x[first : first + 1], weight[first, 0]


def _clearly_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Do two numbers at least of each draw differ by more than a check in 16 bits lets pass?"""
    a, b = a.astype(np.float64), b.astype(np.float64)
    found: np.ndarray = np.sum(np.abs(a - b) > 6e-4 * (1 + np.abs(a)), (1, 2)) >= 2
    return found


def _far_from_middles(numbers: np.ndarray) -> np.ndarray:
    """Does no number of a draw change its float16 when it moves by a millionth?"""
    up, down = ((numbers * (1 + sign * 1e-6)).astype(np.float16) for sign in (1, -1))
    found: np.ndarray = (up == down).all((1, 2))
    return found


def _last_token_changed(rng: Generator) -> list[Case]:
    x = draw(rng, 2, 4, 6)
    other = x.copy()
    other[:, -1] = draw(rng, 2, 6) * 3
    weight = weights(rng, 6)
    return [
        Case(name="4 tokens", args=(x, weight, 1e-5)),
        Case(name="the last of 4 tokens changed", args=(other, weight, 1e-5)),
    ]


def _past_moves(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    before, after = outputs
    if before.shape != cases[0].args[0].shape or after.shape != before.shape:
        return None
    moved = np.abs(before - after)[:, :-1].max(axis=(0, 2)) > 1e-4
    if not moved.any():
        return None
    return f"Changing token 3 changed your output at token {int(np.argmax(moved))}."


NO_NEIGHBOURS = Probe(
    name="no token feels another",
    cases=_last_token_changed,
    broken=_past_moves,
    principle="A model that writes cannot see ahead, and its norm looks at one token at a time.",
    question="Which tokens go into the mean of token 0?",
)


def _weights_of_one(rng: Generator) -> list[Case]:
    return [Case(name="weights of 1", args=(3 * draw(rng, 1, 3, 8), np.ones(8, np.float32), 1e-5))]


def _not_one(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    (output,) = outputs
    if output.shape != cases[0].args[0].shape or not np.isfinite(output).all():
        return None
    size = np.sqrt((output**2).mean(-1))[0]
    wrong = np.abs(size - 1) > 1e-2
    if not wrong.any():
        return None
    t = int(np.argmax(wrong))
    return f"With weights of 1, your token {t} comes out with a root mean square of {size[t]:.3f}."


ROOT_MEAN_SQUARE_ONE = Probe(
    name="root mean square 1",
    cases=_weights_of_one,
    broken=_not_one,
    principle="That is what the norm is for: every token leaves it with a root mean square of 1.",
    question="What do you divide by, and what is the root mean square of the result?",
)
