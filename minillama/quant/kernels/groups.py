"""The product of a range of row groups with all tokens: what one thread does.

These functions take addresses, so that a larger compiled function can call them for matrices that it keeps in a table.
"""

import numpy as np
from numba import carray, njit
from numba.extending import overload

from minillama.quant.kernels.bits import pointer
from minillama.quant.kernels.layout import (
    ALIGNMENT,
    Q4_0,
    Q4_K,
    Q5_K,
    Q6_K,
    Q8_0,
    Q8_0_IN_FILE,
    ROWS,
    file_row_bytes,
    group_bytes,
)
from minillama.quant.kernels.packing import pack_group
from minillama.quant.kernels.pairs import pair_q4_0, pair_q4_k, pair_q5_k, pair_q6_k, pair_q8_0
from minillama.quant.kernels.path import PathType, single, tokens_of, wide
from minillama.quant.kernels.portable import range_portable
from minillama.quant.kernels.records import RECORD_BYTES
from minillama.quant.kernels.rows import AT_ONCE, multiply_rows
from minillama.quant.kernels.tiles import tile_q4_0, tile_q4_k, tile_q5_k, tile_q6_k, tile_q8_0

# The weights of a batch of groups stay in the processor's second-level cache while all tokens pass by; it is even,
# since groups go in pairs.
BATCH_BYTES = 1 << 18


CLAIMS_PER_THREAD = 8  # so that a slow core delays the end by an eighth of its share at most


