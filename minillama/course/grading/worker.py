"""A process that grades submissions one by one, and the grader's end of it.

python -m minillama.course.grading.worker: takes orders as lines of JSON from standard input, gives a line for each. It
ends with the grader, and everything that it has started ends with it.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minillama.course.grading.limits import Limits
from minillama.course.grading.records import LearnerResult, Submission, from_json, to_json

SPARE_S = 600.0  # beyond a submission's own limit: for the worker to start on a busy machine, and to judge


class WorkerEndedError(Exception):
    """A worker ended, or took too long, over one submission."""


class Worker:
    """One worker process.

    Args:
        setting: "root", "pack", "seed", "secret", "sandbox", "lesson" and "limits", as JSON.
    """

    def __init__(self, setting: Mapping[str, Any]) -> None:
        self.patience_s = float(setting["limits"]["wall_s"]) + SPARE_S
        command = [sys.executable, "-m", "minillama.course.grading.worker"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            encoding="utf-8", start_new_session=True, env=_environment(),
        )  # fmt: skip
        self.replies: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._tell(setting)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.replies.put(line)
        self.replies.put("")

    def _tell(self, order: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise WorkerEndedError("the grader's own process ended early") from error

    def grade(self, submission: Submission) -> LearnerResult:
        """The result of one submission.

        Raises:
            WorkerEndedError: there is none; the worker is of no more use.
        """
        self._tell(to_json(submission))
        try:
            line = self.replies.get(timeout=self.patience_s)
        except queue.Empty as error:
            raise WorkerEndedError(
                f"the grader's own process took longer than {self.patience_s:.0f} seconds"
            ) from error
        if not line:
            raise WorkerEndedError("the grader's own process ended early")
        reply = json.loads(line)
        if "error" in reply:
            raise WorkerEndedError(f"the grader's own process failed: {reply['error']}")
        return from_json(LearnerResult, reply)

    def close(self) -> None:
        """End it, and what it has started."""
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def _environment() -> dict[str, str]:
    """What a worker is told by the system: pytest finds no plugins, no options and no settings there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "JUPYTER", "IPYTHON"))}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}


def main() -> None:
    """Grade what standard input asks for, until it ends."""
    from minillama.course.grading.engine import Engine, Rules
    from minillama.course.grading.lessons import load_course
    from minillama.course.grading.limits import adopt_orphans, die_with_parent

    die_with_parent()
    adopt_orphans()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pytest says much, and none of it is an answer
    setting = json.loads(sys.stdin.readline())
    pack = Path(setting["pack"]) if setting["pack"] else None
    rules = Rules(
        seed=setting["seed"], secret=setting["secret"], sandbox=setting["sandbox"], lesson=setting["lesson"],
        limits=Limits(**setting["limits"]),
    )  # fmt: skip
    engine = Engine(load_course(Path(setting["root"]), pack), rules, pack)
    try:
        for line in sys.stdin:
            try:
                reply = to_json(engine.grade(from_json(Submission, json.loads(line))))
            except Exception as error:  # the grader reports it, and starts another worker
                reply = {"error": f"{type(error).__name__}: {error}"[:300]}
            answers.write(json.dumps(reply) + "\n")
            answers.flush()
    finally:
        engine.close()
        os._exit(0)  # without waiting for threads that still hold messages for kernels


if __name__ == "__main__":
    main()
