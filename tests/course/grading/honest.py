"""Every known answer through the whole grader: python -m tests.course.grading.honest [--right] LESSON...

For each misconception of each task, the notebook of its lesson is handed in with the record's own faulty
implementation, in a real sandbox, by real nbval; a task's misconceptions come one after the other, a notebook each,
beside those of the other tasks. With --right the unusual right spellings of tests/course/*_answers.py are handed in
instead. To be able to import both, these kernels see this repository: everything else is as in a grading run.
"""

import argparse
import importlib
import json
import tempfile
from pathlib import Path

from minillama.course.grading import engine
from minillama.course.grading.environment import Environment, libraries
from minillama.course.grading.lessons import load_course
from minillama.course.grading.limits import adopt_orphans
from minillama.course.grading.records import Submission
from minillama.course.grading.sandbox import BUBBLEWRAP, LIMITS_ONLY, why_no_bubblewrap
from tests.course.grading.handing_in import ROOT, SEED, with_answers

OPEN = (
    "numba",
    "regex",
    "sentencepiece",
    "safetensors",
    "huggingface_hub",
    "nbformat",
    "matplotlib",
    "ipywidgets",
    "anywidget",
)


def faulty(task, name):
    """A cell that answers a task with a misconception."""
    head = f"from minillama.course.tasks import find_task\n_task = find_task({task.id!r})\n"
    made = f"_task.faulty(frozenset({{{name!r}}}))"
    if task.kind == "trace":
        return f"{head}_given = {made}\n{task.name} = {{c.name: _given(c.name) for c in _task.plan(0).cases}}"
    return f"{head}{task.name} = {made}"


def spellings():
    """Task -> cells that answer it rightly, in unusual ways."""
    found = {}
    for path in sorted(Path(__file__).parents[1].glob("*_answers.py")):
        module = importlib.import_module(f"tests.course.{path.stem}")
        book = next((f".{name}" for name in ("BOOK", "book") if hasattr(module, name)), "")
        for task, answers in (getattr(module, book[1:]) if book else module).RIGHT.items():
            head = f"from tests.course import {path.stem} as _answers\n"
            name = task.rpartition(".")[2]
            found.setdefault(task, []).extend(
                f"{head}{name} = _answers{book}.RIGHT[{task!r}][{i}]" for i in range(len(answers))
            )
    return found


def sheets(lesson, right):
    """Notebooks of one lesson, each with what every task in it is answered by."""
    known = spellings() if right else {}
    columns = {}
    for task in lesson.tasks.values():
        names = range(len(known.get(task.id, ()))) if right else [each.name for each in task.misconceptions]
        cells = known.get(task.id, ()) if right else [faulty(task, name) for name in names]
        columns[task.id] = list(zip(names, cells, strict=True))
    for row in range(max(map(len, columns.values()))):
        yield {task: column[row] for task, column in columns.items() if row < len(column)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--right", action="store_true")
    parser.add_argument("lessons", nargs="+")
    options = parser.parse_args()
    adopt_orphans()
    course = load_course(ROOT)
    engine.build = lambda lesson, into: Environment(code=ROOT, libraries=libraries(OPEN))
    kind = LIMITS_ONLY if why_no_bubblewrap() else BUBBLEWRAP
    running = engine.Engine(course, engine.Rules(seed=SEED, sandbox=kind))
    wrong = total = 0
    with tempfile.TemporaryDirectory() as folder:
        for stem in options.lessons:
            lesson = next(each for name, each in course.lessons.items() if name.startswith(stem))
            for number, sheet in enumerate(sheets(lesson, options.right)):
                made = with_answers({task: cell for task, (_, cell) in sheet.items()}, lesson.stem)
                file = Path(folder, f"{lesson.stem}-{number}.ipynb")
                file.write_text(json.dumps(made), encoding="utf-8")
                result = running.grade(Submission(learner="ada", file=file, name=file.name))
                for outcome in result.outcomes:
                    if outcome.task in sheet:
                        total += 1
                        wrong += not fits(lesson.tasks[outcome.task], sheet[outcome.task][0], outcome)
            print(f"{lesson.stem}: {total} answers so far, {wrong} not as expected", flush=True)
    running.close()
    return int(wrong > 0)


def fits(task, name, outcome):
    """Is it what it has to be: full marks, or the misconception's own sentence and credit?"""
    if isinstance(name, int):
        good = outcome.status == "passed" and outcome.credit == 1
    else:
        idea = next(each for each in task.misconceptions if each.name == name)
        credit = outcome.credit if task.kind == "trace" else idea.credit
        sentence = f"This looks like {idea.looks_like}."
        good = name in outcome.misconceptions and outcome.sentence == sentence and outcome.credit == credit < 1
    if not good:
        print(
            f"  {task.id} {name}: {outcome.status} {outcome.credit} {outcome.misconceptions} {outcome.sentence[:120]}"
        )
    return good


if __name__ == "__main__":
    raise SystemExit(main())
