"""Writes a checkpoint as one GGUF file that llama.cpp reads, tensor by tensor.

Matrices are stored in the format asked for, embedding and output matrix included, or as a mixture prescribes; vectors
(the norms) as float32. A matrix whose rows do not divide into the format's blocks is stored as q8_0, or where that does
not divide them either as f16, with a line in the log that says so.

Source: ggml/docs/gguf.md, version 3.
"""

import logging
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from minillama.checkpoint.files import check_space
from minillama.checkpoint.gguf_format import ARRAY, DEFAULT_ALIGNMENT, MAGIC, SCALARS, STRING, Value
from minillama.checkpoint.gguf_mixtures import FILE_TYPES, format_that_divides, matrix_format
from minillama.checkpoint.gguf_model import ARCHITECTURE, ROPE_DIVISORS, divisors_of, gguf_name, metadata_of
from minillama.checkpoint.gguf_tokenizer import metadata_of_tokenizer
from minillama.checkpoint.source import Checkpoint, StoredTensor
from minillama.checkpoint.tensors import Quantize, quantized_pieces
from minillama.errors import CheckpointError
from minillama.files import new_file
from minillama.quant.formats import FORMATS, row_bytes

logger = logging.getLogger(__name__)

QUANTIZATION_VERSION = 2  # ggml.h, GGML_QNT_VERSION
_TYPE_OF_DTYPE = {np.dtype(layout.format): kind for kind, layout in SCALARS.items()}


def _string(text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return struct.pack("<Q", len(raw)) + raw


def encode_value(value: Value) -> bytes:
    """A value with its type in front: whole numbers as uint32, other numbers as float32, arrays by their dtype.

    >>> encode_value("hi")
    b'\\x08\\x00\\x00\\x00\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00hi'
    """
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _string(value)
    if isinstance(value, np.ndarray):
        return struct.pack("<IIQ", ARRAY, _TYPE_OF_DTYPE[value.dtype], len(value)) + value.tobytes()
    return struct.pack("<IIQ", ARRAY, STRING, len(value)) + b"".join(_string(str(item)) for item in value)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A tensor of the file to be written: `name` is GGUF's, `format` the one it will have."""

    name: str
    format: str
    stored: StoredTensor

    @property
    def size_bytes(self) -> int:
        rows = self.stored.shape[0] if len(self.stored.shape) == 2 else 1
        return rows * row_bytes(self.format, self.stored.shape[-1])


def padded(count: int) -> int:
    """The next multiple of the alignment."""
    return -(-count // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT


def _plan(checkpoint: Checkpoint, file_type: str) -> list[_Planned]:
    planned = []
    for name, stored in checkpoint.tensors.items():
        wanted = matrix_format(file_type, name, checkpoint.config) if len(stored.shape) == 2 else "f32"
        chosen = format_that_divides(wanted, stored.shape[-1])
        if chosen != wanted:
            logger.info(
                "%s becomes %s: its rows of %d do not divide into %s blocks of %d",
                name, chosen, stored.shape[-1], wanted, FORMATS[wanted].block_size,
            )  # fmt: skip
        planned.append(_Planned(gguf_name(name), chosen, stored))
    divisors = divisors_of(checkpoint.config)
    if divisors is not None:
        stored = StoredTensor(shape=divisors.shape, format="f32", read=lambda: torch.from_numpy(divisors))
        planned.append(_Planned(ROPE_DIVISORS, "f32", stored))
    return planned


def _header(metadata: Mapping[str, Value], planned: list[_Planned]) -> bytes:
    written = [MAGIC, struct.pack("<IQQ", 3, len(planned), len(metadata))]
    written += [_string(key) + encode_value(value) for key, value in metadata.items()]
    start = 0
    for tensor in planned:
        dimensions = tensor.stored.shape[::-1]
        written.append(_string(tensor.name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions))
        written.append(struct.pack("<IQ", FORMATS[tensor.format].ggml_type, start))
        start += padded(tensor.size_bytes)
    header = b"".join(written)
    return header.ljust(padded(len(header)), b"\0")


def _pieces(tensor: _Planned, own: Quantize | None) -> Iterator[bytes | memoryview]:
    """The bytes of a tensor in its new format.

    Raises:
        CheckpointError: a weight is not a number, or beyond what the format can hold.
    """
    data = tensor.stored.read()
    if isinstance(data, np.ndarray) and tensor.stored.format == tensor.format:
        yield np.ascontiguousarray(data).data.cast("B")  # the same blocks: nothing is rounded a second time
        return
    try:
        for blocks in quantized_pieces(data, tensor.stored.format, tensor.format, own):
            yield blocks.data.cast("B")
    except CheckpointError as error:
        raise CheckpointError(f"{tensor.name} holds {error}") from error


def gguf_metadata(checkpoint: Checkpoint, format: str) -> dict[str, Value]:
    """All the keys of a file, its tokenizer's included."""
    path = checkpoint.path.resolve()
    general: dict[str, Value] = {
        "general.architecture": ARCHITECTURE,
        "general.type": "model",
        "general.name": path.stem if path.suffix in (".gguf", ".bin") else path.name,
        "general.file_type": FILE_TYPES[format],
        "general.quantization_version": QUANTIZATION_VERSION,
        "general.alignment": DEFAULT_ALIGNMENT,
    }
    tokenizer = metadata_of_tokenizer(checkpoint.tokenizer(), checkpoint.config.vocab_size)
    return general | metadata_of(checkpoint.config) | tokenizer


def write_gguf(
    checkpoint: Checkpoint,
    out: Path,
    format: str = "f16",
    progress: Callable[[int, int], None] | None = None,
    quantizers: Mapping[str, Quantize | None] = MappingProxyType({}),
) -> None:
    """Write a checkpoint as one GGUF file, atomically; one tensor is in memory at a time.

    Args:
        checkpoint: from any reader; matrices that have the format already keep their bytes.
        out: the file to write; its folder exists. A file of that name is replaced.
        format: "f32", "f16", "bf16", "q8_0", "q4_0", "q6_k", "q4_k", or the mixture "q4_k_m".
        progress: called with the bytes written and the bytes of all tensors.
        quantizers: format -> a function that quantizes to it in the place of this package's.

    Raises:
        CheckpointError: an unknown format, no room on the disk, or a weight that the format cannot hold.
    """
    if format not in FILE_TYPES:
        raise CheckpointError(f"format is {format!r}, expected one of {', '.join(FILE_TYPES)}")
    planned = _plan(checkpoint, format)
    header = _header(gguf_metadata(checkpoint, format), planned)
    total, done = sum(padded(tensor.size_bytes) for tensor in planned), 0
    if not out.parent.is_dir():
        raise CheckpointError(f"{out}: its folder does not exist: make it first")
    check_space(out.parent, len(header) + total)
    try:
        with new_file(out) as file:
            file.write(header)
            for tensor in planned:
                for piece in _pieces(tensor, quantizers.get(tensor.format)):
                    file.write(piece)
                    if progress:
                        progress(done := done + len(piece), total)
                padding = padded(tensor.size_bytes) - tensor.size_bytes
                done += file.write(bytes(padding))
    except OSError as error:
        raise CheckpointError(f"{out}: cannot be written ({error.strerror}): choose another place") from error
    if progress:
        progress(total, total)
