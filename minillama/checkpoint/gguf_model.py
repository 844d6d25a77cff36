"""What GGUF calls a LLaMA's sizes and weights, and what this package calls them.

Source: llama.cpp, docs of the GGUF keys (ggml/docs/gguf.md) and src/llama-arch.cpp (names of the "llama" architecture).
Its rows of wq and wk are in Meta's order, neighbouring rotary pairs, so no row changes its place.
"""

import re

import numpy as np
import torch

from minillama.checkpoint.gguf_format import Value, shown
from minillama.config import ModelConfig, RopeScaling
from minillama.errors import CheckpointError, ConfigError
from minillama.rope import rope_divisors

ARCHITECTURE = "llama"
ROPE_DIVISORS = "rope_freqs.weight"
LLAMA3_FACTORS = (8.0, 32.0)  # of Llama 3.1 and 3.2
IGNORED = re.compile(r"blk\.\d+\.attn_rot_embd\.weight")  # frequencies that old files carry; they follow from theta

_NAMES = {"token_embd.weight": "tok_embeddings.weight", "output_norm.weight": "norm.weight"}
_NAMES["output.weight"] = "output.weight"
_BLOCK_NAMES = {
    "attn_norm.weight": "attention_norm.weight",
    "attn_q.weight": "attention.wq.weight",
    "attn_k.weight": "attention.wk.weight",
    "attn_v.weight": "attention.wv.weight",
    "attn_output.weight": "attention.wo.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "ffn_gate.weight": "feed_forward.w1.weight",
    "ffn_down.weight": "feed_forward.w2.weight",
    "ffn_up.weight": "feed_forward.w3.weight",
}
_GGUF_NAMES = {ours: theirs for theirs, ours in _NAMES.items()}
_GGUF_BLOCK_NAMES = {ours: theirs for theirs, ours in _BLOCK_NAMES.items()}


def canonical_name(name: str) -> str | None:
    """GGUF's name of a weight in Meta's spelling; None for a weight that no LLaMA has.

    >>> canonical_name("blk.7.attn_q.weight")
    'layers.7.attention.wq.weight'
    """
    prefix, _, rest = name.partition(".")
    layer, _, part = rest.partition(".")
    if prefix == "blk" and layer.isascii() and layer.isdigit() and str(int(layer[:9])) == layer:
        return f"layers.{layer}.{_BLOCK_NAMES[part]}" if part in _BLOCK_NAMES else None
    return _NAMES.get(name)


def gguf_name(name: str) -> str:
    """The reverse of `canonical_name`.

    >>> gguf_name("layers.7.attention.wq.weight")
    'blk.7.attn_q.weight'
    """
    prefix, _, rest = name.partition(".")
    if prefix != "layers":
        return _GGUF_NAMES[name]
    layer, _, part = rest.partition(".")
    return f"blk.{layer}.{_GGUF_BLOCK_NAMES[part]}"


class _Keys:
    """Typed look-ups of `llama.*`; None for a key that is missing."""

    def __init__(self, metadata: dict[str, Value]) -> None:
        self.metadata = metadata

    def _get(self, key: str, kinds: tuple[type, ...], wanted: str) -> Value | None:
        value = self.metadata.get(f"{ARCHITECTURE}.{key}")
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
            raise CheckpointError(f"{ARCHITECTURE}.{key} is a {type(value).__name__}, expected {wanted}")
        return value

    def whole(self, key: str) -> int | None:
        return self._get(key, (int,), "a whole number")  # type: ignore[return-value]

    def number(self, key: str) -> float | None:
        value = self._get(key, (int, float), "a number")
        return None if value is None else float(value)  # type: ignore[arg-type]

    def text(self, key: str) -> str | None:
        return self._get(key, (str,), "text")  # type: ignore[return-value]

    def required(self, key: str) -> int:
        value = self.whole(key)
        if value is None:
            raise CheckpointError(f"{ARCHITECTURE}.{key} is missing: it is no whole model")
        return value


def _check_family(keys: _Keys) -> None:
    architecture = keys.metadata.get("general.architecture")
    if not isinstance(architecture, str) or architecture != ARCHITECTURE:
        raise CheckpointError(f"architecture is {shown(architecture)}, expected {ARCHITECTURE!r}")
    if experts := keys.whole("expert_count"):
        raise CheckpointError(f"is a mixture of {experts} experts, expected a model with one feed-forward a block")


def rope_scaling(metadata: dict[str, Value]) -> RopeScaling | None:
    """The scaling that the keys name; llama3's is not among them, but in a tensor (see `scaling_of_divisors`).

    Raises:
        CheckpointError: a kind that this package does not have.
    """
    keys = _Keys(metadata)
    kind, factor = keys.text("rope.scaling.type"), keys.number("rope.scaling.factor")
    if kind is None:
        kind, factor = "linear", keys.number("rope.scale_linear") or factor  # the key before scaling had types
    if kind not in ("none", "linear"):
        raise CheckpointError(f"{ARCHITECTURE}.rope.scaling.type is {shown(kind)}, expected none or linear")
    return RopeScaling(kind="linear", factor=factor) if kind == "linear" and factor not in (None, 0, 1) else None


