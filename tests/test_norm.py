import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minillama.norm import RMSNorm, rms_norm


@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 65), st.sampled_from([1e-6, 1e-5, 1e-2]))
def test_equals_torch(b: int, t: int, d: int, eps: float) -> None:
    x, weight = torch.randn(b, t, d), torch.randn(d)
    expected = torch.nn.functional.rms_norm(x, (d,), weight, eps)
    torch.testing.assert_close(rms_norm(x, weight, eps), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_wide(dtype: torch.dtype) -> None:
    x = torch.full((1, 4), 300.0, dtype=dtype)  # 300 squared is beyond float16
    out = rms_norm(x, torch.ones(4, dtype=dtype), 1e-5)
    assert out.dtype == dtype
    torch.testing.assert_close(out, torch.ones(1, 4, dtype=dtype))


def test_eps_stands_under_the_root() -> None:
    x = torch.tensor([[3e-4, 4e-4]])
    torch.testing.assert_close(rms_norm(x, torch.ones(2), 1e-6), x / (12.5e-8 + 1e-6) ** 0.5)


def test_module_has_the_published_weight_name() -> None:
    norm = RMSNorm(8, 1e-6)
    assert dict(norm.named_parameters()).keys() == {"weight"}
    assert norm.eps == 1e-6
