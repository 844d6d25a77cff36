"""The product of 16 rows of weights with the tokens of a tile, in each format.

Every function here walks along the row, block by block of 32 columns, and does the same three things: dot products of
small integers, a scale for each row and token, a running float sum. They read a group of 16 rows as layout.py packs
it, and activations as records.py draws them, and are plain Numba over the words of vectors.py and dots.py.

Arguments of all: the tile; `group`, the address of the packed rows; `x`, the address of the tile's records; `n_blocks`,
columns / 32; `out` and `stride`, where token t's 16 float32 go: out + t * stride.
"""

from numba import njit

from minillama.quant.kernels.dots import (
    dot,
    dot_signed,
    settle,
    start,
    start_first_half_less_32,
    start_less_8,
    start_second_half_less_32,
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


@njit(nogil=True)
def tile_q4_0(tile, group, x, n_blocks, out, stride):
    """w = d * (q - 8)."""
    scales = group + 256 * n_blocks
    totals = zeros(tile)
    for block in range(n_blocks):
        dots = start_less_8(tile, x)
        for line in range(4):
            codes = load_codes(group + 256 * block + 64 * line)
            dots = dot(dots, low(codes), x, line)
            dots = dot(dots, high(codes), x, line + 4)
        totals = add_scaled(totals, settle(dots), load_halves(scales + 32 * block), x)
        x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)


@njit(nogil=True)
def tile_q8_0(tile, group, x, n_blocks, out, stride):
    """w = d * q."""
    scales = group + 512 * n_blocks
    totals = zeros(tile)
    for block in range(n_blocks):
        dots = start_signed(tile, x)
        for line in range(8):
            dots = settle(dot_signed(dots, load_codes(group + 512 * block + 64 * line), x, line))
        totals = add_scaled(totals, dots, load_halves(scales + 32 * block), x)
        x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)


@njit(nogil=True)
def tile_q4_k(tile, group, x, n_blocks, out, stride):
    """w = d * scale * q - dmin * minimum."""
    scales = group + 256 * n_blocks
    minimums = scales + 16 * n_blocks
    super_blocks = minimums + 16 * n_blocks
    totals = zeros(tile)
    for super_block in range(n_blocks // 8):
        d = load_halves(super_blocks + 64 * super_block)
        dmin = load_halves(super_blocks + 64 * super_block + 32)
        for block in range(8 * super_block, 8 * super_block + 8):
            dots = start(tile, x)
            for line in range(4):
                codes = load_codes(group + 256 * block + 64 * line)
                dots = dot(dots, low(codes), x, line)
                dots = dot(dots, high(codes), x, line + 4)
            totals = add_scaled(totals, settle(dots), multiply(d, load_unsigned(scales + 16 * block)), x)
            totals = subtract_minimums(totals, multiply(dmin, load_unsigned(minimums + 16 * block)), x)
            x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)


@njit(nogil=True)
def tile_q5_k(tile, group, x, n_blocks, out, stride):
    """The same with a fifth bit; bit i of the plane belongs to columns 4i..4i+3 of the block."""
    plane = group + 256 * n_blocks
    scales = plane + 64 * n_blocks
    minimums = scales + 16 * n_blocks
    super_blocks = minimums + 16 * n_blocks
    totals = zeros(tile)
    for super_block in range(n_blocks // 8):
        d = load_halves(super_blocks + 64 * super_block)
        dmin = load_halves(super_blocks + 64 * super_block + 32)
        for block in range(8 * super_block, 8 * super_block + 8):
            fifth = load_codes(plane + 64 * block)
            dots = start(tile, x)
            for line in range(4):
                codes = load_codes(group + 256 * block + 64 * line)
                dots = dot(dots, with_upper_bits(low(codes), fifth, line, 1), x, line)
                dots = dot(dots, with_upper_bits(high(codes), fifth, line + 4, 1), x, line + 4)
                if line % 2 == 1:
                    dots = settle(dots)
            totals = add_scaled(totals, dots, multiply(d, load_unsigned(scales + 16 * block)), x)
            totals = subtract_minimums(totals, multiply(dmin, load_unsigned(minimums + 16 * block)), x)
            x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)


@njit(nogil=True)
def tile_q6_k(tile, group, x, n_blocks, out, stride):
    """w = d * scale * (q - 32), a scale for each 16 columns: low nibbles are the first 16, high nibbles the last.

    Each half has a plane of upper bits; its bits 2i and 2i + 1 belong to columns 4i..4i+3 of the half.
    """
    planes = group + 256 * n_blocks
    scales = planes + 128 * n_blocks
    super_blocks = scales + 32 * n_blocks
    totals = zeros(tile)
    for block in range(n_blocks):
        d = load_halves(super_blocks + 32 * (block // 8))
        plane = load_codes(planes + 128 * block)
        dots = start_first_half_less_32(tile, x)
        for line in range(4):
            codes = low(load_codes(group + 256 * block + 64 * line))
            dots = dot(dots, with_upper_bits(codes, plane, 2 * line, 3), x, line)
            if line % 2 == 1:
                dots = settle(dots)
        totals = add_scaled(totals, dots, multiply(d, load_signed(scales + 32 * block)), x)
        plane = load_codes(planes + 128 * block + 64)
        dots = start_second_half_less_32(tile, x)
        for line in range(4):
            codes = high(load_codes(group + 256 * block + 64 * line))
            dots = dot(dots, with_upper_bits(codes, plane, 2 * line, 3), x, line + 4)
            if line % 2 == 1:
                dots = settle(dots)
        totals = add_scaled(totals, dots, multiply(d, load_signed(scales + 32 * block + 16)), x)
        x += RECORD_BYTES * tokens_of(tile)
    store(totals, out, stride)
