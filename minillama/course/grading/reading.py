"""One handed-in notebook: its answer cells, by the ids of the pristine one. Nothing else of it is used."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minillama.errors import DataError

MAX_SOURCE = 200_000  # characters of one answer
MAX_CELLS = 5_000
DEFINED = re.compile(r"^(?:(?:async )?def|class)\s+(\w{1,80})|^(\w{1,80})\s*(?::[^=\n]{0,80})?=", re.MULTILINE)
ORDER = re.compile(r"\s*#[\s#]*(?:NBVAL|PYTEST_VALIDATE)_\w+\s*")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A code cell that was handed in.

    Args:
        id: of the cell; empty where the file has none.
        task: that its metadata name; empty where they name none.
        source: its text, whatever it is.
    """

    id: str
    task: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What of a notebook is graded.

    Args:
        sources: task id -> the source of the learner's answer.
        notes: what a teacher should know about the file, sentences.
        elsewhere: names that are defined at the left margin of cells that are not graded.
    """

    sources: Mapping[str, str]
    notes: tuple[str, ...]
    elsewhere: frozenset[str]


def fingerprint(data: bytes) -> str:
    """The digest of a file as it was handed in."""
    return hashlib.sha256(data).hexdigest()


def read_cells(data: bytes) -> list[Cell]:
    """The code cells of a notebook, in order.

    Raises:
        DataError: these bytes are no notebook of format 4.
    """
    try:
        notebook = json.loads(data.decode("utf-8"), parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise DataError("got a file that is not JSON, expected a notebook: save it again, and hand in that") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise DataError("got JSON without cells, expected a notebook of format 4: open it in JupyterLab and save it")
    if len(notebook["cells"]) > MAX_CELLS:
        raise DataError(f"got {len(notebook['cells'])} cells, expected at most {MAX_CELLS}")
    cells = [each for each in notebook["cells"] if isinstance(each, dict) and each.get("cell_type") == "code"]
    return [Cell(id=_text(each.get("id")), task=_task(each), source=_source(each)) for each in cells]


def _text(value: Any) -> str:
    return value[:200] if isinstance(value, str) else ""


def _task(cell: Mapping[str, Any]) -> str:
    metadata = cell.get("metadata")
    own = metadata.get("minillama") if isinstance(metadata, dict) else None
    return _text(own.get("task")) if isinstance(own, dict) else ""


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source")
    if isinstance(source, list):
        source = "".join(each for each in source if isinstance(each, str))
    text = source if isinstance(source, str) else ""
    return text.encode("utf-8", "replace").decode("utf-8")  # half of a surrogate pair goes into no file


def matches(cells: Sequence[Cell], wanted: Mapping[str, str]) -> int:
    """How many of a lesson's answer cells (id -> task) a notebook has."""
    ids, tasks = {each.id for each in cells}, {each.task for each in cells}
    return sum(cell_id in ids or task in tasks for cell_id, task in wanted.items())


def without_orders(source: str) -> str:
    """A source whose comments give no orders to nbval, which takes for a line whatever Unicode ends one with.

    >>> without_orders("# NBVAL_SKIP\\nx = 1")
    '# NBVAL_SKIP.\\nx = 1'
    """
    lines = source.splitlines(keepends=True)
    return "".join(f"{line.rstrip()}.{line[len(line.rstrip()) :]}" if ORDER.fullmatch(line) else line for line in lines)


def pick_answers(cells: Sequence[Cell], wanted: Mapping[str, str], provided: frozenset[str]) -> Answers:
    """The learner's answers: by the cell's id, and where a tool has changed the ids, by the task in its metadata.

    Args:
        cells: the notebook's.
        wanted: id of each answer cell -> its task.
        provided: ids of the other cells of the pristine notebook.
    """
    sources, notes = {}, []
    used: set[int] = set()
    for cell_id, task in wanted.items():
        found = [i for i, each in enumerate(cells) if each.id == cell_id]
        found = found or [i for i, each in enumerate(cells) if each.task == task]
        if len(found) > 1:
            notes.append(f"{task}: {len(found)} cells claim to be its answer; the last of them counts.")
        if not found:
            continue
        used |= set(found)
        source = cells[found[-1]].source
        if len(source) > MAX_SOURCE:
            notes.append(f"{task}: its cell has {len(source)} characters, more than the {MAX_SOURCE} that are graded.")
            continue
        sources[task] = without_orders(source)
        if sources[task] != source:
            notes.append(f"{task}: a comment in its cell gives orders to nbval; it is not obeyed.")
    others = [each for i, each in enumerate(cells) if i not in used and each.id not in provided]
    elsewhere = {name for each in others for pair in DEFINED.findall(each.source[:MAX_SOURCE]) for name in pair if name}
    return Answers(sources=sources, notes=tuple(notes), elsewhere=frozenset(elsewhere))
