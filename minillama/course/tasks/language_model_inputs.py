"""What the tasks of lesson 02 try a loss with, and the wrong losses."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case
from minillama.loss import IGNORE

LESSON = "02_language_model"
Generator = np.random.Generator
Loss = Callable[[Tensor, Tensor], Tensor]
FORBIDDEN = (
    "minillama.loss:cross_entropy", "torch.nn.functional:cross_entropy", "torch.nn:CrossEntropyLoss",
)  # fmt: skip


def draw_logits(rng: Generator, B: int, T: int, V: int, scale: float = 1.5) -> np.ndarray:
    """Scores as a model gives them, (B, T, V) float32."""
    return (scale * rng.standard_normal((B, T, V))).astype(np.float32)


def draw_targets(rng: Generator, B: int, T: int, V: int, ignored: int = 0) -> np.ndarray:
    """True next tokens, (B, T) int64, the first `ignored` of row 0 and the last of the last row not to be counted."""
    targets = rng.integers(1, V, (B, T))
    if ignored:
        targets[0, :ignored] = targets[-1, -1] = IGNORE
    return targets


def faulty_loss(bugs: Bugs) -> Loss:
    """cross_entropy with these bugs."""

    def log_chances(logits: Tensor) -> Tensor:
        axis = 0 if "over_rows" in bugs else 1 if "over_positions" in bugs else -1
        if "overflows" in bugs:
            return logits - logits.exp().sum(axis, keepdim=True).log()
        if "log_of_zero" in bugs:
            return logits.softmax(axis).log()
        if "clamped" in bugs:
            return (logits.softmax(axis) + 1e-9).log()
        return logits.log_softmax(axis)

    def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
        logits = logits if "sixteen_bits" in bugs else logits.float()
        counted = targets > 0 if "zero_ignored" in bugs else targets != IGNORE
        picked = log_chances(logits).gather(-1, targets.clamp(min=0)[..., None]).squeeze(-1)  # (B, T)
        if "counts_ignored" in bugs:
            counted = torch.ones_like(counted)
        surprise = (picked if "no_minus" in bugs else -picked) * counted
        if "bits" in bugs:
            surprise = surprise / 0.6931471805599453
        if "not_averaged" in bugs:
            return surprise[counted]
        if "a_row_each" in bugs:
            return surprise.sum(-1) / counted.sum(-1)
        if "mean_of_rows" in bugs:
            return (surprise.sum(-1) / counted.sum(-1)).mean()
        if "sums" in bugs:
            return surprise.sum()
        total = targets.numel() if "divides_by_all" in bugs else counted.sum()
        if "log_of_mean" in bugs:
            return -(picked.exp() * counted).sum().div(total).log()
        return surprise.sum() / total

    return cross_entropy


def ordinary_cases(rng: Generator) -> list[Case]:
    """Windows with B, T and V all different, one with T equal to V, and one position alone."""
    B, T, V = 2, int(rng.integers(4, 7)), int(rng.integers(8, 12))
    targets = draw_targets(rng, B, T, V)
    targets[0, 1] = 0
    return [
        Case(
            name=f"{B} windows of {T} positions and {V} pieces, piece 0 among the true ones",
            args=(draw_logits(rng, B, T, V), targets),
        ),
        Case(name="as many positions as pieces", args=(draw_logits(rng, 3, 6, 6), draw_targets(rng, 3, 6, 6))),
        Case(name="a single position", args=(draw_logits(rng, 1, 1, 7), draw_targets(rng, 1, 1, 7))),
    ]


def ignored_case(rng: Generator) -> Case:
    """Three of ten places do not count, two of them in one row."""
    return Case(
        name="three places that hold IGNORE", args=(draw_logits(rng, 2, 5, 9), draw_targets(rng, 2, 5, 9, ignored=2))
    )


def large_case(rng: Generator) -> Case:
    """Scores whose e-to-the-power no float can hold."""
    logits = (1000 + rng.integers(0, 5, (1, 3, 6))).astype(np.float32)
    return Case(name="scores around 1,000", args=(logits, draw_targets(rng, 1, 3, 6)))


def far_case(rng: Generator) -> Case:
    """A true piece whose chance is too small for any float."""
    logits = rng.integers(-2, 3, (1, 2, 5)).astype(np.float32)
    targets = draw_targets(rng, 1, 2, 5)
    np.put_along_axis(logits, targets[..., None], -2000.0, -1)
    return Case(name="a true piece that scores 2,000 below the others", args=(logits, targets))


def half_case(rng: Generator) -> Case:
    """1,000 equal scores in float16: ln 1000 lies between two of its numbers."""
    targets = draw_targets(rng, 1, 1, 1000)
    return Case(name="1,000 equal scores in float16", args=(np.zeros((1, 1, 1000), np.float16), targets))


def loss_cases(rng: Generator) -> list[Case]:
    """Ordinary windows and what breaks a loss."""
    return [*ordinary_cases(rng), ignored_case(rng), large_case(rng), far_case(rng), half_case(rng)]
