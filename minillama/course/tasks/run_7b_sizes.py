"""Lesson 13's forecasts: how fast a model could be, and how long a text it may have."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

from minillama import evaluate
from minillama.config import PRESETS, ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.checkpoint_numbers import SMALLER_CACHES
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.run_7b_hand import LESSON
from minillama.model import count_parameters

GIB = 2**30
BITS = (4.5, 8.5, 16.0)


def preset(name: str, **more: Any) -> tuple[Made, ModelConfig]:
    """A published shape as an input, and itself; `more` replaces some of its sizes."""
    c = PRESETS[name]
    sizes = {
        "dim": c.dim, "n_layers": c.n_layers, "n_heads": c.n_heads, "n_kv_heads": c.n_kv_heads,
        "hidden_dim": c.hidden_dim, "vocab_size": c.vocab_size, "max_seq_len": c.max_seq_len,
    } | more  # fmt: skip
    return Made("minillama.config:ModelConfig", sizes), ModelConfig(**sizes)


def bytes_of_a_token(config: ModelConfig, bits_per_weight: float, bugs: Bugs) -> float:
    """What one token adds to the cache, with these bugs."""
    heads = config.n_heads if "all_heads" in bugs else config.n_kv_heads
    size = heads * config.head_dim * (bits_per_weight / 8 if "weights_format" in bugs else 2)
    layers = 1 if "one_layer" in bugs else config.n_layers
    return layers * size * (1 if "keys_only" in bugs else 2) * (2 if "float32_cache" in bugs else 1)


CACHE = (
    *SMALLER_CACHES,
    idea(
        "float32_cache", "a cache twice as large",
        "kv_bytes_per_token has both, a key and a value, and two bytes for each number.",
        "What do you multiply with 2, or with 4, and what did it count before?", 0.7,
    ),
    idea(
        "weights_format", "a cache as narrow as the weights",
        "Weights may have four bits; what is computed while the model runs stays in 16.",
        "Which of your products has bits_per_weight in it, and should it?", 0.7,
    ),
)  # fmt: skip
BITS_AS_BYTES = idea(
    "bits_as_bytes", "bits of weights that were added up as bytes", "A byte has eight bits.",
    "How many bytes has a weight of 4.5 bits?",
)  # fmt: skip

Speed = Callable[[ModelConfig, float, int, float], float]


def faulty_speed(bugs: Bugs = frozenset()) -> Speed:
    """evaluate.predict_tokens_per_second with these bugs."""

    def predict(config: ModelConfig, bits_per_weight: float, context: int, gb_per_s: float) -> float:
        rows = config.vocab_size * config.dim
        read = count_parameters(config)
        if (not config.tied and "embedding" not in bugs) or ("tied_lost" in bugs and config.tied):
            read -= rows
        if "output_lost" in bugs and not config.tied:
            read -= rows
        weights = read * bits_per_weight / (1 if "bits_as_bytes" in bugs else 8)
        if "two_reads" in bugs:
            weights *= 2
        past = config.max_seq_len if "longest" in bugs else 0 if "no_cache" in bugs else context
        each = bytes_of_a_token(config, bits_per_weight, bugs)
        needed = weights + past * each
        billion = GIB if "gib" in bugs else 1 if "no_billion" in bugs else 1e9
        speed = gb_per_s * billion / (8 if "gigabits" in bugs else 1) / needed
        return 1 / speed if "upside_down" in bugs else speed

    return predict


def speed_cases(rng: Generator) -> list[Case]:
    """At the beginning of a text and late in it, with shared keys and without, and with one matrix for both ends."""
    found = []
    for name, model, tied, bits, share in (
        ("a 7B at the beginning of a text", "llama-7b", False, float(rng.choice(BITS)), 0.0),
        ("a 7B late in a text", "llama-7b", False, 8.5, rng.uniform(0.2, 0.24)),
        ("an 8B whose heads share keys", "llama3-8b", False, 16.0, rng.uniform(0.24, 0.29)),
        ("a 1.1B whose output is the embedding", "tinyllama-1.1b", True, 4.5, rng.uniform(0.3, 0.34)),
    ):
        made, config = preset(model, max_seq_len=1 << 17, tied=tied)
        gb = float(rng.integers(12, 90))
        context = int(share * count_parameters(config) * bits / 8 / config.kv_bytes_per_token)
        what = f"{name}, {bits:g} bits a weight, {context:,} tokens, {gb:g} GB/s"
        found.append(Case(name=what, args=(made, bits, context, gb)))
    return found


predict_tokens_per_second: Task = Task(
    id="evaluate.predict_tokens_per_second", lesson=LESSON, kind="rebuild", title="Say how fast it could be", points=3,
    difficulty=2, importance=5, minutes=12,
    reference=evaluate.predict_tokens_per_second, faulty=faulty_speed, cases=speed_cases,
    outputs=("tokens a second",), rtol=1e-3, atol=0.0, piece="minillama.evaluate:predict_tokens_per_second",
    forbidden=("minillama.evaluate:predict_tokens_per_second",),
    misconceptions=(
        idea(
            "no_cache", "a token that does not look back",
            "It reads the keys and values of all tokens before it, besides the weights.",
            "Where does your function use `context`?",
        ),
        idea(
            "embedding", "an embedding that is read whole", "Of the embedding a token needs its own row.",
            "How many rows of the embedding does one token look up?", 0.7,
        ),
        idea(
            "tied_lost", "an output matrix that was left out together with the embedding",
            "Where both are one matrix, it is read whole at the end: every token gets a score.",
            "What does config.tied say about the last product of a token?", 0.7,
        ),
        idea(
            "output_lost", "a model without its last matrix",
            "Embedding and output are two matrices here, and the output's is read whole.",
            "Which matrix gives a score to each of the vocabulary's tokens?", 0.7,
        ),
        BITS_AS_BYTES,
        idea(
            "gigabits", "gigabytes a second that were taken for gigabits",
            "Both sides are in bytes once the weights are.",
            "What unit has gb_per_s, and what have your bytes?",
        ),
        idea(
            "gib", "GiB taken for GB", "Speeds of memory are sold in billions of bytes.",
            "How many bytes does your function make of 20 GB?", 0.6,
        ),
        idea(
            "no_billion", "gigabytes that were divided by bytes", "A GB is a billion bytes.",
            "Which of your two numbers is in GB, and which in bytes?",
        ),
        idea(
            "upside_down", "the seconds that a token takes", "The question is how many tokens fit into a second.",
            "Does your number grow when memory gets faster?",
        ),
        idea(
            "two_reads", "a weight that is read twice",
            "It is multiplied and added, but it comes from the memory once.",
            "Do you count operations, or bytes?",
        ),
        idea(
            "longest", "a cache that is always full", "The cache has as many tokens as the text so far.",
            "Where do you use config.max_seq_len, and what does `context` say?",
        ),
        *CACHE,
    ),
    hints=(
        "Time is bytes over bytes a second. What does one token have to read?",
        "Numbers in, a float out. count_parameters(config) counts the weights; config has vocab_size, dim, tied and "
        "kv_bytes_per_token.",
        "read = all weights, but not the embedding's unless it is the output too\nbytes = read x bits / 8 + tokens x "
        "bytes of cache a token\nspeed = bytes a second / bytes",
    ),
)  # fmt: skip

Longest = Callable[[ModelConfig, float, float], int]


def faulty_longest(bugs: Bugs = frozenset()) -> Longest:
    """run_7b.longest_context with these bugs."""

    def longest_context(config: ModelConfig, bits_per_weight: float, free_gib: float) -> int:
        weights = count_parameters(config) * bits_per_weight / (1 if "bits_as_bytes" in bugs else 8)
        if bugs & {"always_the_limit", "all_or_nothing"}:
            return config.max_seq_len if "always_the_limit" in bugs or weights <= free_gib * GIB else 0
        if "embedding_lost" in bugs:
            weights -= config.vocab_size * config.dim * bits_per_weight / 8
        if "no_weights" in bugs:
            weights = 0
        free = free_gib * (1e9 if "gb" in bugs else GIB)
        exact = (free - weights) / bytes_of_a_token(config, bits_per_weight, bugs)
        tokens = ceil(exact) if "rounds_up" in bugs else round(exact) if "rounds" in bugs else int(exact // 1)
        least = tokens if "below_zero" in bugs else max(0, tokens)
        return least if "beyond" in bugs else min(config.max_seq_len, least)

    return longest_context


def longest_cases(rng: Generator) -> list[Case]:
    """A 13B and a 65B with room for a part of a text, heads that share keys, no room at all, and room for more."""
    found = []
    more: dict[str, dict[str, Any]] = {
        "a 13B": {"tied": True}, "a 65B with much room": {"max_seq_len": 4096},
        "a 70B that knows many positions": {"max_seq_len": 1 << 18},
    }  # fmt: skip
    for name, model, part in (
        ("a 13B", "llama2-13b", (0.55, 0.8)), ("a 65B", "llama-65b", (0.2, 0.45)),
        ("a 70B whose heads share keys", "llama2-70b", (0.6, 0.8)),
        ("a 13B that does not fit", "llama-13b", (0.4, 0.6)),
        ("a 65B with much room", "llama-65b", (0.4, 0.6)),
        ("a 70B that knows many positions", "llama2-70b", (0.3, 0.7)),
        ("a 7B whose last token fits to the byte", "llama2-7b", (0.0, 0.0)),
    ):  # fmt: skip
        made, config = preset(model, **more.get(name, {}))
        bits = float(rng.choice((4.5, 8.5)))
        weights = count_parameters(config) * bits / 8
        tokens = int(rng.uniform(0.3, 0.8) * config.max_seq_len) + rng.uniform(*part)
        if "not fit" in name:
            tokens = -tokens
        if "many" in name:
            tokens = rng.uniform(400, 1000)
        if "much" in name:
            tokens = config.max_seq_len * rng.uniform(4, 6)
        free = (weights + tokens * config.kv_bytes_per_token) / GIB
        found.append(Case(name=f"{name}, {bits:g} bits a weight, {free:.2f} GiB free", args=(made, bits, float(free))))
    return found


longest_context: Task = Task(
    id="run_7b.longest_context", lesson=LESSON, kind="complete", title="Budget a 13B and a 65B", points=3,
    difficulty=2, importance=4, minutes=12,
    reference=faulty_longest(), faulty=faulty_longest, cases=longest_cases, outputs=("tokens",), rtol=0.0, atol=0.0,
    misconceptions=(
        idea(
            "gb", "GB taken for GiB", "A GiB has 2 to the power of 30 bytes, 7% more than a billion.",
            "How many bytes does your function make of 16 GiB?", 0.6,
        ),
        idea(
            "no_weights", "a memory that is all for the text", "The weights are in it, too.",
            "What is left when the weights have been loaded?",
        ),
        replace(BITS_AS_BYTES, credit=0.0),  # here it leaves room for nothing: whoever says 0 gives the same
        idea(
            "embedding_lost", "an embedding that takes no memory",
            "A token reads one row of it, but all rows have to be there.",
            "Which weights have to lie in memory, read or not?", 0.7,
        ),
        idea(
            "rounds_up", "a last token for which there is no room", "Half a token is none.",
            "What are the bytes of the text that you allow, and how many are free?", 0.7,
        ),
        idea(
            "rounds", "a number that was rounded to the nearest", "Half a token is none.",
            "Into how many bytes does your last token have to fit, and how many are left for it?", 0.7,
        ),
        idea(
            "beyond", "more tokens than the model knows positions",
            "A model was trained for texts up to config.max_seq_len, however much memory there is.",
            "What limits a text besides memory?", 0.7,
        ),
        idea(
            "below_zero", "a text of less than no tokens", "Where not even the weights fit, there is no text: 0.",
            "What do you return for a machine that is too small?", 0.7,
        ),
        idea(
            "always_the_limit", "the model's own limit, however little memory there is",
            "max_seq_len is what it was trained for. Memory may end before.",
            "What does your function return for a machine with 1 GiB?",
        ),
        idea(
            "all_or_nothing", "a text of full length wherever the weights fit",
            "Every token of it needs room, too.", "For how many tokens are the bytes that the weights leave?",
        ),
        *CACHE,
    ),
    hints=(
        "Take the weights away from what is free; the rest is for the text.",
        "A whole number from 0 to config.max_seq_len. count_parameters(config) and config.kv_bytes_per_token count.",
        "left = free GiB x 2**30 - weights x bits / 8\ntokens = left over bytes of a token, cut off\nnot below 0, not "
        "above the context",
    ),
)  # fmt: skip
