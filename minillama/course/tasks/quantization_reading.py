"""Lesson 11's way back, from blocks to weights: Q4_0, and a reader of Q8_0 that needs repair."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.quantization_eight import laid_out
from minillama.course.tasks.quantization_inputs import LESSON, Generator, Signature, step
from minillama.quant import formats

FIRST_SCALE = idea(
    "first_scale", "the scale of the first block used for all",
    "Every block has a scale of its own, in its first two bytes.", "Which scale do the weights of block 1 get?",
)  # fmt: skip
MIXED_ROWS = idea(
    "by_place", "weights that are laid out block by block in another order",
    "The blocks of a row follow each other, and so do their weights: block 1 makes the weights 32 to 63.",
    "Which weight of its row is the first one of block 1?",
)  # fmt: skip


def scale_and_rest(blocks: np.ndarray, block_bytes: int, bugs: Bugs) -> tuple[np.ndarray, np.ndarray]:
    """The scales float32 (N, n, 1) and the other bytes of each block (N, n, block_bytes - 2)."""
    parts = blocks.reshape(len(blocks), -1, block_bytes)
    at = slice(block_bytes - 2, block_bytes) if "scale_last" in bugs else slice(0, 2)
    kind = "<i2" if "scale_as_integer" in bugs else ">f2" if "big_endian" in bugs else "<f2"
    d = np.ascontiguousarray(parts[..., at]).view(kind).astype(np.float32)
    if "first_scale" in bugs:
        d = np.broadcast_to(d[:1, :1], d.shape)
    if "magnitude" in bugs:
        d = np.abs(d)
    return d, parts[..., : block_bytes - 2] if "scale_last" in bugs else parts[..., 2:]


def in_row(values: np.ndarray, bugs: Bugs) -> np.ndarray:
    """(N, n, 32) as rows (N, 32 n)."""
    if "by_place" in bugs:
        values = values.swapaxes(1, 2)
    return np.ascontiguousarray(values).reshape(len(values), -1).astype(np.float32)


def rounded_to_half(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """A signature: is everything right, but only as far as float16 goes, and somewhere no further?"""
    telling = False
    for got, right in zip(outputs, expected, strict=True):
        with np.errstate(over="ignore"):
            half = np.asarray(right).astype(np.float16).astype(np.float64)
        fits = (np.abs(got - half) <= 1e-3 * np.abs(half) + 1e-7) | (np.isinf(half) & (got == half))
        if not fits.all():
            return False
        telling |= not np.allclose(got, right, rtol=1e-4, atol=0)
    return telling


IN_16_BITS = idea(
    "in_16_bits", "products that are made in 16 bits",
    "A float16 ends at 65,504, and has eleven digits of its own: a product of scale and code needs more.",
    "Which dtype do your scales have when they are multiplied?", 0.7, rounded_to_half,
)  # fmt: skip


def faulty_reader(bugs: Bugs = frozenset()) -> Callable[[np.ndarray], np.ndarray]:
    """formats.dequantize_q4_0 with these bugs."""

    def dequantize(blocks: np.ndarray) -> np.ndarray:
        d, stored = scale_and_rest(blocks, 18, bugs)
        packed = stored.astype(np.int64)
        low, high = packed & 15, packed >> 4
        if "unmasked" in bugs:
            low = packed
        if "unshifted" in bugs:
            high = packed & 240
        if "swapped" in bugs:
            low, high = high, low
        codes = np.concatenate([low, high], axis=-1)
        if "neighbours" in bugs:
            codes = np.stack([low, high], axis=-1).reshape(codes.shape)
        codes = codes - (0 if "no_offset" in bugs else 7 if "seven" in bugs else 8)
        if "wraps" in bugs:
            codes &= 255
        if "twos_complement" in bugs:
            codes = np.where(codes >= 0, codes - 8, codes + 8)
        with np.errstate(over="ignore"):
            values = d * codes.astype(np.float32)
            values = values.astype(np.float16) if "in_16_bits" in bugs else values
        return in_row(values, bugs)

    return dequantize


def read_by(reader: Callable[[np.ndarray], np.ndarray]) -> Signature:
    """A signature: are these the numbers of a wrong reader, in whichever precision?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        for case, got in zip(cases, outputs, strict=True):
            wanted = reader(case.args[0]).astype(np.float64)
            near = np.abs(got - wanted) <= 1e-3 * np.abs(wanted) + 1e-7
            if not (near | (np.isinf(got) & (np.abs(wanted) > 65_000))).all():
                return False
        return True

    return fits


