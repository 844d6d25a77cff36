"""The search for the scale of a sub-block: the step between neighbouring codes that loses least.

The plain scale, range / steps, gives the largest weight exactly and the others as they fall. Because rounding is not
linear, a slightly different step may lose less in all, so about twenty are tried. Each turns the weights into codes;
for fixed codes the best scale (and minimum) is a least-squares fit; the codes and fit with the least loss win.

A sub-block is a column here, so that the inner loops go along many sub-blocks: compiled, they work on as many at once
as a vector register holds, while each column's sum still adds its weights one by one. With ggml's order of operations
in float32, that makes the results equal to ggml's in every bit. Every inner loop is a function of its own: the compiler
then knows that the arrays do not overlap.

Source: llama.cpp, ggml-quants.c, make_qx_quants (with rmse_type 1) and make_qkx2_quants, without an importance matrix.
"""

import numpy as np
from numba import njit

TINY = np.float32(1e-15)  # what is smaller counts as zero

_COLUMNS = 128  # sub-blocks at once: they stay in the processor's first caches
_TENTH, _ZERO, _INFINITY, _NAN = np.float32(0.1), np.float32(0), np.float32(np.inf), np.float32(np.nan)
_ROUNDER = np.float32(1.5 * 2**23)  # added to a float32 of size below 2**22, it leaves no room for a fraction
_SCALES_TRIED, _LINES_TRIED = 19, 21

_compiled = njit(nogil=True, cache=True, error_model="numpy")


def divide(above: np.ndarray | np.float32, below: np.ndarray) -> np.ndarray:
    """above / below, and 0 where that is not finite: for a step too small to have an inverse.

    >>> with np.errstate(divide="ignore"):
    ...     divide(np.float32(63), np.array([2, 0], np.float32))
    array([31.5,  0. ], dtype=float32)
    """
    quotient = above / below
    return np.where(np.isfinite(quotient), quotient, np.float32(0))


