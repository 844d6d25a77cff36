"""Answers that are known to be right or wrong, in unusual spellings: write them apart from the record."""

import math

import torch

from minillama.course.proving import Book

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray

# distance.distance_bias, in its public variant: halving slopes, growing linearly

BIAS = "distance.distance_bias"


def by_loops(T, S, n_heads, *, slope=lambda h: 0.5 ** (h + 1), far=lambda d: d, start=None, ahead=lambda d: 0.0):
    bias = torch.zeros(n_heads, T, S)
    for h in range(n_heads):
        for i in range(T):
            for j in range(S):
                d = (S - T if start is None else start) + i - j
                bias[h, i, j] = -slope(h) * (far(d) if d > 0 else ahead(d))
    return bias


def by_outer(T, S, n_heads, *, exponent=1.0, last_first=False, sign=-1.0, base=0.5):
    distance = torch.relu(torch.arange(S - T, S).unsqueeze(1) - torch.arange(S).float())
    heads = torch.arange(n_heads).float()
    heads = heads.flip(0) if last_first else heads
    return sign * torch.einsum("h,ts->hts", base ** (heads + exponent), distance)


def by_tril(T, S, n_heads):
    row = torch.arange(S).float()
    full = (row[:, None] - row).tril()[-T:]
    return torch.stack([-full / 2 ** (h + 1) for h in range(n_heads)])


RIGHT[BIAS] = [by_loops, by_outer, by_tril]
WRONG[BIAS, "from_zero"] = [
    lambda T, S, H: by_loops(T, S, H, start=0),
    lambda T, S, H: by_tril(S, S, H)[:, :T],
]
WRONG[BIAS, "rewards"] = [lambda T, S, H: by_outer(T, S, H, sign=1.0), lambda T, S, H: -by_loops(T, S, H)]
WRONG[BIAS, "symmetric"] = [
    lambda T, S, H: by_loops(T, S, H, ahead=abs),
    lambda T, S, H: (
        -(torch.arange(S - T, S)[:, None] - torch.arange(S)).abs() / 2.0 ** torch.arange(1, H + 1)[:, None, None]
    ),
]
WRONG[BIAS, "first_is_one"] = [
    lambda T, S, H: by_outer(T, S, H, exponent=0.0),
    lambda T, S, H: by_loops(T, S, H, slope=lambda h: 0.5**h),
]
WRONG[BIAS, "reversed"] = [
    lambda T, S, H: by_outer(T, S, H, last_first=True),
    lambda T, S, H: by_loops(T, S, H, slope=lambda h: 0.5 ** (H - h)),
]
WRONG[BIAS, "one_slope"] = [
    lambda T, S, H: by_loops(T, S, H, slope=lambda h: 0.5),
    lambda T, S, H: by_tril(T, S, 1).repeat(H, 1, 1),
]
WRONG[BIAS, "other_slopes"] = [
    lambda T, S, H: by_outer(T, S, H, base=2 ** (-8 / H)),
    lambda T, S, H: by_loops(T, S, H, slope=lambda h: 2 ** (-8 * (h + 1) / H)),
]
WRONG[BIAS, "other_growth"] = [
    lambda T, S, H: by_loops(T, S, H, far=lambda d: math.log2(1 + d)),
    lambda T, S, H: -torch.log2(1 - by_tril(T, S, 1) * 2) / 2.0 ** torch.arange(1, H + 1)[:, None, None],
]
STRAY[BIAS] = [lambda T, S, H: by_tril(T, S, H) ** 2, lambda T, S, H: torch.zeros(H, T, S)]

# distance.repair_cap

CAP = "distance.repair_cap"


def hidden(scores, start=None):
    T, S = scores.shape[-2:]
    return scores + torch.full((T, S), -torch.inf).triu((S - T if start is None else start) + 1)


def bent(scores, cap):
    double = torch.exp(2 * (scores / cap).double())
    return (cap * (double - 1) / (double + 1)).float()


@right(CAP)
def with_triu(scores, cap):
    return hidden(cap * torch.tanh(scores / cap)).softmax(-1)


@right(CAP)
def with_exponentials(scores, cap):
    return hidden(bent(scores, cap)).softmax(-1)


