"""The blocks of a quantized model, for one token or many: small jitted functions, composed once.

Every parallel loop has one turn a thread; in it the thread claims row groups, heads or tokens until none are left. Work
that is too small for a launch of threads (some 10 microseconds) stays in the calling thread.

    x -> rms_norm -> int8 -> wq wk wv -> rope -> cache -> attend -> int8 -> wo -> + x
      -> rms_norm -> int8 -> w1 w3 -> silu_gate -> int8 -> w2 -> + x
"""

import numpy as np
from numba import njit, prange

from minillama.quant.kernels.activations import quantize_tokens
from minillama.quant.kernels.groups import groups_a_claim, multiply_groups
from minillama.quant.kernels.heads import attend_heads
from minillama.quant.kernels.layout import ROWS
from minillama.quant.kernels.pieces import rms_norm, silu_gate
from minillama.quant.kernels.threads import claim

ADDRESS, FORMAT, N_ROWS, N_COLUMNS = range(4)  # a matrix in a table
WQ, WK, WV, WO, W1, W3, W2 = range(7)  # a layer's matrices
SERIAL_WEIGHTS = 1 << 18  # a product with fewer weights times tokens is not worth a launch
SERIAL_TOKENS = 8  # steps between the products neither, for fewer tokens
TOKENS_PER_CLAIM = 8  # a tile


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
    counter, count = np.zeros(1, np.int64), groups_a_claim(n_groups, n_parts)
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
def add_norm_quantize(path, x, more, weight, eps, first, last, records):
    """x += more for tokens first to last - 1; more becomes their rms_norm, which is quantized."""
    for m in range(first, last):
        for i in range(x.shape[1]):
            x[m, i] += more[m, i]
        rms_norm(x[m], weight, eps, more[m])
    quantize_tokens(path, more, first, last, records)


@njit(nogil=True)
def gate_and_quantize(path, gate_up, first, last, hidden, records):
    """silu_gate of tokens first to last - 1, as int8; gate_up is (M, 2 F)."""
    size = hidden.shape[1]
    for m in range(first, last):
        silu_gate(gate_up[m, :size], gate_up[m, size:])
        hidden[m] = gate_up[m, :size]
    quantize_tokens(path, hidden, first, last, records)


@njit(nogil=True, parallel=True)
def norm_parallel(path, x, more, weight, eps, n_parts, records):
    """`add_norm_quantize` for all tokens on n_parts threads."""
    counter = np.zeros(1, np.int64)
    for _ in prange(n_parts):
        first = claim(counter, TOKENS_PER_CLAIM)
        while first < len(x):
            add_norm_quantize(path, x, more, weight, eps, first, min(first + TOKENS_PER_CLAIM, len(x)), records)
            first = claim(counter, TOKENS_PER_CLAIM)


@njit(nogil=True, parallel=True)
def gate_parallel(path, gate_up, n_parts, hidden, records):
    """`gate_and_quantize` for all tokens on n_parts threads."""
    counter, n_tokens = np.zeros(1, np.int64), len(hidden)
    for _ in prange(n_parts):
        first = claim(counter, TOKENS_PER_CLAIM)
        while first < n_tokens:
            gate_and_quantize(path, gate_up, first, min(first + TOKENS_PER_CLAIM, n_tokens), hidden, records)
            first = claim(counter, TOKENS_PER_CLAIM)


@njit(nogil=True, parallel=True)
def quantize_parallel(path, x, n_parts, records):
    """`quantize_tokens` for all tokens on n_parts threads."""
    counter = np.zeros(1, np.int64)
    for _ in prange(n_parts):
        first = claim(counter, TOKENS_PER_CLAIM)
        while first < len(x):
            quantize_tokens(path, x, first, min(first + TOKENS_PER_CLAIM, len(x)), records)
            first = claim(counter, TOKENS_PER_CLAIM)


@njit(inline="always")
def norm(path, x, more, weight, eps, n_parts, records):
    """`add_norm_quantize` for all tokens."""
    if n_parts == 1 or len(x) < SERIAL_TOKENS:
        add_norm_quantize(path, x, more, weight, eps, 0, len(x), records)
    else:
        norm_parallel(path, x, more, weight, eps, n_parts, records)


@njit(inline="always")
def gate(path, gate_up, n_parts, hidden, records):
    """`gate_and_quantize` for all tokens."""
    if n_parts == 1 or len(hidden) < SERIAL_TOKENS:
        gate_and_quantize(path, gate_up, 0, len(hidden), hidden, records)
    else:
        gate_parallel(path, gate_up, n_parts, hidden, records)


@njit(inline="always")
def quantize(path, x, n_parts, records):
    """`quantize_tokens` for all tokens."""
    if n_parts == 1 or len(x) < SERIAL_TOKENS:
        quantize_tokens(path, x, 0, len(x), records)
    else:
        quantize_parallel(path, x, n_parts, records)


@njit(nogil=True, cache=True)
def run_blocks(
    path, tables, norms, last_norm, eps, n_heads, cos, sin, starts, past, window, kind, places, keys, values, n_parts,
    records, x,
):  # fmt: skip
    """All blocks and the final norm on B rows of T tokens, after `past` cached ones; x (B * T, D) changes in place.

    Args:
        path: instructions.
        tables: int64 (L, 7, 4), the matrices of each layer in the order wq wk wv wo w1 w3 w2.
        norms: float32 (L, 2, D), attention_norm and ffn_norm.
        last_norm: float32 (D,), the final one.
        eps: of the norms.
        n_heads: H.
        cos, sin: float32 (S_max, K/2).
        starts: int64 (B,), see heads.attend_queries.
        past, window: places.
        kind, places: of the cache's panels.
        keys, values: uint8 (L, B, G, bytes).
        n_parts: threads.
        records: RECORD, room for B * T tokens of the widest matrix.
        x: float32.
    """
    n_tokens = len(x)
    qkv = np.empty((n_tokens, tables[0, WQ, N_ROWS] + 2 * tables[0, WK, N_ROWS]), np.float32)
    attended = np.empty((n_tokens, tables[0, WQ, N_ROWS]), np.float32)
    hidden = np.empty((n_tokens, tables[0, W1, N_ROWS]), np.float32)
    gate_up = np.empty((n_tokens, 2 * hidden.shape[1]), np.float32)
    more = np.zeros_like(x)  # what is added to the stream before the next norm; then that norm
    for layer in range(len(tables)):
        table = tables[layer]
        norm(path, x, more, norms[layer, 0], eps, n_parts, records)
        multiply(path, table[WQ : WV + 1], records, n_tokens, n_parts, qkv)
        attend_heads(
            path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys[layer], values[layer], n_parts,
            attended,
        )  # fmt: skip
        quantize(path, attended, n_parts, records)
        multiply(path, table[WO : WO + 1], records, n_tokens, n_parts, more)
        norm(path, x, more, norms[layer, 1], eps, n_parts, records)
        multiply(path, table[W1 : W3 + 1], records, n_tokens, n_parts, gate_up)
        gate(path, gate_up, n_parts, hidden, records)
        multiply(path, table[W2 : W2 + 1], records, n_tokens, n_parts, more)
    for m in range(n_tokens):
        for i in range(x.shape[1]):
            x[m, i] += more[m, i]
        rms_norm(x[m], last_norm, eps, x[m])


@njit(nogil=True, cache=True)
def run_output(path, table, n_parts, records, x, logits):
    """The output matrix: x (M, D) -> logits (M, V)."""
    quantize(path, x, n_parts, records)
    multiply(path, table, records, len(x), n_parts, logits)
