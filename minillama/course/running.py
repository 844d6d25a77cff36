"""Run a learner's answer and keep what came of it: it may loop, print, raise, or change what it was given."""

import contextlib
import ctypes
import io
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minillama.course.compiling import compile_error
from minillama.course.drivers import DRIVERS, RejectedError
from minillama.course.plain import Array, to_input, to_plain
from minillama.course.record import Case, Task
from minillama.course.tracing import ForbiddenCallError, blame, forbid

Limit = Callable[[float], contextlib.AbstractContextManager[None]]
MAX_PRINTED = 2_000  # characters that are kept


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one call gave; nothing in it is the learner's object.

    Args:
        output: plain value.
        error: "TypeError: ..." where it raised, or what compile_error says.
        error_line: the line of the answer that did, with its number.
        error_in: another function of the learner's in which it arose, with its line.
        kind: "returned", "raised", "stub" (NotImplementedError, or an Ellipsis left standing), "forbidden" (`error`
            says what was called) or "too slow".
        changed: numbers of the arguments that are not what they were before the call.
        printed: the beginning of what was printed.
        seconds: how long it took.
    """

    output: Any = None
    error: str = ""
    error_line: str = ""
    error_in: str = ""
    kind: str = "returned"
    changed: tuple[int, ...] = ()
    printed: str = ""
    seconds: float = 0.0


class OutOfTimeError(BaseException):
    """Raised inside an answer that runs too long; no `except Exception` of the learner's catches it."""


class _Beginning(io.TextIOBase):
    """A stream that keeps the first characters and drops the rest."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.room = MAX_PRINTED

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.room > 0:
            self.kept.append(text[: self.room])
            self.room -= len(text)
        return len(text)


def observe(
    task: Task, answer: Any, cases: Sequence[Case], limit: Limit | None = None,
    told: Callable[[Observation], None] | None = None,
) -> list[Observation]:  # fmt: skip
    """Run an answer on every case; after a call that takes too long, or a stub, the rest is not tried.

    Args:
        task: its kind, driver, framework and time limit are used, never its reference.
        answer: a function or class; for a trace, a dict from question to value.
        cases: what to try.
        limit: raises OutOfTimeError in its block after so many seconds; by the clock where none is given.
        told: called with what each call gave, before the next one.
    """
    found: list[Observation] = []
    named = task.kind in ("trace", "experiment")
    for case in cases:
        seen = _observe_value(answer, case) if named else _observe_call(task, answer, case, limit or limit_by_clock)
        found.append(seen)
        if told is not None:
            told(seen)
        if not named and seen.kind in ("too slow", "stub", "forbidden"):
            break
    return found


def _observe_value(answer: Any, case: Case) -> Observation:
    value = answer.get(case.name, ...) if isinstance(answer, dict) else ...
    return Observation(kind="stub") if value is ... else Observation(output=to_plain(value))


def _observe_call(task: Task, answer: Any, case: Case, limit: Limit) -> Observation:
    inputs = [to_input(value, task.framework) for value in case.args]
    beginning, started = _Beginning(), time.perf_counter()
    output: Any = None
    error, lines, kind = "", ("", ""), "returned"
    try:
        with (
            contextlib.redirect_stdout(beginning),
            contextlib.redirect_stderr(beginning),
            limit(task.time_limit_s),
            forbid(task.forbidden),
        ):
            output = to_plain(DRIVERS[task.driver](answer, *inputs))
    except OutOfTimeError:
        kind = "too slow"
    except ForbiddenCallError as raised:
        kind, error = "forbidden", str(raised)
    except NotImplementedError as raised:
        kind, error, lines = "stub", str(raised), blame(raised)
    except RejectedError as raised:
        cause = raised.__cause__ or raised
        output, error, lines = False, _named(cause), blame(cause)
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # sys.exit() in an answer must not end the kernel
        kind, (error, lines) = "raised", compile_error(raised) or (_named(raised), blame(raised))
    changed = tuple(i for i, value in enumerate(case.args) if not _unchanged(value, inputs[i]))
    return Observation(
        output=output, error=error, error_line=lines[0], error_in=lines[1], kind=kind, changed=changed,
        printed="".join(beginning.kept), seconds=time.perf_counter() - started,
    )  # fmt: skip


def _named(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) < 300 else text[:297] + "..."


def _unchanged(value: Any, given: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) == len(given) and all(map(_unchanged, value, given))
    if isinstance(value, dict):
        return value.keys() == given.keys() and all(_unchanged(each, given[key]) for key, each in value.items())
    if not isinstance(value, np.ndarray):
        return not isinstance(value, str | int) or value == given
    after = to_plain(given)
    if not isinstance(after, Array) or after.data.shape != value.shape:
        return False
    return np.array_equal(after.data, value.astype(after.data.dtype), equal_nan=value.dtype.kind == "f")


@contextlib.contextmanager
def limit_by_clock(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the block after so long, and again every second until it listens."""
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and hasattr(signal, "setitimer"):
        with _limit_by_signal(signal.ITIMER_REAL, signal.SIGALRM, seconds):
            yield
    else:
        with _limit_by_thread(seconds):
            yield


@contextlib.contextmanager
def limit_by_processor(seconds: float, patience: float) -> Iterator[None]:
    """The same after so many seconds of this process's processor time, or `patience` times as many by the clock.

    Only for the main thread, where there are alarms, of a process that does nothing else.
    """
    with (
        _limit_by_signal(signal.ITIMER_PROF, signal.SIGPROF, seconds),
        _limit_by_signal(signal.ITIMER_REAL, signal.SIGALRM, seconds * patience),
    ):
        yield


@contextlib.contextmanager
def _limit_by_signal(timer: int, number: int, seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise OutOfTimeError

    previous = signal.signal(number, stop)
    signal.setitimer(timer, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, previous)


@contextlib.contextmanager
def _limit_by_thread(seconds: float) -> Iterator[None]:
    """Where there are no alarms: reaches Python code only, not a call that sleeps in C."""
    done, thread = threading.Event(), threading.get_ident()
    raise_in: Callable[..., int] = ctypes.pythonapi.PyThreadState_SetAsyncExc

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            raise_in(ctypes.c_ulong(thread), ctypes.py_object(OutOfTimeError))
            wait = 1.0

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
