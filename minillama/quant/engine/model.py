"""A quantized model that keeps the protocol of model.Llama and runs in Numba from the embedding to the logits."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from minillama.config import ModelConfig
from minillama.model import check_cache_length, check_tokens
from minillama.quant.engine.cache import QuantCache, check_cache_type
from minillama.quant.engine.forward import run_blocks, run_output
from minillama.quant.kernels.choose import choose_path
from minillama.quant.kernels.layout import BLOCK, FORMAT_NUMBERS, IN_FILE_NUMBERS, ROWS, PackedMatrix, group_bytes
from minillama.quant.kernels.records import RECORD
from minillama.quant.kernels.threads import parallel_calls, thread_count
from minillama.quant.linear import QuantMatrix
from minillama.rope import rope_frequencies

log = logging.getLogger(__name__)

LAYER_MATRICES = (
    "attention.wq", "attention.wk", "attention.wv", "attention.wo", "feed_forward.w1", "feed_forward.w3",
    "feed_forward.w2",
)  # fmt: skip
EVERYTHING = np.iinfo(np.int64).max // 2  # the window of a model without one


class QuantizedLlama:
    """A LLaMA whose matrices are packed blocks: `model(tokens, cache)`, `model.new_cache`, `model.config`.

    Args:
        config: sizes.
        matrices: canonical name without ".weight" -> packed matrix, for every layer and the output.
        embedding: the rows of the token embedding.
        norms: canonical name without ".weight" -> float32 (D,).
        path: instructions, None for the fastest of this machine.
        threads: None for the physical cores.
        cache_type: of the caches that `new_cache` makes, "f16" or "q8_0"; an attribute that may be set later.

    Raises:
        ConfigError: a path that this machine does not have, less than one thread, or see cache.check_cache_type.
    """

    def __init__(
        self,
        config: ModelConfig,
        matrices: Mapping[str, PackedMatrix],
        embedding: QuantMatrix,
        norms: Mapping[str, np.ndarray],
        path: str | None = None,
        threads: int | None = None,
        cache_type: str = "f16",
    ) -> None:
        self.config, self.embedding, self.matrices = config, embedding, dict(matrices)
        self.cache_type = cache_type
        self.path, self.threads = choose_path(path), thread_count(threads)
        layers = range(config.n_layers)
        rows = [[_entry(matrices[f"layers.{n}.{name}"]) for name in LAYER_MATRICES] for n in layers]
        self._tables = np.array(rows, np.int64)  # (L, 7, 4)
        self._output = np.array([_entry(matrices["output"])], np.int64)
        kinds = ("attention_norm", "ffn_norm")
        self._norms = np.array(
            [[norms[f"layers.{n}.{kind}"] for kind in kinds] for n in layers], np.float32
        )  # (L, 2, D)
        self._norm = np.ascontiguousarray(norms["norm"], np.float32)
        cos, sin = rope_frequencies(config.head_dim, config.max_seq_len, config.rope_theta, config.rope_scaling)
        self._cos, self._sin = cos.numpy(), sin.numpy()
        if not any(Path(str(run_blocks.stats.cache_path)).glob("*.run_blocks-*.nbi")):
            log.warning("compiling the kernels for this processor, once: about half a minute")
        self._widest = max(config.dim, config.hidden_dim, config.n_heads * config.head_dim)

    @property
    def cache_type(self) -> str:
        """What new caches hold: "f16" or "q8_0"."""
        return self._cache_type

    @cache_type.setter
    def cache_type(self, cache_type: str) -> None:
        check_cache_type(cache_type, self.config.head_dim)
        self._cache_type = cache_type

    def new_cache(self, batch_size: int, max_len: int) -> QuantCache:
        """An empty cache for `batch_size` rows of at most `max_len` tokens.

        Raises:
            ContextLengthError: longer than the model's context.
        """
        config = self.config
        check_cache_length(max_len, config)
        return QuantCache(config.n_layers, batch_size, config.n_kv_heads, max_len, config.head_dim, self.cache_type)

    def __call__(self, tokens: Tensor, cache: QuantCache | None = None, last_only: bool = False) -> Tensor:
        """The logits of the token after each of these.

        Args:
            tokens: (B, T) int64.
            cache: what came before; it takes up these tokens too.
            last_only: only those after the last token of each row.

        Returns:
            (B, T, V) float32, or (B, 1, V).

        Raises:
            ContextLengthError, ShapeError: see model.check_tokens; or more tokens than the cache has places for.
        """
        x = self.hidden(tokens, cache)
        return self.unembed(x[:, -1:] if last_only else x)

    def hidden(self, tokens: Tensor, cache: QuantCache | None = None) -> Tensor:
        """The stream after the final norm: (B, T) -> (B, T, D) float32."""
        past, _ = check_tokens(tokens, self.config, cache)
        B, T = tokens.shape
        cache = cache or self.new_cache(B, T)
        cache.reserve(T)
        x = self.embedding.rows(tokens.reshape(-1).numpy()).numpy()
        starts = np.zeros(B, np.int64) if cache.padding is None else cache.padding.numpy().astype(np.int64)
        records = np.empty(B * T * (self._widest // BLOCK), RECORD)
        with parallel_calls(self.threads):
            run_blocks(
                self.path, self._tables, self._norms, self._norm, self.config.norm_eps, self.config.n_heads,
                self._cos, self._sin, starts, past, self.config.sliding_window or EVERYTHING, cache.kind, cache.places,
                cache.keys, cache.values, self.threads, records, x,
            )  # fmt: skip
        cache.length = past + T
        return torch.from_numpy(x).reshape(B, T, -1)

    def unembed(self, x: Tensor) -> Tensor:
        """The output matrix: (B, T, D) -> (B, T, V)."""
        rows = x.reshape(-1, self.config.dim).numpy()
        logits = np.empty((len(rows), self.config.vocab_size), np.float32)
        records = np.empty(len(rows) * (self.config.dim // BLOCK), RECORD)
        with parallel_calls(self.threads):
            run_output(self.path, self._output, self.threads, records, rows, logits)
        return torch.from_numpy(logits).reshape(*x.shape[:-1], -1)


def _entry(matrix: PackedMatrix) -> tuple[int, int, int, int]:
    """A matrix as the compiled functions look it up: address, format, rows, columns."""
    return matrix.address, matrix.number, *matrix.shape


def packed_bytes(format: str, shape: tuple[int, ...]) -> int:
    """Bytes that a matrix takes beside its blocks: none where the kernels read those."""
    rows, columns = shape
    if format in IN_FILE_NUMBERS:
        return 0
    return -(-rows // ROWS) * group_bytes(FORMAT_NUMBERS[format], columns // BLOCK)


def can_run(formats: Mapping[str, str]) -> bool:
    """Whether the kernels know the format of every matrix.

    Args:
        formats: canonical name -> format.
    """
    return all(format in FORMAT_NUMBERS for format in formats.values())
