"""From one kind of model file to another, tensor by tensor."""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minillama.checkpoint.files import check_output, named
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.hf import write_hf
from minillama.checkpoint.meta import write_meta
from minillama.checkpoint.opening import open_checkpoint
from minillama.checkpoint.own_pieces import read_pieces
from minillama.checkpoint.source import Checkpoint, StoredTensor
from minillama.checkpoint.tensors import float_format, read_checked, stored_bytes
from minillama.errors import CheckpointError
from minillama.model import Pieces

log = logging.getLogger("minillama")

Progress = Callable[[int, int], None]


def convert(
    path: str | Path,
    out: str | Path,
    to: str = "hf",
    *,
    shards: int = 1,
    format: str | None = None,
    tokenizer: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    pieces: Pieces | str | Path | None = None,
) -> Path:
    """Write a model as another kind of file; no more than one tensor is in memory.

    Args:
        path: anything that `load` takes.
        out: a folder for hf and meta, a file for gguf.
        to: "hf", "meta" or "gguf".
        shards: files of Meta's layout: 1, 2, 4 or 8.
        format: of the weights; None keeps float formats, and makes quantized ones f16.
        tokenizer: a tokenizer file to use instead of the model's own.
        overwrite: whether a model at `out` is replaced.
        progress: called with bytes done and bytes in all after each tensor.
        pieces: whose `quantize_q8_0` and `quantize_q4_0` make the blocks of a GGUF file: Pieces, or a folder of your
            own such as "my_llama", which is run as Python; None for minillama's own.

    Returns:
        `out`.

    Raises:
        CheckpointError: a source that cannot be read, a target that exists, is the source, cannot hold the model, or
            lies on a full disk.
    """
    source, out = Path(path), Path(out)
    if to not in ("hf", "meta", "gguf"):
        raise CheckpointError(f"to is {to!r}, expected hf, meta or gguf")
    if shards != 1 and to != "meta":
        raise CheckpointError(f"{shards} shards of {to}, but only Meta's layout is cut into shards: use to='meta'")
    if out.resolve() == source.resolve() or out.resolve() in source.resolve().parents:
        raise CheckpointError(f"{out}: is or holds the source {source}: choose another name")
    check_output(out, overwrite)
    checkpoint = _watched(open_checkpoint(source, tokenizer), progress or (lambda *_: None))
    if to == "hf":
        write_hf(checkpoint, out, format=format, overwrite=overwrite)
    elif to == "meta":
        write_meta(checkpoint, out, shards, format=format, overwrite=overwrite)
    else:
        _write_gguf(checkpoint, out, format, read_pieces(pieces) if isinstance(pieces, str | Path) else pieces)
    log.info("%s: written from %s", out, source)
    return out


def quantize(
    path: str | Path,
    out: str | Path,
    type: str = "q4_0",
    *,
    tokenizer: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    pieces: Pieces | str | Path | None = None,
) -> Path:
    """Write a model as a GGUF file with few bits a weight.

    Args:
        path: anything that `load` takes.
        out: the file.
        type: "q8_0", "q6_k", "q4_0", "q4_k", or "q4_k_m", llama.cpp's mixture of q4_k and q6_k.
        tokenizer, overwrite, progress, pieces: see convert.

    Raises:
        CheckpointError: see convert.
    """
    options: dict[str, Any] = {"tokenizer": tokenizer, "overwrite": overwrite, "progress": progress, "pieces": pieces}
    return convert(path, out, "gguf", format=type, **options)


def _write_gguf(checkpoint: Checkpoint, out: Path, format: str | None, pieces: Pieces | None) -> None:
    if out.is_dir():
        raise CheckpointError(f"{out}: is a folder, but a GGUF file is to be written: give a file name")
    own = {} if pieces is None else {"q8_0": pieces.quantize_q8_0, "q4_0": pieces.quantize_q4_0}
    write_gguf(checkpoint, out, format or float_format(checkpoint.tensors), quantizers=own)


def _watched(checkpoint: Checkpoint, progress: Progress) -> Checkpoint:
    """The same checkpoint, which reports every tensor that is read for the first time, and names itself in errors."""
    total = sum(stored_bytes(tensor) for tensor in checkpoint.tensors.values())
    seen: dict[str, int] = {}

    def watch(name: str, tensor: StoredTensor) -> StoredTensor:
        def read() -> torch.Tensor | np.ndarray:
            with named(checkpoint.path):
                data = read_checked(name, tensor)
            seen[name] = stored_bytes(tensor)
            progress(sum(seen.values()), total)
            return data

        return dataclasses.replace(tensor, read=read)

    tensors = {name: watch(name, tensor) for name, tensor in checkpoint.tensors.items()}
    return dataclasses.replace(checkpoint, tensors=tensors)
