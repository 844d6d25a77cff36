"""The ladder as a table: every rung on one product, and how fast a 7B would be at that speed.

    measure_rungs -> a Measurement for each of RUNGS, in their order; where the processor lacks something, it says what

The functions are those of ladder.py and ladder_int8.py; the last rungs are the final kernels of matmul.py, on one path
after another.
"""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from minillama.config import PRESETS
from minillama.errors import ConfigError
from minillama.quant.formats import Q4_0, dequantize_q4_0, row_bytes
from minillama.quant.kernels.choose import available_paths
from minillama.quant.kernels.ladder import matvec_fused, matvec_loops, matvec_numpy, matvec_python
from minillama.quant.kernels.ladder_int8 import matmul_q4, matvec_q4
from minillama.quant.kernels.layout import PackedMatrix
from minillama.quant.kernels.matmul import matmul
from minillama.quant.kernels.packing import pack
from minillama.quant.kernels.threads import thread_count

MANY = 128  # tokens of the rungs that multiply many
DOT_PRODUCTS = ("vnni512", "avxvnni", "arm")
ANY_PATH = (*DOT_PRODUCTS, "avx2", "portable")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One Q4_0 matrix in both layouts: uint8 (N, row_bytes), and 16 rows beside each other (layout.py)."""

    blocks: np.ndarray
    packed: PackedMatrix


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One way to multiply.

    Args:
        name: a word.
        title: its line in the table.
        multiply: (weights, x float32 (T, K), threads, path) -> float32 (T, N).
        layout: "rows" for ggml's blocks row by row, "16 rows" for layout.py's groups.
        tokens: T, 1 or MANY.
        parallel: whether it uses more than one thread.
        sample: of how many rows (one token) or tokens (many) the time is taken and extrapolated; 0 for all.
        paths: the instruction paths that will do, the best first.
        lacking: what to say where the processor has none of them.
    """

    name: str
    title: str
    multiply: Callable[[Weights, np.ndarray, int, str], np.ndarray]
    layout: str = "rows"
    tokens: int = 1
    parallel: bool = False
    sample: int = 0
    paths: tuple[str, ...] = ("portable",)
    lacking: str = ""

    @property
    def path(self) -> str | None:
        """The instruction path that it takes on this processor, None where there is none."""
        return next((path for path in self.paths if path in available_paths()), None)


