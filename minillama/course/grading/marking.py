"""From graded submissions to marks: what counts of a class's assignment, who is late, and what a person said.

Nothing here runs or reads a submission. `marked` is a function of results, so a report can be written again with other
dates, points or adjustments, and the merged report of shards is the report of one run.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from minillama.course.grading.adjusting import Adjustment, adjusted, check_adjustments
from minillama.course.grading.class_file import Assignment, ClassFile
from minillama.course.grading.moments import Dates, in_words, read_instant, stamp
from minillama.course.grading.records import PRECISION, LearnerResult
from minillama.course.grading.resolving import STRANGER
from minillama.course.grading.telling import bare
from minillama.course.record import Task
from minillama.errors import ConfigError

CLOSED = "It came after the assignment had closed."
FILE_CLOCK = "Its time is the file's own, which whoever handed it in may set."


@dataclass(frozen=True, kw_only=True)
class Marking:
    """How graded submissions become marks.

    Args:
        attempts: "last" or "best" counts.
        course: the class; None without one.
        assignment: of the class, that is marked.
        adjustments: what a person said.
        tasks: of the assignment's lesson; see `over`.
    """

    attempts: str = "last"
    course: ClassFile | None = None
    assignment: Assignment | None = None
    adjustments: tuple[Adjustment, ...] = ()
    tasks: Mapping[str, Task] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.attempts not in ("last", "best"):
            raise ConfigError(f"attempts is {self.attempts!r}, expected last or best")

    def over(self, tasks: Mapping[str, Task]) -> "Marking":
        """The same, for the tasks of the assignment's lesson, in the order of its notebook.

        Raises:
            ConfigError: the assignment names a task that is not among them.
        """
        if self.assignment is not None:
            self.assignment.chosen(tuple(tasks.values()))
        return replace(self, tasks=tasks)

    @property
    def points(self) -> dict[str, float]:
        """Task -> points, of what counts, in order; empty without a class."""
        return self.assignment.chosen(tuple(self.tasks.values())) if self.assignment is not None else {}

    def is_stranger(self, learner: str) -> bool:
        """Is there a roster, and somebody not in it?"""
        return self.course is not None and bool(self.course.learners) and learner not in self.course.roster.by_id


def check(marking: Marking, learners: Iterable[str]) -> None:
    """See that all adjustments are of somebody in the class, or who handed in, and of what counts.

    Raises:
        DataError: one is not.
    """
    if marking.course is not None:
        people = {*marking.course.roster.by_id, *(each.name for each in marking.course.groups), *learners}
        check_adjustments(marking.adjustments, people, marking.points)


def marked(results: Iterable[LearnerResult], marking: Marking, whole: bool = True) -> list[LearnerResult]:
    """The results as they count, sorted by learner and attempt: a group's once for each member.

    Args:
        results: as they were graded.
        marking: see Marking.
        whole: these are the results of everybody, so whoever of the roster is not among them handed in nothing.

    Raises:
        DataError: an adjustment is of nobody, of nothing, or out of range.
    """
    ordered = sorted(results, key=lambda each: (each.learner, each.attempt))
    course, assignment = marking.course, marking.assignment
    if course is None or assignment is None:
        possible = {one.task: one.possible for each in ordered for one in each.outcomes}
        check_adjustments(marking.adjustments, (each.learner for each in ordered), possible)
        return [adjusted(each, marking.adjustments) for each in ordered]
    check(marking, (each.learner for each in ordered))
    groups = {each.name for each in course.groups}
    chosen = [_chosen(each, marking) for each in ordered]
    units = [adjusted(each, marking.adjustments) if each.learner in groups else each for each in chosen]
    single = [one for each in units for one in _members(each, units, course, assignment)]
    if whole:
        single += _missing(single, marking)
    by_learner = defaultdict(list)
    for each in single:
        by_learner[each.learner].append(adjusted(each, marking.adjustments))
    return [
        one for learner, own in sorted(by_learner.items())
        for one in _dated(own, course.dates_of(learner, assignment), assignment)
    ]  # fmt: skip


def _chosen(result: LearnerResult, marking: Marking) -> LearnerResult:
    """With the tasks that count, worth what the class says; without an outcome, a task is missing."""
    there = {each.task: each for each in result.outcomes}
    words = "Nothing of it could be graded." if result.name else "Nothing was handed in."
    outcomes = (
        replace(there.get(task) or bare(marking.tasks[task], "missing", sentence=words), possible=points)
        for task, points in marking.points.items()
    )  # fmt: skip
    return replace(result, outcomes=tuple(outcomes))


def _members(
    result: LearnerResult, units: Sequence[LearnerResult], course: ClassFile, assignment: Assignment
) -> list[LearnerResult]:
    """A group's result once for each member, and somebody's own as it is, with what the roster knows."""
    group = next((each for each in course.groups if each.name == result.learner), None)
    if group is None:
        known = course.roster.by_id.get(result.learner)
        return [replace(result, identity={**result.identity, **known.identity}) if known else result]
    senders = {each.identity.get("by", group.name) for each in units if each.learner == group.name}
    several = (
        f"{len(senders)} of the group handed in; the {assignment.attempts} counts."  # without names, for the audit
    )
    told = {"group": group.name} | ({"by": result.identity["by"]} if "by" in result.identity else {})
    notes = (*result.notes, several) if len(senders) > 1 else result.notes
    return [
        replace(result, learner=each, identity={**course.roster.by_id[each].identity, **told}, notes=notes)
        for each in group.members
    ]  # fmt: skip


def _missing(results: Sequence[LearnerResult], marking: Marking) -> list[LearnerResult]:
    """A result for each learner of the roster who has none."""
    assert marking.course is not None
    assert marking.assignment is not None
    there = {each.learner for each in results}
    nothing = LearnerResult(
        learner="", name="", lesson=marking.assignment.lesson, sha256="", status="missing", attempt=0
    )  # fmt: skip
    return [
        _chosen(replace(nothing, learner=each.id, identity=each.identity), marking)
        for each in marking.course.learners if each.id not in there
    ]  # fmt: skip


def _dated(results: Sequence[LearnerResult], dates: Dates, assignment: Assignment) -> list[LearnerResult]:
    """One learner's results, in the order of their attempts, with what lateness takes and which may count."""
    used, found = 0, []
    for each in results:
        used += each.status == "graded"
        too_many = assignment.max_attempts is not None and used > assignment.max_attempts
        dated = _late(each, dates, assignment)
        if too_many and each.status == "graded":
            words = f"It is attempt {used}, and {assignment.max_attempts} count."
            dated = replace(dated, counts=False, notes=(*dated.notes, words))
        found.append(dated)
    return found


