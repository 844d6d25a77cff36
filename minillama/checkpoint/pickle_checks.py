"""Looks through a .pth or .bin file before PyTorch's reader does: what it would make the reader do, and how much.

A pickle is a program; its opcodes are read here without running them. Source: Python's pickletools.
"""

import io
import pickletools
import re
import struct
import sys
import zipfile
from pathlib import Path

from minillama.errors import CheckpointError

MAX_PROGRAM_BYTES = 8 << 20  # that of a 65B model has 0.1 MB
MAX_OPCODES = 1 << 20  # that of a 65B model has 40,000
LEGACY_PROGRAMS = 5  # magic number, protocol, system, tensors, order of the storages; then come their bytes
MAGIC_NUMBER = bytes.fromhex("6cfc9c46f9206aa85019")  # what the first of them holds
PICKLE = b"\x80"  # how every pickle begins that PyTorch wrote: its protocol's number follows
TENSOR_PARTS = re.compile(
    r"collections\.OrderedDict"
    r"|torch\._utils\._rebuild_(tensor|tensor_v2|tensor_v3|parameter|sparse_tensor|meta_tensor_no_storage)"
    r"|torch\.(storage\.)?\w+Storage|torch\.serialization\._get_layout|torch\.(Size|device)"
    r"|torch\.(per_(tensor|channel)_\w+|bool|(b?float|u?int|q?u?int|complex|bits)\d\w*)"
)  # PyTorch's reader knows some more, among them builtins.bytearray, which fills any memory
LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip record: the lengths of its name and of the extra field


def check_archive(path: Path) -> dict[int, tuple[str, int]]:
    """Check the zip archive that a .pth is.

    Returns:
        Where the content of each record begins -> the record's name and its size in bytes.

    Raises:
        CheckpointError: cut off, unpacks into more than it is, big-endian, or a program of something else than tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(path, archive.infolist())
            for entry in archive.infolist():
                kind = entry.filename.lower().rpartition("/")[2]
                if kind == "byteorder" and archive.read(entry).strip() != sys.byteorder.encode():
                    raise CheckpointError(
                        f"{path}: its byteorder is not {sys.byteorder}-endian as this machine's: "
                        "save it again on a machine like this one, or get the weights as safetensors"
                    )
                if kind == "data.pkl":
                    check_programs(path, archive.read(entry), 1)
        with path.open("rb") as file:
            return {_content_start(file, entry): (entry.filename, entry.file_size) for entry in archive.infolist()}
    except CheckpointError:
        raise
    except Exception as error:  # a damaged archive makes the reader fail in any way
        raise CheckpointError(f"{path}: cut off or damaged ({error}): download it again") from error


def _check_sizes(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    total, size = sum(entry.file_size for entry in entries), path.stat().st_size
    if any(entry.compress_type for entry in entries) or total > size:
        raise CheckpointError(f"{path}: its parts claim {total} bytes, the file has {size}: damaged")
    names = [entry.filename.lower() for entry in entries]
    if len(set(names)) < len(names):  # two readers could take two different ones
        raise CheckpointError(f"{path}: holds two parts of one name: damaged")
    for entry in entries:
        if entry.filename.lower().endswith(("data.pkl", "byteorder")) and entry.file_size > MAX_PROGRAM_BYTES:
            raise CheckpointError(
                f"{path}: {entry.filename!r} has {entry.file_size} bytes, expected at most {MAX_PROGRAM_BYTES}: damaged"
            )


def _content_start(file: io.BufferedReader, entry: zipfile.ZipInfo) -> int:
    file.seek(entry.header_offset)
    return entry.header_offset + LOCAL_HEADER.size + sum(LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size)))


def check_legacy(path: Path) -> None:
    """Check the old kind of .pth or .bin file, which is some pickles and then the bytes of the tensors.

    Raises:
        CheckpointError: no pickle, damaged, or a program of something else than tensors.
    """
    with path.open("rb") as file:
        head = file.read(MAX_PROGRAM_BYTES)
    if not head.startswith(PICKLE):
        raise CheckpointError(
            f"{path}: is no pickle and no zip archive, expected a file that torch.save wrote: "
            "it has a wrong name, or is damaged"
        )
    ours = MAGIC_NUMBER in head[:20]
    check_programs(path, head, LEGACY_PROGRAMS if ours else 1)
    if not ours:
        raise CheckpointError(f"{path}: is a pickle, but torch.save did not write it; expected tensors by name")


def check_programs(path: Path, programs: bytes, count: int) -> None:
    """Read the opcodes of `count` pickles that follow each other, without running them.

    Args:
        path: for the message.
        programs: the pickles; what follows them does not matter.
        count: how many there are.

    Raises:
        CheckpointError: damaged, absurdly long, or asks for something that no tensor needs.
    """
    stream, left = io.BytesIO(programs), MAX_OPCODES
    for _ in range(count):
        strings: list[str] = []  # the last two are what STACK_GLOBAL asks for
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                left -= 1
                if left < 0:
                    raise CheckpointError(f"{path}: its pickle has more than {MAX_OPCODES} steps: no model, or damaged")
                if isinstance(argument, str):
                    strings = [*strings[-1:], argument]
                if opcode.name in ("GLOBAL", "INST"):
                    _check_global(path, str(argument).replace(" ", "."))
                elif opcode.name == "STACK_GLOBAL":
                    _check_global(path, ".".join(strings))
        except CheckpointError:
            raise
        except Exception as error:  # ValueError mostly, but damaged bytes fail in any way
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise CheckpointError(f"{path}: its pickle cannot be read ({reason}): damaged or cut off") from error


def _check_global(path: Path, name: str) -> None:
    if name == "torch._utils._rebuild_qtensor":
        raise CheckpointError(f"{path}: holds tensors that torch quantized, expected float32, float16 or bfloat16")
    if not TENSOR_PARTS.fullmatch(name):
        raise refusal(path, f"it asks for {name[:100]!r}")


def refusal(path: Path, wish: str) -> CheckpointError:
    """The error for a pickle that wants more than tensors.

    >>> str(refusal(Path("x.pth"), "it asks for 'os.system'"))[:68]
    'x.pth: refused, because this pickle could run code on your machine ('
    """
    return CheckpointError(
        f"{path}: refused, because this pickle could run code on your machine ({wish}): "
        "expected plain tensors; get the weights as safetensors, from a source that you trust"
    )
