"""The quantized engine against the torch model on the same blocks, activations rounded to int8 as the engine does."""

import dataclasses
import threading

import numpy as np
import pytest
import torch
from oracles import random_llama, relative_difference

from minillama.cache import KVCache
from minillama.config import ModelConfig, RopeScaling
from minillama.errors import ConfigError, ContextLengthError, ShapeError
from minillama.generation import generate_ids
from minillama.model import Llama
from minillama.quant.engine.model import QuantizedLlama
from minillama.quant.formats import FORMATS
from minillama.quant.kernels.choose import available_paths
from minillama.quant.kernels.packing import pack
from minillama.quant.linear import QuantEmbedding, QuantLinear, QuantMatrix

SIZES = {"dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 96, "vocab_size": 75, "max_seq_len": 80}
CONFIGS = {
    "grouped": ModelConfig(**SIZES),
    "tied": ModelConfig(**SIZES, tied=True),
    "sliding window": ModelConfig(**SIZES, sliding_window=5),
    "llama 3.1 scaling": ModelConfig(**SIZES, rope_scaling=RopeScaling(kind="llama3", factor=8.0)),
    "narrow heads": ModelConfig(**{**SIZES, "n_heads": 8, "n_kv_heads": 1}),  # 8 rows of wk: half a group
}
WIDE_HEADS = ModelConfig(**{**SIZES, "head_dim": 32})
TOKENS = torch.randint(75, (2, 40), generator=torch.Generator().manual_seed(4))


class Rounded(torch.nn.Module):
    """A layer whose input is rounded to int8 with a scale for each 32, as kernels.activations does."""

    def __init__(self, layer: QuantLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        blocks = x.unflatten(-1, (-1, 32))
        scale = blocks.abs().amax(-1, keepdim=True).clamp(min=1e-30) / 127
        return self.layer(((blocks / scale).round() * scale).flatten(-2))


class HalfCache(KVCache):
    """Keys and values rounded to float16, as the engine keeps them."""

    def update(self, layer: int, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return super().update(layer, k.half().float(), v.half().float())


def by_torch(model: Llama, tokens: torch.Tensor) -> torch.Tensor:
    """The torch model's logits with rounded keys and values."""
    cache = HalfCache(*model.new_cache(*tokens.shape).keys.shape)
    return model(tokens, cache)


def both(config: ModelConfig, format: str, **options: object) -> tuple[QuantizedLlama, Llama]:
    """An engine and the torch model that it should equal, from the same random weights."""
    model = random_llama(config)
    quantize = FORMATS[format].quantize
    matrices, norms = {}, {}
    for name, weight in list(model.named_parameters()):
        key = name.removesuffix(".weight")
        if weight.dim() == 1:
            norms[key] = weight.numpy()
            continue
        blocks = quantize(weight.numpy())
        shape = tuple(weight.shape)
        parent, _, leaf = key.rpartition(".")
        if key == "tok_embeddings":
            embedding = QuantMatrix(blocks, format, shape)
            model.tok_embeddings = QuantEmbedding(blocks, format, shape)
        else:
            setattr(model.get_submodule(parent), leaf, Rounded(QuantLinear(blocks, format, shape)))
        if key != "tok_embeddings" or config.tied:
            matrices["output" if key == "tok_embeddings" else key] = pack(blocks, format, shape)
    if config.tied:
        model.output = Rounded(QuantLinear(embedding.blocks, format, embedding.shape))
    return QuantizedLlama(config, matrices, embedding, norms, **options), model


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("format", ["q4_0", "q8_0"])
def test_logits_equal_the_torch_model(name: str, format: str) -> None:
    engine, model = both(CONFIGS[name], format, threads=2)
    assert engine(TOKENS).shape == (2, 40, 75)
    windows = [TOKENS[:1, start : start + 8] for start in range(0, 32, 4)]
    differences = [relative_difference(engine(tokens), by_torch(model, tokens)) for tokens in windows]
    assert np.median(differences) < 1e-5
    assert max(differences) < 0.05  # now and then an activation is rounded the other way, and all that follows moves


@pytest.mark.parametrize("name", ["grouped", "sliding window", "narrow heads"])
def test_token_by_token_equals_one_pass(name: str) -> None:
    engine, _ = both(CONFIGS[name], "q8_0")
    cache = engine.new_cache(2, 40)
    parts = [engine(TOKENS[:, :9], cache)] + [engine(TOKENS[:, t : t + 1], cache) for t in range(9, 40)]
    assert cache.length == 40
    assert relative_difference(torch.cat(parts, dim=1), engine(TOKENS)) < 1e-5
    cache.truncate(20)
    assert relative_difference(engine(TOKENS[:, 20:], cache), engine(TOKENS)[:, 20:]) < 1e-5


def test_padded_rows_equal_single_rows() -> None:
    engine, _ = both(CONFIGS["grouped"], "q8_0")
    prompts = [TOKENS[0, :20].tolist(), TOKENS[1, :3].tolist(), [7]]
    together = list(zip(*generate_ids(engine, prompts, 8), strict=True))
    alone = [tuple(step[0] for step in generate_ids(engine, [prompt], 8)) for prompt in prompts]
    assert together == alone


@pytest.mark.parametrize("cache_type", ["f16", "q8_0"])
def test_the_last_logits_alone_are_the_same(cache_type: str) -> None:
    engine, _ = both(WIDE_HEADS, "q8_0", cache_type=cache_type)
    assert torch.equal(engine(TOKENS, last_only=True), engine(TOKENS)[:, -1:])
    one, two = engine.new_cache(2, 40), engine.new_cache(2, 40)
    engine(TOKENS[:, :30], one), engine(TOKENS[:, :30], two, last_only=True)
    assert torch.equal(engine(TOKENS[:, 30:], one), engine(TOKENS[:, 30:], two))


@pytest.mark.parametrize("window", [None, 5])
def test_a_cache_of_int8_says_nearly_the_same(window: int | None) -> None:
    engine, _ = both(dataclasses.replace(WIDE_HEADS, sliding_window=window), "q8_0")
    expected = engine(TOKENS)
    assert engine.new_cache(2, 40).nbytes == 2 * 2 * 2 * 2 * 48 * 32 * 2  # L B G, keys and values, places, K, bytes
    engine.cache_type = "q8_0"
    assert engine.new_cache(2, 40).nbytes == 2 * 2 * 2 * 2 * 48 * 34
    assert 1e-5 < relative_difference(engine(TOKENS), expected) < 0.03
    cache = engine.new_cache(2, 40)
    parts = [engine(TOKENS[:, :9], cache)] + [engine(TOKENS[:, t : t + 1], cache) for t in range(9, 40)]
    assert relative_difference(torch.cat(parts, dim=1), engine(TOKENS)) < 1e-5
    cache.truncate(20)
    assert relative_difference(engine(TOKENS[:, 20:], cache), engine(TOKENS)[:, 20:]) < 1e-5
    with pytest.raises(ContextLengthError, match="1 more do not fit"):
        engine(TOKENS[:, :1], cache)


def test_a_cache_of_int8_hides_padding() -> None:
    engine, _ = both(WIDE_HEADS, "q8_0", cache_type="q8_0")
    cache = engine.new_cache(2, 20)
    cache.padding = torch.tensor([0, 13])
    together = torch.cat([engine(TOKENS[:, :15], cache), engine(TOKENS[:, 15:20], cache)], dim=1)
    alone = engine(TOKENS[1:, 13:20])  # turned to other positions, so rounded otherwise
    assert relative_difference(together[1:, 13:], alone) < 0.03
    assert torch.equal(together[0], engine(TOKENS[:1, :20])[0])


def test_cache_types_that_there_are_not() -> None:
    engine, _ = both(CONFIGS["grouped"], "q8_0")
    with pytest.raises(ConfigError, match="head_dim is 16"):
        engine.cache_type = "q8_0"
    with pytest.raises(ConfigError, match="expected f16 or q8_0"):
        engine.cache_type = "q4_0"
    assert engine.cache_type == "f16"


@pytest.mark.parametrize("path", available_paths())
def test_every_path_says_the_same(path: str) -> None:
    first, _ = both(CONFIGS["grouped"], "q4_0", path="portable")
    other, _ = both(CONFIGS["grouped"], "q4_0", path=path)
    assert relative_difference(other(TOKENS), first(TOKENS)) < 1e-3


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModelConfig(**{**SIZES, "dim": 256, "hidden_dim": 512, "vocab_size": 1030})  # large enough for launches
    one, _ = both(config, "q4_0", threads=1)
    two, _ = both(config, "q4_0", threads=2)
    tokens = torch.randint(1030, (1, 60))
    assert torch.equal(one(tokens), two(tokens))


def test_two_python_threads_at_once() -> None:
    engine, _ = both(CONFIGS["grouped"], "q4_0", threads=2)
    expected = list(generate_ids(engine, [[3, 4, 5]], 30))
    said: list[list] = [[], []]

    def run(i: int) -> None:
        said[i] = list(generate_ids(engine, [[3, 4, 5]], 30))

    workers = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert said == [expected, expected]


def test_what_does_not_fit_is_refused() -> None:
    engine, _ = both(CONFIGS["grouped"], "q8_0")
    cache = engine.new_cache(1, 8)
    with pytest.raises(ContextLengthError, match="places for 8"):
        engine(TOKENS[:1, :9], cache)
    with pytest.raises(ContextLengthError, match="context is 80"):
        engine(torch.zeros(1, 81, dtype=torch.int64))
    with pytest.raises(ContextLengthError):
        engine.new_cache(1, 81)
    with pytest.raises(ContextLengthError):
        cache.truncate(1)
    for rows in (1, 3):
        with pytest.raises(ShapeError, match=f"tokens have 2 rows, but the cache was made for {rows}"):
            engine(TOKENS[:, :4], engine.new_cache(rows, 8))
    with pytest.raises(ShapeError, match="0 to 74"):
        engine(torch.tensor([[75]]))
    with pytest.raises(ShapeError, match="expected int64"):
        engine(TOKENS[0])
    with pytest.raises(ConfigError):
        both(CONFIGS["grouped"], "q8_0", threads=0)
    assert np.isfinite(engine(TOKENS).numpy()).all()
