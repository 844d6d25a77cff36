"""The K-quants of ggml: super-blocks of 256 weights whose scales are themselves quantized.

    q4_k  w = d * scale * code - dmin * minimum    scale, minimum 0..63, code 0..15       144 bytes, 4.5 bits a weight
    q5_k  the same                                 code 0..31                             176 bytes, 5.5 bits
    q6_k  w = d * scale * (code - 32)              scale -128..127, code 0..63            210 bytes, 6.5625 bits

A sub-block of 32 weights (16 in q6_k) has its own scale, and needs only 6 or 8 bits for it, because the float16 d is
shared by the super-block. So q4_k costs as much as q4_0, and has a minimum besides.

Quantizing has three steps: fit a scale to every sub-block (scale_search.py); round those scales; round the weights
once more, for the rounded scales.

Source: llama.cpp, pull request 1684, "k-quants", ggml-common.h, which defines the layouts, and ggml-quants.c. Float
arithmetic is in float32 and in ggml's order of operations, so the bytes are equal to ggml's without importance matrix.
"""

import numpy as np

from minillama.quant.blocks import join_nibbles, parts, records, split_finite, split_nibbles
from minillama.quant.scale_search import TINY, divide, fit_scale, fit_scale_and_minimum, round_within

SUPER_BLOCK = 256

Q4_K = np.dtype([("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", (12,)), ("codes", "u1", (4, 32))])
Q5_K = np.dtype(
    [("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", (12,)), ("fifth_bits", "u1", (1, 32)), ("codes", "u1", (4, 32))]
)
Q6_K = np.dtype([("low_bits", "u1", (2, 64)), ("high_bits", "u1", (2, 32)), ("scales", "i1", (16,)), ("d", "<f2")])

_PART = 256  # super-blocks at once
_PAIRS_OF_BITS = np.array([0, 2, 4, 6], dtype=np.uint8)[:, None]  # where Q6_K's high bits of four weights lie in a byte


