"""What every lesson must have, read from its cells and their tags; each rule says what is missing.

Tags: predict, reveal, control, mistake, attempt, promote, quiz, recall, and task, answer in solutions.
"""

import ast
import copy
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat

MAX_WORDS = 120  # of prose between two cells of code
MAX_LINES = 15  # of code in a cell that promotes nothing
MAX_BYTES = 2_000_000
MIN_PREDICTIONS, MIN_QUIZZES, MIN_RECALLS = 2, 4, 3
STATED = re.compile(r"runs in (\d+) seconds · (?:under )?(\d+) MB", re.IGNORECASE)
ABSOLUTE = re.compile(r"(?<![\w.~:/])/(?:home|root|Users|tmp|work|mnt|opt|var)/\w|\b[A-Z]:\\+(?:Users|Windows|Program)")

Notebook = nbformat.NotebookNode
Rule = Callable[[Notebook], Iterator[str]]


def lint_lesson(path: Path) -> list[str]:
    """Everything that a lesson lacks, one sentence each.

    Args:
        path: notebooks/NN_stem.ipynb.
    """
    notebook = nbformat.read(path, as_version=4)
    found = [problem for rule in RULES for problem in rule(notebook)]
    if path.stat().st_size > MAX_BYTES:
        found.append(f"the file has {path.stat().st_size:,} bytes, at most {MAX_BYTES:,} are read with ease")
    return found


def lint_assignment(notebook: Notebook) -> list[str]:
    """Everything that the notebook of an assignment, or of its solution, lacks, one sentence each."""
    return [problem for rule in ASSIGNMENT_RULES for problem in rule(notebook)]


def has_tag(cell: Notebook, tag: str) -> bool:
    """Is a cell tagged so?"""
    return tag in cell.metadata.get("tags", [])


def code_cells(notebook: Notebook, tag: str | None = None) -> list[Notebook]:
    """The cells of code, those with a tag where one is given."""
    return [c for c in notebook.cells if c.cell_type == "code" and (tag is None or has_tag(c, tag))]


def predictions(notebook: Notebook) -> Iterator[str]:
    """Two questions at least, and the next cell of code after each reveals."""
    cells = code_cells(notebook)
    asked = [i for i, cell in enumerate(cells) if has_tag(cell, "predict")]
    if len(asked) < MIN_PREDICTIONS:
        yield f"{len(asked)} cells are tagged predict, expected {MIN_PREDICTIONS} or more"
    for i in asked:
        if i + 1 == len(cells) or not has_tag(cells[i + 1], "reveal"):
            yield f"cell {cells[i].id} asks for a prediction, and the next cell of code is not tagged reveal"


def moments(notebook: Notebook) -> Iterator[str]:
    """Something to move, something that fails, quizzes, and questions from earlier lessons, if there are any."""
    recalls = 0 if notebook.cells[0].source.startswith("# 00 ") else MIN_RECALLS
    for tag, least in (("control", 1), ("mistake", 1), ("quiz", MIN_QUIZZES), ("recall", recalls)):
        count = len(code_cells(notebook, tag))
        if count < least:
            yield f"{count} cells of code are tagged {tag}, expected {least} or more"


def attempts(notebook: Notebook) -> Iterator[str]:
    """Before every definition is shown there is a place to try it."""
    tried = 0
    for cell in code_cells(notebook):
        tried += has_tag(cell, "attempt")
        if has_tag(cell, "promote"):
            if tried == 0:
                yield f"cell {cell.id} is tagged promote, and no cell before it is tagged attempt"
            tried = max(0, tried - 1)


def prose(notebook: Notebook) -> Iterator[str]:
    """Few words between two cells of code, and few lines in one."""
    words, last = 0, "the beginning"
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not has_tag(cell, "summary"):
            words += len(re.findall(r"\b[\w'’-]+\b", re.sub(r"\]\([^)]*\)|<[^>]+>", " ", cell.source)))
        elif cell.cell_type == "code":
            if words > MAX_WORDS:
                yield f"{words} words stand between {last} and cell {cell.id}, at most {MAX_WORDS}"
            words, last = 0, f"cell {cell.id}"
            lines = len([line for line in cell.source.splitlines() if line.strip()])
            if lines > MAX_LINES and not has_tag(cell, "promote"):
                yield f"cell {cell.id} has {lines} lines, at most {MAX_LINES}"


def headings(notebook: Notebook) -> Iterator[str]:
    """One title, first; then no level is left out."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
    if not levels or levels[0] != 1 or levels.count(1) != 1:
        yield "the lesson has no title of its own at its beginning, expected one heading with one #"
    for before, after in itertools.pairwise(levels):
        if after > before + 1:
            yield f"a heading of level {after} follows one of level {before}"


def pictures(notebook: Notebook) -> Iterator[str]:
    """Every picture says in words what it shows."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data, page = output.get("data", {}), str(output.get("data", {}).get("text/html", ""))
            kinds = [kind for kind in data if kind.startswith("image/")]
            if any(len(output.metadata.get(kind, {}).get("alt", "")) < 20 for kind in kinds):
                yield f"cell {cell.id} shows a picture without alternative text: use viz.show(figure, alt=...)"
            for image in re.findall(r"<img\b[^>]*>", page):
                if not re.search(r'alt="[^"]{20,}"', image):
                    yield f"cell {cell.id} shows a picture whose alternative text is missing or says little"
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(", cell.source):
            yield f"cell {cell.id} links a picture without alternative text"


def facts(notebook: Notebook) -> Iterator[str]:
    """Time and memory are stated, and no widget or path of one machine is kept."""
    if not STATED.search("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")):
        yield "time and memory are not stated, expected such as: runs in 40 seconds · 600 MB"
    if "widgets" in notebook.metadata:
        yield "the state of widgets is kept: run make notebooks"
    for cell in notebook.cells:
        text = cell.source + " ".join(_text_of(output) for output in cell.get("outputs", []))
        if "vnd.jupyter.widget-view" in text:
            yield f"cell {cell.id} keeps a widget: run make notebooks"
        if ABSOLUTE.search(text):
            yield f"cell {cell.id} names a path of one machine: {ABSOLUTE.search(text).group()}"  # type: ignore[union-attr]


def _text_of(output: Notebook) -> str:
    parts = [str(key) + " " + str(each) for key, each in output.get("data", {}).items() if not key.startswith("image/")]
    text = " ".join([*parts, str(output.get("text", "")), *map(str, output.get("traceback", []))])
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)


def promoted(notebook: Notebook) -> dict[str, str]:
    """Name -> code of every definition in a cell that promotes, without what does not run."""
    found = {}
    for cell in code_cells(notebook, "promote"):
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = bare_code(node)
    return found


def bare_code(node: ast.AST) -> str:
    """A definition's syntax tree as text, without docstrings and annotations."""
    node = copy.deepcopy(node)
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(each) is not None:
            each.body = each.body[1:] or [ast.Pass()]
        if isinstance(each, ast.FunctionDef):
            each.returns = None
        if isinstance(each, ast.arg):
            each.annotation = None
    return ast.dump(node)


RULES: tuple[Rule, ...] = (predictions, moments, attempts, prose, headings, pictures, facts)
ASSIGNMENT_RULES: tuple[Rule, ...] = (headings, pictures, facts)
