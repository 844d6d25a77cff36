"""What the notebook of an assignment must do: stubs fail, answers pass, nothing leaks, and all of it can be graded.

Answers run here in one process and without a sandbox: this is for notebooks of the course or of a teacher, never a
learner's.
"""

import linecache
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat

from minillama.course.grading.asking import ask
from minillama.course.grading.assigning import Handout, assigned_notebook
from minillama.course.grading.lessons import Lesson
from minillama.course.grading.rebuilding import definitions
from minillama.course.linting import lint_assignment
from minillama.course.proving import Fault, said, verdict_of
from minillama.course.quizzes import all_quizzes
from minillama.course.record import Task
from minillama.course.releasing import exercise_of, leaks
from minillama.errors import ConfigError, DataError

LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
QUIZ = re.compile(r'course\.quiz\("([^"]+)"')
CHECK = re.compile(r'course\.(?:check|hint|promote|where)\(\s*"([^"]+)"')


def lesson_faults(lesson: Lesson, folder: Path, *, public: bool) -> Iterator[Fault]:
    """Everything about one notebook.

    Args:
        lesson: of the course, or of a pack.
        folder: where the notebook lies.
        public: learners have its records, so that they can check their answers.
    """
    yield from text_faults(lesson, folder, public=public)
    for problem in lint_assignment(lesson.notebook):
        yield Fault(
            task=lesson.stem, where="the lint", got=problem, expected="a notebook that reads well",
            remedy="change the cell",
        )  # fmt: skip
    yield from asking_faults(lesson)
    yield from release_faults(lesson)


def text_faults(lesson: Lesson, folder: Path, *, public: bool) -> Iterator[Fault]:
    """Every task has its line above it, and its check where there can be one; quizzes and links are there."""
    prose = "\n".join(cell.source for cell in lesson.notebook.cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in lesson.notebook.cells if cell.cell_type == "code")
    for task in lesson.tasks.values():
        if task.headline not in prose:
            yield Fault(
                task=task.id, where=f"{lesson.stem}, the line under its heading", got="another one, or none",
                expected=task.headline, remedy="copy it from here",
            )  # fmt: skip
        if task.lesson != lesson.stem:
            yield Fault(
                task=task.id, where="lesson", got=repr(task.lesson), expected=repr(lesson.stem),
                remedy="name the notebook that asks for it",
            )  # fmt: skip
        call = f'course.check("{task.id}", {task.name})'
        if public and call not in code:
            yield Fault(
                task=task.id, where=lesson.stem, got="no cell that checks it", expected=call, remedy="add one"
            )  # fmt: skip
    for name in [] if public else CHECK.findall(code):
        yield Fault(
            task=lesson.stem, where="a cell of code", got=f"course.…({name!r})", expected="none in a pack",
            remedy="learners have no record of it: give an example that they can try instead",
        )  # fmt: skip
    for name in QUIZ.findall(code):
        if name not in all_quizzes():
            yield Fault(
                task=lesson.stem, where="course.quiz", got=repr(name), expected="a quiz of the course",
                remedy="correct its name",
            )  # fmt: skip
    for target in LINK.findall(prose):
        if "://" not in target and not (folder / target).exists():
            yield Fault(
                task=lesson.stem, where="a link", got=repr(target), expected="a file that is there",
                remedy="correct it, or take it out",
            )  # fmt: skip


def asking_faults(lesson: Lesson) -> Iterator[Fault]:
    """The inputs of every task can be sent to the process that grades."""
    for task in lesson.tasks.values():
        try:
            asked = ask(task, 7, "nonce")
            compile(asked.source, "<asked>", "exec")
        except Exception as error:  # a teacher's own code may raise anything
            yield Fault(
                task=task.id, where="its inputs", got=f"{type(error).__name__}: {error}",
                expected="plain values, or Made of a function at the top of the record's file",
                remedy="move what it needs there",
            )  # fmt: skip


def release_faults(lesson: Lesson) -> Iterator[Fault]:
    """Every variant can be assigned, nothing leaks, the stubs fail, and the solution's answers pass."""
    try:
        exercise, taken = exercise_of(lesson.notebook)
    except DataError as error:
        yield Fault(
            task=lesson.stem, where="the marks of its answers", got=str(error),
            expected="# answer: ... and # end, in cells tagged answer", remedy="correct them",
        )  # fmt: skip
        return
    for line in leaks(exercise, taken):
        yield Fault(
            task=lesson.stem, where="what learners are given", got=f"the answer's line {line!r}",
            expected="nothing of an answer", remedy="reword it",
        )  # fmt: skip
    if not leaks(exercise, taken):
        yield from _variant_faults(lesson)
    yield from verdict_faults(lesson, exercise, stubs=True)
    yield from verdict_faults(lesson, lesson.notebook, stubs=False)


def _variant_faults(lesson: Lesson) -> Iterator[Fault]:
    for task in lesson.tasks.values():
        for variant in task.members:
            try:
                handout = Handout(lesson=lesson, points={task.id: task.points}, name=lesson.stem)
                assigned_notebook(handout, {task.id: variant})
            except (ConfigError, DataError) as error:
                yield Fault(
                    task=task.id, where=f"variant {variant}", got=str(error), expected="a notebook that says so",
                    remedy="let `phrases` be words of the notebook",
                )  # fmt: skip


def verdict_faults(lesson: Lesson, notebook: nbformat.NotebookNode, *, stubs: bool) -> Iterator[Fault]:
    """Each answer of a notebook gets the verdict that it has to.

    Args:
        lesson, notebook: as `answers_of` takes them.
        stubs: its answers are still to be written.
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
        verdict, wanted = verdict_of(task, answer, 3), _wanted(task, stubs)
        if verdict.status != wanted:
            yield Fault(
                task=name, where=f"the {'stub' if stubs else 'answer'} in {lesson.stem}", got=said(verdict),
                expected=wanted, remedy="mend the cell, or the record",
            )  # fmt: skip


def _wanted(task: Task, stubs: bool) -> str:
    return "stub" if stubs else "recorded" if task.kind == "experiment" else "passed"


def answers_of(lesson: Lesson, notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Task id -> what its cell defines; code that is trusted runs in order, in this process.

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
