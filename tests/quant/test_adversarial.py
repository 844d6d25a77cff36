"""Blocks made to go wrong: quantized and read back as ggml's library does, in every bit, or refused by name."""

import ctypes
import platform
from types import ModuleType

import numpy as np
import pytest

from minillama.errors import CheckpointError, ShapeError
from minillama.quant.formats import FORMATS, SCALES, row_bytes

BLOCK_FORMATS = [name for name, block_format in FORMATS.items() if block_format.block_size > 1]
WRITTEN = [name for name in BLOCK_FORMATS if FORMATS[name].quantize]
COLUMNS = 256
VALUES = (1, -1, 65504, -65520, 3.4e38, -1e30, 1e-15, -9e-16, 1e-38, 1e-45, -1e-45, 2.0**-24, -(2.0**-25), 2.0**-128)


@pytest.fixture(scope="module")
def ggml() -> ModuleType:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: make bench-deps")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("elsewhere compilers fuse ggml's products and sums, which rounds once instead of twice")
    from tests.quant import ggml_library

    return ggml_library


def rows_around(value: float, rng: np.random.Generator) -> np.ndarray:
    """One outlier at each position, on zeros, negative zeros and small weights; constants, alternations and ties."""
    value, diagonal = np.float32(value), np.eye(COLUMNS, dtype=np.float32)
    noise = rng.standard_normal((COLUMNS, COLUMNS)).astype(np.float32)
    signs = np.where(rng.random((16, COLUMNS)) < 0.5, value, -value)
    rows = [diagonal * value, np.where(diagonal > 0, value, np.float32(-0.0))]
    rows += [np.where(diagonal > 0, value, noise * (np.abs(value) / 1000)), np.full((1, COLUMNS), value)]
    rows += [
        np.where(np.arange(COLUMNS) % 2, value, -value)[None],
        np.where(np.arange(COLUMNS) % 2, -value, value)[None],
    ]
    rows += [signs, np.where(noise[:16] > 1, signs, noise[:16] * (np.abs(value) / 8))]
    return np.concatenate(rows).astype(np.float32)


def adversarial_rows() -> np.ndarray:
    """About ten thousand rows of 256, all finite."""
    rng = np.random.default_rng(0)
    rows = [rows_around(value, rng) for value in VALUES]
    bits = rng.integers(0, 1 << 32, (500, COLUMNS), dtype=np.uint32).view(np.float32)
    rows += [np.where(np.isfinite(bits), bits, np.float32(1))]  # exponents of all sizes in one block
    rows += [
        rng.integers(0, 1 << power, (100, COLUMNS), dtype=np.uint32).view(np.float32) for power in (6, 23)
    ]  # denormal
    normal = rng.standard_normal((80, COLUMNS)).astype(np.float32)
    rows += [normal * np.float32(10.0**power) for power in range(-45, 36, 4)]
    parts = rng.standard_normal((200, 16, 16)) * 10.0 ** rng.integers(-40, 30, (200, 16, 1))
    rows += [parts.reshape(-1, COLUMNS).astype(np.float32), np.abs(normal), -np.abs(normal), np.zeros_like(normal[:1])]
    rows += [(rng.integers(-254, 255, (200, COLUMNS)) / 2).astype(np.float32)]  # halves between codes
    rows += [
        (rng.uniform(-1, 1, (200, COLUMNS)) * 65520 * limit).astype(np.float32) for limit in (1, 8, 31.5, 127, 4096)
    ]
    return np.concatenate(rows)


@pytest.mark.parametrize("name", WRITTEN)
def test_quantizing_gives_the_librarys_bytes(name: str, ggml: ModuleType) -> None:
    x = adversarial_rows()
    quantize = FORMATS[name].quantize
    assert quantize is not None
    different = np.flatnonzero((quantize(x) != ggml.ggml_quantize(name, x)).any(axis=1))
    assert len(different) == 0, (different, x[different[0]])


@pytest.mark.parametrize("name", BLOCK_FORMATS)
def test_reading_gives_the_librarys_floats(name: str, ggml: ModuleType) -> None:
    """Any bytes at all, half of them with scales that are zero, denormal, the largest, infinite or NaN."""
    rng = np.random.default_rng(1)
    blocks = rng.integers(0, 256, (2000, row_bytes(name, COLUMNS)), dtype=np.uint8)
    special = np.array([0, 0x8000, 1, 0x8001, 0x3FF, 0x400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00], np.uint16)
    each = blocks[:1000].reshape(-1, FORMATS[name].block_bytes)
    start, count = SCALES[name]
    each[:, start : start + 2 * count] = rng.choice(special, (len(each), count)).view(np.uint8)
    read = getattr(ggml.LIBRARY, f"dequantize_row_{name.replace('_k', '_K')}")
    read.restype, read.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    expected = np.empty((len(blocks), COLUMNS), np.float32)
    read(blocks.ctypes.data, expected.ctypes.data, expected.size)
    with np.errstate(all="ignore"):
        found = FORMATS[name].dequantize(blocks)
    assert (np.isnan(found) == np.isnan(expected)).all()
    numbers = ~np.isnan(expected)
    assert (found.view(np.uint32)[numbers] == expected.view(np.uint32)[numbers]).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_not_finite_is_refused(name: str, value: float) -> None:
    x = np.ones((5, COLUMNS), np.float32)
    x[3, 77] = value
    quantize = FORMATS[name].quantize
    assert quantize is not None
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        quantize(x)


@pytest.mark.parametrize("name", WRITTEN)
def test_rows_of_any_number_but_not_of_any_length(name: str) -> None:
    block_format = FORMATS[name]
    assert block_format.quantize is not None
    x = np.random.default_rng(2).standard_normal((33, 2 * block_format.block_size)).astype(np.float32)
    whole = block_format.quantize(x)
    for count in (1, 15, 17):
        assert (block_format.quantize(x[:count]) == whole[:count]).all()
    for columns in (1, block_format.block_size - 1, block_format.block_size + 16):
        with pytest.raises(ShapeError, match=f"rows of {columns} weights do not divide into blocks"):
            block_format.quantize(x[:, :columns])
