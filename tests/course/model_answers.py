"""Answers to lesson 07's tasks, in unusual spellings, apart from the records; see proving.py."""

import math

import numpy as np
import torch
from torch import nn

from minillama import model as package
from minillama.course.proving import Book
from minillama.feedforward import linear
from minillama.model import LlamaBase, Pieces
from minillama.norm import RMSNorm
from minillama.trace import part_outputs

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray


def add(book, key, *answers):
    book.setdefault(key, []).extend(answers)


# model.walk_by_hand

WALK = "model.walk_by_hand"
QUESTIONS = ("normed", "after_attention", "after_block", "logits")
X, OUT = np.array([7.0, 1.0]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])


def rms(x):
    return x / math.sqrt((x**2).mean())


def heads(x):
    return np.array([-10 * x[1], 20 * x[1]])


def forward(x):
    return np.array([-4 * x[0], 2 * x[1]])


def walk(middle, last, normed=None, final=None):
    values = (rms(X) if normed is None else normed, middle, last, OUT @ (rms(last) if final is None else final))
    return lambda question: dict(zip(QUESTIONS, values, strict=True))[question]


MIDDLE = X + heads(rms(X))
LAST = MIDDLE + forward(rms(MIDDLE))
add(
    RIGHT, WALK, walk(MIDDLE, LAST), walk([5, 5], (1, 7), normed=(7 / 5, 1 / 5), final=np.array([0.2, 1.4])),
    lambda q: {"normed": [1.4, 0.2], "after_attention": torch.tensor([5.0, 5.0]), "after_block": [1, 7],
               "logits": (0.2, 1.4, -1.2)}[q],
)  # fmt: skip
for name, answers in {
    "by_length": (walk(MIDDLE, LAST, X / np.linalg.norm(X)), walk(MIDDLE, LAST, [0.99, 0.1414])),
    "no_root": (walk(MIDDLE, LAST, X / (X**2).mean()), walk(MIDDLE, LAST, [7 / 25, 1 / 25])),
    "no_stream": (walk(heads(rms(X)), LAST), walk(MIDDLE, forward(rms(MIDDLE)), final=rms(LAST))),
    "normed_stream": (walk(rms(X) + heads(rms(X)), LAST), walk(MIDDLE, [1 - 4, 1 + 2], final=rms(LAST))),
    "raw": (walk(X + heads(X), LAST), walk(MIDDLE, MIDDLE + forward(MIDDLE), final=rms(LAST))),
    "post_norm": (walk(X + rms(heads(X)), LAST), walk([7 - 0.6325, 1 + 1.2649], LAST)),
    "old_stream": (walk(MIDDLE, MIDDLE + forward(rms(X)), final=rms(LAST)), walk(MIDDLE, [-0.6, 5.4], final=rms(LAST))),
    "no_final": (walk(MIDDLE, LAST, final=LAST), walk(MIDDLE, LAST, final=np.array([1, 7]))),
}.items():
    add(WRONG, (WALK, name), *answers)
add(STRAY, WALK, walk([9, 9], LAST), lambda q: 0.0)


# model.Block

BLOCK = "model.Block"


def block(run, make=None, norms=2, layer=True):
    """A block class from its forward; `make` changes what has been made."""

    class Answer(nn.Module):
        def __init__(self, config, number=0, pieces=Pieces()):  # noqa: B008
            super().__init__()
            self.attention_norm = pieces.RMSNorm(config.dim, config.norm_eps)
            self.attention = pieces.Attention(
                config, number if layer else 0, linear=pieces.linear, apply_rope=pieces.apply_rope, attend=pieces.attend
            )
            if norms == 2:
                self.ffn_norm = pieces.RMSNorm(config.dim, config.norm_eps)
            self.feed_forward = pieces.SwiGLU(config.dim, config.hidden_dim, pieces.linear)
            if make:
                make(self, config, number, pieces)

        def forward(self, x, cos, sin, mask, cache=None):
            return run(self, x, cos, sin, mask, cache)

    return Answer


def in_steps(self, x, *places):
    read = self.attention_norm(x)
    x = x + self.attention(read, *places)
    read = self.ffn_norm(x)
    return x + self.feed_forward(read)


def in_one_line(self, x, *places):
    return (y := x + self.attention(self.attention_norm(x), *places)) + self.feed_forward(self.ffn_norm(y))


def with_clone(self, x, cos, sin, mask, cache):
    out = x.clone()
    out += self.attention(self.attention_norm(x), cos, sin, mask, cache)
    return torch.add(self.feed_forward(self.ffn_norm(out)), out)


