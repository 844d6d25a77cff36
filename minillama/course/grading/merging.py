"""The parts of one run, graded on several machines, as the report of one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from minillama.course.grading.journal import Journal
from minillama.course.grading.records import LearnerResult, Run
from minillama.course.grading.reporting import write_report
from minillama.errors import ConfigError, DataError


def merge(parts: Sequence[Path], out: Path, attempts: str = "last") -> list[LearnerResult]:
    """Write the report that one run over everything would have written.

    Args:
        parts: the folders of the shards' reports, in any order.
        out: folder of the report.
        attempts: "last" or "best".

    Raises:
        ConfigError: no parts, or an unknown rule.
        DataError: the parts do not belong together, or some are missing.
    """
    if not parts or attempts not in ("last", "best"):
        raise ConfigError("merge takes the folders of all shards, and attempts that are last or best")
    found = [(part, *_read(part)) for part in parts]
    first = replace(found[0][1], shard=(1, 1))
    numbers = {run.shard[1] for _, run, _ in found}
    for part, run, _ in found:
        if replace(run, shard=(1, 1)) != first or len(numbers) > 1:
            raise DataError(
                f"{part}: of another run than {parts[0]}: grade all shards with one seed, course and sandbox"
            )
    there = sorted(run.shard[0] for _, run, _ in found)
    wanted = list(range(1, found[0][1].shard[1] + 1))
    if there != wanted:
        raise DataError(f"got the shards {there}, expected each of {wanted} once")
    done = {key: each for _, _, results in found for key, each in results.items()}
    results = [result for result, _ in done.values()]
    out.mkdir(parents=True, exist_ok=True)
    write_report(out, first, results, {key: seconds for key, (_, seconds) in done.items()}, attempts)
    return sorted(results, key=lambda each: (each.learner, each.attempt))


def _read(part: Path) -> tuple[Run, dict[tuple[str, int], tuple[LearnerResult, float]]]:
    found = Journal(part).read()
    if found is None:
        raise DataError(f"{part}: holds no journal, expected the --out folder of a shard")
    run, _, results = found
    return run, results
