"""Quantized products from Python: x W^T for a packed matrix W.

    matmul -> multiply_serial or multiply_parallel -> quantize_tokens, then multiply_groups -> tiles

Everything from multiply_* on is compiled; a larger compiled function calls quantize_tokens and multiply_groups itself.
"""

import numpy as np
from numba import njit, prange

from minillama.errors import ShapeError
from minillama.quant.kernels.activations import quantize_tokens
from minillama.quant.kernels.choose import choose_path
from minillama.quant.kernels.groups import groups_a_claim, multiply_groups
from minillama.quant.kernels.layout import BLOCK, ROWS, PackedMatrix
from minillama.quant.kernels.records import RECORD
from minillama.quant.kernels.threads import claim, parallel_calls, thread_count
from minillama.shapes import check_shape

# Below this many multiplications a product takes about as long as waking the threads.
PARALLEL_FROM = 1 << 19


@njit(nogil=True, cache=True)
def multiply_serial(path, matrix, format, x, records, out):
    """out = x W^T on the calling thread.

    Args:
        path: a Path.
        matrix: address of the packed matrix W.
        format: its number (layout.py).
        x: float32 (T, K), C order.
        records: RECORD (T * K / 32,), scratch.
        out: float32 (T, N), C order, written.
    """
    n_tokens, n_groups = len(x), (out.shape[1] + ROWS - 1) // ROWS
    quantize_tokens(path, x, 0, n_tokens, records)
    multiply_groups(path, matrix, format, x.shape[1], 0, n_groups, records.ctypes.data, n_tokens, out)


@njit(nogil=True, cache=True, parallel=True)
def multiply_parallel(path, matrix, format, x, records, out, threads):
    """The same on `threads` threads, which claim tokens to quantize and then row groups to multiply."""
    n_tokens, n_columns, n_groups = len(x), x.shape[1], (out.shape[1] + ROWS - 1) // ROWS
    if n_tokens == 1:
        quantize_tokens(path, x, 0, 1, records)
    else:
        for token in prange(n_tokens):
            quantize_tokens(path, x, token, token + 1, records)
    address, counter = records.ctypes.data, np.zeros(1, np.int64)
    count = groups_a_claim(n_groups, threads)
    for _ in prange(threads):
        first = claim(counter, count)
        while first < n_groups:
            last = min(first + count, n_groups)
            multiply_groups(path, matrix, format, n_columns, first, last, address, n_tokens, out)
            first = claim(counter, count)


def matmul(packed: PackedMatrix, x: np.ndarray, path: str | None = None, threads: int | None = None) -> np.ndarray:
    """x W^T: the activations become int8 with a scale for each block of 32, the sums are float32.

    Results do not depend on the number of threads; between paths they differ by float32 rounding.

    Args:
        packed: W, (N, K), from `layout.pack`.
        x: float32 (T, K).
        path: "vnni512", "avxvnni", "avx2", "arm" or "portable"; None takes the fastest of this machine.
        threads: None takes the physical cores.

    Returns:
        float32 (T, N).

    Raises:
        ShapeError: x that is not float32 (T, K).
        ConfigError: a path that this machine does not have, or less than one thread.
    """
    n_rows, n_columns = packed.shape
    if x.dtype != np.float32:
        raise ShapeError(f"x is {x.dtype}, expected float32")
    check_shape("x", x.shape, (None, n_columns))
    chosen, workers = choose_path(path), thread_count(threads)
    x = np.ascontiguousarray(x)
    out = np.empty((len(x), n_rows), np.float32)
    records = np.empty(x.size // BLOCK, RECORD)
    if workers == 1 or out.size * n_columns < PARALLEL_FROM:
        multiply_serial(chosen, packed.address, packed.number, x, records, out)
    else:
        with parallel_calls(workers):
            multiply_parallel(chosen, packed.address, packed.number, x, records, out, workers)
    return out


def matvec(packed: PackedMatrix, x: np.ndarray, path: str | None = None, threads: int | None = None) -> np.ndarray:
    """W x for one token: float32 (K,) -> (N,); see `matmul`."""
    check_shape("x", x.shape, (packed.shape[1],))
    return matmul(packed, x[None], path, threads)[0]
