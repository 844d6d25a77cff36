"""Lesson 14's task by hand: a scale, a product, an output, a count, bytes, and a gradient that is zero."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.hand import answers_by_hand

LESSON = "14_lora"
RIGHT: dict[str, Any] = {
    "scale": 2.0, "added": [[6.0, 8.0], [12.0, 16.0]], "output": [7.0, 12.0], "one_matrix": 65_536, "means": 53.92,
    "first_step": "A",
}  # fmt: skip
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "inverse_scale": {"scale": 0.5},
    "root_of_rank": {"scale": 16 / 8**0.5},
    "order": {"added": [[6.0, 12.0], [8.0, 16.0]]},
    "unscaled": {"added": [[3.0, 4.0], [6.0, 8.0]]},
    "replaces": {"output": [6.0, 12.0]},
    "twice": {"output": [13.0, 24.0]},
    "a_alone": {"one_matrix": 32_768},
    "area": {"one_matrix": 8 * 4096 * 4096},
    "one_mean": {"means": 26.96},
    "gradients_too": {"means": 80.88},
    "binary": {"means": 53.92e9 / 2**30},
    "other_half": {"first_step": "B"},
    "both_halves": {"first_step": "both"},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


adapter_by_hand: Task = Task(
    id="lora.adapter_by_hand", lesson=LESSON, kind="trace", title="Work out one adapter by hand", points=2,
    difficulty=2, importance=4, minutes=10,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=5e-3, atol=1e-6,
    misconceptions=(
        idea("inverse_scale", "a scale of r / alpha", "A larger rank adds up more products, and gets a smaller scale.",
             "What would your scale be at twice the rank?"),
        idea("root_of_rank", "a scale with a root in it", "Plain LoRA divides by the rank itself.",
             "By what is alpha divided?"),
        idea(
            "order", "A and B multiplied in the wrong order",
            "B A: row i of the result is the i-th number of B times the row A.",
            "Which numbers stand in your first row, and which of them came from B?",
        ),
        idea("unscaled", "a product without its scale", "The scale is part of what is added to W.",
             "What are alpha and r of this adapter?"),
        idea("replaces", "the adapter's part alone", "What the adapter says is added to W x.",
             "What does W x say for this x?"),
        idea("twice", "an adapter that was added twice", "W x and the adapter's part, once each.",
             "How often did you add what A and B say?"),
        idea("a_alone", "one of the two halves", "A has 8 rows of 4,096, and B 4,096 rows of 8.",
             "How many numbers does B add?"),
        idea(
            "area", "8 times the whole matrix", "The two halves lie along the sides of the matrix, and do not fill it.",
            "How many numbers has A?",
        ),
        idea("one_mean", "one of AdamW's two means", "It keeps a mean of the gradient, and one of its square.",
             "How many numbers does AdamW keep beside each weight?"),
        idea(
            "gradients_too", "the gradients counted as well", "The question is about the two running means.",
            "Which of your numbers are there after the step, and which are made anew?",
        ),
        idea("binary", "GiB for GB", "A GB is 10^9 bytes, a GiB 2^30.", "By what did you divide?"),
        idea(
            "other_half", "the gradient of the wrong half",
            "What reaches A has to come through B, and B is zero. What reaches B comes from A x.",
            "By which numbers is A's gradient multiplied on its way?",
        ),
        idea(
            "both_halves", "two gradients of zero", "With A drawn, A x is not zero, and B hears of it.",
            "What multiplies the gradient that arrives at B?",
        ),
    ),
    hints=(
        "Every one of the six is a line of the lesson with other numbers.",
        "added is a list of two rows, output a list of two numbers, first_step a word; the others are single numbers.",
        "scale: alpha / r\nadded: scale x (each number of B times the row A)\noutput: W x + added times x\n"
        "one_matrix: r x (rows + columns)\nmeans: weights x 2 x 4 bytes\nfirst_step: whose gradient goes through a "
        "matrix of zeros?",
    ),
)  # fmt: skip
