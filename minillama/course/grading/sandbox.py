"""Where a kernel runs: a sandbox of bubblewrap, or, where there is none, an ordinary process with limits.

Inside bubblewrap there is no network, no process of the machine, nothing of its files but the interpreter's own
library, the shared libraries that it loads, and what environment.py lists, all read-only; /tmp and /dev/shm are small,
private and in memory. The kernel's sockets lie in that /tmp, and are reached through /proc/PID/root.

The process with limits sees the machine's files as its user does: it is not tamper-resistant, and every result says so.
"""

import contextlib
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minillama.course.grading.asking import TALK
from minillama.course.grading.environment import INSIDE, Environment
from minillama.course.grading.folders import remove
from minillama.course.grading.limits import Limits
from minillama.course.grading.records import BUBBLEWRAP, LIMITS_ONLY

INNER = "/tmp"  # the folder that a kernel in bubblewrap may write to
CODE, LIBRARIES = "/graded/code", "/graded/libraries"
FIRST_USER = 61_184  # unprivileged users that Debian and systemd leave to whoever needs one for a while
LOADED = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
START_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a sandbox finds what it needs.

    Args:
        kind: BUBBLEWRAP or LIMITS_ONLY.
        environment: what can be imported.
        talk: the folder of the candidates' sockets, on this machine.
        scratch: a folder for the files of kernels that run with limits only.
    """

    kind: str
    environment: Environment
    talk: Path
    scratch: Path

    @property
    def talk_inside(self) -> str:
        """The folder of the candidates' sockets, as the kernel sees it."""
        return TALK if self.kind == BUBBLEWRAP else str(self.talk)


class Sandbox:
    """One running kernel.

    Args:
        place: see Place.
        limits: for this kernel.
    """

    def __init__(self, place: Place, limits: Limits) -> None:
        self.place, self.limits = place, limits
        self.key = secrets.token_hex(16)
        self.ended = False
        self.folder = INNER if place.kind == BUBBLEWRAP else str(place.scratch / secrets.token_hex(4))
        if place.kind == BUBBLEWRAP:
            self._start_in_bubblewrap()
        else:
            self._start_with_limits()

    def _start_in_bubblewrap(self) -> None:
        told, telling = os.pipe()
        user = FIRST_USER + os.getpid() % 4000 if os.geteuid() == 0 else None
        paths = [CODE, LIBRARIES]
        command = [
            *bubblewrap_command(self.place.environment, self.place.talk, self.limits.disk_bytes),
            "--info-fd", str(telling), "--",
            *_python(), f"{CODE}/{INSIDE.replace('.', '/')}/launch.py", self._launch(paths, user),
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(telling,), start_new_session=True, env={"LANG": "C.UTF-8"},
        )  # fmt: skip
        os.close(telling)
        with os.fdopen(told, encoding="utf-8") as file:
            text = file.read()
        try:
            self.first_process = int(json.loads(text)["child-pid"])
        except (KeyError, TypeError, ValueError) as error:
            self.process.wait()
            raise RuntimeError("bubblewrap does not start") from error
        self.outer_folder = f"/proc/{self.first_process}/root{INNER}"

    def _start_with_limits(self) -> None:
        libraries = self.place.scratch / "libraries"
        libraries.mkdir(exist_ok=True)
        for name, path in self.place.environment.libraries.items():
            with contextlib.suppress(FileExistsError):
                (libraries / name).symlink_to(path)
        os.makedirs(self.folder)
        code = self.place.environment.code
        command = [
            *_python(),
            str(code / INSIDE.replace(".", "/") / "launch.py"),
            self._launch([str(code), str(libraries)], None),
        ]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, env={"LANG": "C.UTF-8"}, cwd=self.folder,
        )  # fmt: skip
        self.first_process = self.process.pid
        self.outer_folder = self.folder

    def _launch(self, paths: Sequence[str], user: int | None) -> str:
        limits: dict[str, int] = {
            "CORE": 0, "CPU": self.limits.cpu_s, "DATA": self.limits.memory_bytes, "NOFILE": 256,
            "FSIZE": self.limits.disk_bytes,
        }  # fmt: skip
        if self.place.kind == BUBBLEWRAP:  # elsewhere all processes of the user would count
            limits["NPROC"] = self.limits.processes
        return json.dumps(
            {
                "limits": limits,
                "user": user,
                "folder": self.folder,
                "paths": list(paths),
                "connection": self.connection(),
            }
        )

    def connection(self, outer: bool = False) -> dict[str, Any]:
        """How to speak with the kernel, as itself sees it, or as this process does."""
        folder = self.outer_folder if outer else self.folder
        ports = {f"{name}_port": i for i, name in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)}
        return {
            "transport": "ipc", "ip": f"{folder}/sockets/s", **ports, "key": self.key,
            "signature_scheme": "hmac-sha256",
        }  # fmt: skip

    def is_alive(self) -> bool:
        """Does it run?"""
        return self.process.poll() is None

    def kill(self) -> None:
        """End every process of it. Those that left its session are found by watching.end_strays()."""
        if self.ended:
            return
        self.ended = True
        for number in (self.first_process, self.process.pid) if self.process.poll() is None else ():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        if self.place.kind == LIMITS_ONLY:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(ChildProcessError):  # an orphan by now, and ours where orphans are adopted
            os.waitpid(self.first_process, 0)
        if self.place.kind == LIMITS_ONLY:
            remove(Path(self.folder))


