"""Answers to lesson 02's tasks in unusual spellings, right ones and wrong ones, written apart from the records.

RIGHT: task -> spellings that must pass. WRONG: (task, misconception) -> spellings that must fail and be named so.
STRAY: task -> wrong answers that no misconception describes: they must fail and be named nothing.
"""

import math

import numpy as np
import torch
from torch.nn import functional as F

RIGHT, WRONG, STRAY = {}, {}, {}


def right(task):
    return lambda function: RIGHT.setdefault(task, []).append(function) or function


def wrong(task, name):
    return lambda function: WRONG.setdefault((task, name), []).append(function) or function


def stray(task):
    return lambda function: STRAY.setdefault(task, []).append(function) or function


# language_model.by_hand

HAND = {"chances": [0.5, 0.4, 0.1], "surprise": 0.69, "targets": [9, 2, 7], "step_zero": 10.37, "perplexity": 4}
RIGHT["language_model.by_hand"] = [
    HAND,
    HAND | {"chances": np.array([5, 4, 1]) / 10, "surprise": math.log(2)},
    HAND | {"targets": torch.tensor([9, 2, 7]), "step_zero": -math.log(1 / 32_000), "perplexity": torch.tensor(4.0)},
    HAND | {"targets": (9, 2, 7), "perplexity": 8 ** (2 / 3), "surprise": np.float64(0.6931)},
]
for name, by_hand in {
    "no_division": [{"chances": [5, 4, 1]}, {"chances": (5.0, 4.0, 1.0)}],
    "by_largest": [{"chances": [1, 0.8, 0.2]}, {"chances": np.array([5, 4, 1]) / 5}],
    "bits": [{"surprise": 1}, {"step_zero": math.log2(32_000)}],
    "base_10": [{"surprise": 0.301}, {"step_zero": math.log10(32_000)}],
    "no_minus": [{"surprise": -0.69}, {"step_zero": -10.37}],
    "unshifted": [{"targets": [5, 9, 2]}, {"targets": torch.tensor([5, 9, 2])}],
    "count": [{"step_zero": 32_000}, {"step_zero": 32e3}],
    "mean_of_perplexities": [{"perplexity": 14 / 3}, {"perplexity": 4.667}],
    "of_mean_chance": [{"perplexity": 3.43}, {"perplexity": 24 / 7}],
    "whole_text": [{"perplexity": 64}, {"perplexity": 2.0 * 4 * 8}],
}.items():
    WRONG["language_model.by_hand", name] = [HAND | each for each in by_hand]
STRAY["language_model.by_hand"] = [HAND | {"perplexity": 5}, HAND | {"targets": [9, 2, 1]}, HAND | {"surprise": "high"}]


# language_model.cross_entropy

CE = "language_model.cross_entropy"
IGNORE = -100


@right(CE)
def flat_with_indexing(logits, targets):
    V = logits.shape[-1]
    logits, targets = logits.reshape(-1, V).float(), targets.reshape(-1)
    keep = (targets != IGNORE).nonzero().squeeze(1)
    logs = F.log_softmax(logits[keep], dim=1)
    return -logs[torch.arange(len(keep)), targets[keep]].mean()


@right(CE)
def with_loops(logits, targets):
    total, count = 0.0, 0
    for row, ids in zip(logits.tolist(), targets.tolist(), strict=True):
        for scores, target in zip(row, ids, strict=True):
            if target == -100:
                continue
            top = max(scores)
            total += math.log(sum(math.exp(s - top) for s in scores)) + top - scores[target]
            count += 1
    return total / count


@right(CE)
def in_numpy_float64(logits, targets):
    x, y = logits.double().numpy(), targets.numpy()
    x = x - x.max(-1, keepdims=True)
    logs = x - np.log(np.exp(x).sum(-1, keepdims=True))
    keep = y != -100
    return -(logs[keep][np.arange(keep.sum()), y[keep]]).mean()


@right(CE)
def with_one_hot(logits, targets):
    counted = targets != IGNORE
    hot = F.one_hot(targets.clamp(min=0), logits.shape[-1]) * counted[..., None]
    logs = torch.log_softmax(logits.float(), -1)
    return -(torch.where(hot.bool(), logs, torch.zeros(()))).sum() / hot.sum()


