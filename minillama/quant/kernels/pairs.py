"""The product of two groups of 16 rows with one token: how a token at a time reads the weights.

One token reads each weight once, so memory sets the pace, and how much a core has asked for at once. A processor
fetches ahead of each stream of addresses that it sees. With two groups side by side it sees two of them, and reads
in q4_0, a tenth more in a second than along one group; four gave no more. (Asking by instruction helps q8_0 alone.)

    first group    block 0, block 1, ...  ->  its own sums
    second group   block 0, block 1, ...  ->  its own sums, with the same activations

Arguments of all: the tile, of one token; `first` and `second`, the addresses of the packed groups; `x` and `n_blocks`
as in tiles.py; `out` and `out_second`, where the 16 float32 of each group go.
"""

from numba import njit

from minillama.quant.kernels.records import RECORD_BYTES
from minillama.quant.kernels.tiles import add_q4_0, add_q4_k, add_q5_k, add_q6_k, add_q8_0
from minillama.quant.kernels.vectors import store, zeros


@njit(nogil=True)
def pair_q4_0(tile, first, second, x, n_blocks, out, out_second):
    """The products in q4_0."""
    left, right = zeros(tile), zeros(tile)
    for block in range(n_blocks):
        left = add_q4_0(tile, left, first, n_blocks, block, x)
        right = add_q4_0(tile, right, second, n_blocks, block, x)
        x += RECORD_BYTES
    store(left, out, 0)
    store(right, out_second, 0)


@njit(nogil=True)
def pair_q8_0(tile, first, second, x, n_blocks, out, out_second):
    """The products in q8_0."""
    left, right = zeros(tile), zeros(tile)
    for block in range(n_blocks):
        left = add_q8_0(tile, left, first, n_blocks, block, x)
        right = add_q8_0(tile, right, second, n_blocks, block, x)
        x += RECORD_BYTES
    store(left, out, 0)
    store(right, out_second, 0)


@njit(nogil=True)
def pair_q4_k(tile, first, second, x, n_blocks, out, out_second):
    """The products in q4_k."""
    left, right = zeros(tile), zeros(tile)
    for block in range(n_blocks):
        left = add_q4_k(tile, left, first, n_blocks, block, x)
        right = add_q4_k(tile, right, second, n_blocks, block, x)
        x += RECORD_BYTES
    store(left, out, 0)
    store(right, out_second, 0)


@njit(nogil=True)
def pair_q5_k(tile, first, second, x, n_blocks, out, out_second):
    """The products in q5_k."""
    left, right = zeros(tile), zeros(tile)
    for block in range(n_blocks):
        left = add_q5_k(tile, left, first, n_blocks, block, x)
        right = add_q5_k(tile, right, second, n_blocks, block, x)
        x += RECORD_BYTES
    store(left, out, 0)
    store(right, out_second, 0)


@njit(nogil=True)
def pair_q6_k(tile, first, second, x, n_blocks, out, out_second):
    """The products in q6_k."""
    left, right = zeros(tile), zeros(tile)
    for block in range(n_blocks):
        left = add_q6_k(tile, left, first, n_blocks, block, x)
        right = add_q6_k(tile, right, second, n_blocks, block, x)
        x += RECORD_BYTES
    store(left, out, 0)
    store(right, out_second, 0)
