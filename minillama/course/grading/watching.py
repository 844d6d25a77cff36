"""Outside of the sandbox, and of nbval: who breaks a limit is ended, with every process that came from it."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Collection

from minillama.course.grading.limits import Limits
from minillama.course.grading.records import BUBBLEWRAP
from minillama.course.grading.sandbox import Sandbox

PERIOD_S = 0.1
TOO_LONG = "a cell took too long"
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
TICK_S = 1 / (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)  # the unit of /proc/PID/stat


def descendants(number: int) -> list[int]:
    """All processes that come from one, itself not among them; found by asking each for its children."""
    found: list[int] = []
    waiting = [number]
    while waiting:
        parent = waiting.pop()
        with contextlib.suppress(OSError, ValueError):
            for thread in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{thread}/children", encoding="ascii") as file:
                    children = [int(each) for each in file.read().split()]
                found += children
                waiting += children
    return found


def _seconds(number: int) -> float:
    """Processor time of one process, with that of its children that have ended."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{number}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
        return sum(int(each) for each in fields[11:15]) * TICK_S
    return 0.0


def _resident_bytes(number: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{number}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE
    return 0


class Watch:
    """Ends a sandbox that uses too much; `reason` says why.

    Args:
        sandbox: the kernel.
        limits: see Limits.
        deadline: by time.monotonic(), of the whole submission.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits, deadline: float) -> None:
        self.sandbox, self.limits, self.deadline = sandbox, limits, deadline
        self.reason = ""
        self._enough_s = float("inf")  # processor time at which the cell that runs has had its share
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def start_cell(self) -> None:
        """What runs from here on is another cell, with a share of its own."""
        self._enough_s = self._used_s(self._processes()) + self.limits.cell_s

    def stop(self) -> None:
        """Stop watching."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(PERIOD_S) and self.sandbox.process.returncode is None:
            reason = self._broken()
            if reason:
                self.reason = reason
                for number in (self.sandbox.first_process, self.sandbox.process.pid):
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(number, signal.SIGKILL)
                return

    def _processes(self) -> list[int]:
        return [self.sandbox.process.pid, *descendants(self.sandbox.process.pid)]

    def _used_s(self, processes: list[int]) -> float:
        return sum(map(_seconds, processes))

    def _broken(self) -> str:
        """Which limit is broken, in words."""
        if time.monotonic() > self.deadline:
            return f"all of it took longer than {self.limits.wall_s:.0f} seconds"
        processes = self._processes()
        if self._used_s(processes) > self._enough_s:
            return TOO_LONG
        if len(processes) > self.limits.processes:
            return f"it had more than {self.limits.processes} processes"
        if sum(map(_resident_bytes, processes)) > self.limits.memory_bytes:
            return f"it used more than {self.limits.memory_bytes >> 20} MB of memory"
        return self._broken_disk() if self.sandbox.place.kind == BUBBLEWRAP else ""

    def _broken_disk(self) -> str:
        for folder in ("tmp", "dev/shm"):
            with contextlib.suppress(OSError):
                status = os.statvfs(f"/proc/{self.sandbox.first_process}/root/{folder}")
                if status.f_files - status.f_ffree > self.limits.files:
                    return f"it made more than {self.limits.files} files"
        return ""


def end_strays(spare: Collection[int]) -> int:
    """End every process that comes from this one, but some; how many there were.

    With limits.adopt_orphans() these are also those whose own parent has ended.

    Args:
        spare: processes that stay, with all that come from them.
    """
    kept = {*spare, *(each for one in spare for each in descendants(one))}
    ended = 0
    for _ in range(10):  # what is being started while others are ended
        strays = [each for each in descendants(os.getpid()) if each not in kept]
        for number in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, 0)
        ended += len(strays)
        if not strays:
            break
    return ended
