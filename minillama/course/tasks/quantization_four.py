"""Lesson 11's Q4_0: two codes in a byte, and a scale whose sign counts."""

from collections.abc import Callable, Sequence

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.quantization_eight import (
    PER_ROW,
    PER_TENSOR,
    PLANAR,
    ROUNDED_SCALE,
    SCALE_LAST,
    ZERO_BLOCK,
    laid_out,
)
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
    step,
)
from minillama.quant import formats

NEIGHBOURS = idea(
    "neighbours", "two neighbours in one byte",
    "Byte j holds weight j of the block and weight j + 16: sixteen bytes then unpack into two halves at once.",
    "Which weight shares a byte with weight 0?",
)  # fmt: skip
SWAPPED = idea(
    "swapped", "the two halves of each byte exchanged",
    "The first sixteen weights of a block are in the low four bits, the others in the high ones.",
    "In which four bits of the first byte is weight 0?",
)  # fmt: skip


def signed_largest(blocks: np.ndarray, bugs: Bugs) -> np.ndarray:
    """The first weight of largest magnitude in each block, with its sign (N, n), or what a bug takes for it."""
    if "no_abs" in bugs:
        return blocks.max(axis=2)
    size = np.abs(blocks)
    at = size.argmax(axis=2)
    if "tie" in bugs:
        at = 31 - size[..., ::-1].argmax(axis=2)
    found = np.take_along_axis(blocks, at[..., None], axis=2)[..., 0]
    if "per_row" in bugs or "per_tensor" in bugs:
        rows = blocks.reshape(1, -1) if "per_tensor" in bugs else blocks.reshape(len(blocks), -1)
        one = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
        found = np.broadcast_to(one, found.shape)
    return found


def packed(codes: np.ndarray, bugs: Bugs) -> np.ndarray:
    """Codes (N, n, 32), whole numbers, in 16 bytes a block."""
    low, high = codes[..., :16], codes[..., 16:]
    if "neighbours" in bugs:
        low, high = codes[..., ::2], codes[..., 1::2]
    if "swapped" in bugs:
        low, high = high, low
    return (low | (high << 4)).astype(np.uint8)


def centred(stored: np.ndarray) -> np.ndarray:
    """Bytes of codes (N, n, 16) as codes around zero (N, n, 32)."""
    stored = np.asarray(stored).astype(np.int64)
    return np.concatenate([stored & 15, stored >> 4], axis=-1) - 8


def four_scale(blocks: np.ndarray) -> np.ndarray:
    """The exact scale of each block."""
    return signed_largest(blocks, frozenset()) / -8


def faulty_four(bugs: Bugs = frozenset()) -> Callable[[np.ndarray], np.ndarray]:
    """formats.quantize_q4_0 with these bugs."""

    def quantize(x: np.ndarray) -> np.ndarray:
        blocks = x.astype(np.float32).reshape(len(x), -1, 32)
        largest = signed_largest(blocks, bugs)
        if "sign_lost" in bugs or "symmetric" in bugs or "always_below" in bugs:
            largest = np.abs(largest)
        d = largest / np.float32(7 if "symmetric" in bugs else 8 if bugs & {"sign_lost", "other_end"} else -8)
        by = d.astype(np.float16).astype(np.float32) if "rounded_scale" in bugs else d
        with np.errstate(all="ignore"):
            steps = blocks / by[..., None]
        if "zero_block" not in bugs:
            steps[np.isnan(steps)] = 0
        rounded = np.floor(steps + np.float32(0.5))
        if "halves" in bugs:
            rounded = np.rint(steps)
        if "truncated" in bugs:
            rounded = np.trunc(steps)
        if "floored" in bugs:
            rounded = np.floor(steps)
        codes = np.where(np.isnan(rounded), 0, rounded + 8)
        codes = np.clip(codes, 0, 16 if "unclipped" in bugs else 15).astype(np.int64)
        if "no_offset" in bugs:
            codes = (codes - 8) & 15
        return laid_out(d, packed(codes, bugs), bugs)

    return quantize


def four_bit_block(rng: Generator, d: float, low_codes: Sequence[int] = ()) -> np.ndarray:
    """32 weights whose largest magnitude is -8 steps of d, which may be negative; `low_codes` come first."""
    codes = rng.integers(2, 15, 32)
    codes[: len(low_codes)] = low_codes
    block = near(rng, codes - 8, d)
    block[int(rng.integers(len(low_codes), 32))] = -8 * d
    return block


def clipped_block(rng: Generator, d: float, steps: float, at: int, largest_at: int) -> np.ndarray:
    """A block with one weight of so many steps above zero; the code beside it in its byte is even."""
    codes = rng.integers(2, 15, 32)
    codes[at + 16] = 2 * int(rng.integers(1, 7))
    block = near(rng, codes - 8, d)
    block[at], block[largest_at] = steps * d, -8 * d
    return block


