"""Meta's folders: params.json, consolidated.00.pth, consolidated.01.pth ..., tokenizer.model.

A large model is cut into shards, one a GPU: each has some rows of every matrix whose outputs are independent (wq wk wv
w1 w3 output) and some columns of every matrix whose inputs are (wo w2, and in LLaMA 1 and 2 the embedding).
Source: Meta's llama and llama3 repositories, fairscale's ParallelEmbedding and VocabParallelEmbedding.
"""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from minillama.checkpoint.files import check_space, new_folder, read_json, whole_number, write_json
from minillama.checkpoint.meta_params import SIDECAR, config_to_params, params_to_config, read_sidecar
from minillama.checkpoint.pickles import PthWriter, open_pickle
from minillama.checkpoint.source import FLOAT_DTYPES, Checkpoint, StoredTensor, check_tensors
from minillama.checkpoint.tensors import check_dtypes, read_as, stored_bytes, written_formats
from minillama.checkpoint.tokenizers import find_tokenizer, write_tokenizer_model
from minillama.config import ModelConfig
from minillama.errors import CheckpointError, ConfigError
from minillama.model import Pieces
from minillama.tokenizer.llama3 import ByteBPETokenizer

SHARD = re.compile(r"consolidated\.(\d\d)\.pth")
SHARD_COUNTS = (1, 2, 4, 8)
CUT_BY_ROWS = ("wq.weight", "wk.weight", "wv.weight", "w1.weight", "w3.weight", "output.weight")
CUT_BY_COLUMNS = ("wo.weight", "w2.weight")
Merge = Callable[[list[dict[str, torch.Tensor]], int], dict[str, torch.Tensor]]


def shard_axis(name: str, shape: tuple[int, ...], dim: int) -> int | None:
    """Along which axis a tensor is cut into shards; None where every shard has all of it.

    Args:
        name: canonical.
        shape: of the part in one shard.
        dim: D; an embedding of which a shard has all columns is cut by rows, as Llama 3's.

    >>> shard_axis("tok_embeddings.weight", (32000, 2560), 5120)
    1
    """
    if name.endswith("tok_embeddings.weight"):
        return 0 if shape[-1] == dim else 1
    if name.endswith(CUT_BY_ROWS):
        return 0
    return 1 if name.endswith(CUT_BY_COLUMNS) else None


def merge_shards(shards: list[dict[str, torch.Tensor]], dim: int) -> dict[str, torch.Tensor]:
    """The whole tensors of a model, or of a part of it, from those of its shards.

    Args:
        shards: the tensors of each shard by canonical name, in the order of the shards.
        dim: D.

    Returns:
        The whole tensors by name.

    >>> halves = [{"output.weight": torch.zeros(4, 2)}, {"output.weight": torch.ones(4, 2)}]
    >>> merge_shards(halves, dim=2)["output.weight"].shape
    torch.Size([8, 2])
    """
    merged = {}
    for name, first in shards[0].items():
        axis = shard_axis(name, tuple(first.shape), dim)
        if len(shards) == 1 or axis is None:
            merged[name] = first
        else:
            merged[name] = torch.cat([shard[name] for shard in shards], dim=axis)
    return merged