@njit(nogil=True)
def groups_a_claim(n_groups, threads):
    """How many groups a thread takes at a time: an even number, since they go in pairs."""
    return max(2, n_groups // (CLAIMS_PER_THREAD * threads) // 2 * 2)


@njit(nogil=True)
def multiply_tile(tile, format, group, x, n_blocks, out, stride):
    """The product of a group with a tile; arguments as in tiles.py."""
    if format == Q4_0:
        tile_q4_0(tile, group, x, n_blocks, out, stride)
    elif format == Q8_0:
        tile_q8_0(tile, group, x, n_blocks, out, stride)
    elif format == Q4_K:
        tile_q4_k(tile, group, x, n_blocks, out, stride)
    elif format == Q5_K:
        tile_q5_k(tile, group, x, n_blocks, out, stride)
    else:
        tile_q6_k(tile, group, x, n_blocks, out, stride)


@njit(nogil=True)
def multiply_pair(tile, format, first, second, x, n_blocks, out, out_second):
    """The products of two groups with one token; arguments as in pairs.py."""
    if format == Q4_0:
        pair_q4_0(tile, first, second, x, n_blocks, out, out_second)
    elif format == Q8_0:
        pair_q8_0(tile, first, second, x, n_blocks, out, out_second)
    elif format == Q4_K:
        pair_q4_k(tile, first, second, x, n_blocks, out, out_second)
    elif format == Q5_K:
        pair_q5_k(tile, first, second, x, n_blocks, out, out_second)
    else:
        pair_q6_k(tile, first, second, x, n_blocks, out, out_second)


@njit(nogil=True)
def range_tiles(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride):
    """The products of groups first..last-1 with all tokens: whole tiles first, the rest token by token."""
    size, token_bytes, width = group_bytes(format, n_blocks), RECORD_BYTES * n_blocks, tokens_of(wide(path))
    whole, batch = n_tokens - n_tokens % width, max(2, BATCH_BYTES // size // 2 * 2)
    for start in range(first, last, batch):
        stop = min(start + batch, last)
        for token in range(0, whole, width):
            records, place = x + token * token_bytes, out + token * stride
            for group in range(start, stop):
                multiply_tile(wide(path), format, matrix + group * size, records, n_blocks, place + 64 * group, stride)
        for group in range(start, stop, 2):
            other = min(group + 1, stop - 1)  # a group without another is its own other: the same sums, twice
            for token in range(whole, n_tokens):
                records, place = x + token * token_bytes, out + token * stride
                multiply_pair(
                    single(path), format, matrix + group * size, matrix + other * size, records, n_blocks,
                    place + 64 * group, place + 64 * other,
                )  # fmt: skip


@njit(nogil=True)
def range_few_tokens(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows):
    """The products of groups in the file's order with a few tokens, row by row."""
    for group in range(first, last):
        for token in range(n_tokens):
            records, place = x + token * RECORD_BYTES * n_blocks, out + token * stride + 64 * group
            for row in range(0, ROWS, AT_ONCE):
                multiply_rows(
                    single(path), format, matrix, ROWS * group + row, n_rows, records, n_blocks, place + 4 * row
                )


@njit(nogil=True)
def range_packed_meanwhile(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows):
    """The same with many tokens: a batch of groups at a time is packed, and multiplied as such."""
    packed, row_size = Q8_0 if format == Q8_0_IN_FILE else Q6_K, file_row_bytes(format, n_blocks)
    size = group_bytes(packed, n_blocks)
    batch = max(2, min(last - first, BATCH_BYTES // size) // 2 * 2)
    room = np.empty(batch * size + ALIGNMENT, np.uint8)
    groups = room[-room.ctypes.data % ALIGNMENT :]
    blocks = carray(pointer(matrix), (n_rows * row_size,), np.uint8)
    for start in range(first, last, batch):
        stop = min(start + batch, last)
        for group in range(start, stop):
            count, place = min(ROWS, n_rows - ROWS * group), (group - start) * size
            pack_group(packed, blocks, ROWS * group * row_size, row_size, count, n_blocks, groups[place : place + size])
        address = groups.ctypes.data - start * size
        range_tiles(path, address, packed, n_blocks, start, stop, x, n_tokens, out, stride)


@njit(nogil=True)
def range_any(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows):
    """The products of groups first..last-1 with all tokens, however the matrix lies."""
    if format < Q8_0_IN_FILE:
        range_tiles(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride)
    elif n_tokens < tokens_of(wide(path)):
        range_few_tokens(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows)
    else:
        range_packed_meanwhile(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows)


def multiply_range(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows):
    """The products of groups first..last-1 with all tokens, by the path's instructions; compiled code only.

    Args:
        path: a Path.
        matrix: address of the matrix, packed or in the file's order.
        format: its number (layout.py).
        n_blocks: columns / 32.
        first: the first group.
        last: one past the last group.
        x: address of the tokens' records.
        n_tokens: T.
        out: address of the first token's first value.
        stride: bytes from one token's values to the next's.
        n_rows: N.
    """
    raise NotImplementedError("called from compiled code only")


@overload(multiply_range)
def _multiply_range(path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows):
    if not isinstance(path, PathType):
        return None
    if path.path == "portable":
        return lambda path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows: range_portable(
            matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows
        )
    return lambda path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows: range_any(
        path, matrix, format, n_blocks, first, last, x, n_tokens, out, stride, n_rows
    )


@njit(nogil=True)
def multiply_groups(path, matrix, format, n_columns, first, last, x, n_tokens, out):
    """The products of row groups first..last-1 with all tokens.

    Args:
        path: a Path.
        matrix: address of the matrix.
        format: its number (layout.py).
        n_columns: K.
        first: the first group.
        last: one past the last group.
        x: address of the tokens' records (activations.py), quantized for this path.
        n_tokens: T.
        out: float32 (T, N), the values of a token side by side; the columns of these rows are written.
    """
    n_blocks, n_rows, stride = n_columns // 32, out.shape[1], out.strides[0]
    n_whole = n_rows // ROWS
    whole = min(last, n_whole)
    multiply_range(path, matrix, format, n_blocks, first, whole, x, n_tokens, out.ctypes.data, stride, n_rows)
    if last > n_whole:  # the last group has rows that do not exist
        rows = np.empty((n_tokens, ROWS), np.float32)
        start = rows.ctypes.data - 64 * n_whole
        multiply_range(path, matrix, format, n_blocks, n_whole, last, x, n_tokens, start, 4 * ROWS, n_rows)
        for token in range(n_tokens):
            for row in range(ROWS * n_whole, n_rows):
                out[token, row] = rows[token, row - ROWS * n_whole]
