"""Lesson 13's variant, many texts at once, and its experiment on the learner's machine."""

from collections.abc import Callable

from minillama.config import ModelConfig
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.hand import nothing_to_expect
from minillama.course.tasks.run_7b_hand import LESSON
from minillama.course.tasks.run_7b_sizes import BITS_AS_BYTES, preset
from minillama.model import count_parameters

Many = Callable[[ModelConfig, float, int, int, float, float], float]
BYTES_A_NUMBER = {"f16": 2.0, "q8_0": 34 / 32}
CACHES = {
    "f16": "The cache has 2 bytes a number: config.kv_bytes_per_token counts them.",
    "q8_0": "The cache is in Q8_0: 34 bytes for 32 numbers. config.kv_bytes_per_token counts 2 bytes a number.",
}
IN_WORDS = {
    "f16": "in **float16**: 2 bytes a number, as `config.kv_bytes_per_token` counts them",
    "q8_0": "in **Q8_0**: 34 bytes for 32 numbers, where `config.kv_bytes_per_token` counts 2 bytes a number",
    True: "it multiplies **while** it reads, so a step takes the longer of the two times",
    False: "it multiplies **after** it has read, so a step takes the sum of the two times",
}


def faulty_of(cache: str, meanwhile: bool) -> Callable[[Bugs], Many]:
    """run_7b.many_texts of this family, with bugs."""

    def with_bugs(bugs: Bugs = frozenset()) -> Many:
        def many_texts(
            config: ModelConfig, bits_per_weight: float, context: int, texts: int, gb_per_s: float, gops: float
        ) -> float:
            width = BYTES_A_NUMBER[{"f16": "q8_0", "q8_0": "f16"}[cache] if "other_cache" in bugs else cache]
            past = context * config.kv_bytes_per_token / 2 * width
            count = count_parameters(config) - ("embedding" not in bugs) * config.vocab_size * config.dim
            weights = count * bits_per_weight / (1 if "bits_as_bytes" in bugs else 8)
            if "no_cache" in bugs:
                past = 0.0
            together = 1 if "one_cache" in bugs else texts
            read = (weights * (texts if "weights_each" in bugs else 1) + past * together) / (gb_per_s * 1e9)
            operations = count * (1 if "one_operation" in bugs else 2) * (1 if "one_product" in bugs else texts)
            work = 0.0 if "no_arithmetic" in bugs else operations / (gops * 1e9)
            side_by_side = meanwhile != ("other_way" in bugs)
            step = max(read, work) if side_by_side else read + work
            return (1 if "per_text" in bugs else texts) / step

        return many_texts

    return with_bugs


def many_cases(rng: Generator) -> list[Case]:
    """Steps that memory sets, steps that arithmetic sets, one text, and texts so long that caches weigh most."""
    found = []
    for name, model, texts, share, gops in (
        ("one text", "llama-7b", 1, 0.3, (300, 400)),
        ("few texts, and a strong processor", "llama3-8b", int(rng.integers(3, 6)), 0.3, (2500, 4000)),
        ("long texts", "llama-7b", int(rng.integers(6, 9)), 0.5, (1500, 2000)),
        ("many short texts", "llama-7b", int(rng.integers(40, 60)), 0.01, (300, 500)),
        ("two texts on a slow processor", "llama-7b", 2, 0.2, (15, 30)),
        ("many texts, about as much work as reading", "llama3-8b", int(rng.integers(12, 16)), 0.06, (500, 600)),
    ):
        made, config = preset(model, max_seq_len=1 << 17)
        bits, gb = float(rng.choice((4.5, 8.5))), float(rng.integers(20, 40))
        weights = count_parameters(config) * bits / 8
        context = int(share * rng.uniform(0.9, 1.1) * weights / config.kv_bytes_per_token)
        speed = float(rng.integers(*gops))
        what = f"{name}: {texts} of {context:,} tokens, {bits:g} bits a weight, {gb:g} GB/s, {speed:g} GOPS"
        found.append(Case(name=what, args=(made, bits, context, texts, gb, speed)))
    return found


