"""Quantized matrices inside the torch model: a few rows at a time become float32, are used, and are forgotten.

They hold no parameters: a quantized model is read, not trained. Gradients flow through to the input, so that adapters
can be trained on a quantized base (Dettmers et al. 2023, "QLoRA", section 3). The fast kernels are elsewhere; these
modules run on any CPU and are what the kernels are compared with. Kernels of a learner's can be plugged in: one that
multiplies a single token, and one that lays rows out for the fast products of many.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from minillama.errors import ShapeError
from minillama.quant.formats import FORMATS, row_bytes
from minillama.quant.kernels.floats import COMPILED
from minillama.quant.kernels.layout import BLOCK, FORMAT_NUMBERS, PackedMatrix, group_bytes
from minillama.quant.kernels.matmul import matmul
from minillama.quant.pages import in_own_pages
from minillama.shapes import check_shape

Dequantize = Callable[[np.ndarray], np.ndarray]
Matvec = Callable[[np.ndarray, np.ndarray], np.ndarray]
PackRows = Callable[[np.ndarray], np.ndarray]

VALUES_AT_ONCE = 1 << 22  # 16 MB of float32: few enough pieces that threads seldom wait for each other


def packed_by(pack_rows: PackRows, blocks: np.ndarray, format: str, shape: tuple[int, int]) -> PackedMatrix:
    """What somebody's `pack_rows` makes of a matrix, where the kernels can read it.

    Raises:
        ShapeError: it gives other groups than layout.py draws; of what is in them it can only be wrong, not too short.
    """
    groups = np.asarray(pack_rows(blocks))
    if groups.dtype != np.uint8:
        raise ShapeError(f"pack_rows gave {groups.dtype}, expected uint8")
    packed = PackedMatrix(format=format, shape=shape, data=groups)
    size = group_bytes(FORMAT_NUMBERS[format], shape[1] // BLOCK)
    check_shape("what pack_rows gave", groups.shape, (packed.n_groups, size))
    return PackedMatrix(format=format, shape=shape, data=in_own_pages(groups.reshape(-1)))


class QuantMatrix:
    """A matrix (N, K) kept as blocks.

    Args:
        blocks: uint8 (N, row_bytes), a read-only memory map as well.
        format: a key of FORMATS.
        shape: (N, K).
        dequantize: makes floats of rows of blocks in the place of the format's own functions.
        matvec: (blocks, x float32 (K,)) -> float32 (N,), multiplies where there is one x; None dequantizes.
        pack_rows: blocks -> groups of 16 rows (layout.py), which the fast kernels multiply where `matvec` does not;
            None dequantizes.

    Raises:
        ShapeError: an unknown format, or blocks of another size than the format has for this shape.
    """

    def __init__(
        self,
        blocks: np.ndarray,
        format: str,
        shape: tuple[int, int],
        dequantize: Dequantize | None = None,
        matvec: Matvec | None = None,
        pack_rows: PackRows | None = None,
    ) -> None:
        if blocks.dtype != np.uint8:
            raise ShapeError(f"blocks are {blocks.dtype}, expected uint8")
        check_shape("blocks", blocks.shape, (shape[0], row_bytes(format, shape[1])))
        self.blocks = blocks
        self.format = format
        self.shape = shape
        self.dequantize = dequantize
        self.matvec = matvec
        self.packed = None if pack_rows is None else packed_by(pack_rows, np.asarray(blocks), format, shape)

    def rows(self, which: slice | np.ndarray) -> Tensor:
        """Some rows as float32 (n, K), in memory of their own.

        Raises:
            ShapeError: a `dequantize` that was given makes something else of them.
        """
        blocks = self.blocks[which]
        if self.dequantize is not None:
            made = np.asarray(self.dequantize(blocks.copy()))
            if made.shape != (len(blocks), self.shape[1]) or made.dtype.kind != "f":
                wanted = (len(blocks), self.shape[1])
                raise ShapeError(f"dequantize_{self.format} gave {made.dtype} {made.shape}, expected floats {wanted}")
            return torch.from_numpy(np.ascontiguousarray(made, np.float32))
        if self.format in COMPILED and blocks.flags.c_contiguous:
            out = np.empty((len(blocks), self.shape[1]), np.float32)
            COMPILED[self.format](blocks, out)
            return torch.from_numpy(out)
        values = FORMATS[self.format].dequantize(blocks)
        return torch.from_numpy(values if values.flags.writeable else values.copy())  # f32 rows need no dequantizing

    def pieces(self) -> list[slice]:
        """Slices of some rows each that cover the matrix."""
        step = max(1, VALUES_AT_ONCE // self.shape[1])
        return [slice(start, min(start + step, self.shape[0])) for start in range(0, self.shape[0], step)]

    def times(self, x: Tensor) -> Tensor:
        """x W^T: float (M, K) -> (M, N) of the same dtype, by a kernel that is plugged in, else with W made in pieces.

        Raises:
            ShapeError: a kernel gives something else than (N,).
        """
        if self.matvec is not None and len(x) == 1:
            y = np.asarray(self.matvec(np.asarray(self.blocks), x[0].detach().float().numpy()), np.float32)
            check_shape("what the kernel gave", y.shape, self.shape[:1])
            return torch.from_numpy(y)[None].to(x.dtype)
        if self.packed is not None:
            return torch.from_numpy(matmul(self.packed, x.detach().float().numpy())).to(x.dtype)
        out = x.new_empty(len(x), self.shape[0])
        for piece in self.pieces():
            out[:, piece] = x @ self.rows(piece).to(x.dtype).T
        return out

    def times_back(self, grad: Tensor) -> Tensor:
        """grad W, which brings a gradient from the outputs to the inputs: (M, N) -> float32 (M, K)."""
        out = torch.zeros(len(grad), self.shape[1])
        for piece in self.pieces():
            out += grad[:, piece] @ self.rows(piece).to(grad.dtype)
        return out


class _Product(torch.autograd.Function):
    """x W^T, with a gradient for x; neither way holds the whole of W as floats."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, matrix: QuantMatrix) -> Tensor:
        ctx.matrix = matrix  # type: ignore[attr-defined]
        return matrix.times(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        matrix: QuantMatrix = ctx.matrix  # type: ignore[attr-defined]
        return matrix.times_back(grad), None


class QuantLinear(nn.Module):
    """A linear layer without bias whose matrix is quantized: x (..., K) -> (..., N).

    Args:
        blocks: uint8 (N, row_bytes), a read-only memory map as well.
        format: a key of FORMATS, "q4_0" for one.
        shape: (N, K).
        dequantize, matvec, pack_rows: what to plug in, see QuantMatrix.

    Raises:
        ShapeError: blocks of another size than the format has for this shape, or groups of another than layout.py.

    >>> from minillama.quant.formats import quantize_q8_0
    >>> layer = QuantLinear(quantize_q8_0(np.ones((3, 32), np.float32)), "q8_0", (3, 32))
    >>> layer(torch.ones(2, 32)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        blocks: np.ndarray,
        format: str,
        shape: tuple[int, int],
        dequantize: Dequantize | None = None,
        matvec: Matvec | None = None,
        pack_rows: PackRows | None = None,
    ) -> None:
        super().__init__()
        self.matrix = QuantMatrix(blocks, format, shape, dequantize, matvec, pack_rows)
        self.out_features, self.in_features = shape

    @property
    def weight_bytes(self) -> int:
        """Bytes of the blocks."""
        return self.matrix.blocks.nbytes

    def forward(self, x: Tensor) -> Tensor:
        """x (..., K) of any float dtype -> (..., N) of the same; computed in float32 on the CPU."""
        check_shape("x", x.shape[-1:], (self.in_features,))
        flat = x.reshape(-1, self.in_features).to("cpu", torch.float32)
        out: Tensor = _Product.apply(flat, self.matrix)
        return out.to(x.device, x.dtype).reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, {self.matrix.format}"


class QuantEmbedding(nn.Module):
    """An embedding whose matrix is quantized: only the rows that are looked up are made float32.

    Args:
        blocks: uint8 (V, row_bytes), a read-only memory map as well.
        format: a key of FORMATS.
        shape: (V, D).
        dtype: of the result: that of the model's float weights.
        dequantize: see QuantMatrix.

    Raises:
        ShapeError: blocks of another size than the format has for this shape.
    """

    def __init__(
        self,
        blocks: np.ndarray,
        format: str,
        shape: tuple[int, int],
        dtype: torch.dtype = torch.float32,
        dequantize: Dequantize | None = None,
    ) -> None:
        super().__init__()
        self.matrix = QuantMatrix(blocks, format, shape, dequantize)
        self.dtype = dtype
        self.num_embeddings, self.embedding_dim = shape

    @property
    def weight_bytes(self) -> int:
        """Bytes of the blocks."""
        return self.matrix.blocks.nbytes

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (...) -> dtype (..., D).

        Raises:
            ShapeError: an id that has no row.
        """
        ids = tokens.reshape(-1).cpu().numpy()
        if len(ids) and not 0 <= ids.min() <= ids.max() < self.num_embeddings:
            raise ShapeError(f"ids run from {ids.min()} to {ids.max()}, expected 0 to {self.num_embeddings - 1}")
        return self.matrix.rows(ids).to(tokens.device, self.dtype).reshape(*tokens.shape, self.embedding_dim)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}, {self.matrix.format}"
