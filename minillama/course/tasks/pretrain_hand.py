"""Lesson 09's task by hand: a step's tokens, two learning rates, a clipped gradient, a joint loss, a cost."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.hand import answers_by_hand

LESSON = "09_pretrain"
RIGHT: dict[str, Any] = {
    "tokens": 16_384, "warm": 0.00025, "middle": 0.00055, "clipped": [0.6, 0.8], "loss": 2.5, "operations": 1.2e15,
}  # fmt: skip
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "one_micro_batch": {"tokens": 2048},
    "windows": {"tokens": 32},
    "first_is_zero": {"warm": 0.000225},
    "to_zero": {"middle": 0.0005},
    "floor_on_top": {"middle": 0.0006},
    "each_alone": {"clipped": [1.0, 1.0]},
    "by_sum": {"clipped": [3 / 7, 4 / 7]},
    "squared": {"clipped": [3 / 25, 4 / 25]},
    "mean_of_means": {"loss": 3.0},
    "summed": {"loss": 100.0},
    "forward_only": {"operations": 4e14},
    "once_a_weight": {"operations": 2e14},
    "by_largest": {"clipped": [0.75, 1.0]},
    "no_floor": {"middle": 0.00045},
    "back_as_there": {"operations": 8e14},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


recipe_by_hand: Task = Task(
    id="train.recipe_by_hand", lesson=LESSON, kind="trace", title="Work out one step by hand", points=2,
    difficulty=2, importance=4, minutes=10,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=1e-3, atol=1e-6,
    misconceptions=(
        idea(
            "one_micro_batch", "the tokens of one micro-batch",
            "A step ends when all of its micro-batches have added their gradients.",
            "How many micro-batches pass before the weights move?",
        ),
        idea(
            "windows", "a count of windows", "Every token of a window has a loss of its own.",
            "How many tokens does one window hold?",
        ),
        idea(
            "first_is_zero", "a warm-up whose first step has a rate of 0",
            "Step 0 is the first of the warm-up, and the last of its steps has the whole peak.",
            "How many steps have been taken, when step 9 is?",
        ),
        idea(
            "to_zero", "a cosine that falls to zero", "The rate ends at a tenth of its peak.",
            "What is the mean of the first value and the last?",
        ),
        idea(
            "floor_on_top", "a floor that is added to the whole cosine",
            "Peak and floor are both reached: the wave has to fit in between.",
            "What would your formula give at the first step after the warm-up?",
        ),
        idea(
            "each_alone", "every number cut off at the limit by itself",
            "Clipping by the norm makes the gradient shorter, and keeps where it points.",
            "Which of the two numbers was larger before, and which is now?",
        ),
        idea(
            "by_sum", "a length that is the sum of the numbers", "A length is the root of the sum of squares.",
            "How long is the way from (0, 0) to (3, 4)?",
        ),
        idea(
            "squared", "a division by the squared length", "The root belongs to the length.",
            "How long is your vector afterwards?",
        ),
        idea(
            "mean_of_means", "a mean of means", "Every token counts alike, in whichever micro-batch it stands.",
            "How many nats are there in all, over how many tokens?",
        ),
        idea(
            "summed", "a sum that was never divided", "A loss is told for one token.",
            "How many tokens share these nats?",
        ),
        idea(
            "forward_only", "the way forward alone",
            "A token's way back through the weights costs twice its way there.",
            "How many operations a weight are 2 for the way there and 4 for the way back?",
        ),
        idea(
            "once_a_weight", "one operation a weight",
            "There and back, a weight takes part in six operations for each token.",
            "What does a multiplication and an addition count?",
        ),
        idea(
            "by_largest", "a division by the largest number", "A length is the root of the sum of squares.",
            "How long is your vector afterwards?",
        ),
        idea(
            "no_floor", "half of what lies between peak and floor, without the floor",
            "The wave stands on the floor.", "What is the mean of the first value and the last?",
        ),
        idea(
            "back_as_there", "a way back that costs as much as the way there",
            "On the way back each weight is met twice: for the gradient of the input, and for its own.",
            "What is computed at a weight on the way back?", 0.7,
        ),
    ),
    hints=(
        "Every one of the six is a line of the lesson with other numbers.",
        "tokens and operations are whole numbers; warm and middle are small rates; clipped is a list of two.",
        "tokens: micro-batches x windows x tokens\nwarm: share of the warm-up x peak\nmiddle: half-way from peak "
        "to floor\nclipped: each / length\nloss: all nats / all tokens\noperations: 6 x weights x tokens",
    ),
)  # fmt: skip
