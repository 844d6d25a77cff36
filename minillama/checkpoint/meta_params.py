"""Meta's params.json: the sizes of a model, and what it leaves unsaid.

The file holds the arguments of Meta's ModelArgs (llama/model.py), which do not include the context or the hidden size.
What Meta's code has no name for (a context, tied embeddings, a sliding window, other RoPE scalings) goes into a
second file beside it, `minillama.json`, which Meta's code does not read.
"""

import dataclasses
from pathlib import Path
from typing import Any

from minillama.checkpoint.files import number, read_json, whole_number
from minillama.config import ModelConfig, RopeScaling
from minillama.errors import CheckpointError, ConfigError
from minillama.feedforward import hidden_size

SIDECAR = "minillama.json"
LLAMA_3_THETA = 500_000.0
CODE_LLAMA_THETA = 1_000_000.0
LLAMA_3_2_SHAPES = {(2048, 16), (3072, 28)}  # dim and layers of 1B and 3B, whose frequencies are divided by 32
MULTIPLES = (256, 1024, 4096, 512, 2048, 128, 64, 32, 16, 8, 4, 2, 1)  # of the hidden size, the published ones first


def params_to_config(
    path: Path, raw: dict[str, Any], sidecar: dict[str, Any], hidden_dim: int | None, vocab_size: int | None, tied: bool
) -> ModelConfig:
    """The sizes that params.json, minillama.json and the weights say together.

    Args:
        path: for the error.
        raw: the content of params.json.
        sidecar: the content of minillama.json, {} where there is none.
        hidden_dim: rows of w1; None without weights: Meta's formula.
        vocab_size: rows of the embedding; None without weights: what the file says.
        tied: whether the weights have no output matrix.

    Raises:
        CheckpointError: sizes that are missing, damaged, or other than those of the weights.
    """
    try:
        dim, n_layers = whole_number(raw, "dim"), whole_number(raw, "n_layers")
        n_heads = whole_number(raw, "n_heads")
        if hidden_dim is None:
            hidden_dim = whole_number(raw, "hidden_dim", 0) or _hidden_dim(raw, dim)
        elif whole_number(raw, "hidden_dim", hidden_dim) != hidden_dim:
            raise ConfigError(f"hidden_dim is {raw['hidden_dim']}, but w1 has {hidden_dim} rows")
        said = whole_number(raw, "vocab_size", -1)
        if vocab_size is None or said not in (-1, vocab_size):
            if vocab_size is not None:
                raise ConfigError(f"vocab_size is {said}, but the embedding has {vocab_size} rows")
            vocab_size = said
        window = sidecar.get("sliding_window", raw.get("sliding_window"))
        return ModelConfig(
            dim=dim,
            n_layers=n_layers,
            n_heads=n_heads,
            n_kv_heads=whole_number(raw, "n_kv_heads", n_heads),
            head_dim=whole_number(raw, "head_dim", 0),
            hidden_dim=hidden_dim,
            vocab_size=vocab_size,
            max_seq_len=whole_number(sidecar, "max_seq_len", 0) or _context(raw, hidden_dim),
            norm_eps=number(raw, "norm_eps", 1e-5),
            rope_theta=number(raw, "rope_theta", 10_000.0),
            rope_scaling=_scaling(raw, sidecar),
            sliding_window=window,
            tied=tied or bool(sidecar.get("tied", False)),
        )
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _hidden_dim(raw: dict[str, Any], dim: int) -> int:
    multiplier = None if raw.get("ffn_dim_multiplier") is None else number(raw, "ffn_dim_multiplier")
    multiple_of = whole_number(raw, "multiple_of", 256)
    if not 0 < dim <= 1 << 24 or multiple_of <= 0:
        raise ConfigError(f"dim is {dim} and multiple_of {multiple_of}, expected positive whole numbers")
    return hidden_size(dim, multiple_of, multiplier)


