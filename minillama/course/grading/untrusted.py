"""Reading what strangers hand in: files, archives and names. Nothing here executes, follows or trusts anything."""

import contextlib
import errno
import os
import stat
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from minillama.errors import DataError

MAX_FILE_BYTES = 20 << 20  # of one notebook, pictures and all
MAX_ARCHIVE_BYTES = 2 << 30  # that are taken out of the archive of a class
MAX_OWN_BYTES = 5 * MAX_FILE_BYTES  # of one learner's archive, and that are taken out of it
MAX_MEMBERS = 20_000
MAX_DEPTH = 20  # folders in folders
MAX_NAME = 120  # characters of a name that are kept
IGNORED = ("__MACOSX", ".ipynb_checkpoints", ".git", ".DS_Store")
KEPT_SUFFIXES = (".ipynb", ".zip", ".yml")
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others unpack a few bytes to gigabytes in one step
ESCAPED = {0xDC00 + byte: byte for byte in range(128, 256)}  # how Python writes the bytes of a name that is not UTF-8


def clean_name(text: str) -> str:
    """A name without anything that could be more than letters on a page: control and formatting characters, line
    ends, what turns the direction of writing; and of a length that fits. Bytes that are not UTF-8 are read as Latin-1.

    >>> clean_name("Ada\\u202eLovelace\\n"), clean_name("Jos\\udce9")
    ('AdaLovelace', 'José')
    """
    text = text.translate(ESCAPED)
    composed = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    kept = "".join(" " if each in "\t\n\r" else each for each in composed)
    kept = "".join(each for each in kept if not unicodedata.category(each).startswith(("C", "Zl", "Zp")))
    return " ".join(kept.split()).lstrip(". ")[:MAX_NAME].strip() or "unnamed"


def clean_text(text: str) -> str:
    """Text of several lines without anything that is not seen: a space stands for it.

    >>> clean_text("a\\x1b[31m\\nb\\ud800")
    'a [31m\\nb?'
    """
    kept = text.encode("utf-8", "replace").decode("utf-8")
    hidden = ("C", "Zl", "Zp")
    return "".join(each if each == "\n" or not unicodedata.category(each).startswith(hidden) else " " for each in kept)


def read_regular(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a file that is a file: no link, device or pipe, and not too large.

    Raises:
        DataError: it is none of that.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise DataError(f"got a file that cannot be opened ({error.strerror}), expected a notebook") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise DataError("got something that is no plain file, expected a notebook")
    with os.fdopen(handle, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise DataError(f"got more than {limit >> 20} MB, expected a notebook: clear its outputs and save it")
    return data


def plain_files(folder: Path, depth: int = MAX_DEPTH) -> Iterator[tuple[PurePosixPath, Path, str]]:
    """Every file below a folder, by name, with its path from there; links are reported, and not followed.

    Args:
        folder: where to look.
        depth: how many folders may lie in one another.

    Yields:
        (path from the folder, the file, why it is not to be read or "").

    Raises:
        OSError: the folder itself cannot be read.
    """
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        name, path = PurePosixPath(entry.name), Path(entry.path)
        if entry.name in IGNORED or entry.name.startswith("."):
            continue
        if entry.is_symlink():
            yield name, path, "got a symbolic link, expected a file: links are not followed"
        elif entry.is_dir(follow_symlinks=False):
            try:
                inside = list(plain_files(path, depth - 1)) if depth else []
            except OSError as error:
                yield (
                    name / "folder",
                    path,
                    f"got a folder that cannot be read ({error.strerror}): give it to the reader",
                )
                continue
            yield from ((name / below, file, problem) for below, file, problem in inside)
            if not depth:
                yield name / "folder", path, f"got more than {MAX_DEPTH} folders in one another, expected a notebook"
        elif name.suffix.lower() in KEPT_SUFFIXES:
            regular = entry.is_file(follow_symlinks=False)
            yield name, path, "" if regular else "got something that is no plain file"


def archive_members(
    archive: Path, into: Path, most: int = MAX_ARCHIVE_BYTES
) -> Iterator[tuple[PurePosixPath, Path, str]]:
    """Notebooks and archives inside an archive, each copied to a numbered file: a member's path decides nothing.

    Args:
        archive: of the format zip.
        into: an empty folder.
        most: bytes that are taken out of it.

    Yields:
        As `plain_files`; the path is without "..", drive or root.

    Raises:
        DataError: no such archive, or one too large to be one of homework; without the archive's name.
        OSError: the disk is full.
    """
    with contextlib.ExitStack() as stack:
        try:
            opened = stack.enter_context(zipfile.ZipFile(archive))
        except Exception as error:  # zipfile, struct and codecs each have errors of their own for damaged data
            raise DataError(f"got no readable zip archive ({error}), expected one: pack it again") from error
        members = opened.infolist()
        if len(members) > MAX_MEMBERS:
            raise DataError(f"got an archive of {len(members)} members, expected at most {MAX_MEMBERS}")
        left = most
        for number, member in enumerate(sorted(members, key=lambda each: each.filename)):
            parts = [part for part in member.filename.replace("\\", "/").split("/") if part not in ("", ".", "..")]
            path = PurePosixPath(*parts) if parts else PurePosixPath("unnamed")
            is_folder = member.filename.endswith("/")
            if is_folder or set(parts) & set(IGNORED) or path.suffix.lower() not in KEPT_SUFFIXES:
                continue
            target = into / f"{number:05}{path.suffix.lower()}"
            problem = _member_problem(member)
            if not problem:
                problem, used = _copy(opened, member, target, min(left, _limit_of(path)))
                left -= used
            yield path, target, problem


def _limit_of(path: PurePosixPath) -> int:
    return MAX_FILE_BYTES if path.suffix.lower() == ".ipynb" else MAX_OWN_BYTES


def _member_problem(member: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(member.external_attr >> 16):
        return "got a symbolic link, expected a file: links are not followed"
    if member.flag_bits & 1:
        return "got an encrypted member, expected a notebook: pack it without a password"
    return (
        "" if member.compress_type in PACKED else "got a member that is packed in an unusual way: pack it again as zip"
    )


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int) -> tuple[str, int]:
    """Copy one member as far as it may go; what it says about its own size is not believed."""
    used = 0
    try:
        with opened.open(member) as source, target.open("wb") as copy:
            used = _pump(source, copy, limit)  # type: ignore[arg-type]
    except Exception as error:  # zlib and zipfile each have errors of their own for damaged data
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # a full disk is no fault of the archive
        target.write_bytes(b"")
        return f"got a damaged member of an archive ({type(error).__name__}): pack it again", used
    if used > limit:
        target.write_bytes(b"")
        return f"got more than {limit >> 20} MB, expected a notebook: clear its outputs and save it", used
    return "", used


def _pump(source: BinaryIO, copy: BinaryIO, limit: int) -> int:
    used = 0
    while used <= limit and (block := source.read(1 << 16)):
        used += len(block)
        copy.write(block)
    return used
