"""The answers of a notebook, run and judged in one process: of the course's or a teacher's notebook, never a learner's.

The stubs of an assignment must fail, and the answers of its solution pass.
"""

import linecache
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import nbformat

from minillama.course.grading.lessons import Lesson
from minillama.course.grading.rebuilding import definitions
from minillama.course.proving import Fault, said, verdict_of


def answers_of(lesson: Lesson, notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Task id -> what its cell defines, in order, in one process and without a sandbox: for code that is trusted.

    Args:
        lesson: says which cells answer.
        notebook: an assignment or solution; of its other cells come imports, definitions and constants.
    """
    module = ModuleType("answers")
    found: dict[str, Any] = {}
    for cell in notebook.cells:
        task = lesson.wanted.get(cell.id)
        if cell.cell_type != "code" or (task is None and "check" in cell.metadata.get("tags", [])):
            continue
        source = cell.source if task is not None else definitions(cell.source)
        name = f"<{lesson.stem}, cell {cell.id}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), vars(module))
        if task is not None:
            found[task] = getattr(module, lesson.tasks[task].name, ...)
    return found


def notebook_faults(lesson: Lesson, notebook: nbformat.NotebookNode, wanted: Mapping[str, str]) -> Iterator[Fault]:
    """Each answer of a notebook gets the verdict that it has to.

    Args:
        lesson, notebook: as `answers_of` takes them.
        wanted: kind of task -> status; "" for every other kind.
    """
    try:
        answers = answers_of(lesson, notebook)
    except Exception as error:  # a teacher's own code may raise anything
        yield Fault(
            task=lesson.stem, where="its cells", got=f"{type(error).__name__}: {error}",
            expected="definitions that run", remedy="run the notebook from top to bottom",
        )  # fmt: skip
        return
    for name, answer in answers.items():
        task = lesson.tasks[name]
        verdict = verdict_of(task, answer, 3)
        if verdict.status != wanted.get(task.kind, wanted[""]):
            yield Fault(
                task=name, where=f"the answer in {lesson.stem}", got=said(verdict),
                expected=wanted.get(task.kind, wanted[""]), remedy="mend the cell, or the record",
            )  # fmt: skip
