"""Answers to lesson 08's tasks in unusual spellings, right ones and wrong ones, written apart from the records."""

import math

import numpy as np
import torch

from minillama.attention import attend, causal_mask
from minillama.cache import KVCache
from minillama.course.proving import Book
from minillama.errors import ContextLengthError
from minillama.rope import apply_rope

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, stray = book.right, book.stray


# sampling.draw_by_hand

HAND = {"top_p": 2, "first": 0.667, "min_p": 3, "temperature": math.e, "bytes": 524_288}
RIGHT["sampling.draw_by_hand"] = [
    HAND,
    HAND | {"first": 2 / 3, "top_p": 2.0, "bytes": 2**19},
    HAND | {"first": 0.67, "temperature": 2.7},
    HAND | {"first": torch.tensor(0.5 / 0.75), "min_p": np.int64(3), "temperature": 2.72},
]
for name, by_hand in {
    "crosser_lost": [{"top_p": 1}, {"first": 1}],
    "one_too_many": [{"top_p": 3}, {"top_p": 3.0}],
    "not_renormalised": [{"first": 0.5}, {"first": 1 / 2}],
    "other_survivors": [{"first": 0.5556}, {"first": 5 / 9}],
    "min_p_absolute": [{"min_p": 2}, {"min_p": np.int64(2)}],
    "late": [{"temperature": 7.39}, {"temperature": math.e**2}],
    "multiplied": [{"temperature": 54.6}, {"temperature": math.exp(4)}],
    "scores": [{"temperature": 2}, {"temperature": 2 / 1}],
    "halved_ratio": [{"temperature": 3.69}, {"temperature": math.exp(2) / 2}],
    "half": [{"bytes": 262_144}, {"bytes": 2 * 32 * 32 * 128}],
    "one_layer": [{"bytes": 16_384}, {"bytes": 4096 * 4}],
    "numbers": [{"bytes": 131_072}, {"bytes": 32 * 4096}],
    "kibibytes": [{"bytes": 512}, {"bytes": 2**9}],
    "four_bytes": [{"bytes": 1_048_576}, {"bytes": 2.0**20}],
}.items():
    WRONG["sampling.draw_by_hand", name] = [HAND | each for each in by_hand]
STRAY["sampling.draw_by_hand"] = [HAND | {"top_p": 5}, HAND | {"min_p": 4}, HAND | {"first": "two thirds"}]


# sampling.keep_top_p

TOP_P = "sampling.keep_top_p"


@right(TOP_P)
def row_by_row(logits, p):
    out = torch.full_like(logits, -math.inf)
    for row, chances in enumerate(logits.softmax(-1)):
        mass = 0.0
        for token in chances.argsort(descending=True).tolist():
            out[row, token] = logits[row, token]
            mass += chances[token].item()
            if mass >= p:
                break
    return out


@right(TOP_P)
def by_threshold(logits, p):
    chances = torch.softmax(logits, 1)
    ordered = chances.sort(1, descending=True).values
    count = (ordered.cumsum(1) < p).sum(1, keepdim=True)
    least = ordered.gather(1, count.clamp(max=logits.shape[1] - 1))
    return torch.where(chances >= least, logits, -math.inf)


@right(TOP_P)
def from_below(logits, p):
    """The unlikely end: out is what sums, from below, to no more than 1 - p."""
    ordered, order = logits.sort(-1)
    out = ordered.softmax(-1).cumsum(-1) <= 1 - p
    back = torch.zeros_like(out)
    back.scatter_(-1, order, out)
    result = logits.clone()
    result[back] = -math.inf
    return result


def shifted_mask(logits, p):
    """As transformers had it: out is what comes after the sum has passed p, moved by one, the first always kept."""
    ordered, order = torch.sort(logits, descending=True)
    out = ordered.softmax(-1).cumsum(-1) > p
    out[..., 1:] = out[..., :-1].clone()
    out[..., 0] = 0
    return logits.masked_fill(out.scatter(1, order, out), float("-inf"))