def make_many(cache: str = "q8_0", meanwhile: bool = True) -> Task:
    """The task for one kind of cache, and a processor that multiplies while it reads or afterwards."""
    faulty = faulty_of(cache, meanwhile)
    way = "multiplies while it reads: the longer of the two counts" if meanwhile else "reads first and then multiplies"
    return Task(
        id="run_7b.many_texts", lesson=LESSON, kind="vary", title="Write many texts at once", points=7, difficulty=4,
        importance=4, minutes=20,
        reference=faulty(frozenset()), faulty=faulty, cases=many_cases, outputs=("tokens a second",),
        rtol=1e-3, atol=0.0, forbidden=("minillama.evaluate:predict_tokens_per_second",),
        misconceptions=(
            idea(
                "weights_each", "weights that are read for each text anew",
                "A weight that has arrived serves all texts of the step: that is why serving many at once pays.",
                "How often does a weight come from memory in one step?",
            ),
            idea(
                "one_cache", "a cache that all texts share", "Each text has keys and values of its own.",
                "How many caches are read in one step?",
            ),
            idea(
                "no_cache", "texts that do not look back", "Each text reads its keys and values in every step.",
                "Where does your function use `context`?",
            ),
            idea("other_cache", "another width of the cache", CACHES[cache],
                 "How many bytes does a number of the cache take here?", 0.7),
            idea(
                "per_text", "the speed of a single text", "Asked are the tokens of all texts together.",
                "How many tokens come out of one step?",
            ),
            idea(
                "one_product", "arithmetic that does not grow with the texts",
                "A weight is read once, and multiplied for each text.",
                "How many products does one weight take part in?",
            ),
            idea(
                "one_operation", "one operation for each weight",
                "A weight is multiplied, and its product is added: two.",
                "How many operations does one weight take part in, for each text?", 0.7,
            ),
            idea(
                "no_arithmetic", "a processor that multiplies in no time",
                "With many texts the bytes come faster than they can be multiplied.",
                "Where does your function use gops?",
            ),
            idea("other_way", "times that are put together the other way", f"This processor {way}.",
                 "Of the time to read and the time to multiply, which counts, or do both?"),
            idea(
                "embedding", "an embedding that is read and multiplied whole", "Of it a token needs its own row.",
                "How many rows of the embedding does one token look up?", 0.7,
            ),
            BITS_AS_BYTES,
        ),
        hints=(
            "Write down one step, in which every text gets one token: what is read in it, and what is multiplied?",
            "Two times in seconds, and what comes out of a step. config.tied is False here.",
            "read: the weights once, and a cache for each text, over bytes a second\n"
            "multiply: 2 x weights x texts, over operations a second\n"
            "a step takes the longer of both, or their sum: as the task says\ntexts / step",
        ),
        family={"cache": ("q8_0", "f16"), "meanwhile": (True, False)}, build=make_many,
        phrases=(IN_WORDS[cache], IN_WORDS[meanwhile]),
    )  # fmt: skip


many_texts = make_many()

ASKED = (
    "model_and_type", "threads", "predicted_tokens_per_s", "tokens_per_s", "share_of_bound", "peak_gb",
    "what_i_changed", "what_holds_it_back",
)  # fmt: skip


my_machine: Task = Task(
    id="run_7b.my_machine", lesson=LESSON, kind="experiment", title="Find the best setting of your machine", points=4,
    difficulty=3, importance=4, minutes=30,
    reference=nothing_to_expect, cases=lambda rng: [Case(name=name, args=(name,)) for name in ASKED],
    hints=(
        "Forecast first. Then change one thing at a time: threads, type, length of the text.",
        "`minillama bench MODEL --threads N --new-tokens 32` measures without a notebook beside it.",
        "for each number of threads from 1 to your cores: three runs, keep the median\nthe best of them, beside the "
        "forecast\nthen the same with another type",
    ),
    rubric=(
        "1 point: a forecast with the memory's speed in it, made before measuring",
        "1 point: tokens a second for two settings or more, one thing changed at a time",
        "1 point: the share follows from forecast and measurement",
        "1 point: what holds it back, with a reason that the numbers carry",
    ),
)  # fmt: skip
