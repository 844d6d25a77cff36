"""What an answer's source says that it calls, read by the grader itself.

The learner's process watches for calls that a task forbids, and an answer can switch that off there. What it cannot do
is keep them out of its source: imports, and dotted names that start at one, are followed here through the definitions
that the answer reaches. Names that are put together while it runs are not seen; what that takes is told to the teacher.
"""

import ast
import contextlib
import symtable
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

EVASIVE = frozenset({
    "setprofile", "settrace", "_getframe", "_current_frames", "currentframe", "f_back", "f_locals", "f_globals", "gc",
    "ctypes", "get_ipython", "exec", "eval", "__import__", "import_module", "__subclasses__", "__globals__",
    "__builtins__", "__closure__", "cell_contents", "In", "_ih", "grading",
})  # fmt: skip

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def forbidden_call(source: str, name: str, forbidden: Sequence[str], setup: str = "") -> str:
    """Which forbidden object an answer reaches, "torch.nn.RMSNorm"; empty where its source names none.

    Args:
        source: the cell that holds the answer.
        name: of the answer in it.
        forbidden: "module:name" of each.
        setup: the cells before it, for their imports.

    >>> forbidden_call("import math as m\\ndef half(x):\\n    return m.fsum([x]) / 2", "half", ["math:fsum"])
    'math.fsum'
    """
    tree, before = _parsed(source), _parsed(setup)
    imported = dict(_imports(before)) | dict(_imports(tree))
    for dotted in _reached(tree, name, imported, _globals(source)):
        for each in forbidden:
            if _is_same(dotted, each.replace(":", ".")):
                return each.replace(":", ".")
    return ""


def evasive_names(source: str) -> list[str]:
    """Names in a source that no answer needs, and that can hide what it does."""
    found = set()
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {part for alias in node.names for part in alias.name.split(".")}
            found |= set((getattr(node, "module", None) or "").split("."))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in EVASIVE:
            found.add(node.value)
    return sorted(found & EVASIVE)


def _parsed(source: str) -> ast.Module:
    """Its tree; an empty one where it is no Python, or nested beyond what any answer is."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What each import makes known, wherever it stands: name -> dotted path."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _globals(source: str) -> dict[tuple[str, int], set[str]]:
    """Of each function and class, by name and line, the names that it takes from outside of all functions."""
    found: dict[tuple[str, int], set[str]] = {}

    def collect(table: symtable.SymbolTable) -> set[str]:
        names = {each.get_name() for each in table.get_symbols() if each.is_global()}
        for child in table.get_children():
            names |= collect(child)
        found.setdefault((table.get_name(), table.get_lineno()), set()).update(names)
        return names

    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        collect(symtable.symtable(source, "<answer>", "exec"))
    return found


def _reached(
    tree: ast.Module, name: str, imported: Mapping[str, str], known: Mapping[tuple[str, int], set[str]]
) -> Iterator[str]:
    """The dotted paths that a definition names, and those that the definitions it names do."""
    homes: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for made in _made(node):
            homes.setdefault(made, []).append(node)
    waiting, seen = [name], set[str]()
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        for home in homes.get(wanted, ()):
            names = _taken(home, known)
            waiting += names
            roots = {each: imported[each] for each in names & imported.keys()} | dict(_imports(home))
            yield from filter(None, (_dotted(node, roots) for node in _expressions(home)))


def _expressions(home: ast.stmt) -> Iterator[ast.expr]:
    """Everything in a statement that is computed; annotations only say what is meant."""
    waiting: list[ast.AST] = [home]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.expr):
            yield node
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns"):
                waiting += [
                    each for each in (value if isinstance(value, list) else [value]) if isinstance(each, ast.AST)
                ]


def _taken(home: ast.stmt, known: Mapping[tuple[str, int], set[str]]) -> set[str]:
    """The names that a statement takes from beside it; a definition's own variables are none of them."""
    if not isinstance(home, DEFINITIONS) or (home.name, home.lineno) not in known:
        return {each.id for each in ast.walk(home) if isinstance(each, ast.Name)}
    outside = [part for part in ast.iter_child_nodes(home) if not isinstance(part, ast.stmt)]
    return known[home.name, home.lineno] | {
        each.id for part in outside for each in ast.walk(part) if isinstance(each, ast.Name)
    }


def _made(node: ast.stmt) -> Iterator[str]:
    """The names that a statement gives a value to, or that one inside it does."""
    for each in [node] if isinstance(node, DEFINITIONS) else ast.walk(node):
        if isinstance(each, DEFINITIONS):
            yield each.name
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id


def _dotted(node: ast.expr, imported: Mapping[str, str]) -> str:
    """The path of a name that begins at an import; empty for others."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in imported:
        return ""
    return ".".join([imported[node.id], *reversed(parts)])


def _is_same(dotted: str, forbidden: str) -> bool:
    """Do two paths lead to one object? Only modules that are loaded here anyway are looked into."""
    if dotted == forbidden:
        return True
    if dotted.split(".")[0] != forbidden.split(".")[0]:
        return False
    found = _object(dotted)
    return found is not None and found is _object(forbidden)


def _object(dotted: str) -> Any:
    root, *parts = dotted.split(".")
    found = sys.modules.get(root)
    for part in parts:
        found = getattr(found, part, None)
    return found
