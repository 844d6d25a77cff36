"""Tasks of lesson 03 about the module: RMSNorm with its weight, and what it saves against LayerNorm."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from minillama import norm
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.norm_inputs import Generator, draw, weights
from minillama.course.tasks.norm_vectors import LESSON


def faulty_module(bugs: Bugs) -> Callable[..., nn.Module]:
    """RMSNorm with these bugs."""

    class Faulty(nn.Module):
        def __init__(self, dim: int, eps: float = 1e-5) -> None:
            super().__init__()
            self.eps = 1e-5 if "fixed_eps" in bugs else eps
            start = torch.zeros if "zeros" in bugs else torch.ones
            first = start(1 if "one_weight" in bugs else dim)
            if "plain_tensor" in bugs:
                self.weight = first
            elif "other_name" in bugs:
                self.gain = nn.Parameter(first)
            else:
                self.weight = nn.Parameter(first)
            if "bias" in bugs:
                self.bias = nn.Parameter(torch.zeros(dim))

        def forward(self, x: Tensor) -> Tensor:
            weight = self.gain if "other_name" in bugs else self.weight
            weight = torch.ones_like(weight) if "unused" in bugs else weight
            out = norm.rms_norm(x, weight, self.eps)
            return out + self.bias if "bias" in bugs else out

    return Faulty


def module_cases(rng: Generator) -> list[Case]:
    """Fresh, with weights loaded, and with an eps that shows."""
    D = int(rng.integers(5, 10))
    return [
        Case(name=f"RMSNorm({D}, 1e-05), fresh", args=((D, 1e-5), (), draw(rng, 2, 3, D))),
        Case(
            name=f"RMSNorm({D}, 1e-05), its weight loaded",
            args=((D, 1e-5), ("weight",), weights(rng, D), draw(rng, 2, 3, D)),
        ),
        Case(name="RMSNorm(6, 0.5), fresh", args=((6, 0.5), (), draw(rng, 1, 4, 6))),
    ]


def _parameters(outputs: Sequence[Any]) -> list[str]:
    """The first module's parameters in words."""
    return [each for each in str(outputs[0][0]).replace("), ", ")|").split("|") if each != "none"]