def scaling_of_divisors(divisors: np.ndarray, config: ModelConfig) -> RopeScaling | None:
    """The rule behind the `rope_freqs` tensor: llama3 where its known settings give these numbers.

    Args:
        divisors: float (K/2,).
        config: with the file's theta and head_dim.
    """
    if (divisors == 1).all():
        return None
    pairs = torch.arange(0, config.head_dim, 2, dtype=torch.float64)
    frequencies = config.rope_theta ** (-pairs / config.head_dim)
    for factor in LLAMA3_FACTORS:
        known = RopeScaling(kind="llama3", factor=factor)
        expected = rope_divisors(frequencies, known).numpy()
        if expected.shape == divisors.shape and np.allclose(divisors, expected, rtol=1e-4, atol=0):
            return known
    return RopeScaling(kind="divisors", divisors=tuple(map(float, divisors)))


def config_of(metadata: dict[str, Value], vocab_size: int, tied: bool) -> ModelConfig:
    """The sizes that the metadata of a file give.

    Args:
        metadata: GGUF's pairs.
        vocab_size: rows of the embedding; a tokenizer may have fewer pieces.
        tied: the file has no output matrix.

    Raises:
        CheckpointError: another architecture, a missing key, or sizes that no LLaMA has.
    """
    keys = _Keys(metadata)
    _check_family(keys)
    n_heads = keys.required("attention.head_count")
    kv_heads, key_length = keys.whole("attention.head_count_kv"), keys.whole("attention.key_length")
    theta, eps = keys.number("rope.freq_base"), keys.number("attention.layer_norm_rms_epsilon")
    try:
        config = ModelConfig(
            dim=keys.required("embedding_length"),
            n_layers=keys.required("block_count"),
            n_heads=n_heads,
            n_kv_heads=n_heads if kv_heads is None else kv_heads,
            head_dim=key_length or 0,
            hidden_dim=keys.required("feed_forward_length"),
            vocab_size=vocab_size,
            max_seq_len=keys.required("context_length"),
            norm_eps=1e-5 if eps is None else float(f"{eps:.7g}"),  # stored as float32: 1e-5, not 9.99999975e-06
            rope_theta=10_000.0 if theta is None else theta,
            rope_scaling=rope_scaling(metadata),
            sliding_window=keys.whole("attention.sliding_window") or None,
            tied=tied,
        )
    except ConfigError as error:
        raise CheckpointError(str(error)) from error
    for key in ("rope.dimension_count", "attention.key_length", "attention.value_length"):
        if (keys.whole(key) or config.head_dim) != config.head_dim:
            raise CheckpointError(
                f"{ARCHITECTURE}.{key} is {keys.whole(key)}, expected the head size {config.head_dim}"
            )
    return config


def metadata_of(config: ModelConfig) -> dict[str, int | float | str]:
    """The `llama.*` keys of a config: whole numbers, floats and texts, without the divisors of RoPE."""
    scaling, theta = config.rope_scaling, config.rope_theta
    if scaling is not None and scaling.kind == "ntk":  # GGUF has no such kind, but it is only another theta
        theta *= scaling.factor ** (config.head_dim / (config.head_dim - 2))
    values: dict[str, int | float | str] = {
        "vocab_size": config.vocab_size,
        "context_length": config.max_seq_len,
        "embedding_length": config.dim,
        "block_count": config.n_layers,
        "feed_forward_length": config.hidden_dim,
        "attention.head_count": config.n_heads,
        "attention.head_count_kv": config.n_kv_heads,
        "attention.key_length": config.head_dim,
        "attention.value_length": config.head_dim,
        "attention.layer_norm_rms_epsilon": config.norm_eps,
        "rope.dimension_count": config.head_dim,
        "rope.freq_base": theta,
    }
    if scaling is not None and scaling.kind == "linear":
        values |= {"rope.scaling.type": "linear", "rope.scaling.factor": scaling.factor}
    if config.sliding_window is not None:
        values["attention.sliding_window"] = config.sliding_window
    return {f"{ARCHITECTURE}.{key}": value for key, value in values.items()}


def divisors_of(config: ModelConfig) -> np.ndarray | None:
    """What the `rope_freqs` tensor of a config holds, float32 (K/2,); None where it needs none."""
    scaling = config.rope_scaling
    if scaling is None or scaling.kind not in ("llama3", "divisors"):
        return None
    pairs = torch.arange(0, config.head_dim, 2, dtype=torch.float64)
    return rope_divisors(config.rope_theta ** (-pairs / config.head_dim), scaling).float().numpy()
