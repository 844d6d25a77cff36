"""Rows that begin alike, computed once: in Alpaca's template, most of a short prompt is the same for every sample.

A token's keys and values depend on what stands before it and on nothing after it. So the tokens that rows of a
batch begin with need one pass, whose keys and values each of these rows then reads; gradients of all rows meet in it.
For tasks of 45 tokens after a beginning of 80, this is less than half of the work.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SHORTEST = 16  # tokens: for fewer, reading them as somebody else's costs more than it saves


@dataclass(frozen=True)
class Part:
    """Tokens of a row that are computed together.

    Args:
        row: of the batch; for a beginning, the first row that has it.
        start, end: places in that row, end exclusive.
        before: number of the part that holds what stands before `start`; None where nothing does.
    """

    row: int
    start: int
    end: int
    before: int | None = None


def parts_of(tokens: Tensor, counted: Tensor, share: bool = True) -> list[Part]:
    """What has to be computed of a batch, each beginning that several rows share before the rows that have it.

    Args:
        tokens: (B, T) ids.
        counted: (B, T) bool, the places whose logits are asked for. A row ends with its last one, and one without any
            is left out; a beginning ends before the first one of all its rows, since rows may go on differently.
        share: whether beginnings are shared at all.
    """
    T = tokens.shape[1]
    places = torch.arange(T, device=tokens.device)
    ends = ((places + 1) * counted).amax(1).tolist()  # (B,)
    firsts = torch.where(counted, places, T).amin(1).tolist()  # (B,)
    groups: dict[object, list[int]] = {}
    heads = tokens[:, :SHORTEST].tolist()
    for row, end in enumerate(ends):
        if end:
            groups.setdefault(tuple(heads[row]) if share and firsts[row] >= SHORTEST else row, []).append(row)
    parts: list[Part] = []
    for rows in groups.values():
        n = _common_length(tokens[rows], min(firsts[row] for row in rows)) if len(rows) > 1 else 0
        before = len(parts) if n else None
        parts += [Part(rows[0], 0, n)] if n else []
        parts += [Part(row, n, ends[row], before) for row in rows]
    return parts


def _common_length(tokens: Tensor, most: int) -> int:
    """How many tokens all rows of (B, T) begin with, up to `most`."""
    alike = (tokens == tokens[:1]).all(dim=0)  # (T,)
    return min(int(alike.long().cumprod(0).sum()), most)
