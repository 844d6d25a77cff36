"""The variant of lesson 03: queries and keys that are normed before they meet."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.norm_inputs import Generator, draw, tiny, weights
from minillama.course.tasks.norm_vectors import EPS_OUTSIDE, LESSON, NO_WEIGHT

NormHeads = Callable[[Tensor, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]


def norm_heads(span: str, gain: str) -> Callable[[Bugs], NormHeads]:
    """qk_norm over each head or over all heads together, with a weight or with one plus a weight."""

    def with_bugs(bugs: Bugs) -> NormHeads:
        together = (span == "all heads") != ("other_span" in bugs)
        one_plus = (gain == "one plus weight") != ("other_gain" in bugs)

        def one(x: Tensor, weight: Tensor, eps: float) -> Tensor:
            squares = x.float().pow(2)
            axes = (-2,) if "over_heads" in bugs else (1,) if "over_time" in bugs else (-2, -1) if together else (-1,)
            mean_square = squares.sum(axes, keepdim=True) if "sum" in bugs else squares.mean(axes, keepdim=True)
            outside = "eps_outside" in bugs
            eps = 1e-5 if "fixed_eps" in bugs else eps
            root = torch.sqrt(mean_square + (0.0 if outside else eps)) + (eps if outside else 0.0)
            scale = torch.ones_like(weight) if "no_weight" in bugs else 1 + weight if one_plus else weight
            return (x.float() / root).to(x.dtype) * (scale.view(x.shape[2:]) if span == "all heads" else scale)

        def qk_norm(q: Tensor, k: Tensor, q_weight: Tensor, k_weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
            if "exchanged_weights" in bugs:
                q_weight, k_weight = k_weight, q_weight
            keys = k if "queries_only" in bugs else one(k, q_weight if "one_weight" in bugs else k_weight, eps)
            found = one(q, q_weight, eps), keys
            return found[::-1] if "keys_first" in bugs else found

        return qk_norm

    return with_bugs


def head_cases(span: str) -> Callable[[Generator], list[Case]]:
    """(q, k, q_weight, k_weight, eps): fewer key heads, equally many, and tiny numbers."""

    def cases(rng: Generator) -> list[Case]:
        T, K = int(rng.integers(3, 5)), 2 * int(rng.integers(3, 5))

        def four(H: int, G: int, make: Callable[..., np.ndarray]) -> tuple[np.ndarray, ...]:
            sizes = ((H * K,), (G * K,)) if span == "all heads" else ((K,), (K,))
            return make(rng, 2, T, H, K), make(rng, 2, T, G, K), weights(rng, *sizes[0]), weights(rng, *sizes[1])

        return [
            Case(
                name=f"{H} query heads and {G} key heads of {K} channels" + (", tiny numbers" if make is tiny else ""),
                args=(*four(H, G, make), eps),
            )
            for H, G, make, eps in ((4, 2, draw, 1e-5), (3, 3, draw, 0.3), (2, 2, tiny, 1e-5))
        ]

    return cases


def phrases_of(span: str, gain: str) -> tuple[str, ...]:
    """What the notebook says of one member of the family."""
    task, doc = {
        "each head": (
            "Norm **every head alone**: each of its K channels by the root mean square of these K. The queries' heads "
            "share `q_weight` (K,), the keys' heads `k_weight` (K,).",
            ", every head normed.",
        ),
        "all heads": (
            "Norm **all heads of a token together**: each of the queries' H · K channels by the root mean square of "
            "them all, and the keys' G · K channels likewise. Every channel has a weight of its own, head by head: "
            "`q_weight` is (H · K,), `k_weight` (G · K,).",
            ", all heads of a token normed together.",
        ),
    }[span]
    plus = " What is normed is multiplied by *one plus* the weight." if gain == "one plus weight" else ""
    return task + plus, doc


def make_qk_norm(span: str = "each head", gain: str = "weight") -> Task:
    """The task for one reach of the mean and one kind of weight."""
    faulty, alone = norm_heads(span, gain), span == "each head"
    return Task(
        id="norm.qk_norm", lesson=LESSON, kind="vary",
        title=f"Norm queries and keys, {span} {'alone' if alone else 'together'}",
        points=6, difficulty=3, importance=3, minutes=12,
        reference=faulty(frozenset()), faulty=faulty, cases=head_cases(span), outputs=("q", "k"),
        forbidden=("torch.nn:RMSNorm", "torch.nn.functional:rms_norm", "torch:rms_norm"),
        misconceptions=(
            Misconception(
                name="other_span",
                looks_like="one mean for all heads of a token" if alone else "a mean of its own for each head",
                principle=f"Here the mean runs over {span}{' alone' if alone else ' of a token'}.",
                question="Over how many numbers does each of your means run?",
            ),
            Misconception(
                name="over_heads",
                looks_like="a mean that runs from head to head, channel by channel",
                principle="Channel 3 of one head and channel 3 of the next have nothing in common but the number.",
                question="Which axis of (B, T, H, K) does your mean run over?",
            ),
            Misconception(
                name="over_time",
                looks_like="a mean that runs over the tokens",
                principle="Each token is normed alone: a token that came before cannot know the later ones.",
                question="Which axis of (B, T, H, K) counts the tokens?",
            ),
            Misconception(
                name="sum",
                looks_like="a division by the length: a sum where a mean belongs",
                principle="A root mean square of 1, not a length of 1: otherwise larger heads give smaller numbers.",
                question="What do you divide the sum of the squares by?",
            ),
            Misconception(
                name="one_weight",
                looks_like="the queries' weight on the keys as well",
                principle="Queries and keys learn a weight each.",
                question="Where do you use `k_weight`?",
            ),
            Misconception(
                name="queries_only",
                looks_like="keys that are not normed",
                principle="A score is a dot product: it is bounded only where both vectors have a known size.",
                question="How large can a score get while one of the two may be as long as it likes?",
            ),
            Misconception(
                name="other_gain",
                looks_like="one plus the weight" if gain == "weight" else "the weight alone, without the one",
                principle=f"Here the {gain} is what a channel is multiplied by.",
                question="What does your channel get multiplied by when its weight is 0?",
            ),
            EPS_OUTSIDE, NO_WEIGHT,
            Misconception(
                name="exchanged_weights",
                looks_like="the two weights exchanged",
                principle="Queries and keys learn a weight each.",
                question="Which weight meets the queries?",
            ),
            Misconception(
                name="keys_first",
                looks_like="keys that come back first",
                principle="They come back in the order in which they came in.",
                question="In which order does your last line name the two?",
                credit=0.7,
            ),
            Misconception(
                name="fixed_eps",
                looks_like="an eps that is always 1e-5",
                principle="eps is an argument: models were trained with different ones.",
                question="Which of your lines reads `eps`?",
                credit=0.7,
            ),
        ),
        hints=(
            "You have a function that norms the last axis. What has to be the last axis here?",
            "q (B, T, H, K), k (B, T, G, K) with G at most H; the weights are as long as the mean is wide.",
            "norm q with its weight, and k with its own\ngive both back in the shapes that they came in",
        ),
        family={"span": ("each head", "all heads"), "gain": ("weight", "one plus weight")},
        build=make_qk_norm,
        phrases=phrases_of(span, gain),
    )  # fmt: skip


qk_norm = make_qk_norm()