def as_a_list(self, x, *places):
    for norm, half in ((self.attention_norm, lambda h: self.attention(h, *places)), (self.ffn_norm, self.feed_forward)):
        x = torch.stack((x, half(norm(x)))).sum(0)
    return x


add(RIGHT, BLOCK, block(in_steps), block(in_one_line), block(with_clone), block(as_a_list))


def post(self, x, *places):
    x = x + self.attention_norm(self.attention(x, *places))
    return x + self.ffn_norm(self.feed_forward(x))


def post_rest(self, x, *places):
    y = self.attention_norm(self.attention(x, *places)) + x
    return torch.add(y, self.ffn_norm(self.feed_forward(y)))


def outer(self, x, *places):
    x = self.attention_norm(x + self.attention(x, *places))
    return self.ffn_norm(x + self.feed_forward(x))


def outer_rest(self, x, *places):
    y = self.attention(x, *places)
    y += x
    y = self.attention_norm(y)
    return self.ffn_norm(self.feed_forward(y) + y)


def normed(self, x, *places):
    x = self.attention_norm(x)
    x = x + self.attention(x, *places)
    x = self.ffn_norm(x)
    return x + self.feed_forward(x)


def normed_rest(self, x, *places):
    h = self.attention_norm(x)
    g = self.ffn_norm(h + self.attention(h, *places))
    return self.feed_forward(g) + g


def replaced(self, x, *places):
    return self.feed_forward(self.ffn_norm(self.attention(self.attention_norm(x), *places)))


def replaced_rest(self, x, *places):
    x = self.attention_norm(x)
    x = self.attention(x, *places)
    x = self.ffn_norm(x)
    return self.feed_forward(x)


def first_replaced(self, x, *places):
    x = self.attention(self.attention_norm(x), *places)
    return x + self.feed_forward(self.ffn_norm(x))


def first_replaced_in_one_line(self, x, *places):
    return (y := self.attention(self.attention_norm(x), *places)) + self.feed_forward(self.ffn_norm(y))


def first_normed(self, x, *places):
    x = self.attention_norm(x)
    x = x + self.attention(x, *places)
    return x + self.feed_forward(self.ffn_norm(x))


def first_normed_rest(self, x, *places):
    y = self.attention(self.attention_norm(x), *places) + self.attention_norm(x)
    return torch.add(self.feed_forward(self.ffn_norm(y)), y)


def first_raw(self, x, *places):
    x = x + self.attention(x, *places)
    return x + self.feed_forward(self.ffn_norm(x))


def first_raw_rest(self, x, *places):
    return (y := torch.add(self.attention(x, *places), x)) + self.feed_forward(self.ffn_norm(y))


def second_raw(self, x, *places):
    x = x + self.attention(self.attention_norm(x), *places)
    return x + self.feed_forward(x)


def second_raw_rest(self, x, *places):
    y = self.attention(self.attention_norm(x), *places)
    return x + y + self.feed_forward(x + y)


def norms_for_each_other(self, x, *places):
    x = x + self.attention(self.ffn_norm(x), *places)
    return x + self.feed_forward(self.attention_norm(x))


def norms_for_each_other_rest(self, x, *places):
    halves = (self.ffn_norm, lambda h: self.attention(h, *places)), (self.attention_norm, self.feed_forward)
    for norm, half in halves:
        x = half(norm(x)) + x
    return x


def norms_of_the_package(self, config, number, pieces):
    self.attention_norm, self.ffn_norm = (RMSNorm(config.dim, config.norm_eps) for _ in range(2))


def norms_of_the_usual_pieces(self, config, number, pieces):
    for name in ("attention_norm", "ffn_norm"):
        setattr(self, name, Pieces().RMSNorm(config.dim, config.norm_eps))


def norms_without_eps(self, config, number, pieces):
    self.attention_norm, self.ffn_norm = pieces.RMSNorm(config.dim), pieces.RMSNorm(config.dim)


def norms_with_an_eps_of_its_own(self, config, number, pieces):
    self.attention_norm, self.ffn_norm = (pieces.RMSNorm(config.dim, 1e-5) for _ in range(2))


