"""Hugging Face's folders: config.json, *.safetensors or pytorch_model*.bin, a tokenizer.

Their weights have other names, and the rows of wq and wk another order: channel i is paired with i + K/2 instead of
its neighbour. Source: transformers, convert_llama_weights_to_hf.py.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from minillama.checkpoint.files import check_space, member, new_folder, read_json, write_json
from minillama.checkpoint.hf_config import config_to_hf, read_hf_config
from minillama.checkpoint.pickles import open_pickle
from minillama.checkpoint.safetensors_files import SafetensorsWriter, open_safetensors
from minillama.checkpoint.source import FLOAT_DTYPES, Checkpoint, StoredTensor, check_tensors
from minillama.checkpoint.tensors import check_dtypes, float_format, read_as, stored_bytes, written_formats
from minillama.checkpoint.tokenizers import find_tokenizer
from minillama.config import ModelConfig
from minillama.errors import CheckpointError
from minillama.model import Pieces
from minillama.rope import permute_meta_to_hf
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.hf_json import write_tokenizer_json
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer

Value = TypeVar("Value")

NAMES = {
    "model.embed_tokens": "tok_embeddings",
    "model.norm": "norm",
    "lm_head": "output",
}
LAYER_NAMES = {
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3",
}
IGNORED = "rotary_emb.inv_freq"  # a table that old files hold beside the weights
MAX_SHARD_BYTES = 5 * 10**9
KINDS: dict[str, tuple[str, Callable[[Path], dict[str, StoredTensor]]]] = {  # file -> shards without an index, reader
    "model.safetensors": (r"model-(\d{5})-of-(\d{5})\.safetensors", open_safetensors),
    "pytorch_model.bin": (r"pytorch_model-(\d{5})-of-(\d{5})\.bin", open_pickle),
}


def hf_names_to_meta(tensors: Mapping[str, Value]) -> dict[str, Value]:
    """The same values under the names of this package; what is no weight of a LLaMA is left out.

    >>> hf_names_to_meta({"model.layers.3.mlp.up_proj.weight": 1, "model.layers.3.self_attn.rotary_emb.inv_freq": 2})
    {'layers.3.feed_forward.w3.weight': 1}
    """
    renamed = {}
    for name, value in tensors.items():
        stem, _, kind = name.rpartition(".")
        layer, _, part = stem.removeprefix("model.layers.").partition(".")
        if kind != "weight":
            continue
        if stem in NAMES:
            renamed[f"{NAMES[stem]}.weight"] = value
        elif stem == f"model.layers.{layer}.{part}" and part in LAYER_NAMES:
            renamed[f"layers.{layer}.{LAYER_NAMES[part]}.weight"] = value
    return renamed


def meta_name_to_hf(name: str) -> str:
    """The inverse of hf_names_to_meta for one name.

    >>> meta_name_to_hf("layers.3.attention.wo.weight")
    'model.layers.3.self_attn.o_proj.weight'
    """
    if not name.startswith("layers."):
        return next(hf for hf, meta in NAMES.items() if f"{meta}.weight" == name) + ".weight"
    _, layer, inner = name.removesuffix(".weight").split(".", 2)
    return f"model.layers.{layer}." + next(hf for hf, meta in LAYER_NAMES.items() if meta == inner) + ".weight"


def rotary_heads(name: str, config: ModelConfig) -> int | None:
    """How many heads a matrix has whose rows are in rotary order; None for all others."""
    if name.endswith("attention.wq.weight"):
        return config.n_heads
    return config.n_kv_heads if name.endswith("attention.wk.weight") else None


def open_hf(folder: Path, tokenizer: Path | None = None, pieces: Pieces | None = None) -> Checkpoint:
    """Open a folder of Hugging Face's; its weights are read later.

    Args:
        folder: holds config.json, the weights and a tokenizer.
        tokenizer: a tokenizer file to use instead.
        pieces: whose hf_names_to_meta and permute_hf_to_meta read it; None for minillama's own.

    Raises:
        CheckpointError: missing, damaged or hostile files, or another family of models.
    """
    pieces = pieces or Pieces()
    read_hf_config(folder)  # before any weight file is looked at
    found = _open_weights(folder)
    tensors = (pieces.hf_names_to_meta or hf_names_to_meta)(found)
    for name in found:
        if not (hf_names_to_meta({name: None}) or name.endswith(IGNORED)):
            raise CheckpointError(f"{folder}: has a tensor {name[:100]}, which no LLaMA has: another family of models")
    config = read_hf_config(folder, has_output="output.weight" in tensors)
    tensors = check_dtypes(folder, check_tensors(folder, config, tensors))
    return Checkpoint(
        path=folder,
        kind="hf",
        config=config,
        tensors={name: _in_meta_order(tensor, rotary_heads(name, config), pieces) for name, tensor in tensors.items()},
        tokenizer=lambda: open_hf_tokenizer(folder, tokenizer),
    )


def _in_meta_order(tensor: StoredTensor, heads: int | None, pieces: Pieces) -> StoredTensor:
    if heads is None:
        return tensor

    def read() -> torch.Tensor:
        return pieces.permute_hf_to_meta(torch.as_tensor(tensor.read()), heads)

    return StoredTensor(shape=tensor.shape, format=tensor.format, read=read, mapped=False)


def _open_weights(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of the folder by the file's name: from one file, from an index, or from numbered shards."""
    for whole, (numbered, opener) in KINDS.items():
        index = folder / f"{whole}.index.json"
        if index.exists():
            return _open_index(folder, index, opener)
        if (folder / whole).exists():
            return opener(folder / whole)
        shards = {match[1]: match for path in folder.iterdir() if (match := re.fullmatch(numbered, path.name))}
        if shards:
            count = max(int(match[2]) for match in shards.values())
            missing = [n for n in range(1, count + 1) if f"{n:05}" not in shards]
            if missing:
                raise CheckpointError(f"{folder}: shards {missing} of {count} are missing: download them")
            return {name: t for match in shards.values() for name, t in opener(folder / match.string).items()}
    others = sorted(folder.glob("*.safetensors"))
    if len(others) == 1:
        return open_safetensors(others[0])
    raise CheckpointError(
        f"{folder}: has config.json but no model.safetensors or pytorch_model.bin: the weights are missing"
    )


