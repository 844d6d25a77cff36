"""A class from submissions to files: the same again, in parts, after a crash, and with names that mean harm."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from minillama.course.grading import folders
from minillama.course.grading.grading import Plan, grade
from minillama.course.grading.journal import NAME, Journal
from minillama.course.grading.marking import Marking
from minillama.course.grading.merging import merge
from minillama.course.grading.records import LearnerResult, audit_line
from minillama.course.grading.tables import safe_cell
from minillama.errors import ConfigError, DataError
from tests.course.grading.conftest import GENEROUS
from tests.course.grading.handing_in import (
    ROOT,
    SEED,
    SLIP,
    STUB,
    TARGET,
    WRONG,
    as_bytes,
    notebook,
    with_answers,
    write_pack,
)

WRITTEN = ("gradebook.csv", "results.json", "audit.jsonl")
LEARNERS = {
    "ada": notebook(),
    "Ada": with_answers({TARGET: SLIP}),
    "\u0430da": with_answers({TARGET: "import os\nos._exit(1)"}),
    "=cmd|' /C calc'!A0": with_answers({TARGET: WRONG}),
    "<script>alert(1)</script>": with_answers({TARGET: STUB}),
    "eve": b"no notebook",
}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """A folder of submissions, with files beside each that mean harm."""
    folder = tmp_path_factory.mktemp("class")
    for learner, made in LEARNERS.items():
        own = folder / learner.replace("/", "_")
        own.mkdir()
        (own / "x.ipynb").write_bytes(as_bytes(made))
        (own / "conftest.py").write_text("raise SystemExit('read')")
        (own / "sitecustomize.py").write_text("raise SystemExit('read')")
        (own / "numpy.py").write_text("raise SystemExit('read')")
        (own / "pytest.ini").write_text("[pytest]\naddopts = --broken\n")
    return folder


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """The pack that they are graded by."""
    return write_pack(tmp_path_factory.mktemp("of") / "pack")


@pytest.fixture(scope="module")
def plan(handed_in, pack):
    """Makes plans to grade them."""

    def make(out, **more):
        usual = {"submissions": handed_in, "out": out, "root": ROOT, "pack": pack, "seed": SEED, "limits": GENEROUS}
        return Plan(**usual | more)

    return make


@pytest.fixture(scope="module")
def report(plan, tmp_path_factory, sandboxed):
    """The report of one run over them."""
    out = tmp_path_factory.mktemp("report")
    grade(plan(out))
    return out


def read(folder):
    return {name: (folder / name).read_bytes() for name in WRITTEN}


def rows(folder):
    with (folder / "gradebook.csv").open(encoding="utf-8", newline="") as file:
        return {each["learner"]: each for each in csv.DictReader(file)}


def test_gradebook_has_a_row_a_learner_and_no_formula(report):
    found = rows(report)
    totals = {learner: float(each["total"]) for learner, each in found.items()}
    others = {"'=cmd|' _C calc'!A0": 2.0, "<script>alert(1)<_script>": 2.0}
    assert totals == {"ada": 5.0, "Ada": 2.75, "\u0430da": 2.0, **others, "eve": 0.0}
    assert float(found["ada"]["possible"]) == 5
    assert found["eve"]["status"] == "unreadable"
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


def test_the_same_seed_gives_the_same_bytes(report, plan, tmp_path):
    grade(plan(tmp_path, jobs=2))
    assert read(tmp_path) == read(report)


def test_shards_merge_into_the_same_bytes(report, plan, tmp_path):
    parts = [tmp_path / str(i) for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        grade(plan(part, shard=(i, 2)))
    with pytest.raises(DataError, match="expected each of"):
        merge(parts[:1], tmp_path / "merged", Marking())
    merge(parts[::-1], tmp_path / "merged", Marking())
    assert read(tmp_path / "merged") == read(report)


def test_a_run_that_was_cut_off_goes_on(report, plan, tmp_path):
    lines = (report / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(b"".join(lines[:3]) + lines[3][:50])
    graded = []
    grade(plan(tmp_path), report=lambda result, done, total: graded.append(result.learner))
    assert len(graded) == len(LEARNERS) - 2
    assert read(tmp_path) == read(report)


def test_a_killed_run_goes_on_and_leaves_nothing_behind(report, handed_in, pack, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    out = tmp_path / "report"
    command = [sys.executable, "-m", "minillama", "grade", str(handed_in), "--out", str(out), "--seed", SEED,
               "--time-limit", str(GENEROUS.wall_s), "--root", str(ROOT), "--pack", str(pack)]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(Journal(out)._lines())) < 3:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "gradebook.csv").exists()
    assert list(tmp_path.glob(f"{folders.PREFIX}*"))
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert read(out) == read(report)
    assert not list(tmp_path.glob(f"{folders.PREFIX}*"))


def test_without_a_sandbox_the_report_says_so(handed_in, plan, tmp_path, caplog):
    results = grade(plan(tmp_path, submissions=handed_in / "ada", limits_only=True))
    assert [each.points for each in results] == [5.0]
    assert rows(tmp_path)["x"]["sandbox"] == "limits only: not tamper-resistant"
    assert "NOT TAMPER-RESISTANT" in caplog.text


def test_a_folder_in_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.tempfile, "tempdir", str(tmp_path))
    scratch = folders.Scratch()
    left = tmp_path / f"{folders.PREFIX}left"
    left.mkdir()
    (left / folders.LOCK).touch()
    (tmp_path / f"{folders.PREFIX}link").symlink_to(scratch.path)
    assert folders.sweep() == 1
    assert scratch.path.is_dir()
    assert not left.exists()
    scratch.close()
    scratch.close()
    assert not scratch.path.exists()


def test_a_folder_goes_whatever_a_stranger_has_put_into_it(tmp_path):
    deep = tmp_path / "own"
    deep.mkdir()
    os.chdir(deep)
    try:
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(ROOT)
    (deep / "locked").mkdir()
    (deep / "locked" / "file").touch()
    (deep / "locked").chmod(0)
    folders.remove(deep)
    assert not deep.exists()


def test_two_never_write_into_one_report(report, plan):
    with Journal(report).alone(), pytest.raises(DataError, match="another minillama grade writes"):
        grade(plan(report))


def test_shards_of_other_submissions_do_not_merge(handed_in, plan, tmp_path):
    ada, eve = tmp_path / "in", tmp_path / "other"
    for folder, names in ((ada, ("ada", "Ada")), (eve, ("ada", "eve"))):
        for name in names:
            shutil.copytree(handed_in / name, folder / name)
    parts = [tmp_path / "1", tmp_path / "2"]
    for i, (part, folder) in enumerate(zip(parts, (ada, eve), strict=True), 1):
        grade(plan(part, submissions=folder, shard=(i, 2)))
    with pytest.raises(DataError, match="of the same submissions"):
        merge(parts, tmp_path / "merged", Marking())


def test_the_audit_repeats_no_error_of_the_system():
    failed = LearnerResult(
        learner="ada", name="x.ipynb", lesson="", sha256="", status="failed",
        notes=("Not graded: [Errno 28] No space left on device: '/class/ada/x.ipynb'.",),
    )  # fmt: skip
    assert "ada" not in json.dumps(audit_line(failed, "6c32"))


def test_the_grader_can_be_imported_where_it_cannot_run():
    code = """
