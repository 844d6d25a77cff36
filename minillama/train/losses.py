"""The loss that training sums over micro-batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor, nn
from torch.nn import functional as F

from minillama.loss import shift_targets
from minillama.train.data import Batch
from minillama.train.flat import flat_loss, is_plain

_BY_PIECES = ContextVar("by_pieces", default=False)


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


@contextmanager
def by_pieces(wanted: bool = True) -> Iterator[None]:
    """Let training_loss go through the model's own forward: other last digits than flat.py's, more time and memory."""
    before = _BY_PIECES.set(wanted)
    try:
        yield
    finally:
        _BY_PIECES.reset(before)


def training_loss(model: nn.Module, batch: Batch) -> tuple[Tensor, float]:
    """summed_loss, computed with less work where the model is made of the package's own pieces (flat.py)."""
    if not _BY_PIECES.get() and is_plain(model):
        return flat_loss(model, batch), batch.total_weight
    return summed_loss(model, batch)
