"""How many threads a product uses, and what keeps two callers apart.

Numba runs parallel loops on one of three thread pools: tbb and omp take calls from several Python threads at once,
workqueue (what macOS may fall back to) stops the process. Where the pool is workqueue, callers wait for each other.
"""

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numba
from numba import types
from numba.core import config
from numba.extending import intrinsic

from minillama.errors import ConfigError

SPINS = "30000"  # about a millisecond: longer than the steps of one thread between two products of a token

_one_caller = threading.Lock()


def _cores(topology: Path, cpus: set[int]) -> int:
    """Physical cores among some CPUs: the threads of one core name the same siblings; each CPU counts if unknown."""
    siblings = set()
    for cpu in cpus:
        try:
            siblings.add((topology / f"cpu{cpu}/topology/thread_siblings_list").read_text())
        except OSError:
            siblings.add(str(cpu))
    return len(siblings)


def _quota(cpu_max: Path) -> float:
    """CPUs that a container may use, from its cgroup; infinity without a limit."""
    try:
        quota, period = cpu_max.read_text().split()
        return float(quota) / float(period)
    except (OSError, ValueError):  # no such file, or "max 100000"
        return float("inf")


@functools.cache
def physical_cores() -> int:
    """Cores that this process may use, two threads of one core counted once; at least 1.

    Two threads of one core share its path to memory, so a second one makes no product faster.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = _cores(Path("/sys/devices/system/cpu"), os.sched_getaffinity(0))
    return int(max(1, min(cores, _quota(Path("/sys/fs/cgroup/cpu.max")))))


def thread_count(threads: int | None) -> int:
    """The number of threads to use: the one asked for, or the physical cores; at most as many as Numba has.

    `numba.set_num_threads` lowers the default, as it does for every function of Numba's.

    Raises:
        ConfigError: less than one.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"threads is {threads}, expected at least 1")
    most = vars(config)["NUMBA_NUM_THREADS"]
    return min(threads or min(physical_cores(), numba.get_num_threads()), most)


def _one_at_a_time() -> bool:
    """Whether parallel calls must wait for each other."""
    try:
        return numba.threading_layer() == "workqueue"
    except ValueError:  # not known before the first parallel call
        return True


def _spin_briefly() -> None:
    """Lets GNU's OpenMP sleep after about a millisecond of waiting, unless the user has chosen.

    Its default is to spin for many milliseconds on a core that another thread may be waiting for: beside other
    programs a product of half a millisecond then takes 40. It reads the variable when it is loaded, at the first
    parallel call.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


@contextlib.contextmanager
def parallel_calls(threads: int) -> Iterator[None]:
    """While it is open, this Python thread may call parallel compiled functions, which use `threads` threads."""
    with _one_caller if _one_at_a_time() else contextlib.nullcontext():
        _spin_briefly()
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            yield
        finally:
            numba.set_num_threads(before)


@intrinsic
def claim(typing, counter, count):
    """Takes the next `count` pieces of work: the counter (int64 array) moves on, and its old value is returned.

    No other thread gets the same pieces, and a slow core simply takes fewer of them.
    """

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, args[1], "monotonic")

    return types.int64(types.Array(types.int64, 1, "C"), types.int64), generate
