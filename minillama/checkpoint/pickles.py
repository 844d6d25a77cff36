"""PyTorch's .pth and .bin files: read without running what is in them, written as a stream.

A .pth is a zip archive, uncompressed: `data.pkl` says which tensor is which part of which storage, `data/0`, `data/1`
... are the storages' bytes. A pickle is a program, which may call any function of Python; PyTorch's weights_only
reader knows only the few that make tensors. Source: PyTorch's documentation, "Serialization semantics".
"""

import io
import math
import mmap
import pickle
import re
import sys
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from minillama.checkpoint.files import check_readable, tensor_bytes
from minillama.checkpoint.mapped import is_aligned, map_file, mapped_tensor
from minillama.checkpoint.pickle_checks import check_archive, check_legacy, refusal
from minillama.checkpoint.source import FLOAT_DTYPES, StoredTensor
from minillama.errors import CheckpointError

FORMAT_OF = {dtype: format for format, dtype in FLOAT_DTYPES.items()}
STORAGE_OF = {
    torch.float32: torch.FloatStorage,
    torch.float16: torch.HalfStorage,
    torch.bfloat16: torch.BFloat16Storage,
}
ALIGNMENT = 64  # of every record in the file, so that a mapped tensor is aligned in memory


def open_pickle(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a .pth or .bin file, mapped; the old kind that is no zip archive is read into memory.

    Tensors of other dtypes than float32, float16 and bfloat16 have a format that begins with "?".

    Raises:
        CheckpointError: cut off, damaged, something else than named tensors, or a pickle that asks for more than
            tensors and so could run code.
    """
    zipped = _is_zip(path)
    records: dict[int, tuple[str, int]] = {}
    if zipped:
        records = check_archive(path)
    else:
        check_legacy(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickle protocols and the like: it loads, or it is refused below
            found = torch.load(path, map_location="meta" if zipped else "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"(?:GLOBAL|class|function) ([\w.]+)", str(error))
        wish = f"it asks for {asked[1]}" if asked else "it holds more than tensors"
        raise refusal(path, wish) from error
    except Exception as error:  # a damaged file makes the reader fail in any way
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"{path}: cannot be read ({reason[0][:200]}): damaged or cut off") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise CheckpointError(f"{path}: holds a {type(found).__name__}, expected tensors by name")
    file = map_file(path) if zipped else None
    return {name: _stored(path, name, tensor, file, records) for name, tensor in found.items()}


def _is_zip(path: Path) -> bool:
    check_readable(path)
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _stored(
    path: Path, name: str, tensor: object, file: mmap.mmap | None, records: dict[int, tuple[str, int]]
) -> StoredTensor:
    """A tensor of the program, whose bytes are in one of the `records` of `file`, or in itself where that is None."""
    if not isinstance(tensor, torch.Tensor):
        raise CheckpointError(f"{path}: {name} is a {type(tensor).__name__}, expected a tensor")
    size, format = path.stat().st_size, FORMAT_OF.get(tensor.dtype, f"? {tensor.dtype}")
    device = "cpu" if file is None else "meta"
    if tensor.layout != torch.strided or tensor.device.type != device:
        raise CheckpointError(f"{path}: {name} is a tensor without plain weights (sparse, or saved from 'meta')")
    if tensor.numel() * tensor.element_size() > size:
        raise CheckpointError(f"{path}: {name} is {tuple(tensor.shape)} in a file of {size} bytes: damaged")
    if file is None:
        return StoredTensor(shape=tuple(tensor.shape), format=format, read=tensor.detach, mapped=False)
    storage = tensor.untyped_storage()
    start, length = _place(path, name, storage, records), storage.nbytes() // tensor.element_size()
    first, strides = tensor.storage_offset(), tensor.stride()

    def read() -> torch.Tensor:
        try:
            whole = mapped_tensor(file, start, (length,), tensor.dtype)
            return whole.as_strided(tensor.shape, strides, first)
        except (ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path}: tensor {name} cannot be read ({error}): damaged or cut off") from error

    return StoredTensor(shape=tuple(tensor.shape), format=format, read=read, mapped=is_aligned(start, tensor.dtype))


def _place(path: Path, name: str, storage: torch.UntypedStorage, records: dict[int, tuple[str, int]]) -> int:
    """Where the bytes of a storage begin in the file.

    Raises:
        CheckpointError: nowhere, or the record there is too short.
    """
    if storage.nbytes() == 0:
        return 0
    start = getattr(storage, "_checkpoint_offset", None)
    if start not in records:
        raise CheckpointError(f"{path}: the weights of {name} are not in the file: damaged, or saved without them")
    record, size = records[start]
    if size < storage.nbytes():
        raise CheckpointError(
            f"{path}: record {record.partition('/')[2]} has {size} bytes, expected {storage.nbytes()}: damaged"
        )
    return start


class _Storage:
    """Stands for the bytes of one tensor while the program is pickled."""

    def __init__(self, key: int, dtype: torch.dtype, length: int) -> None:
        self.description = ("storage", STORAGE_OF[dtype], str(key), "cpu", length)


class _Tensor:
    """Pickles as the call that rebuilds one tensor from its storage."""

    def __init__(self, storage: _Storage, shape: tuple[int, ...]) -> None:
        self.storage, self.shape = storage, shape

    def __reduce__(self) -> tuple[Any, ...]:
        strides = tuple(math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))
        return torch._utils._rebuild_tensor_v2, (self.storage, 0, self.shape, strides, False, OrderedDict())


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.description if isinstance(obj, _Storage) else None


class PthWriter:
    """Writes a .pth file tensor by tensor, so that no more than one is in memory.

    Args:
        path: the file.
        entries: name, shape and dtype of every tensor, in the order in which they will be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "ones.pth")
    >>> with PthWriter(path, [("ones", (3,), torch.float16)]) as writer:
    ...     writer.write(torch.ones(3, dtype=torch.float16))
    >>> torch.load(path)["ones"]
    tensor([1., 1., 1.], dtype=torch.float16)
    """

    def __init__(self, path: Path, entries: Iterable[tuple[str, tuple[int, ...], torch.dtype]]) -> None:
        self.entries = list(entries)
        self.written = 0
        self.archive = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)  # allows files beyond 4 GB
        program = io.BytesIO()
        tensors = {
            name: _Tensor(_Storage(key, dtype, math.prod(shape)), shape)
            for key, (name, shape, dtype) in enumerate(self.entries)
        }
        _Pickler(program, protocol=2).dump(tensors)
        self._record("data.pkl", memoryview(program.getvalue()))
        self._record("byteorder", memoryview(sys.byteorder.encode()))

    def write(self, tensor: torch.Tensor) -> None:
        """Append the next tensor."""
        name, shape, dtype = self.entries[self.written]
        assert (tuple(tensor.shape), tensor.dtype) == (shape, dtype), name
        self._record(f"data/{self.written}", tensor_bytes(tensor))
        self.written += 1

    def _record(self, name: str, content: memoryview) -> None:
        info = zipfile.ZipInfo(f"archive/{name}")
        large = content.nbytes * 1.05 > zipfile.ZIP64_LIMIT  # zipfile's own rule for the longer header
        header = 30 + len(info.filename) + (20 if large else 0)  # bytes before the content, without the padding
        padding = -(self.archive.start_dir + header + 4) % ALIGNMENT
        info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
        info.file_size = content.nbytes
        with self.archive.open(info, "w", force_zip64=large) as record:
            record.write(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            assert self.written == len(self.entries)
            self._record("version", memoryview(b"3\n"))
        self.archive.close()
