import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from oracles import relative_difference, to_transformers
from safetensors.torch import load_file, save_file

from minillama.checkpoint.hf import hf_names_to_meta, open_hf, write_hf
from minillama.checkpoint.hf_config import hf_to_config, read_hf_config
from minillama.checkpoint.loading import load
from minillama.checkpoint.source import from_model
from minillama.config import ModelConfig, RopeScaling
from minillama.errors import CheckpointError
from tests.checkpoint.gguf_files import byte_pair_tokenizer, sentencepiece_tokenizer
from tests.checkpoint.models import (
    MODEL_CONFIGS,
    PLAIN,
    TOKENS,
    checkpoint_of,
    edit_json,
    hf_folder,
    model_of,
    same_weights,
)

TOLERANCE = 1e-4  # of the largest logit


def theirs(folder: Path, config: ModelConfig = PLAIN, **options: object) -> torch.Tensor:
    """A folder as transformers writes it, and the logits that it computes."""
    other = to_transformers(model_of(config))
    other.save_pretrained(folder, **options)
    sentencepiece_tokenizer(280).save(folder / "tokenizer.model")
    with torch.no_grad():
        return other(TOKENS).logits


@pytest.mark.parametrize("name", MODEL_CONFIGS)
@pytest.mark.parametrize("sharded", [False, True])
def test_logits_equal_those_of_the_model_that_transformers_saved(tmp_path, name, sharded) -> None:
    config = MODEL_CONFIGS[name]
    expected = theirs(tmp_path / "m", config, **({"max_shard_size": "100KB"} if sharded else {}))
    assert (tmp_path / "m/model.safetensors.index.json").is_file() == sharded
    model, _ = load(tmp_path / "m")
    assert model.config == config
    assert relative_difference(model(TOKENS), expected) <= TOLERANCE


@pytest.mark.parametrize("name", MODEL_CONFIGS)
def test_transformers_computes_the_same_from_what_is_written(tmp_path, name) -> None:
    config = MODEL_CONFIGS[name]
    hf_folder(tmp_path / "m", config)
    other = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    with torch.no_grad():
        assert relative_difference(model_of(config)(TOKENS), other(TOKENS).logits) <= TOLERANCE


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("shards", [1, 2])
def test_pytorch_bin_files(tmp_path, zipped, shards) -> None:
    expected = theirs(tmp_path / "m")
    weights = load_file(tmp_path / "m/model.safetensors")
    (tmp_path / "m/model.safetensors").unlink()
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    names = sorted(weights)
    files = ["pytorch_model.bin"] if shards == 1 else [f"pytorch_model-0000{i + 1}-of-00002.bin" for i in range(2)]
    places = {name: files[number % shards] for number, name in enumerate(names)}
    for file in files:
        part = {name: weights[name] for name in names if places[name] == file}
        torch.save(part, tmp_path / "m" / file, _use_new_zipfile_serialization=zipped)
    if shards == 2:
        (tmp_path / "m/pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    model, _ = load(tmp_path / "m")
    assert relative_difference(model(TOKENS), expected) <= TOLERANCE
    if shards == 2:
        (tmp_path / "m/pytorch_model.bin.index.json").unlink()
        assert relative_difference(load(tmp_path / "m")[0](TOKENS), expected) <= TOLERANCE


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("limit", [5 * 10**9, 40_000])
def test_round_trip_is_bit_exact(tmp_path, dtype, limit) -> None:
    source = checkpoint_of(PLAIN, dtype)
    write_hf(source, tmp_path / "m", limit)
    assert (len(list((tmp_path / "m").glob("*.safetensors"))) > 1) == (limit == 40_000)
    found = open_hf(tmp_path / "m")
    assert found.config == source.config
    assert same_weights(found, source)
    assert transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "m", dtype="auto").dtype == dtype


def test_names_of_the_older_config_mean_the_same() -> None:
    sizes = {
        "model_type": "llama", "hidden_size": 64, "num_attention_heads": 8, "num_hidden_layers": 3,
        "intermediate_size": 96, "vocab_size": 280, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
    }  # fmt: skip
    llama3 = {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }  # fmt: skip
    assert hf_to_config(sizes).rope_theta == 10_000
    for settings in ({"rope_theta": 5e5}, {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}):
        assert hf_to_config(sizes | settings).rope_theta == 5e5
    old, new = {"rope_theta": 5e5, "rope_scaling": llama3}, {"rope_parameters": llama3 | {"rope_theta": 5e5}}
    assert hf_to_config(sizes | old) == hf_to_config(sizes | new)
    assert hf_to_config(sizes | old).rope_scaling == MODEL_CONFIGS["llama 3.1 scaling"].rope_scaling
    for key in ("type", "rope_type"):
        scaling = hf_to_config(sizes | {"rope_scaling": {key: "linear", "factor": 4.0}}).rope_scaling
        assert scaling == RopeScaling(kind="linear", factor=4.0)


