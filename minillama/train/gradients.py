"""Steps of the forward with gradients written by hand: they keep less for the way back, and read memory fewer times.

Each does what the piece of the same name does (norm.py, rope.py, feedforward.py, lora.py), on rows laid end to end:
x (N, D). PyTorch's own gradients keep the result of every multiplication in between.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from minillama.quant.linear import QuantLinear
from minillama.train.lora import LoRALinear


def product_dtype(x: Tensor) -> torch.dtype:
    """The dtype that matrix products with x are made in: autocast's, where that is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class _RMSNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.float()
        scale = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (wide * scale).to(x.dtype).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight, scale = ctx.saved_tensors  # (N, D), (D,), (N, 1)
        wide = x.float()
        of_weight = (grad.float() * wide).mul_(scale).sum(0).to(weight.dtype) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None
        out = grad.float() * weight  # d loss / d (x * scale)
        along = (out * wide).sum(-1, keepdim=True)  # the part of it that only changes the length of x is undone
        out.mul_(scale).addcmul_(wide, along * scale**3, value=-1 / x.shape[-1])
        return out.to(x.dtype), of_weight, None


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """norm.rms_norm for x (N, D); keeps x and one number a row."""
    out: Tensor = _RMSNorm.apply(x, weight, eps)
    return out


class _Rope(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, turns: Tensor) -> Tensor:
        ctx.save_for_backward(turns)
        return _turn(x, turns)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _turn(grad, ctx.saved_tensors[0].conj()), None  # a rotation's transpose turns back


def _turn(x: Tensor, turns: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.float().contiguous().unflatten(-1, (-1, 2)))  # (N, H, K/2)
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


def apply_rope(x: Tensor, turns: Tensor) -> Tensor:
    """rope.apply_rope for x (N, H, K), with cos + i sin of each row's position, (N, 1, K/2) complex64."""
    out: Tensor = _Rope.apply(x, turns)
    return out


class _Gate(Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(grad * up, gate), F.silu(gate).mul_(grad)


def gate(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up, the inside of feedforward.SwiGLU; keeps its two arguments."""
    out: Tensor = _Gate.apply(gate, up)
    return out


Matrix = nn.Linear | QuantLinear | nn.Embedding


def times(x: Tensor, matrix: Matrix) -> Tensor:
    """x (N, K) times the transpose of a matrix (M, K) of any kind, in the dtype of x."""
    return matrix.matrix.times(x) if isinstance(matrix, QuantLinear) else x @ matrix.weight.to(x.dtype).T


def times_back(grad: Tensor, matrix: Matrix) -> Tensor:
    """grad (N, M) times the matrix (M, K) itself, which brings a gradient from outputs to inputs."""
    return matrix.matrix.times_back(grad) if isinstance(matrix, QuantLinear) else grad @ matrix.weight.to(grad.dtype)


def add_product(out: Tensor, left: Tensor, right: Tensor, scale: float = 1.0) -> None:
    """out += scale * left @ right, without a matrix in between where the dtypes are the same."""
    if out.dtype == left.dtype:
        out.addmm_(left, right, alpha=scale)
    else:
        out += scale * (left @ right)


class _Projections(Function):
    """Products of one x with frozen matrices, some of which have adapters: one product for all their A."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, matrices: Sequence[Matrix], scales: dict[int, float], *halves: Tensor
    ) -> tuple[Tensor, ...]:
        outer, autocast = product_dtype(x), torch.is_autocast_enabled(x.device.type)
        ctx.matrices, ctx.scales, ctx.x_dtype = matrices, scales, x.dtype
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(outer)
            outs = [times(x, matrix) for matrix in matrices]  # (N, M) each
            if not scales:
                return tuple(outs)
            thin = outer if autocast else halves[0].dtype
            ctx.ranks = [len(a) for a in halves[::2]]
            a = torch.cat(halves[::2]).to(thin)  # (R, K), R the ranks together
            low = x.to(thin) @ a.T  # (N, R)
            ctx.save_for_backward(x, a, low, *halves[1::2])
            for (i, scale), b, part in zip(scales.items(), halves[1::2], low.split(ctx.ranks, 1), strict=True):
                add_product(outs[i], part, b.to(thin).T, scale)
        return tuple(outs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        learnt: list[Tensor] = []
        into_x = None
        if ctx.scales:
            x, a, low, *bs = ctx.saved_tensors
            mine = [grads[i].to(low.dtype) for i in ctx.scales]
            into_low = [
                (grad @ b.to(grad.dtype)).mul_(s) for grad, b, s in zip(mine, bs, ctx.scales.values(), strict=True)
            ]
            together = torch.cat(into_low, 1)  # (N, R)
            of_a = (together.T @ x.to(low.dtype)).split(ctx.ranks)  # (r, K) each
            for grad, part, scale, of_one in zip(mine, low.split(ctx.ranks, 1), ctx.scales.values(), of_a, strict=True):
                learnt += [of_one, (grad.T @ part).mul_(scale)]
            into_x = (together @ a).to(x.dtype) if ctx.needs_input_grad[0] else None
        if ctx.needs_input_grad[0]:
            for grad, matrix in zip(grads, ctx.matrices, strict=True):
                if into_x is None:
                    into_x = times_back(grad, matrix)
                elif isinstance(matrix, QuantLinear):
                    into_x += times_back(grad, matrix)
                else:
                    add_product(into_x, grad, matrix.weight.to(grad.dtype), 1.0)
            assert into_x is not None
            into_x = into_x.to(ctx.x_dtype)
        return into_x, None, None, *(grad.float() for grad in learnt)


def project(x: Tensor, *layers: nn.Module) -> tuple[Tensor, ...]:
    """What several layers make of the same x (N, K): nn.Linear, QuantLinear, or LoRALinear around one of them.

    Layers whose own matrix learns are called one by one, and so are adapters that drop out: each drops other places.
    """
    if any(_is_called(layer) for layer in layers):
        return tuple(layer(x) for layer in layers)
    adapters = {i: each for i, each in enumerate(layers) if isinstance(each, LoRALinear) and not each.merged}
    matrices = [layer.linear if isinstance(layer, LoRALinear) else layer for layer in layers]
    halves = (half for layer in adapters.values() for half in (layer.lora_a, layer.lora_b))
    scales = {i: layer.scale for i, layer in adapters.items()}
    outs: tuple[Tensor, ...] = _Projections.apply(x, matrices, scales, *halves)
    return outs


def _is_called(layer: nn.Module) -> bool:
    if isinstance(layer, LoRALinear):
        return layer.training and layer.dropout.p > 0
    return isinstance(layer, nn.Linear) and layer.weight.requires_grad
