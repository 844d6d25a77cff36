"""The product of rows that lie as the file has them with one token, four rows at a time.

Formats whose block is mostly codes (q8_0, q6_k) need not be packed: 64 columns of one row fill a register as well as 4
columns of 16 rows do, and what is left to do for their scales hides behind the memory. So their matrices stay in the
mapped file, and cost neither time to load nor memory of their own. (In q4_0 the scales would take longer than the
codes: 20 GB/s this way, 28 packed.)

    row r      block 0, block 1 | block 2, block 3 | ...     two blocks a step: one register of codes
    row r + 1  the same step, the same activations
    row r + 2
    row r + 3

While a step is computed, the same place four rows further is asked for. For many tokens, groups.py packs some rows at
a time.

Arguments of all: `matrix`, the address of the first row; `first`, the first of the four rows; `n_rows`, past whose end
the last row stands in; `x`, the address of the token's records; `n_blocks`, columns / 32; `out`, the address of the
four float32.
"""

from numba import njit

from minillama.quant.kernels.bits import store_float
from minillama.quant.kernels.layout import Q6_K_IN_FILE, Q8_0_IN_FILE, file_row_bytes
from minillama.quant.kernels.records import RECORD_BYTES
from minillama.quant.kernels.row_words import (
    add_steps,
    dot_row,
    dot_row_signed,
    first_half,
    load_four_signed,
    load_two,
    load_two_halves,
    no_floats,
    prefetch,
    scales_of,
    start_row_less_32,
    start_row_signed,
    sum_of,
    with_two_bits,
)
from minillama.quant.kernels.vectors import high, low, multiply

AT_ONCE = 4  # rows
Q8_0_BYTES, Q6_K_BYTES = 34, 210  # of a block of 32 columns, of a super-block of 256


@njit(inline="always")
def row_address(matrix, row, n_rows, size):
    """Where a row starts; the last one stands in for those that do not exist."""
    return matrix + min(row, n_rows - 1) * size


@njit(inline="always")
def ask_for(a, b, c, d, ahead):
    """Asks for the lines `ahead` bytes after four addresses; past the end of the file nothing happens."""
    prefetch(a + ahead)
    prefetch(b + ahead)
    prefetch(c + ahead)
    prefetch(d + ahead)


@njit(inline="always")
def add_row_q8_0(total, start, words, scales, block, other):
    """w = d * q, of two blocks at the addresses `block` and `other`."""
    dots = dot_row_signed(start, load_two(block + 2, other + 2), words)
    return add_steps(total, dots, multiply(scales, load_two_halves(block, other)))


@njit(inline="always")
def add_row_q6_k(total, start, words, scales, block, pair):
    """w = d * scale * (q - 32), a scale for each 16 columns: blocks 2 pair and 2 pair + 1 of a super-block.

    Two pairs share 64 bytes, the lower and the upper nibbles, and 32 bytes with the upper bits of four blocks.
    """
    nibbles, bits = block + 64 * (pair // 2), block + 128 + 32 * (pair // 2)
    codes = load_two(nibbles, nibbles + 32)
    codes = high(codes) if pair % 2 else low(codes)
    dots = dot_row(start, with_two_bits(codes, load_two(bits, bits), 4 * (pair % 2)), words)
    steps = multiply(load_two_halves(block + 208, block + 208), load_four_signed(block + 192 + 4 * pair))
    return add_steps(total, dots, multiply(scales, steps))


@njit(inline="always")
def store_sums(out, a, b, c, d):
    """Writes the sums of four rows."""
    store_float(out, sum_of(a))
    store_float(out + 4, sum_of(b))
    store_float(out + 8, sum_of(c))
    store_float(out + 12, sum_of(d))


@njit(nogil=True)
def rows_q8_0(tile, matrix, first, n_rows, x, n_blocks, out):
    """The products in q8_0."""
    size = file_row_bytes(Q8_0_IN_FILE, n_blocks)
    a, b = row_address(matrix, first, n_rows, size), row_address(matrix, first + 1, n_rows, size)
    c, d = row_address(matrix, first + 2, n_rows, size), row_address(matrix, first + 3, n_rows, size)
    sum_a = sum_b = sum_c = sum_d = no_floats(tile)
    for block in range(0, n_blocks, 2):
        alone = block + 1 == n_blocks  # the last of an odd number: its own neighbour, which counts for nothing
        other = 0 if alone else Q8_0_BYTES
        words = load_two(x, x if alone else x + RECORD_BYTES)
        scales = scales_of(x, x if alone else x + RECORD_BYTES)
        if alone:
            scales = first_half(scales)
        start = start_row_signed(tile, words)
        ask_for(a, b, c, d, AT_ONCE * size)
        sum_a = add_row_q8_0(sum_a, start, words, scales, a, a + other)
        sum_b = add_row_q8_0(sum_b, start, words, scales, b, b + other)
        sum_c = add_row_q8_0(sum_c, start, words, scales, c, c + other)
        sum_d = add_row_q8_0(sum_d, start, words, scales, d, d + other)
        a, b, c, d = a + 2 * Q8_0_BYTES, b + 2 * Q8_0_BYTES, c + 2 * Q8_0_BYTES, d + 2 * Q8_0_BYTES
        x += 2 * RECORD_BYTES
    store_sums(out, sum_a, sum_b, sum_c, sum_d)


@njit(nogil=True)
def rows_q6_k(tile, matrix, first, n_rows, x, n_blocks, out):
    """The products in q6_k."""
    size = file_row_bytes(Q6_K_IN_FILE, n_blocks)
    a, b = row_address(matrix, first, n_rows, size), row_address(matrix, first + 1, n_rows, size)
    c, d = row_address(matrix, first + 2, n_rows, size), row_address(matrix, first + 3, n_rows, size)
    sum_a = sum_b = sum_c = sum_d = no_floats(tile)
    for _ in range(n_blocks // 8):
        for pair in range(4):
            words, scales = load_two(x, x + RECORD_BYTES), scales_of(x, x + RECORD_BYTES)
            start = start_row_less_32(tile, words)
            ask_for(a, b, c, d, AT_ONCE * size + 52 * pair)
            sum_a = add_row_q6_k(sum_a, start, words, scales, a, pair)
            sum_b = add_row_q6_k(sum_b, start, words, scales, b, pair)
            sum_c = add_row_q6_k(sum_c, start, words, scales, c, pair)
            sum_d = add_row_q6_k(sum_d, start, words, scales, d, pair)
            x += 2 * RECORD_BYTES
        a, b, c, d = a + Q6_K_BYTES, b + Q6_K_BYTES, c + Q6_K_BYTES, d + Q6_K_BYTES
    store_sums(out, sum_a, sum_b, sum_c, sum_d)


@njit(nogil=True)
def multiply_rows(tile, format, matrix, first, n_rows, x, n_blocks, out):
    """The products of four rows."""
    if format == Q8_0_IN_FILE:
        rows_q8_0(tile, matrix, first, n_rows, x, n_blocks, out)
    else:
        rows_q6_k(tile, matrix, first, n_rows, x, n_blocks, out)
