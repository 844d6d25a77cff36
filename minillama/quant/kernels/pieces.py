"""The small steps between the matrix products, for rows of tokens: each does what the torch piece of its name does.

Arrays are C-contiguous float32. Attention has a module of its own, attention.py.
"""

import math

import numpy as np
from numba import njit

from minillama.quant.kernels.bits import bits_to_float

REORDERED = {"contract", "reassoc", "nsz", "arcp"}  # sums in any order, so that they can be vectors; NaN stays NaN
MASKED = np.float32(-3.4e38)

LOG2_E = np.float32(1.4426950408889634)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # ln 2 in two parts, the first exact
TAYLOR = tuple(np.float32(1 / math.factorial(n)) for n in range(7))


@njit(cache=True, nogil=True, inline="always")
def exp(x):
    """e to the x, float32, for x from -87 to 88: 2 to a whole power times a series: vectors.

    Accurate to about 2 units in the last place; outside, the value at the end of the range.
    """
    x = min(max(x, np.float32(-87.0)), np.float32(88.0))
    power = np.floor(x * LOG2_E + np.float32(0.5))
    rest = x - power * LN2_HIGH - power * LN2_LOW  # within half of ln 2
    series = TAYLOR[6]
    series = series * rest + TAYLOR[5]
    series = series * rest + TAYLOR[4]
    series = series * rest + TAYLOR[3]
    series = series * rest + TAYLOR[2]
    series = series * rest + TAYLOR[1]
    series = series * rest + TAYLOR[0]
    return series * bits_to_float(np.int32((np.int32(power) + np.int32(127)) << np.int32(23)))


@njit(cache=True, nogil=True, fastmath=REORDERED, error_model="numpy")
def rms_norm(x, weight, eps, out):
    """x (D,), weight (D,) -> out (D,); see norm.rms_norm."""
    total = np.float32(0)
    for i in range(len(x)):
        total += x[i] * x[i]
    scale = np.float32(1) / np.float32(math.sqrt(total / np.float32(len(x)) + np.float32(eps)))
    for i in range(len(x)):
        out[i] = x[i] * scale * weight[i]


@njit(cache=True, nogil=True, fastmath=REORDERED, error_model="numpy")
def apply_rope(x, cos, sin):
    """Turn x (H * K,) in place by cos, sin (K/2,); see rope.apply_rope."""
    half = len(cos)
    for head in range(len(x) // (2 * half)):
        start = head * 2 * half
        for i in range(half):
            first, second = x[start + 2 * i], x[start + 2 * i + 1]
            x[start + 2 * i] = first * cos[i] - second * sin[i]
            x[start + 2 * i + 1] = first * sin[i] + second * cos[i]


@njit(cache=True, nogil=True, fastmath=REORDERED, error_model="numpy")
def silu_gate(gate, up):
    """gate (F,) becomes silu(gate) * up; see feedforward.SwiGLU."""
    for i in range(len(gate)):
        gate[i] = gate[i] / (np.float32(1) + exp(-gate[i])) * up[i]
