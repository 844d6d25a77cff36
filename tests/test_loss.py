import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minillama.errors import ShapeError
from minillama.loss import IGNORE, cross_entropy, shift_targets


@given(st.integers(1, 4), st.integers(1, 6), st.integers(2, 40), st.floats(0.1, 1000))
def test_equals_torch(b: int, t: int, v: int, scale: float) -> None:
    logits, targets = torch.randn(b, t, v) * scale, torch.randint(v, (b, t))
    targets[0, 0] = IGNORE if b * t > 1 else 0
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(cross_entropy(logits, targets), expected)


def test_gradient_equals_torch() -> None:
    logits, targets = torch.randn(2, 5, 11, requires_grad=True), torch.randint(11, (2, 5))
    targets[1, 3] = IGNORE
    cross_entropy(logits, targets).backward()
    ours = logits.grad.clone()
    logits.grad = None
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    torch.testing.assert_close(ours, logits.grad)


def test_equal_guesses_cost_the_logarithm_of_the_vocabulary() -> None:
    loss = cross_entropy(torch.zeros(1, 3, 2048), torch.tensor([[0, 1, 2047]]))
    assert loss.item() == pytest.approx(math.log(2048))


def test_targets_are_what_follows() -> None:
    inputs, targets = shift_targets(torch.tensor([[5, 6, 7, 8]]))
    assert inputs.tolist() == [[5, 6, 7]]
    assert targets.tolist() == [[6, 7, 8]]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="targets has shape"):
        cross_entropy(torch.zeros(1, 3, 8), torch.zeros(1, 2, dtype=torch.int64))
    with pytest.raises(ShapeError, match="IGNORE"):
        cross_entropy(torch.zeros(1, 2, 8), torch.full((1, 2), IGNORE))
