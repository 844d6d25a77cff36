"""Careful file operations that the readers and writers of checkpoints share."""

import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from minillama.errors import CheckpointError, ConfigError

MAX_JSON_BYTES = 64 << 20  # the index of the largest published model has 1/100 of this
LARGEST_NUMBER = 2.0**62  # nothing in a header is larger, and all below it fits whatever reads it
MODEL_FILES = ("params.json", "config.json", "adapter_config.json")  # one of them makes a folder a model


def check_readable(path: Path) -> None:
    """Refuse what is no regular file, before it is opened: a pipe would wait for ever, a device would never end.

    Raises:
        CheckpointError: missing, a pipe, a device, a folder, or not readable.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise CheckpointError(f"{path}: is a folder, a pipe or a device, expected a regular file")
        path.open("rb").close()
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}): check the file and its permissions"
        ) from error


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Put a model's path in front of a CheckpointError's message, where it does not stand there."""
    try:
        yield
    except CheckpointError as error:
        if str(path) in str(error):
            raise
        raise CheckpointError(f"{path}: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        CheckpointError: not readable, not JSON, not an object, or of an absurd size.
    """
    check_readable(path)
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise CheckpointError(f"{path}: {path.stat().st_size} bytes, expected at most {MAX_JSON_BYTES} of JSON")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error}); the file is damaged or cut off") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: holds a {type(found).__name__}, expected a JSON object")
    return found


def number(raw: dict[str, Any], key: str, default: float | None = None) -> float:
    """A number of a header, or the default where the key is missing or null.

    Raises:
        ConfigError: something else than a finite number, or missing without a default.
    """
    value = default if raw.get(key) is None else raw[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST_NUMBER:
        raise ConfigError(f"{key} is {_short(value)}, expected a number")
    return float(value)


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < LARGEST_NUMBER else "a number of absurd size"
    return text if len(text) <= 100 else text[:97] + "..."


def whole_number(raw: dict[str, Any], key: str, default: int | None = None) -> int:
    """A whole number of a header, or the default where the key is missing or null.

    Raises:
        ConfigError: something else than a whole number, or missing without a default.
    """
    value = default if raw.get(key) is None else raw[key]
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= LARGEST_NUMBER:
        raise ConfigError(f"{key} is {_short(value)}, expected a whole number")
    return value


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object as indented JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def member(folder: Path, name: object) -> Path:
    """The file that an index calls `name`, which has to lie in the index's folder.

    A plain name may be a link: Hugging Face's cache keeps the files elsewhere and links to them.

    Raises:
        CheckpointError: a name that leads out of the folder, or no regular file of that name.
    """
    parts = name.split("/") if isinstance(name, str) and name.isprintable() else []
    plain = bool(parts) and all(part not in ("", ".", "..") and not set(part) & set("\\:") for part in parts)
    path = folder.joinpath(*parts)
    if not plain or (len(parts) > 1 and not path.resolve().is_relative_to(folder.resolve())):
        raise CheckpointError(f"{folder}: its index names the file {name!r}, expected a name inside the folder")
    if not path.is_file():
        raise CheckpointError(f"{path}: missing, but the folder's index asks for it: download it again")
    return path


def tensor_bytes(tensor: torch.Tensor) -> memoryview:
    """The bytes of a tensor in C order, without a copy where it lies so already."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data


def size_text(size: int) -> str:
    """A number of bytes for a message.

    >>> size_text(812), size_text(2_340_000), size_text(13_000_000_000)
    ('812 bytes', '2.3 MB', '13.0 GB')
    """
    if size < 10**5:
        return f"{size} bytes"
    return f"{size / 1e6:.1f} MB" if size < 10**9 else f"{size / 1e9:.1f} GB"


def check_space(folder: Path, needed_bytes: int) -> None:
    """Raise CheckpointError unless the disk of `folder` has room for `needed_bytes` more."""
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise CheckpointError(
            f"{folder}: {size_text(needed_bytes)} are to be written, {size_text(free)} are free: make room"
        )


def check_output(out: Path, overwrite: bool) -> None:
    """Refuse an output that exists, or with `overwrite` one that is something else than a model.

    Raises:
        CheckpointError: writing there would lose something.
    """
    if not out.parent.is_dir():
        raise CheckpointError(f"{out}: its parent is no folder: make it first")
    if out.is_dir() and any(out.iterdir()):
        if not overwrite:
            raise CheckpointError(f"{out}: exists and is not empty: choose another name, or allow overwriting")
        entries = list(out.iterdir())
        if any(e.is_dir() for e in entries) or not any(e.name in MODEL_FILES for e in entries):
            raise CheckpointError(f"{out}: is not the folder of a model, so it is not overwritten: choose another name")
    elif out.exists() and not out.is_dir() and not overwrite:
        raise CheckpointError(f"{out}: exists: choose another name, or allow overwriting")


@contextlib.contextmanager
def new_folder(out: Path, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its name when the block ends well and vanishes when it does not.

    Raises:
        CheckpointError: see check_output; or the disk refuses to take the files.
    """
    check_output(out, overwrite)
    if out.is_file():
        raise CheckpointError(f"{out}: is a file, but a folder is to be written: choose another name")
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    except OSError as error:
        raise CheckpointError(f"{out}: cannot be written ({error.strerror})") from error
    try:
        partial.chmod(0o777 & ~_umask())
        yield partial
        _flush(partial)
        if out.exists():
            previous = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".previous", dir=out.parent))
            out.rename(previous / out.name)
            partial.rename(out)
            shutil.rmtree(previous)
        else:
            partial.rename(out)
    except OSError as error:
        raise CheckpointError(f"{out}: cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(folder: Path) -> None:
    """Wait until everything in a folder has reached the disk."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
