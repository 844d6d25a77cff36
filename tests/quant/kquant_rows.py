"""Weights that are the same bits on every machine, for golden bytes of the K-quants."""

from pathlib import Path

import numpy as np

from minillama.quant.formats import FORMATS

GOLDEN = Path(__file__).parents[1] / "golden" / "kquants.npz"  # see make_golden.py
SHAPES_OF_WEIGHTS = ("bell", "heavy tails", "uniform", "outliers", "skewed")


def bell(rows: int, seed: int, columns: int = 256) -> np.ndarray:
    """Sums of four random 16-bit integers, about normal with deviation 0.58: float32 (rows, columns)."""
    raw = np.random.PCG64(seed).random_raw(rows * columns)  # a stream that NumPy promises to keep
    sums = sum((raw >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48))
    return ((np.asarray(sums, np.float32) - 131070) / 65536).reshape(rows, columns)


def matrix(kind: str, rows: int = 256, columns: int = 1024) -> np.ndarray:
    """A matrix of weights of one of SHAPES_OF_WEIGHTS."""
    x = bell(rows, SHAPES_OF_WEIGHTS.index(kind), columns)
    if kind == "heavy tails":
        x = x * x * x
    elif kind == "uniform":
        x = x * 64 - np.floor(x * 64)
    elif kind == "outliers":
        x = np.where(bell(rows, 9, columns) > 1.5, x * 64, x)
    elif kind == "skewed":
        x = np.abs(x) * x - np.float32(0.25)
    return x.astype(np.float32)


def edge_rows() -> dict[str, np.ndarray]:
    """Named super-blocks: tiny, huge, constant, tied, sparse, denormal, and with sub-blocks of very unequal size."""
    row, other = bell(2, 100)
    index, zero = np.arange(256), np.zeros(256, np.float32)
    scales = (2.0**-13, 300, 1e-6, 3e-6, 1e-7, 1e-13, 1e-14, 1e-15, 1e-16, 1e-30, 1e-38, 1e-40, 1e-44, 1e5, 1e6)
    rows = {f"times {scale:g}": row * np.float32(scale) for scale in scales}
    rows |= {f"all {value:g}": zero + np.float32(value) for value in (0, 1, -1, -7, 9e-16, 1e-15, 1e-38, -1e-45, 2e6)}
    rows |= {"negative zeros": -zero, "positive": np.abs(row), "negative": -np.abs(row)}
    rows |= {"one weight": np.where(index == 100, 1, zero), "one negative": np.where(index == 100, -1, zero)}
    rows |= {"outlier": np.where(index == 17, 100, row), "large outlier": np.where(index == 17, -1e4, row)}
    rows |= {"outliers": np.where(index % 16, row, -30 * row), "one large part": np.where(index < 32, row * 999, row)}
    rows |= {"zero parts": np.where(index // 32 % 3, row, 0), "denormal parts": np.where(index // 32 % 3, row, 1e-40)}
    rows |= {"far": row / 64 + 5, "far below": row / 64 - 5, "nearly equal": -1 - row / 2**20}
    rows |= {"two values": np.where(row > 0, 1, -0.75), "ties": np.where(index % 2, 3, -3)}
    rows |= {"ramp": index - 128, "halves": index % 32 / 2 - 8, "codes": index % 16, "quarters": index % 16 / 4 - 2}
    rows |= {"powers": 2.0 ** -(index // 4), "signed powers": (-2.0) ** -(index // 4)}
    rows |= {"narrow": np.where(index % 2, 4.4e-38, 0), "narrower": np.where(index % 3, 4.2e-38, 0)}
    rows |= {"sparse": np.where(other > 1, row, 0), "cubes": row * row * row * 40, "squares": -row * row}
    return {name: np.asarray(values, np.float32) for name, values in rows.items()}


def mean_squared_error(name: str, x: np.ndarray, blocks: np.ndarray) -> float:
    """Of what a format keeps of the weights x."""
    return float(np.mean((FORMATS[name].dequantize(blocks) - x.astype(np.float64)) ** 2))
