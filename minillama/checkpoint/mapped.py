"""Files mapped into memory: bytes are read from the disk when they are touched, and cost no memory of their own."""

import mmap
import sys
from pathlib import Path

import torch

from minillama.checkpoint.files import check_readable
from minillama.errors import CheckpointError

MAP_NORESERVE = 0x4000  # Linux: a file larger than the memory may be mapped; Python 3.11 has no name for it


def map_file(path: Path) -> mmap.mmap:
    """A whole file, copy on write: what is changed in memory stays there.

    Raises:
        CheckpointError: not readable, no regular file, or empty.
    """
    check_readable(path)
    try:
        with path.open("rb") as file:
            if sys.platform == "linux":
                flags = mmap.MAP_PRIVATE | MAP_NORESERVE
                return mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be mapped into memory ({error})") from error


def let_go(file: mmap.mmap, start: int, n_bytes: int) -> None:
    """Count these bytes of a mapped file no longer as this process's memory, until they are touched again (Linux).

    Only whole pages go. What was changed in them is lost.
    """
    if sys.platform == "linux":
        first, last = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE, (start + n_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if first < last:
            file.madvise(mmap.MADV_DONTNEED, first, last - first)


def is_aligned(start: int, dtype: torch.dtype) -> bool:
    """Whether a tensor of this dtype at this byte of a mapped file can be used in its place, without a copy."""
    return start % dtype.itemsize == 0


def mapped_tensor(file: mmap.mmap, start: int, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """The tensor whose bytes begin at `start`; a copy only where they are not aligned to the dtype.

    Raises:
        ValueError: the file ends before the tensor does.
    """
    count = torch.Size(shape).numel()
    if start < 0 or start + count * dtype.itemsize > len(file):
        raise ValueError(f"bytes {start} to {start + count * dtype.itemsize} of a file of {len(file)}")
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    if not is_aligned(start, dtype):
        with memoryview(file) as view:
            copy = bytearray(view[start : start + count * dtype.itemsize])
        return torch.frombuffer(copy, dtype=dtype).reshape(shape)
    return torch.frombuffer(file, dtype=dtype, count=count, offset=start).reshape(shape)