def sorted_mask(bug):
    def keep(logits, p):
        chances, order = logits.softmax(-1).sort(-1, descending=bug != "ascending")
        if bug == "raw_scores":
            chances = logits.gather(-1, order)
        sums = chances.cumsum(-1)
        stay = sums - chances < p
        if bug in ("crosser_lost", "none_left"):
            stay = sums <= p
            stay[:, :1] |= bug == "crosser_lost"
        if bug == "own_chance":
            stay = chances >= p
        back = stay if bug == "misplaced" else torch.zeros_like(stay).scatter(-1, order, stay)
        if bug == "gathered":
            back = stay.gather(-1, order)
        if bug == "one_row":
            back = back[0].expand(len(logits), -1)
        if bug == "sorted_back":
            return torch.where(stay, logits.gather(-1, order), -math.inf)
        return torch.where(back, logits, 0.0 if bug == "zeros" else -math.inf)

    return keep


def in_numpy(bug):
    def keep(logits, p):
        values = logits.numpy()
        exps = np.exp(values - values.max(-1, keepdims=True))
        chances = exps / exps.sum(-1, keepdims=True)
        out = np.full_like(values, 0 if bug == "zeros" else -np.inf)
        for row, shares in enumerate(chances):
            source = chances[0] if bug == "one_row" else values[row] if bug == "raw_scores" else shares
            order = np.argsort(source if bug == "ascending" else -source)
            kept, mass = [], 0.0
            for place, token in enumerate(order):
                if bug == "own_chance":
                    kept += [token] * bool(shares[token] >= p)
                    continue
                if bug in ("crosser_lost", "none_left"):
                    if mass + source[token] > p and (place or bug == "none_left"):
                        break
                elif mass >= p:
                    continue
                kept.append(token)
                mass += source[token]
            if bug == "misplaced":
                kept = list(range(len(kept)))
            if bug == "gathered":
                kept = [place for place, token in enumerate(order) if token < len(kept)]
            if bug == "sorted_back":
                out[row, : len(kept)] = values[row, kept]
            else:
                out[row, kept] = values[row, kept]
        return torch.from_numpy(out).float()

    return keep


for name in (
    "crosser_lost", "none_left", "misplaced", "sorted_back", "zeros", "raw_scores", "ascending", "own_chance",
    "one_row", "gathered",
):  # fmt: skip
    WRONG[TOP_P, name] = [sorted_mask(name), in_numpy(name)]


WRONG[TOP_P, "unchanged"] = [lambda logits, p: logits * 1, lambda logits, p: logits.masked_fill(logits < -99, 0.0)]


@stray(TOP_P)
def gives_new_chances(logits, p):
    return row_by_row(logits, p).softmax(-1)


def a_place_late(logits, p):
    ordered, order = logits.sort(descending=True, stable=True)
    out = ordered.softmax(-1).cumsum(-1) >= p
    out[:, 1:] = out[:, :-1].clone()
    return logits.masked_fill(out.scatter(1, order, out), -math.inf)


def a_place_late_in_lists(logits, p):
    out = torch.full_like(logits, -math.inf)
    for b, chances in enumerate(logits.softmax(-1)):
        order = chances.argsort(descending=True, stable=True).tolist()
        sums = chances[order].cumsum(0).tolist()
        for place, token in enumerate(order):
            if sums[max(0, place - 1)] < p:
                out[b, token] = logits[b, token]
    return out


def until_it_is_passed(logits, p):
    out = torch.full_like(logits, -math.inf)
    for row, chances in enumerate(logits.softmax(-1)):
        mass = torch.tensor(0.0)
        for token in chances.argsort(descending=True, stable=True).tolist():
            if mass > p:
                break
            out[row, token] = logits[row, token]
            mass = mass + chances[token]
    return out


def up_to_p_and_one_more(logits, p):
    ordered, order = logits.sort(descending=True, stable=True)
    many = (ordered.softmax(-1).cumsum(-1) <= p).sum(-1, keepdim=True) + 1
    stay = torch.arange(logits.shape[1]) < many
    return torch.where(torch.zeros_like(stay).scatter(-1, order, stay), logits, -math.inf)