def _context(raw: dict[str, Any], hidden_dim: int) -> int:
    """The context that a model of this kind is published with, because params.json does not say."""
    theta, eps = number(raw, "rope_theta", 10_000.0), number(raw, "norm_eps", 1e-5)
    if "hidden_dim" in raw or "sliding_window" in raw:  # Mistral's spelling
        return 32_768
    if theta == LLAMA_3_THETA:
        return 131_072 if raw.get("use_scaled_rope") else 8192
    if theta == CODE_LLAMA_THETA:
        return 16_384
    llama_1_65b = (raw.get("dim"), raw.get("n_layers"), hidden_dim) == (8192, 80, 22_016)
    return 2048 if eps == 1e-6 or llama_1_65b else 4096


def _scaling(raw: dict[str, Any], sidecar: dict[str, Any]) -> RopeScaling | None:
    said = sidecar.get("rope_scaling")
    if said is not None:
        try:
            return RopeScaling(**{**said, "divisors": tuple(said.get("divisors", ()))})
        except (TypeError, AttributeError) as error:
            raise ConfigError(f"rope_scaling is {said!r} in {SIDECAR}, expected kind, factor, ...") from error
    if not raw.get("use_scaled_rope"):
        return None
    factor = 32.0 if (raw.get("dim"), raw.get("n_layers")) in LLAMA_3_2_SHAPES else 8.0
    return RopeScaling(kind="llama3", factor=factor)


def read_sidecar(folder: Path) -> dict[str, Any]:
    """The content of minillama.json, {} where there is none."""
    path = folder / SIDECAR
    return read_json(path) if path.is_file() else {}


def hidden_size_arguments(dim: int, hidden_dim: int) -> tuple[int, float | None]:
    """multiple_of and ffn_dim_multiplier for which Meta's formula gives `hidden_dim`.

    >>> hidden_size_arguments(4096, 11008)
    (256, None)
    >>> hidden_size_arguments(8192, 28672)
    (1024, 1.3)
    """
    multiples = [multiple for multiple in MULTIPLES if hidden_dim % multiple == 0]
    for multiple in multiples:
        if hidden_size(dim, multiple) == hidden_dim:
            return multiple, None
    ratio = hidden_dim / int(2 * (4 * dim) / 3)
    for digits in (1, 2, 3, 4, 6):
        for multiple in multiples:
            if hidden_size(dim, multiple, round(ratio, digits)) == hidden_dim:
                return multiple, round(ratio, digits)
    return 1, (hidden_dim + 0.5) / int(2 * (4 * dim) / 3)  # the formula rounds the half away


def config_to_params(config: ModelConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content of params.json, with no key that Meta's code does not know, and of minillama.json.

    Raises:
        CheckpointError: a head size that Meta's files cannot express.
    """
    if config.head_dim * config.n_heads != config.dim:
        raise CheckpointError(
            f"{config.n_heads} heads of {config.head_dim} are not dim {config.dim}, which Meta's files cannot say: "
            "write hf or gguf"
        )
    multiple_of, multiplier = hidden_size_arguments(config.dim, config.hidden_dim)
    params: dict[str, Any] = {
        "dim": config.dim,
        "n_layers": config.n_layers,
        "n_heads": config.n_heads,
        "vocab_size": config.vocab_size,
        "multiple_of": multiple_of,
        "norm_eps": config.norm_eps,
    }
    if config.n_kv_heads != config.n_heads:
        params["n_kv_heads"] = config.n_kv_heads
    if multiplier is not None:
        params["ffn_dim_multiplier"] = multiplier
    if config.rope_theta != 10_000.0:
        params["rope_theta"] = config.rope_theta
    if config.rope_scaling is not None and config.rope_scaling.kind == "llama3":
        params["use_scaled_rope"] = True
    sidecar: dict[str, Any] = {"max_seq_len": config.max_seq_len, "tied": config.tied}
    if config.sliding_window is not None:
        sidecar["sliding_window"] = config.sliding_window
    if config.rope_scaling is not None:
        sidecar["rope_scaling"] = dataclasses.asdict(config.rope_scaling)
    return params, sidecar
