import math

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from minillama.errors import SamplingError
from minillama.sampling import keep_min_p, keep_top_k, keep_top_p, penalize_repetition, sample

LOGITS = torch.randn(4, 50, generator=torch.Generator().manual_seed(1)) * 3


def support(logits: torch.Tensor) -> torch.Tensor:
    return logits > -math.inf


@given(st.integers(1, 60))
def test_top_k_equals_transformers(k: int) -> None:
    assert torch.equal(keep_top_k(LOGITS, k), transformers.TopKLogitsWarper(k)(None, LOGITS))


@given(st.floats(0.01, 0.99))
def test_top_p_equals_transformers(p: float) -> None:
    assert torch.equal(support(keep_top_p(LOGITS, p)), support(transformers.TopPLogitsWarper(p)(None, LOGITS)))


@given(st.floats(0.01, 0.99))
def test_min_p_equals_transformers(p: float) -> None:
    assert torch.equal(support(keep_min_p(LOGITS, p)), support(transformers.MinPLogitsWarper(p)(None, LOGITS)))


def test_penalty_equals_transformers() -> None:
    seen = torch.randint(50, (4, 12))
    theirs = transformers.RepetitionPenaltyLogitsProcessor(1.3)(seen, LOGITS.clone())
    torch.testing.assert_close(penalize_repetition(LOGITS, seen.tolist(), 1.3), theirs)


def test_draws_follow_the_distribution() -> None:
    logits = LOGITS[:1].expand(20_000, -1)
    drawn = sample(logits, temperature=0.7, top_p=0.9, generator=torch.Generator().manual_seed(0))
    theirs = transformers.TopPLogitsWarper(0.9)(
        None, transformers.TemperatureLogitsWarper(0.7)(None, LOGITS[:1])
    ).softmax(-1)[0]
    counted = torch.bincount(drawn, minlength=50) / 20_000
    assert (counted - theirs).abs().max() < 0.015
    assert counted[theirs == 0].max() == 0


def test_zero_is_greedy_and_tiny_temperatures_too() -> None:
    assert torch.equal(sample(LOGITS), LOGITS.argmax(-1))
    for temperature in (1e-3, 1e-30):
        assert torch.equal(sample(LOGITS, temperature=temperature), LOGITS.argmax(-1))


def test_the_first_token_always_stays() -> None:
    sure = torch.tensor([[9.0, 0.0, 0.0]])
    assert support(keep_top_p(sure, 1e-9)).tolist() == [[True, False, False]]
    assert torch.equal(keep_min_p(sure, 1.0).argmax(-1), torch.tensor([0]))


def test_a_seed_repeats_the_draw_and_goes_on() -> None:
    first, second = (torch.Generator().manual_seed(3) for _ in range(2))
    a = [sample(LOGITS, 1.0, generator=first).tolist() for _ in range(5)]
    b = [sample(LOGITS, 1.0, generator=second).tolist() for _ in range(5)]
    assert a == b
    assert len({tuple(ids) for ids in a}) > 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"temperature": -1}, "temperature"), ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"), ({"top_k": 0}, "top_k"), ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"), ({"min_p": -0.1}, "min_p"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(options: dict, word: str) -> None:
    with pytest.raises(SamplingError, match=word):
        sample(LOGITS, **options)


@pytest.mark.parametrize("temperature", [1e-30, 1e-38, 1e-45, 1e-320, 5e-324])
@pytest.mark.parametrize("limits", [{}, {"top_k": 3}, {"top_p": 0.9}, {"min_p": 0.1}])
def test_tiny_temperatures_are_greedy(temperature: float, limits: dict[str, float]) -> None:
    logits = torch.randn(8, 50, generator=torch.Generator().manual_seed(3))
    assert torch.equal(sample(logits, temperature, **limits), logits.argmax(-1))
