"""What is graded: the pristine notebooks with their records, from the course itself or from a teacher's pack.

A pack is a folder outside the repository that holds the same things: `solutions/*.ipynb`, and `records/*.py`, each with
a tuple TASKS. A pack's notebooks and tasks are graded instead of the course's.
"""

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import nbformat

from minillama.course.record import Task
from minillama.course.tasks import LESSONS, tasks_of
from minillama.errors import ConfigError

PACKAGE = "minillama_pack"  # what a pack's records are imported as: records/rope.py is minillama_pack.rope


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One notebook that can be graded.

    Args:
        stem: "04_rope".
        notebook: the pristine source, with its answers.
        tasks: id -> record, in the order of the notebook.
        wanted: id of each answer cell -> its task.
        provided: ids of all other cells.
        sections: task -> heading of the lesson's section that defines what it asks for.
        code: the lesson's own code cells.
    """

    stem: str
    notebook: nbformat.NotebookNode
    tasks: Mapping[str, Task]
    wanted: Mapping[str, str]
    provided: frozenset[str]
    sections: Mapping[str, str] = field(default_factory=dict)
    code: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Course:
    """All lessons that can be graded, and a digest of what they are graded with."""

    lessons: Mapping[str, Lesson]
    digest: str
    pack_digest: str = ""


def load_course(root: Path, pack: Path | None = None) -> Course:
    """The lessons of the course, or of a pack.

    Args:
        root: the course's folder, which holds solutions/.
        pack: a teacher's folder.

    Raises:
        ConfigError: there are no notebooks, or one and its records do not fit together.
    """
    folder = (pack or root) / "solutions"
    records = import_pack(pack) if pack else {stem: tasks_of(stem) for stem in LESSONS}
    by_id = {task.id: task for tasks in records.values() for task in tasks}
    lessons = {}
    for path in sorted(folder.glob("*.ipynb")):
        lesson = _lesson(path, by_id)
        if lesson.tasks:
            lessons[lesson.stem] = lesson
    if not lessons:
        raise ConfigError(f"{folder}: no notebooks with answers, expected those of a clone of the course, or of a pack")
    notebooks, code = sorted(folder.glob("*.ipynb")), sorted(Path(__file__).parents[1].rglob("*.py"))
    own = _digest([*notebooks, *sorted((pack / "records").glob("*.py"))]) if pack else ""
    return Course(lessons=lessons, digest=_digest([*notebooks, *code]), pack_digest=own)


def _lesson(path: Path, by_id: Mapping[str, Task]) -> Lesson:
    notebook = nbformat.read(path, as_version=4)
    wanted: dict[str, str] = {}
    for cell in notebook.cells:
        if "answer" in cell.metadata.get("tags", []):
            task = str(cell.metadata.get("minillama", {}).get("task", ""))
            if task not in by_id:
                raise ConfigError(f"{path.name}: cell {cell.id} answers task {task!r}, expected the id of a record")
            wanted[cell.id] = task
    taught = path.parents[1] / "notebooks" / path.name
    cells = nbformat.read(taught, as_version=4).cells if taught.is_file() else []
    return Lesson(
        stem=path.stem, notebook=notebook, tasks={task: by_id[task] for task in wanted.values()}, wanted=wanted,
        provided=frozenset(cell.id for cell in notebook.cells) - set(wanted),
        sections=_sections(cells, {task: by_id[task].name for task in wanted.values()}),
        code=tuple(cell.source for cell in cells if cell.cell_type == "code"),
    )  # fmt: skip


def _sections(cells: Sequence[nbformat.NotebookNode], wanted: Mapping[str, str]) -> dict[str, str]:
    """Task -> the heading above the first cell that defines what it asks for, by its name."""
    names = {name: task for task, name in wanted.items()}
    found: dict[str, str] = {}
    heading = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^##+ (.+)$", re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL), re.MULTILINE)
            heading = headings[-1].strip() if headings else heading
        for name in re.findall(r"^(?:def|class) (\w+)", cell.source, re.MULTILINE):
            if cell.cell_type == "code" and name in names:
                found.setdefault(names[name], heading)
    return found


def import_pack(pack: Path) -> dict[str, tuple[Task, ...]]:
    """The records of a pack, imported from where they lie: stem of the file -> tasks.

    Raises:
        ConfigError: there are none.
    """
    modules = import_files(pack / "records", PACKAGE)
    if not modules:
        raise ConfigError(f"{pack}: no records/*.py, expected a pack: solutions/*.ipynb and records/*.py with TASKS")
    return {stem: tuple(getattr(module, "TASKS", ())) for stem, module in modules.items()}


def import_files(folder: Path, package: str) -> dict[str, ModuleType]:
    """The Python files of a teacher's folder, imported from where they lie as modules of a package: stem -> module.

    Raises:
        ConfigError: one of them fails.
    """
    parent = importlib.util.module_from_spec(importlib.util.spec_from_loader(package, None, is_package=True))  # type: ignore[arg-type]
    parent.__path__ = [str(folder)]
    for name in [each for each in sys.modules if each.split(".")[0] == package]:
        del sys.modules[name]
    sys.modules[package] = parent
    importlib.invalidate_caches()
    found = {}
    for file in sorted(folder.glob("[a-z]*.py")):
        try:
            found[file.stem] = importlib.import_module(f"{package}.{file.stem}")
        except Exception as error:  # a teacher's own code may raise anything
            raise ConfigError(
                f"{file}: cannot be imported ({type(error).__name__}: {error}): mend it, --debug shows where"
            ) from error
    return found


def _digest(files: list[Path]) -> str:
    found = hashlib.sha256()
    for file in files:
        found.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
