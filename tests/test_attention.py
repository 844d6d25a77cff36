import torch
from hypothesis import given
from hypothesis import strategies as st

from minillama.attention import attend, attend_fused, causal_mask


@given(st.integers(1, 9), st.integers(0, 9), st.one_of(st.none(), st.integers(1, 12)))
def test_mask_says_who_may_look(T: int, past: int, window: int | None) -> None:
    mask = causal_mask(T, past + T, window)
    for i in range(T):
        for j in range(past + T):
            visible = j <= past + i and (window is None or j > past + i - window)
            assert mask[i, j].item() is visible


@given(st.sampled_from([(4, 4), (4, 2), (4, 1), (6, 3)]), st.integers(1, 6), st.integers(0, 6))
def test_explicit_equals_fused(heads: tuple[int, int], T: int, past: int) -> None:
    q = torch.randn(2, T, heads[0], 8)
    k, v = torch.randn(2, past + T, heads[1], 8), torch.randn(2, past + T, heads[1], 8)
    mask = causal_mask(T, past + T)
    out, weights = attend(q, k, v, mask)
    torch.testing.assert_close(out, attend_fused(q, k, v, mask)[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, heads[0], T))
    assert weights[:, :, ~mask].abs().max() == 0 if (~mask).any() else True


def test_neighbouring_heads_share_a_key_value_head() -> None:
    q, k = torch.randn(1, 1, 4, 8), torch.randn(1, 1, 2, 8)
    v = torch.stack((torch.zeros(8), torch.ones(8)))[None, None]
    out, _ = attend(q, k, v, causal_mask(1, 1))
    assert out[0, 0, :, 0].tolist() == [0, 0, 1, 1]


def test_rows_that_see_nothing_are_finite() -> None:
    q, k, v = torch.randn(1, 3, 2, 8), torch.randn(1, 3, 2, 8), torch.randn(1, 3, 2, 8)
    mask = causal_mask(3, 3)
    mask[0] = False
    for function in (attend, attend_fused):
        out, _ = function(q, k, v, mask)
        assert out.isfinite().all()
