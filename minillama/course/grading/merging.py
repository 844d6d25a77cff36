"""The parts of one run, graded on several machines, as the report of one; and a report written again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from minillama.course.grading.journal import Journal
from minillama.course.grading.marking import Marking
from minillama.course.grading.records import LearnerResult, Run
from minillama.course.grading.reporting import RESULTS, write_report
from minillama.errors import ConfigError, DataError

NO_JOURNAL = "holds no journal, expected the --out folder of minillama grade"


def merge(parts: Sequence[Path], out: Path, marking: Marking) -> list[LearnerResult]:
    """Write the report that one run over everything would have written.

    Args:
        parts: the folders of the shards' reports, in any order.
        out: folder of the report.
        marking: what makes them marks, over the tasks of its assignment.

    Raises:
        ConfigError: no parts.
        DataError: the parts do not belong together, or some are missing.
    """
    if not parts:
        raise ConfigError("got no reports, expected the folders of all shards")
    found = [(part, *_read(part)) for part in parts]
    first = found[0][1]
    for part, run, _ in found:
        if replace(run, shard=first.shard) != first or run.shard[1] != first.shard[1]:
            raise DataError(
                f"{part}: of another run than {parts[0]}: grade all shards of the same submissions, with one seed, "
                "course and sandbox"
            )
    there = sorted(run.shard[0] for _, run, _ in found)
    wanted = list(range(1, first.shard[1] + 1))
    if there != wanted:
        raise DataError(f"got the shards {there}, expected each of {wanted} once")
    done = {key: each for _, _, results in found for key, each in results.items()}
    results = [result for result, _ in done.values()]
    out.mkdir(parents=True, exist_ok=True)
    in_order = [part for part, _, _ in sorted(found, key=lambda each: each[1].shard)]
    again = [line for part in in_order for line in Journal(part).regrades()]
    run = replace(first, shard=(1, 1), learners="")
    return write_report(out, run, results, {key: seconds for key, (_, seconds) in done.items()}, marking, again)


def rewrite(report: Path, marking: Marking) -> list[LearnerResult]:
    """Write a report again, from what was graded, with other dates, points or adjustments.

    Args:
        report: its folder.
        marking: what makes them marks, over the tasks of its assignment.

    Returns:
        The results as they count.

    Raises:
        DataError: there is no such report, or an adjustment does not fit.
    """
    journal = Journal(report)
    if not journal.path.is_file():
        raise DataError(f"{report}: {NO_JOURNAL}")
    with journal.alone():
        run, done = _read(report)
        seconds = {key: each for key, (_, each) in done.items()}
        return write_report(report, run, [each for each, _ in done.values()], seconds, marking, journal.regrades())


def _read(part: Path) -> tuple[Run, dict[tuple[str, int], tuple[LearnerResult, float]]]:
    """What was graded into a report, all of it.

    Raises:
        DataError: there is no report, or it was cut off: who is not in it would pass for having handed in nothing.
    """
    found = Journal(part).read()
    if found is None:
        raise DataError(f"{part}: {NO_JOURNAL}")
    if not (part / RESULTS).is_file():
        raise DataError(
            f"{part}: holds no {RESULTS}, so its run was cut off: run the same minillama grade again, then this"
        )
    run, _, results = found
    return run, results
