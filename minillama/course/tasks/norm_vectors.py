"""Tasks of lesson 03 about vectors: a norm by hand, and rms_norm."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from minillama import norm
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.norm_inputs import (
    NO_NEIGHBOURS,
    ROOT_MEAN_SQUARE_ONE,
    Generator,
    draw,
    draw_half,
    tiny,
    weights,
)

LESSON = "03_norm"
Norm = Callable[[Tensor, Tensor, float], Tensor]

SUM = Misconception(
    name="sum",
    looks_like="a sum where a mean belongs",
    principle="A mean does not grow with the number of channels, so that every result has root mean square 1.",
    question="What do you divide the sum of the squares by?",
)
NO_ROOT = Misconception(
    name="no_root",
    looks_like="a division by the mean square, without its root",
    principle="Ten times the vector has a hundred times the mean square, and has to come out the same.",
    question="Which step brings the squares back to the size of the numbers?",
)
EPS_OUTSIDE = Misconception(
    name="eps_outside",
    looks_like="eps added after the root",
    principle="eps belongs to the mean square. Only tiny numbers show where it stands; the model's are not.",
    question="To what is eps added in your code, and when is the root taken?",
    credit=0.7,
)
NO_EPS = Misconception(
    name="no_eps",
    looks_like="an eps that is never used",
    principle="A vector of zeros has the mean square 0, and 0 / 0 is nan.",
    question="What does yours give for a vector of zeros?",
    credit=0.6,
)
NO_WEIGHT = Misconception(
    name="no_weight",
    looks_like="a result without the weight",
    principle="After the norm every channel is multiplied by a learned number of its own.",
    question="Where is `weight` in your code?",
)
CENTRED = Misconception(
    name="centred",
    looks_like="a mean that is subtracted first, as LayerNorm does",
    principle="RMSNorm leaves the mean where it is: it divides, and nothing else.",
    question="What comes out for a vector whose numbers are all 5?",
)
OVER_SEQUENCE = Misconception(
    name="over_sequence",
    looks_like="a mean that runs over the tokens",
    principle="Each token is a vector of its own, and its size is nobody else's business.",
    question="x is (B, T, D). Which of these axes does your mean run over?",
    credit=0.3,
)
WHOLE = Misconception(
    name="whole",
    looks_like="one mean for all tokens together",
    principle="Each token is a vector of its own: there are B times T of them, and as many means.",
    question="How many means does your code take for 2 sentences of 5 tokens?",
    credit=0.3,
)
SQUARE_OF_MEAN = Misconception(
    name="square_of_mean",
    looks_like="the square of a mean where the mean of the squares belongs",
    principle="In (3, -3) the mean is 0, and no number is small. Squares come first: they have no sign.",
    question="In which order do you square and average?",
)


# By hand

VECTOR = np.array([1.0, -7.0, 5.0, 5.0])
WRONG_ROOTS = {"over_sequence": 16, "whole": 1, "each_number": 80, "each_sentence": 2}
HAND = ("root mean square", "normed", "ten times", "tiny", "roots")


def by_hand(bugs: Bugs = frozenset()) -> Callable[[str], Any]:
    """The values of norm.by_hand."""
    x = VECTOR - VECTOR.mean() * ("centred" in bugs)
    mean_square = x.mean() ** 2 if "square_of_mean" in bugs else (x**2).mean() * (4 if "sum" in bugs else 1)
    root = float(mean_square if "no_root" in bugs else np.sqrt(mean_square))
    gain = 1.0 if "no_weight" in bugs else np.array([1.0, 2.0, 1.0, 1.0])
    inside, outside = (0.0, 1.6e-3) if "eps_outside" in bugs else (0.0 if "no_eps" in bugs else 1.6e-3, 0.0)
    values = {
        "root mean square": root,
        "normed": (x / root * gain).tolist(),
        "ten times": float(x[0] / root * (10 if "grows" in bugs else 1)),
        "tiny": 0.03 / ((0.03**2 + inside) ** 0.5 + outside),
        "roots": 10,
    }
    values["roots"] = next((n for bug, n in WRONG_ROOTS.items() if bug in bugs), values["roots"])
    return lambda question: values[question]


trace_by_hand = Task(
    id="norm.by_hand", lesson=LESSON, kind="trace", title="Norm a vector by hand", points=2, difficulty=1,
    importance=4, minutes=6,
    reference=by_hand(), faulty=by_hand, cases=lambda rng: [Case(name=name, args=(name,)) for name in HAND],
    misconceptions=(
        SUM, NO_ROOT, EPS_OUTSIDE, NO_EPS, NO_WEIGHT, CENTRED, OVER_SEQUENCE, WHOLE, SQUARE_OF_MEAN,
        Misconception(
            name="grows",
            looks_like="a result that grows with the vector",
            principle="The root mean square is ten times as large, too, and it is what the vector is divided by.",
            question="By what is the larger vector divided?",
        ),
        Misconception(
            name="each_number",
            looks_like="a root for every number",
            principle="A root mean square is one number for a whole vector, and every channel is divided by it.",
            question="How many vectors does a tensor of (2, 5, 8) hold?",
        ),
        Misconception(
            name="each_sentence",
            looks_like="a root for every sentence",
            principle="Each token is a vector of its own, and its size is nobody else's business.",
            question="How many tokens do the 2 sentences have together?",
        ),
    ),
    rtol=5e-3, atol=5e-3,
    hints=(
        "Square, average, take the root: that is one number. Every channel is divided by it, and then weighted.",
        "`normed` has 4 numbers; the others are one number each.",
        "mean square = (1 + 49 + 25 + 25) / 4\nits root is a whole number\n"
        "tiny: the mean square of (0.03, -0.03) plus eps, then the root",
    ),
)  # fmt: skip


# rms_norm


def faulty_norm(bugs: Bugs) -> Norm:
    """rms_norm with these bugs."""

    def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x if "in_16_bits" in bugs else x.float()
        if "centred" in bugs:
            wide = wide - wide.mean(-1, keepdim=True)
        inside = 0.0 if bugs & {"no_eps", "eps_outside"} else eps
        mean_square = _mean_square(wide, bugs) + inside
        root = mean_square if "no_root" in bugs else mean_square.sqrt()
        root = root + eps if "eps_outside" in bugs else root
        normed = wide * root if "upside_down" in bugs else wide / root
        if "weight_first" in bugs:
            return (normed * (1.0 if "no_weight" in bugs else weight.float())).to(x.dtype)
        normed = normed.to(x.dtype)
        return normed if "no_weight" in bugs else normed * weight

    return rms_norm


def _mean_square(wide: Tensor, bugs: Bugs) -> Tensor:
    """(..., 1), or what a bug makes of it."""
    if "std" in bugs:
        return wide.var(-1, keepdim=True)
    squares = wide.mean(-1, keepdim=True).pow(2) if "square_of_mean" in bugs else wide.pow(2)
    if "whole" in bugs:
        return squares.mean()
    if "over_sequence" in bugs:
        return squares.mean(1, keepdim=True)
    if "no_keepdim" in bugs:
        return squares.mean(-1)
    return squares.sum(-1, keepdim=True) if "sum" in bugs else squares.mean(-1, keepdim=True)


def norm_cases(rng: Generator) -> list[Case]:
    """(x, weight, eps): T unlike D and T equal to D, tiny numbers and zeros, large numbers and weights in 16 bits."""
    T, D = int(rng.integers(3, 6)), int(rng.integers(7, 12))
    zeros_too = tiny(rng, 2, 4, D)
    zeros_too[0, 1] = 0.0
    large = np.array([[[300.0, -512.0, 256.0, 1024.0], [4.0, -320.0, 640.0, 8.0]]], dtype=np.float16)
    large *= 2.0 ** int(rng.integers(0, 3))
    return [
        Case(name=f"2 sentences of {T} tokens and {D} channels", args=(draw(rng, 2, T, D), weights(rng, D), 1e-5)),
        Case(name="as many tokens as channels", args=(draw(rng, 1, 8, 8), weights(rng, 8), 1e-5)),
        Case(name="tiny numbers, and one vector of zeros", args=(zeros_too, weights(rng, D), 1e-5)),
        Case(name="hundreds in float16", args=(large, np.array([1.0, 2.0, 0.5, 1.0], np.float16), 1e-5)),
        Case(name="float16 and weights from 4 to 8", args=(*draw_half(rng), 1e-5)),
    ]


def _factors(case: Case, output: np.ndarray) -> np.ndarray:
    """What each number was multiplied by, apart from its weight; (B, T, D)."""
    x, weight, _ = case.args
    found: np.ndarray = output / (x.astype(np.float64) * weight.astype(np.float64))
    return found


def is_std(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is every token divided by its standard deviation, of either kind, where numbers are of usual size?"""
    kinds = []
    for case, output in zip(cases[:2], outputs[:2], strict=True):
        factors = _factors(case, output)
        kinds.append(
            [np.allclose(factors, 1 / case.args[0].std(-1, keepdims=True, ddof=ddof), rtol=1e-3) for ddof in (0, 1)]
        )
    return bool(np.all(kinds, axis=0).any())


