"""Answers to lesson 05's tasks in unusual spellings, right ones and wrong ones, written apart from the records.

RIGHT: task -> spellings that must pass. WRONG: (task, misconception) -> spellings that must fail and be named so.
STRAY: task -> wrong answers that no misconception describes: they must fail and be named nothing.
"""

import math

import numpy as np
import torch
from torch import nn

RIGHT, WRONG, STRAY = {}, {}, {}


def right(task):
    return lambda function: RIGHT.setdefault(task, []).append(function) or function


def wrong(task, name):
    return lambda function: WRONG.setdefault((task, name), []).append(function) or function


def stray(task):
    return lambda function: STRAY.setdefault(task, []).append(function) or function


# feedforward.by_hand

HAND = {
    "silu": [1.762, -0.238], "hidden": [-0.731, -0.269], "output": -0.462, "size": 352, "weights": 3 * 128 * 352,
}  # fmt: skip
RIGHT["feedforward.by_hand"] = [
    HAND,
    HAND | {"silu": torch.tensor([1.7616, -0.2384]), "size": 352.0},
    HAND | {"hidden": (np.float32(-0.7311), -0.2689), "weights": torch.tensor(135_168)},
    HAND | {"output": -0.731 + 0.269, "silu": (2 * 0.881, -2 * 0.119)},
]
for name, values in {
    "sigmoid": [{"silu": [0.881, 0.119]}, {"hidden": (-0.731, 0.269)}],
    "relu": [{"silu": [2, 0]}, {"hidden": [-1, 0]}],
    "odd": [{"silu": [1.762, -1.762]}, {"silu": np.array([2, -2]) * 0.881}],
    "sign_lost": [{"silu": [1.762, 0.238]}, {"silu": np.array([2 * 0.881, 2 * 0.119])}],
    "swapped": [{"hidden": [-0.269, -0.731]}, {"output": 0.462}],
    "product_first": [{"hidden": [-0.269, -0.269]}, {"hidden": np.float32([-0.2689, -0.2689])}],
    "rounds_down": [{"size": 320}, {"weights": 3 * 128 * 320}],
    "whole_four": [{"size": 512}, {"weights": 3 * 128 * 512}],
    "not_bent": [{"hidden": [-1, -1]}, {"hidden": torch.tensor([1.0, -1.0]) * torch.tensor([-1.0, 1.0])}],
    "up_forgotten": [{"hidden": [0.731, -0.269]}, {"hidden": (0.7311, -0.2689)}],
    "summed": [{"output": -1}, {"output": -0.731 - 0.269}],
    "not_rounded": [{"size": 341}, {"weights": 130_944}],
    "two_matrices": [{"weights": 2 * 128 * 352}, {"weights": 90_112.0}],
}.items():
    WRONG["feedforward.by_hand", name] = [HAND | each for each in values]
STRAY["feedforward.by_hand"] = [
    HAND | {"size": 384},
    HAND | {"output": 1},
    HAND | {"silu": "wide"},
    HAND | {"silu": 1.762},
]


# feedforward.silu

SILU = "feedforward.silu"
RIGHT[SILU] = [
    lambda x: x / (1 + torch.exp(-x)),
    lambda x: x.sigmoid() * x,
    lambda x: (x.float() * (1 + torch.tanh(x.float() / 2)) / 2).to(x.dtype),
    lambda x: torch.mul(x, 1 / (1 + (-x).exp())),
    lambda x: (x.double() * torch.exp(-torch.nn.functional.softplus(-x.double()))).type_as(x),
    lambda x: torch.where(x > 0, x / (1 + torch.exp(-x.abs())), x * torch.exp(-x.abs()) / (1 + torch.exp(-x.abs()))),
]
WRONG[SILU, "sigmoid"] = [torch.sigmoid, lambda x: 1 / (1 + torch.exp(-x))]
WRONG[SILU, "relu"] = [lambda x: x.clamp(min=0), lambda x: torch.maximum(x, torch.zeros_like(x))]
WRONG[SILU, "gelu"] = [
    lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2,
    lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    lambda x: x * torch.sigmoid(1.702 * x),
]
WRONG[SILU, "tanh"] = [lambda x: torch.tanh(x) * x, lambda x: x * (2 * torch.sigmoid(2 * x.float()) - 1).to(x.dtype)]
WRONG[SILU, "closes"] = [lambda x: x / (1 + torch.exp(x)), lambda x: x * (1 - torch.sigmoid(x))]
WRONG[SILU, "softmax"] = [
    lambda x: x * torch.softmax(x, dim=-1),
    lambda x: x * (torch.exp(x - x.max(-1, True)[0]) / torch.exp(x - x.max(-1, True)[0]).sum(-1, True)),
]
WRONG[SILU, "overflows"] = [
    lambda x: x * torch.exp(x) / (torch.exp(x) + 1),
    lambda x: x * (torch.exp(x) / torch.add(torch.exp(x), 1.0)),
]
STRAY[SILU] = [
    lambda x: x,
    lambda x: x * torch.sigmoid(2.5 * x),
    lambda x: 2 * x * torch.sigmoid(x),
    lambda x: None,
    lambda x: (x * torch.sigmoid(x)).float()[..., :-1],
    lambda x: torch.nn.functional.leaky_relu(x),
    lambda x: torch.nn.functional.elu(x),
    lambda x: -x / (1 + torch.exp(-x)),
]


