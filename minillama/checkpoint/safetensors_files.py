"""The safetensors format: a JSON header with every tensor's place, then the bytes.

Source: the safetensors repository, "Format". Reading goes through the library, which checks the header and maps the
file; writing is a stream, so that no more than one tensor is in memory.
"""

import json
import math
import mmap
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open

from minillama.checkpoint.files import check_readable, tensor_bytes
from minillama.checkpoint.mapped import is_aligned, map_file, mapped_tensor
from minillama.checkpoint.source import FLOAT_DTYPES, StoredTensor
from minillama.errors import CheckpointError

FORMAT_OF = {"F32": "f32", "F16": "f16", "BF16": "bf16"}
NAME_OF = {FLOAT_DTYPES[format]: name for name, format in FORMAT_OF.items()}


def open_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file by name, mapped.

    Tensors of other dtypes than float32, float16 and bfloat16 have a format that begins with "?".

    Raises:
        CheckpointError: not readable, cut off or damaged.
    """
    check_readable(path)
    try:
        with safe_open(path, framework="np"):  # checks the header: sizes, overlaps, the end of the file
            file = map_file(path)
        length = int.from_bytes(file[:8], "little")
        header = json.loads(file[8 : 8 + length])
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}): cut off or damaged, download it again") from error
    header.pop("__metadata__", None)
    return {name: _stored(file, 8 + length, entry) for name, entry in header.items()}


def _stored(file: mmap.mmap, data_start: int, entry: dict[str, Any]) -> StoredTensor:
    shape, format = tuple(entry["shape"]), FORMAT_OF.get(entry["dtype"], f"? {entry['dtype']}")
    start = data_start + entry["data_offsets"][0]
    return StoredTensor(
        shape=shape,
        format=format,
        read=lambda: mapped_tensor(file, start, shape, FLOAT_DTYPES[format]),
        mapped=format in FLOAT_DTYPES and is_aligned(start, FLOAT_DTYPES[format]),
    )


class SafetensorsWriter:
    """Writes a .safetensors file tensor by tensor.

    Args:
        path: the file.
        entries: name, shape and dtype of every tensor, in the order in which they will be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "ones.safetensors")
    >>> with SafetensorsWriter(path, [("ones", (3,), torch.float16)]) as writer:
    ...     writer.write(torch.ones(3, dtype=torch.float16))
    >>> open_safetensors(path)["ones"].read()
    tensor([1., 1., 1.], dtype=torch.float16)
    """

    def __init__(self, path: Path, entries: Iterable[tuple[str, tuple[int, ...], torch.dtype]]) -> None:
        self.entries = list(entries)
        self.written = 0
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        start = 0
        for name, shape, dtype in self.entries:
            end = start + math.prod(shape) * dtype.itemsize
            header[name] = {"dtype": NAME_OF[dtype], "shape": list(shape), "data_offsets": [start, end]}
            start = end
        encoded = json.dumps(header, separators=(",", ":")).encode()
        encoded += b" " * (-len(encoded) % 8)  # the tensors begin at a multiple of 8
        self.file = path.open("wb")
        self.file.write(len(encoded).to_bytes(8, "little") + encoded)

    def write(self, tensor: torch.Tensor) -> None:
        """Append the next tensor."""
        name, shape, dtype = self.entries[self.written]
        assert (tuple(tensor.shape), tensor.dtype) == (shape, dtype), name
        self.file.write(tensor_bytes(tensor))
        self.written += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert kind is not None or self.written == len(self.entries)
        self.file.close()
