"""The GGUF writer: its files are read by the gguf package and by our own reader."""

import logging
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from minillama.checkpoint.gguf import open_gguf
from minillama.checkpoint.gguf_model import canonical_name
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.source import Checkpoint, StoredTensor
from minillama.config import ModelConfig, RopeScaling
from minillama.errors import CheckpointError
from minillama.quant.formats import FORMATS, quantize_q4_0, row_bytes
from tests.checkpoint.gguf_files import CONFIG, SIZES, random_checkpoint, sentencepiece_tokenizer


def as_floats(stored: StoredTensor) -> np.ndarray:
    data = stored.read()
    return data.float().numpy() if isinstance(data, torch.Tensor) else FORMATS[stored.format].dequantize(data)


def with_tensor(checkpoint: Checkpoint, name: str, values: torch.Tensor) -> Checkpoint:
    stored = StoredTensor(shape=tuple(values.shape), format="bf16", read=lambda: values.bfloat16())
    return replace(checkpoint, tensors=checkpoint.tensors | {name: stored})


@pytest.mark.parametrize("source", ["f32", "f16", "bf16", "q8_0", "q4_0"])
@pytest.mark.parametrize("format", ["f32", "f16", "bf16", "q8_0", "q4_0"])
def test_the_gguf_package_sees_the_same_tensors(tmp_path: Path, format: str, source: str) -> None:
    checkpoint = random_checkpoint(format=source)
    write_gguf(checkpoint, tmp_path / "x.gguf", format)
    theirs = gguf.GGUFReader(tmp_path / "x.gguf")
    ours = open_gguf(tmp_path / "x.gguf")
    assert ours.config == CONFIG
    assert {canonical_name(tensor.name) for tensor in theirs.tensors} == set(checkpoint.tensors) == set(ours.tensors)
    for tensor in theirs.tensors:
        stored = ours.tensors[canonical_name(tensor.name)]  # type: ignore[index]
        original = as_floats(checkpoint.tensors[canonical_name(tensor.name)])  # type: ignore[index]
        expected = "f32" if len(stored.shape) == 1 else format
        assert tensor.tensor_type.name.lower() == stored.format == expected
        assert tuple(int(size) for size in tensor.shape)[::-1] == stored.shape
        rows = original.reshape(-1, original.shape[-1])
        quantize = FORMATS[expected].quantize
        assert quantize is not None
        assert quantize(rows).tobytes() == np.ascontiguousarray(tensor.data).tobytes()
        floats = gguf.dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(floats, as_floats(stored))


def test_metadata_are_those_that_llama_cpp_needs(tmp_path: Path) -> None:
    config = replace(CONFIG, sliding_window=32, rope_theta=5e5, norm_eps=1e-6)
    write_gguf(random_checkpoint(config), tmp_path / "x.gguf", "q4_0")
    fields = {key: field.contents() for key, field in gguf.GGUFReader(tmp_path / "x.gguf").fields.items()}
    expected = {
        "general.architecture": "llama",
        "general.name": "tiny-1.1b",
        "general.file_type": gguf.LlamaFileType.MOSTLY_Q4_0,
        "general.quantization_version": gguf.GGML_QUANT_VERSION,
        "general.alignment": 32,
        "llama.vocab_size": 280,
        "llama.context_length": 128,
        "llama.embedding_length": 64,
        "llama.block_count": 2,
        "llama.feed_forward_length": 96,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.attention.key_length": 16,
        "llama.attention.value_length": 16,
        "llama.attention.sliding_window": 32,
        "llama.rope.dimension_count": 16,
        "llama.rope.freq_base": 5e5,
        "llama.attention.layer_norm_rms_epsilon": pytest.approx(1e-6),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": True,
    }
    assert {key: fields[key] for key in expected} == expected
    vocabulary = sentencepiece_tokenizer().vocabulary
    assert fields["tokenizer.ggml.tokens"] == list(vocabulary.pieces)
    assert fields["tokenizer.ggml.scores"] == list(vocabulary.scores)
    assert fields["tokenizer.ggml.token_type"] == list(vocabulary.types)


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, tied=True),
        replace(CONFIG, sliding_window=16),
        replace(CONFIG, head_dim=24),
        replace(CONFIG, rope_scaling=RopeScaling(kind="linear", factor=4.0)),
        replace(CONFIG, rope_theta=5e5, rope_scaling=RopeScaling(kind="llama3", factor=8.0)),
        replace(CONFIG, rope_scaling=RopeScaling(kind="divisors", divisors=tuple(map(float, range(1, 9))))),
    ],
)
def test_configs_come_back_equal(tmp_path: Path, config: ModelConfig) -> None:
    write_gguf(random_checkpoint(config), tmp_path / "x.gguf")
    checkpoint = open_gguf(tmp_path / "x.gguf")
    assert checkpoint.config == config
    assert ("output.weight" in checkpoint.tensors) is not config.tied


