"""Answers to lesson 15's tasks about labels, samples and batches in unusual spellings, right ones and wrong ones."""

import itertools

import numpy as np
import torch

from minillama.course.proving import Book
from minillama.train.data import Batch

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, wrong, stray = book.right, book.wrong, book.stray


# alpaca.mask_labels

LABELS = "alpaca.mask_labels"


def by_places(bug=""):
    """A walk over the places."""

    def mask(tokens, n_prompt, whole=False):
        known, labels = set(tokens[:n_prompt]), []
        if bug == "whole_ignored":
            whole = False
        if bug == "whole_flipped":
            whole = not whole
        first = n_prompt + {"late": 1, "early": -1}.get(bug, 0)
        nothing = {"zeros": 0}.get(bug, -100)
        for place, token in enumerate(tokens):
            counts = whole or ((place < first) if bug == "inverted" else (place >= first))
            if bug == "by_value":
                counts = whole or token not in known
            if bug == "eos_masked" and token == 2:
                counts = False
            if bug == "response_alone" and not counts:
                continue
            labels.append(token if counts else nothing)
        if bug == "a_mask":
            labels = [1 if label > 0 else 0 for label in labels]
        if bug == "shifted":
            labels = labels[1:]
        if bug == "aliased":
            for place, label in enumerate(labels):
                tokens[place] = label
        return labels

    return mask


def with_torch(bug=""):
    def mask(tokens, n_prompt, whole=False):
        ids = torch.tensor(tokens)
        whole = {"whole_ignored": False, "whole_flipped": not whole}.get(bug, whole)
        hidden = torch.arange(len(ids)) < n_prompt + (bug == "late") - (bug == "early")
        if bug == "inverted":
            hidden = ~hidden
        if bug == "by_value":
            hidden = torch.isin(ids, ids[:n_prompt])
        if whole:
            hidden = torch.zeros_like(hidden)
        if bug == "eos_masked":
            hidden = hidden | (ids == ids[-1])
        labels = torch.where(hidden, 0 if bug == "zeros" else -100, ids)
        if bug == "response_alone" and not whole:
            labels = labels[n_prompt:]
        if bug == "a_mask":
            labels = (~hidden).long()
        if bug == "shifted":
            labels = torch.nn.functional.pad(labels[1:], (0, 1), value=-100)
        if bug == "aliased":
            tokens[:] = labels.tolist()
        return labels.tolist()

    return mask


@right(LABELS)
def by_slices(tokens, n_prompt, whole=False):
    labels = tokens[:]
    if not whole:
        labels[:n_prompt] = n_prompt * [-100]
    return labels


@right(LABELS)
def by_chain(tokens, n_prompt, whole=False):
    start = 0 if whole else n_prompt
    return list(itertools.chain(itertools.repeat(-100, start), itertools.islice(tokens, start, None)))


RIGHT[LABELS] += [by_places(), with_torch()]
for name in (
    "late", "early", "eos_masked", "shifted", "inverted", "response_alone", "zeros", "a_mask", "by_value",
    "whole_ignored", "whole_flipped", "aliased",
):  # fmt: skip
    WRONG[LABELS, name] = [by_places(name), with_torch(name)]


@stray(LABELS)
def shifted_to_the_right(tokens, n_prompt, whole=False):
    return [-100, *by_slices(tokens, n_prompt, whole)[:-1]]


@stray(LABELS)
def with_none(tokens, n_prompt, whole=False):
    return [None if label == -100 else label for label in by_slices(tokens, n_prompt, whole)]


@stray(LABELS)
def nothing_counts(tokens, n_prompt, whole=False):
    return [-100] * len(tokens)


# alpaca.build_sample

SAMPLE = "alpaca.build_sample"


def by_parts(bug=""):
    def build(prompt, response, tokenizer, max_tokens):
        response = response.strip() if bug == "stripped" else response
        start = tokenizer.encode(prompt, bos=bug != "prompt_without_bos")
        if bug == "together":
            whole = tokenizer.encode(prompt + response)
            start, rest = whole[: len(start)], whole[len(start) :]
        elif bug == "spelled_eos":
            rest = tokenizer.encode(response + "</s>", bos=False)
        else:
            rest = tokenizer.encode(response, bos=bug == "bos_again")
        ends = [] if bug in ("no_eos", "spelled_eos") else [tokenizer.eos_id]
        most = max_tokens + (bug == "one_too_long") - (bug == "one_too_short")
        if bug == "eos_lost":
            tokens = (start + rest + ends)[:max_tokens]
        elif bug == "front_cut":
            tokens = start + rest + ends
            tokens = tokens[max(0, len(tokens) - max_tokens) :]
        elif bug == "uncut":
            tokens = start + rest + ends
        else:
            while len(start) * (bug != "prompt_uncounted") + len(rest) + 1 > most:
                rest.pop()
            tokens = start + rest + ends
        hidden = len(start) - (bug == "bos_uncounted")
        labels = [-100 if place < hidden else token for place, token in enumerate(tokens)]
        if bug == "all_count":
            labels = tokens
        if bug == "eos_masked":
            labels = [*labels[:-1], -100]
        return tokens, labels

    return build


