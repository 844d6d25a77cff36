"""Packing: nothing is lost, little is added."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quant.kernel_cases import KERNEL_FORMATS, LAYOUTS, Lay, columns_of, random_blocks, with_scales

from minillama.errors import ShapeError
from minillama.quant.formats import FORMATS, row_bytes
from minillama.quant.kernels.layout import ALIGNMENT
from minillama.quant.kernels.packing import pack
from minillama.quant.kernels.portable import unpack


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and left.dtype == right.dtype and left.tobytes() == right.tobytes()


@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
@pytest.mark.parametrize("rows", [1, 15, 16, 37])
def test_unpacked_weights_are_bit_for_bit_those_of_the_blocks(name: str, lay: Lay, rows: int) -> None:
    for columns in columns_of(name):
        blocks = random_blocks(name, rows, columns)
        assert same_bits(unpack(lay(blocks, name, (rows, columns))), FORMATS[name].dequantize(blocks))


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(KERNEL_FORMATS), rows=st.integers(1, 40), n_blocks=st.integers(1, 9), seed=st.integers(0))
def test_any_shape_survives(name: str, rows: int, n_blocks: int, seed: int) -> None:
    columns = n_blocks * FORMATS[name].block_size
    blocks = random_blocks(name, rows, columns, seed)
    assert same_bits(unpack(pack(blocks, name, (rows, columns))), FORMATS[name].dequantize(blocks))


@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
@pytest.mark.parametrize("scale", [65504.0, -65504.0, 6e-8, 0.0])
def test_scales_at_the_ends_of_float16_survive(name: str, lay: Lay, scale: float) -> None:
    blocks = with_scales(name, random_blocks(name, 16, 256), np.float16(scale))
    assert same_bits(unpack(lay(blocks, name, (16, 256))), FORMATS[name].dequantize(blocks))


@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
def test_every_byte_of_a_block_counts(name: str, lay: Lay) -> None:
    """One flipped bit gives other weights, in that row alone."""
    blocks = with_scales(name, np.full((16, row_bytes(name, 256)), 0x55, np.uint8), np.float16(1.5))
    before = unpack(lay(blocks, name, (16, 256)))
    for byte in range(blocks.shape[1]):
        changed = blocks.copy()
        changed[3, byte] ^= 0x08
        after = unpack(lay(changed, name, (16, 256)))
        assert np.flatnonzero((before != after).any(axis=1)).tolist() == [3]


@pytest.mark.parametrize(("name", "lay"), LAYOUTS)
def test_packed_bytes_stay_near_those_of_the_file(name: str, lay: Lay) -> None:
    packed = lay(random_blocks(name, 64, 1024), name, (64, 1024))
    assert packed.nbytes <= 1.03 * 64 * row_bytes(name, 1024)
    assert packed.in_file_order or packed.address % ALIGNMENT == 0


def test_read_only_maps_are_packed() -> None:
    blocks = random_blocks("q4_0", 32, 64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blocks"
        path.write_bytes(blocks.tobytes())
        mapped = np.memmap(path, np.uint8, mode="r", shape=blocks.shape)
        packed = pack(mapped, "q4_0", (32, 64))
        del mapped
    assert same_bits(unpack(packed), FORMATS["q4_0"].dequantize(blocks))


def test_some_rows_alone() -> None:
    packed = pack(random_blocks("q6_k", 40, 256), "q6_k", (40, 256))
    rows = np.array([39, 0, 17, 17])
    np.testing.assert_array_equal(unpack(packed, rows), unpack(packed)[rows])


@pytest.mark.parametrize("rows", [[40], [-1]])
def test_rows_that_do_not_exist_are_named(rows: list[int]) -> None:
    packed = pack(random_blocks("q4_0", 40, 32), "q4_0", (40, 32))
    with pytest.raises(ShapeError, match="expected 0 to 39"):
        unpack(packed, np.array(rows))


@pytest.mark.parametrize(
    ("blocks", "name", "message"),
    [
        (np.zeros((2, 18), np.uint8), "q4_1", "expected one of q4_0"),
        (np.zeros((2, 17), np.uint8), "q4_0", r"expected \(2, 18\)"),
        (np.zeros((2, 18), np.int8), "q4_0", "expected uint8"),
        (np.zeros((2, 144), np.uint8), "q4_k", "do not divide"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(blocks: np.ndarray, name: str, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        pack(blocks, name, (2, 32))