def blocks_of(rng: Generator, scales: np.ndarray, codes: str, low: int, high: int, each: int) -> np.ndarray:
    """Rows of blocks with these scales (N, n) and random codes: uint8 (N, n * (2 + each))."""
    made = rng.integers(low, high, (*scales.shape, each)).astype(codes).view(np.uint8)
    return laid_out(scales, made, frozenset())


def reading_cases(rng: Generator) -> Sequence[Case]:
    """Scales of both signs and of several sizes, large ones, and one of zero."""
    usual = np.array([[step(rng), -step(rng, 0.1)], [-step(rng, 0.03), step(rng, 2.0)]])
    large = np.array([[step(rng, 12_000.0), -step(rng, 20_000.0)]])
    still = np.array([[step(rng), 0.0, -step(rng)]])
    return [
        Case(name=name, args=(blocks_of(rng, scales, "u1", 0, 256, 16),))
        for name, scales in (("scales of both signs", usual), ("large scales", large), ("a scale of zero", still))
    ]


dequantize_q4_0 = Task(
    id="quant.dequantize_q4_0", lesson=LESSON, kind="rebuild", title="Read Q4_0 back", points=3, difficulty=3,
    importance=5, minutes=12,
    reference=formats.dequantize_q4_0, faulty=faulty_reader, cases=reading_cases, framework="numpy",
    piece="minillama.quant.formats:dequantize_q4_0", rtol=1e-4, atol=0, outputs=("the weights",), exact_dtype=True,
    forbidden=("minillama.quant.formats:dequantize_q4_0", "gguf.quants:Q4_0.dequantize_blocks"),
    misconceptions=(
        idea(
            "no_offset", "codes from 0 to 15 that are never moved", "The code 8 stands for zero.",
            "Which weights below zero does yours give, where the scale is above it?", 0.5,
            read_by(faulty_reader(frozenset({"no_offset"}))),
        ),
        idea("seven", "codes that are moved by 7", "The code 8 stands for zero.",
             "Which code stands for zero in yours?"),
        idea(
            "wraps", "codes below zero that wrap round to about 250",
            "A uint8 knows no numbers below zero: 3 - 8 is 251.", "Which dtype have your codes when 8 is taken away?",
            0.5, read_by(faulty_reader(frozenset({"wraps"}))),
        ),
        idea(
            "twos_complement", "codes read as two's complement", "The stored numbers are 0 to 15, and 8 stands for "
            "zero.",
            "Which weight do the bits 1000 stand for?",
        ),
        idea(
            "swapped", "the two halves of each byte exchanged",
            "The low four bits hold the first sixteen weights of a block, the high ones the others.",
            "Which four bits of the first byte become weight 0?",
        ),
        idea(
            "neighbours", "the two weights of a byte side by side",
            "Byte j holds weight j of the block and weight j + 16.", "Where do the high four bits of byte 0 end up?",
        ),
        idea(
            "unmasked", "low codes that still have the high four bits",
            "A byte is one number up to 255. Its low four bits alone are at most 15.",
            "How large can your low codes be?",
        ),
        idea(
            "unshifted", "high codes that are sixteen times too large",
            "The high four bits count 16, 32, 64 and 128 as long as they are not moved down.",
            "How large can your high codes be?",
        ),
        FIRST_SCALE,
        MIXED_ROWS,
        idea("magnitude", "scales without their sign", "A scale may be below zero: it turns its whole block round.",
             "What becomes of a scale of -0.5 in yours?"),
        idea(
            "scale_as_integer", "the scale's two bytes read as a whole number",
            "The two bytes are a float16.", "How large are your scales, beside the weights of a model?",
        ),
        idea("big_endian", "the scale's two bytes in the other order", "The lower byte comes first.",
             "How large are your scales, beside the weights of a model?"),
        idea("scale_last", "the scale looked for behind the codes", "A block begins with its scale.",
             "Which two bytes of the eighteen do you take?"),
        IN_16_BITS,
    ),
    hints=(
        "Cut the bytes into blocks, each block into its scale and its codes; then one product.",
        "blocks (N, n * 18) as (N, n, 18): 2 bytes of scale, to be *viewed* as float16, and 16 bytes with two codes "
        "each. `& 15` keeps four bits, `>> 4` moves the others down.",
        "for each block: d = its first two bytes as float16, made float32\ncodes = the low halves of the 16 bytes, "
        "then "
        "the high halves\nweights = d * (codes - 8), with codes that may be below zero\nthe blocks of a row one after "
        "the other",
    ),
)  # fmt: skip