def test_ntk_scaling_becomes_a_larger_theta(tmp_path) -> None:
    config = ModelConfig(
        **{name: getattr(PLAIN, name) for name in ("dim", "n_layers", "n_heads", "n_kv_heads", "hidden_dim")},
        vocab_size=280, max_seq_len=256, rope_scaling=RopeScaling(kind="ntk", factor=4.0),
    )  # fmt: skip
    hf_folder(tmp_path / "m", config)
    model, _ = load(tmp_path / "m")
    assert model.config.rope_scaling is None
    assert relative_difference(model(TOKENS), model_of(config)(TOKENS)) <= TOLERANCE


def test_divisors_cannot_be_written(tmp_path) -> None:
    scaling = RopeScaling(kind="divisors", divisors=(1.0, 2.0, 3.0, 4.0))
    config = ModelConfig(
        dim=64, n_layers=1, n_heads=8, n_kv_heads=8, hidden_dim=96, vocab_size=280, max_seq_len=64, rope_scaling=scaling
    )
    with pytest.raises(CheckpointError, match="cannot say"):
        hf_folder(tmp_path / "m", config)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [sentencepiece_tokenizer(280), byte_pair_tokenizer()], ids=["pieces", "bytes"])
def test_transformers_encodes_with_the_tokenizer_that_is_written(tmp_path, words) -> None:
    write_hf(from_model(model_of(PLAIN), words), tmp_path / "m")
    other, ours = transformers.AutoTokenizer.from_pretrained(tmp_path / "m"), open_hf(tmp_path / "m").tokenizer()
    assert (other.bos_token_id, other.eos_token_id) == (words.bos_id, words.eos_id)
    for text in ("ab", " ab  é", "a\nb", "abc 💛 zz", ""):
        assert other.encode(text) == words.encode(text) == ours.encode(text)
    assert ours.stop_ids == words.stop_ids


def test_stop_ids_come_from_the_generation_config(tmp_path) -> None:
    folder = hf_folder(tmp_path / "m")
    edit_json(folder / "generation_config.json", eos_token_id=[2, 270, 10**9, "x", True])
    assert open_hf(folder).tokenizer().stop_ids == {2, 270}


def test_a_tokenizer_beside_the_folder_belongs_to_another_model(tmp_path) -> None:
    folder = hf_folder(tmp_path / "m")
    (folder / "tokenizer.model").rename(tmp_path / "tokenizer.model")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match="name the file with tokenizer="):
        open_hf(folder).tokenizer()


def test_untied_means_a_matrix_and_silence_follows_the_file(tmp_path) -> None:
    theirs(tmp_path / "m", MODEL_CONFIGS["tied"])
    edit_json(tmp_path / "m/config.json", tie_word_embeddings=None)
    assert open_hf(tmp_path / "m").config.tied
    edit_json(tmp_path / "m/config.json", tie_word_embeddings=False)
    with pytest.raises(CheckpointError, match=r"output\.weight is missing"):
        open_hf(tmp_path / "m")


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "qwen2"}, {"model_type": "mixtral"}, {"model_type": ["llama"]}, {"attention_bias": True},
        {"mlp_bias": True}, {"quantization_config": {"bits": 4}}, {"hidden_act": "gelu"}, {"hidden_size": "64"},
        {"hidden_size": 65}, {"num_hidden_layers": 4}, {"num_hidden_layers": 1 << 23}, {"num_attention_heads": 16},
        {"num_key_value_heads": 8}, {"vocab_size": 281}, {"intermediate_size": 97}, {"head_dim": 7},
        {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
        {"rope_parameters": "none"}, {"rope_parameters": {"rope_theta": "high"}}, {"rms_norm_eps": None, "dim": 3},
        {"rope_parameters": {"rope_type": "linear"}}, {"max_position_embeddings": 0}, {"partial_rotary_factor": 0.5},
        {"rope_parameters": {"rope_type": ["linear"]}},
    ],
)  # fmt: skip
def test_configs_that_lie_or_belong_to_others(tmp_path, changes) -> None:
    folder = hf_folder(tmp_path / "m")
    edit_json(folder / "config.json", rope_scaling=None, rope_parameters=None)
    edit_json(folder / "config.json", **changes)
    if "dim" in changes:  # a key that is missing takes transformers' default
        assert open_hf(folder).config.norm_eps == 1e-6
        return
    with pytest.raises(CheckpointError) as caught:
        open_hf(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.q_norm.weight", "lm_head.bias",
        "model.layers.0.block_sparse_moe.gate.weight", "model.layers.0.self_attn.q_proj.lora_A.weight",
    ],
)  # fmt: skip
def test_a_weight_that_no_llama_has_is_refused_instead_of_left_out(tmp_path, name) -> None:
    folder = hf_folder(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(4)}, folder / "model.safetensors")
    open_hf(folder)
    save_file(weights | {name: torch.zeros(64)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"has a tensor {name}, which no LLaMA has"):
        open_hf(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"rope_theta": 10**400}, {"rope_theta": 10**30}, {"hidden_size": 10**400}, {"rms_norm_eps": 10**400},
        {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                          "original_max_position_embeddings": 10**30}},
        {"rope_scaling": {"rope_type": "linear", "factor": 10**400}},
    ],
)  # fmt: skip
def test_numbers_of_absurd_size_are_refused(tmp_path, change) -> None:
    folder = hf_folder(tmp_path / "m")
    raw = json.loads((folder / "config.json").read_text())
    raw.pop("rope_parameters")
    (folder / "config.json").write_text(json.dumps(raw | change))
    with pytest.raises(CheckpointError) as caught:
        open_hf(folder)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.1.mlp.up_proj.weight"])
