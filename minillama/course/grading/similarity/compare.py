"""From the prints of a class to what a teacher should look at: never a verdict, and silent about short answers.

Two answers to a task are set side by side where most of what one of them has of its own is in the other, too. Not of
its own is what everybody starts with, what solutions, lesson and package hold, and what many of the class have written.

The numbers below were chosen by the right answers of tests/course/*_answers.py, which are known to be written apart
from each other: of three hundred pairs with at least MIN_OWN prints each, none shares more than a quarter of them; a
copy with other names, other layout and a line more shares nine tenths. SHARE stands between the two, nearer to the
copies: learners of one course write more alike than people who try not to.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from minillama.course.grading.records import AnswerPrint, LearnerResult
from minillama.course.grading.similarity.prints import unpack
from minillama.course.grading.tables import csv_text
from minillama.course.tasks import LESSONS

MIN_OWN = 20  # prints of an answer that are its own, or it is not compared: some three lines
SHARE = 0.7  # of the smaller answer's own prints that are in the other one
MIN_PUBLIC, PUBLIC_SHARE = 20, 0.9  # prints of an answer, and the share of them that are public
COMMON, COMMON_SHARE = 5, 0.1  # a print that more learners have, and more than this share of the class, is nobody's own

CLASSMATE, SAME_FILE, MANY = "matches a classmate", "same file as a classmate", "matches many classmates"
PUBLIC, OPEN_BOOK = "matches the public reference", "matches the public reference (open book)"
PACK = "matches the pack's solution"  # which learners do not have: it got about, or there is one way to write it
UNREADABLE = "not compared: not readable as Python"
HEADER = ("lesson", "task", "match", "learner", "classmate", "share", "prints")


@dataclass(frozen=True, kw_only=True)
class Match:
    """One answer that is like something else.

    Args:
        lesson: stem of the notebook.
        task: its id; empty for a whole file.
        kind: CLASSMATE, SAME_FILE, MANY (its own prints are those of more classmates than COMMON says: the usual way
            to write it, or one source for all), PUBLIC, OPEN_BOOK, PACK or UNREADABLE.
        learner: whose answer it is.
        classmate: whose it is like; empty where it is no classmate's. Of two, the first by name is the learner.
        share: of prints that both have, 0 to 1.
        prints: how many that are.
    """

    lesson: str
    task: str
    kind: str
    learner: str
    classmate: str = ""
    share: float = 1.0
    prints: int = 0


def matches_of(results: Iterable[LearnerResult]) -> list[Match]:
    """Everything that is alike, by lesson and task, the most alike first.

    Args:
        results: those that count, one a learner and lesson. Who hands in together is not compared: learners whose
            identity has the same "group".
    """
    graded = [each for each in results if each.lesson]
    teams = {each.learner: each.identity["group"] for each in graded if each.identity.get("group")}
    answers: dict[tuple[str, str], dict[str, AnswerPrint]] = defaultdict(dict)
    for result in graded:
        for one in result.prints:
            answers[result.lesson, one.task][result.learner] = one
    open_book = {outcome.task: outcome.open_book for result in graded for outcome in result.outcomes}
    found = _same_files(graded, teams)
    for (lesson, task), own in answers.items():
        found += _pairs(lesson, task, own, teams)
        found += _alone(lesson, task, own, _whose(lesson, open_book.get(task, False)))
    return sorted(
        found, key=lambda each: (each.lesson, each.task, each.kind, -each.share, each.learner, each.classmate)
    )


def similarity_csv(matches: Sequence[Match]) -> str:
    """similarity.csv: a row a match."""
    rows = [
        (each.lesson, each.task, each.kind, each.learner, each.classmate, each.share, each.prints) for each in matches
    ]
    return csv_text([HEADER, *rows])


def _together(left: str, right: str, teams: Mapping[str, str]) -> bool:
    return left in teams and teams[left] == teams.get(right)


def _same_files(results: Sequence[LearnerResult], teams: Mapping[str, str]) -> list[Match]:
    """Files that are equal to the last byte, and hold an answer of their own: neither untouched nor the solutions'."""
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in results:
        if any(one.own for one in each.prints):
            holders[each.lesson, each.sha256].add(each.learner)
    return [
        Match(lesson=lesson, task="", kind=SAME_FILE, learner=left, classmate=right)
        for (lesson, _), learners in holders.items()
        for left, right in combinations(sorted(learners), 2)
        if not _together(left, right, teams)
    ]


def _pairs(lesson: str, task: str, answers: Mapping[str, AnswerPrint], teams: Mapping[str, str]) -> list[Match]:
    """Classmates whose answers to one task are alike; each answer is one long number with a bit a print."""
    own = {learner: unpack(one.own) for learner, one in sorted(answers.items())}
    holders = Counter(each for prints in own.values() for each in prints)
    most = max(COMMON, COMMON_SHARE * len(own))
    places = {each: place for place, each in enumerate(sorted(e for e, count in holders.items() if 1 < count <= most))}
    sizes = {learner: sum(holders[each] <= most for each in prints) for learner, prints in own.items()}
    bits = {
        learner: sum(1 << places[each] for each in own[learner] if each in places)
        for learner, size in sizes.items()
        if size >= MIN_OWN
    }
    found = [
        Match(lesson=lesson, task=task, kind=MANY, learner=learner, share=round(1 - sizes[learner] / len(prints), 4),
              prints=len(prints) - sizes[learner])
        for learner, prints in own.items()
        if len(prints) >= MIN_OWN and len(prints) - sizes[learner] >= SHARE * len(prints)
    ]  # fmt: skip
    for left, right in combinations(bits, 2):
        both = (bits[left] & bits[right]).bit_count()
        share = both / min(sizes[left], sizes[right])
        if share >= SHARE and not _together(left, right, teams):
            found.append(
                Match(lesson=lesson, task=task, kind=CLASSMATE, learner=left, classmate=right,
                      share=round(share, 4), prints=both)
            )  # fmt: skip
    return found


def _whose(lesson: str, open_book: bool) -> str:
    """What an answer is called that is the solution's."""
    if lesson not in LESSONS:
        return PACK
    return OPEN_BOOK if open_book else PUBLIC


def _alone(lesson: str, task: str, answers: Mapping[str, AnswerPrint], public: str) -> list[Match]:
    """Answers that are the public one, and those that could not be read."""
    found = []
    for learner, one in answers.items():
        if not one.readable:
            found.append(Match(lesson=lesson, task=task, kind=UNREADABLE, learner=learner, share=0.0))
        elif one.size >= MIN_PUBLIC and one.public >= PUBLIC_SHARE:
            shared = round(one.size * one.public)
            found.append(Match(lesson=lesson, task=task, kind=public, learner=learner, share=one.public, prints=shared))
    return found