def open_meta(folder: Path, tokenizer: Path | None = None, pieces: Pieces | None = None) -> Checkpoint:
    """Open a folder of Meta's; its weights are read later.

    Args:
        folder: holds params.json, consolidated.NN.pth and tokenizer.model; the last may lie in the parent folder.
        tokenizer: a tokenizer file to use instead.
        pieces: whose merge_shards puts the shards together; None for minillama's own.

    Raises:
        CheckpointError: missing, damaged or hostile files, or shards that do not fit together.
    """
    merge = (pieces or Pieces()).merge_shards or merge_shards
    paths = _shard_paths(folder)
    shards = [open_pickle(path) for path in paths]
    raw = read_json(folder / "params.json")
    for path, shard in zip(paths, shards, strict=True):
        if shard.keys() != shards[0].keys():
            odd = sorted(shard.keys() ^ shards[0].keys())[0]
            raise CheckpointError(f"{path}: differs from {paths[0].name} in having tensor {odd} or not: mixed shards")
    try:
        dim = whole_number(raw, "dim")
    except ConfigError as error:
        raise CheckpointError(f"{folder / 'params.json'}: {error}") from error
    tensors = {
        name: _merged(folder, name, [shard[name] for shard in shards], dim, merge)
        for name in shards[0]
        if name != "rope.freqs"
    }
    try:
        config = _config(folder, raw, tensors)
        checked = check_dtypes(folder, check_tensors(folder, config, tensors))
    except (CheckpointError, ConfigError) as error:
        _check_count(folder, tensors, len(shards), dim, error)
        raise
    return Checkpoint(
        path=folder,
        kind="meta",
        config=config,
        tensors=checked,
        tokenizer=lambda: find_tokenizer(folder, ("tokenizer.model",), tokenizer, beside=True),
    )


def read_meta_config(folder: Path) -> ModelConfig:
    """The sizes that params.json gives, for a folder whose weights may be missing.

    Raises:
        CheckpointError: params.json is missing, damaged, or silent on the vocabulary with no tokenizer beside it.
    """
    raw = read_json(folder / "params.json")
    if raw.get("vocab_size", -1) == -1:
        raw["vocab_size"] = find_tokenizer(folder, ("tokenizer.model",), beside=True).vocab_size
    return _config(folder, raw, {})


def _config(folder: Path, raw: dict[str, Any], tensors: dict[str, StoredTensor]) -> ModelConfig:
    def rows(name: str) -> int | None:
        shape = tensors[name].shape if name in tensors else ()
        return shape[0] if shape else None

    tied = bool(tensors) and "output.weight" not in tensors
    hidden_dim, vocab_size = rows("layers.0.feed_forward.w1.weight"), rows("tok_embeddings.weight")
    return params_to_config(folder / "params.json", raw, read_sidecar(folder), hidden_dim, vocab_size, tied)


def _shard_paths(folder: Path) -> list[Path]:
    """The shards in order.

    Raises:
        CheckpointError: none, or a gap in the numbering.
    """
    found = {int(match[1]): path for path in folder.iterdir() if (match := SHARD.fullmatch(path.name))}
    if not found:
        raise CheckpointError(f"{folder}: has params.json but no consolidated.00.pth: the weights are missing")
    count = next((count for count in SHARD_COUNTS if count > max(found)), max(found) + 1)
    missing = [f"consolidated.{number:02}.pth" for number in range(count) if number not in found]
    if missing:
        raise CheckpointError(f"{folder}: has {len(found)} shards of {count}; missing: {', '.join(missing)}")
    return [found[number] for number in sorted(found)]


def _check_count(folder: Path, tensors: dict[str, StoredTensor], shards: int, dim: int, error: Exception) -> None:
    """Raise CheckpointError from `error` where the sizes tell that shards are missing at the end."""
    wq = tensors.get("layers.0.attention.wq.weight")
    if wq is None or len(wq.shape) != 2 or wq.shape[1] != dim or not 0 < wq.shape[0] < dim or dim % wq.shape[0]:
        return
    count = shards * dim // wq.shape[0]
    raise CheckpointError(
        f"{folder}: has {shards} of {count} shards: layers.0.attention.wq.weight has {wq.shape[0]} of {dim} rows; "
        f"missing: consolidated.{shards:02}.pth and on: download all of them"
    ) from error


