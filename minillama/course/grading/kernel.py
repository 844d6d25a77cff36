"""The kernel as nbval speaks to it: in a sandbox, with ends to how long it may take and how much it may say.

Takes the place of nbval's RunningKernel, whose loops wait for as long as messages come.
"""

import contextlib
import subprocess
import time
from collections import deque
from functools import cache
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from nbval.kernel import RunningKernel

from minillama.course.grading.limits import Limits
from minillama.course.grading.sandbox import START_SECONDS, Place, Sandbox
from minillama.course.grading.watching import TOO_LONG, Watch

SLICE_S = 0.05
MAX_MESSAGE_BYTES = 16 << 20
SOCKETS = ("s-1", "s-2", "s-3", "s-4", "s-5")
SEND_MS = 5000  # a kernel that has ended never takes what is sent to it
START_TIMES = 9  # as long as usual, for a machine that is busy: nothing of the learner's runs by then
HEADERS_BYTES = 512  # of a message: what it has beside its content


@cache
def _context() -> zmq.Context:
    """One for all kernels of this process, and never ended: that would wait for what a dead kernel left unread."""
    made = zmq.Context()
    made.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
    made.setsockopt(zmq.RECONNECT_IVL, -1)  # what stands at the socket's path later is the learner's
    made.setsockopt(zmq.SNDTIMEO, SEND_MS)
    return made


class SandboxedKernel(RunningKernel):
    """One kernel in a sandbox.

    Args:
        place: where.
        limits: for it.
        deadline: of the submission, by time.monotonic().
    """

    def __init__(self, place: Place, limits: Limits, deadline: float) -> None:
        self.limits, self.deadline, self.said = limits, deadline, 0
        self.cell_deadline = deadline
        self.reason, self.ready = "", False
        self.waiting: deque[Any] = deque()  # messages that came while another was waited for
        self.sandbox = Sandbox(place, limits)
        self.watch = Watch(self.sandbox, limits, deadline)
        self.kc = BlockingKernelClient(context=_context())
        try:
            self._wait_for_sockets()
            self.kc.load_connection_info(self.sandbox.connection(outer=True))  # type: ignore[arg-type]
            self.kc.start_channels(hb=False, stdin=False)
            self.cell_deadline = min(time.monotonic() + START_SECONDS * START_TIMES, self.deadline)
            self._ensure_iopub_up()
            self.ready = True
        except (Empty, RuntimeError) as error:
            self.stop()
            raise RuntimeError(f"the kernel did not start: {self.watch.reason or error}") from error

    def _wait_for_sockets(self) -> None:
        """Until the kernel listens; nothing of the learner's has run by then."""
        folder = Path(self.sandbox.outer_folder) / "sockets"
        end = time.monotonic() + START_SECONDS * START_TIMES
        while not all((folder / name).exists() for name in SOCKETS):
            if not self.sandbox.is_alive() or time.monotonic() > end:
                raise RuntimeError("it ended, or took too long")
            time.sleep(0.02)

    def start_cell(self) -> None:
        """Give what comes next a cell's time: by the clock here, and of the processor where it is watched."""
        self.cell_deadline = min(time.monotonic() + self.limits.cell_s * self.limits.patience, self.deadline)
        self.watch.start_cell()

    def get_message(self, stream: str, timeout: float | None = None) -> Any:
        """The next message; Empty as soon as none can come in time.

        Raises:
            queue.Empty: the kernel has ended, the time is up, it has said too much, or nothing that can be understood.
        """
        if stream == "shell" and not self.ready:
            timeout = None  # nbval's ten seconds are short for a kernel that starts on a busy machine
        end = min(self.cell_deadline, time.monotonic() + timeout if timeout is not None else self.cell_deadline)
        while True:
            alive, left = self.sandbox.is_alive(), end - time.monotonic()
            if stream == "shell":  # what is printed meanwhile must not pile up unseen
                self._take_waiting()
            elif self.waiting:
                return self.waiting.popleft()
            if left <= 0:
                if time.monotonic() >= self.cell_deadline:
                    self._end(TOO_LONG)
                raise Empty
            try:
                return self._receive(stream, min(left, SLICE_S))
            except Empty:
                if not alive:
                    raise

    def _take_waiting(self) -> None:
        with contextlib.suppress(Empty):
            while self.sandbox.is_alive():
                self.waiting.append(self._receive("iopub", 0))

    def _receive(self, stream: str, timeout: float) -> Any:
        get = self.kc.get_iopub_msg if stream == "iopub" else self.kc.get_shell_msg
        try:
            message = get(timeout=timeout)
            self.said += _size(message["content"]) + HEADERS_BYTES
            leaves = stream == "shell" and asks_to_end(message["content"])
        except Empty:
            raise
        except Exception as error:  # forged or damaged: whatever deserialising hostile bytes may raise
            self._end(f"it sent a message that is none ({type(error).__name__})")
            raise Empty from error
        if self.said > self.limits.output_bytes:
            self._end(f"it sent more than {self.limits.output_bytes >> 20} MB of output")
            raise Empty
        if leaves:
            self._end("its process ended")
            raise Empty
        return message

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.sandbox.kill()

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        """Send some source; the number of the request, to which no reply will come where the kernel takes nothing."""
        try:
            number: str = super().execute_cell_input(cell_input, allow_stdin)
        except zmq.Again:
            self._end("it took no more requests")
            return uuid4().hex
        return number

    def run_quietly(self, source: str) -> None:
        """Run some source, and let pass whatever it shows or raises."""
        with contextlib.suppress(Empty, RuntimeError):
            number = self.execute_cell_input(source, allow_stdin=False)
            self.await_reply(number)
            self.await_idle(number, None)

    def why(self) -> str:
        """Why it was ended, or did end, in words; empty while it runs."""
        if self.is_alive():
            return ""
        return self.watch.reason or self.reason or "its process ended"

    def is_alive(self) -> bool:
        return self.sandbox.is_alive()

    def outlives(self, seconds: float) -> bool:
        """Does it still run after so long?"""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.sandbox.process.wait(timeout=seconds)
        return self.is_alive()

    def interrupt(self) -> None:
        """nbval asks for it when no reply comes: whoever ignores its own time limit is ended."""
        if self.is_alive():
            self._end(TOO_LONG)

    def stop(self) -> None:
        """End the kernel and everything that belongs to it; may be called again."""
        self.watch.stop()
        self.sandbox.kill()
        self.kc.stop_channels()


def asks_to_end(content: Any) -> bool:
    """Does a reply say that its cell called quit()? Such a kernel ends soon, amid whatever comes next."""
    payload = content.get("payload") if isinstance(content, dict) else None
    return isinstance(payload, list) and any(
        isinstance(each, dict) and each.get("source") == "ask_exit" for each in payload
    )


def _size(content: Any) -> int:
    """About how many bytes some JSON has."""
    if isinstance(content, dict):
        return 16 + sum(_size(key) + _size(value) for key, value in content.items())
    if isinstance(content, list | tuple):
        return 16 + sum(map(_size, content))
    return len(content) if isinstance(content, str) else 16
