"""The engine's key/value cache: float16, each head's positions one after the other."""

import numpy as np
from torch import Tensor

from minillama.errors import ContextLengthError


class QuantCache:
    """Keys and values of every layer as float16 bits, with the meaning of cache.KVCache.

    Args:
        n_layers, batch_size, n_kv_heads, max_len, head_dim: L, B, G, S_max, K.
    """

    def __init__(self, n_layers: int, batch_size: int, n_kv_heads: int, max_len: int, head_dim: int) -> None:
        shape = (n_layers, batch_size, n_kv_heads, max_len, head_dim)
        self.keys = np.empty(shape, np.uint16)  # pages are taken when they are first written
        self.values = np.empty(shape, np.uint16)
        self.max_len, self.batch_size, self.length = max_len, batch_size, 0
        self.padding: Tensor | None = None  # (B,) int64: how many places at the start of each row are only padding

    def reserve(self, n_tokens: int) -> None:
        """Raise ContextLengthError unless `n_tokens` more fit."""
        if self.length + n_tokens > self.max_len:
            raise ContextLengthError(
                f"the cache holds {self.length} tokens and has places for {self.max_len}; {n_tokens} more do not fit"
            )

    def truncate(self, length: int) -> None:
        """Forget everything from position `length` on; what follows is computed again."""
        if not 0 <= length <= self.length:
            raise ContextLengthError(f"the cache holds {self.length} tokens and cannot be cut to {length}")
        self.length = length
