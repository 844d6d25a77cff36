import json
from pathlib import Path

import pytest
import torch
from oracles import LLAMA3, SMALL

from minillama.checkpoint.meta import merge_shards, open_meta, read_meta_config, write_meta
from minillama.checkpoint.meta_params import config_to_params, hidden_size_arguments, params_to_config
from minillama.checkpoint.source import from_model
from minillama.config import PRESETS, ModelConfig, RopeScaling
from minillama.errors import CheckpointError
from minillama.feedforward import hidden_size
from minillama.tokenizer.llama3 import ByteBPETokenizer, llama3_tokenizer
from tests.checkpoint.gguf_files import byte_pair_tokenizer, sentencepiece_tokenizer
from tests.checkpoint.models import MODEL_CONFIGS, PLAIN, checkpoint_of, edit_json, meta_folder, model_of, same_weights

EIGHT = ModelConfig(**SMALL | {"vocab_size": 280})  # eight heads, eight of keys and values


def save_shards(folder: Path, shards: list[dict[str, torch.Tensor]], params: dict) -> Path:
    """A folder as Meta publishes it, written with torch alone."""
    folder.mkdir()
    for number, shard in enumerate(shards):
        torch.save(shard, folder / f"consolidated.{number:02}.pth")
    (folder / "params.json").write_text(json.dumps(params))
    sentencepiece_tokenizer(280).save(folder / "tokenizer.model")
    return folder


MODEL_ARGS = {  # of Meta's llama and llama3 code
    "dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "multiple_of", "ffn_dim_multiplier", "norm_eps",
    "rope_theta", "use_scaled_rope",
}  # fmt: skip
PARAMS = {"dim": 64, "n_layers": 3, "n_heads": 8, "vocab_size": -1, "multiple_of": 32, "norm_eps": 1e-6}


def split(weights: dict[str, torch.Tensor], count: int, embedding_axis: int) -> list[dict[str, torch.Tensor]]:
    """Meta's rule, spelled out: columns of wo and w2, rows of the other matrices, copies of the vectors."""
    shards: list[dict[str, torch.Tensor]] = [{} for _ in range(count)]
    for name, tensor in weights.items():
        axis = 1 if "wo." in name or "w2." in name else embedding_axis if "tok_embeddings" in name else 0
        parts = [tensor] * count if tensor.dim() == 1 else tensor.chunk(count, dim=axis)
        for shard, part in zip(shards, parts, strict=True):
            shard[name] = part.clone()
    for shard in shards:
        shard["rope.freqs"] = torch.ones(4)
    return shards


@pytest.mark.parametrize("embedding_axis", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 4, 8])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_shards_cut_by_metas_rule_are_put_together(tmp_path, count, embedding_axis, dtype) -> None:
    weights = dict(model_of(EIGHT, dtype).state_dict())
    folder = save_shards(tmp_path / "m", split(weights, count, embedding_axis), PARAMS)
    checkpoint = open_meta(folder)
    assert checkpoint.config.vocab_size == 280
    assert checkpoint.tensors.keys() == weights.keys()
    assert all(torch.equal(checkpoint.tensors[name].read(), weights[name]) for name in weights)
    assert checkpoint.tokenizer().vocab_size == 280


def test_merge_shards_puts_whole_dictionaries_together() -> None:
    weights = dict(model_of(EIGHT).state_dict())
    shards = split(weights, 4, embedding_axis=1)
    merged = merge_shards(shards, dim=64)
    assert all(torch.equal(merged[name], weights[name]) for name in weights)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_round_trip_is_bit_exact(tmp_path, count, dtype) -> None:
    source = checkpoint_of(EIGHT, dtype)
    write_meta(source, tmp_path / "m", count)
    found = open_meta(tmp_path / "m")
    assert found.config == source.config
    assert same_weights(found, source)
    assert found.tokenizer().encode("ab é") == source.tokenizer().encode("ab é")


