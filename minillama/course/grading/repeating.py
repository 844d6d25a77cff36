"""Grading one learner or one task again, into a report that is there: on the same inputs, and nothing else changes."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from minillama.course.grading.drawing import check_seed, pseudonym
from minillama.course.grading.folders import Scratch
from minillama.course.grading.grading import (
    Plan,
    grade_all,
    handed_in,
    part_of,
    prepare,
    setting_of,
    tag_of,
    versions,
)
from minillama.course.grading.journal import Journal
from minillama.course.grading.lessons import Course
from minillama.course.grading.reading import fingerprint
from minillama.course.grading.records import LearnerResult, Run, Submission
from minillama.course.grading.reporting import write_report
from minillama.course.grading.tables import did_you_mean
from minillama.course.grading.untrusted import read_regular
from minillama.errors import ConfigError, DataError

Done = Mapping[tuple[str, int], tuple[LearnerResult, float]]


def regrade(
    plan: Plan, only: str, report: Callable[[LearnerResult, int, int], None] | None = None
) -> list[LearnerResult]:
    """Grade one learner's submissions, or one task of everybody's, again, and write the report anew.

    Inputs are drawn from the seed of the report; the course, its versions and the sandbox may be others than then, and
    the audit says which they are. All of it takes the place of what was there, or where it is cut off, none does.

    Args:
        plan: as for the first time; `out` holds the report, and a seed has to be the report's.
        only: a learner, by the name in the report or the roster, or the id of a task.
        report: as in `grading.grade`.

    Returns:
        The results as they count.

    Raises:
        ConfigError: there is neither such a learner nor such a task, or there are both.
        DataError: there is no report, or the submissions are not those that it is of.
    """
    journal = Journal(plan.out)
    if not journal.path.is_file():
        raise DataError(f"{plan.out}: holds no report, expected the --out folder of an earlier run")
    with journal.alone():
        return _regrade(plan, only, journal, report)


def _regrade(
    plan: Plan, only: str, journal: Journal, report: Callable[[LearnerResult, int, int], None] | None
) -> list[LearnerResult]:
    course, marking, sandbox = prepare(plan)
    before = journal.read()
    if before is None:
        raise DataError(f"{plan.out}: its journal is empty: leave --only out")
    run, tag, done = before
    if plan.seed and check_seed(plan.seed) != run.seed:
        raise ConfigError("seed is another one than the report's: leave --seed out")
    if run.shard != plan.shard:
        raise ConfigError(
            f"shard is {plan.shard[0]}/{plan.shard[1]}, expected the report's {run.shard[0]}/{run.shard[1]}"
        )
    with contextlib.closing(Scratch()) as scratch:
        submissions = part_of(handed_in(plan, scratch.path), plan.shard)
        task, learner = _meant(only, plan, course, submissions)
        chosen = [each for each in submissions if _is_meant(each, task, learner, done)]
        fresh = _grade(plan, replace(run, sandbox=sandbox), chosen, report)
        new = [(_joined(done, result, task), seconds) for result, seconds in fresh]
        if _others_are_unchanged(submissions, chosen, done):
            tag = tag_of(submissions, plan)
    changed = [result for result, _ in new if done.get((result.learner, result.attempt), (None,))[0] != result]
    entry = {
        "kind": "regrade", "task": task, "who": pseudonym(run.seed, learner) if learner else "",
        "course": course.digest, "pack": course.pack_digest, "versions": versions(), "sandbox": sandbox,
        "graded": len(new), "changed": len(changed),
    }  # fmt: skip
    journal.add_regrade(entry, tag, new)
    _, _, done = journal.read() or (run, tag, done)
    results, seconds = [each for each, _ in done.values()], {key: each for key, (_, each) in done.items()}
    return write_report(plan.out, run, results, seconds, marking, journal.regrades())


def _meant(only: str, plan: Plan, course: Course, submissions: Sequence[Submission]) -> tuple[str, str]:
    """The task, or the learner (a group's name stands for its members), that is meant; the other is empty."""
    tasks = [task for lesson in course.lessons.values() for task in lesson.tasks]
    learners = {each.learner: each.learner for each in submissions}
    if plan.marking.course is not None and plan.marking.assignment is not None:
        for each in plan.marking.course.learners:
            learners[each.id] = plan.marking.course.drawn_for(each.id, plan.marking.assignment.name)
    if only in tasks and only in learners:
        raise ConfigError(f"only is {only!r}, which is a learner as well as a task: rename the learner's folder")
    if only not in tasks and only not in learners:
        hint = did_you_mean(only, [*learners, *tasks]) or ", expected a learner or the id of a task"
        raise ConfigError(f"only is {only!r}, which is nobody who handed in, and no task{hint}")
    return (only, "") if only in tasks else ("", learners[only])


def _is_meant(submission: Submission, task: str, learner: str, done: Done) -> bool:
    """Is this one to be graded again?

    Raises:
        DataError: its file is not the one that the report is of.
    """
    if learner:
        return submission.learner == learner
    result, _ = done.get((submission.learner, submission.attempt), (None, 0.0))
    if result is None or not any(each.task == task for each in result.outcomes):
        return False
    if _print(submission) != result.sha256:
        raise DataError(
            f"{submission.name}: is not the file that was graded: name {submission.learner!r}, not the task"
        )
    return True


def _print(submission: Submission) -> str:
    try:
        return fingerprint(read_regular(submission.file)) if not submission.problem else ""
    except DataError:
        return ""


def _others_are_unchanged(submissions: Sequence[Submission], chosen: Sequence[Submission], done: Done) -> bool:
    """Are those that were not graded again the ones that the report is of?"""
    ids = {id(each) for each in chosen}
    others = [each for each in submissions if id(each) not in ids]
    known = [done.get((each.learner, each.attempt)) for each in others]
    return all(found is not None and found[0].sha256 == _print(each) for each, found in zip(others, known, strict=True))


def _grade(
    plan: Plan, run: Run, chosen: Sequence[Submission], report: Callable[[LearnerResult, int, int], None] | None
) -> list[tuple[LearnerResult, float]]:
    """Their results, each with its seconds.

    Raises:
        DataError: there are none to grade, or the grader failed on one.
    """
    if not chosen:
        raise DataError("nobody handed that in, so there is nothing to grade again")
    fresh: list[tuple[LearnerResult, float]] = []

    def keep(result: LearnerResult, seconds: float) -> None:
        fresh.append((result, seconds))
        if report is not None:
            report(result, len(fresh), len(chosen))

    grade_all(chosen, setting_of(plan, run), plan.jobs, keep)
    failed = [each.learner for each, _ in fresh if each.status == "failed"]
    if failed:
        raise DataError(
            f"{failed[0]} could not be graded again, and the report stays as it is: run the same command again"
        )
    return sorted(fresh, key=lambda each: (each[0].learner, each[0].attempt))


def _joined(done: Done, result: LearnerResult, task: str) -> LearnerResult:
    """The new result, or the old one with the new outcome of one task.

    Raises:
        DataError: the learner's variants are others than in the report.
    """
    old = done.get((result.learner, result.attempt), (None, 0.0))[0]
    variants: dict[str, Any] = {each.task: each.variant for each in result.outcomes}
    if old is None:
        return result
    for each in old.outcomes:
        if each.task in variants and dict(variants[each.task]) != dict(each.variant):
            raise DataError(f"{each.task}: {old.learner} has another variant than in the report: give the same secret")
    if not task:
        return result
    fresh = next((each for each in result.outcomes if each.task == task), None)
    if fresh is None:
        raise DataError(f"{task}: the notebook of {old.learner} has no such task any more: grade everybody again")
    outcomes = tuple(fresh if each.task == task else each for each in old.outcomes)
    return replace(old, outcomes=outcomes)