def four_cases(rng: Generator) -> Sequence[Case]:
    """Unequal blocks of both signs, zeros, halves, a crooked scale, both ends of the range, and a tie."""
    order = rng.permutation(4)
    unequal = [four_bit_block(rng, step(rng, (0.3, 0.03, 0.004, 0.001)[i]) * (-1) ** i) for i in order]
    zeros = [four_bit_block(rng, step(rng)), np.zeros(32), four_bit_block(rng, -step(rng))]
    unit = 2.0 ** int(rng.integers(-7, -3)) * float(rng.choice((-1, 1)))
    halves = (rng.integers(-7, 7, 32) + 0.5) * unit
    halves[:4] = np.array([0.5, -0.5, 2.5, -2.5]) * unit
    halves[int(rng.integers(4, 32))] = -8 * unit
    d = crooked_step(rng) * float(rng.choice((-1, 1)))
    between = (rng.choice((-7, -6, -5, 4, 5, 6), 32) + 0.5) * (d + float(np.float16(d))) / 2
    between[int(rng.integers(32))] = -8 * d
    below, above = int(rng.integers(0, 8)), int(rng.integers(8, 16))
    return [
        Case(name="blocks of very unequal size", args=(matrix(unequal, 2),)),
        Case(name="a largest weight above zero", args=(matrix([four_bit_block(rng, -step(rng))]),)),
        Case(name="a largest weight below zero", args=(matrix([four_bit_block(rng, step(rng))]),)),
        Case(name=ZEROS, args=(matrix(zeros),)),
        Case(name=HALVES, args=(matrix([halves]),)),
        Case(name="a scale that float16 cannot hold", args=(matrix([between]),)),
        Case(
            name="a weight nearly as large on the other side",
            args=(matrix([clipped_block(rng, step(rng), 7.8, above, below)]),),
        ),
        Case(
            name="two weights of one magnitude, first the one below zero",
            args=(matrix([clipped_block(rng, step(rng), 8.0, above, below)]),),
        ),
    ]


quantize_q4_0 = Task(
    id="quant.quantize_q4_0", lesson=LESSON, kind="rebuild", title="Store weights in 4 bits: Q4_0", points=5,
    difficulty=4, importance=5, minutes=25,
    reference=formats.quantize_q4_0, faulty=faulty_four, cases=four_cases, driver="q4_0", framework="numpy",
    piece="minillama.quant.formats:quantize_q4_0", rtol=1e-4, atol=0, outputs=("the scales", "the bytes of the codes"),
    forbidden=(
        "minillama.quant.formats:quantize_q4_0", "minillama.quant.rounding:kept",
        "minillama.quant.rounding:signed_blocks", "gguf.quants:Q4_0.quantize_blocks",
    ),
    misconceptions=(
        idea(
            "symmetric", "codes from -7 to 7, as many below zero as above",
            "Four bits have sixteen values. Q4_0 uses all of them: the largest weight lies at -8 steps, whichever sign "
            "it has.",
            "How many different codes can yours give?",
        ),
        idea(
            "sign_lost", "a scale that is never below zero",
            "The range reaches to -8 on one side and to 7 on the other. The scale takes the sign that brings the "
            "largest weight to the long side.",
            "Which code does a largest weight above zero get, and which weight is read back for it?",
        ),
        idea(
            "always_below", "a scale that is always below zero",
            "The scale takes the sign that brings the largest weight to -8 steps, so it depends on that weight's sign.",
            "How many steps is a largest weight below zero in yours?",
        ),
        idea(
            "other_end", "a largest weight at 8 steps, where there is no code",
            "The codes stand for -8 to 7 steps. Only one end of that is 8 steps away from zero.",
            "Which code does the largest weight get, and which weight is read back for it?",
        ),
        idea(
            "no_abs", "a largest weight that is looked for above zero only",
            "It is the magnitude that counts, and then the sign of the weight that has it.",
            "Which of -9, 1 and 2 is largest here?", 0.3,
        ),
        idea(
            "tie", "another weight than the first where two have the largest magnitude",
            "Of several weights of the largest magnitude the first one decides about the sign.",
            "Which of -3 and 3 does your function pick, if -3 comes first?", 0.8,
        ),
        PER_ROW,
        PER_TENSOR,
        idea(
            "truncated", "codes whose fraction is cut off",
            "A weight gets the code that it is nearest to.", "Which code does a weight of 2.9 steps get? And -2.9?",
            0.5, rounded_by(np.trunc, four_scale, centred),
        ),
        idea(
            "floored", "codes that are rounded down", "A weight gets the code that it is nearest to.",
            "How much has to be added before the fraction is cut off?", 0.5,
            rounded_by(np.floor, four_scale, centred),
        ),
        idea(
            "halves", "halves that are rounded in another way",
            "The task names a formula: 8.5 is added, and the fraction cut off. Halves then go up, on both sides of "
            "zero.",
            "Which codes do weights of exactly 2.5 and -2.5 steps get in yours?", 0.8, only_wrong(HALVES),
        ),
        ROUNDED_SCALE,
        ZERO_BLOCK,
        idea(
            "unclipped", "a code of 16",
            "A weight that is nearly as large as the largest, with the other sign, is rounded to 8 steps, and no four "
            "bits hold a 16.",
            "What becomes of a weight of 7.8 steps, and of the one that shares its byte?",
        ),
        NEIGHBOURS,
        SWAPPED,
        idea(
            "no_offset", "codes in two's complement, without the 8",
            "The codes are stored as 0 to 15: 8 stands for zero.", "Which four bits stand for a weight of 0 in yours?",
            0.6,
        ),
        SCALE_LAST,
        PLANAR,
    ),
    hints=(
        "Find the weight of largest magnitude, and choose the scale so that this very weight lies at -8 steps: that "
        "fixes its size and its sign.",
        "x (N, K) as (N, K / 32, 32); `argmax` of the magnitudes says where the largest weight is, "
        "`np.take_along_axis` gets it. A block's bytes: 2 of the scale as float16, 16 with two codes each.",
        "m = the first weight of largest magnitude, with its sign\nd = m / -8\ncodes = cut off (blocks / d + 8.5), at "
        "most 15; 8 where d is 0\nbyte j = code j + 16 * code j+16\nfor each block: the bytes of d as float16, then "
        "the "
        "16 bytes",
    ),
)  # fmt: skip
