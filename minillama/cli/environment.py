"""The workplace: JupyterLab, and what may be wrong with the installation."""

import contextlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from minillama.cli.app import note

FIRST_LESSON = "notebooks/00_start_here.ipynb"
INSTALL = 'pip install -c constraints.txt -e ".[course]"'
GOOD, WARNING, BROKEN = "ok", "note", "broken"


def lab(
    browser: Annotated[bool, Option(help="Open a browser; without a display none is opened.")] = True,
    port: Annotated[int | None, Option(min=1, max=65535, help="Left out, the first free one from 8888.")] = None,
) -> None:
    """Open JupyterLab on the first lesson; without a display, print the address."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise typer.BadParameter(f"JupyterLab is not installed: {INSTALL}")
    root = _course_root()
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}"]
    command.append(f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}")
    if not (browser and _has_display()):
        command.append("--no-browser")
        note("open the address that follows in a browser; Ctrl-C twice ends it")
    if port is not None:
        command.append(f"--port={port}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often nobody else
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(command[0], command)  # Ctrl-C then reaches JupyterLab alone, which asks whether it is meant
    raise typer.Exit(subprocess.call(command))


def _has_display() -> bool:
    if os.environ.get("CI"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _course_root() -> Path:
    for root in (Path.cwd(), Path(__file__).parents[2]):
        if (root / FIRST_LESSON).is_file():
            return root
    raise typer.BadParameter(f"{FIRST_LESSON} is not here: go to the course's folder (git clone it first)")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of `minillama doctor`.

    Args:
        name: what was looked at.
        state: GOOD, WARNING or BROKEN.
        found: what is there.
        remedy: what to do; empty where nothing is to be done.
    """

    name: str
    state: str
    found: str
    remedy: str = ""


def doctor() -> None:
    """Look for what may be wrong with the installation, and say the remedy."""
    worst = GOOD
    for finding in findings():
        print(f"{finding.state:>6}  {finding.name}: {finding.found}")
        if finding.remedy:
            print(f"        -> {finding.remedy}")
        worst = BROKEN if BROKEN in (worst, finding.state) else worst
    if worst == BROKEN:
        raise typer.Exit(1)


def findings() -> Iterator[Finding]:
    """Everything that `doctor` looks at, in order."""
    version, good = platform.python_version(), sys.version_info >= (3, 11)
    remedy = "" if good else "make a new environment with Python 3.11 or newer"
    yield Finding(name="Python", state=GOOD if good else BROKEN, found=f"{version} ({sys.executable})", remedy=remedy)
    yield from _packages()
    yield _memory()
    yield _threads()
    yield _openmp()
    yield _kernel()


def _packages() -> Iterator[Finding]:
    for line in metadata.requires("minillama") or []:
        match = re.match(r"([\w.-]+)\s*(?:>=([\d.]+))?[^;]*(?:;.*extra == ['\"](\w+)['\"])?", line)
        if match is None or match[3] not in (None, "course"):
            continue
        name, least, extra = match.groups()
        broken = BROKEN if extra is None else WARNING
        try:
            got = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(name=name, state=broken, found="missing", remedy=INSTALL)
            continue
        old = least is not None and _numbers(got) < _numbers(least)
        remedy = f"{least} or newer is needed: {INSTALL}" if old else ""
        yield Finding(name=name, state=broken if old else GOOD, found=got, remedy=remedy)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _memory() -> Finding:
    from minillama.checkpoint.memory import free_memory

    free = free_memory()
    if free is None:
        return Finding(name="free memory", state=WARNING, found="the system does not say")
    remedy = "close other programs: the lessons want 2 GB, a 7B in 4 bits wants 5 GB" if free < 2e9 else ""
    return Finding(name="free memory", state=WARNING if remedy else GOOD, found=f"{free / 1e9:.1f} GB", remedy=remedy)


def _threads() -> Finding:
    import torch

    free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    used = torch.get_num_threads()
    remedy = (
        f"more threads than cores wait for each other: --threads {free}, or unset OMP_NUM_THREADS"
        if used > free
        else ""
    )
    return Finding(
        name="threads", state=WARNING if remedy else GOOD, found=f"torch uses {used} of {free} cores", remedy=remedy
    )


def _openmp() -> Finding:
    """Torch and Numba may each bring an OpenMP library; two pools of threads spin against each other."""
    import torch  # noqa: F401

    with contextlib.suppress(ImportError):  # Numba without OpenMP uses another threading layer
        import numba.np.ufunc.omppool  # noqa: F401
    found = sorted(_loaded_openmp())
    if len(found) < 2:
        return Finding(name="OpenMP", state=GOOD, found=", ".join(found) or "none seen")
    remedy = (
        "harmless unless two pools work at once; if a program hangs or is slow, set NUMBA_THREADING_LAYER=workqueue"
    )
    return Finding(name="OpenMP", state=WARNING, found=f"{len(found)} run-times: {', '.join(found)}", remedy=remedy)


def _loaded_openmp() -> set[str]:
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    paths = {line.split(maxsplit=5)[5] for line in maps.splitlines() if len(line.split(maxsplit=5)) == 6}
    return {"/".join(Path(path).parts[-3:]) for path in paths if re.match(r"lib(gomp|iomp5|omp)\b", Path(path).name)}


def _kernel() -> Finding:
    remedy = f"{INSTALL}, then {sys.executable} -m ipykernel install --user"
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return Finding(name="Jupyter kernel", state=WARNING, found="Jupyter is not installed", remedy=INSTALL)
    if importlib.util.find_spec("ipykernel") is None:
        return Finding(name="Jupyter kernel", state=WARNING, found="ipykernel is missing", remedy=remedy)
    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return Finding(name="Jupyter kernel", state=WARNING, found="no python3 kernel", remedy=remedy)
    other = os.path.isabs(program) and not os.path.samefile(Path(program).parent, Path(sys.executable).parent)
    if other:
        return Finding(name="Jupyter kernel", state=WARNING, found=f"python3 runs {program}", remedy=remedy)
    return Finding(name="Jupyter kernel", state=GOOD, found=f"python3 runs {sys.executable}")
