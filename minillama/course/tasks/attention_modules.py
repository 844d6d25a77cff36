"""Lesson 06's module: from the stream to queries, keys and values, and back."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minillama import attention, rope
from minillama.cache import KVCache
from minillama.config import ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.attention_ideas import LESSON, Generator, causal, draw


def filled_cache(n_layers: int, past: int, n_kv_heads: int, head_dim: int, seed: int) -> KVCache:
    """A cache that has seen `past` tokens, other ones in each layer."""
    cache = KVCache(n_layers, 1, past + 8, n_kv_heads, head_dim)
    generator = torch.Generator().manual_seed(seed)
    for layer in range(n_layers):
        k, v = torch.randn(2, 1, past, n_kv_heads, head_dim, generator=generator)
        cache.update(layer, k, v)
    return cache


def faulty_module(bugs: Bugs) -> Callable[..., nn.Module]:
    """Attention with these bugs."""

    class Faulty(nn.Module):
        def __init__(self, config: ModelConfig, layer: int = 0, **parts: Any) -> None:
            super().__init__()
            self.layer, self.head_dim = layer, config.head_dim
            wide, narrow = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
            bias = "bias" in bugs
            self.wq = nn.Linear(config.dim, wide, bias=bias)
            self.wk = nn.Linear(config.dim, wide if "own_keys" in bugs else narrow, bias=bias)
            self.wv = nn.Linear(config.dim, wide if "own_keys" in bugs else narrow, bias=bias)
            if "no_wo" not in bugs:
                self.wo = nn.Linear(wide, config.dim, bias=bias)

        def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor, cache: KVCache | None = None) -> Tensor:
            values = self.wk(x) if "values_from_wk" in bugs else self.wv(x)
            q, k, v = (each.unflatten(-1, (-1, self.head_dim)) for each in (self.wq(x), self.wk(x), values))
            if "unturned" not in bugs:
                q = rope.apply_rope(q, cos, sin)
                k = k if "keys_unturned" in bugs else rope.apply_rope(k, cos, sin)
                v = rope.apply_rope(v, cos, sin) if "values_turned" in bugs else v
            if cache is not None:
                layer = 0 if "layer_zero" in bugs else self.layer
                k, v = cache.update(layer, k, v)
            out, _ = attention.attend(q, k, v, mask)
            out = out.transpose(1, 2).reshape(out.shape) if "regrouped" in bugs else out
            mixed = out.flatten(-2) if "no_wo" in bugs or "wo_unused" in bugs else self.wo(out.flatten(-2))
            return x + mixed if "residual" in bugs else mixed

    return Faulty


NAMES = ("wk.weight", "wo.weight", "wq.weight", "wv.weight")


def module_cases(rng: Generator) -> list[Case]:
    """Heads of their own, groups, and a step of layer 1 after cached tokens."""
    T, past, seed = int(rng.integers(5, 8)), int(rng.integers(3, 6)), int(rng.integers(1000))
    found = []
    for name, H, G, layer, tokens, before in (
        (f"{T} tokens and 2 heads", 2, 2, 0, T, 0),
        (f"{T} tokens, 4 heads and 2 key/value heads", 4, 2, 0, T, 0),
        (f"layer 1, and 2 tokens after {past} cached ones", 4, 2, 1, 2, past),
    ):
        K, D = 4, 4 * H
        config = Made(
            "minillama.config:ModelConfig",
            {
                "dim": D, "n_layers": 2, "n_heads": H, "n_kv_heads": G, "hidden_dim": 8, "vocab_size": 8,
                "max_seq_len": 32,
            },
        )  # fmt: skip
        weights = [draw(rng, *shape) for shape in ((G * K, D), (D, H * K), (H * K, D), (G * K, D))]
        angles = np.outer(np.arange(before, before + tokens), 10.0 ** -np.arange(K // 2))
        cache = Made(
            "minillama.course.tasks.attention_modules:filled_cache",
            {"n_layers": 2, "past": before, "n_kv_heads": G, "head_dim": K, "seed": seed},
        )
        inputs = [
            draw(rng, 1, tokens, D), np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32),
            causal(tokens, before + tokens),
        ]  # fmt: skip
        found.append(Case(name=name, args=((config, layer), NAMES, *weights, *inputs, *([cache] if before else []))))
    return found


def _parameters(outputs: Sequence[Any]) -> list[str]:
    """The parameters of the module with groups, in words, from two cases: without and with groups."""
    return [str(each[0]) for each in outputs]


def has_bias(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    return all(".bias" in text for text in _parameters(outputs))


def lacks_wo(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    return all("wo.weight" not in text and "wq.weight" in text for text in _parameters(outputs))


def has_own_keys(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Do wk and wv have as many rows as wq where there should be groups?"""
    both = [(got[0], wanted[0]) for got, wanted in zip(outputs, expected, strict=True)]
    grouped = [(got, wanted) for got, wanted in both if "wk.weight (8, 16)" in wanted]
    return bool(grouped) and all(
        got == wanted.replace("wk.weight (8,", "wk.weight (16,").replace("wv.weight (8,", "wv.weight (16,")
        for got, wanted in grouped
    )


