"""Random blocks of every format that has kernels, and the products that they should have."""

from collections.abc import Callable

import numpy as np

from minillama.quant.formats import FORMATS, row_bytes
from minillama.quant.kernels.layout import FORMAT_NUMBERS, IN_FILE_NUMBERS, PackedMatrix
from minillama.quant.kernels.packing import pack, prepare

Lay = Callable[[np.ndarray, str, tuple[int, int]], PackedMatrix]
KERNEL_FORMATS = list(FORMAT_NUMBERS)
LAYOUTS = [*((name, pack) for name in KERNEL_FORMATS), *((name, prepare) for name in IN_FILE_NUMBERS)]
HALVES_AT = {"q4_0": (0,), "q8_0": (0,), "q4_k": (0, 2), "q5_k": (0, 2), "q6_k": (208,)}  # float16 scales in a block


def columns_of(name: str) -> tuple[int, ...]:
    """Numbers of columns worth a test: one block, an odd number of blocks, several."""
    step = FORMATS[name].block_size
    return (step, 3 * step, 4 * step) if step == 256 else (32, 96, 544)


def with_scales(name: str, blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The blocks (N, row_bytes) with all their float16 scales replaced; `scales` broadcasts to (N, blocks)."""
    records = blocks.copy().reshape(len(blocks), -1, FORMATS[name].block_bytes)
    halves = np.broadcast_to(np.asarray(scales, np.float16), records.shape[:2])
    for at in HALVES_AT[name]:
        records[:, :, at : at + 2] = np.ascontiguousarray(halves).view(np.uint8).reshape(*records.shape[:2], 2)
    return records.reshape(blocks.shape)


def random_blocks(name: str, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Blocks of random bytes whose scales are finite: uint8 (rows, row_bytes)."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (rows, row_bytes(name, columns)), dtype=np.uint8)
    scales = rng.uniform(-0.1, 0.1, (rows, columns // FORMATS[name].block_size))
    return with_scales(name, blocks, scales)


def quantized(x: np.ndarray) -> np.ndarray:
    """What activations become: codes -127..127 with a float32 scale for each block of 32; float64, like x."""
    blocks = x.reshape(*x.shape[:-1], -1, 32)
    largest = np.abs(blocks).max(-1, keepdims=True)
    inverse = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=largest > 1e-30)
    codes = np.rint(blocks * inverse).astype(np.float64)
    return (codes * (largest / np.float32(127))).reshape(x.shape)


def expected(name: str, blocks: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The product with quantized activations in float64, and how far float32 sums may be from it."""
    weights, x = FORMATS[name].dequantize(blocks).astype(np.float64), quantized(x)
    return x @ weights.T, 2e-6 * (np.abs(x) @ np.abs(weights).T) + 1e-30