@right(CE)
def with_nan_mean(logits, targets):
    logs = logits.to(torch.float64).log_softmax(-1)
    picked = logs.gather(2, (targets * (targets >= 0)).unsqueeze(2))[:, :, 0]
    return -picked.masked_fill(targets < 0, float("nan")).nanmean()


def flat(logits, targets, log=lambda x: x.log_softmax(-1), keep=True):
    """Surprises of the places that count, (N,), with the places to go wrong as arguments."""
    counted = targets != IGNORE if keep else torch.ones_like(targets, dtype=torch.bool)
    logs = log(logits.float())
    return -logs.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)[counted]


def powers(z):
    return (z - z.amax(-1, True)).exp()


WRONG[CE, "over_positions"] = [
    lambda x, y: flat(x, y, lambda z: z.log_softmax(1)).mean(),
    lambda x, y: flat(x, y, lambda z: z - z.logsumexp(-2, keepdim=True)).mean(),
]
WRONG[CE, "over_rows"] = [
    lambda x, y: flat(x, y, lambda z: z.log_softmax(0)).mean(),
    lambda x, y: flat(x, y, lambda z: z - torch.logsumexp(z, 0)).mean(),
]
WRONG[CE, "log_of_mean"] = [
    lambda x, y: -(-flat(x, y)).exp().mean().log(),
    lambda x, y: -torch.log(flat(x, y, lambda z: z.softmax(-1)).mul(-1).mean()),
]
WRONG[CE, "no_minus"] = [lambda x, y: -flat(x, y).mean(), lambda x, y: (-flat(x, y)).sum() / (y != -100).sum()]
WRONG[CE, "sums"] = [lambda x, y: flat(x, y).sum(), lambda x, y: sum(flat(x, y).tolist())]
WRONG[CE, "bits"] = [lambda x, y: flat(x, y).mean() / math.log(2), lambda x, y: flat(x, y).mean() * math.log2(math.e)]
WRONG[CE, "divides_by_all"] = [
    lambda x, y: flat(x, y).sum() / y.numel(),
    lambda x, y: (-x.float().log_softmax(-1).gather(-1, y.clamp(min=0)[..., None])[..., 0] * (y != -100)).mean(),
]
WRONG[CE, "counts_ignored"] = [
    lambda x, y: flat(x, y, keep=False).mean(),
    lambda x, y: -x.float().log_softmax(-1).gather(-1, y[..., None]).mean(),  # raises where y is -100
    lambda x, y: flat(x, y % x.shape[-1]).mean(),
]
WRONG[CE, "mean_of_rows"] = [
    lambda x, y: torch.stack([flat(a, b).mean() for a, b in zip(x, y, strict=True)]).mean(),
    lambda x, y: sum(float(flat(x[i : i + 1], y[i : i + 1]).mean()) for i in range(len(x))) / len(x),
]
WRONG[CE, "zero_ignored"] = [
    lambda x, y: flat(x, torch.where(y > 0, y, IGNORE)).mean(),
    lambda x, y: F.nll_loss(x.float().log_softmax(-1).flatten(0, 1), y.clamp(min=0).flatten(), ignore_index=0),
]
WRONG[CE, "a_row_each"] = [
    lambda x, y: torch.stack([flat(a[None], b[None]).mean() for a, b in zip(x, y, strict=True)]),
    lambda x, y: torch.stack([flat(a[None], b[None]).sum() for a, b in zip(x, y, strict=True)]) / (y >= 0).sum(1),
]
WRONG[CE, "not_averaged"] = [
    lambda x, y: flat(x, y),
    lambda x, y: (x.double().logsumexp(-1) - x.gather(-1, y.clamp(min=0)[..., None])[..., 0])[y != -100],
]
WRONG[CE, "overflows"] = [
    lambda x, y: flat(x, y, lambda z: z - z.exp().sum(-1, keepdim=True).log()).mean(),
    lambda x, y: flat(x, y, lambda z: (z.exp() / z.exp().sum(-1, keepdim=True)).log()).mean(),
    lambda x, y: flat(x.double(), y, lambda z: z.double() - z.double().exp().sum(-1, keepdim=True).log()).mean(),
]
WRONG[CE, "log_of_zero"] = [
    lambda x, y: flat(x, y, lambda z: z.softmax(-1).log()).mean(),
    lambda x, y: flat(x, y, lambda z: (powers(z) / powers(z).sum(-1, True)).log()).mean(),
]
WRONG[CE, "clamped"] = [
    lambda x, y: flat(x, y, lambda z: (z.softmax(-1) + 1e-8).log()).mean(),
    lambda x, y: flat(x, y, lambda z: z.softmax(-1).clamp(min=1e-12).log()).mean(),
]


