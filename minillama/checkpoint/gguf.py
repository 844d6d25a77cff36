"""Reads GGUF files, whole or split, with the tokenizer inside.

Source: ggml/docs/gguf.md. The layout is in gguf_format.py, the names in gguf_model.py.
"""

import math
import mmap
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from minillama.checkpoint.gguf_format import Header, TensorInfo, Value, parse_header, shown
from minillama.checkpoint.gguf_model import IGNORED, ROPE_DIVISORS, canonical_name, config_of, scaling_of_divisors
from minillama.checkpoint.gguf_tokenizer import tokenizer_of
from minillama.checkpoint.mapped import is_aligned, let_go, map_file, mapped_tensor
from minillama.checkpoint.source import FLOAT_DTYPES, Checkpoint, StoredTensor, check_tensors
from minillama.checkpoint.tokenizers import read_tokenizer
from minillama.config import ModelConfig
from minillama.errors import CheckpointError, ConfigError, TokenizerError
from minillama.tokenizer import Tokenizer

PART_NAME = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a model: mapped, with its header parsed."""

    path: Path
    data: mmap.mmap
    header: Header


def _read_part(path: Path) -> Part:
    data = map_file(path)
    return Part(path, data, parse_header(memoryview(data), path))


def _split_count(metadata: dict[str, Value]) -> int:
    count = metadata.get("split.count", 1)
    return count if isinstance(count, int) and count > 1 else 1


def _read_parts(path: Path) -> list[Part]:
    """All the files of a model, of which `path` is one, in order."""
    given = _read_part(path)
    count = _split_count(given.header.metadata)
    if count == 1:
        return [given]
    name = PART_NAME.fullmatch(path.name)
    if name is None or int(name["count"]) != count:
        raise CheckpointError(
            f"{path}: is one of {count} parts, expected a name like x-00001-of-{count:05d}.gguf: name it as published"
        )
    parts = []
    for number in range(1, count + 1):
        part_path = path.with_name(f"{name['stem']}-{number:05d}-of-{count:05d}.gguf")
        if not part_path.is_file():
            raise CheckpointError(f"{part_path}: part {number} of {count} is missing: put it beside the others")
        part = given if part_path.name == path.name else _read_part(part_path)
        own_number = part.header.metadata.get("split.no")
        if not isinstance(own_number, int) or own_number != number - 1 or _split_count(part.header.metadata) != count:
            raise CheckpointError(f"{part_path}: its header does not say that it is part {number} of {count}")
        parts.append(part)
    total, wanted = sum(len(part.header.tensors) for part in parts), parts[0].header.metadata.get("split.tensors.count")
    if not isinstance(wanted, int) or wanted != total:
        raise CheckpointError(f"{path}: its {count} parts hold {total} tensors, expected {shown(wanted)}")
    return parts


def read_tensor(data: mmap.mmap, info: TensorInfo) -> torch.Tensor | np.ndarray:
    """What StoredTensor.read promises, over the mapped file: nothing is copied."""
    if info.format in FLOAT_DTYPES:
        return mapped_tensor(data, info.start, info.shape, FLOAT_DTYPES[info.format])
    blocks = np.frombuffer(data, np.uint8, info.size_bytes, info.start).reshape(math.prod(info.shape[:-1]), -1)
    blocks.flags.writeable = False
    return blocks


def canonical_names(names: Iterable[str]) -> dict[str, str]:
    """Canonical name -> GGUF's name, for the tensors of a file.

    Raises:
        CheckpointError: one that no LLaMA has, such as a bias; leaving it out would give another model.
    """
    found = {}
    for name in names:
        if name == ROPE_DIVISORS or IGNORED.fullmatch(name):
            continue
        if (canonical := canonical_name(name)) is None:
            raise CheckpointError(f"holds the tensor {name}, which no LLaMA has: this model is of another kind")
        found[canonical] = name
    return found


def read_config(metadata: dict[str, Value], infos: dict[str, TensorInfo]) -> ModelConfig:
    """The sizes of the model, all but the divisors of its RoPE.

    Raises:
        CheckpointError: see gguf_model.config_of.
    """
    embedding = infos.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise CheckpointError("has no matrix token_embd.weight: it is no whole model")
    config = config_of(metadata, vocab_size=embedding.shape[0], tied="output.weight" not in infos)
    divisors = infos.get(ROPE_DIVISORS)
    if divisors is not None and (divisors.format, divisors.shape) != ("f32", (config.head_dim // 2,)):
        raise CheckpointError(
            f"{ROPE_DIVISORS} is {divisors.format} of shape {divisors.shape}, expected f32 ({config.head_dim // 2},)"
        )
    return config


def _read_tokenizer(path: Path, metadata: dict[str, Value], other: Path | None) -> Tokenizer:
    if other is not None:
        return read_tokenizer(other)
    try:
        return tokenizer_of(metadata)
    except (CheckpointError, TokenizerError) as error:
        raise type(error)(f"{path}: {error}") from error


def _stored(data: mmap.mmap, info: TensorInfo) -> StoredTensor:
    mapped = info.format not in FLOAT_DTYPES or is_aligned(info.start, FLOAT_DTYPES[info.format])
    return StoredTensor(
        shape=info.shape, format=info.format, read=partial(read_tensor, data, info), mapped=mapped,
        let_go=partial(let_go, data, info.start, info.size_bytes),
    )  # fmt: skip


def checkpoint_of(path: Path, parts: list[Part], tokenizer: Path | None = None) -> Checkpoint:
    """The checkpoint that the parts of a model make.

    Raises:
        CheckpointError: see open_gguf.
    """
    metadata = parts[0].header.metadata
    places = {name: (part.data, info) for part in parts for name, info in part.header.tensors.items()}
    if len(places) != sum(len(part.header.tensors) for part in parts):
        raise CheckpointError(f"{path}: two of its parts hold the same tensor: they do not belong together")
    try:
        config = read_config(metadata, {name: info for name, (_, info) in places.items()})
        names = canonical_names(places)
        if ROPE_DIVISORS in places:
            divisors = np.asarray(read_tensor(*places[ROPE_DIVISORS]), dtype=np.float64)
            config = replace(config, rope_scaling=scaling_of_divisors(divisors, config) or config.rope_scaling)
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    stored = {name: _stored(*places[theirs]) for name, theirs in names.items()}
    return Checkpoint(
        path=path,
        kind="gguf",
        config=config,
        tensors=check_tensors(path, config, stored),
        tokenizer=partial(_read_tokenizer, path, metadata, tokenizer),
    )


def open_gguf(path: Path, tokenizer: Path | None = None) -> Checkpoint:
    """Open a GGUF file of the "llama" architecture: its header is read and checked, its weights are only mapped.

    Args:
        path: the file, or any part of a split one (`name-00001-of-00003.gguf`).
        tokenizer: a tokenizer file to use instead of the one inside.

    Returns:
        The checkpoint, kind "gguf".

    Raises:
        CheckpointError: missing, cut off, damaged, another architecture, or a weight format that is not read.
    """
    return checkpoint_of(path, _read_parts(path), tokenizer)
