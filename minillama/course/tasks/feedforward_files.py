"""Tasks of lesson 05 about layers of others: one that reads a fused matrix, and a test that tells right from wrong."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.feedforward_gates import BOTH_BENT, draw
from minillama.course.tasks.feedforward_ideas import LESSON, PRODUCT_FIRST, SIGMOID, Generator
from minillama.feedforward import silu

# A repair


def faulty_fused(bugs: Bugs) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """feedforward.repair_fused with these bugs; "as_found" is the colleague's code."""

    def layer(x: Tensor, w13: Tensor, w2: Tensor) -> Tensor:
        both = x @ w13.T  # (B, T, 2F)
        if "as_found" in bugs or "every_other" in bugs:
            gate, up = both[..., 0::2], both[..., 1::2]
        else:
            gate, up = both.chunk(2, dim=-1)
        if "up_first" in bugs:
            gate, up = up, gate
        if "product_first" in bugs:
            return silu(gate * up) @ w2.T
        if "as_found" in bugs or "both_bent" in bugs:
            return (silu(gate) * silu(up)) @ w2.T
        out = ((torch.sigmoid(gate) if "sigmoid" in bugs else silu(gate)) * up) @ w2.T
        return x + out if "adds_x" in bugs else out

    return layer


def fused_cases(rng: Generator) -> list[Case]:
    """w13 (2F, D), w2 (D, F); one with a single hidden channel, where halves and neighbours are the same."""
    T = int(rng.integers(3, 6))
    sizes = [(int(rng.integers(4, 7)), int(rng.integers(6, 10))), (4, 8), (5, 1)]
    return [
        Case(
            name=f"{D} channels and {F} hidden one{'s' if F > 1 else ''}",
            args=(draw(rng, 2, T, D), draw(rng, 2 * F, D), draw(rng, D, F)),
        )
        for D, F in sizes
    ]


repair_fused = Task(
    id="feedforward.repair_fused", lesson=LESSON, kind="diagnose", title="Repair a colleague's fused layer", points=3,
    difficulty=3, importance=4, minutes=12,
    reference=faulty_fused(frozenset()), faulty=faulty_fused, cases=fused_cases, atol=1e-4,
    misconceptions=(
        Misconception(
            name="as_found",
            looks_like="the colleague's layer as you found it",
            principle="Beside a layer with w1 and w3 apart, on the same weights, already the first number differs.",
            question="With F = 2: which row of w13 should make the gate of hidden channel 1?",
            credit=0.0,
        ),
        Misconception(
            name="every_other",
            looks_like="every other row taken for the gate",
            principle="The rows of one matrix lie together: they were put below each other, not between each other.",
            question="Which rows of w13 came from w1?",
        ),
        BOTH_BENT,
        SIGMOID,
        Misconception(
            name="adds_x",
            looks_like="a layer that adds x itself",
            principle="The layer gives what is to be added; the block adds it.",
            question="Who is to add x, the layer or who calls it?",
        ),
        Misconception(
            name="up_first",
            looks_like="the second half taken for the gate",
            principle="This file says: first the gate, then what passes. Other files do it the other way round, and no "
            "shape tells.",
            question="Which half do you bend?",
        ),
        PRODUCT_FIRST,
    ),
    hints=(
        "There is more than one fault. Make w13 from a w1 and a w3 of your own, and compare step by step.",
        "w13 (2F, D): x @ w13.T is (B, T, 2F), and holds gate and up, F numbers each.",
        "cut the last axis into the part of w1 and the part of w3\nbend the one, leave the other\n"
        "multiply, and go back by w2",
    ),
)  # fmt: skip


# A test that tells

