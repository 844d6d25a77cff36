"""Reads llama2.c's `.bin` files: the legacy layout, version 1 (float32) and version 2 (eight bits in groups).

    legacy      7 int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len), then float32 weights,
                kind by kind, all layers of a kind together; a negative vocab_size means that the output matrix is
                untied and stands at the end, after two tables of rotary angles that are not needed
    version 1   256 bytes: "ak42", the version, the same 7 numbers, one byte that says whether the output is tied; the
                norms come first, there are no tables
    version 2   as 1, with the size of a group after that byte; each matrix is its int8 codes and then a float32 scale
                a group

Rotary pairs are neighbours, as Meta's are. Source: karpathy/llama2.c, export.py and runq.c.
"""

import math
import mmap
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from minillama.checkpoint.mapped import map_file, mapped_tensor
from minillama.checkpoint.source import Checkpoint, StoredTensor, check_tensors, tensor_shapes
from minillama.checkpoint.tokenizers import read_tokenizer
from minillama.config import ModelConfig
from minillama.errors import CheckpointError, ConfigError
from minillama.model import count_parameters
from minillama.tokenizer import Tokenizer

MAGIC = 0x616B3432  # "ak42"
LEGACY_HEADER = struct.Struct("<7i")
HEADER = struct.Struct("<Ii7iBi")  # magic, version, sizes, tied, group size; padded to HEADER_BYTES
HEADER_BYTES = 256