def with_arrays(bug=""):
    def build(prompt, response, tokenizer, max_tokens):
        asked = np.array(tokenizer.encode(prompt))
        if bug == "prompt_without_bos":
            asked = asked[1:]
        said = tokenizer.encode(" ".join(response.split()) if bug == "stripped" else response, bos=False)
        if bug == "bos_again":
            said = [tokenizer.bos_id, *said]
        if bug == "together":
            whole = tokenizer.encode(prompt + response, bos=True, eos=False)
            asked, said = np.split(np.array(whole), [asked.size])
        if bug == "spelled_eos":
            said = tokenizer.encode(f"{response}</s>", bos=False)
        room = max_tokens - asked.size * (bug != "prompt_uncounted") - 1
        room += {"one_too_long": 1, "one_too_short": -1, "uncut": 10_000, "eos_lost": 10_000, "front_cut": 10_000}.get(
            bug, 0
        )
        said = np.array(said)[:room]
        end = np.array([] if bug in ("no_eos", "spelled_eos") else [tokenizer.eos_id], dtype=int)
        tokens = np.concatenate([asked, said, end])
        if bug == "eos_lost":
            tokens = tokens[:max_tokens]
        if bug == "front_cut":
            tokens = tokens[::-1][:max_tokens][::-1]
        labels = tokens.copy()
        if bug != "all_count":
            labels[: asked.size - (bug == "bos_uncounted")] = -100
        if bug == "eos_masked":
            labels[-1] = -100
        return tokens.tolist(), labels.tolist()

    return build


@right(SAMPLE)
def with_eos_by_the_tokenizer(prompt, response, tokenizer, max_tokens):
    asked = tokenizer.encode(prompt, bos=True, eos=False)
    said = tokenizer.encode(response, bos=False, eos=True)
    if len(asked) + len(said) > max_tokens:
        said = said[: max_tokens - len(asked) - 1] + said[-1:]
    return asked + said, [-100] * len(asked) + said


RIGHT[SAMPLE] += [by_parts(), with_arrays()]
for name in (
    "together", "bos_again", "prompt_without_bos", "no_eos", "eos_lost", "spelled_eos", "front_cut", "uncut",
    "one_too_long", "one_too_short", "bos_uncounted", "all_count", "eos_masked", "prompt_uncounted", "stripped",
):  # fmt: skip
    WRONG[SAMPLE, name] = [by_parts(name), with_arrays(name)]


@stray(SAMPLE)
def two_ends(prompt, response, tokenizer, max_tokens):
    tokens, labels = by_parts()(prompt, response, tokenizer, max_tokens)
    return [*tokens, tokenizer.eos_id], [*labels, tokenizer.eos_id]


@stray(SAMPLE)
def gives_text(prompt, response, tokenizer, max_tokens):
    return prompt + response, response


@stray(SAMPLE)
def the_other_way_round(prompt, response, tokenizer, max_tokens):
    return by_parts()(prompt, response, tokenizer, max_tokens)[::-1]


# alpaca.collate

COLLATE = "alpaca.collate"


def with_lists(bug=""):
    def lay(samples, pad_id=0):
        longest = (min if bug == "shortest" else max)(len(each.tokens) for each in samples)
        filling = 0 if bug == "pad_ignored" else pad_id
        tokens, weights = [], []
        for each in samples:
            row = each.tokens if bug == "grows" else list(each.tokens)
            counted = [0.0 if label == -100 else 1.0 for label in each.labels]
            if bug == "above_zero":
                counted = [1.0 if label > 0 else 0.0 for label in each.labels]
            if bug == "labels_for_weights":
                counted = [float(label) for label in each.labels]
            if bug == "all_count":
                counted = [1.0] * len(row)
            if bug == "eos_is_padding":
                counted = [0.0 if token == pad_id else weight for token, weight in zip(row, counted, strict=True)]
            if bug == "by_pad":
                counted = [float(token != pad_id) for token in row]
            n = len(row)
            while len(row) < longest:
                row.insert(0, filling) if bug == "left" else row.append(filling)
            extra = [1.0 if bug == "padding_counts" else 0.0] * (longest - n)
            counted = extra + counted if bug == "left" else counted + extra
            if bug == "shifted":
                counted = [*counted[1:], 0.0]
            tokens.append(row[:longest])
            weights.append(counted[:longest])
        return Batch(torch.tensor(tokens), torch.tensor(weights))

    return lay


