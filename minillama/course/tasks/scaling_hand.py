"""Lesson 19's task by hand: one half of a block over two processes."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.hand import answers_by_hand

LESSON = "19_scaling"
RIGHT: dict[str, Any] = {
    "inner_1": [3.0, 0.0], "said_0": [1.0, 2.0], "said_1": [6.0, 3.0], "stream": [8.0, 7.0], "heads_4": 6.0,
    "gigabytes": 16.25,
}  # fmt: skip
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "no_bend": {"inner_1": [3.0, -1.0], "said_1": [5.0, 0.0], "stream": [7.0, 4.0]},
    "other_share": {"inner_1": [1.0, 2.0], "said_0": [6.0, 3.0], "said_1": [1.0, 2.0]},
    "first_columns": {"said_1": [3.0, 0.0], "stream": [5.0, 4.0]},
    "stream_twice": {"stream": [9.0, 9.0]},
    "no_stream": {"stream": [7.0, 5.0]},
    "own_only": {"stream": [2.0, 4.0]},
    "mean": {"stream": [4.5, 4.5]},
    "half_heads": {"heads_4": 6.5},
    "first_has_more": {"heads_4": 7.0},
    "weights_only": {"gigabytes": 4.0625},
    "one_average": {"gigabytes": 12.1875},
    "not_shared": {"gigabytes": 1040.0},
    "in_gib": {"gigabytes": 65e9 * 16 / 64 / 2**30},
    "in_bytes": {"gigabytes": 16.25e9},
    "no_optimizer": {"gigabytes": 8.125},
    "stream_said": {"said_0": [2.0, 4.0], "said_1": [7.0, 5.0]},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


by_hand_task: Task = Task(
    id="scaling.by_hand", lesson=LESSON, kind="trace", title="Cut one half of a block in two", points=3,
    difficulty=2, importance=4, minutes=12,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=1e-3, atol=1e-3,
    misconceptions=(
        idea(
            "no_bend", "an inner layer that was not bent", "What is negative becomes 0 before the second matrix.",
            "What does the bend make of a negative number?",
        ),
        idea(
            "other_share", "the share of the other process", "Process 0 has what comes first, process 1 the rest.",
            "Which rows of the first matrix does process 1 hold?",
        ),
        idea(
            "first_columns", "the second matrix read with the wrong columns",
            "The columns that a process holds are those of the inner numbers that it has made.",
            "Which two inner numbers has process 1, and which columns are they multiplied with?",
        ),
        idea(
            "stream_twice", "a stream that every process has added to what it says",
            "Both processes hold the whole stream. What both add to a sum is in it twice.",
            "How often is (1, 2) in your sum?",
        ),
        idea(
            "no_stream", "what is said, without the stream", "A half of a block adds to what is there.",
            "Where did (1, 2) go?",
        ),
        idea(
            "own_only", "a process that goes on with what it has said itself",
            "Each process has made one part of every number. The next layer needs all parts.",
            "What of the other process's work is in your result?",
        ),
        idea(
            "mean", "a mean of what the processes say", "They have done parts of one sum, not the same sum twice.",
            "What do the two parts of a dot product have to be joined by?",
        ),
        idea(
            "half_heads", "a head that is cut in two", "A head is a whole: its queries meet its keys, all channels.",
            "Which of the 8 processes computes the softmax of a head that two of them hold?",
        ),
        idea(
            "first_has_more", "what one of the first processes holds",
            "52 heads go round 8 processes six times, and 4 are left.", "Which processes get the 4 that are left?",
        ),
        idea(
            "weights_only", "the weights alone", "Training keeps a gradient and two averages beside each weight.",
            "How many numbers does AdamW need for one parameter, the parameter included?",
        ),
        idea(
            "one_average", "an optimizer with one average", "Adam keeps an average of the gradients and one of their "
            "squares.", "What does AdamW keep for each parameter?",
        ),
        idea(
            "not_shared", "the state of the whole model", "FSDP cuts everything into as many shares as there are "
            "processes.", "By what did you divide?",
        ),
        idea(
            "in_gib", "GiB, of 2 to the 30 bytes", "Here a GB has a billion bytes.",
            "By which number did you divide the bytes?", 0.7,
        ),
        idea("in_bytes", "bytes", "The answer is in GB, of a billion bytes.", "In which unit is your number?", 0.7),
        idea(
            "no_optimizer", "weights and gradients without the optimizer",
            "AdamW keeps two averages for every parameter: half of all that there is.",
            "What does the optimizer remember from step to step?",
        ),
        idea(
            "stream_said", "a stream that is added before the sum",
            "Both processes hold the whole stream. What both add to a sum is in it twice.",
            "What is handed over: what a process says, or the stream with it?",
        ),
    ),
    hints=(
        "Each process does the first product with its rows, bends, and does the second with its columns. Then one sum.",
        "Two numbers each for inner_1, said_0, said_1 and stream; one for heads_4 and gigabytes.",
        "inner: rows of the first matrix times (1, 2), negatives to 0\nsaid: own columns of the second matrix times "
        "own inner\nstream: (1, 2) once, and everything that is said\n"
        "gigabytes: billions of parameters times bytes each, by n",
    ),
)  # fmt: skip
