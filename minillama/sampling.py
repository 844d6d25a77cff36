"""From logits to the next token.

Sources: Fan et al. 2018, "Hierarchical Neural Story Generation" (top-k); Holtzman et al. 2020, "The Curious Case of
Neural Text Degeneration" (top-p); Nguyen et al. 2024, "Turning Up the Heat" (min-p); Keskar et al. 2019, "CTRL",
section 4.1 (repetition penalty). The order is Hugging Face's: penalty, temperature, top-k, top-p, min-p.
"""

import math
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from minillama.errors import SamplingError


def _is_number(value: object) -> bool:
    """Whether a value is a finite number that a float can hold."""
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


def check_sampling(
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
) -> None:
    """Raise SamplingError for an option out of its range."""
    if not (_is_number(temperature) and temperature >= 0):
        raise SamplingError(f"temperature is {temperature!r}, expected 0 (greedy) or a positive number such as 0.8")
    if top_k is not None and not (isinstance(top_k, int) and top_k >= 1):
        raise SamplingError(f"top_k is {top_k!r}, expected a whole number from 1")
    if top_p is not None and not (_is_number(top_p) and 0 < top_p <= 1):
        raise SamplingError(f"top_p is {top_p!r}, expected a share above 0 and up to 1")
    if min_p is not None and not (_is_number(min_p) and 0 <= min_p <= 1):
        raise SamplingError(f"min_p is {min_p!r}, expected a share from 0 to 1")
    if repetition_penalty is not None and not (_is_number(repetition_penalty) and repetition_penalty > 0):
        raise SamplingError(f"repetition_penalty is {repetition_penalty!r}, expected a positive number such as 1.1")


def penalize_repetition(logits: Tensor, seen: Sequence[Sequence[int]], penalty: float) -> Tensor:
    """Make tokens that were seen less likely: positive logits divided by the penalty, negative ones multiplied.

    Args:
        logits: (B, V).
        seen: the ids of each row, prompt included.
        penalty: above 1 discourages, below 1 encourages.

    Returns:
        (B, V), a copy.
    """
    logits = logits.clone()
    for row, ids in zip(logits, seen, strict=True):
        index = torch.tensor(sorted(set(ids)), dtype=torch.int64, device=logits.device)
        row[index] = torch.where(row[index] > 0, row[index] / penalty, row[index] * penalty)
    return logits


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Leave the k largest logits of each row (and any equal to the last), -inf elsewhere; (B, V) -> (B, V)."""
    smallest = logits.topk(min(k, logits.shape[-1])).values[:, -1:]
    return logits.masked_fill(logits < smallest, -math.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Leave the fewest tokens whose probabilities reach p, the one that crosses included; (B, V) -> (B, V)."""
    ordered, order = logits.sort(descending=True, stable=True)
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities  # of the more likely ones: 0 for the first, which always stays
    return logits.masked_fill((before >= p).scatter(-1, order, before >= p), -math.inf)


def keep_min_p(logits: Tensor, p: float) -> Tensor:
    """Leave the tokens at least p times as likely as the most likely one; (B, V) -> (B, V)."""
    if p == 0:
        return logits
    return logits.masked_fill(logits < logits.amax(-1, keepdim=True) + math.log(p), -math.inf)


def sample(
    logits: Tensor,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw the next token of each row.

    Args:
        logits: (B, V).
        temperature: 0 takes the most likely token; 1 draws from the model's own distribution.
        top_k, top_p, min_p: which tokens may be drawn, None for all.
        generator: the source of randomness; give one and the draw can be repeated.

    Returns:
        (B,) int64.

    Raises:
        SamplingError: an option out of its range.

    >>> sample(torch.tensor([[0.0, 3.0, 1.0]]))
    tensor([1])
    """
    check_sampling(temperature, top_k, top_p, min_p)
    logits = logits.float()
    if temperature == 0:
        return logits.argmax(-1)
    # The largest is 0, and no divisor rounds to 0: the smaller the temperature, the closer to greedy, and never 0 / 0.
    logits = (logits - logits.amax(-1, keepdim=True)) / max(temperature, torch.finfo(logits.dtype).tiny)
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    if min_p is not None:
        logits = keep_min_p(logits, min_p)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(-1)
