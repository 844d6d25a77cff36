"""Answers to lesson 19's tasks, in unusual spellings, apart from the records; see proving.py."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from minillama.course.proving import Book

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray


def add(book, key, *answers):
    book.setdefault(key, []).extend(answers)


# scaling.by_hand

HAND = "scaling.by_hand"
X = np.array([1.0, 2.0])
FIRST = np.array([[1, 0], [0, 1], [1, 1], [1, -1]])
SECOND = np.array([[1, 0, 2, 1], [0, 1, 1, 3]])


def by_hand(inner=None, columns=((0, 1), (2, 3)), stream=None, heads=6, gigabytes=16.25):
    """The answers that follow from inner numbers and from the columns that they are multiplied with."""
    inner = np.maximum(FIRST @ X, 0) if inner is None else np.array(inner)
    shares = inner[:2], inner[2:]
    said = [SECOND[:, list(own)] @ share for own, share in zip(columns, shares, strict=True)]
    values = {
        "inner_1": shares[1], "said_0": said[0], "said_1": said[1],
        "stream": X + said[0] + said[1] if stream is None else stream(said), "heads_4": heads, "gigabytes": gigabytes,
    }  # fmt: skip
    return lambda question: values[question]


def by_words(**values):
    return lambda question: (
        {
            "inner_1": [3, 0],
            "said_0": (1, 2),
            "said_1": [6, 3],
            "stream": [8, 7],
            "heads_4": 6,
            "gigabytes": 16.25,
        }
        | values
    )[question]


add(RIGHT, HAND, by_hand(), by_words(), by_words(inner_1=torch.tensor([3.0, 0.0]), gigabytes=65 * 16 / 64))
for name, answers in {
    "no_bend": (by_hand(FIRST @ X), by_words(inner_1=[3, -1])),
    "other_share": (by_words(inner_1=[1, 2]), by_words(said_0=[6, 3], said_1=[1, 2])),
    "first_columns": (by_hand(columns=((0, 1), (0, 1))), by_words(said_1=[3, 0])),
    "stream_twice": (by_hand(stream=lambda said: sum(X + each for each in said)), by_words(stream=[9, 9])),
    "no_stream": (by_hand(stream=sum), by_words(stream=[7, 5])),
    "own_only": (by_hand(stream=lambda said: X + said[0]), by_words(stream=[2, 4])),
    "mean": (by_hand(stream=lambda said: X + np.mean(said, axis=0)), by_words(stream=[4.5, 4.5])),
    "half_heads": (by_hand(heads=52 / 8), by_words(heads_4=6.5)),
    "first_has_more": (by_hand(heads=math.ceil(52 / 8)), by_words(heads_4=7)),
    "weights_only": (by_hand(gigabytes=65 * 4 / 64), by_words(gigabytes=4.0625)),
    "one_average": (by_hand(gigabytes=65 * 12 / 64), by_words(gigabytes=12.1875)),
    "not_shared": (by_hand(gigabytes=65 * 16), by_words(gigabytes=1040)),
    "in_gib": (by_hand(gigabytes=65e9 * 16 / 64 / 1024**3), by_words(gigabytes=15.134)),
    "in_bytes": (by_hand(gigabytes=65e9 * 16 / 64), by_words(gigabytes=16_250_000_000)),
    "no_optimizer": (by_hand(gigabytes=65 * 8 / 64), by_words(gigabytes=8.125)),
    "stream_said": (by_words(said_0=[2, 4]), by_words(said_1=(7, 5))),
}.items():
    add(WRONG, (HAND, name), *answers)
add(STRAY, HAND, by_words(stream=[0, 0]), by_words(heads_4=52), lambda question: 100.0)


# scaling.split_columns

COLUMNS = "scaling.split_columns"


@right(COLUMNS)
def by_tensor_split(weight, n, rank, unit=1):
    return weight.reshape(-1, unit, weight.shape[1]).tensor_split(n)[rank].reshape(-1, weight.shape[1])


@right(COLUMNS)
def by_dealing(weight, n, rank, unit=1):
    counts = [0] * n
    for i in range(weight.shape[0] // unit):
        counts[i % n] += unit
    return torch.split(weight, counts)[rank]


@right(COLUMNS)
def by_numpy(weight, n, rank, unit=1):
    rows = np.array_split(np.arange(len(weight)).reshape(-1, unit), n)[rank].ravel()
    return weight[torch.from_numpy(rows)]


@right(COLUMNS)
def by_a_mask(weight, n, rank, unit=1):
    units = len(weight) // unit
    starts = [units // n * r + min(r, units % n) for r in range(n + 1)]
    number = torch.arange(len(weight)) // unit
    return weight[(number >= starts[rank]) & (number < starts[rank + 1])]


def columns(cut):
    """An answer from (units, n, rank) -> numbers of units."""

    def split(weight, n, rank, unit=1):
        chosen = list(cut(len(weight) // unit, n, rank))
        return torch.cat([weight[:0], *(weight[i * unit : (i + 1) * unit] for i in chosen)])

    return split


def even_rows(weight, n, rank, unit=1):
    return torch.tensor_split(weight, n)[rank]


def even_rows_again(weight, n, rank, unit=1):
    size, left = divmod(len(weight), n)
    start = sum(size + (r < left) for r in range(rank))
    return weight[start : start + size + (rank < left)]


def inputs(weight, n, rank, unit=1):
    return torch.tensor_split(weight, n, dim=1)[rank]


def inputs_again(weight, n, rank, unit=1):
    width = weight.shape[1]
    return weight[:, [c for c in range(width) if c in np.array_split(range(width), n)[rank]]]


def ignores_rank(weight, n, rank, unit=1):
    return by_dealing(weight, n, 0, unit)


for name, answers in {
    "across_heads": (even_rows, even_rows_again),
    "inputs": (inputs, inputs_again),
    "interleaved": (columns(lambda units, n, rank: range(rank, units, n)), lambda weight, n, rank, unit=1: torch.cat(
        [head for i, head in enumerate(weight.split(unit)) if i % n == rank])),
    "always_first": (ignores_rank, columns(lambda units, n, rank: range(units // n + (units % n > 0)))),
    "last_more": (
        columns(lambda units, n, rank: range(units * rank // n, units * (rank + 1) // n)),
        columns(lambda units, n, rank: [units - 1 - i for i in np.array_split(range(units), n)[n - 1 - rank]][::-1]),
    ),
    "full_first": (
        columns(lambda units, n, rank: list(range(units))[rank * math.ceil(units / n) :][: math.ceil(units / n)]),
        lambda weight, n, rank, unit=1: weight[rank * unit * math.ceil(len(weight) / unit / n) :][
            : unit * math.ceil(len(weight) / unit / n)],
    ),
    "rest_lost": (
        columns(lambda units, n, rank: range(rank * (units // n), (rank + 1) * (units // n))),
        lambda weight, n, rank, unit=1: weight.split(unit * (len(weight) // unit // n))[rank],
    ),
    "rest_to_last": (
        columns(lambda units, n, rank: [i for i in range(units) if min(i // (units // n), n - 1) == rank]),
        lambda weight, n, rank, unit=1: weight.split(
            [len(weight) // unit // n * unit] * (n - 1) + [len(weight) - (n - 1) * (len(weight) // unit // n * unit)]
        )[rank],
    ),
}.items():  # fmt: skip
    add(WRONG, (COLUMNS, name), *answers)
add(
    WRONG, (COLUMNS, "no_offset"),
    columns(lambda units, n, rank: range(rank * (units // n), (rank + 1) * (units // n) + (rank < units % n))),
    lambda weight, n, rank, unit=1: weight[rank * unit * (len(weight) // unit // n) :][
        : len(by_tensor_split(weight, n, rank, unit))],
)  # fmt: skip
add(STRAY, COLUMNS, lambda weight, n, rank, unit=1: weight, lambda weight, n, rank, unit=1: weight[:unit] + 1)


# scaling.split_rows

ROWS = "scaling.split_rows"


@right(ROWS)
def stream_outside(x, inner, weight, all_reduce):
    return all_reduce(F.linear(inner, weight)).add(x)


@right(ROWS)
def stream_divided(x, inner, weight, all_reduce):
    n = all_reduce(torch.ones(()))
    return all_reduce(torch.einsum("tf,df->td", inner, weight) + x / n)


@right(ROWS)
def by_tokens(x, inner, weight, all_reduce):
    return torch.stack([row + all_reduce(weight @ own) for row, own in zip(x, inner, strict=True)])


@right(ROWS)
def stream_taken_off(x, inner, weight, all_reduce):
    return all_reduce(x + inner @ weight.T) - all_reduce(x) + x


def times_n(x, inner, weight, all_reduce):
    n = all_reduce(torch.tensor([1.0]))
    return all_reduce(inner @ weight.T) + n * x


def reduces_and_forgets(x, inner, weight, all_reduce):
    said = inner @ weight.T
    all_reduce(said)
    return x + said


for name, answers in {
    "stream_everywhere": (lambda x, i, w, all_reduce: all_reduce(torch.addmm(x, i, w.T)), times_n),
    "own_only": (reduces_and_forgets, lambda x, i, w, all_reduce: torch.addmm(x, i, w.t())),
    "mean": (
        lambda x, i, w, all_reduce: x + all_reduce(F.linear(i, w)) / all_reduce(torch.tensor(1)),
        lambda x, i, w, all_reduce: all_reduce(x + i @ w.T) / all_reduce(torch.ones(1)),
    ),
    "inner_summed": (
        lambda x, i, w, all_reduce: F.linear(all_reduce(i), w) + x,
        lambda x, i, w, all_reduce: torch.addmm(x, all_reduce(i), w.T),
    ),
    "no_stream": (
        lambda x, i, w, all_reduce: all_reduce(F.linear(i, w)),
        lambda x, i, w, all_reduce: torch.zeros_like(x) + all_reduce((w @ i.T).T),
    ),
}.items():
    add(WRONG, (ROWS, name), *answers)
add(
    WRONG, (ROWS, "weights_summed"), lambda x, i, w, all_reduce: x + i @ all_reduce(w).T,
    lambda x, i, w, all_reduce: x + F.linear(i, all_reduce(w.T).T),
)  # fmt: skip
add(
    STRAY, ROWS, lambda x, i, w, all_reduce: x, lambda x, i, w, all_reduce: all_reduce(x) - all_reduce(i @ w.T),
    lambda x, i, w, all_reduce: x + all_reduce(i @ w.T)[:1],
)  # fmt: skip


# scaling.shard_bytes

BYTES = "scaling.shard_bytes"
SIZES = {"weights": 4, "gradients": 4, "optimizer": 8}


@right(BYTES)
def by_ceil(n_parameters, n, sharded=("weights", "gradients", "optimizer")):
    share = (n_parameters + n - 1) // n
    return sum(size * (share if kind in sharded else n_parameters) for kind, size in SIZES.items())


@right(BYTES)
def by_subtraction(n_parameters, n, sharded=tuple(SIZES)):
    saved = n_parameters - math.ceil(n_parameters / n)
    return 16 * n_parameters - saved * sum(map(SIZES.get, sharded))


@right(BYTES)
def by_arrays(n_parameters, n, sharded=tuple(SIZES)):
    held = [-(n_parameters // -(n if kind in set(sharded) else 1)) for kind in SIZES]
    return int(np.dot(np.array(held, dtype=np.int64), [4, 4, 8]))


def sized(weights, gradients, optimizer):
    """An answer with other bytes for a parameter."""
    sizes = {"weights": weights, "gradients": gradients, "optimizer": optimizer}

    def count(n_parameters, n, sharded=tuple(SIZES)):
        return sum(size * (math.ceil(n_parameters / n) if k in sharded else n_parameters) for k, size in sizes.items())

    return count


def in_steps(**sizes):
    def count(n_parameters, n, sharded=tuple(SIZES)):
        held = 0
        for kind in ("weights", "gradients", "optimizer"):
            part = n_parameters
            if kind in sharded:
                part = (part - 1) // n + 1
            held += part * (SIZES | sizes)[kind]
        return held

    return count


def shares(rule):
    """An answer from (number, n) -> largest share, for what is cut."""
    return lambda p, n, sharded=tuple(SIZES): sum(s * (rule(p, n) if k in sharded else p) for k, s in SIZES.items())


for name, answers in {
    "no_optimizer": (sized(4, 4, 0), in_steps(optimizer=0)),
    "no_gradients": (sized(4, 0, 8), in_steps(gradients=0)),
    "one_average": (sized(4, 4, 4), in_steps(optimizer=4)),
    "two_bytes": (sized(2, 2, 8), in_steps(weights=2, gradients=2)),
    "always_split": (lambda p, n, sharded=(): 16 * math.ceil(p / n), lambda p, n, sharded=(): 16 * ((p - 1) // n + 1)),
    "never_split": (lambda p, n, sharded=(): 16 * p, lambda p, n, sharded=(): sum(SIZES.values()) * p),
    "others_split": (
        lambda p, n, sharded=(): sum(s * (p if k in sharded else math.ceil(p / n)) for k, s in SIZES.items()),
        lambda p, n, sharded=(): by_ceil(p, n, [kind for kind in SIZES if kind not in sharded]),
    ),
    "cut_only": (
        lambda p, n, sharded=tuple(SIZES): sum(SIZES[k] * math.ceil(p / n) for k in sharded),
        lambda p, n, sharded=(): -(-p // n) * sum(s for k, s in SIZES.items() if k in sharded),
    ),
    "not_rounded": (
        shares(lambda p, n: p / n),
        lambda p, n, sharded=(): sum(s * p * (1 / n if k in sharded else 1.0) for k, s in SIZES.items()),
    ),
    "everybody": (
        lambda p, n, sharded=(): sum(s * p * (1 if k in sharded else n) for k, s in SIZES.items()),
        lambda p, n, sharded=(): n * 16 * p - (n - 1) * p * sum(SIZES[k] for k in sharded),
    ),
    "rounds_down": (shares(lambda p, n: p // n), shares(lambda p, n: (p - p % n) // n)),
    "in_bytes": (
        lambda p, n, sharded=(): (
            (16 - sum(SIZES[k] for k in sharded)) * p + math.ceil(sum(SIZES[k] for k in sharded) * p / n)
        ),
        lambda p, n, sharded=(): -(-sum(s * p * (1 if k in sharded else n) for k, s in SIZES.items()) // n),
    ),
}.items():
    add(WRONG, (BYTES, name), *answers)
for name, answers in {
    "nearest": (shares(lambda p, n: round(p / n)), shares(lambda p, n: (2 * p + n) // (2 * n))),
    "not_rounded": (shares(lambda p, n: p / n), lambda p, n, sharded=(): (
        16 * p - sum(SIZES[k] for k in sharded) * p * (1 - 1 / n))),
    "one_more": (shares(lambda p, n: p // n + 1), shares(lambda p, n: int(p / n) + 1)),
    "numbers": (sized(1, 1, 2), in_steps(weights=1, gradients=1, optimizer=2)),
    "copy_too": (sized(4, 4, 12), in_steps(optimizer=12)),
}.items():  # fmt: skip
    add(WRONG, (BYTES, name), *answers)
add(STRAY, BYTES, lambda p, n, sharded=(): p, lambda p, n, sharded=(): 16 * p + n, lambda p, n, sharded=(): 18 * p)


# scaling.local_loss

LOSS = "scaling.local_loss"


@right(LOSS)
def rescaled(nats, count, n, all_reduce):
    return n * nats / all_reduce(count)


@right(LOSS)
def by_the_mean_count(nats, count, n, all_reduce):
    return nats / (all_reduce(count) / n)


@right(LOSS)
def after_all_the_nats(nats, count, n, all_reduce):
    everybody, tokens = all_reduce(torch.stack((nats.detach(), count)))
    return (everybody - nats.detach() + nats) / tokens * n


@right(LOSS)
def weighed(nats, count, n, all_reduce):
    total = all_reduce(count)
    return nats if not count else (nats / count) * (count / total) * n


for name, answers in {
    "mean_of_means": (
        lambda nats, count, n, all_reduce: nats / count, lambda nats, count, n, all_reduce: nats * count**-1,
    ),
    "no_factor": (
        lambda nats, count, n, all_reduce: nats / all_reduce(count),
        lambda nats, count, n, all_reduce: nats * (1 / all_reduce(count.clone())),
    ),
    "inverse": (
        lambda nats, count, n, all_reduce: nats / all_reduce(count) / n,
        lambda nats, count, n, all_reduce: nats / all_reduce(count * n),
    ),
    "own_count": (
        lambda nats, count, n, all_reduce: nats / count * n, lambda nats, count, n, all_reduce: nats * (n / count),
    ),
    "sum": (
        lambda nats, count, n, all_reduce: n * nats,
        lambda nats, count, n, all_reduce: nats * all_reduce(torch.ones(())),
    ),
    "undivided": (lambda nats, count, n, all_reduce: nats, lambda nats, count, n, all_reduce: nats.clone()),
    "equal_shares": (
        lambda nats, count, n, all_reduce: nats / count / n,
        lambda nats, count, n, all_reduce: nats / (n * count),
    ),
    "weighted_twice": (
        lambda nats, count, n, all_reduce: nats * (count / all_reduce(count)),
        lambda nats, count, n, all_reduce: nats / (all_reduce(count) / count),
    ),
}.items():  # fmt: skip
    add(WRONG, (LOSS, name), *answers)
for name, answers in {
    "mean_of_means": (
        lambda nats, count, n, all_reduce: nats / count.clamp(min=1),
        lambda nats, count, n, all_reduce: nats / count if count else nats * 0,
    ),
    "mean_weighted": (
        lambda nats, count, n, all_reduce: n * (nats / count) * count / all_reduce(count),
        lambda nats, count, n, all_reduce: nats / count * (count / (all_reduce(count) / n)),
    ),
    "counts_one": (
        lambda nats, count, n, all_reduce: n * nats / all_reduce(count.clamp(min=1)),
        lambda nats, count, n, all_reduce: n * nats / all_reduce(torch.maximum(count, torch.ones(()))),
    ),
    "two": (
        lambda nats, count, n, all_reduce: 2 * nats / all_reduce(count),
        lambda nats, count, n, all_reduce: nats / (all_reduce(count) / 2),
    ),
}.items():
    add(WRONG, (LOSS, name), *answers)
add(
    STRAY, LOSS, lambda nats, count, n, all_reduce: nats.detach(), lambda nats, count, n, all_reduce: -nats,
    lambda nats, count, n, all_reduce: nats / all_reduce(nats),
)  # fmt: skip


# scaling.split_loss

SPLIT = "scaling.split_loss"


@right(SPLIT)
def in_two_sums(targets, logits, first, total, largest):
    top = largest(logits.max(1).values)
    masses = total(torch.exp(logits - top.unsqueeze(1)).sum(1))
    one_hot = F.one_hot((targets - first).clamp(-1, logits.shape[1]) + 1, logits.shape[1] + 2)[:, 1:-1]
    return (masses.log() + top - total((one_hot * logits).sum(1))).mean()


@right(SPLIT)
def by_logsumexp(targets, logits, first, total, largest):
    own = logits.logsumexp(-1)
    top = largest(own)
    everything = total((own - top).exp()).log() + top
    said = torch.zeros(len(targets))
    for i, target in enumerate(targets.tolist()):
        if first <= target < first + logits.shape[1]:
            said[i] = logits[i, target - first]
    return torch.sum(everything - total(said)) / len(targets)


@right(SPLIT)
def one_top_for_all(targets, logits, first, total, largest):
    top = largest(logits.max())
    moved = (logits - top).double()
    words = torch.arange(first, first + logits.shape[1])
    said = total(torch.where(words == targets[:, None], moved, 0.0).sum(-1))
    return (total(moved.exp().sum(-1)).log() - said).mean().float()


@right(SPLIT)
def one_call_for_both(targets, logits, first, total, largest):
    top = largest(logits.amax(-1))
    inside = (targets >= first) & (targets < first + logits.shape[-1])
    said = torch.where(inside, logits[torch.arange(len(targets)), (targets - first) * inside], 0)
    mass, score = total(torch.stack(((logits - top[:, None]).exp().sum(-1), said)))
    return -(score - top - mass.log()).mean()


def loss_of(targets, logits, first, total, largest, *, top=None, mass=None, said=None, finish=torch.mean):
    """The loss, with one of its parts replaced."""
    highest = largest(logits.max(-1).values) if top is None else top(logits, largest)
    sums = torch.exp(logits - highest[:, None]).sum(-1)
    log_mass = total(sums).log() + highest if mass is None else mass(sums, highest, total)
    spoken = right_said(targets, logits, first, total) if said is None else said(targets, logits, first, total)
    return finish(log_mass - spoken)


def right_said(targets, logits, first, total):
    return total(own_said(targets, logits, first, total))


def own_said(targets, logits, first, total):
    words = torch.arange(logits.shape[-1]) + first
    return (logits * (words == targets[:, None])).sum(-1)


def clamped(targets, logits, first, total):
    return total(logits.take_along_dim((targets - first).clamp(0, logits.shape[1] - 1)[:, None], 1)[:, 0])


def clipped_by_numpy(targets, logits, first, total):
    places = torch.from_numpy(np.clip(targets.numpy() - first, 0, logits.shape[1] - 1))
    return total(torch.stack([row[place] for row, place in zip(logits, places, strict=True)]))


def unshifted(targets, logits, first, total):
    return total((logits * (torch.arange(logits.shape[1]) == targets[:, None])).sum(1))


def unshifted_loop(targets, logits, first, total):
    V = logits.shape[1]
    return total(
        torch.tensor([float(row[t]) if t < V else 0.0 for row, t in zip(logits, targets.tolist(), strict=True)])
    )


def variant(**parts):
    return lambda *inputs: loss_of(*inputs, **parts)


for name, answers in {
    "own_top": (
        variant(top=lambda logits, largest: logits.amax(-1)),
        variant(top=lambda logits, largest: logits.sort(-1).values[:, -1]),
    ),
    "no_top": (
        variant(top=lambda logits, largest: torch.zeros(len(logits))),
        variant(mass=lambda sums, top, total: total(sums * top.exp()).log()),
    ),
    "sum_of_logs": (
        variant(mass=lambda sums, top, total: total(sums.log() + top)),
        lambda targets, logits, first, total, largest: (
            total(logits.logsumexp(-1)) - right_said(targets, logits, first, total)).mean(),
    ),
    "own_mass": (
        variant(mass=lambda sums, top, total: sums.log() + top),
        lambda targets, logits, first, total, largest: (
            logits.logsumexp(-1) - right_said(targets, logits, first, total)).mean(),
    ),
    "not_shifted": (variant(said=unshifted), variant(said=unshifted_loop)),
    "everybody_says": (variant(said=clamped), variant(said=clipped_by_numpy)),
    "own_target": (
        variant(said=own_said),
        variant(said=lambda targets, logits, first, total: torch.where(
            (targets - first).clamp(0, logits.shape[1] - 1) == targets - first,
            logits.gather(1, (targets - first).clamp(0, logits.shape[1] - 1)[:, None])[:, 0], 0)),
    ),
    "other_reduction": (variant(finish=torch.sum), variant(finish=lambda each: len(each) * each.mean())),
    "other_unit": (
        variant(finish=lambda each: each.mean() / math.log(2)),
        variant(finish=lambda each: each.mean() * np.log2(np.e)),
    ),
}.items():  # fmt: skip
    add(WRONG, (SPLIT, name), *answers)


def said_by(low, high):
    """Scores of targets from `low` on and below the share's end plus `high`, those outside taken from the edge."""

    def said(targets, logits, first, total):
        V = logits.shape[-1]
        mine = (targets >= first + low) & (targets < first + V + high)
        return total(torch.where(mine, logits.gather(1, (targets - first).clamp(0, V - 1)[:, None])[:, 0], 0.0))

    return said


