"""Stands for minillama.course and minillama.viz while graded: everything in it can be called, and does nothing."""

from typing import Any


class _Nothing:
    """Gives itself for every attribute and every call."""

    def __getattr__(self, name: str) -> "_Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> "_Nothing":
        return self


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Nothing()
