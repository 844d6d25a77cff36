"""What a format leaves of weights: rounded and read back, without the bytes between.

For formats that this package writes, their own functions do it. The others are read here and written by llama.cpp; what
it would leave of a weight follows from their rules, which are those of their neighbours with another number of codes.

Source: ggml-quants.c of llama.cpp, quantize_row_q4_1_ref, _q5_0_ref, _q5_1_ref and _q5_K_ref.
"""

import numpy as np

from minillama.errors import ShapeError
from minillama.quant.blocks import split_finite
from minillama.quant.formats import BLOCK, FORMATS
from minillama.quant.kquants import SUPER_BLOCK, columns_of, six_bits
from minillama.quant.scale_search import divide, fit_scale_and_minimum, round_within

_HALF = np.float32(0.5)


def _in_16_bits(x: np.ndarray) -> np.ndarray:
    """What float16 keeps of float32."""
    return x.astype(np.float16).astype(np.float32)


def signed_blocks(x: np.ndarray, bits: int) -> np.ndarray:
    """The rule of q4_0 for any number of bits: w = d * (code - half of the codes), in blocks of 32.

    Args:
        x: float (N, K), K a multiple of 32, finite.
        bits: 2 to 7.

    Returns:
        float32 (N, K).

    >>> signed_blocks(np.linspace(-1, 1, 32, dtype=np.float32)[None], 4)[0, [0, 31]]
    array([-1.   ,  0.875], dtype=float32)
    """
    blocks, half = split_finite(x, BLOCK), np.float32(2 ** (bits - 1))
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1)
    d = largest / -half
    with np.errstate(divide="ignore"):
        codes = np.minimum(np.floor(blocks * divide(np.float32(1), d) + half + _HALF), 2 * half - 1)
    return (_in_16_bits(d) * (codes - half)).reshape(x.shape)


def blocks_above_minimum(x: np.ndarray, bits: int) -> np.ndarray:
    """The rule of q4_1 for any number of bits: w = d * code + m, where m is the lowest weight of a block of 32.

    Args:
        x: float (N, K), K a multiple of 32, finite.
        bits: 1 to 8.

    Returns:
        float32 (N, K).

    >>> blocks_above_minimum(np.linspace(-1, 1, 32, dtype=np.float32)[None], 4)[0, [0, 31]].round(3)
    array([-1.,  1.], dtype=float32)
    """
    blocks, top = split_finite(x, BLOCK), np.float32(2**bits - 1)
    low = blocks.min(axis=1, keepdims=True)
    d = (blocks.max(axis=1, keepdims=True) - low) / top
    with np.errstate(divide="ignore"):
        codes = np.minimum(np.floor((blocks - low) * divide(np.float32(1), d) + _HALF), top)
    return (_in_16_bits(d) * codes + _in_16_bits(low)).reshape(x.shape)


def super_blocks(x: np.ndarray, bits: int) -> np.ndarray:
    """The rule of q4_k for any number of bits: w = d * scale * code - dmin * minimum, scale and minimum of 6 bits.

    Args:
        x: float (N, K), K a multiple of 256, finite.
        bits: 2 to 8.

    Returns:
        float32 (N, K).
    """
    parts = columns_of(split_finite(x, SUPER_BLOCK), 32)  # (32, 8 n): a sub-block is a column
    top = 2**bits - 1
    with np.errstate(all="ignore"):  # a sub-block of zeros divides by zero
        scales, minimums, codes = fit_scale_and_minimum(parts, top)
        scales, minimums = (_in_six_bits(each.reshape(-1, 8)) for each in (scales, minimums))
        codes = np.where(scales == 0, codes, round_within((parts + minimums) / scales, 0, top))
    return np.ascontiguousarray((scales * codes - minimums).T).reshape(x.shape)


def _in_six_bits(values: np.ndarray) -> np.ndarray:
    """What is left of eight numbers a super-block (n, 8): float32 (8 n,)."""
    d, q = six_bits(values)
    return (d.astype(np.float32)[:, None] * q).reshape(-1)


_RULES = {
    "q4_1": (blocks_above_minimum, 4), "q5_0": (signed_blocks, 5), "q5_1": (blocks_above_minimum, 5),
    "q5_k": (super_blocks, 5),
}  # fmt: skip


def kept(name: str, x: np.ndarray) -> np.ndarray:
    """What the format called `name` keeps of weights: quantized, and read back.

    Args:
        name: a key of FORMATS.
        x: float (N, K), K a multiple of the format's block, finite.

    Returns:
        float32 (N, K).

    Raises:
        ShapeError: an unknown format, or rows that do not divide into its blocks.
        CheckpointError: NaN or infinity.

    >>> kept("q8_0", np.linspace(-1, 1, 32, dtype=np.float32)[None])[0, :3].round(3)
    array([-1.   , -0.937, -0.874], dtype=float32)
    """
    if name not in FORMATS:
        raise ShapeError(f"format is {name!r}, expected one of {', '.join(FORMATS)}")
    if name in _RULES:
        rule, bits = _RULES[name]
        return rule(x, bits)
    quantize = FORMATS[name].quantize
    assert quantize is not None, name
    return FORMATS[name].dequantize(quantize(x))
