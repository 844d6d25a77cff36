"""The prints of one submission: read in a process of their own, and told from what everybody is given and may read."""

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from minillama.course.grading.lessons import Lesson
from minillama.course.grading.records import AnswerPrint
from minillama.course.grading.similarity import normal
from minillama.course.record import Task
from minillama.course.releasing import stub

COMPARED = ("complete", "rebuild", "vary", "diagnose", "test", "experiment")  # kinds whose answers are code or prose
WAIT_SECONDS = 60  # for one process, on a machine that is busy


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a lesson's answers hold without being anybody's own: task -> prints.

    Args:
        given: of the cell that everybody starts with.
        public: of solutions, lesson and package, which everybody may read.
    """

    given: Mapping[str, frozenset[int]]
    public: Mapping[str, frozenset[int]]


def known_prints(lesson: Lesson) -> Known:
    """What is given, and what is public, for each task of a lesson."""
    cells = {each.id: each.source for each in lesson.notebook.cells if each.cell_type == "code"}
    common = frozenset().union(*map(_prints, [*cells.values(), *lesson.code]))
    modules = {task.id: _modules(task) for task in lesson.tasks.values()}
    files = {
        each: _prints(each.read_text(encoding="utf-8")) for each in {file for own in modules.values() for file in own}
    }
    return Known(
        given={task: _prints(stub(cells[cell])[0]) for cell, task in lesson.wanted.items()},
        public={task: common.union(*(files[each] for each in own)) for task, own in modules.items()},
    )


def _prints(source: str) -> frozenset[int]:
    with contextlib.suppress(SyntaxError, ValueError):
        return normal.prints_of(source)
    return frozenset()


def _modules(task: Task) -> list[Path]:
    """The files that hold the definition which a task asks for."""
    names = {task.piece.partition(":")[0]} if task.piece else set()
    names.add(str(getattr(task.reference, "__module__", "")))
    found = [find_spec(each) for each in sorted(names) if each.startswith("minillama.")]
    return [Path(each.origin) for each in found if each is not None and each.origin]


def prints_of_answers(sources: Mapping[str, str], tasks: Mapping[str, Task], known: Known) -> tuple[AnswerPrint, ...]:
    """The prints of the answers to one lesson, in the order of its tasks.

    Args:
        sources: task -> the answer as it was handed in.
        tasks: id -> record.
        known: see Known.
    """
    wanted = {name: sources[name] for name, task in tasks.items() if name in sources and task.kind in COMPARED}
    return tuple(_answer(name, found, known) for name, found in read_apart(wanted).items())


def _answer(task: str, found: frozenset[int] | None, known: Known) -> AnswerPrint:
    if found is None:
        return AnswerPrint(task=task, readable=False)
    written = found - known.given[task]
    own = written - known.public[task]
    share = round(1 - len(own) / len(written), 4) if written else 0.0
    return AnswerPrint(task=task, size=len(written), public=share, own=pack(own))


def pack(prints: Iterable[int]) -> str:
    """Prints as text.

    >>> sorted(unpack(pack({7, 1})))
    [1, 7]
    """
    return base64.b64encode(np.array(sorted(prints), dtype="<u4").tobytes()).decode("ascii")


def unpack(text: str) -> frozenset[int]:
    """The prints that `pack` wrote."""
    return frozenset(np.frombuffer(base64.b64decode(text), dtype="<u4").tolist())


def read_apart(sources: Mapping[str, str]) -> dict[str, frozenset[int] | None]:
    """The prints of sources that nobody trusts: name -> prints, or None where a source cannot be read.

    A source that ends the process takes only itself along.
    """
    found: dict[str, frozenset[int] | None] = {}
    while len(found) < len(sources):
        left = {name: source for name, source in sources.items() if name not in found}
        for line in _run(left):
            with contextlib.suppress(ValueError, TypeError):
                name, prints = json.loads(line)
                found[name] = None if prints is None else frozenset(prints)
        ended_by = next((name for name in left if name not in found), None)
        if ended_by is not None:
            found[ended_by] = None
    return {name: found[name] for name in sources}


def _run(sources: Mapping[str, str]) -> list[str]:
    command = [sys.executable, "-I", "-B", normal.__file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="ascii"
    ) as process:
        try:
            text, _ = process.communicate(json.dumps({"sources": dict(sources)}), timeout=WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            text, _ = process.communicate()
    return text.splitlines()
