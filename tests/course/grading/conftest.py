"""A grader that stays up for all tests of a file, in a process of its own, as in real runs."""

import dataclasses
import os

import pytest

from minillama.course.grading.limits import Limits
from minillama.course.grading.records import Submission
from minillama.course.grading.sandbox import BUBBLEWRAP, LIMITS_ONLY, why_no_bubblewrap
from minillama.course.grading.worker import Worker
from tests.course.grading.handing_in import ROOT, SEED, as_bytes

ASKED = "GRADING_TESTS"  # a name in the environment that lets them run: they take a quarter of an hour

QUICK = Limits(wall_s=150, cell_s=20, cpu_s=60)  # for a machine that is busy with other tests


@pytest.fixture(autouse=True, scope="session")
def _only_when_asked():
    if not os.environ.get(ASKED):
        pytest.skip(f"the tests of grading take a quarter of an hour: {ASKED}=1 runs them")


def setting(sandbox, limits=QUICK, **more):
    """What a worker is told."""
    usual = {"root": str(ROOT), "pack": "", "seed": SEED, "secret": "", "sandbox": sandbox, "lesson": ""}
    return usual | {"limits": dataclasses.asdict(limits)} | more


class Grader:
    """Grades one notebook after the other; starts again what has ended."""

    def __init__(self, folder, **setting):
        self.folder, self.setting, self.worker, self.count = folder, setting, None, 0

    def __call__(self, made, learner="ada"):
        self.worker = self.worker or Worker(self.setting)
        self.count += 1
        file = self.folder / f"{self.count}.ipynb"
        file.write_bytes(as_bytes(made))
        return self.worker.grade(Submission(learner=learner, file=file, name=file.name))

    def close(self):
        if self.worker is not None:
            self.worker.close()


@pytest.fixture(scope="session")
def sandboxed():
    """Skips where there is no sandbox, and says why."""
    why = why_no_bubblewrap()
    if why:
        pytest.skip(f"needs bubblewrap: {why}")


@pytest.fixture(scope="module")
def grader(sandboxed, tmp_path_factory):
    """Grades in bubblewrap."""
    made = Grader(tmp_path_factory.mktemp("handed-in"), **setting(BUBBLEWRAP))
    yield made
    made.close()


@pytest.fixture(scope="module")
def grader_without_sandbox(tmp_path_factory):
    """Grades with limits only."""
    made = Grader(tmp_path_factory.mktemp("handed-in"), **setting(LIMITS_ONLY))
    yield made
    made.close()
