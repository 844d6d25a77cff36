"""A definition with everything that it needs: its source, its helpers, its imports and its constants."""

import ast
import builtins
import contextlib
import dis
import inspect
import linecache
import re
import sys
import textwrap
from dataclasses import is_dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any, get_origin

from minillama.errors import DataError

SIMPLE = (bool, int, float, str, bytes, type(None))


def standalone_source(answer: Any, name: str, also: tuple[str, ...] = ()) -> str:
    """A module that defines `name` as this function or class does, on its own.

    Args:
        answer: a function or class that was defined in a notebook or a file.
        name: what the module has to call it.
        also: beginnings of the names of further modules whose definitions are taken along instead of imported.

    Raises:
        DataError: there is no source, or it needs something that cannot be taken along.
    """
    answer = as_written(answer)
    if not isinstance(answer, FunctionType | type):
        raise DataError(f"got a {type(answer).__name__}, expected a function or class: promote the definition itself")
    if answer.__name__ == "<lambda>" or getattr(answer, "__closure__", None):
        raise DataError(f"{name} was made by another function: define it at the top level of a cell, with def")
    collector = _Collector(answer.__module__, also)
    collector.add_definition(answer)
    if answer.__name__ != name and name in collector.seen:
        raise DataError(f"{answer.__name__} uses another {name}: give that helper another name")
    parts = [*sorted(collector.imports), "", *collector.constants, "", *collector.definitions]
    if answer.__name__ != name:
        parts.append(f"{name} = {answer.__name__}")
    return "\n".join([f'"""{name}, promoted from a notebook."""', "", *parts]).rstrip() + "\n"


def as_written(thing: Any) -> Any:
    """The Python function under Numba's compiler or a decorator such as torch.no_grad; else the thing itself."""
    written = getattr(thing, "py_func", None)
    if not isinstance(written, FunctionType) and isinstance(thing, FunctionType):
        written = getattr(thing, "__wrapped__", None)
    return as_written(written) if isinstance(written, FunctionType) else thing


class _Collector:
    """Gathers, depth first, so that what is used stands above its user."""

    def __init__(self, home: str, also: tuple[str, ...]) -> None:
        self.home, self.also = home, also
        self.imports: set[str] = set()
        self.constants: list[str] = []
        self.definitions: list[str] = []
        self.seen: dict[str, Any] = {}

    def is_taken(self, home: str) -> bool:
        return home == self.home or home.startswith(self.also)

    def add_definition(self, thing: Any) -> None:
        source = _source(thing)
        known = _globals_of(thing)
        tree = ast.parse(source)
        for name in dict.fromkeys(_free_names(tree)):
            if name != thing.__name__ and name not in self.seen:
                self.add_name(name, known, thing.__name__)
        self.definitions.append(source.strip() + "\n\n")

    def add_name(self, name: str, known: dict[str, Any], user: str) -> None:
        """Take along what a global name stands for."""
        if name not in known:
            if not hasattr(builtins, name):
                raise DataError(
                    f"{user} uses {name}, which is defined nowhere: run the cell that defines it, or add it"
                )
            return
        value = self.seen[name] = as_written(known[name])
        home = str(getattr(value, "__module__", None) or "")
        if isinstance(value, ModuleType):
            plain = name == value.__name__
            self.imports.add(f"import {value.__name__}" if plain else f"import {value.__name__} as {name}")
        elif isinstance(value, FunctionType | type) and (self.is_taken(home) or _is_own(value)):
            self.add_definition(value)
            if value.__name__ != name:
                self.definitions.append(f"{name} = {value.__name__}\n")
        elif home and _found_in(home, value):
            real = value.__name__
            self.imports.add(f"from {home} import {real}" + ("" if real == name else f" as {name}"))
        elif get_origin(value) is not None:  # a type such as Callable[..., Tensor] under a name
            self.imports |= {f"import {module}" for module in _modules_in(repr(value))}
            self.constants.append(f"{name} = {value!r}")
        elif self.also and is_dataclass(value) and not isinstance(value, type):
            self.imports.add(f"from {type(value).__module__} import {type(value).__name__}")
            self.constants.append(f"{name} = {value!r}")
        elif _is_simple(value):
            self.constants.append(f"{name} = {value!r}")
        else:
            line = _import_line(name, value)
            if line is None:
                kind = type(value).__name__
                raise DataError(f"{user} uses {name}, a {kind} of the notebook: make it inside {user}, or an argument")
            self.imports.add(line)


