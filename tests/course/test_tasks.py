"""The tests of the tests: what every record must do with right, wrong and stray answers."""

import inspect
import os
from importlib import import_module
from pathlib import Path

import pytest

from minillama.course.judging import judge
from minillama.course.messages import read_observations, write_observations
from minillama.course.plain import decode, encode
from minillama.course.record import Task
from minillama.course.running import observe
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


def verdict_of(task: Task, answer, seed: int, cases=None):
    """As `check` does, with a seed; what was observed crosses to the judge as text, as it does in grading.

    `cases` are those of the seed, for who has them already: some are looked for among thousands of draws.
    """
    cases = task.plan(seed).cases if cases is None else cases
    if task.kind == "trace" and callable(answer):
        answer = {case.name: answer(*case.args) for case in cases}
    return judge(task, seed, read_observations(write_observations(observe(task, answer, cases))))


@pytest.mark.parametrize(("task_id", "number", "answer"), RIGHT, ids=ids(RIGHT))
def test_right_answers_pass_in_any_spelling(task_id, number, answer):
    for seed in range(5):
        verdict = verdict_of(find_task(task_id), answer, seed)
        if find_task(task_id).kind == "experiment":  # a person reads it
            assert verdict.status == "recorded"
            continue
        assert verdict.passed, lines_of(verdict)
        assert verdict.credit == 1


@pytest.mark.parametrize(("task_id", "name", "number", "answer"), WRONG, ids=ids(WRONG))
def test_misconceptions_are_named_in_any_spelling(task_id, name, number, answer):
    for seed in range(5):
        verdict = verdict_of(find_task(task_id), answer, seed)
        assert [each.name for each in verdict.names] == [name], lines_of(verdict)
        assert verdict.alternatives == 0
        assert verdict.status in ("wrong", "raised")
        assert verdict.credit < 1
        text = " ".join(lines_of(verdict))
        assert verdict.names[0].question in text
        assert "looks like" in text


@pytest.mark.parametrize(("task_id", "number", "answer"), STRAY, ids=ids(STRAY))
def test_other_wrong_answers_fail_and_are_never_misnamed(task_id, number, answer):
    for seed in range(5):
        verdict = verdict_of(find_task(task_id), answer, seed)
        assert verdict.status in ("wrong", "raised", "stub"), verdict.status
        assert verdict.names == ()
        assert len(lines_of(verdict)) >= (1 if verdict.status == "stub" else 2)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_each_misconception_has_two_spellings_and_each_task_three_right_ones(task):
    for book in BOOKS:
        if any(task.id == key for key in book.RIGHT):
            assert len(book.RIGHT[task.id]) >= 3
            assert len(book.STRAY[task.id]) >= 1
            for each in task.misconceptions:
                assert len(book.WRONG.get((task.id, each.name), ())) >= 2, each.name
            return
    pytest.fail("no file of answers names this task")


@pytest.mark.parametrize("task", COMPARED, ids=lambda task: task.id)
def test_seeds_tell_every_two_implementations_apart(task):
    """The reference, its second spelling, and every misconception, each against all others: with 100 seeds."""
    for seed in SEEDS:
        cases = task.plan(seed).cases
        assert verdict_of(task, task.reference, seed, cases).passed
        for each in task.misconceptions:
            verdict = verdict_of(task, task.faulty(frozenset({each.name})), seed, cases)
            assert [found.name for found in verdict.names] == [each.name], (seed, verdict.status)
            assert verdict.alternatives == 0, seed


@pytest.mark.parametrize("task", COMPARED, ids=lambda task: task.id)
def test_second_spelling_without_bugs_is_the_reference(task):
    assert verdict_of(task, task.faulty(frozenset()), 3).passed


@pytest.mark.parametrize("task", [task for task in TASKS if task.build], ids=lambda task: task.id)
def test_every_member_of_a_family_holds(task):
    import itertools

    for values in itertools.product(*task.family.values()):
        member = task.build(**dict(zip(task.family, values, strict=True)))
        for seed in range(3):
            assert verdict_of(member, member.faulty(frozenset()), seed).passed
            for each in member.misconceptions:
                verdict = verdict_of(member, member.faulty(frozenset({each.name})), seed)
                assert [found.name for found in verdict.names] == [each.name], (values, each.name)


def test_two_misconceptions_together_are_named_as_a_pair():
    task = find_task("rope.apply_rope")
    verdict = verdict_of(task, task.faulty(frozenset({"halves", "clockwise"})), 0)
    assert {each.name for each in verdict.names} == {"halves", "clockwise"}
    assert "together with" in lines_of(verdict)[1]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_record_is_complete(task):
    assert task.lesson in LESSONS
    assert 1 <= task.difficulty <= 5
    assert 1 <= task.importance <= 5
    assert task.points > 0
    assert task.minutes > 0
    assert len(set(task.hints)) == 3
    for each in (*task.misconceptions, *task.probes):
        assert each.question.endswith("?")
        assert each.principle.endswith((".", "!"))
    for each in task.misconceptions:
        assert not each.looks_like.endswith(".")
        assert 0 <= each.credit < 1


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_has_a_variant_and_something_to_diagnose_or_test(lesson):
    kinds = {task.kind for task in TASKS if task.lesson == lesson}
    assert "vary" in kinds
    assert kinds & {"diagnose", "test"}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_inputs_are_data(task):
    """Equal for equal seeds, other for others, and nothing is lost on the way through JSON."""
    import json

    def text(seed):
        return json.dumps([encode(case.args) for case in task.plan(seed).cases])

    assert text(1) == text(1)
    assert task.kind in ("trace", "experiment") or text(1) != text(2)
    for case in task.plan(1).cases:
        for before, after in zip(case.args, decode(json.loads(json.dumps(encode(case.args)))), strict=True):
            assert type(before) is type(after)
            assert encode(before) == encode(after)


@pytest.mark.parametrize("task", [task for task in TASKS if task.piece], ids=lambda task: task.id)
def test_a_piece_is_the_packages_definition(task):
    module, name = task.piece.split(":")
    assert task.name == name
    assert inspect.getmodule(task.reference).__name__ == module


def test_unknown_task_names_those_that_there_are():
    with pytest.raises(ConfigError, match=r"rope\.apply_rope"):
        find_task("rope.aply_rope")


@pytest.mark.parametrize("task", COMPARED, ids=lambda task: task.id)
def test_observations_of_another_number_never_pass(task):
    verdict = judge(task, 0, [])
    assert verdict.status in ("lost", "stub")
    assert verdict.credit == 0
    cases = task.plan(0).cases
    answer = {case.name: task.reference(*case.args) for case in cases} if task.kind == "trace" else task.reference
    seen = observe(task, answer, cases)
    assert not judge(task, 0, seen[:-1]).passed
    assert judge(task, 0, seen + seen).passed
    assert lines_of(verdict)
