"""From a notebook's cell to a piece of your own LLaMA, and back."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minillama.checkpoint.own_pieces import HOMES
from minillama.course.home import in_lesson, my_llama, note_progress, read_progress, write_text
from minillama.course.record import Task
from minillama.course.showing import Message
from minillama.course.sources import standalone_source
from minillama.course.tasks import all_tasks, find_task
from minillama.errors import DataError

FRESH_SECONDS = 180  # for a new process to import PyTorch and check, on a machine that is busy
VERSIONS = ".versions"


def promote(task_id: str, answer: Any) -> Message:
    """Put a definition into your own LLaMA, the folder my_llama/, where `load(pieces="my_llama")` finds it.

    It is written with the helpers and imports that it needs, and takes its place only after it has passed its check in
    a fresh process. The version before it is kept: see `undo`.

    Args:
        task_id: "rope.apply_rope".
        answer: the function or class.

    Raises:
        ConfigError: no such task.
    """
    task = find_task(task_id)
    if task.piece is None:
        return Message("✗", f"{task.id}: nothing in the model takes its place, so there is nothing to promote.")
    try:
        source = standalone_source(answer, task.name)
    except DataError as error:
        return Message("✗", f"{task.id} is not promoted.", (str(error) + ".",))
    failure = _try_in_fresh_process(task, source)
    if failure:
        return Message("✗", f"{task.id} is not promoted: it fails outside of this notebook.", (failure,))
    path = piece_path(task)
    older = _versions(task)
    if path.is_file() and path.read_text(encoding="utf-8") != source:
        number = 1 + max((int(each.stem) for each in older), default=0)
        write_text(_version_folder(task) / f"{number:04}.py", path.read_text(encoding="utf-8"))
    write_text(path, source)
    note_progress(task.id, promoted=True, **({} if in_lesson() else {"passed": True}))
    lines = [f"It is in my_llama/{path.parent.name}/{path.name}."]
    if HOMES.get(task.name) == path.parent.name:
        lines.append('`minillama.load(pieces="my_llama")` runs it.')
    if len(_versions(task)):
        lines.append(f'The one before is kept: `course.undo("{task.id}")` brings it back.')
    return Message("✓", f"{task.id} is part of your own LLaMA.", tuple(lines))


def undo(task_id: str) -> Message:
    """Take the piece that was promoted last out of your LLaMA again; the version before it, if any, returns.

    Raises:
        ConfigError: no such task.
    """
    task = find_task(task_id)
    path, older = piece_path(task), _versions(task)
    if older:
        os.replace(older[-1], path)
        return Message("✓", f"{task.id}: the version before is back.")
    if path.is_file():
        path.unlink()
        note_progress(task.id, promoted=False)
        return Message("✓", f"{task.id}: taken out; minillama's own takes the place.")
    return Message("○", f"{task.id}: nothing of yours is there.")


def piece_path(task: Task) -> Path:
    """Where a task's piece of the learner's lies."""
    return my_llama() / task.id.partition(".")[0] / f"{task.name}.py"


def where(lesson: str | None = None, *, only: Sequence[str] = ()) -> Message:
    """What is done, and what comes next.

    Args:
        lesson: stem of a notebook, "04_rope"; None for all lessons.
        only: ids of the tasks that are asked for; none stands for all.
    """
    progress = read_progress()
    tasks = [task for task in all_tasks() if lesson in (None, task.lesson) and (not only or task.id in only)]
    width = max((len(task.id) for task in tasks), default=0)
    lines = []
    for task in tasks:
        entry = progress.get(task.id, {})
        mark = "✓" if entry.get("passed") else "✗" if entry.get("attempts") else "○"
        own = " · in your LLaMA" if task.piece and piece_path(task).is_file() else ""
        lines.append(f"{mark} {task.id:<{width}}  {task.title}{own}")
    done = sum(bool(progress.get(task.id, {}).get("passed")) for task in tasks)
    todo = next((task for task in tasks if not progress.get(task.id, {}).get("passed")), None)
    heading = f"{done} of {len(tasks)} tasks done" + (f"; next: {todo.id}" if todo else "")
    promoted = sum(task.piece is not None and piece_path(task).is_file() for task in tasks)
    heading += f" · {promoted} piece{'' if promoted == 1 else 's'} in your LLaMA" if promoted else ""
    return Message("→", heading, tuple(lines))


def my_pieces() -> dict[str, tuple[int, int]]:
    """Number of each lesson that has pieces -> (how many of them are yours, how many there are).

    >>> my_pieces()["04"]  # doctest: +SKIP
    (1, 3)
    """
    found: dict[str, tuple[int, int]] = {}
    for task in all_tasks():
        if task.piece:
            own, there = found.get(task.lesson[:2], (0, 0))
            found[task.lesson[:2]] = (own + piece_path(task).is_file(), there + 1)
    return found


def _version_folder(task: Task) -> Path:
    return my_llama() / VERSIONS / task.id


def _versions(task: Task) -> list[Path]:
    return sorted(_version_folder(task).glob("[0-9]*.py"))


def _try_in_fresh_process(task: Task, source: str) -> str:
    """Why the source fails on its own; empty where it passes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{task.name}.py"
        path.write_text(source, encoding="utf-8")
        command = [sys.executable, "-m", "minillama.course.fresh", task.id, str(path)]
        environment = os.environ | {"MINILLAMA_HOME": folder}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=FRESH_SECONDS,
                env=environment, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"It takes longer than {FRESH_SECONDS} seconds."
    lines = done.stdout.strip().splitlines()
    try:
        answer = json.loads(lines[-1])
        return "" if answer["passed"] else str(answer["text"])
    except (IndexError, KeyError, TypeError, ValueError):
        return " ".join(done.stderr.split())[-300:] or "The process ended without a word."
