"""Answers to lesson 09's tasks in unusual spellings, right ones and wrong ones."""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional as F

from minillama.course.proving import Book
from minillama.errors import DataError
from minillama.train.losses import training_loss

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, stray = book.right, book.stray


# train.recipe_by_hand

HAND = {"tokens": 16_384, "warm": 2.5e-4, "middle": 5.5e-4, "clipped": [0.6, 0.8], "loss": 2.5, "operations": 1.2e15}
RIGHT["train.recipe_by_hand"] = [
    HAND,
    HAND | {"tokens": 2.0**14, "clipped": torch.tensor([3, 4]) / 5, "operations": 12 * 10**14},
    HAND | {"warm": np.float64(1e-3) / 4, "clipped": (0.6, 0.8), "loss": torch.tensor(100 / 40)},
]
for name, by_hand in {
    "one_micro_batch": [{"tokens": 2048}, {"tokens": 4 * 512.0}],
    "windows": [{"tokens": 32}, {"tokens": np.int64(32)}],
    "first_is_zero": [{"warm": 0.000225}, {"warm": 9 / 40 / 1000}],
    "to_zero": [{"middle": 0.0005}, {"middle": 1e-3 / 2}],
    "floor_on_top": [{"middle": 0.0006}, {"middle": 1e-3 * (0.1 + 0.5)}],
    "each_alone": [{"clipped": [1, 1]}, {"clipped": np.clip([3.0, 4.0], -1, 1)}],
    "by_sum": [{"clipped": [0.4286, 0.5714]}, {"clipped": (3 / 7, 4 / 7)}],
    "squared": [{"clipped": [0.12, 0.16]}, {"clipped": (3 / 25, 4 / 25)}],
    "mean_of_means": [{"loss": 3}, {"loss": (2 + 4) / 2}],
    "summed": [{"loss": 100}, {"loss": 60.0 + 40.0}],
    "forward_only": [{"operations": 4e14}, {"operations": 2 * 2_000_000 * 100_000_000}],
    "once_a_weight": [{"operations": 2e14}, {"operations": 2_000_000 * 100_000_000}],
    "by_largest": [{"clipped": [0.75, 1]}, {"clipped": torch.tensor([3.0, 4.0]) / 4}],
    "no_floor": [{"middle": 0.00045}, {"middle": (1e-3 - 1e-4) / 2}],
    "back_as_there": [{"operations": 8e14}, {"operations": 4 * 2_000_000 * 100_000_000}],
}.items():
    WRONG["train.recipe_by_hand", name] = [HAND | each for each in by_hand]
STRAY["train.recipe_by_hand"] = [HAND | {"warm": 0.5}, HAND | {"clipped": "shorter"}, HAND | {"loss": 2.0}]


# train.keep_originals

ORIGINALS = "train.keep_originals"


def with_strings(bug=""):
    """Runs as strings, counted in a dict of kept sets."""

    def runs(text):
        parts = (text if bug == "capitals" else text.casefold()).split(" ")
        if bug == "words":
            return set(parts)
        if bug == "pairs":
            return set(itertools.pairwise(parts))
        if bug == "letters":
            text = text.casefold()
            return {text[i - 3 : i] for i in range(3, len(text) + 1)}
        if bug == "last_run":
            parts.pop()
        if bug == "exact":
            return {" ".join(parts)}
        if bug == "apart":
            return {" ".join(three) for three in zip(parts[::3], parts[1::3], parts[2::3], strict=False)}
        return {" ".join(three) for three in zip(parts, parts[1:], parts[2:], strict=False)}

    def keep(texts, threshold):
        kept, sets = {}, list(map(runs, texts))
        places = range(len(texts) - 1, -1, -1) if bug == "keeps_last" else range(len(texts))
        for i in places:
            rivals = list(kept.values())
            if bug == "neighbours":
                rivals = [sets[i - 1]] if i else []
            if bug == "drops_both":
                rivals = sets[:i] + sets[i + 1 :]
            if bug == "against_dropped":
                rivals = sets[:i]
            if bug == "last_kept":
                rivals = rivals[-1:]
            for other in rivals:
                both = len(sets[i].intersection(other))
                either = len(sets[i]) + len(other) - both
                if bug == "containment":
                    either = min(len(sets[i]), len(other))
                if bug == "added":
                    either += both
                if both > threshold * either if bug == "strict" else both >= threshold * either:
                    break
            else:
                kept[i] = sets[i]
        return sorted(set(places) - set(kept)) if bug == "dropped" else sorted(kept)

    return keep


