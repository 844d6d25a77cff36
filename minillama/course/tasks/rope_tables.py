"""Tasks of lesson 04 about the tables of angles: rope_frequencies, and a repair."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama import rope
from minillama.config import RopeScaling
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Probe, Task
from minillama.course.tasks.rope_ideas import FROM_ONE, HALF_EXPONENT, INVERSE_THETA, LESSON
from minillama.course.tasks.rope_inputs import Generator
from minillama.course.tasks.rope_signatures import (
    is_fixed_theta,
    is_half_precision,
    is_inverse_theta,
    is_model_dim,
    is_ntk_alone,
    is_unscaled,
)

# rope_frequencies


def faulty_tables(bugs: Bugs) -> Callable[..., tuple[Tensor, Tensor]]:
    """rope_frequencies with these bugs."""

    def frequencies(
        head_dim: int, max_seq_len: int, theta: float = 10_000.0, scaling: RopeScaling | None = None
    ) -> tuple[Tensor, Tensor]:
        factor = 1.0
        theta = 10_000.0 if "fixed_theta" in bugs else theta
        if scaling is not None and scaling.kind == "ntk":
            theta = theta * scaling.factor ** (head_dim / (head_dim - 2))
            factor = scaling.factor if "divides_ntk" in bugs else 1.0
        elif scaling is not None and "unscaled" not in bugs:
            factor = 1 / scaling.factor if "faster" in bugs else scaling.factor
        exponent = torch.arange(head_dim // 2, dtype=torch.float64) * 2 / head_dim
        exponent = exponent * 2 if "double_exponent" in bugs else exponent
        exponent = exponent / 2 if "half_exponent" in bugs else exponent / 8 if "model_dim" in bugs else exponent
        speed = theta**exponent if "inverse_theta" in bugs else theta**-exponent
        position = torch.arange(max_seq_len, dtype=torch.float64) + ("from_one" in bugs)
        angles = torch.outer(position, speed / factor)
        angles = angles.half().double() if "half_precision" in bugs else angles
        angles = angles.T if "on_its_side" in bugs else angles
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
        Case(
            name=f"a context stretched {factor:.0f} times (linear)",
            part="stretching",
            args=(small, T, 10_000.0, stretch["linear"]),
        ),
        Case(
            name=f"a context stretched {factor:.0f} times (ntk)",
            part="stretching",
            args=(small, T, 10_000.0, stretch["ntk"]),
        ),
    ]


def _row_zero(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    cos, sin = outputs[0]
    if np.allclose(cos[0], 1, atol=1e-3) and np.allclose(sin[0], 0, atol=1e-3):
        return None
    pair = int(np.argmax(np.abs(cos[0] - 1) + np.abs(sin[0])))
    return f"At position 0, pair {pair} has cos {cos[0, pair]:.3f} and sin {sin[0, pair]:.3f}."


def _steady(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    cos, sin = outputs[0]
    double = cos[1] * cos[1] - sin[1] * sin[1]
    wrong = np.argwhere(np.abs(cos[2] - double) > 1e-3)
    if not len(wrong):
        return None
    pair = int(wrong[0][0])
    return (
        f"Pair {pair} turns by one angle from position 0 to 1 and by another from 1 to 2: twice the first would have "
        f"cos {double[pair]:.3f}, and yours has {cos[2, pair]:.3f}."
    )


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
    outputs=("cos", "sin"), piece="minillama.rope:rope_frequencies", atol=1e-3, exact_dtype=True,
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
        Misconception(
            name="unscaled",
            looks_like="a table that ignores `scaling`",
            principle="A model of a longer context turns its pairs more slowly: by how much, `rope_divisors` says.",
            question="Where does yours look at `scaling` once the speeds are there?",
            credit=0.7,
            signature=is_unscaled,
        ),
        Misconception(
            name="divides_ntk",
            looks_like="a stretch of kind ntk that is more, or less, than the change of theta",
            principle="Of kind ntk, theta changes and that is all; of every other kind theta stays and speeds change.",
            question="Which of your lines run when the kind is ntk?",
            credit=0.7,
            signature=is_ntk_alone,
        ),
        Misconception(
            name="fixed_theta",
            looks_like="a theta that is 10,000 whatever is asked for",
            principle="Llama 3 asks for 500,000, and its tables come from this function, too.",
            question="Which of your lines uses the argument theta?",
            signature=is_fixed_theta,
        ),
        Misconception(
            name="double_exponent",
            looks_like="a 2 that is counted twice",
            principle="The exponents run from 0 almost to 1; 0, 2, 4, ... are 2i already.",
            question="What exponent does your last pair have when K is 8?",
        ),
        Misconception(
            name="on_its_side",
            looks_like="tables with a row for each pair and a column for each position",
            principle="A row is a position: the model takes the rows of the tokens that it reads.",
            question="Which of the two comes first in your product?",
            credit=0.8,
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
        top = dim if "model_dim" in bugs or "many_pairs" in bugs else n_heads if "heads" in bugs else head_dim
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
    exact_dtype=True,
    misconceptions=(
        HALF_EXPONENT, INVERSE_THETA, FROM_ONE,
        Misconception(
            name="model_dim",
            looks_like="the fault that is in there: speeds that hardly differ",
            principle="The slowest pair should need tens of thousands of positions for one turn.",
            question="What is the largest exponent in this code, and what should it almost be?",
            credit=0.0,
        ),
        Misconception(
            name="many_pairs",
            looks_like="a table for all channels of the model",
            principle="Every head is turned by the same small table.",
            question="How many columns does one head need?",
        ),
        Misconception(
            name="heads",
            looks_like="the number of heads in the exponent",
            principle="The number of heads says how many channels one of them has, and nothing else here.",
            question="How many channels has a head, and what does your exponent divide by?",
        ),
    ),
    hints=(
        "Print the speed of the last pair, for dim 256 and 8 heads. How slow should the slowest be?",
        "The shapes are right. Compare the largest exponent with what it should almost reach.",
        "one head has dim / n_heads channels\nthe exponents of one head run from 0 almost to 1",
    ),
)  # fmt: skip
