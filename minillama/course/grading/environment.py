"""The graded machine's software: a minillama in which the pieces under test are missing, and few libraries beside it.

Of minillama come the modules that a lesson's own cells import, and what those import. In them stands an empty place for
every definition that a task of the lesson asks for (inside/places.py); records, quizzes, solutions and the course's own
feedback stay out. Of libraries come PyTorch, NumPy, the kernel, and what these need: transformers or PEFT hold answers.
"""

import ast
import compileall
import contextlib
import importlib.metadata
import inspect
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from minillama.checkpoint.bundled import bundled_model
from minillama.course.drivers import DRIVERS
from minillama.course.grading.asking import OWN
from minillama.course.grading.lessons import Lesson
from minillama.course.plain import Made
from minillama.course.record import Task
from minillama.course.sources import standalone_source
from minillama.errors import ConfigError, DataError

PACKAGE = Path(__file__).parents[2]
INSIDE = "minillama.course.grading.inside"
ALWAYS = (
    f"{INSIDE}.launch", f"{INSIDE}.calls", f"{INSIDE}.observing", f"{INSIDE}.remote", f"{INSIDE}.places",
    "minillama.course.running", "minillama.config", "minillama.errors",
)  # fmt: skip
INERT = ("minillama.course", "minillama.viz")
EMPTY = ("minillama.course.grading",)  # packages of which only what lies in them is needed
ANSWERS = ("minillama.course.tasks", "minillama.course.quizzes", "minillama.course.judging")
WITHHELD = ("transformers", "peft", "gguf", "llama_cpp")
BUNDLED = "minillama.checkpoint.bundled"  # finds the bundled model, whose vocabulary some inputs take
LIBRARIES = ("torch", "numpy", "ipykernel")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What lies in the sandbox to be imported.

    Args:
        code: a folder with the package minillama in it.
        libraries: name -> the folder or file of each top-level package, module and shared library.
    """

    code: Path
    libraries: Mapping[str, Path]


def build(lesson: Lesson, into: Path) -> Environment:
    """Make a lesson's environment.

    Args:
        lesson: its tasks say what has to be missing.
        into: an empty folder.
    """
    empty = empty_places(lesson.tasks.values())
    modules, foreign = closure(needed(lesson))
    for module in sorted(modules):
        target = into.joinpath(*module.split("."))
        file = _file_of(module)
        assert file is not None
        target = target / "__init__.py" if file.name == "__init__.py" else target.with_suffix(".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_text_of(module, file, empty), encoding="utf-8")
    if BUNDLED in modules:
        (into / "minillama/assets").mkdir()
        shutil.copy(bundled_model(), into / "minillama/assets")
    compileall.compile_dir(into, quiet=2)
    for path in (into, *into.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # the sandbox may be another user
    return Environment(code=into, libraries=libraries(foreign))


def _text_of(module: str, file: Path, empty: Iterable[str]) -> str:
    if module in INERT:
        return (PACKAGE / "course/grading/inside/inert.py").read_text(encoding="utf-8")
    if module in EMPTY:
        return ""
    names = {name.partition(":")[2] for name in empty if name.partition(":")[0] == module}
    source = file.read_text(encoding="utf-8")
    return hollow(source, module, names) if names else source


def empty_places(tasks: Iterable[Task]) -> set[str]:
    """The definitions of minillama, as "module:name", that these tasks ask for or forbid to call."""
    found: set[str] = set()
    for task in tasks:
        found |= {task.piece} if task.piece else set()
        found |= {
            name for name in task.forbidden if name.startswith("minillama.") and name.rpartition(":")[2].islower()
        }
        home = str(getattr(task.reference, "__module__", ""))
        if home.startswith("minillama.") and not home.startswith(OWN):
            found.add(f"{home}:{task.reference.__name__}")
    return found


def supply(task: Task, name: str, own: bool) -> list[str]:
    """Lines of Python that fill a task's empty place in a kernel, once its answer has been judged.

    Args:
        task: with a piece, or nothing is to be filled.
        name: of the learner's definition.
        own: theirs is right; otherwise the reference takes the place, so that no later task suffers.
    """
    found = []
    for place in sorted(empty_places([task])):
        module, _, wanted = place.partition(":")
        if own and place == task.piece:
            found.append(f"from {INSIDE} import places as _places; _places.put({place!r}, {name})")
        else:
            with contextlib.suppress(DataError):  # what cannot be taken along stays missing
                source = standalone_source(getattr(import_module(module), wanted), wanted)
                found.append(f"from {INSIDE} import places as _places; _places.put_source({place!r}, {source!r})")
    return found


def hollow(source: str, module: str, names: set[str]) -> str:
    """A module in which some definitions stand empty; who calls or makes one gets what has been put into its place.

    >>> print(hollow("def half(x):\\n    return x / 2", "minillama.half", {"half"}))
    def half(*args, **named):
        from minillama.course.grading.inside.places import take
        return take('minillama.half:half')(*args, **named)
    """
    tree = ast.parse(source)
    found = set()
    for i, node in enumerate(tree.body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
            found.add(node.name)
            text = f"from {INSIDE}.places import take\nreturn take({f'{module}:{node.name}'!r})(*args, **named)"
            head = f"def {node.name}(*args, **named):\n"
            if isinstance(node, ast.ClassDef):
                head = f"class {node.name}:\n def __new__(cls, *args, **named):\n"
            tree.body[i] = ast.parse(head + "\n".join("  " + line for line in text.split("\n"))).body[0]
    if found != names:
        raise ConfigError(f"{module} defines no {', '.join(sorted(names - found))}: mend the record that names it")
    return ast.unparse(tree)


def needed(lesson: Lesson) -> set[str]:
    """The modules that a lesson's cells, drivers and inputs ask for by name, but those libraries that hold answers."""
    found = set(ALWAYS)
    for cell in lesson.notebook.cells:
        if cell.cell_type == "code":
            found |= set(_imports(ast.walk(ast.parse(cell.source))))
    for task in lesson.tasks.values():
        found |= set(_imports(ast.walk(ast.parse(inspect.getsource(DRIVERS[task.driver])))))
        found |= set(_input_modules([case.args for case in task.plan(0).cases]))
        found |= {name.partition(":")[0] for name in task.forbidden}
    return {name for name in found if name.split(".")[0] not in WITHHELD}


