"""Which code is the learner's: the line where an answer failed, and calls that its task forbids."""

import contextlib
import functools
import inspect
import linecache
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

PACKAGE = str(Path(__file__).resolve().parents[1])
LIBRARIES = (PACKAGE, *(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")))


class ForbiddenCallError(BaseException):
    """Raised inside an answer that calls what its task forbids; no `except Exception` of the learner's catches it."""


def is_own(filename: str) -> bool:
    """Is this file the learner's: neither the package's nor a library's?"""
    return not filename.startswith((*LIBRARIES, "<frozen")) and "site-packages" not in filename


def blame(error: BaseException) -> tuple[str, str]:
    """The line of the answer that led to an error, and that of another function of the learner's where it arose.

    Returns:
        "line 3: ..." and "`apply_rope`, line 2: ..."; the second is empty where the answer itself raised, both where
        no line of the learner's was on the way.
    """
    steps = [step for step in traceback.walk_tb(error.__traceback__) if is_own(step[0].f_code.co_filename)]
    if not steps:
        return "", ""
    entered = _name(steps[0][0])
    last = next((i for i, (frame, _) in enumerate(steps) if not _is_part(_name(frame), entered)), len(steps)) - 1
    elsewhere = "" if last == len(steps) - 1 else f"`{_name(steps[-1][0])}`, {_line(*steps[-1])}"
    return _line(*steps[last]), elsewhere


def _name(frame: FrameType) -> str:
    return frame.f_code.co_qualname


def _is_part(name: str, whole: str) -> bool:
    return name == whole or name.startswith(f"{whole}.<locals>.")


def _line(frame: FrameType, number: int) -> str:
    text = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    return f"line {number}: {text}" if text else f"line {number}"


def find(dotted: str) -> Any:
    """The object that "module:name" stands for; None where its library is not installed."""
    module, _, name = dotted.partition(":")
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        return None
    for part in name.split("."):
        found = getattr(found, part)
    return found


@contextlib.contextmanager
def forbid(dotted: Sequence[str]) -> Iterator[None]:
    """Raise ForbiddenCallError in the block where code of the learner's calls one of these, however it got hold of it.

    Where anything is forbidden, so are the course's own modules, which hold implementations of every task.

    Args:
        dotted: "module:name" of functions or classes.
    """
    if not dotted:
        yield
        return
    codes = dict(_course_codes())
    builtins: dict[str, str] = {}
    for each in dotted:
        target = find(each)
        if target is None:
            continue
        function = vars(target).get("__init__") if isinstance(target, type) else target
        # a decorator's code is that of all that it decorates
        code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
        name = each.replace(":", ".")
        if code is not None:
            codes[code] = name
        else:
            builtins[getattr(target, "__qualname__", each)] = name

    def watch(frame: FrameType, event: str, argument: Any) -> None:  # runs at every call: an import makes a million
        if event == "call":
            if frame.f_code in codes and _asked_by_learner(frame.f_back):
                raise ForbiddenCallError(codes[frame.f_code])
        elif event == "c_call" and builtins and is_own(frame.f_code.co_filename):
            name = builtins.get(getattr(argument, "__qualname__", ""))
            if name is not None:
                raise ForbiddenCallError(name)

    previous = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(previous)


def _course_codes() -> dict[CodeType, str]:
    """The functions in the modules of tasks, each under one name for all."""
    return _codes_of(tuple(name for name in sys.modules if name.startswith("minillama.course.tasks")))


@functools.cache
def _codes_of(modules: tuple[str, ...]) -> dict[CodeType, str]:
    """The same for modules of these names; looking through all of them takes longer than most answers."""
    spaces = (vars(sys.modules[name]) for name in modules)
    functions = (each for space in spaces for each in space.values() if isinstance(each, FunctionType))
    own = (inspect.unwrap(each) for each in functions if each.__module__.startswith("minillama.course"))
    return {each.__code__: "minillama.course" for each in own}


def _asked_by_learner(frame: FrameType | None) -> bool:
    """Walk back over libraries, such as torch.vmap, to who asked."""
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        if is_own(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False