def with_pad_sequence(bug=""):
    """PyTorch's own padding; labels padded with -100."""
    from torch.nn.utils.rnn import pad_sequence

    def lay(samples, pad_id=0):
        ids = [torch.tensor(each.tokens) for each in samples]
        marks = [torch.tensor(each.labels) for each in samples]
        if bug == "shortest":
            shortest = min(map(len, ids))
            ids, marks = [each[:shortest] for each in ids], [each[:shortest] for each in marks]
        side = "left" if bug == "left" else "right"
        tokens = pad_sequence(ids, True, 0 if bug == "pad_ignored" else pad_id, side)
        labels = pad_sequence(marks, True, pad_id if bug == "padding_counts" else -100, side)
        weights = (labels != -100).float()
        if bug == "above_zero":
            weights = labels.sign().clamp(min=0).float()
        if bug == "by_pad":
            weights = (tokens != pad_id).float()
        if bug == "eos_is_padding":
            weights = weights * (tokens != pad_id)
        if bug == "all_count":
            lengths = torch.tensor([[len(each)] for each in ids])
            weights = (torch.arange(tokens.shape[1]) < lengths).float()
        if bug == "labels_for_weights":
            weights = pad_sequence(marks, True, 0).float()
        if bug == "shifted":
            weights = torch.cat([weights[:, 1:], weights[:, :1] * 0], dim=1)
        if bug == "grows":
            for each, row in zip(samples, tokens.tolist(), strict=True):
                each.tokens[:] = row
        return Batch(tokens, weights)

    return lay


@right(COLLATE)
def with_numpy(samples, pad_id=0):
    shape = len(samples), max(len(each.labels) for each in samples)
    tokens, labels = np.full(shape, pad_id, dtype=np.int64), np.full(shape, -100)
    for i, each in enumerate(samples):
        tokens[i, : len(each.tokens)], labels[i, : len(each.labels)] = each.tokens, each.labels
    return Batch(weights=torch.from_numpy((labels >= 0).astype(np.float32)), tokens=torch.from_numpy(tokens))


RIGHT[COLLATE] += [with_lists(), with_pad_sequence()]
for name in (
    "left", "by_pad", "eos_is_padding", "padding_counts", "all_count", "labels_for_weights", "shifted", "shortest",
    "pad_ignored", "grows", "above_zero",
):  # fmt: skip
    WRONG[COLLATE, name] = [with_lists(name), with_pad_sequence(name)]


@stray(COLLATE)
def to_a_multiple_of_eight(samples, pad_id=0):
    batch = with_lists()(samples, pad_id)
    more = -batch.tokens.shape[1] % 8
    pad = torch.nn.functional.pad
    return Batch(pad(batch.tokens, (0, more), value=pad_id), pad(batch.weights, (0, more)))


@stray(COLLATE)
def a_pair(samples, pad_id=0):
    batch = with_lists()(samples, pad_id)
    return batch.tokens, batch.weights


@stray(COLLATE)
def without_weights(samples, pad_id=0):
    return Batch(with_lists()(samples, pad_id).tokens)


@stray(COLLATE)
def longest_first(samples, pad_id=0):
    return with_lists()(sorted(samples, key=lambda each: -len(each.tokens)), pad_id)


# alpaca.repair_labels

REPAIR = "alpaca.repair_labels"


def row_by_row(bug=""):
    def repair(tokens, n_prompt, eos_id):
        labels = []
        for row, n in zip(tokens.tolist(), n_prompt, strict=True):
            n = n + {"late": 1, "early": -1}.get(bug, 0)
            nothing = 0 if bug == "zeros" else -100
            end = row.index(eos_id) if bug == "first_of_row" else row.index(eos_id, n)
            made = []
            for place, token in enumerate(row):
                if token == eos_id and bug != "padding_counts":
                    keeps = {
                        "eos_masked": False, "one_more": place in (end, end + 1), "last_counts": place == len(row) - 1,
                    }.get(bug, place == end)  # fmt: skip
                else:
                    keeps = True
                if place < n and bug != "prompt_counts":
                    keeps = False
                if place < n and bug == "prompt_counts":
                    keeps = True
                made.append(token if keeps else nothing)
            labels.append([*made[1:], -100] if bug == "shifted" else made)
        return torch.tensor(labels)

    return repair


def by_positions(bug=""):
    """The place of the end, from which everything else follows."""

    def repair(tokens, n_prompt, eos_id):
        labels, T = tokens.clone(), tokens.shape[1]
        nothing = 0 if bug == "zeros" else -100
        for b in range(len(tokens)):
            n = n_prompt[b] + (bug == "late") - (bug == "early")
            ends = [t for t in range(T) if tokens[b, t] == eos_id and (t >= n or bug == "first_of_row")]
            kept = ends[:1]
            if bug == "one_more":
                kept = ends[:2]
            if bug == "last_counts":
                kept = ends[-1:]
            if bug == "eos_masked":
                kept = []
            if bug == "padding_counts":
                kept = ends
            for t in ends:
                if t not in kept:
                    labels[b, t] = nothing
            if bug != "prompt_counts":
                labels[b, :n] = nothing
        return torch.roll(labels, -1, 1) if bug == "shifted" else labels

    return repair


