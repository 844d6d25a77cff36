"""Answers to lesson 04's tasks about tables, in unusual spellings, apart from the records; see proving.py."""

import cmath
import math

import numpy as np
import torch

from minillama.course.proving import Book
from minillama.rope import rope_divisors, rope_frequencies

BOOK = Book()
RIGHT, WRONG, STRAY = BOOK.RIGHT, BOOK.WRONG, BOOK.STRAY
right, wrong, stray = BOOK.right, BOOK.wrong, BOOK.stray


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
    "other_theta": [{"frequencies": (1, 0.01)}, {"frequencies": (1, 10_000**-0.5), "angle": 0.05}],
    "slow_first": [{"frequencies": [0.1, 1]}, {"frequencies": np.array([0.1, 1.0])}],
    "degrees": [{"angle": 28.65}, {"angle": math.degrees(0.5)}],
    "pair_zero": [{"angle": 5}, {"angle": 5 * 1.0}],
    "no_position": [{"angle": 0.1}, {"angle": 100**-0.5}],
    "swapped": [{"turned": (1, 2)}, {"turned": (2 * 0.8 - 0.6, 2 * 0.6 + 0.8)}],
    "second_first": [{"turned": (2.2, 0.4)}, {"turned": [2 * 0.8 + 0.6, 2 * 0.6 - 0.8]}],
    "halves_up": [{"partner": 8}, {"partner": 4 + 8 // 2}],
    "pairs_from_one": [{"partner": 3}, {"partner": 3.0}],
}.items():
    WRONG["rope.turn_by_hand", name] = [HAND | each for each in by_hand]
STRAY["rope.turn_by_hand"] = [
    HAND | {"angle": 1.7},
    HAND | {"partner": 7},
    HAND | {"partner": (4, 5)},
    HAND | {"turned": "up"},
    HAND | {"frequencies": [1, 0.1, 0.01, 0.001]},
    HAND | {"angle": 0.4},
]


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
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


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
    return turns.real.float(), turns.imag.float()


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
    lambda K, T, theta=1e4, scaling=None: rope_frequencies(K, T, theta, scaling)[0],
    lambda K, T, theta=1e4, scaling=None: [x.double() for x in rope_frequencies(K, T, theta, scaling)],
    lambda K, T, theta=1e4, scaling=None: table(K, T, theta, scaling, exponent=lambda i, K: -3 * i / K),
]


@right(FREQUENCIES)
def with_rope_divisors(head_dim, max_seq_len, theta=10_000.0, scaling=None):
    if scaling is not None and scaling.kind == "ntk":
        theta = theta * scaling.factor ** (head_dim / (head_dim - 2))
    speed = torch.exp(-2 * torch.arange(head_dim // 2, dtype=torch.float64) / head_dim * math.log(theta))
    if scaling is not None and scaling.kind != "ntk":
        speed = speed / rope_divisors(speed, scaling)
    angles = torch.arange(max_seq_len, dtype=torch.float64)[:, None] * speed
    return [angles.cos().float(), angles.sin().float()]


WRONG[FREQUENCIES, "unscaled"] = [
    lambda K, T, theta=1e4, scaling=None: rope_frequencies(K, T, theta),
    lambda K, T, theta=1e4, scaling=None: table(K, T, base(theta, K, scaling), None),
]
WRONG[FREQUENCIES, "fixed_theta"] = [
    lambda K, T, theta=1e4, scaling=None: rope_frequencies(K, T, 10_000.0, scaling),
    lambda K, T, theta=1e4, scaling=None: table(K, T, 10_000, scaling if scaling and scaling.kind != "ntk" else None),
]
WRONG[FREQUENCIES, "double_exponent"] = [
    lambda K, T, theta=1e4, scaling=None: table(K, T, theta, scaling, exponent=lambda i, K: -4 * i / K),
    lambda K, T, theta=1e4, scaling=None: table(K, T, theta, scaling, exponent=lambda i, K: -2 * (2 * i) / K),
]
WRONG[FREQUENCIES, "on_its_side"] = [
    lambda K, T, theta=1e4, scaling=None: [x.T for x in rope_frequencies(K, T, theta, scaling)],
    lambda K, T, theta=1e4, scaling=None: [x.T for x in table(K, T, theta, scaling)],
]


@wrong(FREQUENCIES, "divides_ntk")
def divides_always(K, T, theta=1e4, scaling=None):
    speeds = base(theta, K, scaling) ** (-torch.arange(0, K, 2).double() / K)
    speeds = speeds if scaling is None else speeds / rope_divisors(speeds, scaling)
    angles = torch.arange(T).double().outer(speeds)
    return angles.cos().float(), angles.sin().float()


@wrong(FREQUENCIES, "divides_ntk")
def forgets_ntk(K, T, theta=1e4, scaling=None):
    return rope_frequencies(K, T, theta, scaling if scaling and scaling.kind != "ntk" else None)


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
    return np.array(turns).real.astype(np.float32), np.array(turns).imag.astype(np.float32)


def repaired(dim, n_heads, T, theta, top=lambda dim, K: K, count=lambda dim, K: K // 2, step=2.0, sign=-1, first=0):
    K = dim // n_heads
    speeds = theta ** (sign * torch.arange(count(dim, K)).double() * step / top(dim, K))
    angles = (torch.arange(T) + first).double().outer(speeds)
    return angles.cos().float(), angles.sin().float()


def repaired_in_numpy(dim, n_heads, T, theta, **options):
    cos, sin = repaired(dim, n_heads, T, theta, **options)
    return cos.numpy().copy(), sin.numpy().copy()


for name, options in {
    "half_exponent": {"step": 1.0},
    "inverse_theta": {"sign": 1},
    "from_one": {"first": 1},
    "model_dim": {"top": lambda dim, K: dim},
    "heads": {"top": lambda dim, K: dim // K},
    "many_pairs": {"top": lambda dim, K: dim, "count": lambda dim, K: dim // 2},
}.items():
    WRONG[REPAIR, name] = [
        lambda dim, n_heads, T, theta, how=how, options=options: how(dim, n_heads, T, theta, **options)
        for how in (repaired, repaired_in_numpy)
    ]
STRAY[REPAIR] = [
    lambda dim, n_heads, T, theta: repaired(dim, n_heads, T, theta, top=lambda dim, K: K + 2),
    lambda dim, n_heads, T, theta: repaired(dim, n_heads, T, 2 * theta),
    lambda dim, n_heads, T, theta: repaired(dim, n_heads, T, 1e6, top=lambda dim, K: dim),
    lambda dim, n_heads, T, theta: [each.double() for each in repaired(dim, n_heads, T, theta)],
]