def round_within(values: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """In place, to the nearest whole number (halves to even), at most to an end of lowest..highest; NaN to lowest."""
    np.rint(values, out=values)
    np.fmax(values, np.float32(lowest), out=values)
    return np.minimum(values, np.float32(highest), out=values)


@_compiled
def _nearest(value, low, high):
    """`round_within` for one number."""
    value = value if value > low else low
    value = value if value < high else high
    return value + _ROUNDER - _ROUNDER


@_compiled
def _quotients(above, below, out):
    """`divide` for a number above."""
    for c in range(len(below)):
        quotient = above / below[c]
        out[c] = quotient if abs(quotient) < _INFINITY else _ZERO


@_compiled
def _largest(x, out):
    """The first weight of largest magnitude in each column."""
    out[:] = x[0]
    for i in range(1, len(x)):
        for c in range(len(out)):
            out[c] = x[i, c] if abs(x[i, c]) > abs(out[c]) else out[c]


@_compiled
def _scale_sums(x, inverse, low, high, a, b):
    """A and B of fit_scale for the codes that an inverse scale gives."""
    a[:] = 0
    b[:] = 0
    for i in range(len(x)):
        for c in range(len(a)):
            value = x[i, c]
            weight, code = value * value, _nearest(value * inverse[c], low, high)
            a[c] += weight * value * code
            b[c] += weight * code * code


@_compiled
def _keep_scales(a, b, inverse, first, best, scale, chosen):
    """Where A**2 / B is larger than the best so far, or in the first trial, keep the fit and its inverse."""
    for c in range(len(best)):
        better = first | ((b[c] > 0) & (a[c] * a[c] > best[c] * b[c]))
        fitted = a[c] / b[c] if b[c] != 0 else _ZERO
        scale[c] = fitted if better else scale[c]
        best[c] = fitted * a[c] if better else best[c]
        chosen[c] = inverse[c] if better else chosen[c]


@_compiled
def _encode_scales(x, inverse, largest, low, high, scale, codes):
    """The codes that the chosen inverse gives. Zeros have the scale 0 and the lowest codes; a NaN scale becomes 0."""
    for c in range(len(scale)):
        scale[c] = scale[c] if (abs(largest[c]) >= TINY) & (scale[c] == scale[c]) else _ZERO
    for i in range(len(x)):
        for c in range(len(scale)):
            code = _nearest(x[i, c] * inverse[c], low, high)
            codes[i, c] = low if abs(largest[c]) < TINY else code


@_compiled
def _fit_scales(x, reach, scale, codes):
    """fit_scale for some columns."""
    n, low, high = x.shape[1], np.float32(-reach), np.float32(reach - 1)
    largest, inverse, chosen = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    a, b, best = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    _largest(x, largest)
    for trial in range(_SCALES_TRIED):  # the plain scale, which stands until another one wins; then -9..-1 and 1..9
        tenths = np.float32(0 if trial == 0 else trial - 10 if trial < 10 else trial - 9)
        _quotients(-(np.float32(reach) + _TENTH * tenths), largest, inverse)
        _scale_sums(x, inverse, low, high, a, b)
        _keep_scales(a, b, inverse, trial == 0, best, scale, chosen)
    _encode_scales(x, chosen, largest, low, high, scale, codes)


@_compiled
def _fit_scales_in_tiles(x, reach, scale, codes):
    for start in range(0, x.shape[1], _COLUMNS):
        stop = min(start + _COLUMNS, x.shape[1])
        tile = x[:, start:stop].copy()
        found = np.empty_like(tile)
        _fit_scales(tile, reach, scale[start:stop], found)
        codes[:, start:stop] = found


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
    scale, codes = np.empty(x.shape[1], np.float32), np.empty(x.shape, np.float32)
    _fit_scales_in_tiles(x, reach, scale, codes)
    return scale, codes


@_compiled
def _loss_weights(x, rms, weight):
    """|x| + root mean square of the column, which `rms` takes."""
    rms[:] = 0
    for i in range(len(x)):
        for c in range(len(rms)):
            rms[c] += x[i, c] * x[i, c]
    rms[:] = np.sqrt(rms / np.float32(len(x)))
    for i in range(len(x)):
        for c in range(len(rms)):
            weight[i, c] = rms[c] + abs(x[i, c])


@_compiled
def _ends(x, low, high):
    """The lowest weight of each column, at most 0, and the highest."""
    low[:] = x[0]
    high[:] = x[0]
    for i in range(1, len(x)):
        for c in range(len(low)):
            low[c] = x[i, c] if x[i, c] < low[c] else low[c]
            high[c] = x[i, c] if x[i, c] > high[c] else high[c]
    for c in range(len(low)):
        low[c] = low[c] if low[c] < 0 else _ZERO


@_compiled
def _encode(x, inverse, low, top, codes):
    """The codes that an inverse scale gives to what lies above `low`."""
    for i in range(len(x)):
        for c in range(len(low)):
            codes[i, c] = _nearest((x[i, c] - low[c]) * inverse[c], _ZERO, top)


@_compiled
def _weight_sums(x, weight, sum_w, sum_x):
    """Sums of weight and weight * x."""
    sum_w[:] = 0
    sum_x[:] = 0
    for i in range(len(x)):
        for c in range(len(sum_w)):
            sum_w[c] += weight[i, c]
            sum_x[c] += weight[i, c] * x[i, c]


@_compiled
def _code_sums(x, weight, codes, sum_c, sum_cx, sum_cc):
    """Sums of weight * code, weight * code * x and weight * code**2."""
    sum_c[:] = 0
    sum_cx[:] = 0
    sum_cc[:] = 0
    for i in range(len(x)):
        for c in range(len(sum_c)):
            weighted = weight[i, c] * codes[i, c]
            sum_c[c] += weighted
            sum_cx[c] += weighted * x[i, c]
            sum_cc[c] += weighted * codes[i, c]


@_compiled
def _fit_lines(sums, scale, low):
    """The scale and the lowest value, not above 0, with the least loss; NaN where one code alone fixes no line."""
    sum_w, sum_x, sum_c, sum_cx, sum_cc = sums
    for c in range(len(scale)):
        determinant = sum_w[c] * sum_cc[c] - sum_c[c] * sum_c[c]
        fitted = (sum_w[c] * sum_cx[c] - sum_x[c] * sum_c[c]) / determinant
        lowest = (sum_cc[c] * sum_x[c] - sum_c[c] * sum_cx[c]) / determinant
        fitted = sum_cx[c] / sum_cc[c] if lowest > 0 else fitted
        scale[c] = fitted if determinant > 0 else _NAN
        low[c] = _ZERO if lowest > 0 else lowest


@_compiled
def _losses(x, weight, codes, scale, low, loss):
    """Sums of weight * (scale * code + low - x)**2."""
    loss[:] = 0
    for i in range(len(x)):
        for c in range(len(loss)):
            error = scale[c] * codes[i, c] + low[c] - x[i, c]
            loss[c] += error * error * weight[i, c]


@_compiled
def _keep_lines(trial, kept):
    """Where a trial's loss, the first row, is less than that of what is kept, keep the trial; a NaN is not less."""
    for row in range(len(kept) - 1, -1, -1):
        for c in range(kept.shape[1]):
            kept[row, c] = trial[row, c] if trial[0, c] < kept[0, c] else kept[row, c]


@_compiled
def _fit_scales_and_minimums(x, top, scale, minimum, codes):
    """fit_scale_and_minimum for some columns."""
    n, weight, highest = x.shape[1], np.empty_like(x), np.float32(top)
    low, high, spare = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    sums, trial, kept = np.empty((5, n), np.float32), np.empty((5, n), np.float32), np.empty((5, n), np.float32)
    _loss_weights(x, spare, weight)
    _weight_sums(x, weight, sums[0], sums[1])
    _ends(x, low, high)
    # rows of a trial: its loss, scale and low, and the inverse scale and the low that gave its codes
    _quotients(highest, high - low, kept[3])
    kept[1] = np.float32(1) / (highest / (high - low))
    kept[2] = low
    kept[4] = low
    _encode(x, kept[3], low, highest, codes)
    _losses(x, weight, codes, kept[1], low, kept[0])
    for tenths in range(_LINES_TRIED):
        trial[4] = kept[2]
        _quotients(np.float32(-1) + _TENTH * np.float32(tenths) + highest, high - trial[4], trial[3])
        _encode(x, trial[3], trial[4], highest, codes)
        _code_sums(x, weight, codes, sums[2], sums[3], sums[4])
        _fit_lines(sums, trial[1], trial[2])
        _losses(x, weight, codes, trial[1], trial[2], trial[0])
        _keep_lines(trial, kept)
    _encode(x, kept[3], kept[4], highest, codes)
    scale[:] = kept[1]
    minimum[:] = -kept[2]


@_compiled
def _fit_lines_in_tiles(x, top, scale, minimum, codes):
    for start in range(0, x.shape[1], _COLUMNS):
        stop = min(start + _COLUMNS, x.shape[1])
        tile = x[:, start:stop].copy()
        found = np.empty_like(tile)
        _fit_scales_and_minimums(tile, top, scale[start:stop], minimum[start:stop], found)
        codes[:, start:stop] = found


def fit_scale_and_minimum(x: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each sub-block the scale, the minimum and the codes of w = scale * code - minimum, with code in 0..top.

    The loss is the sum of weight * (x - w)**2, where weight = |x| + root mean square of the sub-block. For fixed codes
    it is a straight line's fit, with two unknowns. A trial counts its codes from the best minimum up to there.

    Args:
        x: float32 (weights of a sub-block, sub-blocks), finite.
        top: the largest code.

    Returns:
        scale and minimum, float32 (sub-blocks,), the minimum not negative, so that zero lies within the range; and the
        codes, float32 of x's shape. A sub-block of equal weights, none above zero, has the scale 0.
    """
    scale, minimum, codes = (np.empty(shape, np.float32) for shape in (x.shape[1], x.shape[1], x.shape))
    _fit_lines_in_tiles(x, top, scale, minimum, codes)
    return scale, minimum, codes