# A reader of Q8_0 in which no weight is below zero


def faulty_repair(bugs: Bugs = frozenset()) -> Callable[[np.ndarray], np.ndarray]:
    """formats.dequantize_q8_0 with these bugs."""

    def repair_q8_0(blocks: np.ndarray) -> np.ndarray:
        d, stored = scale_and_rest(blocks, 34, bugs)
        codes = stored.astype(np.int64)
        below = codes > 127
        if "minus_128" in bugs:
            codes = codes - 128
        elif "sign_bit" in bugs:
            codes = np.where(below, 128 - codes, codes)
        elif "minus_255" in bugs:
            codes = np.where(below, codes - 255, codes)
        elif "unsigned" not in bugs:
            codes = np.where(below, codes - 256, codes)
        with np.errstate(over="ignore"):
            values = d * codes.astype(np.float32)
            values = values.astype(np.float16) if "in_16_bits" in bugs else values
        return in_row(values, bugs)

    return repair_q8_0


def repair_cases(rng: Generator) -> Sequence[Case]:
    """Two rows of blocks, and scales with which products leave float16."""
    usual = np.array([[step(rng), step(rng, 0.1)], [step(rng, 0.03), step(rng, 2.0)]])
    large = np.array([[step(rng, 700.0), step(rng, 900.0)]])
    return [
        Case(name=name, args=(blocks_of(rng, scales, "i1", -127, 128, 32),))
        for name, scales in (("two rows of two blocks", usual), ("large scales", large))
    ]


repair_q8_0 = Task(
    id="quant.repair_q8_0", lesson=LESSON, kind="diagnose", title="Repair a reader without negative weights", points=4,
    difficulty=3, importance=4, minutes=12,
    reference=faulty_repair(), faulty=faulty_repair, cases=repair_cases, framework="numpy", rtol=1e-4, atol=0,
    outputs=("the weights",),
    forbidden=("minillama.quant.formats:dequantize_q8_0", "gguf.quants:Q8_0.dequantize_blocks"),
    misconceptions=(
        idea(
            "unsigned", "codes from 0 to 255, so that no weight is below zero",
            "A code is a byte with a sign: from -127 to 127.", "Which number does the byte 255 stand for?", 0.1,
            read_by(faulty_repair(frozenset({"unsigned"}))),
        ),
        idea(
            "minus_128", "128 taken away from every byte",
            "In two's complement 0 is 0 and 1 is 1; only bytes from 128 on stand for numbers below zero.",
            "Which weight does the byte 0 stand for in yours?",
        ),
        idea(
            "sign_bit", "the highest bit as a sign, and the others as a magnitude",
            "In two's complement the byte 255 is -1, and 129 is -127.", "Which number is the byte 255 in yours?",
        ),
        idea(
            "minus_255", "255 taken away from the bytes of negative codes",
            "A byte has 256 values, and after 255 comes 0 again.", "Which number is the byte 255 in yours?", 0.6,
        ),
        FIRST_SCALE,
        MIXED_ROWS,
        IN_16_BITS,
    ),
    hints=(
        "Make one block by hand whose codes are 1 and -1, and look at its bytes as she reads them. Then look at the "
        "dtype of what she returns.",
        "stored[:, 2:] is uint8 (blocks, 32); the same bytes can be viewed as another dtype of one byte.",
        "the codes: the same bytes, viewed as numbers with a sign\nthe scales: float32 before they are multiplied\n"
        "the product, laid out as it was",
    ),
)  # fmt: skip
