"""Answers that a person reads: their text is kept, harmless, and there is a rubric for each such task."""

import re

import numpy as np
import pytest

from minillama.course.grading.records import LearnerResult, TaskOutcome, from_json, to_json
from minillama.course.grading.telling import MAX_ANSWER, outcome_of, recorded
from minillama.course.judging import judge
from minillama.course.running import observe
from minillama.course.tasks import all_tasks, find_task

EXPERIMENTS = [each for each in all_tasks() if each.kind == "experiment"]
TASK = find_task("lora.where_to_put")


def outcome(answer):
    """What becomes of an answer to the experiment of lesson 14."""
    cases = TASK.plan(0).cases
    seen = observe(TASK, answer, cases)
    return recorded(TASK, outcome_of(TASK, judge(TASK, 0, seen)), seen, cases)


@pytest.mark.parametrize("task", EXPERIMENTS, ids=lambda task: task.id)
def test_a_rubric_gives_all_points(task):
    shares = [int(re.match(r"(\d+) points?: .", line)[1]) for line in task.rubric]
    assert sum(shares) == task.points


def test_there_are_experiments():
    assert len(EXPERIMENTS) >= 5


def test_the_text_is_kept_line_by_line():
    found = outcome({"before": "all seven\nof them", "losses": {"wq": 1.5}, "after": np.arange(3.0)})
    assert found.status == "recorded"
    assert found.answer.startswith("before: all seven\nof them\nlosses: {'wq': 1.5}\nafter: Array(")
    assert found.rubric == TASK.rubric


def test_hostile_text_is_short_and_without_what_is_not_seen():
    found = outcome({"before": "=cmd()\0\x1b[31m\u202e\ud800" + "x" * 10**6, "losses": 10**400, "after": "\u2028"})
    assert len(found.answer) <= MAX_ANSWER
    assert not set("\0\x1b\u202e\ud800\u2028") & set(found.answer)
    found.answer.encode("utf-8")


def test_records_go_through_json_and_back():
    one = TaskOutcome(
        task="a.b", kind="experiment", title="t", possible=3.0, credit=2.5 / 3, status="recorded", answer="x",
        rubric=("1 point: y",), adjusted=True, comment="well done",
    )  # fmt: skip
    assert one.points == 2.5
    result = LearnerResult(
        learner="ada", name="n", lesson="l", sha256="", status="graded", outcomes=(one,), penalty=0.5, lateness="1 h",
        clock="file", counts=False,
    )  # fmt: skip
    assert result.total == 2.0
    assert from_json(LearnerResult, to_json(result)) == result
    old = {
        key: value for key, value in to_json(result).items() if key in ("learner", "name", "lesson", "sha256", "status")
    }
    assert from_json(LearnerResult, old).counts
