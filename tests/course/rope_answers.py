"""Answers to lesson 04's tasks in unusual spellings, right ones and wrong ones, written apart from the records.

RIGHT: task -> spellings that must pass. WRONG: (task, misconception) -> spellings that must fail and be named so.
STRAY: task -> wrong answers that no misconception describes: they must fail and be named nothing.
"""

import cmath
import math

import numpy as np
import torch

from minillama.rope import apply_rope, permute_hf_to_meta, permute_meta_to_hf, rope_frequencies

RIGHT, WRONG, STRAY = {}, {}, {}


def right(task):
    return lambda function: RIGHT.setdefault(task, []).append(function) or function


def wrong(task, name):
    return lambda function: WRONG.setdefault((task, name), []).append(function) or function


def stray(task):
    return lambda function: STRAY.setdefault(task, []).append(function) or function


# rope.turn_by_hand

HAND = {"frequencies": (1, 0.1), "angle": 0.5, "turned": (0.4, 2.2), "partner": 5}
RIGHT["rope.turn_by_hand"] = [
    HAND,
    HAND | {"frequencies": np.array([1.0, 0.1]), "angle": 1 / 2},
    HAND | {"turned": torch.tensor([0.4, 2.2]), "partner": np.int64(5)},
    {"partner": 5.0, "turned": [0.4, 2.2], "angle": 0.5, "frequencies": [torch.tensor(1.0), torch.tensor(0.1)]},
]
for name, by_hand in {
    "half_exponent": [{"frequencies": [1, 0.316]}, {"frequencies": np.array([1, 100 ** (-1 / 4)])}],
    "inverse_theta": [{"frequencies": [1, 10]}, {"angle": 50}],
    "from_one": [{"angle": 0.6}, {"angle": 6 * 0.1}],
    "clockwise": [{"turned": [2, -1]}, {"turned": torch.tensor([2.0, -1.0])}],
    "overwritten": [{"turned": [0.4, 0.92]}, {"turned": (0.4, 0.4 * 0.8 + 1 * 0.6)}],
    "halves": [{"partner": 0}, {"partner": 4 - 8 // 2}],
}.items():
    WRONG["rope.turn_by_hand", name] = [HAND | each for each in by_hand]
STRAY["rope.turn_by_hand"] = [HAND | {"angle": 1.7}, HAND | {"partner": 3}, HAND | {"turned": "up"}]


# rope.rope_frequencies


def stretched(speeds, theta, K, scaling):
    """The factor that speeds are divided by; theta has been changed before."""
    return speeds if scaling is None or scaling.kind == "ntk" else [s / scaling.factor for s in speeds]


def base(theta, K, scaling):
    return theta * scaling.factor ** (K / (K - 2)) if scaling is not None and scaling.kind == "ntk" else theta


def table(K, T, theta, scaling, exponent=lambda i, K: -2 * i / K, first=0, cast=lambda a: a):
    """Tables in NumPy, with the places to go wrong as arguments."""
    speeds = stretched([base(theta, K, scaling) ** exponent(i, K) for i in range(K // 2)], theta, K, scaling)
    angles = cast(np.arange(first, first + T)[:, None] * np.array(speeds))
    return np.cos(angles), np.sin(angles)


@right("rope.rope_frequencies")
def with_numpy(K, T, theta=10_000.0, scaling=None):
    return table(K, T, theta, scaling)


@right("rope.rope_frequencies")
def with_loops(K, T, theta=10_000.0, scaling=None):
    speeds = stretched([base(theta, K, scaling) ** -(2 * i / K) for i in range(K // 2)], theta, K, scaling)
    cos = torch.tensor([[math.cos(t * s) for s in speeds] for t in range(T)])
    sin = torch.tensor([[math.sin(t * s) for s in speeds] for t in range(T)])
    return [cos, sin]


@right("rope.rope_frequencies")
def with_complex_numbers(K, T, theta=10_000.0, scaling=None):
    speeds = torch.exp(-torch.arange(K // 2, dtype=torch.float64) * 2 / K * math.log(base(theta, K, scaling)))
    speeds = torch.tensor(stretched(speeds.tolist(), theta, K, scaling), dtype=torch.float64)
    turns = torch.polar(torch.ones(T, K // 2, dtype=torch.float64), torch.arange(T).double()[:, None] * speeds)
    return turns.real, turns.imag


@right("rope.rope_frequencies")
def in_float32_and_stacked(K, T, theta=10_000.0, scaling=None):
    speeds = 1.0 / base(theta, K, scaling) ** (torch.arange(0, K, 2).float() / K)
    speeds = torch.tensor(stretched(speeds.tolist(), theta, K, scaling))
    angles = torch.einsum("t,i->ti", torch.arange(T).float(), speeds)
    return torch.stack((angles.cos(), angles.sin()))


FREQUENCIES = "rope.rope_frequencies"
for name, options in {
    "half_exponent": {"exponent": lambda i, K: -i / K},
    "inverse_theta": {"exponent": lambda i, K: 2 * i / K},
    "from_one": {"first": 1},
}.items():
    WRONG[FREQUENCIES, name] = [
        lambda K, T, theta=1e4, scaling=None, options=options: table(K, T, theta, scaling, **options)
    ]


@wrong(FREQUENCIES, "half_exponent")
def ranges_over_pairs(K, T, theta=1e4, scaling=None):
    speeds = base(theta, K, scaling) ** -(torch.arange(K // 2).double() / K)
    speeds = torch.tensor(stretched(speeds.tolist(), theta, K, scaling)).double()
    angles = torch.arange(T).double().outer(speeds)
    return angles.cos(), angles.sin()


@wrong(FREQUENCIES, "inverse_theta")
def divides_by_a_negative_power(K, T, theta=1e4, scaling=None):
    speeds = 1 / base(theta, K, scaling) ** (-torch.arange(0, K, 2).double() / K)
    speeds = torch.tensor(stretched(speeds.tolist(), theta, K, scaling)).double()
    angles = torch.arange(T).double().outer(speeds)
    return angles.cos(), angles.sin()


@wrong(FREQUENCIES, "from_one")
def drops_the_first_row(K, T, theta=1e4, scaling=None):
    cos, sin = rope_frequencies(K, T + 1, theta, scaling)
    return cos[1:], sin[1:]


@wrong(FREQUENCIES, "model_dim")
def eight_heads(K, T, theta=1e4, scaling=None):
    return table(K, T, theta, scaling, exponent=lambda i, K: -2 * i / (8 * K))


@wrong(FREQUENCIES, "model_dim")
def dim_256(K, T, theta=1e4, scaling=None):
    speeds = base(theta, K, scaling) ** (-torch.arange(0, K, 2).float() / 256)
    speeds = torch.tensor(stretched(speeds.tolist(), theta, K, scaling))
    angles = torch.outer(torch.arange(T).float(), speeds)
    return angles.cos(), angles.sin()


@wrong(FREQUENCIES, "half_precision")
def float16_everywhere(K, T, theta=1e4, scaling=None):
    speeds = base(theta, K, scaling) ** (-torch.arange(0, K, 2).float() / K)
    speeds = torch.tensor(stretched(speeds.tolist(), theta, K, scaling)).half()
    angles = torch.outer(torch.arange(T).half(), speeds)
    return angles.cos(), angles.sin()


@wrong(FREQUENCIES, "half_precision")
def bfloat16_angles(K, T, theta=1e4, scaling=None):
    return table(K, T, theta, scaling, cast=lambda a: torch.tensor(a).bfloat16().double().numpy())


@wrong(FREQUENCIES, "half_precision")
def float16_in_numpy(K, T, theta=1e4, scaling=None):
    return table(K, T, theta, scaling, cast=lambda a: a.astype(np.float16).astype(np.float32))


@wrong(FREQUENCIES, "swapped")
def sine_first(K, T, theta=1e4, scaling=None):
    return rope_frequencies(K, T, theta, scaling)[::-1]


@wrong(FREQUENCIES, "swapped")
def quarter_turn(K, T, theta=1e4, scaling=None):
    cos, sin = table(K, T, theta, scaling)
    return sin, cos


@wrong(FREQUENCIES, "faster")
def multiplies(K, T, theta=1e4, scaling=None):
    factor = scaling.factor if scaling is not None and scaling.kind != "ntk" else 1.0
    angles = np.arange(T)[:, None] * np.array([base(theta, K, scaling) ** (-2 * i / K) for i in range(K // 2)]) * factor
    return np.cos(angles), np.sin(angles)


@wrong(FREQUENCIES, "faster")
def divides_twice_inverted(K, T, theta=1e4, scaling=None):
    stretch = 1 if scaling is None or scaling.kind == "ntk" else 1 / scaling.factor
    speeds = base(theta, K, scaling) ** (-torch.arange(0, K, 2).double() / K) / stretch
    angles = torch.arange(T).double().outer(speeds)
    return angles.cos(), angles.sin()


STRAY[FREQUENCIES] = [
    lambda K, T, theta=1e4, scaling=None: rope_frequencies(K, T, theta * 1.05, scaling),
    lambda K, T, theta=1e4, scaling=None: rope_frequencies(K, T, 5000.0, scaling),
    lambda K, T, theta=1e4, scaling=None: rope_frequencies(K, T, theta),
    lambda K, T, theta=1e4, scaling=None: rope_frequencies(K, T, theta, scaling)[0],
    lambda K, T, theta=1e4, scaling=None: [x.T for x in rope_frequencies(K, T, theta, scaling)],
    lambda K, T, theta=1e4, scaling=None: table(K, T, theta, scaling, exponent=lambda i, K: -3 * i / K),
]


# rope.apply_rope

APPLY = "rope.apply_rope"


@right(APPLY)
def as_complex_numbers(x, cos, sin):
    numbers = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(numbers * torch.complex(cos, sin)[:, None]).flatten(-2).type_as(x)


@right(APPLY)
def as_loops_over_positions(x, cos, sin):
    out = torch.zeros_like(x, dtype=torch.float64)
    for t in range(x.shape[1]):
        for i in range(x.shape[3] // 2):
            a, b = x[:, t, :, 2 * i].double(), x[:, t, :, 2 * i + 1].double()
            out[:, t, :, 2 * i] = a * cos[t, i] - b * sin[t, i]
            out[:, t, :, 2 * i + 1] = b * cos[t, i] + a * sin[t, i]
    return out.to(x.dtype)


@right(APPLY)
def as_matrices(x, cos, sin):
    turns = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), -2)  # (T, K/2, 2, 2)
    return torch.einsum("tirc,bthic->bthir", turns, x.float().unflatten(-1, (-1, 2))).flatten(-2).to(x.dtype)


@right(APPLY)
def with_a_partner_vector(x, cos, sin):
    wide = x.float()
    partner = torch.stack((-wide[..., 1::2], wide[..., 0::2]), -1).reshape(wide.shape)
    cos, sin = (each.repeat_interleave(2, -1)[None, :, None] for each in (cos, sin))
    return (wide * cos + partner * sin).to(x.dtype).transpose(0, 1).contiguous().transpose(0, 1)


def turned(x, cos, sin, sign=1.0):
    return apply_rope(x, cos, sign * sin)


@wrong(APPLY, "halves")
def like_hugging_face(x, cos, sin):
    first, second = x.float().chunk(2, -1)
    full_cos, full_sin = torch.cat((cos, cos), -1)[:, None], torch.cat((sin, sin), -1)[:, None]
    return (x.float() * full_cos + torch.cat((-second, first), -1) * full_sin).to(x.dtype)


@wrong(APPLY, "halves")
def halves_by_index(x, cos, sin):
    out, n = torch.empty_like(x), x.shape[-1] // 2
    for i in range(n):
        a, b, c, s = x[..., i].float(), x[..., i + n].float(), cos[:, i, None], sin[:, i, None]
        out[..., i], out[..., i + n] = a * c - b * s, a * s + b * c
    return out


@wrong(APPLY, "halves_out")
def joined_by_cat(x, cos, sin):
    a, b = x[..., ::2].float(), x[..., 1::2].float()
    c, s = cos[:, None], sin[:, None]
    return torch.cat((a * c - b * s, a * s + b * c), -1).to(x.dtype)


@wrong(APPLY, "halves_out")
def real_then_imaginary(x, cos, sin):
    z = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous()) * torch.complex(cos, sin)[:, None]
    return torch.cat((z.real, z.imag), -1).to(x.dtype)


@wrong(APPLY, "clockwise")
def conjugate(x, cos, sin):
    z = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous()) * torch.complex(cos, -sin)[:, None]
    return torch.view_as_real(z).flatten(-2).to(x.dtype)


@wrong(APPLY, "clockwise")
def signs_swapped(x, cos, sin):
    a, b, c, s = x[..., ::2].float(), x[..., 1::2].float(), cos[:, None], sin[:, None]
    return torch.stack((a * c + b * s, b * c - a * s), -1).flatten(-2).to(x.dtype)


@wrong(APPLY, "overwritten")
def in_place(x, cos, sin):
    out, c, s = x.float().clone(), cos[:, None], sin[:, None]
    out[..., ::2] = out[..., ::2] * c - out[..., 1::2] * s
    out[..., 1::2] = out[..., ::2] * s + out[..., 1::2] * c
    return out.to(x.dtype)


@wrong(APPLY, "overwritten")
def one_name(x, cos, sin):
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    a = a * cos[:, None] - b * sin[:, None]
    b = a * sin[:, None] + b * cos[:, None]
    return torch.stack((a, b), -1).flatten(-2).to(x.dtype)


@wrong(APPLY, "head_axis")
def plain_broadcasting(x, cos, sin):
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


@wrong(APPLY, "head_axis")
def counts_heads(x, cos, sin):
    out = torch.empty_like(x)
    for head in range(x.shape[2]):
        row = slice(head, head + 1)
        out[:, :, head : head + 1] = apply_rope(x[:, :, head : head + 1], cos[row], sin[row])
    return out


STRAY[APPLY] = [
    lambda x, cos, sin: x,
    lambda x, cos, sin: -apply_rope(x, cos, sin),
    lambda x, cos, sin: apply_rope(x, sin, cos),
    lambda x, cos, sin: apply_rope(x, cos, sin) * 1.01,
    lambda x, cos, sin: apply_rope(x, cos, sin).flip(1),
    lambda x, cos, sin: apply_rope(x, cos, sin).float(),
    lambda x, cos, sin: apply_rope(x, cos, sin)[..., :-1],
    lambda x, cos, sin: None,
    lambda x, cos, sin: apply_rope(x, cos, sin) / 0 * 0,
    lambda x, cos, sin: "turned",
]


# rope.rotate_step

STEP = "rope.rotate_step"


@right(STEP)
def by_slices(q, k, v, cos, sin, past):
    cos, sin = cos[past:][: q.shape[1]], sin[past:][: q.shape[1]]
    return [apply_rope(q, cos, sin), apply_rope(k, cos, sin), v]


@right(STEP)
def token_by_token(q, k, v, cos, sin, past):
    def each(x):
        rows = [apply_rope(x[:, t : t + 1], cos[[past + t]], sin[[past + t]]) for t in range(x.shape[1])]
        return torch.cat(rows, 1)

    return each(q), each(k), v.clone()


@right(STEP)
def all_heads_together(q, k, v, cos, sin, past):
    rows = torch.arange(past, past + q.shape[1])
    both = apply_rope(torch.cat((q, k), 2), cos[rows], sin[rows])
    return both[:, :, : q.shape[2]], both[:, :, q.shape[2] :], v


def step(q, k, v, cos, sin, start, keys=True, values=False):
    cos, sin = cos[start : start + q.shape[1]], sin[start : start + q.shape[1]]
    turn = [True, keys, values]
    return tuple(apply_rope(x, cos, sin) if t else x for x, t in zip((q, k, v), turn, strict=True))


def step_complex(q, k, v, cos, sin, start, keys=True, values=False):
    z = torch.complex(cos, sin)[start : start + q.shape[1], None]

    def turn(x):
        return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * z).flatten(-2)

    return turn(q), turn(k) if keys else k, turn(v) if values else v


for name, start, options in (
    ("values_too", lambda past: past, {"values": True}),
    ("forgets_past", lambda past: 0, {}),
    ("from_one", lambda past: past + 1, {}),
    ("queries_only", lambda past: past, {"keys": False}),
):
    WRONG[STEP, name] = [
        lambda q, k, v, cos, sin, past, how=how, start=start, options=options: how(
            q, k, v, cos, sin, start(past), **options
        )
        for how in (step, step_complex)
    ]
STRAY[STEP] = [
    lambda q, k, v, cos, sin, past: (q, k, v),
    lambda q, k, v, cos, sin, past: step(q, k, v, cos, sin, past + 2),
    lambda q, k, v, cos, sin, past: (*step(q, k, v, cos, sin, past)[:2], 2 * v),
    lambda q, k, v, cos, sin, past: step(q, k, v, cos, sin, past)[:2],
]


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


STRAY[PERMUTE] = [
    lambda weight, n_heads: weight,
    lambda weight, n_heads: weight.flip(0),
    lambda weight, n_heads: permute_hf_to_meta(weight, n_heads).T,
    lambda weight, n_heads: permute_hf_to_meta(weight, n_heads)[:-1],
]


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
    lambda wq, wk, wv, H, G: (wq, wk, wv),
    lambda wq, wk, wv, H, G: (permute_hf_to_meta(wk, G), permute_hf_to_meta(wq, H), wv),
    lambda wq, wk, wv, H, G: (wq, permute_hf_to_meta(wk, G), wv),
]


# rope.repair_tables

REPAIR = "rope.repair_tables"


@right(REPAIR)
def through_the_package(dim, n_heads, T, theta):
    return rope_frequencies(dim // n_heads, T, theta)


@right(REPAIR)
def all_in_numpy(dim, n_heads, T, theta):
    return table(dim // n_heads, T, theta, None)


@right(REPAIR)
def powers_of_one_number(dim, n_heads, T, theta):
    K = dim // n_heads
    turns = [[cmath.exp(1j * t * theta ** (-2 * i / K)) for i in range(K // 2)] for t in range(T)]
    return np.array(turns).real, np.array(turns).imag


def repaired(dim, n_heads, T, theta, top=lambda dim, K: K, count=lambda dim, K: K // 2, step=2.0, sign=-1, first=0):
    K = dim // n_heads
    speeds = theta ** (sign * torch.arange(count(dim, K)).double() * step / top(dim, K))
    angles = (torch.arange(T) + first).double().outer(speeds)
    return angles.cos(), angles.sin()


def repaired_in_numpy(dim, n_heads, T, theta, **options):
    cos, sin = repaired(dim, n_heads, T, theta, **options)
    return np.array(cos.tolist()), np.array(sin.tolist())


for name, options in {
    "half_exponent": {"step": 1.0},
    "inverse_theta": {"sign": 1},
    "from_one": {"first": 1},
    "model_dim": {"top": lambda dim, K: dim},
    "many_pairs": {"top": lambda dim, K: dim, "count": lambda dim, K: dim // 2},
}.items():
    WRONG[REPAIR, name] = [
        lambda dim, n_heads, T, theta, how=how, options=options: how(dim, n_heads, T, theta, **options)
        for how in (repaired, repaired_in_numpy)
    ]
STRAY[REPAIR] = [
    lambda dim, n_heads, T, theta: repaired(dim, n_heads, T, theta, top=lambda dim, K: K + 2),
    lambda dim, n_heads, T, theta: repaired(dim, n_heads, T, 2 * theta),
]


# rope.partial_rotary

PARTIAL = "rope.partial_rotary"


@right(PARTIAL)
def in_a_copy(x, cos, sin):
    out, R = x.clone(), 2 * cos.shape[1]
    out[..., :R] = apply_rope(x[..., :R], cos, sin)
    return out


@right(PARTIAL)
def with_angles_of_zero(x, cos, sin):
    rest = x.shape[-1] // 2 - cos.shape[1]
    cos = torch.nn.functional.pad(cos, (0, rest), value=1.0)
    return apply_rope(x, cos, torch.nn.functional.pad(sin, (0, rest)))


@right(PARTIAL)
def split_and_joined(x, cos, sin):
    turning, rest = x.split((2 * cos.shape[1], x.shape[-1] - 2 * cos.shape[1]), -1)
    return torch.cat((as_complex_numbers(turning, cos, sin), rest), -1)


PARTIAL_FAULTS = {
    "wrong_end": lambda turn, x, cos, sin, R: torch.cat((x[..., :-R], turn(x[..., -R:], cos, sin)), -1),
    "zero_rest": lambda turn, x, cos, sin, R: torch.cat((turn(x[..., :R], cos, sin), 0 * x[..., R:]), -1),
    "drops_rest": lambda turn, x, cos, sin, R: turn(x[..., :R], cos, sin),
    "whole_head": lambda turn, x, cos, sin, R: turn(
        x, *(each.repeat_interleave(x.shape[-1] // R, -1) for each in (cos, sin))
    ),
    "clockwise": lambda turn, x, cos, sin, R: torch.cat((turn(x[..., :R], cos, -sin), x[..., R:]), -1),
}
for name, fault in PARTIAL_FAULTS.items():
    WRONG[PARTIAL, name] = [
        lambda x, cos, sin, fault=fault, turn=turn: fault(turn, x, cos, sin, 2 * cos.shape[1])
        for turn in (apply_rope, as_complex_numbers)
    ]
WRONG[PARTIAL, "other_pairs"] = [
    lambda x, cos, sin, turn=turn: torch.cat(
        (turn(x[..., : 2 * cos.shape[1]], cos, sin), x[..., 2 * cos.shape[1] :]), -1
    )
    for turn in (like_hugging_face, halves_by_index)
]
STRAY[PARTIAL] = [lambda x, cos, sin: x, lambda x, cos, sin: in_a_copy(x, cos, sin) + 0.1]


# rope.test_rope

TEST = "rope.test_rope"


def angles(T, K):
    table = torch.arange(float(T))[:, None] * torch.linspace(1.0, 0.2, K // 2)
    return table.cos(), table.sin()


@right(TEST)
def basis_vectors(candidate):
    cos, sin = angles(3, 4)
    for channel, there in ((0, (cos[:, 0], sin[:, 0])), (3, (-sin[:, 1], cos[:, 1]))):
        x = torch.zeros(1, 3, 2, 4)
        x[..., channel] = 1
        got = candidate(x, cos, sin)[0, :, 1]
        assert torch.allclose(got[:, channel // 2 * 2 : channel // 2 * 2 + 2], torch.stack(there, -1), atol=1e-5)


@right(TEST)
def against_loops(candidate):
    x = torch.randn(2, 5, 3, 6, generator=torch.Generator().manual_seed(1))
    return torch.allclose(candidate(x, *angles(5, 6)), as_loops_over_positions(x, *angles(5, 6)).float(), atol=1e-4)


@right(TEST)
def with_numpy_complex(candidate):
    x = np.random.default_rng(0).standard_normal((1, 4, 1, 8)).astype(np.float32)
    cos, sin = angles(4, 8)
    wanted = (x[..., ::2] + 1j * x[..., 1::2]) * (cos + 1j * sin).numpy()[:, None]
    got = candidate(torch.from_numpy(x), cos, sin).numpy()
    np.testing.assert_allclose(got[..., ::2] + 1j * got[..., 1::2], wanted, atol=1e-4)


def start_alone(candidate):
    x = torch.randn(1, 3, 2, 4)
    return bool((candidate(x, *angles(3, 4))[0, 0, 0] - x[0, 0, 0]).abs().max() < 1e-4)


def start_asserted(candidate):
    x = torch.ones(1, 1, 1, 4)
    torch.testing.assert_close(candidate(x.expand(1, 2, 1, 4), *angles(2, 4))[:, :1], x)


def lengths_alone(candidate):
    x = torch.randn(1, 5, 2, 6)
    return bool((candidate(x, *angles(5, 6)).norm(dim=-1) - x.norm(dim=-1)).abs().max() < 1e-4)


def lengths_asserted(candidate):
    x = torch.randn(1, 3, 1, 4)
    torch.testing.assert_close(candidate(x, *angles(3, 4)).pow(2).sum(-1), x.pow(2).sum(-1))


def never(candidate):
    assert torch.equal(candidate(torch.ones(1, 2, 1, 4), *angles(2, 4)), torch.zeros(1, 2, 1, 4))


WRONG[TEST, "anything"] = [lambda candidate: True, lambda candidate: None]
WRONG[TEST, "nothing"] = [lambda candidate: False, never]
WRONG[TEST, "lengths_only"] = [lengths_alone, lengths_asserted]
WRONG[TEST, "start_only"] = [start_alone, start_asserted]


@stray(TEST)
def one_channel(candidate):
    x = torch.zeros(1, 2, 1, 4)
    x[..., 0] = 1
    return bool(candidate(x, *angles(2, 4))[0, 1, 0, 0] > 0)
