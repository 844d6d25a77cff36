"""Lesson 12's products: rows of Q8_0 and Q4_0 blocks times activations of 8 bits."""

from collections.abc import Callable, Sequence

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.kernels_inputs import (
    BLOCK,
    IN_FLOAT,
    LESSON,
    SCALES,
    SUMS,
    activations,
    block_sums,
    halves,
    in_bytes,
    joined,
    quantize,
)
from minillama.quant.kernels import ladder_int8

Matvec = Callable[[np.ndarray, np.ndarray], np.ndarray]
FORBIDDEN = tuple(
    f"minillama.quant.kernels.{place}"
    for place in (
        "ladder_int8:matvec_q8", "ladder_int8:matvec_q4", "ladder_int8:matmul_q4", "ladder_int8:rows_q4",
        "ladder:matvec_python", "ladder:matvec_numpy", "ladder:matvec_loops", "ladder:matvec_fused", "matmul:matmul",
        "matmul:matvec",
    )
)  # fmt: skip


def multiplied(weights: np.ndarray, steps: np.ndarray, x: np.ndarray, bugs: Bugs) -> np.ndarray:
    """Codes of weights (N, B, 32) and their steps (N, B) times activations (K,), with these bugs."""
    codes, scales = quantize(x)
    sums = block_sums(weights, codes, bugs)
    if "in_float" in bugs:
        sums, scales = (weights * x.astype(np.float64).reshape(-1, BLOCK)).sum(axis=-1), np.ones_like(scales)
    return joined(sums, steps, scales, bugs)


