"""The sizes of a LLaMA, and those of the published ones.

Sources: Touvron et al. 2023, "LLaMA", table 2; "Llama 2", table 1; Grattafiori et al. 2024, "The Llama 3 Herd of
Models", section 3.2; Roziere et al. 2023, "Code Llama"; Jiang et al. 2023, "Mistral 7B", table 1; the
files as published.
"""

from dataclasses import dataclass
from typing import Literal

from minillama.errors import ConfigError

MAX_SIZE = 1 << 24  # no dimension of a language model is larger; a file that says so is damaged


@dataclass(frozen=True, kw_only=True, slots=True)
class RopeScaling:
    """How the rotary frequencies are stretched for a context longer than the one of training.

    kind "linear": every frequency divided by `factor` (Chen et al. 2023, "Position Interpolation").
    kind "ntk": theta multiplied by factor ** (K / (K - 2)), which slows the slow pairs and leaves the fast ones.
    kind "llama3": wavelengths shorter than old / high_freq_factor stay, those longer than old / low_freq_factor are
        divided by `factor`, those between are blended (Llama 3.1).
    kind "divisors": every pair has its own divisor, as GGUF's `rope_freqs` tensor stores them.
    """

    kind: Literal["linear", "ntk", "llama3", "divisors"]
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_seq_len: int = 8192
    divisors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "ntk", "llama3", "divisors"):
            raise ConfigError(f"RoPE scaling is {self.kind!r}, expected linear, ntk, llama3 or divisors")
        if not 0 < self.factor < float("inf"):
            raise ConfigError(f"RoPE scaling factor is {self.factor}, expected a positive number")
        if self.kind == "llama3" and not 0 < self.low_freq_factor < self.high_freq_factor < float("inf"):
            raise ConfigError(
                f"RoPE scaling has low_freq_factor {self.low_freq_factor}, high_freq_factor {self.high_freq_factor}, "
                "expected 0 < low < high"
            )
        if self.kind == "llama3" and not 0 < self.original_max_seq_len <= MAX_SIZE:
            raise ConfigError(
                f"RoPE scaling has original context {self.original_max_seq_len}, expected 1 to {MAX_SIZE}"
            )
        if any(not 0 < divisor < float("inf") for divisor in self.divisors):
            raise ConfigError("RoPE divisors hold a value that is not a positive number")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """The sizes and constants of one LLaMA; names as in shapes.py.

    Args:
        dim: model dimension D.
        n_layers: number of blocks.
        n_heads: query heads H.
        n_kv_heads: key/value heads G; a divisor of n_heads, equal to it without grouping.
        head_dim: K, even; None means dim / n_heads.
        hidden_dim: inner dimension F of the feed-forward.
        vocab_size: V, the rows of the embedding.
        max_seq_len: context in tokens.
        norm_eps: added to the mean square in RMSNorm.
        rope_theta: base of the rotary wavelengths.
        rope_scaling: None for the plain frequencies.
        sliding_window: a position sees itself and the `sliding_window - 1` before it; None means all of them.
        tied: the output matrix is the embedding.

    Raises:
        ConfigError: sizes that do not go together.
    """

    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    hidden_dim: int
    vocab_size: int
    max_seq_len: int
    head_dim: int = 0
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    sliding_window: int | None = None
    tied: bool = False

    def __post_init__(self) -> None:
        for field in ("dim", "n_layers", "n_heads", "n_kv_heads", "hidden_dim", "vocab_size", "max_seq_len"):
            self._check_size(field, getattr(self, field))
        if self.head_dim == 0:
            if self.dim % self.n_heads:
                raise ConfigError(f"dim {self.dim} does not divide into {self.n_heads} heads: give head_dim")
            object.__setattr__(self, "head_dim", self.dim // self.n_heads)
        self._check_size("head_dim", self.head_dim)
        if self.head_dim % 2:
            raise ConfigError(f"head_dim is {self.head_dim}, expected an even number: rotary embedding turns pairs")
        if self.n_heads % self.n_kv_heads:
            raise ConfigError(f"{self.n_heads} query heads do not divide among {self.n_kv_heads} key/value heads")
        if not 0 < self.norm_eps < 1:
            raise ConfigError(f"norm_eps is {self.norm_eps}, expected a small positive number such as 1e-5")
        if not 1 < self.rope_theta < float("inf"):
            raise ConfigError(f"rope_theta is {self.rope_theta}, expected a number above 1 such as 10000")
        if self.sliding_window is not None:
            self._check_size("sliding_window", self.sliding_window)
        divisors = self.rope_scaling.divisors if self.rope_scaling else ()
        if divisors and len(divisors) != self.head_dim // 2:
            raise ConfigError(f"{len(divisors)} RoPE divisors, expected one a pair: {self.head_dim // 2}")

    @staticmethod
    def _check_size(field: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_SIZE:
            raise ConfigError(f"{field} is {value!r}, expected a whole number from 1 to {MAX_SIZE}")

    @property
    def group_size(self) -> int:
        """Query heads that share one key/value head."""
        return self.n_heads // self.n_kv_heads

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes that one token adds to a 16-bit key/value cache."""
        return 2 * self.n_layers * self.n_kv_heads * self.head_dim * 2


def _preset(**sizes: object) -> ModelConfig:
    defaults: dict[str, object] = {"n_kv_heads": sizes.get("n_heads"), "vocab_size": 32_000}
    return ModelConfig(**{**defaults, **sizes})  # type: ignore[arg-type]


PRESETS: dict[str, ModelConfig] = {
    "llama-7b": _preset(dim=4096, n_layers=32, n_heads=32, hidden_dim=11008, max_seq_len=2048, norm_eps=1e-6),
    "llama-13b": _preset(dim=5120, n_layers=40, n_heads=40, hidden_dim=13824, max_seq_len=2048, norm_eps=1e-6),
    "llama-33b": _preset(dim=6656, n_layers=60, n_heads=52, hidden_dim=17920, max_seq_len=2048, norm_eps=1e-6),
    "llama-65b": _preset(dim=8192, n_layers=80, n_heads=64, hidden_dim=22016, max_seq_len=2048),
    "llama2-7b": _preset(dim=4096, n_layers=32, n_heads=32, hidden_dim=11008, max_seq_len=4096),
    "llama2-13b": _preset(dim=5120, n_layers=40, n_heads=40, hidden_dim=13824, max_seq_len=4096),
    "llama2-70b": _preset(dim=8192, n_layers=80, n_heads=64, n_kv_heads=8, hidden_dim=28672, max_seq_len=4096),
    "llama3-8b": _preset(
        dim=4096, n_layers=32, n_heads=32, n_kv_heads=8, hidden_dim=14336, vocab_size=128_256, max_seq_len=8192,
        rope_theta=500_000.0,
    ),
    "codellama-7b": _preset(
        dim=4096, n_layers=32, n_heads=32, hidden_dim=11008, vocab_size=32_016, max_seq_len=16_384, rope_theta=1e6
    ),
    "mistral-7b": _preset(
        dim=4096, n_layers=32, n_heads=32, n_kv_heads=8, hidden_dim=14336, max_seq_len=32_768, sliding_window=4096
    ),
    "tinyllama-1.1b": _preset(dim=2048, n_layers=22, n_heads=32, n_kv_heads=4, hidden_dim=5632, max_seq_len=2048),
    "tiny": _preset(
        dim=256, n_layers=4, n_heads=8, n_kv_heads=4, hidden_dim=768, vocab_size=2048, max_seq_len=1024, tied=True
    ),
    "tiny-2m": _preset(
        dim=192, n_layers=4, n_heads=6, n_kv_heads=3, hidden_dim=576, vocab_size=2048, max_seq_len=1024, tied=True
    ),
    "tiny-1m": _preset(
        dim=128, n_layers=4, n_heads=4, n_kv_heads=2, hidden_dim=384, vocab_size=2048, max_seq_len=1024, tied=True
    ),
    "tiny-0.6m": _preset(
        dim=96, n_layers=4, n_heads=3, n_kv_heads=1, hidden_dim=288, vocab_size=2048, max_seq_len=1024, tied=True
    ),
}  # fmt: skip