_NORMS = ("attention_norm", "ffn_norm")
_ATTENTION = ("attention.wq", "attention.wk", "attention.wv", "attention.wo")
_FEED_FORWARD = ("feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
_LEGACY_ORDER = ("attention_norm", *_ATTENTION, "ffn_norm", *_FEED_FORWARD)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says: `version` 0 (legacy), 1 or 2; `start` of the weights; `group_size` of version 2, else 0."""

    version: int
    config: ModelConfig
    start: int
    group_size: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a weight lies: its codes or floats at `start`, and its scales, where it has any, at `scales`."""

    start: int
    scales: int | None


def _config(sizes: tuple[int, ...], tied: bool) -> ModelConfig:
    dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len = sizes
    try:
        return ModelConfig(
            dim=dim, hidden_dim=hidden_dim, n_layers=n_layers, n_heads=n_heads, n_kv_heads=n_kv_heads,
            vocab_size=vocab_size, max_seq_len=seq_len, norm_eps=1e-5, rope_theta=10_000.0, tied=tied,
        )  # fmt: skip
    except ConfigError as error:
        raise CheckpointError(f"is no llama2.c file, or damaged: {error}") from error


def parse_layout(data: bytes | memoryview | mmap.mmap) -> Layout:
    """Read and check the header.

    Args:
        data: the whole file.

    Raises:
        CheckpointError: too short, an unknown version, or sizes that no LLaMA has.
    """
    if len(data) < LEGACY_HEADER.size:
        raise CheckpointError(f"has {len(data)} bytes, expected at least {LEGACY_HEADER.size}: it is no llama2.c file")
    if struct.unpack_from("<I", data)[0] != MAGIC:
        *sizes, vocab_size, seq_len = LEGACY_HEADER.unpack_from(data)
        config = _config((*sizes, abs(vocab_size), seq_len), tied=vocab_size > 0)
        return Layout(0, config, LEGACY_HEADER.size, 0)
    if len(data) < HEADER_BYTES:
        raise CheckpointError(f"has {len(data)} bytes, expected a header of {HEADER_BYTES}: it is cut off")
    _, version, *sizes, tied, group_size = HEADER.unpack_from(data)
    if version not in (1, 2):
        raise CheckpointError(f"is version {version} of llama2.c's format, expected 0 (legacy), 1 or 2")
    config = _config(tuple(sizes), tied=bool(tied))
    if version == 2 and (group_size <= 0 or config.dim % group_size or config.hidden_dim % group_size):
        raise CheckpointError(
            f"has groups of {group_size} weights, expected a size that divides {config.dim} and {config.hidden_dim}"
        )
    return Layout(version, config, HEADER_BYTES, group_size if version == 2 else 0)


def _file_order(layout: Layout) -> Iterator[tuple[str, bool]]:
    """The names of all weights in the order of the file, and whether each is stored in groups.

    The legacy layout's tables are one entry, "tables".
    """
    config, version = layout.config, layout.version

    def all_layers(kind: str) -> Iterator[str]:
        return (f"layers.{layer}.{kind}.weight" for layer in range(config.n_layers))

    if version == 0:
        yield "tok_embeddings.weight", False
        for kind in _LEGACY_ORDER:
            yield from ((name, False) for name in all_layers(kind))
        yield "norm.weight", False
        yield "tables", False
    else:
        for kind in _NORMS:
            yield from ((name, False) for name in all_layers(kind))
        yield "norm.weight", False
        yield "tok_embeddings.weight", version == 2
        for kind in (*_ATTENTION, *_FEED_FORWARD):
            yield from ((name, version == 2) for name in all_layers(kind))
    if not config.tied:
        yield "output.weight", version == 2


def expected_bytes(layout: Layout) -> int:
    """The size of the file that a header describes."""
    config = layout.config
    weights, vectors = count_parameters(config), config.dim * (2 * config.n_layers + 1)
    if layout.version == 0:
        return layout.start + 4 * (weights + config.max_seq_len * config.head_dim)
    if layout.version == 1:
        return layout.start + 4 * weights
    return layout.start + 4 * vectors + (weights - vectors) + 4 * ((weights - vectors) // layout.group_size)


def parse_places(layout: Layout, file_bytes: int) -> dict[str, Place]:
    """Where each weight lies.

    Raises:
        CheckpointError: the file is shorter or longer than its header says.
    """
    expected = expected_bytes(layout)
    if expected != file_bytes:  # before anything is done for each layer that the header promises
        state = "cut off" if file_bytes < expected else "damaged"
        raise CheckpointError(f"has {file_bytes} bytes, expected {expected} by its header: it is {state}")
    shapes = tensor_shapes(layout.config) | {"tables": (layout.config.max_seq_len, layout.config.head_dim)}
    places, position = {}, layout.start
    for name, grouped in _file_order(layout):
        count = math.prod(shapes[name])
        if grouped:
            places[name] = Place(position, scales=position + count)
            position += count + 4 * (count // layout.group_size)
        else:
            places[name] = Place(position, scales=None)
            position += 4 * count
    assert position == expected
    places.pop("tables", None)
    return places


def dequantize_groups(data: mmap.mmap, place: Place, shape: tuple[int, ...], group_size: int) -> torch.Tensor:
    """A matrix of version 2 as float32: code times the scale of its group."""
    count = math.prod(shape)
    assert place.scales is not None
    codes = np.frombuffer(data, np.int8, count, place.start).reshape(-1, group_size)
    scales = np.frombuffer(data, np.uint8, 4 * len(codes), place.scales).view("<f4")  # need not be aligned
    return torch.from_numpy((codes * scales[:, None]).reshape(shape))


def _stored(data: mmap.mmap, place: Place, shape: tuple[int, ...], group_size: int) -> StoredTensor:
    grouped = place.scales is not None
    read: Callable[[], torch.Tensor] = partial(mapped_tensor, data, place.start, shape, torch.float32)
    if grouped:
        read = partial(dequantize_groups, data, place, shape, group_size)
    return StoredTensor(shape=shape, format="f32", read=read, mapped=not grouped)


def _read_tokenizer(path: Path, tokenizer: Path | None) -> Tokenizer:
    if tokenizer is None:
        raise CheckpointError(
            f"{path}: a llama2.c file holds no tokenizer: name its tokenizer.bin or tokenizer.model with tokenizer="
        )
    return read_tokenizer(tokenizer)


def checkpoint_of(path: Path, data: mmap.mmap, tokenizer: Path | None = None) -> Checkpoint:
    """The checkpoint that a mapped file holds.

    Raises:
        CheckpointError: see open_llama2c.
    """
    try:
        layout = parse_layout(data)
        places = parse_places(layout, len(data))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    shapes = tensor_shapes(layout.config)
    tensors = {name: _stored(data, place, shapes[name], layout.group_size) for name, place in places.items()}
    return Checkpoint(
        path=path,
        kind="llama2c",
        config=layout.config,
        tensors=check_tensors(path, layout.config, tensors),
        tokenizer=partial(_read_tokenizer, path, tokenizer),
    )


def open_llama2c(path: Path, tokenizer: Path | None = None) -> Checkpoint:
    """Open a llama2.c file; its header and size are checked, its weights are read when they are asked for.

    Args:
        path: the `.bin` file.
        tokenizer: its tokenizer.bin or tokenizer.model; the file itself holds none.

    Returns:
        The checkpoint, kind "llama2c", all weights float32; eight-bit groups are dequantized when they are read.

    Raises:
        CheckpointError: missing, another format, cut off, or damaged.
    """
    return checkpoint_of(path, map_file(path), tokenizer)
