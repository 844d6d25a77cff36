"""Tasks of lesson 04 about the tables of angles: by hand, rope_frequencies, and a repair."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama import rope
from minillama.config import RopeScaling
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Probe, Task
from minillama.course.tasks.rope_inputs import Generator

LESSON = "04_rope"
HALF_EXPONENT = Misconception(
    name="half_exponent",
    looks_like="exponents that only reach one half",
    principle="There are K/2 pairs and i counts them, and yet the exponents run from 0 almost to 1.",
    question="What exponent does your last pair have when K is 8?",
)
INVERSE_THETA = Misconception(
    name="inverse_theta",
    looks_like="theta to a positive power",
    principle="Pair 0 is the fastest, one radian a position, and every later pair is slower.",
    question="By how much does your last pair turn from one position to the next?",
)
FROM_ONE = Misconception(
    name="from_one",
    looks_like="positions that are counted from 1",
    principle="The first token stands at position 0, where nothing turns: cos 1, sin 0.",
    question="What is in your first row?",
    credit=0.7,
)


# By hand


def by_hand(bugs: Bugs = frozenset()) -> Callable[[str], Any]:
    """The values of rope.turn_by_hand."""
    exponent = 0.25 if "half_exponent" in bugs else 0.5
    frequencies = [1.0, 100.0 ** (exponent if "inverse_theta" in bugs else -exponent)]
    position = 6 if "from_one" in bugs else 5
    turned = [2.0, -1.0] if "clockwise" in bugs else [0.4, 0.92] if "overwritten" in bugs else [0.4, 2.2]
    values = {
        "frequencies": frequencies,
        "angle": position * frequencies[1],
        "turned": turned,
        "partner": 0 if "halves" in bugs else 5,
    }
    return lambda question: values[question]


CLOCKWISE = Misconception(
    name="clockwise",
    looks_like="a turn in the other direction",
    principle="Angles grow counter-clockwise: a small turn lifts (1, 0), and its second number becomes positive.",
    question="Where does your formula send (1, 0)?",
)
OVERWRITTEN = Misconception(
    name="overwritten",
    looks_like="a second number computed from the new first one",
    principle="Both new numbers come from both old ones.",
    question="When the second line runs, what does the first name hold?",
)
HALVES = Misconception(
    name="halves",
    looks_like="channels that are paired across the halves of a head",
    principle="There are two conventions. Meta's weights, and this package, pair neighbours; Hugging Face, halves.",
    question="Which channel is the partner of channel 0 in yours?",
)

turn_by_hand = Task(
    id="rope.turn_by_hand", lesson=LESSON, kind="trace", title="Turn one vector by hand", points=2, difficulty=1,
    importance=4, minutes=6,
    reference=by_hand(), faulty=by_hand,
    cases=lambda rng: [Case(name=name, args=(name,)) for name in ("frequencies", "angle", "turned", "partner")],
    misconceptions=(HALF_EXPONENT, INVERSE_THETA, FROM_ONE, CLOCKWISE, OVERWRITTEN, HALVES),
    rtol=5e-3, atol=5e-3,
    hints=(
        "Every pair is a clock hand. Its speed is theta to a power from 0 to -1; its angle is speed times position.",
        "`frequencies` has K/2 = 2 numbers, `angle` is one, `turned` has 2, `partner` is a channel's number.",
        "speed of pair i: theta ^ (-2i / K)\nangle: position * speed\n"
        "new first:  first * cos - second * sin\nnew second: first * sin + second * cos",
    ),
)  # fmt: skip


# rope_frequencies


def faulty_tables(bugs: Bugs) -> Callable[..., tuple[Tensor, Tensor]]:
    """rope_frequencies with these bugs."""

    def frequencies(
        head_dim: int, max_seq_len: int, theta: float = 10_000.0, scaling: RopeScaling | None = None
    ) -> tuple[Tensor, Tensor]:
        factor = 1.0
        if scaling is not None and scaling.kind == "ntk":
            theta = theta * scaling.factor ** (head_dim / (head_dim - 2))
        elif scaling is not None:
            factor = 1 / scaling.factor if "faster" in bugs else scaling.factor
        exponent = torch.arange(head_dim // 2, dtype=torch.float64) * 2 / head_dim
        exponent = exponent / 2 if "half_exponent" in bugs else exponent / 8 if "model_dim" in bugs else exponent
        speed = theta**exponent if "inverse_theta" in bugs else theta**-exponent
        position = torch.arange(max_seq_len, dtype=torch.float64) + ("from_one" in bugs)
        angles = torch.outer(position, speed / factor)
        angles = angles.half().double() if "half_precision" in bugs else angles
        cos, sin = angles.cos().float(), angles.sin().float()
        return (sin, cos) if "swapped" in bugs else (cos, sin)

    return frequencies


def frequency_cases(rng: Generator) -> list[Case]:
    """Two head dims and two thetas; many positions, for 16-bit angles; two ways of stretching."""
    small, large = (int(k) for k in rng.choice([8, 12, 16, 24, 32], 2, replace=False))
    T, theta = int(rng.integers(6, 12)), float(rng.choice([500.0, 50_000.0, 500_000.0]))
    factor = float(rng.choice([2.0, 4.0, 8.0]))
    stretch = {
        kind: Made("minillama.config:RopeScaling", {"kind": kind, "factor": factor}) for kind in ("linear", "ntk")
    }
    return [
        Case(name=f"head_dim {small} and {T} positions", args=(small, T, 10_000.0, None)),
        Case(name=f"head_dim {large} and theta {theta:.0f}", args=(large, T, theta, None)),
        Case(name="3,000 positions", args=(8, 3000, 10_000.0, None)),
        Case(name=f"a context stretched {factor:.0f} times (linear)", args=(small, T, 10_000.0, stretch["linear"])),
        Case(name=f"a context stretched {factor:.0f} times (ntk)", args=(small, T, 10_000.0, stretch["ntk"])),
    ]


def is_model_dim(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are the exponents those of a dimension that is several times the head's? Any multiple but 2 is taken."""
    ratios = []
    for case, output in zip(cases, outputs, strict=True):
        head_dim, T, theta, scaling = case.args
        if scaling is not None:
            continue
        cos, sin = output
        speeds = np.arctan2(sin[1], cos[1])  # row 1 turns by one position
        pair = np.arange(1, head_dim // 2)
        dims = -2 * pair * math.log(theta) / np.log(speeds[1:])
        if not np.allclose(dims, dims[0], rtol=2e-3):
            return False
        angles = np.outer(np.arange(T), theta ** (-2 * np.arange(head_dim // 2) / dims[0]))[:8]
        if not (np.allclose(cos[:8], np.cos(angles), atol=1e-2) and np.allclose(sin[:8], np.sin(angles), atol=1e-2)):
            return False
        ratios.append(dims[0] / head_dim)
    several = all(ratio > 1.3 for ratio in ratios)
    return bool(ratios) and several and not np.allclose(ratios, 2, rtol=1e-2)


def is_inverse_theta(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are the speeds theta to positive powers? Angles get so large that float32 and float64 give other numbers."""
    found = []
    for case, output in zip(cases, outputs, strict=True):
        head_dim, _, theta, scaling = case.args
        if scaling is None:
            speeds = theta ** (2 * np.arange(head_dim // 2) / head_dim)
            sure = speeds < 2000
            wanted = np.stack((np.cos(speeds), np.sin(speeds)))[:, sure]
            got = np.stack(output)
            found.append(np.allclose(got[:, 1, sure], wanted, atol=1e-2) and np.allclose(got[0, 0], 1, atol=1e-3))
    return bool(found) and all(found)


def is_half_precision(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Do the numbers agree with angles, or speeds, that were rounded to 16 bits at some step?"""
    longest = max(range(len(cases)), key=lambda i: cases[i].args[1])
    head_dim, T, theta, _ = cases[longest].args
    if any(
        np.abs(got[:4] - right[:4]).max() > 3e-2 for got, right in zip(outputs[longest], expected[longest], strict=True)
    ):
        return False  # rounding needs some positions to show
    speed = theta ** -(torch.arange(head_dim // 2, dtype=torch.float64) * 2 / head_dim)
    position, got = torch.arange(T, dtype=torch.float64), np.stack(outputs[longest])
    for dtype in (torch.float16, torch.bfloat16):

        def rounded(x: Tensor, dtype: torch.dtype = dtype) -> Tensor:
            return x.to(dtype).double()

        low = rounded(speed)
        for angles in (
            torch.outer(position, low),
            rounded(torch.outer(position, speed)),
            rounded(torch.outer(position, low)),
            rounded(torch.outer(rounded(position), low)),
        ):
            wanted = torch.stack((angles.cos(), angles.sin())).numpy()
            if np.mean(np.abs(got - wanted) < 1e-2) > 0.99:
                return True
    return False


def _row_zero(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    cos, sin = outputs[0]
    if np.allclose(cos[0], 1, atol=1e-3) and np.allclose(sin[0], 0, atol=1e-3):
        return None
    return f"Row 0 of cos begins with {cos[0, 0]:.3f}, and of sin with {sin[0, 0]:.3f}."


def _steady(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    cos, sin = outputs[0]
    double = cos[1] * cos[1] - sin[1] * sin[1]
    wrong = np.argwhere(np.abs(cos[2] - double) > 1e-3)
    if not len(wrong):
        return None
    pair = int(wrong[0][0])
    return f"Pair {pair} turns by one angle from position 0 to 1 and by another from 1 to 2: cos {double[pair]:.3f}."


ROW_ZERO = Probe(
    name="position 0 turns nothing",
    cases=lambda rng: [Case(name="4 positions", args=(8, 4, 10_000.0, None))],
    broken=_row_zero,
    principle="Position 0 turns nothing: cos 0 is 1, sin 0 is 0.",
    question="What is your first position, and which table do you return first?",
)
STEADY = Probe(
    name="steady turning",
    cases=lambda rng: [Case(name="4 positions", args=(8, 4, 10_000.0, None))],
    broken=_steady,
    principle="The angle is position times speed, so every step turns a pair by the same angle.",
    question="Which of your angles do not grow in step with the position?",
)

rope_frequencies = Task(
    id="rope.rope_frequencies", lesson=LESSON, kind="rebuild", title="Make the tables", points=3, difficulty=2,
    importance=5, minutes=12,
    reference=rope.rope_frequencies, faulty=faulty_tables, cases=frequency_cases, probes=(ROW_ZERO, STEADY),
    outputs=("cos", "sin"), piece="minillama.rope:rope_frequencies", atol=1e-3,
    misconceptions=(
        HALF_EXPONENT, dataclasses.replace(INVERSE_THETA, signature=is_inverse_theta), FROM_ONE,
        Misconception(
            name="model_dim",
            looks_like="the model's dim in the exponent in place of the head's",
            principle="Each head turns its own K channels: from the fastest pair to the slowest inside one head.",
            question="For which dimension does your exponent almost reach 1?",
            signature=is_model_dim,
        ),
        Misconception(
            name="half_precision",
            looks_like="angles in 16 bits",
            principle="At position 3,000 a float16 knows whole numbers only to the nearest 2: a third of a turn.",
            question="In which dtype are your positions and speeds when they are multiplied?",
            signature=is_half_precision,
        ),
        Misconception(
            name="swapped",
            looks_like="sine first, cosine second",
            principle="The caller unpacks `cos, sin`.",
            question="What does your `return` name first?",
            credit=0.8,
        ),
        Misconception(
            name="faster",
            looks_like="speeds that are multiplied by the factor",
            principle="A stretched context packs more positions into the angles of training: pairs turn more slowly.",
            question="What angle has position 4,000, stretched twice, and which position had it in training?",
        ),
    ),
    hints=(
        "Speeds first, one a pair; then every angle is a position times a speed: an outer product. Angles in float64.",
        "pairs (K/2,), speeds (K/2,), positions (T,), angles (T, K/2), cos and sin (T, K/2) float32.",
        "speeds = theta to the power of minus (0, 2, 4, ...) / K\nangles[t, i] = t * speeds[i]\n"
        "return cosine of the angles, sine of the angles",
    ),
)  # fmt: skip


# A repair


def tables_of_model(bugs: Bugs = frozenset()) -> Callable[..., tuple[Tensor, Tensor]]:
    """The repaired tables of rope.repair_tables; with "model_dim", the broken ones."""

    def model_tables(dim: int, n_heads: int, max_seq_len: int, theta: float) -> tuple[Tensor, Tensor]:
        head_dim = dim // n_heads
        top = dim if "model_dim" in bugs or "many_pairs" in bugs else head_dim
        pairs = (dim if "many_pairs" in bugs else head_dim) // 2
        exponent = torch.arange(pairs, dtype=torch.float64) * (1 if "half_exponent" in bugs else 2) / top
        speed = theta**exponent if "inverse_theta" in bugs else theta**-exponent
        angles = torch.outer(torch.arange(max_seq_len, dtype=torch.float64) + ("from_one" in bugs), speed)
        return angles.cos().float(), angles.sin().float()

    return model_tables


def repair_cases(rng: Generator) -> list[Case]:
    """Sizes with 3 and more heads, so that dim / head_dim is no 2."""
    sizes = rng.choice([(32, 4), (48, 3), (64, 8), (96, 6)], 2, replace=False)
    T = int(rng.integers(6, 12))
    return [
        Case(name=f"dim {dim}, {heads} heads", args=(int(dim), int(heads), T, 10_000.0)) for dim, heads in sizes
    ] + [Case(name="theta 5,000", args=(64, 4, T, 5_000.0))]


repair_tables = Task(
    id="rope.repair_tables", lesson=LESSON, kind="diagnose", title="Repair a colleague's tables", points=3,
    difficulty=3, importance=4, minutes=10,
    reference=tables_of_model(), faulty=tables_of_model, cases=repair_cases, outputs=("cos", "sin"), atol=1e-3,
    misconceptions=(
        HALF_EXPONENT, INVERSE_THETA, FROM_ONE,
        Misconception(
            name="model_dim",
            looks_like="the fault that is in there: speeds that hardly differ",
            principle="The slowest pair should need tens of thousands of positions for one turn.",
            question="How many positions does the slowest pair of this code take, and what is that a fraction of?",
            credit=0.0,
        ),
        Misconception(
            name="many_pairs",
            looks_like="a table for all channels of the model",
            principle="Every head is turned by the same small table.",
            question="How many columns does one head need?",
        ),
    ),
    hints=(
        "Print the speed of the last pair, for dim 256 and 8 heads. How slow should the slowest be?",
        "The shapes are right. Compare the largest exponent with what it should almost reach.",
        "one head has dim / n_heads channels\nthe exponents of one head run from 0 almost to 1",
    ),
)  # fmt: skip
