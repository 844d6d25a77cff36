"""Attention over a head's keys and values, for some of its queries at a time.

    scores  = q . key          panel by panel: 16 positions
    weights = exp(scores - largest)
    out     = weights . value  panel by panel: 16 dims; then divided by the sum of the weights

The queries of a tile share every key and value that is read: queries of neighbouring tokens in prefill, queries of the
heads of a group in decoding. A query never touches a position that it may not see, not even with weight zero.
"""

import math

import numpy as np
from numba import njit

from minillama.quant.kernels.panels import (
    BLOCK,
    BLOCK_BYTES,
    CODE_ROW,
    F16,
    HALF_ROW,
    add_codes,
    add_halves,
    add_scaled_sums,
    fetch,
    larger,
    largest_of,
    load_sum,
    load_sums,
    no_sums,
    panels_of,
    queries,
    scale_row,
    splat_float,
    store_sums,
)
from minillama.quant.kernels.path import single, tokens_of
from minillama.quant.kernels.pieces import MASKED, REORDERED, exp
from minillama.quant.kernels.storing import key_panel_bytes
from minillama.quant.kernels.vectors import ROWS

# No function here that carries sums from row to row is `inline="always"`: inlined twice into loops, Numba 0.68 loses
# the sums of the first turn.
MOST_QUERIES = 8  # of a tile
AHEAD_BYTES = 3072  # of a stream of values


@njit(nogil=True)
def some_halves(tile, rows, n_rows, panel_bytes, ahead, x, stride, out, out_stride):
    """As many panels of float16 as the tile takes side by side."""
    sums = load_sums(tile, out, out_stride)
    for row in range(n_rows):
        fetch(sums, rows + HALF_ROW * row + ahead, panel_bytes)
        sums = add_halves(sums, rows + HALF_ROW * row, panel_bytes, x + 4 * row, stride)
    store_sums(sums, out, out_stride)


@njit(nogil=True)
def one_halves(tile, rows, n_rows, panel_bytes, ahead, x, stride, out, out_stride):
    """One panel of float16."""
    sums = load_sum(tile, out, out_stride)
    for row in range(n_rows):
        fetch(sums, rows + HALF_ROW * row + ahead, panel_bytes)
        sums = add_halves(sums, rows + HALF_ROW * row, panel_bytes, x + 4 * row, stride)
    store_sums(sums, out, out_stride)


@njit(nogil=True)
def some_codes(tile, rows, n_rows, panel_bytes, ahead, x, stride, out, out_stride):
    """As many panels of int8 as the tile takes side by side."""
    sums = load_sums(tile, out, out_stride)
    for row in range(n_rows):
        fetch(sums, rows + CODE_ROW * row + ahead, panel_bytes)
        sums = add_codes(sums, rows + CODE_ROW * row, panel_bytes, x + 4 * row, stride)
    store_sums(sums, out, out_stride)


@njit(nogil=True)
def one_codes(tile, rows, n_rows, panel_bytes, ahead, x, stride, out, out_stride):
    """One panel of int8."""
    sums = load_sum(tile, out, out_stride)
    for row in range(n_rows):
        fetch(sums, rows + CODE_ROW * row + ahead, panel_bytes)
        sums = add_codes(sums, rows + CODE_ROW * row, panel_bytes, x + 4 * row, stride)
    store_sums(sums, out, out_stride)


@njit(nogil=True)
def some_keys(tile, rows, n_blocks, panel_bytes, ahead, x, stride, out, out_stride):
    """As many panels of Q8_0 keys as the tile takes side by side."""
    sums = load_sums(tile, out, out_stride)
    for block in range(n_blocks):
        start, q, products = rows + BLOCK_BYTES * block, x + 4 * BLOCK * block, no_sums(sums)
        for row in range(BLOCK):
            codes = start + HALF_ROW + CODE_ROW * row
            fetch(sums, codes + ahead, panel_bytes)
            products = add_codes(products, codes, panel_bytes, q + 4 * row, stride)
        sums = add_scaled_sums(sums, products, start, panel_bytes)
    store_sums(sums, out, out_stride)


@njit(nogil=True)
def one_keys(tile, rows, n_blocks, panel_bytes, ahead, x, stride, out, out_stride):
    """One panel of Q8_0 keys."""
    sums = load_sum(tile, out, out_stride)
    for block in range(n_blocks):
        start, q, products = rows + BLOCK_BYTES * block, x + 4 * BLOCK * block, no_sums(sums)
        for row in range(BLOCK):
            codes = start + HALF_ROW + CODE_ROW * row
            fetch(sums, codes + ahead, panel_bytes)
            products = add_codes(products, codes, panel_bytes, q + 4 * row, stride)
        sums = add_scaled_sums(sums, products, start, panel_bytes)
    store_sums(sums, out, out_stride)


