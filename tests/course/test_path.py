"""A learner's path: lesson after lesson with all answers, under nbval, checked and promoted into one's own LLaMA."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from minillama.checkpoint.own_pieces import HOMES
from minillama.course.tasks import LESSONS, tasks_of
from tests.course.nbval_runs import ROOT, nbval_faults

RELEASED = [lesson for lesson in LESSONS if (ROOT / "exercises" / f"{lesson}.ipynb").exists()]
ONE_BY_ONE = "03_norm"
PASSED, STUB = "✓", "○"
TELL = """
import json, sys
import minillama
from minillama.checkpoint.own_pieces import own_names
texts, homes, own = [], set(), []
options = {"max_new_tokens": 60}, {"max_new_tokens": 40, "temperature": 0.8, "top_k": 40, "top_p": 0.95, "seed": 8}
for arguments in ({}, {"path": sys.argv[1], "tokenizer": sys.argv[2]}):
    for pieces in ({}, {"pieces": "my_llama"}):
        model, tokenizer = minillama.load(**arguments, **pieces, quant="none", dtype="float32")
        texts.append([minillama.generate(model, tokenizer, "Once upon a time", **each) for each in options])
        if pieces:
            homes |= {type(each).__module__ for each in (*model.modules(), model.new_cache(1, 8))}
            own.append(own_names(model.pieces))
print(json.dumps([texts, sorted(homes), own]))
"""


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
    client = NotebookClient(exercise, timeout=600, allow_errors=True, resources={"metadata": {"path": home}})
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


@dataclass(frozen=True)
class Walk:
    """What a learner has after all lessons: their pieces in a folder, and what nbval says of each lesson."""

    home: Path
    faults: dict[str, str]

    @cached_property
    def progress(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads((self.home / "my_llama" / "progress.json").read_text("utf-8"))
        return found


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    home = tmp_path_factory.mktemp("home")
    return Walk(home, {lesson: nbval_faults(ROOT / "solutions" / f"{lesson}.ipynb", home) for lesson in RELEASED})


@pytest.mark.parametrize("lesson", RELEASED)
def test_a_lesson_runs_with_all_its_answers_and_every_check_passes(lesson: str, walk: Walk) -> None:
    assert walk.faults[lesson] == ""
    assert [task.id for task in tasks_of(lesson) if not walk.progress.get(task.id, {}).get("passed")] == []


def test_a_check_that_failed_passes_when_the_answer_is_put_in(tmp_path: Path) -> None:
    said = put_in_one_by_one(ONE_BY_ONE, tmp_path)
    assert said.keys() == {task.id for task in tasks_of(ONE_BY_ONE)}
    for task, (stub, answer) in said.items():
        assert stub.startswith(STUB), task
        assert answer.startswith(PASSED), f"{task}: {answer}"


def test_the_model_of_ones_own_pieces_says_what_the_reference_says(walk: Walk, shared_data: Path) -> None:
    promoted = {task for task, note in walk.progress.items() if note.get("promoted")}
    pages = "".join((ROOT / "exercises" / f"{lesson}.ipynb").read_text(encoding="utf-8") for lesson in RELEASED)
    assert promoted == set(re.findall(r'course\.promote\(\\"([\w.]+)', pages))  # helpers go along with the last of them
    assert promoted >= {"norm.RMSNorm", "rope.apply_rope", "attention.attend", "sampling.sample", "cache.KVCache"}
    found = subprocess.run(
        [sys.executable, "-c", TELL, str(shared_data / "stories260K.bin"), str(shared_data / "tok512.bin")],
        cwd=walk.home, env=os.environ | {"MINILLAMA_HOME": str(walk.home)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    (bundled, own_bundled, small, own_small), homes, own = json.loads(found.stdout)
    assert {name for name in homes if name.startswith("my_llama.")} >= {
        "my_llama.feedforward.SwiGLU",
        "my_llama.cache.KVCache",
    }
    assert (
        own == [sorted(name for name, place in HOMES.items() if f"{place}.{name}" in promoted)] * 2
    )  # all that plugs in
    assert own_bundled == bundled
    assert own_small == small
