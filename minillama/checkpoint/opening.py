"""Which kind of model a path is, told by its content."""

import logging
from pathlib import Path

from minillama.checkpoint.files import check_readable
from minillama.checkpoint.gguf import open_gguf
from minillama.checkpoint.hf import open_hf
from minillama.checkpoint.llama2c import open_llama2c
from minillama.checkpoint.meta import open_meta
from minillama.checkpoint.source import Checkpoint
from minillama.errors import CheckpointError
from minillama.model import Pieces

log = logging.getLogger("minillama")

EXPECTED = (
    "expected a folder with params.json and consolidated.00.pth (Meta), a folder with config.json and weights "
    "(Hugging Face), a .gguf file, or a llama2.c .bin file"
)


def open_checkpoint(path: str | Path, tokenizer: str | Path | None = None, pieces: Pieces | None = None) -> Checkpoint:
    """Open a model of any kind, told by its content; its weights are read later.

    Args:
        path: a folder of Meta's or Hugging Face's, a .gguf file, or a llama2.c .bin file.
        tokenizer: a tokenizer file to use instead of the model's own; needed for llama2.c.
        pieces: whose merge_shards, hf_names_to_meta and permute_hf_to_meta read a folder; None for minillama's own.

    Raises:
        CheckpointError: missing, damaged, hostile, or of no known kind.

    >>> open_checkpoint("nowhere")
    Traceback (most recent call last):
    minillama.errors.CheckpointError: nowhere: no such file or folder; expected a folder with params.json ...
    """
    path, tokenizer = Path(path), Path(tokenizer) if tokenizer is not None else None
    if path.is_dir():
        return _open_folder(path, tokenizer, pieces)
    if not path.exists():
        raise CheckpointError(f"{path}: no such file or folder; {EXPECTED}")
    check_readable(path)
    with path.open("rb") as file:
        head = file.read(9)
    if head.startswith(b"GGUF"):
        return open_gguf(path, tokenizer)
    if not head:
        raise CheckpointError(f"{path}: the file is empty; {EXPECTED}")
    if head.startswith(b"PK") or head[8:] == b"{":  # a .pth or .bin archive, a .safetensors file
        raise CheckpointError(f"{path}: is one file of a model; give the folder that it lies in")
    if path.suffix != ".bin":
        raise CheckpointError(f"{path}: is of no known kind; {EXPECTED}")
    return open_llama2c(path, tokenizer)


def _open_folder(folder: Path, tokenizer: Path | None, pieces: Pieces | None) -> Checkpoint:
    names = {entry.name for entry in folder.iterdir()}
    hf_weights = any(name.endswith(".safetensors") or name.startswith("pytorch_model") for name in names)
    if "config.json" in names and (hf_weights or "params.json" not in names):
        if "params.json" in names:
            log.info("%s: holds a model of Hugging Face's and one of Meta's; the first is taken", folder)
        return open_hf(folder, tokenizer, pieces)
    if "params.json" in names:
        return open_meta(folder, tokenizer, pieces)
    gguf = sorted(name for name in names if name.endswith(".gguf"))
    if len(gguf) == 1:
        return open_gguf(folder / gguf[0], tokenizer)
    if gguf:
        raise CheckpointError(f"{folder}: holds {len(gguf)} .gguf files; give one of them, such as {folder / gguf[0]}")
    if not names:
        raise CheckpointError(f"{folder}: the folder is empty; {EXPECTED}")
    raise CheckpointError(f"{folder}: has neither params.json nor config.json; {EXPECTED}")
