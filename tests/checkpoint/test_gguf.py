"""The GGUF reader, on files of the gguf package and of our own writer."""

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from minillama.checkpoint.gguf import open_gguf
from minillama.checkpoint.gguf_format import parse_header
from minillama.checkpoint.gguf_model import canonical_name, gguf_name
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.source import Checkpoint, tensor_shapes
from minillama.config import ModelConfig, RopeScaling
from minillama.errors import CheckpointError
from minillama.quant.formats import FORMATS
from tests.checkpoint.gguf_files import CONFIG, SIZES, encode_gguf, random_checkpoint, split_gguf

HPARAMS = {
    "general.architecture": "llama",
    "llama.context_length": 128,
    "llama.embedding_length": 64,
    "llama.block_count": 1,
    "llama.feed_forward_length": 96,
    "llama.attention.head_count": 4,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(random_checkpoint(), path, "f16")
    return path


def tiny_tensors(**more: tuple) -> dict:
    """One block's worth of empty tensors, as encode_gguf takes them."""
    config = ModelConfig(**{**SIZES, "n_layers": 1, "n_kv_heads": 4}, tied=True)
    shapes = {gguf_name(name): shape for name, shape in tensor_shapes(config).items()}
    return {name: (shape, 1, bytes(2 * int(np.prod(shape)))) for name, shape in shapes.items()} | more


def opened(tmp_path: Path, raw: bytes) -> Checkpoint:
    path = tmp_path / "x.gguf"
    path.write_bytes(raw)
    return open_gguf(path)


def test_names_go_both_ways() -> None:
    for name in tensor_shapes(CONFIG):
        assert canonical_name(gguf_name(name)) == name
    for name in ("blk.01.attn_q.weight", "blk.x.attn_q.weight", "blk.1.attn_q.bias", "blk..attn_q.weight", "v.blk", ""):
        assert canonical_name(name) is None


def test_reads_what_the_gguf_package_writes(tmp_path: Path) -> None:
    """Every block format, stored by the package's own writer, comes back with its bytes."""
    rng = np.random.default_rng(0)
    config = ModelConfig(**{**SIZES, "dim": 256, "hidden_dim": 256, "n_layers": len(FORMATS)}, tied=True)
    path = tmp_path / "theirs.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(256)
    writer.add_block_count(config.n_layers)
    writer.add_feed_forward_length(256)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(5e5)
    writer.add_rope_dimension_count(64)
    writer.add_custom_alignment(64)
    stored = {}
    for name, shape in tensor_shapes(config).items():
        if len(shape) == 1:
            stored[name] = rng.standard_normal(shape, dtype=np.float32)
            writer.add_tensor(gguf_name(name), stored[name])
            continue
        layer = int(name.split(".")[1]) if name.startswith("layers.") else 0
        block_format = list(FORMATS.values())[layer]
        row = shape[1] // block_format.block_size * block_format.block_bytes
        stored[name] = rng.integers(0, 60, (shape[0], row), dtype=np.uint8)
        kind = gguf.GGMLQuantizationType(block_format.ggml_type)
        data = stored[name] if layer > 1 else stored[name].view((np.float32, np.float16)[layer])
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind if layer > 1 else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    checkpoint = open_gguf(path)
    assert checkpoint.config == ModelConfig(
        **{**SIZES, "dim": 256, "hidden_dim": 256, "n_layers": len(FORMATS)}, norm_eps=1e-6, rope_theta=5e5, tied=True
    )
    assert list(checkpoint.tensors) == list(tensor_shapes(config))
    assert {tensor.format for tensor in checkpoint.tensors.values()} == set(FORMATS)
    for name, tensor in checkpoint.tensors.items():
        data = tensor.read()
        if isinstance(data, torch.Tensor):
            assert tuple(data.shape) == tensor.shape
            raw = data.view(torch.uint8).numpy()
        else:
            assert not data.flags.writeable
            raw = data
        np.testing.assert_array_equal(raw.reshape(-1), stored[name].reshape(-1).view(np.uint8), err_msg=name)


def test_missing_keys_take_the_published_defaults(tmp_path: Path) -> None:
    config = opened(tmp_path, encode_gguf(HPARAMS, tiny_tensors())).config
    assert (config.n_kv_heads, config.head_dim, config.rope_theta, config.norm_eps) == (4, 16, 10_000.0, 1e-5)
    assert (config.sliding_window, config.rope_scaling, config.tied) == (None, None, True)


def test_version_2_and_every_metadata_type(tmp_path: Path) -> None:
    codes = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    extra = {f"x.{kind}": struct.pack("<I" + code, kind, 1) for kind, code in codes.items()}
    extra |= {f"x.array.{kind}": struct.pack(f"<IIQ3{code}", 9, kind, 3, 1, 0, 1) for kind, code in codes.items()}
    inner = struct.pack("<IQ2H", 2, 2, 7, 8)
    extra["x.nested"] = struct.pack("<IIQ", 9, 9, 2) + inner + inner
    raw = encode_gguf(HPARAMS | extra, tiny_tensors(), version=2)
    opened(tmp_path, raw)
    metadata = parse_header(raw).metadata
    assert all(metadata[f"x.{kind}"] == 1 for kind in codes)
    assert all(metadata[f"x.array.{kind}"].tolist() == [1, 0, 1] for kind in codes)  # type: ignore[union-attr]
    assert [part.tolist() for part in metadata["x.nested"]] == [[7, 8], [7, 8]]  # type: ignore[union-attr]


def test_strings_that_are_not_utf8_are_mended_in_values_and_refused_in_names(tmp_path: Path) -> None:
    raw = encode_gguf(HPARAMS | {"x": struct.pack("<IQ", 8, 2) + b"a\xff"}, {})
    assert parse_header(raw).metadata["x"] == "a\ufffd"
    with pytest.raises(CheckpointError, match="expected UTF-8"):
        parse_header(raw.replace(b"llama.context", b"llama\xffcontext"))
    with pytest.raises(CheckpointError, match="printable"):
        parse_header(raw.replace(b"llama.context", b"llama\ncontext"))


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_divisors_of_llama3_are_recognised(tmp_path: Path, factor: float) -> None:
    scaling = RopeScaling(kind="llama3", factor=factor)
    config = ModelConfig(**SIZES, rope_theta=5e5, rope_scaling=scaling)
    write_gguf(random_checkpoint(config), tmp_path / "x.gguf")
    assert open_gguf(tmp_path / "x.gguf").config == config


def test_divisors_that_llama_cpp_writes_are_llama3s(tmp_path: Path) -> None:
    """Computed as llama.cpp's converter does, in float32, from the settings of Llama 3.1."""
    factors = []
    for i in range(0, 16, 2):
        frequency = 1.0 / (500_000.0 ** (i / 16))
        wavelength = 2 * np.pi / frequency
        smooth = (8192 / wavelength - 1) / 3
        kept = 1 if wavelength < 8192 / 4 else 1 / ((1 - smooth) / 8 + smooth)
        factors.append(8 if wavelength > 8192 else kept)
    raw = np.array(factors, np.float32).tobytes()
    tensors = tiny_tensors() | {"rope_freqs.weight": ((8,), 0, raw)}
    config = opened(tmp_path, encode_gguf(HPARAMS | {"llama.rope.freq_base": 5e5}, tensors)).config
    assert config.rope_scaling == RopeScaling(kind="llama3", factor=8.0)


def test_other_divisors_stay_as_they_are(tmp_path: Path) -> None:
    divisors = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
    for values, expected in ((divisors, RopeScaling(kind="divisors", divisors=divisors)), ((1.0,) * 8, None)):
        tensors = tiny_tensors() | {"rope_freqs.weight": ((8,), 0, np.array(values, np.float32).tobytes())}
        assert opened(tmp_path, encode_gguf(HPARAMS, tensors)).config.rope_scaling == expected


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("general.architecture", "qwen2", "architecture is 'qwen2', expected 'llama'"),
        ("general.architecture", np.array([1, 2], np.int32), "architecture is a ndarray, expected 'llama'"),
        ("general.architecture", "x\n" * 99, r"architecture is 'x\\nx\\n"),
        ("general.alignment", "x\n", r"general.alignment is 'x\\n'"),
        ("llama.expert_count", 8, "mixture of 8 experts"),
        ("llama.rope.scaling.type", "yarn", "'yarn', expected none or linear"),
        ("llama.rope.dimension_count", 8, "dimension_count is 8, expected the head size 16"),
        ("llama.attention.value_length", 8, "value_length is 8, expected the head size 16"),
        ("llama.attention.head_count", np.array([4, 4], np.int32), "ndarray, expected a whole number"),
        ("llama.attention.head_count", 0, "n_heads is 0"),
        ("llama.embedding_length", "64", "is a str, expected a whole number"),
        ("llama.block_count", 1 << 23, "holds 1 layers, but its header says"),
        ("llama.block_count", 0xFFFFFFFF, "n_layers is 4294967295"),
        ("llama.rope.freq_base", float("nan"), "rope_theta is nan"),
        ("llama.attention.layer_norm_rms_epsilon", float("inf"), "norm_eps is inf"),
        ("general.alignment", 3, "general.alignment is 3"),
        ("general.alignment", 0, "general.alignment is 0"),
    ],
)
def test_unusable_metadata_are_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        opened(tmp_path, encode_gguf(HPARAMS | {key: value}, tiny_tensors()))
    assert "\n" not in str(caught.value)
    assert "x.gguf: " in str(caught.value)


