import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minillama.feedforward import SwiGLU, hidden_size, silu


@pytest.mark.parametrize(
    ("dim", "multiple_of", "multiplier", "hidden"),
    [
        (4096, 256, None, 11008), (5120, 256, None, 13824), (6656, 256, None, 17920), (8192, 256, None, 22016),
        (8192, 4096, 1.3, 28672), (4096, 1024, 1.3, 14336), (256, 256, None, 768),
    ],
)  # fmt: skip
def test_published_sizes(dim: int, multiple_of: int, multiplier: float | None, hidden: int) -> None:
    assert hidden_size(dim, multiple_of, multiplier) == hidden


@given(st.integers(1, 4096), st.sampled_from([1, 4, 32, 256]))
def test_rounded_up_never_by_a_whole_multiple(dim: int, multiple_of: int) -> None:
    exact = int(8 * dim / 3)
    assert exact <= hidden_size(dim, multiple_of) < exact + multiple_of


def test_silu_equals_torch() -> None:
    x = torch.linspace(-20, 20, 101)
    torch.testing.assert_close(silu(x), torch.nn.functional.silu(x))


def test_swiglu_takes_its_matrices_from_the_argument() -> None:
    made = []

    def linear(n_in: int, n_out: int) -> torch.nn.Linear:
        made.append((n_in, n_out))
        return torch.nn.Linear(n_in, n_out, bias=False)

    layer = SwiGLU(8, 12, linear)
    assert made == [(8, 12), (12, 8), (8, 12)]
    x = torch.randn(2, 3, 8)
    expected = (torch.nn.functional.silu(x @ layer.w1.weight.T) * (x @ layer.w3.weight.T)) @ layer.w2.weight.T
    torch.testing.assert_close(layer(x), expected)