# feedforward.hidden_size

SIZE = "feedforward.hidden_size"


@right(SIZE)
def counts_up(dim, multiple_of, multiplier=None):
    hidden = 8 * dim // 3
    if multiplier:
        hidden = int(hidden * multiplier)
    while hidden % multiple_of:
        hidden += 1
    return hidden


@right(SIZE)
def with_ceil(dim, multiple_of, multiplier=None):
    hidden = math.floor(8 * dim / 3)
    hidden = hidden if multiplier is None else math.floor(hidden * multiplier)
    return multiple_of * math.ceil(hidden / multiple_of)


@right(SIZE)
def with_minus(dim, multiple_of, multiplier=None):
    hidden = int(int(8 * dim / 3) * (multiplier or 1.0))
    return hidden + -hidden % multiple_of


@right(SIZE)
def as_tensor(dim, multiple_of, multiplier=None):
    hidden = torch.tensor(8 * dim // 3)
    if multiplier is not None:
        hidden = (hidden * multiplier).floor().int()
    return torch.div(hidden + multiple_of - 1, multiple_of, rounding_mode="floor") * multiple_of


def size(hidden, multiple_of, how):
    return multiple_of * how(hidden / multiple_of)


def two_thirds(dim, multiplier=None):
    return int(int(8 * dim / 3) * (multiplier or 1))


def after(dim, multiple_of, multiplier):
    first = size(8 * dim // 3, multiple_of, math.ceil)
    return first if multiplier is None else int(first * multiplier)


def after_with_loop(dim, multiple_of, multiplier=None):
    first = counts_up(dim, multiple_of)
    return math.floor(first * multiplier) if multiplier else first


WRONG[SIZE, "rounds_down"] = [
    lambda dim, m, k=None: size(two_thirds(dim, k), m, math.floor),
    lambda dim, m, k=None: two_thirds(dim, k) - two_thirds(dim, k) % m,
]
WRONG[SIZE, "nearest"] = [
    lambda dim, m, k=None: size(two_thirds(dim, k), m, lambda each: math.floor(each + 0.5)),
    lambda dim, m, k=None: (two_thirds(dim, k) + m // 2) // m * m,
]
WRONG[SIZE, "whole_four"] = [
    lambda dim, m, k=None: size(int(k * (4 * dim)) if k else 4 * dim, m, math.ceil),
    lambda dim, m, k=None: -(-int(dim * 4 * (1 if k is None else k)) // m) * m,
]
WRONG[SIZE, "one_too_many"] = [
    lambda dim, m, k=None: (two_thirds(dim, k) // m + 1) * m,
    lambda dim, m, k=None: two_thirds(dim, k) + m - two_thirds(dim, k) % m,
]
WRONG[SIZE, "rounds_before"] = [after, after_with_loop]
WRONG[SIZE, "rounds_twice"] = [
    lambda dim, m, k=None: size(after(dim, m, k), m, math.ceil),
    lambda dim, m, k=None: after(dim, m, k) + -after(dim, m, k) % m,
]
WRONG[SIZE, "no_multiplier"] = [
    lambda dim, m, k=None: counts_up(dim, m),
    lambda dim, m, k=None: size(8 * dim // 3, m, math.ceil),
]
WRONG[SIZE, "cut_once"] = [
    lambda dim, m, k=None: size(int(8 * dim / 3 * (k or 1)), m, math.ceil),
    lambda dim, m, k=None: -(-math.floor((k or 1.0) * (8 * dim / 3)) // m) * m,
]
WRONG[SIZE, "never_cut"] = [
    lambda dim, m, k=None: size(8 * dim / 3 * (1 if k is None else k), m, math.ceil),
    lambda dim, m, k=None: m * math.ceil(8 * dim * (k or 1.0) / 3 / m),
]
WRONG[SIZE, "rounded"] = [
    lambda dim, m, k=None: size(round(round(8 * dim / 3) * (k or 1)), m, math.ceil),
    lambda dim, m, k=None: -(-int(int(8 * dim / 3 + 0.5) * (k or 1) + 0.5) // m) * m,
]
WRONG[SIZE, "third_first"] = [
    lambda dim, m, k=None: size(int(8 * (dim // 3) * (k or 1)), m, math.ceil),
    lambda dim, m, k=None: -(-int(4 * (dim // 3 * 2) * (1 if k is None else k)) // m) * m,
]
WRONG[SIZE, "product_up"] = [
    lambda dim, m, k=None: size(math.ceil(8 * dim // 3 * (k or 1)), m, math.ceil),
    lambda dim, m, k=None: size(two_thirds(dim) * (1 if k is None else k), m, math.ceil),
]
WRONG[SIZE, "four_forgotten"] = [
    lambda dim, m, k=None: size(int(2 * dim // 3 * (k or 1)), m, math.ceil),
    lambda dim, m, k=None: -(-int(int(dim / 1.5) * (k or 1)) // m) * m,
]
STRAY[SIZE] = [
    lambda dim, m, k=None: dim,
    lambda dim, m, k=None: two_thirds(dim, k),
    lambda dim, m, k=None: size(two_thirds(dim, k), m, math.ceil) + 1,
    lambda dim, m, k=None: None,
    lambda dim, m, k=None: size(3 * dim, m, math.ceil),
    lambda dim, m: size(two_thirds(dim), m, math.ceil),
]


# feedforward.SwiGLU

LAYER = "feedforward.SwiGLU"


def build(forward, order=("w1", "w2", "w3"), make=None, names=("w1", "w2", "w3")):
    """A class with matrices w1 and w3 (in, F) and w2 (F, in), made in this order, and this forward."""

    class Built(nn.Module):
        def __init__(self, dim, hidden_dim, linear=None):
            super().__init__()
            sizes = dict(zip(names, ((dim, hidden_dim), (hidden_dim, dim), (dim, hidden_dim)), strict=True))
            for name in order:
                setattr(self, name, (make or linear)(*sizes[name]))

    Built.forward = forward
    return Built


def silu(x):
    return x / (1 + torch.exp(-x))


def plain_matrix(n_in, n_out):
    return nn.Linear(n_in, n_out, bias=False)


@right(LAYER)
class WithTorchsSilu(nn.Module):
    def __init__(self, dim, hidden_dim, linear):
        super().__init__()
        self.w3 = linear(dim, hidden_dim)
        self.w1 = linear(dim, hidden_dim)
        self.w2 = linear(hidden_dim, dim)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.w2(self.act(self.w1(x)) * self.w3(x))


@right(LAYER)
class TokenByToken(nn.Module):
    def __init__(self, dim: int, hidden_dim: int, linear=plain_matrix):
        nn.Module.__init__(self)
        self.w1, self.w2, self.w3 = linear(dim, hidden_dim), linear(hidden_dim, dim), linear(dim, hidden_dim)

    def one(self, token):
        gate = self.w1(token)
        return self.w2(torch.sigmoid(gate) * gate * self.w3(token))

    def forward(self, x):
        return torch.stack([torch.stack([self.one(token) for token in row]) for row in x])


RIGHT[LAYER] += [
    build(lambda self, x: self.w2(self.w3(x) * silu(self.w1(x))), order=("w2", "w3", "w1")),
    build(lambda self, x: self.w2((self.w1(x) * self.w3(x)) * torch.sigmoid(self.w1(x)))),
]
for name, forwards in {
    "swapped": [
        lambda self, x: self.w2(silu(self.w3(x)) * self.w1(x)),
        lambda self, x: self.w2(self.w1(x) * self.w3(x) * torch.sigmoid(self.w3(x))),
    ],
    "sigmoid": [
        lambda self, x: self.w2(torch.sigmoid(self.w1(x)) * self.w3(x)),
        lambda self, x: self.w2(self.w3(x) / (1 + torch.exp(-self.w1(x)))),
    ],
    "gelu": [
        lambda self, x: self.w2(nn.functional.gelu(self.w1(x), approximate="tanh") * self.w3(x)),
        lambda self, x: self.w2(nn.GELU()(self.w1(x)) * self.w3(x)),
    ],
    "relu": [
        lambda self, x: self.w2(self.w1(x).clamp(min=0) * self.w3(x)),
        lambda self, x: self.w2((self.w1(x) > 0) * self.w1(x) * self.w3(x)),
    ],
    "product_first": [
        lambda self, x: self.w2(silu(self.w1(x) * self.w3(x))),
        lambda self, x: self.w2(nn.SiLU()(self.w3(x) * self.w1(x))),
    ],
    "both_bent": [
        lambda self, x: self.w2(silu(self.w1(x)) * silu(self.w3(x))),
        lambda self, x: self.w2(torch.stack((silu(self.w1(x)), silu(self.w3(x)))).prod(0)),
    ],
    "no_gate": [
        lambda self, x: self.w2(silu(self.w1(x))),
        lambda self, x: self.w2(silu(self.w1(x)) * torch.ones_like(self.w3(x))),
    ],
    "adds": [
        lambda self, x: self.w2(silu(self.w1(x)) + self.w3(x)),
        lambda self, x: self.w2(torch.stack((self.w3(x), silu(self.w1(x)))).sum(0)),
    ],
    "adds_stream": [
        lambda self, x: x + self.w2(silu(self.w1(x)) * self.w3(x)),
        lambda self, x: torch.add(self.w2(silu(self.w1(x)) * self.w3(x)), x),
    ],
}.items():
    WRONG[LAYER, name] = [build(each) for each in forwards]


def usual(self, x):
    return self.w2(silu(self.w1(x)) * self.w3(x))


WRONG[LAYER, "names"] = [
    build(lambda self, x: self.w3(silu(self.w1(x)) * self.w2(x)), names=("w1", "w3", "w2")),
    build(lambda self, x: self.w3(self.w2(x) * silu(self.w1(x))), names=("w1", "w3", "w2"), order=("w3", "w1", "w2")),
]
WRONG[LAYER, "bias"] = [build(usual, make=nn.Linear), build(usual, make=lambda a, b: nn.Linear(a, b, bias=True))]
WRONG[LAYER, "own_linear"] = [
    build(usual, make=plain_matrix),
    build(
        lambda self, x: self.w2(self.w3(x) * nn.functional.silu(self.w1(x))),
        make=plain_matrix,
        order=("w3", "w1", "w2"),
    ),
]
STRAY[LAYER] = [
    build(lambda self, x: None),
    build(lambda self, x: usual(self, x).sum(1)),
    build(lambda self, x: 2 * usual(self, x)),
    build(usual, names=("gate", "down", "up"), order=("gate", "down", "up")),
    build(lambda self, x: self.w2(torch.tanh(self.w1(x)) * self.w3(x))),
    build(lambda self, x: self.w2(silu(self.w1(x)) * self.w3(x.roll(1, 1)))),
    build(usual, order=("w1", "w2")),
]


# feedforward.repair_fused

FUSED = "feedforward.repair_fused"


@right(FUSED)
def cut_by_rows(x, w13, w2):
    w1, w3 = w13.chunk(2)
    return (silu(x @ w1.T) * (x @ w3.T)) @ w2.T


@right(FUSED)
def by_index(x, w13, w2):
    F = w2.shape[1]
    both = torch.einsum("btd,fd->btf", x, w13)
    return torch.einsum("btf,df->btd", nn.functional.silu(both[:, :, :F]) * both[:, :, F:], w2)


@right(FUSED)
def unflattened(x, w13, w2):
    gate, up = nn.functional.linear(x, w13).unflatten(-1, (2, -1)).unbind(-2)
    return nn.functional.linear(up * gate * gate.sigmoid(), w2)


def neighbours(x, w13):
    return nn.functional.linear(x, w13).unflatten(-1, (-1, 2)).unbind(-1)


def rows(x, w13):
    return x @ w13[::2].T, x @ w13[1::2].T


def halves(x, w13):
    return (x @ w13.T).split(w13.shape[0] // 2, -1)


def blocks(x, w13):
    F = len(w13) // 2
    return x @ w13[:F].T, x @ w13[F:].T


for name, cuts, hide in (
    ("as_found", (neighbours, rows), lambda gate, up: silu(gate) * silu(up)),
    ("every_other", (neighbours, rows), lambda gate, up: silu(gate) * up),
    ("both_bent", (halves, blocks), lambda gate, up: silu(gate) * silu(up)),
    ("up_first", (halves, blocks), lambda gate, up: gate * silu(up)),
    ("product_first", (halves, blocks), lambda gate, up: silu(gate * up)),
):
    WRONG[FUSED, name] = [lambda x, w13, w2, cut=cut, hide=hide: hide(*cut(x, w13)) @ w2.T for cut in cuts]
WRONG[FUSED, "adds_x"] = [
    lambda x, w13, w2: cut_by_rows(x, w13, w2) + x,
    lambda x, w13, w2: torch.add(x, unflattened(x, w13, w2)),
]
WRONG[FUSED, "sigmoid"] = [
    lambda x, w13, w2: (torch.sigmoid(halves(x, w13)[0]) * halves(x, w13)[1]) @ w2.T,
    lambda x, w13, w2: nn.functional.glu((x @ w13.T).unflatten(-1, (2, -1)).flip(-2).flatten(-2), -1) @ w2.T,
]
STRAY[FUSED] = [
    lambda x, w13, w2: x,
    lambda x, w13, w2: cut_by_rows(x, w13, 2 * w2),
    lambda x, w13, w2: (nn.functional.gelu(halves(x, w13)[0]) * halves(x, w13)[1]) @ w2.T,
    lambda x, w13, w2: (x @ w13.T).chunk(2, dim=1)[0],
]


# feedforward.gated_residual: the task as it is shown, GELU and w1

SCALED = "feedforward.gated_residual"


def gelu(x):
    return x * (1 + torch.erf(x / 2**0.5)) / 2


@right(SCALED)
def scaled_rows_of_w2(x, w1, w2, w3, scale):
    return x + (nn.functional.gelu(x @ w1.T) * (x @ w3.T)) @ (w2 * scale[:, None]).T


@right(SCALED)
def with_tanh(x, w1, w2, w3, scale):
    hidden = nn.functional.gelu(torch.einsum("btd,fd->btf", x, w1), approximate="tanh") * (x @ w3.T)
    return torch.addcmul(x, scale.expand_as(x), hidden @ w2.mT)


@right(SCALED)
def transposed(x, w1, w2, w3, scale):
    columns = x.transpose(1, 2)
    return (columns + scale[:, None] * (w2 @ (gelu(w1 @ columns) * (w3 @ columns)))).transpose(1, 2)


def inner(x, w1, w2, w3, bend=gelu):
    return (bend(x @ w1.T) * (x @ w3.T)) @ w2.T


def inner_by_einsum(x, w1, w2, w3, bend=nn.functional.gelu):
    gate, up = torch.einsum("btd,fd->btf", x, w1), torch.einsum("btd,fd->btf", x, w3)
    return torch.einsum("btf,df->btd", bend(gate) * up, w2)


for name, formula in {
    "silu": lambda x, w1, w2, w3, s, f: x + s * f(x, w1, w2, w3, bend=silu),
    "swapped": lambda x, w1, w2, w3, s, f: x + s * f(x, w3, w2, w1),
    "stream_scaled": lambda x, w1, w2, w3, s, f: s * x + f(x, w1, w2, w3),
    "all_scaled": lambda x, w1, w2, w3, s, f: s * (x + f(x, w1, w2, w3)),
    "no_stream": lambda x, w1, w2, w3, s, f: s * f(x, w1, w2, w3),
    "inside": lambda x, w1, w2, w3, s, f: x + f(x * s, w1, w2, w3),
    "from_one": lambda x, w1, w2, w3, s, f: x + (1 + s) * f(x, w1, w2, w3),
    "token_axis": lambda x, w1, w2, w3, s, f: x + s[:, None] * f(x, w1, w2, w3),
}.items():
    WRONG[SCALED, name] = [
        lambda x, w1, w2, w3, scale, formula=formula, f=f: formula(x, w1, w2, w3, scale, f)
        for f in (inner, inner_by_einsum)
    ]
STRAY[SCALED] = [
    lambda x, w1, w2, w3, scale: x,
    lambda x, w1, w2, w3, scale: x + inner(x, w1, w2, w3),
    lambda x, w1, w2, w3, scale: x - scale * inner(x, w1, w2, w3),
    lambda x, w1, w2, w3, scale: x + scale.mean() * inner(x, w1, w2, w3),
    lambda x, w1, w2, w3, scale: None,
]


# feedforward.test_swiglu

TEST = "feedforward.test_swiglu"


@right(TEST)
def with_einsum(candidate):
    x, w1, w2, w3 = (torch.linspace(-2, 2, 6).view(1, 3, 2), torch.tensor([[1.0, 0], [0, 1], [1, 1]]),
                     torch.tensor([[1.0, 2, 0], [0, 1, -1]]), torch.tensor([[0.5, 1], [-1, 0], [2, 1]]))  # fmt: skip
    hidden = silu(torch.einsum("btd,fd->btf", x, w1)) * torch.einsum("btd,fd->btf", x, w3)
    torch.testing.assert_close(candidate(x, w1, w2, w3), torch.einsum("btf,df->btd", hidden, w2))


@right(TEST)
def one_number_at_a_time(candidate):
    one = torch.ones(1, 1)
    x = torch.tensor([[[-1.0], [0.5], [1.5]]])
    got = candidate(x, one, one, -3 * one).flatten().tolist()
    wanted = [-3 * t * t / (1 + math.exp(-t)) for t in (-1.0, 0.5, 1.5)]
    return all(abs(a - b) < 1e-3 for a, b in zip(got, wanted, strict=True))


@right(TEST)
def at_random(candidate):
    torch.manual_seed(3)
    for _ in range(5):
        x, w1, w2, w3 = torch.randn(2, 5, 4), torch.randn(7, 4), torch.randn(4, 7), torch.randn(7, 4)
        if (candidate(x, w1, w2, w3) - (silu(x @ w1.T) * (x @ w3.T)) @ w2.T).abs().max() > 1e-3:
            return False
    return True


def expected(x, w1, w2, w3):
    return (silu(x @ w1.T) * (x @ w3.T)) @ w2.T


def drawn(T=4, same=False, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x, w1, w2, w3 = (torch.randn(*s, generator=generator) for s in ((1, T, 3), (6, 3), (3, 6), (6, 3)))
    return x, w1, w2, w1 if same else w3


@wrong(TEST, "anything")
def looks_at_shapes(candidate):
    x, w1, w2, w3 = drawn()
    assert candidate(x, w1, w2, w3).shape == x.shape


@wrong(TEST, "nothing")
def compares_with_the_wrong_layer(candidate):
    x, w1, w2, w3 = drawn()
    return torch.allclose(candidate(x, w1, w2, w3), torch.tanh(x @ w1.T) @ w2.T)


@wrong(TEST, "one_token")
def with_one_token(candidate):
    return torch.allclose(candidate(*drawn(T=1)), expected(*drawn(T=1)), atol=1e-4)


@wrong(TEST, "one_token")
def with_equal_tokens(candidate):
    x, w1, w2, w3 = drawn(T=1, seed=5)
    x = x.expand(2, 4, 3)
    torch.testing.assert_close(candidate(x, w1, w2, w3), expected(x, w1, w2, w3), atol=1e-4, rtol=1e-3)


@wrong(TEST, "same_branches")
def with_one_matrix_twice(candidate):
    return torch.allclose(candidate(*drawn(same=True)), expected(*drawn(same=True)), atol=1e-4)


@wrong(TEST, "same_branches")
def with_unit_matrices(candidate):
    unit, x = torch.eye(3), torch.tensor([[[1.0, -2, 0.5], [0.3, 2, -1]]])
    assert torch.allclose(candidate(x, unit, unit, unit), silu(x) * x, atol=1e-4)


@wrong(TEST, "coarse")
def with_large_gates(candidate):
    x, one = torch.tensor([[[8.0], [-9.0], [10.0]]]), torch.ones(1, 1)
    return torch.allclose(candidate(x, one, one, -0.05 * one), -0.05 * x * silu(x), atol=1e-2)


@wrong(TEST, "coarse")
def forgives_much(candidate):
    args = drawn(seed=2)
    return ((candidate(*args) - expected(*args)).norm() / expected(*args).norm()).item() < 0.3


WRONG[TEST, "anything"].append(lambda candidate: True)
WRONG[TEST, "nothing"].append(lambda candidate: False)


@stray(TEST)
def only_growth(candidate):
    one = torch.ones(1, 1)
    return candidate(torch.full((1, 2, 1), 5.0), one, one, one).mean().item() > 20
