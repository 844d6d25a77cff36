"""Lesson 14's variant that nobody shows: adapters of which a power of the rank takes back the size, and their sum."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.lora_hand import LESSON

Half = tuple[Tensor, Tensor, float]  # A (r, K), B (N, r), alpha
POWERS = {0.5: "the root", 0.25: "the fourth root", 1 / 3: "the cube root"}  # of the rank, by which alpha is divided


def joining(power: float) -> Callable[[Bugs], Callable[[Half, Half, float], tuple[Tensor, Tensor]]]:
    """Two adapters as one, where the scale is alpha / rank ** power."""

    def with_bugs(bugs: Bugs = frozenset()) -> Callable[[Half, Half, float], tuple[Tensor, Tensor]]:
        def scale(alpha: float, rank: int) -> float:
            exponent = 1.0 if "plain" in bugs else -power if "times" in bugs else power
            return alpha / rank**exponent

        def join_adapters(one: Half, other: Half, alpha: float) -> tuple[Tensor, Tensor]:
            rank = len(one[0]) + len(other[0])
            many, few = [], []
            for a, b, own in (other, one) if "exchanged" in bugs else (one, other):
                ratio = scale(own, len(a)) / scale(alpha, len(a) if "old_rank" in bugs else rank)
                ratio = scale(own, len(a)) if "undivided" in bugs else ratio
                ratio = 1 / ratio if "inverse" in bugs else 1.0 if "unscaled" in bugs else ratio
                ratio = ratio / 2 if "mean" in bugs else ratio
                few.append(a * ratio if "in_a" in bugs or "in_both" in bugs else a)
                many.append(b if "in_a" in bugs else b * ratio)
            return torch.cat(few), torch.cat(many, dim=1)

        return join_adapters

    return with_bugs


def joining_cases(rng: Generator) -> Sequence[Case]:
    """Ranks that differ, equal ones, a rank of 1."""

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    def case(name: str, ranks: tuple[int, int], alphas: tuple[float, float, float]) -> Case:
        N, K = int(rng.integers(3, 6)), int(rng.integers(3, 6))
        one, other = ((draw(r, K), draw(N, r), alpha) for r, alpha in zip(ranks, alphas, strict=False))
        return Case(name=name, args=(one, other, alphas[2]))

    small, large = int(rng.integers(2, 4)), int(rng.integers(5, 8))
    return [
        case(f"ranks {small} and {large}", (small, large), (6.0, 10.0, 8.0)),
        case(f"ranks {large} and 1", (large, 1), (4.0, 2.5, 3.0)),
        case("ranks 3 and 3, with one alpha for all", (3, 3), (5.0, 5.0, 5.0)),
    ]


def make_joining(power: float = 0.5) -> Task:
    """The task for one power of the rank."""
    root, faulty = POWERS[power], joining(power)
    return Task(
        id="lora.join_adapters", lesson=LESSON, kind="vary", title="Make one stabilised adapter of two", points=6,
        difficulty=4, importance=3, minutes=18,
        reference=faulty(frozenset()), faulty=faulty, cases=joining_cases, outputs=("A", "B"),
        misconceptions=(
            idea(
                "plain", "a scale of alpha / rank", f"These adapters are divided by {root} of their rank.",
                "By what do you divide alpha for a rank of 16?",
            ),
            idea("times", "a scale that grows with the rank", "A larger rank gets a smaller scale.",
                 "Is your scale at rank 16 larger or smaller than at rank 1?"),
            idea(
                "old_rank", "the old ranks where the new one belongs",
                "The joint adapter is scaled by its own rank, which is both ranks together.",
                "What rank will somebody read from the adapter that you return?",
            ),
            idea(
                "undivided", "scales that are counted once more later",
                "Whoever uses the joint adapter scales it again, by alpha and its rank. What you put into B has to "
                "leave that out.",
                "What will B A be multiplied with after you have returned it?",
            ),
            idea("inverse", "a ratio that is upside down", "Where the old scale is larger than the new, B gets larger.",
                 "Which of the two scales stands above the line in yours?"),
            idea("unscaled", "halves as they were", "Each pair had a scale of its own, and now gets another.",
                 "With what was the first B A multiplied before, and with what is it now?"),
            idea(
                "in_a", "scales put into A", "A stays as it is here, and B takes the scale: so it is asked for.",
                "Which of the two that you return has changed its numbers?", 0.8,
            ),
            idea("in_both", "scales put into both halves", "The product of the two is what the scale is for, once.",
                 "How often does your ratio enter B A?"),
            idea("mean", "the mean of two adapters", "Together they add what both add.",
                 "What comes out of yours for an adapter and a second one of zeros?"),
            idea("exchanged", "the second adapter in front", "The first adapter's rows come first.",
                 "Whose rows are the first of your A?", 0.8),
        ),
        hints=(
            "What is added in the end? scale of one x B A, plus scale of the other x B A. And the new one adds its own "
            "scale x B A.",
            "A (r1 + r2, K): rows on rows. B (N, r1 + r2): columns beside columns.",
            "new = alpha / power of (r1 + r2)\nfor each: its alpha / power of its r, over new; times its B\n"
            "A's on top of each other, B's side by side",
        ),
        family={"power": tuple(POWERS)}, build=make_joining,
        phrases={
            0.5: ("**Rank-stabilised** adapters are scaled by α / √r instead",),
            0.25: ("The **rank-stabilised** adapters of this task are scaled by α / ⁴√r (the fourth root) instead",),
            1 / 3: ("The **rank-stabilised** adapters of this task are scaled by α / ∛r (the cube root) instead",),
        }[power],
    )  # fmt: skip


join_adapters = make_joining()