def test_linear_scaling_in_both_spellings(tmp_path: Path) -> None:
    linear = RopeScaling(kind="linear", factor=4.0)
    typed = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    for keys in (typed, {"llama.rope.scale_linear": 4.0}):
        assert opened(tmp_path, encode_gguf(HPARAMS | keys, tiny_tensors())).config.rope_scaling == linear


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"blk.0.attn_q.bias": ((64,), 0, bytes(256))}, "attn_q.bias, which no LLaMA has"),
        ({"token_embd.weight": ((280, 64), 10, bytes(64))}, "stored as q2_k, expected one of f32"),
        ({"token_embd.weight": ((280, 64), 99, bytes(64))}, "unknown type 99"),
        ({"token_embd.weight": ((280, 64), 14, bytes(64))}, "rows of a multiple of 256 for q6_k"),
        ({"token_embd.weight": ((280, 0), 1, b"")}, "has shape"),
        ({"token_embd.weight": ((), 1, b"")}, "has shape"),
        ({"token_embd.weight": ((1 << 63, 1 << 62, 1 << 61), 1, b"")}, "cut off or damaged"),
        ({"token_embd.weight": ((280, 64, 2), 1, bytes(280 * 256))}, "no matrix token_embd.weight"),
        ({"output_norm.weight": ((63,), 0, bytes(252))}, r"norm.weight has shape \(63,\), expected \(64,\)"),
        ({"rope_freqs.weight": ((7,), 0, bytes(28))}, "rope_freqs.weight is f32 of shape"),
        ({"rope_freqs.weight": ((8,), 0, bytes(32))}, "divisors hold a value that is not"),
    ],
)
def test_unusable_tensors_are_refused(tmp_path: Path, tensors: dict, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        opened(tmp_path, encode_gguf(HPARAMS, tiny_tensors() | tensors))


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    tensors = tiny_tensors()
    del tensors["blk.0.ffn_up.weight"]
    with pytest.raises(CheckpointError, match=r"layers.0.feed_forward.w3.weight is missing"):
        opened(tmp_path, encode_gguf(HPARAMS, tensors))


def test_offsets_must_be_aligned_and_apart() -> None:
    raw = encode_gguf({}, {"a": ((32,), 0, bytes(128)), "b": ((32,), 0, bytes(128))})
    at = raw.index(struct.pack("<IQ", 0, 128)) + 4
    for start, message in (
        (96, "tensors a and b share bytes"),
        (130, "multiple of 32"),
        (160, "ends at"),
        (1 << 63, "ends at"),
    ):
        with pytest.raises(CheckpointError, match=message):
            parse_header(raw[:at] + struct.pack("<Q", start) + raw[at + 8 :])
    assert parse_header(raw[:at] + struct.pack("<Q", 128) + raw[at + 8 :]).tensors["b"].shape == (32,)


def test_names_must_differ() -> None:
    twice = encode_gguf({"k1": 1, "k2": 2}, {"a1": ((32,), 0, bytes(128)), "a2": ((32,), 0, bytes(128))})
    with pytest.raises(CheckpointError, match="key k1 twice"):
        parse_header(twice.replace(b"k2", b"k1"))
    with pytest.raises(CheckpointError, match="tensor a1 twice"):
        parse_header(twice.replace(b"a2", b"a1"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "cannot be mapped"),
        (b"GG", "starts with b'GG'"),
        (b"ggjt" + bytes(60), "starts with b'ggjt', expected b'GGUF'"),
        (b"<html><head>", "starts with b'<htm'"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1 GGUF"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 4, 0, 0), "version 4 GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "more than its size allows"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "more than its size allows"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62) + bytes(40), "bytes in a string"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 0, 1 << 40) + bytes(40), "numbers in an array"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 8, 1 << 40) + bytes(40), "items in an array"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQQ", 3, 0, 1, 1, b"k", 9, 8, 2, 1 << 63) + bytes(40), "asks for"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 13) + bytes(40), "value of type 13"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 9) + struct.pack("<IQ", 9, 1) * 9, "in 4 arrays"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "token_embd.weight: it is no whole model"),
    ],
)
def test_damaged_headers_are_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        opened(tmp_path, raw)


