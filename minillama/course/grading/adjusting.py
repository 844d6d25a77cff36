"""Points and comments that a person gives: the queue of what is to be read, and the table that comes back.

manual.csv lists every answer that a person reads, with its rubric. Filled in, it is what `--adjust` takes, and so is
any table with the columns learner, task, points and comment. Points are a number, or a change with its sign: +1, -0.5.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minillama.course.grading.records import LearnerResult, TaskOutcome
from minillama.course.grading.tables import csv_text, did_you_mean, read_table
from minillama.course.grading.untrusted import clean_text
from minillama.errors import DataError

MANUAL, ADJUSTMENTS = "manual.csv", "adjustments.csv"
NEEDED = ("learner", "task", "points")
QUEUE = ("learner", "attempt", "task", "answer", "rubric", "possible", "points", "comment")
NUMBER = re.compile(r"[+-]?(\d{1,6}([.,]\d{0,6})?|[.,]\d{1,6})")
MAX_COMMENT = 2_000  # characters


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """What a person says of one answer.

    Args:
        learner, task: whose, and which.
        attempt: of which submission; None for all of the learner's.
        points: a number, or a change with its sign; empty where there is only a comment.
        comment: for the learner.
        line: of the file, for messages.
    """

    learner: str
    task: str
    attempt: int | None = None
    points: str = ""
    comment: str = ""
    line: int = 0

    def applied(self, outcome: TaskOutcome) -> TaskOutcome:
        """The outcome with these points, not below none nor above what is possible, and this comment."""
        if not self.points:
            return replace(outcome, comment=self.comment)
        points = float(self.points) + (outcome.points if self.points[0] in "+-" else 0.0)
        credit = min(max(points, 0.0), outcome.possible) / outcome.possible if outcome.possible else 0.0
        return replace(outcome, credit=credit, adjusted=True, comment=self.comment)


def read_adjustments(path: Path) -> tuple[Adjustment, ...]:
    """The rows of a table that have points or a comment.

    Raises:
        DataError: it is not such a table.
    """
    found: dict[tuple[str, str, int | None], Adjustment] = {}
    for row in read_table(path, NEEDED, QUEUE):
        cells = row.cells
        if not (cells["points"] or cells["comment"]):
            continue
        for name in ("learner", "task"):
            if not cells[name]:
                raise DataError(f"{path}: line {row.line} has no {name}, expected one beside points or a comment")
        if cells["points"] and not NUMBER.fullmatch(cells["points"]):
            got = cells["points"][:40]
            raise DataError(f"{path}: line {row.line} has points {got!r}, expected a number such as 2.5, or +1 or -0.5")
        if cells["attempt"] and not re.fullmatch(r"\d{1,6}", cells["attempt"]):
            raise DataError(f"{path}: line {row.line} has attempt {cells['attempt'][:40]!r}, expected a whole number")
        if len(cells["comment"]) > MAX_COMMENT:
            raise DataError(f"{path}: line {row.line} has a comment of more than {MAX_COMMENT} characters: shorten it")
        made = Adjustment(
            learner=cells["learner"], task=cells["task"], points=cells["points"].replace(",", "."),
            attempt=int(cells["attempt"]) if cells["attempt"] else None, comment=clean_text(cells["comment"]),
            line=row.line,
        )  # fmt: skip
        other = found.setdefault((made.learner, made.task, made.attempt), made)
        if other is not made:
            raise DataError(f"{path}: lines {other.line} and {made.line} are of one answer, expected one: delete one")
    return tuple(found.values())


def gather_adjustments(report: Path, given: Path | None) -> tuple[Adjustment, ...]:
    """What was said before, as the report keeps it, and what is said now, which counts before it.

    Args:
        report: its folder; its adjustments.csv, if there is one, holds what was said before.
        given: a table with more, or None.

    Raises:
        DataError: one of them is not such a table.
    """
    found: dict[tuple[str, str, int | None], Adjustment] = {}
    for path in (report / ADJUSTMENTS, given):
        if path is not None and (path is given or path.exists()):
            found |= {(each.learner, each.task, each.attempt): each for each in read_adjustments(path)}
    return tuple(found.values())


def check_adjustments(
    adjustments: Iterable[Adjustment], learners: Iterable[str], possible: Mapping[str, float]
) -> None:
    """See that each is of somebody and something that is there, and within its range.

    Args:
        adjustments: all.
        learners: everybody who can have points, groups too.
        possible: task -> the most points that it gives.

    Raises:
        DataError: one is not.
    """
    known = set(learners)
    for each in adjustments:
        for name, value, there in (("learner", each.learner, known), ("task", each.task, possible)):
            if value not in there:
                hint = did_you_mean(value, list(there)) or ", expected one of the report's"
                raise DataError(f"adjustments, line {each.line}: {name} {value[:60]!r} is not in the report{hint}")
        most = possible[each.task]
        if each.points and not (math.isfinite(float(each.points)) and abs(float(each.points)) <= most):
            raise DataError(
                f"adjustments, line {each.line}: points are {each.points}, expected at most the {most:g} of {each.task}"
            )


def adjusted(result: LearnerResult, adjustments: Iterable[Adjustment]) -> LearnerResult:
    """The result with what was said of its learner; what names the attempt counts before what does not."""
    own: dict[str, Adjustment] = {}
    for each in adjustments:
        fits = each.learner == result.learner and each.attempt in (None, result.attempt)
        if fits and (each.attempt is not None or each.task not in own):
            own[each.task] = each
    if not own:
        return result
    outcomes = (own[each.task].applied(each) if each.task in own else each for each in result.outcomes)
    return replace(result, outcomes=tuple(outcomes))


def adjustments_text(adjustments: Sequence[Adjustment]) -> str:
    """adjustments.csv: what was applied."""
    rows = sorted(
        (each.learner, each.task, each.attempt if each.attempt is not None else "", each.points, each.comment)
        for each in adjustments
    )  # fmt: skip
    return csv_text([("learner", "task", "attempt", "points", "comment"), *rows])


def manual_text(results: Sequence[LearnerResult], before: Path) -> str:
    """manual.csv: a row for each answer that a person reads; a group's once.

    Args:
        results: those that count.
        before: the file of an earlier report, whose points and comments stay where nothing else was said.

    Raises:
        DataError: there is such a file, and it is not to be read.
    """
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for result in results:
        for each in result.outcomes:
            if each.status == "recorded":
                learner = result.identity.get("group", result.learner)
                rows.setdefault((learner, str(result.attempt), each.task), {
                    "learner": learner, "attempt": str(result.attempt), "task": each.task, "answer": each.answer,
                    "rubric": "\n".join(each.rubric), "possible": f"{each.possible:g}",
                    "points": f"{each.points:g}" if each.adjusted else "", "comment": each.comment,
                })  # fmt: skip
    for row in read_table(before, NEEDED, QUEUE) if before.exists() else ():
        key = (row.cells["learner"], row.cells["attempt"], row.cells["task"])
        if row.cells["points"] or row.cells["comment"]:
            mine = rows.setdefault(key, dict(row.cells))
            if not (mine["points"] or mine["comment"]):
                mine |= {"points": row.cells["points"], "comment": row.cells["comment"]}
    return csv_text([QUEUE, *([row[name] for name in QUEUE] for _, row in sorted(rows.items()))])
