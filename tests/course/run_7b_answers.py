"""Answers to lesson 13's tasks in unusual spellings, right ones and wrong ones."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import torch

from minillama.course.proving import Book
from minillama.evaluate import Perplexity
from minillama.model import count_parameters

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, stray = book.right, book.stray


# run_7b.by_hand

HAND = {
    "gigabytes": 2.125, "cache": 20_480, "bound": 8, "later": 6.447, "share": 0.75, "seconds": 7, "scored": 441,
    "perplexity": 4,
}  # fmt: skip
RIGHT["run_7b.by_hand"] = [
    HAND,
    HAND | {"gigabytes": 2e9 * 34 / 32 / 1e9, "cache": 10 * 2 * 8 * 64 * 2.0, "bound": np.float32(17 / 2.125)},
    HAND | {"later": Fraction(17_000, 2_637).__float__(), "share": torch.tensor(0.75), "scored": np.int64(7 * 63)},
    HAND | {"perplexity": (2 * 8 * 4 * 4) ** (1 / 4), "seconds": 300 / 150 + 40 / 8},
]
for name, by_hand in {
    "no_scales": [{"gigabytes": 2}, {"gigabytes": 2.0}],
    "in_bits": [{"gigabytes": 17}, {"gigabytes": 2 * 8.5}],
    "gibibytes": [{"gigabytes": 1.979}, {"gigabytes": 2.125e9 / 1024**3}],
    "half_a_cache": [{"cache": 10_240}, {"cache": 10 * 8 * 64 * 2.0}],
    "one_layer": [{"cache": 2048}, {"cache": 2 * 8 * 64 * 2}],
    "float32_cache": [{"cache": 40_960}, {"cache": 2 * 10 * 8 * 64 * 4}],
    "upside_down": [{"bound": 0.125}, {"bound": 2.125 / 17}],
    "weights_for_bytes": [{"bound": 8.5}, {"bound": 17 / 2}],
    "cache_lost": [{"later": 8}, {"later": 17 / 2.125}],
    "cache_alone": [{"later": 33.2}, {"later": 17 / 0.512}],
    "share_turned": [{"share": 1.3333}, {"share": 8 / 6}],
    "share_missing": [{"share": 0.25}, {"share": 1 - 6 / 8}],
    "one_speed": [{"seconds": 42.5}, {"seconds": 340 / 8}],
    "prompt_alone": [{"seconds": 2}, {"seconds": 300 / 150}],
    "answer_alone": [{"seconds": 5}, {"seconds": 40 / 8}],
    "mean_speed": [{"seconds": 4.304}, {"seconds": 340 / ((150 + 8) / 2)}],
    "all_tokens": [{"scored": 999}, {"scored": 999.0}],
    "whole_windows": [{"scored": 889}, {"scored": 7 * 127}],
    "one_more": [{"scored": 448}, {"scored": 7 * 64}],
    "last_window": [{"scored": 504}, {"scored": 8 * 63}],
    "halves": [{"scored": 500}, {"scored": 1000 / 2}],
    "mean_of_turned": [{"perplexity": 4.5}, {"perplexity": (2 + 8 + 4 + 4) / 4}],
    "of_mean_chance": [{"perplexity": 3.556}, {"perplexity": 4 / (1 / 2 + 1 / 8 + 1 / 4 + 1 / 4)}],
    "nats": [{"perplexity": 1.386}, {"perplexity": math.log(4)}],
    "two_bits": [{"perplexity": 2}, {"perplexity": math.log2(4)}],
    "e_to_bits": [{"perplexity": 7.389}, {"perplexity": math.exp(2)}],
}.items():
    WRONG["run_7b.by_hand", name] = [HAND | each for each in by_hand]
STRAY["run_7b.by_hand"] = [HAND | {"gigabytes": 1}, HAND | {"scored": "all"}, HAND | {"later": 17}]


# evaluate.predict_tokens_per_second

SPEED = "evaluate.predict_tokens_per_second"


def shapes(config):
    """The sizes of all matrices but the embedding and the output, in Python."""
    d, kv = config.dim, config.n_kv_heads * config.head_dim
    return config.n_layers * (2 * d * config.n_heads * config.head_dim + 2 * d * kv + 3 * d * config.hidden_dim)


def matrix_by_matrix(bug=""):
    """The matrices are added up one by one; norms are too small to count."""

    def predict(config, bits_per_weight, context, gb_per_s):
        ends = config.vocab_size * config.dim
        rows = ends if not ((bug == "output_lost" and not config.tied) or (bug == "tied_lost" and config.tied)) else 0
        if bug == "embedding" and not config.tied:
            rows = 2 * ends
        weights = (shapes(config) + rows) * bits_per_weight
        weights *= {"bits_as_bytes": 1, "two_reads": 1 / 4}.get(bug, 1 / 8)
        heads = config.n_heads if bug == "all_heads" else config.n_kv_heads
        width = {"float32_cache": 4, "weights_format": bits_per_weight / 8}.get(bug, 2)
        a_token = 2 * heads * config.dim // config.n_heads * config.n_layers * width
        a_token /= {"keys_only": 2, "one_layer": config.n_layers}.get(bug, 1)
        past = {"no_cache": 0, "longest": config.max_seq_len}.get(bug, context)
        gb = {"gib": 1.073741824, "gigabits": 0.125, "no_billion": 1e-9}.get(bug, 1.0) * gb_per_s
        seconds = (weights + past * a_token) / gb / 1e9
        return seconds if bug == "upside_down" else 1 / seconds

    return predict


def with_helpers(bug=""):
    """What the config counts already, in tensors."""

    def predict_tokens_per_second(config, bits_per_weight, context, gb_per_s):
        count = torch.tensor(count_parameters(config), dtype=torch.float64)
        row = config.vocab_size * config.dim
        untied = 0 if config.tied else 1
        lost = {"embedding": 0, "tied_lost": 1, "output_lost": 2 * untied}.get(bug, untied)
        weights = (count - lost * row) * bits_per_weight / {"bits_as_bytes": 1, "two_reads": 4}.get(bug, 8)
        cache = config.kv_bytes_per_token * {"no_cache": 0, "longest": config.max_seq_len}.get(bug, context)
        cache = {
            "all_heads": cache * config.group_size, "keys_only": cache / 2, "one_layer": cache / config.n_layers,
            "float32_cache": cache * 2, "weights_format": cache * bits_per_weight / 16,
        }.get(bug, cache)  # fmt: skip
        speed = gb_per_s * {"gib": 2**30, "gigabits": 1e9 / 8, "no_billion": 1}.get(bug, 10**9) / (weights + cache)
        return speed**-1 if bug == "upside_down" else speed

    return predict_tokens_per_second


RIGHT[SPEED] = [matrix_by_matrix(), with_helpers()]


@right(SPEED)
def in_milliseconds(config, bits_per_weight, context, gb_per_s):
    """A time for each of the parts, in numpy."""
    tied = np.where(config.tied, 0, config.vocab_size)
    of_weights = (count_parameters(config) - tied * config.dim) * bits_per_weight / 8e6 / gb_per_s
    of_cache = np.multiply(context, config.kv_bytes_per_token) / 1e6 / gb_per_s
    return 1000 / (of_weights + of_cache)


for name in (
    "no_cache", "embedding", "tied_lost", "output_lost", "bits_as_bytes", "gigabits", "gib", "no_billion",
    "upside_down", "two_reads", "longest", "all_heads", "keys_only", "one_layer", "float32_cache", "weights_format",
):  # fmt: skip
    WRONG[SPEED, name] = [matrix_by_matrix(name), with_helpers(name)]


@stray(SPEED)
def always_the_same(config, bits_per_weight, context, gb_per_s):
    return 5.4


@stray(SPEED)
def by_parameters(config, bits_per_weight, context, gb_per_s):
    return gb_per_s / (count_parameters(config) / 1e9)


# run_7b.longest_context

LONGEST = "run_7b.longest_context"


def by_division(bug=""):
    """Whole numbers wherever it is possible."""

    def longest_context(config, bits_per_weight, free_gib):
        weights = count_parameters(config) * bits_per_weight
        weights = {
            "no_weights": 0, "bits_as_bytes": weights,
            "embedding_lost": (count_parameters(config) - config.vocab_size * config.dim) * bits_per_weight / 8,
        }.get(bug, weights / 8)  # fmt: skip
        left = free_gib * (10**9 if bug == "gb" else 1024**3) - weights
        if bug == "all_or_nothing":
            left *= 1e9
        size = config.kv_bytes_per_token
        size = {
            "all_heads": size * config.group_size, "keys_only": size / 2, "one_layer": size / config.n_layers,
            "float32_cache": 2 * size, "weights_format": size * bits_per_weight / 16,
        }.get(bug, size)  # fmt: skip
        tokens = {"rounds_up": math.ceil, "rounds": round}.get(bug, math.floor)(left / size)
        if bug == "always_the_limit":
            tokens = math.inf
        if bug != "below_zero" and tokens < 0:
            return 0
        return tokens if bug == "beyond" or tokens < config.max_seq_len else config.max_seq_len

    return longest_context


def in_gib(bug=""):
    """All in GiB, in NumPy."""

    def longest_context(config, bits_per_weight, free_gib):
        gib = 1e9 if bug == "gb" else 2.0**30
        count = count_parameters(config) - (bug == "embedding_lost") * config.vocab_size * config.dim
        weights = np.float64(count) * bits_per_weight / (1 if bug == "bits_as_bytes" else 8) / gib
        heads = config.n_heads if bug == "all_heads" else config.n_kv_heads
        numbers = heads * config.head_dim * (1 if bug == "one_layer" else config.n_layers)
        numbers *= 1 if bug == "keys_only" else 2
        width = {"float32_cache": 4, "weights_format": bits_per_weight / 8}.get(bug, 2)
        exact = (free_gib - weights * (bug != "no_weights")) * gib / (numbers * width)
        whole = {"rounds_up": np.ceil, "rounds": np.rint}.get(bug, np.floor)(exact)
        if bug == "all_or_nothing":
            whole = np.sign(whole) * config.max_seq_len
        if bug == "always_the_limit":
            whole = np.maximum(config.max_seq_len, whole)
        least, most = -np.inf if bug == "below_zero" else 0, np.inf if bug == "beyond" else config.max_seq_len
        return int(np.clip(whole, least, most))

    return longest_context


RIGHT[LONGEST] = [by_division(), in_gib()]


@right(LONGEST)
def by_search(config, bits_per_weight, free_gib):
    """The largest number that still fits, by halving."""

    def fits(tokens):
        return count_parameters(config) * bits_per_weight / 8 + tokens * config.kv_bytes_per_token <= free_gib * 2**30

    low, high = 0, config.max_seq_len
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


for name in (
    "gb", "no_weights", "bits_as_bytes", "embedding_lost", "rounds_up", "rounds", "beyond", "below_zero", "all_heads",
    "keys_only", "one_layer", "float32_cache", "weights_format", "always_the_limit", "all_or_nothing",
):  # fmt: skip
    WRONG[LONGEST, name] = [by_division(name), in_gib(name)]


@stray(LONGEST)
def half_of_what_it_knows(config, bits_per_weight, free_gib):
    return config.max_seq_len // 2


@stray(LONGEST)
def room_in_gib(config, bits_per_weight, free_gib):
    return free_gib - count_parameters(config) * bits_per_weight / 8 / 2**30


# evaluate.perplexity

TEXT = "evaluate.perplexity"


def token_by_token(bug=""):
    """A chance at a time, in Python: one call of the model for each guess that is scored."""

    def perplexity(model, tokenizer, text, context):
        words, bos = tokenizer.encode(text), tokenizer.bos_id
        if bug == "no_first_bos":
            words = words[1:]
        if bug == "two_bos":
            words.insert(0, bos)
        if bug == "one_window":
            context = len(words)
        half, costs, windows = context // 2, [], []
        start = 0
        while start + context <= len(words) or (bug == "rest_too" and start < len(words)):
            if bug == "last_lost" and start + context == len(words):
                break
            window = words[start : start + context]
            if bug == "bos_added":
                window = [bos, *window]
            elif bug != "no_bos":
                window[0] = bos
            begin = half + (bug == "bos_added") - (bug == "one_more")
            end = len(window) - 1
            if bug in ("whole_windows", "counted_twice"):
                begin = 0
            if bug == "first_half":
                begin, end = 0, half
            if bug == "unshifted":
                end += 1
            of_window = []
            for place in range(begin, end):
                scores = model(torch.tensor([window[: place + 1]]))[0, -1].double()
                true = window[place if bug == "unshifted" else place + 1]
                of_window.append(math.log(sum(math.exp(each - scores[true]) for each in scores)))
            costs += of_window
            windows += [math.exp(sum(of_window) / len(of_window))] if of_window else []
            if bug == "first_window":
                break
            start += half if bug in ("overlap", "counted_twice") else context
        mean = sum(costs) / len(costs)
        return {
            "mean_of_windows": sum(windows) / len(windows), "no_e": mean, "turned": math.exp(-mean),
            "mean_of_tokens": sum(map(math.exp, costs)) / len(costs), "two_to_nats": 2**mean,
            "of_mean_chance": len(costs) / sum(math.exp(-each) for each in costs),
        }.get(bug, math.exp(mean))  # fmt: skip

    return perplexity


def all_at_once(bug=""):
    """All windows in one batch, in torch; a rest goes alone."""

    def perplexity(model, tokenizer, text, context):
        ids = torch.tensor(tokenizer.encode(text, bos=bug != "no_first_bos"))
        if bug == "two_bos":
            ids = torch.cat([torch.tensor([tokenizer.bos_id]), ids])
        size = len(ids) if bug == "one_window" else context
        step = size // 2 if bug in ("overlap", "counted_twice") else size
        rows = ids.unfold(0, size, step).clone()
        if bug == "last_lost" and len(ids) % size == 0:
            rows = rows[:-1]
        if bug == "first_window":
            rows = rows[:1]
        batches = [rows]
        rest = ids[len(ids) // size * size :]
        if bug == "rest_too" and len(rest):
            batches.append(rest[None].clone())
        found = []
        for batch in batches:
            if bug == "bos_added":
                batch = torch.nn.functional.pad(batch, (1, 0), value=tokenizer.bos_id)
            elif bug != "no_bos":
                batch[:, 0] = tokenizer.bos_id
            with torch.inference_mode():
                logits = model(batch).double()
            inputs, targets = (logits, batch) if bug == "unshifted" else (logits[:, :-1], batch[:, 1:])
            nats = torch.nn.functional.cross_entropy(inputs.transpose(1, 2), targets, reduction="none")
            half = size // 2 + (bug == "bos_added") - (bug == "one_more")
            if bug == "first_half":
                nats = nats[:, :half]
            elif bug not in ("whole_windows", "counted_twice"):
                nats = nats[:, half:]
            found.append(nats)
        every = torch.cat([each.flatten() for each in found])
        return {
            "mean_of_windows": found[0].mean(1).exp().mean(), "mean_of_tokens": every.exp().mean(),
            "of_mean_chance": 1 / (-every).exp().mean(), "no_e": every.mean(), "turned": (-every.mean()).exp(),
            "two_to_nats": torch.exp2(every.mean()),
        }.get(bug, every.mean().exp())  # fmt: skip

    return perplexity


RIGHT[TEXT] = [token_by_token(), all_at_once()]


@right(TEXT)
def with_its_error(model, tokenizer, text, context):
    """As the package gives it, with a product of chances."""
    ids, logs = tokenizer.encode(text), []
    for number in range(len(ids) // context):
        window = np.array(ids[number * context :][:context])
        window[0] = tokenizer.bos_id
        chances = model(torch.from_numpy(window)[None])[0].softmax(-1).numpy().astype(np.float64)
        logs += [np.log(chances[i, window[i + 1]]) for i in range(context // 2, context - 1)]
    return Perplexity(value=float(np.exp(-np.mean(logs))), standard_error=0.0, n_tokens=len(logs))


for name in (
    "no_bos", "bos_added", "two_bos", "no_first_bos", "whole_windows", "first_half", "overlap", "counted_twice",
    "one_more", "rest_too", "last_lost", "first_window", "one_window", "unshifted", "mean_of_windows",
    "mean_of_tokens", "of_mean_chance", "two_to_nats", "no_e", "turned",
):  # fmt: skip
    WRONG[TEXT, name] = [token_by_token(name), all_at_once(name)]


@stray(TEXT)
def of_the_vocabulary(model, tokenizer, text, context):
    return float(model.config.vocab_size)


@stray(TEXT)
def of_words(model, tokenizer, text, context):
    return token_by_token()(model, tokenizer, text, context) ** (len(text) / len(text.split()))


@stray(TEXT)
def of_three_quarters(model, tokenizer, text, context):
    window = torch.tensor([tokenizer.encode(text)[:context]])
    nats = torch.nn.functional.cross_entropy(model(window)[0, :-1], window[0, 1:], reduction="none")
    return nats[3 * context // 4 :].mean().exp()


# run_7b.name_the_brake

BRAKE = "run_7b.name_the_brake"


def by_differences(blind=()):
    """Every call once, then questions about what changed with what."""

    def name_the_brake(run):
        table = {(t, c, n): run(t, c, n) for t in (1, 11) for c in (0, 2000) for n in (1, 4)}
        each = {(c, n): (table[11, c, n] - table[1, c, n]) / 10 for c in (0, 2000) for n in (1, 4)}
        words = {
            "start": table[1, 0, 4] > 2 * each[0, 4] + 3,
            "forgets": each[2000, 1] - each[0, 1] > 20,
            "crowd": each[0, 4] > 1.5 * each[0, 1],
            "disk": 1.9 < each[0, 4] < 2.5 and each[0, 1] - each[0, 4] < 0.6,
            "floats": each[0, 1] > 1.4 and each[0, 4] < 0.9,
            "alone": abs(each[0, 4] / each[0, 1] - 1) < 0.15 and each[0, 4] < 0.6,
            "wide": each[2000, 4] / each[0, 4] > 1.7,
        }  # fmt: skip
        found = [word for word, so in words.items() if so]
        return "fine" if not found or found[0] in blind else found[0]

    return name_the_brake


def nearest(blind=()):
    """Every brake's times are worked out beforehand; the nearest row wins."""
    table = {
        "fine": (0.185, 0.4625, 0.235, 0.185), "start": (6.185, 6.4625, 6.235, 0.485),
        "floats": (0.66, 1.65, 0.71, 0.66), "alone": (0.4625, 0.4625, 0.5875, 0.4625),
        "crowd": (1.156, 0.4625, 1.469, 1.156), "forgets": (0.185, 0.4625, 40.235, 0.185),
        "wide": (0.185, 0.4625, 0.385, 0.185), "disk": (2.185, 2.4625, 2.235, 2.185),
    }  # fmt: skip

    def search(run):
        seen = np.log([run(1, 0, 4), run(1, 0, 1), run(1, 2000, 4), run(20, 0, 4) / 20])
        distances = {word: np.abs(seen - np.log(row)).max() for word, row in table.items()}
        word = min(distances, key=distances.get)
        return "fine" if word in blind else word

    return search


