"""How the kernels keep a matrix: rows in groups of 16 that lie beside each other, so that one load holds all 16.

ggml keeps a row's blocks one after the other. Here the 16 rows of a group are interleaved by 4 columns, and each kind
of value has its own section. A group of rows of n blocks (of 32 columns) in q4_0:

    codes    n x 4 lines of 64 bytes   line l, row r, byte j:  low nibble   column 4l + j of the block
                                                               high nibble  column 16 + 4l + j
    scales   n x 16 float16

    format   sections of a group, bytes a block of 32 columns x 16 rows                                  bits a weight
    q4_0     codes 256, scales 32                                                                        4.5
    q8_0     codes 512 (8 lines of int8), scales 32                                                      8.5
    q4_k     codes 256, scales 16, minimums 16 (6 bits, a byte each), d and dmin 8 (float16 a 256)       4.625
    q5_k     codes 256, fifth bits 64, scales 16, minimums 16, d and dmin 8                              5.625
    q6_k     codes 256, upper bits 2 x 64, scales 2 x 16 (int8), d 4                                     6.5625

In a plane of upper bits, byte j of row r holds the bits of columns j, 4 + j, 8 + j..., lowest first: one bit for each
of 8 columns in q5_k; two for each of 4 in q6_k, which has a plane for either half of the block.
The last group is filled up with rows of zeros. A group starts at a multiple of 64 bytes.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numba.extending import register_jitable

from minillama.errors import ShapeError
from minillama.quant.formats import row_bytes
from minillama.shapes import check_shape

ROWS = 16
BLOCK = 32
ALIGNMENT = 64
Q4_0, Q8_0, Q4_K, Q5_K, Q6_K = range(5)  # what the compiled functions call the formats
FORMAT_NUMBERS = {"q4_0": Q4_0, "q8_0": Q8_0, "q4_k": Q4_K, "q5_k": Q5_K, "q6_k": Q6_K}
_BYTES_PER_256_COLUMNS = (8 * 288, 8 * 544, 8 * 288 + 64, 8 * 352 + 64, 8 * 416 + 32)  # of 16 rows


@register_jitable
def group_bytes(format, n_blocks):
    """Bytes of a packed group of 16 rows of n_blocks x 32 columns, a multiple of 64.

    >>> group_bytes(Q4_0, 128)
    36864
    """
    return (_BYTES_PER_256_COLUMNS[format] * n_blocks // 8 + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


@dataclass(frozen=True, kw_only=True)
class PackedMatrix:
    """A quantized matrix as the kernels read it.

    Args:
        format: "q4_0", "q8_0", "q4_k", "q5_k" or "q6_k".
        shape: (N, K).
        data: uint8, the packed groups, at an address that is a multiple of 64.
    """

    format: str
    shape: tuple[int, int]
    data: np.ndarray

    @property
    def number(self) -> int:
        """The format as the compiled functions call it."""
        return FORMAT_NUMBERS[self.format]

    @property
    def n_groups(self) -> int:
        """Groups of 16 rows."""
        return -(-self.shape[0] // ROWS)

    @property
    def address(self) -> int:
        """Where the groups start in memory; valid as long as `data` is kept."""
        return self.data.ctypes.data

    @property
    def nbytes(self) -> int:
        """Bytes of the groups."""
        return self.data.nbytes


@njit(nogil=True)
def _pack_q4_0(row, n_blocks, r, out):
    """A row of blocks (d, 16 bytes whose nibbles are columns i and 16 + i), row r of its group."""
    for block in range(n_blocks):
        for i in range(2):
            out[256 * n_blocks + 32 * block + 2 * r + i] = row[18 * block + i]
        for line in range(4):
            for j in range(4):
                out[256 * block + 64 * line + 4 * r + j] = row[18 * block + 2 + 4 * line + j]


@njit(nogil=True)
def _pack_q8_0(row, n_blocks, r, out):
    """A row of blocks (d, 32 int8)."""
    for block in range(n_blocks):
        for i in range(2):
            out[512 * n_blocks + 32 * block + 2 * r + i] = row[34 * block + i]
        for line in range(8):
            for j in range(4):
                out[512 * block + 64 * line + 4 * r + j] = row[34 * block + 2 + 4 * line + j]


@njit(nogil=True)
def _pack_nibbles(codes, block, r, out):
    """The low four bits of a block's 32 codes."""
    for line in range(4):
        for j in range(4):
            upper = codes[16 + 4 * line + j] << 4
            out[256 * block + 64 * line + 4 * r + j] = (codes[4 * line + j] & 15) | (upper & 240)


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
def _pack_q4_k(row, n_blocks, r, out):
    """A row of super-blocks; 32 bytes of nibbles hold two blocks, low and high."""
    scales, minimums, halves = out[256 * n_blocks :], out[272 * n_blocks :], out[288 * n_blocks :]
    codes = np.empty(32, np.uint8)
    for s in range(n_blocks // 8):
        super_block = row[144 * s : 144 * s + 144]
        _pack_scales_k(super_block, 8 * s, r, scales, minimums, halves[64 * s :])
        for b in range(8):
            for i in range(32):
                codes[i] = (super_block[16 + 32 * (b // 2) + i] >> (4 * (b % 2))) & 15
            _pack_nibbles(codes, 8 * s + b, r, out)


@njit(nogil=True)
def _pack_q5_k(row, n_blocks, r, out):
    """A row of super-blocks; bit b of fifth_bits[i] belongs to column i of block b."""
    plane, scales = out[256 * n_blocks :], out[320 * n_blocks :]
    minimums, halves = out[336 * n_blocks :], out[352 * n_blocks :]
    codes = np.empty(32, np.uint8)
    for s in range(n_blocks // 8):
        super_block = row[176 * s : 176 * s + 176]
        _pack_scales_k(super_block, 8 * s, r, scales, minimums, halves[64 * s :])
        fifth_bits = super_block[16:48]
        for b in range(8):
            for i in range(32):
                codes[i] = (super_block[48 + 32 * (b // 2) + i] >> (4 * (b % 2))) & 15
            _pack_nibbles(codes, 8 * s + b, r, out)
            for j in range(4):
                bits = 0
                for quad in range(8):
                    bits |= ((fifth_bits[4 * quad + j] >> b) & 1) << quad
                plane[64 * (8 * s + b) + 4 * r + j] = bits


@njit(nogil=True)
def _pack_q6_k(row, n_blocks, r, out):
    """A row of super-blocks: 128 bytes of nibbles, 64 of pairs of bits, 16 int8 scales, d (kquants.dequantize_q6_k)."""
    planes, scales, halves = out[256 * n_blocks :], out[384 * n_blocks :], out[416 * n_blocks :]
    codes = np.empty(32, np.uint8)
    for s in range(n_blocks // 8):
        super_block = row[210 * s : 210 * s + 210]
        for i in range(2):
            halves[32 * s + 2 * r + i] = super_block[208 + i]
        for b in range(8):
            block = 8 * s + b
            half, quarter = b // 4, b % 4
            for i in range(2):
                scales[32 * block + 16 * i + r] = super_block[192 + 2 * b + i]
            for i in range(32):
                nibble = super_block[64 * half + 32 * (quarter % 2) + i] >> (4 * (quarter // 2))
                upper = super_block[128 + 32 * half + i] >> (2 * quarter)
                codes[i] = (nibble & 15) | ((upper & 3) << 4)
            _pack_nibbles(codes, block, r, out)
            for part in range(2):
                for j in range(4):
                    bits = 0
                    for quad in range(4):
                        bits |= (codes[16 * part + 4 * quad + j] >> 4) << (2 * quad)
                    planes[128 * block + 64 * part + 4 * r + j] = bits


@njit(nogil=True, cache=True)
def _pack_groups(format, blocks, n_blocks, first, last, out):
    """Packs groups first..last-1 of the rows of `blocks` into `out`."""
    size = group_bytes(format, n_blocks)
    for group in range(first, last):
        place = out[group * size : (group + 1) * size]
        for r in range(ROWS):
            if ROWS * group + r >= len(blocks):
                break  # the rest of the last group stays zero
            row = blocks[ROWS * group + r]
            if format == Q4_0:
                _pack_q4_0(row, n_blocks, r, place)
            elif format == Q8_0:
                _pack_q8_0(row, n_blocks, r, place)
            elif format == Q4_K:
                _pack_q4_k(row, n_blocks, r, place)
            elif format == Q5_K:
                _pack_q5_k(row, n_blocks, r, place)
            else:
                _pack_q6_k(row, n_blocks, r, place)


def aligned_bytes(count: int) -> np.ndarray:
    """`count` zero bytes at an address that is a multiple of 64; their memory is taken when they are written."""
    room = np.zeros(count + ALIGNMENT, np.uint8)
    skip = -room.ctypes.data % ALIGNMENT
    return room[skip : skip + count]


def pack(blocks: np.ndarray, format: str, shape: tuple[int, int]) -> PackedMatrix:
    """A matrix of ggml blocks in the kernels' layout; the blocks are read once, group by group.

    Args:
        blocks: uint8 (N, row_bytes), a read-only memory map as well.
        format: "q4_0", "q8_0", "q4_k", "q5_k" or "q6_k".
        shape: (N, K).

    Raises:
        ShapeError: a format without kernels, or blocks of another size than the format has for this shape.
    """
    if format not in FORMAT_NUMBERS:
        raise ShapeError(f"format is {format!r}, expected one of {', '.join(FORMAT_NUMBERS)}")
    if blocks.dtype != np.uint8:
        raise ShapeError(f"blocks are {blocks.dtype}, expected uint8")
    check_shape("blocks", blocks.shape, (shape[0], row_bytes(format, shape[1])))
    number, n_blocks, n_groups = FORMAT_NUMBERS[format], shape[1] // BLOCK, -(-shape[0] // ROWS)
    data = aligned_bytes(n_groups * group_bytes(number, n_blocks))
    _pack_groups(number, np.ascontiguousarray(blocks).view(np.ndarray), n_blocks, 0, n_groups, data)
    return PackedMatrix(format=format, shape=shape, data=data)
