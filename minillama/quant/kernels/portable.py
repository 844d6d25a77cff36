"""The same products in plain loops, for any machine; and the one place that spells out what the packed bytes mean.

Every format says the same of a block of 32 columns: w = step * code - minimum, with a step for each half of 16.
`read_block_*` gives these for the 16 rows of a group; from them come float32 weights, which are multiplied as floats.
"""

import numpy as np
from numba import carray, njit

from minillama.errors import ShapeError
from minillama.quant.kernels.bits import half_to_float, pointer
from minillama.quant.kernels.layout import (
    BLOCK,
    Q4_0,
    Q4_K,
    Q5_K,
    Q8_0,
    Q8_0_IN_FILE,
    ROWS,
    PackedMatrix,
    file_row_bytes,
    group_bytes,
)
from minillama.quant.kernels.path import Path
from minillama.quant.kernels.records import RECORD


@njit(nogil=True)
def _read_nibbles(group, block, codes):
    """Codes 0..15 of a block into int8 (16, 32)."""
    lines = group[256 * block :]
    for r in range(ROWS):
        for line in range(4):
            for j in range(4):
                byte = lines[64 * line + 4 * r + j]
                codes[r, 4 * line + j] = byte & 15
                codes[r, 16 + 4 * line + j] = byte >> 4


@njit(nogil=True)
def read_block_q4_0(group, n_blocks, block, codes, steps, minimums):
    """w = d * (q - 8)."""
    _read_nibbles(group, block, codes)
    scales = group[256 * n_blocks :].view(np.uint16)
    for r in range(ROWS):
        for i in range(BLOCK):
            codes[r, i] -= 8
        steps[r, 0] = steps[r, 1] = half_to_float(scales[16 * block + r])
        minimums[r] = 0


@njit(nogil=True)
def read_block_q8_0(group, n_blocks, block, codes, steps, minimums):
    """w = d * q."""
    lines = group[512 * block :].view(np.int8)
    scales = group[512 * n_blocks :].view(np.uint16)
    for r in range(ROWS):
        for line in range(8):
            for j in range(4):
                codes[r, 4 * line + j] = lines[64 * line + 4 * r + j]
        steps[r, 0] = steps[r, 1] = half_to_float(scales[16 * block + r])
        minimums[r] = 0


