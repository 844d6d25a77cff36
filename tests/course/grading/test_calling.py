"""What the grader reads in a source: forbidden calls wherever they are named, and no right answer under suspicion."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from minillama.course.grading.calling import evasive_names, forbidden_call
from minillama.course.grading.lessons import load_course
from tests.course.grading.handing_in import ROOT

COURSE = load_course(ROOT)
NORM = ("torch.nn:RMSNorm", "torch.nn.functional:rms_norm", "torch:rms_norm")


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ndef f(x):\n    return torch.rms_norm(x, (4,))",
        "import torch as t\ndef f(x):\n    return t.nn.functional.rms_norm(x, (4,))",
        "from torch.nn.functional import rms_norm as g\nf = g",
        "def f(x):\n    import torch.nn as nn\n    return nn.RMSNorm(4)(x)",
        "from torch import nn\nclass f(nn.RMSNorm):\n    pass",
        "from torch.nn import modules\ndef f(x):\n    return modules.normalization.RMSNorm(4)(x)",
        "from torch import rms_norm as r\na = [r]\ndef g(x):\n    return a[0](x)\ndef f(x):\n    return g(x)",
        "import torch\nf, g = torch.rms_norm, 1",
        "import torch\n@torch.rms_norm\ndef f(x):\n    return x",
        "import torch\ndef f(x, g=torch.rms_norm):\n    return g(x)",
        "import torch\ndef f(x):\n    def g(y):\n        return [torch.rms_norm(z, (4,)) for z in y]\n    return g(x)",
        "import torch\nif True:\n    def f(x):\n        return torch.rms_norm(x, (4,))",
    ],
)
def test_a_forbidden_call_is_found(source):
    assert forbidden_call(source, "f", NORM)


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ndef f(x):\n    return x\nassert torch.allclose(f(1), torch.rms_norm(1, (4,)))",  # beside it
        "def rms_norm(x):\n    return x\ndef f(x):\n    return rms_norm(x)",
        "class RMSNorm:\n    pass\ndef f(x):\n    return RMSNorm()",
        "import torch\ndef f(x):\n    return torch.nn.functional.softmax(x)  # not torch.rms_norm",
        "import torch\ndef f(x):\n    y = x\n    return y\ny = torch.rms_norm(1, (4,))",  # another y
        "import torch\ndef f(x: torch.nn.RMSNorm) -> torch.rms_norm:\n    y: torch.rms_norm = x\n    return y",
        "import torch\ndef f(torch):\n    return torch.rms_norm(1)",
        "def f(x:\n",
        "%%bash\ntorch.rms_norm",
        "import os\ndef f(x):\n    return os.rms_norm",
    ],
)
def test_nothing_else_is(source):
    assert forbidden_call(source, "f", NORM) == ""


def test_a_name_of_the_cells_before_counts():
    assert forbidden_call("def f(x):\n    return F.rms_norm(x)", "f", NORM, "import torch.nn.functional as F")


@pytest.mark.parametrize("stem", COURSE.lessons)
def test_no_solution_is_under_suspicion(stem):
    lesson = COURSE.lessons[stem]
    sources = {lesson.wanted[cell.id]: cell.source for cell in lesson.notebook.cells if cell.id in lesson.wanted}
    setup = "\n".join(cell.source for cell in lesson.notebook.cells if cell.cell_type == "code")
    for name, task in lesson.tasks.items():
        assert forbidden_call(sources[name], task.name, task.forbidden, setup) == ""
        assert evasive_names(sources[name]) == []


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[1].glob("*_answers.py")), ids=lambda path: path.stem)
def test_no_unusual_right_answer_is_under_suspicion(path):
    module = import_module(f"tests.course.{path.stem}")
    tasks = {name: task for lesson in COURSE.lessons.values() for name, task in lesson.tasks.items()}
    source = inspect.getsource(module)
    asked = {
        (getattr(each, "__name__", ""), tasks[name].forbidden) for name in module.RIGHT for each in module.RIGHT[name]
    }
    for called, forbidden in asked:  # once for answers of one name, which are looked for in the whole file
        libraries = [each for each in forbidden if not each.startswith("minillama.")]  # whose places stand empty
        assert not libraries or forbidden_call(source, called, libraries) == ""
