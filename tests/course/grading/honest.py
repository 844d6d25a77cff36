"""Every known answer through the whole grader: python -m tests.course.grading.honest WHAT LESSON...

    whole     the notebook of solutions/ earns everything, that of exercises/ nothing
    mistakes  each misconception of each task, as the record's own faulty implementation, earns its share by its name
    right     the unusual right spellings of tests/course/*_answers.py earn everything

All in a real sandbox, by real nbval. Mistakes, and spellings, come one after the other, a notebook each, beside those
of the other tasks; to be able to import them, these kernels see this repository: else all is as in a grading run.
"""

import argparse
import importlib
import json
import os
import tempfile
import time
from pathlib import Path

from minillama.course.grading import engine
from minillama.course.grading.environment import Environment, libraries
from minillama.course.grading.lessons import load_course
from minillama.course.grading.limits import Limits, adopt_orphans
from minillama.course.grading.records import BUBBLEWRAP, LIMITS_ONLY, Submission
from minillama.course.grading.sandbox import why_no_bubblewrap
from minillama.course.tasks import find_task
from tests.course.grading.handing_in import ROOT, SEED, notebook, with_answers

LIMITS = Limits(wall_s=3600, cell_s=600, patience=10, cpu_s=3600)  # none of them is what is looked at here
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


def cell(task, made, imports):
    """A cell that answers a task with what an expression gives."""
    if task.kind == "trace":  # a question after the other becomes a dict
        imports += f"from minillama.course.tasks import find_task\n_given = {made}\n"
        made = (
            f"{{c.name: _given(c.name) for c in find_task({task.id!r}).plan(0).cases}} if callable(_given) else _given"
        )
    return f"{imports}{task.name} = {made}"


def faulty(task, name):
    """A cell that answers a task with a misconception."""
    imports = "from minillama.course.tasks import find_task\n"
    return cell(task, f"find_task({task.id!r}).faulty(frozenset({{{name!r}}}))", imports)


def spellings():
    """Task -> cells that answer it rightly, in unusual ways."""
    found = {}
    for path in sorted(Path(__file__).parents[1].glob("*_answers.py")):
        for task, answers in importlib.import_module(f"tests.course.{path.stem}").RIGHT.items():
            imports = f"from tests.course import {path.stem} as _answers\n"
            found.setdefault(task, []).extend(
                cell(find_task(task), f"_answers.RIGHT[{task!r}][{i}]", imports) for i in range(len(answers))
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


def whole(running, lesson, folder):
    """What is not as it should be of the notebook of a lesson, and of its exercises as they are given out."""
    for source, full in (("solutions", True), ("exercises", False)):
        result = hand_in(running, notebook(lesson.stem, source), folder)
        for outcome in result.outcomes:
            earns = full and outcome.kind != "experiment"
            if outcome.credit != earns:
                yield f"{source}: {outcome.task}: {outcome.status} {outcome.credit} {outcome.sentence[:120]}"
        yield from (f"{source}: {note}" for note in result.notes)
        if set(lesson.tasks) != {each.task for each in result.outcomes}:
            yield f"{source}: tasks are missing"


def hand_in(running, made, folder):
    """The result of a notebook."""
    file = Path(folder, "x.ipynb")
    file.write_text(json.dumps(made), encoding="utf-8")
    return running.grade(Submission(learner="ada", file=file, name=file.name))


def answers(running, lesson, right, folder):
    """How many answers of a lesson there are, and what is not as it should be."""
    count, found = 0, []
    for sheet in sheets(lesson, right):
        result = hand_in(running, with_answers({task: cell for task, (_, cell) in sheet.items()}, lesson.stem), folder)
        for outcome in result.outcomes:
            if outcome.task in sheet:
                count += 1
                found += misfit(lesson.tasks[outcome.task], sheet[outcome.task][0], outcome)
    return count, found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("whole", "mistakes", "right"))
    parser.add_argument("lessons", nargs="+")
    options = parser.parse_args()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # as worker.py does
    course = load_course(ROOT)
    if options.what != "whole":
        engine.build = lambda lesson, into: Environment(code=ROOT, libraries=libraries(OPEN))
    kind = LIMITS_ONLY if why_no_bubblewrap() else BUBBLEWRAP
    adopt_orphans()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pytest says much
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for stem in options.lessons:
            started = time.monotonic()
            running = engine.Engine(course, engine.Rules(seed=SEED, sandbox=kind, limits=LIMITS))
            lesson = next(each for name, each in course.lessons.items() if name.startswith(stem))
            if options.what == "whole":
                count, found = 2 * len(lesson.tasks), list(whole(running, lesson, folder))
            else:
                count, found = answers(running, lesson, options.what == "right", folder)
            running.close()
            bad += len(found)
            print(*(f"  {each}" for each in found), sep="\n", end="\n" if found else "", file=out)
            words = f"{options.what}, {count} answers, {len(found)} not as expected"
            print(f"{lesson.stem}: {words}, {time.monotonic() - started:.0f} s", file=out, flush=True)
    return int(bad > 0)


def misfit(task, name, outcome):
    """What is not as it has to be: full marks, or the misconception's own sentence and credit."""
    if isinstance(name, int):
        good = outcome.credit == 1 or (task.kind, outcome.status) == ("experiment", "recorded")  # which a person reads
    else:
        idea = next(each for each in task.misconceptions if each.name == name)
        credit = outcome.credit if task.kind == "trace" else idea.credit
        sentence = f"This looks like {idea.looks_like}."
        good = name in outcome.misconceptions and outcome.sentence == sentence and outcome.credit == credit < 1
    seen = f"{task.id} {name}: {outcome.status} {outcome.credit} {outcome.misconceptions} {outcome.sentence[:160]}"
    return [] if good else [seen]


if __name__ == "__main__":
    raise SystemExit(main())