def test_a_header_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode_gguf({"a" * 60: "b" * 60, "c": "d"}, {})
    parse_header(raw)
    monkeypatch.setattr("minillama.checkpoint.gguf_format.MAX_HEADER_BYTES", 160)
    with pytest.raises(CheckpointError, match="more than a header of 160 bytes allows"):
        parse_header(raw)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(CheckpointError):
            open_gguf(path)


def test_a_file_cut_off_anywhere_is_refused(written: Path) -> None:
    raw = written.read_bytes()
    places = {*range(0, len(raw), len(raw) // 150), *range(200), len(raw) - 1, len(raw) - 40}
    for place in places:
        with pytest.raises(CheckpointError):
            parse_header(raw[:place])


def test_any_part_of_a_split_file_opens_all(written: Path) -> None:
    whole = open_gguf(written)
    parts = split_gguf(written, 3)
    for part in parts:
        checkpoint = open_gguf(part)
        assert checkpoint.config == whole.config
        for name, tensor in whole.tensors.items():
            assert torch.equal(checkpoint.tensors[name].read(), tensor.read()), name  # type: ignore[arg-type]
        assert checkpoint.tokenizer().encode("ab") == whole.tokenizer().encode("ab")


def test_parts_that_are_missing_renamed_or_swapped_are_refused(written: Path, tmp_path: Path) -> None:
    source = tmp_path / written.name
    source.write_bytes(written.read_bytes())
    first, second, third = split_gguf(source, 3)
    moved = second.rename(tmp_path / "elsewhere.gguf")
    with pytest.raises(CheckpointError, match=r"model-00002-of-00003.gguf: part 2 of 3 is missing"):
        open_gguf(third)
    with pytest.raises(CheckpointError, match=r"elsewhere.gguf: is one of 3 parts"):
        open_gguf(moved)
    second.write_bytes(third.read_bytes())
    with pytest.raises(CheckpointError, match="does not say that it is part 2 of 3"):
        open_gguf(first)
    second.write_bytes(moved.read_bytes().replace(b"blk.0.ffn_up.weight", b"blk.9.ffn_up.weight"))
    with pytest.raises(CheckpointError, match="holds 3 layers"):
        open_gguf(first)
    second.write_bytes(moved.read_bytes().replace(b"blk.0.ffn_up.weight", b"blk.0.attn_q.weight"))
    with pytest.raises(CheckpointError, match="hold the same tensor"):
        open_gguf(first)
    array = struct.pack("<IIQ2I", 9, 4, 2, 1, 1)
    second.write_bytes(encode_gguf({"split.no": array, "split.count": struct.pack("<IH", 2, 3)}, {}))
    with pytest.raises(CheckpointError, match="does not say that it is part 2 of 3"):
        open_gguf(first)
    second.write_bytes(moved.read_bytes())
    first.write_bytes(first.read_bytes().replace(struct.pack("<Ii", 5, 21), struct.pack("<Ii", 5, 22)))
    with pytest.raises(CheckpointError, match="parts hold 21 tensors, expected 22"):
        open_gguf(third)


def test_floats_are_mapped_and_writing_never_reaches_the_file(tmp_path: Path) -> None:
    write_gguf(random_checkpoint(), tmp_path / "x.gguf", "bf16")
    before = (tmp_path / "x.gguf").read_bytes()
    weight = open_gguf(tmp_path / "x.gguf").tensors["layers.1.attention.wq.weight"].read()
    assert isinstance(weight, torch.Tensor)
    assert weight.dtype == torch.bfloat16
    weight.zero_()
    assert (tmp_path / "x.gguf").read_bytes() == before
