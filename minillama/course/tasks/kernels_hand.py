"""Lesson 12's task by hand: bytes, a bound, a nibble, two sums, where rows and columns lie, and when memory waits."""

from typing import Any

from minillama.course.record import Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.hand import answers_by_hand
from minillama.course.tasks.kernels_inputs import LESSON

RIGHT: dict[str, Any] = {
    "bytes": 2_304, "bound": 5.0, "weight": -2.5, "wrapped": -112, "largest": 32_512, "place": 22, "tokens": 6,
}  # fmt: skip
INSTEAD: dict[str, dict[str, Any]] = {  # misconception -> what it gives
    "no_scales": {"bytes": 2_048},
    "byte_a_weight": {"bytes": 4_096},
    "float_scales": {"bytes": 2_560},
    "upside_down": {"bound": 0.2},
    "bits": {"bound": 0.625},
    "offset_lost": {"weight": 1.5},
    "offset_after": {"weight": -6.5},
    "not_wrapped": {"wrapped": 400},
    "held_at_end": {"wrapped": 127},
    "no_sign": {"wrapped": 144},
    "end_of_seven": {"largest": 28_448},
    "one_product": {"largest": 1_016},
    "both_int8": {"largest": 516_128},
    "row_by_row": {"place": 82},
    "by_ones": {"place": 37},
    "column_a_byte": {"place": 278},
    "floor": {"tokens": 5},
    "one_operation": {"tokens": 12},
}

by_hand = answers_by_hand(RIGHT, INSTEAD)


ladder_by_hand: Task = Task(
    id="kernels.ladder_by_hand", lesson=LESSON, kind="trace", title="Work out what a kernel meets", points=3,
    difficulty=2, importance=4, minutes=12,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in RIGHT],
    rtol=1e-3, atol=1e-6,
    misconceptions=(
        idea(
            "no_scales", "the codes without their scales", "Each block of 32 weights brings a float16 of its own.",
            "How many bytes has one block, all in all?",
        ),
        idea(
            "byte_a_weight", "a byte for each weight", "Two codes of 4 bits share a byte.",
            "How many codes are in the 16 bytes of a block?",
        ),
        idea("float_scales", "scales of 4 bytes", "A scale is a float16.", "How many bytes has a float of 16 bits?"),
        idea(
            "upside_down", "the seconds that one token takes", "The question is how many tokens fit in one second.",
            "Does your number grow when memory gets faster?",
        ),
        idea("bits", "a bandwidth that was taken for bits", "GB/s are bytes a second, and so are the weights' GB.",
             "Where does a factor of 8 come from in yours?"),
        idea(
            "offset_lost", "a nibble without its offset", "The nibble 8 stands for the weight 0.",
            "Which sign has a weight whose nibble is below 8?",
        ),
        idea(
            "offset_after", "an offset taken away after scaling",
            "The offset belongs to the code, the scale to the result.",
            "Which comes first, the 8 or the scale?",
        ),
        idea("not_wrapped", "a number that 8 bits cannot hold", "Eight bits with a sign run from -128 to 127.",
             "What is left of 400 if only 256 different numbers exist?"),
        idea(
            "held_at_end", "a number that stops at the end of its range",
            "It does not stop there: it comes in again at the other end.",
             "What comes after 127 in eight bits?"),
        idea("no_sign", "eight bits without a sign", "An int8 has a sign: its upper half is negative.",
             "Which number has the same eight bits as 144, with a sign?"),
        idea(
            "end_of_seven", "codes that end at 7 on both sides",
            "Sixteen codes around 0 leave one more on the negative side.",
            "Which weight has the nibble 0?",
        ),
        idea(
            "one_product", "a single product", "A block has 32 of them.",
            "How many products does the sum of a block have?",
        ),
        idea("both_int8", "weights of 8 bits", "The weights here have 4 bits; it is the activations that have 8.",
             "What is the largest size of a code that was a nibble?"),
        idea(
            "row_by_row", "rows that lie one after the other",
            "Sixteen rows lie beside each other: four bytes of one, then four of the next.",
            "How many bytes of row 4 stand before row 5 in the first line?",
        ),
        idea(
            "by_ones", "rows that alternate byte by byte", "Four bytes of a row stay together.",
            "How many rows are in the first 64 bytes, and how many bytes of each?",
        ),
        idea(
            "column_a_byte", "a byte for each column", "A byte holds two columns: i and 16 + i.",
            "Which other column is in the byte of column 2?",
        ),
        idea("floor", "a number that was rounded down", "With so many tokens, multiplying is still the faster part.",
             "Which of the two takes longer for your number of tokens?"),
        idea(
            "one_operation", "one operation for each weight", "A weight is multiplied, and its product is added: two.",
            "How many operations does one weight take part in, for each token?",
        ),
    ),
    hints=(
        "Each of the seven is one line; the lesson has every rule that it takes.",
        "bytes, wrapped, largest, place and tokens are whole numbers; bound and weight may have fractions.",
        "bytes: blocks x bytes of a block\nbound: bytes a second / bytes a token\nweight: move the code, then scale\n"
        "wrapped: add or take 256 until it fits\nlargest: 32 x the largest product\nplace: 64 x line + 4 x row + byte\n"
        "tokens: time to read a weight against time to use it",
    ),
)  # fmt: skip
