"""Attention of all heads: queries and keys are turned, keys and values stored, and each query looks back.

A key/value head belongs to a group of query heads. Its queries are counted token by token, and within a token through
the group, so that neighbours see the same keys and share a tile (attention.py):

    group of 2    t0 h0 | t0 h1 | t1 h0 | t1 h1 | t2 h0 | ...
"""

import numpy as np
from numba import njit, prange

from minillama.quant.kernels.attention import MOST_QUERIES, attend
from minillama.quant.kernels.panels import ROWS
from minillama.quant.kernels.pieces import apply_rope
from minillama.quant.kernels.storing import store_key, store_value
from minillama.quant.kernels.threads import claim

TURN, ATTEND = 1, 2  # steps of a piece of work
QUERIES_PER_CLAIM = 64  # so many queries of a key/value head are one piece of work
SERIAL_SCORES = 1 << 15  # attention over fewer numbers is not worth a launch of threads


@njit(nogil=True)
def rope_and_store(qkv, n_heads, cos, sin, past, kind, places, keys, values, first, last):
    """Turn the queries and keys of key/value heads first to last - 1, counted through the rows, and store.

    Args:
        qkv: float32 (B * T, (H + 2 G) * K), queries, keys and values of a token side by side; changes in place.
        n_heads: H.
        cos, sin: float32 (S_max, K/2).
        past: places before the first of these tokens.
        kind, places: of the cache's panels.
        keys, values: uint8 (B, G, bytes).
    """
    n_rows, n_kv_heads, head_dim = keys.shape[0], keys.shape[1], 2 * cos.shape[1]
    n_tokens, width = len(qkv) // n_rows, n_heads // n_kv_heads * head_dim  # T
    for index in range(first, last):
        row, group = index // n_kv_heads, index % n_kv_heads
        q, k, v = group * width, (n_heads + group) * head_dim, (n_heads + n_kv_heads + group) * head_dim
        key_panels, value_panels = keys[row, group].ctypes.data, values[row, group].ctypes.data
        for t in range(n_tokens):
            m, place = row * n_tokens + t, past + t
            apply_rope(qkv[m, q : q + width], cos[place], sin[place])
            apply_rope(qkv[m, k : k + head_dim], cos[place], sin[place])
            store_key(kind, qkv[m, k : k + head_dim], key_panels, place)
            store_value(kind, qkv[m, v : v + head_dim], value_panels, places, place)


@njit(nogil=True)
def attend_queries(
    path, qkv, n_heads, head_dim, starts, past, window, kind, places, keys, values, index, first, last, out
):  # fmt: skip
    """Attention of queries first to last - 1 of one key/value head.

    Args:
        path: instructions.
        qkv, n_heads, past, kind, places, keys, values: see `rope_and_store`.
        head_dim: K.
        starts: int64 (B,), the first place of each row that is not padding.
        window: a query sees at most so many places.
        index: of the key/value head, counted through the rows.
        first, last: see above.
        out: (B * T, H * K).
    """
    n_rows, n_kv_heads = keys.shape[0], keys.shape[1]
    row, group, n = index // n_kv_heads, index % n_kv_heads, last - first
    n_tokens, size = len(qkv) // n_rows, n_heads // n_kv_heads
    n_places = (past + n_tokens + ROWS - 1) // ROWS * ROWS  # more than any query here sees
    q, firsts, lasts = np.empty((n, head_dim), np.float32), np.empty(n, np.int64), np.empty(n, np.int64)
    scores = np.empty((min(n, MOST_QUERIES), n_places), np.float32)
    scaled = np.empty_like(scores)
    heads = np.empty((n, (head_dim + ROWS - 1) // ROWS * ROWS), np.float32)
    for i in range(n):
        t, column = (first + i) // size, (group * size + (first + i) % size) * head_dim
        q[i] = qkv[row * n_tokens + t, column : column + head_dim]
        firsts[i], lasts[i] = max(starts[row], past + t + 1 - window), past + t + 1
    key_panels, value_panels = keys[row, group].ctypes.data, values[row, group].ctypes.data
    attend(path, kind, key_panels, value_panels, places, q, firsts, lasts, scores, scaled, heads)
    for i in range(n):
        t, column = (first + i) // size, (group * size + (first + i) % size) * head_dim
        out[row * n_tokens + t, column : column + head_dim] = heads[i, :head_dim]


@njit(inline="always")
def attend_piece(
    path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys, values, steps, number, n_pieces, out
):  # fmt: skip
    """One piece of work: TURN for a key/value head, ATTEND for a piece of its queries, or both where it is all of them.

    Pieces of the last tokens, which take longest, come first.
    """
    n_kv, size = keys.shape[0] * keys.shape[1], n_heads // keys.shape[1]
    n_queries, index, block = len(qkv) // keys.shape[0] * size, number % n_kv, n_pieces - 1 - number // n_kv
    if steps & TURN:
        rope_and_store(qkv, n_heads, cos, sin, past, kind, places, keys, values, index, index + 1)
    if steps & ATTEND:
        first, last = block * QUERIES_PER_CLAIM, min((block + 1) * QUERIES_PER_CLAIM, n_queries)
        attend_queries(
            path, qkv, n_heads, 2 * cos.shape[1], starts, past, window, kind, places, keys, values, index, first, last,
            out,
        )  # fmt: skip


@njit(nogil=True, parallel=True)
def attend_parallel(
    path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys, values, steps, total, n_pieces, n_parts, out
):  # fmt: skip
    """`attend_piece` for pieces 0 to total - 1 on n_parts threads."""
    counter = np.zeros(1, np.int64)
    for _ in prange(n_parts):
        number = claim(counter, 1)
        while number < total:
            attend_piece(
                path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys, values, steps, number, n_pieces,
                out,
            )  # fmt: skip
            number = claim(counter, 1)


@njit(nogil=True)
def attend_heads(path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys, values, n_parts, out):
    """Attention of all tokens, after their queries and keys have been turned and stored.

    Args:
        path: instructions.
        qkv, n_heads, cos, sin, past, kind, places, keys, values: see `rope_and_store`.
        starts, window: see `attend_queries`.
        n_parts: threads.
        out: float32 (B * T, H * K).
    """
    n_kv, size, n_tokens = keys.shape[0] * keys.shape[1], n_heads // keys.shape[1], len(qkv) // keys.shape[0]
    n_pieces = (n_tokens * size + QUERIES_PER_CLAIM - 1) // QUERIES_PER_CLAIM
    serial = n_parts == 1 or len(qkv) * (past + n_tokens) * out.shape[1] < SERIAL_SCORES
    steps = TURN + ATTEND if n_pieces == 1 else TURN  # all keys of a head are stored before a piece of its queries
    while steps:
        total = n_kv if steps == TURN else n_kv * n_pieces
        if not serial:
            attend_parallel(
                path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys, values, steps, total, n_pieces,
                n_parts, out,
            )  # fmt: skip
        else:
            for number in range(total):
                attend_piece(
                    path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys, values, steps, number,
                    n_pieces, out,
                )  # fmt: skip
        steps = ATTEND if steps == TURN else 0
