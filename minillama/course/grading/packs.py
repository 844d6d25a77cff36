"""A teacher's pack: made from the example, and put to the tests of the tests.

A pack is a folder outside the repository: `solutions/*.ipynb`, `records/*.py` with TASKS, and `answers/*.py` with the
dicts RIGHT, WRONG and STRAY of a `proving.Book`. Its Python is the teacher's own, and runs as such.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minillama.course.grading.lessons import Course, import_files, import_pack, load_course
from minillama.course.grading.proving_notebooks import lesson_faults
from minillama.course.proving import Fault, task_faults
from minillama.course.record import Task
from minillama.errors import ConfigError, DataError

EXAMPLE = Path(__file__).parents[2] / "assets/example_pack"
ANSWERS = "minillama_pack_answers"  # what answers/*.py are imported as
SEEDS = 20


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found about one record.

    Args:
        task: the record.
        members: of its family, 1 without one.
        right, wrong, stray: how many known answers there are.
        faults: in the record, its answers, and its place in the notebook.
    """

    task: Task
    members: int
    right: int
    wrong: int
    stray: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, kw_only=True)
class PackReport:
    """A pack that was checked: its records, and faults that belong to no single one."""

    tasks: tuple[Checked, ...]
    others: tuple[Fault, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All of them, in order."""
        return (*(fault for each in self.tasks for fault in each.faults), *self.others)


def new_pack(folder: Path) -> Path:
    """Copy the public example.

    Raises:
        DataError: there is something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: is there already, expected no such folder, or an empty one")
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def check_pack(folder: Path, seeds: int = SEEDS, report: Callable[[int, int, str], None] | None = None) -> PackReport:
    """The tests of the tests, on a pack.

    Args:
        folder: of the pack.
        seeds: how many are tried on each record.
        report: called before each record and notebook: how many are done, of how many, and what comes.

    Raises:
        ConfigError: it cannot be read at all.
    """
    course = load_course(folder, folder)
    books = list(import_files(folder / "answers", ANSWERS).values()) if (folder / "answers").is_dir() else []
    for book in books:
        if not all(isinstance(getattr(book, name, None), dict) for name in ("RIGHT", "WRONG", "STRAY")):
            raise ConfigError(f"{book.__file__}: lacks RIGHT, WRONG or STRAY, expected three dicts: see proving.Book")
    tasks = [task for lesson in course.lessons.values() for task in lesson.tasks.values()]
    steps = [*(task.id for task in tasks), *course.lessons]

    def note(name: str) -> None:
        if report is not None:
            report(steps.index(name), len(steps), name)

    found: dict[str, list[Fault]] = {}
    for task in tasks:
        note(task.id)
        found[task.id] = list(_one(task, books, course, range(seeds)))
    others: list[Fault] = []
    for lesson in course.lessons.values():
        note(lesson.stem)
        for fault in lesson_faults(lesson, folder / "solutions", public=False):
            found.get(fault.task, others).append(fault)
    return PackReport(
        tasks=tuple(_checked(task, books, found[task.id]) for task in tasks),
        others=(*_unasked(course, folder), *others),
    )


def _one(task: Task, books: list[Any], course: Course, seeds: range) -> Iterator[Fault]:
    """The faults of one record; what its own code raises is one."""
    try:
        yield from task_faults(task, books, course.lessons, seeds)
    except Exception as error:  # a teacher's own code may raise anything
        yield Fault(
            task=task.id, where="its own functions", got=f"{type(error).__name__}: {error}", expected="no error",
            remedy="run `cases`, `reference` and `faulty` by hand, or this command with --debug",
        )  # fmt: skip


def _checked(task: Task, books: list[Any], faults: list[Fault]) -> Checked:
    members = 1
    for values in task.family.values():
        members *= len(values)
    counts = [
        sum(len(answers) for book in books for key, answers in getattr(book, name).items() if task.id in (key, key[0]))
        for name in ("RIGHT", "WRONG", "STRAY")
    ]
    return Checked(
        task=task, members=members, right=counts[0], wrong=counts[1], stray=counts[2], faults=tuple(faults)
    )  # fmt: skip


def _unasked(course: Course, folder: Path) -> Iterator[Fault]:
    """Records that no notebook asks for."""
    asked = {name for lesson in course.lessons.values() for name in lesson.tasks}
    for stem, tasks in import_pack(folder).items():
        for task in tasks:
            if task.id not in asked:
                yield Fault(
                    task=task.id, where=f"records/{stem}.py", got="a record that no notebook asks for",
                    expected="a cell tagged answer with its id", remedy="add the cell, or take it out of TASKS",
                )  # fmt: skip