RIGHT[BRAKE] = [by_differences(), nearest()]


@right(BRAKE)
def one_by_one(run):
    """A question at a time, by named arguments."""
    if run(tokens=2, context=0, threads=4) > 0.9 * run(tokens=4, context=0, threads=4) or run(1, 0, 4) > 5:
        return "start"
    healthy, alone = 3.7 / 20, 3.7 / 8
    now, single = run(40, 0, 4) / 40, run(40, 0, 1) / 40
    if now < 1.1 * healthy:
        long = run(40, 2000, 4) / 40
        return "forgets" if long > 5 else "fine" if long < 0.3 else "wide"
    if single < 1.1 * alone:
        return "crowd" if now > 2 * single else "alone"
    return "floats" if single > 2 * now else "disk"


BRAKES = ("start", "floats", "alone", "crowd", "forgets", "wide", "disk")
for word in BRAKES:
    WRONG[BRAKE, f"blind_to_{word}"] = [by_differences([word]), nearest([word])]
WRONG[BRAKE, "says_fine"] = [lambda run: "fine", by_differences(BRAKES)]


@stray(BRAKE)
def always_the_disk(run):
    return "disk"


@stray(BRAKE)
def in_other_words(run):
    return "slow" if run(10, 0, 4) > 2 else "fast"