for name, answers in {
    "first_alone": (block(first_replaced), block(first_replaced_in_one_line)),
    "normed_first": (block(first_normed), block(first_normed_rest)),
    "raw_first": (block(first_raw), block(first_raw_rest)),
    "raw_second": (block(second_raw), block(second_raw_rest)),
    "norms_exchanged": (block(norms_for_each_other), block(norms_for_each_other_rest)),
    "norm_lost": (block(in_steps, norms_of_the_package), block(in_one_line, norms_of_the_usual_pieces)),
    "eps_lost": (block(in_steps, norms_without_eps), block(in_one_line, norms_with_an_eps_of_its_own)),
}.items():
    add(WRONG, (BLOCK, name), *answers)


def half_replaced(self, x, *places):
    return self.feed_forward(self.ffn_norm(x + self.attention(self.attention_norm(x), *places)))


def half_replaced_again(self, x, *places):
    x = self.attention(self.attention_norm(x), *places) + x
    x = self.ffn_norm(x)
    x = self.feed_forward(x)
    return x


def unnormed(self, x, *places):
    x = x + self.attention(x, *places)
    return x + self.feed_forward(x)


def unnormed_rest(self, x, *places):
    return (y := self.attention(x, *places) + x) + self.feed_forward(y)


def at_once(self, x, *places):
    return x + self.attention(self.attention_norm(x), *places) + self.feed_forward(self.ffn_norm(x))


def at_once_rest(self, x, *places):
    told = self.feed_forward(self.ffn_norm(x))
    return self.attention(self.attention_norm(x), *places) + told + x


def turned_round(self, x, *places):
    x = x + self.feed_forward(self.ffn_norm(x))
    return x + self.attention(self.attention_norm(x), *places)


def turned_round_rest(self, x, *places):
    y = self.feed_forward(self.ffn_norm(x)) + x
    return y + self.attention(self.attention_norm(y), *places)


def same_norm(self, x, *places):
    x = x + self.attention(self.attention_norm(x), *places)
    return x + self.feed_forward(self.attention_norm(x))


def same_norm_rest(self, x, *places):
    norm = self.attention_norm
    return (y := x + self.attention(norm(x), *places)) + self.feed_forward(norm(y))


def rename_norm(self, config, number, pieces):
    self.norm = self.attention_norm
    del self.attention_norm


def with_norm(self, x, *places):
    x = x + self.attention(self.norm(x), *places)
    return x + self.feed_forward(self.norm(x))


def count_from_zero(self, config, number, pieces):
    self.attention.layer = 0


def no_cache(self, x, cos, sin, mask, cache):
    return in_steps(self, x, cos, sin, mask)


def no_cache_rest(self, x, *places):
    return in_one_line(self, x, *places[:3], None)


def own_attention(self, config, number, pieces):
    self.attention = pieces.Attention(config, number)


def own_matrices(self, config, number, pieces):
    self.attention = pieces.Attention(config, number, apply_rope=pieces.apply_rope, attend=pieces.attend)
    self.feed_forward = pieces.SwiGLU(config.dim, config.hidden_dim, linear)


def own_feed_forward(self, config, number, pieces):
    self.feed_forward = pieces.SwiGLU(config.dim, config.hidden_dim)


def only_linear(self, config, number, pieces):
    self.attention = pieces.Attention(config, number, linear=pieces.linear)


def library_parts(self, config, number, pieces):
    ours = Pieces()
    self.attention = pieces.Attention(
        config, number, linear=pieces.linear, apply_rope=ours.apply_rope, attend=ours.attend
    )


for name, answers in {
    "post_norm": (block(post), block(post_rest)),
    "outer_norm": (block(outer), block(outer_rest)),
    "normed_stream": (block(normed), block(normed_rest)),
    "no_stream": (block(replaced), block(replaced_rest)),
    "second_alone": (block(half_replaced), block(half_replaced_again)),
    "raw": (block(unnormed), block(unnormed_rest)),
    "old_stream": (block(at_once), block(at_once_rest)),
    "ffn_first": (block(turned_round), block(turned_round_rest)),
    "first_norm": (block(same_norm), block(same_norm_rest)),
    "one_norm": (block(same_norm, norms=1), block(with_norm, make=rename_norm, norms=1)),
    "layer_zero": (block(in_steps, layer=False), block(as_a_list, make=count_from_zero)),
    "cache_lost": (block(no_cache), block(no_cache_rest)),
    "pieces_lost": tuple(block(in_steps, make) for make in (own_attention, own_matrices, own_feed_forward)),
    "parts_lost": (block(in_steps, make=only_linear), block(in_one_line, make=library_parts)),
}.items():
    add(WRONG, (BLOCK, name), *answers)
add(STRAY, BLOCK, block(lambda self, x, *places: x), block(lambda self, x, *places: 2 * in_steps(self, x, *places)))


# model.Llama

