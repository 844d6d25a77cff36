"""What formats keep of weights, against the gguf package and, where its library is installed, ggml."""

import platform

import gguf
import numpy as np
import pytest

from minillama.errors import ShapeError
from minillama.quant.formats import FORMATS
from minillama.quant.rounding import kept, super_blocks
from tests.quant.kquant_rows import SHAPES_OF_WEIGHTS, matrix

BY_GGUF = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1")


@pytest.mark.parametrize("kind", SHAPES_OF_WEIGHTS)
@pytest.mark.parametrize("name", BY_GGUF)
def test_what_is_kept_is_what_gguf_keeps(name: str, kind: str) -> None:
    x, ggml_type = matrix(kind, 64, 512), gguf.GGMLQuantizationType(FORMATS[name].ggml_type)
    np.testing.assert_array_equal(kept(name, x), gguf.dequantize(gguf.quantize(x, ggml_type), ggml_type))


@pytest.mark.parametrize("kind", SHAPES_OF_WEIGHTS)
def test_four_bits_in_super_blocks_are_q4_k(kind: str) -> None:
    x = matrix(kind, 64, 512)
    np.testing.assert_array_equal(super_blocks(x, 4), kept("q4_k", x))


@pytest.mark.parametrize("kind", SHAPES_OF_WEIGHTS)
def test_q5_k_keeps_what_the_library_keeps(kind: str) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: make bench-deps")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("elsewhere compilers fuse ggml's products and sums, which rounds once instead of twice")
    from tests.quant.ggml_library import ggml_quantize

    x = matrix(kind, 64, 512)
    np.testing.assert_array_equal(kept("q5_k", x), FORMATS["q5_k"].dequantize(ggml_quantize("q5_k", x)))


def test_blocks_of_zeros_stay_zeros() -> None:
    for name in FORMATS:
        assert not kept(name, np.zeros((2, 256), np.float32)).any()


def test_more_bits_keep_more() -> None:
    x = matrix("bell", 64, 512)
    errors = [np.square(kept(name, x) - x).mean() for name in ("q4_0", "q4_k", "q5_0", "q5_k", "q6_k", "q8_0", "f16")]
    assert errors == sorted(errors, reverse=True)


def test_unknown_formats_and_odd_rows_are_refused() -> None:
    with pytest.raises(ShapeError, match="'q3_k', expected one of f32"):
        kept("q3_k", np.zeros((1, 256), np.float32))
    for name in ("q4_1", "q5_0", "q5_k"):
        with pytest.raises(ShapeError, match="do not divide"):
            kept(name, np.zeros((1, 33), np.float32))
