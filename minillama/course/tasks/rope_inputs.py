"""Inputs and properties that the tasks of lesson 04 share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minillama.course.record import Case, Probe

Generator = np.random.Generator


def tables(positions: Any, pairs: int, theta: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin, (len(positions), pairs) float32: steep wavelengths, so that every pair moves in a few positions."""
    frequencies = theta ** (-np.arange(pairs) / pairs)
    angles = np.outer(np.asarray(positions, dtype=np.float64), frequencies)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def draw(rng: Generator, *shape: int, dtype: Any = np.float32) -> np.ndarray:
    """Normal numbers."""
    return rng.standard_normal(shape).astype(dtype)


def turning_cases(rng: Generator) -> list[Case]:
    """(x, cos, sin) for a function that turns: T unlike H, T equal to H, a later start, 16 bits."""
    T, H, K = int(rng.integers(5, 8)), int(rng.integers(2, 4)), 2 * int(rng.integers(3, 6))
    start = int(rng.integers(3, 9))
    return [
        Case(
            name=f"{T} positions and {H} heads of {K} channels", args=(draw(rng, 2, T, H, K), *tables(range(T), K // 2))
        ),
        Case(name="as many heads as positions", args=(draw(rng, 1, 4, 4, K), *tables(range(4), K // 2))),
        Case(
            name=f"the rows of positions {start} to {start + 2}",
            args=(draw(rng, 2, 3, 2, K), *tables(range(start, start + 3), K // 2)),
        ),
        Case(name="numbers in float16", args=(draw(rng, 1, 5, 2, K, dtype=np.float16), *tables(range(5), K // 2))),
    ]


def _length_cases(rng: Generator) -> list[Case]:
    return [Case(name="5 positions", args=(draw(rng, 1, 5, 2, 8), *tables(range(5), 4)))]


def _lengths_change(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    before, after = (np.linalg.norm(x, axis=-1) for x in (cases[0].args[0], outputs[0]))
    wrong = np.argwhere(np.abs(before - after) > 1e-3 * before)
    if not len(wrong):
        return None
    b, t, h = (int(i) for i in wrong[0])
    old, new = before[b, t, h], after[b, t, h]
    return f"The vector at position {t} of head {h} had length {old:.3f} and came back with {new:.3f}."


LENGTHS_STAY = Probe(
    name="lengths stay",
    cases=_length_cases,
    broken=_lengths_change,
    principle="A turn changes where a vector points, never how long it is.",
    question="Which two numbers does each of your two new ones come from, and are both still the old ones then?",
)


def _distance_cases(rng: Generator) -> list[Case]:
    """A query two positions after a key, near the start and further on."""
    q, k = draw(rng, 1, 1, 1, 8), draw(rng, 1, 1, 1, 8)
    shift = int(rng.integers(5, 20))
    return [
        Case(name=f"a vector at position {position}", args=(x, *tables([position], 4)))
        for x, position in ((q, 3), (k, 1), (q, 3 + shift), (k, 1 + shift))
    ]


def _distance_broken(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    near, far = float((outputs[0] * outputs[1]).sum()), float((outputs[2] * outputs[3]).sum())
    if abs(near - far) < 1e-3 * (1 + abs(near)):
        return None
    shift = cases[2].name.rpartition(" ")[2]
    return (
        f"A query at position 3 and a key at 1 score {near:.3f}; at positions {shift} and {int(shift) - 2}, {far:.3f}."
    )


DISTANCE_ONLY = Probe(
    name="distance only",
    cases=_distance_cases,
    broken=_distance_broken,
    principle="Moving both by the same number of positions turns both by the same angle, and the score stays.",
    question="Does every channel of yours have exactly one partner, and one angle with it?",
)


def _start_cases(rng: Generator) -> list[Case]:
    return [Case(name="position 0", args=(draw(rng, 1, 1, 2, 8), *tables([0], 4)))]


def _start_moves(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    moved = float(np.abs(outputs[0] - cases[0].args[0]).max())
    return None if moved < 1e-4 else f"At position 0, where every angle is 0, your vector moved by {moved:.3f}."


START_STAYS = Probe(
    name="position 0 stays",
    cases=_start_cases,
    broken=_start_moves,
    principle="cos 0 is 1 and sin 0 is 0: a turn by nothing gives back what it got, every channel in its place.",
    question="With cos 1 and sin 0, what do your lines give, and in which order do the channels come back?",
)


def _wide_cases(rng: Generator) -> list[Case]:
    """Vectors whose first number turns into almost nothing: what is left shows how exact the products were."""
    cos, sin = tables(range(1, 9), 4)
    angles = np.arctan2(sin, cos)
    x = 200 * np.stack((np.sin(angles), np.cos(angles)), -1).reshape(1, 8, 1, 8) * rng.uniform(0.5, 1.0, (1, 8, 2, 1))
    return [Case(name="numbers in float16 that nearly cancel", args=(x.astype(np.float16), cos, sin))]


def _too_narrow(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    x, cos, sin = (each.astype(np.float64) for each in cases[0].args)
    wanted = x[0, :, 0, 0::2] * cos - x[0, :, 0, 1::2] * sin
    got = outputs[0][0, :, 0, 0::2]
    off = np.abs(got - wanted)
    if not 0.01 <= off.max() < 1:  # more than that is no rounding
        return None
    t, i = (int(k) for k in np.unravel_index(off.argmax(), off.shape))
    size = abs(x[0, t, 0, 2 * i] * cos[t, i])
    return (
        f"Two products of about {size:.0f} nearly cancel: {got[t, i]:.4f} is left of them, expected {wanted[t, i]:.4f}."
    )


WIDE = Probe(
    name="computed wide",
    cases=_wide_cases,
    broken=_too_narrow,
    principle="In 16 bits each product is rounded, and the difference of two large ones is mostly rounding.",
    question="In which dtype are the two products when they are subtracted?",
)
