"""Answers to lesson 06's tasks in unusual spellings, right ones and wrong ones, apart from the records."""

import math

import numpy as np
import torch
from torch import nn

from minillama.course.proving import Book
from minillama.rope import apply_rope

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray

# attention.by_hand

HAND = {"scores": [1.5, 2], "weights": [0.25, 0.75, 0], "output": [1, 6], "looks": 18, "group": 1}
RIGHT["attention.by_hand"] = [
    HAND,
    HAND | {"scores": torch.tensor([3.0, 4.0]) / math.sqrt(4), "output": np.array([1.0, 6.0]), "group": 6 // 4},
    HAND | {"weights": (1 / 4, 3 / 4, 0.0), "looks": 3 + 4 + 5 + 6.0, "group": np.int64(1)},
]
for name, by_hand in {
    "no_scale": [{"scores": [3, 4]}, {"scores": np.array([3.0, 4.0])}],
    "scale_d": [{"scores": [0.75, 1]}, {"scores": torch.tensor([3, 4]) / 4}],
    "scale_up": [{"scores": [6, 8]}, {"scores": [3 * 2.0, 4 * 2.0]}],
    "softmax_scores": [{"scores": [0.378, 0.622]}, {"scores": torch.tensor([1.5, 2.0]).softmax(0)}],
    "no_mask": [{"weights": [0.125, 0.375, 0.5]}, {"weights": np.array([1, 3, 4]) / 8}],
    "mask_after": [{"weights": [0.125, 0.375, 0]}, {"weights": np.array([1, 3, 0]) / 8}],
    "mask_inverted": [{"weights": [0, 0, 1]}, {"looks": 6}],
    "not_divided": [{"weights": [1, 3, 0]}, {"weights": torch.tensor([1.0, 3.0, 0.0])}],
    "twice_exponential": [{"weights": [0.12, 0.88, 0]}, {"weights": [*torch.tensor([1.0, 3.0]).softmax(0), 0]}],
    "plain_sum": [{"output": [4, 8]}, {"output": np.array([4, 0]) + np.array([0, 8])}],
    "plain_mean": [{"output": [2, 4]}, {"output": [4 / 2, 8 / 2]}],
    "weights_swapped": [{"output": [3, 2]}, {"output": torch.tensor([3.0, 2.0])}],
    "numbers_added": [{"output": 7}, {"output": 1 + 6.0}],
    "from_zero": [{"looks": 10}, {"looks": 1 + 2 + 3 + 4.0}],
    "not_itself": [{"looks": 14}, {"looks": 18 - 4.0}],
    "all_allowed": [{"looks": 24}, {"looks": 4 * 6.0}],
    "square": [{"looks": 21}, {"looks": 6 * 7 / 2}],
    "remainder": [{"group": 0}, {"group": 6 % 2}],
    "by_groups": [{"group": 3}, {"group": 6 // 2}],
    "from_one": [{"group": 2}, {"group": 2.0}],
    "own_head": [{"group": 6}, {"group": 6.0}],
}.items():
    WRONG["attention.by_hand", name] = [HAND | each for each in by_hand]
STRAY["attention.by_hand"] = [HAND | {"looks": 17}, HAND | {"output": [6, 1]}, HAND | {"group": "one"}]

# attention.causal_mask

MASK = "attention.causal_mask"


@right(MASK)
def row_by_row(T, S, window=None):
    rows = []
    for i in range(T):
        position = S - T + i
        rows.append([s <= position and (window is None or s > position - window) for s in range(S)])
    return torch.tensor(rows)


@right(MASK)
def by_triangles(T, S, window=None):
    mask = torch.ones(T, S).tril(S - T)
    return (mask if window is None else mask.triu(S - T - window + 1)).bool()


@right(MASK)
def last_rows_of_a_square(T, S, window=None):
    square = torch.tril(torch.ones((S, S), dtype=torch.bool))
    if window:
        square &= ~torch.tril(square, -window)
    return square[-T:]


@right(MASK)
def in_numpy(T, S, window=None):
    back = np.arange(S - T, S)[:, None] - np.arange(S)
    return (back >= 0) & (back < (window or S))


def offsets(T, S):
    """How far each key lies before each query."""
    return torch.arange(S - T, S).unsqueeze(1) - torch.arange(S)


def triangle(T, S, window, d=0, w=0):
    mask = torch.ones(T, S, dtype=torch.bool).tril(S - T + d)
    return mask if window is None else mask.triu(S - T - window + 1 + w)


WRONG[MASK, "not_itself"] = [
    lambda T, S, window=None: (offsets(T, S) > 0) & (offsets(T, S) < (window or S)),
    lambda T, S, window=None: triangle(T, S, window, d=-1),
]
WRONG[MASK, "one_ahead"] = [
    lambda T, S, window=None: (offsets(T, S) >= -1) & (offsets(T, S) < (window or S)),
    lambda T, S, window=None: triangle(T, S, window, d=1),
]
WRONG[MASK, "inverted"] = [
    lambda T, S, window=None: ~row_by_row(T, S, window),
    lambda T, S, window=None: (offsets(T, S) < 0) | (offsets(T, S) >= (window or S)),
]
WRONG[MASK, "upside_down"] = [
    lambda T, S, window=None: (offsets(T, S) <= 0) & (offsets(T, S) < (window or S)),
    lambda T, S, window=None: torch.ones(T, S, dtype=torch.bool).triu(S - T),
]
WRONG[MASK, "from_zero"] = [
    lambda T, S, window=None: triangle_from_zero(T, S, window),
    lambda T, S, window=None: torch.tensor(
        [[s <= t and (window is None or s > t - window) for s in range(S)] for t in range(T)]
    ),
]


def triangle_from_zero(T, S, window):
    mask = torch.ones(T, S, dtype=torch.bool).tril()
    return mask if window is None else mask.triu(1 - window)


WRONG[MASK, "no_window"] = [
    lambda T, S, window=None: triangle(T, S, None),
    lambda T, S, window=None: offsets(T, S) >= 0,
]
WRONG[MASK, "window_plus_one"] = [
    lambda T, S, window=None: triangle(T, S, window, w=-1),
    lambda T, S, window=None: (offsets(T, S) >= 0) & (offsets(T, S) <= (window or S)),
]
WRONG[MASK, "window_short"] = [
    lambda T, S, window=None: triangle(T, S, window, w=1),
    lambda T, S, window=None: (offsets(T, S) >= 0) & (offsets(T, S) < (window or S + 1) - 1),
]
WRONG[MASK, "window_alone"] = [
    lambda T, S, window=None: offsets(T, S) >= 0 if window is None else offsets(T, S) < window,
    lambda T, S, window=None: (
        triangle(T, S, None) if window is None else torch.ones(T, S, dtype=torch.bool).triu(S - T - window + 1)
    ),
]
WRONG[MASK, "added"] = [
    lambda T, S, window=None: torch.where(row_by_row(T, S, window), 0.0, -torch.inf),
    lambda T, S, window=None: (1 - row_by_row(T, S, window).float()) * -1e9,
]
STRAY[MASK] = [
    lambda T, S, window=None: row_by_row(T, S, window).float(),
    lambda T, S, window=None: row_by_row(T, S, window).int(),
    lambda T, S, window=None: torch.ones(T, S, dtype=torch.bool),
    lambda T, S, window=None: row_by_row(T, S, window).T,
    lambda T, S, window=None: row_by_row(T, S, window).flip(0),
    lambda T, S, window=None: triangle(T, S, window, d=2),
    lambda T, S, window=None: row_by_row(T, T, window),
    lambda T, S, window=None: None,
]

# attention.attention_weights

WEIGHTS = "attention.attention_weights"


@right(WEIGHTS)
def in_loops(q, k, mask):
    rows = []
    for t in range(len(q)):
        seen = [s for s in range(len(k)) if mask[t, s]] or list(range(len(k)))
        exponentials = [0.0] * len(k)
        for s in seen:
            exponentials[s] = math.exp((q[t] @ k[s]).item() / math.sqrt(q.shape[1]))
        seen_all = bool(mask[t].any())
        rows.append([e / sum(exponentials) if seen_all else 1 / len(k) for e in exponentials])
    return torch.tensor(rows)


@right(WEIGHTS)
def with_a_large_number_subtracted(q, k, mask):
    return torch.softmax(torch.einsum("tk,sk->ts", q, k) / q.size(-1) ** 0.5 - 1e9 * (~mask).float(), -1)


@right(WEIGHTS)
def scaled_queries_first(q, k, mask):
    scores = torch.matmul(q * q.shape[1] ** -0.5, k.transpose(0, 1))
    scores[~mask] = -1e30
    return nn.functional.softmax(scores, dim=1)


@right(WEIGHTS)
def renormalised_in_numpy(q, k, mask):
    q, k, mask = q.double().numpy(), k.double().numpy(), mask.numpy()
    weights = np.exp(q @ k.T / np.sqrt(q.shape[1])) * mask
    weights[~mask.any(1)] = 1.0
    return weights / weights.sum(1, keepdims=True)


def dotted(q, k, scale):
    return torch.einsum("tk,sk->ts", q, k) * scale


def filled(scores, mask, value=-1e9):
    return torch.where(mask, scores, torch.full_like(scores, value))


def scale_of(q):
    return 1 / math.sqrt(q.shape[1])


WRONG[WEIGHTS, "no_scale"] = [
    lambda q, k, mask: (q @ k.T).masked_fill(~mask, -1e9).softmax(-1),
    lambda q, k, mask: filled(dotted(q, k, 1.0), mask).softmax(1),
]
WRONG[WEIGHTS, "scale_d"] = [
    lambda q, k, mask: (q @ k.T / q.shape[-1]).masked_fill(~mask, -1e9).softmax(-1),
    lambda q, k, mask: filled(dotted(q, k, 1 / k.shape[1]), mask).softmax(1),
]
WRONG[WEIGHTS, "scale_up"] = [
    lambda q, k, mask: (q @ k.T * q.shape[-1] ** 0.5).masked_fill(~mask, -1e9).softmax(-1),
    lambda q, k, mask: filled(dotted(q, k, 1 / scale_of(q)), mask).softmax(1),
]
WRONG[WEIGHTS, "scale_length"] = [
    lambda q, k, mask: (q @ k.T / q.shape[0] ** 0.5).masked_fill(~mask, -1e9).softmax(-1),
    lambda q, k, mask: filled(dotted(q, k, len(q) ** -0.5), mask).softmax(1),
]
WRONG[WEIGHTS, "over_queries"] = [
    lambda q, k, mask: (q @ k.T * scale_of(q)).masked_fill(~mask, -3e38).softmax(0),
    lambda q, k, mask: filled(dotted(k, q, scale_of(q)), mask.T, -3.4e38).softmax(-1).T,
]
WRONG[WEIGHTS, "mask_after"] = [
    lambda q, k, mask: (q @ k.T * scale_of(q)).softmax(-1) * mask,
    lambda q, k, mask: dotted(q, k, scale_of(q)).softmax(-1).masked_fill(~mask, 0.0),
]
WRONG[WEIGHTS, "mask_zero"] = [
    lambda q, k, mask: (q @ k.T * scale_of(q) * mask).softmax(-1),
    lambda q, k, mask: filled(dotted(q, k, scale_of(q)), mask, 0.0).softmax(-1),
]
WRONG[WEIGHTS, "no_mask"] = [
    lambda q, k, mask: (q @ k.T * scale_of(q)).softmax(-1),
    lambda q, k, mask: torch.stack([(k @ each * scale_of(q)).softmax(0) for each in q]),
]
WRONG[WEIGHTS, "mask_inverted"] = [
    lambda q, k, mask: (q @ k.T * scale_of(q)).masked_fill(mask, -1e9).softmax(-1),
    lambda q, k, mask: filled(dotted(q, k, scale_of(q)), ~mask).softmax(-1),
]
WRONG[WEIGHTS, "nan_rows"] = [
    lambda q, k, mask: (q @ k.T * scale_of(q)).masked_fill(~mask, -torch.inf).softmax(-1),
    lambda q, k, mask: filled(dotted(q, k, scale_of(q)), mask, float("-inf")).softmax(1),
    lambda q, k, mask: normalised(dotted(q, k, scale_of(q)).exp() * mask),
]


def normalised(weights):
    return weights / weights.sum(-1, keepdim=True)


STRAY[WEIGHTS] = [
    lambda q, k, mask: in_loops(q, k, mask) + 0.1,
    lambda q, k, mask: filled(dotted(q, k, scale_of(q)), mask),
    lambda q, k, mask: in_loops(q, k, mask).T,
    lambda q, k, mask: torch.full(mask.shape, 1 / mask.shape[1]),
    lambda q, k, mask: in_loops(q, k, mask).flip(1),
    lambda q, k, mask: torch.where(mask, in_loops(q, k, mask), torch.zeros(())),
    lambda q, k, mask: k @ mask,
    lambda q, k, mask: None,
]

# attention.split_heads

SPLIT = "attention.split_heads"
RIGHT[SPLIT] = [
    lambda x, H: torch.stack(x.chunk(H, dim=-1), dim=1),
    lambda x, H: torch.einsum("bthk->bhtk", x.unflatten(-1, (H, -1))),
    lambda x, H: torch.cat([part[:, None] for part in x.split(x.shape[-1] // H, -1)], 1),
    lambda x, H: np.moveaxis(x.numpy().reshape(*x.shape[:2], H, -1), 2, 1),
]
WRONG[SPLIT, "viewed"] = [
    lambda x, H: x.view(x.shape[0], H, x.shape[1], -1),
    lambda x, H: torch.stack([each.flatten().reshape(H, x.shape[1], -1) for each in x]),
]
WRONG[SPLIT, "dealt_out"] = [
    lambda x, H: torch.stack([x[:, :, h::H] for h in range(H)], dim=1),
    lambda x, H: x.unflatten(-1, (-1, H)).movedim(-1, 1),
]
WRONG[SPLIT, "not_moved"] = [
    lambda x, H: x.unflatten(-1, (H, -1)),
    lambda x, H: torch.stack(x.chunk(H, dim=-1), dim=2),
]
WRONG[SPLIT, "channels_first"] = [
    lambda x, H: x.unflatten(-1, (H, -1)).permute(0, 3, 2, 1),
    lambda x, H: torch.stack(x.chunk(H, dim=-1), dim=2).transpose(1, -1),
]
WRONG[SPLIT, "heads_as_channels"] = [
    lambda x, H: x.unflatten(-1, (-1, H)).transpose(1, 2),
    lambda x, H: torch.stack(x.split(H, dim=-1), dim=1),
]
STRAY[SPLIT] = [
    lambda x, H: torch.stack(x.chunk(H, dim=-1), dim=1).flip(1),
    lambda x, H: x,
    lambda x, H: torch.stack(x.chunk(H, dim=-1), dim=0),
    lambda x, H: torch.stack(x.chunk(H, dim=-1), dim=1) * 2,
]

# attention.attend

ATTEND = "attention.attend"


@right(ATTEND)
def head_by_head(q, k, v, mask):
    outs, all_weights = [], []
    H, G = q.shape[2], k.shape[2]
    for b in range(len(q)):
        allowed = mask[b] if mask.dim() == 3 else mask
        heads = [scaled_queries_first(q[b, :, h].float(), k[b, :, h * G // H].float(), allowed) for h in range(H)]
        all_weights.append(torch.stack(heads))
        outs.append(torch.stack([w @ v[b, :, h * G // H].float() for h, w in enumerate(heads)], 1))
    return torch.stack(outs).to(q.dtype), torch.stack(all_weights).to(q.dtype)


def heads_first(q, k, v, mask):
    group = q.shape[2] // k.shape[2]
    q, k, v = (x.transpose(1, 2).double() for x in (q, k, v))
    index = torch.arange(q.shape[1]) // group
    k, v = k[:, index], v[:, index]
    mask = mask.unsqueeze(1) if mask.ndim == 3 else mask
    scores = (q / math.sqrt(q.shape[-1])) @ k.mT + torch.where(mask, 0.0, -1e30)
    weights = torch.softmax(scores, -1)
    return (weights @ v).transpose(1, 2), weights


@right(ATTEND)
def heads_first_and_back(q, k, v, mask):
    out, weights = heads_first(q, k, v, mask)
    return [out.to(q.dtype), weights.to(q.dtype)]


@right(ATTEND)
def in_groups(q, k, v, mask):
    B, T, H, K = q.shape
    G = k.shape[2]
    grouped = q.float().reshape(B, T, G, H // G, K)
    scores = torch.einsum("btgrk,bsgk->bgrts", grouped, k.float()) / K**0.5
    allowed = mask if mask.dim() == 2 else mask[:, None, None]
    weights = scores.masked_fill(allowed.logical_not(), -1e30).softmax(-1)
    out = torch.einsum("bgrts,bsgk->btgrk", weights, v.float())
    return out.reshape(B, T, H, K).to(q.dtype), weights.reshape(B, H, T, -1).to(q.dtype)


def attended(q, k, v, mask, *, scale=None, fill=-1e30, softmax=-1, before=None, after=None, index=None):
    """Heads first, every step open to a slip."""
    H, G = q.shape[2], k.shape[2]
    index = [h * G // H for h in range(H)] if index is None else index(H, G)
    dtype, K = q.dtype, q.shape[3]
    q, k, v = (x.movedim(2, 1).float() for x in (q, k[:, :, index], v[:, :, index]))
    mask = mask[:, None] if mask.dim() == 3 else mask
    scores = q @ k.transpose(-1, -2) * (K**-0.5 if scale is None else scale(H, K))
    scores = torch.where(mask, scores, torch.tensor(fill)) if before is None else before(scores, mask)
    weights = scores.softmax(softmax)
    weights = weights if after is None else after(weights, mask)
    return (weights @ v).movedim(1, 2).to(dtype), weights.to(dtype)


def grouped(q, k, v, mask, *, scale=None, fill=-1e30, softmax=-1, before=None, after=None):
    """In groups, by einsum, the same."""
    B, T, H, K = q.shape
    G, dtype = k.shape[2], q.dtype
    scores = torch.einsum("btgrk,bsgk->bgrts", q.float().reshape(B, T, G, H // G, K), k.float()).flatten(1, 2)
    scores = scores * (K**-0.5 if scale is None else scale(H, K))
    mask = mask.unsqueeze(1) if mask.dim() == 3 else mask
    scores = scores.masked_fill(~mask, fill) if before is None else before(scores, mask)
    weights = torch.softmax(scores, softmax)
    weights = weights if after is None else after(weights, mask)
    out = torch.einsum("bgrts,bsgk->btgrk", weights.unflatten(1, (G, -1)), v.float()).reshape(B, T, H, K)
    return out.to(dtype), weights.to(dtype)


for name, options in {
    "no_scale": {"scale": lambda H, K: 1.0},
    "scale_d": {"scale": lambda H, K: 1 / K},
    "scale_up": {"scale": lambda H, K: math.sqrt(K)},
    "scale_model": {"scale": lambda H, K: (H * K) ** -0.5},
    "over_queries": {"softmax": -2, "fill": -3.4e38},
    "mask_after": {"before": lambda scores, mask: scores, "after": lambda weights, mask: weights * mask},
    "mask_zero": {"fill": 0.0},
    "no_mask": {"before": lambda scores, mask: scores},
    "mask_inverted": {"before": lambda scores, mask: scores.masked_fill(mask, -1e30)},
    "nan_rows": {"fill": float("-inf")},
}.items():
    WRONG[ATTEND, name] = [
        lambda q, k, v, mask, how=how, options=options: how(q, k, v, mask, **options) for how in (attended, grouped)
    ]
WRONG[ATTEND, "dealt_out"] = [
    lambda q, k, v, mask: attended(q, k, v, mask, index=lambda H, G: [h % G for h in range(H)]),
    lambda q, k, v, mask: head_by_head(
        q, torch.cat([k] * (q.shape[2] // k.shape[2]), 2), v.repeat(1, 1, q.shape[2] // v.shape[2], 1), mask
    ),
]
WRONG[ATTEND, "first_group"] = [
    lambda q, k, v, mask: attended(q, k, v, mask, index=lambda H, G: [0] * H),
    lambda q, k, v, mask: grouped(q, k[:, :, :1], v[:, :, :1], mask),
]
WRONG[ATTEND, "missing_repeat"] = [
    lambda q, k, v, mask: by_einsum(q, k, v, mask),
    lambda q, k, v, mask: by_matmul(q, k, v, mask),
]


def by_einsum(q, k, v, mask):
    scores = torch.einsum("bthk,bshk->bhts", q.float(), k.float()) * q.shape[-1] ** -0.5
    mask = mask if mask.dim() == 2 else mask[:, None]
    weights = scores.masked_fill(~mask, -1e30).softmax(-1)
    return torch.einsum("bhts,bshk->bthk", weights, v.float()).to(q.dtype), weights.to(q.dtype)


def by_matmul(q, k, v, mask):
    dtype, mask = q.dtype, mask if mask.dim() == 2 else mask[:, None]
    q, k, v = (x.transpose(1, 2).float() for x in (q, k, v))
    weights = torch.where(mask, q @ k.mT / math.sqrt(q.shape[-1]), torch.tensor(-1e30)).softmax(-1)
    return (weights @ v).transpose(1, 2).to(dtype), weights.to(dtype)


WRONG[ATTEND, "rows_as_heads"] = [
    lambda q, k, v, mask: (
        attended(q, k, v, mask[None] if mask.dim() == 3 else mask) if mask.dim() == 2 else sheet_a_head(q, k, v, mask)
    ),
    lambda q, k, v, mask: bare_mask(q, k, v, mask),
]


def sheet_a_head(q, k, v, mask):
    parts = [head_by_head(q[:, :, [h]], k[:, :, [h]], v[:, :, [h]], mask[h]) for h in range(q.shape[2])]
    return torch.cat([out for out, _ in parts], 2), torch.cat([weights for _, weights in parts], 1)


def bare_mask(q, k, v, mask):
    group = q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(group, 2), v.repeat_interleave(group, 2)
    scores = torch.einsum("bthk,bshk->bhts", q.float(), k.float()) * q.shape[-1] ** -0.5
    weights = scores.masked_fill(~mask, -1e30).softmax(-1)
    return torch.einsum("bhts,bshk->bthk", weights, v.float()).to(q.dtype), weights.to(q.dtype)


WRONG[ATTEND, "values_from_keys"] = [
    lambda q, k, v, mask: attended(q, k, k, mask),
    lambda q, k, v, mask: head_by_head(q, k, k.clone(), mask),
]
STRAY[ATTEND] = [
    lambda q, k, v, mask: head_by_head(q, k, v, mask)[0],
    lambda q, k, v, mask: head_by_head(q, k, v, mask)[::-1],
    lambda q, k, v, mask: head_by_head(q, v, k, mask),
    lambda q, k, v, mask: (2 * head_by_head(q, k, v, mask)[0], head_by_head(q, k, v, mask)[1]),
    lambda q, k, v, mask: (head_by_head(q, k, v, mask)[0].transpose(1, 2), head_by_head(q, k, v, mask)[1]),
    lambda q, k, v, mask: q @ k,
    lambda q, k, v, mask: tuple(each.float() for each in head_by_head(q, k, v, mask)),
]

# attention.Attention

MODULE = "attention.Attention"


def layer(bias=False, forward=None, sizes=None):
    """A class with Meta's four matrices and this forward."""

    class Layer(nn.Module):
        def __init__(self, config, layer=0):
            super().__init__()
            self.number, self.H, self.G, self.K = layer, config.n_heads, config.n_kv_heads, config.head_dim
            made = sizes(config) if sizes else (config.n_kv_heads * config.head_dim, "wo")
            self.wq = nn.Linear(config.dim, self.H * self.K, bias=bias)
            self.wk = nn.Linear(config.dim, made[0], bias=bias)
            self.wv = nn.Linear(config.dim, made[0], bias=bias)
            if made[1]:
                self.wo = nn.Linear(self.H * self.K, config.dim, bias=bias)

        def forward(self, x, cos, sin, mask, cache=None):
            return (forward or plain)(self, x, cos, sin, mask, cache)

    return Layer


def plain(self, x, cos, sin, mask, cache, *, turn="qk", values="wv", number=None, last=True, add=0.0, mix=False):
    B, T, _ = x.shape
    parts = {"q": self.wq(x), "k": self.wk(x), "v": getattr(self, values)(x)}
    parts = {name: part.reshape(B, T, -1, self.K) for name, part in parts.items()}
    q, k, v = (apply_rope(part, cos, sin) if name in turn else part for name, part in parts.items())
    if cache is not None:
        k, v = cache.update(self.number if number is None else number, k, v)
    out = attended(q, k, v, mask)[0]
    out = out.transpose(1, 2).reshape(B, T, -1) if mix else out.reshape(B, T, -1)
    return (self.wo(out) if last else out) + add * x


def by_hand_products(self, x, cos, sin, mask, cache):
    q, k, v = (torch.einsum("btd,od->bto", x, w.weight) for w in (self.wq, self.wk, self.wv))
    q, k, v = q.unflatten(2, (self.H, self.K)), k.unflatten(2, (self.G, self.K)), v.unflatten(2, (self.G, self.K))
    both = apply_rope(torch.cat((q, k), 2), cos, sin)
    q, k = both[:, :, : self.H], both[:, :, self.H :]
    if cache is not None:
        k, v = cache.update(self.number, k, v)
    return head_by_head(q, k, v, mask)[0].flatten(2) @ self.wo.weight.T


def fused(self, x, cos, sin, mask, cache):
    q, k, v = (w(x).view(*x.shape[:2], -1, self.K) for w in (self.wq, self.wk, self.wv))
    q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
    k, v = (k, v) if cache is None else cache.update(self.number, k, v)
    q, k, v = (each.transpose(1, 2) for each in (q, k, v))
    out = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    return self.wo(out.transpose(1, 2).reshape(*x.shape[:2], -1))


RIGHT[MODULE] = [layer(), layer(forward=by_hand_products), layer(forward=fused)]


def slip(**options):
    return lambda self, x, cos, sin, mask, cache: plain(self, x, cos, sin, mask, cache, **options)


def by_steps(**bugs):
    """The same slips, in another hand."""

    def forward(self, x, cos, sin, mask, cache):
        shape = (*x.shape[:2], -1, self.K)
        q, k = (w(x).view(shape) for w in (self.wq, self.wk))
        v = (self.wk if bugs.get("wk") else self.wv)(x).view(shape)
        if not bugs.get("unturned"):
            q = apply_rope(q, cos, sin)
            k = k if bugs.get("keys") else apply_rope(k, cos, sin)
        if bugs.get("values"):
            v = apply_rope(v, cos, sin)
        if cache:
            k, v = cache.update(0 if bugs.get("zero") else self.number, k, v)
        out, _ = in_groups(q, k, v, mask)
        if bugs.get("mix"):
            out = torch.cat(out.unbind(2), 1).reshape(out.shape)
        out = out.flatten(2)
        out = out if bugs.get("bare") else nn.functional.linear(out, self.wo.weight)
        return out.add(x) if bugs.get("add") else out

    return forward


for name, options, bugs in (
    ("values_turned", {"turn": "qkv"}, {"values": True}),
    ("keys_unturned", {"turn": "q"}, {"keys": True}),
    ("unturned", {"turn": ""}, {"unturned": True}),
    ("values_from_wk", {"values": "wk"}, {"wk": True}),
    ("layer_zero", {"number": 0}, {"zero": True}),
    ("regrouped", {"mix": True}, {"mix": True}),
    ("wo_unused", {"last": False}, {"bare": True}),
    ("residual", {"add": 1.0}, {"add": True}),
):
    WRONG[MODULE, name] = [layer(forward=slip(**options)), layer(forward=by_steps(**bugs))]
WRONG[MODULE, "no_wo"] = [
    layer(sizes=lambda c: (c.n_kv_heads * c.head_dim, None), forward=how)
    for how in (slip(last=False), by_steps(bare=True))
]
WRONG[MODULE, "bias"] = [layer(bias=True), layer(bias=True, forward=fused)]
WRONG[MODULE, "own_keys"] = [
    layer(sizes=lambda c: (c.n_heads * c.head_dim, "wo")),
    layer(sizes=lambda c: (c.dim, "wo"), forward=fused),
]
STRAY[MODULE] = [
    layer(forward=lambda self, x, cos, sin, mask, cache: 2 * plain(self, x, cos, sin, mask, cache)),
    layer(forward=lambda self, x, cos, sin, mask, cache: x),
    layer(forward=lambda self, x, cos, sin, mask, cache: (x,).view(-1)),
    layer(forward=slip(turn="k")),
    layer(forward=slip(values="wq")),
    layer(forward=lambda self, x, cos, sin, mask, cache: plain(self, x, cos, sin, mask, None)),
]

# attention.head_score

SCORE = "attention.head_score"


@right(SCORE)
def with_two_lists(attention, length):
    queries = torch.arange(attention.shape[1] - length, attention.shape[1])
    return attention[:, queries, queries - length + 1].mean(-1)


@right(SCORE)
def by_a_diagonal(attention, length):
    second = attention[:, -length:]
    return second.diagonal(attention.shape[2] - 2 * length + 1, 1, 2).sum(1) / length


@right(SCORE)
def from_both_ends(attention, length):
    attention = attention.numpy()
    total = sum(attention[:, -i, -i - length + 1] for i in range(1, length + 1))
    return total / length


def looked(attention, length, back, start=0, stop=0):
    T = attention.shape[-1]
    return torch.stack([attention[:, t, t - back] for t in range(T - length - start, T - stop)], -1)


def by_index(attention, length, back, shift=0):
    T = attention.shape[-1]
    queries = np.arange(T - length, T) - shift
    return attention.numpy()[:, queries, queries - back]


for name, of in {
    "same_token": (lambda how, a, n: how(a, n, n).mean(-1)),
    "one_further": (lambda how, a, n: how(a, n, n - 2).mean(-1)),
    "previous": (lambda how, a, n: how(a, n, 1).mean(-1)),
    "summed": (lambda how, a, n: how(a, n, n - 1).sum(-1)),
    "exchanged": (lambda how, a, n: how(a.transpose(1, 2), n, n - 1).mean(-1)),
}.items():
    WRONG[SCORE, name] = [lambda a, n, how=how, of=of: of(how, a, n) for how in (looked, by_index)]
WRONG[SCORE, "most"] = [
    lambda a, n: looked(a, n, n - 1).max(-1).values,
    lambda a, n: by_index(a, n, n - 1).max(-1),
]
WRONG[SCORE, "no_start"] = [
    lambda a, n: looked(a, n, n - 1, 1, 1).mean(-1),
    lambda a, n: by_index(a, n, n - 1, shift=1).mean(-1),
]
WRONG[SCORE, "whole_diagonal"] = [
    lambda a, n: a.diagonal(1 - n, 1, 2).mean(-1),
    lambda a, n: torch.stack([a[:, t, t - n + 1] for t in range(n - 1, a.shape[1])]).mean(0),
]
WRONG[SCORE, "whole_span"] = [
    lambda a, n: a[:, -n:, -2 * n : -n].sum(-1).mean(-1),
    lambda a, n: a.numpy()[:, -n:, a.shape[1] - 2 * n : a.shape[1] - n].sum((1, 2)) / n,
]
WRONG[SCORE, "counted"] = [
    lambda a, n: torch.stack([(a[:, -i].argmax(-1) == a.shape[1] - i - n + 1).float() for i in range(1, n + 1)]).mean(
        0
    ),
    lambda a, n: (a.numpy()[:, -n:].argmax(-1) == np.arange(a.shape[1] - n, a.shape[1]) - n + 1).mean(-1),
]
WRONG[SCORE, "last_left_out"] = [
    lambda a, n: looked(a, n, n - 1)[:, :-1].mean(-1),
    lambda a, n: a.diagonal(1 - n, 1, 2)[:, -n:-1].mean(-1),
]
WRONG[SCORE, "from_start"] = [
    lambda a, n: torch.stack([a[:, t, t - n + 1] for t in range(n, 2 * n)]).mean(0),
    lambda a, n: a.diagonal(1 - n, 1, 2)[:, 1 : n + 1].mean(-1),
]
WRONG[SCORE, "keys_from_start"] = [
    lambda a, n: a[:, torch.arange(-n, 0), torch.arange(1, n + 1)].mean(-1),
    lambda a, n: sum(a[:, a.shape[1] - n + i, i + 1] for i in range(n)) / n,
]
STRAY[SCORE] = [
    lambda a, n: with_two_lists(a, n).mean(),
    lambda a, n: with_two_lists(a, n).flip(0),
    lambda a, n: looked(a, n, n - 1),
    lambda a, n: with_two_lists(a, n) * 2,
]

# attention.repair_mask

REPAIR = "attention.repair_mask"
RIGHT[REPAIR] = [row_by_row, by_triangles, in_numpy, lambda T, S, window=None: triangle(T, S, window)]


def colleagues(T, S, window, past=None, future=0, near=0):
    past = S - T if past is None else past
    mask = torch.ones(T, S, dtype=torch.bool).tril(past + future)
    return mask if window is None else mask.triu(past - window + 1 + near)


def compared(T, S, window, past=None, future=0, near=0):
    past = S - T if past is None else past
    back = torch.arange(T)[:, None] + past - torch.arange(S)
    return (back >= -future) if window is None else (back >= -future) & (back < window - near)


for name, options in {
    "as_found": {"future": 1, "near": -1},
    "future_left": {"future": 1},
    "window_left": {"near": -1},
    "blind": {"future": -1},
    "past_lost": {"past": 0},
    "window_short": {"near": 1},
}.items():
    WRONG[REPAIR, name] = [
        lambda T, S, window=None, how=how, options=options: how(T, S, window, **options)
        for how in (colleagues, compared)
    ]
WRONG[REPAIR, "window_lost"] = [
    lambda T, S, window=None: triangle(T, S, None),
    lambda T, S, window=None: row_by_row(T, S),
]
STRAY[REPAIR] = [
    lambda T, S, window=None: colleagues(T, S, window, future=2),
    lambda T, S, window=None: ~row_by_row(T, S, window),
    lambda T, S, window=None: None,
]

# attention.near_and_far

FAR = "attention.near_and_far"

WRONG[FAR, "either"] = [
    lambda T, S, window, n: pair_by_pair(T, S, window, n) & ~(pair_by_pair(T, S, window, 0) & (torch.arange(S) < n)),
    lambda T, S, window, n: torch.tensor(
        [[s <= t and (t - s < window) != (s < n) for s in range(S)] for t in range(S - T, S)]
    ),
]


@right(FAR)
def pair_by_pair(T, S, window, n):
    return torch.tensor([[s <= t and (t - s < window or s < n) for s in range(S)] for t in range(S - T, S)])


@right(FAR)
def first_columns_set(T, S, window, n):
    mask = row_by_row(T, S, window)
    mask[:, :n] |= row_by_row(T, S)[:, :n]
    return mask


@right(FAR)
def what_is_not_forgotten(T, S, window, n):
    back = np.arange(S - T, S)[:, None] - np.arange(S)
    return ~((back < 0) | ((back >= window) & (np.arange(S) >= n)))


def parts(T, S, window, n, past=None):
    """Seen, near and far, as tensors."""
    past = S - T if past is None else past
    query, key = torch.arange(past, past + T)[:, None], torch.arange(S)
    return key <= query, key > query - window, (key < n).expand(T, S)


def parts_by_triangles(T, S, window, n, past=None):
    past = S - T if past is None else past
    ones = torch.ones(T, S, dtype=torch.bool)
    return ones.tril(past), ones.triu(past - window + 1), torch.cat((ones[:, :n], ~ones[:, n:]), 1)


for name, of in {
    "sees_ahead": lambda how, *a: (lambda seen, near, far: (seen & near) | far)(*how(*a)),
    "near_ahead": lambda how, *a: (lambda seen, near, far: near | (far & seen))(*how(*a)),
    "both": lambda how, *a: (lambda seen, near, far: near & far & seen)(*how(*a)),
    "never_far": lambda how, *a: (lambda seen, near, far: near & seen)(*how(*a)),
    "never_near": lambda how, *a: (lambda seen, near, far: far & seen)(*how(*a)),
    "one_too_many": lambda how, T, S, w, n: (lambda seen, near, far: (near | far) & seen)(*how(T, S, w + 1, n)),
    "one_more_kept": lambda how, T, S, w, n: (lambda seen, near, far: (near | far) & seen)(*how(T, S, w, n + 1)),
    "one_too_few": lambda how, T, S, w, n: (lambda seen, near, far: (near | far) & seen)(*how(T, S, w - 1, n)),
    "not_itself": lambda how, T, S, w, n: (
        lambda seen, near, far: (near | far) & seen & ~torch.eye(S, dtype=torch.bool)[S - T :]
    )(*how(T, S, w, n)),
    "from_zero": lambda how, *a: (lambda seen, near, far: (near | far) & seen)(*how(*a, past=0)),
    "inverted": lambda how, *a: (lambda seen, near, far: ~((near | far) & seen))(*how(*a)),
}.items():
    WRONG[FAR, name] = [
        lambda T, S, window, n, how=how, of=of: of(how, T, S, window, n) for how in (parts, parts_by_triangles)
    ]
WRONG[FAR, "other_near"] = [
    lambda T, S, window, n: torch.tensor(
        [[s <= t and (t // window == s // window or s < n) for s in range(S)] for t in range(S - T, S)]
    ),
    lambda T, S, window, n: blocks(T, S, window, n),
]


def blocks(T, S, window, n):
    query, key = np.arange(S - T, S)[:, None], np.arange(S)
    return (key <= query) & ((key >= query - query % window) | (key < n))


STRAY[FAR] = [
    lambda T, S, window, n: torch.ones(T, S, dtype=torch.bool),
    lambda T, S, window, n: pair_by_pair(T, S, n, window),
    lambda T, S, window, n: pair_by_pair(T, S, window, n).int(),
]
