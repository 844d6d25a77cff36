"""A grader that stays up for all tests of a file, in a process of its own, as in real runs."""

import dataclasses

import pytest

from minillama.course.grading.limits import Limits
from minillama.course.grading.records import BUBBLEWRAP, Submission
from minillama.course.grading.sandbox import why_no_bubblewrap
from minillama.course.grading.worker import Worker
from tests.course.grading.handing_in import ROOT, SEED, as_bytes, write_pack

GENEROUS = Limits(wall_s=900, cell_s=60, patience=10)  # for a machine that is busy, where no limit is tested
TIGHT = Limits(wall_s=600, cell_s=5, patience=3, cpu_s=60)  # what is tested is reached soon


class Grader:
    """Grades one notebook after the other, by the pack or the course's own records."""

    def __init__(self, folder, limits=TIGHT, pack=True):
        self.folder, self.worker, self.count = folder, None, 0
        self.setting = {
            "root": str(ROOT), "pack": str(write_pack(folder / "pack")) if pack else "", "seed": SEED, "secret": "",
            "sandbox": BUBBLEWRAP, "lesson": "", "limits": dataclasses.asdict(limits),
        }  # fmt: skip

    def __call__(self, made, beside=None):
        """The result of a notebook."""
        self.worker = self.worker or Worker(self.setting)
        self.count += 1
        own = self.folder / str(self.count)
        own.mkdir()
        for name, text in (beside or {}).items():
            (own / name).write_text(text, encoding="utf-8")
        file = own / "x.ipynb"
        file.write_bytes(as_bytes(made))
        return self.worker.grade(Submission(learner="ada", file=file, name=file.name))

    def close(self):
        """End it."""
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
    made = Grader(tmp_path_factory.mktemp("handed-in"))
    yield made
    made.close()
