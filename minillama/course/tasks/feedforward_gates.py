"""Tasks of lesson 05 about what a layer computes: SiLU and SwiGLU."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minillama import feedforward
from minillama.course.drivers import module
from minillama.course.plain import Made, to_input
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.feedforward_ideas import LESSON, PRODUCT_FIRST, SIGMOID, SWAPPED, Generator

GELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "exact": nn.functional.gelu,
    "tanh": lambda x: nn.functional.gelu(x, approximate="tanh"),
    "quick": lambda x: x * torch.sigmoid(1.702 * x),
}


def draw(rng: Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Normal numbers in float32."""
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def fits_gelu(faulty: Callable[[Callable[[Tensor], Tensor]], Callable[..., Tensor]]) -> Callable[..., bool]:
    """A signature: is this what one of the three usual GELUs gives?

    Args:
        faulty: from a GELU to the function of a case's inputs that gives the numbers.
    """

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        numbers = [each[-1] if isinstance(each, tuple) else each for each in outputs]
        for gelu in GELUS.values():
            wanted = [faulty(gelu)(*(to_input(each) for each in case.args)).detach().numpy() for case in cases]
            pairs = zip(numbers, wanted, strict=True)
            if all(np.allclose(got, each, rtol=4e-3, atol=4e-3) for got, each in pairs):
                return True
        return False

    return fits


# silu


def faulty_silu(bugs: Bugs) -> Callable[[Tensor], Tensor]:
    """silu with these bugs."""

    def bend(x: Tensor) -> Tensor:
        if "relu" in bugs:
            return torch.relu(x)
        if "tanh" in bugs:
            return x * torch.tanh(x)
        if "gelu" in bugs:
            return nn.functional.gelu(x)
        if "overflows" in bugs:
            return x * (x.exp() / (1 + x.exp()))
        opened = torch.softmax(x, -1) if "softmax" in bugs else torch.sigmoid(-x if "closes" in bugs else x)
        return opened if "sigmoid" in bugs else x * opened

    return bend


def silu_cases(rng: Generator) -> list[Case]:
    """Any shape, large numbers, float16."""
    wide, T = int(rng.integers(5, 9)), int(rng.integers(3, 6))
    return [
        Case(name=f"{wide} numbers around 0", args=(draw(rng, wide, scale=1.5),)),
        Case(name=f"a stream of {T} tokens", args=(draw(rng, 2, T, 6, scale=1.5),)),
        Case(name="200 and -200", args=(np.array([[200.0, -200.0, 0.5]], dtype=np.float32),)),
        Case(name="numbers in float16", args=(draw(rng, 3, 7).astype(np.float16),)),
    ]


silu = Task(
    id="feedforward.silu", lesson=LESSON, kind="complete", title="Write SiLU", points=1, difficulty=1, importance=4,
    minutes=3,
    reference=feedforward.silu, faulty=faulty_silu, cases=silu_cases, piece="minillama.feedforward:silu",
    forbidden=("torch.nn.functional:silu", "torch.nn:SiLU"),
    misconceptions=(
        SIGMOID,
        Misconception(
            name="relu",
            looks_like="ReLU",
            principle="SiLU has no corner: below 0 it dips to -0.28 and comes back.",
            question="What does yours give for -1?",
        ),
        Misconception(
            name="gelu",
            looks_like="GELU",
            principle="GELU and SiLU have the same form and differ by 0.2 at most: close enough to pass unseen.",
            question="What multiplies x in yours, and how steep is it at 0?",
            signature=fits_gelu(lambda gelu: gelu),
        ),
        Misconception(
            name="tanh",
            looks_like="a tanh where the sigmoid belongs",
            principle="A tanh runs from -1 to 1, and turns negative numbers into positive ones here. A sigmoid runs "
            "from 0 to 1.",
            question="What does yours give for -5?",
        ),
        Misconception(
            name="closes",
            looks_like="a sigmoid with the wrong sign inside",
            principle="A large positive number opens its own gate.",
            question="What does yours give for 10?",
        ),
        Misconception(
            name="softmax",
            looks_like="numbers that share one opening among them",
            principle="Each number is bent alone: what stands beside it makes no difference.",
            question="Which function of yours sees more than one number at a time?",
        ),
        Misconception(
            name="overflows",
            looks_like="a sigmoid made of e to the x, which overflows for large x",
            principle="e to the 200 is more than float32 holds: inf over inf is nan.",
            question="Which sign may the exponent have, so that it can only become too small?",
            credit=0.7,
        ),
    ),
    hints=(
        "A number times how far it opens its own door.",
        "Any shape in, the same shape and dtype out.",
        "open = sigmoid of x, between 0 and 1\nresult = x times open",
    ),
)  # fmt: skip


# SwiGLU


