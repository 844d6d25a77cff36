"""The search of lesson 03: a function that names what is wrong with a norm."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from minillama import norm
from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Probe, Task
from minillama.course.tasks.norm_inputs import Generator
from minillama.course.tasks.norm_vectors import LESSON, Norm, faulty_norm

FAULTS = {  # what the answer has to say -> the bug
    "sequence": "over_sequence", "sum": "sum", "mean": "centred", "eps": "eps_outside", "weight": "no_weight",
}  # fmt: skip
CANDIDATES = ("right", "right_too", *FAULTS)


def candidate(name: str) -> Norm:
    """A norm to be judged, by the word for its fault; it takes any number of axes before the last."""
    if name == "right_too":
        return norm.rms_norm
    faulty = faulty_norm(frozenset() if name == "right" else frozenset({FAULTS[name]}))

    def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
        batched = x.reshape(-1, *x.shape[-2:]) if x.dim() > 1 else x[None, None]
        return faulty(batched, weight, eps).reshape(x.shape)

    return rms_norm


def examine(bugs: Bugs) -> Callable[[Norm], str]:
    """norm.name_the_bug; with bugs, one that looks at too little."""

    def name_the_bug(suspect: Norm) -> str:
        if "says_right" in bugs:
            return "right"
        ones = torch.ones(4)
        x = torch.tensor([[[3.0, -1.0, 1.0, 5.0], [1.0, 2.0, 3.0, 4.0]]])
        out = suspect(x, ones, 0.0)
        other = suspect(torch.stack((x[:, 0], 9 * x[:, 1]), 1), ones, 0.0)
        if not torch.allclose(out[:, 0], other[:, 0], atol=1e-3):
            return "sequence"
        if torch.allclose(out[:, 0], x[:, 0] / 6, atol=1e-3):
            return "sum"
        if "blind_to_mean" not in bugs and not torch.allclose(out[:, 0], x[:, 0] / 3, atol=1e-3):
            return "mean"
        if "blind_to_weight" not in bugs and torch.allclose(suspect(x, 2 * ones, 0.0), out, atol=1e-3):
            return "weight"
        balanced = torch.tensor([[[3e-3, -3e-3, 3e-3, -3e-3]]])
        shown = suspect(balanced, ones, 1.6e-5)
        return "right" if "blind_to_eps" in bugs or torch.allclose(shown, balanced / 5e-3, atol=1e-2) else "eps"

    return name_the_bug


def _line_up(rng: Generator) -> Sequence[Case]:
    path = "minillama.course.tasks.norm_bugs:candidate"
    names = rng.permutation(CANDIDATES)
    return [Case(name=f"suspect {i + 1}", args=(Made(path, {"name": str(name)}),)) for i, name in enumerate(names)]


def _words(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """What was said of the first suspect that was misjudged."""
    for case, said in zip(cases, outputs, strict=True):
        name = str(case.args[0].arguments["name"]).removesuffix("_too")
        if not isinstance(said, str):
            return f"Of {case.name} you say {said!r}, which is none of the six words."
        if said.strip() not in ("right", *FAULTS):
            return f"Of {case.name} you say {said.strip()!r}, which is none of the six words."
        if said.strip() != name:
            return f"Of {case.name} you say {said.strip()!r}, and it is {name!r}."
    return None


EACH_BY_NAME = Probe(
    name="each suspect by its name",
    cases=_line_up,
    broken=_words,
    principle="Each fault shows on some input, and on no other: an experiment for each tells them apart.",
    question="Which of your inputs gives another result for this one than for a right norm?",
)


def _blind(name: str, looks_like: str, principle: str, question: str, credit: float = 0.5) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, credit=credit)


name_the_bug = Task(
    id="norm.name_the_bug", lesson=LESSON, kind="diagnose", title="Name the bug from outside", points=5,
    difficulty=4, importance=4, minutes=15,
    reference=examine(frozenset()), faulty=examine, cases=_line_up, probes=(EACH_BY_NAME,), outputs=("your word",),
    misconceptions=(
        _blind(
            "says_right", "a function that finds nothing wrong with anything", "Five of the seven suspects are wrong.",
            "Which of your lines can return another word?", 0.0,
        ),
        _blind(
            "blind_to_eps", "experiments that cannot see eps",
            "Beside squares of usual size eps vanishes, wherever it stands.",
            "How small must the numbers be before eps counts, or how large eps?",
        ),
        _blind(
            "blind_to_mean", "experiments that cannot see a mean being subtracted",
            "A vector whose numbers sum to 0 has no mean to lose.",
            "What is the mean of the vectors that you try?",
        ),
        _blind(
            "blind_to_weight", "experiments that cannot see the weight",
            "With weights of 1 nobody knows whether they are used.",
            "Which weights do you try?",
        ),
    ),
    hints=(
        "Make one small experiment for each fault: an input on which that fault, and no other, changes the result.",
        "suspect(x, weight, eps) with x (1, T, D), weight (D,), eps a number that you choose: 0 is allowed.",
        "two tokens, one of them changed: does the other's result change? -> sequence\n"
        "one vector of which you know the result by hand: what factor is missing? -> sum, mean\n"
        "two different weights -> weight\nnumbers far smaller than 1 with an eps of their squares' size -> eps",
    ),
)  # fmt: skip
