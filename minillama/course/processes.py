"""A function of a notebook in several processes at once, as torchrun would start them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minillama.checkpoint.own_pieces import load_piece
from minillama.course.sources import standalone_source
from minillama.errors import DataError

UTF_8 = {"PYTHONIOENCODING": "utf-8"}
TIME_LIMIT_S = 180  # for processes to import PyTorch and run, on a machine that is busy


def run_on(n: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a function gives in each of n processes of this machine, which can speak to each other.

    Every process has one thread and its own memory; the function is written to a file with what it needs, so its
    helpers and constants go along. `torch.distributed` (gloo) is ready when it is called.

    Args:
        n: processes.
        function: (rank, n, *arguments) -> anything that JSON has: numbers, text, lists, dicts. What it prints is
            printed here, process by process.
        arguments: likewise.

    Returns:
        What each process gave, by rank.

    Raises:
        DataError: the function needs something that cannot be taken along, fails in a process, or takes too long.

    >>> run_on(2, lambda rank, n: rank)  # doctest: +SKIP
    [0, 1]
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "function.py").write_text(standalone_source(function, function.__name__), encoding="utf-8")
        started = [_start(folder, rank, n, function.__name__, json.dumps(arguments)) for rank in range(n)]
        try:
            failed = _first_failure(started)
        finally:
            for process in started:
                process.kill()
                process.wait()
        for rank in range(n):
            sys.stdout.write((folder / f"{rank}.txt").read_text(encoding="utf-8"))
        if failed is not None:
            last = (folder / f"{failed}.log").read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise DataError(f"process {failed} failed: {(last or ['it ended without a word'])[0]}")
        return [json.loads((folder / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(n)]


def _start(folder: Path, rank: int, n: int, name: str, arguments: str) -> subprocess.Popen:
    """Start one process; what it prints and what it complains of go to files of their own."""
    command = [sys.executable, "-m", "minillama.course.processes", str(folder / "function.py"), name, arguments]
    places = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n), "OMP_NUM_THREADS": "1"}
    with (folder / f"{rank}.txt").open("wb") as printed, (folder / f"{rank}.log").open("wb") as log:
        return subprocess.Popen(command, env=os.environ | places | UTF_8, stdout=printed, stderr=log)


def _first_failure(started: list[subprocess.Popen]) -> int | None:
    """Wait for all, or for the first that fails, which the others may be waiting for: its rank."""
    end = time.monotonic() + TIME_LIMIT_S
    while any(process.poll() is None for process in started):
        if any(process.poll() for process in started):
            break
        if time.monotonic() > end:
            raise DataError(f"the processes take longer than {TIME_LIMIT_S} seconds: do they wait for each other?")
        time.sleep(0.02)
    return next((rank for rank, process in enumerate(started) if process.returncode), None)


def main(path: str, name: str, arguments: str) -> None:
    """One of the processes."""
    import torch.distributed as dist

    from minillama.parallel import place

    rank, n, _ = place()
    folder = Path(path).parent
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=n)
    given = load_piece(Path(path), name)(rank, n, *json.loads(arguments))
    (folder / f"{rank}.json").write_text(json.dumps(given), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
