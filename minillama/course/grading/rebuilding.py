"""The notebook that is run: the pristine one with the learner's answers in it, and what is to be shown after each.

Of the pristine notebook come the imports, definitions and constants of its cells; what shows, plays and checks stays
out. After each answer stands a cell that calls it on the drawn inputs and shows what it gives. It is the only cell
whose output is compared, and it is compared by plugin.py.
"""

import ast
import contextlib
from collections.abc import Mapping

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from minillama.course.grading.lessons import Lesson

SETUP, ANSWER, SHOW = "setup", "answer", "show"  # roles of a cell, in its metadata under "graded"
NO_COMPARISON = "nbval-ignore-output"
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def rebuild(lesson: Lesson, sources: Mapping[str, str], shows: Mapping[str, str]) -> nbformat.NotebookNode:
    """The notebook that nbval runs.

    Args:
        lesson: its pristine notebook.
        sources: task id -> the learner's answer; what is missing stays out.
        shows: task id -> the source of the cell that shows what it gives.
    """
    cells = []
    for cell in lesson.notebook.cells:
        task = lesson.wanted.get(cell.id)
        if task is not None:
            if task in sources:
                cells.append(_cell(cell.id, ANSWER, task, sources[task]))
                cells.append(_cell(f"show-{len(cells)}", SHOW, task, shows[task]))
        elif cell.cell_type == "code" and "check" not in cell.metadata.get("tags", []):
            source = definitions(cell.source)
            if source:
                cells.append(_cell(cell.id, SETUP, "", source))
    return new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})


def _cell(cell_id: str, role: str, task: str, source: str) -> nbformat.NotebookNode:
    made = new_code_cell(source, id=cell_id, metadata={"graded": {"role": role, "task": task}})
    if role == SHOW:
        made.execution_count = 1  # nbval compares nothing where there is none
    else:
        made.metadata.tags = [NO_COMPARISON]
    return made


def _is_constant(node: ast.stmt) -> bool:
    """A name for a value that is written out."""
    if not isinstance(node, ast.Assign):
        return False
    with contextlib.suppress(ValueError):
        ast.literal_eval(node.value)
        return True
    return False


def definitions(source: str) -> str:
    """The imports, functions, classes and constants of a cell of the course's own.

    Imports of minillama are tried one by one: what a cell imports only to play with may not be there while graded.

    >>> definitions("import math\\nprint(math.pi)\\ndef half(x):\\n    return x / 2\\nhalf(3)")
    'import math\\n\\ndef half(x):\\n    return x / 2'
    """
    found: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "minillama":
            lines = (ast.unparse(ast.ImportFrom(node.module, [name], node.level)) for name in node.names)
            found += [f"try:\n    {line}\nexcept ImportError:\n    pass" for line in lines]
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef) or _is_constant(node):
            found.append(ast.get_source_segment(source, node) or "")
    return "\n\n".join(found)