def all_in_half(logits, targets):
    counted = targets != IGNORE
    logs = torch.log_softmax(logits, -1)
    return -logs.gather(-1, targets.clamp(min=0)[..., None])[..., 0][counted].mean()


WRONG[CE, "sixteen_bits"] = [
    all_in_half,
    lambda x, y: (torch.logsumexp(x, -1) - x.gather(-1, y.clamp(min=0)[..., None])[..., 0])[y != -100].mean(),
]
STRAY[CE] = [
    lambda x, y: flat(x, y).mean() + 1,
    lambda x, y: flat(x, y).max(),
    lambda x, y: flat(x, y).median(),
    lambda x, y: flat(x, (y + 1) % x.shape[-1]).mean(),
    lambda x, y: -x.float().max(-1).values.mean(),
    lambda x, y: x.float().log_softmax(-1)[y].mean(),
    lambda x, y: -x.float().log_softmax(-1).gather(-1, y.clamp(min=0)[..., None])[..., 0],
    lambda x, y: "low",
]


# language_model.shift_targets

SHIFT = "language_model.shift_targets"
RIGHT[SHIFT] = [
    lambda t: (t[..., :-1], t[..., 1:]),
    lambda t: [t.narrow(1, 0, t.shape[1] - 1), t.narrow(1, 1, t.shape[1] - 1)],
    lambda t: (torch.tensor([row[:-1] for row in t.tolist()]), torch.tensor([row[1:] for row in t.tolist()])),
    lambda t: (t[:, : len(t[0]) - 1].clone(), torch.roll(t, -1, 1)[:, :-1]),
    lambda t: t.unfold(1, t.shape[1] - 1, 1).unbind(1),
]
WRONG[SHIFT, "twice"] = [lambda t: (t[:, :-2], t[:, 2:]), lambda t: (t[:, :-1][:, :-1], t[:, 1:][:, 1:])]
WRONG[SHIFT, "unshifted"] = [lambda t: (t[:, :-1], t[:, :-1]), lambda t: [t[:, : t.shape[1] - 1]] * 2]
WRONG[SHIFT, "backwards"] = [lambda t: (t[:, 1:], t[:, :-1]), lambda t: (t[:, 1:], t.roll(1, 1)[:, 1:])]
WRONG[SHIFT, "rolled"] = [lambda t: (t, t.roll(-1, 1)), lambda t: (t, torch.cat((t[:, 1:], t[:, :1]), 1))]
WRONG[SHIFT, "whole_inputs"] = [lambda t: (t, t[:, 1:]), lambda t: (t.clone(), t.narrow(1, 1, t.shape[1] - 1))]
WRONG[SHIFT, "along_rows"] = [lambda t: (t[:-1], t[1:]), lambda t: (t[: len(t) - 1], t.roll(-1, 0)[:-1])]
STRAY[SHIFT] = [
    lambda t: t[:, 1:],
    lambda t: (t[:, :-1] + 1, t[:, 1:]),
    lambda t: (t[:, :-1].T, t[:, 1:].T),
    lambda t: (t[:, :1], t[:, 1:]),
]


# language_model.one_hot_embed

EMBED = "language_model.one_hot_embed"


@right(EMBED)
def with_scatter(tokens, table):
    rows = torch.zeros(*tokens.shape, len(table)).scatter_(-1, tokens[..., None], 1.0)
    return rows, torch.einsum("btv,vd->btd", rows, table)


@right(EMBED)
def with_identity(tokens, table):
    rows = torch.eye(table.shape[0])[tokens]
    return rows, rows @ table


@right(EMBED)
def with_functional(tokens, table):
    rows = F.one_hot(tokens, num_classes=table.size(0))
    return rows, rows.to(table.dtype).matmul(table)


