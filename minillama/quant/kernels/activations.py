"""Activations as small integers: int8 codes with a scale for each block of 32, in the order in which tiles read them.

The tokens of a tile lie side by side, block by block. With tiles of 4 tokens and 6 tokens in all:

    tile of tokens 0-3           token 4            token 5
    | b0: t0 t1 t2 t3 | b1: ...  | b0: t4 | b1: ... | b0: t5 | b1: ... |      one record (records.py) each

Source: Dettmers et al. 2022, "LLM.int8()", section 2, with a scale for each block instead of each row.
"""

import numpy as np
from numba import njit

from minillama.quant.kernels.path import tokens_of, wide

BLOCK = 32
SMALLEST = np.float32(2.0**-100)  # a block below it counts as zero: 127 / SMALLEST is still finite
# Adding it to a float32 of size below 2**22 leaves the nearest whole number in the low bits of the sum.
ROUNDER = np.float32(1.5 * 2**23)


@njit(nogil=True)
def tile_start(token, n_tokens, width):
    """The first token of the tile that holds `token`, and how many tokens that tile has."""
    first = token - token % width
    return (first, width) if first + width <= n_tokens else (token, 1)


@njit(nogil=True)
def quantize_block(x, rounded, record):
    """Fills one record.

    Args:
        x: float32 (32,).
        rounded: float32 (32,), scratch.
        record: the RECORD to fill.
    """
    bits = x.view(np.uint32)
    largest_bits = np.uint32(0)
    for i in range(BLOCK):  # without the sign, larger floats have larger bits, and NaN the largest of all
        largest_bits = np.uint32(max(largest_bits, np.uint32(bits[i] & np.uint32(0x7FFFFFFF))))
    largest = np.uint32(largest_bits).view(np.float32)
    inverse = np.float32(0) if largest < SMALLEST else np.float32(127) / largest
    for i in range(BLOCK):
        rounded[i] = x[i] * inverse + ROUNDER
    low_bytes = rounded.view(np.int8)
    first, last = np.int32(0), np.int32(0)
    for i in range(16):
        record.codes[i] = low_bytes[4 * i]
        record.codes[16 + i] = low_bytes[64 + 4 * i]
        first += np.int32(low_bytes[4 * i])
        last += np.int32(low_bytes[64 + 4 * i])
    scale = np.float32(0) if largest < SMALLEST else largest / np.float32(127)
    record.scale = scale
    record.scaled_sum = scale * np.float32(first + last)
    record.offset = -8 * (first + last)
    record.half_offsets[0] = -8 * first
    record.half_offsets[1] = -8 * last


@njit(nogil=True, cache=True)
def quantize_tokens(path, x, first, last, records):
    """Quantizes tokens first..last-1 of x.

    Args:
        path: the instruction path whose tiles will read them.
        x: float32 (T, K), K a multiple of 32.
        first: the first token.
        last: one past the last.
        records: RECORD (T * K / 32,), filled where these tokens lie.
    """
    n_tokens, n_blocks = x.shape[0], x.shape[1] // BLOCK
    rounded = np.empty(BLOCK, np.float32)
    for token in range(first, last):
        start, width = tile_start(token, n_tokens, tokens_of(wide(path)))
        for block in range(n_blocks):
            place = start * n_blocks + block * width + token - start
            quantize_block(x[token, BLOCK * block : BLOCK * (block + 1)], rounded, records[place])
