"""The search for the scale of a sub-block: the step between neighbouring codes that loses least.

The plain scale, range / steps, gives the largest weight exactly and the others as they fall. Because rounding is not
linear, a slightly different step may lose less in all, so about twenty are tried. Each turns the weights into codes;
for fixed codes the best scale (and minimum) is a least-squares fit; the codes and fit with the least loss win.

A sub-block is a column here, so that each line works on many sub-blocks at once, and a sum over axis 0 adds up the
weights of a sub-block one by one, as a loop would. With ggml's order of operations in float32, that makes the results
equal to ggml's in every bit.

Source: llama.cpp, ggml-quants.c, make_qx_quants (with rmse_type 1) and make_qkx2_quants, without an importance matrix.
"""

import numpy as np

TINY = np.float32(1e-15)  # what is smaller counts as zero


def divide(above: np.ndarray | np.float32, below: np.ndarray) -> np.ndarray:
    """above / below, and 0 where that is not finite: for a step too small to have an inverse.

    >>> with np.errstate(divide="ignore"):
    ...     divide(np.float32(63), np.array([2, 0], np.float32))
    array([31.5,  0. ], dtype=float32)
    """
    quotient = above / below
    return np.where(np.isfinite(quotient), quotient, np.float32(0))


def round_within(values: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """In place, to the nearest whole number (halves to even), and at most to an end of lowest..highest."""
    np.rint(values, out=values)
    np.maximum(values, np.float32(lowest), out=values)
    return np.minimum(values, np.float32(highest), out=values)


def fit_scale(x: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """For each sub-block the scale and the codes of w = scale * code, with code in -reach..reach - 1.

    The loss is the sum of x**2 * (x - w)**2: an error of a large weight counts more. For fixed codes it is least at
    scale = A / B, with A the sum of x**2 * x * code and B that of x**2 * code**2, and the larger A**2 / B, the smaller
    it is there.

    Args:
        x: float32 (weights of a sub-block, sub-blocks), finite.
        reach: half the number of codes.

    Returns:
        scale, float32 (sub-blocks,), whose sign makes the largest weight's code the negative end, which reaches
        further; and the codes, float32 of x's shape. A sub-block of zeros has the scale 0 and the codes -reach.
    """
    largest = np.take_along_axis(x, np.abs(x).argmax(axis=0, keepdims=True), axis=0)[0]
    zero = np.abs(largest) < TINY
    weight = x * x
    weighted_x = weight * x
    scale, best, codes, trial = np.zeros_like(largest), np.zeros_like(largest), np.empty_like(x), np.empty_like(x)
    for tenths in (0, *range(-9, 0), *range(1, 10)):
        inverse = -(np.float32(reach) + np.float32(0.1) * np.float32(tenths)) / largest
        round_within(np.multiply(x, inverse, out=trial), -reach, reach - 1)
        a = (weighted_x * trial).sum(axis=0)
        b = (weight * trial * trial).sum(axis=0)
        better = (b > 0) & (a * a > best * b)
        if tenths == 0:  # the plain scale stands until another one wins
            better[:] = True
        fitted = divide(a, b)
        np.copyto(scale, fitted, where=better)
        np.copyto(best, fitted * a, where=better)
        np.copyto(codes, trial, where=better)
    scale[zero], codes[:, zero] = 0, -reach
    return scale, codes


def fit_scale_and_minimum(x: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each sub-block the scale, the minimum and the codes of w = scale * code - minimum, with code in 0..top.

    The loss is the sum of weight * (x - w)**2, where weight = |x| + root mean square of the sub-block. For fixed codes
    it is a straight line's fit, with two unknowns.

    Args:
        x: float32 (weights of a sub-block, sub-blocks), finite.
        top: the largest code.

    Returns:
        scale and minimum, float32 (sub-blocks,), the minimum not negative, so that zero lies within the range; and the
        codes, float32 of x's shape. A sub-block of equal weights, none above zero, has the scale 0.
    """
    weight = np.sqrt((x * x).sum(axis=0) / np.float32(len(x))) + np.abs(x)
    high, low = x.max(axis=0), np.minimum(x.min(axis=0), np.float32(0))
    scale = 1 / (np.float32(top) / (high - low))
    codes = round_within((x - low) * divide(np.float32(top), high - low), 0, top)
    best = _loss(x, scale, codes, low, weight)
    trial = np.empty_like(x)
    sums = weight.sum(axis=0), (weight * x).sum(axis=0)
    for tenths in range(-10, 11):
        steps = np.float32(-1) + np.float32(0.1) * np.float32(tenths + 10) + np.float32(top)
        np.subtract(x, low, out=trial)  # from the best minimum up to here
        trial *= divide(steps, high - low)
        round_within(trial, 0, top)
        fitted_scale, fitted_low, solvable = _fit_line(x, trial, weight, *sums)
        loss = _loss(x, fitted_scale, trial, fitted_low, weight)
        better = solvable & (loss < best)
        for kept, found in ((scale, fitted_scale), (low, fitted_low), (best, loss), (codes, trial)):
            np.copyto(kept, found, where=better)
    return scale, -low, codes


def _fit_line(
    x: np.ndarray, codes: np.ndarray, weight: np.ndarray, sum_w: np.ndarray, sum_x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The scale and the lowest value, not above 0, with the least loss; and whether two codes fix a line at all."""
    weighted = weight * codes
    sum_c, sum_cx = weighted.sum(axis=0), (weighted * x).sum(axis=0)
    weighted *= codes
    sum_cc = weighted.sum(axis=0)
    determinant = sum_w * sum_cc - sum_c * sum_c
    scale = (sum_w * sum_cx - sum_x * sum_c) / determinant
    low = (sum_cc * sum_x - sum_c * sum_cx) / determinant
    above = low > 0
    return np.where(above, sum_cx / sum_cc, scale), np.where(above, np.float32(0), low), determinant > 0


def _loss(x: np.ndarray, scale: np.ndarray, codes: np.ndarray, low: np.ndarray, weight: np.ndarray) -> np.ndarray:
    error = scale * codes
    error += low
    error -= x
    error *= error
    error *= weight
    return error.sum(axis=0)