def _merged(folder: Path, name: str, parts: list[StoredTensor], dim: int, merge: Merge) -> StoredTensor:
    """A tensor that is put together from those of the shards when it is read."""
    shape = parts[0].shape
    if any((part.shape, part.format) != (shape, parts[0].format) for part in parts):
        kinds = ", ".join(f"{part.format} {part.shape}" for part in parts)
        raise CheckpointError(f"{folder}: the parts of {name} differ between the shards ({kinds}): mixed models")
    axis = shard_axis(name, shape, dim)
    if len(parts) == 1 or axis is None:
        return parts[0]
    if len(shape) != 2:
        raise CheckpointError(f"{folder}: tensor {name} has shape {shape}, expected a matrix")
    whole = tuple(size * len(parts) if at == axis else size for at, size in enumerate(shape))
    return StoredTensor(
        shape=whole,
        format=parts[0].format,
        read=lambda: merge([{name: torch.as_tensor(part.read())} for part in parts], dim)[name],
        mapped=False,
    )


def write_meta(
    checkpoint: Checkpoint, out: Path, shards: int = 1, format: str | None = None, overwrite: bool = False
) -> None:
    """Write a model as a folder of Meta's, tensor by tensor.

    Args:
        checkpoint: any opened checkpoint.
        out: the folder to make.
        shards: 1, 2, 4 or 8.
        format: "f32", "f16" or "bf16"; None keeps that of the checkpoint, and makes quantized weights f16.
        overwrite: whether a model that lies there is replaced.

    Raises:
        CheckpointError: sizes that do not divide into shards, an output that exists, or no room on the disk.
    """
    config, tokenizer = checkpoint.config, checkpoint.tokenizer()
    params, sidecar = config_to_params(config)
    tensors = dict(checkpoint.tensors)
    if config.tied:  # Meta's code has no tied embeddings
        tensors["output.weight"] = tensors["tok_embeddings.weight"]
    axes = _cut_axes(config, tensors, shards, embedding_axis=0 if isinstance(tokenizer, ByteBPETokenizer) else 1)
    formats = written_formats(tensors, format)
    check_space(out.parent, sum(stored_bytes(tensor, formats[name]) for name, tensor in tensors.items()))
    entries = [
        (name, _part_shape(tensor.shape, axes[name], shards), FLOAT_DTYPES[formats[name]])
        for name, tensor in tensors.items()
    ]
    with new_folder(out, overwrite) as folder, contextlib.ExitStack() as stack:
        paths = [folder / f"consolidated.{number:02}.pth" for number in range(shards)]
        writers = [stack.enter_context(PthWriter(path, entries)) for path in paths]
        for name, tensor in tensors.items():
            whole = read_as(name, tensor, formats[name])
            axis = axes[name]
            parts = [whole] * shards if axis is None else whole.chunk(shards, dim=axis)
            for writer, part in zip(writers, parts, strict=True):
                writer.write(part)
        write_json(folder / "params.json", params)
        write_json(folder / SIDECAR, sidecar)
        write_tokenizer_model(tokenizer, folder / "tokenizer.model")


def _cut_axes(
    config: ModelConfig, tensors: dict[str, StoredTensor], shards: int, embedding_axis: int
) -> dict[str, int | None]:
    """The axis along which each tensor is cut.

    Raises:
        CheckpointError: a size that the number of shards does not divide.
    """
    if shards not in SHARD_COUNTS:
        raise CheckpointError(f"{shards} shards, expected 1, 2, 4 or 8")
    for what, size in {"query heads": config.n_heads, "key/value heads": config.n_kv_heads}.items():
        if size % shards:
            raise CheckpointError(f"{size} {what} do not divide into {shards} shards: write fewer")
    axes: dict[str, int | None] = {}
    for name, tensor in tensors.items():
        axis = shard_axis(name, tensor.shape, config.dim)
        axes[name] = embedding_axis if name == "tok_embeddings.weight" else axis
        if axis is not None and tensor.shape[axes[name] or 0] % shards:
            raise CheckpointError(f"tensor {name} {tensor.shape} does not divide into {shards} shards: write fewer")
    return axes


def _part_shape(shape: tuple[int, ...], axis: int | None, shards: int) -> tuple[int, ...]:
    return tuple(size // shards if at == axis else size for at, size in enumerate(shape))
