"""Model files of every kind: read as they are, made into a model, written in another kind.

The names below are imported when they are first used: the catalogue of downloads needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minillama.checkpoint.conversion import convert, quantize
    from minillama.checkpoint.loading import load, load_tokenizer
    from minillama.checkpoint.opening import open_checkpoint
    from minillama.checkpoint.source import Checkpoint

__all__ = ["Checkpoint", "convert", "load", "load_tokenizer", "open_checkpoint", "quantize"]

_HOMES = {
    "Checkpoint": "source", "convert": "conversion", "quantize": "conversion", "load": "loading",
    "load_tokenizer": "loading", "open_checkpoint": "opening",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'minillama.checkpoint' has no attribute {name!r}")
    return getattr(import_module(f"minillama.checkpoint.{_HOMES[name]}"), name)
