"""The first search of lesson 07: the part at which two models part."""

from collections.abc import Callable

import torch
from torch import Tensor

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.attention_ideas import Generator
from minillama.course.tasks.model_blocks import fault
from minillama.course.tasks.model_hand import LESSON

PARTS = ("tok_embeddings", "layers.0.attention", "layers.0", "layers.1.attention", "layers.1", "norm", "logits")
Outputs = dict[str, Tensor]


def pass_of(kind: str, seed: int, first: int, suspect: bool) -> Outputs:
    """What the parts of a model gave, or of a suspect that goes wrong at part `first`.

    Args:
        kind: "rising" differs more and more, "falling" most at the first wrong part and less afterwards, "level" by
            numbers whose mean is 0, "large" has a stream of thousands, "single" begins with one wrong number, "below"
            is too low, "slight" is off by little, "inf" has one number without end, "negative" has no right number
            above 0, "nan" has no numbers there, "coarse" is rounded roughly, "none" agrees.
        seed: of the numbers.
        first: number of the part.
        suspect: the suspect's pass; it is rounded otherwise.
    """
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for i, name in enumerate(PARTS):
        x = torch.randn(2, 4, 6, generator=generator)
        x = (x + 0.3 * x.sign()) * (3000.0 if kind == "large" else 1.0)
        if kind == "negative":
            x = -x.abs()
            x[0, 0, 0] = 0.0
        if kind == "none" and i == len(PARTS) - 3:
            x[0, 0, 0] = 0.0  # rounded like its neighbours, and nothing beside itself
        noise, wrong = (torch.randn(2, 4, 6, generator=generator) for _ in range(2))
        if suspect:
            rounding = 6e-5 * noise.sign() if kind == "coarse" else 2e-7 * noise
            x = x + rounding * x.abs().max()
            if i >= first and kind not in ("none", "coarse"):
                wrong = (wrong - wrong.mean()) * x.abs().max()
                if kind == "below":
                    wrong = -wrong.abs() - x.abs().max()
                if kind == "single" and i == first:
                    wrong = torch.zeros_like(x)
                    wrong[-1, -1, -1] = 0.04 * x.abs().max()
                if kind == "slight":
                    wrong = 3e-4 * x.abs().max() * noise.sign()
                if kind == "inf":
                    wrong = torch.zeros_like(x)
                    wrong[0, 1, 2] = torch.inf
                sizes = {"slight": 1.0, "inf": 1.0, "falling": 0.5 / (1 + i - first), "nan": float("nan")}
                x = x + wrong * sizes.get(kind, 0.05 * (1 + i - first))
        found[name] = x
    return found


def faulty_first(bugs: Bugs = frozenset()) -> Callable[[Outputs, Outputs], str]:
    """model.first_wrong_part with these bugs."""

    def first_wrong_part(right: Outputs, suspect: Outputs) -> str:
        wrong = {}
        for name, expected in sorted(right.items()) if "sorted" in bugs else right.items():
            gap, size = (suspect[name] - expected), expected.abs().max()
            if "own_size" in bugs:
                gap, size = gap / expected.abs(), torch.ones(())
            if "signed_size" in bugs:
                size = expected.max()
            largest = gap.max() if "signed_gap" in bugs else gap.abs().max()
            largest = gap.mean().abs() if "mean" in bugs else gap.abs().mean() if "mean_size" in bugs else largest
            off = largest / (1 if "absolute" in bugs else size)
            limit = 0.0 if "exact" in bugs else 1e-3 if "lax" in bugs else 1e-6 if "picky" in bugs else 1e-4
            if off > limit or (off.isnan() and "blind_to_nan" not in bugs):
                wrong[name] = float(off)
        if not wrong:
            return "none"
        if "largest" in bugs:
            return max(wrong, key=lambda name: wrong[name])
        return list(wrong)[-1 if "last" in bugs else 0]

    return first_wrong_part