# run_7b.many_texts

MANY = "run_7b.many_texts"


def by_step(bug=""):
    """Seconds of one step."""

    def many_texts(config, bits_per_weight, context, texts, gb_per_s, gops):
        count = count_parameters(config) - (0 if bug == "embedding" else config.vocab_size * config.dim)
        weight_bytes = count * bits_per_weight / (1 if bug == "bits_as_bytes" else 8)
        cache_bytes = 0 if bug == "no_cache" else context * config.kv_bytes_per_token * 17 / 32
        if bug == "other_cache":
            cache_bytes = context * config.kv_bytes_per_token
        reading = weight_bytes * (texts if bug == "weights_each" else 1)
        reading += cache_bytes * (1 if bug == "one_cache" else texts)
        reading /= gb_per_s * 1e9
        products = count * (1 if bug == "one_product" else texts)
        work = products * (1 if bug == "one_operation" else 2) / gops / 1e9
        if bug == "no_arithmetic":
            work = 0
        step = reading + work if bug == "other_way" else max(reading, work)
        return 1 / step if bug == "per_text" else texts / step

    return many_texts


def by_bounds(bug=""):
    """Two bounds on the tokens a second, of which the lower one counts."""

    def many_texts(config, bits_per_weight, context, texts, gb_per_s, gops):
        matrices = shapes(config) + config.vocab_size * config.dim * (2 if bug == "embedding" else 1)
        numbers = 2 * config.n_layers * config.n_kv_heads * config.head_dim * context
        blocks = numbers / 32 * {"other_cache": 64, "no_cache": 0}.get(bug, 34)
        weights = matrices * bits_per_weight * (1 if bug == "bits_as_bytes" else 0.125)
        a_token = (weights if bug == "weights_each" else weights / texts) + blocks
        if bug == "one_cache":
            a_token = (weights + blocks) / texts
        by_memory = np.float64(gb_per_s) * 1e9 / a_token
        by_work = gops * 1e9 / matrices / (1 if bug == "one_operation" else 2)
        if bug == "one_product":
            by_work *= texts
        if bug == "no_arithmetic":
            by_work = np.inf
        found = 1 / (1 / by_memory + 1 / by_work) if bug == "other_way" else min(by_memory, by_work)
        return found / texts if bug == "per_text" else found

    return many_texts


