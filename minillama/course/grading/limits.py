"""How much a submission may use, and how a process makes sure that it ends with the one that started it."""

import ctypes
import os
import signal
import sys
from dataclasses import dataclass

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one submission may use.

    Args:
        wall_s: seconds for all of it.
        cell_s: seconds of processor time for one cell, of all its processes together.
        patience: how many times as long it may take by the clock: for a busy machine, and for answers that wait.
        cpu_s: seconds of processor time, for each process.
        memory_bytes: resident memory of all its processes; also the most private memory that one of them may ask for.
        processes: how many processes and threads.
        output_bytes: that one kernel may send to the grader.
        disk_bytes: in its temporary folder, and again in shared memory.
        files: in its temporary folder.
        revivals: how often its kernel is started again after it died, for the answers that come after.
    """

    wall_s: float = 300.0
    cell_s: float = 90.0
    patience: float = 2.0
    cpu_s: int = 300
    memory_bytes: int = 2 << 30
    processes: int = 64
    output_bytes: int = 16 << 20
    disk_bytes: int = 64 << 20
    files: int = 4096
    revivals: int = 2


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def die_with_parent() -> None:
    """End this process when the thread that started it ends, however that ends. Linux only; elsewhere nothing."""
    parent = os.getppid()
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended in between
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends, so that all can be found and ended."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
