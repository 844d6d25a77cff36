"""The files of a report: gradebook.csv, results.json, audit.jsonl and times.csv. Equal results, equal bytes.

All but times.csv follow from the submissions and the run's seed alone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minillama.course.grading.drawing import pseudonym
from minillama.course.grading.records import LearnerResult, Run, audit_line, to_json
from minillama.course.grading.tables import csv_text
from minillama.files import new_file

GRADEBOOK, RESULTS, AUDIT, TIMES = "gradebook.csv", "results.json", "audit.jsonl", "times.csv"
NOT_RESISTANT = "limits only: not tamper-resistant"


def counted(results: Iterable[LearnerResult], attempts: str = "last") -> list[LearnerResult]:
    """Of each learner and lesson the one submission that counts.

    Args:
        results: all.
        attempts: "last", or "best".
    """
    chosen: dict[tuple[str, str], LearnerResult] = {}
    for each in sorted(results, key=lambda one: (one.learner, one.attempt)):
        key = (each.learner, each.lesson)
        old = chosen.get(key)
        if old is None or attempts == "last" or each.points >= old.points:
            chosen[key] = each
    unreadable = {(name, "") for name, lesson in chosen if lesson and (name, "") in chosen}
    return [each for key, each in sorted(chosen.items()) if key not in unreadable]


def gradebook(results: Sequence[LearnerResult], tasks: Sequence[str]) -> str:
    """gradebook.csv: a row a learner; points a task, total, what is possible, late, attempts, and how it was run.

    Args:
        results: those that count.
        tasks: ids, in the order of the columns.
    """
    header = ["learner", *tasks, "total", "possible", "late", "attempts", "status", "sandbox"]
    rows: list[list[Any]] = [header]
    by_learner: dict[str, list[LearnerResult]] = {}
    for each in results:
        by_learner.setdefault(each.learner, []).append(each)
    for learner, own in sorted(by_learner.items()):
        points = {outcome.task: outcome.points for each in own for outcome in each.outcomes}
        rows.append(
            [learner, *[points.get(task, "") for task in tasks], round(sum(each.points for each in own), 4),
             round(sum(each.possible for each in own), 4), "late" if any(each.late for each in own) else "",
             max(each.attempt for each in own), _status(own), _sandbox(own)]
        )  # fmt: skip
    return csv_text(rows)


def _status(results: Sequence[LearnerResult]) -> str:
    return "; ".join(dict.fromkeys(each.status for each in results))


def _sandbox(results: Sequence[LearnerResult]) -> str:
    kinds = dict.fromkeys(each.sandbox for each in results if each.sandbox)
    return "; ".join(NOT_RESISTANT if kind == "limits only" else kind for kind in kinds)


def write_report(
    folder: Path, run: Run, results: Sequence[LearnerResult], seconds: Mapping[tuple[str, int], float], attempts: str
) -> None:
    """Write all files of a report, each whole or not at all.

    Args:
        folder: of the report.
        run: what the results have in common.
        results: all of them.
        seconds: (learner, attempt) -> how long it took.
        attempts: as in `counted`.
    """
    results = sorted(results, key=lambda each: (each.learner, each.attempt))
    tasks = list(dict.fromkeys(o.task for each in sorted(results, key=lambda r: r.lesson) for o in each.outcomes))
    written = {
        GRADEBOOK: gradebook(counted(results, attempts), tasks),
        RESULTS: json.dumps({"run": to_json(run), "results": [to_json(each) for each in results]}, indent=1) + "\n",
        AUDIT: _audit(run, results),
        TIMES: _times(results, seconds),
    }  # fmt: skip
    for name, text in written.items():
        with new_file(folder / name) as file:
            file.write(text.encode("utf-8"))


def _audit(run: Run, results: Sequence[LearnerResult]) -> str:
    """audit.jsonl: the run, then a line a submission under the learner's pseudonym, in an order that tells nothing."""
    lines = [audit_line(each, pseudonym(run.seed, each.learner)) for each in results]
    lines.sort(key=lambda each: (each["who"], each["attempt"]))
    return "".join(json.dumps(each, sort_keys=True) + "\n" for each in [{"kind": "run", **to_json(run)}, *lines])


def _times(results: Sequence[LearnerResult], seconds: Mapping[tuple[str, int], float]) -> str:
    rows = [[each.learner, each.attempt, round(seconds.get((each.learner, each.attempt), 0.0), 2)] for each in results]
    return csv_text([["learner", "attempt", "seconds"], *rows])
