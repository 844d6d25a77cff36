"""The prints of a piece of Python: what stays of it when names, comments, text for readers and layout are gone.

Its syntax tree is read from top to bottom as a row of words: the kinds of the nodes, the names that it takes from
elsewhere, and numbers. Every K words that follow each other make one print, a number of 32 bits. Renaming, reformatting
and moving lines about leave most prints as they are (Schleimer, Wilkerson and Aiken 2003, "Winnowing: Local Algorithms
for Document Fingerprinting", whose prints are those of letters).

As a program it reads {"sources": {name: source}} from standard input, and writes one line a source as it is done:
[name, prints or null]. It needs nothing but the standard library, and limits itself: a parser may take much memory for
a source that was made to have it do so, or end the process.
"""

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterator

K = 7  # words of a print
MAX_CHARACTERS = 50_000  # of a source that is read
MAX_WORDS = 20_000  # of a source that are kept
MIN_TEXT_WORDS = 6  # of a string that says something, and is no key or format
MEMORY_BYTES, CPU_SECONDS = 1 << 30, 10
MAGIC = re.compile(r"^(\s*)(?:[%!?].*|.*\?)$", re.MULTILINE)  # lines for IPython alone
SKIPPED = (ast.expr_context, ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal)
LAYOUT = (ast.Module, ast.Expr, ast.arguments, ast.Load)  # nodes that every source has


def prints_of(source: str) -> frozenset[int]:
    """The prints of a source; none where it is shorter than one.

    Raises:
        SyntaxError, ValueError, MemoryError, RecursionError: it cannot be read.

    >>> prints_of("def f(x):\\n    return x * 2 + 1") == prints_of("def g(y):  # twice\\n\\n  return y*2+1")
    True
    """
    if len(source) > MAX_CHARACTERS:
        raise ValueError(f"got {len(source)} characters, expected at most {MAX_CHARACTERS}")
    words = list(_words(ast.parse(MAGIC.sub(r"\1pass", source))))[:MAX_WORDS]
    grams = {"\0".join(words[i : i + K]) for i in range(len(words) - K + 1)}
    return frozenset(int.from_bytes(hashlib.blake2b(each.encode(), digest_size=4).digest(), "big") for each in grams)


def _words(tree: ast.Module) -> Iterator[str]:
    """The tree from top to bottom, without recursion."""
    own, elsewhere = _own_names(tree), _imported(tree)
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, SKIPPED):
            continue
        if not isinstance(node, LAYOUT):
            yield from _word(node, own, elsewhere)
        waiting += reversed(_below(node))


def _word(node: ast.AST, own: set[str], elsewhere: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield elsewhere.get(node.id) or ("own" if node.id in own else node.id)
    elif isinstance(node, ast.Attribute):
        local = isinstance(node.value, ast.Name) and node.value.id == "self"
        yield "own." if local else f".{node.attr}"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = re.findall(r"\w+", node.value.lower())
        yield from text if len(text) >= MIN_TEXT_WORDS else ["text"]
    elif isinstance(node, ast.Constant):
        yield repr(node.value)[:40]
    elif isinstance(node, ast.keyword):
        yield f"{node.arg or '**'}="
    elif isinstance(node, ast.AnnAssign):
        yield "Assign"
    else:
        yield type(node).__name__


def _below(node: ast.AST) -> list[ast.AST]:
    """What of a node is read: neither annotations nor strings that stand alone, as docstrings do."""
    dropped = {id(getattr(node, each, None)) for each in ("annotation", "returns")}
    return [each for each in ast.iter_child_nodes(node) if id(each) not in dropped and not _stands_alone(each)]


def _stands_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _own_names(tree: ast.Module) -> set[str]:
    """Names that a source gives itself."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def _imported(tree: ast.Module) -> dict[str, str]:
    """Names that a source gives to what it imports -> what that is called where it comes from."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {each.asname: each.name.rpartition(".")[2] for each in node.names if each.asname}
    return found


def main() -> None:
    """Read sources from standard input, and write their prints; see above."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, source in json.load(sys.stdin)["sources"].items():
        try:
            found: list[int] | None = sorted(prints_of(source))
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            found = None
        sys.stdout.write(json.dumps([name, found]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
