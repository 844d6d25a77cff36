"""What has been graded so far, on disk: a run that is cut off goes on where it was."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from minillama.course.grading.records import LearnerResult, Run, from_json, to_json
from minillama.errors import DataError

NAME = "journal.jsonl"


class Journal:
    """One line for the run, then one for each submission as it is done; a line that was cut off counts as none.

    Args:
        folder: of the report.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everybody else from writing into the report; the folder has to be there.

        Raises:
            DataError: somebody is writing already.
        """
        with self.path.open("ab") as file:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataError(f"{self.path.parent}: another minillama grade writes into it: wait for it") from error
            except (ImportError, OSError):  # a system, or a file system, without locks
                pass
            yield

    def begin(self, run: Run, tag: str) -> None:
        """Start anew.

        Args:
            run: its first line.
            tag: digest of the names and contents of what is to be graded.
        """
        self._append({"run": to_json(run), "tag": tag})

    def read(self) -> tuple[Run, str, dict[tuple[str, int], tuple[LearnerResult, float]]] | None:
        """The run, its tag, and (learner, attempt) -> result and seconds; None where there is no journal.

        Raises:
            DataError: the file is none.
        """
        lines = list(self._lines())
        if not lines:
            return None
        try:
            run, tag = from_json(Run, lines[0]["run"]), str(lines[0]["tag"])
            found: dict[tuple[str, int], tuple[LearnerResult, float]] = {}
            for line in lines[1:]:
                tag = str(line.get("tag", tag))
                for each in line["results"] if "regrade" in line else [line]:
                    result = from_json(LearnerResult, each["result"])
                    found[result.learner, result.attempt] = (result, float(each["seconds"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self.path}: not a journal of minillama grade: choose another --out") from error
        return run, tag, found

    def regrades(self) -> list[dict[str, Any]]:
        """What was graded again, in order, as the audit says it."""
        return [line["regrade"] for line in self._lines() if isinstance(line.get("regrade"), dict)]

    def add_regrade(self, entry: Mapping[str, Any], tag: str, results: Iterable[tuple[LearnerResult, float]]) -> None:
        """Put results in the place of earlier ones: all of them, or where this is cut off, none.

        Args:
            entry: what the audit is to say.
            tag: of what the journal holds from now on.
            results: and the seconds that each took.
        """
        listed = [{"result": to_json(result), "seconds": seconds} for result, seconds in results]
        self._append({"regrade": dict(entry), "tag": tag, "results": listed})

    def add(self, result: LearnerResult, seconds: float) -> None:
        """Keep one result."""
        self._append({"result": to_json(result), "seconds": seconds})

    def _append(self, entry: dict[str, Any]) -> None:
        text = json.dumps(entry, ensure_ascii=True)
        with self.path.open("a+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                text = text if file.read(1) == b"\n" else "\n" + text
            file.write(text.encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.path.is_file():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry
