"""Whole runs of a class without a sandbox: shards, merging, grading again, and writing again give the same bytes.

Only the process that runs a notebook is replaced: its result follows from the file's own words and the run's seed.
"""

import csv
import json
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from minillama.cli import app
from minillama.course.grading import grading, repeating
from minillama.course.grading.grading import Plan, grade
from minillama.course.grading.journal import Journal
from minillama.course.grading.marking import Marking
from minillama.course.grading.merging import merge, rewrite
from minillama.course.grading.reading import fingerprint
from minillama.course.grading.repeating import regrade
from minillama.errors import ConfigError, DataError
from tests.course.classes.making import CLASS, EXPERIMENT, GROUP, SEED, class_of, result
from tests.course.grading.handing_in import ROOT

FILES = ("gradebook.csv", "results.json", "audit.jsonl", "manual.csv")
CREDITS = {"ada": "1.0", "Bob Baker": "0.5", "cyd": "0.25", "dee": "0.75", "=eve": "1.0"}


class Machine:
    """Stands for the workers: remembers what it was asked, and can be told to judge otherwise."""

    def __init__(self):
        self.asked, self.harder = [], 1.0

    def __call__(self, submission, setting, worker, used):
        self.asked.append(submission.learner)
        data = submission.file.read_bytes()
        if data == b"break":
            made = result(submission.learner, status="failed", outcomes=())
        else:
            made = result(submission.learner, float(data) * self.harder, identity=submission.identity)
        variant = {"secret": fingerprint(setting["secret"].encode())[:4]}
        outcomes = tuple(replace(each, variant=variant) for each in made.outcomes)
        told = {name: getattr(submission, name) for name in ("attempt", "submitted", "clock", "late", "name")}
        return replace(made, **told, outcomes=outcomes, sha256=fingerprint(data)), None, 0


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setattr(grading, "_grade_one", made)
    monkeypatch.setattr(grading, "why_no_bubblewrap", lambda: "")
    course = grading.load_course(ROOT)
    kept = replace(course, lessons={"14_lora": course.lessons["14_lora"]})
    monkeypatch.setattr(grading, "load_course", lambda root, pack: kept)
    return made


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    for name, credit in CREDITS.items():
        (folder / name).mkdir()
        (folder / name / "x.ipynb").write_text(credit)
    (folder / "ada/y.ipynb").write_text("0.75")
    return folder


@pytest.fixture
def marking(tmp_path):
    course = class_of(tmp_path, more=GROUP)
    return Marking(course=course, assignment=course.assignment())


def plan(handed_in, out, marking, **more):
    usual = {"submissions": handed_in, "out": out, "root": ROOT, "seed": SEED, "lesson": "14_lora", "marking": marking}
    return Plan(**usual | more)


