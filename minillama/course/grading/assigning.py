"""The notebook that learners are given: the chosen tasks of a lesson, in a learner's own variants, without answers.

It is made of the pristine notebook, whose cells keep their ids: by them the grader finds the answers again. The text of
a drawn variant comes from `Task.phrases`: what the notebook says of the public one is put in the learner's words.
"""

import json
import re
import symtable
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import nbformat

from minillama.course.grading.lessons import Lesson
from minillama.course.record import Task
from minillama.course.releasing import exercise_of, leaks
from minillama.errors import ConfigError, DataError

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://|#)[^)]*\)")
MINUTES = re.compile(r"about \d+ minutes")
AMONG = re.compile(
    r": [^.:]*\btasks? \d[^.:]*(?=\.)"
)  # which task uses whose answer: here, earlier pieces are supplied
SUPPLIED = "# An earlier piece, supplied by the package."
Cell = nbformat.NotebookNode


@dataclass(frozen=True, kw_only=True)
class Handout:
    """What is assigned, to whomever.

    Args:
        lesson: its pristine notebook.
        points: ids of the chosen tasks -> what each is worth here.
        name: of the assignment.
    """

    lesson: Lesson
    points: Mapping[str, float]
    name: str

    def members(self, variants: Mapping[str, Mapping[str, Any]]) -> dict[str, Task]:
        """The chosen tasks, as one learner is given them.

        Args:
            variants: task -> its parameters, from `drawing.variant_of`.
        """
        found = {}
        for name, task in self.lesson.tasks.items():
            if name in self.points:
                points = self.points[name]
                worth = int(points) if points == int(points) else points
                found[name] = replace(task.member(variants.get(name)), points=worth)
        return found


@dataclass
class _Stretch:
    """Cells that stay or go together: those of a task, or some that belong to none.

    Args:
        task: its id, or empty.
        cells: of the assignment, in order.
        sources: the code of the solution's cells.
        answer: the assignment's answer cell, for a task.
    """

    task: str
    cells: list[Cell] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    answer: Cell | None = None


def assigned_notebook(handout: Handout, variants: Mapping[str, Mapping[str, Any]]) -> nbformat.NotebookNode:
    """A learner's notebook.

    Args:
        handout: what is assigned.
        variants: task -> parameters of the learner's variant; what is missing stays as it is public.

    Raises:
        ConfigError: a variant's words are not those of the notebook.
        DataError: an answer could be read in it.
    """
    lesson, members = handout.lesson, handout.members(variants)
    notebook, taken = exercise_of(lesson.notebook)
    stretches = list(_stretches(lesson, notebook.cells))
    kept, supplied = _choose(lesson, stretches, set(members))
    cells: list[Cell] = []
    for stretch in stretches:
        if stretch.task in supplied and stretch.answer is not None:
            stretch.answer.source = f"{SUPPLIED}\n{supplied[stretch.task]}"
            cells.append(stretch.answer)
        elif id(stretch) in kept:
            if stretch.task in members:
                _reword(lesson, stretch, members[stretch.task], variants.get(stretch.task))
            asks = [f'("{task}"' for task in supplied]  # to promote, or to check, what is not theirs
            cells += [cell for cell in stretch.cells if not any(call in cell.source for call in asks)]
    notebook.cells = cells
    _speak_of_these_only(handout, notebook)
    leaking = leaks(notebook, taken)
    if leaking:
        raise DataError(f"{lesson.stem}: the assignment would show the answer's line {leaking[0]!r}: reword it")
    return notebook


def _stretches(lesson: Lesson, cells: Sequence[Cell]) -> Iterator[_Stretch]:
    """What comes first, each task with the prose above it and the code below it, and what comes last."""
    solved = {cell.id: cell.source for cell in lesson.notebook.cells}
    now, opened = _Stretch(task=""), False
    for number, cell in enumerate(cells):
        begins = cell.cell_type == "markdown" and number > 0 and (not opened or now.answer is not None)
        if begins or (cell.cell_type == "markdown" and number > 0 and not any(_answers_after(lesson, cells, number))):
            yield now
            now, opened = _Stretch(task=""), True
        now.cells.append(cell)
        if cell.cell_type == "code":
            now.sources.append(solved[cell.id])
        if cell.id in lesson.wanted:
            now.task, now.answer = lesson.wanted[cell.id], cell
    yield now