def _open_index(
    folder: Path, index: Path, opener: Callable[[Path], dict[str, StoredTensor]]
) -> dict[str, StoredTensor]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise CheckpointError(f"{index}: has no weight_map, expected tensor names and their files: damaged")
    if not all(isinstance(file, str) for file in places.values()):
        raise CheckpointError(f"{index}: its weight_map holds something else than file names: damaged")
    shards = {file: opener(member(folder, file)) for file in sorted(set(places.values()))}
    for name, file in places.items():
        if name not in shards[file]:
            raise CheckpointError(f"{index}: tensor {name} is not in {file}, where the index places it: damaged")
    return {name: shards[file][name] for name, file in places.items()}


def open_hf_tokenizer(folder: Path, path: Path | None = None) -> Tokenizer:
    """The folder's tokenizer, with what the JSON files beside it add: BOS, EOS, and the ids that end a generation.

    Args:
        folder: holds tokenizer.model or tokenizer.json.
        path: a tokenizer file to use instead.

    Raises:
        CheckpointError: no tokenizer.
        TokenizerError: a damaged one.
    """
    tokenizer = find_tokenizer(folder, ("tokenizer.model", "tokenizer.json"), path)
    for name in ("config.json", "generation_config.json"):  # the second has the last word on where to stop
        raw = read_json(folder / name) if (folder / name).is_file() else {}
        begin, ends = _token_ids(raw.get("bos_token_id"), tokenizer), _token_ids(raw.get("eos_token_id"), tokenizer)
        if tokenizer.bos_id is None and begin:
            tokenizer.bos_id = begin[0]
        if tokenizer.eos_id is None and ends:
            tokenizer.eos_id = ends[0]
        tokenizer.stop_ids = tokenizer.stop_ids | frozenset(ends)
    return tokenizer


