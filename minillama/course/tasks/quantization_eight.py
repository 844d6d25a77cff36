"""Lesson 11's Q8_0: a scale for every 32 weights, and codes of 8 bits."""

from collections.abc import Callable, Sequence

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.quantization_inputs import (
    HALVES,
    LESSON,
    ZEROS,
    Generator,
    crooked_step,
    matrix,
    near,
    only_wrong,
    rounded_by,
    scales_like,
    step,
)
from minillama.quant import formats

ZERO_BLOCK = idea(
    "zero_block", "a block of zeros divided by its scale",
    "The largest weight of such a block is 0, so its scale is 0, and nothing can be divided by that.",
    "What does your function do with 32 zeros, and which numbers should be stored for them?", 0.8,
    only_wrong(ZEROS, scales_too=True),
)  # fmt: skip
PER_ROW = idea(
    "per_row", "one scale for a whole row",
    "Every block of 32 weights has a scale of its own, so that a large weight spoils 31 others at most.",
    "Over how many weights does your largest magnitude reach?",
)  # fmt: skip
PER_TENSOR = idea(
    "per_tensor", "one scale for the whole matrix",
    "Every block of 32 weights has a scale of its own, so that a large weight spoils 31 others at most.",
    "How many different scales are there in what you return?",
)  # fmt: skip
ROUNDED_SCALE = idea(
    "rounded_scale", "codes that come from the scale as float16 holds it",
    "ggml takes the codes from the exact scale, and rounds the scale only to store it.",
    "In which of your lines does the scale become float16: before or after the codes are made?", 0.8,
)  # fmt: skip
SCALE_LAST = idea(
    "scale_last", "a scale behind its codes", "A block begins with its scale.",
    "Which bytes does a reader find first?", 0.7,
)  # fmt: skip
PLANAR = idea(
    "planar", "all scales of a row first, and then all codes",
    "A block's scale stands beside its codes: whoever reads the weights needs both at once.",
    "Where in the row does your second block begin?", 0.7,
)  # fmt: skip


def laid_out(scales: np.ndarray, codes: np.ndarray, bugs: Bugs) -> np.ndarray:
    """Scales (N, n) and bytes of codes (N, n, c) as blocks: uint8 (N, n * (2 + c)), unless a bug puts them "
    "elsewhere."""
    d = np.ascontiguousarray(scales.astype("<f2"))[..., None].view(np.uint8)  # (N, n, 2)
    if "planar" in bugs:
        return np.concatenate([d.reshape(len(d), -1), codes.reshape(len(codes), -1)], axis=1)
    parts = [codes, d] if "scale_last" in bugs else [d, codes]
    return np.concatenate(parts, axis=2).reshape(len(d), -1)


def over(blocks: np.ndarray, bugs: Bugs) -> np.ndarray:
    """The largest magnitude: of each block (N, n), or of what a bug takes for one."""
    largest = np.abs(blocks).max(axis=2)
    if "per_row" in bugs:
        largest = np.broadcast_to(largest.max(axis=1, keepdims=True), largest.shape)
    return np.full_like(largest, largest.max()) if "per_tensor" in bugs else largest


def eight_scale(blocks: np.ndarray) -> np.ndarray:
    """The exact scale of each block."""
    return np.abs(blocks).max(axis=2) / 127


def faulty_eight(bugs: Bugs = frozenset()) -> Callable[[np.ndarray], np.ndarray]:
    """formats.quantize_q8_0 with these bugs."""

    def quantize(x: np.ndarray) -> np.ndarray:
        blocks = x.astype(np.float32).reshape(len(x), -1, 32)
        d = over(blocks, bugs) / np.float32(128 if "by_128" in bugs else 127)
        if "no_abs" in bugs:
            d = blocks.max(axis=2) / np.float32(127)
        if "range" in bugs:
            d = (blocks.max(axis=2) - blocks.min(axis=2)) / np.float32(255)
        by = d.astype(np.float16).astype(np.float32) if "rounded_scale" in bugs else d
        with np.errstate(all="ignore"):
            steps = blocks / by[..., None]
        if "zero_block" not in bugs:
            steps[np.isnan(steps)] = 0
        rounded = formats.round_half_away(steps)
        if "halves" in bugs:
            rounded = np.rint(steps)
        if "truncated" in bugs:
            rounded = np.trunc(steps)
        if "floored" in bugs:
            rounded = np.floor(steps)
        codes = np.where(np.isnan(rounded), -127, np.clip(rounded, -128, 127)).astype(np.int16)
        codes += 128 if "offset" in bugs else 0
        return laid_out(d, codes.astype(np.uint8), bugs)

    return quantize


def eight_bit_block(rng: Generator, d: float, negative: bool) -> np.ndarray:
    """32 weights whose largest magnitude is 127 steps, on the side that is asked for, and less than 100 on the "
    "other."""
    codes = rng.integers(-99, 100, 32)
    block, at = near(rng, codes, d), int(rng.integers(32))
    block[at] = (-127 if negative else 127) * d
    return block