def _alone(matvec: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """The `multiply` of a function for one token on one thread."""
    return lambda weights, x, threads, path: matvec(weights.blocks, x[0])[None]


def _each_int8(weights: Weights, x: np.ndarray, threads: int, path: str) -> np.ndarray:
    return np.stack([matvec_q4(weights.blocks, token, threads) for token in x])


def _final(weights: Weights, x: np.ndarray, threads: int, path: str) -> np.ndarray:
    return matmul(weights.packed, x, path, threads)


def _each_final(weights: Weights, x: np.ndarray, threads: int, path: str) -> np.ndarray:
    return np.concatenate([matmul(weights.packed, x[token : token + 1], path, threads) for token in range(len(x))])


RUNGS = (
    Rung(name="python", title="Python loop", multiply=_alone(matvec_python), sample=8),
    Rung(name="numpy", title="NumPy: dequantize, multiply", multiply=_alone(matvec_numpy)),
    Rung(name="loops", title="Numba loops: the same", multiply=_alone(matvec_loops)),
    Rung(name="fused", title="fused: no float matrix", multiply=_alone(matvec_fused)),
    Rung(name="int8", title="int8 activations", multiply=_alone(matvec_q4)),
    Rung(name="parallel", title="parallel rows", multiply=_each_int8, parallel=True),
    Rung(name="interleaved", title="16 rows interleaved", multiply=_final, layout="16 rows", parallel=True),
    Rung(
        name="multiply_add", title="multiply-add of bytes (AVX2)", multiply=_final, layout="16 rows", parallel=True,
        paths=("avx2",), lacking="this processor lacks AVX2",
    ),
    Rung(
        name="dot_product", title="dot-product instruction", multiply=_final, layout="16 rows", parallel=True,
        paths=DOT_PRODUCTS, lacking="this processor lacks AVX-512 VNNI, AVX-VNNI and Arm's dotprod",
    ),
    Rung(
        name="numpy_many", title="NumPy: dequantize once", tokens=MANY, parallel=True,
        multiply=lambda weights, x, threads, path: x @ dequantize_q4_0(weights.blocks).T,
    ),
    Rung(
        name="int8_each", title="int8, token by token", multiply=_each_int8, tokens=MANY, parallel=True,
        sample=8,
    ),
    Rung(
        name="int8_tile", title="int8, tiles of 8 tokens", tokens=MANY, parallel=True,
        multiply=lambda weights, x, threads, path: matmul_q4(weights.blocks, x, threads),
    ),
    Rung(
        name="final_each", title="final kernel, token by token", multiply=_each_final, layout="16 rows",
        tokens=MANY, parallel=True, sample=16, paths=ANY_PATH,
    ),
    Rung(
        name="final_tile", title="final kernel, tiles", multiply=_final, layout="16 rows", tokens=MANY, parallel=True,
        paths=ANY_PATH,
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """How long a rung takes for one product.

    Args:
        rung: which.
        shape: (N, K).
        n_bytes: of the weights.
        threads: on how many threads.
        seconds: the median time of all its tokens; None where the rung is missing.
    """

    rung: Rung
    shape: tuple[int, int]
    n_bytes: int
    threads: int
    seconds: float | None

    def rate(self, amount: float) -> float | None:
        """An amount of anything, a second."""
        return None if self.seconds is None else amount / self.seconds

    @property
    def gb_per_s(self) -> float | None:
        """Bytes of weights read in a second, in 10**9; None for many tokens, which share what is read."""
        return self.rate(self.n_bytes / 1e9) if self.rung.tokens == 1 else None

    @property
    def gops(self) -> float | None:
        """Multiplications and additions a second, in 10**9."""
        return self.rate(2 * self.rung.tokens * self.shape[0] * self.shape[1] / 1e9)

    @property
    def tokens_per_s_7b(self) -> float | None:
        """Tokens a second of a LLaMA 7B in Q4_0 if it did nothing but its products, at this speed."""
        return self.rate(self.rung.tokens * self.shape[0] * self.shape[1] / weights_per_token("llama-7b"))


def weights_per_token(preset: str) -> int:
    """Weights that every token is multiplied with: all matrices but the embedding, of which it reads one row.

    >>> weights_per_token("llama-7b")
    6607077376
    """
    c = PRESETS[preset]
    attention, feedforward = 2 * c.dim * c.head_dim * (c.n_heads + c.n_kv_heads), 3 * c.dim * c.hidden_dim
    return c.n_layers * (attention + feedforward) + c.vocab_size * c.dim


def describe(measurements: Sequence[Measurement]) -> str:
    """A line a rung, with what each of them reads and does in a second, and what is missing."""
    lines = [f"{'':31}{'GB/s':>8}{'GOPS':>9}{'7B tokens/s':>13}"]
    for measured in measurements:
        if measured.seconds is None:
            lines.append(f"{measured.rung.title:31}missing: {measured.rung.lacking}")
            continue
        numbers = (measured.gb_per_s, measured.gops, measured.tokens_per_s_7b)
        lines.append(
            f"{measured.rung.title:31}" + "".join(f"{_short(n):>{w}}" for n, w in zip(numbers, (8, 9, 13), strict=True))
        )
    return "\n".join(lines)


def _short(value: float | None) -> str:
    """A number with about three digits; nothing for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.01 else f"{value:.1g}"


def random_weights(shape: tuple[int, int], seed: int = 0) -> Weights:
    """A Q4_0 matrix of random codes; the scales, all 1/64, give products of a few units."""
    columns = row_bytes("q4_0", shape[1])
    blocks = np.random.default_rng(seed).integers(0, 256, (shape[0], columns), dtype=np.uint8)
    blocks.reshape(-1).view(Q4_0)["d"] = 1 / 64
    return Weights(blocks=blocks, packed=pack(blocks, "q4_0", shape))


def _work(rung: Rung, copies: Sequence[Weights], x: np.ndarray, threads: int) -> Callable[[], object]:
    """A call that multiplies the sample of a rung, each time with the next copy of the weights."""
    turns, path = itertools.cycle(copies), rung.path or "portable"
    x = x[: rung.sample or rung.tokens] if rung.tokens > 1 else x[:1]

    def work() -> object:
        weights = next(turns)
        if rung.sample and rung.tokens == 1:
            weights = Weights(blocks=weights.blocks[: rung.sample], packed=weights.packed)
        return rung.multiply(weights, x, threads if rung.parallel else 1, path)

    return work


def measure_rungs(
    shape: tuple[int, int] = (4096, 11008),
    threads: int | None = None,
    rounds: int = 5,
    megabytes: int = 200,
    rungs: Sequence[Rung] = RUNGS,
) -> list[Measurement]:
    """Times every rung on one product y = W x.

    Each is called once before, so compiling is not counted; then they take turns, so that a busy moment of the machine
    meets all of them. The weights are copied until they exceed the caches, since in a model they come from memory.

    Args:
        shape: (N, K) of W, K a multiple of 32.
        threads: of the parallel rungs; None takes the physical cores.
        rounds: times of which the median counts.
        megabytes: of copies of the weights, in each of the two layouts.
        rungs: which.

    Raises:
        ConfigError: no rows, rounds or threads.
        ShapeError: columns that do not divide into blocks.
    """
    if shape[0] < 1 or shape[1] < 1 or rounds < 1:
        raise ConfigError(f"a product of {shape[0]} x {shape[1]}, {rounds} rounds: expected at least 1 of each")
    workers, first = thread_count(threads), random_weights(shape)
    n_copies = max(1, -(-megabytes * 10**6 // first.blocks.nbytes))
    copies = [first, *(random_weights(shape, seed) for seed in range(1, n_copies))]
    x = np.random.default_rng(0).standard_normal((MANY, shape[1]), dtype=np.float32)
    works = {rung.name: _work(rung, copies, x, workers) for rung in rungs if rung.path}
    times: dict[str, list[float]] = {name: [] for name in works}
    for name, work in itertools.chain(works.items(), *([works.items()] * rounds)):
        work()  # wakes the threads that slept while others measured
        start = time.perf_counter()
        work()
        times[name].append(time.perf_counter() - start)
    measurements = []
    for rung in rungs:
        whole = shape[0] if rung.tokens == 1 else rung.tokens
        scale = max(1.0, whole / rung.sample) if rung.sample else 1.0
        measurements.append(
            Measurement(
                rung=rung, shape=shape, threads=workers if rung.parallel else 1,
                n_bytes=first.blocks.nbytes if rung.layout == "rows" else first.packed.nbytes,
                seconds=scale * statistics.median(times[rung.name][1:]) if rung.name in times else None,
            )
        )  # fmt: skip
    return measurements