def with_a_matrix(bug=""):
    """All shares at once, then a walk."""

    def keep(texts, threshold):
        words = [(text if bug == "capitals" else text.upper()).split() for text in texts]
        size = {"words": 1, "pairs": 2}.get(bug, 3)
        if bug == "letters":
            words = [text.lower() for text in texts]
        if bug == "last_run":
            words = [each[:-1] for each in words]
        bags = [{tuple(each[i:][:size]) for i in range(len(each) - size + 1)} for each in words]
        if bug == "apart":
            bags = [{tuple(each[i : i + 3]) for i in range(len(each) - 2) if i % 3 == 0} for each in words]
        if bug == "exact":
            bags = [{tuple(each)} for each in words]
        known = sorted(set().union(*bags))
        marks = np.array([[run in bag for run in known] for bag in bags], dtype=int)
        both = marks @ marks.T
        sizes = marks.sum(1)
        either = sizes[:, None] + sizes - both
        if bug == "containment":
            either = np.minimum(sizes[:, None], sizes)
        if bug == "added":
            either = np.add.outer(sizes, sizes)
        alike = both / either > threshold if bug == "strict" else both / either >= threshold
        np.fill_diagonal(alike, False)
        n = len(texts)
        if bug == "drops_both":
            return [i for i in range(n) if not alike[i].any()]
        if bug == "against_dropped":
            return [i for i in range(n) if not alike[i, :i].any()]
        if bug == "neighbours":
            return [i for i in range(n) if i == 0 or not alike[i, i - 1]]
        kept = np.zeros(n, dtype=bool)
        for i in range(n)[:: -1 if bug == "keeps_last" else 1]:
            rivals = kept & (np.arange(n) == max(np.flatnonzero(kept), default=-1)) if bug == "last_kept" else kept
            kept[i] = not (alike[i] & rivals).any()
        if bug == "dropped":
            kept = ~kept
        return np.flatnonzero(kept).tolist()

    return keep


@right(ORIGINALS)
def by_recursion(texts, threshold):
    """Whoever stays, drops what resembles it further down."""

    def runs(i):
        words = texts[i].lower().split()
        return {tuple(words[j : j + 3]) for j in range(len(words) - 2)}

    left, kept = list(range(len(texts))), []
    while left:
        first, *left = left
        kept.append(first)
        left = [i for i in left if len(runs(i) & runs(first)) / len(runs(i) | runs(first)) < threshold]
    return kept


RIGHT[ORIGINALS] += [with_strings(), with_a_matrix()]
for name in (
    "words", "exact", "apart", "capitals", "containment", "strict", "keeps_last", "neighbours", "drops_both",
    "against_dropped", "pairs", "letters", "last_run", "last_kept", "added", "dropped",
):  # fmt: skip
    WRONG[ORIGINALS, name] = [with_strings(name), with_a_matrix(name)]


def with_lists_of_runs(texts, threshold):
    """Runs that come again are counted again."""
    kept = []
    for i, text in enumerate(texts):
        words = text.lower().split()
        runs = list(zip(words, words[1:], words[2:], strict=False))
        for _, others in kept:
            both = len([run for run in runs if run in others])
            if both / (len(runs) + len(others) - both) >= threshold:
                break
        else:
            kept.append((i, runs))
    return [i for i, _ in kept]


def with_counted_runs(texts, threshold):
    def runs(i):
        words = texts[i].upper().split()
        return [tuple(words[j : j + 3]) for j in range(len(words) - 2)]

    def alike(i, j):
        both = sum(runs(j).count(run) > 0 for run in runs(i))
        return both >= threshold * (len(runs(i)) + len(runs(j)) - both)

    kept = []
    for i in range(len(texts)):
        if not any(alike(i, j) for j in kept):
            kept.append(i)
    return kept


WRONG[ORIGINALS, "repeats"] = [with_lists_of_runs, with_counted_runs]


@stray(ORIGINALS)
def keeps_the_second(texts, threshold):
    return [1]


@stray(ORIGINALS)
def gives_texts(texts, threshold):
    return [texts[i] for i in by_recursion(texts, threshold)]


# train.pack

PACK = "train.pack"


def in_numpy(bug=""):
    def pack(documents, length):
        arrays = [np.asarray(each) for each in documents]
        if bug == "leaks":
            arrays = [each[(each != 1) & (each != 2)] for each in arrays]
        if bug == "no_end":
            arrays = [each[each != 2] for each in arrays]
        if bug == "own_windows":
            parts = [each[: each.size - each.size % length] for each in arrays]
            return np.concatenate(parts).reshape(-1, length)
        if bug == "one_a_window":
            return np.stack([np.pad(each[:length], (0, max(0, length - each.size))) for each in arrays])
        if bug == "sorted":
            arrays.sort(key=lambda each: each.size)
        stream = np.concatenate(arrays)
        if bug == "padded":
            stream = np.pad(stream, (0, -stream.size % length))
        if bug == "overlap":
            return np.lib.stride_tricks.sliding_window_view(stream, length)[:: length - 1]
        n = (stream.size - (bug == "one_short")) // length
        if bug == "columns":
            return stream[: n * length].reshape(length, n).transpose()
        return np.resize(stream, (n, length))

    return pack


