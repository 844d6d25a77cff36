"""What a model is and what it needs, read from its headers alone; and how it cuts text into pieces."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from minillama.cli.app import console, note
from minillama.cli.arguments import (
    CacheTypeOption,
    ModelArgument,
    TokenizerOption,
    find_model,
    optional_model,
    read_text,
)
from minillama.config import PRESETS, ModelConfig

if TYPE_CHECKING:
    from rich.table import Table

    from minillama.checkpoint.source import StoredTensor

KINDS = {
    "meta": "Meta's folder",
    "hf": "Hugging Face folder",
    "gguf": "GGUF file",
    "llama2c": "llama2.c file",
    "preset": "published shape, no weights",
}
MAX_TABLE_ROWS = 10_000  # columns that line up cost much time; longer lists come as plain lines
CONTEXTS = (512, 2048)
FORMATS_TO_COMPARE = ("f32", "bf16", "q8_0", "q4_0")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What `minillama info` says about.

    Args:
        name: path or preset.
        kind: a key of KINDS.
        config: the sizes.
        tensors: the stored weights, empty without any.
    """

    name: str
    kind: str
    config: ModelConfig
    tensors: "dict[str, StoredTensor]"


def info(model: ModelArgument = None, tokenizer: TokenizerOption = None, cache_type: CacheTypeOption = None) -> None:
    """Show family, sizes, parameters, and memory needed against memory free; reads headers only.

    MODEL may be a preset too: llama-7b, llama-13b, llama-33b, llama-65b, llama2-70b, llama3-8b, mistral-7b, ...
    """
    described = _describe(model, tokenizer)
    if cache_type is not None:
        from minillama.quant.engine.cache import check_cache_type

        check_cache_type(cache_type, described.config.head_dim)
    for table in (_facts(described), _memory(described, cache_type or "f16")):
        console().print(table)
    if not described.tensors and described.kind != "preset":
        note("the folder has a configuration but no weights: they would have to be downloaded")


def _describe(model: str | None, tokenizer: Path | None) -> Description:
    preset = (model or "").lower()
    if preset in PRESETS and not Path(str(model)).exists():
        return Description(name=preset, kind="preset", config=PRESETS[preset], tensors={})
    path = find_model(model, others=PRESETS)
    without_weights = _configuration_alone(path) if path.is_dir() else None
    if without_weights is not None:
        return without_weights
    from minillama.checkpoint import open_checkpoint

    opened = open_checkpoint(path, tokenizer)
    return Description(name=str(opened.path), kind=opened.kind, config=opened.config, tensors=opened.tensors)


def _configuration_alone(folder: Path) -> Description | None:
    """A folder with config.json or params.json and no weights; None for any other."""
    if any(file.suffix in (".safetensors", ".bin", ".pth", ".gguf") for file in folder.iterdir()):
        return None
    if (folder / "config.json").is_file():
        from minillama.checkpoint.hf_config import read_hf_config

        return Description(name=str(folder), kind="hf", config=read_hf_config(folder), tensors={})
    if (folder / "params.json").is_file():
        from minillama.checkpoint.files import read_json
        from minillama.checkpoint.meta_params import params_to_config, read_sidecar

        path = folder / "params.json"
        config = params_to_config(path, read_json(path), read_sidecar(folder), None, None, tied=False)
        return Description(name=str(folder), kind="meta", config=config, tensors={})
    return None


def family(config: ModelConfig) -> str:
    """A guess at the family, from the sizes alone.

    >>> family(PRESETS["llama2-70b"])
    'LLaMA 2, the shape of llama2-70b'
    """
    if config.vocab_size >= 128_000:
        guess = "Llama 3"
    elif config.sliding_window is not None:
        guess = "Mistral"
    elif config.rope_theta == 1e6:
        guess = "Code Llama"
    elif config.max_seq_len == 4096:
        guess = "LLaMA 2"
    else:
        guess = "LLaMA"
    same = [name for name, preset in PRESETS.items() if _shape(preset) == _shape(config)]
    named = [name for name in same if PRESETS[name].max_seq_len == config.max_seq_len] or same
    return f"{guess}, the shape of {' or '.join(named)}" if named else guess


def _shape(config: ModelConfig) -> tuple[int, ...]:
    sizes = (config.dim, config.n_layers, config.n_heads, config.n_kv_heads, config.head_dim, config.hidden_dim)
    return (*sizes, config.vocab_size)