def _token_ids(value: Any, tokenizer: Tokenizer) -> list[int]:
    """A number or a list of them, without those that the tokenizer does not have."""
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, int) and not isinstance(v, bool) and 0 <= v < tokenizer.vocab_size]


def write_hf(
    checkpoint: Checkpoint,
    out: Path,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    format: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model as a folder of Hugging Face's, tensor by tensor.

    Args:
        checkpoint: any opened checkpoint.
        out: the folder to make.
        max_shard_bytes: a larger model becomes several files with an index.
        format: "f32", "f16" or "bf16"; None keeps that of the checkpoint, and makes quantized weights f16.
        overwrite: whether a model that lies there is replaced.

    Raises:
        CheckpointError: an output that exists, no room on the disk, or a model that the format cannot express.
    """
    config, tensors, tokenizer = checkpoint.config, checkpoint.tensors, checkpoint.tokenizer()
    formats = written_formats(tensors, format)
    stop_ids = [tokenizer.eos_id] if tokenizer.eos_id is not None else []
    stop_ids += sorted(tokenizer.stop_ids - {tokenizer.eos_id})
    content = config_to_hf(config, format or float_format(tensors), tokenizer.bos_id, stop_ids)
    sizes = {name: stored_bytes(tensor, formats[name]) for name, tensor in tensors.items()}
    check_space(out.parent, sum(sizes.values()))
    with new_folder(out, overwrite) as folder:
        places: dict[str, str] = {}
        shards = _group(sizes, max_shard_bytes)
        for number, names in enumerate(shards, start=1):
            file = "model.safetensors"
            if len(shards) > 1:
                file = f"model-{number:05}-of-{len(shards):05}.safetensors"
            places |= {meta_name_to_hf(name): file for name in names}
            _write_shard(folder / file, config, {name: tensors[name] for name in names}, formats)
        if len(shards) > 1:
            index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": places}
            write_json(folder / "model.safetensors.index.json", index)
        write_json(folder / "config.json", content)
        generation = {"bos_token_id": content["bos_token_id"], "eos_token_id": content["eos_token_id"]}
        write_json(folder / "generation_config.json", generation)
        _write_tokenizer(tokenizer, folder, config.max_seq_len)


def _group(sizes: dict[str, int], limit: int) -> list[list[str]]:
    """Names in order, in groups of at most `limit` bytes; a tensor that is larger is alone."""
    groups: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if groups[-1] and filled + size > limit:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += size
    return groups


def _write_shard(path: Path, config: ModelConfig, tensors: dict[str, StoredTensor], formats: dict[str, str]) -> None:
    entries = [(meta_name_to_hf(name), t.shape, FLOAT_DTYPES[formats[name]]) for name, t in tensors.items()]
    with SafetensorsWriter(path, entries) as writer:
        for name, tensor in tensors.items():
            weight, heads = read_as(name, tensor, formats[name]), rotary_heads(name, config)
            writer.write(weight if heads is None else permute_meta_to_hf(weight, heads))


def _write_tokenizer(tokenizer: Tokenizer, folder: Path, max_seq_len: int) -> None:
    """tokenizer.json, tokenizer.model for other programs where it gives equal ids, and which tokens are special."""
    write_tokenizer_json(tokenizer, folder / "tokenizer.json")
    if isinstance(tokenizer, SentencePieceTokenizer) and not (
        tokenizer.beyond_vocabulary or tokenizer.vocabulary.merges
    ):
        tokenizer.save(folder / "tokenizer.model")
    content: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_seq_len,
        "clean_up_tokenization_spaces": False,
    }
    for key, token in {"bos_token": tokenizer.bos_id, "eos_token": tokenizer.eos_id}.items():
        if token is not None:
            content[key] = tokenizer.piece(token)
    write_json(folder / "tokenizer_config.json", content)
