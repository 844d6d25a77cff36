"""The variant of lesson 05: a gated layer that adds itself to the stream, by a scale a channel."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from minillama import feedforward
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.feedforward_gates import draw
from minillama.course.tasks.feedforward_ideas import LESSON, Generator

BENDS: dict[str, Callable[[Tensor], Tensor]] = {"GELU": nn.functional.gelu, "ReLU": torch.relu}
Residual = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def scaled(bend: str, gate: str) -> Callable[[Bugs], Residual]:
    """x + scale * w2(bend(gate) * up), where `gate` names the matrix that makes the gate."""

    def with_bugs(bugs: Bugs) -> Residual:
        def layer(x: Tensor, w1: Tensor, w2: Tensor, w3: Tensor, scale: Tensor) -> Tensor:
            first, other = (w3, w1) if (gate == "w3") != ("swapped" in bugs) else (w1, w3)
            inner = scale[:, None] * x if "token_axis" in bugs and "inside" in bugs else x
            inner = inner * scale if "inside" in bugs else inner
            bent = (feedforward.silu if "silu" in bugs else BENDS[bend])(inner @ first.T)
            out = (bent * (inner @ other.T)) @ w2.T
            if "inside" in bugs:
                return x + out
            factor = scale[:, None] if "token_axis" in bugs else scale
            factor = 1 + factor if "from_one" in bugs else factor
            if "stream_scaled" in bugs:
                return factor * x + out
            if "all_scaled" in bugs:
                return factor * (x + out)
            return factor * out if "no_stream" in bugs else x + factor * out

        return layer

    return with_bugs


def scaled_cases(rng: Generator) -> list[Case]:
    """T unlike D, T equal to D, and a scale of small numbers as training starts with."""

    def inputs(T: int, D: int, F: int, size: float) -> tuple[np.ndarray, ...]:
        return (
            draw(rng, 2, T, D), *(draw(rng, *shape, scale=0.7) for shape in ((F, D), (D, F), (F, D))),
            (size * rng.uniform(0.5, 2.0, D)).astype(np.float32),
        )  # fmt: skip

    D, F, T = int(rng.integers(5, 8)), int(rng.integers(9, 13)), int(rng.integers(2, 5))
    return [
        Case(name=f"{T} tokens of {D} channels", args=inputs(T, D, F, 1.0)),
        Case(name="as many tokens as channels", args=inputs(D, D, F, 1.0)),
        Case(name="a scale near 0.1", args=inputs(T, D, F, 0.1)),
    ]


def make_gated_residual(bend: str = "GELU", gate: str = "w1") -> Task:
    """The task for one bend and one matrix that makes the gate."""
    faulty = scaled(bend, gate)
    other = "w3" if gate == "w1" else "w1"
    return Task(
        id="feedforward.gated_residual", lesson=LESSON, kind="vary", title=f"Gate with {bend}, and add with a scale",
        points=6, difficulty=3, importance=3, minutes=12,
        reference=faulty(frozenset()), faulty=faulty, cases=scaled_cases, rtol=6e-3, atol=8e-3,
        misconceptions=(
            Misconception(
                name="silu",
                looks_like="a gate that is bent with SiLU",
                principle=f"This variant bends with {bend}.",
                question="Which function of yours bends?",
            ),
            Misconception(
                name="swapped",
                looks_like="gate and up exchanged",
                principle=f"Here {gate} makes the gate, and {other} what passes.",
                question="Which of your two products do you bend?",
            ),
            Misconception(
                name="stream_scaled",
                looks_like="a scale on the stream in place of the layer",
                principle="The stream passes every layer untouched; the scale says how loudly this layer speaks.",
                question="With a scale of 0, what should come out, and what does yours give?",
            ),
            Misconception(
                name="all_scaled",
                looks_like="a stream that is scaled, too",
                principle="The stream passes every layer untouched; the scale says how loudly this layer speaks.",
                question="With a scale of 0, what should come out, and what does yours give?",
            ),
            Misconception(
                name="no_stream",
                looks_like="a result without the stream",
                principle="This layer adds itself: what comes out is x and something more.",
                question="With a scale of 0, what should come out, and what does yours give?",
            ),
            Misconception(
                name="inside",
                looks_like="a scale on what the layer reads",
                principle="A gated layer does not grow in step with its input: the scale belongs to its result.",
                question="What does your scale multiply?",
            ),
            Misconception(
                name="from_one",
                looks_like="a scale that is counted from 1",
                principle="The scale is the factor itself: 0 silences the layer.",
                question="With a scale of 0, what does your layer add?",
            ),
            Misconception(
                name="token_axis",
                looks_like="one factor a token in place of one a channel",
                principle="The scale has a number for each channel, and channels are the last axis.",
                question="Which axis of the result does your scale meet?",
            ),
        ),
        hints=(
            "It is SwiGLU with another bend, and then one more line. Write the formula first.",
            "x (B, T, D); w1 and w3 (F, D); w2 (D, F); scale (D,). A matrix (out, in) is applied as x @ w.T.",
            f"gate = {bend} of the product with {gate}\nhidden = gate times the product with {other}\n"
            "back to D channels\nx plus scale times that",
        ),
        family={"bend": ("GELU", "ReLU"), "gate": ("w1", "w3")},
        build=make_gated_residual,
        phrases=(
            f"made by **{gate}** and bent with **{bend}** (torch's own: `nn.functional.{bend.lower()}`)",
            f"the gated layer with {bend},",
        ),
    )  # fmt: skip


gated_residual = make_gated_residual()
