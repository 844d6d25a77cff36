"""Lesson 14's layer: a frozen matrix with two thin ones beside it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.lora_hand import LESSON
from minillama.train import lora

Outputs = Sequence[Any]


def faulty_layer(bugs: Bugs = frozenset()) -> Callable[..., nn.Module]:
    """lora.LoRALinear with these bugs."""

    class Layer(nn.Module):
        def __init__(self, linear: Any, rank: int = 8, alpha: float = 16.0, dropout: float = 0.0) -> None:
            super().__init__()
            self.linear = linear if "trains_base" in bugs else linear.requires_grad_(False)
            dtype = next((each.dtype for each in linear.parameters()), None) if "dtype_of_base" in bugs else None
            K, N = linear.in_features, linear.out_features
            a, b = torch.empty(rank, K, dtype=dtype), torch.zeros(N, rank, dtype=dtype)
            nn.init.kaiming_uniform_(a, a=math.sqrt(5))
            if "wide_a" in bugs:
                nn.init.normal_(a)
            if "both_random" in bugs:
                nn.init.kaiming_uniform_(b, a=math.sqrt(5))
            if "both_zero" in bugs:
                nn.init.zeros_(a)
            if "a_zero" in bugs:
                a, b = torch.zeros_like(a), torch.rand_like(b) - 0.5
            if "transposed" in bugs:
                a, b = a.T.contiguous(), b.T.contiguous()
            self.lora_a, self.lora_b = nn.Parameter(a), nn.Parameter(b)
            self.scale = alpha / rank
            if "inverse_scale" in bugs:
                self.scale = rank / alpha
            if "no_scale" in bugs:
                self.scale = 1.0
            if "alpha_alone" in bugs:
                self.scale = alpha
            if "root_of_rank" in bugs:
                self.scale = alpha / math.sqrt(rank)
            self.share, self.merged = dropout, False

        def delta(self) -> Tensor:
            scale = 1.0 if "delta_unscaled" in bugs else self.scale
            return scale * (self.lora_a @ self.lora_b).T if "transposed" in bugs else scale * self.lora_b @ self.lora_a

        def forward(self, x: Tensor) -> Tensor:
            drops = self.training or "dropout_always" in bugs
            dropped = x if "no_dropout" in bugs else nn.functional.dropout(x, self.share, drops)
            base = dropped if "dropout_on_base" in bugs else x
            if "blind_base" in bugs:
                with torch.no_grad():
                    y = self.linear(base)
            else:
                y = self.linear(base)
            if self.merged and "ignores_merged" not in bugs:
                return y
            a, b = (self.lora_a.T, self.lora_b.T) if "transposed" in bugs else (self.lora_a, self.lora_b)
            low = dropped.to(a.dtype) @ a.T
            added = (1.0 if "forward_unscaled" in bugs else self.scale) * low @ b.T
            if "replaces" in bugs:
                return added.to(y.dtype)
            if "scale_on_base" in bugs:
                return (self.scale * y + added).to(y.dtype)
            return y + added.to(y.dtype)

    return Layer


def drops_before_the_base(cases: Sequence[Case], outputs: Outputs, expected: Outputs) -> bool:
    """Has one input several outputs in a fresh layer, whose B is zero?"""
    key = "the number of outputs that one input has in a fresh layer"
    return any(
        got.get(key, 1) > 1 and got.get("the beginning of B") == "zeros" for got in outputs if isinstance(got, dict)
    )


def begins_anywhere(cases: Sequence[Case], outputs: Outputs, expected: Outputs) -> bool:
    """Are both A and B other than zero, and everything else as it should be, but for the fresh output?"""
    free = ("the beginning of B", "the output of a fresh layer", "the number of outputs that one input has in a fresh")
    for got, right in zip(outputs, expected, strict=True):
        if got.get("the beginning of B") != "other numbers" or not got.get("the beginning of A", "").startswith(
            "random"
        ):
            return False
        kept = [key for key in right if not key.startswith(free)]
        if not all(key in got and _same(got[key], right[key]) for key in kept):
            return False
    return True


def has_coarse_halves(cases: Sequence[Case], outputs: Outputs, expected: Outputs) -> bool:
    """Are A and B in 16 bits beside a base in 16 bits, and is everything right beside another base?"""
    key, found = "the dtypes of A and B", False
    for got, right in zip(outputs, expected, strict=True):
        if key not in got or got[key] != right[key]:
            found |= "float32" not in got.get(key, "float32")
        elif not all(name in got and _same(got[name], each) for name, each in right.items()):
            return False
    return found


def _same(one: Any, other: Any) -> bool:
    one, other = (getattr(each, "data", each) for each in (one, other))
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    return np.shape(one) == np.shape(other) and bool(np.allclose(one, other, rtol=0.1, atol=0.1))


def layer_cases(rng: Generator) -> Sequence[Case]:
    """A small matrix, one in 16 bits, one in 4 bits with many numbers to look at, and three channels that drop out."""

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    def case(name: str, kind: str, N: int, K: int, rank: int, alpha: float) -> Case:
        x, probe = draw(2, 3, K), draw(2, 3, N)
        return Case(name=name, args=(draw(N, K), kind, (rank, alpha, 0.0), draw(rank, K), draw(N, rank), x, probe))

    N, K, rank = 5 + int(rng.integers(3)), int(rng.integers(3, 5)), int(rng.integers(2, 4))
    steps = np.array([[1.0, 2.0, 4.0]]) * rng.uniform(0.6, 0.8) * rng.choice((-1, 1), (1, 3))
    x = rng.uniform(0.9, 1.1, (1, 3)).astype(np.float32)
    return [
        case(f"a matrix of {N} rows and {K} columns, rank {rank}", "float32", N, K, rank, 2.5 * rank),
        case("a base in 4 bits, rank 8", "q4_0", 3, 64, 8, 20.0),
        case("a base in bfloat16, rank 2", "bfloat16", 6, 4, 2, 3.0),
        Case(
            name="a dropout of 0.4",
            args=(draw(1, 3), "float32", (1, 1.5, 0.4), steps.astype(np.float32), np.ones((1, 1), np.float32), x, x),
        ),
    ]


LoRALinear = Task(
    id="lora.LoRALinear", lesson=LESSON, kind="rebuild", title="Put two thin matrices beside a frozen one", points=5,
    difficulty=3, importance=5, minutes=25,
    reference=lora.LoRALinear, faulty=faulty_layer, cases=layer_cases, driver="adapter",
    piece="minillama.train.lora:LoRALinear", forbidden=("minillama.train.lora:LoRALinear",),
    outputs=("the value",), rtol=1e-3, atol=2e-3, half_tolerance=0.1,
    misconceptions=(
        idea(
            "both_zero", "an A and a B that are both zero",
            "The gradient of A goes through B, and that of B through A. Where both are zero, neither ever moves.",
            "Which of the two needs to be zero for the layer to begin as it was, and which must not be?",
        ),
        idea(
            "a_zero", "an A of zeros and a B that is drawn",
            "One of the two is zero, so the layer begins as it was. Whoever reads the files expects it to be B.",
            "Which of your two lines draws, and which fills with zeros?", 0.7,
        ),
        idea(
            "both_random", "an A and a B that are both drawn",
            "A fresh adapter has to add nothing: training begins at the model that you have.",
            "What is B A of two random matrices?", 0.5, begins_anywhere,
        ),
        idea(
            "wide_a", "an A that begins too wide",
            "A's rows are read by x as any matrix's are: their numbers begin within 1/sqrt(K).",
            "How large is A x for a thousand inputs of size 1, in yours?", 0.8,
        ),
        idea(
            "transposed", "A and B in each other's shape",
            "A comes first and makes K numbers into r; B makes r into N. Each is kept as nn.Linear keeps its weight: "
            "what comes out by what goes in.",
            "How many rows has the weight of an nn.Linear from K to r?",
        ),
        idea(
            "inverse_scale", "a scale of r / alpha",
            "With twice the rank, twice as many products are added up. The scale takes that back.",
            "What happens to your scale when r doubles?",
        ),
        idea("no_scale", "a product without a scale", "alpha / r tells how loudly the adapter speaks.",
             "Which of your lines reads `alpha`?"),
        idea(
            "alpha_alone", "a scale of alpha alone", "The scale is shared out over the rank.",
            "What happens to your scale when r doubles?",
        ),
        idea(
            "root_of_rank", "a scale with the root of the rank",
            "That is a relative, rank-stabilised LoRA. The files of plain LoRA mean alpha / r.",
            "By what do you divide alpha?", 0.7,
        ),
        idea(
            "scale_on_base", "a scale on W x too", "W x stays as it is: only what the adapter adds is scaled.",
            "What does your layer give while B is zero?",
        ),
        idea("replaces", "the adapter in place of W", "The adapter is added to what W says.",
             "What does your layer give while B is zero?"),
        idea(
            "trains_base", "a W that learns too",
            "The base is frozen, so it needs no gradient and no optimizer state. Saving that is the whole point.",
            "Who tells W's parameter that it does not learn?",
        ),
        idea(
            "dropout_on_base", "dropout on the way into W as well",
            "Dropout is for what learns. W x must not tremble while the adapter is trained.",
            "Which x does the base get in training?", 0.5, drops_before_the_base,
        ),
        idea(
            "dropout_always", "dropout outside of training as well",
            "Outside of training nothing is dropped: the same prompt has the same answer.",
            "How does your dropout learn whether the layer is in training?",
        ),
        idea("no_dropout", "a `dropout` that is not used", "In training, that share of the adapter's input is dropped.",
             "Which of your lines reads `dropout`?", 0.7),
        idea(
            "blind_base", "a base that lets no gradient through to x",
            "Frozen is W, and not what stands below: the adapters of lower layers learn from the gradient that comes "
            "down through W.",
            "What is recorded under `no_grad`, and who needs the gradient of x?",
        ),
        idea(
            "ignores_merged", "an adapter that is added though it has been merged",
            "Once W holds the product, adding it again would count it twice.",
            "What does your forward do where `merged` is true?", 0.7,
        ),
        idea("forward_unscaled", "a forward() without the scale", "What the adapter adds is scaled before it is added.",
             "Does your layer give the same before and after its delta() has been added to W?", 0.7),
        idea("delta_unscaled", "a delta() without the scale", "delta() is what is added to W, scale and all.",
             "What would the layer give if your delta() were added to W?", 0.7),
        idea(
            "dtype_of_base", "halves in the base's 16 bits",
            "Small steps are lost in 16 bits: the base may be coarse, what learns may not.",
            "In which dtype do you make A and B?", 0.7, has_coarse_halves,
        ),
    ),
    hints=(
        "The base does what it always did. Beside it x takes a detour through r numbers, and both are added.",
        "lora_a (r, K) drawn, lora_b (N, r) zeros, both parameters in float32. linear.in_features is K, and N is "
        "linear.out_features. Call linear, and do not read its weight: one in 4 bits has none.",
        "init: freeze linear; make A and B; scale = alpha / rank; an nn.Dropout; merged = False\n"
        "delta: scale x (B times A)\nforward: y = linear of x; merged? that is all\n"
        "else y + scale x (dropped x times A transposed, times B transposed), in the dtype of y",
    ),
)  # fmt: skip
