"""Each jitted step against the torch piece of its name."""

import numpy as np
import pytest
import torch

from minillama import feedforward, norm, rope
from minillama.quant.kernels import pieces


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("size", [1, 32, 100, 4096])
def test_rms_norm(size: int, rng: np.random.Generator) -> None:
    x, weight = rng.standard_normal((2, size), dtype=np.float32)
    out = np.empty_like(x)
    pieces.rms_norm(x, weight, 1e-5, out)
    expected = norm.rms_norm(torch.from_numpy(x), torch.from_numpy(weight), 1e-5)
    torch.testing.assert_close(torch.from_numpy(out), expected)


def test_apply_rope(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 16), dtype=np.float32)  # three heads
    cos, sin = rope.rope_frequencies(16, 30)
    expected = rope.apply_rope(torch.from_numpy(x.copy())[None, None], cos[29:], sin[29:])[0, 0]
    turned = x.reshape(-1)
    pieces.apply_rope(turned, cos[29].numpy(), sin[29].numpy())
    torch.testing.assert_close(torch.from_numpy(turned.reshape(3, 16)), expected)


def test_exp_is_accurate_to_the_last_places() -> None:
    x = np.linspace(-87, 87, 100_000, dtype=np.float32)  # an even number: no zero among them
    gate, up = -x, np.ones_like(x)
    pieces.silu_gate(gate, up)
    exact = -x.astype(np.float64) / (1 + np.exp(x.astype(np.float64)))
    assert np.abs(gate / exact - 1).max() < 5e-7


def test_silu_gate(rng: np.random.Generator) -> None:
    gate, up = rng.standard_normal((2, 300), dtype=np.float32) * 10
    expected = feedforward.silu(torch.from_numpy(gate.copy())) * torch.from_numpy(up)
    pieces.silu_gate(gate, up)
    torch.testing.assert_close(torch.from_numpy(gate), expected)


def test_silu_gate_at_the_ends() -> None:
    gate, up = np.array([-1e30, -200.0, 200.0, 1e30], np.float32), np.ones(4, np.float32)
    pieces.silu_gate(gate, up)
    assert abs(gate[1]) < 1e-30
    assert gate[2:].tolist() == [200.0, np.float32(1e30)]
    assert np.isfinite(gate).all()