def _input_modules(value: object) -> Iterator[str]:
    """The modules that inputs are made by; of the records' own functions, those that they import."""
    if isinstance(value, tuple | list):
        for each in value:
            yield from _input_modules(each)
    elif isinstance(value, Made):
        module = value.path.partition(":")[0]
        if value.path.startswith(OWN):
            spec = find_spec(module)
            assert spec is not None
            assert spec.origin is not None
            yield from _imports(ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body)
        else:
            yield module


def closure(roots: Iterable[str]) -> tuple[set[str], set[str]]:
    """These modules of minillama with all that they import when they are imported, and the libraries among it."""
    modules: set[str] = set()
    foreign: set[str] = set()
    inside = {*INERT, *EMPTY, *_course_modules()}
    waiting = set(roots)
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        if parts[0] != "minillama":
            foreign.add(parts[0])
            continue
        while _file_of(".".join(parts)) is None:  # a name inside a module
            parts.pop()
        module = ".".join(parts)
        if module in modules or (module.startswith((*OWN, "minillama.viz.")) and module not in inside):
            continue
        modules.add(module)
        waiting.update(".".join(parts[:i]) for i in range(1, len(parts)))
        if module not in (*INERT, *EMPTY):
            file = _file_of(module)
            assert file is not None
            waiting.update(_imports(ast.parse(file.read_text(encoding="utf-8")).body))
    return modules, foreign - set(sys.stdlib_module_names)


def _course_modules() -> set[str]:
    """The modules of the course that lie in the sandbox: those that call an answer, and what they import of it."""
    found: set[str] = set()
    waiting = {name for name in ALWAYS if name.startswith(OWN)} | {INSIDE}
    while waiting:
        name = waiting.pop()
        name = name if _file_of(name) is not None else name.rpartition(".")[0]
        if not name.startswith(OWN) or name in found:
            continue
        if name.startswith(ANSWERS):
            raise ConfigError(f"{name} holds answers, and what calls a learner's answer imports it: take that apart")
        found.add(name)
        file = _file_of(name)
        assert file is not None
        waiting.update(_imports(ast.walk(ast.parse(file.read_text(encoding="utf-8")))))
    return found


def _imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Dotted names that these statements import; of `from a import b` a.b, which may be a module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(module: str) -> Path | None:
    """The file of a module of minillama."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file if file.is_file() else None


def libraries(foreign: Iterable[str] = ()) -> dict[str, Path]:
    """The top-level files of PyTorch, NumPy, the kernel, these modules, and all that they require."""
    homes = importlib.metadata.packages_distributions() if foreign else {}
    waiting = [*LIBRARIES, *(homes[name][0] for name in foreign if name in homes)]
    seen: set[str] = set()
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if name in seen:
            continue
        seen.add(name)
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not top.endswith(".pth"):
                found[top] = Path(str(distribution.locate_file(top)))
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return {name: path for name, path in sorted(found.items()) if path.exists()}
