"""Task of lesson 07: a variant of the block whose halves read at once."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.attention_ideas import Generator, draw
from minillama.course.tasks.model_blocks import fault
from minillama.course.tasks.model_hand import LESSON
from minillama.norm import rms_norm

SCALES = {"half": 0.5, "root": 2**-0.5}
Stream = Callable[[Tensor], Tensor]


def toy(kind: str, seed: int) -> Stream:
    """A norm with weights, or a half that bends a product; tokens meet in "attention"."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(6, 6, generator=generator)
    if kind == "norm":
        return lambda x: rms_norm(x, 1 + 0.5 * weight[0], 1e-5)
    if kind == "attention":
        return lambda x: torch.tanh(x.cumsum(1) @ weight)
    return lambda x: torch.tanh(x @ weight) * 2


def faulty_parallel(norms: str, scale: str) -> Callable[[Bugs], Callable[..., Tensor]]:
    """model.parallel_block of this family, with bugs."""

    def with_bugs(bugs: Bugs) -> Callable[..., Tensor]:
        def block(
            x: Tensor, attention_norm: Stream, ffn_norm: Stream, attention: Stream, feed_forward: Stream
        ) -> Tensor:
            one = (norms == "one") != ("other_norm" in bugs)
            second = attention_norm if one else ffn_norm
            other = {"root": "half", "half": "root"}[scale]
            factor = 1.0 if bugs & {"no_scale", "all_scaled"} else SCALES[other if "other_scale" in bugs else scale]
            if "raw" in bugs:
                attention_norm = second = lambda x: x
            base = torch.zeros_like(x) if "no_stream" in bugs else attention_norm(x) if "normed_stream" in bugs else x
            told = (1.0 if "one_scaled" in bugs else factor) * attention(attention_norm(x))
            out = base + told + factor * feed_forward(second(x + told if "in_turn" in bugs else x))
            return out * SCALES[scale] if "all_scaled" in bugs else out

        return block

    return with_bugs


def parallel_cases(rng: Generator) -> list[Case]:
    """Streams of usual size, large and small."""
    T = int(rng.integers(3, 6))
    found = []
    for name, size in ((f"{T} tokens", 1.0), ("a large stream", 20.0), ("a small stream", 0.1)):
        seeds = rng.integers(10_000, size=4)
        kinds = zip(("norm", "norm", "attention", "feed_forward"), seeds, strict=True)
        parts = [Made(f"{__name__}:toy", {"kind": kind, "seed": int(seed)}) for kind, seed in kinds]
        found.append(Case(name=name, args=((size * draw(rng, 2, T, 6)).astype(np.float32), *parts)))
    return found


def make_parallel(norms: str = "one", scale: str = "root") -> Task:
    """The task for one or two norms, and one scale."""
    faulty = faulty_parallel(norms, scale)
    shared = (
        "Both halves read the same normed copy here." if norms == "one" else "Each half has a norm of its own here."
    )
    factor = "1/√2" if scale == "root" else "1/2"
    return Task(
        id="model.parallel_block", lesson=LESSON, kind="vary", title="Let both halves read at once", points=6,
        difficulty=3, importance=3, minutes=10,
        reference=faulty(frozenset()), faulty=faulty, cases=parallel_cases,
        misconceptions=(
            fault(
                "in_turn", "halves that read one after the other",
                "In this variant neither half waits for the other: a GPU can run both at once.",
                "Which stream does your feed-forward half read?",
            ),
            fault(
                "other_norm", "two norms where one is shared, or one where there are two", shared,
                "Which norm does your second half read through?",
            ),
            fault(
                "no_scale", "two halves that are added as they are",
                f"What both say together is multiplied by {factor}.",
                "How large does a sum of two independent numbers become?",
            ),
            fault(
                "one_scaled", "one of two halves that is scaled", "It is the sum of what both say that is multiplied.",
                "How far does your factor reach?",
            ),
            fault(
                "other_scale", "another factor", f"Here it is {factor}.", "By how much do you turn the two down?",
            ),
            fault(
                "all_scaled", "a stream that is scaled as well",
                "The road passes untouched; only what is added is scaled.",
                "What does your block return when both halves give 0?",
            ),
            fault(
                "no_stream", "what both halves say, without the road", "A block adds to what is there.",
                "Where does x enter your result, besides the norms?",
            ),
            fault(
                "normed_stream", "an addition to the normed copy", "The copy is for reading; the road goes on as x.",
                "To which vector do you add?",
            ),
            fault(
                "raw", "halves that read without a norm", "Each half reads a copy of root mean square 1.",
                "Where are your norms?",
            ),
        ),
        hints=(
            "Read, read, add once.",
            "x (B, T, D); every part takes and gives (B, T, D).",
            "copy = norm of x\nboth = attention of the copy + feed_forward of the copy\nresult = x + scale times both",
        ),
        family={"norms": ("one", "two"), "scale": ("root", "half")}, build=make_parallel,
        phrases=(
            *{
                "one": (
                    "Here both read one and the same copy, what `attention_norm` makes of x (`ffn_norm` comes in and "
                    "is not used)", "both halves read the same normed copy", "one copy, two readers",
                ),
                "two": (
                    "Here each reads a copy of its own, the attention what `attention_norm` makes of x, the "
                    "feed-forward layer what `ffn_norm` makes of it", "each half reads its own normed copy",
                    "two copies, two readers",
                ),
            }[norms],
            f"multiplied by {factor} before",
        ),
    )  # fmt: skip


parallel_task = make_parallel()