def _facts(described: Description) -> "Table":
    from rich.table import Table

    from minillama.model import count_parameters

    config = described.config
    table = Table(box=None, show_header=False, pad_edge=False)
    grouped = "" if config.group_size == 1 else f", {config.n_kv_heads} key/value heads"
    rows = {
        "model": described.name,
        "kind": KINDS[described.kind],
        "family": family(config),
        "parameters": f"{count_parameters(config):,}",
        "layers": f"{config.n_layers} of dim {config.dim}, hidden {config.hidden_dim}",
        "heads": f"{config.n_heads} of {config.head_dim}{grouped}",
        "vocabulary": f"{config.vocab_size:,} pieces{', output tied to the embedding' if config.tied else ''}",
        "context": f"{config.max_seq_len:,} tokens{_window(config)}",
        "constants": f"eps {config.norm_eps:g}, RoPE theta {config.rope_theta:g}{_scaling(config)}",
    }
    if described.tensors:
        rows["stored"] = _stored(described.tensors)
    for name, value in rows.items():
        table.add_row(name, value)
    table.add_row("", "")
    return table


def _window(config: ModelConfig) -> str:
    return "" if config.sliding_window is None else f", sliding window of {config.sliding_window:,}"


def _scaling(config: ModelConfig) -> str:
    scaling = config.rope_scaling
    return "" if scaling is None else f", scaled by {scaling.kind} (factor {scaling.factor:g})"


def _stored(tensors: "dict[str, StoredTensor]") -> str:
    from minillama.checkpoint.tensors import stored_bytes

    sizes: Counter[str] = Counter()
    for tensor in tensors.values():
        sizes[tensor.format] += stored_bytes(tensor)
    parts = ", ".join(f"{format} {_gigabytes(size)}" for format, size in sizes.most_common())
    return f"{_gigabytes(sizes.total())} ({parts})" if len(sizes) > 1 else parts


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _memory(described: Description, cache_type: str) -> "Table":
    """Need against what is free, for every way of loading and several contexts; `cache_type` is the engine's."""
    from rich.table import Table

    from minillama.checkpoint.memory import WORKING_BYTES, cache_bytes, free_memory, rope_bytes, weight_bytes
    from minillama.checkpoint.source import FLOAT_DTYPES
    from minillama.checkpoint.tensors import stored_bytes

    config, free = described.config, free_memory()
    contexts = sorted({*(context for context in CONTEXTS if context < config.max_seq_len), config.max_seq_len})
    sizes = {format: weight_bytes(config, format) for format in FORMATS_TO_COMPARE}
    if described.tensors:
        sizes = {"as stored": sum(map(stored_bytes, described.tensors.values()))} | sizes
    table = Table("memory as", "weights", box=None, pad_edge=False)
    for context in contexts:
        table.add_column(f"with {context:,} tokens")
    table.add_column("fits" if free is None else f"fits in the {_gigabytes(free)} that are free")
    quantized = {"q8_0", "q4_0"}
    if any(tensor.format not in FLOAT_DTYPES for tensor in described.tensors.values()):
        quantized.add("as stored")
    for format, size in sizes.items():
        rest = rope_bytes(config) + WORKING_BYTES
        kept = "f32" if format == "f32" else cache_type if format in quantized else "f16"
        needs = [size + cache_bytes(config, context, kept) + rest for context in contexts]
        fitting = [context for context, need in zip(contexts, needs, strict=True) if free is not None and need <= free]
        if free is None:
            verdict = "unknown"
        elif not fitting:
            verdict = "no"
        else:
            verdict = "yes" if fitting == contexts else f"up to {fitting[-1]:,} tokens"
        table.add_row(format, _gigabytes(size), *map(_gigabytes, needs), verdict)
    return table


def tokenize(
    words: Annotated[
        list[str], Argument(metavar="[MODEL] TEXT", help="A model or tokenizer file, and text; - reads it.")
    ],
    bos: Annotated[bool, Option(help="Begin with BOS.")] = True,
    special: Annotated[bool, Option(help="Read control tokens in the text as such.")] = False,
    as_json: Annotated[bool, Option("--json", help="One JSON object.")] = False,
    tokenizer: TokenizerOption = None,
) -> None:
    """Show the ids and pieces of a text."""
    model, text = optional_model(words, "TEXT")
    if model is None and tokenizer is None and Path(text).is_file():
        raise typer.BadParameter(f"got the file {text} alone, expected [MODEL] TEXT")
    text = read_text(text, None, "TEXT")
    import minillama

    reader = minillama.load_tokenizer(tokenizer or find_model(model))
    ids = reader.encode(text, bos=bos, special=special)
    pieces = [reader.piece(token) for token in ids]
    if as_json:
        print(json.dumps({"ids": ids, "pieces": pieces}, ensure_ascii=False))
        return
    _print_pieces(ids, pieces)
    note(f"{len(ids)} tokens for {len(text.encode())} bytes")


def _print_pieces(ids: list[int], pieces: list[str]) -> None:
    if len(ids) > MAX_TABLE_ROWS:
        print("position id piece")
        for position, (token, piece) in enumerate(zip(ids, pieces, strict=True)):
            print(position, token, piece)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("position", "id", "piece", box=None, pad_edge=False)
    for position, (token, piece) in enumerate(zip(ids, pieces, strict=True)):
        table.add_row(str(position), str(token), Text(piece))
    console().print(table)
