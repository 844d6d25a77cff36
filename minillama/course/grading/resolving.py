"""Whose a submission is: from the names that platforms give to those of the class, and when it was handed in."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from minillama.course.grading.class_file import Assignment, ClassFile
from minillama.course.grading.intake import number_attempts
from minillama.course.grading.moments import read_instant, stamp
from minillama.course.grading.records import Submission
from minillama.course.grading.roster import Roster

STRANGER = "not in the roster"


def resolve(
    submissions: Sequence[Submission], course: ClassFile, assignment: Assignment, source: Path
) -> list[Submission]:
    """The same submissions under the names that their variants are drawn from, with attempts counted anew.

    A group's submissions all bear its name, and `identity["by"]` says whose they are. Who is not in the roster keeps
    the name that the source gives, and so does who is known by a name alone that several people of the platform bear.

    Args:
        submissions: as intake gives them.
        course: the class.
        assignment: what was to be handed in.
        source: where they were collected; a file that lies there, no copy from an archive, has a time of its own.
    """
    shared = _shared(submissions, course.roster)
    taken = {each.id.casefold() for each in course.learners} | {each.name.casefold() for each in course.groups}
    groups = {each.name.casefold(): each for each in course.groups}
    found = []
    for each in submissions:
        learner = course.roster.find(each.learner, each.identity)
        if learner is not None and learner.id in shared and not course.roster.sure(each.identity):
            learner = None
        by_folder = learner is None and not each.identity  # on a platform, whoever likes is called like a group
        group = groups.get(each.learner.casefold()) if by_folder else None
        if learner is not None:
            unit = course.drawn_for(learner.id, assignment.name)
            identity = dict(each.identity) | ({"by": learner.id} if unit != learner.id else {})
            named = replace(each, learner=unit, identity=identity)
        elif group is not None and (not group.assignments or assignment.name in group.assignments):
            named = replace(each, learner=group.name)
        elif each.learner.casefold() in taken:
            named = replace(each, learner=f"{each.learner} ({STRANGER})")
        else:
            named = each
        found.append(_timed(named, source, assignment.times))
    return number_attempts(found)


def _shared(submissions: Sequence[Submission], roster: Roster) -> set[str]:
    """The ids of learners whom several people of the platform, of different numbers, would be."""
    people: dict[str, set[tuple[tuple[str, str], ...]]] = defaultdict(set)
    for each in submissions:
        learner = roster.find(each.learner, each.identity)
        if learner is not None and each.identity:
            people[learner.id].add(tuple(sorted(each.identity.items())))
    return {name for name, found in people.items() if len(found) > 1}


def _timed(submission: Submission, source: Path, times: str) -> Submission:
    """With its time in one form, and whose word it is."""
    moment = read_instant(submission.submitted)
    if moment is not None:
        return replace(submission, submitted=stamp(moment), clock="platform")
    if times == "file" and not submission.submitted and submission.file.is_relative_to(source):
        try:
            changed = datetime.fromtimestamp(submission.file.lstat().st_mtime_ns // 10**9, UTC)
        except (OSError, OverflowError, ValueError):
            return submission
        return replace(submission, submitted=stamp(changed), clock="file")
    return submission
