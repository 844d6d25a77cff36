"""The empty places of the graded machine's minillama: definitions under test stand in them once they are there."""

import contextlib
from collections.abc import Callable
from typing import Any

_taken: dict[str, Any] = {}


def put(name: str, definition: Any) -> None:
    """Let a definition stand in the place of "module:name"."""
    if callable(definition):
        _taken[name] = definition


def put_source(name: str, source: str) -> None:
    """The same, for a definition that comes as the source of a whole module; what it needs may not be here."""
    known: dict[str, Any] = {"__name__": "supplied"}
    with contextlib.suppress(Exception):
        exec(compile(source, f"<{name}>", "exec"), known)
        put(name, known[name.partition(":")[2]])


def take(name: str) -> Callable[..., Any]:
    """What stands in a place.

    Raises:
        NotImplementedError: nothing does: a task of this notebook asks for it.
    """
    if name not in _taken:
        raise NotImplementedError(f"{name.replace(':', '.')} is what a task asks for: nothing stands here while graded")
    found: Callable[..., Any] = _taken[name]
    return found
