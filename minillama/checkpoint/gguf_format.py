"""The layout of a GGUF file: a header of typed key/value pairs, a list of tensors, then their bytes.

    "GGUF", version, number of tensors, number of pairs
    pairs:    key, type, value (strings are a length and UTF-8; arrays a type, a length and the values)
    tensors:  name, dimensions (fastest first, so reversed against NumPy), type, offset into the data
    data:     every tensor at a multiple of general.alignment

Source: ggml/docs/gguf.md, versions 2 and 3, little-endian. The file is not trusted: a number is compared with the bytes
that are left before anything is allocated for it, so the time and memory are bounded by the header's size.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from minillama.errors import CheckpointError
from minillama.quant.formats import FORMATS

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
STRING, ARRAY = 8, 9
SCALARS: dict[int, struct.Struct] = {
    number: struct.Struct("<" + code)
    for number, code in {
        0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
    }.items()
}  # fmt: skip

MAX_HEADER_BYTES = 1 << 26  # the largest published vocabularies take a sixth of it
MAX_STRING_BYTES = 1 << 24
MAX_KEY_BYTES = (1 << 16) - 1
MAX_NAME_BYTES = 256  # of a tensor; ggml's own limit is 64
MAX_ITEMS = 1 << 24  # values in an array
MAX_TENSORS = 1 << 16
MAX_NESTING = 4
MAX_DIMENSIONS = 4

FORMAT_OF_TYPE = {block_format.ggml_type: name for name, block_format in FORMATS.items()}
OTHER_TYPES = {
    9: "q8_1", 10: "q2_k", 11: "q3_k", 15: "q8_k", 16: "iq2_xxs", 17: "iq2_xs", 18: "iq3_xxs", 19: "iq1_s",
    20: "iq4_nl", 21: "iq3_s", 22: "iq2_s", 23: "iq4_xs", 24: "i8", 25: "i16", 26: "i32", 27: "i64", 28: "f64",
    29: "iq1_m", 34: "tq1_0", 35: "tq2_0", 39: "mxfp4",
}  # fmt: skip

Value: TypeAlias = int | float | bool | str | list["Value"] | np.ndarray


def shown(value: Value | None) -> str:
    """A value in an error message: short, and on one line.

    >>> shown("a\\n"), shown(3), shown([1, 2])
    ("'a\\\\n'", '3', 'a list')
    """
    return f"a {type(value).__name__}" if isinstance(value, list | np.ndarray) else repr(value)[:60]


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """Where a tensor lies: `shape` as torch has it, `format` a key of FORMATS, `start` in the file."""

    shape: tuple[int, ...]
    format: str
    start: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What stands before the weights; arrays of numbers are NumPy arrays, others lists."""

    version: int
    metadata: dict[str, Value]
    tensors: dict[str, TensorInfo]


class _Cursor:
    """Reads values one after another and never past the end."""

    def __init__(self, data: memoryview, path: Path) -> None:
        self.data = data
        self.path = path
        self.offset = 0
        self.end = min(len(data), MAX_HEADER_BYTES)
        self.limit = "its size allows" if self.end == len(data) else f"a header of {self.end} bytes allows"

    def error(self, text: str) -> CheckpointError:
        return CheckpointError(f"{self.path}: {text}")

    def need(self, count: int) -> int:
        """The offset of the next `count` bytes, which are taken."""
        start = self.offset
        if count > self.end - start:
            raise self.error(f"asks for {count} bytes at byte {start}, more than {self.limit}: cut off or damaged")
        self.offset = start + count
        return start

    def scalar(self, kind: int) -> int | float | bool:
        layout = SCALARS[kind]
        return layout.unpack_from(self.data, self.need(layout.size))[0]

    def count(self, kind: int, what: str, smallest_bytes: int, most: int) -> int:
        """A number of items that each take at least `smallest_bytes`."""
        number = int(self.scalar(kind))
        if number > most or number * smallest_bytes > self.end - self.offset:
            raise self.error(f"says it holds {number} {what}, more than {self.limit}: it is cut off or damaged")
        return number

    def string_bytes(self, most: int) -> bytes:
        length = self.count(10, "bytes in a string", 1, most)
        start = self.need(length)
        return bytes(self.data[start : self.offset])

    def name(self, most: int) -> str:
        raw = self.string_bytes(most)
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.error(f"has the name {raw[:40]!r}, expected UTF-8: it is damaged") from error
        if not name.isprintable():
            raise self.error(f"has the name {name[:40]!r}, expected printable characters: it is damaged")
        return name

    def strings(self, count: int) -> list[str]:
        """`count` strings; a vocabulary has 100,000 of them, so this is a loop without calls of its own."""
        data, offset, end, length_at = self.data, self.offset, self.end, SCALARS[10].unpack_from
        found = []
        for _ in range(count):
            stop = offset + 8 + (length_at(data, offset)[0] if offset + 8 <= end else end)
            if stop > end:
                self.offset = offset
                self.need(stop - offset)
            found.append(str(data[offset + 8 : stop], "utf-8", "replace"))
            offset = stop
        self.offset = offset
        return found

    def value(self, kind: int, nesting: int = 0) -> Value:
        if kind in SCALARS:
            return self.scalar(kind)
        if kind == STRING:
            return self.string_bytes(MAX_STRING_BYTES).decode("utf-8", "replace")
        if kind != ARRAY or nesting == MAX_NESTING:
            raise self.error(f"has a value of type {kind} in {nesting} arrays, expected types 0 to 12: it is damaged")
        item = int(self.scalar(4))
        if item in SCALARS:
            count = self.count(10, "numbers in an array", SCALARS[item].size, MAX_ITEMS)
            start = self.need(count * SCALARS[item].size)
            return np.frombuffer(self.data, np.dtype(SCALARS[item].format), count, start).copy()
        count = self.count(10, "items in an array", 8 if item == STRING else 12, MAX_ITEMS)
        if item == STRING:
            return [*self.strings(count)]
        return [self.value(item, nesting + 1) for _ in range(count)]


