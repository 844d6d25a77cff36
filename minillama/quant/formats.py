"""How weights are stored: plain floats, and ggml's block formats, in NumPy.

The classic formats cut a row into blocks of 32 weights and keep one float16 scale d (and, in the _1 formats, a
minimum m) beside 4, 5 or 8 bits a weight:

    q8_0  w = d * q         q in -127..127      34 bytes a block, 8.5 bits a weight
    q4_0  w = d * (q - 8)   q in 0..15          18 bytes, 4.5 bits
    q4_1  w = d * q + m     q in 0..15          20 bytes, 5 bits
    q5_0  w = d * (q - 16)  q in 0..31          22 bytes, 5.5 bits
    q5_1  w = d * q + m     q in 0..31          24 bytes, 6 bits

Source: ggml-common.h (layouts) and ggml-quants.c (rounding) of llama.cpp; Dettmers et al. 2022, "LLM.int8()",
section 2, for the idea of one scale a block. All float arithmetic is in float32, as ggml's is, so the bytes are equal
to ggml's. The K-quants are in kquants.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minillama.errors import ShapeError
from minillama.quant.blocks import (
    BLOCKS_AT_ONCE,
    join_nibbles,
    parts,
    records,
    split_finite,
    split_into_blocks,
    split_nibbles,
)
from minillama.quant.kquants import (
    Q4_K,
    Q5_K,
    Q6_K,
    SUPER_BLOCK,
    dequantize_q4_k,
    dequantize_q5_k,
    dequantize_q6_k,
    quantize_q4_k,
    quantize_q6_k,
)

BLOCK = 32

Q8_0 = np.dtype([("d", "<f2"), ("q", "i1", (32,))])
Q4_0 = np.dtype([("d", "<f2"), ("q", "u1", (16,))])
Q4_1 = np.dtype([("d", "<f2"), ("m", "<f2"), ("q", "u1", (16,))])
Q5_0 = np.dtype([("d", "<f2"), ("fifth_bits", "u1", (4,)), ("q", "u1", (16,))])
Q5_1 = np.dtype([("d", "<f2"), ("m", "<f2"), ("fifth_bits", "u1", (4,)), ("q", "u1", (16,))])


def round_half_away(x: np.ndarray) -> np.ndarray:
    """C's roundf for float32: to the nearest whole number, halves away from zero.

    The number added before truncating is the one just below a half, else 0.49999997 would become 1.
    """
    below_half = np.nextafter(np.float32(0.5), np.float32(0))
    rounded = np.copysign(below_half, x)
    rounded += x
    return np.trunc(rounded, out=rounded)


def quantize_q8_0(x: np.ndarray) -> np.ndarray:
    """Weights to Q8_0: d = largest magnitude / 127, code = round(w / d).

    The codes come from the float32 scale; only then is it rounded to float16 for storage.

    Args:
        x: float (N, K), K a multiple of 32, finite.

    Returns:
        uint8 (N, K / 32 * 34).

    >>> quantize_q8_0(np.ones((1, 32), np.float32))[0, 2]
    np.uint8(127)
    """
    blocks = split_finite(x, BLOCK)  # (N * K / 32, 32)
    out = np.empty(len(blocks), Q8_0)
    for part in parts(len(blocks)):
        with np.errstate(all="ignore"):  # a zero block divides by zero; a huge one overflows float16
            d = np.abs(blocks[part]).max(axis=1) / np.float32(127)
            inverse = np.where(d == 0, 0, 1 / d)
            inverse[np.isinf(inverse)] = 0  # below 2**-128; the stored scale is zero there
            out["d"][part] = d
            out["q"][part] = round_half_away(blocks[part] * inverse[:, None])
    return out.view(np.uint8).reshape(len(x), x.shape[1] // BLOCK * Q8_0.itemsize)


def dequantize_q8_0(blocks: np.ndarray) -> np.ndarray:
    """Q8_0 to weights: w = d * q; uint8 (N, K / 32 * 34) -> float32 (N, K)."""
    stored = records(blocks, Q8_0)
    out = np.empty((len(stored), BLOCK), np.float32)
    for part in parts(len(stored)):
        out[part] = stored["q"][part]
        out[part] *= stored["d"][part].astype(np.float32)[:, None]
    return out.reshape(len(blocks), blocks.shape[1] // Q8_0.itemsize * BLOCK)


def quantize_q4_0(x: np.ndarray) -> np.ndarray:
    """Weights to Q4_0: d = (the first weight of largest magnitude, with its sign) / -8, code = round(w / d) + 8.

    The sign makes that weight's code 0, the end of the range that reaches to -8; the other end reaches only to 7.

    Args:
        x: float (N, K), K a multiple of 32, finite.

    Returns:
        uint8 (N, K / 32 * 18).

    >>> quantize_q4_0(np.ones((1, 32), np.float32))[0, :3]
    array([  0, 176,   0], dtype=uint8)
    """
    blocks = split_finite(x, BLOCK)  # (N * K / 32, 32)
    out = np.empty(len(blocks), Q4_0)
    for part in parts(len(blocks)):
        with np.errstate(all="ignore"):  # a zero block divides by zero; a huge one overflows float16
            largest = np.abs(blocks[part]).argmax(axis=1, keepdims=True)
            signed = np.take_along_axis(blocks[part], largest, axis=1) + np.float32(0)  # as in ggml, -0 counts as +0
            d = signed / np.float32(-8)
            inverse = np.where(d == 0, 0, 1 / d)
            codes = blocks[part] * inverse + np.float32(8.5)
            codes[np.isinf(inverse[:, 0])] = 0  # below 2**-128; the stored scale is zero there
            out["d"][part] = d[:, 0]
            out["q"][part] = join_nibbles(np.minimum(codes.astype(np.uint8), 15))
    return out.view(np.uint8).reshape(len(x), x.shape[1] // BLOCK * Q4_0.itemsize)


def dequantize_q4_0(blocks: np.ndarray) -> np.ndarray:
    """Q4_0 to weights: w = d * (q - 8); uint8 (N, K / 32 * 18) -> float32 (N, K)."""
    stored = records(blocks, Q4_0)
    out = np.empty((len(stored), BLOCK), np.float32)
    for part in parts(len(stored)):
        codes = split_nibbles(stored["q"][part]).view(np.int8) - np.int8(8)
        np.multiply(stored["d"][part].astype(np.float32)[:, None], codes, out=out[part])
    return out.reshape(len(blocks), blocks.shape[1] // Q4_0.itemsize * BLOCK)


def dequantize_q4_1(blocks: np.ndarray) -> np.ndarray:
    """Q4_1 to weights: w = d * q + m; uint8 (N, K / 32 * 20) -> float32 (N, K)."""
    stored = records(blocks, Q4_1)
    out = np.empty((len(stored), BLOCK), np.float32)
    for part in parts(len(stored)):
        codes = split_nibbles(stored["q"][part])
        np.multiply(stored["d"][part].astype(np.float32)[:, None], codes, out=out[part])
        out[part] += stored["m"][part].astype(np.float32)[:, None]
    return out.reshape(len(blocks), blocks.shape[1] // Q4_1.itemsize * BLOCK)


def _five_bit_codes(part: np.ndarray) -> np.ndarray:
    """Codes 0..31 (n, 32); bit j of fifth_bits, counted from the lowest of the first byte, belongs to element j."""
    fifth = np.unpackbits(part["fifth_bits"], axis=1, bitorder="little")
    return split_nibbles(part["q"]) | (fifth << 4)


def dequantize_q5_0(blocks: np.ndarray) -> np.ndarray:
    """Q5_0 to weights: w = d * (q - 16); uint8 (N, K / 32 * 22) -> float32 (N, K)."""
    stored = records(blocks, Q5_0)
    out = np.empty((len(stored), BLOCK), np.float32)
    for part in parts(len(stored)):
        codes = _five_bit_codes(stored[part]).view(np.int8) - np.int8(16)
        np.multiply(stored["d"][part].astype(np.float32)[:, None], codes, out=out[part])
    return out.reshape(len(blocks), blocks.shape[1] // Q5_0.itemsize * BLOCK)


def dequantize_q5_1(blocks: np.ndarray) -> np.ndarray:
    """Q5_1 to weights: w = d * q + m; uint8 (N, K / 32 * 24) -> float32 (N, K)."""
    stored = records(blocks, Q5_1)
    out = np.empty((len(stored), BLOCK), np.float32)
    for part in parts(len(stored)):
        codes = _five_bit_codes(stored[part])
        np.multiply(stored["d"][part].astype(np.float32)[:, None], codes, out=out[part])
        out[part] += stored["m"][part].astype(np.float32)[:, None]
    return out.reshape(len(blocks), blocks.shape[1] // Q5_1.itemsize * BLOCK)


def quantize_f32(x: np.ndarray) -> np.ndarray:
    """Float (N, K) to the bytes of float32 (N, 4 K)."""
    return split_into_blocks(x, 1).view(np.uint8).reshape(len(x), 4 * x.shape[1])


def dequantize_f32(blocks: np.ndarray) -> np.ndarray:
    """The bytes of float32 (N, 4 K) to float32 (N, K)."""
    return records(blocks, np.dtype("<f4")).reshape(len(blocks), blocks.shape[1] // 4)


def quantize_f16(x: np.ndarray) -> np.ndarray:
    """Float (N, K) to the bytes of float16 (N, 2 K), to nearest even; beyond 65504 it becomes infinity."""
    with np.errstate(over="ignore"):
        return split_into_blocks(x, 1).astype("<f2").view(np.uint8).reshape(len(x), 2 * x.shape[1])


def dequantize_f16(blocks: np.ndarray) -> np.ndarray:
    """The bytes of float16 (N, 2 K) to float32 (N, K)."""
    return records(blocks, np.dtype("<f2")).astype(np.float32).reshape(len(blocks), blocks.shape[1] // 2)


def quantize_bf16(x: np.ndarray) -> np.ndarray:
    """Float (N, K) to the bytes of bfloat16 (N, 2 K): the upper half of a float32, to nearest even."""
    values = split_into_blocks(x, 1)
    out = np.empty(len(values), "<u2")
    for part in parts(len(values), BLOCK * BLOCKS_AT_ONCE):
        bits = values[part, 0].view(np.uint32)
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
        quiet_nan = (bits >> 16) | 64  # rounding up would carry a NaN into another number
        out[part] = np.where(np.isnan(values[part, 0]), quiet_nan, rounded)
    return out.view(np.uint8).reshape(len(x), 2 * x.shape[1])


def dequantize_bf16(blocks: np.ndarray) -> np.ndarray:
    """The bytes of bfloat16 (N, 2 K) to float32 (N, K)."""
    bits = records(blocks, np.dtype("<u2")).astype(np.uint32) << 16
    return bits.view(np.float32).reshape(len(blocks), blocks.shape[1] // 2)


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """One way of storing a row of weights.

    Args:
        name: the key in FORMATS.
        ggml_type: its number in GGUF files.
        block_size: weights in a block; K must be a multiple.
        block_bytes: bytes of a block.
        dequantize: uint8 (N, row_bytes) -> float32 (N, K).
        quantize: float (N, K) -> uint8 (N, row_bytes); None where this package only reads.
    """

    name: str
    ggml_type: int
    block_size: int
    block_bytes: int
    dequantize: Callable[[np.ndarray], np.ndarray]
    quantize: Callable[[np.ndarray], np.ndarray] | None


FORMATS: dict[str, BlockFormat] = {
    block_format.name: block_format
    for block_format in (
        BlockFormat("f32", 0, 1, 4, dequantize_f32, quantize_f32),
        BlockFormat("f16", 1, 1, 2, dequantize_f16, quantize_f16),
        BlockFormat("bf16", 30, 1, 2, dequantize_bf16, quantize_bf16),
        BlockFormat("q8_0", 8, BLOCK, Q8_0.itemsize, dequantize_q8_0, quantize_q8_0),
        BlockFormat("q4_0", 2, BLOCK, Q4_0.itemsize, dequantize_q4_0, quantize_q4_0),
        BlockFormat("q4_1", 3, BLOCK, Q4_1.itemsize, dequantize_q4_1, None),
        BlockFormat("q5_0", 6, BLOCK, Q5_0.itemsize, dequantize_q5_0, None),
        BlockFormat("q5_1", 7, BLOCK, Q5_1.itemsize, dequantize_q5_1, None),
        BlockFormat("q4_k", 12, SUPER_BLOCK, Q4_K.itemsize, dequantize_q4_k, quantize_q4_k),
        BlockFormat("q5_k", 13, SUPER_BLOCK, Q5_K.itemsize, dequantize_q5_k, None),
        BlockFormat("q6_k", 14, SUPER_BLOCK, Q6_K.itemsize, dequantize_q6_k, quantize_q6_k),
    )
}


# The first byte of a block's float16 scales, and how many there are.
SCALES = {
    "q8_0": (0, 1), "q4_0": (0, 1), "q4_1": (0, 2), "q5_0": (0, 1), "q5_1": (0, 2), "q4_k": (0, 2), "q5_k": (0, 2),
    "q6_k": (208, 1),
}  # fmt: skip


def row_bytes(name: str, columns: int) -> int:
    """Bytes of one row of `columns` weights in the format called `name`.

    >>> row_bytes("q4_0", 4096)
    2304

    Raises:
        ShapeError: an unknown format, or columns that are not a multiple of its block.
    """
    if name not in FORMATS:
        raise ShapeError(f"format is {name!r}, expected one of {', '.join(FORMATS)}")
    block_format = FORMATS[name]
    if columns % block_format.block_size:
        raise ShapeError(f"rows of {columns} weights do not divide into {name} blocks of {block_format.block_size}")
    return columns // block_format.block_size * block_format.block_bytes