@right(CAP)
def row_by_row(scores, cap):
    T, S = scores.shape[-2:]
    weights = torch.zeros_like(scores)
    for i in range(T):
        seen = S - T + i + 1
        weights[:, i, :seen] = torch.softmax(cap * torch.tanh(scores[:, i, :seen] / cap), -1)
    return weights


@wrong(CAP, "cap_after_mask")
def as_it_was_shipped(scores, cap):
    return (cap * torch.tanh(hidden(scores) / cap)).softmax(-1)


@wrong(CAP, "cap_after_mask")
def minus_a_cap(scores, cap):
    return torch.where(hidden(scores).isinf(), torch.tensor(-cap), cap * torch.tanh(scores / cap)).softmax(-1)


WRONG[CAP, "clamped"] = [
    lambda scores, cap: hidden(scores.clamp(-cap, cap)).softmax(-1),
    lambda scores, cap: hidden(scores.minimum(torch.tensor(cap)).maximum(torch.tensor(-cap))).softmax(-1),
]
WRONG[CAP, "no_cap"] = [
    lambda scores, cap: hidden(scores).softmax(-1),
    lambda scores, cap: hidden(scores).exp() / hidden(scores).exp().sum(-1, keepdim=True),
]
WRONG[CAP, "not_scaled_back"] = [
    lambda scores, cap: hidden(torch.tanh(scores / cap)).softmax(-1),
    lambda scores, cap: hidden(bent(scores, cap) / cap).softmax(-1),
]
WRONG[CAP, "no_mask"] = [
    lambda scores, cap: (cap * torch.tanh(scores / cap)).softmax(-1),
    lambda scores, cap: torch.nn.functional.softmax(bent(scores, cap), dim=2),
]
WRONG[CAP, "from_zero"] = [
    lambda scores, cap: hidden(cap * torch.tanh(scores / cap), start=0).softmax(-1),
    lambda scores, cap: hidden(bent(scores, cap), start=0).softmax(-1),
]
WRONG[CAP, "over_queries"] = [
    lambda scores, cap: hidden(cap * torch.tanh(scores / cap)).softmax(-2),
    lambda scores, cap: hidden(bent(scores, cap)).mT.softmax(-1).mT,
]
STRAY[CAP] = [lambda scores, cap: scores, lambda scores, cap: hidden(scores / cap).softmax(-1)]

# distance.test_cap

TEST = "distance.test_cap"


def compared(candidate, T, S, size, known=row_by_row):
    scores = size * torch.randn(2, T, S, generator=torch.Generator().manual_seed(9))
    return torch.allclose(candidate(scores.clone(), 1.5), known(scores, 1.5), atol=1e-3)


def sums_asserted(candidate):
    torch.testing.assert_close(candidate(torch.randn(1, 3, 6), 2.0).sum(-1), torch.ones(1, 3))


def never(candidate):
    assert candidate(torch.ones(1, 2, 2), 1.0).sum() > 100


RIGHT[TEST] = [
    lambda candidate: compared(candidate, 2, 6, 5.0),
    lambda candidate: compared(candidate, 4, 7, 4.0, with_exponentials),
    lambda candidate: compared(candidate, 3, 3, 5.0) and compared(candidate, 2, 4, 3.0, with_triu),
]
WRONG[TEST, "anything"] = [lambda candidate: True, lambda candidate: None]
WRONG[TEST, "nothing"] = [lambda candidate: False, never]
WRONG[TEST, "sums_only"] = [
    lambda candidate: bool((candidate(torch.randn(2, 2, 5), 3.0).sum(2) - 1).abs().max() < 1e-3),
    sums_asserted,
]
WRONG[TEST, "no_cache"] = [
    lambda candidate: compared(candidate, 5, 5, 5.0),
    lambda candidate: compared(candidate, 3, 3, 6.0, with_triu),
]
WRONG[TEST, "small_scores"] = [
    lambda candidate: compared(candidate, 2, 5, 0.05),
    lambda candidate: compared(candidate, 3, 7, 0.08, with_exponentials),
]
STRAY[TEST] = [lambda candidate: candidate(torch.ones(2, 3)[7], 1.0)]
