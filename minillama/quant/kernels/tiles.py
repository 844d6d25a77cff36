"""The product of 16 rows of weights with the tokens of a tile, in each format.

`tile_*` walks along the rows, and `add_*` does one block of 32 columns, the same three things in every format: dot
products of small integers, a scale for each row and token, a running float sum. They read a group of 16 rows as
layout.py packs it, and activations as records.py draws them, and are plain Numba over the words of vectors.py and
dots.py. pairs.py walks along two groups at once.

Arguments of all: the tile; `group`, the address of the packed rows; `x`, the address of the tile's records (of the
block's); `n_blocks`, columns / 32; `totals`, the sums so far; `out` and `stride`, where token t's 16 float32 go:
out + t * stride.
"""

from numba import njit

from minillama.quant.kernels.dots import (
    dot,
    dot_signed,
    settle,
    start,
    start_left_half_less_32,
    start_less_8,
    start_right_half_less_32,
    start_signed,
)
from minillama.quant.kernels.path import tokens_of
from minillama.quant.kernels.records import RECORD_BYTES
from minillama.quant.kernels.vectors import (
    add_scaled,
    high,
    load_codes,
    load_halves,
    load_signed,
    load_unsigned,
    low,
    multiply,
    store,
    subtract_minimums,
    with_upper_bits,
    zeros,
)

# The lines of a block are written out: a compiler that kept a loop over them would keep the sums in memory.


@njit(inline="always")
def add_nibble_line(dots, codes, x, line):
    """64 bytes: columns 4 line to 4 line + 3 of the block in the low nibbles, those 16 further in the high ones."""
    codes = load_codes(codes + 64 * line)
    dots = dot(dots, low(codes), x, line)
    return dot(dots, high(codes), x, line + 4)


@njit(inline="always")
def add_nibbles(dots, codes, x):
    """A block of nibbles."""
    dots = add_nibble_line(dots, codes, x, 0)
    dots = add_nibble_line(dots, codes, x, 1)
    dots = add_nibble_line(dots, codes, x, 2)
    return settle(add_nibble_line(dots, codes, x, 3))


@njit(inline="always")
def add_signed_line(dots, codes, x, line):
    """64 int8: columns 4 line to 4 line + 3 of the block."""
    return settle(dot_signed(dots, load_codes(codes + 64 * line), x, line))


@njit(inline="always")
def add_signed_half(dots, codes, x, line):
    """Half a block of int8."""
    dots = add_signed_line(dots, codes, x, line)
    dots = add_signed_line(dots, codes, x, line + 1)
    dots = add_signed_line(dots, codes, x, line + 2)
    return add_signed_line(dots, codes, x, line + 3)


@njit(inline="always")
def add_five_bit_line(dots, codes, fifth, x, line):
    """As `add_nibble_line`, with bits `line` and `line + 4` of the plane above the nibbles."""
    codes = load_codes(codes + 64 * line)
    dots = dot(dots, with_upper_bits(low(codes), fifth, line, 1), x, line)
    return dot(dots, with_upper_bits(high(codes), fifth, line + 4, 1), x, line + 4)


@njit(inline="always")
def add_five_bits(dots, codes, fifth, x):
    """A block of five-bit codes."""
    dots = add_five_bit_line(dots, codes, fifth, x, 0)
    dots = settle(add_five_bit_line(dots, codes, fifth, x, 1))
    dots = add_five_bit_line(dots, codes, fifth, x, 2)
    return settle(add_five_bit_line(dots, codes, fifth, x, 3))


@njit(inline="always")
def add_six_bit_halves(left, right, codes, planes, x, line):
    """Lines `line` and `line + 1` of six-bit codes; the halves of the block have scales, so dots, of their own."""
    one, two = load_codes(codes + 64 * line), load_codes(codes + 64 * line + 64)
    plane = load_codes(planes)
    left = dot(left, with_upper_bits(low(one), plane, 2 * line, 3), x, line)
    left = settle(dot(left, with_upper_bits(low(two), plane, 2 * line + 2, 3), x, line + 1))
    plane = load_codes(planes + 64)
    right = dot(right, with_upper_bits(high(one), plane, 2 * line, 3), x, line + 4)
    right = settle(dot(right, with_upper_bits(high(two), plane, 2 * line + 2, 3), x, line + 5))
    return left, right


