"""Reading and writing tokenizer files whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minillama.errors import TokenizerError
from minillama.files import new_file

MAX_FILE_BYTES = 1 << 28  # the largest published tokenizer files have some 20 MB


def read_bytes(path: str | Path) -> bytes:
    """The content of a tokenizer file.

    Raises:
        TokenizerError: there is no such file, it cannot be read, or it is far too large.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise TokenizerError(f"{path}: no such file; give the path of a tokenizer file")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise TokenizerError(f"{path}: {size} bytes, expected a tokenizer file of at most {MAX_FILE_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise TokenizerError(
            f"{path}: cannot be read ({error.strerror}); check the path and its permissions"
        ) from error


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        TokenizerError: the folder is missing, or may not be written to.
    """
    path = Path(path)
    try:
        with new_file(path) as file:
            file.write(content)
    except OSError as error:
        raise TokenizerError(f"{path}: cannot be written ({error.strerror}); check the folder") from error


@contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Put the file's path in front of a TokenizerError's message."""
    try:
        yield
    except TokenizerError as error:
        raise TokenizerError(f"{path}: {error}") from error
