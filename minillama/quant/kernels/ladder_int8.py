"""The rungs of the ladder with int8 activations, in loops that can be read; the float32 rungs are in ladder.py.

    matvec_q4, matvec_q8    whole numbers within a block, two scales at its end; rows on several threads if asked
    matmul_q4               several tokens share the taking apart of a row
    pack_rows               16 rows beside each other, as the final kernels (matmul.py) read them

The activations' codes lie within half a step of the activations, so an element of y is within
sum over blocks of (scale / 2 * sum of |w|) of the exact product, apart from float rounding.
"""

import numpy as np
from numba import njit, prange

from minillama.quant.blocks import records
from minillama.quant.formats import Q4_0
from minillama.quant.kernels.activations import quantize_tokens
from minillama.quant.kernels.ladder import scale_of, split_blocks
from minillama.quant.kernels.layout import ALIGNMENT, BLOCK, ROWS
from minillama.quant.kernels.path import Path
from minillama.quant.kernels.records import RECORD
from minillama.quant.kernels.threads import parallel_calls, thread_count
from minillama.shapes import check_shape

TILE = 8  # tokens of matmul_q4 that share a row's codes


def quantize_activations(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Activations as int8 with a scale for each block of 32: x is about scale * code.

    Args:
        x: float32 (..., K).

    Returns:
        int8 (..., K / 32, 32) and float32 (..., K / 32).

    >>> codes, scales = quantize_activations(np.ones(32, np.float32))
    >>> int(codes[0, 0]), round(float(scales[0]) * 127)
    (127, 1)
    """
    tokens = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    made = np.empty(tokens.size // BLOCK, RECORD)
    quantize_tokens(Path("portable"), tokens, 0, len(tokens), made)
    shape = (*x.shape[:-1], x.shape[-1] // BLOCK)
    return np.ascontiguousarray(made["codes"]).reshape(*shape, BLOCK), made["scale"].reshape(shape).copy()


# Inner loops run to the length of an array where 16 or 32 would do: the compiler writes a loop of known length out
# step by step before it looks for vectors. Sums of int32 are made int32 at each step, for Numba adds them as int64.


@njit(nogil=True)
def unpack_row(row, weights):
    """The codes of a row of Q4_0 blocks, less 8, as int8 (n, 32)."""
    for b in range(len(row)):
        for i in range(weights.shape[1] // 2):
            weights[b, i], weights[b, 16 + i] = (row[b, 2 + i] & 15) - 8, (row[b, 2 + i] >> 4) - 8


@njit(nogil=True)
def dot_int8(left, right):
    """The sum of left * right, int8 (n,) each, as int32."""
    total = np.int32(0)
    for i in range(len(left)):
        total = np.int32(total + np.int32(left[i]) * right[i])
    return total


@njit(nogil=True)
def dot_q4(row, codes, scales):
    """One row of blocks times int8 activations: whole numbers within a block, two scales at its end."""
    weights = np.empty((len(row), 32), np.int8)
    unpack_row(row, weights)
    total = np.float32(0)
    for b in range(len(row)):
        total += scale_of(row[b]) * scales[b] * np.float32(dot_int8(weights[b], codes[b]))
    return total


@njit(cache=True, nogil=True)
def rows_q4(blocks, codes, scales, y):
    """What matvec_q4 compiles; arguments as it makes them."""
    for row in range(len(y)):
        y[row] = dot_q4(blocks[row], codes, scales)


@njit(cache=True, nogil=True, parallel=True)
def rows_q4_parallel(blocks, codes, scales, y, threads):
    """The same on some threads: each has a share of the rows."""
    for share in prange(threads):
        rows = slice(len(y) * share // threads, len(y) * (share + 1) // threads)
        rows_q4(blocks[rows], codes, scales, y[rows])


def matvec_q4(blocks: np.ndarray, x: np.ndarray, threads: int = 1) -> np.ndarray:
    """y = W x for Q4_0 with int8 activations.

    Args:
        blocks: uint8 (N, K / 32 * 18).
        x: float32 (K,).
        threads: how many share the rows.

    Returns:
        float32 (N,).

    Raises:
        ShapeError: operands of another dtype, or shapes that do not fit.
        ConfigError: less than one thread.

    >>> from minillama.quant.formats import quantize_q4_0
    >>> matvec_q4(quantize_q4_0(np.ones((2, 32), np.float32)), np.ones(32, np.float32))
    array([32., 32.], dtype=float32)
    """
    check_shape("x", x.shape, (None,))
    workers, y = thread_count(threads), np.empty(len(blocks), np.float32)
    operands = (split_blocks(blocks, x), *quantize_activations(x), y)
    if workers == 1:
        rows_q4(*operands)
    else:
        with parallel_calls(workers):
            rows_q4_parallel(*operands, workers)
    return y


@njit(nogil=True)
def gather_row(row, weights):
    """The codes of a row of Q8_0 blocks, int8 (n, 32), without the scales between them."""
    for b in range(len(row)):
        for i in range(weights.shape[1]):
            weights[b, i] = np.int8(row[b, 2 + i])


@njit(nogil=True)
def dot_q8(row, codes, scales):
    """The same for Q8_0."""
    weights = np.empty((len(row), 32), np.int8)
    gather_row(row, weights)
    total = np.float32(0)
    for b in range(len(row)):
        total += scale_of(row[b]) * scales[b] * np.float32(dot_int8(weights[b], codes[b]))
    return total


@njit(cache=True, nogil=True)
def rows_q8(blocks, codes, scales, y):
    for row in range(len(y)):
        y[row] = dot_q8(blocks[row], codes, scales)


def matvec_q8(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y = W x for Q8_0 with int8 activations.

    Args:
        blocks: uint8 (N, K / 32 * 34).
        x: float32 (K,).

    Returns:
        float32 (N,).

    Raises:
        ShapeError: operands of another dtype, or shapes that do not fit.
    """
    check_shape("x", x.shape, (None,))
    y = np.empty(len(blocks), np.float32)
    rows_q8(split_blocks(blocks, x, "q8_0"), *quantize_activations(x), y)
    return y


@njit(cache=True, nogil=True, parallel=True)
def tile_q4(blocks, codes, scales, y):
    for row in prange(y.shape[1]):
        weights, totals = np.empty((blocks.shape[1], 32), np.int8), np.zeros(len(y), np.float32)
        unpack_row(blocks[row], weights)
        for b in range(len(weights)):
            step = scale_of(blocks[row, b])
            for token in range(len(y)):
                totals[token] += step * scales[token, b] * np.float32(dot_int8(weights[b], codes[token, b]))
        y[:, row] = totals


def matmul_q4(blocks: np.ndarray, x: np.ndarray, threads: int = 1) -> np.ndarray:
    """x W^T for many tokens: a row of W is taken apart once for a tile of TILE tokens.

    Args:
        blocks: uint8 (N, K / 32 * 18), Q4_0.
        x: float32 (T, K).
        threads: how many share the rows.

    Returns:
        float32 (T, N).

    Raises:
        ShapeError: operands of another dtype, or shapes that do not fit.
        ConfigError: less than one thread.
    """
    check_shape("x", x.shape, (None, None))
    rows, (codes, scales) = split_blocks(blocks, x), quantize_activations(x)
    y = np.empty((len(x), len(blocks)), np.float32)
    with parallel_calls(thread_count(threads)):
        for first in range(0, len(x), TILE):
            tile = slice(first, first + TILE)
            tile_q4(rows, codes[tile], scales[tile], y[tile])
    return y


def pack_rows(blocks: np.ndarray) -> np.ndarray:
    """Rows of Q4_0 blocks in groups of 16 that lie beside each other, as layout.py draws them.

    Args:
        blocks: uint8 (N, K / 32 * 18).

    Returns:
        uint8 (groups, group_bytes): the bytes that `layout.pack` makes.

    Raises:
        ShapeError: not a matrix of Q4_0 blocks.
    """
    stored = records(blocks, Q4_0).view(np.uint8)
    n_blocks, n_groups = blocks.shape[1] // Q4_0.itemsize, -(-len(blocks) // ROWS)
    rows = np.zeros((n_groups * ROWS, n_blocks, Q4_0.itemsize), np.uint8)  # rows that do not exist are zero
    rows[: len(blocks)] = stored.reshape(len(blocks), n_blocks, Q4_0.itemsize)
    groups = rows.reshape(n_groups, ROWS, n_blocks, Q4_0.itemsize)
    quads = groups[..., 2:].reshape(n_groups, ROWS, n_blocks, 4, 4)  # 4 bytes that stay together
    codes = quads.transpose(0, 2, 3, 1, 4).reshape(n_groups, 256 * n_blocks)  # block, line, row, byte
    scales = groups[..., :2].transpose(0, 2, 1, 3).reshape(n_groups, 32 * n_blocks)  # block, row, byte
    padding = np.zeros((n_groups, -288 * n_blocks % ALIGNMENT), np.uint8)
    return np.concatenate([codes, scales, padding], axis=1)