@njit(nogil=True)
def sum_halves(tile, rows, n_rows, panel_bytes, n_panels, ahead, x, stride, out, out_stride):
    """out += the sum of weight * row over the rows of some panels of float16, for each query.

    Args:
        tile: of queries.
        rows: address of the first panel's first row.
        n_rows: how many of each panel.
        panel_bytes: to the next panel.
        n_panels: how many.
        ahead: how many bytes further lies what is asked from memory meanwhile.
        x: address of the first query's weights.
        stride: bytes to the next query's.
        out: address of the first query's 16 float32 a panel.
        out_stride: bytes to the next query's.
    """
    whole = n_panels - n_panels % panels_of(tile)
    for panel in range(0, whole, panels_of(tile)):
        start, here = rows + panel * panel_bytes, out + 4 * ROWS * panel
        some_halves(tile, start, n_rows, panel_bytes, ahead, x, stride, here, out_stride)
    for panel in range(whole, n_panels):
        start, here = rows + panel * panel_bytes, out + 4 * ROWS * panel
        one_halves(tile, start, n_rows, panel_bytes, ahead, x, stride, here, out_stride)


@njit(nogil=True)
def sum_codes(tile, rows, n_rows, panel_bytes, n_panels, ahead, x, stride, out, out_stride):
    """`sum_halves` for rows of int8 whose scales are in the weights already."""
    whole = n_panels - n_panels % panels_of(tile)
    for panel in range(0, whole, panels_of(tile)):
        start, here = rows + panel * panel_bytes, out + 4 * ROWS * panel
        some_codes(tile, start, n_rows, panel_bytes, ahead, x, stride, here, out_stride)
    for panel in range(whole, n_panels):
        start, here = rows + panel * panel_bytes, out + 4 * ROWS * panel
        one_codes(tile, start, n_rows, panel_bytes, ahead, x, stride, here, out_stride)


@njit(nogil=True)
def sum_key_blocks(tile, rows, n_blocks, panel_bytes, n_panels, ahead, x, stride, out, out_stride):
    """`sum_halves` for Q8_0 keys: each block has a scale for each of its 16 positions."""
    whole = n_panels - n_panels % panels_of(tile)
    for panel in range(0, whole, panels_of(tile)):
        start, here = rows + panel * panel_bytes, out + 4 * ROWS * panel
        some_keys(tile, start, n_blocks, panel_bytes, ahead, x, stride, here, out_stride)
    for panel in range(whole, n_panels):
        start, here = rows + panel * panel_bytes, out + 4 * ROWS * panel
        one_keys(tile, start, n_blocks, panel_bytes, ahead, x, stride, here, out_stride)