def by_walking(bug=""):
    """Token by token, a window closed when it is full."""

    def pack(documents, length):
        rows, row = [], []
        for ids in sorted(documents, key=len) if bug == "sorted" else documents:
            given = list(ids)
            if bug == "leaks":
                given = given[1:-1]
            if bug == "no_end":
                given.pop()
            if bug in ("own_windows", "one_a_window"):
                row = []
            for token in given[:length] if bug == "one_a_window" else given:
                row.append(token)
                if len(row) == length:
                    rows.append(row)
                    row = row[-1:] if bug == "overlap" else []
            if bug == "one_a_window" and row:
                rows.append(row + [0] * (length - len(row)))
        if bug == "padded" and row:
            rows.append(row + [0] * (length - len(row)))
        if bug == "one_short" and not row:
            rows.pop()
        if bug == "columns":
            flat = list(itertools.chain(*rows))
            rows = [[flat[k * len(rows) + i] for k in range(length)] for i in range(len(rows))]
        return np.array(rows, dtype=np.int64).reshape(-1, length)

    return pack


@right(PACK)
def with_torch(documents, length):
    stream = torch.tensor(list(itertools.chain(*documents)))
    return stream[: len(stream) // length * length].reshape(-1, length)


RIGHT[PACK] += [in_numpy(), by_walking()]
for name in (
    "leaks", "no_end", "own_windows", "one_a_window", "padded", "overlap", "one_short", "columns", "sorted",
):  # fmt: skip
    WRONG[PACK, name] = [in_numpy(name), by_walking(name)]
WRONG[PACK, "one_longer"] = [
    lambda documents, length: in_numpy()(documents, length + 1),
    lambda documents, length: by_walking()(documents, 1 + length),
]
WRONG[PACK, "sliding"] = [
    lambda documents, length: np.array(
        [list(itertools.chain(*documents))[i:][:length] for i in range(sum(map(len, documents)) - length + 1)],
        dtype=np.int64,
    ).reshape(-1, length),
    lambda documents, length: np.lib.stride_tricks.sliding_window_view(
        np.pad(np.concatenate(documents), (0, max(0, length - 1 - sum(map(len, documents))))), length
    ) if sum(map(len, documents)) >= length else np.zeros((0, length), dtype=np.int64),
]  # fmt: skip


@stray(PACK)
def with_more_marks(documents, length):
    return in_numpy()([[1, *each, 2] for each in documents], length)


@stray(PACK)
def in_one_row(documents, length):
    return np.concatenate(documents)


# train.cosine_schedule

COSINE = "train.cosine_schedule"


def in_one_line(bug=""):
    def schedule(step, n_steps, peak_lr, warmup_steps, floor=0.1):
        step = step + 1 if bug == "early" else step
        floor = 0.1 if bug == "floor_fixed" else floor
        if step < warmup_steps:
            if bug == "no_warmup":
                return peak_lr
            return peak_lr / (warmup_steps + (bug == "warm_plus_one")) * (step if bug == "first_is_zero" else step + 1)
        if bug == "warm_too_long" and step == warmup_steps:
            return peak_lr / warmup_steps * (step + 1)
        last = n_steps if bug == "ends_late" else n_steps - 1
        first = {"whole_run": 0, "from_last": warmup_steps - 1}.get(bug, warmup_steps)
        p = (step - first + (bug == "falls_early")) / (last - first)
        p = p if bug == "comes_back" or p < 1 else 1
        height = {"line": 1 - p, "quarter": math.cos(p * math.pi / 2)}.get(bug, math.cos(p * math.pi / 2) ** 2)
        height = math.cos(p * math.pi) ** 2 if bug == "whole_wave" else height
        low, high = floor * peak_lr, peak_lr
        low = floor if bug == "floor_as_rate" else low
        if bug == "no_peak":
            low, high = floor, 1
        if bug == "to_zero":
            return high * height
        if bug == "cut_off":
            return max(low, high * height)
        return low + (high if bug == "floor_on_top" else high - low) * height

    return schedule


def from_a_table(bug=""):
    """All rates of the run, and one of them."""

    def schedule(step, n_steps, peak_lr, warmup_steps, floor=0.1):
        if bug == "no_warmup":  # a cosine over the whole run
            wave = torch.arange(n_steps) / (n_steps - 1)
            rates = peak_lr * (floor + (1 - floor) * (1 + torch.cos(math.pi * wave)) / 2)
            return rates[min(step, n_steps - 1)]
        if bug == "floor_fixed":
            floor = 0.1
        up = np.linspace(0, peak_lr, warmup_steps + 1)
        up = up[:-1] if bug == "first_is_zero" else up[1:]
        if bug == "warm_plus_one":
            up = np.linspace(0, peak_lr, warmup_steps + 2)[1:-1]
        n = n_steps - warmup_steps
        angles = np.linspace(0, np.pi, n + (bug == "ends_late"))
        if bug == "from_last":
            angles = np.linspace(0, np.pi, n + 1)[1:]
        if bug == "whole_run":
            angles = np.linspace(0, np.pi, n_steps)[warmup_steps:]
        if bug == "comes_back":
            angles = np.pi / (n - 1) * np.arange(n + 20)
        if bug == "falls_early":
            angles = np.append(angles[1:], np.pi)
        if bug == "whole_wave":
            angles = 2 * angles
        if bug == "line":
            shares = 1 - angles / np.pi
        elif bug == "quarter":
            shares = np.cos(angles / 2)
        else:
            shares = 0.5 + 0.5 * np.cos(angles)
        if bug == "cut_off":
            shares = np.clip(shares, floor, None)
        elif bug == "floor_on_top":
            shares = shares + floor
        elif bug != "to_zero":
            shares = floor + (1 - floor) * shares
        rates = np.concatenate([up, shares if bug == "no_peak" else peak_lr * shares])
        if bug == "floor_as_rate":
            rates = np.concatenate([up, floor + (peak_lr - floor) * (1 + np.cos(angles)) / 2])
        if bug == "warm_too_long":
            rates[warmup_steps] = peak_lr * (warmup_steps + 1) / warmup_steps if warmup_steps else np.nan
        return rates[min(step + (bug == "early"), len(rates) - 1)]

    return schedule


@right(COSINE)
def by_torch(step, n_steps, peak_lr, warmup_steps, floor=0.1):
    if step < warmup_steps:
        return torch.tensor(peak_lr, dtype=torch.float64) * (1 + step) / warmup_steps
    middle, half = (1 + floor) / 2, (1 - floor) / 2
    turn = torch.tensor((step - warmup_steps) / (n_steps - 1 - warmup_steps), dtype=torch.float64).clamp(max=1)
    return peak_lr * (middle + half * torch.cos(turn * torch.pi))


RIGHT[COSINE] += [in_one_line(), from_a_table()]
for name in (
    "no_warmup", "first_is_zero", "early", "to_zero", "floor_on_top", "cut_off", "floor_fixed", "whole_run",
    "from_last", "ends_late", "comes_back", "line", "quarter", "warm_plus_one", "warm_too_long", "no_peak",
    "falls_early", "whole_wave", "floor_as_rate",
):  # fmt: skip
    WRONG[COSINE, name] = [in_one_line(name), from_a_table(name)]


@stray(COSINE)
def always_the_peak(step, n_steps, peak_lr, warmup_steps, floor=0.1):
    return peak_lr


@stray(COSINE)
def halves_every_ten(step, n_steps, peak_lr, warmup_steps, floor=0.1):
    return peak_lr * min(1, (step + 1) / max(1, warmup_steps)) * 0.5 ** (step // 10)


# train.stay_and_cool

COOL = "train.stay_and_cool"


def in_parts(bug=""):
    def schedule(step, n_steps, peak_lr, warmup_steps, cooldown_steps):
        if step < warmup_steps and bug != "no_warmup":
            warm = warmup_steps + (bug == "warm_plus_one")
            return peak_lr * (step / warmup_steps if bug == "first_is_zero" else (step + 1) / warm)
        if bug == "warm_too_long" and step == warmup_steps:
            return peak_lr + peak_lr / warmup_steps
        left = n_steps - step - (bug != "late") - (bug == "early")  # steps behind this one
        length = {
            "never_stays": n_steps - warmup_steps,
            "length_for_start": n_steps - cooldown_steps,
        }.get(bug, cooldown_steps)
        if bug == "stays_longer" and left + 1 == length:
            return peak_lr
        p = 1 - min(left, length) / length
        p = max(0, p - 1 / length) * length / (length - 1) if bug == "from_the_peak" else p
        p = min(1, p)
        height = 1 - (p if bug == "other_shape" else p**0.5)
        if bug == "no_peak" and p > 0:
            return height
        return peak_lr * (0.1 + 0.9 * height if bug == "other_floor" else height)

    return schedule


def with_arrays(bug=""):
    def schedule(step, n_steps, peak_lr, warmup_steps, cooldown_steps):
        rates = np.full(n_steps, 1.0)
        first = n_steps - cooldown_steps
        first = warmup_steps if bug == "never_stays" else cooldown_steps if bug == "length_for_start" else first
        n = n_steps - first
        p = np.linspace(0, 1, n + 1)
        p = p[:-1] if bug == "late" else p[1:]
        if bug == "from_the_peak":
            p = np.linspace(0, 1, n)
        if bug == "early":
            first, p = first - 1, np.append(p, 1)
        rates[first:] = 1 - p if bug == "other_shape" else 1 - np.sqrt(p)
        if bug == "other_floor":
            rates = 0.1 + 0.9 * rates
        if bug == "stays_longer":
            rates[: first + 1] = 1
        if bug == "no_peak":
            rates[first:] /= peak_lr
        if bug != "no_warmup":
            rates[:warmup_steps] = (np.arange(warmup_steps) + (bug != "first_is_zero")) / (
                warmup_steps + (bug == "warm_plus_one")
            )
        if bug == "warm_too_long":
            rates[warmup_steps] = (warmup_steps + 1) / warmup_steps
        return (peak_lr * rates)[step]

    return schedule


@right(COOL)
def smaller_of_two(step, n_steps, peak_lr, warmup_steps, cooldown_steps):
    up = (step + 1) / warmup_steps
    down = 1 - math.sqrt(max(0, cooldown_steps - n_steps + step + 1) / cooldown_steps)
    return peak_lr * min(1, up, down)


RIGHT[COOL] += [in_parts(), with_arrays()]
for name in (
    "no_warmup", "first_is_zero", "never_stays", "length_for_start", "late", "stays_longer", "other_shape",
    "other_floor", "warm_plus_one", "warm_too_long", "no_peak", "early", "from_the_peak",
):  # fmt: skip
    WRONG[COOL, name] = [in_parts(name), with_arrays(name)]


@WRONG[COOL, "other_shape"].append
def half_a_wave(step, n_steps, peak_lr, warmup_steps, cooldown_steps):
    taken = max(0, step - n_steps + cooldown_steps + 1) / cooldown_steps
    return peak_lr * min(1, (step + 1) / warmup_steps, (1 + math.cos(math.pi * taken)) / 2)


@stray(COOL)
def never_cools(step, n_steps, peak_lr, warmup_steps, cooldown_steps):
    return peak_lr * min(1, (step + 1) / warmup_steps)


# train.decay_groups

GROUPS = "train.decay_groups"


def by_name(bug=""):
    """Known by their names, a group for each parameter."""

    def groups(model, weight_decay=0.1):
        decay = 0.1 if bug == "fixed" else weight_decay
        found = []
        for name, parameter in model.named_parameters():
            if bug not in ("frozen_too", "frozen_quiet") and not parameter.requires_grad:
                continue
            if bug == "table_lost" and name.startswith("tok_embeddings"):
                continue
            held = "norm" in name or "embeddings" in name
            if bug == "norms":
                held = "embeddings" in name
            if bug == "embeddings":
                held = "norm" in name
            if bug in ("all", "none"):
                held = bug == "none"
            if bug == "output_kept":
                held = held or name == "output.weight"
            if bug == "attention_only":
                held = ".attention.w" not in name and name != "output.weight"
            if bug == "exchanged":
                held = not held
            held = held or (bug == "frozen_quiet" and not parameter.requires_grad)
            if held and bug == "lost":
                continue
            group = {"params": [parameter], "weight_decay": 0 if held else decay}
            if held and bug == "no_zero":
                del group["weight_decay"]
            found.append(group)
        return found

    return groups


def by_modules(bug=""):
    """By the kind of module that a weight belongs to."""

    def groups(model, weight_decay=0.1):
        if bug == "fixed":
            weight_decay = 1e-1
        kinds = {torch.nn.Embedding: bug == "embeddings", torch.nn.Linear: True}
        two = {True: [], False: []}
        for module_name, module in model.named_modules():
            for parameter in module.parameters(recurse=False):
                decays = kinds.get(type(module), parameter.ndim > 1 or bug == "norms")
                decays = True if bug == "all" else False if bug == "none" else decays
                if bug == "output_kept" and module_name == "output":
                    decays = False
                if bug == "attention_only" and module_name.endswith(("w1", "w2", "w3")):
                    decays = False
                if bug == "frozen_quiet" and not parameter.requires_grad:
                    decays = False
                if bug == "table_lost" and module_name == "tok_embeddings":
                    continue
                if parameter.requires_grad or bug in ("frozen_too", "frozen_quiet"):
                    two[decays].append(parameter)
        first = {"params": two[True], "weight_decay": 0.0 if bug == "exchanged" else weight_decay}
        second = {"params": two[False], "weight_decay": weight_decay if bug == "exchanged" else 0.0}
        if bug == "no_zero":
            second.pop("weight_decay")
        return [first] if bug == "lost" else (second, first)

    return groups


@right(GROUPS)
def by_shape_and_size(model, weight_decay=0.1):
    learn = [each for each in model.parameters() if each.requires_grad]
    table = model.tok_embeddings.weight
    matrices = [each for each in learn if each.dim() == 2 and each is not table]
    rest = [each for each in learn if each.dim() == 1 or each is table]
    return [dict(params=rest, weight_decay=0.0), dict(params=matrices, weight_decay=weight_decay)]


RIGHT[GROUPS] += [by_name(), by_modules()]
for name in (
    "norms", "embeddings", "all", "none", "exchanged", "output_kept", "attention_only", "frozen_too", "lost",
    "no_zero", "fixed", "table_lost", "frozen_quiet",
):  # fmt: skip
    WRONG[GROUPS, name] = [by_name(name), by_modules(name)]


@stray(GROUPS)
def of_names(model, weight_decay=0.1):
    names = [name for name, _ in model.named_parameters()]
    return [{"params": names, "weight_decay": weight_decay}]


@stray(GROUPS)
def of_copies(model, weight_decay=0.1):
    return [{"params": list(model.state_dict().values()), "weight_decay": weight_decay}]


@stray(GROUPS)
def a_list_of_parameters(model, weight_decay=0.1):
    return list(model.parameters())


@stray(GROUPS)
def twice_each(model, weight_decay=0.1):
    return by_name()(model, weight_decay) * 2


# train.train_step

STEP = "train.train_step"


def with_the_package(bug=""):
    """As the lesson has it, from training_loss."""

    def step(model, optimizer, batches, lr, clip=1.0, bf16=False, total=None):
        if bug == "counts_all" and total is None:
            total = sum(each.tokens.shape[0] * (each.tokens.shape[1] - 1) for each in batches)
        if bug == "total_ignored" or total is None:
            total = sum(each.total_weight for each in batches)
        if total == 0 and bug != "no_guard":
            raise DataError("nothing to learn from")
        if bug != "no_zero_grad":
            optimizer.zero_grad(set_to_none=False)
        parts = []
        for batch in batches:
            if bug == "zero_each":
                model.zero_grad()
            nats, weight = training_loss(model, batch)
            divisor = {"mean_of_means": weight * len(batches), "not_divided": weight, "summed": 1.0}.get(bug, total)
            (nats / divisor).backward()
            parts.append((nats / (total if bug == "summed" else divisor)).item())
            if bug == "clips_each":
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        finite = math.isfinite(parts[-1] if bug == "last_loss" else sum(parts))
        if not finite and total and bug not in ("not_finite", "spoils"):
            raise DataError("a loss that is no number")
        if bug == "late_rate":
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
        for group in optimizer.param_groups[: 1 if bug == "one_group" else 9]:
            group["lr"] = group["lr"] if bug == "lr_ignored" else lr
        if bug == "unclipped":
            optimizer.step()
        if bug == "clips_values":
            torch.nn.utils.clip_grad_value_(model.parameters(), clip)
        elif bug != "clips_each":
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0 if bug == "clip_fixed" else clip)
        if bug not in ("no_step", "unclipped", "late_rate"):
            optimizer.step()
        if bug == "spoils" and not finite:
            raise DataError("a loss that is no number")
        if bug == "loss_after":
            return sum(training_loss(model, each)[0].item() for each in batches) / total
        return parts[-1] if bug == "last_loss" else sum(parts)

    return step


def by_gradients(bug=""):
    """No backward(): gradients are asked for, and the weights' gradients written."""

    def losses_of(model, batch):
        nats = F.cross_entropy(model(batch.tokens[:, :-1]).transpose(1, 2), batch.tokens[:, 1:], reduction="none")
        return (nats * (1 if batch.weights is None else batch.weights[:, 1:])).sum()

    def step(model, optimizer, batches, lr, clip=1.0, bf16=False, total=None):
        weights = list(model.parameters())
        counts = [each.total_weight for each in batches]
        if bug == "counts_all":
            counts = [each.tokens[:, 1:].numel() for each in batches]
        everything = sum(counts) if bug == "total_ignored" else (total or sum(counts))
        if everything < 1e-9 and bug != "no_guard":
            raise DataError("every weight is 0")
        sums = [losses_of(model, each) for each in batches]
        means = [nats / count for nats, count in zip(sums, counts, strict=True)]
        loss = sum(sums) / everything
        lost = bool(everything) and not torch.isfinite(sums[-1] if bug == "last_loss" else loss)
        if lost and bug not in ("not_finite", "spoils"):
            raise DataError("infinite")
        aim = {"mean_of_means": sum(means) / len(means), "not_divided": sum(means), "summed": sum(sums)}.get(bug, loss)
        if bug == "zero_each":
            aim = sums[-1] / everything
        old = [None if each.grad is None else each.grad.clone() for each in weights]
        for weight, gradient in zip(weights, torch.autograd.grad(aim, weights), strict=True):
            weight.grad = gradient
        if bug == "no_zero_grad":
            for weight, before in zip(weights, old, strict=True):
                weight.grad += 0 if before is None else before
        if bug == "clips_each":
            clipped = [torch.zeros_like(each) for each in weights]
            for nats in [losses_of(model, each) / everything for each in batches]:
                for i, gradient in enumerate(torch.autograd.grad(nats, weights)):
                    clipped[i] += gradient
                length = torch.cat([each.flatten() for each in clipped]).norm().item()
                clipped = [each * min(1.0, clip / (length + 1e-6)) for each in clipped]
            for weight, gradient in zip(weights, clipped, strict=True):
                weight.grad = gradient
        elif bug == "clips_values":
            for weight in weights:
                weight.grad = weight.grad.clamp(-clip, clip)
        elif bug != "unclipped":
            most = 1 if bug == "clip_fixed" else clip
            length = torch.cat([each.grad.flatten() for each in weights]).norm().item()
            for weight in weights:
                weight.grad *= torch.tensor(most / (length + 1e-6)).clamp(max=1.0)  # nan stays nan
        if bug == "late_rate":
            optimizer.step()
        if bug == "one_group":
            optimizer.param_groups[0].update(lr=lr)
        elif bug != "lr_ignored":
            for group in optimizer.param_groups:
                group |= {"lr": lr}
        if bug not in ("no_step", "late_rate"):
            optimizer.step()
        if lost and bug == "spoils":
            raise DataError("infinite")
        if bug == "loss_after":
            loss = sum(losses_of(model, each) for each in batches) / everything
        if bug == "mean_of_means":
            loss = aim
        return (sums[-1] / everything if bug == "last_loss" else loss).item()

    return step


@right(STEP)
def all_rows_at_once(model, optimizer, batches, lr, clip=1.0, bf16=False, total=None):
    """One number of all micro-batches, and one backward."""
    weight = sum(each.total_weight for each in batches)
    if weight == 0:
        raise DataError("no weights")
    if not all(training_loss(model, each)[0].isfinite() for each in batches):
        raise DataError("no finite loss")
    loss = sum(training_loss(model, each)[0] for each in batches) / (weight if total is None else total)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(model.parameters()), clip)
    for group in optimizer.param_groups:
        group.update(lr=lr)
    optimizer.step()
    return loss.detach()