def _late(result: LearnerResult, dates: Dates, assignment: Assignment) -> LearnerResult:
    """One result with its lateness, decided by when it was handed in; where nobody knows when, nothing is taken."""
    limit = dates.due or dates.closes
    said, who = assignment.submitted, result.learner
    by_hand = said.get((who, result.attempt), said.get((who, None)))
    if by_hand is not None and result.status != "missing":
        result = replace(result, submitted=stamp(by_hand), clock="teacher")
    moment = read_instant(result.submitted) if result.clock else None
    if moment is None or result.status == "missing":
        return result
    notes = [*result.notes]
    if result.clock == "file" and limit is not None:
        notes.append(FILE_CLOCK)
    if dates.opens is not None and moment < dates.opens:
        notes.append(f"It was handed in {in_words(dates.opens - moment)} before the assignment opened.")
    late = moment - limit if limit is not None and moment > limit else timedelta()
    counts = dates.closes is None or moment <= dates.closes
    is_late = late > assignment.grace or not counts
    share = assignment.penalty.taken(late) if assignment.penalty is not None and is_late else 0.0
    if not counts:
        notes.append(CLOSED)
        share = 1.0
    return replace(
        result, late=is_late, lateness=in_words(late) if late else "", counts=counts,
        penalty=round(result.points * share, PRECISION), notes=tuple(notes),
    )  # fmt: skip


def remarks(results: Sequence[LearnerResult], marking: Marking) -> list[str]:
    """What a teacher should hear about the results that count, sentences; without a class, of answers to read."""
    found = list(marking.course.notes) if marking.course is not None else []
    strangers = sorted({each.learner for each in results if marking.is_stranger(each.learner)})
    if strangers:
        found.append(f"{len(strangers)} {STRANGER}: {_some(strangers)}")
    missing = sum(each.status == "missing" for each in results)
    if missing:
        found.append(f"{missing} of the roster handed in nothing")
    unread = sorted({each.learner for each in results if each.status == "unreadable"})
    if unread:
        found.append(f"{len(unread)} handed in what cannot be read, class.html says why: {_some(unread)}")
    unknown = sorted({each.learner for each in results if each.late and not each.lateness})
    if unknown:
        found.append(
            f"{len(unknown)} called late by the platform, which does not say when, so nothing was taken off: write "
            f"when into a table, and name it as submitted of the assignment: {_some(unknown)}"
        )
    waiting = {
        (each.identity.get("group", each.learner), one.task)
        for each in results for one in each.outcomes if one.status == "recorded" and not one.adjusted
    }  # fmt: skip
    if waiting:
        found.append(f"answers that wait for a person: {len(waiting)}; fill in manual.csv, and give it to --adjust")
    return found


def _some(names: Sequence[str]) -> str:
    """The first ten."""
    return f"{', '.join(names[:10])}{', …' * (len(names) > 10)}"
