"""Arguments that several commands take, and how they are read."""

import codecs
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from minillama.errors import ConfigError

ModelArgument = Annotated[
    str | None,
    typer.Argument(
        help="A folder or file of weights, or a downloaded name; left out, the bundled model.", metavar="[MODEL]"
    ),
]
TokenizerOption = Annotated[Path | None, typer.Option(help="A tokenizer file, where the weights bring none.")]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Threads for the arithmetic.")]
QuantOption = Annotated[str | None, typer.Option(help="q8_0 or q4_0 quantize while loading, none undoes it.")]
CacheTypeOption = Annotated[str | None, typer.Option(help="f16 or q8_0: how the engine keeps keys and values.")]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
DtypeOption = Annotated[str | None, typer.Option(help="float32, bfloat16 or float16; left out, what fits.")]
RevisionOption = Annotated[str | None, typer.Option(help="Branch, tag or commit of the repository.")]
PiecesOption = Annotated[
    Path | None, typer.Option(help="A folder of your own pieces, my_llama for one; it is run as Python.")
]
MAX_TEXT_BYTES = 64 << 20  # far more than any context holds


def use_threads(count: int | None) -> None:
    """Hold torch and Numba to a number of threads."""
    if count is not None:
        import numba
        import torch

        torch.set_num_threads(count)
        numba.set_num_threads(min(count, vars(numba.config)["NUMBA_NUM_THREADS"]))


def use_cache_type(model: Any, cache_type: str | None) -> None:
    """Let a model's caches be of a type.

    Raises:
        ConfigError: no such type, or a model of the torch engine, whose caches are of its weights' type.
    """
    if cache_type is None:
        return
    if not hasattr(model, "cache_type"):
        raise ConfigError(
            f"--cache-type is {cache_type}, but float weights keep a cache of their own type: "
            "load the model with --quant q8_0 or q4_0"
        )
    model.cache_type = cache_type


def find_model(name: str | None, others: Iterable[str] = ()) -> Path:
    """The path of a MODEL argument: one that exists, or where a downloaded name lies; the bundled model without one.

    Args:
        name: the argument.
        others: names that the command takes besides, for the error.

    Raises:
        typer.BadParameter: neither.
    """
    if name is None:
        from minillama.checkpoint.bundled import bundled_model

        return bundled_model()
    if not name:
        raise typer.BadParameter("MODEL is empty, perhaps an unset variable: name it, or leave it out altogether")
    path = Path(name)
    if path.exists():
        return path
    from minillama.checkpoint.catalogue import CATALOGUE
    from minillama.checkpoint.download import models_folder

    weights = CATALOGUE.get(name.lower())
    if weights is None:
        besides = f", nor one of {', '.join(others)}" if others else ""
        raise typer.BadParameter(
            f"{name}: no such file or folder, and no name that `minillama download` lists{besides}"
        )
    folder = models_folder() / weights.repository.replace("/", "--")
    found = folder / weights.files[0] if weights.files else folder
    if not found.exists():
        raise typer.BadParameter(f"{name} is not on this machine: run `minillama download {name}` first")
    return found


def optional_model(words: list[str], rest: str) -> tuple[str | None, str]:
    """Split "[MODEL] REST", where the first may be left out.

    >>> optional_model(["model.gguf", "Hello"], "TEXT"), optional_model(["Hello"], "TEXT")
    (('model.gguf', 'Hello'), (None, 'Hello'))
    """
    if len(words) not in (1, 2):
        raise typer.BadParameter(f"got {len(words)} arguments, expected [MODEL] {rest}; quote text that has spaces")
    return (words[0] if len(words) == 2 else None), words[-1]


def read_text(text: str | None, file: Path | None, option: str) -> str:
    """Text of the command line, of a file, or of standard input for "-"; the last two lose one final newline.

    Raises:
        typer.BadParameter: both, a closed standard input, more than MAX_TEXT_BYTES, or bytes that are not UTF-8.
    """
    if text is not None and file is not None:
        raise typer.BadParameter(f"got {option} and {option}-file, expected one of them")
    if file is not None and str(file) != "-":
        return read_text_file(file)
    if file is not None or text == "-":
        if sys.stdin is None:
            raise typer.BadParameter("standard input is closed: send the text to it, or name a file")
        return decode(_read_all(sys.stdin.buffer, "standard input"), "standard input")
    # The shell's bytes come as surrogates where they are no UTF-8.
    return decode(os.fsencode(text), option, drop_newline=False) if text else ""


def read_text_file(file: Path, drop_newline: bool = True) -> str:
    """The text of a file or pipe; see `read_text`."""
    with file.open("rb") as stream:
        return decode(_read_all(stream, str(file)), str(file), drop_newline)


def _read_all(stream: BinaryIO, source: str) -> bytes:
    content = stream.read(MAX_TEXT_BYTES + 1)  # a device may have no end
    if len(content) > MAX_TEXT_BYTES:
        raise typer.BadParameter(f"{source} holds more than {MAX_TEXT_BYTES >> 20} MiB of text: take less of it")
    return content


def decode(content: bytes, source: str, drop_newline: bool = True) -> str:
    """UTF-8 to text, without a byte order mark.

    Raises:
        typer.BadParameter: other bytes.
    """
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            f"{source} is not UTF-8: byte 0x{content[error.start]:02x} at position {error.start}; save it as UTF-8"
        ) from error
    return text.removesuffix("\n").removesuffix("\r") if drop_newline and text.endswith("\n") else text
