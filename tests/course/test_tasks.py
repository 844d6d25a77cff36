"""The tests of the tests: what every record must do with right, wrong and stray answers."""

import inspect
import os
from importlib import import_module
from pathlib import Path

import pytest

from minillama.course import proving
from minillama.course.judging import judge
from minillama.course.proving import verdict_of
from minillama.course.running import Observation, observe
from minillama.course.tasks import LESSONS, all_tasks, find_task
from minillama.course.wording import lines_of
from minillama.errors import ConfigError

TASKS = all_tasks()
COMPARED = [task for task in TASKS if task.kind != "experiment"]  # an experiment has no right answer
SEEDS = range(int(os.environ.get("COURSE_SEEDS", "100")))
BOOKS = [
    import_module(f"tests.course.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("*_answers.py"))
    if path.stem.startswith(tuple(LESSONS.values()))
]
RIGHT = [(task, i, each) for book in BOOKS for task, answers in book.RIGHT.items() for i, each in enumerate(answers)]
WRONG = [(*key, i, each) for book in BOOKS for key, answers in book.WRONG.items() for i, each in enumerate(answers)]
STRAY = [(task, i, each) for book in BOOKS for task, answers in book.STRAY.items() for i, each in enumerate(answers)]


def ids(entries):
    return ["-".join(str(part) for part in entry[:-1]) for entry in entries]


def said(faults):
    return [str(each) for each in faults]


@pytest.mark.parametrize(("task_id", "number", "answer"), RIGHT, ids=ids(RIGHT))
def test_right_answers_pass_in_any_spelling(task_id, number, answer):
    assert said(proving.right_faults(find_task(task_id), answer, f"right answer {number}")) == []


@pytest.mark.parametrize(("task_id", "name", "number", "answer"), WRONG, ids=ids(WRONG))
def test_misconceptions_are_named_in_any_spelling(task_id, name, number, answer):
    assert said(proving.wrong_faults(find_task(task_id), name, answer, f"spelling {number}")) == []


@pytest.mark.parametrize(("task_id", "number", "answer"), STRAY, ids=ids(STRAY))
def test_other_wrong_answers_fail_and_are_never_misnamed(task_id, number, answer):
    assert said(proving.stray_faults(find_task(task_id), answer, f"stray answer {number}")) == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_each_misconception_has_two_spellings_and_each_task_three_right_ones(task):
    assert said(proving.spelling_faults(task, BOOKS)) == []


@pytest.mark.parametrize("task", COMPARED, ids=lambda task: task.id)
def test_seeds_tell_every_two_implementations_apart(task):
    """The reference, and every misconception, each against all others: with 100 seeds."""
    assert said(proving.seed_faults(task, SEEDS)) == []


@pytest.mark.parametrize("task", [task for task in TASKS if task.build], ids=lambda task: task.id)
def test_every_member_of_a_family_holds(task):
    assert said(proving.family_faults(task)) == []


def test_two_misconceptions_together_are_named_as_a_pair():
    task = find_task("rope.apply_rope")
    verdict = verdict_of(task, task.faulty(frozenset({"halves", "clockwise"})), 0)
    assert {each.name for each in verdict.names} == {"halves", "clockwise"}
    assert "together with" in lines_of(verdict)[1]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_record_is_complete(task):
    assert said(proving.record_faults(task, LESSONS)) == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_has_a_variant_and_something_to_diagnose_or_test(lesson):
    kinds = {task.kind for task in TASKS if task.lesson == lesson}
    assert "vary" in kinds
    assert kinds & {"diagnose", "test"}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_inputs_are_data(task):
    assert said(proving.input_faults(task)) == []


@pytest.mark.parametrize("task", [task for task in TASKS if task.piece], ids=lambda task: task.id)
def test_a_piece_is_the_packages_definition(task):
    module, name = task.piece.split(":")
    assert task.name == name
    assert inspect.getmodule(task.reference).__name__ == module


@pytest.mark.parametrize("task", [task for task in COMPARED if task.faulty], ids=lambda task: task.id)
def test_an_idea_in_one_call_and_errors_in_the_others_earn_nothing(task):
    """Some constant is what an idea gives in one call; who has the idea gives that in nearly all."""
    cases, idea = task.plan(0).cases, task.misconceptions[0]
    seen = observe(task, task.faulty(frozenset({idea.name})), cases)
    gave = [number for number, each in enumerate(seen) if each.kind == "returned"]
    if task.kind != "trace" and len(gave) - 1 > len(cases) / 4:
        silent = [Observation(kind="raised", error="ValueError: no")] * len(cases)
        silent[gave[0]] = seen[gave[0]]
        assert judge(task, 0, silent).credit == 0


LAZY = (lambda *args: args[0], lambda *args: args[-1], lambda *args: 0, lambda *args: True, lambda *args: args)


@pytest.mark.parametrize("task", [t for t in COMPARED if t.kind != "trace"], ids=lambda task: task.id)
def test_who_returns_an_argument_or_a_constant_earns_nothing(task):
    """Whatever idea gives the same: it would be points for no work."""
    cases = task.plan(0).cases
    assert [judge(task, 0, observe(task, each, cases)).credit for each in LAZY] == [0] * len(LAZY)


def test_unknown_task_names_those_that_there_are():
    with pytest.raises(ConfigError, match=r"rope\.apply_rope"):
        find_task("rope.aply_rope")


@pytest.mark.parametrize("task", COMPARED, ids=lambda task: task.id)
def test_observations_of_another_number_never_pass(task):
    verdict = judge(task, 0, [])
    assert verdict.status in ("lost", "stub")
    assert verdict.credit == 0
    assert judge(task, 0, [Observation(kind="stub")]).credit == 0
    cases = task.plan(0).cases
    answer = {case.name: task.reference(*case.args) for case in cases} if task.kind == "trace" else task.reference
    seen = observe(task, answer, cases)
    assert not judge(task, 0, seen[:-1]).passed
    assert judge(task, 0, seen + seen).passed
    assert lines_of(verdict)
