"""Answers to lesson 04's tasks about weights, in unusual spellings, apart from the records; see proving.py."""

import torch

from minillama.course.proving import Book
from minillama.rope import permute_hf_to_meta, permute_meta_to_hf

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray


# rope.permute_hf_to_meta

PERMUTE = "rope.permute_hf_to_meta"


@right(PERMUTE)
def by_index(weight, n_heads):
    K = weight.shape[0] // n_heads
    order = [h * K + j + half * K // 2 for h in range(n_heads) for j in range(K // 2) for half in (0, 1)]
    return weight[order]


@right(PERMUTE)
def by_stacking(weight, n_heads):
    heads = [torch.stack(head.chunk(2), 1).flatten(0, 1) for head in weight.chunk(n_heads)]
    return torch.cat(heads)


@right(PERMUTE)
def in_numpy(weight, n_heads):
    return weight.numpy().reshape(n_heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


@wrong(PERMUTE, "inverse")
def the_way_back(weight, n_heads):
    return permute_meta_to_hf(weight, n_heads)


@wrong(PERMUTE, "inverse")
def evens_then_odds(weight, n_heads):
    return torch.cat([torch.cat((head[0::2], head[1::2])) for head in weight.chunk(n_heads)])


@wrong(PERMUTE, "one_head")
def halves_of_everything(weight, n_heads):
    return permute_hf_to_meta(weight, 1)


@wrong(PERMUTE, "one_head")
def interleaves_all(weight, n_heads):
    out = torch.empty_like(weight)
    out[0::2], out[1::2] = weight.chunk(2)
    return out


@wrong(PERMUTE, "columns")
def transposed_twice(weight, n_heads):
    return permute_hf_to_meta(weight.T, n_heads).T


@wrong(PERMUTE, "columns")
def reorders_columns(weight, n_heads):
    K = weight.shape[1] // n_heads
    order = [h * K + j + half * K // 2 for h in range(n_heads) for j in range(K // 2) for half in (0, 1)]
    return weight[:, torch.tensor(order)] if len(order) == weight.shape[1] and K % 2 == 0 else weight[:, [99]]


WRONG[PERMUTE, "unchanged"] = [
    lambda weight, n_heads: weight,
    lambda weight, n_heads: weight.reshape(n_heads, -1, 2, weight.shape[1]).reshape(weight.shape),
]
WRONG[PERMUTE, "exchanged"] = [
    lambda weight, n_heads: weight.reshape(n_heads, 2, -1, weight.shape[1]).transpose(0, 1).reshape(weight.shape),
    lambda weight, n_heads: torch.cat(
        [torch.cat([head.chunk(2)[i] for head in weight.chunk(n_heads)]) for i in (0, 1)]
    ),
]
WRONG[PERMUTE, "sizes_exchanged"] = [
    lambda weight, n_heads: weight.view(-1, 2, n_heads // 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape),
    lambda weight, n_heads: permute_hf_to_meta(weight, len(weight) // n_heads) if n_heads % 2 == 0 else 1 / 0,
]
STRAY[PERMUTE] = [
    lambda weight, n_heads: weight.flip(0),
    lambda weight, n_heads: permute_hf_to_meta(weight, n_heads).T,
    lambda weight, n_heads: permute_hf_to_meta(weight, n_heads)[:-1],
]


@right(PERMUTE)
def by_einsum(weight, n_heads):
    return torch.einsum("hpid->hipd", weight.reshape(n_heads, 2, -1, weight.shape[1])).reshape(weight.shape)


# rope.convert_attention

CONVERT = "rope.convert_attention"


@right(CONVERT)
def one_line(wq, wk, wv, H, G):
    return permute_hf_to_meta(wq, H), permute_hf_to_meta(wk, G), wv


@right(CONVERT)
def stacked_rows(wq, wk, wv, H, G):
    both = by_index(torch.cat((wq, wk)), H + G)
    return [*both.split((len(wq), len(wk))), wv]


@right(CONVERT)
def mixed_ways(wq, wk, wv, H, G):
    return by_stacking(wq, H), in_numpy(wk, G), wv.numpy()


for name, convert in {
    "query_heads_for_keys": lambda p, wq, wk, wv, H, G: (p(wq, H), p(wk, H), wv),
    "values_too": lambda p, wq, wk, wv, H, G: (p(wq, H), p(wk, G), p(wv, G)),
    "all_by_query_heads": lambda p, wq, wk, wv, H, G: (p(wq, H), p(wk, H), p(wv, H)),
    "exchanged_numbers": lambda p, wq, wk, wv, H, G: (p(wq, G), p(wk, H), wv),
    "key_heads_for_queries": lambda p, wq, wk, wv, H, G: (p(wq, G), p(wk, G), wv),
    "values_second": lambda p, wq, wk, wv, H, G: (p(wq, H), wv, p(wk, G)),
    "nothing": lambda p, wq, wk, wv, H, G: (wq, wk, wv),
    "queries_only": lambda p, wq, wk, wv, H, G: (p(wq, H), wk, wv),
}.items():
    WRONG[CONVERT, name] = [
        lambda wq, wk, wv, H, G, convert=convert, p=p: convert(p, wq, wk, wv, H, G)
        for p in (permute_hf_to_meta, by_stacking)
    ]
WRONG[CONVERT, "inverse"] = [
    lambda wq, wk, wv, H, G, p=p: (p(wq, H), p(wk, G), wv) for p in (permute_meta_to_hf, evens_then_odds)
]
STRAY[CONVERT] = [
    lambda wq, wk, wv, H, G: (permute_hf_to_meta(wk, G), permute_hf_to_meta(wq, H), wv),
    lambda wq, wk, wv, H, G: (wq, permute_hf_to_meta(wk, G), wv),
]
