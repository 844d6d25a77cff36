"""Rotary position embedding: pairs of channels turn by an angle that grows with the position.

Sources: Su et al. 2021, "RoFormer", section 3.2.2 (the rotation); Chen et al. 2023, "Extending Context Window of Large
Language Models via Position Interpolation" (linear); Llama 3.1 (blended). Convention: pairs are neighbours,
channels 2i and 2i + 1, as in Meta's code, llama2.c and GGUF. Hugging Face pairs channel i with i + K/2; see
permute_hf_to_meta.
"""

import math

import torch
from torch import Tensor

from minillama.config import RopeScaling


def rope_divisors(frequencies: Tensor, scaling: RopeScaling) -> Tensor:
    """By how much each frequency is divided when the context is stretched.

    Args:
        frequencies: (K/2,) float64, radians a position, unscaled.
        scaling: any kind but "ntk", which changes theta instead.

    Returns:
        (K/2,) float64.
    """
    if scaling.kind == "divisors":
        return torch.tensor(scaling.divisors, dtype=torch.float64)
    if scaling.kind == "linear":
        return torch.full_like(frequencies, scaling.factor)
    turns = scaling.original_max_seq_len * frequencies / (2 * math.pi)  # how often a pair goes round in the old context
    span = scaling.high_freq_factor - scaling.low_freq_factor
    keep = ((turns - scaling.low_freq_factor) / span).clamp(0, 1)  # 1: fast pair, untouched; 0: slow pair, stretched
    return 1 / (keep + (1 - keep) / scaling.factor)


def rope_frequencies(
    head_dim: int, max_seq_len: int, theta: float = 10_000.0, scaling: RopeScaling | None = None
) -> tuple[Tensor, Tensor]:
    """The cosine and sine of every angle: position t turns pair i by t * theta ** (-2i / K).

    Args:
        head_dim: K, even.
        max_seq_len: T, positions 0 to T - 1.
        theta: base of the wavelengths.
        scaling: how the context is stretched, None for not at all.

    Returns:
        cos, sin: (T, K/2) float32 each.

    >>> cos, sin = rope_frequencies(4, 2)
    >>> cos[1]
    tensor([0.5403, 1.0000])
    """
    if scaling is not None and scaling.kind == "ntk":
        theta = theta * scaling.factor ** (head_dim / (head_dim - 2))
    pairs = torch.arange(0, head_dim, 2, dtype=torch.float64)
    frequencies = theta ** (-pairs / head_dim)  # (K/2,)
    if scaling is not None and scaling.kind != "ntk":
        frequencies = frequencies / rope_divisors(frequencies, scaling)
    positions = torch.arange(max_seq_len, dtype=torch.float64)
    angles = torch.outer(positions, frequencies)  # (T, K/2)
    return angles.cos().float(), angles.sin().float()


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of channels by its angle.

    Args:
        x: (B, T, H, K) queries or keys.
        cos: (T, K/2) rows of the positions of x.
        sin: (T, K/2).

    Returns:
        (B, T, H, K), dtype of x; computed in float32.

    >>> x = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    >>> apply_rope(x, torch.tensor([[0.0]]), torch.tensor([[1.0]])).flatten()  # a quarter turn
    tensor([0., 1.])
    """
    pairs = x.float().unflatten(-1, (-1, 2))  # (B, T, H, K/2, 2)
    first, second = pairs.unbind(-1)  # (B, T, H, K/2) each
    cos, sin = cos[:, None, :], sin[:, None, :]  # (T, 1, K/2): the same for every head
    turned = torch.stack((first * cos - second * sin, first * sin + second * cos), dim=-1)
    return turned.flatten(-2).to(x.dtype)


def permute_hf_to_meta(weight: Tensor, n_heads: int) -> Tensor:
    """Reorder the rows of wq or wk from half-split pairs (Hugging Face) to neighbouring pairs (Meta).

    Args:
        weight: (n_heads * K, D).
        n_heads: H for wq, G for wk.

    Returns:
        (n_heads * K, D).
    """
    return weight.unflatten(0, (n_heads, 2, -1)).transpose(1, 2).reshape(weight.shape)


def permute_meta_to_hf(weight: Tensor, n_heads: int) -> Tensor:
    """The inverse of permute_hf_to_meta."""
    return weight.unflatten(0, (n_heads, -1, 2)).transpose(1, 2).reshape(weight.shape)
