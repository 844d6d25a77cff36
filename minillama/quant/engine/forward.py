"""The blocks of a quantized model, for one token or many: small jitted functions, composed once.

Every parallel loop has one turn a thread; in it the thread claims row groups or heads until none are left, or takes its
share of the tokens. Work that is too small for a launch of threads (some 10 microseconds) stays in the calling thread.

    x -> rms_norm -> int8 -> wq wk wv -> rope -> cache -> attend -> int8 -> wo -> + x
      -> rms_norm -> int8 -> w1 w3 -> silu_gate -> int8 -> w2 -> + x
"""

import numpy as np
from numba import njit, prange

from minillama.quant.kernels.activations import quantize_tokens
from minillama.quant.kernels.groups import multiply_groups
from minillama.quant.kernels.layout import ROWS
from minillama.quant.kernels.matmul import CLAIMS_PER_THREAD
from minillama.quant.kernels.pieces import apply_rope, attend, rms_norm, silu_gate, to_halves
from minillama.quant.kernels.threads import claim

ADDRESS, FORMAT, N_ROWS, N_COLUMNS = range(4)  # a matrix in a table
WQ, WK, WV, WO, W1, W3, W2 = range(7)  # a layer's matrices
SERIAL_WEIGHTS = 1 << 18  # a product with fewer weights times tokens is not worth a launch
SERIAL_SCORES = 1 << 15  # attention over fewer numbers neither


@njit(nogil=True, inline="always")
def part_of(total, part, n_parts):
    """The range of a part: parts differ by at most one in length."""
    return total * part // n_parts, total * (part + 1) // n_parts


@njit(nogil=True)
def multiply_part(path, table, records, n_tokens, first, last, out):
    """Row groups first to last - 1, counted through all matrices of the table; see `multiply`."""
    start, column = 0, 0
    for i in range(len(table)):
        n_rows = table[i, N_ROWS]
        n_groups = (n_rows + ROWS - 1) // ROWS
        low, high = max(first - start, 0), min(last - start, n_groups)
        if low < high:
            multiply_groups(
                path, table[i, ADDRESS], table[i, FORMAT], table[i, N_COLUMNS], low, high,
                records.ctypes.data, n_tokens, out[:, column : column + n_rows],
            )  # fmt: skip
        start += n_groups
        column += n_rows


