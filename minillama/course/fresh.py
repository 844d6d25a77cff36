"""python -m minillama.course.fresh TASK FILE: check one file of a piece in a process that knows no notebook."""

import json
import sys
from pathlib import Path

from minillama.checkpoint.own_pieces import load_piece
from minillama.course.checking import check
from minillama.errors import MinillamaError


def main(task_id: str, path: str) -> None:
    """Check the piece; the last line of standard output says how it went, as JSON."""
    try:
        report = check(task_id, load_piece(Path(path), task_id.rpartition(".")[2]))
        answer = {"passed": report.passed, "text": repr(report)}
    except MinillamaError as error:
        answer = {"passed": False, "text": str(error)}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
