"""llama2.c's three layouts, written here from the description in export.py and read back."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from minillama.checkpoint.llama2c import open_llama2c
from minillama.checkpoint.source import tensor_shapes
from minillama.config import ModelConfig
from minillama.errors import CheckpointError
from tests.checkpoint.gguf_files import sentencepiece_tokenizer

ATTENTION = ["attention.wq", "attention.wk", "attention.wv", "attention.wo"]
FEED_FORWARD = ["feed_forward.w1", "feed_forward.w2", "feed_forward.w3"]


def small(tied: bool) -> ModelConfig:
    return ModelConfig(
        dim=16, hidden_dim=24, n_layers=2, n_heads=4, n_kv_heads=2, vocab_size=11, max_seq_len=10, tied=tied
    )


def weights(config: ModelConfig) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in tensor_shapes(config).items()}


def sizes(config: ModelConfig, sign: int = 1) -> bytes:
    numbers = (config.dim, config.hidden_dim, config.n_layers, config.n_heads, config.n_kv_heads)
    return struct.pack("<7i", *numbers, sign * config.vocab_size, config.max_seq_len)


def layered(config: ModelConfig, kinds: list[str]) -> list[str]:
    return [f"layers.{layer}.{kind}.weight" for kind in kinds for layer in range(config.n_layers)]


def legacy(config: ModelConfig, found: dict[str, np.ndarray]) -> bytes:
    names = ["tok_embeddings.weight", *layered(config, ["attention_norm", *ATTENTION, "ffn_norm", *FEED_FORWARD])]
    raw = sizes(config, 1 if config.tied else -1) + b"".join(found[name].tobytes() for name in (*names, "norm.weight"))
    raw += np.full((2, config.max_seq_len, config.head_dim // 2), 7, np.float32).tobytes()  # freq_cis_real, _imag
    return raw if config.tied else raw + found["output.weight"].tobytes()


def version_1(config: ModelConfig, found: dict[str, np.ndarray]) -> bytes:
    header = struct.pack("<Ii", 0x616B3432, 1) + sizes(config) + struct.pack("<B", config.tied)
    names = [*layered(config, ["attention_norm", "ffn_norm"]), "norm.weight", "tok_embeddings.weight"]
    names += layered(config, [*ATTENTION, *FEED_FORWARD]) + ([] if config.tied else ["output.weight"])
    return header.ljust(256, b"\0") + b"".join(found[name].tobytes() for name in names)


def version_2(config: ModelConfig, found: dict[str, np.ndarray], group: int = 8) -> tuple[bytes, dict[str, np.ndarray]]:
    """The file, and what its weights are after the rounding to eight bits."""
    raw = (struct.pack("<Ii", 0x616B3432, 2) + sizes(config) + struct.pack("<Bi", config.tied, group)).ljust(256, b"\0")
    rounded = dict(found)
    for name in (*layered(config, ["attention_norm", "ffn_norm"]), "norm.weight"):
        raw += found[name].tobytes()
    matrices = ["tok_embeddings.weight", *layered(config, [*ATTENTION, *FEED_FORWARD])]
    for name in matrices + ([] if config.tied else ["output.weight"]):
        groups = found[name].reshape(-1, group)
        scales = np.abs(groups).max(axis=1) / np.float32(127)
        codes = np.round(groups / scales[:, None]).astype(np.int8)
        raw += codes.tobytes() + scales.tobytes()
        rounded[name] = (codes.astype(np.float32) * scales[:, None]).reshape(found[name].shape)
    return raw, rounded


def check(path: Path, config: ModelConfig, expected: dict[str, np.ndarray]) -> None:
    checkpoint = open_llama2c(path)
    assert checkpoint.config == config
    assert list(checkpoint.tensors) == list(expected)
    for name, values in expected.items():
        data = checkpoint.tensors[name].read()
        assert isinstance(data, torch.Tensor)
        np.testing.assert_array_equal(data.numpy(), values, err_msg=name)


@pytest.mark.parametrize("tied", [True, False])
def test_every_version_comes_back(tmp_path: Path, tied: bool) -> None:
    config, path = small(tied), tmp_path / "x.bin"
    found = weights(config)
    path.write_bytes(legacy(config, found))
    check(path, config, found)
    path.write_bytes(version_1(config, found))
    check(path, config, found)
    raw, rounded = version_2(config, found)
    path.write_bytes(raw)
    check(path, config, rounded)


def test_the_real_file(shared_data: Path) -> None:
    checkpoint = open_llama2c(shared_data / "stories260K.bin", shared_data / "tok512.bin")
    assert checkpoint.config == ModelConfig(
        dim=64, n_layers=5, n_heads=8, n_kv_heads=4, hidden_dim=172, vocab_size=512, max_seq_len=512, tied=True
    )
    norm = checkpoint.tensors["norm.weight"].read()
    assert isinstance(norm, torch.Tensor)
    assert norm.shape == (64,)
    assert 0.5 < norm.abs().mean() < 10  # the weights behind every other one: all of them lie where they should
    assert checkpoint.tensors["layers.4.attention.wk.weight"].shape == (32, 64)


def test_the_tokenizer_has_to_be_named(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(legacy(small(True), weights(small(True))))
    sentencepiece_tokenizer().save(tmp_path / "tokenizer.model")
    with pytest.raises(CheckpointError, match="tokenizer="):
        open_llama2c(path).tokenizer()
    assert open_llama2c(path, tmp_path / "tokenizer.model").tokenizer().vocab_size == 280


def test_a_file_of_another_length_is_refused(tmp_path: Path) -> None:
    config, path = small(False), tmp_path / "x.bin"
    found = weights(config)
    for raw in (legacy(config, found), version_1(config, found), version_2(config, found)[0]):
        places = {*range(1, len(raw), len(raw) // 40), len(raw) - 1, *range(1, 40)}
        for cut in (*(raw[:place] for place in places), raw + b"\0"):
            path.write_bytes(cut)
            with pytest.raises(CheckpointError, match=r"x\.bin") as caught:
                open_llama2c(path)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "cannot be mapped"),
        (b"PK\x03\x04" + bytes(300), "no llama2.c file, or damaged"),
        (struct.pack("<7i", 64, 172, 1 << 23, 8, 4, 512, 512), "cut off"),
        (struct.pack("<7i", 64, 172, 5, 7, 4, 512, 512), "does not divide into 7 heads"),
        (struct.pack("<7i", 64, 172, 5, 8, 4, 0, 512), "vocab_size is 0"),
        (struct.pack("<7i", 64, 172, 5, 8, 4, -(1 << 31), 512), "vocab_size is 2147483648"),
        (struct.pack("<7i", *[1 << 20] * 3, 4, 2, 1 << 20, 1 << 20), "cut off"),
        (struct.pack("<Ii", 0x616B3432, 3) + bytes(300), "version 3 of llama2.c"),
        (struct.pack("<Ii7iBi", 0x616B3432, 2, 64, 172, 5, 8, 4, 512, 512, 1, 0) + bytes(300), "groups of 0"),
        (struct.pack("<Ii7iBi", 0x616B3432, 2, 64, 172, 5, 8, 4, 512, 512, 1, 64) + bytes(300), "groups of 64"),
    ],
)
def test_damaged_headers_are_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "x.bin").write_bytes(raw)
    with pytest.raises(CheckpointError, match=message):
        open_llama2c(tmp_path / "x.bin")


def test_a_missing_file() -> None:
    with pytest.raises(CheckpointError, match=r"none\.bin"):
        open_llama2c(Path("none.bin"))