WRONG[TOP_P, "first_lost"] = [a_place_late, a_place_late_in_lists]
WRONG[TOP_P, "one_too_many"] = [until_it_is_passed, up_to_p_and_one_more, shifted_mask]
WRONG[TOP_P, "chances"] = [
    lambda logits, p: logits.softmax(-1) * row_by_row(logits, p).isfinite(),
    lambda logits, p: torch.where(from_below(logits, p) > -math.inf, logits.softmax(1), 0.0),
]
WRONG[TOP_P, "log_chances"] = [
    lambda logits, p: row_by_row(logits, p).log_softmax(-1),
    lambda logits, p: from_below(logits, p).softmax(1).log(),
]


# sampling.sample

SAMPLE = "sampling.sample"


def cut(logits, top_k, top_p, min_p, bug=""):
    chances = logits.softmax(-1)
    stay = torch.ones_like(logits, dtype=torch.bool)
    if top_k is not None:
        stay &= logits >= logits.topk(top_k).values[:, -1:]
        if bug == "one_option":
            return stay
        if bug != "uncut_nucleus":
            chances = chances * stay / (chances * stay).sum(-1, keepdim=True)
    if top_p is not None:
        ordered, order = chances.sort(-1, descending=True)
        sums = ordered.cumsum(-1)
        inner = sums <= top_p if bug == "crosser_lost" else sums - ordered < top_p
        inner[:, 0] = True
        stay &= torch.zeros_like(stay).scatter(-1, order, inner)
    if min_p is not None:
        stay &= chances >= (min_p if bug == "min_p_absolute" else min_p * chances.amax(-1, keepdim=True))
    return stay


def by_multinomial(bug=""):
    def sample(logits, temperature=0.0, top_k=None, top_p=None, min_p=None, generator=None):
        if temperature == 0 or bug == "greedy":
            return logits.max(-1).indices
        if bug == "reseeds":
            generator.manual_seed(1)
        hot = logits if bug in ("late", "cuts_first") else logits * temperature ** (1 if bug == "multiplied" else -1)
        stay = cut(hot, top_k, top_p, min_p, bug)
        hot = hot / temperature if bug == "cuts_first" else hot
        chances = hot.softmax(-1)
        if bug == "late":
            chances = chances / temperature
        if bug == "softmax_twice":
            chances = chances.masked_fill(~stay, 0)
            chances = (chances / chances.sum(-1, keepdim=True)).softmax(-1)
        if bug == "not_renormalised":
            sums = (chances * stay).cumsum(-1)
            places = torch.searchsorted(sums, torch.rand(len(sums), 1, generator=generator))
            return places[:, 0].clamp(max=logits.shape[1] - 1)
        source = None if bug == "ignores_generator" else generator
        return torch.multinomial(chances * stay, 1, generator=source)[:, 0]

    return sample


def by_gumbel(bug=""):
    """The largest logit after noise of the right kind is a draw, too."""

    def sample(logits, temperature=0.0, top_k=None, top_p=None, min_p=None, generator=None):
        if not temperature or bug == "greedy":
            return logits.argmax(dim=1)
        if bug == "reseeds":
            torch.manual_seed(0)
            generator = torch.default_generator
        if bug == "ignores_generator":
            generator = torch.Generator()
            generator.seed()
        noise = -torch.log(-torch.log(torch.rand(logits.shape, generator=generator).clamp(1e-9, 1 - 1e-7)))
        if bug == "late":
            temperature = 1
        hot = logits * temperature if bug == "multiplied" else logits / temperature
        stay = cut(logits if bug == "cuts_first" else hot, top_k, top_p, min_p, bug)
        if bug == "softmax_twice":
            hot = hot.masked_fill(~stay, -math.inf).softmax(1)
        if bug == "not_renormalised":
            number, chances = torch.rand(len(logits), generator=generator), hot.softmax(1) * stay
            sums = chances.cumsum(1)
            last = torch.full((len(logits),), logits.shape[1] - 1)
            reached = sums > number[:, None]
            return torch.where(reached.any(1), reached.float().argmax(1), last)
        return (hot + noise).masked_fill(~stay, -math.inf).argmax(1)

    return sample


