"""What holds for the repository as a whole: its documents, pins, notebooks, and the shape of the package."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minillama"
MODULES = sorted(PACKAGE.rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "exercises").glob("*.md"), *(ROOT / "solutions").glob("*.md")])
NOTEBOOKS = sorted(
    path for folder in ("notebooks", "exercises", "solutions") for path in (ROOT / folder).glob("*.ipynb")
)
LESSONS = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]

MAX_MODULE_LINES = 350
PRINTING = {"cli"}  # the top floor talks to people; so does what is run as a program
IMPORT_NAMES = {"huggingface-hub": "huggingface_hub", "jupyter-client": "jupyter_client"}
CONDA_NAMES = {"pytorch-cpu": "torch"}
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.~:/])/(?:home|root|Users|tmp|work|mnt|opt|var)/\w|\b[A-Z]:\\+(?:Users|Windows|Program)"
)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def settings():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def constraints():
    """Normalized name -> version of every line of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normalized(name): version for name, version in pairs}


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def required_names(requirements):
    return {normalized(re.match(r"[\w.-]+", requirement).group()) for requirement in requirements}


# Pins


def test_constraints_are_sorted_and_name_no_local_build():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert list(constraints()) == sorted(constraints())
    assert constraints()["torch"] == "2.13.0"


def test_every_dependency_is_pinned():
    project = settings()["project"]
    extras = project["optional-dependencies"]
    wanted = required_names([*project["dependencies"], *extras["course"], *extras["test"]])
    assert wanted - constraints().keys() == set()


def test_environment_has_the_constraints_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge"]
    specs = [spec for spec in environment["dependencies"] if isinstance(spec, str)]
    pins = dict(spec.split("=") for spec in specs if "=" in spec and not spec.startswith("python="))
    found = {normalized(CONDA_NAMES.get(name, name)): version for name, version in pins.items()}
    project = settings()["project"]
    assert found.keys() == required_names([*project["dependencies"], *project["optional-dependencies"]["course"]])
    assert found == {name: version for name, version in constraints().items() if name in found}
    assert {"pip": ["-e ."]} in environment["dependencies"]


def test_every_import_is_a_declared_dependency():
    project = settings()["project"]
    declared = required_names([*project["dependencies"], *project["optional-dependencies"]["course"]])
    allowed = {IMPORT_NAMES.get(name, name) for name in declared} | sys.stdlib_module_names
    # Parts of numba, of matplotlib, of a notebook's kernel and of its client, and what nbval is a plugin of
    allowed |= {"minillama", "llvmlite", "PIL", "IPython", "zmq", "pytest"}
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
        assert {name.split(".")[0] for name in names} - allowed == set(), name_of(path)


# Documents


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_relative_links_lead_somewhere(path):
    text = re.sub(r"<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [t for t in targets if t and "://" not in t and not (path.parent / t).exists()]
    assert not missing


def test_readme_memory_table_is_the_computed_one():
    from memory_table import memory_table

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    between = re.search(r"<!-- memory table.*?-->\n(.*?)\n<!-- end of memory table -->", readme, re.DOTALL)
    assert between, "the README has lost the marks around its memory table"
    assert between.group(1) == memory_table(), "replace the README's table by what tests/memory_table.py prints"


def test_readme_lists_every_lesson_and_links_those_that_are_there():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r"^\| (\d\d) \|", readme, re.MULTILINE)] == list(range(20))
    for path in LESSONS:
        assert f"](notebooks/{path.name})" in readme, f"link {path.name} in the README's table of lessons"


def test_readme_names_only_make_targets_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for path in DOCUMENTS:
        named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert named - targets == set(), name_of(path)


def test_readme_names_only_commands_that_exist():
    cli = pytest.importorskip("minillama.cli")
    from typer.main import get_command

    for path in DOCUMENTS:
        named = set(re.findall(r"(?:^    |`)minillama ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert named - set(get_command(cli.app).commands) == set(), name_of(path)


def test_changelog_has_an_unreleased_section():
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_licence_is_the_declared_one():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert settings()["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


# Notebooks


def test_exercises_and_solutions_carry_the_names_of_lessons():
    stems = {folder: {path.stem for path in (ROOT / folder).glob("*.ipynb")} for folder in ("exercises", "solutions")}
    assert all(re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem) for path in LESSONS)
    assert stems["exercises"] == stems["solutions"]
    assert stems["solutions"] <= {path.stem for path in LESSONS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_notebook_is_valid_and_clean(path):
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    assert "widgets" not in notebook.metadata
    assert "application/vnd.jupyter.widget" not in text
    assert not ABSOLUTE_PATH.search(text)


@pytest.mark.parametrize("path", LESSONS, ids=name_of)
def test_lesson_is_committed_executed(path):
    cells = [
        cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code" and cell.source.strip()
    ]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run make notebooks"
    for cell in cells:
        if "raises-exception" not in cell.metadata.get("tags", []):
            assert not [output for output in cell.outputs if output.output_type == "error"]


def test_an_absolute_path_is_seen():
    assert ABSOLUTE_PATH.search('File "/home/ada/llama/lesson.py"')
    assert ABSOLUTE_PATH.search(r"C:\Users\ada")
    assert not ABSOLUTE_PATH.search("https://example.org/home/ada and a/tmp/b")
    assert not ABSOLUTE_PATH.search(r"for T:\n")


# The package


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_documented_short_and_silent(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says at its head what it is"
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    if path.name != "__main__.py" and path.relative_to(PACKAGE).parts[0].removesuffix(".py") not in PRINTING:
        printing = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
        assert not printing, "library code logs, it does not print"


def test_importing_the_package_does_no_work():
    code = "import minillama, sys; print(sorted({'torch', 'numba', 'numpy', 'matplotlib'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
    assert run.stderr == ""
