"""The gated feed-forward layer, in which two thirds of the weights of a LLaMA live.

Source: Shazeer 2020, "GLU Variants Improve Transformer", equation 6 (SwiGLU); Touvron et al. 2023, section 2.2.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def linear(in_features: int, out_features: int) -> nn.Linear:
    """A matrix without bias: the only kind of linear layer in a LLaMA."""
    return nn.Linear(in_features, out_features, bias=False)


def hidden_size(dim: int, multiple_of: int, multiplier: float | None = None) -> int:
    """The inner dimension: two thirds of 4 * dim, times the multiplier, rounded up to a multiple.

    Two thirds, because a gated layer has three matrices where a plain one has two.

    >>> hidden_size(4096, 256)
    11008
    >>> hidden_size(8192, 4096, 1.3)
    28672
    """
    hidden = int(2 * (4 * dim) / 3)
    if multiplier is not None:
        hidden = int(multiplier * hidden)
    return multiple_of * ((hidden + multiple_of - 1) // multiple_of)


def silu(x: Tensor) -> Tensor:
    """x times its own sigmoid (Elfwing et al. 2018); any shape, same shape back."""
    return x * torch.sigmoid(x)


class SwiGLU(nn.Module):
    """w2(silu(w1 x) * w3 x): one branch says how much, the other what.

    Args:
        dim: D.
        hidden_dim: F.
        linear: makes a matrix from (in, out) sizes.
    """

    def __init__(self, dim: int, hidden_dim: int, linear: Callable[[int, int], nn.Module] = linear) -> None:
        super().__init__()
        self.w1 = linear(dim, hidden_dim)
        self.w2 = linear(hidden_dim, dim)
        self.w3 = linear(dim, hidden_dim)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, D) -> (B, T, D)
        return self.w2(silu(self.w1(x)) * self.w3(x))
