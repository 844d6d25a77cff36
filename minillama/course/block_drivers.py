"""How answers that write blocks of weights are called. Holds no answers."""

from collections.abc import Callable
from typing import Any

import numpy as np

BLOCK = 32  # weights


def stored(answer: Callable[..., Any], x: np.ndarray, block_bytes: int, codes: str) -> Any:
    """The answer turns weights into blocks of bytes: the scale that each block begins with, and the rest of it.

    So that a difference is told as one of scales or codes, and a scale of -0 is as good as one of 0.

    Args:
        answer: x -> uint8 (N, K / 32 * block_bytes).
        x: float32 (N, K).
        block_bytes: bytes of a block, the float16 scale in the first two.
        codes: dtype to show the rest in.

    Returns:
        float32 (N, K / 32), and the rest, (N, K / 32, block_bytes - 2).
    """
    found = answer(x)
    if found is None:
        return None
    blocks, wanted = np.asarray(found), (len(x), x.shape[1] // BLOCK * block_bytes)
    if blocks.dtype != np.uint8 or blocks.shape != wanted:
        raise ValueError(f"it gave {blocks.dtype} of shape {blocks.shape}, expected uint8 of shape {wanted}")
    parts = np.ascontiguousarray(blocks).reshape(len(x), -1, block_bytes)
    scales = parts[..., :2].copy().view("<f2")[..., 0].astype(np.float32)
    return scales, parts[..., 2:].copy().view(codes)


def q8_0(answer: Callable[..., Any], x: np.ndarray) -> Any:
    """See `stored`: blocks of 34 bytes."""
    return stored(answer, x, 34, "i1")


def q4_0(answer: Callable[..., Any], x: np.ndarray) -> Any:
    """See `stored`: blocks of 18 bytes."""
    return stored(answer, x, 18, "u1")
