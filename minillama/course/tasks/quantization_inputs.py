"""Weights for the tasks of lesson 11: made from the codes that they should get, so that no rounding is a matter of "
"luck.

A weight lies at most 0.35 of a step from its code, and a scale is no tie between two float16 numbers. So products and
quotients, in float32 or float64, give the same codes and scales.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minillama.course.record import Case

LESSON = "11_quantization"
ZEROS = "a block of zeros in the middle"
HALVES = "weights half-way between two codes"

Generator = np.random.Generator
Signature = Callable[[Sequence[Case], Sequence[Any], Sequence[Any]], bool]


def step(rng: Generator, size: float = 0.01) -> float:
    """A scale of about this size that float16 rounds clearly, and by little."""
    unit = 2.0 ** (np.floor(np.log2(size)) - 10)
    return float((rng.integers(1100, 1950) + rng.choice((0.1, 0.2, 0.8, 0.9))) * unit)


def crooked_step(rng: Generator, size: float = 0.01) -> float:
    """A scale of about this size that float16 moves by nearly half of its last place, down or up."""
    unit = 2.0 ** (np.floor(np.log2(size)) - 10)
    return float((rng.integers(1030, 1060) + rng.choice((0.45, 0.55))) * unit)


def near(rng: Generator, codes: np.ndarray, d: float, room: float = 0.35) -> np.ndarray:
    """Weights that lie near these codes, off by `room` of a step at most and by a tenth at least; 0 stays near 0."""
    off = rng.uniform(0.1, room, len(codes)) * rng.choice((-1, 1), len(codes))
    return ((codes + off) * d).astype(np.float32)


def matrix(blocks: Sequence[np.ndarray], rows: int = 1) -> np.ndarray:
    """Blocks side by side, in so many rows: float32 (rows, K)."""
    return np.concatenate(blocks).astype(np.float32).reshape(rows, -1)


def whole(case: Case) -> np.ndarray:
    """The blocks of a case's weights, float64 (N, K / 32, 32)."""
    x = np.asarray(case.args[0], np.float64)
    return x.reshape(len(x), -1, 32)


def scales_like(rule: Callable[[np.ndarray], np.ndarray]) -> Signature:
    """A signature: are the scales, as float16, those of a rule over each block, and not everywhere the right ones?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        telling = False
        for case, got, right in zip(cases, outputs, expected, strict=True):
            wanted = rule(whole(case)).astype(np.float32).astype(np.float16).astype(np.float64)
            if not np.allclose(got[0], wanted, rtol=1e-4, atol=0):
                return False
            telling |= not np.allclose(wanted, right[0], rtol=1e-4, atol=0)
        return telling

    return fits


def same(got: Any, right: Any) -> bool:
    """Is every output as expected?"""
    return all(np.allclose(one, other, rtol=1e-4, atol=0) for one, other in zip(got, right, strict=True))


def only_wrong(name: str, scales_too: bool = False) -> Signature:
    """A signature: is all right but the case of this name, where it raises or gives other codes?

    Args:
        name: of the case.
        scales_too: may the scales of the case be wrong as well?
    """

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        wrong = all(case.name != name for case in cases)  # it raised there
        for case, got, right in zip(cases, outputs, expected, strict=True):
            if same(got, right):
                continue
            if case.name != name or not (scales_too or np.allclose(got[0], right[0], rtol=1e-4, atol=0)):
                return False
            wrong = True
        return wrong

    return fits


def rounded_by(
    rule: Callable[[np.ndarray], np.ndarray],
    scale: Callable[[np.ndarray], np.ndarray],
    codes_of: Callable[[np.ndarray], np.ndarray],
) -> Signature:
    """A signature: are the scales right, and the codes those of a rule such as np.floor, which leaps at whole numbers?

    A weight that lies at a whole number of steps may fall to either side of it.

    Args:
        rule: steps -> codes.
        scale: blocks (N, n, 32) -> the exact scale of each (N, n).
        codes_of: what is returned as codes -> codes (N, n, 32), 0 for a weight of 0.
    """

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        telling = False
        for case, got, right in zip(cases, outputs, expected, strict=True):
            blocks = whole(case)
            d = scale(blocks)[..., None]
            steps = np.divide(blocks, d, out=np.zeros_like(blocks), where=d != 0)
            codes = codes_of(got[1])
            near_codes = (codes == rule(steps - 1e-4)) | (codes == rule(steps + 1e-4))
            if not near_codes.all() or not np.allclose(got[0], right[0], rtol=1e-4, atol=0):
                return False
            telling |= not np.array_equal(got[1], right[1])
        return telling

    return fits
