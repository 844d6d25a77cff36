"""The loss of the last matrix without its table of logits: a few hundred rows at a time, forwards and back at once.

For 2,048 tokens and 32,000 words the table takes 262 MB, and a loss made of PyTorch's pieces holds it four times. Here
the gradient with respect to each row is made while its logits are there. Source of the idea: Wijmans et al. 2024,
"Cut Your Losses in Large-Vocabulary Language Models".
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from minillama.quant.linear import QuantLinear
from minillama.train.gradients import Matrix, add_product, product_dtype, times, times_back

LOGITS_AT_ONCE = 1 << 24  # 64 MB of float32: enough rows for fast products with matrices that do not fit the cache


class _HeadLoss(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, matrix: Matrix, targets: Tensor, weights: Tensor, learns: bool
    ) -> Tensor:
        dtype = product_dtype(x)
        into_x = torch.empty(x.shape, dtype=dtype, device=x.device) if learns and ctx.needs_input_grad[0] else None
        into_weight = torch.zeros_like(weight) if weight is not None and learns and ctx.needs_input_grad[1] else None
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        n_rows = max(1, LOGITS_AT_ONCE // _vocab_size(matrix))
        with torch.autocast(x.device.type, enabled=False):
            for start in range(0, len(x), n_rows):
                part = slice(start, start + n_rows)
                rows, place, weight_of = x[part].to(dtype), targets[part, None], weights[part, None]
                logits = times(rows, matrix).float()  # (n, V)
                nats, shares = surprise(logits, place)
                total += (nats * weight_of).sum()
                if into_x is None and into_weight is None:
                    continue
                into_logits = shares.mul_(weight_of).scatter_add_(1, place, -weight_of).to(dtype)
                if into_x is not None:
                    into_x[part] = times_back(into_logits, matrix)
                if into_weight is not None:
                    add_product(into_weight, into_logits.T, rows)
        ctx.save_for_backward(into_x, into_weight)
        ctx.x_dtype = x.dtype
        return total.float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        into_x, into_weight = ctx.saved_tensors
        into_x = None if into_x is None else (into_x * grad).to(ctx.x_dtype)
        return into_x, None if into_weight is None else into_weight * grad, None, None, None, None


def _vocab_size(matrix: Matrix) -> int:
    return matrix.out_features if isinstance(matrix, QuantLinear) else len(matrix.weight)


def surprise(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """How unexpected each target is, and all probabilities, which take the place of the logits.

    Args:
        logits: float32 (n, V), overwritten.
        targets: (n, 1) int64.

    Returns:
        -log p(target) (n, 1), in nats, and p (n, V).
    """
    top, wanted = logits.amax(-1, keepdim=True), logits.gather(1, targets)
    shares = torch.softmax(logits, -1, out=logits)
    # The largest probability is at least 1 / V, so its logarithm is exact where that of the target's may be -inf.
    return top - shares.amax(-1, keepdim=True).log() - wanted, shares


def head_loss(x: Tensor, matrix: Matrix, targets: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of the losses of some rows.

    Args:
        x: (N, D), the stream after the final norm.
        matrix: the output matrix (V, D), or the embedding where they are tied.
        targets: (N,) int64, the token after each row.
        weights: (N,) float32, how much each counts.

    Returns:
        A float32 scalar in nats, with gradients for x and, where it learns, the matrix.
    """
    weight = None if isinstance(matrix, QuantLinear) else matrix.weight
    total: Tensor = _HeadLoss.apply(x, weight, matrix, targets, weights, torch.is_grad_enabled())
    return total