import importlib, pkgutil, sys
for name in ("resource", "fcntl"):
    sys.modules[name] = None
import minillama.course.grading as grading
for each in pkgutil.iter_modules(grading.__path__):
    importlib.import_module(f"{grading.__name__}.{each.name}")
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_windows_is_told_what_to_do(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match="inside WSL"):
        grade(plan(tmp_path))


def test_a_report_of_another_run_is_not_overwritten(report, handed_in, plan):
    (handed_in / "late.ipynb").write_bytes(b"{}")
    try:
        with pytest.raises(DataError, match=r"another run \(other submissions, secret, lesson or limits\): choose"):
            grade(plan(report))
        with pytest.raises(DataError, match=r"another run \(other sandbox, seed, submissions"):
            grade(plan(report, seed="0" * 32, limits_only=True))
    finally:
        (handed_in / "late.ipynb").unlink()


@pytest.mark.parametrize("wrong", [{"shard": (3, 2)}, {"shard": (0, 1)}, {"shard": (1, 2), "seed": ""}, {"jobs": 0}])
def test_a_plan_that_cannot_be_carried_out_is_one_line(wrong, tmp_path):
    with pytest.raises(ConfigError):
        Plan(**{"submissions": tmp_path, "out": tmp_path, "root": ROOT, "seed": SEED} | wrong)


def test_cells_are_no_formulas():
    assert [safe_cell(each) for each in ("=1", "+1", "-1", "@x", "\t=1", " =1", "a=1", -1, 0.5)] == [
        "'=1", "'+1", "'-1", "'@x", "'\t=1", "' =1", "a=1", -1, 0.5,
    ]  # fmt: skip
