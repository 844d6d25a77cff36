import pytest

from minillama.config import PRESETS, ModelConfig, RopeScaling
from minillama.errors import ConfigError, MinillamaError, ShapeError
from minillama.shapes import check_shape

GOOD = {"dim": 64, "n_layers": 2, "n_heads": 8, "n_kv_heads": 4, "hidden_dim": 96, "vocab_size": 100, "max_seq_len": 32}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dim": 0}, "dim is 0"), ({"dim": 63}, "does not divide into 8 heads"), ({"n_layers": -1}, "n_layers is -1"),
        ({"n_layers": True}, "n_layers is True"), ({"n_kv_heads": 3}, "do not divide among 3"),
        ({"head_dim": 7}, "even number"), ({"vocab_size": 1 << 40}, "vocab_size"), ({"vocab_size": 3.5}, "vocab_size"),
        ({"norm_eps": 0.0}, "norm_eps"), ({"norm_eps": float("nan")}, "norm_eps"), ({"rope_theta": 1.0}, "rope_theta"),
        ({"sliding_window": 0}, "sliding_window"),
        ({"rope_scaling": RopeScaling(kind="divisors", divisors=(1.0, 2.0))}, "one a pair: 4"),
    ],
)  # fmt: skip
def test_impossible_sizes_are_refused(change: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ModelConfig(**{**GOOD, **change})


@pytest.mark.parametrize(
    "scaling",
    [
        {"kind": "yarn"}, {"kind": "linear", "factor": 0.0}, {"kind": "linear", "factor": float("nan")},
        {"kind": "llama3", "low_freq_factor": 4.0, "high_freq_factor": 4.0},
        {"kind": "llama3", "original_max_seq_len": 0},
        {"kind": "divisors", "divisors": (1.0, -2.0)},
    ],
)  # fmt: skip
def test_impossible_scalings_are_refused(scaling: dict) -> None:
    with pytest.raises(ConfigError):
        RopeScaling(**scaling)


def test_derived_values() -> None:
    config = ModelConfig(**GOOD)
    assert (config.head_dim, config.group_size) == (8, 2)
    assert PRESETS["llama-7b"].kv_bytes_per_token == 524_288
    assert PRESETS["llama2-70b"].kv_bytes_per_token == 327_680


def test_check_shape_names_what_it_got() -> None:
    check_shape("x", (2, 7, 64), (None, None, 64))
    with pytest.raises(ShapeError, match=r"x has shape \(2, 64\), expected \(any, any, 64\)"):
        check_shape("x", (2, 64), (None, None, 64))
    assert issubclass(ShapeError, MinillamaError)