@right(SAMPLE)
def by_inverse(logits, temperature=0.0, top_k=None, top_p=None, min_p=None, generator=None):
    """Cold is greedy enough; one number a row walks along the summed chances."""
    hot = logits.double() / max(temperature, 1e-4)
    chances = hot.softmax(-1) * cut(hot, top_k, top_p, min_p)
    sums = chances.cumsum(-1)
    number = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64) * sums[:, -1:]
    return (sums <= number).sum(-1)


@right(SAMPLE)
def on_sorted(logits, temperature=0.0, top_k=None, top_p=None, min_p=None, generator=None):
    if temperature == 0:
        return logits.argmax(-1)
    ordered, order = (logits / temperature).sort(-1, descending=True)
    chances = ordered.softmax(-1)
    chances[:, top_k or len(chances[0]) :] = 0
    chances /= chances.sum(-1, keepdim=True)
    if top_p is not None:
        chances[chances.cumsum(-1) - chances >= top_p] = 0
    if min_p is not None:
        chances[chances < min_p * chances[:, :1]] = 0
    drawn = torch.multinomial(chances, 1, generator=generator)
    return order.gather(-1, drawn).flatten()


RIGHT[SAMPLE] += [by_multinomial(), by_gumbel()]
for name in (
    "late", "softmax_twice", "multiplied", "cuts_first", "crosser_lost", "min_p_absolute", "greedy", "reseeds",
    "ignores_generator", "not_renormalised", "uncut_nucleus", "one_option",
):  # fmt: skip
    WRONG[SAMPLE, name] = [by_multinomial(name), by_gumbel(name)]


@stray(SAMPLE)
def keeps_the_axis(logits, temperature=0.0, top_k=None, top_p=None, min_p=None, generator=None):
    return torch.multinomial(logits.softmax(-1), 1, generator=generator)


@stray(SAMPLE)
def loses_a_single_row(logits, temperature=0.0, top_k=None, top_p=None, min_p=None, generator=None):
    return by_multinomial()(logits, temperature, top_k, top_p, min_p, generator).squeeze()


@stray(SAMPLE)
def all_alike(logits, temperature=0.0, top_k=None, top_p=None, min_p=None, generator=None):
    return torch.randint(0, logits.shape[1], (len(logits),), generator=generator)


@stray(SAMPLE)
def divides_by_zero(logits, temperature=0.0, top_k=None, top_p=None, min_p=None, generator=None):
    return by_multinomial()(logits / temperature, 1.0, top_k, top_p, min_p, generator)


# sampling.repair_penalty

PENALTY = "sampling.repair_penalty"


def moved(value, penalty, bug):
    up = value * penalty
    down = value / penalty
    if bug == "divides":
        return down
    if bug == "multiplies":
        return up
    return (up if value > 0 else down) if bug == "swapped" else (down if value > 0 else up)


def by_loops(bug=""):
    def penalize(logits, seen, penalty):
        out = logits.clone()
        for row in range(len(out)):
            ids = seen[0] if bug == "first_row" else seen[row]
            ids = [token for each in seen for token in each] if bug == "shared" else ids
            for token in [] if bug == "unchanged" else ids if bug == "each_time" else set(ids):
                out[row, token] = moved(out[row, token].item(), penalty, bug)
        return out

    return penalize