def _python() -> list[str]:
    """The interpreter itself, without an environment around it."""
    return [os.path.realpath(sys.executable), "-I", "-S", "-B"]


def bubblewrap_command(environment: Environment, talk: Path, disk_bytes: int) -> list[str]:
    """bubblewrap with everything that a kernel may see; the command to run follows.

    Args:
        environment: what it may import.
        talk: folder of the candidates' sockets.
        disk_bytes: size of each folder that it may write to.
    """
    size = str(disk_bytes)
    command = [
        shutil.which("bwrap") or "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
        "--unshare-cgroup-try", "--die-with-parent", "--hostname", "graded", "--cap-drop", "ALL",
    ]  # fmt: skip
    if os.geteuid() == 0:  # becomes another user at once, in launch.py
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--disable-userns"]
    prefix = Path(os.path.realpath(sys.executable)).parents[1]
    shown = [path for path in LOADED if os.path.exists(path)]
    own = [
        str(path) for path in (prefix / "lib", Path(os.path.realpath(sys.executable)))
        if not any(path.is_relative_to(each) for each in shown if not os.path.islink(each))
    ]  # fmt: skip
    for folder in _parents([*shown, *own, CODE, f"{LIBRARIES}/torch"]):
        command += ["--dir", folder]  # otherwise only root may look into it
    for path in [*shown, *own]:
        command += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind", path, path]
    for hidden in _hidden(prefix):
        command += ["--size", "4096", "--tmpfs", str(hidden), "--remount-ro", str(hidden)]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", size, "--perms", "1777", "--tmpfs", "/dev/shm"]
    command += ["--size", size, "--perms", "1777", "--tmpfs", INNER]
    command += ["--ro-bind", str(environment.code), CODE, "--ro-bind", str(talk), TALK]
    for name, file in environment.libraries.items():
        command += ["--ro-bind", str(file), f"{LIBRARIES}/{name}"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", INNER]


def _parents(paths: Sequence[str]) -> list[str]:
    """The folders above these, outer ones first."""
    found = {str(parent) for path in paths for parent in Path(path).parents}
    return sorted(found - {"/"})


def _hidden(prefix: Path) -> list[Path]:
    """Folders of libraries inside what is shown, whatever they hold."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = {prefix / "lib" / version / "site-packages", Path(sysconfig.get_path("stdlib")) / "site-packages"}
    folders |= {Path("/usr/lib/python3/dist-packages"), Path("/usr/local/lib") / version / "dist-packages"}
    folders |= {Path("/usr/lib") / version / "site-packages", Path("/usr/local/lib") / version / "site-packages"}
    return sorted(folder for folder in folders if folder.is_dir() and not folder.is_symlink())


@functools.cache
def why_no_bubblewrap() -> str:
    """Why this machine has no sandbox, as a sentence; empty where it has one."""
    if sys.platform != "linux":
        return "bubblewrap is for Linux only"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed: on Debian, apt-get install bubblewrap"
    nothing = Environment(code=Path(__file__).parent, libraries={})
    command = [*bubblewrap_command(nothing, Path(__file__).parent, 1 << 20), "--", *_python(), "-c", "import json"]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=START_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start ({error})"
    text = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else f"bubblewrap does not start ({(text or ['without a word'])[-1]})"