CANDIDATES = ("right", "right_too", "swapped", "sigmoid", "gelu", "product_first", "both_bent", "mixes_tokens")
Layer = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def candidate(name: str) -> Layer:
    """A gated layer as a function of (x, w1, w2, w3), to be accepted or rejected, by name."""

    def layer(x: Tensor, w1: Tensor, w2: Tensor, w3: Tensor) -> Tensor:
        if name == "right_too":
            gate, up = torch.einsum("...d,fd->...f", x, w1), torch.einsum("...d,fd->...f", x, w3)
            return torch.einsum("...f,df->...d", gate / (1 + torch.exp(-gate)) * up, w2)
        gate, up = x @ w1.T, x @ w3.T
        if name == "swapped":
            gate, up = up, gate
        if name == "mixes_tokens":
            gate = gate.cumsum(-2) / torch.arange(1, gate.shape[-2] + 1)[:, None]
        if name == "product_first":
            return silu(gate * up) @ w2.T
        up = silu(up) if name == "both_bent" else up
        bends: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "gelu": nn.functional.gelu}
        return (bends.get(name, silu)(gate) * up) @ w2.T

    return layer


def faulty_test(bugs: Bugs) -> Callable[[Layer], bool]:
    """A test of a gated layer; with bugs, one that looks at too little."""

    def accept(layer: Layer) -> bool:
        generator = torch.Generator().manual_seed(0)
        D, F, T = 3, 5, 1 if "one_token" in bugs else 4
        x, w1, w3 = (torch.randn(*shape, generator=generator) for shape in ((2, T, D), (F, D), (F, D)))
        w2 = torch.randn(D, F, generator=generator)
        w3 = w1 if "same_branches" in bugs else w3
        got = layer(x, w1, w2, w3)
        if "anything" in bugs or "nothing" in bugs:
            return "anything" in bugs
        wanted = [candidate("right")(x, w1, w2, w3)]
        if "coarse" in bugs:
            wanted.append(candidate("gelu")(x, w1, w2, w3))
        return any(torch.allclose(got, each, atol=1e-4) for each in wanted)

    return accept


def _test_cases(rng: Generator) -> Sequence[Case]:
    names = rng.permutation(CANDIDATES)
    path = "minillama.course.tasks.feedforward_files:candidate"
    return [Case(name=f"candidate {i + 1}", args=(Made(path, {"name": str(name)}),)) for i, name in enumerate(names)]


test_swiglu: Task = Task(
    id="feedforward.test_swiglu", lesson=LESSON, kind="test", title="Write the test that tells", points=4,
    difficulty=3, importance=4, minutes=15,
    reference=faulty_test(frozenset()), faulty=faulty_test, cases=_test_cases, driver="accepts",
    outputs=("your verdict",),
    misconceptions=(
        Misconception(
            name="anything",
            looks_like="a test that accepts everything",
            principle="Six of the eight are wrong. All of them have the right shape.",
            question="Which of your lines looks at the numbers, and on which input do they differ?",
            credit=0.0,
        ),
        Misconception(
            name="nothing",
            looks_like="a test that rejects everything",
            principle="Two of the eight are right, in two spellings.",
            question="Do you compare floats exactly, or with a layer that is wrong itself?",
            credit=0.0,
        ),
        Misconception(
            name="one_token",
            looks_like="a test with a single token, or with equal ones",
            principle="A feed-forward layer must not let tokens look at each other. Only several can show it.",
            question="How many tokens does your x have, and do they differ?",
        ),
        Misconception(
            name="same_branches",
            looks_like="a test in which gate and up are the same",
            principle="With w1 equal to w3 nobody can tell which of the two is bent.",
            question="What are w1 and w3 in your test?",
        ),
        Misconception(
            name="coarse",
            looks_like="a test that cannot tell GELU from SiLU",
            principle="They differ by 0.2 at most, near 1 and -1, and hardly at all for large numbers.",
            question="How large are your gates, and how large a difference do you forgive?",
        ),
    ),
    hints=(
        "Compare with numbers that you worked out, or with a layer that you write again in another way.",
        "x (B, T, D) with several tokens that differ; w1 and w3 (F, D) that differ; w2 (D, F).",
        "gate = x @ w1.T, up = x @ w3.T\nexpected = (gate * sigmoid(gate) * up) @ w2.T\n"
        "accept if candidate(x, w1, w2, w3) is close to it, to about 0.0001",
    ),
)  # fmt: skip