@njit(nogil=True, parallel=True)
def multiply_parallel(path, table, records, n_tokens, n_groups, n_parts, out):
    """`multiply` on n_parts threads, which claim some groups at a time."""
    counter, count = np.zeros(1, np.int64), max(1, n_groups // (CLAIMS_PER_THREAD * n_parts))
    for _ in prange(n_parts):
        first = claim(counter, count)
        while first < n_groups:
            multiply_part(path, table, records, n_tokens, first, min(first + count, n_groups), out)
            first = claim(counter, count)


@njit(nogil=True)
def multiply(path, table, records, n_tokens, n_parts, out):
    """The products of some matrices with the same tokens, side by side.

    Args:
        path: instructions (kernels.path.Path).
        table: int64 (n, 4), a row a matrix: address, format, rows, columns; all have the same columns.
        records: the quantized tokens (kernels.activations).
        n_tokens: M.
        n_parts: threads.
        out: float32 (M, sum of the rows).
    """
    n_groups, n_weights = 0, 0
    for i in range(len(table)):
        n_groups += (table[i, N_ROWS] + ROWS - 1) // ROWS
        n_weights += table[i, N_ROWS] * table[i, N_COLUMNS]
    if n_parts == 1 or n_weights * n_tokens < SERIAL_WEIGHTS:
        multiply_part(path, table, records, n_tokens, 0, n_groups, out)
    else:
        multiply_parallel(path, table, records, n_tokens, n_groups, n_parts, out)


@njit(nogil=True)
def norm_and_quantize(path, x, weight, eps, first, last, normed, records):
    """rms_norm of tokens first to last - 1, as int8."""
    for m in range(first, last):
        rms_norm(x[m], weight, eps, normed[m])
    quantize_tokens(path, normed, first, last, records)


@njit(nogil=True)
def gate_and_quantize(path, gate_up, first, last, hidden, records):
    """silu_gate of tokens first to last - 1, as int8; gate_up is (M, 2 F)."""
    size = hidden.shape[1]
    for m in range(first, last):
        silu_gate(gate_up[m, :size], gate_up[m, size:])
        hidden[m] = gate_up[m, :size]
    quantize_tokens(path, hidden, first, last, records)


@njit(nogil=True)
def rope_and_store(qkv, n_heads, cos, sin, past, n_rows, keys, values, first, last):
    """Turn queries and keys of tokens first to last - 1 and put keys and values into the cache (B, G, S, K)."""
    n_kv_heads, head_dim = keys.shape[1], keys.shape[3]
    n_tokens = len(qkv) // n_rows  # T
    start_k, start_v = n_heads * head_dim, (n_heads + n_kv_heads) * head_dim
    for m in range(first, last):
        row, place = m // n_tokens, past + m % n_tokens
        apply_rope(qkv[m, :start_v], cos[place], sin[place])
        for g in range(n_kv_heads):
            k, v = start_k + g * head_dim, start_v + g * head_dim
            to_halves(qkv[m, k : k + head_dim], keys[row, g, place])
            to_halves(qkv[m, v : v + head_dim], values[row, g, place])


@njit(nogil=True)
def attend_heads(qkv, n_heads, starts, past, window, keys, values, first, last, out):
    """Attention of heads first to last - 1, counted through all rows, for their tokens.

    Args:
        qkv: (B * T, ...), queries in front.
        starts: (B,) int64, the first place of each row that is not padding.
        window: a query sees at most so many places.
        out: (B * T, H * K).
    """
    n_rows, n_kv_heads, head_dim = keys.shape[0], keys.shape[1], keys.shape[3]
    n_tokens = len(qkv) // n_rows
    scores = np.empty(past + n_tokens, np.float32)
    for index in range(first, last):
        row, head = index // n_heads, index % n_heads
        group = head // (n_heads // n_kv_heads)
        columns = slice(head * head_dim, (head + 1) * head_dim)
        for t in range(n_tokens):
            m, place = row * n_tokens + t, past + t
            seen = max(starts[row], place + 1 - window)
            if seen > place:  # padding: nobody reads it
                out[m, columns] = 0
            else:
                attend(qkv[m, columns], keys[row, group], values[row, group], seen, place + 1, scores, out[m, columns])


@njit(nogil=True, parallel=True)
def attend_parallel(qkv, n_heads, starts, past, window, keys, values, n_parts, out):
    """`attend_heads` for all heads on n_parts threads."""
    total, counter = n_heads * keys.shape[0], np.zeros(1, np.int64)
    for _ in prange(n_parts):
        head = claim(counter, 1)
        while head < total:
            attend_heads(qkv, n_heads, starts, past, window, keys, values, head, head + 1, out)
            head = claim(counter, 1)


@njit(nogil=True, parallel=True)
def norm_parallel(path, x, weight, eps, n_parts, normed, records):
    """`norm_and_quantize` for all tokens on n_parts threads."""
    for part in prange(n_parts):
        first, last = part_of(len(x), part, n_parts)
        norm_and_quantize(path, x, weight, eps, first, last, normed, records)


@njit(nogil=True, parallel=True)
def gate_parallel(path, gate_up, n_parts, hidden, records):
    """`gate_and_quantize` for all tokens on n_parts threads."""
    for part in prange(n_parts):
        first, last = part_of(len(hidden), part, n_parts)
        gate_and_quantize(path, gate_up, first, last, hidden, records)


@njit(nogil=True)
def add(x, more):
    """x += more, (M, D)."""
    for m in range(len(x)):
        for i in range(x.shape[1]):
            x[m, i] += more[m, i]


@njit(nogil=True, cache=True)
def run_blocks(
    path, tables, norms, norm, eps, n_heads, cos, sin, starts, past, window, keys, values, n_parts, records, x
):  # fmt: skip
    """All blocks and the final norm on B rows of T tokens, after `past` cached ones; x (B * T, D) changes in place.

    Args:
        path: instructions.
        tables: int64 (L, 7, 4), the matrices of each layer in the order wq wk wv wo w1 w3 w2.
        norms: float32 (L, 2, D), attention_norm and ffn_norm.
        norm: float32 (D,), the final one.
        eps: of the norms.
        n_heads: H.
        cos, sin: float32 (S_max, K/2).
        starts: int64 (B,), see attend_heads.
        past, window: places.
        keys, values: uint16 (L, B, G, S_max, K).
        n_parts: threads.
        records: RECORD, room for B * T tokens of the widest matrix.
        x: float32.
    """
    n_tokens = len(x)
    token_parts = min(n_parts, n_tokens) if n_tokens >= 8 else 1
    qkv = np.empty((n_tokens, tables[0, WQ, N_ROWS] + 2 * tables[0, WK, N_ROWS]), np.float32)
    attended = np.empty((n_tokens, tables[0, WQ, N_ROWS]), np.float32)
    hidden = np.empty((n_tokens, tables[0, W1, N_ROWS]), np.float32)
    gate_up = np.empty((n_tokens, 2 * hidden.shape[1]), np.float32)
    normed = np.empty_like(x)
    for layer in range(len(tables)):
        table = tables[layer]
        norm_parallel(path, x, norms[layer, 0], eps, token_parts, normed, records)
        multiply(path, table[WQ : WV + 1], records, n_tokens, n_parts, qkv)
        rope_and_store(qkv, n_heads, cos, sin, past, keys.shape[1], keys[layer], values[layer], 0, n_tokens)
        n_scores = n_tokens * (past + n_tokens) * attended.shape[1]
        if n_parts == 1 or n_scores < SERIAL_SCORES:
            last = n_heads * keys.shape[1]
            attend_heads(qkv, n_heads, starts, past, window, keys[layer], values[layer], 0, last, attended)
        else:
            attend_parallel(qkv, n_heads, starts, past, window, keys[layer], values[layer], n_parts, attended)
        quantize_tokens(path, attended, 0, n_tokens, records)
        multiply(path, table[WO : WO + 1], records, n_tokens, n_parts, normed)
        add(x, normed)
        norm_parallel(path, x, norms[layer, 1], eps, token_parts, normed, records)
        multiply(path, table[W1 : W3 + 1], records, n_tokens, n_parts, gate_up)
        gate_parallel(path, gate_up, token_parts, hidden, records)
        multiply(path, table[W2 : W2 + 1], records, n_tokens, n_parts, normed)
        add(x, normed)
    for m in range(n_tokens):
        rms_norm(x[m], norm, eps, x[m])


@njit(nogil=True, cache=True)
def run_output(path, table, n_parts, records, x, logits):
    """The output matrix: x (M, D) -> logits (M, V)."""
    quantize_tokens(path, x, 0, len(x), records)
    multiply(path, table, records, len(x), n_parts, logits)
