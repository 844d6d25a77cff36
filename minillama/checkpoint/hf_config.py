"""Hugging Face's config.json, read and written.

Source: transformers, LlamaConfig and MistralConfig. Since version 5 the rotary settings are in
`rope_parameters`; before, they were `rope_theta` and `rope_scaling`. Both are read and both are written.
"""

from pathlib import Path
from typing import Any

from minillama.checkpoint.files import number, read_json, whole_number
from minillama.config import ModelConfig, RopeScaling
from minillama.errors import CheckpointError, ConfigError

FAMILIES = ("llama", "mistral")
DTYPE_NAMES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}


def hf_to_config(raw: dict[str, Any], has_output: bool = True) -> ModelConfig:
    """The sizes that a config.json says.

    Args:
        raw: its content.
        has_output: whether the weights have an lm_head; without one, and without a word on tying, they are tied.

    Raises:
        ConfigError: sizes that are missing or damaged, or a model that is no plain LLaMA.
    """
    _check_family(raw)
    dim, n_heads = whole_number(raw, "hidden_size"), whole_number(raw, "num_attention_heads")
    theta, scaling = _rope(raw)
    window = raw.get("sliding_window") if raw["model_type"] == "mistral" else None
    tied = raw.get("tie_word_embeddings")
    return ModelConfig(
        dim=dim,
        n_layers=whole_number(raw, "num_hidden_layers"),
        n_heads=n_heads,
        n_kv_heads=whole_number(raw, "num_key_value_heads", n_heads),
        head_dim=whole_number(raw, "head_dim", 0),
        hidden_dim=whole_number(raw, "intermediate_size"),
        vocab_size=whole_number(raw, "vocab_size"),
        max_seq_len=whole_number(raw, "max_position_embeddings", 2048),
        norm_eps=number(raw, "rms_norm_eps", 1e-6),
        rope_theta=theta,
        rope_scaling=scaling,
        sliding_window=window,
        tied=bool(tied) or (tied is None and not has_output),
    )


def read_hf_config(folder: Path, has_output: bool = True) -> ModelConfig:
    """The sizes that a folder's config.json says; its weights may be missing.

    Raises:
        CheckpointError: config.json is missing or damaged, or of a model that is no plain LLaMA.
    """
    path = folder / "config.json"
    try:
        return hf_to_config(read_json(path), has_output)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _check_family(raw: dict[str, Any]) -> None:
    """Refuse what this package would compute wrongly."""
    family = raw.get("model_type")
    if family not in FAMILIES:
        raise ConfigError(f"model_type is {family!r}, expected llama or mistral: another family of models")
    if raw.get("quantization_config") is not None:
        raise ConfigError("quantization_config is set; expected plain weights, or a GGUF file of the quantized model")
    for option in ("attention_bias", "mlp_bias"):
        if raw.get(option):
            raise ConfigError(f"{option} is set, but a LLaMA's matrices have no biases: another family of models")
    if raw.get("hidden_act", "silu") not in ("silu", "swish"):
        raise ConfigError(f"hidden_act is {raw['hidden_act']!r}, expected 'silu'")
    if number(raw, "partial_rotary_factor", 1.0) != 1.0:
        raise ConfigError(
            f"partial_rotary_factor is {raw['partial_rotary_factor']}, expected 1: another family of models"
        )


def _rope(raw: dict[str, Any]) -> tuple[float, RopeScaling | None]:
    """Theta and scaling, from `rope_parameters` or from the older keys."""
    settings: dict[str, Any] = {}
    for key in ("rope_scaling", "rope_parameters"):
        found = raw.get(key)
        if found is not None and not isinstance(found, dict):
            raise ConfigError(f"{key} is {found!r}, expected an object or null")
        settings |= found or {}
    theta = number(settings, "rope_theta", number(raw, "rope_theta", 10_000.0))
    kind = settings.get("rope_type", settings.get("type", "default"))
    if kind == "default":
        return theta, None
    if kind == "linear":
        return theta, RopeScaling(kind="linear", factor=number(settings, "factor"))
    if kind != "llama3":
        raise ConfigError(f"rope_type is {kind!r}, expected default, linear or llama3")
    return theta, RopeScaling(
        kind="llama3",
        factor=number(settings, "factor"),
        low_freq_factor=number(settings, "low_freq_factor"),
        high_freq_factor=number(settings, "high_freq_factor"),
        original_max_seq_len=whole_number(settings, "original_max_position_embeddings"),
    )


def config_to_hf(config: ModelConfig, format: str, bos_id: int | None, stop_ids: list[int]) -> dict[str, Any]:
    """The content of config.json.

    Args:
        config: sizes.
        format: of the weights: "f32", "f16" or "bf16".
        bos_id: first token of a text.
        stop_ids: tokens that end one, EOS first.

    Raises:
        CheckpointError: rotary divisors that Hugging Face has no name for.
    """
    theta, scaling = _rope_settings(config)
    family = "llama" if config.sliding_window is None else "mistral"
    content: dict[str, Any] = {
        "architectures": [f"{family.capitalize()}ForCausalLM"],
        "model_type": family,
        "vocab_size": config.vocab_size,
        "hidden_size": config.dim,
        "intermediate_size": config.hidden_dim,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.max_seq_len,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": theta,
        "rope_scaling": scaling,
        "rope_parameters": {"rope_theta": theta, **(scaling or {"rope_type": "default"})},
        "tie_word_embeddings": config.tied,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": bos_id,
        "eos_token_id": stop_ids[0] if len(stop_ids) == 1 else stop_ids or None,
        "torch_dtype": DTYPE_NAMES[format],
        "use_cache": True,
    }
    if family == "mistral":
        content["sliding_window"] = config.sliding_window
    return content


def _rope_settings(config: ModelConfig) -> tuple[float, dict[str, Any] | None]:
    scaling = config.rope_scaling
    if scaling is None:
        return config.rope_theta, None
    if scaling.kind == "ntk":  # nothing but a larger theta
        return config.rope_theta * scaling.factor ** (config.head_dim / (config.head_dim - 2)), None
    if scaling.kind == "linear":
        return config.rope_theta, {"rope_type": "linear", "type": "linear", "factor": scaling.factor}
    if scaling.kind == "llama3":
        return config.rope_theta, {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_max_seq_len,
        }
    raise CheckpointError(
        "the model divides each rotary frequency by a number of its own, which config.json cannot say"
    )