@pytest.mark.parametrize("change", ["missing", "shape", "dtype"])
def test_a_tensor_that_is_missing_or_wrong(tmp_path, name, change) -> None:
    folder = hf_folder(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    (ours,) = hf_names_to_meta({name: 0})
    old = weights.pop(name)
    if change == "shape":
        weights[name] = old[..., :-1].contiguous()
    elif change == "dtype":
        weights[name] = old.long()
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=ours):
        open_hf(folder)


def sharded(tmp_path: Path) -> tuple[Path, dict]:
    folder = hf_folder(tmp_path / "m", max_shard_bytes=100_000)
    return folder, json.loads((folder / "model.safetensors.index.json").read_text())


@pytest.mark.parametrize(
    "place", ["/etc/passwd", "../outside.safetensors", "sub/../../outside.safetensors", "..", ".", "", "a\0b", 3, None,
              "model-00009-of-00009.safetensors", "sub/link.safetensors", "c:\\x", "..\\outside.safetensors", ["x"]],
)  # fmt: skip
def test_an_index_cannot_lead_out_of_its_folder(tmp_path, place) -> None:
    folder, index = sharded(tmp_path)
    shutil.copy(folder / "model-00001-of-00006.safetensors", tmp_path / "outside.safetensors")
    (folder / "sub").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (folder / "sub").rmdir()
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    shutil.copy(tmp_path / "outside.safetensors", tmp_path / "elsewhere/link.safetensors")
    name = next(iter(index["weight_map"]))
    index["weight_map"][name] = place
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError) as caught:
        open_hf(folder)
    assert "\n" not in str(caught.value)


def test_the_hubs_cache_links_plain_names_elsewhere(tmp_path) -> None:
    folder, _ = sharded(tmp_path)
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots/main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(blobs / str(number))
        (snapshot / path.name).symlink_to(Path("../../blobs") / str(number))
    assert open_hf(snapshot).tensors["norm.weight"].read().shape == (64,)


@pytest.mark.parametrize("damage", ["map", "list", "stranger", "lost"])
def test_an_index_that_does_not_fit_its_files(tmp_path, damage) -> None:
    folder, index = sharded(tmp_path)
    if damage == "map":
        del index["weight_map"]
    elif damage == "list":
        index["weight_map"] = list(index["weight_map"])
    elif damage == "stranger":
        index["weight_map"]["model.extra"] = next(iter(index["weight_map"].values()))
    else:
        (folder / next(iter(index["weight_map"].values()))).unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError):
        open_hf(folder)


def test_a_lost_shard_without_an_index_is_named(tmp_path) -> None:
    folder, _ = sharded(tmp_path)
    (folder / "model.safetensors.index.json").unlink()
    assert same_weights(open_hf(folder), checkpoint_of())
    (folder / "model-00002-of-00006.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"shards \[2\] of 6 are missing"):
        open_hf(folder)


def test_sizes_are_readable_without_weights(tmp_path) -> None:
    folder = hf_folder(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    assert read_hf_config(folder) == PLAIN
    with pytest.raises(CheckpointError, match="weights are missing"):
        open_hf(folder)