def by_factors(bug=""):
    """A power of the penalty for every place, positive or negative."""

    def penalize(logits, seen, penalty):
        counts = torch.zeros_like(logits)
        for row, ids in enumerate(seen):
            for token in ids:
                counts[row, token] += 1
        if bug == "shared":
            counts = counts.sum(0, keepdim=True).expand_as(logits)
        if bug == "first_row":
            counts = counts[:1].expand_as(logits)
        if bug != "each_time":
            counts = counts.clamp(max=1)
        sign = {"divides": -1.0, "multiplies": 1.0, "unchanged": 0.0}.get(bug)
        signs = -torch.sign(logits) if sign is None else torch.full_like(logits, sign)
        return logits * penalty ** (counts * (-signs if bug == "swapped" else signs))

    return penalize


@right(PENALTY)
def subtracts_what_is_lost(logits, seen, penalty):
    loss = torch.where(logits > 0, logits - logits / penalty, logits - logits * penalty)
    hit = torch.tensor([[token in ids for token in range(logits.shape[1])] for ids in seen])
    return logits - loss * hit


RIGHT[PENALTY] += [by_loops(), by_factors()]
for name in (
    "divides", "multiplies", "swapped", "each_time", "shared", "first_row", "unchanged",
):  # fmt: skip
    WRONG[PENALTY, name] = [by_loops(name), by_factors(name)]


@stray(PENALTY)
def by_the_logarithm(logits, seen, penalty):
    """As a chance divided by the penalty: another penalty, not the colleague's."""
    out = logits.clone()
    for row, ids in zip(out, seen, strict=True):
        row[list(set(ids))] -= math.log(penalty)
    return out


def subtracts(logits, seen, penalty):
    out = logits.clone()
    for row, ids in zip(out, seen, strict=True):
        row[list(set(ids))] -= penalty
    return out


def subtracts_by_a_mask(logits, seen, penalty):
    return logits - penalty * torch.tensor([[float(t in ids) for t in range(logits.shape[1])] for ids in seen])


def only_above_zero(logits, seen, penalty):
    out = logits.clone()
    for row, ids in zip(out, seen, strict=True):
        for token in set(ids):
            if row[token] > 0:
                row[token] /= penalty
    return out


def only_above_zero_by_a_mask(logits, seen, penalty):
    hit = torch.tensor([[t in ids for t in range(logits.shape[1])] for ids in seen])
    return torch.where(hit & (logits > 0), logits / penalty, logits)


def returns_in_the_loop(logits, seen, penalty):
    out = logits.clone()
    for row, ids in zip(out, seen, strict=True):
        for token in set(ids):
            row[token] = moved(row[token].item(), penalty, "")
        return out


def first_of_each(logits, seen, penalty):
    return by_loops()(logits, [ids if row == 0 else [] for row, ids in enumerate(seen)], penalty)


WRONG[PENALTY, "subtracts"] = [subtracts, subtracts_by_a_mask]
WRONG[PENALTY, "negative_left"] = [only_above_zero, only_above_zero_by_a_mask]
WRONG[PENALTY, "only_first"] = [returns_in_the_loop, first_of_each]
WRONG[PENALTY, "everybody"] = [
    lambda logits, seen, penalty: torch.where(logits > 0, logits / penalty, logits * penalty),
    lambda logits, seen, penalty: torch.minimum(logits * penalty, logits / penalty),
]


# sampling.accept_draft

ACCEPT = "sampling.accept_draft"


def with_tensors(bug=""):
    def accept(target, draft, token, number):
        ratio = target[token] / draft[token]
        ratio = {"inverted": 1 / ratio, "no_ratio": target[token]}.get(bug, ratio)
        keep = ratio >= 1 if bug == "greedy" else number < ratio.clamp(max=1)
        if bug == "flipped":
            keep = number >= ratio.clamp(max=1)
        gap = torch.relu(target - draft)
        if bug == "all_of_target":
            gap = target
        if bug == "token_left_out":
            gap = target.index_fill(0, torch.tensor(token), 0)
        if bug == "absolute":
            gap = torch.abs(draft - target)
        if bug == "reversed":
            gap = torch.relu(draft - target)
        if bug == "signed":
            gap = target - draft
        if bug == "softmaxed":
            return keep, gap.softmax(-1)
        return keep, gap / (1 if bug == "not_renormalised" else gap.sum())

    return accept


