"""Answers to lesson 03's tasks in unusual spellings, right ones and wrong ones, written apart from the records.

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


# norm.by_hand

HAND = {"root mean square": 5, "normed": [0.2, -2.8, 1, 1], "ten times": 0.2, "tiny": 0.6, "roots": 10}
RIGHT["norm.by_hand"] = [
    HAND,
    HAND | {"normed": torch.tensor([0.2, -2.8, 1.0, 1.0]), "root mean square": math.sqrt(25)},
    HAND | {"normed": np.array([1, -14, 5, 5]) / 5, "roots": np.int64(10), "tiny": torch.tensor(0.6)},
]
for name, by_hand in {
    "sum": [{"root mean square": 10}, {"normed": [0.1, -1.4, 0.5, 0.5]}],
    "no_root": [{"root mean square": 25}, {"normed": np.array([1, -14, 5, 5]) / 25}],
    "eps_outside": [{"tiny": 0.949}, {"tiny": 0.03 / (0.03 + 0.0016)}],
    "no_eps": [{"tiny": 1}, {"tiny": 0.03 / 0.03}],
    "no_weight": [{"normed": [0.2, -1.4, 1, 1]}, {"normed": torch.tensor([1.0, -7, 5, 5]) / 5}],
    "centred": [{"root mean square": 4.9}, {"normed": [0, -3.266, 0.816, 0.816]}],
    "over_sequence": [{"roots": 16}, {"roots": 2 * 8}],
    "whole": [{"roots": 1}, {"roots": 1.0}],
    "each_number": [{"roots": 80}, {"roots": 2 * 5 * 8}],
    "each_sentence": [{"roots": 2}, {"roots": 2.0}],
    "square_of_mean": [{"root mean square": 1}, {"normed": [1, -14, 5, 5]}],
    "grows": [{"ten times": 2}, {"ten times": 10 / 5}],
}.items():
    WRONG["norm.by_hand", name] = [HAND | each for each in by_hand]
STRAY["norm.by_hand"] = [HAND | {"roots": 7}, HAND | {"tiny": 0.03}, HAND | {"root mean square": "five"}]


# norm.rms_norm

NORM = "norm.rms_norm"


@right(NORM)
def in_numpy(x, weight, eps):
    wide = x.numpy().astype(np.float64)
    normed = wide / np.sqrt(np.mean(wide**2, axis=2, keepdims=True) + eps)
    return normed.astype(x.numpy().dtype) * weight.numpy()


@right(NORM)
def token_by_token(x, weight, eps):
    out = torch.empty_like(x)
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            vector = x[b, t].double()
            out[b, t] = (vector / math.sqrt((vector @ vector).item() / len(vector) + eps)).to(x.dtype) * weight
    return out


@right(NORM)
def by_its_length(x, weight, eps):
    D = x.shape[-1]
    length = torch.linalg.vector_norm(x.float(), dim=-1)
    root = (length * length / D + eps) ** 0.5
    return weight * torch.einsum("btd,bt->btd", x.float(), 1 / root).type_as(x)


@right(NORM)
def one_line(x, weight, eps):
    return weight * (x.double() * (x.double().square().sum(2, True) / x.size(2) + eps).pow(-0.5)).to(x.dtype)


@right(NORM)
def with_var_and_mean(x, weight, eps):
    variance, mean = torch.var_mean(x.double(), dim=-1, correction=0, keepdim=True)
    return (x.double() / torch.sqrt(variance + mean**2 + eps)).to(x.dtype) * weight


def scaled(x, weight, factor):
    """x times a factor for each token, back in the dtype of x, times the weight."""
    return (x.float() * factor).to(x.dtype) * weight


@wrong(NORM, "sum")
def unit_length(x, weight, eps):
    return scaled(x, weight, (x.float().square().sum(-1, keepdim=True) + eps) ** -0.5)


@wrong(NORM, "sum")
def sum_in_loops(x, weight, eps):
    rows = [[sum(v * v for v in token) for token in sentence] for sentence in x.double().tolist()]
    return scaled(x, weight, 1 / torch.tensor(rows)[..., None].add(eps).sqrt())


@wrong(NORM, "no_root")
def by_the_mean_square(x, weight, eps):
    return (x.float() / ((x.float() ** 2).mean(-1, True) + eps)).to(x.dtype) * weight


@wrong(NORM, "no_root")
def by_reciprocal(x, weight, eps):
    return scaled(x, weight, torch.reciprocal(x.double().pow(2).mean(2, keepdim=True) + eps).float())


@wrong(NORM, "eps_outside")
def root_plus_eps(x, weight, eps):
    return (x.float() / (x.float().pow(2).mean(-1, keepdim=True).sqrt() + eps)).to(x.dtype) * weight


@wrong(NORM, "eps_outside")
def length_plus_eps(x, weight, eps):
    length = torch.linalg.vector_norm(x.double(), dim=-1, keepdim=True) / math.sqrt(x.shape[-1])
    return (x.double() / (eps + length)).to(x.dtype) * weight


@wrong(NORM, "no_eps")
def forgotten(x, weight, eps):
    return scaled(x, weight, torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True)))


@wrong(NORM, "no_eps")
def forgotten_in_numpy(x, weight, eps):
    wide = x.numpy().astype(np.float64)
    with np.errstate(invalid="ignore"):
        normed = wide / np.sqrt(np.mean(wide**2, -1, keepdims=True))
    return torch.from_numpy(normed).to(x.dtype) * weight


@wrong(NORM, "no_weight")
def unweighted(x, weight, eps):
    return scaled(x, 1, torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + eps))


@wrong(NORM, "no_weight")
def weight_of_ones(x, weight, eps):
    return one_line(x, torch.ones_like(weight), eps)


@wrong(NORM, "over_sequence")
def down_the_tokens(x, weight, eps):
    return scaled(x, weight, torch.rsqrt(x.float().pow(2).mean(1, keepdim=True) + eps))


@wrong(NORM, "over_sequence")
def transposed(x, weight, eps):
    return one_line(x.transpose(1, 2), torch.ones(x.shape[1], dtype=x.dtype), eps).transpose(1, 2) * weight


@wrong(NORM, "whole")
def no_axis(x, weight, eps):
    return scaled(x, weight, torch.rsqrt(x.float().pow(2).mean() + eps))


@wrong(NORM, "whole")
def flattened(x, weight, eps):
    flat = x.double().flatten()
    return (x.double() / math.sqrt((flat @ flat).item() / flat.numel() + eps)).to(x.dtype) * weight


@wrong(NORM, "square_of_mean")
def mean_then_square(x, weight, eps):
    return scaled(x, weight, torch.rsqrt(x.float().mean(-1, keepdim=True).pow(2) + eps))


@wrong(NORM, "square_of_mean")
def mean_then_square_in_float64(x, weight, eps):
    mean = x.double().sum(-1, keepdim=True) / x.shape[-1]
    return (x.double() / (mean * mean + eps).sqrt()).to(x.dtype) * weight


@wrong(NORM, "std")
def torch_std(x, weight, eps):
    return (x.float() / (x.float().std(-1, keepdim=True) + eps)).to(x.dtype) * weight


@wrong(NORM, "std")
def torch_var(x, weight, eps):
    return scaled(x, weight, torch.rsqrt(x.float().var(-1, keepdim=True) + eps))


@wrong(NORM, "std")
def numpy_std(x, weight, eps):
    wide = x.numpy().astype(np.float32)
    return torch.from_numpy(wide / (wide.std(-1, keepdims=True) + 1e-12)).to(x.dtype) * weight


@wrong(NORM, "centred")
def layer_norm(x, weight, eps):
    return nn.functional.layer_norm(x.float(), x.shape[-1:], eps=eps).to(x.dtype) * weight


@wrong(NORM, "centred")
def centred_numerator(x, weight, eps):
    left = x.float() - x.float().mean(-1, keepdim=True)
    return (left * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype) * weight


@wrong(NORM, "centred")
def centred_and_std(x, weight, eps):
    left = x.double() - x.double().mean(-1, keepdim=True)
    return (left / (x.double().std(-1, keepdim=True) + eps)).to(x.dtype) * weight


@wrong(NORM, "no_keepdim")
def no_axis_kept(x, weight, eps):
    return scaled(x, weight, torch.rsqrt(x.float().pow(2).mean(-1) + eps))


@wrong(NORM, "no_keepdim")
def no_axis_kept_divided(x, weight, eps):
    return (x.double() / torch.sqrt((x.double() ** 2).sum(2) / x.shape[2] + eps)).to(x.dtype) * weight


@wrong(NORM, "upside_down")
def times_root(x, weight, eps):
    return scaled(x, weight, torch.sqrt(x.float().pow(2).mean(-1, keepdim=True) + eps))


@wrong(NORM, "upside_down")
def over_rsqrt(x, weight, eps):
    return (x.double() / torch.rsqrt(x.double().pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype) * weight


@wrong(NORM, "weight_first")
def cast_last(x, weight, eps):
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps) * weight).to(x.dtype)


@wrong(NORM, "weight_first")
def weighted_vector(x, weight, eps):
    wide = x.double()
    return (weight.double() * wide / (wide.square().sum(-1, keepdim=True) / x.shape[-1] + eps).sqrt()).type_as(x)


@wrong(NORM, "weight_first")
def never_cast(x, weight, eps):
    wide = x.float()
    return wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps) * weight


@wrong(NORM, "weight_first")
def float64_to_the_end(x, weight, eps):
    return weight * x.double() / torch.sqrt(x.double().pow(2).mean(-1, keepdim=True) + eps)


@wrong(NORM, "in_16_bits")
def never_float(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


@wrong(NORM, "in_16_bits")
def never_float_divided(x, weight, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


@wrong(NORM, "in_16_bits")
def root_in_16_bits(x, weight, eps):
    root = torch.sqrt(x.float().pow(2).mean(-1, keepdim=True) + eps).to(x.dtype)
    return x / root * weight


@wrong(NORM, "in_16_bits")
def float_after_the_square(x, weight, eps):
    return scaled(x, weight, torch.rsqrt(x.pow(2).float().mean(-1, keepdim=True) + eps))


STRAY[NORM] = [
    lambda x, weight, eps: x,
    lambda x, weight, eps: x * weight,
    lambda x, weight, eps: -one_line(x, weight, eps),
    lambda x, weight, eps: one_line(x, weight, eps) + eps * 100,
    lambda x, weight, eps: one_line(x, weight, 1e-3),
    lambda x, weight, eps: one_line(x, 1 + weight, eps),
    lambda x, weight, eps: one_line(x, weight, eps).flip(1),
    lambda x, weight, eps: one_line(x, weight, eps).mean(-1),
    lambda x, weight, eps: (x.float() / (x.float().abs().mean(-1, keepdim=True) + eps)).to(x.dtype) * weight,
    lambda x, weight, eps: (x.float() / (x.float().abs().amax(-1, keepdim=True) + eps)).to(x.dtype) * weight,
    lambda x, weight, eps: None,
    lambda x, weight, eps: "normed",
]


# norm.RMSNorm

MODULE = "norm.RMSNorm"


class Base(nn.Module):
    """What the spellings below have in common: `size` and `eps`."""

    def __init__(self, dim, eps=1e-5):
        super().__init__()
        self.size, self.small = dim, eps

    def norm(self, x, weight):
        return one_line(x, weight, self.small)


@right(MODULE)
class Registered(Base):
    def __init__(self, dim, eps=1e-5):
        super().__init__(dim, eps)
        self.register_parameter("weight", nn.Parameter(torch.full((dim,), 1.0)))

    def forward(self, x):
        return self.norm(x, self.weight)


@right(MODULE)
class WholeInForward(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim))
        nn.init.ones_(self.weight)
        self.numbers = {"eps": eps}

    def forward(self, x):
        root = (x**2).mean(-1, keepdim=True).add(self.numbers["eps"]).sqrt()
        return x / root * self.weight


@right(MODULE)
class Called(nn.Module):
    def __init__(self, *sizes):
        nn.Module.__init__(self)
        dim, self.eps = sizes
        self.weight = nn.Parameter(torch.tensor([1.0] * dim))

    def __call__(self, x):
        return token_by_token(x, self.weight, self.eps)


@wrong(MODULE, "zeros")
class FromZeros(Base):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.weight = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return self.norm(x, self.weight)


@wrong(MODULE, "zeros")
class ZeroedLater(Registered):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        nn.init.zeros_(self.weight)


@wrong(MODULE, "fixed_eps")
class OwnEps(Registered):
    def __init__(self, dim, eps):
        super().__init__(dim)


@wrong(MODULE, "fixed_eps")
class EpsInForward(Registered):
    def forward(self, x):
        return one_line(x, self.weight, 1e-6)


@wrong(MODULE, "unused")
class NotUsed(Registered):
    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.small)


@wrong(MODULE, "unused")
class FreshOnes(Registered):
    def forward(self, x):
        return self.norm(x, torch.ones(self.size))


@wrong(MODULE, "plain_tensor")
class PlainTensor(Base):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.weight = torch.ones(dim)

    def forward(self, x):
        return self.norm(x, self.weight)


@wrong(MODULE, "plain_tensor")
class Buffer(Base):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.register_buffer("weight", torch.ones(dim))

    def forward(self, x):
        return self.norm(x, self.weight)


@wrong(MODULE, "bias")
class WithBias(Registered):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return self.norm(x, self.weight) + self.bias


@wrong(MODULE, "bias")
class WithShift(Registered):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.shift = nn.Parameter(torch.zeros(1))


@wrong(MODULE, "one_weight")
class OneNumber(Base):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.norm(x, self.weight)


@wrong(MODULE, "one_weight")
class NoAxis(OneNumber):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.weight = nn.Parameter(torch.tensor(1.0))


@wrong(MODULE, "other_name")
class Gain(Base):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.gain = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return self.norm(x, self.gain)


@wrong(MODULE, "other_name")
class Plural(Base):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        self.weights = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.small) * self.weights


class Doubled(Registered):
    def forward(self, x):
        return 2 * super().forward(x)


class Silent(Registered):
    def forward(self, x):
        self.norm(x, self.weight)


class Random(Registered):
    def __init__(self, dim, eps):
        super().__init__(dim, eps)
        nn.init.normal_(self.weight)


STRAY[MODULE] = [Doubled, Silent, Random, lambda dim, eps: nn.LayerNorm(dim, eps, elementwise_affine=True, bias=False)]


# norm.savings

SAVINGS = "norm.savings"
RIGHT[SAVINGS] = [
    lambda dim, n_layers: (dim * (2 * n_layers + 1), 3 * dim * (2 * n_layers + 1)),
    lambda dim, n_layers: [sum(dim for _ in range(2 * n_layers + 1)), dim * 3 + dim * n_layers * 6],
    lambda dim, n_layers: np.array([1, 3]) * dim * (1 + 2 * n_layers),
    lambda dim, n_layers: torch.tensor([dim, 3 * dim]) * (n_layers + n_layers + 1),
]
for name, spelled in {
    "no_final": lambda dim, n: (2 * n * dim, 6 * n * dim),
    "one_a_layer": lambda dim, n: ((n + 1) * dim, 3 * (n + 1) * dim),
    "one_norm": lambda dim, n: (dim, 3 * dim),
    "bias_as_one": lambda dim, n: (2 * n + 1, 3 * dim * (2 * n + 1)),
    "weight_too": lambda dim, n: (2 * dim * (2 * n + 1), 3 * dim * (2 * n + 1)),
    "two_passes": lambda dim, n: (dim * (2 * n + 1), 2 * dim * (2 * n + 1)),
    "exchanged": lambda dim, n: (3 * dim * (2 * n + 1), dim * (2 * n + 1)),
    "one_pass": lambda dim, n: (dim * (2 * n + 1), dim * (2 * n + 1)),
}.items():
    WRONG[SAVINGS, name] = [
        lambda dim, n_layers, spelled=spelled: spelled(dim, n_layers),
        lambda dim, n_layers, spelled=spelled: torch.tensor(spelled(dim, n_layers)),
    ]
STRAY[SAVINGS] = [
    lambda dim, n_layers: dim * (2 * n_layers + 1),
    lambda dim, n_layers: (dim, n_layers),
    lambda dim, n_layers: (0, 0),
]


# norm.name_the_bug

SEARCH = "norm.name_the_bug"


@right(SEARCH)
def one_vector_with_assertions(suspect):
    x = torch.tensor([[[1.0, 3.0]], [[0.0, 0.0]]])
    if torch.allclose(suspect(x, torch.ones(2), 0.0)[0, 0], torch.tensor([1.0, 3.0]) / 10**0.5, atol=1e-3):
        return "sum"
    two = torch.tensor([[[1.0, 3.0], [3.0, 1.0], [10.0, 10.0]]])
    out = suspect(two, torch.ones(2), 0.0)
    if abs(out[0, 0, 0].item() - suspect(two[:, :1], torch.ones(2), 0.0)[0, 0, 0].item()) > 1e-3:
        return "sequence"
    if abs(out[0, 0].sum().item()) < 1e-4:
        return "mean"
    if not torch.allclose(suspect(two, torch.tensor([5.0, 7.0]), 0.0), out * torch.tensor([5.0, 7.0]), atol=1e-3):
        return "weight"
    big_eps = suspect(torch.tensor([[[1.0, 1.0]]]), torch.ones(2), 3.0)
    return "right" if torch.allclose(big_eps, torch.full((1, 1, 2), 0.5), atol=1e-3) else "eps"


def by_models(suspect, x, weight, eps, words):
    """The first word whose model gives what the suspect gives."""

    def model(word):
        y = x - x.mean(-1, keepdim=True) if word == "mean" else x
        total = (y**2).sum(-1, keepdim=True) / (1 if word == "sum" else y.shape[-1])
        total = (y**2).mean(1, keepdim=True) if word == "sequence" else total
        root = total.sqrt() + eps if word == "eps" else (total + eps).sqrt()
        return y / root * (1 if word == "weight" else weight)

    return next((word for word in words if torch.allclose(suspect(x, weight, eps), model(word), atol=1e-3)), "right")


WORDS = ("sequence", "sum", "mean", "eps", "weight", "right")


@right(SEARCH)
def all_models_at_once(suspect):
    torch.manual_seed(1)
    return by_models(suspect, torch.randn(2, 3, 5) + 1, torch.arange(1.0, 6.0), 0.7, WORDS)


@right(SEARCH)
def in_small_steps(suspect):
    def f(numbers, weight=None, eps=0.0):
        x = torch.tensor([numbers])
        return suspect(x, torch.ones(x.shape[-1]) if weight is None else torch.tensor(weight), eps)[0]

    alone = f([[2.0, 2.0]])
    found = {
        "sequence": not torch.allclose(f([[2.0, 2.0], [9.0, 9.0]])[0], torch.ones(2), atol=1e-2)
        and torch.allclose(alone, torch.ones(1, 2), atol=1e-2),
        "mean": not torch.isfinite(alone).all() or alone.abs().max().item() < 1e-3,
        "sum": torch.allclose(alone, torch.full((1, 2), 0.5**0.5), atol=1e-3),
        "weight": f([[2.0, -2.0]], [3.0, 3.0]).abs().max().item() < 1.5,
        "eps": abs(f([[1e-3, -1e-3]], eps=1e-2)[0, 0].item()) > 0.02,
    }
    return next((word for word in ("mean", "sum", "weight", "sequence", "eps") if found[word]), "right")


WRONG[SEARCH, "says_right"] = [lambda suspect: "right", lambda suspect: by_models(suspect, torch.ones(1), 1, 1, ())]
ORDER = ("sequence", "sum", "right", "eps", "mean", "weight")
for name, x, weight, eps in (
    ("blind_to_eps", torch.arange(30.0).view(2, 3, 5).sin() + 1, torch.arange(1.0, 6.0), 1e-5),
    ("blind_to_mean", torch.tensor([[[4.0, -4, 1, -1], [2, 3, -3, -2]]]), torch.arange(1.0, 5.0), 0.5),
    ("blind_to_weight", torch.arange(30.0).view(2, 3, 5).sin() + 1, torch.ones(5), 0.7),
):
    WRONG[SEARCH, name] = [
        lambda suspect, x=x, weight=weight, eps=eps: by_models(suspect, x, weight, eps, ORDER),
        lambda suspect, name=name: (
            "right" if all_models_at_once(suspect) == name.removeprefix("blind_to_") else in_small_steps(suspect)
        ),
    ]
STRAY[SEARCH] = [
    lambda suspect: "sum",
    lambda suspect: True,
    lambda suspect: None,
    lambda suspect: "eps_outside" if all_models_at_once(suspect) == "eps" else all_models_at_once(suspect),
    lambda suspect: {"sum": "mean", "mean": "sum"}.get(all_models_at_once(suspect), all_models_at_once(suspect)),
    lambda suspect: suspect(torch.ones(2, 3), torch.ones(4), 0.0),
]


# norm.qk_norm

HEADS = "norm.qk_norm"


@right(HEADS)
def as_one_norm_each(q, k, q_weight, k_weight, eps):
    return one_line_4d(q, q_weight, eps), one_line_4d(k, k_weight, eps)


def one_line_4d(x, weight, eps, dim=-1):
    return x / (x.square().mean(dim, keepdim=True) + eps).sqrt() * weight


@right(HEADS)
def head_by_head(q, k, q_weight, k_weight, eps):
    def each(x, weight):
        return torch.stack([one_line(x[:, :, h], weight, eps) for h in range(x.shape[2])], 2)

    return [each(q, q_weight), each(k, k_weight)]


@right(HEADS)
def flattened_heads(q, k, q_weight, k_weight, eps):
    return tuple(
        one_line(x.reshape(1, -1, x.shape[-1]), weight, eps).reshape(x.shape)
        for x, weight in ((q, q_weight), (k, k_weight))
    )


def with_options(q, k, q_weight, k_weight, eps, dim=-1, keys=True, same=False, plus=0.0, total=False, outside=False):
    def one(x, weight):
        squares = x.pow(2)
        size = squares.sum(dim, keepdim=True) if total else squares.mean(dim, keepdim=True)
        return x / (size.sqrt() + eps if outside else torch.sqrt(size + eps)) * (weight + plus)

    return one(q, q_weight), one(k, q_weight if same else k_weight) if keys else k


def in_einsum(q, k, q_weight, k_weight, eps, dim=-1, keys=True, same=False, plus=0.0, total=False, outside=False):
    def one(x, weight):
        axes = [a % 4 for a in (dim if isinstance(dim, tuple) else (dim,))]
        count = 1 if total else math.prod(x.shape[a] for a in axes)
        size = x.double().numpy().__pow__(2).sum(axis=tuple(axes), keepdims=True) / count
        root = np.sqrt(size) + eps if outside else np.sqrt(size + eps)
        return torch.einsum("bthk,k->bthk", x.double() / torch.from_numpy(root), weight.double() + plus).float()

    return one(q, q_weight), one(k, q_weight if same else k_weight) if keys else k.clone()


for name, options in {
    "other_span": {"dim": (-2, -1)},
    "over_heads": {"dim": 2},
    "over_time": {"dim": 1},
    "sum": {"total": True},
    "one_weight": {"same": True},
    "queries_only": {"keys": False},
    "other_gain": {"plus": 1.0},
    "eps_outside": {"outside": True},
}.items():
    WRONG[HEADS, name] = [
        lambda q, k, qw, kw, eps, how=how, options=options: how(q, k, qw, kw, eps, **options)
        for how in (with_options, in_einsum)
    ]
for name, change in {
    "no_weight": lambda how, q, k, qw, kw, eps: how(q, k, torch.ones_like(qw), torch.ones_like(kw), eps),
    "exchanged_weights": lambda how, q, k, qw, kw, eps: how(q, k, kw, qw, eps),
    "keys_first": lambda how, q, k, qw, kw, eps: how(q, k, qw, kw, eps)[::-1],
    "fixed_eps": lambda how, q, k, qw, kw, eps: how(q, k, qw, kw, 1e-5),
}.items():
    WRONG[HEADS, name] = [
        lambda q, k, qw, kw, eps, how=how, change=change: change(how, q, k, qw, kw, eps)
        for how in (with_options, in_einsum)
    ]
STRAY[HEADS] = [
    lambda q, k, qw, kw, eps: (q, k),
    lambda q, k, qw, kw, eps: with_options(q, k, qw, kw, eps)[0],
    lambda q, k, qw, kw, eps: with_options(q, k, qw, kw, eps, dim=(1, 2, 3)),
    lambda q, k, qw, kw, eps: with_options(q, k, qw, kw, 0.01),
    lambda q, k, qw, kw, eps: with_options(q - q.mean(-1, keepdim=True), k, qw, kw, eps),
]
