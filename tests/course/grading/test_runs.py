"""A class from submissions to files: the same again, in parts, after a crash, and with names that mean harm."""

import csv
import json
import signal
import subprocess
import sys
import time

import pytest

from minillama.course.grading.grading import Plan, grade
from minillama.course.grading.journal import NAME, Journal
from minillama.course.grading.limits import Limits
from minillama.course.grading.marking import Marking
from minillama.course.grading.merging import merge
from minillama.course.grading.tables import safe_cell
from minillama.errors import ConfigError, DataError
from tests.course.grading.attacks import RIGHT, TARGET, WRONG
from tests.course.grading.handing_in import ROOT, SEED, as_bytes, notebook, with_answers

WRITTEN = ("gradebook.csv", "results.json", "audit.jsonl")
LEARNERS = {
    "ada": notebook(),
    "=cmd|' /C calc'!A0": with_answers({TARGET: WRONG}),
    "<script>alert(1)</script>": with_answers({TARGET: RIGHT}, folder="exercises"),
    "eve": b"no notebook",
}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """A folder of four submissions."""
    folder = tmp_path_factory.mktemp("class")
    for learner, made in LEARNERS.items():
        own = folder / learner.replace("/", "_")
        own.mkdir()
        (own / "x.ipynb").write_bytes(as_bytes(made))
        (own / "conftest.py").write_text("raise SystemExit('read')")
        (own / "sitecustomize.py").write_text("raise SystemExit('read')")
        (own / "torch.py").write_text("raise SystemExit('read')")
        (own / "pytest.ini").write_text("[pytest]\naddopts = --broken\n")
    return folder


def plan(handed_in, out, **more):
    usual = {"submissions": handed_in, "out": out, "root": ROOT, "seed": SEED, "limits": Limits(wall_s=150)}
    return Plan(**usual | more)


@pytest.fixture(scope="module")
def report(handed_in, tmp_path_factory, sandboxed):
    """The report of one run over them."""
    out = tmp_path_factory.mktemp("report")
    grade(plan(handed_in, out))
    return out


def read(folder):
    return {name: (folder / name).read_bytes() for name in WRITTEN}


def rows(folder):
    with (folder / "gradebook.csv").open(encoding="utf-8", newline="") as file:
        return {each["learner"]: each for each in csv.DictReader(file)}


def test_gradebook_has_a_row_a_learner_and_no_formula(report):
    found = rows(report)
    assert set(found) == {"ada", "'=cmd|' _C calc'!A0", "<script>alert(1)<_script>", "eve"}
    assert found["ada"]["total"] == found["ada"]["possible"] != "0"
    assert float(found["'=cmd|' _C calc'!A0"][TARGET]) == 0
    assert float(found["<script>alert(1)<_script>"][TARGET]) == float(found["<script>alert(1)<_script>"]["total"]) == 3
    assert (found["eve"]["status"], found["eve"]["total"]) == ("unreadable", "0")
    assert found["ada"]["sandbox"] == "bubblewrap"


def test_audit_names_nobody_and_keeps_the_seed(report):
    lines = [json.loads(each) for each in (report / "audit.jsonl").read_text().splitlines()]
    assert lines[0]["kind"] == "run"
    assert lines[0]["seed"] == SEED
    assert len(lines) == 1 + len(LEARNERS)
    assert not any(learner in json.dumps(lines) for learner in ('"ada"', '"eve"', "script", "=cmd"))


def test_results_hold_no_hidden_input_and_no_number_of_the_reference(report):
    results = json.loads((report / "results.json").read_text())["results"]
    wrong = next(each for each in results if each["learner"].startswith("=cmd"))
    (outcome,) = [each for each in wrong["outcomes"] if each["task"] == TARGET]
    assert outcome["got"]
    assert "expected" not in outcome["sentence"] or outcome["expected_shape"]


def test_the_same_seed_gives_the_same_bytes(report, handed_in, tmp_path):
    grade(plan(handed_in, tmp_path, jobs=2))
    assert read(tmp_path) == read(report)


def test_shards_merge_into_the_same_bytes(report, handed_in, tmp_path):
    parts = [tmp_path / str(i) for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        grade(plan(handed_in, part, shard=(i, 2)))
    with pytest.raises(DataError, match="expected each of"):
        merge(parts[:1], tmp_path / "merged", Marking())
    merge(parts[::-1], tmp_path / "merged", Marking())
    assert read(tmp_path / "merged") == read(report)


def test_a_run_that_was_cut_off_goes_on(report, handed_in, tmp_path):
    lines = (report / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(b"".join(lines[:3]) + lines[3][:50])
    graded = []
    grade(plan(handed_in, tmp_path), report=lambda result, done, total: graded.append(result.learner))
    assert len(graded) == len(LEARNERS) - 2
    assert read(tmp_path) == read(report)


def test_a_killed_run_goes_on_and_leaves_no_process(report, handed_in, tmp_path):
    command = [sys.executable, "-m", "minillama", "grade", str(handed_in), "--out", str(tmp_path), "--seed", SEED,
               "--time-limit", "150", "--root", str(ROOT)]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while time.monotonic() < end and len(list(Journal(tmp_path)._lines())) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "gradebook.csv").exists()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    assert read(tmp_path) == read(report)


def test_a_report_of_another_run_is_not_overwritten(report, handed_in, tmp_path):
    (handed_in / "late.ipynb").write_bytes(b"{}")
    try:
        with pytest.raises(DataError, match="another run"):
            grade(plan(handed_in, report))
    finally:
        (handed_in / "late.ipynb").unlink()


@pytest.mark.parametrize("wrong", [{"shard": (3, 2)}, {"shard": (0, 1)}, {"shard": (1, 2), "seed": ""}, {"jobs": 0}])
def test_a_plan_that_cannot_be_carried_out_is_one_line(wrong, tmp_path):
    with pytest.raises(ConfigError):
        plan(tmp_path, tmp_path, **wrong)


def test_cells_are_no_formulas():
    assert [safe_cell(each) for each in ("=1", "+1", "-1", "@x", "\t=1", " =1", "a=1", -1, 0.5)] == [
        "'=1", "'+1", "'-1", "'@x", "'\t=1", "' =1", "a=1", -1, 0.5,
    ]  # fmt: skip
