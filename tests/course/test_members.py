"""Members of a family other than the public one: what each must do with right and with wrong answers."""

import itertools
import re

import pytest

from minillama.course import proving
from minillama.course.drivers import remembers
from minillama.course.tasks import all_tasks, find_task
from tests.course import generate_sinks_answers
from tests.course.test_tasks import BOOKS, said

FAMILIES = [task for task in all_tasks() if task.build]
ANSWERS = [each for book in BOOKS for each in getattr(book, "MEMBERS", ())]
NAMES = [f"{task}-{'-'.join(map(str, variant.values()))}-{name}" for task, variant, name, _ in ANSWERS]


@pytest.mark.parametrize(("task_id", "variant", "name", "answer"), ANSWERS, ids=NAMES)
def test_a_members_answers_are_known_in_any_spelling(task_id, variant, name, answer):
    task = find_task(task_id).member(variant)
    found = proving.wrong_faults(task, name, answer, "") if name else proving.right_faults(task, answer, "")
    assert said(found) == []


@pytest.mark.parametrize("task", FAMILIES, ids=lambda task: task.id)
def test_no_members_reference_answers_another(task):
    for variant, other in itertools.permutations(task.members, 2):
        member, reference = task.member(variant), task.member(other).reference
        passing = [seed for seed in range(3) if proving.verdict_of(member, reference, seed).passed]
        assert passing == [], f"the answer to {other} passes {variant}"


def test_the_example_in_the_text_is_what_the_reference_does():
    task = find_task(generate_sinks_answers.SINK)
    for variant in task.members:
        member = task.member(variant)
        found = re.search(r"tokens ([\d ]+), and holds ([\d ]+) once token (\d) has come", " ".join(member.phrases))
        full, held = (tuple(map(int, found[i].split())) for i in (1, 2))
        script = [("update", None, 1)] * (int(found[3]) + 1)
        given = remembers(member.reference, {"sinks": 1, "window": 4}, script)
        assert tuple(given[f"step {len(full)}, keys"]) == full == tuple(range(len(full))), variant
        assert tuple(given[f"step {len(full) + 1}, keys"]) == held, variant
