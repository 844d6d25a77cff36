"""The product of a range of row groups with all tokens: what one thread does.

The weights of a group stay in the processor's cache while all tokens pass by, tile after tile. These functions take
addresses, so that a larger compiled function can call them for matrices that it keeps in a table.
"""

import numpy as np
from numba import njit
from numba.extending import overload

from minillama.quant.kernels.layout import Q4_0, Q4_K, Q5_K, Q8_0, ROWS, group_bytes
from minillama.quant.kernels.path import PathType, single, tokens_of, wide
from minillama.quant.kernels.portable import group_portable
from minillama.quant.kernels.records import RECORD_BYTES
from minillama.quant.kernels.tiles import tile_q4_0, tile_q4_k, tile_q5_k, tile_q6_k, tile_q8_0


@njit(nogil=True)
def multiply_tile(tile, format, group, x, n_blocks, out, stride):
    """The product of one group with one tile (tiles.py) of the tile's width."""
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
def group_tiles(path, format, group, x, n_blocks, n_tokens, totals):
    """The product of one group with all tokens: whole tiles first, the rest one by one; totals is float32 (T, 16)."""
    width, token_bytes = tokens_of(wide(path)), RECORD_BYTES * n_blocks
    out, stride = totals.ctypes.data, 4 * ROWS
    whole = n_tokens - n_tokens % width
    for token in range(0, whole, width):
        multiply_tile(wide(path), format, group, x + token * token_bytes, n_blocks, out + token * stride, stride)
    for token in range(whole, n_tokens):
        multiply_tile(single(path), format, group, x + token * token_bytes, n_blocks, out + token * stride, stride)


def multiply_group(path, format, group, x, n_blocks, n_tokens, totals):
    """The product of one group with all tokens, by the path's instructions; compiled code only."""
    raise NotImplementedError("called from compiled code only")


@overload(multiply_group)
def _multiply_group(path, format, group, x, n_blocks, n_tokens, totals):
    if not isinstance(path, PathType):
        return None
    if path.path == "portable":
        return lambda path, format, group, x, n_blocks, n_tokens, totals: group_portable(
            format, group, x, n_blocks, n_tokens, totals
        )
    return lambda path, format, group, x, n_blocks, n_tokens, totals: group_tiles(
        path, format, group, x, n_blocks, n_tokens, totals
    )


@njit(nogil=True)
def multiply_groups(path, matrix, format, n_columns, first, last, x, n_tokens, out):
    """The products of row groups first..last-1 with all tokens.

    Args:
        path: a Path.
        matrix: address of the packed matrix.
        format: its number (layout.py).
        n_columns: K.
        first: the first group.
        last: one past the last group.
        x: address of the tokens' records (activations.py), quantized for this path.
        n_tokens: T.
        out: float32 (T, N); the columns of these rows are written.
    """
    n_blocks = n_columns // 32
    size = group_bytes(format, n_blocks)
    totals = np.empty((n_tokens, ROWS), np.float32)
    for group in range(first, last):
        multiply_group(path, format, matrix + group * size, x, n_blocks, n_tokens, totals)
        row = ROWS * group
        for token in range(n_tokens):
            for r in range(min(ROWS, out.shape[1] - row)):
                out[token, row + r] = totals[token, r]
