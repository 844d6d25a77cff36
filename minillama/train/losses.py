"""The loss that training sums over micro-batches."""

from torch import Tensor, nn
from torch.nn import functional as F

from minillama.loss import shift_targets
from minillama.train.data import Batch


def summed_loss(model: nn.Module, batch: Batch) -> tuple[Tensor, float]:
    """The weighted sum of the losses of a batch's tokens.

    A sum, because micro-batches of different lengths cannot be joined by their means.

    Args:
        model: called with (B, T) ids, gives (B, T, V) logits.
        batch: on the model's device.

    Returns:
        The sum in nats, a scalar with its gradient, and the sum of the weights.
    """
    inputs, targets = shift_targets(batch.tokens)
    nats = F.cross_entropy(model(inputs).float().flatten(0, 1), targets.flatten(), reduction="none")  # (B * T,)
    if batch.weights is not None:
        nats = nats * batch.weights[:, 1:].flatten()
    return nats.sum(), batch.total_weight