def eight_cases(rng: Generator) -> Sequence[Case]:
    """Blocks of unequal size, zeros, halves, and weights that a rounded scale would move to the next code."""
    order = rng.permutation(4)
    sizes = np.array([0.3, 0.03, 0.004, 0.001])[order]
    unequal = [eight_bit_block(rng, step(rng, size), bool(i % 2)) for i, size in zip(order, sizes, strict=True)]
    zeros = [eight_bit_block(rng, step(rng), True), np.zeros(32), eight_bit_block(rng, step(rng), False)]
    unit = 2.0 ** int(rng.integers(-9, -5))
    halves = (rng.choice(np.arange(-60, 60), 32, replace=False) + 0.5) * unit
    halves[:4] = np.array([0.5, -0.5, 2.5, -2.5]) * unit
    halves[int(rng.integers(4, 32))] = -127 * unit
    d = crooked_step(rng)
    stored = float(np.float16(d))
    between = (rng.choice(np.arange(60, 120), 32) + 0.5) * rng.choice((-1, 1), 32) * (d + stored) / 2
    between[int(rng.integers(32))] = 127 * d
    return [
        Case(name="blocks of very unequal size", args=(matrix(unequal, 2),)),
        Case(name="a largest weight below zero", args=(matrix([eight_bit_block(rng, step(rng), True)]),)),
        Case(name=ZEROS, args=(matrix(zeros),)),
        Case(name=HALVES, args=(matrix([rng.permutation(halves)]),)),
        Case(name="a scale that float16 cannot hold", args=(matrix([between]),)),
    ]


quantize_q8_0 = Task(
    id="quant.quantize_q8_0", lesson=LESSON, kind="rebuild", title="Store weights in 8 bits: Q8_0", points=3,
    difficulty=2, importance=5, minutes=15,
    reference=formats.quantize_q8_0, faulty=faulty_eight, cases=eight_cases, driver="q8_0", framework="numpy",
    piece="minillama.quant.formats:quantize_q8_0", rtol=1e-4, atol=0, outputs=("the scales", "the codes"),
    forbidden=("minillama.quant.formats:quantize_q8_0", "gguf.quants:Q8_0.quantize_blocks"),
    misconceptions=(
        PER_ROW,
        PER_TENSOR,
        idea(
            "truncated", "codes whose fraction is cut off",
            "Cutting off moves every weight towards zero, by half a step on average. Rounding moves it either way, and "
            "by a quarter.",
            "Which code does a weight of 3.9 steps get?", 0.5, rounded_by(np.trunc, eight_scale, np.asarray),
        ),
        idea(
            "floored", "codes that are rounded down",
            "Rounding down moves every weight the same way, by half a step on average: the errors add up in a sum.",
            "Which codes do weights of 3.9 and -3.1 steps get?", 0.5, rounded_by(np.floor, eight_scale, np.asarray),
        ),
        idea(
            "halves", "halves that go to the even neighbour",
            "The task asks for C's rounding, in which halves go away from zero.",
            "Which codes do weights of exactly 0.5 and 2.5 steps get in yours?", 0.8, only_wrong(HALVES),
        ),
        ROUNDED_SCALE,
        idea(
            "by_128", "a scale of a 128th of the largest weight",
            "Eight bits with a sign reach from -128 to 127. The largest weight has to fit on either side.",
            "Which code does a largest weight above zero get?", 0.5,
            scales_like(lambda blocks: np.abs(blocks).max(axis=2) / 128),
        ),
        idea(
            "no_abs", "a largest weight that is looked for above zero only",
            "It is the magnitude that counts: the largest weight may be below zero.",
            "What is the largest magnitude of the numbers -9, 1, 2?", 0.3,
            scales_like(lambda blocks: blocks.max(axis=2) / 127),
        ),
        idea(
            "range", "a scale of the distance between the lowest and the highest weight",
            "Here zero stays in the middle: the scale is measured from zero to the largest magnitude.",
            "Which weight do you want to get the code 127, or -127?", 0.3,
            scales_like(lambda blocks: (blocks.max(axis=2) - blocks.min(axis=2)) / 255),
        ),
        ZERO_BLOCK,
        idea(
            "offset", "codes that are stored with 128 added",
            "A code below zero is stored as it is, in two's complement: the byte of -1 is 255.",
            "Which byte stands for the code 0 in yours?", 0.6,
        ),
        SCALE_LAST,
        PLANAR,
    ),
    hints=(
        "For every 32 weights: find the largest magnitude, make it the code 127, and measure the others with the same "
        "stick.",
        "x (N, K) as (N, K / 32, 32); a scale for each block (N, K / 32, 1); a block's bytes are 2 of the scale as "
        "float16 and 32 of the codes as int8. `array.view(np.uint8)` shows the bytes of an array.",
        "blocks of 32\nd = largest magnitude / 127\ncodes = blocks / d, to the nearest, halves away from zero; 0 "
        "where d "
        "is 0\nfor each block: the bytes of d as float16, then the bytes of the codes\na row of bytes for each row "
        "of x",
    ),
)  # fmt: skip