def with_lists(bug=""):
    def accept(target, draft, token, number):
        p, q = target.tolist(), draft.tolist()
        if bug == "inverted":
            keep = number * p[token] <= q[token]
        else:
            keep = number <= p[token] if bug == "no_ratio" else number * q[token] <= p[token]
        if bug == "greedy":
            keep = p[token] > q[token]
        if bug == "flipped":
            keep = number > min(1, p[token] / q[token])
        gaps = []
        for i, (a, b) in enumerate(zip(p, q, strict=True)):
            instead = {
                "all_of_target": a,
                "token_left_out": a * (i != token),
                "absolute": abs(a - b),
                "reversed": b - a,
            }
            gaps.append(a - b if bug == "signed" else max(instead.get(bug, a - b), 0.0))
        if bug == "softmaxed":
            gaps = [math.exp(gap) for gap in gaps]
        total = 1 if bug in ("not_renormalised", "signed") else sum(gaps)
        return int(keep), [gap / total for gap in gaps]

    return accept


@right(ACCEPT)
def by_minimum(target, draft, token, number):
    shared = torch.minimum(target, draft)
    rest = target - shared
    return bool(number * draft[token] < target[token]), rest / (1 - shared.sum())


RIGHT[ACCEPT] += [with_tensors(), with_lists()]
for name in (
    "inverted", "no_ratio", "greedy", "all_of_target", "token_left_out", "absolute", "reversed", "not_renormalised",
    "flipped", "signed", "softmaxed",
):  # fmt: skip
    WRONG[ACCEPT, name] = [with_tensors(name), with_lists(name)]


def bent_differences(target, draft, token, number):
    return number < (target[token] / draft[token]).item(), (target - draft).softmax(-1)


def bent_differences_in_lists(target, draft, token, number):
    powers = [math.exp(a - b) for a, b in zip(target.tolist(), draft.tolist(), strict=True)]
    return number * draft[token].item() < target[token].item(), [each / sum(powers) for each in powers]


WRONG[ACCEPT, "softmaxed_signed"] = [bent_differences, bent_differences_in_lists]
WRONG[ACCEPT, "ratio"] = [
    lambda target, draft, token, number: (
        min(1.0, float(target[token] / draft[token])),
        by_minimum(target, draft, token, number)[1],
    ),
    lambda target, draft, token, number: (
        (target[token] / draft[token]).clamp(max=1),
        with_tensors()(target, draft, token, number)[1],
    ),
]


@stray(ACCEPT)
def never(target, draft, token, number):
    return False, draft


# cache.KVCache

CACHE = "cache.KVCache"


def on_a_buffer(bug=""):
    class KVCache:
        def __init__(self, n_layers, batch_size, max_len, n_kv_heads, head_dim, dtype=torch.float32, device="cpu"):
            shape = (2, n_layers, batch_size, max_len + 20 * (bug in ("no_limit", "moves_all")), n_kv_heads, head_dim)
            self.both, self.max_len, self.filled = torch.zeros(shape), max_len, [0] * n_layers
            self.batch_size, self.padding = batch_size, None

        @property
        def length(self):
            return (
                self.max_len if bug == "fixed_length" else sum(self.filled) if bug == "all_layers" else self.filled[0]
            )

        def update(self, layer, k, v):
            start = 0 if bug == "restarts" else self.filled[0 if bug == "shared_count" else layer]
            end = start + k.shape[1]
            if end + (bug == "full_early") > self.max_len and bug != "no_limit":
                raise ContextLengthError(f"{end} tokens for {self.max_len} places")
            v = k if bug == "values_of_keys" else v
            if bug == "new_first":
                self.both[:, layer, :, k.shape[1] : end] = self.both[:, layer, :, :start].clone()
                start, part = 0, slice(0, k.shape[1])
            else:
                part = slice(start, end)
            self.both[0, layer, :, part], self.both[1, layer, :, part] = k, v
            self.filled = [end] * len(self.filled) if bug == "moves_all" else self.filled
            self.filled[layer] = end
            shown = slice(start, end) if bug == "new_only" else slice(0, self.max_len if bug == "whole" else end)
            keys, values = self.both[:, layer, :, shown]
            return (values, keys) if bug == "swapped" else (keys, values)

        def truncate(self, length):
            for layer, filled in enumerate(self.filled):
                left = filled - length if bug == "by_that_many" else filled if bug == "never_shorter" else length
                if bug == "one_layer" and layer:
                    continue
                if bug == "keeps_last":
                    self.both[:, layer, :, :length] = self.both[:, layer, :, filled - length : filled].clone()
                self.filled[layer] = left

    return KVCache


