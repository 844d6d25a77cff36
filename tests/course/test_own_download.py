"""Lesson 10 on a learner's own files of every kind, real weights converted: each cell runs, and the text is theirs."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import minillama
from minillama.checkpoint import convert
from minillama.course.notebooks import KERNEL

pytestmark = pytest.mark.shared
ROOT = Path(__file__).parents[2]
KINDS = {"hf": {"to": "hf"}, "meta": {"to": "meta", "shards": 4}, "stories.gguf": {"to": "gguf", "format": "f16"}}


def run_lesson(path: Path, home: Path) -> str:
    """Everything that the lesson's cells say when the file of the learner is this one."""
    notebook = nbformat.read(ROOT / "notebooks" / "10_checkpoint.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "course.promote" not in cell.source]
    for cell in notebook.cells:
        cell.source = cell.source.replace(', pieces="my_llama"', "")  # promoted in the lesson, which test_lessons runs
    client = NotebookClient(
        notebook, timeout=300, kernel_name=KERNEL["name"], resources={"metadata": {"path": str(ROOT / "notebooks")}}
    )
    client.execute(env=os.environ | {"MINILLAMA_HOME": str(home), "MINILLAMA_CHECKPOINT": str(path)})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.parametrize("name", KINDS)
def test_every_cell_runs_on_ones_own_files(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = convert(
        shared_data / "stories260K.bin", tmp_path / name, tokenizer=shared_data / "tok512.bin", **KINDS[name]
    )
    said = run_lesson(path, tmp_path)
    model, tokenizer = minillama.load(path)
    text = " ".join(minillama.generate(model, tokenizer, "Once upon a time", max_new_tokens=24).split())
    assert text in said
    assert f"{name}: 5 layers of 64" in said
    assert said.count("the same story") >= 5
    width = f"{'llama.embedding_length':42} 64"
    assert {"hf": "[512, 64]", "meta": "[(16, 64), (16, 64), (16, 64), (16, 64)]", "stories.gguf": width}[name] in said
