"""Lesson 06's task by hand: scores, weights, a mix of values, a mask, a group."""

import dataclasses
from typing import Any

from minillama.course.record import Case, Misconception, Task
from minillama.course.tasks.attention_ideas import (
    LESSON,
    MASK_AFTER,
    MASK_INVERTED,
    NO_MASK,
    NO_SCALE,
    SCALE_D,
    SCALE_UP,
)
from minillama.course.tasks.hand import answers_by_hand

RIGHT = {"scores": [1.5, 2.0], "weights": [0.25, 0.75, 0.0], "output": [1.0, 6.0], "looks": 18, "group": 1}
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "no_scale": {"scores": [3.0, 4.0]},
    "scale_d": {"scores": [0.75, 1.0]},
    "scale_up": {"scores": [6.0, 8.0]},
    "softmax_scores": {"scores": [0.3775, 0.6225]},
    "no_mask": {"weights": [0.125, 0.375, 0.5]},
    "mask_after": {"weights": [0.125, 0.375, 0.0]},
    "mask_inverted": {"weights": [0.0, 0.0, 1.0], "looks": 6},
    "not_divided": {"weights": [1.0, 3.0, 0.0]},
    "twice_exponential": {"weights": [0.1192, 0.8808, 0.0]},
    "plain_sum": {"output": [4.0, 8.0]},
    "plain_mean": {"output": [2.0, 4.0]},
    "weights_swapped": {"output": [3.0, 2.0]},
    "numbers_added": {"output": 7.0},
    "from_zero": {"looks": 10},
    "not_itself": {"looks": 14},
    "all_allowed": {"looks": 24},
    "square": {"looks": 21},
    "remainder": {"group": 0},
    "by_groups": {"group": 3},
    "from_one": {"group": 2},
    "own_head": {"group": 6},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


def _slip(name: str, looks_like: str, principle: str, question: str) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question)


MISCONCEPTIONS = (
    NO_SCALE, SCALE_D, SCALE_UP,
    _slip(
        "softmax_scores", "weights in place of scores", "The scores are what goes into the softmax.",
        "What are the two dot products, and what are they divided by?",
    ),
    NO_MASK, MASK_AFTER,
    dataclasses.replace(MASK_INVERTED, question="Is the key that you left out the one that may not be looked at?"),
    _slip(
        "not_divided", "exponentials that are not divided by their sum", "Weights sum to 1.",
        "What do the exponentials that count add up to?",
    ),
    _slip(
        "twice_exponential", "an exponential of the exponentials", "1, 3 and 4 are the exponentials already.",
        "What is left to do with them?",
    ),
    _slip("plain_sum", "values that are added without their weights", "Each value counts as much as its weight says.",
          "What is a quarter of the first value?"),
    _slip("plain_mean", "equal weights", "The weights are 0.25 and 0.75.", "Which value counts three times as much?"),
    _slip("weights_swapped", "each value with the weight of the other", "The first weight belongs to the first value.",
          "Which value gets 0.75?"),
    _slip("numbers_added", "channels that are added up", "A mix of vectors is a vector: each channel is mixed apart.",
          "How many channels has a value here?"),
    _slip("from_zero", "queries that are counted from position 0",
          "Two tokens came before: the first of the four queries stands at position 2.",
          "How many keys may the first query look at, its own included?"),
    _slip("not_itself", "a token that may not look at itself", "A token sees itself and what came before.",
          "Does the key at the query's own position count?"),
    _slip("all_allowed", "no mask at all", "Nobody looks ahead.", "Which keys come after the first query?"),
    _slip("square", "a query for every key", "The cached tokens have keys and no queries any more.",
          "How many queries are there?"),
    _slip("remainder", "heads that are dealt out like cards", "Neighbouring heads share: the first four read one pair.",
          "Which query heads read key/value head 0?"),
    _slip("by_groups", "a division by the number of key/value heads",
          "Eight heads over two key/value heads make groups of four.", "How many heads share one?"),
    _slip("from_one", "heads that are counted from 1", "Heads are counted from 0.", "Which number has the first?"),
    _slip("own_head", "a key/value head for every head", "There are only two, numbers 0 and 1.",
          "Which of the two does it share?"),
)  # fmt: skip

by_hand_task = Task(
    id="attention.by_hand", lesson=LESSON, kind="trace", title="Attend by hand", points=2, difficulty=1,
    importance=4, minutes=8,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    misconceptions=MISCONCEPTIONS, rtol=5e-3, atol=5e-3,
    hints=(
        "Score, mask, softmax, mix: four small steps, each with a number that you can check.",
        "`scores` has 2 numbers, `weights` 3, `output` 2; `looks` and `group` are whole numbers.",
        "score: dot product / root of K\nweight: what counts / sum of what counts\n"
        "output: weight * value, added up, channel by channel\nquery i of a step stands at position past + i\n"
        "group: head / heads in a group, rounded down",
    ),
)  # fmt: skip
