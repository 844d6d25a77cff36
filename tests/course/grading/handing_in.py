"""What learners hand in, made from the course's own notebooks, or from those of a pack of three small tasks."""

import json
import shutil
from copy import deepcopy
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[3]
START = "00_start_here"
SEED = "5eed" * 8
ATTACKED, JUDGED, IMPORTED = "01_attacked", "02_judged", "03_imported"
TARGET, BESIDE, TEST, ASKED = "attacked.mean_of_kept", "attacked.twice", "judged.test_twice", "imported.hidden_size"
HEAD = "def mean_of_kept(losses, keep):\n"
RIGHT = HEAD + "    keep = keep[..., 0]\n    return (losses * keep).sum() / keep.sum()\n"
WRONG = HEAD + "    return losses.sum()\n"
STUB = HEAD + "    raise NotImplementedError('write it')\n"
SLIP = HEAD + "    return losses.mean()\n"
TWICE = "def twice(x):\n    return 2 * x\n"
TELLS = """def test_twice(double):
    x = np.array([1.0, 2.0, 3.0])
    return np.array_equal(double(x), 2 * x)
"""
ROUNDS = """def hidden_size(dim, multiple_of, multiplier=1.0):
    wide = int(multiplier * int(8 * dim / 3))
    return (wide + multiple_of - 1) // multiple_of * multiple_of
"""
OWN = {ATTACKED: {TARGET: RIGHT, BESIDE: TWICE}, JUDGED: {TEST: TELLS}, IMPORTED: {ASKED: ROUNDS}}  # the pack's answers


def _of_pack(stem):
    cells = [new_code_cell("import numpy as np\nfrom minillama import course", id="setup")]
    for number, (task, source) in enumerate(OWN[stem].items()):
        metadata = {"tags": ["answer"], "minillama": {"task": task}}
        cells.append(new_code_cell(source, id=f"{stem}-{number}", metadata=metadata))
        cells.append(new_code_cell(f"course.check({task!r}, ...)", id=f"check-{number}", metadata={"tags": ["check"]}))
    return json.loads(json.dumps(new_notebook(cells=cells)))


def write_pack(folder):
    """The pack, as it lies on a teacher's disk."""
    shutil.copytree(Path(__file__).with_name("pack") / "records", folder / "records")
    (folder / "solutions").mkdir()
    for stem in OWN:
        (folder / f"solutions/{stem}.ipynb").write_text(json.dumps(_of_pack(stem)), encoding="utf-8")
    return folder


def notebook(stem=ATTACKED, folder="solutions"):
    """A notebook of the pack or the course, as JSON."""
    return _of_pack(stem) if stem in OWN else json.loads((ROOT / folder / f"{stem}.ipynb").read_text(encoding="utf-8"))


def with_answers(answers, stem=ATTACKED, folder="solutions"):
    """A notebook in which the cells of some tasks hold other sources."""
    made, left = deepcopy(notebook(stem, folder)), dict(answers)
    for cell in made["cells"]:
        task = cell["metadata"].get("minillama", {}).get("task")
        if task in left:
            cell["source"] = left.pop(task)
    assert not left, f"no such tasks: {sorted(left)}"
    return made


def cell_of(made, task):
    """The answer cell of a task."""
    return next(each for each in made["cells"] if each["metadata"].get("minillama", {}).get("task") == task)


def as_bytes(made):
    """The file that a notebook is handed in as."""
    return made if isinstance(made, bytes) else json.dumps(made).encode()
