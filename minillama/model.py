"""The whole model: a stream of vectors, one a token, that every block reads and adds to.

Source: Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language Models", section 2.2.

    tokens -> embedding -> [ + attention(norm(x)) -> + feed_forward(norm(x)) ] x n_layers -> norm -> output -> logits
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minillama import attention, cache, feedforward, norm, rope, sampling
from minillama.config import ModelConfig
from minillama.errors import ContextLengthError, ShapeError
from minillama.tokenizer import bpe


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """What a Llama is built from, its words, and how its files are read; each can be replaced by its like."""

    RMSNorm: Callable[[int, float], nn.Module] = norm.RMSNorm
    SwiGLU: Callable[..., nn.Module] = feedforward.SwiGLU
    Attention: Callable[..., nn.Module] = attention.Attention
    KVCache: Callable[..., cache.KVCache] = cache.KVCache
    rope_frequencies: Callable[..., tuple[Tensor, Tensor]] = rope.rope_frequencies
    apply_rope: Callable[[Tensor, Tensor, Tensor], Tensor] = rope.apply_rope
    causal_mask: Callable[..., Tensor] = attention.causal_mask
    attend: attention.Attend = attention.attend_fused
    linear: Callable[[int, int], nn.Module] = feedforward.linear
    encode_bpe: Callable[..., list[int]] = bpe.encode_bpe
    decode: Callable[..., str] = bpe.decode
    stream_decode: Callable[..., Iterator[str]] = bpe.stream_decode
    sample: Callable[..., Tensor] = sampling.sample
    matvec_q4: Callable[..., Any] | None = None  # None: the quantized layers dequantize, and multiply floats
    matvec_q8: Callable[..., Any] | None = None
    pack_rows: Callable[..., Any] | None = None
    Block: Callable[..., nn.Module] | None = None  # None: the one of this module, which stands below
    Llama: Callable[..., nn.Module] | None = None
    quantize_q8_0: Callable[[np.ndarray], np.ndarray] | None = None  # None: the one of quant/formats.py
    quantize_q4_0: Callable[[np.ndarray], np.ndarray] | None = None
    dequantize_q4_0: Callable[[np.ndarray], np.ndarray] | None = None
    permute_hf_to_meta: Callable[[Tensor, int], Tensor] = rope.permute_hf_to_meta
    merge_shards: Callable[..., dict[str, Tensor]] | None = None  # None: the one of minillama.checkpoint, above
    hf_names_to_meta: Callable[..., dict[str, Any]] | None = None
    fits_in_memory: Callable[..., bool] | None = None
    LoRALinear: Callable[..., nn.Module] | None = None  # None: those of train/lora.py, which stand above
    merge: Callable[[Any], None] | None = None  # of an adapter into its matrix
    perplexity: Callable[..., Any] | None = None  # None: those of evaluate.py, which stand above
    predict_tokens_per_second: Callable[..., float] | None = None


def count_parameters(config: ModelConfig) -> int:
    """How many weights a model of these sizes has.

    >>> from minillama.config import PRESETS
    >>> count_parameters(PRESETS["llama-7b"])
    6738415616
    """
    attention = config.dim * config.head_dim * (2 * config.n_heads + 2 * config.n_kv_heads)  # wq wo, wk wv
    feed_forward = 3 * config.dim * config.hidden_dim  # w1 w2 w3
    norms = 2 * config.dim
    embeddings = config.vocab_size * config.dim * (1 if config.tied else 2)
    return embeddings + config.n_layers * (attention + feed_forward + norms) + config.dim


def check_tokens(tokens: Tensor, config: ModelConfig, cache: Any = None) -> tuple[int, int]:
    """How many tokens came before these, and how many there are with them.

    Args:
        tokens: (B, T) int64.
        config: of the model.
        cache: what came before, None for nothing.

    Returns:
        The past, and S = past + T.

    Raises:
        ShapeError: not (B, T) int64, ids without a row in the embedding, or another number of rows than the cache's.
        ContextLengthError: more tokens than the model has positions for.
    """
    if tokens.dim() != 2 or tokens.dtype != torch.int64 or tokens.numel() == 0:
        raise ShapeError(f"tokens are {tokens.dtype} {tuple(tokens.shape)}, expected int64 (B, T)")
    if cache is not None and cache.batch_size != tokens.shape[0]:
        raise ShapeError(f"tokens have {tokens.shape[0]} rows, but the cache was made for {cache.batch_size}")
    if tokens.device.type == "cpu":  # on a GPU, looking would stop everything until it is done
        low, high = tokens.aminmax()
        if low < 0 or high >= config.vocab_size:
            raise ShapeError(f"token ids run from {low} to {high}, expected 0 to {config.vocab_size - 1}")
    past = 0 if cache is None else cache.length
    total = past + tokens.shape[1]
    if total > config.max_seq_len:
        raise ContextLengthError(f"{total} tokens, but the model's context is {config.max_seq_len}")
    return past, total


def check_cache_length(max_len: int, config: ModelConfig) -> None:
    """Raise ContextLengthError unless a cache of `max_len` tokens fits into the model's context."""
    if not 0 < max_len <= config.max_seq_len:
        raise ContextLengthError(f"a cache of {max_len} tokens, but the model's context is {config.max_seq_len}")


