"""Tasks of lesson 10 about bytes that are numbers, and about memory that is to hold them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minillama.checkpoint import memory
from minillama.config import ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Probe, Task
from minillama.course.tasks.checkpoint_hand import LESSON
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.model import count_parameters

# bfloat16


def faulty_bf16(bugs: Bugs = frozenset()) -> Callable[[np.ndarray], np.ndarray]:
    """checkpoint.bf16_to_float32 with these bugs."""

    def bf16_to_float32(raw: np.ndarray) -> np.ndarray:
        if "as_fp16" in bugs:
            return raw.view("<f2").astype(np.float32)
        if "integers" in bugs:
            return raw.view("<u2").astype(np.float32)
        bits = raw.view(">u2" if "swapped" in bugs else "<u2").astype(np.uint32)
        if "lost_bits" in bugs:
            return np.zeros(len(bits), np.float32)
        if "lower_half" in bugs:
            return bits.view(np.float32)
        if "at_fraction" in bugs:
            return (bits << 13).view(np.float32)
        return (bits << 16).view(np.float32)

    return bf16_to_float32


def bf16_bytes(values: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers, as bytes."""
    return np.frombuffer((values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes(), np.uint8).copy()


def bf16_cases(rng: Generator) -> list[Case]:
    """Weights, numbers that are beyond float16 on either side, and those that a computer treats apart."""
    size = int(rng.integers(6, 12))
    return [
        Case(name="weights", args=(bf16_bytes(rng.normal(size=size) * 0.1),)),
        Case(name="numbers beyond 65504", args=(bf16_bytes(rng.normal(size=size) * 1e9),)),
        Case(name="numbers near 0", args=(bf16_bytes(rng.normal(size=size) * 1e-12),)),
        Case(name="0, 1, -2 and a half", args=(bf16_bytes(np.array([0.0, 1.0, -2.0, 0.5])),)),
    ]


def one_case(rng: Generator) -> list[Case]:
    return [Case(name="the bytes 80 3f", args=(np.array([0x80, 0x3F], np.uint8),))]


def _one_is_one(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    got = np.ravel(outputs[0])
    return None if len(got) == 1 and abs(got[0] - 1) < 1e-6 else f"80 3f are 1.0; yours says {got[0]:.6g}."


bf16_to_float32: Task = Task(
    id="checkpoint.bf16_to_float32", lesson=LESSON, kind="complete", title="Make float32 of bf16", points=2,
    difficulty=2, importance=4, minutes=8,
    reference=faulty_bf16(), faulty=faulty_bf16, cases=bf16_cases, framework="numpy", exact_dtype=True,
    rtol=1e-6, atol=0.0, outputs=("the numbers",),
    probes=(
        Probe(
            name="1 is 1", cases=one_case, broken=_one_is_one,
            principle="A bf16 is the upper half of a float32, and 1.0 as a float32 is 0x3f800000.",
            question="Which 32 bits do you make of 0x3f80?",
        ),
    ),
    misconceptions=(
        idea(
            "as_fp16", "bf16 read as float16",
            "Both have 16 bits. float16 has 5 of them for the exponent, bf16 has 8, as float32: it is its upper half.",
            "Why would 1.0 become 1.875?",
        ),
        idea(
            "swapped", "two bytes in each other's place", "The smaller half comes first: 1.0 is stored as 80 3f.",
            "Which of the two bytes holds the sign?",
        ),
        idea(
            "integers", "bits that were counted instead of read",
            "0x3f80 is a pattern of bits. As a whole number it is 16,256, as a bf16 it is 1.",
            "Do you convert a number here, or look at the same bits in another way?",
        ),
        idea(
            "lower_half", "bits that stayed in the lower half", "Sign and exponent are the highest bits of a float32.",
            "By how many places do the 16 bits have to move?",
        ),
        idea(
            "lost_bits", "bits that were moved out of 16",
            "A number of 16 bits that is moved by 16 places has none left.",
            "How many bits has your array when you move them?",
        ),
        idea(
            "at_fraction", "bits that were moved by the number of places of float16's fraction",
            "A float32 has 23 bits of fraction, a bf16 has 7.", "How many zeros have to follow a bf16?",
        ),
    ),
    hints=(
        "A bf16 is the upper half of a float32. What has to stand in the lower half?",
        "raw (2N,) uint8 -> (N,) uint16 -> (N,) uint32 -> (N,) float32; the last step changes no bit.",
        "look at the bytes as numbers of 16 bits\nmake room: 32 bits each\nmove them to the upper half\nlook at the "
        "same bits as float32",
    ),
)  # fmt: skip

# Does it fit?

Fits = Callable[[ModelConfig, float, int, float], bool]
GIB = 2**30


def cache_of(config: ModelConfig, bytes_per_weight: float, bugs: Bugs) -> float:
    """Bytes that a token adds to a cache, with these bugs."""
    if "no_cache" in bugs:
        return 0.0
    heads = config.n_heads if "all_heads" in bugs else config.n_kv_heads
    heads_bytes = heads * config.head_dim * (bytes_per_weight if "weights_format" in bugs else 2)
    layers = 1 if "one_layer" in bugs else config.n_layers
    return layers * heads_bytes * (1 if "keys_only" in bugs else 2) * (2 if "float32_cache" in bugs else 1)


def faulty_fits(bugs: Bugs = frozenset()) -> Fits:
    """checkpoint.fits_in_memory with these bugs."""

    def fits_in_memory(config: ModelConfig, bytes_per_weight: float, context: int, free_gib: float) -> bool:
        need = count_parameters(config) * bytes_per_weight + context * cache_of(config, bytes_per_weight, bugs)
        free = free_gib * (1e9 if "gb" in bugs else GIB)
        return need > free if "other_way" in bugs else need <= free

    return fits_in_memory


LIMITS = ("gb", "no_cache", "all_heads", "keys_only", "one_layer", "float32_cache", "weights_format")
SHAPES = (  # name and sizes, all with fewer key heads than query heads
    ("8B", {"dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "hidden_dim": 14_336, "vocab_size": 128_256}),
    ("1.1B", {"dim": 2048, "n_layers": 22, "n_heads": 32, "n_kv_heads": 4, "hidden_dim": 5632, "vocab_size": 32_000}),
    ("3B", {"dim": 3072, "n_layers": 28, "n_heads": 24, "n_kv_heads": 8, "hidden_dim": 8192, "vocab_size": 64_000}),
)  # fmt: skip


def limit_gib(config: ModelConfig, bytes_per_weight: float, context: int, bug: str = "") -> float:
    """How many GiB have to be free for an implementation to say yes."""
    bugs = frozenset({bug} if bug else ())
    need = count_parameters(config) * bytes_per_weight + context * cache_of(config, bytes_per_weight, bugs)
    return need / (1e9 if bug == "gb" else GIB)


def fits_cases(rng: Generator) -> list[Case]:
    """Free memory just above and just below what is needed, and what each misconception thinks is.

    The cache takes about a third of what the weights take, so that all of these are apart.
    """
    found = []
    for i in rng.choice(len(SHAPES), 2, replace=False):
        name, sizes = SHAPES[i]
        config = ModelConfig(**sizes, max_seq_len=1 << 20, tied=bool(rng.integers(2)))  # type: ignore[arg-type]
        made = Made("minillama.config:ModelConfig", {**sizes, "max_seq_len": config.max_seq_len, "tied": config.tied})
        width = float(rng.choice([0.5625, 1.0625]))
        context = int(rng.uniform(0.30, 0.36) * count_parameters(config) * width / config.kv_bytes_per_token)
        limits = [limit_gib(config, width, context, bug) for bug in ("", *LIMITS)]
        near = [limit * share for limit in limits for share in (0.998, 1.002)]
        for free in (round(each, 4) for each in (*near, limits[0] / 100, limits[0] * 100)):
            what = f"a {name}, {8 * width:g} bits a weight, {context:,} tokens and {free:g} GiB free"
            found.append(Case(name=what, args=(made, width, context, free)))
    return found


def _wrong_side(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """The first model that was judged wrongly, with what it needs."""
    right = faulty_fits()
    for case, got in zip(cases, outputs, strict=True):
        config = case.args[0].make()
        if bool(got) != right(config, *case.args[1:]):
            need = limit_gib(config, *case.args[1:3])
            said = "fits" if bool(got) else "does not fit"
            return f"You say that it {said}, with {case.name}. Weights and cache take {need:.4g} GiB."
    return None


SMALLER_CACHES = (
    idea(
        "all_heads", "a cache with a key for every query head", "Query heads share keys and values.",
        "How many keys does a layer store for one token?",
    ),
    idea(
        "keys_only", "a cache that holds keys, or values, but not both", "Attention needs both of every old token.",
        "What is multiplied with the weights that a softmax gives?",
    ),
    idea(
        "one_layer", "the cache of a single layer", "Every layer has keys and values of its own.",
        "How often does a token pass through an attention?",
    ),
)  # fmt: skip

fits_in_memory: Task = Task(
    id="checkpoint.fits_in_memory", lesson=LESSON, kind="rebuild", title="Say whether a model fits", points=3,
    difficulty=2, importance=4, minutes=10,
    reference=memory.fits_in_memory, faulty=faulty_fits, cases=fits_cases, outputs=("your answer",),
    piece="minillama.checkpoint.memory:fits_in_memory", forbidden=("minillama.checkpoint.memory:fits_in_memory",),
    probes=(
        Probe(
            name="on which side", cases=fits_cases, broken=_wrong_side,
            principle="Weights: their number times their width. Cache: a key and a value in 16 bits, for every token, "
            "layer and key head.",
            question="How many GiB does your function think that this model needs?",
        ),
    ),
    misconceptions=(
        idea(
            "gb", "GB taken for GiB", "A GiB has 2 to the power of 30 bytes, 7% more than a billion.",
            "How many bytes does your function make of 16 GiB?", 0.6,
        ),
        idea(
            "no_cache", "a model without its cache",
            "Each token of the context leaves a key and a value in every layer.",
            "Where does your function use `context`?",
        ),
        *SMALLER_CACHES,
        idea(
            "float32_cache", "a cache of 4 bytes a number", "The cache is in 16 bits.",
            "How many bytes has a number of 16 bits?", 0.7,
        ),
        idea(
            "weights_format", "a cache as narrow as the weights",
            "Weights may have four bits; what is computed while the model runs stays in 16.",
            "Which of your products has bytes_per_weight in it, and should it?", 0.7,
        ),
        idea(
            "other_way", "yes and no in each other's place", "True says that it fits.",
            "What does your function give with no memory at all?", 0.3,
        ),
    ),
    hints=(
        "Two things take memory: the weights, and a cache that grows with the text.",
        "A bool. `count_parameters(config)` counts the weights; config has n_layers, n_kv_heads, head_dim, and "
        "kv_bytes_per_token.",
        "weights = how many x bytes of each\ncache = tokens x layers x key heads x head size x 2 (key and value) x 2 "
        "bytes\nfits where both together are at most free GiB x 2**30",
    ),
)  # fmt: skip
