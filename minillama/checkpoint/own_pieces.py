"""Pieces that a learner wrote: a folder with a file for each, `my_llama/rope/apply_rope.py` for rope.apply_rope."""

import dataclasses
import importlib.util
import logging
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from minillama.errors import ConfigError
from minillama.model import Pieces

log = logging.getLogger("minillama")

HOMES = {
    "RMSNorm": "norm", "SwiGLU": "feedforward", "Attention": "attention", "KVCache": "cache",
    "encode_bpe": "tokenizer", "decode": "tokenizer", "stream_decode": "tokenizer",
    "rope_frequencies": "rope", "apply_rope": "rope", "causal_mask": "attention", "attend": "attention",
    "Block": "model", "Llama": "model", "sample": "sampling",
    "quantize_q8_0": "quant", "quantize_q4_0": "quant", "dequantize_q4_0": "quant",
    "permute_hf_to_meta": "rope", "merge_shards": "checkpoint", "hf_names_to_meta": "checkpoint",
    "fits_in_memory": "checkpoint",
    "LoRALinear": "lora", "merge": "lora",
    "matvec_q4": "kernels", "matvec_q8": "kernels", "pack_rows": "kernels",
    "perplexity": "evaluate", "predict_tokens_per_second": "evaluate",
}  # fmt: skip


def find_folder(name: str | Path) -> Path:
    """The folder of pieces: as given, else under MINILLAMA_HOME, else in the working folder or one above it.

    Raises:
        ConfigError: there is none.
    """
    path = Path(name)
    home = os.environ.get("MINILLAMA_HOME")
    here = Path.cwd()
    places = [Path(home) / path] if home else [folder / path for folder in (here, *here.parents)]
    for place in (places[:0] if path.is_absolute() else places) or [path]:
        if place.is_dir():
            return place
    raise ConfigError(f"pieces is {str(name)!r}, but no such folder is here or above: promote a piece first")


def load_module(path: Path) -> ModuleType:
    """Run one file of pieces as a module of its own.

    Raises:
        ConfigError: it raises.
    """
    name = ".".join(("my_llama", path.parent.name, path.stem))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up by its name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(
            f"{path} does not run ({type(error).__name__}: {error}): promote it again, or undo"
        ) from error
    return module


def load_piece(path: Path, name: str) -> Any:
    """What a file of pieces defines under a name.

    Raises:
        ConfigError: the file does not run, or defines no such name.
    """
    module = load_module(path)
    if not callable(getattr(module, name, None)):
        raise ConfigError(f"{path} defines no {name}: promote it again, or undo")
    return getattr(module, name)


def read_pieces(folder: str | Path) -> Pieces:
    """A learner's pieces where there are any, and minillama's own for the rest; the log says which is whose.

    The files are Python and are run: read only a folder that you wrote.

    Args:
        folder: such as "my_llama"; see find_folder.

    Raises:
        ConfigError: no such folder, or a file in it that does not run or lacks its piece.
    """
    place = find_folder(folder)
    files = {name: place / home / f"{name}.py" for name, home in HOMES.items()}
    own = {name: load_piece(path, name) for name, path in files.items() if path.is_file()}
    log.info("%s: yours: %s; minillama's: the rest", place.name, ", ".join(sorted(own)) or "nothing yet")
    return dataclasses.replace(Pieces(), **own)


def own_names(pieces: Pieces) -> list[str]:
    """Which of the pieces come from a learner's folder."""
    modules = {f.name: getattr(getattr(pieces, f.name), "__module__", "") for f in dataclasses.fields(pieces)}
    return sorted(name for name, module in modules.items() if module.startswith("my_llama."))