LLAMA = "model.Llama"


def llama(run=None, make=None, blocks=None, ends=lambda self, x: self.norm(x), scores=None):
    """A model class; every part of it can be another one."""

    class Answer(LlamaBase):
        def __init__(self, config, pieces=Pieces()):  # noqa: B008
            super().__init__()
            self.config, self.pieces = config, pieces
            self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
            made = blocks or (lambda c, p: [package.Block(c, i, p) for i in range(c.n_layers)])
            self.layers = nn.ModuleList(made(config, pieces))
            self.norm = pieces.RMSNorm(config.dim, config.norm_eps)
            self.output = None if config.tied else pieces.linear(config.dim, config.vocab_size)
            if make:
                make(self, config, pieces)
            self.reset_rope()

        def forward(self, tokens, cache=None, last_only=False):
            cos, sin, mask = self.places(tokens, cache)
            x = self.tok_embeddings(tokens)
            for layer in self.layers:
                x = run(self, layer, x, cos, sin, mask, cache) if run else layer(x, cos, sin, mask, cache)
            x = ends(self, x)
            if scores:
                return scores(self, x[:, -1:] if last_only else x)
            matrix = self.tok_embeddings if self.output is None else self.output
            bias = getattr(matrix, "bias", None)
            x = x @ matrix.weight.T + (0 if bias is None else bias)
            return x[:, -1:] if last_only else x

    return Answer


def share_the_table(self, config, pieces):
    if config.tied:
        self.output = linear(config.dim, config.vocab_size)
        self.output.weight = self.tok_embeddings.weight


def by_output(self, x):
    if self.output is None:
        return nn.functional.linear(x, self.tok_embeddings.weight)
    return self.output(x)


add(
    RIGHT, LLAMA, llama(), llama(scores=by_output), llama(make=share_the_table, scores=by_output),
    llama(scores=lambda self, x: torch.einsum("btd,vd->btv", x, self.tok_embeddings.weight) if self.config.tied
          else self.output(x)),
)  # fmt: skip


def copied(self, config, pieces):
    if config.tied:
        self.output = linear(config.dim, config.vocab_size)
        self.output.weight = nn.Parameter(self.tok_embeddings.weight.detach().clone())


def always_own(self, config, pieces):
    self.output = pieces.linear(config.dim, config.vocab_size)


def drop(name):
    return lambda self, config, pieces: delattr(self, name)


def never_own(self, config, pieces):
    self.output = None


def plain_norm_each(self, layer, x, cos, sin, mask, cache):
    x = layer(x, cos, sin, mask, cache)
    return x if layer is self.layers[-1] else self.norm(x)


def norm_between(self, layer, x, *places):
    return layer(x if layer is self.layers[0] else self.norm(x), *places)


for name, answers in {
    "shared": (
        llama(blocks=lambda c, p: [package.Block(c, 0, p)] * c.n_layers),
        llama(blocks=lambda c, p: (lambda one: [one for _ in range(c.n_layers)])(package.Block(c, 0, p))),
    ),
    "unused": (
        llama(run=lambda self, layer, x, *places: x),
        llama(run=lambda self, layer, x, *places: (layer(x, *places), x)[1], scores=by_output),
    ),
    "no_final": (llama(ends=lambda self, x: x), llama(ends=lambda self, x: x * 1, scores=by_output)),
    "norm_missing": (
        llama(make=drop("norm"), ends=lambda self, x: x),
        llama(make=drop("norm"), ends=lambda self, x: x / x.pow(2).mean(-1, keepdim=True).sqrt()),
    ),
    "norm_each": (llama(run=plain_norm_each), llama(run=norm_between, scores=by_output)),
    "tied_copied": (llama(make=copied), llama(make=always_own, scores=by_output)),
    "always_tied": (llama(make=never_own), llama(make=never_own, scores=by_output)),
    "softmaxed": (
        llama(scores=lambda self, x: by_output(self, x).softmax(-1)),
        llama(scores=lambda self, x: (lambda e: e / e.sum(-1, keepdim=True))(by_output(self, x).exp())),
    ),
    "layer_zero": (
        llama(blocks=lambda c, p: [package.Block(c, 0, p) for _ in range(c.n_layers)]),
        llama(blocks=lambda c, p: [package.Block(c, pieces=p) for _ in range(c.n_layers)], scores=by_output),
    ),
    "cache_lost": (
        llama(run=lambda self, layer, x, cos, sin, mask, cache: layer(x, cos, sin, mask)),
        llama(run=lambda self, layer, x, *places: layer(x, *places[:3], None), scores=by_output),
    ),
    "pieces_lost": (
        llama(blocks=lambda c, p: [package.Block(c, i) for i in range(c.n_layers)]),
        llama(make=lambda self, c, p: setattr(self, "output", None if c.tied else linear(c.dim, c.vocab_size))),
    ),
}.items():  # fmt: skip
    add(WRONG, (LLAMA, name), *answers)
