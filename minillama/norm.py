"""RMSNorm: every vector of the stream is scaled to root mean square 1.

Source: Zhang & Sennrich 2019, "Root Mean Square Layer Normalization", equation 4; LLaMA applies it before each
sub-layer (Touvron et al. 2023, section 2.2).
"""

import torch
from torch import Tensor, nn


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Scale each vector to root mean square 1, then each channel by its weight.

    The mean is taken in float32 and the result cast back before the weight is applied, as Meta's code does: in half
    precision 300 squared is infinite.

    Args:
        x: (..., D), any floating dtype.
        weight: (D,).
        eps: added to the mean square, under the root.

    Returns:
        (..., D), dtype of x.

    >>> rms_norm(torch.tensor([3.0, 4.0]), torch.ones(2), 0.0)
    tensor([0.8485, 1.1314])
    """
    wide = x.float()
    mean_square = wide.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)
    return (wide * torch.rsqrt(mean_square + eps)).to(x.dtype) * weight


class RMSNorm(nn.Module):
    """rms_norm with its weight.

    Args:
        dim: D.
        eps: see rms_norm.
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)