def first_cases(rng: Generator) -> list[Case]:
    """Passes that part early and late, loudly and softly, and one that does not."""
    found = []
    for name, kind, first in (
        ("a difference that grows", "rising", int(rng.integers(1, 4))),
        ("a difference that fades", "falling", int(rng.integers(1, 4))),
        ("rounding alone", "none", 0),
        ("a stream of thousands", "large", int(rng.integers(3, 6))),
        ("one wrong number at first", "single", int(rng.integers(1, 4))),
        ("numbers that are too low", "below", int(rng.integers(1, 4))),
        ("right numbers below 0", "negative", int(rng.integers(2, 5))),
        ("nan from some part on", "nan", int(rng.integers(2, 5))),
        ("an error of 3 in 10,000", "slight", int(rng.integers(1, 4))),
        ("rounding of half a ten-thousandth", "coarse", 0),
        ("a number without end", "inf", int(rng.integers(1, 5))),
    ):
        seed = int(rng.integers(10_000))
        made = [
            Made(f"{__name__}:pass_of", {"kind": kind, "seed": seed, "first": first, "suspect": suspect})
            for suspect in (False, True)
        ]
        found.append(Case(name=name, args=tuple(made)))
    return found


first_wrong_part: Task = Task(
    id="model.first_wrong_part", lesson=LESSON, kind="complete", title="Find where two models part", points=3,
    difficulty=2, importance=5, minutes=10,
    reference=faulty_first(), faulty=faulty_first, cases=first_cases, outputs=("the part",),
    misconceptions=(
        fault(
            "largest", "the part that is most wrong",
            "An error grows, or fades, on its way. It was made where it begins.",
            "Which part stands first in the order of the pass?",
        ),
        fault(
            "last", "the last part that is wrong", "The error was made where it begins.", "When does your loop stop?"
        ),
        fault(
            "exact", "numbers that have to be equal to the last digit",
            "Two right models add in another order, and rounding differs.",
            "How far apart may two right results be?",
        ),
        fault(
            "absolute", "a difference that is not measured against the numbers' size",
            "0.001 is much beside 0.01, and rounding beside 3,000.", "How large are the numbers that you compare?",
        ),
        fault(
            "lax", "a limit that lets small errors pass",
            "Up to a ten-thousandth is rounding. What is off by more was computed otherwise.",
            "Which share of the largest number does your limit allow?", credit=0.7,
        ),
        fault(
            "picky", "a limit that takes rounding for errors",
            "Up to a ten-thousandth of the largest number two right programs may differ.",
            "Which share of the largest number does your limit allow?", credit=0.7,
        ),
        fault(
            "own_size", "a difference that is measured against each number's own size",
            "Rounding happens in sums. A number that comes out near 0 is rounded like its large neighbours.",
            "What does your measure say of 0.0000001 beside a true 0?",
        ),
        fault(
            "mean", "a mean of differences, in which plus and minus cancel",
            "Half too large and half too small is wrong.",
            "What becomes of a difference of +1 and one of -1 in your measure?",
        ),
        fault(
            "mean_size", "a mean of errors, in which one among many drowns",
            "A single wrong number is wrong: the largest error counts.",
            "What does your measure say where one number of a thousand is off?",
        ),
        fault(
            "signed_gap", "a difference whose sign still stands",
            "A number that is too low is wrong, too, and its difference is below 0, which is below every limit.",
            "What does your measure say of a part whose numbers are all too low?",
        ),
        fault(
            "signed_size", "the largest number instead of the largest size",
            "Where all numbers are below 0, the largest of them is the one nearest to 0.",
            "How large are the numbers -3 and -0.1 in your measure?", credit=0.7,
        ),
        fault(
            "sorted", "parts in the order of their names", "The parts come in the order of the pass already.",
            "In which order does your loop meet `tok_embeddings` and `layers.0`?",
        ),
        fault(
            "blind_to_nan", "a comparison that lets nan through",
            "Every comparison with nan is False: nan is neither above your limit nor below it.",
            "What does your condition say when the difference is nan?", credit=0.8,
        ),
    ),
    hints=(
        "Go through the parts in order, measure each against the size of the right one, stop at the first that is off.",
        "right and suspect: name -> tensor of equal shape. The answer is a name, or \"none\".",
        "for each name: gap = largest absolute difference; size = largest absolute number of the right one\n"
        "unless gap is at most 0.0001 times size: return the name\nin the end: none",
    ),
)  # fmt: skip