@pytest.mark.parametrize("name", MODEL_CONFIGS)
def test_every_config_comes_back(tmp_path, name) -> None:
    config = MODEL_CONFIGS[name]
    if name == "wide heads":
        with pytest.raises(CheckpointError, match="Meta's files cannot say"):
            write_meta(checkpoint_of(config), tmp_path / "m")
        return
    meta_folder(tmp_path / "m", config)
    assert open_meta(tmp_path / "m").config == config
    allowed = {
        "dim",
        "n_layers",
        "n_heads",
        "n_kv_heads",
        "vocab_size",
        "multiple_of",
        "ffn_dim_multiplier",
        "norm_eps",
    }
    assert json.loads((tmp_path / "m/params.json").read_text()).keys() <= allowed | {"rope_theta", "use_scaled_rope"}


def test_a_tied_model_is_written_with_its_output_matrix(tmp_path) -> None:
    meta_folder(tmp_path / "m", MODEL_CONFIGS["tied"])
    raw = torch.load(tmp_path / "m/consolidated.00.pth", weights_only=True)
    assert torch.equal(raw["output.weight"], raw["tok_embeddings.weight"])


def test_what_params_json_leaves_out() -> None:
    def read(**raw: object) -> ModelConfig:
        sizes = {"dim": 4096, "n_layers": 32, "n_heads": 32, "vocab_size": 32_000, "multiple_of": 256}
        return params_to_config(Path("params.json"), sizes | raw, {}, None, None, tied=False)

    assert read(norm_eps=1e-6) == PRESETS["llama-7b"]
    assert read(norm_eps=1e-5) == PRESETS["llama2-7b"]
    assert read(norm_eps=1e-5, rope_theta=1e6, vocab_size=32_016, ffn_dim_multiplier=1.0) == PRESETS["codellama-7b"]
    llama3 = {"n_kv_heads": 8, "vocab_size": 128_256, "multiple_of": 1024, "ffn_dim_multiplier": 1.3, "rope_theta": 5e5}
    assert read(**llama3) == PRESETS["llama3-8b"]
    assert read(**llama3, use_scaled_rope=True).max_seq_len == 131_072
    assert read(**llama3, use_scaled_rope=True).rope_scaling == RopeScaling(kind="llama3", factor=8.0)
    assert read(**llama3 | {"dim": 2048, "n_layers": 16}, use_scaled_rope=True).rope_scaling.factor == 32
    mistral = {"n_kv_heads": 8, "head_dim": 128, "hidden_dim": 14_336, "sliding_window": 4096}
    assert read(**mistral) == PRESETS["mistral-7b"]
    big = {"dim": 8192, "n_layers": 80, "n_heads": 64}
    assert read(**big) == PRESETS["llama-65b"]
    assert read(**big, n_kv_heads=8, multiple_of=4096, ffn_dim_multiplier=1.3) == PRESETS["llama2-70b"]


@pytest.mark.parametrize("name", PRESETS)
def test_published_sizes_survive_params_json(name) -> None:
    config = PRESETS[name]
    params, sidecar = config_to_params(config)
    assert params_to_config(Path("params.json"), params, sidecar, None, None, tied=config.tied) == config


@pytest.mark.parametrize("dim", [64, 100, 256, 4096, 5120, 8192])
@pytest.mark.parametrize("hidden_dim", [1, 97, 172, 768, 11008, 14336, 28672, 30001])
def test_metas_formula_gives_the_hidden_size_back(dim, hidden_dim) -> None:
    multiple_of, multiplier = hidden_size_arguments(dim, hidden_dim)
    assert hidden_size(dim, multiple_of, multiplier) == hidden_dim


def test_llama_3_gets_its_tokenizer_and_an_embedding_cut_by_rows(tmp_path) -> None:
    words = llama3_tokenizer(byte_pair_tokenizer().ranks)
    config = ModelConfig(**SMALL | {"vocab_size": words.vocab_size + 4}, rope_theta=5e5, rope_scaling=LLAMA3)
    write_meta(from_model(model_of(config), words), tmp_path / "m", shards=4)
    raw = torch.load(tmp_path / "m/consolidated.01.pth", weights_only=True)
    assert raw["tok_embeddings.weight"].shape == (130, 64)
    found = open_meta(tmp_path / "m")
    assert found.config == config
    assert isinstance(found.tokenizer(), ByteBPETokenizer)
    assert found.tokenizer().encode("abc") == words.encode("abc")


