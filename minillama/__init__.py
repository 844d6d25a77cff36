"""minillama: LLaMA built from pieces that can be read, which run the real weights.

    >>> import minillama
    >>> model, tokenizer = minillama.load()  # the bundled model
    >>> text = minillama.generate(model, tokenizer, "Once upon a time", max_new_tokens=20)

The names below are imported when they are first used, so that `import minillama` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minillama.checkpoint import load, load_tokenizer
    from minillama.config import PRESETS, ModelConfig
    from minillama.errors import MinillamaError
    from minillama.generation import generate, generate_batch, stream
    from minillama.model import Llama, Pieces

__version__ = "0.1.0"
__all__ = [
    "PRESETS", "Llama", "MinillamaError", "ModelConfig", "Pieces", "generate", "generate_batch", "load",
    "load_tokenizer", "stream",
]  # fmt: skip

_HOMES = {
    "load": "checkpoint", "load_tokenizer": "checkpoint", "generate": "generation", "generate_batch": "generation",
    "stream": "generation", "PRESETS": "config", "ModelConfig": "config", "MinillamaError": "errors", "Llama": "model",
    "Pieces": "model",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'minillama' has no attribute {name!r}")
    return getattr(import_module(f"minillama.{_HOMES[name]}"), name)