def test_ntk_scaling_becomes_the_theta_that_it_means(tmp_path: Path) -> None:
    write_gguf(
        random_checkpoint(replace(CONFIG, rope_scaling=RopeScaling(kind="ntk", factor=2.0))), tmp_path / "x.gguf"
    )
    config = open_gguf(tmp_path / "x.gguf").config
    assert config.rope_scaling is None
    assert config.rope_theta == pytest.approx(10_000 * 2 ** (16 / 14))


def test_unknown_llama3_settings_come_back_as_divisors(tmp_path: Path) -> None:
    scaling = RopeScaling(kind="llama3", factor=5.0, original_max_seq_len=64)
    write_gguf(random_checkpoint(replace(CONFIG, rope_scaling=scaling)), tmp_path / "x.gguf")
    found = open_gguf(tmp_path / "x.gguf").config.rope_scaling
    assert found is not None
    assert found.kind == "divisors"
    assert max(found.divisors) == pytest.approx(5.0)


def test_rows_that_do_not_divide_become_f16_with_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = ModelConfig(**{**SIZES, "hidden_dim": 172})
    with caplog.at_level(logging.INFO):
        write_gguf(random_checkpoint(config), tmp_path / "x.gguf", "q8_0")
    formats = {name: tensor.format for name, tensor in open_gguf(tmp_path / "x.gguf").tensors.items()}
    assert formats["layers.0.feed_forward.w2.weight"] == "f16"
    assert formats["layers.0.feed_forward.w1.weight"] == formats["tok_embeddings.weight"] == "q8_0"
    assert (
        "layers.0.feed_forward.w2.weight becomes f16: its rows of 172 do not divide into q8_0 blocks of 32"
        in caplog.text
    )


def test_blocks_are_copied_not_rounded_again(tmp_path: Path) -> None:
    """Blocks that no quantizer would make keep their bytes."""
    blocks = np.random.default_rng(0).integers(0x33, 0x44, (64, 36), dtype=np.uint8)  # no code is 0
    assert not np.array_equal(quantize_q4_0(FORMATS["q4_0"].dequantize(blocks)), blocks)
    checkpoint = random_checkpoint(format="q4_0")
    stored = StoredTensor(shape=(64, 64), format="q4_0", read=lambda: blocks)
    checkpoint = replace(checkpoint, tensors=checkpoint.tensors | {"layers.0.attention.wq.weight": stored})
    write_gguf(checkpoint, tmp_path / "x.gguf", "q4_0")
    written = open_gguf(tmp_path / "x.gguf").tensors["layers.0.attention.wq.weight"].read()
    np.testing.assert_array_equal(written, blocks)


