"""The engine's attention: gigabytes a second of cache while decoding, GFLOPS while a prompt is read.

    python benchmarks/attention.py [--threads 2] [--megabytes 400] [--rounds 7]

The shapes are a layer of LLaMA-7B (32 heads of 128) and of TinyLlama-1.1B (32 heads of 64 over 4 key/value heads).
Decoding goes through as many caches as are larger together than the processor's. A plain sum of int64 takes turns with
it; "share" compares the medians. A causal score counts 4 K operations: a multiplication and an addition, in q . key and
in weight * value. Medians, and the best in brackets.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from kernels import in_turns, rates, read_all
from numba import njit

from minillama.quant.engine.cache import QuantCache
from minillama.quant.kernels.choose import choose_path
from minillama.quant.kernels.heads import attend_heads
from minillama.quant.kernels.panels import KINDS
from minillama.quant.kernels.threads import parallel_calls, thread_count
from minillama.rope import rope_frequencies

SHAPES = {"7B": (32, 32, 128), "1.1B": (32, 4, 64)}  # H, G, K
CONTEXTS = (128, 1024, 4096)
PROMPTS = (128, 512, 2048)
EVERYTHING = 1 << 60


@njit(nogil=True)
def attend_layers(path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys, values, n_parts, out):
    """Attention of the same tokens in every layer of a cache."""
    for layer in range(len(keys)):
        attend_heads(
            path, qkv, n_heads, cos, sin, starts, past, window, kind, places, keys[layer], values[layer], n_parts, out
        )


def attention_work(shape: str, cache_type: str, past: int, n_tokens: int, n_bytes: int, threads: int) -> tuple:
    """A call that attends in as many layers as take n_bytes of cache, those bytes, and its operations."""
    n_heads, n_kv_heads, head_dim = SHAPES[shape]
    one = QuantCache(1, 1, n_kv_heads, past + n_tokens, head_dim, cache_type)
    cache = QuantCache(max(1, n_bytes // one.nbytes), 1, n_kv_heads, past + n_tokens, head_dim, cache_type)
    cache.keys[:], cache.values[:] = 40, 40  # as float16, int8 and scale a small number
    rng, n_layers = np.random.default_rng(0), len(cache.keys)
    qkv = rng.standard_normal((n_tokens, (n_heads + 2 * n_kv_heads) * head_dim), dtype=np.float32)
    out = np.empty((n_tokens, n_heads * head_dim), np.float32)
    cos, sin = (table.numpy() for table in rope_frequencies(head_dim, past + n_tokens))
    starts, path = np.zeros(1, np.int64), choose_path()

    def work() -> None:
        with parallel_calls(threads):
            attend_layers(
                path, qkv, n_heads, cos, sin, starts, past, EVERYTHING, KINDS[cache_type], cache.places, cache.keys,
                cache.values, threads, out,
            )  # fmt: skip

    scores = n_tokens * past + n_tokens * (n_tokens + 1) // 2
    return work, cache.nbytes, 4 * head_dim * n_heads * scores * n_layers


def plain_read(n_bytes: int, threads: int) -> Callable[[], None]:
    """A call that sums n_bytes."""
    words = np.ones(n_bytes // 8, np.int64)

    def work() -> None:
        with parallel_calls(threads):
            read_all(words)

    return work


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="default: the physical cores")
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    threads, n_bytes = thread_count(options.threads), options.megabytes * 10**6
    plain = plain_read(n_bytes, threads)
    print(f"{threads} threads")
    print(f"{'shape':6}{'cache':6}{'decode, context':>16}{'GB/s':>16}{'share':>8}")
    for shape, cache_type, context in ((s, c, n) for s in SHAPES for c in KINDS for n in CONTEXTS):
        work, size, _ = attention_work(shape, cache_type, context - 1, 1, n_bytes, threads)
        times = in_turns({"work": work, "plain": plain}, options.rounds, time.perf_counter)
        rate, read = rates(size / 1e9, times["work"]), rates(n_bytes / 1e9, times["plain"])
        print(f"{shape:6}{cache_type:6}{context:16}{f'{rate[0]:.1f} ({rate[1]:.1f})':>16}{rate[0] / read[0]:8.0%}")
    print(f"{'shape':6}{'cache':6}{'prefill, tokens':>16}{'GFLOPS':>16}")
    for shape, cache_type, n_tokens in ((s, c, n) for s in SHAPES for c in KINDS for n in PROMPTS):
        work, _, operations = attention_work(shape, cache_type, 0, n_tokens, 0, threads)
        rate = rates(operations / 1e9, in_turns({"work": work}, options.rounds, time.perf_counter)["work"])
        print(f"{shape:6}{cache_type:6}{n_tokens:16}{f'{rate[0]:.0f} ({rate[1]:.0f})':>16}")


if __name__ == "__main__":
    main()
