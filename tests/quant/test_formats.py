"""Every block format against the gguf package, bit for bit."""

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.errors import ShapeError
from minillama.quant.formats import (
    FORMATS,
    dequantize_q4_0,
    quantize_bf16,
    quantize_q4_0,
    quantize_q8_0,
    round_half_away,
    row_bytes,
)

WRITTEN = [name for name, block_format in FORMATS.items() if block_format.quantize]
WRITTEN_BY_GGUF = [name for name in WRITTEN if not name.endswith("_k")]  # the others: test_kquants.py


def ggml_type(name: str) -> gguf.GGMLQuantizationType:
    return gguf.GGMLQuantizationType(FORMATS[name].ggml_type)


def edge_rows() -> np.ndarray:
    """Rows of 64 whose blocks are zero, huge, denormal, signed zeros, tied in magnitude, and halves between codes."""
    rng = np.random.default_rng(1)
    row = rng.standard_normal(64).astype(np.float32)
    ties = np.zeros(64, np.float32)
    ties[3], ties[9], ties[40], ties[50] = 2, -2, -3, 3
    halves = np.arange(-32, 32, dtype=np.float32) / 2
    halves[[0, 63]] = 127
    rows = [np.zeros(64), row * 1e30, row * 3e37, row * 1e-38, row * 1e-39, row * 1e-44, ties, halves, row]
    rows += [row * 1e5, np.full(64, 65504 * 127), np.where(row > 9, -0.0, 0.0), np.full(64, 1e-45), np.full(64, -7)]
    return np.stack(rows).astype(np.float32)


def same_bits(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return ours.shape == theirs.shape and ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", FORMATS)
def test_names_numbers_and_sizes_are_ggmls(name: str) -> None:
    assert ggml_type(name).name.lower() == name
    assert gguf.GGML_QUANT_SIZES[ggml_type(name)] == (FORMATS[name].block_size, FORMATS[name].block_bytes)


@pytest.mark.parametrize("name", FORMATS)
def test_dequantize_equals_gguf_on_random_bytes(name: str) -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (7, row_bytes(name, 5120)), dtype=np.uint8)
    with np.errstate(all="ignore"):  # random bytes hold infinities and NaNs
        ours, theirs = FORMATS[name].dequantize(blocks), gguf.dequantize(blocks, ggml_type(name))
    assert ours.dtype == np.float32
    assert ours.shape == (7, 5120)
    np.testing.assert_array_equal(ours, theirs)
    finite = np.isfinite(theirs)
    assert (np.signbit(ours) == np.signbit(theirs))[finite].all()


@pytest.mark.parametrize("name", FORMATS)
def test_dequantize_takes_read_only_and_strided_bytes(name: str) -> None:
    blocks = np.random.default_rng(0).integers(0, 50, (6, row_bytes(name, 256)), dtype=np.uint8)
    blocks.flags.writeable = False
    np.testing.assert_array_equal(FORMATS[name].dequantize(blocks)[::2], FORMATS[name].dequantize(blocks[::2]))


@pytest.mark.parametrize("name", WRITTEN_BY_GGUF)
@pytest.mark.parametrize("scale", [1.0, 1e-4, 300.0])
def test_quantize_equals_gguf_on_random_weights(name: str, scale: float) -> None:
    x = np.random.default_rng(2).standard_normal((300, 1024), dtype=np.float32) * np.float32(scale)
    assert same_bits(FORMATS[name].quantize(x), gguf.quantize(x, ggml_type(name)).view(np.uint8))


@pytest.mark.filterwarnings("ignore:.*(overflow|invalid value).*:RuntimeWarning")
@pytest.mark.parametrize("name", WRITTEN_BY_GGUF)
def test_quantize_equals_gguf_on_edges(name: str) -> None:
    x = edge_rows()
    if name != "q4_0":  # there the gguf package takes the sign of the first zero, and ggml does not
        x = np.concatenate([x, -x])
    assert same_bits(FORMATS[name].quantize(x), gguf.quantize(x, ggml_type(name)).view(np.uint8).reshape(len(x), -1))


def test_q4_0_zero_block_has_ggmls_negative_zero_scale() -> None:
    for zero in (0.0, -0.0):
        assert quantize_q4_0(np.full((1, 32), zero, np.float32))[0].tolist() == [0x00, 0x80] + [0x88] * 16


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=32, min_value=-(2.0**100), max_value=2.0**100), min_size=32, max_size=32))
@pytest.mark.filterwarnings("ignore:.*(overflow|invalid value).*:RuntimeWarning")
def test_any_block_quantizes_as_gguf_does(values: list[float]) -> None:
    x = np.array([values], np.float32)
    assert same_bits(quantize_q8_0(x), gguf.quantize(x, ggml_type("q8_0")))
    if x.any():
        assert same_bits(quantize_q4_0(x), gguf.quantize(x, ggml_type("q4_0")))


def test_q4_0_round_trip_is_within_half_a_step() -> None:
    x = np.random.default_rng(3).uniform(-1, 1, (5, 96)).astype(np.float32)
    steps = np.abs(x.reshape(-1, 32)).max(axis=1, keepdims=True) / 8
    error = np.abs(dequantize_q4_0(quantize_q4_0(x)) - x).reshape(-1, 32)
    assert (error <= steps * 1.01).all()
    assert (error <= steps * 0.51).mean() > 0.95  # all but those clipped at the short end


def test_round_half_away_is_roundf() -> None:
    x = np.array([0.5, -0.5, 1.5, 2.5, -2.5, 0.49999997, -0.49999997, 126.5, 0, 126.49999], np.float32)
    assert round_half_away(x).tolist() == [1, -1, 2, 3, -3, 0, 0, 127, 0, 126]


def test_bf16_keeps_nan_and_rounds_to_even() -> None:
    bits = np.array([[0x7F800001, 0xFFFFFFFF, 0x3F808000, 0x3F818000, 0x7F7FFFFF]], np.uint32)
    assert quantize_bf16(bits.view(np.float32)).view(np.uint16)[0].tolist() == [0x7FC0, 0xFFFF, 0x3F80, 0x3F82, 0x7F80]


def test_wrong_shapes_and_types_are_refused() -> None:
    with pytest.raises(ShapeError, match="33 weights do not divide"):
        quantize_q4_0(np.zeros((1, 33), np.float32))
    with pytest.raises(ShapeError, match="matrix of floats"):
        quantize_q8_0(np.zeros((2, 32), np.int32))
    with pytest.raises(ShapeError, match="matrix of uint8"):
        dequantize_q4_0(np.zeros(18, np.uint8))
    with pytest.raises(ShapeError, match="19 bytes do not divide"):
        dequantize_q4_0(np.zeros((1, 19), np.uint8))
    with pytest.raises(ShapeError, match="expected one of f32"):
        row_bytes("q9", 32)
    with pytest.raises(ShapeError, match="do not divide into q6_k blocks of 256"):
        row_bytes("q6_k", 128)


@pytest.mark.parametrize("name", WRITTEN)
def test_an_empty_matrix_stays_empty(name: str) -> None:
    blocks = FORMATS[name].quantize(np.zeros((0, 256), np.float32))
    assert blocks.shape == (0, row_bytes(name, 256))
    assert FORMATS[name].dequantize(blocks).shape == (0, 256)
