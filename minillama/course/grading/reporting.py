"""The files of a report: gradebook.csv, results.json, audit.jsonl, times.csv, and pages. Equal results, equal bytes.

All but times.csv, times.html and the time in gradescope/ follow from the submissions, the run's seed, and the class.
Where a person reads answers, manual.csv lists them, and adjustments.csv keeps what was said of them.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minillama.course.grading.adjusting import ADJUSTMENTS, MANUAL, adjustments_text, manual_text
from minillama.course.grading.drawing import pseudonym
from minillama.course.grading.marking import Marking, marked
from minillama.course.grading.pages.writing import write_pages
from minillama.course.grading.records import LIMITS_ONLY, PRECISION, LearnerResult, Run, audit_line, to_json
from minillama.course.grading.resolving import STRANGER
from minillama.course.grading.tables import csv_text
from minillama.files import new_file

GRADEBOOK, RESULTS, AUDIT, TIMES = "gradebook.csv", "results.json", "audit.jsonl", "times.csv"
UNKNOWN_TIME = "time not known"
NOT_RESISTANT = f"{LIMITS_ONLY}: not tamper-resistant"


def counted(results: Iterable[LearnerResult], attempts: str = "last") -> list[LearnerResult]:
    """Of each learner and lesson the one submission that counts.

    Args:
        results: all.
        attempts: "last", or "best"; what must not count at all does so only where there is nothing else.
    """
    chosen: dict[tuple[str, str], LearnerResult] = {}
    for each in sorted(results, key=lambda one: (one.learner, one.attempt)):
        key = (each.learner, each.lesson)
        old = chosen.get(key)
        if old is None or (each.counts, attempts == "last" or each.total >= old.total) >= (old.counts, True):
            chosen[key] = each
    unreadable = {(name, "") for name, lesson in chosen if lesson and (name, "") in chosen}
    return [each for key, each in sorted(chosen.items()) if key not in unreadable]


def gradebook(results: Sequence[LearnerResult], tasks: Sequence[str], marking: Marking) -> str:
    """gradebook.csv: a row a learner; points a task, total, what is possible, late, attempts, and how it was run.

    Args:
        results: all of them, of which some count.
        tasks: ids, in the order of the columns.
        marking: with a class, there are names and sections, the points before anything is taken for lateness, what is
            taken, how late it is, and who says so.
    """
    inside = marking.course is not None
    before = ["learner", "name", "section"] if inside else ["learner"]
    between = ["raw total", "penalty", "total", "possible", "late"] if inside else ["total", "possible", "late"]
    after = ["submitted", "clock"] if inside else []
    rows: list[list[Any]] = [[*before, *tasks, *between, *after, "attempts", "status", "sandbox"]]
    handed_in = Counter(each.learner for each in results if each.status != "missing")
    by_learner: dict[str, list[LearnerResult]] = {}
    for each in counted(results, marking.attempts):
        by_learner.setdefault(each.learner, []).append(each)
    for learner, own in sorted(by_learner.items()):
        points = {outcome.task: outcome.points for each in own for outcome in each.outcomes}
        status = [*_different(each.status for each in own)]
        if marking.is_stranger(learner):
            status.append(STRANGER)
        rows.append(
            [learner, *([own[0].identity.get(each, "") for each in before[1:]]),
             *[points.get(task, "") for task in tasks], *_sums(own, inside), handed_in[learner],
             "; ".join(status), _sandbox(own)]
        )  # fmt: skip
    return csv_text(rows)


def _sums(own: Sequence[LearnerResult], inside: bool) -> list[Any]:
    """What one learner's results come to, in the order of the gradebook's columns."""
    total, possible = (round(sum(getattr(each, name) for each in own), PRECISION) for name in ("total", "possible"))
    if not inside:
        return [total, possible, "late" if any(each.late for each in own) else ""]
    raw, penalty = (round(sum(getattr(each, name) for each in own), PRECISION) for name in ("points", "penalty"))
    late = [each.lateness or UNKNOWN_TIME * each.late for each in own]
    said = (late, (each.submitted for each in own), (each.clock for each in own))
    return [raw, penalty, total, possible, *("; ".join(_different(each)) for each in said)]


def _different(words: Iterable[str]) -> list[str]:
    return [each for each in dict.fromkeys(words) if each]


def _sandbox(results: Sequence[LearnerResult]) -> str:
    kinds = dict.fromkeys(each.sandbox for each in results if each.sandbox)
    return "; ".join(NOT_RESISTANT if kind == LIMITS_ONLY else kind for kind in kinds)


def write_report(
    folder: Path,
    run: Run,
    results: Sequence[LearnerResult],
    seconds: Mapping[tuple[str, int], float],
    marking: Marking,
    regrades: Sequence[Mapping[str, Any]] = (),
) -> list[LearnerResult]:
    """Write all files of a report, each whole or not at all.

    Args:
        folder: of the report.
        run: what the results have in common.
        results: all of them, as they were graded.
        seconds: (learner, attempt) -> how long it took.
        marking: what makes them marks.
        regrades: what was graded again since, for the audit.

    Returns:
        The results as they count.

    Raises:
        DataError: an adjustment does not fit, or an earlier manual.csv in the folder is damaged.
    """
    whole = run.shard[1] == 1
    results = sorted(results, key=lambda each: (each.learner, each.attempt))
    marks = marked(results, marking, whole)
    count = counted(marks, marking.attempts)
    seen = dict.fromkeys(o.task for each in sorted(results, key=lambda r: r.lesson) for o in each.outcomes)
    kept = {"run": to_json(run), "attempts": marking.attempts, "results": [_without_prints(each) for each in marks]}
    written = {
        GRADEBOOK: gradebook(marks, list(marking.points or seen), marking),
        RESULTS: json.dumps(kept, indent=1) + "\n",
        AUDIT: _audit(run, marks, regrades),
        TIMES: _times(results, seconds),
    }  # fmt: skip
    queue = manual_text(count, folder / MANUAL)
    if queue.count("\n") > 1 or (folder / MANUAL).exists():
        written[MANUAL] = queue
    if marking.adjustments or (folder / ADJUSTMENTS).exists():
        written[ADJUSTMENTS] = adjustments_text(marking.adjustments)
    for name, text in written.items():
        with new_file(folder / name) as file:
            file.write(text.encode("utf-8"))
    units = {(each.learner, each.attempt): (each.identity.get("group", each.learner), each.attempt) for each in marks}
    write_pages(folder, run, marks, count, {key: seconds[unit] for key, unit in units.items() if unit in seconds})
    return marks


def _without_prints(result: LearnerResult) -> dict[str, Any]:
    """A result as JSON; its prints stay in the journal, for whoever compares."""
    return {name: value for name, value in to_json(result).items() if name != "prints"}


def _audit(run: Run, results: Sequence[LearnerResult], regrades: Sequence[Mapping[str, Any]]) -> str:
    """audit.jsonl: the run, what was graded again, then a line a submission under the learner's pseudonym, in an order
    that tells nothing.
    """
    lines = [audit_line(each, pseudonym(run.seed, each.learner)) for each in results]
    lines.sort(key=lambda each: (each["who"], each["attempt"]))
    return "".join(
        json.dumps(each, sort_keys=True) + "\n" for each in [{"kind": "run", **to_json(run)}, *regrades, *lines]
    )


def _times(results: Sequence[LearnerResult], seconds: Mapping[tuple[str, int], float]) -> str:
    rows = [[each.learner, each.attempt, round(seconds.get((each.learner, each.attempt), 0.0), 2)] for each in results]
    return csv_text([["learner", "attempt", "seconds"], *rows])
