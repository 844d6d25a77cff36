"""What a head does, as a number from 0 to 1: how much of its attention goes where a known kind of head would look.

All scores are means of attention weights (L, B, H, T, T), as `minillama.trace.trace` gives them, and have the shape
(L, H). A head that looks everywhere alike scores a few hundredths, and so does one whose rows are shuffled.

Sources: Olsson et al. 2022, "In-context Learning and Induction Heads" (the prefix matching score on repeated random
tokens; previous-token heads, which feed induction heads); Elhage et al. 2021, "A Mathematical Framework for Transformer
Circuits"; Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks".
"""

from typing import NamedTuple

import torch
from torch import Tensor

from minillama.errors import DataError, ShapeError


class Head(NamedTuple):
    """Where a head stands, layers and heads counted from 0, and its score."""

    layer: int
    head: int
    score: float


def repeated_spans(
    n_rows: int, length: int, id_range: tuple[int, int], seed: int, start_id: int | None = None
) -> Tensor:
    """Rows of random tokens that come twice: start, span, the same span once more.

    Within a span no token comes twice, so "the token after its last occurrence" is one place only. (Olsson et al.
    repeat 25 random tokens; here they come twice, and the scores look at the second time.)

    Args:
        n_rows: B.
        length: n, the tokens of a span.
        id_range: the ids to draw from, first and one past the last.
        seed: of the draw.
        start_id: what stands before the first span, such as BOS; None for nothing.

    Returns:
        (B, 2n + 1) int64, or (B, 2n) without `start_id`.

    Raises:
        DataError: a span longer than there are ids.

    >>> repeated_spans(1, 3, (10, 13), seed=0, start_id=1)
    tensor([[ 1, 12, 10, 11, 12, 10, 11]])
    """
    first, end = id_range
    if not 0 < length <= end - first:
        raise DataError(f"length is {length}, expected 1 to {end - first}: there are ids {first} to {end - 1}")
    generator = torch.Generator().manual_seed(seed)
    spans = torch.stack([first + torch.randperm(end - first, generator=generator)[:length] for _ in range(n_rows)])
    rows = spans.repeat(1, 2)  # (B, 2n)
    return rows if start_id is None else torch.cat([torch.full((n_rows, 1), start_id), rows], dim=1)


def previous_token_scores(attention: Tensor) -> Tensor:
    """How much each head looks at the token before: the mean of attention[t, t - 1] over t >= 1.

    Args:
        attention: (L, B, H, T, T), rows sum to 1, T >= 2.

    Returns:
        (L, H), from 0 to 1.

    >>> previous_token_scores(torch.eye(4).roll(-1, 1)[None, None, None])
    tensor([[1.]])
    """
    return attention.diagonal(-1, dim1=-2, dim2=-1).mean(dim=(1, -1))


def own_token_scores(attention: Tensor) -> Tensor:
    """How much each head looks at the very token that it is at: the mean of attention[t, t] over t >= 1.

    Such a head hands on, or takes away, what the token is, so that later heads can tell it from the token before.

    Args:
        attention: (L, B, H, T, T), rows sum to 1, T >= 2.

    Returns:
        (L, H), from 0 to 1.
    """
    return attention.diagonal(dim1=-2, dim2=-1)[..., 1:].mean(dim=(1, -1))


def sink_scores(attention: Tensor) -> Tensor:
    """How much each head looks at the first token: the mean of attention[t, 0] over t >= 1.

    What a head does with attention that it has no use for; the value there is often small (Xiao et al. 2023).

    Args:
        attention: (L, B, H, T, T), rows sum to 1, T >= 2.

    Returns:
        (L, H), from 0 to 1.
    """
    return attention[..., 1:, 0].mean(dim=(1, -1))


def induction_scores(attention: Tensor, length: int) -> Tensor:
    """How much each head looks from a token's second occurrence to the token after the first.

    With rows of `repeated_spans`, query t of the second span and key t - (length - 1): the prefix matching score of
    Olsson et al. 2022, which tells what to copy. A head that looks at the same token scores 0.

    Args:
        attention: (L, B, H, T, T) of rows that end with a span and the same span once more.
        length: n, the tokens of a span; 2n <= T.

    Returns:
        (L, H), from 0 to 1.

    Raises:
        ShapeError: fewer than two spans.
    """
    T = attention.shape[-1]
    if not 0 < 2 * length <= T:
        raise ShapeError(f"attention is over {T} tokens, expected at least 2 * length = {2 * length}")
    return attention.diagonal(1 - length, dim1=-2, dim2=-1)[..., -length:].mean(dim=(1, -1))


def span_scores(attention: Tensor, looking: slice, looked_at: slice) -> Tensor:
    """How much each head looks from one stretch of the text to another, such as from a name back to the same name.

    Args:
        attention: (L, B, H, T, T).
        looking: the queries.
        looked_at: the keys.

    Returns:
        (L, H), from 0 to 1.
    """
    return attention[..., looking, looked_at].sum(-1).mean(dim=(1, -1))


def best_heads(scores: Tensor, count: int) -> list[Head]:
    """The heads with the highest scores, best first.

    Args:
        scores: (L, H).
        count: how many; all of them where there are fewer.

    >>> best_heads(torch.tensor([[0.0, 0.5], [1.0, 0.0]]), 2)
    [Head(layer=1, head=0, score=1.0), Head(layer=0, head=1, score=0.5)]
    """
    values, places = scores.flatten().sort(descending=True, stable=True)
    pairs = zip(values[:count].tolist(), places[:count].tolist(), strict=True)
    return [Head(place // scores.shape[1], place % scores.shape[1], value) for value, place in pairs]


def shuffled_rows(attention: Tensor, seed: int) -> Tensor:
    """The same weights with each row's dealt out anew among the tokens that it may look at: a baseline for every score.

    Args:
        attention: (L, B, H, T, T), causal.
        seed: of the shuffle.
    """
    generator = torch.Generator().manual_seed(seed)
    keys = torch.rand(attention.shape, generator=generator).to(attention.device)
    T = attention.shape[-1]
    future = torch.ones(T, T, dtype=torch.bool, device=attention.device).triu(1)
    order = keys.masked_fill(future, 2.0).argsort(dim=-1, stable=True)  # the future stays at the end of its row
    return attention.gather(-1, order)
