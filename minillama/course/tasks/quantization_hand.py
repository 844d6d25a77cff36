"""Lesson 11's task by hand: a small block of four weights in Q4_0's way, there and back, and what it costs."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.hand import answers_by_hand
from minillama.course.tasks.quantization_inputs import LESSON

RIGHT: dict[str, Any] = {
    "scale": 0.5, "codes": [9, 0, 10, 15], "bytes": [169, 240], "back": [0.5, -4.0, 1.0, 3.5], "turned": -0.25,
    "bits": 4.5, "megabytes": 25.362432,
}  # fmt: skip
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "seven": {"scale": 4 / 7},
    "minus_half": {"scale": -0.5},
    "sixteen": {"codes": [9, 0, 10, 16]},
    "centred": {"codes": [1, -8, 2, 7]},
    "neighbours": {"bytes": [9, 250]},
    "swapped": {"bytes": [154, 15]},
    "unmoved": {"back": [4.5, 0.0, 5.0, 7.5]},
    "exact": {"back": [0.6, -4.0, 1.2, 3.9]},
    "whole": {"back": [0.5, -4.0, 1.0, 4.0]},
    "above_zero": {"turned": 0.25},
    "no_scale": {"bits": 4.0},
    "float32_scale": {"bits": 5.0},
    "half_a_byte": {"megabytes": 22.544384},
    "in_bits": {"megabytes": 202.899456},
    "mebibytes": {"megabytes": 24.1875},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


block_by_hand = Task(
    id="quant.block_by_hand", lesson=LESSON, kind="trace", title="Store four weights by hand", points=2, difficulty=2,
    importance=4, minutes=12,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=2e-3, atol=1e-6,
    misconceptions=(
        idea("seven", "a seventh of the largest weight", "The largest weight lies at -8 steps: all codes are used.",
             "How many steps are there from zero to the long end?"),
        idea(
            "minus_half", "a scale with the sign of the largest weight",
            "A weight divided by the scale gives steps, and the largest one has to come to -8 of them.",
            "How many steps of your scale is the weight -4?",
        ),
        idea("sixteen", "a code of 16", "Four bits end at 15.",
             "What do you do with 16.3 after the fraction is cut off?"),
        idea("centred", "steps around zero, before the 8 is added", "Codes are stored as 0 to 15.",
             "Which code stands for a weight of zero?"),
        idea(
            "neighbours", "neighbours that share a byte",
            "Of four weights, the first two are in low halves and the last two in high ones.",
            "Which weight shares a byte with the first?",
        ),
        idea("swapped", "the two halves of a byte exchanged", "The first weights are in the low halves.",
             "By which number is the high half of a byte multiplied?"),
        idea("unmoved", "codes that are multiplied as they are stored", "The code 8 stands for zero.",
             "Which weight is read back for the code 8?"),
        idea("exact", "the weights as they were", "Only codes and scale are stored; the rest is lost.",
             "Which multiples of the scale are there?"),
        idea(
            "whole", "a largest weight above zero that finds a code of its own",
            "The codes end at 7 steps above zero.", "Which weight does the code 15 stand for?",
        ),
        idea(
            "above_zero", "a scale that is never below zero",
            "The largest weight has to come to -8 steps, whichever sign it has.",
            "How many steps of your scale is the weight 2?",
        ),
        idea("no_scale", "the codes without their scale", "32 weights share a float16.",
             "How many bits does the scale add to each of 32 weights?"),
        idea("float32_scale", "a scale of 32 bits", "The scale is a float16.",
             "How many bytes has a block of 32 weights?"),
        idea("half_a_byte", "half a byte for each weight", "Every 32 weights take 18 bytes.",
             "How many blocks are there, and how large is each?"),
        idea("in_bits", "bits where bytes are asked for", "A byte has eight bits.", "What is the unit of your number?"),
        idea("mebibytes", "mebibytes, of 1,048,576 bytes", "A megabyte is a million bytes.",
             "By what did you divide at the end?"),
    ),
    hints=(
        "Go in the order of the questions: each uses the one before.",
        "scale, turned, bits and megabytes are numbers; codes is a list of four, bytes of two, back of four.",
        "scale: the largest weight, with its sign, / -8\ncodes: weight / scale + 8.5, the fraction cut off, at most "
        "15\n"
        "bytes: code of the first + 16 x code of the third; second and fourth alike\nback: scale x (code - 8)\n"
        "turned: the same as scale, with another largest weight\nbits: 8 x bytes of a block / weights of a block\n"
        "megabytes: blocks x bytes of a block / 1,000,000",
    ),
)  # fmt: skip
