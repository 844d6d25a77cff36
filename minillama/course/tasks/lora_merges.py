"""Lesson 14's merge: the adapter becomes a part of its matrix."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.lora_hand import LESSON
from minillama.errors import ConfigError
from minillama.quant.linear import QuantLinear
from minillama.train import lora


def faulty_merge(bugs: Bugs = frozenset()) -> Callable[[Any], None]:
    """lora.merge with these bugs."""

    def merge(layer: Any) -> None:
        if isinstance(layer.linear, QuantLinear):
            if "no_guard" in bugs:
                return
            raise ConfigError("the base is quantized")
        if layer.merged and "twice" not in bugs:
            return
        weight = layer.linear.weight
        delta = layer.lora_b @ layer.lora_a * (1.0 if "unscaled" in bugs else layer.scale)
        delta = delta * layer.scale if "scaled_twice" in bugs else delta
        delta = delta.T if "order" in bugs else delta
        delta = -delta if "subtracts" in bugs else delta
        delta = delta - weight if "replaces" in bugs else delta
        if "learns" in bugs:
            layer.linear.weight = torch.nn.Parameter((weight + delta).to(weight.dtype).detach())
        elif "only_flag" not in bugs:
            weight.data += delta.detach().to(weight.dtype)
        if "forgets" in bugs:
            layer.lora_b.data.zero_()
        layer.merged = "no_flag" not in bugs

    return merge


def merge_cases(rng: Generator) -> Sequence[Case]:
    """A square matrix, one that is not, one in 16 bits, one in 4 bits."""

    def case(name: str, kind: str, N: int, K: int, rank: int, alpha: float) -> Case:
        weight, a, b, x = (
            rng.normal(size=shape).astype(np.float32) for shape in ((N, K), (rank, K), (N, rank), (2, 3, K))
        )
        return Case(name=name, args=(weight, kind, (rank, alpha, 0.0), a, b, x))

    D, rank = int(rng.integers(4, 7)), int(rng.integers(2, 4))
    return [
        case(f"a square matrix of {D} rows, rank {rank}", "float32", D, D, rank, 1.5 * rank),
        case("a matrix of 3 rows and 5 columns, rank 2", "float32", 3, 5, 2, 5.0),
        case("a matrix in bfloat16", "bfloat16", 4, 4, 2, 1.0),
        case("a base in 4 bits", "q4_0", 2, 32, 2, 4.0),
    ]


merge = Task(
    id="lora.merge", lesson=LESSON, kind="rebuild", title="Merge an adapter into its matrix", points=3, difficulty=2,
    importance=4, minutes=12,
    reference=lora.merge, faulty=faulty_merge, cases=merge_cases, driver="merging",
    piece="minillama.train.lora:merge", forbidden=("minillama.train.lora:merge",),
    outputs=("the value",), rtol=1e-3, atol=1e-4, half_tolerance=0.1,
    misconceptions=(
        idea(
            "twice", "an adapter that is added in every call",
            "A layer that is merged is merged: asking again must do nothing. Twice as loud raises no error.",
            "What does your function look at before it adds?",
        ),
        idea(
            "no_flag", "a layer that does not know it is merged",
            "W holds the product now. A layer that does not know adds it once more in every forward.",
            "Who tells the layer's forward that it may stop adding?",
        ),
        idea(
            "order", "A and B multiplied in the wrong order",
            "B A has the shape of W: N rows from B, K columns from A. For a square W the transpose has this shape too, "
            "and raises no error.",
            "Which of W's two axes do the rows of your product stand for?",
        ),
        idea("unscaled", "a product without its scale", "What the forward adds is scale x B A; W has to get all of it.",
             "Which of the layer's numbers does your sum not read?"),
        idea(
            "scaled_twice", "a product that is scaled twice", "delta() has the scale in it already.",
            "What does delta() return, and by what do you multiply it?",
        ),
        idea("subtracts", "an adapter that is taken away", "Merging adds; unmerging takes away.",
             "What does the layer's forward do with what the adapter says?"),
        idea("replaces", "a W that is replaced by the product", "W keeps what it knows: the product is added to it.",
             "What is left of W in yours?"),
        idea("only_flag", "a flag without a sum", "Before the layer may stop adding, W has to hold what it adds.",
             "Which of your lines changes W?"),
        idea(
            "learns", "a W that learns after the merge",
            "A fresh nn.Parameter learns, and so does what is added with gradients on. W is frozen, merged or not.",
            "Does W require a gradient when you are done?", 0.6,
        ),
        idea(
            "forgets", "an adapter that is thrown away",
            "Who wants to take the adapter out again, or save it, needs A and B as they were.",
            "Which of your lines writes to A or B?", 0.6,
        ),
        idea(
            "no_guard", "a base in 4 bits that is passed over in silence",
            "Nothing was merged, and nobody was told. Raise a ConfigError: blocks of 4 bits hold "
            "no floats to add to.",
            "What does the caller hear who merges into a QuantLinear?", 0.7,
        ),
    ),
    hints=(
        "The forward adds scale x B A x to W x. Where can scale x B A be put so that W x says both?",
        "delta() has the shape of W, (N, K). Everything happens in place: layer.linear.weight, layer.merged.",
        "the base a QuantLinear? raise a ConfigError\nmerged already? nothing to do\nwithout gradients: W += delta, in "
        "W's dtype\nmerged = True",
    ),
)  # fmt: skip
