"""The loss of next-token prediction."""

import torch
from torch import Tensor

from minillama.errors import ShapeError
from minillama.shapes import check_shape

IGNORE = -100  # a target that does not count: padding, or a prompt that is given


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean surprise at the true next tokens, in nats.

    Args:
        logits: (B, T, V), any floating dtype; computed in float32.
        targets: (B, T) int64; places that hold IGNORE do not count.

    Returns:
        A scalar, the mean of -log p(target) over the places that count.

    Raises:
        ShapeError: logits and targets do not belong together, or no place counts.

    >>> cross_entropy(torch.zeros(1, 2, 8), torch.tensor([[3, 5]]))  # ln 8: eight equal guesses
    tensor(2.0794)
    """
    check_shape("targets", targets.shape, logits.shape[:-1])
    counted = targets != IGNORE
    if not counted.any():
        raise ShapeError(f"all {targets.numel()} targets are IGNORE ({IGNORE}), expected at least one that counts")
    logits = logits.float()
    log_total = torch.logsumexp(logits, dim=-1)  # (B, T)
    target_logits = logits.gather(-1, targets.clamp(min=0)[..., None]).squeeze(-1)  # (B, T)
    return (log_total - target_logits)[counted].mean()


def shift_targets(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Split windows into inputs and what follows each of them.

    Args:
        tokens: (B, T + 1) int64.

    Returns:
        inputs (B, T) and targets (B, T): targets[:, t] is the token after inputs[:, t].
    """
    return tokens[:, :-1], tokens[:, 1:]