def unpack_scales(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The eight 6-bit scales and eight 6-bit minimums of each super-block.

    Bytes 0-3 hold scales 0-3 and bytes 4-7 minimums 0-3 in their low six bits. Bytes 8-11 hold the low four bits of
    scales 4-7 (low half) and of minimums 4-7 (high half), whose upper two bits are the top bits of bytes 0-3 and 4-7.

    Args:
        packed: uint8 (n, 12).

    Returns:
        scales and minimums, uint8 (n, 8) each, values 0..63.
    """
    first, second, third = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = np.concatenate([first & 63, (third & 15) | ((first >> 2) & 48)], axis=1)
    minimums = np.concatenate([second & 63, (third >> 4) | ((second >> 2) & 48)], axis=1)
    return scales, minimums


def pack_scales(scales: np.ndarray, minimums: np.ndarray) -> np.ndarray:
    """The reverse of `unpack_scales`: uint8 (n, 8) each, values 0..63, to uint8 (n, 12)."""
    first = scales[:, :4] | (scales[:, 4:] >> 4 << 6)
    second = minimums[:, :4] | (minimums[:, 4:] >> 4 << 6)
    third = (scales[:, 4:] & 15) | (minimums[:, 4:] << 4)
    return np.concatenate([first, second, third], axis=1)


def columns_of(blocks: np.ndarray, size: int) -> np.ndarray:
    """Super-blocks (n, 256) as sub-blocks, each a column: (size, n * 256 / size)."""
    return np.ascontiguousarray(blocks.reshape(-1, size).T)


def six_bits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eight numbers a super-block (n, 8) as d * q: d as float16 holds it, float16 (n,), and q, uint8 0..63 (n, 8)."""
    largest = np.maximum(values.max(axis=1), np.float32(0))
    q = round_within(divide(np.float32(63), largest)[:, None] * values, 0, 63)
    return (largest / np.float32(63)).astype("<f2"), q.astype(np.uint8)


def _encode_q4_k(blocks: np.ndarray, out: np.ndarray) -> None:
    x = columns_of(blocks, 32)  # (32, 8 n)
    scales, minimums, codes = fit_scale_and_minimum(x, 15)
    out["d"], small_scales = six_bits(scales.reshape(-1, 8))
    out["dmin"], small_minimums = six_bits(minimums.reshape(-1, 8))
    out["scales"] = pack_scales(small_scales, small_minimums)
    scale = (out["d"].astype(np.float32)[:, None] * small_scales).reshape(-1)  # (8 n,)
    minimum = (out["dmin"].astype(np.float32)[:, None] * small_minimums).reshape(-1)
    minimum[np.isinf(minimum)] = np.nan  # beyond float16: what ggml rounds to the lowest code, as it does NaN
    rounded = round_within((x + minimum) / scale, 0, 15)
    codes = np.where(scale == 0, codes, rounded).astype(np.uint8)
    out["codes"] = join_nibbles(codes.T.reshape(-1, 4, 64))  # 32 bytes hold two sub-blocks: low, high


def quantize_q4_k(x: np.ndarray) -> np.ndarray:
    """Weights to Q4_K.

    Args:
        x: float (N, K), K a multiple of 256, finite.

    Returns:
        uint8 (N, K / 256 * 144).

    >>> x = np.sin(np.arange(256, dtype=np.float32))[None]
    >>> np.abs(dequantize_q4_k(quantize_q4_k(x)) - x).max().round(2)
    np.float32(0.07)
    """
    blocks = split_finite(x, SUPER_BLOCK)  # (N * K / 256, 256)
    out = np.empty(len(blocks), Q4_K)
    for part in parts(len(blocks), _PART):
        with np.errstate(all="ignore"):  # scales that are zero divide; a huge weight overflows float16
            _encode_q4_k(blocks[part], out[part])
    return out.view(np.uint8).reshape(len(x), x.shape[1] // SUPER_BLOCK * Q4_K.itemsize)


def _encode_q6_k(blocks: np.ndarray, out: np.ndarray) -> None:
    x = columns_of(blocks, 16)  # (16, 16 n)
    flat_scales, codes = fit_scale(x, 32)
    scales = flat_scales.reshape(-1, 16)
    largest = np.take_along_axis(scales, np.abs(scales).argmax(axis=1, keepdims=True), axis=1)  # (n, 1)
    zero = np.abs(largest) < TINY
    inverse = np.where(zero, np.float32(0), np.float32(-128) / largest)
    out["d"] = np.where(zero, np.float32(0), 1 / inverse)[:, 0]
    small_scales = inverse * scales
    small_scales[np.isnan(small_scales)] = 0  # an infinite one, beyond float32, by 0
    out["scales"] = round_within(small_scales, -128, 127)
    scale = (out["d"].astype(np.float32)[:, None] * out["scales"]).reshape(-1)  # (16 n,)
    scale[np.isnan(scale)] = np.inf  # beyond float16: the code is 0, as ggml's of NaN
    rounded = round_within(x / scale, -32, 31)
    codes = (np.where(scale == 0, codes, rounded) + np.float32(32)).astype(np.uint8).T.reshape(-1, 2, 4, 32)
    codes[zero[:, 0]] = 0
    out["low_bits"] = join_nibbles((codes & 15).reshape(-1, 2, 128))
    out["high_bits"] = np.bitwise_or.reduce(codes >> 4 << _PAIRS_OF_BITS, axis=2)


def quantize_q6_k(x: np.ndarray) -> np.ndarray:
    """Weights to Q6_K.

    Args:
        x: float (N, K), K a multiple of 256, finite.

    Returns:
        uint8 (N, K / 256 * 210).

    >>> x = np.sin(np.arange(256, dtype=np.float32))[None]
    >>> np.abs(dequantize_q6_k(quantize_q6_k(x)) - x).max().round(2)
    np.float32(0.02)
    """
    blocks = split_finite(x, SUPER_BLOCK)  # (N * K / 256, 256)
    out = np.empty(len(blocks), Q6_K)
    for part in parts(len(blocks), _PART):
        with np.errstate(all="ignore"):  # scales that are zero divide; a huge weight overflows float16
            _encode_q6_k(blocks[part], out[part])
    return out.view(np.uint8).reshape(len(x), x.shape[1] // SUPER_BLOCK * Q6_K.itemsize)


def _scale_and_shift(block: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """scale * code - minimum in each of the eight sub-blocks; codes (n, 8, 32) -> float32 (n, 256)."""
    scales, minimums = unpack_scales(block["scales"])
    d = block["d"].astype(np.float32)[:, None] * scales  # (n, 8)
    dmin = block["dmin"].astype(np.float32)[:, None] * minimums
    return (d[:, :, None] * codes - dmin[:, :, None]).reshape(-1, SUPER_BLOCK)


def dequantize_q4_k(blocks: np.ndarray) -> np.ndarray:
    """Q4_K: eight sub-blocks of 32 weights, w = d * scale * code - dmin * minimum.

    Args:
        blocks: uint8 (N, K / 256 * 144).

    Returns:
        float32 (N, K).
    """
    stored = records(blocks, Q4_K)
    out = np.empty((len(stored), SUPER_BLOCK), np.float32)
    for part in parts(len(stored), _PART):
        codes = split_nibbles(stored["codes"][part]).reshape(-1, 8, 32)  # 32 bytes hold two sub-blocks: low, high
        out[part] = _scale_and_shift(stored[part], codes)
    return out.reshape(len(blocks), blocks.shape[1] // Q4_K.itemsize * SUPER_BLOCK)


def dequantize_q5_k(blocks: np.ndarray) -> np.ndarray:
    """Q5_K: Q4_K with a fifth bit; bit s of fifth_bits[j] belongs to element j of sub-block s.

    Args:
        blocks: uint8 (N, K / 256 * 176).

    Returns:
        float32 (N, K).
    """
    stored = records(blocks, Q5_K)
    out = np.empty((len(stored), SUPER_BLOCK), np.float32)
    shifts = np.arange(8, dtype=np.uint8)[:, None]  # one for each sub-block
    for part in parts(len(stored), _PART):
        codes = split_nibbles(stored["codes"][part]).reshape(-1, 8, 32)
        codes |= ((stored["fifth_bits"][part] >> shifts) & 1) << 4
        out[part] = _scale_and_shift(stored[part], codes)
    return out.reshape(len(blocks), blocks.shape[1] // Q5_K.itemsize * SUPER_BLOCK)


def dequantize_q6_k(blocks: np.ndarray) -> np.ndarray:
    """Q6_K: sixteen sub-blocks of 16 weights, w = d * scale * (code - 32).

    Each half of 128 weights has 64 bytes of low nibbles (weights 0-63 low, 64-127 high) and 32 bytes whose four
    pairs of bits belong to weights j, j + 32, j + 64 and j + 96.

    Args:
        blocks: uint8 (N, K / 256 * 210).

    Returns:
        float32 (N, K).
    """
    stored = records(blocks, Q6_K)
    out = np.empty((len(stored), SUPER_BLOCK), np.float32)
    for part in parts(len(stored), _PART):
        low = split_nibbles(stored["low_bits"][part]).reshape(-1, 2, 4, 32)
        high = (stored["high_bits"][part][:, :, None, :] >> _PAIRS_OF_BITS) & 3  # (n, 2, 4, 32)
        codes = (low | (high << 4)).astype(np.int8).reshape(-1, 16, 16) - np.int8(32)
        scales = stored["d"][part].astype(np.float32)[:, None] * stored["scales"][part]  # (n, 16)
        out[part] = (scales[:, :, None] * codes).reshape(-1, SUPER_BLOCK)
    return out.reshape(len(blocks), blocks.shape[1] // Q6_K.itemsize * SUPER_BLOCK)