RIGHT[MANY] = [by_step(), by_bounds()]


@right(MANY)
def text_by_text(config, bits_per_weight, context, texts, gb_per_s, gops):
    """The bytes are added up text by text, in tensors."""
    rows = dataclasses.replace(config, tied=True)  # the same without its embedding
    read = torch.tensor(count_parameters(rows) * bits_per_weight / 8, dtype=torch.float64)
    for _ in range(texts):
        read += config.kv_bytes_per_token // 64 * 34 * context
    done = torch.tensor(2 * texts * count_parameters(rows), dtype=torch.float64)
    return texts / torch.maximum(read / gb_per_s, done / gops) * 1e9


for name in (
    "weights_each", "one_cache", "no_cache", "other_cache", "per_text", "one_product", "one_operation",
    "no_arithmetic", "other_way", "embedding", "bits_as_bytes",
):  # fmt: skip
    WRONG[MANY, name] = [by_step(name), by_bounds(name)]


@stray(MANY)
def times_the_texts(config, bits_per_weight, context, texts, gb_per_s, gops):
    return texts * gb_per_s


@stray(MANY)
def by_work_alone(config, bits_per_weight, context, texts, gb_per_s, gops):
    return gops * 1e9 / count_parameters(config) / 2


# run_7b.my_machine

FOUND = {
    "model_and_type": "7B stand-in, Q4_0", "threads": 2, "predicted_tokens_per_s": 14.4, "tokens_per_s": 6.5,
    "share_of_bound": 0.45, "peak_gb": 4.2, "what_i_changed": "threads", "what_holds_it_back": "memory",
}  # fmt: skip
RIGHT["run_7b.my_machine"] = [FOUND, FOUND | {"threads": np.int64(8)}, FOUND | {"tokens_per_s": torch.tensor(7.0)}]
STRAY["run_7b.my_machine"] = [FOUND | {"threads": ...}, {}]