def on_lists(bug=""):
    """A list of single tokens for each layer."""

    class KVCache:
        def __init__(self, n_layers, batch_size, max_len, n_kv_heads, head_dim, dtype=torch.float32, device="cpu"):
            self.tokens = {layer: [] for layer in range(n_layers)}
            self.max_len, self.batch_size, self.padding = max_len, batch_size, None

        @property
        def length(self):
            lengths = [len(held) for held in self.tokens.values()]
            return {"fixed_length": self.max_len, "all_layers": sum(lengths)}.get(bug, lengths[0])

        def update(self, layer, k, v):
            new = list(zip(k.unbind(1), v.unbind(1), strict=True))
            held = [] if bug == "restarts" else self.tokens[layer]
            if bug == "shared_count":
                held = (held + [(torch.zeros_like(k[:, 0]),) * 2] * self.length)[: self.length]
            if bug == "moves_all":
                longest = max(len(each) for each in self.tokens.values())
                held = held + [(torch.zeros_like(k[:, 0]),) * 2] * (longest - len(held))
            if bug == "values_of_keys":
                new = [(key, key) for key, _ in new]
            full = self.max_len - len(held) < len(new) + (bug == "full_early")
            if full and bug != "no_limit":
                raise ContextLengthError("no room")
            held = new + held if bug == "new_first" else held + new
            self.tokens[layer] = held
            shown = new if bug == "new_only" else held
            if bug == "whole":
                shown = held + [(torch.zeros_like(k[:, 0]),) * 2] * (self.max_len - len(held))
            keys, values = (torch.stack(part, dim=1) for part in zip(*shown, strict=True))
            return (values, keys) if bug == "swapped" else (keys, values)

        def truncate(self, length):
            for layer, held in self.tokens.items():
                part = {"by_that_many": slice(0, len(held) - length), "keeps_last": slice(len(held) - length, None)}
                if (layer == 0 or bug != "one_layer") and bug != "never_shorter":
                    self.tokens[layer] = held[part.get(bug, slice(0, length))]

    return KVCache


class Grown(KVCache):
    """On top of the package's, with room that is made when it is needed."""

    def truncate(self, length):
        while self.length > length:
            super().truncate(self.length - 1)


RIGHT[CACHE] = [on_a_buffer(), on_lists(), Grown]
for name in (
    "restarts", "new_only", "whole", "swapped", "new_first", "no_limit", "all_layers", "fixed_length", "one_layer",
    "by_that_many", "keeps_last", "never_shorter", "shared_count", "full_early", "moves_all", "values_of_keys",
):  # fmt: skip
    WRONG[CACHE, name] = [on_a_buffer(name), on_lists(name)]


@stray(CACHE)
class HeadsFirst(KVCache):
    def update(self, layer, k, v):
        keys, values = super().update(layer, k, v)
        return keys.transpose(1, 2), values.transpose(1, 2)


@stray(CACHE)
class Zeros(KVCache):
    def update(self, layer, k, v):
        keys, values = super().update(layer, k, v)
        return keys * 0, values * 0


# cache.attend_step

STEP = "cache.attend_step"


