"""What every command shares: options, logging, and errors as one line with an exit code.

Exit codes: 0 done, 1 a closed pipe, a check of `doctor` that failed or a gate of `gates` that is not met, 2 an error
that the user can mend, 130 Ctrl-C.
"""

import contextlib
import functools
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from minillama.cli.wording import in_options
from minillama.errors import MinillamaError

if TYPE_CHECKING:
    from rich.console import Console

# Typer carries its own click under a private name, so the root of its errors is found through a public one.
ClickError: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
PIPE_WIDTH = 200  # columns of a table that no terminal limits
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")  # how torch's allocators put it


@dataclass
class Settings:
    """What the options that every command has ask for."""

    debug: bool = False
    quiet: bool = False
    verbose: bool = False


settings = Settings()


SHARED: dict[str, Any] = {
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Say what is done.")],
}


def shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command --debug, --quiet and --verbose, which the program has before the command's name too."""

    @functools.wraps(function)
    def run(debug: bool = False, quiet: bool = False, verbose: bool = False, **options: Any) -> None:
        settings.debug |= debug
        settings.quiet |= quiet
        settings.verbose |= verbose
        start_logging()
        function(**options)

    signature = inspect.signature(function)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in SHARED.items()
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])  # type: ignore[attr-defined]
    run.__annotations__ = function.__annotations__ | SHARED
    return run


class Application(TyperGroup):
    """The whole program: runs a command and ends with its exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; without any word, it asks for the help."""
        return super().parse_args(ctx, args or ["--help"])

    def main(self, *args: Any, **kwargs: Any) -> None:
        """Run; never returns."""
        vars(settings).update(vars(Settings()))
        mend_streams()
        with contextlib.suppress(AttributeError, ValueError):
            sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        start_logging()
        kwargs["standalone_mode"] = False
        with errors_as_lines():
            code = super().main(*args, **kwargs)
            sys.stdout.flush()
            sys.exit(code if isinstance(code, int) else 0)


def mend_streams() -> None:
    """Put the null device where a standard stream is closed, so that no file takes its number and no note strays.

    Standard input stays None, and a closed standard output ends the program: the results have nowhere to go.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    if sys.stdout is None:
        print("error: standard output is closed: open it, or send it to a file", file=sys.stderr, flush=True)
        sys.exit(1)


def start_logging() -> None:
    """Send the package's log to standard error, at the level that the options ask for."""
    level = logging.ERROR if settings.quiet else logging.INFO if settings.verbose else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger("minillama")
    root.handlers[:] = [handler]
    root.setLevel(level)


def note(text: str) -> None:
    """One line for people on standard error; nothing with --quiet."""
    if not settings.quiet:
        print(text, file=sys.stderr, flush=True)


def console() -> "Console":
    """Where tables go: standard output, plain and wide where that is no terminal."""
    from rich.console import Console

    return (
        Console(highlight=False) if sys.stdout.isatty() else Console(width=PIPE_WIDTH, highlight=False, no_color=True)
    )


@contextlib.contextmanager
def errors_as_lines() -> Iterator[None]:
    """Turn what a user can cause into `error: ...` on standard error and an exit code; a bug keeps its traceback."""
    try:
        yield
    except BrokenPipeError:
        # The reader has gone: nothing is left to say, and the interpreter must not flush into the pipe once more.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        line = one_line(error)
        if line is None:
            raise
        if settings.debug:
            traceback.print_exc()
        print(f"error: {line}", file=sys.stderr, flush=True)
        sys.exit(2)


def one_line(error: Exception) -> str | None:
    """What to tell the user about an error; None when it is a fault of the program.

    >>> one_line(FileNotFoundError(2, "No such file or directory", "weights.gguf"))
    'weights.gguf: No such file or directory'
    """
    if isinstance(error, ClickError):
        text = error.format_message().removeprefix("Invalid value: ")
    elif isinstance(error, MinillamaError):
        text = in_options(str(error))
    elif isinstance(error, MemoryError):
        text = str(error) or "out of memory: take a smaller model, or --quant q4_0"
    elif isinstance(error, UnicodeError):
        text = f"text that is not UTF-8 ({error}): save it as UTF-8"
    elif isinstance(error, OSError):
        text = f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror or str(error)
    elif isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY):
        text = "out of memory: take a smaller model, a shorter context, or --quant q4_0"
    else:
        return None
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split()) or type(error).__name__
