"""How far long work has come, on standard error."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from minillama.cli.app import settings

SECONDS_BETWEEN_LINES = 10.0  # in a log file, where no bar can move

Report = Callable[[int, int, str], None]


@contextlib.contextmanager
def progress() -> Iterator[Report]:
    """A bar in a terminal, a line now and then elsewhere, nothing with --quiet.

    Yields:
        report(done, total, text), to be called as often as one likes.
    """
    if settings.quiet:
        yield lambda done, total, text: None
    elif not sys.stderr.isatty():
        yield _lines()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("preparing", total=None)
            yield lambda done, total, text: bar.update(task, completed=done, total=total, description=text)


def _lines() -> Report:
    last = time.monotonic()

    def report(done: int, total: int, text: str) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    return report
