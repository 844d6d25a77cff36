"""The engine's attention over panels against attention.attend, and how panels keep numbers."""

import numpy as np
import pytest
import torch

from minillama import attention
from minillama.quant.formats import FORMATS
from minillama.quant.kernels.attention import attend, softmax
from minillama.quant.kernels.choose import available_paths, choose_path
from minillama.quant.kernels.panels import F16, KINDS, Q8_0, ROWS
from minillama.quant.kernels.storing import key_panel_bytes, store_key, store_value, value_bytes

PLACES = 80


def filled(x: np.ndarray) -> np.ndarray:
    """A cache that holds NaN where nothing was stored."""
    return np.full(x, 0xFF, np.uint8)


def stored(keys: np.ndarray, values: np.ndarray, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Panels of keys and values (S, K)."""
    head_dim = keys.shape[1]
    panels = filled(PLACES // ROWS * key_panel_bytes(kind, head_dim)), filled(value_bytes(kind, head_dim, PLACES))
    for place, (key, value) in enumerate(zip(keys, values, strict=True)):
        store_key(kind, key, panels[0].ctypes.data, place)
        store_value(kind, value, panels[1].ctypes.data, PLACES, place)
    return panels


def rounded(x: np.ndarray, kind: int) -> np.ndarray:
    """What panels make of x."""
    if kind == F16:
        return x.astype(np.float16).astype(np.float32)
    blocks = FORMATS["q8_0"].quantize(np.ascontiguousarray(x))
    return FORMATS["q8_0"].dequantize(blocks)


def by_panels(path: str, kind: int, keys: np.ndarray, values: np.ndarray, q: np.ndarray, seen: list) -> np.ndarray:
    """`attend` on panels of keys and values (S, K) for queries (N, K), which see the ranges `seen`."""
    panels = stored(keys, values, kind)
    firsts, lasts = np.array(seen, np.int64).T.copy()
    scratch = np.full((2, 8, PLACES), np.nan, np.float32)
    out = np.full((len(q), -(-q.shape[1] // ROWS) * ROWS), np.nan, np.float32)
    attend(
        choose_path(path), kind, panels[0].ctypes.data, panels[1].ctypes.data, PLACES, q, firsts, lasts, *scratch, out
    )
    assert (out[:, q.shape[1] :] == 0).all()
    return out[:, : q.shape[1]]


def by_torch(keys: np.ndarray, values: np.ndarray, q: np.ndarray, seen: list) -> np.ndarray:
    """The same by attention.attend."""
    mask = torch.zeros(len(q), len(keys), dtype=torch.bool)
    for row, (first, last) in zip(mask, seen, strict=True):
        row[first:last] = True
    k, v = (torch.from_numpy(x)[None, :, None] for x in (keys, values))
    return attention.attend(torch.from_numpy(q)[None, :, None], k, v, mask)[0][0, :, 0].numpy()


SEEN = {
    "one": [(0, 1)],
    "one, all": [(0, 77)],
    "causal": [(0, 60 + t) for t in range(17)],
    "window": [(50 + t, 57 + t) for t in range(13)],
    "narrow window": [(t, t + 1) for t in range(9)],
    "padding": [(5, 6 + t) for t in range(12)],
    "group": [(0, 77)] * 8,
}


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("head_dim", [8, 32, 80, 128])
def test_attend_float16(seen: list, head_dim: int) -> None:
    rng = np.random.default_rng(0)
    keys, values = rng.standard_normal((2, 77, head_dim), dtype=np.float32)
    q = rng.standard_normal((len(seen), head_dim), dtype=np.float32) * 3
    expected = by_torch(rounded(keys, F16), rounded(values, F16), q, seen)
    np.testing.assert_allclose(by_panels(None, F16, keys, values, q, seen), expected, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("head_dim", [32, 96])
def test_attend_q8_0(seen: list, head_dim: int) -> None:
    rng = np.random.default_rng(1)
    keys, values = rng.standard_normal((2, 77, head_dim), dtype=np.float32)
    q = rng.standard_normal((len(seen), head_dim), dtype=np.float32)
    expected = by_torch(rounded(keys, Q8_0), rounded(values, Q8_0), q, seen)
    np.testing.assert_allclose(by_panels(None, Q8_0, keys, values, q, seen), expected, rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("path", available_paths()[1:])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_path_attends_the_same(path: str, kind: int) -> None:
    rng = np.random.default_rng(2)
    keys, values = rng.standard_normal((2, 77, 64), dtype=np.float32)
    q, seen = rng.standard_normal((17, 64), dtype=np.float32), SEEN["causal"]
    first = by_panels(None, kind, keys, values, q, seen)
    np.testing.assert_allclose(by_panels(path, kind, keys, values, q, seen), first, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_nothing_is_seen_through_the_mask(kind: int) -> None:
    rng = np.random.default_rng(3)
    keys, values = rng.standard_normal((2, 77, 32), dtype=np.float32)
    q, seen = rng.standard_normal((12, 32), dtype=np.float32), [(2, 40 + t) for t in range(12)]
    clean = by_panels(None, kind, keys, values, q, seen)
    values[[1, 45]], keys[[0, 45]] = np.nan, np.inf
    said = by_panels(None, kind, keys, values, q, seen)
    assert np.array_equal(said[:6], clean[:6])
    assert np.isnan(said[6:]).all()


def test_a_query_of_nan_stays_nan_and_alone() -> None:
    rng = np.random.default_rng(4)
    keys, values = rng.standard_normal((2, 77, 32), dtype=np.float32)
    q = rng.standard_normal((8, 32), dtype=np.float32)
    q[3, 7] = np.nan
    said = by_panels(None, F16, keys, values, q, [(0, 77)] * 8)
    assert np.isnan(said).all(axis=1).tolist() == [False] * 3 + [True] + [False] * 4
    assert np.isfinite(said[:3]).all()


def test_a_query_that_sees_nothing_gives_zero() -> None:
    ones = np.ones((8, 32), np.float32)
    said = by_panels(None, F16, ones, ones, ones, [(5, t + 1) for t in range(8)])
    assert (said[:5] == 0).all()
    assert (said[5:] == 1).all()


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, 37), (5, 6), (11, 64)])
def test_softmax(first: int, last: int) -> None:
    scores = np.random.default_rng(5).standard_normal(64, dtype=np.float32) * 20
    expected = (torch.from_numpy(scores[first:last].copy()) * 0.25).softmax(0)
    total = softmax(scores, first, last, np.float32(0.25))
    torch.testing.assert_close(torch.from_numpy(scores[first:last] / total), expected, rtol=2e-5, atol=1e-7)


def test_float16_panels_round_as_numpy() -> None:
    x = np.array([0.0, -0.0, 1.0, 1 / 3, 65504.0, 6e-8, -1e-5, 2049.0, 2051.0], np.float32)
    keys, values = (panel.view(np.float16) for panel in stored(x[None], x[None], F16))
    assert keys[::16][: len(x)].tobytes() == x.astype(np.float16).tobytes()
    assert values[: len(x)].tobytes() == x.astype(np.float16).tobytes()


def test_q8_0_panels_have_the_codes_of_ggml() -> None:
    x = np.random.default_rng(6).standard_normal((1, 64), dtype=np.float32)
    codes = FORMATS["q8_0"].quantize(x).reshape(2, 34)[:, 2:].view(np.int8)
    keys, values = stored(x, x, Q8_0)
    of_keys = np.stack([keys[544 * b + 32 : 544 * (b + 1)].view(np.int8).reshape(32, 16)[:, 0] for b in range(2)])
    of_values = values[: 4 * PLACES * 16].view(np.int8).reshape(4, PLACES, 16)[:, 0].reshape(2, 32)
    assert np.abs(of_keys.astype(int) - codes).max() <= 1  # ggml rounds halves away from zero, the kernels to even
    assert np.array_equal(of_keys, of_values)