def said_in_lists(low, high):
    def said(targets, logits, first, total):
        V = logits.shape[1]
        rows = [target - first for target in targets.tolist()]
        return total(
            torch.tensor([
                row[min(place, V - 1)].item() if low <= place < V + high else 0.0
                for row, place in zip(logits, rows, strict=True)
            ])
        )  # fmt: skip

    return said


def owners_losses(targets, logits, first, total, largest):
    mine = (targets >= first) & (targets < first + logits.shape[1])
    own = torch.zeros(len(targets))
    own[mine] = F.cross_entropy(logits[mine], targets[mine] - first, reduction="none")
    return total(own).mean()


def owners_losses_by_chances(targets, logits, first, total, largest):
    words = torch.arange(logits.shape[1]) + first
    return -total((logits.log_softmax(-1) * (words == targets[:, None])).sum(-1)).mean()


for name, answers in {
    "own_losses": (owners_losses, owners_losses_by_chances),
    "top_lost": (
        variant(mass=lambda sums, top, total: total(sums).log()),
        lambda targets, logits, first, total, largest: loss_of(targets, logits, first, total, largest) - largest(
            logits.amax(-1)).mean(),
    ),
    "one_word_more": (variant(said=said_by(0, 1)), variant(said=said_in_lists(0, 1))),
    "first_word_lost": (variant(said=said_by(1, 0)), variant(said=said_in_lists(1, 0))),
    "no_minus": (variant(finish=lambda each: -each.mean()), lambda *inputs: -in_two_sums(*inputs)),
}.items():  # fmt: skip
    add(WRONG, (SPLIT, name), *answers)
add(
    STRAY, SPLIT, lambda targets, logits, first, total, largest: logits.mean(),
    variant(finish=lambda each: each.mean() + 1), variant(finish=lambda each: each),
)  # fmt: skip
