"""Quantizing to the K-quants: ggml's bytes, recorded and, where its library is installed, made on the spot."""

import platform
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.quant import kquants
from minillama.quant.formats import FORMATS, quantize_q4_0
from minillama.quant.kquants import SUPER_BLOCK, pack_scales, quantize_q4_k, quantize_q6_k, unpack_scales
from minillama.quant.scale_search import fit_scale, fit_scale_and_minimum
from tests.quant.kquant_rows import GOLDEN, SHAPES_OF_WEIGHTS, bell, edge_rows, matrix, mean_squared_error

QUANTIZERS = {"q4_k": quantize_q4_k, "q6_k": quantize_q6_k}
LARGEST = {"q4_k": 65520 * 63 / 2, "q6_k": 65520 * 128 * 32 / 2}  # that a GGUF file takes


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.fixture(scope="module")
def ggml_quantize() -> Callable[[str, np.ndarray], np.ndarray]:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: make bench-deps")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("elsewhere compilers fuse ggml's products and sums, which rounds once instead of twice")
    from tests.quant.ggml_library import ggml_quantize

    return ggml_quantize


@pytest.mark.parametrize("name", QUANTIZERS)
def test_edges_have_ggmls_recorded_bytes(name: str, golden: dict[str, np.ndarray]) -> None:
    rows = edge_rows()
    found = QUANTIZERS[name](np.stack(list(rows.values())))
    equal = dict(zip(rows, (found == golden[name]).all(axis=1), strict=True))
    assert all(equal.values()), [row for row in rows if not equal[row]]


@pytest.mark.parametrize("name", QUANTIZERS)
@pytest.mark.parametrize("kind", SHAPES_OF_WEIGHTS)
def test_errors_are_ggmls_recorded_errors(name: str, kind: str, golden: dict[str, np.ndarray]) -> None:
    x = matrix(kind)
    error = mean_squared_error(name, x, QUANTIZERS[name](x))
    assert error == pytest.approx(golden[f"{name}_errors"][SHAPES_OF_WEIGHTS.index(kind)], rel=1e-6)


@pytest.mark.parametrize("name", QUANTIZERS)
@pytest.mark.parametrize("kind", SHAPES_OF_WEIGHTS)
def test_bytes_equal_the_librarys(name: str, kind: str, ggml_quantize: Callable) -> None:
    x = matrix(kind)
    assert (QUANTIZERS[name](x) == ggml_quantize(name, x)).all()


@settings(max_examples=30, deadline=None)
@given(
    pieces=st.lists(st.floats(width=32, min_value=-1e6, max_value=1e6), min_size=1, max_size=256),
    exponent=st.integers(-40, 0),
    seed=st.integers(0, 1000),
)
def test_any_super_block_has_the_librarys_bytes(
    ggml_quantize: Callable, pieces: list[float], exponent: int, seed: int
) -> None:
    chosen = np.random.default_rng(seed).choice(np.array(pieces, np.float32), (1, SUPER_BLOCK))
    x = chosen * np.float32(2.0) ** exponent
    for name, quantize in QUANTIZERS.items():
        assert (quantize(x) == ggml_quantize(name, x)).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=32, min_value=-1000, max_value=1000), min_size=1, max_size=256), st.integers(0, 1000))
def test_no_weight_moves_far(pieces: list[float], seed: int) -> None:
    """Half a step is 1/15 and 1/64 of the largest; fitting gives up some of the ends, and scales are rounded too."""
    x = np.random.default_rng(seed).choice(np.array(pieces, np.float32), (1, SUPER_BLOCK))
    largest = np.abs(x).max()
    for name, share in (("q4_k", 1 / 4), ("q6_k", 1 / 8)):
        moved = np.abs(FORMATS[name].dequantize(QUANTIZERS[name](x)) - x)
        assert moved.max() <= share * largest + 1e-3


def test_more_bits_lose_less() -> None:
    for kind in SHAPES_OF_WEIGHTS:
        x = matrix(kind, rows=64)
        q4_0, q4_k, q6_k = (
            mean_squared_error(name, x, quantize(x)) for name, quantize in {"q4_0": quantize_q4_0, **QUANTIZERS}.items()
        )
        assert q6_k < q4_k / 4
        assert q4_k < q4_0  # at the same size


@pytest.mark.parametrize("name", QUANTIZERS)
def test_rows_do_not_depend_on_their_neighbours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.concatenate([np.stack(list(edge_rows().values())), bell(13, seed=4)])
    whole = QUANTIZERS[name](x)
    assert (np.concatenate([QUANTIZERS[name](row[None]) for row in x]) == whole).all()
    assert (QUANTIZERS[name](x.reshape(-1, 2 * SUPER_BLOCK)).reshape(whole.shape) == whole).all()
    monkeypatch.setattr(kquants, "_PART", 5)
    assert (QUANTIZERS[name](x) == whole).all()


@pytest.mark.parametrize("name", QUANTIZERS)
def test_strided_and_wider_weights_are_taken(name: str) -> None:
    x = bell(6, seed=5)
    assert (QUANTIZERS[name](x[::2]) == QUANTIZERS[name](x)[::2]).all()
    assert (QUANTIZERS[name](x.astype(np.float64)) == QUANTIZERS[name](x)).all()


@pytest.mark.parametrize("name", QUANTIZERS)
def test_the_largest_weights_that_files_take_stay_finite(name: str) -> None:
    limit = np.float32(LARGEST[name] * 0.999)
    x = np.stack(list(edge_rows().values()))
    largest = np.abs(x).max(axis=1, keepdims=True)
    x = (x[largest[:, 0] > 1e-30] / largest[largest > 1e-30][:, None]) * limit
    restored = FORMATS[name].dequantize(QUANTIZERS[name](np.concatenate([x, -x])))
    assert np.isfinite(restored).all()


def test_packed_scales_come_back() -> None:
    rng = np.random.default_rng(0)
    scales, minimums = rng.integers(0, 64, (2, 100, 8), dtype=np.uint8)
    packed = pack_scales(scales, minimums)
    assert packed.shape == (100, 12)
    for found, expected in zip(unpack_scales(packed), (scales, minimums), strict=True):
        assert (found == expected).all()


def test_the_search_finds_an_exact_scale() -> None:
    codes = np.tile(np.arange(-16, 16, dtype=np.float32), (3, 1)).T  # (32, 3)
    codes[0] = -32
    scale, found = fit_scale(codes * np.float32([0.5, -0.25, 1]), 32)
    assert scale.tolist() == [0.5, -0.25, 1]
    assert (found == codes).all()
    codes = np.tile(np.arange(32, dtype=np.float32) % 16, (2, 1)).T
    scale, minimum, found = fit_scale_and_minimum(codes * np.float32([0.5, 2]) - np.float32([3, 0]), 15)
    assert scale.tolist() == [0.5, 2]
    assert minimum.tolist() == [3, 0]
    assert (found == codes).all()


def test_the_search_beats_the_plain_scale() -> None:
    x = np.ascontiguousarray(bell(1, seed=6, columns=16 * 500).reshape(500, 16).T)
    largest = np.take_along_axis(x, np.abs(x).argmax(axis=0, keepdims=True), axis=0)
    plain = largest / -32
    plain_loss = (x**2 * (np.clip(np.rint(x / plain), -32, 31) * plain - x) ** 2).sum(axis=0)
    scale, codes = fit_scale(x, 32)
    loss = (x**2 * (codes * scale - x) ** 2).sum(axis=0)
    assert (loss <= plain_loss * 1.0001).all()
    assert loss.sum() < 0.8 * plain_loss.sum()