def with_the_package(bug=""):
    def step(q, k, v, cos, sin, cache):
        past = cache.length
        if bug == "late_length":
            past += q.shape[1]
        if bug == "one_late" and past:
            past += 1
        at = slice(0, q.shape[1]) if bug == "restarts" else slice(past, past + q.shape[1])
        v = apply_rope(v, cos[at], sin[at]) if bug == "turned_values" else v
        turned = k if bug == "unturned_keys" else apply_rope(k, cos[at], sin[at])
        keys, values = cache.update(0, turned, v)
        if bug == "twice":
            keys = apply_rope(keys, cos[: keys.shape[1]], sin[: keys.shape[1]])
        if bug == "forgets":
            keys, values = turned, v
        mask = causal_mask(q.shape[1], keys.shape[1])
        if bug == "sees_all":
            mask[:] = True
        if bug == "upper_rows":
            mask = torch.ones(q.shape[1], keys.shape[1], dtype=torch.bool).tril()
        asked = q if bug == "unturned_queries" else apply_rope(q, cos[at], sin[at])
        out, _ = attend(asked, keys, values, mask)
        return out

    return step


def with_positions(bug=""):
    """The mask and the rows from positions that are written out."""

    def step(q, k, v, cos, sin, cache):
        held = cache.length
        queries = torch.arange(held, held + q.shape[1])
        if bug == "restarts":
            queries = queries - held
        if bug == "late_length":
            queries = queries + q.shape[1]
        if bug == "one_late":
            queries = queries + min(1, held)
        if bug == "turned_values":
            v = apply_rope(v, cos[queries], sin[queries])
        k = k if bug == "unturned_keys" else apply_rope(k, cos[queries], sin[queries])
        q = q if bug == "unturned_queries" else apply_rope(q, cos[queries], sin[queries])
        queries = torch.arange(held, held + q.shape[1])
        keys, values = cache.update(0, k, v)
        places = torch.arange(keys.shape[1])
        if bug == "forgets":
            keys, values, places = keys[:, held:], values[:, held:], places[held:]
        if bug == "twice":
            keys = apply_rope(keys, cos[places], sin[places])
        mask = places[None] <= (queries - held if bug == "upper_rows" else queries)[:, None]
        mask = mask | (bug == "sees_all")
        H, G = q.shape[2], keys.shape[2]
        keys, values = keys.repeat_interleave(H // G, 2), values.repeat_interleave(H // G, 2)
        scores = torch.einsum("bthk,bshk->bhts", q, keys) / math.sqrt(q.shape[-1])
        weights = scores.masked_fill(~mask, -1e30).softmax(-1)
        return torch.einsum("bhts,bshk->bthk", weights, values)

    return step


@right(STEP)
def one_by_one(q, k, v, cos, sin, cache):
    outs = [
        with_the_package()(q[:, t : t + 1], k[:, t : t + 1], v[:, t : t + 1], cos, sin, cache)
        for t in range(q.shape[1])
    ]
    return torch.cat(outs, dim=1)


@right(STEP)
def turned_late(q, k, v, cos, sin, cache):
    """Keys are kept unturned, and all of them turned to their places in every step."""
    past = cache.length
    keys, values = cache.update(0, k, v)
    S = keys.shape[1]
    q, keys = apply_rope(q, cos[past:S], sin[past:S]), apply_rope(keys, cos[:S], sin[:S])
    return attend(q, keys, values, causal_mask(S - past, S))[0]


RIGHT[STEP] += [with_the_package(), with_positions()]
for name in (
    "restarts", "late_length", "twice", "unturned_keys", "forgets", "sees_all", "upper_rows", "one_late",
    "turned_values", "unturned_queries",
):  # fmt: skip
    WRONG[STEP, name] = [with_the_package(name), with_positions(name)]


@stray(STEP)
def twice_as_loud(q, k, v, cos, sin, cache):
    return 2 * with_the_package()(q, k, v, cos, sin, cache)


@stray(STEP)
def hands_on_values(q, k, v, cos, sin, cache):
    return v.repeat_interleave(q.shape[2] // v.shape[2], 2)