def has_no_parameter(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    return not _parameters(outputs)


def has_two_parameters(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    return len(_parameters(outputs)) > 1


def has_one_number(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    return _parameters(outputs) in (["weight (1,)"], ["weight ()"])


def has_another_name(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    found, wanted = _parameters(outputs), _parameters(expected)
    return len(found) == 1 and found[0].partition(" ")[0] != "weight" and found[0].endswith(wanted[0].partition(" ")[2])


RMSNorm = Task(
    id="norm.RMSNorm", lesson=LESSON, kind="rebuild", title="Give it a weight to learn", points=2, difficulty=2,
    importance=5, minutes=8,
    reference=norm.RMSNorm, faulty=faulty_module, cases=module_cases, driver="module",
    outputs=("the list of parameters", "the result"), piece="minillama.norm:RMSNorm",
    forbidden=("torch.nn:RMSNorm", "minillama.norm:RMSNorm"),
    misconceptions=(
        Misconception(
            name="zeros",
            looks_like="a weight that starts at 0",
            principle="A fresh norm should change nothing but the size. Times 0, nothing at all gets through.",
            question="By what should a channel be multiplied before anything is learned?",
        ),
        Misconception(
            name="fixed_eps",
            looks_like="an eps that is not the one that was given, or none",
            principle="LLaMA 7B was trained with 1e-6 and Llama 2 with 1e-5: the caller knows which.",
            question="Where does `forward` find the eps that `__init__` got?",
        ),
        Misconception(
            name="unused",
            looks_like="a weight that `forward` does not use",
            principle="What is learned has to reach the result.",
            question="What does `forward` give to rms_norm as its weight?",
        ),
        Misconception(
            name="plain_tensor",
            looks_like="a weight that PyTorch does not know as a parameter",
            principle="Only an nn.Parameter is found by the optimizer and filled from a checkpoint.",
            question="Of which type is what you keep in `self.weight`?",
            signature=has_no_parameter,
        ),
        Misconception(
            name="bias",
            looks_like="a second parameter, as LayerNorm has",
            principle="RMSNorm has one number a channel, and LLaMA's checkpoints hold no other.",
            question="Which of your parameters has no file to come from?",
            signature=has_two_parameters,
        ),
        Misconception(
            name="one_weight",
            looks_like="one weight for all channels",
            principle="Every channel has a volume knob of its own.",
            question="How many numbers does the weight of a 4,096-channel model have?",
            signature=has_one_number,
        ),
        Misconception(
            name="other_name",
            looks_like="a parameter under another name",
            principle="Checkpoints find their place by name: LLaMA's files say `norm.weight`.",
            question="What is your attribute called?",
            credit=0.7,
            signature=has_another_name,
        ),
    ),
    hints=(
        "A module holds what is learned and what is fixed; `forward` hands both to the function that you have.",
        "dim numbers, one a channel; eps is a plain number.",
        "at the start: call the parent's __init__; keep eps; keep dim ones as a parameter called weight\n"
        "forward: rms_norm of x, that weight, that eps",
    ),
)  # fmt: skip


# What it saves


def savings(bugs: Bugs = frozenset()) -> Callable[[int, int], tuple[int, int]]:
    """norm.savings with these bugs."""

    def saved(dim: int, n_layers: int) -> tuple[int, int]:
        norms = 2 * n_layers + ("no_final" not in bugs)
        norms = n_layers + 1 if "one_a_layer" in bugs else 1 if "one_norm" in bugs else norms
        parameters = 1 if "bias_as_one" in bugs else 2 * dim if "weight_too" in bugs else dim
        operations = 2 * dim if "two_passes" in bugs else dim if "one_pass" in bugs else 3 * dim
        found = norms * parameters, norms * operations
        return found[::-1] if "exchanged" in bugs else found

    return saved


def _count(name: str, looks_like: str, principle: str, question: str) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question)


savings_task = Task(
    id="norm.savings", lesson=LESSON, kind="complete", title="Count what RMSNorm saves", points=2, difficulty=2,
    importance=3, minutes=6,
    reference=savings(), faulty=savings,
    cases=lambda rng: [
        Case(name=f"dim {dim} and {n_layers} layers", args=(dim, n_layers))
        for dim, n_layers in ((int(rng.integers(3, 9)) * 64, int(rng.integers(3, 9))), (4096, 32))
    ],
    outputs=("saved",),
    misconceptions=(
        _count(
            "exchanged", "the two numbers in each other's place", "Parameters come first, operations second.",
            "Which of your two numbers counts biases?",
        ),
        _count(
            "no_final", "a count without the last norm",
            "After the last layer there is one more norm, before the logits.",
            "Which norm belongs to no layer?",
        ),
        _count(
            "one_a_layer", "one norm a layer",
            "A layer has two halves, attention and feed-forward, and a norm before each.",
            "How many norms does one layer have?",
        ),
        _count(
            "one_norm", "the savings of a single norm", "The question is about the whole model.",
            "How many norms stand in it?",
        ),
        _count(
            "bias_as_one", "a bias of one number", "LayerNorm adds a number of its own to every channel.",
            "How many channels does the bias have to reach?",
        ),
        _count(
            "weight_too", "a weight that is counted as saved", "RMSNorm keeps its weight; only the bias is gone.",
            "Which of LayerNorm's two vectors has RMSNorm, too?",
        ),
        _count(
            "two_passes", "two of three steps", "LayerNorm finds the mean, subtracts it, and adds its bias.",
            "Which steps touch all channels, that RMSNorm does not have?",
        ),
        _count(
            "one_pass", "one of three steps", "LayerNorm finds the mean, subtracts it, and adds its bias.",
            "What has to be known before the mean can be subtracted, and what is added in the end?",
        ),
    ),
    hints=(
        "First for one norm of D channels; then count the norms of the model.",
        "Two whole numbers: parameters, and operations for one token.",
        "one norm: a bias of D numbers; the mean, its subtraction and the bias, D operations each\n"
        "times the number of norms: two a layer, and the last",
    ),
)  # fmt: skip