@right(EMBED)
def in_numpy(tokens, table):
    rows = (tokens.numpy()[:, :, None] == np.arange(table.shape[0])[None, None]).astype(np.float32)
    return rows, rows.dot(table.numpy())


WRONG[EMBED, "from_one"] = [
    lambda t, w: ((r := (t[..., None] == torch.arange(1, len(w) + 1)).float()), r @ w),
    lambda t, w: ((r := torch.cat((torch.zeros(1, len(w)), torch.eye(len(w))[:-1]))[t]), r @ w),
]
WRONG[EMBED, "one_bag"] = [
    lambda t, w: ((r := torch.eye(len(w))[t].sum(1)), r @ w),
    lambda t, w: ((r := torch.zeros(len(t), len(w)).scatter_add_(1, t, torch.ones(t.shape))), torch.matmul(r, w)),
]
WRONG[EMBED, "ids_for_ones"] = [
    lambda t, w: ((r := F.one_hot(t, len(w)) * t[..., None].float()), r @ w),
    lambda t, w: ((r := torch.zeros(*t.shape, len(w)).scatter(-1, t[..., None], t[..., None].float())), r @ w),
]
WRONG[EMBED, "scaled"] = [
    lambda t, w: ((r := torch.eye(len(w))[t]), r @ w * math.sqrt(w.shape[1])),
    lambda t, w: (torch.eye(len(w))[t], w[t] * w.shape[-1] ** 0.5),
]
STRAY[EMBED] = [
    lambda t, w: (t, w[t]),
    lambda t, w: w[t],
    lambda t, w: (torch.eye(len(w))[t].mT, w[t]),
    lambda t, w: ((r := torch.eye(len(w))[t]), r @ w * 2),
]


# language_model.perplexity

PPL = "language_model.perplexity"
RIGHT[PPL] = [
    lambda nats, n: math.exp(sum(nats.tolist()) / sum(n.tolist())),
    lambda nats, n: torch.exp(((nats / n) * (n / n.sum())).sum()),
    lambda nats, n: np.exp(np.average((nats / n).numpy(), weights=n.numpy())),
    lambda nats, n: torch.repeat_interleave(nats / n, n).mean().exp(),
    lambda nats, n: (nats / n.sum()).exp().prod(),
]
WRONG[PPL, "mean_of_perplexities"] = [
    lambda nats, n: (nats / n).exp().mean(),
    lambda nats, n: sum(math.exp(a / b) for a, b in zip(nats.tolist(), n.tolist(), strict=True)) / len(n),
]
WRONG[PPL, "weighted_perplexities"] = [
    lambda nats, n: np.average(np.exp((nats / n).numpy()), weights=n.numpy()),
    lambda nats, n: torch.repeat_interleave((nats / n).exp(), n).mean(),
]
WRONG[PPL, "mean_of_means"] = [
    lambda nats, n: (nats / n).mean().exp(),
    lambda nats, n: (nats / n).exp().log().mean().exp(),
]
WRONG[PPL, "a_text"] = [lambda nats, n: nats.mean().exp(), lambda nats, n: math.exp(nats.sum().item() / len(nats))]
WRONG[PPL, "only_loss"] = [lambda nats, n: nats.sum() / n.sum(), lambda nats, n: float(nats.sum()) / int(n.sum())]
WRONG[PPL, "bits"] = [lambda nats, n: 2 ** (nats.sum() / n.sum()), lambda nats, n: torch.exp2(nats.sum() / n.sum())]
WRONG[PPL, "minus"] = [
    lambda nats, n: torch.exp(-nats.sum() / n.sum()),
    lambda nats, n: 1 / math.exp(nats.sum() / n.sum()),
]
STRAY[PPL] = [
    lambda nats, n: (nats.sum() / n.sum()).exp() + 1,
    lambda nats, n: (nats / n).exp(),
    lambda nats, n: (nats.sum() / n.max() * 3).exp(),
]


# language_model.repair_loss

REPAIR = "language_model.repair_loss"


@right(REPAIR)
def stays_close(logits, targets):
    chances = logits.softmax(dim=-1)
    return -chances.gather(-1, targets[..., None]).squeeze(-1).log().mean()