def is_centred(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is every token without its mean, whatever it is divided by?"""
    for case, output in zip(cases[:2], outputs[:2], strict=True):
        x, weight, _ = case.args
        left = x - x.mean(-1, keepdims=True)
        factors = output / weight / left
        if not np.allclose(factors, np.median(factors, -1, keepdims=True), rtol=1e-2) or np.any(factors <= 0.1):
            return False
    return True


def is_in_16_bits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Right in float32, and in 16 bits either overflown or a little off?"""
    half = [case.args[0].dtype == np.float16 for case in cases]
    if not any(half):
        return False
    for is_half, output, right in zip(half, outputs, expected, strict=True):
        if output.shape != right.shape or (not is_half and not np.allclose(output, right, rtol=1e-4, atol=1e-5)):
            return False
        if is_half and np.isfinite(output).all() and np.any(output != output.astype(np.float16)):
            return False  # it was not rounded at all
        overflown = not np.isfinite(output).all() or not np.any(output)
        if is_half and not overflown and not np.allclose(output, right, rtol=1e-2):
            return False
    return True


rms_norm = Task(
    id="norm.rms_norm", lesson=LESSON, kind="rebuild", title="Norm every token", points=3, difficulty=2,
    importance=5, minutes=12,
    reference=norm.rms_norm, faulty=faulty_norm, cases=norm_cases, probes=(NO_NEIGHBOURS, ROOT_MEAN_SQUARE_ONE),
    piece="minillama.norm:rms_norm", half_tolerance=5e-4,
    forbidden=(
        "torch.nn:RMSNorm", "torch.nn.functional:rms_norm", "torch:rms_norm", "minillama.norm:rms_norm",
        "minillama.norm:RMSNorm",
    ),
    misconceptions=(
        SUM, NO_ROOT, EPS_OUTSIDE, NO_EPS, NO_WEIGHT, OVER_SEQUENCE, WHOLE, SQUARE_OF_MEAN,
        Misconception(
            name="std",
            looks_like="a division by the standard deviation",
            principle="A standard deviation measures how far the numbers lie from their mean, not from zero.",
            question="What does yours divide by when all numbers of a vector are 5?",
            signature=is_std,
        ),
        Misconception(
            name=CENTRED.name, looks_like=CENTRED.looks_like, principle=CENTRED.principle, question=CENTRED.question,
            signature=is_centred,
        ),
        Misconception(
            name="no_keepdim",
            looks_like="a root without an axis of its own",
            principle="(B, T) and (B, T, D) line up from the right: T meets D, and where they are equal, in silence.",
            question="Which shape do your roots have, and which axis of x does their last one meet?",
        ),
        Misconception(
            name="upside_down",
            looks_like="a multiplication by the root",
            principle="A large vector has to become smaller.",
            question="Is your factor the root, or one over the root?",
        ),
        Misconception(
            name="weight_first",
            looks_like="a weight that is applied before the result is back in 16 bits",
            principle="Meta's code rounds to the dtype of x first and multiplies then; its weights were trained so.",
            question="In which order do your last steps round and multiply?",
            credit=0.8,
        ),
        Misconception(
            name="in_16_bits",
            looks_like="a step that is computed in 16 bits",
            principle="300 squared is 90,000 and float16 ends at 65,504; and every step in 16 bits rounds.",
            question="In which dtype are your squares, your root, and the division?",
            signature=is_in_16_bits,
        ),
    ),
    hints=(
        "One number for each token: the root of the mean of its squares. Work in float32 until the token is divided.",
        "x (B, T, D) -> mean of squares (B, T, 1) -> result (B, T, D); weight (D,) meets the channels by itself.",
        "wide = x in float32\nmean of wide squared over the channels, keeping the axis; plus eps; root\n"
        "divide; back to the dtype of x; times weight",
    ),
)  # fmt: skip
