"""Rows that begin alike, computed once: in Alpaca's template, most of a short prompt is the same for every sample.

A token's keys and values depend on what stands before it and on nothing after it. So the tokens that all rows of a
batch begin with need one row, whose keys and values every row then reads; gradients of all rows meet in it. For tasks
of 45 tokens after a beginning of 80, this is less than half of the work.
"""

import torch
from torch import Tensor

from minillama.cache import KVCache
from minillama.model import Llama

SHORTEST = 16  # tokens: for fewer, a second pass costs more than it saves


class Beginning:
    """The keys and values of one row, which then stand before those of every row: a cache that has gradients.

    Args:
        n_rows: rows that come after it.
    """

    padding = None

    def __init__(self, n_rows: int) -> None:
        self.n_rows, self.length = n_rows, 0
        self._held: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def batch_size(self) -> int:
        """Rows of the next call: the one that is kept, then all."""
        return self.n_rows if self.length else 1

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the first call's keys and values (1, T, G, K); put them before those of later ones (B, T, G, K)."""
        if not self.length:
            self._held[layer] = k, v
            return k, v
        first_k, first_v = (held.expand(self.n_rows, -1, -1, -1) for held in self._held[layer])
        return torch.cat([first_k, k], dim=1), torch.cat([first_v, v], dim=1)


def common_length(tokens: Tensor) -> int:
    """How many tokens all rows of (B, T) begin with, fewer than T: each row keeps one of its own.

    >>> common_length(torch.tensor([[1, 5, 6, 7], [1, 5, 8, 7]]))
    2
    """
    alike = (tokens == tokens[:1]).all(dim=0)  # (T,)
    return min(int(alike.long().cumprod(0).sum()), tokens.shape[1] - 1)


class SharedLlama(Llama):
    """A Llama that computes in training what the rows of a batch begin with once; `Pieces(Llama=SharedLlama)`."""

    def hidden(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        """The stream after the final norm, (B, T, D)."""
        n = common_length(tokens) if self.training and cache is None and len(tokens) > 1 else 0
        if n < SHORTEST:
            return super().hidden(tokens, cache)
        beginning = Beginning(len(tokens))
        first = super().hidden(tokens[:1, :n], beginning)  # type: ignore[arg-type]
        beginning.length = n
        rest = super().hidden(tokens[:, n:], beginning)  # type: ignore[arg-type]
        return torch.cat([first.expand(len(tokens), -1, -1), rest], dim=1)
