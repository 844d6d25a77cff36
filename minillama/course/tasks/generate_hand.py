"""Lesson 08's task by hand: survivors of top-k, top-p and min-p, a temperature, and the bytes of one token."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import CROSSER_LOST, LESSON, MIN_P_ABSOLUTE, NOT_RENORMALISED, idea
from minillama.course.tasks.hand import answers_by_hand

RIGHT = {"top_p": 2, "first": 2 / 3, "min_p": 3, "temperature": 2.718, "bytes": 524_288}
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "crosser_lost": {"top_p": 1, "first": 1.0},
    "one_too_many": {"top_p": 3},
    "not_renormalised": {"first": 0.5},
    "other_survivors": {"first": 0.5 / 0.9},
    "min_p_absolute": {"min_p": 2},
    "late": {"temperature": 7.389},
    "multiplied": {"temperature": 54.598},
    "scores": {"temperature": 2.0},
    "halved_ratio": {"temperature": 3.695},
    "half": {"bytes": 262_144},
    "one_layer": {"bytes": 16_384},
    "numbers": {"bytes": 131_072},
    "kibibytes": {"bytes": 512},
    "four_bytes": {"bytes": 1_048_576},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


draw_by_hand = Task(
    id="sampling.draw_by_hand", lesson=LESSON, kind="trace", title="Cut and count by hand", points=2, difficulty=1,
    importance=4, minutes=7,
    reference=by_hand(), faulty=by_hand,
    cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    misconceptions=(
        CROSSER_LOST,
        idea(
            "one_too_many", "one token more than needed", "Top-p keeps the fewest tokens whose chances reach p.",
            "What do the first two chances sum to?",
        ),
        NOT_RENORMALISED,
        idea(
            "other_survivors", "the chance among other survivors",
            "The cut at 0.7 comes first; only its survivors share the whole chance.",
            "Which tokens did you divide by?",
        ),
        MIN_P_ABSOLUTE,
        idea(
            "late", "a temperature that has no effect", "The temperature divides the scores, before the softmax.",
            "How far apart are the two scores after the division?",
        ),
        idea(
            "multiplied", "scores that are multiplied by the temperature",
            "A high temperature makes chances more alike, a low one less.",
            "Did your two chances move towards each other?",
        ),
        idea(
            "scores", "a difference or a ratio of scores", "Chances go with e to the score.",
            "What does the softmax do with a score first?",
        ),
        idea(
            "halved_ratio", "chances, or their ratio, divided by the temperature",
            "The temperature divides the scores, before the softmax makes chances of them.",
            "Which came first in yours, e to the power, or the division?",
        ),
        idea(
            "half", "one of the two factors of 2 left out",
            "A number in 16 bits has two bytes. A key is kept, and a value as well.",
            "Where are the two factors of 2 in your product?",
        ),
        idea(
            "one_layer", "the bytes of one layer", "Every layer makes keys and values of its own.",
            "How many layers has the model?",
        ),
        idea(
            "numbers", "both factors of 2 left out", "Keys and values are kept, of two bytes a number.",
            "How many bytes has a number in 16 bits, and how many vectors does each head keep?",
        ),
        idea(
            "kibibytes", "kibibytes instead of bytes", "A KiB has 1,024 bytes.",
            "In which unit is the answer asked for?", 0.7,
        ),
        idea("four_bytes", "numbers of four bytes", "A number in 16 bits has two bytes.",
             "How many bits has a byte?", 0.7),
    ),
    rtol=1e-2, atol=2e-3,
    hints=(
        "Sort, add up, and stop as soon as it is enough. For chances: e to the score, divided by their sum.",
        "`top_p` and `min_p` are counts, `first` a chance, `temperature` a ratio, `bytes` a whole number.",
        "top-p: 0.5, then 0.5 + 0.25, ... until 0.7 is reached\nmin-p: compare with 0.2 x 0.5\n"
        "ratio: e ^ (difference / temperature)\nbytes: layers x heads x channels x (key and value) x bytes a number",
    ),
)  # fmt: skip
