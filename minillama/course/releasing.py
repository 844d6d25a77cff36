"""exercises/ from solutions/: every answer becomes a stub.

In a cell of a solution,

    # answer: turn every pair (four lines)
    ...
    # end

becomes `raise NotImplementedError("turn every pair (four lines)")` with the same indentation; a line that ends with
`# answer` keeps what stands left of its last `=` or `:` and gets `...`. A cell with an answer is tagged `answer`.
"""

import copy
import re
from pathlib import Path

import nbformat

from minillama.course.notebooks import strip, write
from minillama.course.tasks import lessons_named
from minillama.errors import DataError

BEGIN = re.compile(r"^(\s*)# answer: (.+)$")
END = re.compile(r"^\s*# end$")
VALUE = re.compile(r"^(?P<left>.*?[:=] )(?P<value>.*?)(?P<comma>,?)\s*# answer$")
MIN_TELLING = 12  # characters of an answer's line that may not be found in what is released


def stub(source: str) -> tuple[str, list[str]]:
    """A cell without its answers, and the lines that were taken out.

    Raises:
        DataError: an answer without an end, or an end without an answer.
    """
    kept: list[str] = []
    taken: list[str] = []
    inside = False
    for line in source.split("\n"):
        begin, value = BEGIN.match(line), VALUE.match(line)
        if begin and not inside:
            inside = True
            text = begin[2].replace("\\", "\\\\").replace('"', '\\"')
            kept.append(f'{begin[1]}raise NotImplementedError("{text}")')
        elif END.match(line):
            if not inside:
                raise DataError(f"{line.strip()!r} stands without an answer above it: remove it")
            inside = False
        elif inside:
            taken.append(line.strip())
        elif value:
            taken.append(value["value"])
            kept.append(f"{value['left']}...{value['comma']}")
        else:
            kept.append(line)
    if inside:
        raise DataError("an answer has no end: close it with a line `# end`")
    return "\n".join(kept), taken


def exercise_of(solution: nbformat.NotebookNode) -> tuple[nbformat.NotebookNode, list[str]]:
    """The assignment that belongs to a solution, without outputs, and every line that was taken out."""
    notebook = copy.deepcopy(solution)
    taken: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.source, lines = stub(cell.source)
        tagged = "answer" in cell.metadata.get("tags", [])
        if bool(lines) != tagged:
            raise DataError(f"cell {cell.id}: a cell is tagged `answer` if, and only if, it holds one")
        taken += lines
        cell.outputs, cell.execution_count = [], None
    strip(notebook)
    return notebook, taken


def leaks(exercise: nbformat.NotebookNode, taken: list[str]) -> list[str]:
    """Lines of the answers that can be read in the assignment."""
    text = "\n".join("".join(cell.source.split()) for cell in exercise.cells)
    telling = {line.partition("  # ")[0].strip() for line in taken if not line.startswith("#")}
    return sorted(line for line in telling if len(line) >= MIN_TELLING and "".join(line.split()) in text)


def release(root: Path, *, check: bool = False) -> list[str]:
    """Write exercises/ from solutions/, or only say what differs.

    Args:
        root: the course's folder.
        check: write nothing.

    Returns:
        The names of the notebooks that were, or would be, written.

    Raises:
        DataError: an answer that is marked wrongly, or can be read in the assignment.
    """
    changed = []
    for path in sorted((root / "solutions").glob("*.ipynb")):
        try:
            exercise, taken = exercise_of(nbformat.read(path, as_version=4))
        except DataError as error:
            raise DataError(f"{path.name}: {error}") from error
        leaking = leaks(exercise, taken)
        if leaking:
            raise DataError(f"{path.name}: the assignment would show the answer's line {leaking[0]!r}: reword it")
        target = root / "exercises" / path.name
        text = nbformat.writes(exercise, version=4) + "\n"
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            changed.append(path.name)
            if not check:
                write(exercise, target)
    return changed


def reset(root: Path, lesson: str, keep: Path) -> tuple[Path, Path | None]:
    """Put an assignment back to its beginning, and keep what was there.

    Args:
        root: the course's folder.
        lesson: number or stem, "04" or "04_rope".
        keep: folder for what was there.

    Returns:
        The assignment, and where the old one lies; None where there was none, or nothing in it had changed.

    Raises:
        DataError: no such lesson.
    """
    found = lessons_named(lesson, [path.stem for path in (root / "solutions").glob("*.ipynb")])
    if len(found) != 1:
        raise DataError(f"lesson {lesson!r} has no exercises, expected a number such as 04")
    name = f"{found[0]}.ipynb"
    exercise, _ = exercise_of(nbformat.read(root / "solutions" / name, as_version=4))
    target = root / "exercises" / name
    kept = None
    if target.exists():
        old = nbformat.read(target, as_version=4)
        if [cell.source for cell in old.cells] != [cell.source for cell in exercise.cells]:
            keep.mkdir(parents=True, exist_ok=True)
            number = 1 + sum(1 for _ in keep.glob(f"{target.stem}-*.ipynb"))
            kept = keep / f"{target.stem}-{number:02}.ipynb"
            write(old, kept)
    write(exercise, target)
    return target, kept