add(
    STRAY, LLAMA, llama(scores=lambda self, x: 3 * by_output(self, x)),
    llama(scores=lambda self, x: by_output(self, x).argmax(-1)),
)  # fmt: skip


# model.count_parameters

COUNT = "model.count_parameters"


def by_parts(c, *, keys=None, K=None, out=1, ffn=3, norms=2, final=1, tables=None, layers=None):
    K, keys = K or c.head_dim, keys or c.n_kv_heads
    per_layer = (
        [c.dim * c.n_heads * K] * (1 + out) + [c.dim * keys * K] * 2 + [c.dim * c.hidden_dim] * ffn + [c.dim] * norms
    )
    tables = tables or (1 if c.tied else 2)
    return sum(per_layer) * (layers or c.n_layers) + c.vocab_size * c.dim * tables + final * c.dim


def as_a_table_of_shapes(c):
    D, K = c.dim, c.head_dim
    block = [(D,), (D,), *[(c.n_heads * K, D)] * 2, *[(c.n_kv_heads * K, D)] * 2, *[(c.hidden_dim, D)] * 3]
    shapes = block * c.n_layers + [(D,)] + [(c.vocab_size, D)] * (2 - c.tied)
    return sum(math.prod(shape) for shape in shapes)


add(RIGHT, COUNT, by_parts, as_a_table_of_shapes, lambda c: float(by_parts(c)), lambda c: torch.tensor(by_parts(c)))
for name, first, second in (
    ("tied_inverted", lambda c: by_parts(c, tables=2 if c.tied else 1), lambda c: by_parts(c, tables=1 + c.tied)),
    ("like_7b", lambda c: by_parts(c, keys=c.n_heads, K=c.dim // c.n_heads, tables=2),
     lambda c: c.n_layers * (4 * c.dim**2 + 3 * c.dim * c.hidden_dim + 2 * c.dim) + (2 * c.vocab_size + 1) * c.dim),
    ("small_norms", lambda c: by_parts(c) - (2 * c.n_layers + 1) * (c.dim - 1),
     lambda c: by_parts(c, norms=0, final=0) + 2 * c.n_layers + 1),
    ("own_keys", lambda c: by_parts(c, keys=c.n_heads),
     lambda c: by_parts(c) + 2 * c.n_layers * c.dim * c.head_dim * (c.n_heads - c.n_kv_heads)),
    ("square", lambda c: by_parts(c, K=c.dim // c.n_heads),
     lambda c: by_parts(c) - c.n_layers * c.dim * 2 * (c.n_heads + c.n_kv_heads) * (c.head_dim - c.dim // c.n_heads)),
    ("no_wo", lambda c: by_parts(c, out=0), lambda c: by_parts(c) - c.n_layers * c.dim * c.n_heads * c.head_dim),
    ("two_matrices", lambda c: by_parts(c, ffn=2), lambda c: by_parts(c) - c.n_layers * c.dim * c.hidden_dim),
    ("one_norm", lambda c: by_parts(c, norms=1), lambda c: by_parts(c) - c.n_layers * c.dim),
    ("no_norms", lambda c: by_parts(c, norms=0), lambda c: by_parts(c) - 2 * c.n_layers * c.dim),
    ("four_dim", lambda c: by_parts(c) + 3 * c.n_layers * c.dim * (4 * c.dim - c.hidden_dim),
     lambda c: by_parts(c, ffn=0) + 12 * c.n_layers * c.dim**2),
    ("no_final", lambda c: by_parts(c, final=0), lambda c: by_parts(c) - c.dim),
    ("no_output", lambda c: by_parts(c, tables=1),
     lambda c: by_parts(c) - (0 if c.tied else c.vocab_size * c.dim)),
    ("tied_twice", lambda c: by_parts(c, tables=2), lambda c: by_parts(c) + c.tied * c.vocab_size * c.dim),
    ("one_layer", lambda c: by_parts(c, layers=1),
     lambda c: by_parts(c) - (c.n_layers - 1) * (by_parts(c, layers=2) - by_parts(c, layers=1))),
):  # fmt: skip
    add(WRONG, (COUNT, name), first, second)
add(STRAY, COUNT, lambda c: by_parts(c) + 1, lambda c: 2 * by_parts(c))


# model.flops_per_token

FLOPS = "model.flops_per_token"


def weights(c):
    layer = c.dim * c.head_dim * (2 * c.n_heads + 2 * c.n_kv_heads) + 3 * c.dim * c.hidden_dim
    return c.n_layers * layer, c.vocab_size * c.dim


def meetings(c, S):
    return c.n_layers * c.n_heads * c.head_dim * S


def flops(c, S, op=2, output=1.0, table=0.0, met=2.0):
    inner, table_size = weights(c)
    return round(op * (inner + (output + table) * table_size + met * meetings(c, S)))


def by_loop(c, S):
    total = 0
    for _ in range(c.n_layers):
        for rows in (c.n_heads, c.n_kv_heads, c.n_kv_heads, c.n_heads):
            total += 2 * rows * c.head_dim * c.dim
        total += 6 * c.dim * c.hidden_dim + 4 * S * c.n_heads * c.head_dim
    return total + 2 * c.vocab_size * c.dim


add(RIGHT, FLOPS, flops, by_loop, lambda c, S: float(by_loop(c, S)))
for name, first, second in (
    ("twice_all", lambda c, S: 2 * package.count_parameters(c), lambda c, S: by_parts(c) + by_parts(c)),
    ("one_op", lambda c, S: flops(c, S, op=1), lambda c, S: by_loop(c, S) // 2),
    ("table_too", lambda c, S: flops(c, S, table=1), lambda c, S: by_loop(c, S) + 2 * c.vocab_size * c.dim),
    ("norms_too", lambda c, S: flops(c, S) + 2 * (2 * c.n_layers + 1) * c.dim,
     lambda c, S: 2 * by_parts(c, tables=1) + 4 * meetings(c, S)),
    ("no_output", lambda c, S: flops(c, S, output=0), lambda c, S: by_loop(c, S) - 2 * c.vocab_size * c.dim),
    ("tied_free", lambda c, S: flops(c, S, output=not c.tied),
     lambda c, S: by_loop(c, S) - 2 * c.tied * c.vocab_size * c.dim),
    ("no_meetings", lambda c, S: flops(c, S, met=0), lambda c, S: 2 * sum(weights(c))),
    ("scores_only", lambda c, S: flops(c, S, met=1), lambda c, S: by_loop(c, S) - 2 * meetings(c, S)),
    ("key_heads", lambda c, S: flops(c, S, met=2 * c.n_kv_heads / c.n_heads),
     lambda c, S: 2 * sum(weights(c)) + 4 * c.n_layers * c.n_kv_heads * c.head_dim * S),
    ("all_pairs", lambda c, S: flops(c, S, met=2 * S), lambda c, S: by_loop(c, S) + 4 * meetings(c, S) * (S - 1)),
):  # fmt: skip
    add(WRONG, (FLOPS, name), first, second)
add(STRAY, FLOPS, lambda c, S: by_loop(c, S) + 2, lambda c, S: 3 * by_loop(c, S))


# model.first_wrong_part

FIRST = "model.first_wrong_part"


def gaps(right_one, suspect):
    for name, wanted in right_one.items():
        yield name, (suspect[name] - wanted).abs().max().item(), wanted.abs().max().item()


@right(FIRST)
def with_not(right_one, suspect):
    return next((name for name, gap, size in gaps(right_one, suspect) if not gap <= 1e-4 * size), "none")


@right(FIRST)
def with_allclose(right_one, suspect):
    for name, wanted in right_one.items():
        if not torch.allclose(suspect[name], wanted, rtol=0, atol=1e-4 * wanted.abs().max().item()):
            return name
    return "none"


@right(FIRST)
def backwards(right_one, suspect):
    found = "none"
    for name in reversed(list(right_one)):
        a, b = right_one[name].numpy(), suspect[name].numpy()
        if np.isnan(b).any() or np.abs(a - b).max() / np.abs(a).max() > 1e-4:
            found = name
    return found


def off(right_one, suspect):
    return [name for name, gap, size in gaps(right_one, suspect) if not gap <= 1e-4 * size]


def worst(right_one, suspect):
    return max(gaps(right_one, suspect), key=lambda each: each[1] / each[2])[0] if off(right_one, suspect) else "none"


for name, first, second in (
    ("largest",
     lambda a, b: worst(a, b) if not any(each.isnan().any() for each in b.values()) else (off(a, b) or ["none"])[0],
     lambda a, b: max(off(a, b), key=lambda n: (float("inf") if b[n].isnan().any()
                      else float((a[n] - b[n]).abs().max() / a[n].abs().max())), default="none")),
    ("last", lambda a, b: (off(a, b) or ["none"])[-1],
     lambda a, b: next((n for n in reversed(list(a)) if n in off(a, b)), "none")),
    ("exact", lambda a, b: next((n for n in a if not torch.equal(a[n], b[n])), "none"),
     lambda a, b: next((n for n, gap, _ in gaps(a, b) if gap != 0), "none")),
    ("lax", lambda a, b: next((n for n, gap, size in gaps(a, b) if not gap <= 1e-3 * size), "none"),
     lambda a, b: next((n for n, gap, size in gaps(a, b) if not gap / size < 15e-4), "none")),
    ("picky", lambda a, b: next((n for n, gap, size in gaps(a, b) if not gap <= 1e-5 * size), "none"),
     lambda a, b: next((n for n in a if not torch.allclose(a[n], b[n], 0, 2e-6 * a[n].abs().max().item())), "none")),
    ("absolute", lambda a, b: next((n for n, gap, _ in gaps(a, b) if not gap < 1e-4), "none"),
     lambda a, b: next((n for n in a if not torch.allclose(a[n], b[n], rtol=0, atol=1e-4)), "none")),
    ("own_size", lambda a, b: next((n for n in a if not torch.allclose(b[n], a[n])), "none"),
     lambda a, b: next((n for n in a if not ((a[n] - b[n]).abs() <= 1e-4 * a[n].abs()).all()), "none")),
    ("mean", lambda a, b: next((n for n in a if not (a[n] - b[n]).mean().abs() <= 1e-4 * a[n].abs().max()), "none"),
     lambda a, b: next((n for n in a if not abs((b[n].mean() - a[n].mean()) / a[n].abs().max()) <= 1e-4), "none")),
    ("mean_size",
     lambda a, b: next((n for n in a if not (a[n] - b[n]).abs().mean() <= 1e-4 * a[n].abs().max()), "none"),
     lambda a, b: next((n for n in a if not (b[n] / a[n].abs().max() - a[n] / a[n].abs().max()).norm(p=1) < 48e-4),
                       "none")),
    ("signed_gap", lambda a, b: next((n for n in a if not (b[n] - a[n]).max() <= 1e-4 * a[n].abs().max()), "none"),
     lambda a, b: next((n for n in a if not max((b[n] - a[n]).flatten().tolist()) / a[n].abs().max() < 1e-4), "none")),
    ("signed_size", lambda a, b: next((n for n in a if not (b[n] - a[n]).abs().max() <= 1e-4 * a[n].max()), "none"),
     lambda a, b: next((n for n in a if not (b[n] - a[n]).abs().max() / a[n].max() <= 1e-4), "none")),
    ("sorted", lambda a, b: min(off(a, b), default="none"), lambda a, b: (sorted(off(a, b)) or ["none"])[0]),
    ("blind_to_nan", lambda a, b: next((n for n, gap, size in gaps(a, b) if gap > 1e-4 * size), "none"),
     lambda a, b: next((n for n in a if ((a[n] - b[n]).abs() > 1e-4 * a[n].abs().max()).any()), "none")),
):  # fmt: skip
    add(WRONG, (FIRST, name), first, second)
add(STRAY, FIRST, lambda a, b: "norm", lambda a, b: None)


# model.find_the_bug

BUG = "model.find_the_bug"
IDS, CHANGED = torch.tensor([[5, 2, 8, 8, 1]]), torch.tensor([[5, 2, 8, 8, 30]])


def first_off(suspect, model):
    return with_not(part_outputs(model, IDS), part_outputs(suspect, IDS))


def sees_ahead(suspect):
    return not torch.allclose(suspect(IDS)[0, :4], suspect(CHANGED)[0, :4], atol=1e-4)


@right(BUG)
def by_the_table(suspect, model):
    part = first_off(suspect, model)
    table = {"none": "right", "norm": "final norm", "layers.0.ffn_norm": "residual"}
    if part == "layers.0.attention":
        return "mask" if sees_ahead(suspect) else "positions"
    return table.get(part, "shared")


@right(BUG)
def without_a_record(suspect, model):
    if torch.allclose(suspect(IDS), model(IDS), atol=1e-3):
        return "right"
    if isinstance(suspect.norm, nn.Identity):
        return "final norm"
    if torch.equal(suspect.layers[0].attention.wq.weight, suspect.layers[1].attention.wq.weight):
        return "shared"
    if sees_ahead(suspect):
        return "mask"
    # One token alone has no distance to anything: wrong positions change nothing there.
    one = torch.tensor([[7]])
    return "positions" if torch.allclose(suspect(one), model(one), atol=1e-3) else "residual"


@right(BUG)
def mask_first(suspect, model):
    if sees_ahead(suspect):
        return "mask"
    part = first_off(suspect, model)
    if part.startswith("layers.1"):
        return "shared"
    words = {"attention": "positions", "ffn_norm": "residual", "norm": "final norm", "none": "right"}
    return words[part.rpartition(".")[2]]


def but(word, said):
    """The table's answer, with one word taken for another."""
    return lambda suspect, model: said if (found := by_the_table(suspect, model)) == word else found


def blind(word, said):
    return lambda suspect, model: {word: said}.get(mask_first(suspect, model), mask_first(suspect, model))


for name, first, second in (
    ("says_right", lambda suspect, model: "right", lambda suspect, model: but("right", "right")(model, model)),
    ("first_layer", but("shared", "right"), blind("shared", "right")),
    ("mask_unseen", but("mask", "positions"), blind("mask", "positions")),
    ("positions_unseen", but("positions", "mask"), blind("positions", "mask")),
):
    add(WRONG, (BUG, name), first, second)
add(STRAY, BUG, lambda suspect, model: "mask", but("residual", "shared"), lambda suspect, model: 3)


# model.parallel_block

PARALLEL = "model.parallel_block"


def at_once_with(x, n1, n2, a, f):
    h = n1(x)
    return x + (a(h) + f(h)) / math.sqrt(2)


add(
    RIGHT, PARALLEL, at_once_with, lambda x, n1, n2, a, f: x + 0.5**0.5 * a(n1(x)) + 2**-0.5 * f(n1(x)),
    lambda x, n1, n2, a, f: torch.stack((x, a(n1(x)) / 2**0.5, f(n1(x)) / 2**0.5)).sum(0),
)  # fmt: skip
ROOT = 2**-0.5
for name, first, second in (
    ("one_scaled", lambda x, n1, n2, a, f: x + a(n1(x)) + f(n1(x)) / 2**0.5,
     lambda x, n1, n2, a, f: (h := n1(x), x + a(h) + ROOT * f(h))[1]),
    ("other_scale", lambda x, n1, n2, a, f: x + (a(n1(x)) + f(n1(x))) / 2,
     lambda x, n1, n2, a, f: torch.lerp(x + a(n1(x)), x + f(n1(x)), 0.5)),
    ("in_turn", lambda x, n1, n2, a, f: (y := x + ROOT * a(n1(x))) + ROOT * f(n1(y)),
     lambda x, n1, n2, a, f: x + ROOT * (a(n1(x)) + f(n1(x + a(n1(x)) * ROOT)))),
    ("other_norm", lambda x, n1, n2, a, f: x + ROOT * (a(n1(x)) + f(n2(x))),
     lambda x, n1, n2, a, f: x + a(n1(x)) / 2**0.5 + f(n2(x)) / 2**0.5),
    ("no_scale", lambda x, n1, n2, a, f: x + a(n1(x)) + f(n1(x)),
     lambda x, n1, n2, a, f: sum((x, a(n1(x)), f(n1(x))))),
    ("all_scaled", lambda x, n1, n2, a, f: (x + a(n1(x)) + f(n1(x))) * ROOT,
     lambda x, n1, n2, a, f: x / 2**0.5 + ROOT * (a(n1(x)) + f(n1(x)))),
    ("no_stream", lambda x, n1, n2, a, f: ROOT * (a(n1(x)) + f(n1(x))),
     lambda x, n1, n2, a, f: at_once_with(x, n1, n2, a, f) - x),
    ("normed_stream", lambda x, n1, n2, a, f: n1(x) + ROOT * (a(n1(x)) + f(n1(x))),
     lambda x, n1, n2, a, f: at_once_with(x, n1, n2, a, f) - x + n1(x)),
    ("raw", lambda x, n1, n2, a, f: x + ROOT * (a(x) + f(x)),
     lambda x, n1, n2, a, f: at_once_with(x, lambda y: y, n2, a, f)),
):  # fmt: skip
    add(WRONG, (PARALLEL, name), first, second)
add(STRAY, PARALLEL, lambda x, n1, n2, a, f: x, lambda x, n1, n2, a, f: x + (a(n1(x)) + f(n1(x))) / 3)
