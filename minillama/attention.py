"""Causal self-attention with grouped queries.

Sources: Vaswani et al. 2017, "Attention Is All You Need", section 3.2; Ainslie et al. 2023, "GQA" (grouped queries);
Jiang et al. 2023, "Mistral 7B", section 2 (sliding window).

    H = G = 4: multi-head         H = 4, G = 2: grouped          H = 4, G = 1: multi-query

    q  q  q  q                    q  q  q  q                     q  q  q  q
    |  |  |  |                    | /   | /                       \\ |  | /
    kv kv kv kv                   kv    kv                           kv
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from minillama.cache import KVCache
from minillama.config import ModelConfig
from minillama.feedforward import linear
from minillama.rope import apply_rope

Attend = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor | None]]


def causal_mask(T: int, S: int, window: int | None = None, device: torch.device | str = "cpu") -> Tensor:
    """Who may look at whom: query i stands at position S - T + i and sees itself and what came before.

    Args:
        T: queries of this call.
        S: keys, the cached ones included.
        window: a query sees at most this many keys, itself included; None for all.

    Returns:
        (T, S) bool, True where a query may look.

    >>> causal_mask(2, 3).int()
    tensor([[1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    query = torch.arange(S - T, S, device=device)[:, None]  # (T, 1)
    key = torch.arange(S, device=device)[None, :]  # (1, S)
    mask = key <= query
    if window is not None:
        mask &= key > query - window
    return mask


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Each query takes the average of the values, weighted by how well it matches their keys.

    Args:
        q: (B, T, H, K).
        k: (B, S, G, K); head h reads key/value head h // (H / G).
        v: (B, S, G, K).
        mask: (T, S) or (B, T, S) bool, True where a query may look.

    Returns:
        out (B, T, H, K) and weights (B, H, T, S), whose rows sum to 1. A query that may look nowhere gets equal
        weights, not NaN; such rows are padding.
    """
    group_size = q.shape[2] // k.shape[2]
    k = k.repeat_interleave(group_size, dim=2)  # (B, S, H, K)
    v = v.repeat_interleave(group_size, dim=2)
    scores = torch.einsum("bthk,bshk->bhts", q, k) * q.shape[-1] ** -0.5
    allowed = mask if mask.dim() == 2 else mask[:, None]  # (T, S) or (B, 1, T, S)
    scores = scores.float().masked_fill(~allowed, torch.finfo(torch.float32).min)
    weights = scores.softmax(dim=-1).to(q.dtype)  # (B, H, T, S)
    return torch.einsum("bhts,bshk->bthk", weights, v), weights


def attend_fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, None]:
    """The same output as `attend` through PyTorch's fused kernel, which never stores the weights."""
    allowed = mask if mask.dim() == 2 else mask[:, None]
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))  # (B, H or G, T or S, K)
    out = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed, enable_gqa=q.shape[1] != k.shape[1])
    return out.transpose(1, 2), None


class Attention(nn.Module):
    """Queries, keys and values from the stream, attention, and the way back.

    Args:
        config: sizes.
        layer: index of the block, which is its place in the cache.
        linear: makes a matrix from (in, out) sizes.
        apply_rope: turns queries and keys to their positions.
        attend: see the function of that name.
    """

    def __init__(
        self,
        config: ModelConfig,
        layer: int = 0,
        *,
        linear: Callable[[int, int], nn.Module] = linear,
        apply_rope: Callable[[Tensor, Tensor, Tensor], Tensor] = apply_rope,
        attend: Attend = attend,
    ) -> None:
        super().__init__()
        self.layer, self.head_dim = layer, config.head_dim
        self.apply_rope, self.attend = apply_rope, attend
        self.wq = linear(config.dim, config.n_heads * config.head_dim)
        self.wk = linear(config.dim, config.n_kv_heads * config.head_dim)
        self.wv = linear(config.dim, config.n_kv_heads * config.head_dim)
        self.wo = linear(config.n_heads * config.head_dim, config.dim)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, cache: KVCache | None = None) -> Tensor:
        q = self.wq(x).unflatten(-1, (-1, self.head_dim))  # (B, T, H, K)
        k = self.wk(x).unflatten(-1, (-1, self.head_dim))  # (B, T, G, K)
        v = self.wv(x).unflatten(-1, (-1, self.head_dim))
        q, k = self.apply_rope(q, cos, sin), self.apply_rope(k, cos, sin)
        if cache is not None:
            k, v = cache.update(self.layer, k, v)  # (B, S, G, K)
        out, _ = self.attend(q, k, v, mask)  # (B, T, H, K)
        return self.wo(out.flatten(-2))
