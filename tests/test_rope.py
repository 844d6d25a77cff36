import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from minillama.config import RopeScaling
from minillama.rope import apply_rope, permute_hf_to_meta, permute_meta_to_hf, rope_divisors, rope_frequencies


@pytest.mark.parametrize("theta", [1e4, 5e5, 1e6])
@pytest.mark.parametrize("head_dim", [32, 100, 128])
def test_turns_as_transformers_does(theta: float, head_dim: int) -> None:
    q, k = torch.randn(2, 9, 4, head_dim), torch.randn(2, 9, 2, head_dim)
    cos, sin = rope_frequencies(head_dim, 64, theta)
    positions = torch.arange(20, 29)
    config = transformers.LlamaConfig(
        hidden_size=4 * head_dim, num_attention_heads=4, rope_parameters={"rope_type": "default", "rope_theta": theta}
    )
    their_cos, their_sin = transformers.models.llama.modeling_llama.LlamaRotaryEmbedding(config)(q, positions[None])

    def halves(x: torch.Tensor) -> torch.Tensor:  # neighbouring pairs to half-split, (B, T, H, K) to (B, H, T, K)
        return torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1).transpose(1, 2)

    theirs = transformers.models.llama.modeling_llama.apply_rotary_pos_emb(halves(q), halves(k), their_cos, their_sin)
    for ours, other in zip((q, k), theirs, strict=True):
        turned = apply_rope(ours, cos[positions], sin[positions])
        torch.testing.assert_close(halves(turned), other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("factor", "old", "theta"), [(8.0, 8192, 5e5), (32.0, 8192, 5e5), (4.0, 64, 1e4)])
def test_llama3_rule_equals_transformers(factor: float, old: int, theta: float) -> None:
    parameters = {
        "rope_type": "llama3", "rope_theta": theta, "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": old,
    }  # fmt: skip
    config = transformers.LlamaConfig(hidden_size=512, num_attention_heads=4, rope_parameters=parameters)
    theirs, _ = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = theta ** (-torch.arange(0, 128, 2, dtype=torch.float64) / 128)
    scaling = RopeScaling(kind="llama3", factor=factor, original_max_seq_len=old)
    torch.testing.assert_close((plain / rope_divisors(plain, scaling)).float(), theirs)


def test_linear_scaling_is_a_slower_clock() -> None:
    cos, sin = rope_frequencies(16, 40)
    stretched = rope_frequencies(16, 40, scaling=RopeScaling(kind="linear", factor=4.0))
    torch.testing.assert_close(stretched[0][::4], cos[:10])
    torch.testing.assert_close(stretched[1][::4], sin[:10])


def test_ntk_scaling_keeps_the_fastest_pair_and_stretches_the_slowest_by_the_factor() -> None:
    _, plain = rope_frequencies(64, 2)
    _, scaled = rope_frequencies(64, 2, scaling=RopeScaling(kind="ntk", factor=4.0))
    torch.testing.assert_close(scaled[1, 0], plain[1, 0])
    torch.testing.assert_close(scaled[1, -1] * 4, plain[1, -1])


def test_divisors_do_what_the_rule_does_that_made_them() -> None:
    rule = RopeScaling(kind="llama3", factor=8.0, original_max_seq_len=128)
    plain = 1e4 ** (-torch.arange(0, 32, 2, dtype=torch.float64) / 32)
    stored = RopeScaling(kind="divisors", divisors=tuple(rope_divisors(plain, rule).tolist()))
    torch.testing.assert_close(rope_frequencies(32, 50, scaling=stored), rope_frequencies(32, 50, scaling=rule))


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_scores_depend_on_the_distance_alone(i: int, j: int, shift: int) -> None:
    cos, sin = rope_frequencies(16, 601)
    q, k = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 1, 16)

    def score(a: int, b: int) -> torch.Tensor:
        return (apply_rope(q, cos[a : a + 1], sin[a : a + 1]) * apply_rope(k, cos[b : b + 1], sin[b : b + 1])).sum()

    torch.testing.assert_close(score(i, j), score(i + shift, j + shift), atol=1e-4, rtol=1e-4)


def test_position_zero_stays_and_lengths_stay() -> None:
    x = torch.randn(2, 5, 3, 8)
    kept = x.clone()
    turned = apply_rope(x, *rope_frequencies(8, 5))
    assert torch.equal(x, kept)
    torch.testing.assert_close(turned[:, 0], x[:, 0])
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert apply_rope(x.half(), *rope_frequencies(8, 5)).dtype == torch.float16


def test_permutation_is_undone_by_its_inverse() -> None:
    weight = torch.randn(4 * 6, 10)
    assert torch.equal(permute_meta_to_hf(permute_hf_to_meta(weight, 4), 4), weight)
    rows = torch.arange(8)[:, None].float()  # two heads of four: half-split 0 1 | 2 3 become pairs (0, 2), (1, 3)
    assert permute_hf_to_meta(rows, 2).flatten().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
