"""All submissions to one report, in parallel, in parts, and again after a crash."""

import contextlib
import hashlib
import importlib.metadata
import logging
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from minillama.course.grading.drawing import check_seed, digest, new_seed
from minillama.course.grading.folders import Scratch
from minillama.course.grading.intake import collect
from minillama.course.grading.journal import Journal
from minillama.course.grading.lessons import Course, load_course
from minillama.course.grading.limits import Limits
from minillama.course.grading.marking import Marking, check
from minillama.course.grading.reading import fingerprint
from minillama.course.grading.records import BUBBLEWRAP, LIMITS_ONLY, LearnerResult, Run, Submission, not_run
from minillama.course.grading.reporting import write_report
from minillama.course.grading.resolving import resolve
from minillama.course.grading.sandbox import why_no_bubblewrap
from minillama.course.grading.untrusted import read_regular
from minillama.course.grading.worker import Worker, WorkerEndedError
from minillama.errors import ConfigError, DataError

RECYCLED_AFTER = 50  # submissions, so that no worker grows without end
TRIES = 2
VERSIONS = ("minillama", "nbval", "pytest", "ipykernel", "torch", "numpy")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a folder of submissions is to be graded.

    Args:
        submissions: folder, archive or notebook.
        out: folder of the report.
        root: the course's folder.
        pack: a teacher's folder, or None.
        seed: of an earlier run, to grade exactly as then; empty draws one.
        secret: of the course, for variants.
        lesson: stem of the only notebook expected; empty for any.
        jobs: how many are graded at once.
        shard: (i, n): the i-th of n parts, from 1.
        marking: what makes results marks; a class's tasks are filled in from the course.
        limits: for each submission.
        limits_only: run without bubblewrap, although it is there.
    """

    submissions: Path
    out: Path
    root: Path
    pack: Path | None = None
    seed: str = ""
    secret: str = ""
    lesson: str = ""
    jobs: int = 1
    shard: tuple[int, int] = (1, 1)
    marking: Marking = field(default_factory=Marking)
    limits: Limits = field(default_factory=Limits)
    limits_only: bool = False

    def __post_init__(self) -> None:
        part, parts = self.shard
        if not 1 <= part <= parts:
            raise ConfigError(f"shard is {part}/{parts}, expected i/n with i from 1 to n")
        if parts > 1 and not self.seed:
            raise ConfigError("a shard needs --seed, the same for all of them: 32 hexadecimal digits")
        if self.jobs < 1:
            raise ConfigError(f"jobs is {self.jobs}, expected at least 1")


def grade(plan: Plan, report: Callable[[LearnerResult, int, int], None] | None = None) -> list[LearnerResult]:
    """Grade everything, and write the report; what an earlier run of the same into the same folder did stays.

    Args:
        plan: see Plan.
        report: called after each submission, with the result, how many are done and of how many.

    Returns:
        The results as they count.

    Raises:
        ConfigError, DataError: the plan cannot be carried out.
    """
    course, marking, sandbox = prepare(plan)
    plan.out.mkdir(parents=True, exist_ok=True)
    journal = Journal(plan.out)
    with journal.alone(), contextlib.closing(Scratch()) as scratch:
        everybody = handed_in(plan, scratch.path)
        submissions = part_of(everybody, plan.shard)
        check(marking, (each.learner for each in submissions))
        run, done = _resume(plan, _fresh(plan, course, everybody, sandbox), submissions)
        waiting = [each for each in submissions if (each.learner, each.attempt) not in done]

        def keep(result: LearnerResult, seconds: float) -> None:
            journal.add(result, seconds)
            done[result.learner, result.attempt] = (result, seconds)
            if report is not None:
                report(result, len(done), len(submissions))

        grade_all(waiting, setting_of(plan, run), plan.jobs, keep)
        results = [result for result, _ in done.values()]
        seconds = {key: each for key, (_, each) in done.items()}
        return write_report(plan.out, run, results, seconds, marking, journal.regrades())


def prepare(plan: Plan) -> tuple[Course, Marking, str]:
    """What can be graded, how it is marked, and the kind of sandbox that there is.

    Raises:
        ConfigError: the course, the pack or the class does not hold what the plan asks for, or nothing runs here.
    """
    if sys.platform == "win32":
        raise ConfigError("minillama grade needs Linux or macOS: on Windows, run it inside WSL")
    course = load_course(plan.root, plan.pack)
    if plan.lesson and plan.lesson not in course.lessons:
        raise ConfigError(f"lesson is {plan.lesson!r}, expected one of {', '.join(sorted(course.lessons))}")
    marking = marking_over(plan.marking, course)
    why = "it was not asked for" if plan.limits_only else why_no_bubblewrap()
    if why:
        logger.warning("NOT TAMPER-RESISTANT: submissions run with limits only, because %s", why)
    return course, marking, LIMITS_ONLY if why else BUBBLEWRAP


def marking_over(marking: Marking, course: Course) -> Marking:
    """A marking with the tasks of its assignment's lesson.

    Raises:
        ConfigError: the course lacks the lesson, or the lesson a task.
    """
    if marking.assignment is None:
        return marking
    lesson = course.lessons.get(marking.assignment.lesson)
    if lesson is None:
        known = ", ".join(sorted(course.lessons))
        raise ConfigError(f"lesson is {marking.assignment.lesson!r}, expected one of {known}")
    return marking.over(lesson.tasks)


def handed_in(plan: Plan, scratch: Path) -> list[Submission]:
    """Everything that was handed in, in a class under its names.

    Raises:
        DataError: nothing there can be a submission.
    """
    course, assignment = plan.marking.course, plan.marking.assignment
    if course is None or assignment is None:
        return collect(plan.submissions, scratch)
    found = collect(plan.submissions, scratch, lambda name: course.roster.find(name, {}) is not None)
    return resolve(found, course, assignment, plan.submissions)


def part_of(submissions: Sequence[Submission], shard: tuple[int, int]) -> list[Submission]:
    """The part of a shard; all files of one learner are in one part."""
    part, parts = shard
    numbers = {learner: i for i, learner in enumerate(sorted({each.learner for each in submissions}))}
    return [each for each in submissions if numbers[each.learner] % parts == part - 1]


def _fresh(plan: Plan, course: Course, everybody: Sequence[Submission], sandbox: str) -> Run:
    """A run that has not begun. Parts of one have the same learners, or some of these would be in none or in two."""
    seed = check_seed(plan.seed) if plan.seed else new_seed()
    names = sorted({each.learner for each in everybody})
    return Run(
        seed=seed, course=course.digest, pack=course.pack_digest, versions=versions(), sandbox=sandbox,
        shard=plan.shard, learners=digest(seed, "learners", *names).hex() if plan.shard[1] > 1 else "",
    )  # fmt: skip


def _resume(
    plan: Plan, fresh: Run, submissions: Sequence[Submission]
) -> tuple[Run, dict[tuple[str, int], tuple[LearnerResult, float]]]:
    """What this run goes on with: an earlier one of the same, or nothing yet."""
    tag = tag_of(submissions, plan)
    journal = Journal(plan.out)
    before = journal.read()
    if before is None:
        journal.begin(fresh, tag)
        return fresh, {}
    run, old_tag, done = before
    kept = ("course", "pack", "versions", "sandbox", "shard", *(("seed",) if plan.seed else ()))
    other = [name for name in kept if getattr(run, name) != getattr(fresh, name)]
    other += ["submissions, secret, lesson or limits"] if tag != old_tag else []
    if other:
        words = f"holds the report of another run (other {', '.join(other)})"
        raise DataError(f"{plan.out}: {words}: choose another --out, or empty it")
    finished = {key: each for key, each in done.items() if each[0].status != "failed"}
    return run, finished


def versions() -> dict[str, str]:
    """Of everything that a grade may hang on."""
    return {name: _version(name) for name in VERSIONS} | {"python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def tag_of(submissions: Sequence[Submission], plan: Plan) -> str:
    """A digest of what is graded, and of what decides how."""
    found = hashlib.sha256(f"{plan.lesson}\0{asdict(plan.limits)}".encode())
    found.update(digest(plan.secret or "-", "tag"))
    for each in submissions:
        content = each.problem
        if not content:
            with contextlib.suppress(DataError):
                content = fingerprint(read_regular(each.file))
        found.update(f"{each.learner}\0{each.attempt}\0{each.name}\0{content}\n".encode())
    return found.hexdigest()


def setting_of(plan: Plan, run: Run) -> dict[str, Any]:
    """What a worker is told once."""
    return {
        "root": str(plan.root.resolve()), "pack": str(plan.pack.resolve()) if plan.pack else "", "seed": run.seed,
        "secret": plan.secret, "sandbox": run.sandbox, "lesson": plan.lesson, "limits": asdict(plan.limits),
    }  # fmt: skip


def grade_all(
    waiting: Sequence[Submission], setting: dict[str, Any], jobs: int, keep: Callable[[LearnerResult, float], None]
) -> None:
    """Give each submission to the next worker that is free; `keep` is called for one at a time."""
    todo: queue.SimpleQueue[Submission] = queue.SimpleQueue()
    for each in waiting:
        todo.put(each)
    lock, failures = threading.Lock(), list[BaseException]()

    def work() -> None:
        worker, used = None, 0
        try:
            while not failures:
                try:
                    submission = todo.get_nowait()
                except queue.Empty:
                    return
                started = time.monotonic()
                result, worker, used = _grade_one(submission, setting, worker, used)
                with lock:
                    keep(result, time.monotonic() - started)
        except BaseException as error:
            failures.append(error)
        finally:
            if worker is not None:
                worker.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(jobs, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()  # Ctrl-C ends the program here, and every worker ends with it
    if failures:
        raise failures[0]


def _grade_one(
    submission: Submission, setting: dict[str, Any], worker: Worker | None, used: int
) -> tuple[LearnerResult, Worker | None, int]:
    """One result, the worker to go on with, and how much it has done."""
    error: Exception | None = None
    for _ in range(TRIES):
        if worker is not None and used >= RECYCLED_AFTER:
            worker.close()
            worker, used = None, 0
        worker = worker or Worker(setting)
        try:
            return worker.grade(submission), worker, used + 1
        except (WorkerEndedError, DataError, ValueError) as raised:
            error = raised
            worker.close()
            worker, used = None, 0
    return not_run(submission, "failed", f"Not graded: {error}. Grade it again."), None, 0