def read(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def rows(folder):
    with (folder / "gradebook.csv").open(encoding="utf-8", newline="") as file:
        return {each["learner"]: each for each in csv.DictReader(file)}


def over(marking):
    return marking.over(grading.load_course(ROOT, None).lessons["14_lora"].tasks)


def test_a_class_is_graded_and_its_shards_merge_into_the_same_bytes(machine, handed_in, marking, tmp_path):
    marks = grade(plan(handed_in, tmp_path / "whole", marking))
    found = rows(tmp_path / "whole")
    assert {name: each["total"] for name, each in found.items()} == {
        "ada": "7.5", "bob": "5.0", "cyd": "7.5", "dee": "7.5", "'=eve": "10.0",
    }  # fmt: skip
    assert found["ada"]["attempts"] == found["cyd"]["attempts"] == "2"
    assert [each.learner for each in marks] == ["=eve", "ada", "ada", "bob", "cyd", "cyd", "dee", "dee"]
    parts = [tmp_path / str(i) for i in (1, 2, 3)]
    for i, part in enumerate(parts, 1):
        grade(plan(handed_in, part, marking, shard=(i, 3)))
    merge(parts[::-1], tmp_path / "merged", over(marking))
    assert read(tmp_path / "merged") == read(tmp_path / "whole")
    grade(plan(handed_in, tmp_path / "again", marking, jobs=3))
    assert read(tmp_path / "again") == read(tmp_path / "whole")


def test_a_run_goes_on_and_grades_nothing_twice(machine, handed_in, marking, tmp_path):
    grade(plan(handed_in, tmp_path / "out", marking))
    before, count = read(tmp_path / "out"), len(machine.asked)
    grade(plan(handed_in, tmp_path / "out", marking, seed=""))
    assert len(machine.asked) == count
    assert read(tmp_path / "out") == before


def test_one_learner_is_graded_again_and_the_others_stay(machine, handed_in, marking, tmp_path):
    grade(plan(handed_in, tmp_path / "out", marking))
    before = read(tmp_path / "out")
    machine.asked.clear()
    regrade(plan(handed_in, tmp_path / "out", marking), "bob")
    assert machine.asked == ["bob"]
    same = read(tmp_path / "out")
    audit = [json.loads(line) for line in same.pop("audit.jsonl").splitlines()]
    assert same == {name: before[name] for name in same}
    assert [line["kind"] for line in audit[:3]] == ["run", "regrade", "submission"]
    assert (audit[1]["graded"], audit[1]["changed"], audit[1]["task"]) == (1, 0, "")
    assert "bob" not in json.dumps(audit)
    machine.harder = 0.5
    regrade(plan(handed_in, tmp_path / "out", marking), "dee")
    found = rows(tmp_path / "out")
    assert {name: each["total"] for name, each in found.items()} == {
        "ada": "7.5", "bob": "5.0", "cyd": "3.75", "dee": "3.75", "'=eve": "10.0",
    }  # fmt: skip
    grade(plan(handed_in, tmp_path / "out", marking))
    assert rows(tmp_path / "out") == found


def test_one_task_is_graded_again_and_the_other_outcomes_stay(machine, handed_in, marking, tmp_path):
    (tmp_path / "said.csv").write_text(f"learner,task,points,comment\nbob,{EXPERIMENT},3,fine\n")
    said = replace(marking, adjustments=grading_table(tmp_path / "said.csv"))
    grade(plan(handed_in, tmp_path / "out", said))
    machine.harder = 0.5
    machine.asked.clear()
    regrade(plan(handed_in, tmp_path / "out", said), "lora.merge")
    assert len(machine.asked) == 6
    _, _, done = Journal(tmp_path / "out").read()
    credits = {each.task: each.credit for each in done["bob", 1][0].outcomes}
    assert credits.pop("lora.merge") == 0.25
    assert set(credits.values()) == {0.5, 0.0}
    assert (rows(tmp_path / "out")["bob"]["raw total"], rows(tmp_path / "out")["bob"][EXPERIMENT]) == ("5.5", "3.0")
    (line,) = Journal(tmp_path / "out").regrades()
    assert (line["task"], line["graded"], line["changed"]) == ("lora.merge", 6, 6)


def grading_table(path):
    from minillama.course.grading.adjusting import read_adjustments

    return read_adjustments(path)


def test_grading_again_refuses_what_is_not_the_same(machine, handed_in, marking, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError, match="holds no report"):
        regrade(plan(handed_in, out, marking), "bob")
    grade(plan(handed_in, out, marking))
    before, journal = read(out), (out / "journal.jsonl").read_bytes()
    for only, error, says, more in [
        ("bod", ConfigError, "did you mean bob", {}), ("lora.merg", ConfigError, "did you mean lora.merge", {}),
        ("bob", ConfigError, "another one than the report's", {"seed": "0" * 32}),
        ("bob", ConfigError, "expected the report's 1/1", {"shard": (1, 2)}),
        ("bob", DataError, "give the same secret", {"secret": "another secret of the course"}),
    ]:  # fmt: skip
        with pytest.raises(error, match=says):
            regrade(plan(handed_in, out, marking, **more), only)
    changed = tmp_path / "changed"
    for name, credit in CREDITS.items():
        (changed / name).mkdir(parents=True)
        (changed / name / "x.ipynb").write_text("0.1" if name == "Bob Baker" else credit)
    with pytest.raises(DataError, match="not the file that was graded: name 'bob'"):
        regrade(plan(changed, out, marking), "lora.merge")
    (changed / "Bob Baker/x.ipynb").write_text("break")
    with pytest.raises(DataError, match="report stays as it is"):
        regrade(plan(changed, out, marking), "bob")
    assert read(out) == before
    assert (out / "journal.jsonl").read_bytes() == journal


def test_a_regrade_that_was_cut_off_counts_for_nothing(machine, handed_in, marking, tmp_path):
    out = tmp_path / "out"
    grade(plan(handed_in, out, marking))
    before = read(out)
    machine.harder = 0.5
    regrade(plan(handed_in, out, marking), "lora.merge")
    whole = (out / "journal.jsonl").read_bytes()
    (out / "journal.jsonl").write_bytes(whole[:-100])
    rewrite(out, over(marking))
    assert read(out) == before


def test_a_report_is_written_again_with_other_dates_and_points(machine, handed_in, marking, tmp_path):
    grade(plan(handed_in, tmp_path / "out", marking))
    machine.asked.clear()
    other = replace(marking, assignment=replace(marking.assignment, points={"lora.merge": 100}))
    rewrite(tmp_path / "out", over(other))
    assert rows(tmp_path / "out")["ada"]["total"] == "75.0"
    rewrite(tmp_path / "out", over(marking))
    assert rows(tmp_path / "out")["ada"]["total"] == "7.5"
    assert machine.asked == []


def test_a_report_that_was_cut_off_is_neither_merged_nor_written_again(machine, handed_in, marking, tmp_path):
    """Who is not graded yet would pass for somebody who handed in nothing."""
    parts = [tmp_path / "1", tmp_path / "2"]
    for i, part in enumerate(parts, 1):
        grade(plan(handed_in, part, marking, shard=(i, 2)))
    lines = (parts[1] / "journal.jsonl").read_bytes().splitlines(keepends=True)
    shutil.rmtree(parts[1])
    parts[1].mkdir()
    (parts[1] / "journal.jsonl").write_bytes(b"".join(lines[:2]))
    for again in (lambda: merge(parts, tmp_path / "out", over(marking)), lambda: rewrite(parts[1], over(marking))):
        with pytest.raises(DataError, match="its run was cut off: run the same minillama grade again"):
            again()
    grade(plan(handed_in, parts[1], marking, shard=(2, 2)))
    assert len(merge(parts, tmp_path / "out", over(marking))) == 8


def run(*arguments):
    return CliRunner().invoke(app, ["grade", *map(str, arguments)])


def test_the_commands(machine, handed_in, tmp_path, monkeypatch):
    from minillama.course.grading import lessons

    monkeypatch.setattr(lessons, "load_course", grading.load_course)
    monkeypatch.setattr(repeating, "prepare", grading.prepare)
    (tmp_path / "course.toml").write_text(CLASS + GROUP, encoding="utf-8")
    out, course = tmp_path / "out", tmp_path / "course.toml"
    done = run(handed_in, "--out", out, "--course", course, "--root", ROOT)
    assert done.exit_code == 0, done.output
    assert "1 not in the roster: =eve" in done.stderr
    assert "wait for a person" in done.stderr
    filled = (out / "manual.csv").read_text(encoding="utf-8").replace("3,,", "3,2,")
    (out / "manual.csv").write_text(filled, encoding="utf-8")
    done = run("rewrite", out, "--course", course, "--root", ROOT, "--adjust", out / "manual.csv")
    assert done.exit_code == 0, done.output
    assert "wait for a person" not in done.stderr
    assert rows(out)["cyd"]["total"] == rows(out)["dee"]["total"] == "9.5"
    done = run(handed_in, "--out", out, "--course", course, "--root", ROOT, "--only", "ada")
    assert done.exit_code == 0, done.output
    assert rows(out)["ada"]["total"] == "9.5"
    for wrong, says in [
        (("--lesson", "14"), "--lesson is 14, expected it in the file of --course"),
        (("--assignment", "adapter"), "did you mean adapters"), (("--only", "nobody"), "which is nobody"),
        (("--attempts", "first"), "attempts is 'first', expected last or best"),
    ]:  # fmt: skip
        done = run(handed_in, "--out", out, "--course", course, "--root", ROOT, *wrong)
        assert done.exit_code == 2
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1