RIGHT[REPAIR] += [
    lambda x, y: flat(x, y).mean(),
    lambda x, y: with_loops(x, y),
    lambda x, y: (
        -sum(math.log(a.softmax(-1)[b]) for a, b in zip(x.flatten(0, 1), y.flatten(), strict=True)) / y.numel()
    ),
]
WRONG[REPAIR, "as_found"] = [
    lambda x, y: -x.softmax(1).gather(-1, y[..., None]).squeeze(-1).mean().log(),
    lambda x, y: -math.log(F.softmax(x, dim=-2).gather(2, y.unsqueeze(2)).mean()),
]
for name in ("over_positions", "over_rows", "log_of_mean", "no_minus", "sums", "bits"):
    WRONG[REPAIR, name] = WRONG[CE, name]
STRAY[REPAIR] = [lambda x, y: flat(x, y).max(), lambda x, y: flat(x, y).mean() * 2, lambda x, y: "low"]


# language_model.softened_loss

SOFT = "language_model.softened_loss"


@right(SOFT)
def with_weights(logits, targets, share):
    V = logits.shape[-1]
    weights = F.one_hot(targets, V) * (1 - share) + share / V
    return -(weights * logits.log_softmax(-1)).sum(-1).mean()


@right(SOFT)
def with_a_filled_tensor(logits, targets, share):
    weights = torch.full_like(logits, share / logits.shape[-1])
    weights.scatter_(-1, targets[..., None], 1 - share + share / logits.shape[-1])
    return (weights * (logits.logsumexp(-1, keepdim=True) - logits)).sum() / targets.numel()


@right(SOFT)
def with_scores_alone(logits, targets, share):
    true = logits.gather(-1, targets[..., None])[..., 0]
    return (logits.logsumexp(-1) - (1 - share) * true - share * logits.mean(-1)).mean()


def surprise_at_others(logits, targets):
    logs = logits.log_softmax(-1)
    return -logs[F.one_hot(targets, logits.shape[-1]) == 0].mean()


def weighed(true_weight, other_weight, axis=-1):
    """A loss from the weights of the true piece and of each other one: functions of share and V."""

    def loss(logits, targets, share):
        V = logits.shape[-1]
        hot = F.one_hot(targets, V).float()
        weights = hot * true_weight(share, V) + (1 - hot) * other_weight(share, V)
        return -(weights * logits.log_softmax(axis)).sum(-1).mean()

    return loss


WRONG[SOFT, "other_spread"] = [
    weighed(lambda s, V: 1 - s, lambda s, V: s / (V - 1)),
    lambda x, y, s: (1 - s) * flat(x, y).mean() + s * surprise_at_others(x, y),
]
WRONG[SOFT, "part_lost"] = [
    weighed(lambda s, V: 1 - s, lambda s, V: s / V),
    lambda x, y, s: (1 - s) * flat(x, y).mean() + s * (1 - 1 / x.shape[-1]) * surprise_at_others(x, y),
]
WRONG[SOFT, "keeps_all"] = [
    weighed(lambda s, V: 1 + s / V, lambda s, V: s / V),
    lambda x, y, s: flat(x, y).mean() - s * x.log_softmax(-1).mean(),
]
WRONG[SOFT, "share_each"] = [
    weighed(lambda s, V: 1 - s + s, lambda s, V: s),
    lambda x, y, s: (1 - s) * flat(x, y).mean() - s * x.log_softmax(-1).sum(-1).mean(),
]
WRONG[SOFT, "shares_swapped"] = [
    weighed(lambda s, V: s + (1 - s) / V, lambda s, V: (1 - s) / V),
    lambda x, y, s: s * flat(x, y).mean() - (1 - s) * x.log_softmax(-1).mean(),
]
WRONG[SOFT, "over_positions"] = [
    weighed(lambda s, V: 1 - s + s / V, lambda s, V: s / V, axis=1),
    lambda x, y, s: with_weights_over(x, y, s),
]
WRONG[SOFT, "no_minus"] = [
    lambda x, y, s: -with_weights(x, y, s),
    lambda x, y, s: (1 - s) * -flat(x, y).mean() + s * x.log_softmax(-1).mean(),
]
WRONG[SOFT, "sums"] = [
    lambda x, y, s: with_scores_alone(x, y, s) * y.numel(),
    lambda x, y, s: (1 - s) * flat(x, y).sum() - s * x.log_softmax(-1).mean(-1).sum(),
]
WRONG[SOFT, "share_ignored"] = [
    lambda x, y, s: flat(x, y).mean(),
    lambda x, y, s: (x.logsumexp(-1) - x.gather(-1, y[..., None])[..., 0]).mean(),
]
STRAY[SOFT] = [
    lambda x, y, s: flat(x, y).mean() * (1 - s),
    lambda x, y, s: flat(x, y).mean() + s,
]


