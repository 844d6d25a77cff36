"""What is put into pytest and nbval so that a rebuilt notebook is graded while nbval runs it.

nbval executes each cell and hands over its outputs to be compared with those that stand in the notebook. Here those of
the cells that show what an answer gives are compared with the reference instead, on the inputs of this run. A verdict
counts only where nbval says that its cell was run to the end.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbval.plugin
import pytest

from minillama.course.grading.asking import Asked
from minillama.course.grading.candidates import Candidates
from minillama.course.grading.environment import supply
from minillama.course.grading.kernel import SandboxedKernel
from minillama.course.grading.limits import Limits
from minillama.course.grading.rebuilding import SHOW
from minillama.course.grading.records import TaskOutcome
from minillama.course.grading.sandbox import Place
from minillama.course.grading.seeing import TamperedError, observations_of
from minillama.course.grading.telling import bare, of_public_member, outcome_of, recorded
from minillama.course.judging import judge
from minillama.course.record import Task

SUFFIX = ".graded"  # of a rebuilt notebook's file
SOON_S = 0.3  # for a kernel to end after a cell that ends it from elsewhere
QUIET_S = 5  # that nbval waits for a message once a cell has ended, on a machine that is not busy
BROKEN = (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)


@dataclass(kw_only=True, eq=False, repr=False)
class Grading:
    """One submission while it is graded; also the plugin's state.

    Args:
        place, limits: of its kernel.
        tasks: id -> record, in the learner's variant.
        public: id -> the public member, of tasks whose variant was drawn.
        asked: id -> the cell that shows what the answer gives.
        seeds: id -> of the inputs.
        elsewhere: names defined in cells that are not graded.
        candidates: the process that runs candidates.
    """

    place: Place
    limits: Limits
    tasks: Mapping[str, Task]
    public: Mapping[str, Task]
    asked: Mapping[str, Asked]
    seeds: Mapping[str, int]
    elsewhere: frozenset[str]
    candidates: Candidates
    outcomes: dict[str, TaskOutcome] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    verdicts: dict[str, TaskOutcome] = field(default_factory=dict)  # not yet confirmed by nbval
    kernel: SandboxedKernel | None = None
    deadline: float = 0.0
    failure: str = ""  # of the grader itself
    revived: int = 0
    ran: list[tuple[str, str]] = field(default_factory=list)  # task and source of cells that the kernel outlived
    running: str = ""  # the task of the cell that was run last
    waiting: list[str] = field(default_factory=list)  # lines that fill empty places, for the cell that comes next
    supplied: list[str] = field(default_factory=list)  # and those that were run

    def start_kernel(self) -> SandboxedKernel:
        """A kernel for the cells that come."""
        try:
            self.kernel = SandboxedKernel(self.place, self.limits, self.deadline)
        except RuntimeError as error:
            self.failure = str(error)
            raise
        return self.kernel

    def compare(self, task_id: str, outputs: list[Any]) -> bool:
        """Judge what an answer's cell showed; is all of it right?"""
        task, asked, seed = self.tasks[task_id], self.asked[task_id], self.seeds[task_id]
        try:
            settled = self.candidates.settled(asked.nonce) if asked.candidates else None
            seen = observations_of(outputs, asked.nonce, len(task.plan(seed).cases), settled)
            outcome = outcome_of(task, judge(task, seed, seen), self.elsewhere)
            if outcome.status == "wrong" and outcome.credit and task_id in self.public:
                other = replace(task, reference=self.public[task_id].reference, misconceptions=())
                outcome = of_public_member(outcome) if judge(other, seed, seen).passed else outcome
            if outcome.status == "recorded":
                outcome = recorded(task, outcome, seen, task.plan(seed).cases)
        except TamperedError as error:
            outcome = bare(task, "tampered", sentence=f"Not graded: {error}.")
        except Exception as error:  # values of any form come here, and comparing them may fail in any way
            kind = type(error).__name__
            outcome = bare(task, "tampered", sentence=f"Not graded: values that no answer has ({kind}).")
        self.verdicts[task_id] = outcome
        return outcome.status == "passed"

    def finish(self, task_id: str, ran: bool) -> None:
        """nbval has done with an answer's cell: did it run it to the end?"""
        task = self.tasks[task_id]
        if ran and task_id in self.verdicts:
            outcome = self.verdicts[task_id]
        else:
            reason = self.kernel.why() if self.kernel is not None else ""
            outcome = bare(task, "lost", sentence=f"Not graded: {reason or 'its cell did not end as it should'}.")
        self.outcomes[task_id] = outcome
        self.waiting += supply(task, task.name, own=outcome.status == "passed")

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> "GradedFile | None":
        """Rebuilt notebooks have a suffix of their own, which nbval leaves to us."""
        if file_path.suffix != SUFFIX:
            return None
        GradedFile.grading = GradedCell.grading = self
        made: GradedFile = GradedFile.from_parent(parent, path=file_path)
        return made

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A verdict counts where nbval has run the cell to its end, and says of its outputs what was said here."""
        task_id = str(dict(report.user_properties).get("shows", ""))
        if task_id and report.when == "call":
            verdict = self.verdicts.get(task_id)
            agrees = verdict is not None and (report.outcome == "passed") == (verdict.status == "passed")
            self.finish(task_id, agrees and not hasattr(report, "wasxfail"))


class GradedCell(nbval.plugin.IPyNbCell):
    """A cell of a rebuilt notebook."""

    grading: Grading

    @property
    def role(self) -> str:
        """setup, answer or show."""
        return str(self.cell.metadata.graded.role)

    @property
    def task_id(self) -> str:
        """The task that it belongs to."""
        return str(self.cell.metadata.graded.task)

    def setup(self) -> None:
        """Start the kernel again where it has ended, as often as the limits allow."""
        grading, kernel = self.grading, self.parent.kernel
        if self.role == SHOW:
            self.user_properties.append(("shows", self.task_id))
        if not kernel.is_alive() and grading.revived < grading.limits.revivals and time.monotonic() < grading.deadline:
            self.parent.revive()
        super().setup()

    def runtest(self) -> None:
        """Run it as nbval does, within its time, and with its candidates at hand."""
        kernel, grading = self.parent.kernel, self.grading
        kernel.start_cell()
        self.output_timeout = QUIET_S * grading.limits.patience
        grading.running = self.task_id
        if self.role != SHOW:
            self.run_answer()
            return
        self.cell.source = "\n".join([*grading.waiting, self.cell.source])
        grading.supplied += grading.waiting
        grading.waiting = []
        asked = grading.asked[self.task_id]
        if not asked.candidates:
            super().runtest()
            return
        grading.candidates.open(asked.nonce, asked.candidates, asked.turns)
        try:
            super().runtest()
        finally:
            grading.candidates.close(asked.nonce)

    def run_answer(self) -> None:
        """Run a cell of definitions; if the kernel outlives it, one that comes after has to know them too."""
        try:
            super().runtest()
        finally:
            if self.parent.kernel.is_alive():
                self.grading.ran.append((self.task_id, self.cell.source))

    def compare_outputs(self, test: Any, ref: Any, skip_compare: Any = None) -> bool:
        """What nbval asks of a cell whose output counts: here, of the reference."""
        self.comparison_traceback: list[str] = []
        return self.grading.compare(self.task_id, list(test))


class GradedFile(nbval.plugin.IPyNbFile):
    """A rebuilt notebook."""

    grading: Grading

    def collect(self) -> Iterator[GradedCell]:
        """nbval's cells, graded."""
        for cell in super().collect():
            made: GradedCell = GradedCell.from_parent(
                self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell, options=cell.options
            )
            yield made

    def setup(self) -> None:
        """Start the kernel, as nbval does, but in a sandbox."""
        self.kernel = self.grading.start_kernel()
        self.setup_sanitize_files()

    def teardown(self) -> None:
        """End the kernel, whether it lives or not."""
        if self.kernel is not None:
            self.kernel.stop()

    def revive(self) -> None:
        """Start another kernel, and run there what ran to its end in the one before, but for what it died of."""
        grading = self.grading
        grading.revived += 1
        grading.notes.append(f"Its kernel was started again: {self.kernel.why()}.")
        grading.ran = [(task, source) for task, source in grading.ran if not task or task != grading.running]
        self.timed_out = False
        while (deadly := self._replay()) is not None:
            grading.ran.remove(deadly)

    def _replay(self) -> tuple[str, str] | None:
        """Start a kernel and run everything there; what it dies of, soon after it ran, if it does."""
        grading = self.grading
        self.kernel.stop()
        self.kernel = grading.start_kernel()
        for task, source in [*grading.ran, *(("", source) for source in grading.supplied)]:
            self.kernel.start_cell()
            self.kernel.run_quietly(source)
            if task and not self.kernel.outlives(SOON_S):
                return task, source
        return None


def run(grading: Grading, notebook: Path) -> None:
    """Let nbval run a rebuilt notebook; `grading.outcomes` holds what came of it.

    Raises:
        RuntimeError: pytest or nbval fails by itself.
    """
    grading.deadline = time.monotonic() + grading.limits.wall_s
    config = notebook.with_name("pytest.ini")
    config.write_text("[pytest]\n", encoding="utf-8")
    try:
        code = pytest.main(
            ["--nbval", "-p", "nbval.plugin", "-p", "no:cacheprovider", "--noconftest", "-c", str(config), "--rootdir",
             str(notebook.parent), "--color", "no", "--tb", "line", "-q", str(notebook)],
            plugins=[grading],
        )  # fmt: skip
    finally:
        if grading.kernel is not None:
            grading.kernel.stop()
    if grading.failure or code in BROKEN:
        raise RuntimeError(grading.failure or f"pytest ended with {code!r}")