def _answers_after(lesson: Lesson, cells: Sequence[Cell], number: int) -> Iterator[str]:
    yield from (cell.id for cell in cells[number:] if cell.id in lesson.wanted)


def _choose(lesson: Lesson, stretches: Sequence[_Stretch], chosen: set[str]) -> tuple[set[int], dict[str, str]]:
    """Which stretches stay, by their id(), and for tasks that do not, but are needed: the import that supplies them."""
    made = {each.task: defined(each.sources) for each in stretches if each.task}
    supplied: dict[str, str] = {}
    stay = set(chosen)
    waiting = [each for each in stretches if each.task in chosen]
    while waiting:
        wanted = needed(waiting.pop().sources)
        for task, names in made.items():
            if task not in stay and task not in supplied and wanted & names:
                line = _import_of(lesson.tasks[task])
                if line:
                    supplied[task] = line
                else:
                    stay.add(task)
                    waiting += [each for each in stretches if each.task == task]
    gone = set[str]().union(*(names for task, names in made.items() if task not in stay and task not in supplied))
    kept = {id(each) for each in stretches if each.task in stay or (not each.task and not needed(each.sources) & gone)}
    return kept, supplied


def _import_of(task: Task) -> str:
    """The line that takes a task's definition from the package; empty where the package has none."""
    home = task.piece or f"{getattr(task.reference, '__module__', '')}:{getattr(task.reference, '__name__', '')}"
    module, _, name = home.partition(":")
    if not module.startswith("minillama.") or module.startswith("minillama.course.") or name != task.name:
        return ""
    return f"from {module} import {name}"


def defined(sources: Sequence[str]) -> set[str]:
    """Names that the top level of some code gives a value, or imports."""
    tables = (symtable.symtable(source, "<cell>", "exec") for source in sources)
    return {
        each.get_name() for table in tables for each in table.get_symbols() if each.is_assigned() or each.is_imported()
    }


def needed(sources: Sequence[str]) -> set[str]:
    """Names that some code takes from code before it, or from Python."""
    found: set[str] = set()
    waiting = [symtable.symtable(source, "<cell>", "exec") for source in sources]
    while waiting:
        table = waiting.pop()
        found |= {each.get_name() for each in table.get_symbols() if each.is_global() and each.is_referenced()}
        waiting += table.get_children()
    return found - defined(sources)


def _reword(lesson: Lesson, stretch: _Stretch, member: Task, variant: Mapping[str, Any] | None) -> None:
    """Say of a task what the learner's member of its family is, and what it is worth, in place."""
    public = lesson.tasks[member.id]
    assert len(public.phrases) == len(member.phrases)
    pairs = {public.title: member.title, public.headline: member.headline}
    pairs |= dict(zip(public.phrases, member.phrases, strict=True))
    pairs = {old: new for old, new in pairs.items() if old != new}
    if variant:
        call = f'course.check("{public.id}", {public.name}'
        drawn = (
            f"{json.dumps(name)}: {json.dumps(value) if type(value) is str else repr(value)}"
            for name, value in variant.items()
        )
        pairs[f"{call})"] = f"{call}, variant={{{', '.join(drawn)}}})"
    if not pairs:
        return
    pattern = re.compile("|".join(re.escape(each) for each in sorted(pairs, key=len, reverse=True)))
    missing = {*public.phrases, public.title, public.headline} & pairs.keys()
    for cell in stretch.cells:
        missing -= set(pattern.findall(cell.source))
        cell.source = pattern.sub(lambda found: pairs[found[0]], cell.source)
    if missing:
        raise ConfigError(
            f"{lesson.stem}: the text of {public.id} lacks {min(missing)!r}, expected every phrase of its record: "
            "change the notebook or the record"
        )


def _speak_of_these_only(handout: Handout, notebook: nbformat.NotebookNode) -> None:
    """Leave out links to what is not handed out, and tasks that are not asked for."""
    lesson = handout.lesson
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(r"\1", cell.source)
    if len(handout.points) < len(lesson.tasks):
        minutes = sum(lesson.tasks[name].minutes for name in handout.points)
        only = ", ".join(f'"{name}"' for name in lesson.tasks if name in handout.points)
        first = notebook.cells[0]
        first.source = AMONG.sub("", MINUTES.sub(f"about {minutes} minutes", first.source, count=1))
        for cell in notebook.cells:
            if cell.cell_type == "code":
                call = f'course.where("{lesson.stem}"'
                cell.source = cell.source.replace(f"{call})", f"{call}, only=[{only}])")