def _check_start(cursor: _Cursor) -> int:
    """The version, after the magic number."""
    magic = bytes(cursor.data[:4])
    if magic != MAGIC:
        raise cursor.error(f"starts with {magic!r}, expected {MAGIC!r}: it is no GGUF file, or its download broke off")
    cursor.need(4)
    version = int(cursor.scalar(4))
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        kind = "big-endian" if swapped in (1, *VERSIONS) else f"version {version}"
        raise cursor.error(f"is {kind} GGUF, expected little-endian version 2 or 3: convert it again with llama.cpp")
    return version


def _metadata(cursor: _Cursor, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(count):
        key = cursor.name(MAX_KEY_BYTES)
        if key in metadata:
            raise cursor.error(f"has the key {key[:80]} twice: it is damaged")
        metadata[key] = cursor.value(int(cursor.scalar(4)))
    return metadata


def _tensor(cursor: _Cursor) -> tuple[str, TensorInfo]:
    """One entry of the list of tensors; `start` still counts from the start of the data."""
    name = cursor.name(MAX_NAME_BYTES)
    dimensions = cursor.count(4, "dimensions in a tensor", 8, MAX_DIMENSIONS)
    shape = tuple(int(cursor.scalar(10)) for _ in range(dimensions))[::-1]
    kind, start = int(cursor.scalar(4)), int(cursor.scalar(10))
    if kind not in FORMAT_OF_TYPE:
        stored = OTHER_TYPES.get(kind, f"unknown type {kind}")
        raise cursor.error(f"tensor {name} is stored as {stored}, expected one of {', '.join(FORMATS)}")
    block_format = FORMATS[FORMAT_OF_TYPE[kind]]
    if not shape or 0 in shape or shape[-1] % block_format.block_size:
        raise cursor.error(
            f"tensor {name} has shape {shape}, expected rows of a multiple of {block_format.block_size}"
            f" for {block_format.name}: it is damaged"
        )
    size_bytes = block_format.block_bytes
    for size in (*shape[:-1], shape[-1] // block_format.block_size):
        size_bytes *= size
    return name, TensorInfo(shape=shape, format=block_format.name, start=start, size_bytes=size_bytes)


def _place(cursor: _Cursor, tensors: dict[str, TensorInfo], alignment: int) -> dict[str, TensorInfo]:
    """The tensors with `start` counted from the start of the file, after checks that each has its own bytes there."""
    data_start = -(-cursor.offset // alignment) * alignment
    placed, taken, previous = {}, 0, ""
    for name, info in sorted(tensors.items(), key=lambda item: item[1].start):
        if info.start % alignment:
            raise cursor.error(f"tensor {name} starts at {info.start}, expected a multiple of {alignment}: damaged")
        if info.start < taken:
            raise cursor.error(f"tensors {previous} and {name} share bytes: it is damaged")
        taken, previous = info.start + info.size_bytes, name
        if data_start + taken > len(cursor.data):
            raise cursor.error(
                f"{len(cursor.data)} bytes, but tensor {name} ends at {data_start + taken}: it is cut off or damaged,"
                " download it again"
            )
        start = data_start + info.start
        placed[name] = TensorInfo(shape=info.shape, format=info.format, start=start, size_bytes=info.size_bytes)
    return {name: placed[name] for name in tensors}


def parse_header(data: bytes | memoryview, path: Path = Path("GGUF")) -> Header:
    """Read and check everything before the weights.

    Args:
        data: the whole file, mapped or in memory.
        path: for messages.

    Returns:
        Its metadata, and where its tensors lie; every one of them lies whole inside `data` and apart from the others.

    Raises:
        CheckpointError: not GGUF, cut off, damaged, or a weight format that this package does not read.
    """
    cursor = _Cursor(memoryview(data).cast("B"), path)
    version = _check_start(cursor)
    n_tensors, n_pairs = int(cursor.scalar(10)), int(cursor.scalar(10))
    smallest = 24 * n_tensors + 13 * n_pairs  # bytes of an entry without its name
    if n_tensors > MAX_TENSORS or smallest > cursor.end - cursor.offset:
        raise cursor.error(f"says it holds {n_tensors} tensors and {n_pairs} keys, more than its size allows: damaged")
    metadata = _metadata(cursor, n_pairs)
    tensors: dict[str, TensorInfo] = {}
    for _ in range(n_tensors):
        name, info = _tensor(cursor)
        if name in tensors:
            raise cursor.error(f"has the tensor {name} twice: it is damaged")
        tensors[name] = info
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 8 <= alignment <= 1 << 16 or alignment & (alignment - 1):
        raise cursor.error(f"general.alignment is {shown(alignment)}, expected a power of two from 8 to 65536")
    return Header(version=version, metadata=metadata, tensors=_place(cursor, tensors, alignment))