def _fault(name: str, looks_like: str, principle: str, question: str, **more: Any) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, **more)


Attention = Task(
    id="attention.Attention", lesson=LESSON, kind="rebuild", title="Make it a layer", points=4, difficulty=3,
    importance=5, minutes=15,
    reference=attention.Attention, faulty=faulty_module, cases=module_cases, driver="module",
    outputs=("the list of parameters", "the result"), piece="minillama.attention:Attention", atol=1e-4,
    forbidden=("minillama.attention:Attention",),
    misconceptions=(
        _fault(
            "values_turned", "values that are turned as well",
            "Only scores should feel positions. What a token says must not depend on where it says it.",
            "Which two tensors meet in a dot product?",
        ),
        _fault(
            "keys_unturned", "keys that are not turned",
            "A score feels the distance only where both are turned: the dot product subtracts the angles.",
            "Which of the three go through apply_rope?",
        ),
        _fault(
            "unturned", "queries and keys without positions",
            "Without a turn the layer cannot tell who came first.", "What do you do with cos and sin?",
        ),
        _fault(
            "values_from_wk", "values made by the matrix of the keys",
            "Three matrices: what am I looking for, what am I, what do I hand on.",
            "Which matrix makes your v?",
        ),
        _fault(
            "layer_zero", "a cache that is always asked for layer 0",
            "Every layer keeps keys and values of its own; all layers together have one cache.",
            "Which layer do you tell the cache?",
        ),
        _fault(
            "regrouped", "numbers that were dealt out anew to tokens and heads",
            "`attend` gives (B, T, H, K): the heads of one token lie side by side already.",
            "Which token does the first row of your result belong to, before the last matrix?",
        ),
        _fault(
            "wo_unused", "heads that are handed on without the last matrix",
            "wo mixes what the heads found, and brings it back to the width of the stream.",
            "Which of your four matrices is never multiplied by anything?",
        ),
        _fault(
            "no_wo", "a layer without its last matrix",
            "wo mixes what the heads found; LLaMA's files hold it as attention.wo.weight.",
            "How do H times K numbers become D again?", signature=lacks_wo,
        ),
        _fault(
            "residual", "the stream added inside of the layer",
            "The block adds what attention gives to the stream; adding it here too counts the stream twice.",
            "What does your last line add?", credit=0.7,
        ),
        _fault(
            "bias", "matrices with a bias", "No linear layer of a LLaMA has one, and its files hold none.",
            "Which function of lesson 05 makes a matrix?", credit=0.7, signature=has_bias,
        ),
        _fault(
            "own_keys", "keys and values for every query head",
            "There are n_kv_heads of them, and as many rows in wk and wv as they have channels.",
            "How many numbers does one token add to the cache?", signature=has_own_keys,
        ),
    ),
    hints=(
        "Three matrices make q, k and v; both that meet in a score are turned; the cache adds what came before.",
        "x (B, T, D) -> wq -> (B, T, H * K) -> (B, T, H, K); wk and wv give G heads; wo takes H * K back to D.",
        "q, k, v = the three products, cut into heads\nturn q and k\n"
        "with a cache: hand it this layer's k and v, and go on with what it gives back\n"
        "attend, put the heads side by side, multiply by the last matrix",
    ),
)  # fmt: skip
