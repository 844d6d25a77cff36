"""The lessons as they are committed: the lint, the code that they promote, and runs under nbval."""

import ast
import copy
import importlib
import inspect
import re
from pathlib import Path

import nbformat
import pytest
import torch

from minillama.course import linting
from minillama.course.linting import bare_code, code_cells, lint_lesson, promoted
from minillama.course.quizzes import all_quizzes
from minillama.course.tasks import LESSONS, tasks_of
from minillama.course.tasks.model_hand import RIGHT
from tests.course.nbval_runs import nbval_faults

ROOT = Path(__file__).parents[2]
WRITTEN = sorted((ROOT / "notebooks").glob("*.ipynb"))
RUN = WRITTEN + sorted((ROOT / "solutions").glob("*.ipynb"))
ROPE = ROOT / "notebooks" / "04_rope.ipynb"


def name_of(path):
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_lesson_has_what_every_lesson_has(path):
    assert lint_lesson(path) == []


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_promoted_code_is_the_packages(path):
    pieces = [task.piece.split(":") for task in tasks_of(path.stem) if task.piece]
    homes = {name: module for module, name in pieces}
    helpers = [importlib.import_module(module) for module, _ in pieces]  # what stands beside a piece
    definitions = promoted(nbformat.read(path, as_version=4))
    assert definitions or not homes
    for name, code in definitions.items():
        beside = (each.__name__ for each in helpers if hasattr(each, name))
        home = homes.get(name) or next(beside, f"minillama.{path.stem.partition('_')[2]}")
        module = importlib.import_module(home)
        assert code == bare_code(ast.parse(inspect.getsource(getattr(module, name))).body[0]), name


@pytest.mark.parametrize("path", RUN, ids=name_of)
def test_quizzes_and_links_exist(path):
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells)
    for name in re.findall(r'course\.quiz\("([^"]+)"', text):
        assert name in all_quizzes()
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert "://" in target or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", RUN, ids=name_of)
def test_lesson_imports_only_from_lessons_before_it(path):
    """A piece of a later lesson may run inside the model, but no cell names it."""
    order = ["tokenizer", "loss", "norm", "rope", "feedforward", "attention", "model", "generate", "train"]
    number = int(path.stem[:2])
    for cell in code_cells(nbformat.read(path, as_version=4)):
        for module in re.findall(r"from minillama\.(\w+)", cell.source):
            if module in order and module not in ("model", "train"):  # Pieces, and the corpus of held-out stories
                assert order.index(module) < number, f"{cell.id} imports minillama.{module}"


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_notebook_runs_under_nbval(path, tmp_path):
    """The solutions do in test_path.py."""
    assert nbval_faults(path, tmp_path) == ""


@pytest.mark.parametrize("lesson", LESSONS)
def test_exercise_runs_to_its_first_stub(lesson, tmp_path, monkeypatch):
    """Every check says that nothing is written, and nothing else fails before."""
    from nbclient import NotebookClient

    from minillama.course.notebooks import KERNEL

    monkeypatch.setenv("MINILLAMA_HOME", str(tmp_path))
    notebook = nbformat.read(ROOT / "exercises" / f"{lesson}.ipynb", as_version=4)
    last = [i for i, cell in enumerate(notebook.cells) if "check(" in cell.source and cell.cell_type == "code"][-1]
    notebook.cells = [c for c in notebook.cells[: last + 1] if "course.promote" not in c.source]
    NotebookClient(notebook, timeout=600, kernel_name=KERNEL["name"], record_timing=False).execute()
    for cell in code_cells(notebook):
        if "course.check" in cell.source:
            assert cell.outputs[0].data["text/plain"].startswith("○"), cell.source
            assert re.search(r"Not (written|filled in) yet: \S", cell.outputs[0].data["text/plain"])


# The lint sees what it should


def problems(change):
    notebook = copy.deepcopy(nbformat.read(ROPE, as_version=4))
    change(notebook)
    return [problem for rule in linting.RULES for problem in rule(notebook)]


def drop_tag(tag):
    def change(notebook):
        for cell in notebook.cells:
            cell.metadata["tags"] = [each for each in cell.metadata.get("tags", []) if each != tag]

    return change


@pytest.mark.parametrize("tag", ["predict", "reveal", "control", "mistake", "attempt", "quiz", "recall"])
def test_a_missing_moment_is_seen(tag):
    assert problems(drop_tag(tag))


@pytest.mark.parametrize(
    ("index_of", "change", "words"),
    [
        ("markdown", lambda c: c.update(source=c.source + " word" * 200), "words stand between"),
        ("markdown", lambda c: c.update(source="### Deep\n\n" + c.source.replace("# ", "")), "heading|title"),
        ("code", lambda c: c.update(source="x = 1\n" * 20), "20 lines"),
        ("code", lambda c: c.update(source="open('/home/ada/x')"), "path of one machine"),
        (
            "code",
            lambda c: c.update(outputs=[nbformat.v4.new_output("display_data", data={"image/png": "AAAA"})]),
            "without alternative text",
        ),
        (
            "code",
            lambda c: c.update(outputs=[nbformat.v4.new_output("display_data", data={"text/html": "<img src='x'>"})]),
            "missing or says little",
        ),
    ],
)
def test_a_fault_in_a_cell_is_seen(index_of, change, words):
    def fault(notebook):
        change(next(cell for cell in notebook.cells if cell.cell_type == index_of))

    assert any(re.search(words, problem) for problem in problems(fault))


def test_changed_code_is_not_the_packages():
    one = ast.parse('def f(x: int) -> int:\n    """Doc."""\n    return x + 1').body[0]
    same = ast.parse("def f(x):\n    return x + 1  # why").body[0]
    other = ast.parse("def f(x):\n    return x + 2").body[0]
    assert bare_code(one) == bare_code(same) != bare_code(other)


def test_a_walk_by_hand_follows_from_its_text():
    cells = nbformat.read(ROOT / "solutions" / "07_model.ipynb", as_version=4).cells
    text = next(cell.source for cell in cells if "Walk one token through a block" in cell.source)
    halves = dict(re.findall(r"^- (attention|feed-forward): \((.+)\)$", text, re.MULTILINE))
    road = torch.tensor([float(each) for each in re.search(r"road as \((\d+), (\d+)\)", text).groups()])
    walk = {}
    for half, name in (("attention", "after_attention"), ("feed-forward", "after_block")):
        copy = road / road.pow(2).mean().sqrt()
        walk.setdefault("normed", copy.tolist())
        factors = re.findall(r"(−?\d+) · ([ab])", halves[half])
        road = road + torch.tensor([int(n.replace("−", "-")) * copy["ab".index(x)].item() for n, x in factors])
        walk[name] = road.tolist()
    for name, values in walk.items():
        assert values == pytest.approx(RIGHT[name], abs=1e-5), name