RIGHT[STEP] += [with_the_package(), by_gradients()]
for name in (
    "no_zero_grad", "zero_each", "unclipped", "clips_each", "clip_fixed", "mean_of_means", "not_divided", "summed",
    "counts_all", "total_ignored", "lr_ignored", "last_loss", "loss_after", "no_step", "no_guard", "not_finite",
    "spoils", "one_group", "late_rate", "clips_values",
):  # fmt: skip
    WRONG[STEP, name] = [with_the_package(name), by_gradients(name)]


@stray(STEP)
def uphill(model, optimizer, batches, lr, clip=1.0, bf16=False, total=None):
    return with_the_package()(model, optimizer, batches, -lr, clip, bf16, total)


@stray(STEP)
def returns_nothing(model, optimizer, batches, lr, clip=1.0, bf16=False, total=None):
    with_the_package()(model, optimizer, batches, lr, clip, bf16, total)


# train.repair_loss

LOSS = "train.repair_loss"


def by_cross_entropy(bug=""):
    def repair(logits, tokens, weights):
        told, asked, counted = logits[:, :-1], tokens[:, 1:], weights[:, 1:]
        if bug == "unshifted":
            told, asked, counted = logits, tokens, weights
        if bug == "backwards":
            told, asked, counted = logits[:, 1:], tokens[:, :-1], weights[:, :-1]
        if bug == "twice":
            told, asked, counted = logits[:, :-2], tokens[:, 2:], weights[:, 2:]
        if bug == "weights_behind":
            counted = weights[:, :-1]
        if bug == "rolled":
            told, asked, counted = logits, torch.roll(tokens, -1, 1), torch.roll(weights, -1, 1)
        if bug == "flattened":
            told, asked, counted = (each.flatten(0, 1)[None] for each in (logits, tokens, weights))
            told, asked, counted = told[:, :-1], asked[:, 1:], counted[:, 1:]
        if bug == "yes_or_no":
            counted = counted.clamp(max=1)
        if bug == "softmax_twice":
            told = torch.softmax(told, -1)
        nats = F.cross_entropy(told.transpose(1, 2), asked, reduction="none")
        if bug == "unweighted":
            return nats.mean()
        if bug == "by_row":
            return ((nats * counted).sum(-1) / counted.sum(-1)).mean()
        divisors = {"all_weights": weights.sum(), "by_count": nats.numel(), "summed": 1, "no_minus": -counted.sum()}
        divisor = divisors.get(bug, counted.count_nonzero() if bug == "places" else counted.sum())
        return torch.dot(nats.flatten(), counted.flatten()) / divisor

    return repair


