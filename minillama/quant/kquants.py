"""The K-quants of ggml: super-blocks of 256 weights whose scales are themselves quantized.

Source: llama.cpp, pull request 1684, "k-quants", and ggml-common.h, which defines the layouts. Float arithmetic is in
float32 and in ggml's order of operations.
"""

import numpy as np

from minillama.quant.blocks import parts, records, split_nibbles

SUPER_BLOCK = 256

Q4_K = np.dtype([("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", (12,)), ("codes", "u1", (4, 32))])
Q5_K = np.dtype(
    [("d", "<f2"), ("dmin", "<f2"), ("scales", "u1", (12,)), ("fifth_bits", "u1", (1, 32)), ("codes", "u1", (4, 32))]
)
Q6_K = np.dtype([("low_bits", "u1", (2, 64)), ("high_bits", "u1", (2, 32)), ("scales", "i1", (16,)), ("d", "<f2")])

_PART = 256  # super-blocks at once


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
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[:, None]
    for part in parts(len(stored), _PART):
        low = split_nibbles(stored["low_bits"][part]).reshape(-1, 2, 4, 32)
        high = (stored["high_bits"][part][:, :, None, :] >> shifts) & 3  # (n, 2, 4, 32)
        codes = (low | (high << 4)).astype(np.int8).reshape(-1, 16, 16) - np.int8(32)
        scales = stored["d"][part].astype(np.float32)[:, None] * stored["scales"][part]  # (n, 16)
        out[part] = (scales[:, :, None] * codes).reshape(-1, SUPER_BLOCK)
    return out.reshape(len(blocks), blocks.shape[1] // Q6_K.itemsize * SUPER_BLOCK)
