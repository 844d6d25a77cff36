"""The key/value cache: what attention has computed once and need not compute again."""

import torch
from torch import Tensor

from minillama.errors import ContextLengthError


class KVCache:
    """Keys and values of every layer, for the tokens seen so far.

    Keys are stored after their rotation, so a cached position never turns again.

    Args:
        n_layers, batch_size, max_len, n_kv_heads, head_dim: L, B, S_max, G, K.
        dtype, device: of the tensors.

    >>> cache = KVCache(n_layers=1, batch_size=1, max_len=8, n_kv_heads=2, head_dim=4)
    >>> keys, values = cache.update(0, torch.ones(1, 3, 2, 4), torch.ones(1, 3, 2, 4))
    >>> keys.shape, cache.length
    (torch.Size([1, 3, 2, 4]), 3)
    """

    def __init__(
        self,
        n_layers: int,
        batch_size: int,
        max_len: int,
        n_kv_heads: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shape = (n_layers, batch_size, max_len, n_kv_heads, head_dim)
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self.max_len = max_len
        self.padding: Tensor | None = None  # (B,) int64: how many places at the start of each row are only padding
        self._lengths = [0] * n_layers

    @property
    def length(self) -> int:
        """Tokens held."""
        return self._lengths[0]

    @property
    def batch_size(self) -> int:
        """Rows B."""
        return self.keys.shape[1]

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append this call's keys and values to one layer and return all of them.

        Args:
            layer: its index.
            k: (B, T, G, K), rotated.
            v: (B, T, G, K).

        Returns:
            keys and values (B, S, G, K), views of the cache.

        Raises:
            ContextLengthError: no room for T more.
        """
        start = self._lengths[layer]
        end = start + k.shape[1]
        if end > self.max_len:
            raise ContextLengthError(
                f"the cache holds {start} tokens and has places for {self.max_len}; {k.shape[1]} more do not fit"
            )
        self.keys[layer, :, start:end] = k
        self.values[layer, :, start:end] = v
        self._lengths[layer] = end
        return self.keys[layer, :, :end], self.values[layer, :, :end]

    def truncate(self, length: int) -> None:
        """Forget everything from position `length` on; what follows is computed again."""
        if not 0 <= length <= self.length:
            raise ContextLengthError(f"the cache holds {self.length} tokens and cannot be cut to {length}")
        self._lengths = [length] * len(self._lengths)
