"""The quantized products of every format and instruction path beside the memory's speed.

    python benchmarks/kernels.py [--threads 2] [--rows 4096] [--columns 4096] [--megabytes 400] [--rounds 9]

One token: GB/s of packed weights, from matrices that together are larger than the caches. 128 tokens: GOPS, a
multiplication and an addition counted as two. All measures take turns in one run; medians, and the best in brackets.
The share compares the medians with the best read bandwidth that was seen: sums, copies, or a product itself.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numba import njit, prange

from minillama.quant.formats import row_bytes
from minillama.quant.kernels.choose import available_paths
from minillama.quant.kernels.layout import FORMAT_NUMBERS, PackedMatrix
from minillama.quant.kernels.matmul import matmul
from minillama.quant.kernels.packing import prepare
from minillama.quant.kernels.roofline import read_all
from minillama.quant.kernels.threads import parallel_calls, thread_count
from minillama.quant.pages import own_pages

MANY = 128


@njit(parallel=True, nogil=True)
def copy_all(words: np.ndarray, out: np.ndarray) -> None:
    """A copy, which reads as many bytes as it writes."""
    for i in prange(len(words)):
        out[i] = words[i]


def random_matrices(name: str, rows: int, columns: int, n_bytes: int) -> list[PackedMatrix]:
    """Copies of one matrix of random codes and zero scales, n_bytes in all; the speed does not depend on the values."""
    blocks = np.random.default_rng(0).integers(0, 256, (rows, row_bytes(name, columns)), dtype=np.uint8)
    blocks[:, ::2] &= 0x3F  # keeps every float16 finite
    blocks[:, 1::2] &= 0x3F
    first = prepare(blocks, name, (rows, columns))
    copies = [first]
    for _ in range(n_bytes // first.nbytes):
        data = own_pages(first.nbytes, huge=True)
        data[:] = first.data
        copies.append(replace(first, data=data))
    return copies


def in_turns(works: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """The times of some calls that take turns; each is called once before."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = clock()
            work()
            times[name].append(clock() - start)
    return times


def rates(amount: float, times: list[float]) -> tuple[float, float]:
    """Amount per second: median and best."""
    return amount / statistics.median(times), amount / min(times)


def bandwidth_works(n_bytes: int, threads: int) -> dict[str, Callable[[], object]]:
    """Plain reads of n_bytes."""
    words, out = np.ones(n_bytes // 8, np.int64), np.ones(n_bytes // 8, np.int64)

    def within(work: Callable[..., object], *args: np.ndarray) -> None:
        with parallel_calls(threads):
            work(*args)

    return {"sum": lambda: within(read_all, words), "copy": lambda: within(copy_all, words, out)}


def product_works(
    matrices: list[PackedMatrix], one: np.ndarray, many: np.ndarray, path: str, threads: int
) -> dict[str, Callable[[], object]]:
    """One token through all matrices, many through the first."""
    return {
        f"{path} 1": lambda: [matmul(matrix, one, path, threads) for matrix in matrices],
        f"{path} many": lambda: matmul(matrices[0], many, path, threads),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="default: the physical cores")
    for option, default in (("rows", 4096), ("columns", 4096), ("megabytes", 400), ("rounds", 9)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--formats", nargs="+", choices=list(FORMAT_NUMBERS), default=list(FORMAT_NUMBERS))
    parser.add_argument("--paths", nargs="+", choices=available_paths(), default=list(available_paths()))
    parser.add_argument("--cpu-time", action="store_true", help="count only this thread's time: for a busy machine")
    options = parser.parse_args()
    if options.cpu_time and options.threads != 1:
        parser.error("--cpu-time counts one thread; add --threads 1")
    threads, n_bytes = thread_count(options.threads), options.megabytes * 10**6
    rng = np.random.default_rng(0)
    one = rng.standard_normal((1, options.columns), dtype=np.float32)
    many = rng.standard_normal((MANY, options.columns), dtype=np.float32)
    operations = 2 * MANY * options.rows * options.columns
    plain = bandwidth_works(n_bytes, threads)
    best_read, lines = 0.0, []
    for name in options.formats:
        matrices = random_matrices(name, options.rows, options.columns, n_bytes)
        works = dict(plain)
        for path in options.paths:
            works |= product_works(matrices, one, many, path, threads)
        times = in_turns(works, options.rounds, time.thread_time if options.cpu_time else time.perf_counter)
        best_read = max(best_read, *(rates(n_bytes, times[kind])[1] for kind in plain))
        for path in options.paths:
            stream = rates(len(matrices) * matrices[0].nbytes, times[f"{path} 1"])
            best_read = max(best_read, stream[1])
            lines.append((name, path, stream, rates(operations, times[f"{path} many"])))
    print(f"{threads} threads, {options.rows} x {options.columns}, best read {best_read / 1e9:.1f} GB/s")
    print(f"{'format':8}{'path':10}{'1 token, GB/s':>18}{'share':>8}{f'{MANY} tokens, GOPS':>22}")
    for name, path, stream, product in lines:
        first = f"{stream[0] / 1e9:.1f} ({stream[1] / 1e9:.1f})"
        second = f"{product[0] / 1e9:.0f} ({product[1] / 1e9:.0f})"
        print(f"{name:8}{path:10}{first:>18}{stream[0] / best_read:8.0%}{second:>22}")


if __name__ == "__main__":
    main()
