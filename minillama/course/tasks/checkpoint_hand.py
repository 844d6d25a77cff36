"""Lesson 10's task by hand, and its experiment on a file of one's own."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.hand import answers_by_hand, nothing_to_expect

LESSON = "10_checkpoint"
RIGHT: dict[str, Any] = {
    "start": 592, "rows": 64, "number": 4.0, "shape": [11_008, 4096], "shard": [5120, 6912], "gib": 12.573,
}  # fmt: skip
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "from_file_start": {"start": 512},
    "without_length": {"start": 584},
    "decimal_length": {"start": 568},
    "four_bytes": {"rows": 32},
    "elements": {"rows": 128},
    "as_fp16": {"number": 2.25},
    "unreversed": {"shape": [4096, 11_008]},
    "by_rows": {"shard": [2560, 13_824]},
    "of_w1": {"shard": [6912, 5120]},
    "whole": {"shard": [5120, 13_824]},
    "gb": {"gib": 13.5},
    "wrong_way": {"gib": 14.496},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


by_hand_task: Task = Task(
    id="checkpoint.by_hand", lesson=LESSON, kind="trace", title="Read six things by hand", points=3,
    difficulty=2, importance=4, minutes=12,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=2e-3, atol=1e-6,
    misconceptions=(
        idea(
            "from_file_start", "an offset that is counted from the beginning of the file",
            "The offsets of safetensors count from the end of its header.",
            "How many bytes stand before the first tensor?",
        ),
        idea(
            "without_length", "a header without the number in front of it",
            "Eight bytes say how long the header is, and they are no part of it.",
            "At which byte does the { of the header stand?",
        ),
        idea(
            "decimal_length", "48 read as a decimal number", "Hexadecimal 48 is four sixteens and eight.",
            "How much is 4 × 16 + 8?",
        ),
        idea(
            "four_bytes", "numbers of four bytes", "BF16 is half of a float32.",
            "How many bytes has one number of 16 bits?",
        ),
        idea(
            "elements", "bytes that were counted as numbers", "Offsets count bytes, and shapes count numbers.",
            "How many bytes does a row of 8 numbers take?",
        ),
        idea(
            "as_fp16", "bf16 read as float16",
            "Both have 16 bits, and share them out differently: bf16 has 8 bits of exponent, as float32 has.",
            "What is the float32 whose upper half these two bytes are?",
        ),
        idea(
            "unreversed", "GGUF's dimensions in the order of the file",
            "GGUF names the fastest dimension first: how many numbers lie side by side. A NumPy shape names it last.",
            "How many numbers has one row of this matrix?",
        ),
        idea(
            "by_rows", "w2 cut by rows", "w2 takes in what w1 and w3 give out: its columns belong to their rows.",
            "Which of the two numbers of w2's shape counts hidden numbers?",
        ),
        idea(
            "of_w1", "the part of w1", "w2 leads back: it takes hidden numbers in and gives D of them out.",
            "Is a row of w2 as long as D, or as long as the hidden size?",
        ),
        idea("whole", "the whole matrix", "Each of the two shards has a half of it.", "What lies in the other shard?"),
        idea(
            "gb", "GB taken for GiB", "A GB is a billion bytes, a GiB is 2 to the power of 30: 7% more.",
            "By how many bytes did you divide?",
        ),
        idea(
            "wrong_way", "a way from GiB to GB", "A GiB is larger than a GB, so there are fewer of them.",
            "Should the number grow or shrink when the unit grows?",
        ),
    ),
    hints=(
        "Each of the six is a line of the lesson with other numbers.",
        "start, rows and number are numbers, shape and shard lists of two whole numbers, gib has one place or more.",
        "start: 8 + length of the header + offset\nrows: bytes / 2 / columns\nnumber: 80 40 backwards is 0x4080, the "
        "upper half of a float32\nshape: the dimensions backwards\nshard: half of the columns\ngib: bytes / 2**30",
    ),
)  # fmt: skip

QUESTIONS = ("file", "predicted_gib", "measured_gib", "difference")


your_files: Task = Task(
    id="checkpoint.your_files", lesson=LESSON, kind="experiment", title="Weigh a model of your own", points=2,
    difficulty=2, importance=3, minutes=15,
    reference=nothing_to_expect, cases=lambda rng: [Case(name=name, args=(name,)) for name in QUESTIONS],
    hints=(
        "Predict first: weights and cache. Then load, and look at what the process has taken.",
        "All in GiB: bytes / 2**30. `own_memory()` gives bytes.",
        "predicted: parameters x bytes of each + cache\nmeasured: anonymous memory after loading, minus before\n"
        "difference: what is mapped, what is converted, what else the program needs",
    ),
    rubric=(
        "1 point: a prediction from parameters and bytes, beside what was measured",
        "1 point: the difference explained by what is mapped, converted or needed besides",
    ),
)  # fmt: skip
