"""A learner's path: exercises in Jupyter's own kernel, answers put in one by one, checked, and promoted."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from minillama.course.tasks import LESSONS, tasks_of

ROOT = Path(__file__).parents[2]
RELEASED = [lesson for lesson in LESSONS if (ROOT / "exercises" / f"{lesson}.ipynb").exists()]
PASSED = "✓"


def outputs(cell: nbformat.NotebookNode) -> str:
    """What a cell said, as plain text."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
        for output in cell.outputs
    )


def put_in_one_by_one(lesson: str, home: Path) -> dict[str, tuple[str, str]]:
    """Run a lesson's exercises; for each task, what its check says of the stub, and of the solution's answer."""
    exercise = nbformat.read(ROOT / "exercises" / f"{lesson}.ipynb", as_version=4)
    solution = nbformat.read(ROOT / "solutions" / f"{lesson}.ipynb", as_version=4)
    answers = {cell.id: cell.source for cell in solution.cells}
    client = NotebookClient(exercise, timeout=120, allow_errors=True, resources={"metadata": {"path": home}})
    said: dict[str, tuple[str, str]] = {}
    with client.setup_kernel(env=os.environ | {"MINILLAMA_HOME": str(home), "OMP_NUM_THREADS": "1"}):
        cells = exercise.cells
        for i, cell in enumerate(cells):
            if cell.cell_type != "code":
                continue
            if "answer" not in cell.metadata.get("tags", []):
                client.execute_cell(cell, i)
                continue
            at = next(j for j in range(i + 1, len(cells)) if "course.check(" in cells[j].source)
            before = run(client, cells, i, at)
            cell.source = answers[cell.id]
            said[cell.metadata["minillama"]["task"]] = (before, run(client, cells, i, at))
    return said


def run(client: NotebookClient, cells: list[nbformat.NotebookNode], answer: int, check: int) -> str:
    """Run an answer's cell and its check; what the check says."""
    for i in (answer, check):
        client.execute_cell(cells[i], i)
    return outputs(cells[check])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("lesson", RELEASED)
def test_each_stub_fails_and_each_answer_passes(lesson: str, home: Path) -> None:
    said = put_in_one_by_one(lesson, home)
    assert said.keys() == {task.id for task in tasks_of(lesson)}
    for task, (stub, answer) in said.items():
        assert not stub.startswith(PASSED), task
        assert answer.startswith(PASSED), f"{task}: {answer}"
