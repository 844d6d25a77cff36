"""Copying first: how a model of a few million weights comes to have an induction head.

A head that continues what it has seen ("... Ann Lee ... Ann" -> "Lee") needs a second head, one layer below, that looks
at the token before; neither is worth anything alone (Olsson et al. 2022, "In-context Learning and Induction
Heads"). Large models find the pair in billions of tokens. A small one, given stories alone, spends its weights on which
words are common, and does not find it in ten million. So the first tenth of the training is made for it:

    rows     a short span of random tokens comes again and again, and only its later copies count: nothing but copying
             predicts them. Short spans first, where half of the work, saying some token of the span, is soon learned.
    weights  attention alone learns. The feed-forward layers give zero and the embeddings wait: in either, which tokens
             are common is the cheaper thing to learn. Each token's vector stays large enough for all layers to see.
    start    all embeddings share a direction, which is all that a head without biases can turn by position alone; the
             value paths of the later layers hand on what they read (wo starts near the transpose of wv).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minillama.model import Llama

EMBEDDING_STD = 0.3  # of each token's own part, and of the direction that they share
COPIED = 0.9  # share of wo that is wv transposed


@dataclass(frozen=True, kw_only=True)
class Copying:
    """What the rows of a stage are made of.

    Args:
        shortest, longest: tokens of a span.
        gap: at most so many random tokens before each copy.
    """

    shortest: int = 3
    longest: int = 8
    gap: int = 8


def copy_rows(
    copying: Copying, batch_size: int, seq_len: int, id_range: tuple[int, int], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Rows in which one span comes again and again, after gaps of random tokens.

    Args:
        copying: lengths of spans and gaps.
        batch_size, seq_len: B and T.
        id_range: ids that may occur, first and one past the last.
        rng: source of randomness.

    Returns:
        tokens (B, T + 1) int64, and (B, T + 1) bool: whether it counts, as every token of a later copy but its first
        does.
    """
    length = seq_len + 1
    tokens, counted = np.empty((batch_size, length), np.int64), np.zeros((batch_size, length), bool)
    for row, counts in zip(tokens, counted, strict=True):
        n = int(rng.integers(copying.shortest, copying.longest + 1))
        row[:] = rng.integers(*id_range, length)
        span = rng.choice(np.arange(*id_range), n, replace=False)
        start, copy = int(rng.integers(0, copying.gap + 1)), 0
        while start < length:
            row[start : start + n] = span[: length - start]
            if copy:
                counts[start + 1 : start + n] = True
            start, copy = start + n + int(rng.integers(0, copying.gap + 1)), copy + 1
    return torch.from_numpy(tokens), torch.from_numpy(counted)


@torch.no_grad()
def set_weights_to_copy(model: Llama, seed: int) -> None:
    """First weights from which copying is learned fast; see above.

    Args:
        model: any weights; all matrices are drawn anew.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:  # the last norm makes up for large embeddings, which are the output matrix as well
            nn.init.constant_(parameter, config.dim**-0.5 if name == "norm.weight" else 1.0)
        elif name.endswith("w2.weight"):
            nn.init.zeros_(parameter)
        else:
            std = EMBEDDING_STD if name == "tok_embeddings.weight" else parameter.shape[1] ** -0.5
            nn.init.normal_(parameter, std=std, generator=generator)
    embeddings = model.tok_embeddings.weight
    embeddings.add_(EMBEDDING_STD * torch.randn(config.dim, generator=generator))
    parts: list[Any] = [layer.attention for layer in model.layers]
    for attention in parts[1:]:
        values = attention.wv.weight.unflatten(0, (config.n_kv_heads, config.head_dim))
        values = values.repeat_interleave(config.n_heads // config.n_kv_heads, dim=0).flatten(0, 1)  # (H * K, D)
        copied = attention.wo.weight.std() / values.std() * values.T
        attention.wo.weight.copy_(COPIED * copied + (1 - COPIED**2) ** 0.5 * attention.wo.weight)


def let_learn(model: Llama, attention_only: bool) -> None:
    """Choose what the next steps may change: everything, or all but the embeddings and the feed-forward layers."""
    for name, parameter in model.named_parameters():
        waits = name == "tok_embeddings.weight" or "feed_forward" in name or "ffn_norm" in name
        parameter.requires_grad_(not (attention_only and waits))
