"""How fast a machine could be: the speed of its memory, the speed of its arithmetic, and any kernel beside the two.

A product that does so many operations for each byte that it reads runs at the speed of whichever is slower:

    operations a second  <=  min(bytes a second x operations a byte, the processor's most)

Drawn over the operations a byte, that is a sloping line and a level one: a roof.

Source: Williams, Waterman and Patterson 2009, "Roofline: An Insightful Visual Performance Model for Multicore
Architectures".
"""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from minillama.errors import ConfigError
from minillama.quant.formats import FORMATS, row_bytes
from minillama.quant.kernels.choose import available_paths
from minillama.quant.kernels.layout import BLOCK
from minillama.quant.kernels.matmul import matmul
from minillama.quant.kernels.rungs import MANY, Measurement, Rung, random_weights
from minillama.quant.kernels.threads import parallel_calls, thread_count

IN_CACHE = (512, 1024)  # a matrix of 295 KB, which the processor's own memory holds
FEW_ROWS, ENOUGH_SECONDS = 16, 1.0


@dataclass(frozen=True, kw_only=True)
class Roof:
    """The two limits of a machine.

    Args:
        gb_per_s: bytes that its memory delivers, in 10**9 a second.
        gops: multiplications and additions of small integers, in 10**9 a second.
        threads: with so many threads.
    """

    gb_per_s: float
    gops: float
    threads: int

    @property
    def ridge(self) -> float:
        """Operations a byte from which arithmetic is the slower of the two."""
        return self.gops / self.gb_per_s

    def at(self, operations_a_byte: float) -> float:
        """The most operations a second, in 10**9.

        >>> Roof(gb_per_s=20.0, gops=400.0, threads=2).at(5.0)
        100.0
        """
        return min(self.gb_per_s * operations_a_byte, self.gops)

    def over(self, measurements: Sequence[Measurement]) -> "Roof":
        """A roof that is as high as the best that was seen: what a kernel reaches, the machine can do."""
        read = [measured.gb_per_s or 0.0 for measured in measurements]
        done = [measured.gops or 0.0 for measured in measurements]
        return Roof(gb_per_s=max(self.gb_per_s, *read), gops=max(self.gops, *done), threads=self.threads)


@njit(parallel=True, nogil=True, cache=True)
def read_all(words: np.ndarray) -> int:
    """The sum of int64 words: the plainest way to read them all."""
    total = 0
    for i in prange(len(words)):
        total += words[i]
    return total


def _best(work: Callable[[], object], rounds: int) -> float:
    """The shortest time of a call, which was called once before."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def measure_memory(threads: int | None = None, megabytes: int = 200, rounds: int = 8) -> float:
    """The GB (10**9 bytes) that are read in a second, in the plainest way, at best.

    Args:
        threads: None takes the physical cores.
        megabytes: to read; more than the processor's own memory holds.
        rounds: calls of which the best counts.

    Raises:
        ConfigError: less than one megabyte, round or thread.
    """
    if megabytes < 1 or rounds < 1:
        raise ConfigError(f"{megabytes} megabytes, {rounds} rounds: expected at least 1 of each")
    workers, words = thread_count(threads), np.ones(megabytes * 125_000, np.int64)
    with parallel_calls(workers):
        return words.nbytes / _best(lambda: read_all(words), rounds) / 1e9


def measure_roof(threads: int | None = None, megabytes: int = 200, rounds: int = 8) -> Roof:
    """Reads much once, and multiplies little often, with the fastest kernel of this processor.

    Args and Raises:
        as `measure_memory`.
    """
    workers = thread_count(threads)
    read, packed = measure_memory(workers, megabytes, rounds), random_weights(IN_CACHE).packed
    x = np.random.default_rng(0).standard_normal((MANY, IN_CACHE[1]), dtype=np.float32)
    multiplied = _best(lambda: matmul(packed, x, available_paths()[0], workers), 4 * rounds)
    operations = 2 * MANY * IN_CACHE[0] * IN_CACHE[1]
    return Roof(gb_per_s=read, gops=operations / multiplied / 1e9, threads=workers)


def random_blocks(format: str, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A matrix of random codes with scales of 1/64: uint8 (N, row_bytes), of "q4_0" or "q8_0"."""
    blocks = np.random.default_rng(seed).integers(0, 256, (shape[0], row_bytes(format, shape[1])), dtype=np.uint8)
    scales = blocks.reshape(-1, FORMATS[format].block_bytes)[:, :2]
    scales[:] = np.frombuffer(np.float16(1 / 64).tobytes(), np.uint8)
    return blocks


def measure_matvec(
    title: str,
    matvec: Callable[[np.ndarray, np.ndarray], np.ndarray],
    format: str = "q4_0",
    shape: tuple[int, int] = (4096, 11008),
    rounds: int = 5,
    megabytes: int = 200,
) -> Measurement:
    """How fast somebody's kernel multiplies one token; compiling does not count.

    A kernel that takes long is timed on some of the rows, and counted up.

    Args:
        title: its line in a picture.
        matvec: (blocks, x float32 (K,)) -> float32 (N,).
        format: "q4_0" or "q8_0".
        shape: (N, K).
        rounds: of which the median counts.
        megabytes: of copies of the weights, so that they come from memory.

    Raises:
        ConfigError: no rows or rounds.
    """
    if shape[0] < 1 or shape[1] < BLOCK or rounds < 1:
        raise ConfigError(f"a product of {shape[0]} x {shape[1]}, {rounds} rounds: expected at least 1 of each")
    first = random_blocks(format, shape)
    x = np.random.default_rng(0).standard_normal(shape[1], dtype=np.float32)
    few = first[:FEW_ROWS]
    a_row = _best(lambda: matvec(few, x), 1) / len(few)
    rows = min(shape[0], max(FEW_ROWS, int(ENOUGH_SECONDS / a_row)))
    copies = [first, *(first.copy() for _ in range(megabytes * 10**6 // first.nbytes if rows == shape[0] else 0))]
    turns, times = itertools.cycle(copies), []
    for _ in range(rounds + 1):
        blocks = next(turns)[:rows]
        start = time.perf_counter()
        matvec(blocks, x)
        times.append(time.perf_counter() - start)
    rung = Rung(
        name=title, title=title, multiply=lambda weights, x, threads, path: x,
        layout="rows", sample=rows if rows < shape[0] else 0,
    )  # fmt: skip
    seconds = statistics.median(times[1:]) * shape[0] / rows
    return Measurement(rung=rung, shape=shape, n_bytes=first.nbytes, threads=1, seconds=seconds)
