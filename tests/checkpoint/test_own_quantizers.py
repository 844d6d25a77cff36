"""A learner's quantizers and reader of Q4_0 in the package's place, against ggml's bytes."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

import minillama
from minillama.checkpoint import quantize
from minillama.checkpoint.bundled import bundled_model
from minillama.errors import ShapeError
from minillama.quant.formats import FORMATS

FOUR = """
import numpy as np

def quantize_q4_0(x):
    blocks = x.reshape(len(x), -1, 32)
    at = np.abs(blocks).argmax(axis=2)[..., None]
    d = np.take_along_axis(blocks, at, axis=2) / np.float32(-8)
    inverse = np.divide(np.float32(1), d, out=np.zeros_like(d), where=d != 0)
    codes = np.minimum(blocks * inverse + np.float32(8.5), 15).astype(np.uint8)
    packed = codes[..., :16] | (codes[..., 16:] << 4)
    return np.concatenate([d.astype(np.float16).view(np.uint8), packed], axis=2).reshape(len(x), -1)
"""
EIGHT = """
import numpy as np

def quantize_q8_0(x):
    blocks = x.reshape(len(x), -1, 32)
    d = np.abs(blocks).max(axis=2, keepdims=True) / np.float32(127)
    steps = blocks * np.divide(np.float32(1), d, out=np.zeros_like(d), where=d > 0)
    codes = np.copysign(np.floor(np.abs(steps) + np.float32(0.5)), steps).astype(np.int8)
    return np.concatenate([d.astype(np.float16).view(np.uint8), codes.view(np.uint8)], axis=2).reshape(len(x), -1)
"""
READ = """
import numpy as np

def dequantize_q4_0(blocks):
    stored = blocks.reshape(-1, 18)
    codes = np.concatenate([stored[:, 2:] & 15, stored[:, 2:] >> 4], axis=1).astype(np.float64) - 8
    return (stored[:, :2].copy().view(np.float16).astype(np.float64) * codes).reshape(len(blocks), -1)
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "my_llama" / "quant"
    folder.mkdir(parents=True)
    for name, source in (("quantize_q4_0", FOUR), ("quantize_q8_0", EIGHT), ("dequantize_q4_0", READ)):
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return folder.parent


@pytest.mark.parametrize("type", ["q4_0", "q8_0"])
def test_a_file_of_ones_own_blocks_is_ggmls_byte_for_byte(type: str, mine: Path, tmp_path: Path) -> None:
    own = quantize(bundled_model(), tmp_path / "own.gguf", type, pieces=mine)
    assert own.read_bytes() == quantize(bundled_model(), tmp_path / "theirs.gguf", type).read_bytes()
    ggml_type = gguf.GGMLQuantizationType(FORMATS[type].ggml_type)
    before = {each.name: each for each in gguf.GGUFReader(bundled_model()).tensors}
    matrices = [each for each in gguf.GGUFReader(own).tensors if each.tensor_type == ggml_type]
    assert len(matrices) == 4 * 7 + 1
    for each in matrices:
        weights = gguf.dequantize(before[each.name].data, before[each.name].tensor_type)
        np.testing.assert_array_equal(each.data, gguf.quantize(weights.astype(np.float32), ggml_type), each.name)


def test_a_quantizer_that_is_not_the_packages_shows_in_the_file(mine: Path, tmp_path: Path) -> None:
    path = mine / "quant" / "quantize_q4_0.py"
    path.write_text(FOUR.replace("8.5", "8"), encoding="utf-8")
    own = quantize(bundled_model(), tmp_path / "own.gguf", "q4_0", pieces=str(mine))
    assert own.read_bytes() != quantize(bundled_model(), tmp_path / "theirs.gguf", "q4_0").read_bytes()


def test_a_quantizer_of_another_shape_is_named(mine: Path, tmp_path: Path) -> None:
    path = mine / "quant" / "quantize_q4_0.py"
    path.write_text("def quantize_q4_0(x):\n    return x\n", encoding="utf-8")
    with pytest.raises(ShapeError, match=r"quantize_q4_0 gave float32 of shape .* expected uint8 of shape"):
        quantize(bundled_model(), tmp_path / "own.gguf", "q4_0", pieces=mine)
    assert not (tmp_path / "own.gguf").exists()


def test_a_loaded_model_is_quantized_and_read_by_ones_own(mine: Path) -> None:
    tokens = torch.arange(5, 25)[None]
    own, _ = minillama.load(quant="q4_0", pieces=mine)
    theirs, _ = minillama.load(quant="q4_0", pieces=minillama.Pieces())
    assert own.layers[0].feed_forward.w1.matrix.dequantize.__module__ == "my_llama.quant.dequantize_q4_0"
    torch.testing.assert_close(own(tokens), theirs(tokens))
    (mine / "quant" / "dequantize_q4_0.py").write_text(READ.replace("- 8", "- 7"), encoding="utf-8")
    wrong, _ = minillama.load(quant="q4_0", pieces=mine)
    assert (wrong(tokens) - theirs(tokens)).abs().max() > 1
    (mine / "quant" / "dequantize_q4_0.py").write_text("def dequantize_q4_0(b):\n    return b\n", encoding="utf-8")
    with pytest.raises(ShapeError, match="dequantize_q4_0 gave uint8"):
        minillama.load(quant="q4_0", pieces=mine)[0](tokens)
