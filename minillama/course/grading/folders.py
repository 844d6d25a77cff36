"""Folders that last as long as the process which made them; what killed processes left is taken away by the next.

Each holds a file that its process keeps locked: a lock ends with its process, whichever way that ends.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

PREFIX = "minillama-grade-"
LOCK = "in-use"


class Scratch:
    """A new folder, and its end.

    >>> scratch = Scratch()
    >>> scratch.path.is_dir()
    True
    >>> scratch.close()
    >>> scratch.path.exists()
    False
    """

    def __init__(self) -> None:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        new = self.path / "new"
        self._lock = new.open("w")
        _is_free(self._lock)
        new.rename(self.path / LOCK)  # nobody sees it before it is locked

    def close(self) -> None:
        """Take it away; may be called again."""
        self._lock.close()
        remove(self.path)


def remove(folder: Path) -> None:
    """Take a folder away, whatever a stranger has put into it: locked, or deeper than Python goes."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]) if folder.exists() else ():
        subprocess.run([*command, "--", str(folder)], stdin=subprocess.DEVNULL, capture_output=True, check=False)


def _is_free(file: IO[str]) -> bool:
    """Lock a file; False where somebody holds it, or where nothing can be locked."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def sweep() -> int:
    """Take away this user's folders whose process has ended; how many there were."""
    ended = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with os.fdopen(os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW), "r+") as file:
                if _is_free(file):
                    remove(folder)
                    ended += 1
    return ended
