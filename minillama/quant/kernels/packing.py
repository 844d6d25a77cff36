"""From ggml's blocks to the kernels' layout (layout.py): four bytes at a time, as words.

The bytes of a word belong to 4 neighbouring columns, in ggml's blocks and in a line of 16 rows alike. So what a format
does to its codes is done to four of them at once; a mask such as 0x0F0F0F0F keeps the same bits of each.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from minillama.errors import ShapeError
from minillama.quant.formats import FORMATS, SCALES, row_bytes
from minillama.quant.kernels.bits import load_word, store_word
from minillama.quant.kernels.layout import (
    BLOCK,
    FORMAT_NUMBERS,
    IN_FILE_NUMBERS,
    Q4_0,
    Q4_K,
    Q5_K,
    Q8_0,
    ROWS,
    PackedMatrix,
    group_bytes,
)
from minillama.quant.pages import own_pages, read_ahead
from minillama.shapes import check_shape

NIBBLES, PAIRS, SINGLES = np.uint32(0x0F0F0F0F), np.uint32(0x03030303), np.uint32(0x01010101)
UPPER_NIBBLES = np.uint32(0xF0F0F0F0)
ZERO = np.uint32(0)


@njit(nogil=True, inline="always")
def shifted(word, bits):
    """word >> bits; Numba would make 64 bits of it."""
    return np.uint32(word >> np.uint32(bits))


@njit(nogil=True, inline="always")
def raised(word, bits):
    """word << bits."""
    return np.uint32(word << np.uint32(bits))


# A group is written block after block, all its rows at once, so that each line of the result is written once.


@njit(nogil=True)
def _pack_q4_0(rows, first, row_size, n_rows, n_blocks, out):
    """Blocks (d, 16 bytes whose nibbles are columns i and 16 + i): the codes lie as they have to, the scales apart."""
    for block in range(n_blocks):
        for r in range(n_rows):
            here = first + r * row_size + 18 * block
            for i in range(2):
                out[256 * n_blocks + 32 * block + 2 * r + i] = rows[here + i]
            for line in range(4):
                word = load_word(rows.ctypes.data + here + 2 + 4 * line)
                store_word(out.ctypes.data + 256 * block + 64 * line + 4 * r, word)


@njit(nogil=True)
def _pack_q8_0(rows, first, row_size, n_rows, n_blocks, out):
    """Blocks (d, 32 int8)."""
    for block in range(n_blocks):
        for r in range(n_rows):
            here = first + r * row_size + 34 * block
            for i in range(2):
                out[512 * n_blocks + 32 * block + 2 * r + i] = rows[here + i]
            for line in range(8):
                word = load_word(rows.ctypes.data + here + 2 + 4 * line)
                store_word(out.ctypes.data + 512 * block + 64 * line + 4 * r, word)


@njit(nogil=True)
def _pack_nibbles(codes, upper, line_0):
    """Four lines of a block whose 32 codes are the lower or the upper nibbles of 32 bytes.

    Args:
        codes: address of the bytes; byte i has the code of column i.
        upper: whether it is the upper nibble.
        line_0: address of this row's word in the first line.
    """
    for line in range(4):
        first, second = load_word(codes + 4 * line), load_word(codes + 16 + 4 * line)
        if upper:
            word = (shifted(first, 4) & NIBBLES) | (second & UPPER_NIBBLES)
        else:
            word = (first & NIBBLES) | raised(second & NIBBLES, 4)
        store_word(line_0 + 64 * line, word)


@njit(nogil=True)
def _pack_scales_k(super_block, first_block, r, scales, minimums, halves):
    """d, dmin, and the 6-bit scales and minimums of a q4_k or q5_k super-block, a byte each (kquants.unpack_scales)."""
    for i in range(4):
        halves[32 * (i // 2) + 2 * r + i % 2] = super_block[i]
    packed = super_block[4:16]
    for i in range(4):
        here, there = 16 * (first_block + i) + r, 16 * (first_block + 4 + i) + r
        scales[here] = packed[i] & 63
        minimums[here] = packed[4 + i] & 63
        scales[there] = (packed[8 + i] & 15) | ((packed[i] >> 2) & 48)
        minimums[there] = (packed[8 + i] >> 4) | ((packed[4 + i] >> 2) & 48)


@njit(nogil=True)
def _pack_q4_k(rows, first, row_size, n_rows, n_blocks, out):
    """Super-blocks; 32 bytes of nibbles hold two blocks, lower and upper."""
    scales, minimums, halves = out[256 * n_blocks :], out[272 * n_blocks :], out[288 * n_blocks :]
    for s in range(n_blocks // 8):
        for r in range(n_rows):
            start = first + r * row_size + 144 * s
            _pack_scales_k(rows[start : start + 16], 8 * s, r, scales, minimums, halves[64 * s :])
            for b in range(8):
                codes = rows.ctypes.data + start + 16 + 32 * (b // 2)
                _pack_nibbles(codes, b % 2 == 1, out.ctypes.data + 256 * (8 * s + b) + 4 * r)


@njit(nogil=True)
def _pack_q5_k(rows, first, row_size, n_rows, n_blocks, out):
    """The same with fifth bits: bit b of byte i belongs to column i of block b."""
    scales, minimums, halves = out[320 * n_blocks :], out[336 * n_blocks :], out[352 * n_blocks :]
    for s in range(n_blocks // 8):
        for r in range(n_rows):
            start = first + r * row_size + 176 * s
            _pack_scales_k(rows[start : start + 16], 8 * s, r, scales, minimums, halves[64 * s :])
            fifth_bits = rows.ctypes.data + start + 16
            for b in range(8):
                codes = rows.ctypes.data + start + 48 + 32 * (b // 2)
                _pack_nibbles(codes, b % 2 == 1, out.ctypes.data + 256 * (8 * s + b) + 4 * r)
                plane = ZERO
                for quad in range(8):
                    plane |= raised(shifted(load_word(fifth_bits + 4 * quad), b) & SINGLES, quad)
                store_word(out.ctypes.data + 256 * n_blocks + 64 * (8 * s + b) + 4 * r, plane)


@njit(nogil=True)
def _pack_q6_k(rows, first, row_size, n_rows, n_blocks, out):
    """Super-blocks: 128 bytes of nibbles, 64 of pairs of bits, 16 int8 scales, d (kquants.dequantize_q6_k)."""
    planes, scales, halves = 256 * n_blocks, 384 * n_blocks, 416 * n_blocks
    for s in range(n_blocks // 8):
        for r in range(n_rows):
            start = first + r * row_size + 210 * s
            for i in range(2):
                out[halves + 32 * s + 2 * r + i] = rows[start + 208 + i]
            for b in range(8):
                block, half, quarter = 8 * s + b, b // 4, b % 4
                for i in range(2):
                    out[scales + 32 * block + 16 * i + r] = rows[start + 192 + 2 * b + i]
                codes = rows.ctypes.data + start + 64 * half + 32 * (quarter % 2)
                _pack_nibbles(codes, quarter >= 2, out.ctypes.data + 256 * block + 4 * r)
                pairs = rows.ctypes.data + start + 128 + 32 * half
                for part in range(2):
                    plane = ZERO
                    for quad in range(4):
                        word = load_word(pairs + 16 * part + 4 * quad)
                        plane |= raised(shifted(word, 2 * quarter) & PAIRS, 2 * quad)
                    store_word(out.ctypes.data + planes + 128 * block + 64 * part + 4 * r, plane)


@njit(nogil=True)
def scales_are_finite(blocks, start, stop, block_bytes, scale, count):
    """Whether the `count` float16 at byte `scale` of each block from byte start to byte stop - 1 are numbers."""
    finite = True
    for here in range(start + scale + 1, stop, block_bytes):
        for i in range(count):
            finite &= (blocks[here + 2 * i] & 0x7C) != 0x7C  # the exponent of infinity and NaN
    return finite


@njit(nogil=True)
def pack_group(format, blocks, start, row_size, count, n_blocks, out):
    """Packs `count` rows of a group, which start at byte `start` of the blocks, into `out`."""
    if format == Q4_0:
        _pack_q4_0(blocks, start, row_size, count, n_blocks, out)
    elif format == Q8_0:
        _pack_q8_0(blocks, start, row_size, count, n_blocks, out)
    elif format == Q4_K:
        _pack_q4_k(blocks, start, row_size, count, n_blocks, out)
    elif format == Q5_K:
        _pack_q5_k(blocks, start, row_size, count, n_blocks, out)
    else:
        _pack_q6_k(blocks, start, row_size, count, n_blocks, out)


@njit(nogil=True, cache=True)
def _pack_groups(format, blocks, row_size, n_rows, n_blocks, scales, first, last, out):
    """Packs groups first..last-1 of the rows, which are row_size bytes each, into `out`.

    Args:
        scales: bytes of a block, and the two numbers of formats.SCALES.

    Returns:
        Whether all scales are finite.
    """
    size, finite = group_bytes(format, n_blocks), True
    for group in range(first, last):
        start, count = ROWS * group * row_size, min(ROWS, n_rows - ROWS * group)  # the rest of the last one stays zero
        finite &= scales_are_finite(blocks, start, start + count * row_size, *scales)
        pack_group(format, blocks, start, row_size, count, n_blocks, out[group * size : (group + 1) * size])
    return finite


@njit(nogil=True, cache=True)
def _check_rows(blocks, start, stop, scales):
    """Whether all scales of bytes start..stop-1 are finite; `scales` as in `_pack_groups`."""
    return scales_are_finite(blocks, start, stop, *scales)


def _shares(n: int, threads: int) -> list[tuple[int, int]]:
    """The ranges of 0..n-1 that the threads work on, first and one past the last."""
    bounds = [n * share // threads for share in range(threads + 1)]
    return list(itertools.pairwise(bounds))


def _check(blocks: np.ndarray, format: str, shape: tuple[int, int]) -> None:
    if format not in FORMAT_NUMBERS:
        raise ShapeError(f"format is {format!r}, expected one of {', '.join(FORMAT_NUMBERS)}")
    if blocks.dtype != np.uint8:
        raise ShapeError(f"blocks are {blocks.dtype}, expected uint8")
    check_shape("blocks", blocks.shape, (shape[0], row_bytes(format, shape[1])))


def prepare(blocks: np.ndarray, format: str, shape: tuple[int, int], threads: int = 1) -> PackedMatrix:
    """A matrix of ggml blocks as a model keeps it: q8_0 and q6_k where they are, the others packed.

    Args and Raises:
        as `pack`; blocks that stay must not change while the matrix is used.
    """
    if format not in IN_FILE_NUMBERS:
        return pack(blocks, format, shape, threads)
    _check(blocks, format, shape)
    source, size = np.ascontiguousarray(blocks).view(np.ndarray).reshape(-1), row_bytes(format, shape[1])
    scales = (FORMATS[format].block_bytes, *SCALES[format])

    def check_share(share: tuple[int, int]) -> bool:
        first, last = share
        read_ahead(source[first * size : last * size])
        return _check_rows(source, first * size, last * size, scales)

    with ThreadPoolExecutor(threads) as pool:
        finite = all(list(pool.map(check_share, _shares(shape[0], threads))))
    return PackedMatrix(format=format, shape=shape, data=source, finite=finite, in_file_order=True)


def pack(blocks: np.ndarray, format: str, shape: tuple[int, int], threads: int = 1) -> PackedMatrix:
    """A matrix of ggml blocks in the kernels' layout; the blocks are read once, group by group.

    Args:
        blocks: uint8 (N, row_bytes), a read-only memory map as well.
        format: "q4_0", "q8_0", "q4_k", "q5_k" or "q6_k".
        shape: (N, K).
        threads: how many pack at the same time.

    Raises:
        ShapeError: a format without kernels, or blocks of another size than the format has for this shape.
    """
    _check(blocks, format, shape)
    number, n_blocks, n_groups = FORMAT_NUMBERS[format], shape[1] // BLOCK, -(-shape[0] // ROWS)
    data = own_pages(n_groups * group_bytes(number, n_blocks), huge=True)
    source, size = np.ascontiguousarray(blocks).view(np.ndarray).reshape(-1), row_bytes(format, shape[1])
    scales = (FORMATS[format].block_bytes, *SCALES[format])

    def pack_share(share: tuple[int, int]) -> bool:
        first, last = share
        read_ahead(source[ROWS * first * size : ROWS * last * size])
        return _pack_groups(number, source, size, shape[0], n_blocks, scales, first, last, data)

    with ThreadPoolExecutor(threads) as pool:
        finite = all(list(pool.map(pack_share, _shares(n_groups, threads))))
    return PackedMatrix(format=format, shape=shape, data=data, finite=finite)
