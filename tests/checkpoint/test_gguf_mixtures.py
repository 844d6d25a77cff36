"""Files of K-quants: which weight gets which format, as published files and llama.cpp's own quantizer have it."""

import ctypes
import logging
import platform
from collections import Counter
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from minillama.checkpoint.gguf import open_gguf
from minillama.checkpoint.gguf_mixtures import FILE_TYPES, QUANTIZED_TYPES, format_that_divides, matrix_format
from minillama.checkpoint.gguf_model import canonical_name
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.source import StoredTensor, tensor_shapes
from minillama.config import PRESETS, ModelConfig
from minillama.errors import CheckpointError
from minillama.quant.formats import FORMATS
from tests.checkpoint.gguf_files import SIZES, random_checkpoint

WIDE = ModelConfig(**{**SIZES, "dim": 256, "hidden_dim": 512, "n_layers": 5, "n_kv_heads": 4})


def formats(file_type: str, config: ModelConfig) -> dict[str, str]:
    return {name: matrix_format(file_type, name, config) for name, size in tensor_shapes(config).items() if size[1:]}


def test_numbers_are_llama_cpps() -> None:
    for name, number in FILE_TYPES.items():
        known = gguf.LlamaFileType(number).name.lower().removeprefix("mostly_").removeprefix("all_")
        assert known == {"q4_k": "q4_k_s"}.get(name, name)
    assert set(QUANTIZED_TYPES) == set(FILE_TYPES) - {"f32", "f16", "bf16"}


@pytest.mark.parametrize(("model", "q4_k", "q6_k"), [("llama-7b", 193, 33), ("tinyllama-1.1b", 135, 21)])
def test_q4_k_m_has_the_tensors_of_published_files(model: str, q4_k: int, q6_k: int) -> None:
    """The counts that llama.cpp prints when it loads Q4_K_M files of a LLaMA of 7B, and of TinyLlama."""
    assert Counter(formats("q4_k_m", PRESETS[model]).values()) == {"q4_k": q4_k, "q6_k": q6_k}


def test_q4_k_m_spends_on_the_matrix_of_the_logits() -> None:
    assert formats("q4_k_m", WIDE)["output.weight"] == "q6_k"
    assert formats("q4_k_m", WIDE)["tok_embeddings.weight"] == "q4_k"
    assert formats("q4_k_m", replace(WIDE, tied=True))["tok_embeddings.weight"] == "q6_k"


@pytest.mark.parametrize("name", [name for name in FILE_TYPES if name != "q4_k_m"])
def test_other_types_are_uniform(name: str) -> None:
    assert set(formats(name, WIDE).values()) == {name}


@pytest.mark.parametrize(
    ("wanted", "columns", "chosen"),
    [("q6_k", 512, "q6_k"), ("q6_k", 96, "q8_0"), ("q4_k", 172, "f16"), ("q4_0", 172, "f16"), ("f32", 3, "f32")],
)
def test_rows_that_do_not_divide_fall_back(wanted: str, columns: int, chosen: str) -> None:
    assert format_that_divides(wanted, columns) == chosen


def test_a_fallback_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = replace(WIDE, hidden_dim=288, n_layers=1)
    with caplog.at_level(logging.INFO):
        write_gguf(random_checkpoint(config), tmp_path / "x.gguf", "q4_k_m")
    found = {name: stored.format for name, stored in open_gguf(tmp_path / "x.gguf").tensors.items()}
    assert found["layers.0.feed_forward.w2.weight"] == "q8_0"
    assert found["layers.0.feed_forward.w1.weight"] == "q4_k"
    expected = "layers.0.feed_forward.w2.weight becomes q8_0: its rows of 288 do not divide into q6_k blocks of 256"
    assert [record.getMessage() for record in caplog.records] == [expected]


@pytest.mark.parametrize("name", ["q6_k", "q4_k_m", "q4_k"])
def test_the_gguf_package_sees_the_quantizers_bytes(tmp_path: Path, name: str) -> None:
    checkpoint = random_checkpoint(WIDE)
    write_gguf(checkpoint, tmp_path / "x.gguf", name)
    found = gguf.GGUFReader(tmp_path / "x.gguf")
    assert found.fields["general.file_type"].contents() == FILE_TYPES[name]
    matrices = {tensor.name: tensor for tensor in found.tensors if len(tensor.shape) == 2}
    assert len(matrices) == 2 + 7 * WIDE.n_layers
    for tensor in matrices.values():
        weight = canonical_name(tensor.name)
        assert weight is not None
        chosen = tensor.tensor_type.name.lower()
        assert chosen == matrix_format(name, weight, WIDE)
        quantize = FORMATS[chosen].quantize
        assert quantize is not None
        values = checkpoint.tensors[weight].read().numpy()  # type: ignore[union-attr]
        assert quantize(values).tobytes() == tensor.data.tobytes()


def test_blocks_that_fit_the_mixture_are_copied(tmp_path: Path) -> None:
    write_gguf(random_checkpoint(WIDE), tmp_path / "start.gguf", "q4_k_m")
    write_gguf(open_gguf(tmp_path / "start.gguf"), tmp_path / "again.gguf", "q4_k_m")
    start, again = (open_gguf(tmp_path / f"{name}.gguf").tensors for name in ("start", "again"))
    assert all(np.array_equal(again[name].read(), stored.read()) for name, stored in start.items())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("q4_k", 3e6, "more than q4_k can hold: keep f32 or bf16"),
        ("q6_k", 2e8, "more than q6_k can hold"),
        ("q4_k_m", float("nan"), "not a finite number"),
        ("q6_k", float("-inf"), "not a finite number"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, name: str, value: float, message: str) -> None:
    values = torch.zeros(256, 256)
    values[3, 5] = value
    checkpoint = random_checkpoint(WIDE)
    stored = StoredTensor(shape=(256, 256), format="f32", read=lambda: values)
    checkpoint = replace(checkpoint, tensors=checkpoint.tensors | {"layers.1.attention.wq.weight": stored})
    with pytest.raises(CheckpointError, match=message):
        write_gguf(checkpoint, tmp_path / "x.gguf", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", ["q6_k", "q4_k_m", "q4_k"])
def test_llama_cpp_writes_the_same_tensors(tmp_path: Path, name: str, tied: bool) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: make bench-deps")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("elsewhere compilers fuse ggml's products and sums, which rounds once instead of twice")
    checkpoint = random_checkpoint(replace(WIDE, tied=tied), "f16")
    write_gguf(checkpoint, tmp_path / "start.gguf", "f16")
    write_gguf(checkpoint, tmp_path / "ours.gguf", name)
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.nthread = FILE_TYPES[name], 1
    if name == "q4_k":
        options.pure, options.output_tensor_type, options.token_embedding_type = True, 12, 12
    start, theirs = str(tmp_path / "start.gguf").encode(), str(tmp_path / "theirs.gguf").encode()
    assert llama_cpp.llama_model_quantize(start, theirs, ctypes.byref(options)) == 0
    ours, expected = gguf.GGUFReader(tmp_path / "ours.gguf"), gguf.GGUFReader(tmp_path / "theirs.gguf")
    assert ours.fields["general.file_type"].contents() == expected.fields["general.file_type"].contents()
    found = {tensor.name: tensor for tensor in ours.tensors}
    assert len(found) == len(expected.tensors)
    for tensor in expected.tensors:
        assert found[tensor.name].tensor_type == tensor.tensor_type
        assert np.array_equal(found[tensor.name].data, tensor.data)