def by_two_loops(bug=""):
    def repair(logits, tokens, weights):
        shares = logits.double().softmax(-1)
        ahead = {"unshifted": 0, "twice": 2, "backwards": -1}.get(bug, 1)
        rows, total, weight, n = [], 0.0, 0.0, 0
        for b in range(len(tokens)):
            row, its = 0.0, 0.0
            for t in range(tokens.shape[1]):
                if not 0 <= t + ahead < tokens.shape[1]:
                    continue
                w = weights[b, t if bug == "weights_behind" else t + ahead].item()
                w = 1.0 if bug == "unweighted" else w
                row -= w * math.log(shares[b, t, tokens[b, t + ahead]])
                its, n = its + w, n + 1
            rows.append(row / its)
            total, weight = total + row, weight + its
        if bug == "by_row":
            return sum(rows) / len(rows)
        weight = {"all_weights": weights.sum().item(), "by_count": n, "summed": 1}.get(bug, weight)
        return total / weight

    return repair


@right(LOSS)
def rolled(logits, tokens, weights):
    """All places, the last with a weight of 0."""
    asked, counted = tokens.roll(-1, 1), weights.roll(-1, 1).clone()
    counted[:, -1] = 0
    picked = torch.log_softmax(logits, -1).gather(2, asked.unsqueeze(2)).squeeze(2)
    return -(picked * counted).sum() / counted.sum()


