"""The engine's key/value cache: a head's keys, then its values, in panels of float16 or int8 (kernels/panels.py)."""

from torch import Tensor

from minillama.errors import ConfigError, ContextLengthError
from minillama.quant.kernels.panels import BLOCK, KINDS, ROWS
from minillama.quant.kernels.storing import key_panel_bytes, value_bytes
from minillama.quant.pages import own_pages


def check_cache_type(cache_type: str, head_dim: int) -> None:
    """Raise ConfigError unless a cache of this type can hold heads of `head_dim` numbers."""
    if cache_type not in KINDS:
        raise ConfigError(f"cache type is {cache_type!r}, expected {' or '.join(KINDS)}")
    if cache_type == "q8_0" and head_dim % BLOCK:
        raise ConfigError(f"cache type q8_0 has blocks of {BLOCK}, but head_dim is {head_dim}: take f16")


class QuantCache:
    """Keys and values of every layer, with the meaning of cache.KVCache.

    Args:
        n_layers, batch_size, n_kv_heads, max_len, head_dim: L, B, G, S_max, K.
        cache_type: "f16", or "q8_0" for about half of the bytes.

    Raises:
        ConfigError: another type, or q8_0 for heads that do not divide into blocks of 32.

    >>> cache = QuantCache(n_layers=2, batch_size=1, n_kv_heads=4, max_len=64, head_dim=32, cache_type="q8_0")
    >>> cache.keys.shape, cache.nbytes
    ((2, 1, 4, 2176), 34816)
    """

    def __init__(
        self, n_layers: int, batch_size: int, n_kv_heads: int, max_len: int, head_dim: int, cache_type: str = "f16"
    ) -> None:
        check_cache_type(cache_type, head_dim)
        self.kind, self.head_dim = KINDS[cache_type], head_dim
        n_panels = -(-max_len // ROWS)
        self.places = n_panels * ROWS
        heads, size = (n_layers, batch_size, n_kv_heads), n_layers * batch_size * n_kv_heads
        key_bytes = n_panels * key_panel_bytes.py_func(self.kind, head_dim)
        bytes_of_values = value_bytes.py_func(self.kind, head_dim, self.places)
        self.keys = own_pages(size * key_bytes).reshape(*heads, key_bytes)
        self.values = own_pages(size * bytes_of_values).reshape(*heads, bytes_of_values)
        self.max_len, self.batch_size, self.length = max_len, batch_size, 0
        self.padding: Tensor | None = None  # (B,) int64: how many places at the start of each row are only padding

    @property
    def nbytes(self) -> int:
        """Bytes of memory, once all places are taken."""
        return self.keys.nbytes + self.values.nbytes

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