@right(REPAIR)
def by_lengths(tokens, n_prompt, eos_id):
    padded = tokens.flip(1).ne(eos_id).long().argmax(1)  # ends and padding together, at least 1
    T = tokens.shape[1]
    places = torch.arange(T).expand_as(tokens)
    inside = (places >= torch.tensor(n_prompt).unsqueeze(1)) & (places <= (T - padded).unsqueeze(1))
    return torch.where(inside, tokens, -100)


RIGHT[REPAIR] += [row_by_row(), by_positions()]
for name in (
    "eos_masked", "padding_counts", "one_more", "last_counts", "first_of_row", "late", "early", "shifted", "zeros",
    "prompt_counts",
):  # fmt: skip
    WRONG[REPAIR, name] = [row_by_row(name), by_positions(name)]


@wrong(REPAIR, "first_of_row")
def nothing_behind_the_first(tokens, n_prompt, eos_id):
    labels = tokens.clone()
    for row, n in zip(labels, n_prompt, strict=True):
        end = (row == eos_id).nonzero()[0]
        row[end + 1 :] = -100
        row[:n] = -100
    return labels


@stray(REPAIR)
def nothing_at_all(tokens, n_prompt, eos_id):
    return torch.full_like(tokens, -100)


@stray(REPAIR)
def weights_instead(tokens, n_prompt, eos_id):
    return (row_by_row()(tokens, n_prompt, eos_id) != -100).float()


# alpaca.mask_turns

TURNS = "alpaca.mask_turns"


def walking(bug=""):
    def mask(turns, eos_id):
        ids, labels = [], []
        for number, (asked, said) in enumerate(turns):
            last = number + 1 == len(turns)
            reply = said + [eos_id] * (last or bug != "other_ends")
            ids.extend(asked + reply)
            if bug == "no_eos":
                ids.pop()
                reply = said
            counted = reply if last or bug != "other_counted" else [-100] * len(reply)
            if bug == "late":
                counted = [-100, *counted[1:]]
            if bug == "eos_masked":
                counted = [*counted[:-1], -100]
            if bug == "asked_counts" or (bug == "first_prompt_only" and number > 0):
                labels.extend(asked)
            elif bug == "inverted":
                labels.extend(asked)
                counted = [-100] * len(reply)
            else:
                labels.extend([0 if bug == "zeros" else -100] * len(asked))
            labels.extend(counted)
        return ids, ([*labels[1:], -100] if bug == "shifted" else labels)

    return mask


def with_pairs(bug=""):
    """(token, does it count) for each place."""

    def mask(turns, eos_id):
        places = []
        for i in range(len(turns)):
            asked, said = turns[i]
            final = i == len(turns) - 1
            places += [(token, bug in ("asked_counts", "inverted")) for token in asked]
            if bug == "first_prompt_only" and i:
                places[-len(asked) :] = [(token, True) for token in asked]
            heard = bug != "inverted" and (final or bug != "other_counted")
            places += [(token, heard and not (bug == "late" and j == 0)) for j, token in enumerate(said)]
            if (final or bug != "other_ends") and bug != "no_eos":
                places.append((eos_id, heard and bug != "eos_masked"))
        tokens = [token for token, _ in places]
        labels = torch.tensor([token if counts else 0 if bug == "zeros" else -100 for token, counts in places])
        if bug == "shifted":
            labels = torch.cat([labels[1:], torch.tensor([-100])])
        return tokens, labels

    return mask


@right(TURNS)
def by_comprehension(turns, eos_id):
    parts = [(part, side) for asked, said in turns for side, part in enumerate((asked, [*said, eos_id]))]
    tokens = [token for part, _ in parts for token in part]
    return tokens, [token if side else -100 for part, side in parts for token in part]


RIGHT[TURNS] += [walking(), with_pairs()]
for name in (
    "other_counted", "other_ends", "asked_counts", "first_prompt_only", "inverted", "late", "shifted", "eos_masked",
    "no_eos", "zeros",
):  # fmt: skip
    WRONG[TURNS, name] = [walking(name), with_pairs(name)]


@stray(TURNS)
def forgets_the_first_turn(turns, eos_id):
    return walking()(turns[1:] or turns, eos_id + 1)


@stray(TURNS)
def tokens_alone(turns, eos_id):
    return walking()(turns, eos_id)[0]
