"""Quantized layers against the dense layers of the same, dequantized weights."""

import tracemalloc
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from minillama.errors import ShapeError
from minillama.quant import linear
from minillama.quant.formats import FORMATS, row_bytes
from minillama.quant.kernels import ladder_int8
from minillama.quant.kernels.matmul import matmul
from minillama.quant.kernels.packing import pack
from minillama.quant.linear import QuantEmbedding, QuantLinear


def random_blocks(format: str, rows: int, columns: int) -> np.ndarray:
    """Blocks whose scales are small numbers: bytes below 60 make no large float16."""
    rng = np.random.default_rng(0)
    if quantize := FORMATS[format].quantize:
        return quantize(rng.standard_normal((rows, columns), dtype=np.float32))
    return rng.integers(20, 50, (rows, row_bytes(format, columns)), dtype=np.uint8)


def dense(blocks: np.ndarray, format: str, rows: int) -> torch.Tensor:
    kind = gguf.GGMLQuantizationType(FORMATS[format].ggml_type)
    return torch.from_numpy(np.array(gguf.dequantize(blocks, kind).reshape(rows, -1)))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "VALUES_AT_ONCE", 512 * 7)


@pytest.mark.parametrize("format", FORMATS)
def test_linear_and_its_gradient_equal_the_dense_ones(format: str) -> None:
    blocks = random_blocks(format, 45, 512)
    weight = dense(blocks, format, 45)
    layer = QuantLinear(blocks, format, (45, 512))
    x = torch.randn(2, 3, 512, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = x.detach().clone().requires_grad_()
    ours, theirs = layer(x), torch.nn.functional.linear(y, weight)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * theirs.abs().max().item())
    (ours**2).sum().backward()
    (theirs**2).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-5, atol=1e-5 * y.grad.abs().max().item())


@pytest.mark.parametrize("format", FORMATS)
def test_embedding_looks_rows_up(format: str) -> None:
    blocks = random_blocks(format, 20, 256)
    layer = QuantEmbedding(blocks, format, (20, 256))
    tokens = torch.tensor([[0, 19, 3], [3, 3, 7]])
    assert torch.equal(layer(tokens), torch.nn.functional.embedding(tokens, dense(blocks, format, 20)))
    assert QuantEmbedding(blocks, format, (20, 256), torch.bfloat16)(tokens).dtype == torch.bfloat16
    assert layer.weight_bytes == blocks.nbytes


def test_dtype_of_the_input_is_kept_and_small_inputs_work() -> None:
    layer = QuantLinear(random_blocks("q4_0", 8, 64), "q4_0", (8, 64))
    for dtype in (torch.bfloat16, torch.float16, torch.float64, torch.float32):
        assert layer(torch.ones(64, dtype=dtype)).dtype == dtype
    assert layer(torch.ones(0, 64)).shape == (0, 8)
    assert layer(torch.ones(64)).shape == (8,)
    assert QuantEmbedding(random_blocks("q4_0", 8, 64), "q4_0", (8, 64))(torch.zeros(1, 0, dtype=int)).shape == (
        1,
        0,
        64,
    )


def test_a_read_only_map_of_a_file_is_used_where_it_lies(tmp_path: Path) -> None:
    blocks = random_blocks("q8_0", 40, 64)
    blocks.tofile(tmp_path / "blocks")
    mapped = np.memmap(tmp_path / "blocks", np.uint8, mode="r", shape=blocks.shape)
    layer = QuantLinear(mapped, "q8_0", (40, 64))
    x = torch.ones(2, 64)
    assert torch.equal(layer(x), QuantLinear(blocks, "q8_0", (40, 64))(x))
    assert layer.matrix.blocks is mapped
    assert list(layer.parameters()) == []


def test_the_whole_matrix_is_never_dequantized() -> None:
    rows, columns = 4096, 512
    layer = QuantLinear(random_blocks("q4_0", rows, columns), "q4_0", (rows, columns))
    x = torch.ones(1, columns, requires_grad=True)
    tracemalloc.start()
    try:
        layer(x).sum().backward()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < rows * columns * 4 / 20