def test_the_tokenizer_may_lie_in_the_parent_folder(tmp_path) -> None:
    folder = meta_folder(tmp_path / "m")
    (folder / "tokenizer.model").rename(tmp_path / "tokenizer.model")
    assert open_meta(folder).tokenizer().vocab_size == 280


def test_sizes_are_readable_without_weights(tmp_path) -> None:
    folder = meta_folder(tmp_path / "m")
    (folder / "consolidated.00.pth").unlink()
    assert read_meta_config(folder) == PLAIN
    with pytest.raises(CheckpointError, match="weights are missing"):
        open_meta(folder)


@pytest.mark.parametrize(("shards", "message"), [(3, "expected 1, 2, 4 or 8"), (8, "4 key/value heads do not divide")])
def test_shards_that_cannot_be_cut(tmp_path, shards, message) -> None:
    with pytest.raises(CheckpointError, match=message):
        meta_folder(tmp_path / "m", PLAIN, shards)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_missing_shard_is_named(tmp_path, lost) -> None:
    folder = meta_folder(tmp_path / "m", PLAIN, 4)
    (folder / f"consolidated.{lost:02}.pth").unlink()
    with pytest.raises(CheckpointError, match=rf"missing: consolidated\.{lost:02}\.pth"):
        open_meta(folder)


def test_half_of_the_shards_is_missing(tmp_path) -> None:
    folder = meta_folder(tmp_path / "m", PLAIN, 4)
    for lost in (2, 3):
        (folder / f"consolidated.{lost:02}.pth").unlink()
    with pytest.raises(CheckpointError, match=r"has 2 of 4 shards.*missing: consolidated\.02\.pth"):
        open_meta(folder)


def test_shards_of_two_models(tmp_path) -> None:
    one, other = meta_folder(tmp_path / "a", PLAIN, 2), meta_folder(tmp_path / "b", PLAIN, 4)
    (other / "consolidated.01.pth").replace(one / "consolidated.01.pth")
    with pytest.raises(CheckpointError, match="differ between the shards"):
        open_meta(one)


@pytest.mark.parametrize(
    "changes",
    [
        {"dim": 128}, {"dim": "64"}, {"dim": -1}, {"dim": 1e400}, {"n_layers": 2}, {"n_layers": 1 << 23},
        {"n_heads": 7},
        {"n_heads": 0}, {"n_kv_heads": 3}, {"vocab_size": 281}, {"hidden_dim": 97}, {"norm_eps": "small"},
        {"norm_eps": 0}, {"rope_theta": []}, {"head_dim": 16}, {"sliding_window": "wide"}, {"n_layers": True},
    ],
)  # fmt: skip
def test_params_that_lie(tmp_path, changes) -> None:
    folder = meta_folder(tmp_path / "m")
    edit_json(folder / "params.json", **changes)
    with pytest.raises(CheckpointError) as caught:
        open_meta(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"dim": 1' + "0" * 5000 + "}"])
def test_params_that_are_no_json_object(tmp_path, text) -> None:
    folder = meta_folder(tmp_path / "m")
    (folder / "params.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"params\.json"):
        open_meta(folder)


def test_a_tensor_is_missing_or_of_another_dtype(tmp_path) -> None:
    weights = dict(model_of(EIGHT).state_dict())
    weights["norm.weight"] = weights["norm.weight"].double()
    with pytest.raises(CheckpointError, match=r"norm\.weight is torch\.float64"):
        open_meta(save_shards(tmp_path / "a", [weights], PARAMS))
    del weights["norm.weight"]
    with pytest.raises(CheckpointError, match=r"norm\.weight is missing"):
        open_meta(save_shards(tmp_path / "b", [weights], PARAMS))


def test_an_output_that_exists_is_not_touched(tmp_path) -> None:
    folder = meta_folder(tmp_path / "m")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CheckpointError, match="exists"):
        write_meta(checkpoint_of(), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="not the folder of a model"):
        write_meta(checkpoint_of(), tmp_path / "mine", overwrite=True)
    write_meta(checkpoint_of(EIGHT), folder, shards=2, overwrite=True)
    assert open_meta(folder).config == EIGHT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "mine"]
