"""The floors of the package: a module imports only from floors strictly below its own, or from its own package.

Within a package that spans several floors (quant), "its own package" means the part of it on the same floor.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minillama"

# A name that ends in a dot stands for a package and everything in it, another name for that module alone.
FLOORS: dict[str, int] = {
    "minillama.errors": 0,
    "minillama.shapes": 0,
    "minillama.config": 0,
    "minillama.files": 0,
    "minillama.tokenizer.": 1,
    "minillama.norm": 1,
    "minillama.rope": 1,
    "minillama.feedforward": 1,
    "minillama.cache": 1,
    "minillama.heads": 1,
    "minillama.sampling": 1,
    "minillama.loss": 1,
    "minillama.quant": 1,  # the package's __init__ runs before any of its modules, so it stands on the lowest floor
    "minillama.quant.blocks": 1,
    "minillama.quant.formats": 1,
    "minillama.quant.kquants": 1,
    "minillama.quant.pages": 1,
    "minillama.quant.rounding": 1,
    "minillama.quant.scale_search": 1,
    "minillama.attention": 2,
    "minillama.quant.kernels.": 2,
    "minillama.model": 3,
    "minillama.quant.linear": 4,
    "minillama.quant.engine.": 4,
    "minillama.checkpoint.": 5,
    "minillama.generation": 6,
    "minillama.chat": 6,
    "minillama.trace": 6,
    "minillama.evaluate": 6,
    "minillama.parallel": 6,
    "minillama": 7,  # offers the public names of floors 0 to 6 and imports them when they are asked for
    "minillama.train.": 7,
    "minillama.viz.": 8,
    "minillama.course.": 9,
    "minillama.cli.": 10,
    "minillama.assets.": 10,  # the example pack: copied, and imported from where it then lies
    "minillama.__main__": 11,
    "minillama.train.__main__": 11,
}
WITHIN_FLOOR_0 = {("minillama.shapes", "minillama.errors"), ("minillama.config", "minillama.errors")}
DISPLAY = {"ipywidgets", "anywidget", "matplotlib", "nbval"}
LOWEST_DISPLAY_FLOOR = 8


def table_entry(module: str) -> str | None:
    """The line of the table that a module falls under, None where there is none."""
    if module in FLOORS:
        return module
    packages = [name for name in FLOORS if name.endswith(".") and f"{module}.".startswith(name)]
    return max(packages, key=len, default=None)


def table_package(module: str) -> str:
    """The sub-package that a module lies in or is; "minillama" for the modules beside them."""
    package = ".".join(module.split(".")[:2])
    return package if package == "minillama.quant" or f"{package}." in FLOORS else "minillama"


def imported_names(tree: ast.Module, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that is imported anywhere in a module, the names after `from` included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield node.lineno, str(node.args[0].value)


def imported_module(name: str, modules: set[str]) -> str:
    """The module that an imported name lies in: the longest beginning of it that is one."""
    parts = name.split(".")
    beginnings = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((beginning for beginning in beginnings if beginning in modules), parts[0])


def violations(source: str, module: str, modules: set[str], is_package: bool = False) -> list[str]:
    """What a module imports against the rule, one sentence each."""
    entry = table_entry(module)
    if entry is None:
        return [
            f"{module} has no floor: add it to FLOORS in tests/test_floors.py, on the lowest floor that can hold it"
        ]
    floor, found = FLOORS[entry], []
    for line, name in imported_names(ast.parse(source), module, is_package):
        if name.split(".")[0] in DISPLAY and floor < LOWEST_DISPLAY_FLOOR:
            found.append(f"{module}:{line} (F{floor}) imports {name}: only F{LOWEST_DISPLAY_FLOOR} and above may")
        if name.split(".")[0] != "minillama" or module == "minillama":
            continue
        target = imported_module(name, modules | {key.removesuffix(".") for key in FLOORS})
        target_entry = table_entry(target)
        if target_entry is None or (module, target) in WITHIN_FLOOR_0:
            continue  # a target without a floor is reported for itself
        same_package = table_package(module) == table_package(target) != "minillama"
        if FLOORS[target_entry] > floor or (FLOORS[target_entry] == floor and not same_package):
            found.append(f"{module}:{line} (F{floor}) imports {target} (F{FLOORS[target_entry]})")
    return found


def module_files() -> dict[str, Path]:
    """Dotted name -> file of every module of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = module_files()


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_floors_below(module):
    path = MODULES[module]
    found = violations(path.read_text(encoding="utf-8"), module, set(MODULES), path.name == "__init__.py")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("minillama.norm", "import minillama.model"),
        ("minillama.norm", "from minillama import model"),
        ("minillama.norm", "from minillama.rope import apply_rope"),
        ("minillama.norm", "from . import rope"),
        ("minillama.norm", "from .attention import attend"),
        ("minillama.norm", "from minillama import load"),
        ("minillama.norm", "def f():\n    from minillama.generation import stream"),
        (
            "minillama.norm",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from minillama.model import Llama",
        ),
        ("minillama.norm", "import importlib\nimportlib.import_module('minillama.model')"),
        ("minillama.norm", "import matplotlib.pyplot as plt"),
        ("minillama.train.loop", "from ipywidgets import IntSlider"),
        ("minillama.quant.formats", "from minillama.quant.engine import QuantizedLlama"),
        ("minillama.quant.formats", "from minillama.quant import engine"),
        ("minillama.quant.kernels.scalar", "from ..linear import QuantLinear"),
        ("minillama.config", "from minillama.shapes import check_shape"),
        ("minillama.checkpoint.load", "from minillama.generation import generate"),
    ],
)
def test_forbidden_import_is_caught(module, source):
    assert violations(source, module, set(MODULES))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("minillama.norm", "import torch\nfrom minillama.errors import ShapeError\nfrom minillama import config"),
        ("minillama.config", "from minillama.errors import ConfigError"),
        ("minillama.quant.engine", "from minillama.quant.linear import QuantLinear"),
        ("minillama.quant.kernels.scalar", "from ..formats import FORMATS\nfrom .pack import pack_rows"),
        ("minillama.checkpoint.load", "from . import source\nfrom .meta import open_meta"),
        ("minillama.viz.heatmap", "import matplotlib\nimport minillama\nfrom minillama.train import loop"),
        ("minillama.cli", "from minillama import load"),
    ],
)
def test_import_from_below_or_own_package_passes(module, source):
    assert violations(source, module, set(MODULES)) == []


def test_relative_import_in_a_package_starts_at_the_package():
    source = "from .model import Llama"
    assert violations(source, "minillama.checkpoint", set(MODULES), is_package=True) == []
    assert violations("from .rope import x", "minillama.norm", set(MODULES)) != []


def test_module_without_a_floor_is_named():
    (message,) = violations("", "minillama.attic", set(MODULES))
    assert "minillama.attic has no floor" in message