def test_wrong_shapes_are_refused() -> None:
    blocks = random_blocks("q4_0", 8, 64)
    with pytest.raises(ShapeError, match=r"blocks has shape \(8, 36\), expected \(8, 18\)"):
        QuantLinear(blocks, "q4_0", (8, 32))
    with pytest.raises(ShapeError, match="blocks are int8, expected uint8"):
        QuantLinear(blocks.view(np.int8), "q4_0", (8, 64))
    with pytest.raises(ShapeError, match="format is 'q7'"):
        QuantEmbedding(blocks, "q7", (8, 64))
    with pytest.raises(ShapeError, match=r"x has shape \(63\), expected \(64\)"):
        QuantLinear(blocks, "q4_0", (8, 64))(torch.ones(2, 63))
    for token in (-1, 8):
        with pytest.raises(ShapeError, match="expected 0 to 7"):
            QuantEmbedding(blocks, "q4_0", (8, 64))(torch.tensor([token]))


def test_repr_says_sizes_and_format() -> None:
    assert repr(QuantLinear(random_blocks("q4_0", 8, 64), "q4_0", (8, 64))) == "QuantLinear(64, 8, q4_0)"


# Kernels that are plugged in


def test_kernels_that_are_plugged_in_multiply_one_token_and_many() -> None:
    blocks, shape = random_blocks("q4_0", 37, 96), (37, 96)
    layer = QuantLinear(blocks, "q4_0", shape, matvec=ladder_int8.matvec_q4, pack_rows=ladder_int8.pack_rows)
    x = torch.randn(5, 96, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(x[:1]), torch.from_numpy(ladder_int8.matvec_q4(blocks, x[0].numpy()))[None])
    assert torch.equal(layer(x), torch.from_numpy(matmul(pack(blocks, "q4_0", shape), x.numpy())))
    packed_only = QuantLinear(blocks, "q4_0", shape, pack_rows=ladder_int8.pack_rows)
    torch.testing.assert_close(packed_only(x[:1]), layer(x[:1]))
    assert layer(x.bfloat16()).dtype == torch.bfloat16
    assert layer(torch.ones(0, 96)).shape == (0, 37)


def test_gradients_pass_kernels_that_are_plugged_in() -> None:
    blocks = random_blocks("q4_0", 16, 64)
    x = torch.randn(1, 64, requires_grad=True)
    QuantLinear(blocks, "q4_0", (16, 64), matvec=ladder_int8.matvec_q4, pack_rows=ladder_int8.pack_rows)(
        x
    ).sum().backward()
    torch.testing.assert_close(x.grad, dense(blocks, "q4_0", 16).sum(0, keepdim=True))


def test_a_kernel_never_gets_a_memory_map_of_its_own_kind(tmp_path: Path) -> None:
    blocks = random_blocks("q8_0", 4, 64)
    blocks.tofile(tmp_path / "blocks")
    mapped = np.memmap(tmp_path / "blocks", np.uint8, mode="r", shape=blocks.shape)
    seen: list[type] = []

    def matvec(given: np.ndarray, x: np.ndarray) -> np.ndarray:
        seen.append(type(given))
        return ladder_int8.matvec_q8(given, x)

    QuantLinear(mapped, "q8_0", (4, 64), matvec=matvec)(torch.ones(64))
    assert seen == [np.ndarray]


def test_kernels_that_give_something_else_are_refused() -> None:
    blocks = random_blocks("q4_0", 16, 64)
    with pytest.raises(ShapeError, match=r"what the kernel gave has shape \(15\), expected \(16\)"):
        QuantLinear(blocks, "q4_0", (16, 64), matvec=lambda blocks, x: np.zeros(15))(torch.ones(64))
    with pytest.raises(ShapeError, match=r"what pack_rows gave has shape \(1, 575\), expected \(1, 576\)"):
        QuantLinear(blocks, "q4_0", (16, 64), pack_rows=lambda blocks: np.zeros((1, 575), np.uint8))
    with pytest.raises(ShapeError, match="pack_rows gave int8, expected uint8"):
        QuantLinear(blocks, "q4_0", (16, 64), pack_rows=lambda blocks: np.zeros((1, 576), np.int8))