RIGHT[LOSS] += [by_cross_entropy(), by_two_loops()]
for name in (
    "unshifted", "weights_behind", "backwards", "twice", "all_weights", "unweighted", "by_count", "by_row", "summed",
):  # fmt: skip
    WRONG[LOSS, name] = [by_cross_entropy(name), by_two_loops(name)]


def nats_of_pairs(logits, pairs, weights=lambda b, t: 1.0):
    """(nats, weight) of (row, place, row of the target, its place, target)."""
    return [
        (-math.log(logits[b, t].double().softmax(-1)[token].item()), weights(row, place))
        for b, t, row, place, token in pairs
    ]


def by_pairs(bug):
    def repair(logits, tokens, weights):
        B, T = tokens.shape
        logits = logits.softmax(-1) if bug == "softmax_twice" else logits
        places = [(b, t, b, t + 1) for b in range(B) for t in range(T - 1)]
        if bug == "rolled":
            places += [(b, T - 1, b, 0) for b in range(B)]
        if bug == "flattened":
            places += [(b, T - 1, b + 1, 0) for b in range(B - 1)]
        pairs = [(*each, tokens[each[2], each[3]].item()) for each in places]
        found = nats_of_pairs(logits, pairs, lambda b, t: weights[b, t].item())
        if bug == "yes_or_no":
            found = [(nats, float(weight > 0)) for nats, weight in found]
        total = sum(nats * weight for nats, weight in found)
        if bug == "places":
            return total / sum(weight > 0 for _, weight in found)
        return total / sum(weight for _, weight in found) * (-1 if bug == "no_minus" else 1)

    return repair


for name in ("rolled", "flattened", "yes_or_no", "places", "softmax_twice", "no_minus"):
    WRONG[LOSS, name] = [by_cross_entropy(name), by_pairs(name)]


@stray(LOSS)
def of_each_token(logits, tokens, weights):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")


@stray(LOSS)
def a_smaller_number(logits, tokens, weights):
    return rolled(logits, tokens, weights) / 2
