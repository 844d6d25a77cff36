"""What the tasks of lesson 08 share: the lesson's name and ideas that come up in several of them."""

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Misconception

LESSON = "08_generate"
Generator = np.random.Generator


def idea(
    name: str, looks_like: str, principle: str, question: str, credit: float = 0.5, signature: object = None
) -> Misconception:
    """A misconception in one call."""
    return Misconception(
        name=name, looks_like=looks_like, principle=principle, question=question, credit=credit,
        signature=signature,  # type: ignore[arg-type]
    )  # fmt: skip


CROSSER_LOST = idea(
    "crosser_lost",
    "a nucleus without the token that crosses p",
    "Tokens are taken until their chances reach p. The one with which they reach it belongs to them.",
    "When you come to that token, how much do the tokens before it hold: p already, or less?",
)
NOT_RENORMALISED = idea(
    "not_renormalised",
    "chances that no longer sum to 1",
    "What was cut away has to go somewhere: the tokens that stay share all of the chance, in their old proportions.",
    "What do the chances of your survivors sum to?",
)
MIN_P_ABSOLUTE = idea(
    "min_p_absolute",
    "min-p as a fixed threshold",
    "Min-p asks for a share of the best token's chance, so that a model in doubt keeps more candidates.",
    "Which chance do you compare with, besides p?",
)


def lost_crosser(logits: Tensor, p: float, keep_first: bool = True) -> Tensor:
    """Top-p that leaves out the token that crosses."""
    ordered, order = logits.sort(descending=True)
    out = ordered.softmax(-1).cumsum(-1) > p
    if keep_first:
        out[:, 0] = False
    return logits.masked_fill(out.scatter(-1, order, out), -torch.inf)


def shuffled(
    rng: Generator, *rows: list[float], least: float = -9.0, last_stays: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Logits that give these chances, tokens in a new order and each row moved by a constant; and the order.

    Where a row's smallest logit would be below `least`, it is moved up to it; with `last_stays` the last
    token keeps its place.
    """
    moving = [len(row) - last_stays for row in rows]
    order = np.stack([[*rng.permutation(n), *range(n, len(row))] for n, row in zip(moving, rows, strict=True)])
    chances = np.take_along_axis(np.array(rows), order, axis=1)
    moved = np.log(chances) + rng.uniform(-2, 2, (len(rows), 1))
    moved += np.maximum(0, least - moved.min(axis=1, keepdims=True))
    return moved.astype(np.float32), order