@njit(inline="always")
def add_q4_0(tile, totals, group, n_blocks, block, x):
    """w = d * (q - 8)."""
    dots = add_nibbles(start_less_8(tile, x), group + 256 * block, x)
    return add_scaled(totals, dots, load_halves(group + 256 * n_blocks + 32 * block), x)


@njit(inline="always")
def add_q8_0(tile, totals, group, n_blocks, block, x):
    """w = d * q."""
    dots = add_signed_half(start_signed(tile, x), group + 512 * block, x, 0)
    dots = add_signed_half(dots, group + 512 * block, x, 4)
    return add_scaled(totals, dots, load_halves(group + 512 * n_blocks + 32 * block), x)


@njit(inline="always")
def add_scaled_less_minimums(totals, dots, scales, n_blocks, block, x):
    """w = d * scale * q - dmin * minimum; at `scales` are the scales, then the minimums, then d and dmin."""
    minimums = scales + 16 * n_blocks
    halves = minimums + 16 * n_blocks + 64 * (block // 8)
    step = multiply(load_halves(halves), load_unsigned(scales + 16 * block))
    minimum = multiply(load_halves(halves + 32), load_unsigned(minimums + 16 * block))
    return subtract_minimums(add_scaled(totals, dots, step, x), minimum, x)


@njit(inline="always")
def add_q4_k(tile, totals, group, n_blocks, block, x):
    """w = d * scale * q - dmin * minimum."""
    dots = add_nibbles(start(tile, x), group + 256 * block, x)
    return add_scaled_less_minimums(totals, dots, group + 256 * n_blocks, n_blocks, block, x)


@njit(inline="always")
def add_q5_k(tile, totals, group, n_blocks, block, x):
    """The same with a fifth bit; bit i of the plane belongs to columns 4i..4i+3 of the block."""
    plane = group + 256 * n_blocks
    dots = add_five_bits(start(tile, x), group + 256 * block, load_codes(plane + 64 * block), x)
    return add_scaled_less_minimums(totals, dots, plane + 64 * n_blocks, n_blocks, block, x)


@njit(inline="always")
def add_q6_k(tile, totals, group, n_blocks, block, x):
    """w = d * scale * (q - 32), a scale for each 16 columns: low nibbles are the first 16, high nibbles the last.

    Each half has a plane of upper bits; its bits 2i and 2i + 1 belong to columns 4i..4i+3 of the half.
    """
    planes = group + 256 * n_blocks
    scales = planes + 128 * n_blocks + 32 * block
    d = load_halves(planes + 160 * n_blocks + 32 * (block // 8))
    left, right = start_left_half_less_32(tile, x), start_right_half_less_32(tile, x)
    left, right = add_six_bit_halves(left, right, group + 256 * block, planes + 128 * block, x, 0)
    left, right = add_six_bit_halves(left, right, group + 256 * block, planes + 128 * block, x, 2)
    totals = add_scaled(totals, left, multiply(d, load_signed(scales)), x)
    return add_scaled(totals, right, multiply(d, load_signed(scales + 16)), x)


@njit(nogil=True)
def tile_q4_0(tile, group, x, n_blocks, out, stride):
    """The product in q4_0."""
    totals = zeros(tile)
    for block in range(n_blocks):
        totals = add_q4_0(tile, totals, group, n_blocks, block, x)
        x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)


@njit(nogil=True)
def tile_q8_0(tile, group, x, n_blocks, out, stride):
    """The product in q8_0."""
    totals = zeros(tile)
    for block in range(n_blocks):
        totals = add_q8_0(tile, totals, group, n_blocks, block, x)
        x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)


@njit(nogil=True)
def tile_q4_k(tile, group, x, n_blocks, out, stride):
    """The product in q4_k."""
    totals = zeros(tile)
    for block in range(n_blocks):
        totals = add_q4_k(tile, totals, group, n_blocks, block, x)
        x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)


@njit(nogil=True)
def tile_q5_k(tile, group, x, n_blocks, out, stride):
    """The product in q5_k."""
    totals = zeros(tile)
    for block in range(n_blocks):
        totals = add_q5_k(tile, totals, group, n_blocks, block, x)
        x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)


@njit(nogil=True)
def tile_q6_k(tile, group, x, n_blocks, out, stride):
    """The product in q6_k."""
    totals = zeros(tile)
    for block in range(n_blocks):
        totals = add_q6_k(tile, totals, group, n_blocks, block, x)
        x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)