@njit(nogil=True)
def _read_scales_k(scales, minimums_k, halves, block, steps, minimums):
    """d * scale and dmin * minimum of a block of q4_k or q5_k."""
    super_block = halves[32 * (block // 8) :]
    for r in range(ROWS):
        steps[r, 0] = steps[r, 1] = half_to_float(super_block[r]) * np.float32(scales[16 * block + r])
        minimums[r] = half_to_float(super_block[16 + r]) * np.float32(minimums_k[16 * block + r])


@njit(nogil=True)
def read_block_q4_k(group, n_blocks, block, codes, steps, minimums):
    """w = d * scale * q - dmin * minimum."""
    _read_nibbles(group, block, codes)
    halves = group[288 * n_blocks :].view(np.uint16)
    _read_scales_k(group[256 * n_blocks :], group[272 * n_blocks :], halves, block, steps, minimums)


@njit(nogil=True)
def read_block_q5_k(group, n_blocks, block, codes, steps, minimums):
    """The same with a fifth bit."""
    _read_nibbles(group, block, codes)
    plane = group[256 * n_blocks + 64 * block :]
    for r in range(ROWS):
        for i in range(BLOCK):
            codes[r, i] |= ((plane[4 * r + i % 4] >> (i // 4)) & 1) << 4
    halves = group[352 * n_blocks :].view(np.uint16)
    _read_scales_k(group[320 * n_blocks :], group[336 * n_blocks :], halves, block, steps, minimums)


@njit(nogil=True)
def read_block_q6_k(group, n_blocks, block, codes, steps, minimums):
    """w = d * scale * (q - 32), a scale for each half."""
    _read_nibbles(group, block, codes)
    planes = group[256 * n_blocks + 128 * block :]
    scales = group[384 * n_blocks + 32 * block :].view(np.int8)
    halves = group[416 * n_blocks + 32 * (block // 8) :].view(np.uint16)
    for r in range(ROWS):
        for i in range(BLOCK):
            upper = planes[64 * (i // 16) + 4 * r + i % 4] >> (2 * (i % 16 // 4))
            codes[r, i] = (codes[r, i] | ((upper & 3) << 4)) - 32
        for half in range(2):
            steps[r, half] = half_to_float(halves[r]) * np.float32(scales[16 * half + r])
        minimums[r] = 0


@njit(nogil=True)
def read_block(format, group, n_blocks, block, codes, steps, minimums):
    """Codes, steps and minimums of one block of 16 rows x 32 columns.

    Args:
        format: a number of layout.py.
        group: uint8, the packed group.
        n_blocks: columns / 32.
        block: which of them.
        codes: int8 (16, 32), filled.
        steps: float32 (16, 2), filled.
        minimums: float32 (16,), filled.
    """
    if format == Q4_0:
        read_block_q4_0(group, n_blocks, block, codes, steps, minimums)
    elif format == Q8_0:
        read_block_q8_0(group, n_blocks, block, codes, steps, minimums)
    elif format == Q4_K:
        read_block_q4_k(group, n_blocks, block, codes, steps, minimums)
    elif format == Q5_K:
        read_block_q5_k(group, n_blocks, block, codes, steps, minimums)
    else:
        read_block_q6_k(group, n_blocks, block, codes, steps, minimums)


@njit(nogil=True)
def unpack_group(format, group, n_blocks, weights):
    """The weights of 16 rows, float32 (16, K)."""
    codes, steps = np.empty((ROWS, BLOCK), np.int8), np.empty((ROWS, 2), np.float32)
    minimums = np.empty(ROWS, np.float32)
    for block in range(n_blocks):
        read_block(format, group, n_blocks, block, codes, steps, minimums)
        for r in range(ROWS):
            for i in range(BLOCK):
                weights[r, BLOCK * block + i] = steps[r, i // 16] * np.float32(codes[r, i]) - minimums[r]


@njit(nogil=True)
def read_row_q8_0(row, n_blocks, weights):
    """A row as the file has it: w = d * q."""
    for block in range(n_blocks):
        here = row[34 * block : 34 * block + 34]
        d, codes = half_to_float(here[:2].view(np.uint16)[0]), here[2:].view(np.int8)
        for i in range(BLOCK):
            weights[BLOCK * block + i] = d * np.float32(codes[i])


@njit(nogil=True)
def read_row_q6_k(row, n_blocks, weights):
    """The same for super-blocks of 256: w = d * scale * (q - 32), a scale for each 16 columns.

    Columns i, 32 + i, 64 + i and 96 + i of each half share the byte i of its upper bits, lowest first; the first two
    have the lower nibbles of bytes i and 32 + i, the last two the upper ones.
    """
    for block in range(n_blocks // 8):
        here = row[210 * block : 210 * block + 210]
        d, scales = half_to_float(here[208:].view(np.uint16)[0]), here[192:208].view(np.int8)
        for column in range(256):
            half, quarter, i = column // 128, column % 128 // 32, column % 32
            nibble = (here[64 * half + 32 * (quarter % 2) + i] >> (4 * (quarter // 2))) & 15
            upper = (here[128 + 32 * half + i] >> (2 * quarter)) & 3
            code = np.float32(nibble | (upper << 4)) - np.float32(32)
            weights[256 * block + column] = d * np.float32(scales[column // 16]) * code


@njit(nogil=True)
def read_group(format, matrix, n_rows, index, n_blocks, weights):
    """The weights of group `index`, float32 (16, K); a row that does not exist repeats the last one or is zero."""
    if format < Q8_0_IN_FILE:
        size = group_bytes(format, n_blocks)
        unpack_group(format, carray(pointer(matrix + index * size), (size,), np.uint8), n_blocks, weights)
        return
    size = file_row_bytes(format, n_blocks)
    for r in range(ROWS):
        row = carray(pointer(matrix + min(ROWS * index + r, n_rows - 1) * size), (size,), np.uint8)
        if format == Q8_0_IN_FILE:
            read_row_q8_0(row, n_blocks, weights[r])
        else:
            read_row_q6_k(row, n_blocks, weights[r])


@njit(nogil=True)
def unpack_activations(records, x):
    """The activations that records stand for: RECORD (K / 32,) -> float32 (K,)."""
    for block in range(len(records)):
        for i in range(BLOCK):
            x[BLOCK * block + i] = records[block].scale * np.float32(records[block].codes[i])


@njit(nogil=True, fastmath={"contract", "reassoc"})  # in any order, so that the sum can be a vector of sums
def dot_product(left, right):
    """The sum of left * right."""
    total = np.float32(0)
    for i in range(len(left)):
        total += left[i] * right[i]
    return total


@njit(nogil=True)
def range_portable(matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows):
    """The products of groups first..last-1 with all tokens; arguments as in groups.multiply_range."""
    records = carray(pointer(x), (n_tokens, n_blocks), RECORD)
    activations = np.empty((n_tokens, BLOCK * n_blocks), np.float32)
    for token in range(n_tokens):
        unpack_activations(records[token], activations[token])
    weights = np.empty((ROWS, BLOCK * n_blocks), np.float32)
    for index in range(first, last):
        read_group(format, matrix, n_rows, index, n_blocks, weights)
        for token in range(n_tokens):
            row = carray(pointer(out + token * stride + 64 * index), (ROWS,), np.float32)
            for r in range(ROWS):
                row[r] = dot_product(weights[r], activations[token])


@njit(nogil=True, cache=True)
def _unpack_rows(path, format, matrix, n_rows, n_blocks, rows, out):
    """Dequantizes some rows; `path` only ties the cached code to the source of the package."""
    weights, unpacked = np.empty((ROWS, BLOCK * n_blocks), np.float32), -1
    for i in range(len(rows)):
        group = rows[i] // ROWS
        if group != unpacked:
            read_group(format, matrix, n_rows, group, n_blocks, weights)
            unpacked = group
        out[i] = weights[rows[i] % ROWS]


def unpack(packed: PackedMatrix, rows: np.ndarray | None = None) -> np.ndarray:
    """The weights that a packed matrix stands for, bit for bit those of its blocks.

    Args:
        packed: (N, K).
        rows: int64 (n,), which rows; None for all of them.

    Returns:
        float32 (n, K).

    Raises:
        ShapeError: a row that the matrix does not have.
    """
    which = np.arange(packed.shape[0]) if rows is None else np.ascontiguousarray(rows, np.int64)
    if len(which) and not 0 <= which.min() <= which.max() < packed.shape[0]:
        raise ShapeError(f"rows run from {which.min()} to {which.max()}, expected 0 to {packed.shape[0] - 1}")
    out = np.empty((len(which), packed.shape[1]), np.float32)
    n_rows, n_columns = packed.shape
    _unpack_rows(Path("portable"), packed.number, packed.address, n_rows, n_columns // BLOCK, which, out)
    return out