@njit(nogil=True)
def add_scores(tile, kind, keys, first, last, q, head_dim, scores, stride):
    """score[t, s] += q[t] . key s for all s from panel `first` to the end of panel `last - 1`.

    Args:
        tile: of queries.
        kind: F16 or Q8_0.
        keys: address of the head's panels.
        q: address of the queries, float32 (tile, K).
        head_dim: K.
        scores: address of the first query's scores.
        stride: bytes to the next query's.
    """
    size, n_panels = key_panel_bytes(kind, head_dim), last - first
    start, here, ahead = keys + size * first, scores + 4 * ROWS * first, size * panels_of(tile)
    if kind == F16:
        sum_halves(tile, start, head_dim, size, n_panels, ahead, q, 4 * head_dim, here, stride)
    else:
        sum_key_blocks(tile, start, head_dim // BLOCK, size, n_panels, ahead, q, 4 * head_dim, here, stride)


@njit(nogil=True)
def scale_weights(n, weights, scales, first, last, stride, scaled):
    """scaled[t, s] = weights[t, s] * float16 scale of s, for n queries and positions s from `first` to `last - 1`."""
    for t in range(n):
        for s in range(first // ROWS * ROWS, last, ROWS):
            scale_row(weights + t * stride + 4 * s, scales + 2 * s, scaled + t * stride + 4 * s)


@njit(nogil=True)
def add_values(tile, kind, values, places, first, last, weights, scaled, stride, head_dim, out, out_stride):
    """out[t] += the sum of weights[t, s] * value s for s from `first` to `last - 1`.

    Args:
        tile: of queries.
        kind: F16 or Q8_0.
        values: address of the head's panels.
        places: which they have room for.
        weights: address of the first query's weights.
        scaled: address of as much scratch, for Q8_0.
        stride: bytes to the next query's, of both.
        head_dim: K.
        out: address of the first query's sums, float32 (K rounded up to 16).
        out_stride: bytes to the next query's.
    """
    n_panels, x = (head_dim + ROWS - 1) // ROWS, 4 * first
    if kind == F16:
        rows, size = values + HALF_ROW * first, HALF_ROW * places
        sum_halves(tile, rows, last - first, size, n_panels, AHEAD_BYTES, weights + x, stride, out, out_stride)
        return
    rows, size = values + CODE_ROW * first, CODE_ROW * places
    scales, per_block = values + size * n_panels, BLOCK // ROWS
    for panel in range(0, n_panels, per_block):  # a block has 2 bytes of scale for 2 panels
        block_scales, start, here = scales + places * panel, rows + size * panel, out + 4 * ROWS * panel
        scale_weights(tokens_of(tile), weights, block_scales, first, last, stride, scaled)
        sum_codes(tile, start, last - first, size, per_block, AHEAD_BYTES, scaled + x, stride, here, out_stride)


@njit(inline="always")
def tile_size(path, n):
    """How many of n queries a tile takes: 8 where the registers hold as many, 4 or 1."""
    most = tokens_of(queries(path, 8))
    return most if n >= most else 4 if n >= 4 else 1


@njit(inline="always")
def scores_of(path, n, kind, keys, first, last, q, head_dim, scores, stride):
    """`add_scores` for a tile of n queries."""
    if n == 8:
        add_scores(queries(path, 8), kind, keys, first, last, q, head_dim, scores, stride)
    elif n == 4:
        add_scores(queries(path, 4), kind, keys, first, last, q, head_dim, scores, stride)
    else:
        add_scores(single(path), kind, keys, first, last, q, head_dim, scores, stride)


@njit(nogil=True)
def values_of(path, n, kind, values, places, first, last, weights, scaled, stride, head_dim, out, out_stride):
    """`add_values` for a tile of n queries."""
    args = kind, values, places, first, last, weights, scaled, stride, head_dim, out, out_stride
    if n == 8:
        add_values(queries(path, 8), *args)
    elif n == 4:
        add_values(queries(path, 4), *args)
    else:
        add_values(single(path), *args)


@njit(nogil=True, cache=True, fastmath=REORDERED, error_model="numpy")
def softmax(scores, first, last, scale):
    """scores (places,) become exp(scale * (score - largest)) from `first` to `last - 1`; returns the sum of these.

    What lies beside them in the same 16 is overwritten.
    """
    low, high = first // ROWS * ROWS, (last + ROWS - 1) // ROWS * ROWS
    scores[low:first] = MASKED
    scores[last:high] = MASKED
    most = splat_float(MASKED)
    for s in range(low, high, ROWS):
        most = larger(most, scores.ctypes.data + 4 * s)
    largest, total = largest_of(most), np.float32(0)
    seen = scores[low:high]  # indices from 0: the compiler makes vectors of them, as they cannot be negative
    for s in range(len(seen)):
        seen[s] = exp((seen[s] - largest) * scale)
        total += seen[s]  # with what is masked, too little to be seen beside the largest, which is 1
    return total


@njit(nogil=True, error_model="numpy")
def attend_tile(path, kind, keys, values, places, q, firsts, lasts, scores, scaled, out):
    """`attend` for the queries of one tile."""
    n, head_dim, stride, scale = len(q), q.shape[1], scores.strides[0], np.float32(1 / math.sqrt(q.shape[1]))
    x, x_scaled = scores.ctypes.data, scaled.ctypes.data
    low, high = firsts.max(), lasts.min()  # what all of them see
    first, last = firsts.min() // ROWS, (lasts.max() + ROWS - 1) // ROWS  # panels that some of them see
    scores[:n, first * ROWS : last * ROWS] = 0
    scores_of(path, n, kind, keys, first, last, q.ctypes.data, head_dim, x, stride)
    totals = np.ones(n, np.float32)
    for t in range(n):
        if firsts[t] < lasts[t]:
            totals[t] = softmax(scores[t], firsts[t], lasts[t], scale)
    out[:] = 0
    if low >= high:
        low = high = firsts.min()
    for i in range(2 * n + 1):  # in the order of positions: what some see before, what all see, what some see after
        size, t, begin, end = n, 0, low, high
        if i < n:
            size, t, begin, end = 1, i, firsts[i], low
        elif i > n:
            size, t, begin, end = 1, i - n - 1, max(firsts[i - n - 1], high), lasts[i - n - 1]
        if begin < end:
            here, sums = t * stride, out.ctypes.data + t * out.strides[0]
            values_of(
                path, size, kind, values, places, begin, end, x + here, x_scaled + here, stride, head_dim, sums,
                out.strides[0],
            )  # fmt: skip
    for t in range(n):
        for d in range(out.shape[1]):
            out[t, d] /= totals[t]


@njit(nogil=True, cache=True, error_model="numpy")
def attend(path, kind, keys, values, places, q, firsts, lasts, scores, scaled, out):
    """Some queries look at the positions that they may see of one head; see attention.attend.

    Args:
        path: instructions (kernels.path.Path).
        kind: of the panels, F16 or Q8_0.
        keys, values: addresses of the head's panels.
        places: which they have room for.
        q: float32 (N, K).
        firsts, lasts: int64 (N,), each sees positions first to last - 1; where there are none, its output is zero.
        scores, scaled: float32 (8 or N if less, the largest last rounded up to 16 or more), scratch.
        out: float32 (N, K rounded up to 16), what is beyond K is zero.
    """
    start = 0
    while start < len(q):
        some = slice(start, start + tile_size(path, len(q) - start))
        attend_tile(path, kind, keys, values, places, q[some], firsts[some], lasts[some], scores, scaled, out[some])
        start = some.stop
