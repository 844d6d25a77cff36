"""Where a learner's own work lies: the folder my_llama/ at the course's root, and how far they are."""

import json
import os
from pathlib import Path
from typing import Any

from minillama.errors import DataError
from minillama.files import new_file

FIRST_LESSON = Path("notebooks", "00_start_here.ipynb")
FOLDER = "my_llama"
PROGRESS = "progress.json"


def course_root() -> Path:
    """The course's folder: the nearest one upwards that holds the first lesson, else the working folder."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FIRST_LESSON).is_file()), here)


def clone_root() -> Path:
    """The folder of the course's notebooks: around the working folder, else the clone that minillama runs from."""
    clone, here = Path(__file__).parents[2], course_root()
    return clone if not (here / FIRST_LESSON).is_file() and (clone / FIRST_LESSON).is_file() else here


def my_llama() -> Path:
    """The learner's folder, which need not be there yet; MINILLAMA_HOME names another place for it."""
    place = os.environ.get("MINILLAMA_HOME")
    return (Path(place) if place else course_root()) / FOLDER


def in_lesson() -> bool:
    """Does this run in a lesson's notebook, which stands beside the first lesson, and not in an exercise?"""
    return Path.cwd().name == FIRST_LESSON.parent.name and Path(FIRST_LESSON.name).is_file()


def read_progress() -> dict[str, dict[str, Any]]:
    """Task id -> {"passed": bool, "attempts": int, "tries": int, "hints": int}; empty for what cannot be read."""
    try:
        found = json.loads((my_llama() / PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): each for key, each in found.items() if isinstance(each, dict)} if isinstance(found, dict) else {}


def note_progress(task_id: str, **changes: Any) -> dict[str, Any]:
    """Keep something about a task; a number given as "+1" counts. Returns what is known about it.

    Raises:
        DataError: the folder cannot be written to.
    """
    progress = read_progress()
    entry = {"passed": False, "attempts": 0, "hints": 0} | progress.get(task_id, {})
    for key, value in changes.items():
        entry[key] = int(entry.get(key) or 0) + 1 if value == "+1" else value
    progress[task_id] = entry
    write_text(my_llama() / PROGRESS, json.dumps(progress, indent=1, sort_keys=True) + "\n")
    return entry


def write_text(path: Path, text: str) -> None:
    """Write a file of the learner's whole or not at all, and the folders above it.

    Raises:
        DataError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}): make room, or set MINILLAMA_HOME") from error
