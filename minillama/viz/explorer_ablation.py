"""What comes out of a model without some of its heads: each alone, the strongest of a kind, as many at random."""

import random
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from minillama.heads import best_heads
from minillama.trace import ablate
from minillama.viz.explorer_payload import outcome

MAX_STRONG = 8  # heads of a kind that are switched off together

Places = list[tuple[int, int]]


@torch.no_grad()
def outcome_without(model: Any, tokens: Tensor, heads: Iterable[tuple[int, int]], means: Tensor | None) -> dict:
    """Loss, losses and next tokens of a text with these heads switched off.

    Args:
        model: the torch model.
        tokens: (1, T) int64.
        heads: (layer, head) pairs; none for all heads on.
        means: see `minillama.trace.ablate`.

    Raises:
        ConfigError: see `minillama.trace.ablate`.
    """
    heads = list(heads)
    with ablate(model, heads, means) if heads else nullcontext():
        return outcome(model(tokens), tokens)


def outcomes_alone(model: Any, tokens: Tensor, means: Tensor | None) -> dict[str, Any]:
    """The outcome with each head alone switched off: loss, losses and next, each a list of layers, of heads."""
    config = model.config
    found = [
        [outcome_without(model, tokens, [(layer, head)], means) for head in range(config.n_heads)]
        for layer in range(config.n_layers)
    ]
    return {key: [[each[key] for each in row] for row in found] for key in ("loss", "losses", "next")}


def head_groups(scores: Mapping[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """For each kind its strongest heads, and as many others drawn blindly: what the first do that the second do not.

    Args:
        scores: kind -> (L, H). Strong is a head with more than half of the best one's score, up to MAX_STRONG.
        seed: of the draw.

    Returns:
        kind -> {"strong": {"heads": pairs}, "drawn": {"heads": pairs}}.
    """
    groups = {}
    for kind, each in scores.items():
        known = torch.as_tensor(each).nan_to_num(0.0)
        ranked = best_heads(known, known.numel())
        strong: Places = [head[:2] for head in ranked[:MAX_STRONG] if head.score > ranked[0].score / 2] or [
            ranked[0][:2]
        ]
        others: Places = [head[:2] for head in ranked if head[:2] not in strong]
        drawn = random.Random(seed).sample(others, min(len(strong), len(others)))
        groups[kind] = {"strong": {"heads": strong}, "drawn": {"heads": drawn}}
    return groups
