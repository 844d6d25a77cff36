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
Packing (packing.py) fills the last group up with rows of zeros. A group starts at a multiple of 64 bytes.

q8_0 and q6_k are as fast in the file's own order (rows.py), so a model leaves them there; for many tokens at a time,
some of their rows are packed as they are needed.
"""

from dataclasses import dataclass

import numpy as np
from numba.extending import register_jitable

ROWS = 16
BLOCK = 32
ALIGNMENT = 64
Q4_0, Q8_0, Q4_K, Q5_K, Q6_K = range(5)  # what the compiled functions call the formats
Q8_0_IN_FILE, Q6_K_IN_FILE = 5, 6  # as the file has them
FORMAT_NUMBERS = {"q4_0": Q4_0, "q8_0": Q8_0, "q4_k": Q4_K, "q5_k": Q5_K, "q6_k": Q6_K}
IN_FILE_NUMBERS = {"q8_0": Q8_0_IN_FILE, "q6_k": Q6_K_IN_FILE}
_BYTES_PER_256_COLUMNS = (8 * 288, 8 * 544, 8 * 288 + 64, 8 * 352 + 64, 8 * 416 + 32)  # of 16 rows


@register_jitable
def group_bytes(format, n_blocks):
    """Bytes of a packed group of 16 rows of n_blocks x 32 columns, a multiple of 64.

    >>> group_bytes(Q4_0, 128)
    36864
    """
    return (_BYTES_PER_256_COLUMNS[format] * n_blocks // 8 + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


@register_jitable
def file_row_bytes(format, n_blocks):
    """Bytes of a row of n_blocks x 32 columns in the file.

    >>> file_row_bytes(Q6_K_IN_FILE, 16)
    420
    """
    return 34 * n_blocks if format == Q8_0_IN_FILE else 210 * (n_blocks // 8)


@dataclass(frozen=True, kw_only=True)
class PackedMatrix:
    """A quantized matrix as the kernels read it.

    Args:
        format: "q4_0", "q8_0", "q4_k", "q5_k" or "q6_k".
        shape: (N, K).
        data: uint8, the packed groups, at an address that is a multiple of 64; or the file's blocks, C-contiguous.
        finite: whether every float16 scale is a number.
        in_file_order: whether `data` are the file's blocks, of "q8_0" or "q6_k".
    """

    format: str
    shape: tuple[int, int]
    data: np.ndarray
    finite: bool = True
    in_file_order: bool = False

    @property
    def number(self) -> int:
        """The format as the compiled functions call it."""
        return (IN_FILE_NUMBERS if self.in_file_order else FORMAT_NUMBERS)[self.format]

    @property
    def n_groups(self) -> int:
        """Groups of 16 rows."""
        return -(-self.shape[0] // ROWS)

    @property
    def address(self) -> int:
        """Where the groups or blocks start in memory; valid as long as `data` is kept."""
        return self.data.ctypes.data

    @property
    def nbytes(self) -> int:
        """Bytes of the groups or blocks."""
        return self.data.nbytes