def faulty_layer(bugs: Bugs, bend: Callable[[Tensor], Tensor] = feedforward.silu) -> Callable[..., nn.Module]:
    """SwiGLU with these bugs."""
    if "sigmoid" in bugs:
        bend = torch.sigmoid
    elif "relu" in bugs:
        bend = torch.relu
    elif "gelu" in bugs:
        bend = nn.functional.gelu

    class Layer(nn.Module):
        def __init__(self, dim: int, hidden_dim: int, linear: Callable[[int, int], nn.Module]) -> None:
            super().__init__()
            if "own_linear" in bugs:
                linear = feedforward.linear
            if "bias" in bugs:
                linear = nn.Linear
            second, third = (dim, hidden_dim), (hidden_dim, dim)
            if "names" not in bugs:
                second, third = third, second
            self.w1, self.w2, self.w3 = linear(dim, hidden_dim), linear(*second), linear(*third)

        def forward(self, x: Tensor) -> Tensor:
            up, down = (self.w2, self.w3) if "names" in bugs else (self.w3, self.w2)
            first, other = (up, self.w1) if "swapped" in bugs else (self.w1, up)
            if "product_first" in bugs:
                hidden = bend(first(x) * other(x))
            elif "both_bent" in bugs:
                hidden = bend(first(x)) * bend(other(x))
            elif "no_gate" in bugs:
                hidden = bend(first(x))
            elif "adds" in bugs:
                hidden = bend(first(x)) + other(x)
            else:
                hidden = bend(first(x)) * other(x)
            out: Tensor = down(hidden)
            return x + out if "adds_stream" in bugs else out

    return Layer


def layer_cases(rng: Generator) -> list[Case]:
    """Sizes, weights by name, and a stream; one with as many hidden channels as channels; one with other matrices."""
    D, F, T = int(rng.integers(4, 7)), int(rng.integers(8, 12)), int(rng.integers(3, 6))
    ordinary = Made("minillama.feedforward:linear")
    biased = Made("torch.nn:Linear")

    def case(name: str, B: int, T: int, D: int, F: int, linear: Made) -> Case:
        shapes: dict[str, tuple[int, ...]] = {"w1.weight": (F, D), "w2.weight": (D, F), "w3.weight": (F, D)}
        if linear is biased:
            shapes |= {"w1.bias": (F,), "w2.bias": (D,), "w3.bias": (F,)}
        weights = [draw(rng, *shape, scale=0.7) for shape in shapes.values()]
        return Case(name=name, args=((D, F, linear), tuple(shapes), *weights, draw(rng, B, T, D)))

    return [
        case(f"{D} channels and {F} hidden ones", 2, T, D, F, ordinary),
        case("as many hidden channels as channels", 1, 4, 5, 5, ordinary),
        case("a `linear` that makes matrices with a bias", 1, 3, D, F, biased),
    ]


def _gelu_layer(gelu: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def run(*inputs: Any) -> Tensor:
        output: Tensor = module(faulty_layer(frozenset(), gelu), *inputs)[-1]
        return output

    return run


BOTH_BENT = Misconception(
    name="both_bent",
    looks_like="two bent branches",
    principle="One branch says how far to open, the other says what passes. What passes may be negative, and stays "
    "as it is.",
    question="How many times do you bend?",
)
RELU = Misconception(
    name="relu",
    looks_like="ReLU in the place of SiLU",
    principle="That is ReGLU, a relative. Its gates shut altogether; weights that grew up with SiLU expect a crack.",
    question="What does your bend make of -1?",
)

SwiGLU = Task(
    id="feedforward.SwiGLU", lesson=LESSON, kind="rebuild", title="Build the gated layer", points=4, difficulty=3,
    importance=5, minutes=15,
    reference=feedforward.SwiGLU, faulty=faulty_layer, cases=layer_cases, driver="module",
    outputs=("its matrices", "the result"), piece="minillama.feedforward:SwiGLU", atol=1e-4,
    forbidden=("minillama.feedforward:SwiGLU",),
    misconceptions=(
        SWAPPED, SIGMOID,
        Misconception(
            name="gelu",
            looks_like="GELU in the place of SiLU",
            principle="That is GeGLU, a relative. Weights that were trained with SiLU run in it almost as well: text "
            "will not tell you, numbers do.",
            question="Which function bends your gate?",
            signature=fits_gelu(_gelu_layer),
        ),
        RELU, PRODUCT_FIRST, BOTH_BENT,
        Misconception(
            name="no_gate",
            looks_like="a layer without its second branch",
            principle="w3 makes what passes; the bent w1 only says how much of it.",
            question="Where does your forward use w3?",
        ),
        Misconception(
            name="adds",
            looks_like="branches that are added",
            principle="A gate multiplies: at 0 nothing passes, whatever waits behind it.",
            question="What comes out of yours where the gate is 0?",
        ),
        Misconception(
            name="names",
            looks_like="the names w2 and w3 exchanged",
            principle="In Meta's files w2 is the way back, from F to D. The names follow the order in which they were "
            "added, not the way of the data.",
            question="Which shapes have your w2 and your w3?",
        ),
        Misconception(
            name="bias",
            looks_like="matrices with a bias",
            principle="No matrix of a LLaMA has one, and its files bring none.",
            question="What makes your matrices, and what does it add on its own?",
        ),
        Misconception(
            name="own_linear",
            looks_like="matrices that are not made by `linear`",
            principle="Whoever builds the model hands in what makes its matrices: full ones, or later ones in 4 bits.",
            question="Where do you use the third argument?",
        ),
        Misconception(
            name="adds_stream",
            looks_like="a layer that adds the stream itself",
            principle="The block adds x to what the layer returns. Then x would come twice.",
            question="Who is to add x, the layer or who calls it?",
        ),
    ),
    hints=(
        "Two matrices read x. One result is bent and multiplied with the other, number by number. A third goes back.",
        "w1 and w3: D -> F. w2: F -> D. x (B, T, D) -> (B, T, F) twice -> (B, T, D).",
        "made once: w1, w2, w3 by `linear(in, out)`, after super().__init__()\n"
        "called: hidden = silu of w1's result, times w3's result\nreturn w2 of hidden",
    ),
)  # fmt: skip
