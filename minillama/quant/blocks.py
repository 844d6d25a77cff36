"""Rows of weights as rows of small blocks, and back: what every block format shares.

A block format stores a row of K weights as K / block_size blocks, each a few bytes of scales and then the small
integers. The bytes of a matrix are a uint8 array (N, row_bytes); one block is one record of a NumPy structured dtype.
"""

from collections.abc import Iterator

import numpy as np

from minillama.errors import CheckpointError, ShapeError

BLOCKS_AT_ONCE = 2048  # so that temporaries stay in the processor's second-level cache


def parts(count: int, size: int = BLOCKS_AT_ONCE) -> Iterator[slice]:
    """Slices that cover `count` items, `size` at a time.

    >>> list(parts(5, size=2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def split_into_blocks(x: np.ndarray, block_size: int) -> np.ndarray:
    """A matrix as its blocks.

    Args:
        x: float (N, K), K a multiple of block_size.
        block_size: weights in a block.

    Returns:
        float32 (N * K / block_size, block_size).

    Raises:
        ShapeError: not a matrix of floats, or rows that do not divide into blocks.
    """
    if x.ndim != 2 or x.dtype.kind != "f":
        raise ShapeError(f"weights are {x.dtype} of shape {x.shape}, expected a matrix of floats")
    if x.shape[1] % block_size:
        raise ShapeError(f"rows of {x.shape[1]} weights do not divide into blocks of {block_size}")
    return np.ascontiguousarray(x, dtype=np.float32).reshape(-1, block_size)


def split_finite(x: np.ndarray, block_size: int) -> np.ndarray:
    """`split_into_blocks` for formats whose blocks share a scale, which a weight that is not finite would spoil.

    Raises:
        ShapeError: see split_into_blocks.
        CheckpointError: NaN or infinity.
    """
    blocks = split_into_blocks(x, block_size)
    if not np.isfinite(blocks.min(initial=0)) or not np.isfinite(blocks.max(initial=0)):
        raise CheckpointError("the weights hold NaN or infinity: the file is damaged, or its training diverged")
    return blocks


def records(blocks: np.ndarray, layout: np.dtype) -> np.ndarray:
    """The bytes of a matrix as one record a block, without a copy.

    Args:
        blocks: uint8 (N, row_bytes).
        layout: the structured dtype of one block.

    Returns:
        `layout` (N * row_bytes / block_bytes,).

    Raises:
        ShapeError: not a matrix of bytes, or rows that do not divide into blocks.
    """
    if blocks.ndim != 2 or blocks.dtype != np.uint8:
        raise ShapeError(f"blocks are {blocks.dtype} of shape {blocks.shape}, expected a matrix of uint8")
    if blocks.shape[1] % layout.itemsize:
        raise ShapeError(f"rows of {blocks.shape[1]} bytes do not divide into blocks of {layout.itemsize}")
    return np.ascontiguousarray(blocks).reshape(-1).view(layout)


def join_nibbles(codes: np.ndarray) -> np.ndarray:
    """Codes 0..15 (..., 2n) as bytes (..., n): byte j holds code j in its low half and code j + n in its high half."""
    low, high = np.split(codes, 2, axis=-1)
    return low | (high << 4)


def split_nibbles(packed: np.ndarray) -> np.ndarray:
    """The reverse of `join_nibbles`: uint8 (..., n) to codes 0..15 (..., 2n)."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)