@pytest.mark.parametrize("source", [name for name in FORMATS if FORMATS[name].quantize is None])
def test_formats_that_are_only_read_can_be_written_as_others(tmp_path: Path, source: str) -> None:
    config = ModelConfig(**{**SIZES, "dim": 256, "hidden_dim": 256})
    checkpoint = random_checkpoint(config)
    blocks = np.random.default_rng(0).integers(20, 50, (256, row_bytes(source, 256)), dtype=np.uint8)
    stored = StoredTensor(shape=(256, 256), format=source, read=lambda: blocks)
    checkpoint = replace(checkpoint, tensors=checkpoint.tensors | {"layers.0.attention.wq.weight": stored})
    write_gguf(checkpoint, tmp_path / "x.gguf", "f32")
    written = open_gguf(tmp_path / "x.gguf").tensors["layers.0.attention.wq.weight"]
    kind = gguf.GGMLQuantizationType(FORMATS[source].ggml_type)
    np.testing.assert_array_equal(as_floats(written), gguf.dequantize(blocks, kind))


@pytest.mark.parametrize(
    ("format", "value", "message"),
    [
        ("f16", 70_000.0, r"blk.1.attn_v.weight holds a weight of magnitude 70144, .*keep f32 or bf16"),
        ("q4_0", 1e6, "more than q4_0 can hold"),
        ("q8_0", 1e8, "more than q8_0 can hold"),
        ("f32", float("nan"), "magnitude nan, which is not a finite number"),
        ("f16", float("inf"), "magnitude inf, which is not a finite number"),
        ("bf16", float("-inf"), "not a finite number"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path: Path, format: str, value: float, message: str) -> None:
    values = torch.zeros(32, 64)
    values[3, 5] = value
    checkpoint = with_tensor(random_checkpoint(), "layers.1.attention.wv.weight", values)
    with pytest.raises(CheckpointError, match=message):
        write_gguf(checkpoint, tmp_path / "x.gguf", format)
    assert list(tmp_path.iterdir()) == []


def test_large_bf16_weights_fit_bf16_and_f32(tmp_path: Path) -> None:
    values = torch.full((32, 64), 70_144.0)
    checkpoint = with_tensor(random_checkpoint(), "layers.1.attention.wv.weight", values)
    for format in ("bf16", "f32"):
        write_gguf(checkpoint, tmp_path / "x.gguf", format)
        written = open_gguf(tmp_path / "x.gguf").tensors["layers.1.attention.wv.weight"]
        np.testing.assert_array_equal(as_floats(written), values.numpy())


def test_progress_counts_up_to_the_whole(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_gguf(random_checkpoint(), tmp_path / "x.gguf", progress=lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls)
    assert len(calls) > 20
    assert calls[-1][0] == calls[-1][1] == {total for _, total in calls}.pop()


def test_an_interrupted_write_leaves_the_file_of_before(tmp_path: Path) -> None:
    out = tmp_path / "x.gguf"
    out.write_bytes(b"before")
    checkpoint = random_checkpoint()

    def interrupt() -> torch.Tensor:
        raise KeyboardInterrupt

    last = StoredTensor(shape=(280, 64), format="f32", read=interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_gguf(replace(checkpoint, tensors=checkpoint.tensors | {"output.weight": last}), out)
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]


def test_unusable_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match="format is 'q5_0', expected one of f32, f16, bf16, q8_0, q4_0, q6_k, q4_"
    ):
        write_gguf(random_checkpoint(), tmp_path / "x.gguf", "q5_0")
    with pytest.raises(CheckpointError, match="folder does not exist"):
        write_gguf(random_checkpoint(), tmp_path / "none" / "x.gguf")
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_gguf(random_checkpoint(), tmp_path)


def test_a_large_tensor_is_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gguf(random_checkpoint(), tmp_path / "whole.gguf", "q8_0")
    monkeypatch.setattr("minillama.checkpoint.tensors.QUANTIZED_AT_ONCE", 100)
    write_gguf(random_checkpoint(), tmp_path / "pieces.gguf", "q8_0")
    assert (tmp_path / "whole.gguf").read_bytes() == (tmp_path / "pieces.gguf").read_bytes()
