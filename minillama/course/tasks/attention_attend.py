"""Lesson 06's main piece: attention of all heads at once, in groups."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama import attention
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.attention_heads import fault, scaled, weights_of
from minillama.course.tasks.attention_ideas import (
    LESSON,
    MASK_AFTER,
    MASK_INVERTED,
    MASK_ZERO,
    NAN_ROWS,
    NO_MASK,
    NO_SCALE,
    OVER_QUERIES,
    SCALE_D,
    SCALE_UP,
    Generator,
    causal,
    draw,
)


def faulty_attend(bugs: Bugs) -> Callable[..., tuple[Tensor, Tensor]]:
    """attend with these bugs."""

    def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        H, K, group = q.shape[2], q.shape[3], q.shape[2] // k.shape[2]
        if "missing_repeat" in bugs and 1 < k.shape[2] < H:
            raise RuntimeError("einsum(): the sizes of h do not match")
        if "first_group" in bugs:
            k, v = (x[:, :, :1].expand(-1, -1, H, -1) for x in (k, v))
        elif "dealt_out" in bugs:
            k, v = (x.repeat(1, 1, group, 1) for x in (k, v))
        else:
            k, v = (x.repeat_interleave(group, dim=2) for x in (k, v))
        if "values_from_keys" in bugs:
            v = k
        wide = torch.einsum("bthk,bshk->bhts", q, k).float()
        scores = scaled(wide, H * K if "scale_model" in bugs else K, bugs)
        own = mask.dim() == 3
        allowed = mask[None] if own and "rows_as_heads" in bugs else mask[:, None] if own else mask
        weights = weights_of(scores, allowed, bugs).to(q.dtype)
        return torch.einsum("bhts,bshk->bthk", weights, v), weights

    return attend


def _is_missing_repeat(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Right wherever every head has keys of its own or all share one, and no result for groups?"""
    between = [1 < case.args[1].shape[2] < case.args[0].shape[2] for case in cases]
    right = [
        np.allclose(ours, theirs, rtol=5e-3, atol=5e-3)
        for got, wanted in zip(outputs, expected, strict=True)
        for ours, theirs in zip(got, wanted, strict=True)
    ]
    return bool(right) and all(right) and not any(between)


def attend_cases(rng: Generator) -> list[Case]:
    """Every head its own keys; groups; one for all; after cached keys; 16 bits; a mask for each row of the batch."""
    T, past, K = int(rng.integers(4, 6)), int(rng.integers(2, 5)), int(rng.choice([6, 8]))

    def qkv(B: int, T: int, S: int, H: int, G: int, dtype: Any = np.float32) -> tuple[np.ndarray, ...]:
        size = 2 if dtype == np.float32 else 0.5  # small scores, which 16 bits hold well enough
        q, k = (size * draw(rng, B, length, heads, K) for length, heads in ((T, H), (S, G)))
        return q.astype(dtype), k.astype(dtype), draw(rng, B, S, G, K, dtype=dtype)

    padded = np.stack([causal(4, 4), causal(4, 4)])
    padded[1, :2], padded[1, :, :2] = False, False
    return [
        Case(name="3 heads with keys of their own", args=(*qkv(2, T, T, 3, 3), causal(T, T))),
        Case(name="4 heads in 2 groups", args=(*qkv(1, T, T, 4, 2), causal(T, T))),
        Case(name="6 heads in 2 groups, after cached keys", args=(*qkv(1, 2, past + 2, 6, 2), causal(2, past + 2))),
        Case(name="one key/value head for all", args=(*qkv(1, T, T, 3, 1), causal(T, T))),
        Case(name="numbers in float16", args=(*qkv(1, T, T, 2, 2, np.float16), causal(T, T))),
        Case(name="a mask for each row of the batch", args=(*qkv(2, 4, 4, 2, 2), padded), part="padding"),
    ]


attend = Task(
    id="attention.attend", lesson=LESSON, kind="rebuild", title="Attend with all heads at once", points=5, difficulty=4,
    importance=5, minutes=20,
    reference=attention.attend, faulty=faulty_attend, cases=attend_cases, piece="minillama.attention:attend",
    outputs=("out", "weights"), atol=1e-4,
    forbidden=(
        "torch.nn.functional:scaled_dot_product_attention", "minillama.attention:attend",
        "minillama.attention:attend_fused",
    ),
    misconceptions=(
        NO_SCALE, SCALE_D, SCALE_UP,
        fault(
            "scale_model", "a scale that follows the whole width of the model",
            "A score is a sum over the K channels of one head, however many heads lie beside it.",
            "How many products does one score add up?",
        ),
        OVER_QUERIES, MASK_AFTER, MASK_ZERO, NO_MASK, MASK_INVERTED, NAN_ROWS,
        fault(
            "dealt_out", "key/value heads that are dealt out to the heads in turn",
            "Neighbours share: with 4 heads in 2 groups, heads 0 and 1 read key/value head 0.",
            "In which order do your repeated heads stand, 0 0 1 1 or 0 1 0 1?",
        ),
        fault(
            "first_group", "one key/value head for all", "Every group has keys and values of its own.",
            "Which key/value head does your last head read?",
        ),
        fault(
            "missing_repeat", "key/value heads that are not repeated for their group",
            "With as many heads as key/value heads, or with one for all, broadcasting makes it work. Between the two, "
            "each key/value head has to serve several heads.",
            "How many heads has q, and how many k, when they meet?", signature=_is_missing_repeat,
        ),
        fault(
            "rows_as_heads", "a mask of the batch laid over the heads",
            "A mask (B, T, S) has one sheet a row of the batch, and scores are (B, H, T, S).",
            "Which axis of the scores does the first axis of your mask meet?", credit=0.7,
        ),
        fault(
            "values_from_keys", "keys that are handed on in place of values",
            "Keys decide how much; values are what is handed on.", "What do your weights mix in the end?",
        ),
    ),
    hints=(
        "Give every head its keys and values, then do what one head does, for all at once.",
        "k, v (B, S, G, K) -> (B, S, H, K); scores and weights (B, H, T, S); out (B, T, H, K).",
        "repeat each key/value head for its H / G heads, neighbours together\n"
        "scores[b, h, t, s] = dot product of q[b, t, h] and k[b, s, h] / root of K\n"
        "mask, softmax over s, in float32\nout[b, t, h] = sum over s of weights times v[b, s, h]",
    ),
)  # fmt: skip
