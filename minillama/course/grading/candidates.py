"""Candidates that learners' tests judge run here: in a process without learners' code, with limits of its own.

`Candidates` is the grader's end: it starts the process once, and tells it which candidates the test that comes next may
call. The process listens at a socket that the sandbox sees, takes values and gives values (inside/wire.py).
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minillama.course.grading.inside.remote import receive, send
from minillama.course.grading.inside.wire import pack, unpack
from minillama.course.plain import Made

CALL_SECONDS = 10
CPU_SECONDS = 120  # of all calls of one test
MEMORY_BYTES = 3 << 30
MAX_CALLS = 20_000
MAX_SETTLED = 1 << 20  # characters of one
RAISED = "the candidate raised an error"
ANSWER_SECONDS = 120  # for the process to import PyTorch, on a machine that is busy


class Candidates:
    """The process that runs candidates, and what it may run.

    Args:
        folder: where its sockets lie; seen by the sandbox.
        private: where it writes down what was settled; nobody else sees it.
        pack: a teacher's folder, whose records are to be known too.
    """

    def __init__(self, folder: Path, private: Path, pack: Path | None = None) -> None:
        self.folder, self.private, self.pack = folder, private, pack
        self.process: subprocess.Popen[str] | None = None

    def open(self, nonce: str, candidates: Sequence[Made], turns: Sequence[int]) -> None:
        """Let whoever knows the nonce call these, by number, each in its turn, until `close`.

        A turn ends when it is settled what its call gave. So nobody who has seen the next candidates can take back what
        was said of those before: a comparison of all of them would tell the right ones without a test.
        """
        (self.private / nonce).unlink(missing_ok=True)
        self._order({"socket": str(self.folder / nonce), "token": nonce, "turns": list(turns),
                     "settled": str(self.private / nonce),
                     "candidates": [[each.path, dict(each.arguments or {})] for each in candidates]})  # fmt: skip

    def settled(self, nonce: str) -> list[list[Any]]:
        """The kind and the output of each call that was settled, in order."""
        try:
            lines = (self.private / nonce).read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def close(self, nonce: str) -> None:
        """Let nobody call them any more."""
        self._order(None)
        for folder in (self.folder, self.private):
            (folder / nonce).unlink(missing_ok=True)

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            self.process = None

    def _order(self, order: dict[str, Any] | None) -> None:
        for _ in range(2):
            try:
                process = self._started()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
                if process.stdout.readline() == "ready\n":
                    return
            except OSError:
                pass
            self.stop()
        raise RuntimeError("the process that runs candidates ends early")

    def _started(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            command = [
                sys.executable,
                "-m",
                "minillama.course.grading.candidates",
                *([str(self.pack)] if self.pack else []),
            ]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        return self.process


def main(arguments: Sequence[str]) -> None:
    """Take orders from standard input until it ends."""
    from minillama.course.grading.limits import die_with_parent

    die_with_parent()
    if arguments:
        from minillama.course.grading.lessons import import_pack

        import_pack(Path(arguments[0]))
    child = 0
    for line in sys.stdin:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            child = 0
        order = json.loads(line)
        if order is not None:
            child = _serve(order)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
    if child:
        os.kill(child, signal.SIGKILL)


def _serve(order: dict[str, Any]) -> int:
    """Answer calls of one test in a process of its own; its number."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(order["socket"])
    os.chmod(order["socket"], 0o666)  # the sandbox may be another user
    listener.listen(8)
    functions = [Made(path, arguments).make() for path, arguments in order["candidates"]]
    child = os.fork()
    if child:
        listener.close()
        return child
    try:
        import resource

        from minillama.course.grading.limits import die_with_parent

        die_with_parent()
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        signal.signal(signal.SIGALRM, _too_long)
        calls, turn = 0, 0
        while calls < MAX_CALLS:
            link, _ = listener.accept()
            link.settimeout(CPU_SECONDS)
            with link, contextlib.suppress(EOFError, OSError, ValueError), link.makefile("rwb") as line:
                while calls < MAX_CALLS:
                    calls += 1
                    turn += _answer(line, order, functions, turn)
    finally:
        os._exit(0)


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"the candidate took longer than {CALL_SECONDS} seconds: try smaller inputs")


def _answer(line: Any, order: dict[str, Any], functions: Sequence[Callable[..., Any]], turn: int) -> int:
    """Take one message: a call, whose result or error is given, or what is settled; how many turns it ends."""
    asked = receive(line)
    if not isinstance(asked, dict) or asked.get("token") != order["token"]:
        raise ValueError("not a call of this test's")
    if "settled" in asked:
        text = json.dumps(asked["settled"])
        if turn > max(order["turns"]) or len(text) > MAX_SETTLED:
            raise ValueError("more than there is to settle")
        with open(order["settled"], "a", encoding="ascii") as file:
            file.write(text + "\n")
        send(line, {})
        return 1
    try:
        signal.alarm(CALL_SECONDS)
        number = int(asked["candidate"])
        if order["turns"][number] != turn:
            raise TimeoutError("a candidate can be called only while its test runs")
        reply = _called(functions[number], unpack(asked["args"]), unpack(asked["named"]))
    except TimeoutError as error:
        reply = {"error": str(error)}
    except Exception:  # that it raises is for its test to see; the words, and the kind, would say whose code this is
        reply = {"error": RAISED}
    finally:
        signal.alarm(0)
    send(line, reply)
    return 0


def _called(function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Call it; what it gives, and which arguments it changed or gave back."""
    import torch

    before = [each.clone() if isinstance(each, torch.Tensor) else None for each in args]
    result = function(*args, **named)
    changed = [
        [place, pack(each)]
        for place, (each, old) in enumerate(zip(args, before, strict=True))
        if old is not None and not torch.equal(each.nan_to_num(), old.nan_to_num())
    ]
    same = next((place for place, each in enumerate(args) if each is result and before[place] is not None), None)
    return {"result": None if same is not None else pack(result), "same": same, "changed": changed}


if __name__ == "__main__":
    main(sys.argv[1:])
