"""Every attack and what became of it, as a table: python -m tests.course.grading.table [PART OF A NAME]..."""

import sys
import tempfile
import time
from pathlib import Path

from tests.course.grading.attacking import all_attacks, problems
from tests.course.grading.conftest import Grader


def main(wanted):
    """Print the table; the number of attacks that did not end as they should."""
    chosen = {name: each for name, each in all_attacks().items() if not wanted or any(part in name for part in wanted)}
    failed = 0
    print("| attack | verdict | points | seconds | held |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        grader = Grader(Path(folder))
        for name, attack in chosen.items():
            started = time.monotonic()
            result = grader(attack.made, attack.beside)
            found = problems(attack, result)
            failed += bool(found)
            verdicts = ", ".join(each.status for each in result.outcomes if each.task in attack.lost) or result.status
            row = (name, verdicts, f"{result.points:g} of {result.possible:g}", f"{time.monotonic() - started:.1f}",
                   "; ".join(found)[:200] or "yes")  # fmt: skip
            print(f"| {' | '.join(row)} |", flush=True)
        grader.close()
    print(f"{len(chosen)} attacks, {failed} not as they should be")
    return failed


if __name__ == "__main__":
    raise SystemExit(min(main(sys.argv[1:]), 1))
