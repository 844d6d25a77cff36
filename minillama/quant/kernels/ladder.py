"""The first rungs of the ladder, with float32 activations, one idea a function: y = W x for a Q4_0 matrix W.

    matvec_python        bytes taken apart in Python
    matvec_numpy         the whole matrix becomes float32, then a product
    matvec_loops         the same two steps as compiled loops
    matvec_fused         each block is multiplied where it is taken apart: no float32 matrix

All take ggml's blocks, uint8 (N, row_bytes), and float32 (K,), and give float32 (N,). The next rungs are in
ladder_int8.py; rungs.py puts them all and the final kernels into one table.
"""

import struct

import numpy as np
from numba import njit

from minillama.errors import ShapeError
from minillama.quant.formats import FORMATS, dequantize_q4_0, row_bytes
from minillama.quant.kernels.bits import half_to_float
from minillama.quant.kernels.layout import BLOCK
from minillama.quant.kernels.pieces import REORDERED
from minillama.quant.kernels.portable import dot_product
from minillama.shapes import check_shape


def split_blocks(blocks: np.ndarray, x: np.ndarray, format: str = "q4_0") -> np.ndarray:
    """The blocks of a matrix one by one, (N, K / 32, block_bytes), if they fit the activations x (..., K).

    Raises:
        ShapeError: x that is not float32, or blocks that are not uint8 (N, row_bytes) of the format.
    """
    if x.dtype != np.float32:
        raise ShapeError(f"x is {x.dtype}, expected float32")
    if blocks.dtype != np.uint8:
        raise ShapeError(f"blocks are {blocks.dtype}, expected uint8")
    check_shape("blocks", blocks.shape, (None, row_bytes(format, x.shape[-1])))
    return np.ascontiguousarray(blocks).reshape(len(blocks), x.shape[-1] // BLOCK, FORMATS[format].block_bytes)


def matvec_python(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y = W x in Python: a block is a float16 and 16 bytes, each with two codes."""
    check_shape("x", x.shape, (None,))
    rows, activations = split_blocks(blocks, x), x.tolist()
    y = np.empty(len(rows), np.float32)
    for n, row in enumerate(rows):
        total = 0.0
        for block, (d, *codes) in enumerate(struct.iter_unpack("<e16B", row)):
            for i, byte in enumerate(codes):
                total += d * ((byte & 15) - 8) * activations[32 * block + i]
                total += d * ((byte >> 4) - 8) * activations[32 * block + 16 + i]
        y[n] = total
    return y


def matvec_numpy(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y = W x by way of all of W in float32: 7 times the bytes are written, and read again."""
    check_shape("x", x.shape, (None,))
    split_blocks(blocks, x)
    return dequantize_q4_0(blocks) @ x


@njit(nogil=True)
def scale_of(block):
    """The scale of a block: its first two bytes are a float16, a type that Numba lacks."""
    return half_to_float(np.uint16(block[0] | block[1] << 8))


@njit(cache=True, nogil=True)
def _dequantize_rows(blocks, weights):
    for row in range(len(weights)):
        for b in range(blocks.shape[1]):
            block = blocks[row, b]
            for i in range(16):
                weights[row, 32 * b + i] = scale_of(block) * np.float32(np.int32(block[2 + i] & 15) - 8)
                weights[row, 32 * b + 16 + i] = scale_of(block) * np.float32(np.int32(block[2 + i] >> 4) - 8)


@njit(cache=True, nogil=True)
def _multiply_rows(weights, x, y):
    for row in range(len(y)):
        y[row] = dot_product(weights[row], x)


def matvec_loops(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The same two steps as loops that Numba compiles."""
    check_shape("x", x.shape, (None,))
    weights, y = np.empty((len(blocks), len(x)), np.float32), np.empty(len(blocks), np.float32)
    _dequantize_rows(split_blocks(blocks, x), weights)
    _multiply_rows(weights, np.ascontiguousarray(x), y)
    return y


# The inner loop runs to the length of an array where 16 would do: the compiler writes a loop of known length out step
# by step before it looks for vectors.


@njit(cache=True, nogil=True, fastmath=REORDERED)
def _fused_rows(blocks, x, y):
    for row in range(len(y)):
        total = np.float32(0)
        for b in range(len(x)):
            block, part = blocks[row, b], np.float32(0)
            for i in range(x.shape[1] // 2):
                part += np.float32(np.int32(block[2 + i] & 15) - 8) * x[b, i]
                part += np.float32(np.int32(block[2 + i] >> 4) - 8) * x[b, 16 + i]
            total += scale_of(block) * part
        y[row] = total


def matvec_fused(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y = W x with no weight ever in memory: codes become floats in registers, and a block's sum is scaled once."""
    check_shape("x", x.shape, (None,))
    y = np.empty(len(blocks), np.float32)
    _fused_rows(split_blocks(blocks, x), np.ascontiguousarray(x).reshape(-1, BLOCK), y)
    return y