class Block(nn.Module):
    """One layer: attention between the tokens, then a feed-forward for each, both added to the stream.

    Args:
        config: sizes.
        layer: its index.
        pieces: what it is built from.
    """

    def __init__(self, config: ModelConfig, layer: int = 0, pieces: Pieces = Pieces()) -> None:
        super().__init__()
        self.attention_norm = pieces.RMSNorm(config.dim, config.norm_eps)
        self.attention = pieces.Attention(
            config, layer, linear=pieces.linear, apply_rope=pieces.apply_rope, attend=pieces.attend
        )
        self.ffn_norm = pieces.RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = pieces.SwiGLU(config.dim, config.hidden_dim, pieces.linear)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, cache: cache.KVCache | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, mask, cache)
        return x + self.feed_forward(self.ffn_norm(x))


class LlamaBase(nn.Module):
    """What a Llama needs around its forward: rotary tables, the places of its tokens, fresh weights, a cache.

    A class on top of it sets `config`, `pieces` and `norm`, and calls `reset_rope` when it is made.
    """

    config: ModelConfig
    pieces: Pieces
    norm: Any
    cos: Tensor
    sin: Tensor

    @property
    def device(self) -> torch.device:
        """Where its weights are, and its tokens belong."""
        return self.norm.weight.device

    def reset_rope(self, device: torch.device | str | None = None) -> None:
        """Compute the rotary tables, which are no weights: float32 on `device` whatever the weights are."""
        config = self.config
        cos, sin = self.pieces.rope_frequencies(
            config.head_dim, config.max_seq_len, config.rope_theta, config.rope_scaling
        )
        self.register_buffer("cos", cos.to(device), persistent=False)  # (max_seq_len, K/2)
        self.register_buffer("sin", sin.to(device), persistent=False)

    def places(self, tokens: Tensor, cache: cache.KVCache | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Where these tokens stand, which is the same for every block.

        Args:
            tokens: (B, T) int64.
            cache: what came before.

        Returns:
            cos and sin (T, K/2) of their positions, and who may look at whom: (T, S) bool, or (B, T, S) where rows
            are padded.

        Raises:
            ContextLengthError, ShapeError: see check_tokens.
        """
        past, S = check_tokens(tokens, self.config, cache)
        mask = self.pieces.causal_mask(tokens.shape[1], S, self.config.sliding_window).to(tokens.device)  # (T, S)
        if cache is not None and cache.padding is not None:  # rotary scores depend on distance only: hiding is enough
            real = torch.arange(S, device=tokens.device) >= cache.padding.to(tokens.device)[:, None]  # (B, S)
            mask = mask & real[:, None]  # (B, T, S)
        return self.cos[past:S], self.sin[past:S], mask

    def init_weights(self, seed: int) -> None:
        """Draw fresh weights: normal, of standard deviation 1 / sqrt(columns), with two exceptions.

        What adds to the stream is divided by sqrt(2 * n_layers), so that the stream grows no larger with depth (Radford
        et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3). The embeddings share a
        direction: a LLaMA has no biases, so this is all that a head of the first layers can turn by position alone,
        and without it they learn late or never to look at the token before.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 1:
                nn.init.ones_(parameter)
                continue
            std = parameter.shape[1] ** -0.5
            if name.endswith(("wo.weight", "w2.weight")):
                std /= (2 * self.config.n_layers) ** 0.5
            nn.init.normal_(parameter, std=std, generator=generator)
            if name == "tok_embeddings.weight":
                with torch.no_grad():
                    parameter.add_(std / 2 * torch.randn(parameter.shape[1], generator=generator))

    def new_cache(self, batch_size: int, max_len: int) -> cache.KVCache:
        """An empty cache for `batch_size` rows of at most `max_len` tokens.

        Raises:
            ContextLengthError: longer than the model's context.
        """
        config, weight = self.config, self.norm.weight
        check_cache_length(max_len, config)
        return self.pieces.KVCache(
            config.n_layers, batch_size, max_len, config.n_kv_heads, config.head_dim, weight.dtype, weight.device
        )


class Llama(LlamaBase):
    """The model: `model(tokens)` gives the logits of every next token.

    Args:
        config: sizes.
        pieces: what it is built from.
    """

    def __init__(self, config: ModelConfig, pieces: Pieces = Pieces()) -> None:
        super().__init__()
        self.config, self.pieces = config, pieces
        block = pieces.Block or Block
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(block(config, layer, pieces) for layer in range(config.n_layers))
        self.norm = pieces.RMSNorm(config.dim, config.norm_eps)
        self.output = None if config.tied else pieces.linear(config.dim, config.vocab_size)
        self.reset_rope()

    def hidden(self, tokens: Tensor, cache: cache.KVCache | None = None) -> Tensor:
        """The stream after the final norm, (B, T, D)."""
        cos, sin, mask = self.places(tokens, cache)
        x = self.tok_embeddings(tokens)  # (B, T, D)
        for block in self.layers:
            x = block(x, cos, sin, mask, cache)
        return self.norm(x)

    def unembed(self, x: Tensor) -> Tensor:
        """The output matrix, or the embedding where they are tied: (..., D) -> (..., V)."""
        return nn.functional.linear(x, self.tok_embeddings.weight) if self.output is None else self.output(x)

    def forward(self, tokens: Tensor, cache: cache.KVCache | None = None, last_only: bool = False) -> Tensor:
        """The logits of the token after each of these.

        Args:
            tokens: (B, T) int64.
            cache: what came before; it takes up these tokens too.
            last_only: only those after the last token of each row.

        Returns:
            (B, T, V) float32, or (B, 1, V).

        Raises:
            ContextLengthError, ShapeError: see check_tokens.
        """
        x = self.hidden(tokens, cache)
        return self.unembed(x[:, -1:] if last_only else x).float()
