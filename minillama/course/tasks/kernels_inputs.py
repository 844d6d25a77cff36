"""What lesson 12's tasks share: blocks and activations that every right spelling rounds alike, and sums that wrap."""

from collections.abc import Sequence

import numpy as np

from minillama.course.record import Bugs
from minillama.course.tasks.generate_ideas import Generator, idea

LESSON = "12_kernels"
BLOCK = 32


def activations(
    rng: Generator, exponents: Sequence[int], least: int = -126, most: int = 126, beside: float = 0.3
) -> np.ndarray:
    """float32 (K,): a block for each exponent, whose scale is 2 to that power.

    Codes run from `least` to `most`, and one of each block is 127; the others lie up to `beside` steps from theirs, so
    that no rounding doubts and only a product of floats sees it.
    """
    codes = rng.integers(least, most + 1, (len(exponents), BLOCK)).astype(np.float64)
    codes += rng.uniform(0.5, 1, codes.shape) * beside * np.where(codes < 0, -1, 1)
    codes[np.arange(len(codes)), rng.integers(0, BLOCK, len(codes))] = 127
    return (codes * 2.0 ** np.array(exponents)[:, None]).reshape(-1).astype(np.float32)


def halves(rng: Generator, rows: int, exponents: Sequence[int]) -> np.ndarray:
    """float16 (N, B): scales of mixed sizes, those of block b around 2 to the power of its exponent."""
    return (rng.uniform(1, 2, (rows, len(exponents))) * 2.0 ** np.array(exponents)).astype(np.float16)


def in_bytes(*parts: np.ndarray) -> np.ndarray:
    """Blocks whose parts, each (N, B, n) of any type, follow one another: uint8 (N, bytes of a row)."""
    flat = [np.ascontiguousarray(part).view(np.uint8).reshape(*part.shape[:2], -1) for part in parts]
    return np.concatenate(flat, axis=2).reshape(len(parts[0]), -1)


def quantize(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Activations as whole numbers (B, 32) and scales (B,)."""
    blocks = x.astype(np.float64).reshape(-1, BLOCK)
    scales = np.abs(blocks).max(axis=1) / 127
    return np.rint(blocks / np.where(scales, scales, 1)[:, None]).astype(np.int64), scales


def wrap(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Whole numbers as so many bits hold them, with a sign."""
    return (numbers + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def block_sums(weights: np.ndarray, codes: np.ndarray, bugs: Bugs) -> np.ndarray:
    """The sum of each block's products, (N, B, 32) and (B, 32) to (N, B), in too few bits where the bugs say so."""
    products = weights * codes
    if "int8_products" in bugs:
        products = wrap(products, 8)
    sums = products.sum(axis=-1)
    if "int8_sum" in bugs:
        return wrap(sums, 8)
    return wrap(sums, 16) if "int16_sum" in bugs else sums


def joined(sums: np.ndarray, steps: np.ndarray, scales: np.ndarray, bugs: Bugs) -> np.ndarray:
    """Sums of blocks times both scales, summed over the row: (N, B), (N, B), (B,) to (N,)."""
    if "weight_scale_lost" in bugs:
        steps = np.ones_like(steps)
    if "first_weight_scale" in bugs:
        steps = np.repeat(steps[:, :1], steps.shape[1], axis=1)
    if "activation_scale_lost" in bugs:
        scales = np.ones_like(scales)
    if "first_activation_scale" in bugs:
        scales = np.full_like(scales, scales[0])
    return (sums * steps * scales).sum(axis=1).astype(np.float32)


SUMS = (
    idea(
        "int8_sum", "a sum that is kept in 8 bits",
        "Eight bits with a sign end at 127; what goes over the end comes back in at the other one.",
        "How large can the sum of 32 products get, and how many bits does that take?", 0.3,
    ),
    idea(
        "int8_products", "products that are kept in 8 bits",
        "A product of two numbers of 8 bits needs 16, and NumPy gives it the type of its factors.",
        "Which dtype has your array of products before you sum it?", 0.3,
    ),
)  # fmt: skip
IN_FLOAT = idea(
    "in_float", "activations that were never rounded to 8 bits",
    "The speed comes from multiplying whole numbers: codes of weights by codes of activations.",
    "Which of your lines uses the codes of `quantize_activations`?",
)  # fmt: skip
SCALES = (
    idea(
        "weight_scale_lost", "products without the scales of the weights",
        "A code says how many steps, not how long one is.",
        "What do you read from the first two bytes of a block?",
    ),
    idea(
        "first_weight_scale", "one scale of the weights for the whole row",
        "Each block of 32 weights brings its own scale.",
        "How many scales are in a row of three blocks?",
    ),
    idea(
        "activation_scale_lost", "products without the scales of the activations",
        "Both factors were rounded to steps, so both scales belong to the result.",
        "Which units has a sum of codes times codes?",
    ),
    idea(
        "first_activation_scale", "one scale of the activations for all blocks",
        "Activations have a scale for each 32 of them.", "What is the shape of the scales that you were given?",
    ),
)  # fmt: skip