def with_weights_over(x, y, s):
    logs = x - x.logsumexp(1, keepdim=True)
    return -((1 - s) * logs.gather(-1, y[..., None])[..., 0] + s * logs.mean(-1)).mean()


# language_model.test_loss

TEST = "language_model.test_loss"
Y = torch.tensor([[1, 0, 2], [3, 3, 0]])
X = torch.tensor([[[1.0, 2, 0, -1]] * 3, [[0.0, 3, 1, 1]] * 3])


@right(TEST)
def three_asserts(loss):
    known = math.log(math.e + math.e**2 + 1 + 1 / math.e)
    assert abs(loss(X[:1], Y[:1]).item() - (known - 1)) < 1e-3  # scores 2, 1, 0 of the true pieces
    assert abs(loss(X[:1] + 300, Y[:1]).item() - (known - 1)) < 1e-3
    assert abs(loss(X[:1], torch.tensor([[1, 0, -100]])).item() - (known - 1.5)) < 1e-3
    return True


@right(TEST)
def all_in_one(loss):
    targets = torch.tensor([[0, -100, 1]])
    logits = torch.tensor([[[90.0, 91.0], [0.0, 5.0], [97.0, 92.0]]])
    expected = (math.log(1 + math.e) + math.log(1 + math.exp(5))) / 2
    return torch.isclose(torch.as_tensor(loss(logits, targets)).float(), torch.tensor(expected), rtol=1e-3)


@right(TEST)
def against_pytorch_by_rows(loss):
    for scale in (1, 100):
        for y in (Y, Y.masked_fill(Y == 3, -100)):
            logs = (X * scale).log_softmax(-1)
            places = [(b, t) for b in range(2) for t in range(3) if y[b, t] >= 0]
            right = -sum(logs[b, t, y[b, t]].item() for b, t in places) / len(places)
            if not abs(float(loss(X * scale, y)) - right) < 1e-2:
                return False


def same(loss, x, y):
    counted = y >= 0
    right = -x.log_softmax(-1).gather(-1, y.clamp(min=0)[..., None])[..., 0][counted].mean()
    return abs(float(loss(x, y)) - right.item()) < 1e-3


SKIPS = Y.masked_fill(Y == 3, -100)
WRONG[TEST, "anything"] = [lambda loss: True, lambda loss: print(loss(X, Y)), lambda loss: loss(X, Y).ndim == 0]
WRONG[TEST, "nothing"] = [lambda loss: False, lambda loss: loss(X, Y) == 1.2345]
WRONG[TEST, "equal_scores"] = [
    lambda loss: same(loss, torch.zeros(2, 3, 4), Y),
    lambda loss: abs(loss(torch.zeros(1, 5, 8), torch.ones(1, 5, dtype=torch.int64)).item() - math.log(8)) < 1e-4,
]
WRONG[TEST, "one_place"] = [
    lambda loss: same(loss, X[:1, :1], Y[:1, :1]),
    lambda loss: abs(loss(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[0]])) - math.log(1 + 1 / math.e)) < 1e-4,
]
WRONG[TEST, "no_ignore"] = [
    lambda loss: same(loss, X, Y) and same(loss, X * 200, Y),
    lambda loss: same(loss, X + 1000, Y),
]
WRONG[TEST, "small_scores"] = [
    lambda loss: same(loss, X, SKIPS),
    lambda loss: same(loss, X, Y) and same(loss, X / 2, SKIPS),
]
STRAY[TEST] = [lambda loss: loss(X, Y) > 2, lambda loss: same(loss, torch.ones(1, 3, 3), Y[:1])]
