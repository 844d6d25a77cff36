"""Classes, results and whole runs without a sandbox: what a worker would give is made from the file's own words."""

import json

from minillama.course.grading.reading import fingerprint
from minillama.course.grading.reading_class import read_class
from minillama.course.grading.records import LearnerResult, TaskOutcome
from minillama.course.tasks import tasks_of

LESSON = "14_lora"
TASKS = {each.id: each for each in tasks_of(LESSON)}
EXPERIMENT = "lora.where_to_put"
CHOSEN = ("lora.merge", EXPERIMENT)
SEED = "5eed" * 8

CLASS = f"""
title = "t"
timezone = "Europe/Berlin"
[[assignment]]
name = "adapters"
lesson = "14"
tasks = {json.dumps(CHOSEN)}
points = {{ "lora.merge" = 10 }}
due = 2027-03-08T23:59:00
closes = 2027-03-15T23:59:00
grace_minutes = 10
penalty = {{ share = 0.1, per = "day", cap = 0.5 }}
[[learner]]
id = "ada"
name = "Ada Lovelace"
email = "Ada@x.org"
canvas = "1"
section = "A"
[[learner]]
id = "bob"
name = "Bob Baker"
canvas = "2"
[[learner]]
id = "cyd"
name = "Cyd Charisse"
[[learner]]
id = "dee"
"""
GROUP = '[[group]]\nname = "team"\nmembers = ["cyd", "dee"]\n'


def class_of(folder, text=CLASS, more=""):
    """A class read from a file in a folder."""
    (folder / "course.toml").write_text(text + more, encoding="utf-8")
    return read_class(folder / "course.toml")


def outcome(task, credit, status="passed", **more):
    """One outcome, worth what its record says."""
    return TaskOutcome(
        task=task, kind=TASKS[task].kind, title=TASKS[task].title, possible=float(TASKS[task].points), credit=credit,
        status=status, **more,
    )  # fmt: skip


def result(learner, credit=1.0, submitted="2027-03-01T00:00:00Z", **more):
    """A result with every task of the lesson: one credit for all, and an answer for a person."""
    outcomes = tuple(
        outcome(each, 0.0, "recorded", answer="before: because", rubric=TASKS[each].rubric)
        if each == EXPERIMENT else outcome(each, credit, "passed" if credit == 1 else "wrong")
        for each in TASKS
    )  # fmt: skip
    usual = {
        "name": f"{learner}/x.ipynb", "lesson": LESSON, "sha256": fingerprint(learner.encode()), "status": "graded",
        "submitted": submitted, "clock": "platform" if submitted else "", "sandbox": "bubblewrap", "outcomes": outcomes,
    }  # fmt: skip
    return LearnerResult(learner=learner, **usual | more)
