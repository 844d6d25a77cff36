"""Lesson 07's model: embedding, blocks, a norm, logits."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minillama import model
from minillama.cache import KVCache
from minillama.config import ModelConfig
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.attention_ideas import Generator
from minillama.course.tasks.model_blocks import (
    CACHE_LOST,
    HERE,
    LAYER_ZERO,
    PIECES_LOST,
    block_shapes,
    cache_of,
    draw_weights,
    entries,
    fault,
    make_config,
)
from minillama.course.tasks.model_hand import LESSON
from minillama.model import LlamaBase, Pieces


def faulty_llama(bugs: Bugs) -> Callable[..., nn.Module]:
    """Llama with these bugs."""

    class Faulty(LlamaBase):
        def __init__(self, config: ModelConfig, pieces: Pieces) -> None:
            super().__init__()
            self.config, self.pieces = config, pieces
            inner = Pieces() if "pieces_lost" in bugs else pieces
            self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
            numbers = [0] * config.n_layers if "layer_zero" in bugs else range(config.n_layers)
            blocks = [model.Block(config, layer, inner) for layer in numbers]
            self.layers = nn.ModuleList([blocks[0]] * config.n_layers if "shared" in bugs else blocks)
            if "norm_missing" not in bugs:
                self.norm = pieces.RMSNorm(config.dim, config.norm_eps)
            tied = (config.tied or "always_tied" in bugs) and "tied_copied" not in bugs
            self.output = None if tied else inner.linear(config.dim, config.vocab_size)
            self.reset_rope()

        def forward(self, tokens: Tensor, cache: KVCache | None = None, last_only: bool = False) -> Tensor:
            cos, sin, mask = self.places(tokens, cache)
            x = self.tok_embeddings(tokens)
            for i, block in enumerate(self.layers):
                out = block(x, cos, sin, mask, None if "cache_lost" in bugs else cache)
                x = x if "unused" in bugs else out
                if "norm_each" in bugs and i + 1 < len(self.layers):
                    x = self.norm(x)
            x = x if bugs & {"no_final", "norm_missing"} else self.norm(x)
            x = x[:, -1:] if last_only else x
            x = x @ self.tok_embeddings.weight.T if self.output is None else self.output(x)
            return torch.softmax(x, -1) if "softmaxed" in bugs else x

    return Faulty


def llama_cases(rng: Generator) -> list[Case]:
    """Two layers: untied, tied, a step after cached tokens, and strange pieces."""
    T, past, seed = int(rng.integers(4, 7)), int(rng.integers(3, 6)), int(rng.integers(1000))
    found = []
    for name, G, tied, kind, rows, tokens, before in (
        (f"{T} tokens", 2, False, "plain", 2, T, 0),
        ("a tied output", 2, True, "plain", 1, 4, 0),
        (f"2 tokens after {past} cached ones, and the last logits only", 1, False, "open", 1, 2, past),
        ("pieces of another make", 2, False, "strange", 1, 3, 0),
    ):
        D, H, K, F, V = 8, 2, 4, 6, 11
        bias = kind == "strange"
        shapes: dict[str, tuple[int, ...]] = {"tok_embeddings.weight": (V, D)}
        for layer in range(2):
            inner = block_shapes(D, H, G, K, F, bias)
            shapes |= {f"layers.{layer}.{name}": shape for name, shape in inner.items()}
        shapes["norm.weight"] = (D,)
        if not tied:
            shapes |= {"output.weight": (V, D)} | ({"output.bias": (V,)} if bias else {})
        config = make_config(dim=D, n_heads=H, n_kv_heads=G, tied=tied)
        made = (config, Made(f"{HERE}:some_pieces", {"kind": kind}))
        ids = rng.integers(0, V, (rows, tokens)).astype(np.int64)
        more = (cache_of(past, G, K, seed), True) if before else ()
        weights = draw_weights(rng, shapes, 0.4 if before else 0.7)
        found.append(Case(name=name, args=(made, tuple(shapes), *weights, ids, *more)))
    return found


def lacks_norm(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are all parameters there but those of the last norm?"""
    return len(outputs) > 0 and all(
               set(entries(wanted[0])) - set(entries(got[0])) == {"norm.weight (8,)"}
               and not set(entries(got[0])) - set(entries(wanted[0]))
               for got, wanted in zip(outputs, expected, strict=True))  # fmt: skip


Llama: Task = Task(
    id="model.Llama", lesson=LESSON, kind="rebuild", title="Build the model", points=5, difficulty=4, importance=5,
    minutes=20,
    reference=model.Llama, faulty=faulty_llama, cases=llama_cases, driver="module",
    outputs=("the list of parameters", "the logits"), piece="minillama.model:Llama", atol=1e-3, rtol=1e-3,
    forbidden=("minillama.model:Llama",),
    misconceptions=(
        fault(
            "shared", "one block in every place",
            "Python's list times n repeats the same object n times: one set of weights, trained n times over.",
            "How many different blocks does your list hold?",
        ),
        fault(
            "unused", "blocks whose results are thrown away",
            "A block returns the stream with its additions; it does not change the one that it is given.",
            "What becomes of what your blocks return?",
        ),
        fault(
            "no_final", "a stream that goes to the output without its norm",
            "The road grows with every block; the output matrix was trained on a normed copy.",
            "What happens to x between the last block and the logits?",
        ),
        fault(
            "norm_missing", "a model without its last norm", "Checkpoints hold it as norm.weight.",
            "Which norm belongs to no block?", signature=lacks_norm,
        ),
        fault(
            "norm_each", "a norm on the road after every block",
            "The stream is normed once, at its very end. Blocks norm copies of it.",
            "How often does your forward call the last norm?",
        ),
        fault(
            "tied_copied", "a second table where the output is tied",
            "Tied means: the embedding itself is used at the end. A table of its own has no weights in the file.",
            "What does a tied model's list of parameters say of an output?",
        ),
        fault(
            "always_tied", "an output that is always the embedding",
            "LLaMA's published models have an output matrix of their own; `config.tied` says who has not.",
            "What do you do when `config.tied` is False?",
        ),
        fault(
            "softmaxed", "probabilities instead of logits",
            "The model gives raw scores. Loss and sampling make probabilities, each in its own way.",
            "What is the last thing you do to the scores?", credit=0.7,
        ),
        LAYER_ZERO, CACHE_LOST, PIECES_LOST,
    ),
    hints=(
        "Look up, pass through all blocks, norm, score every word.",
        "tokens (B, T) -> embedding (B, T, D) -> blocks -> norm -> logits (B, T, V).",
        "made once: tok_embeddings, layers (an nn.ModuleList of n_layers blocks), norm, output\n"
        "cos, sin, mask = self.places(tokens, cache)\nx = embedding; for each block: x = block(...)\n"
        "norm; then the output matrix, or the embedding's where they are tied",
    ),
)  # fmt: skip
