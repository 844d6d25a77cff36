"""Lesson 13 on a learner's own file and their own pieces: real weights, and the answers of all solutions."""

import importlib.util
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from typer.testing import CliRunner

import minillama
from minillama.checkpoint import convert
from minillama.checkpoint.own_pieces import HOMES, own_names
from minillama.cli import app
from minillama.course.notebooks import KERNEL
from minillama.course.sources import standalone_source
from minillama.course.tasks import LESSONS, tasks_of
from minillama.evaluate import perplexity

ROOT = Path(__file__).parents[2]


def write_pieces(lesson: str, folder: Path) -> None:
    """The solution's answers to a lesson's tasks, those that the model runs, as `promote` writes them."""
    cells = nbformat.read(ROOT / "solutions" / f"{lesson}.ipynb", as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    parts = [code[0].source, *(cell.source for cell in code if "answer" in cell.metadata.get("tags", []))]
    path = folder / f"answers_{lesson}.py"
    path.write_text("\n\n\n".join(re.sub(r"^course\..*$", "", part, flags=re.MULTILINE) for part in parts))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    for task in tasks_of(lesson):
        if task.piece and HOMES.get(task.name) == task.id.partition(".")[0]:
            home = folder / "my_llama" / HOMES[task.name]
            home.mkdir(parents=True, exist_ok=True)
            (home / f"{task.name}.py").write_text(standalone_source(getattr(module, task.name), task.name))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course in which every piece is a learner's."""
    folder = tmp_path_factory.mktemp("course")
    for lesson in LESSONS:
        write_pieces(lesson, folder)
    return folder


def run_lesson(home: Path, path: Path | None) -> str:
    """Everything that the lesson's cells say when this is the learner's file."""
    notebook = nbformat.read(ROOT / "notebooks" / "13_run_7b.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    client = NotebookClient(
        notebook, timeout=600, kernel_name=KERNEL["name"], resources={"metadata": {"path": str(ROOT / "notebooks")}}
    )
    client.execute(env=os.environ | {"MINILLAMA_HOME": str(home), "MINILLAMA_CHECKPOINT": str(path or "")})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.shared
@pytest.mark.parametrize("format", ["q4_0", "f16"])
def test_every_cell_runs_on_ones_own_file_and_all_of_ones_own_pieces(
    shared_data: Path, tmp_path: Path, everything: Path, format: str
) -> None:
    source, words = shared_data / "stories260K.bin", shared_data / "tok512.bin"
    path = convert(source, tmp_path / "stories.gguf", tokenizer=words, to="gguf", format=format)
    said = run_lesson(everything, path)
    model, tokenizer = minillama.load(path, quant=None if format == "q4_0" else "q4_0")
    text = minillama.generate(model, tokenizer, "Once upon a time", max_new_tokens=12)
    assert f"it says: {' '.join(text.split())}" in said
    assert "Your own model: these are its words." in said
    count = len(own_names(minillama.load(pieces=everything / "my_llama")[0].pieces))
    assert f"pieces of yours: {count}:" in said
    assert count > 20
    assert re.search(r"the same first choice at 4[6-8] of 48 places", said)
    assert "stands in" not in said


def test_the_command_line_measures_ones_own_pieces(everything: Path, tmp_path: Path) -> None:
    text, own = (ROOT / "minillama" / "assets" / "corpus.md").read_text(), str(everything / "my_llama")
    (tmp_path / "text").write_text(text)
    run = CliRunner().invoke(app, ["perplexity", str(tmp_path / "text"), "--context", "64", "--pieces", own])
    assert run.exit_code == 0, run.output
    assert "by your own piece" in run.stdout
    found = perplexity(*minillama.load(quant="none"), text, 64).value
    assert float(run.stdout.split()[1]) == pytest.approx(found, rel=1e-3)
    few = ["--prompt-tokens", "4", "--new-tokens", "2", "--repetitions", "1"]
    assert "tokens/s" in CliRunner().invoke(app, ["bench", *few, "--pieces", own]).stdout
    run = CliRunner().invoke(app, ["bench", *few, "--pieces", str(tmp_path / "nowhere")])
    assert run.exit_code == 2
    assert "promote a piece first" in " ".join(run.output.split())