def faulty_q8(bugs: Bugs = frozenset()) -> Matvec:
    """ladder_int8.matvec_q8 with these bugs."""

    def matvec_q8(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
        stored = blocks.reshape(len(blocks), -1, 34)
        steps = np.ascontiguousarray(stored[..., :2]).view("<f2")[..., 0].astype(np.float64)
        weights = np.ascontiguousarray(stored[..., :32] if "scale_as_codes" in bugs else stored[..., 2:])
        return multiplied(weights.view(np.uint8 if "unsigned" in bugs else np.int8).astype(np.int64), steps, x, bugs)

    return matvec_q8


def q8_cases(rng: Generator) -> Sequence[Case]:
    """Sums beyond 8 bits, beyond 16, activations beside their steps, scales far apart."""

    def blocks(rows: int, exponents: Sequence[int], least: int, most: int) -> np.ndarray:
        codes = rng.integers(least, most + 1, (rows, len(exponents), BLOCK)).astype(np.int8)
        return in_bytes(halves(rng, rows, exponents)[..., None], codes)

    return [
        Case(name="codes of both signs", args=(blocks(5, (-6, -6), -127, 127), activations(rng, (-6, -6)))),
        Case(
            name="large codes of one sign", args=(blocks(3, (-7, -7, -7), 90, 127), activations(rng, (-7, -7, -7), 90))
        ),
        Case(
            name="activations between two steps",
            args=(blocks(4, (-6, -5), 20, 127), activations(rng, (-3, -2), 1, 3, beside=0.4)),
        ),
        Case(name="scales far apart", args=(blocks(2, (-2, -8, -5), -60, 60), activations(rng, (-8, -2, -5), -60, 90))),
    ]


matvec_q8 = Task(
    id="kernels.matvec_q8", lesson=LESSON, kind="rebuild", title="Multiply 8 bits by 8 bits", points=4, difficulty=3,
    importance=5, minutes=20,
    reference=ladder_int8.matvec_q8, faulty=faulty_q8, cases=q8_cases, framework="numpy", outputs=("y",),
    piece="minillama.quant.kernels.ladder_int8:matvec_q8", forbidden=FORBIDDEN, rtol=1e-4, atol=1e-3, time_limit_s=90,
    misconceptions=(
        *SUMS,
        idea(
            "int16_sum", "a sum that is kept in 16 bits",
            "One product fits in 16 bits. Three large ones do not.",
            "What is the largest sum of 32 products, and what is the largest number of 16 bits with a sign?", 0.4,
        ),
        IN_FLOAT,
        *SCALES,
        idea(
            "unsigned", "codes that were read without their sign",
            "A code of Q8_0 runs from -127 to 127; the same byte without a sign runs from 0 to 255.",
            "Which dtype has the array of bytes that you multiply?",
        ),
        idea(
            "scale_as_codes", "codes that begin at the first byte of a block",
            "A block of 34 bytes begins with its scale, a float16.",
            "Which bytes of a block are codes, and which are none?",
        ),
    ),
    hints=(
        "Within a block there are whole numbers only; the two scales come in once, when its sum is done.",
        "blocks (N, B * 34) bytes: a float16 and 32 int8 for each block. Activations: codes (B, 32), scales (B,). "
        "y (N,).",
        "codes and scales of the activations\nfor each row, for each block:\n    sum of weight code x activation code, "
        "in 32 bits\n    times the block's scale, times the activations' scale, onto the row's total",
    ),
)  # fmt: skip


def split(stored: np.ndarray, bugs: Bugs) -> np.ndarray:
    """The 32 codes of 16 bytes, (..., 16) uint8 to (..., 32) whole numbers."""
    low, high = (stored & 15).astype(np.int64), (stored >> 4).astype(np.int64)
    if "high_first" in bugs:
        low, high = high, low
    if "neighbours" in bugs:
        return np.stack([low, high], axis=-1).reshape(*stored.shape[:-1], BLOCK)
    return np.concatenate([low, high], axis=-1)


def faulty_q4(bugs: Bugs = frozenset()) -> Matvec:
    """ladder_int8.matvec_q4 with these bugs."""

    def matvec_q4(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
        stored = blocks.reshape(len(blocks), -1, 18)
        steps = np.ascontiguousarray(stored[..., :2]).view("<f2")[..., 0].astype(np.float64)
        weights = split(stored[..., 2:], bugs)
        if "twos_complement" in bugs:
            weights = weights - 16 * (weights > 7)
        elif "no_offset" not in bugs:
            weights = (weights - 8) % 256 if "unsigned_offset" in bugs else weights - 8
        return multiplied(weights, steps, x, bugs)

    return matvec_q4


def q4_cases(rng: Generator) -> Sequence[Case]:
    """Halves of a block that differ, activations beside their steps, scales far apart, all codes at one end."""

    def blocks(rows: int, exponents: Sequence[int], *bytes_of: int) -> np.ndarray:
        shape = (rows, len(exponents), BLOCK // 2)
        codes = rng.choice(np.array(bytes_of, np.uint8), shape) if bytes_of else rng.integers(0, 256, shape, np.uint8)
        return in_bytes(halves(rng, rows, exponents)[..., None], codes)

    return [
        Case(name="codes of all kinds", args=(blocks(5, (-4, -4)), activations(rng, (-5, -5)))),
        Case(
            name="codes at the ends of their range",
            args=(blocks(3, (-5, -4, -5), 0x00, 0x11, 0x01), activations(rng, (-6, -6, -6), 60)),
        ),
        Case(
            name="activations between two steps",
            args=(blocks(4, (-4, -3), 0xCD, 0xDE, 0xEF, 0xFC), activations(rng, (-3, -2), 1, 3, beside=0.4)),
        ),
        Case(name="scales far apart", args=(blocks(2, (0, -6, -3)), activations(rng, (-8, -2, -5), -60, 90))),
    ]


matvec_q4 = Task(
    id="kernels.matvec_q4", lesson=LESSON, kind="rebuild", title="Multiply 4 bits by 8 bits", points=4, difficulty=3,
    importance=5, minutes=20,
    reference=ladder_int8.matvec_q4, faulty=faulty_q4, cases=q4_cases, framework="numpy", outputs=("y",),
    piece="minillama.quant.kernels.ladder_int8:matvec_q4", forbidden=FORBIDDEN, rtol=1e-4, atol=1e-3, time_limit_s=90,
    misconceptions=(
        idea(
            "no_offset", "nibbles that were multiplied as they are stored",
            "A nibble runs from 0 to 15, a code of Q4_0 from -8 to 7: the middle is stored as 8.",
            "Which weight does the nibble 8 stand for?",
        ),
        idea(
            "twos_complement", "nibbles whose upper half is negative",
            "Q4_0 stores a code plus 8, so the nibble grows with the weight all the way.",
            "Which of the nibbles 0, 7, 8 and 15 stands for the smallest weight?",
        ),
        idea(
            "unsigned_offset", "an 8 that was taken from a byte without a sign",
            "A byte without a sign has no room for -3: it wraps to 253.",
            "Which dtype has a nibble when you take 8 from it?",
        ),
        idea(
            "neighbours", "two nibbles of a byte that are neighbours in the row",
            "Byte i of a block holds columns i and 16 + i.", "Which two columns are in byte 0?",
        ),
        idea(
            "high_first", "a block whose halves changed places", "The low nibbles are the first half of a block.",
            "Which four bits of byte 0 belong to column 0?",
        ),
        *SUMS,
        IN_FLOAT,
        *SCALES,
    ),
    hints=(
        "As with 8 bits; only the weights' codes have to be taken apart first, and moved to their place around 0.",
        "blocks (N, B * 18) bytes: a float16 and 16 bytes of two codes for each block. Codes (B, 32), scales "
        "(B,). y (N,).",
        "codes and scales of the activations\nfor each row, for each block:\n    16 low nibbles, then 16 high "
        "ones, each "
        "moved by its offset, as numbers with a sign\n    sum of weight code x activation code, in 32 bits\n  "
        "  times the "
        "block's scale, times the activations' scale, onto the row's total",
    ),
)  # fmt: skip
