"""Blocks of the two formats that adapters are trained on, as float32: formats.py's arithmetic, compiled.

A training step dequantizes every matrix twice, so what NumPy takes for it would be felt.
"""

from collections.abc import Callable

import numpy as np
from numba import carray, njit

from minillama.quant.kernels.bits import half_to_float, pointer


@njit(nogil=True, cache=True)
def dequantize_q4_0(blocks, out):
    """w = d * (q - 8): uint8 blocks (N, K / 32 * 18) to float32 (N, K), both in C order."""
    source, target = blocks.ctypes.data, out.ctypes.data
    for block in range(blocks.size // 18):
        d = half_to_float(carray(pointer(source + 18 * block), (1,), np.uint16)[0])
        codes = carray(pointer(source + 18 * block + 2), (16,), np.uint8)
        weights = carray(pointer(target + 128 * block), (32,), np.float32)
        for i in range(16):
            weights[i] = d * np.float32((np.int32(codes[i]) & np.int32(15)) - np.int32(8))
        for i in range(16):
            weights[16 + i] = d * np.float32((np.int32(codes[i]) >> np.int32(4)) - np.int32(8))


@njit(nogil=True, cache=True)
def dequantize_q8_0(blocks, out):
    """w = d * q: uint8 blocks (N, K / 32 * 34) to float32 (N, K), both in C order."""
    source, target = blocks.ctypes.data, out.ctypes.data
    for block in range(blocks.size // 34):
        d = half_to_float(carray(pointer(source + 34 * block), (1,), np.uint16)[0])
        codes = carray(pointer(source + 34 * block + 2), (32,), np.int8)
        weights = carray(pointer(target + 128 * block), (32,), np.float32)
        for i in range(32):
            weights[i] = d * np.float32(codes[i])


COMPILED: dict[str, Callable[[np.ndarray, np.ndarray], None]] = {"q4_0": dequantize_q4_0, "q8_0": dequantize_q8_0}
