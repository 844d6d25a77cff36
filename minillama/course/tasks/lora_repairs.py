"""Lesson 14's diagnosis: a frozen base that was put under no_grad, and adapters below it that never learn."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.lora_hand import LESSON


def faulty_product(bugs: Bugs = frozenset()) -> Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]:
    """x W^T + scale (x A^T) B^T of a W that does not learn, with these bugs."""

    def repair_base(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        if "no_input" in bugs:
            x = x.detach()
        base = (x.detach() if "no_grad" in bugs else x) @ (weight if "learns" in bugs else weight.detach()).T
        a = a.detach() if "a_frozen" in bugs else a
        b = b.detach() if "b_frozen" in bugs else b
        low = (x.detach() if "adapter_blind" in bugs else x) @ a.T
        added = low @ b.T if "unscaled" in bugs else scale * (low @ b.T)
        return base + added

    return repair_base


def product_cases(rng: Generator) -> Sequence[Case]:
    """Two layers one after the other: square ones, and others."""

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    def case(name: str, K: int, M: int, N: int, rank: int, scale: float) -> Case:
        weights, halves = [draw(M, K), draw(N, M)], [(draw(rank, K), draw(M, rank)), (draw(rank, M), draw(N, rank))]
        return Case(name=name, args=(weights, halves, scale, draw(3, K), draw(3, N)))

    D = int(rng.integers(4, 6))
    return [
        case(f"two layers of {D} channels", D, D, D, 2, 0.5),
        case("layers from 3 to 5 and to 4 channels", 3, 5, 4, 1, 2.0),
    ]


repair_base = Task(
    id="lora.repair_base", lesson=LESSON, kind="diagnose", title="Repair adapters that do not learn", points=4,
    difficulty=3, importance=5, minutes=12,
    reference=faulty_product(), faulty=faulty_product, cases=product_cases, driver="stacked", outputs=("the value",),
    rtol=1e-3, atol=1e-3,
    misconceptions=(
        idea(
            "no_grad", "a base that lets no gradient through",
            "Frozen is W, and not x. What lies below hears of the loss through W and through the adapter, and half of "
            "that is silent here.",
            "What does `no_grad` keep from being recorded, besides a gradient for W?", 0.1,
        ),
        idea(
            "learns", "a W that gets a gradient", "A frozen matrix is read and never written: it needs no gradient.",
            "How does autograd know in yours that W is a constant?",
        ),
        idea(
            "adapter_blind", "an adapter that lets no gradient through",
            "The adapter is a way from x to the result, too, and the gradient of x comes back along both.",
            "Which x does A get in yours?",
        ),
        idea(
            "no_input", "a layer that lets nothing through at all",
            "A layer below learns only from the gradient that this one hands down.",
            "What does the first layer hear of the loss?", 0.2,
        ),
        idea("a_frozen", "an A that does not learn", "Both halves learn.", "Where does A lose its gradient?"),
        idea("b_frozen", "a B that does not learn", "Both halves learn.", "Where does B lose its gradient?"),
        idea("unscaled", "a product without its scale", "The adapter speaks as loudly as `scale` says.",
             "Which of your lines reads `scale`?"),
    ),
    hints=(
        "Two things are asked: no gradient for W, and the whole gradient for x. Which of them does no_grad give?",
        "x (M, K), weight (N, K), a (r, K), b (N, r) -> (M, N).",
        "a W that autograd takes for a constant\n"
        "x times W transposed\n+ scale x (x times A transposed) times B transposed",
    ),
)  # fmt: skip
