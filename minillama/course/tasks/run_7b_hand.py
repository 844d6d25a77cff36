"""Lesson 13's task by hand: bytes, a bound at the beginning of a text and late in it, seconds, and a text's score."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.hand import answers_by_hand

LESSON = "13_run_7b"
RIGHT: dict[str, Any] = {
    "gigabytes": 2.125, "cache": 20_480, "bound": 8.0, "later": 17 / 2.637, "share": 0.75, "seconds": 7.0,
    "scored": 441, "perplexity": 4.0,
}  # fmt: skip
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "no_scales": {"gigabytes": 2.0},
    "in_bits": {"gigabytes": 17.0},
    "gibibytes": {"gigabytes": 2.125e9 / 2**30},
    "half_a_cache": {"cache": 10_240},
    "one_layer": {"cache": 2_048},
    "float32_cache": {"cache": 40_960},
    "upside_down": {"bound": 0.125},
    "weights_for_bytes": {"bound": 8.5},
    "cache_lost": {"later": 8.0},
    "cache_alone": {"later": 17 / 0.512},
    "share_turned": {"share": 8 / 6},
    "share_missing": {"share": 0.25},
    "one_speed": {"seconds": 42.5},
    "prompt_alone": {"seconds": 2.0},
    "answer_alone": {"seconds": 5.0},
    "mean_speed": {"seconds": 340 / 79},
    "all_tokens": {"scored": 999},
    "whole_windows": {"scored": 889},
    "one_more": {"scored": 448},
    "last_window": {"scored": 504},
    "halves": {"scored": 500},
    "mean_of_turned": {"perplexity": 4.5},
    "of_mean_chance": {"perplexity": 1 / 0.28125},
    "nats": {"perplexity": 1.3862944},
    "two_bits": {"perplexity": 2.0},
    "e_to_bits": {"perplexity": 7.3890561},
}

answers = answers_by_hand(RIGHT, INSTEAD)


by_hand: Task = Task(
    id="run_7b.by_hand", lesson=LESSON, kind="trace", title="Forecast a run by hand", points=3, difficulty=2,
    importance=4, minutes=15,
    reference=answers(), faulty=answers, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=2e-3, atol=1e-6,
    misconceptions=(
        idea(
            "no_scales", "the codes without their scales", "32 weights of Q8_0 take 34 bytes.",
            "How many bits has a weight, its share of the scale included?",
        ),
        idea("in_bits", "bits where bytes are asked for", "A byte has eight bits.", "What is the unit of your number?"),
        idea(
            "gibibytes", "GiB where GB are asked for", "A GB is a billion bytes, a GiB is 2 to the power of 30.",
            "By what did you divide the bytes?",
        ),
        idea(
            "half_a_cache", "half of what a token leaves",
            "A token leaves a key and a value, and each of their numbers has 2 bytes.",
            "Which factor of 2 stands for value beside key, and which for the bytes?",
        ),
        idea(
            "one_layer", "the cache of a single layer", "Every layer keeps keys and values of its own.",
            "How often does a token pass through an attention?",
        ),
        idea(
            "float32_cache", "numbers of 4 bytes in the cache", "The cache here has 16 bits a number.",
            "How many bytes are 16 bits?",
        ),
        idea(
            "upside_down", "the seconds that one token takes", "The question is how many tokens fit into a second.",
            "Does your number grow when memory gets faster?",
        ),
        idea(
            "weights_for_bytes", "a number of weights taken for bytes",
            "Memory delivers bytes. A weight of Q8_0 has a little more than one.",
            "How many bytes does a token read?",
        ),
        idea(
            "cache_lost", "a text that costs nothing to look back on",
            "Each new token reads the keys and values of all that came before.",
            "How many bytes of cache have 25,000 tokens left?",
        ),
        idea(
            "cache_alone", "a token that reads the cache and no weights", "It reads both, one after the other.",
            "What does a token read at the beginning of a text?",
        ),
        idea(
            "share_turned", "the bound as a share of what was measured",
            "A share says how much of the possible was reached: at most 1.", "Can a run beat its bound?",
        ),
        idea("share_missing", "the share that is missing", "Asked is the share that was reached.",
             "What is left of 1 after your number?"),
        idea(
            "one_speed", "a prompt that is read as slowly as text is written",
            "The tokens of a prompt are there all at once, and share the weights that arrive.",
            "At which speed are the 300 tokens read?",
        ),
        idea("prompt_alone", "the prompt without the answer", "Forty tokens are still to be written.",
             "How long do they take?"),
        idea("answer_alone", "the answer without the prompt", "Before the first token the prompt has to be read.",
             "How long does that take?"),
        idea(
            "mean_speed", "a mean of two speeds", "Times add up, speeds do not.",
            "How many seconds does each of the two parts take?",
        ),
        idea(
            "all_tokens", "every token but the first", "Only the second half of a window is scored.",
            "From how many tokens on is a guess scored, and where does a window end?",
        ),
        idea(
            "whole_windows", "windows that are scored from their first token on",
            "The first half is there to be read: a guess in it has little to go on.",
            "How many tokens of a window come after its middle?",
        ),
        idea(
            "one_more", "a guess for what comes after the window",
            "64 tokens stand in the second half. What follows the last of them is not in the window.",
            "How many tokens of the second half have a token after them in the window?",
        ),
        idea(
            "last_window", "a last window that is not full", "What does not fill a window is left out.",
            "How many whole windows of 128 are in 1,000?",
        ),
        idea(
            "halves", "half of the text, without windows", "Windows end, and so do the guesses.",
            "How many guesses does each window add?",
        ),
        idea(
            "mean_of_turned", "a mean of four perplexities", "Logarithms first, then their mean, and e to it last.",
            "What comes first in yours, the mean or the logarithm?",
        ),
        idea(
            "of_mean_chance", "a mean of chances, turned round",
            "A mean of chances hides a bad guess behind a good one. The mean is of their logarithms.",
            "Which mean would not change if one chance doubled and another halved?",
        ),
        idea("nats", "the mean loss itself", "Perplexity is e to the power of it.", "What is left to do?"),
        idea("two_bits", "the mean in bits", "Perplexity is 2 to the power of bits, as it is e to that of nats.",
             "Between how many equally likely tokens does such a model choose?"),
        idea(
            "e_to_bits", "e to the power of bits", "Bits belong to 2, nats to e.",
            "To which base are your logarithms?",
        ),
    ),
    hints=(
        "Each of the eight is one line. Write the units beside every number, and let them cancel.",
        "gigabytes, bound, later, share, seconds and perplexity are numbers, cache and scored whole ones.",
        "gigabytes: weights x bits / 8\ncache: layers x heads x numbers x (key and value) x bytes\n"
        "bound: bytes a second / bytes a token\nlater: the same, with the cache's bytes added\nshare: got / possible\n"
        "seconds: of the prompt, plus of the text\nscored: whole windows x (half a window - 1)\n"
        "perplexity: e to the mean of -ln chance",
    ),
)  # fmt: skip