def _is_own(value: Any) -> bool:
    """Was it defined in a notebook, or in a script or folder of the learner's?"""
    home = str(getattr(value, "__module__", ""))
    return home == "__main__" or home.startswith("my_llama.") or home not in sys.modules


def _found_in(home: str, value: Any) -> bool:
    return as_written(getattr(sys.modules.get(home), getattr(value, "__name__", ""), None)) is value


def _modules_in(spelled: str) -> set[str]:
    """The modules of the dotted names in a type's spelling.

    >>> sorted(_modules_in("collections.abc.Callable[..., torch.Tensor]"))
    ['collections.abc', 'torch']
    """
    return {dotted.rpartition(".")[0] for dotted in re.findall(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", spelled)}


def _is_simple(value: Any) -> bool:
    if type(value) in (tuple, list):
        return all(_is_simple(each) for each in value)
    if type(value) is dict:
        return all(_is_simple(each) for pair in value.items() for each in pair)
    return type(value) in SIMPLE


def _import_line(name: str, value: Any) -> str | None:
    """For what does not know its module, such as torch.float32: the module that has it under its own name."""
    package = sorted(home for home in sys.modules if home.startswith("minillama.") and ".course." not in home)
    for home in ("torch", "numpy", "math", "numba", "typing", "collections.abc", *package):
        if getattr(sys.modules.get(home), name, None) is value:
            return f"from {home} import {name}"
    return None


def _source(thing: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError) as error:
        source = _source_of_class(thing) if isinstance(thing, type) else ""
        if source:
            return source
        raise DataError(f"the source of {thing.__name__} is not to be had: run its cell again, then promote") from error


def _source_of_class(thing: type) -> str:
    """A class of a notebook belongs to no file; its methods know their cell. Empty where none of them does."""
    for method in vars(thing).values():
        if not isinstance(method, FunctionType) or method.__qualname__ != f"{thing.__qualname__}.{method.__name__}":
            continue
        cell = "".join(linecache.getlines(method.__code__.co_filename))
        with contextlib.suppress(SyntaxError):
            for node in ast.walk(ast.parse(cell)):
                if isinstance(node, ast.ClassDef) and node.name == thing.__name__:
                    return textwrap.dedent(ast.get_source_segment(cell, node) or "")
    return ""


def _globals_of(thing: Any) -> dict[str, Any]:
    if isinstance(thing, FunctionType):
        return thing.__globals__
    methods = [each for each in vars(thing).values() if isinstance(each, FunctionType)]
    return methods[0].__globals__ if methods else vars(sys.modules[thing.__module__])


def _free_names(tree: ast.Module) -> list[str]:
    """Names that a definition takes from around it, those of annotations, defaults and decorators included."""
    return sorted(_global_names(compile(tree, "<definition>", "exec")))


def _global_names(code: CodeType) -> set[str]:
    steps = list(dis.get_instructions(code))
    stored = {each.argval for each in steps if each.opname == "STORE_NAME"}  # in a class: names of its body
    found = {str(each.argval) for each in steps if each.opname == "LOAD_GLOBAL"}
    found |= {str(each.argval) for each in steps if each.opname == "LOAD_NAME" and each.argval not in stored}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _global_names(constant)
    return found - {"__name__", "__module__", "__qualname__"}
