"""Attention that knows distances: a bias by distance, a cap on the scores, and a test of the cap.

The bias: Press, Smith and Lewis 2022, "Train Short, Test Long" (ALiBi), section 3; its logarithm: Chi et al. 2022,
"KERPLE", section 4. The cap: Gemma Team 2024, "Gemma 2", section 2.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task

LESSON = "p1_distance"
SLOPES = {"halves": "2^−(h + 1)", "even": "2^−8(h + 1)/H"}
GROWTHS = {"linear": "i − j", "log": "log₂(1 + i − j)"}
Bias = Callable[[int, int, int], Tensor]
Capped = Callable[[Tensor, float], Tensor]


def idea(name: str, looks_like: str, principle: str, question: str, credit: float = 0.5) -> Misconception:
    """A misconception in one line."""
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question, credit=credit)


# A bias by distance: slopes and growth vary from learner to learner


def slopes_of(kind: str, n_heads: int, first: int = 1) -> Tensor:
    """One slope for each head."""
    heads = torch.arange(first, n_heads + first, dtype=torch.float32)
    return 2.0 ** (-heads if kind == "halves" else -8 * heads / n_heads)


def biases(slopes: str, growth: str) -> Callable[[Bugs], Bias]:
    """distance_bias of one member of the family."""

    def with_bugs(bugs: Bugs) -> Bias:
        even = (slopes == "even") != ("other_slopes" in bugs)
        linear = (growth == "linear") != ("other_growth" in bugs)

        def distance_bias(T: int, S: int, n_heads: int) -> Tensor:
            start = 0 if "from_zero" in bugs else S - T
            distance = torch.arange(start, start + T)[:, None] - torch.arange(S)[None]
            distance = distance.abs() if "symmetric" in bugs else distance.clamp(min=0)
            far = distance.float() if linear else torch.log1p(distance.float())
            far = far if linear or "natural" in bugs else far / math.log(2)
            slope = slopes_of("even" if even else "halves", n_heads, 0 if "first_is_one" in bugs else 1)
            slope = slope.flip(0) if "reversed" in bugs else slope[:1].expand(n_heads) if "one_slope" in bugs else slope
            bias = slope[:, None, None] * far
            return bias if "rewards" in bugs else -bias

        return distance_bias

    return with_bugs


def bias_cases(rng: np.random.Generator) -> Sequence[Case]:
    """A prompt, a step after cached keys, one token alone; never 8 heads, where both slopes agree."""
    T, past, single = int(rng.integers(4, 7)), int(rng.integers(3, 6)), int(rng.integers(5, 9))
    return [
        Case(name=f"{T} tokens and 4 heads", args=(T, T, 4)),
        Case(name=f"3 tokens after {past} cached ones, 2 heads", args=(3, past + 3, 2)),
        Case(name=f"one token after {single}, 3 heads", args=(1, single + 1, 3)),
    ]


def make_distance_bias(slopes: str = "halves", growth: str = "linear") -> Task:
    """The task for one row of slopes and one growth."""
    faulty = biases(slopes, growth)
    natural = idea(
        "natural", "a logarithm to another base", "This logarithm is to the base 2: it doubles where 1 + d is squared.",
        "What is your logarithm of 2?", 0.7,
    )  # fmt: skip
    return Task(
        id="distance.distance_bias", lesson=LESSON, kind="vary", title="Let attention feel distances", points=6,
        difficulty=3, importance=3, minutes=15,
        reference=faulty(frozenset()), faulty=faulty, cases=bias_cases, outputs=("the bias",),
        misconceptions=(
            idea(
                "from_zero", "queries that are counted from 0",
                "The queries are the last T of S positions: what is cached lies before them.",
                "At which position stands the first query, when 5 keys are cached?",
            ),
            idea(
                "rewards", "a bias that favours what is far", "What is far is to be seen less, so its score goes down.",
                "Which sign has your bias for the farthest key?",
            ),
            idea(
                "symmetric", "keys ahead that are far, too", "Ahead of a query the bias is 0: the mask sees to that.",
                "What does yours hold where j is larger than i?", 0.7,
            ),
            idea(
                "first_is_one", "slopes that begin at 1", "The first head, h = 0, has a slope below 1 already.",
                "What is the slope of your first head?", 0.7,
            ),
            idea(
                "reversed", "slopes in the other order", "The first head has the steepest slope.",
                "Which of your heads sees farthest?", 0.7,
            ),
            idea(
                "one_slope", "one slope for all heads", "Every head has a slope of its own, so some see far.",
                "What differs between two of your heads?",
            ),
            idea(
                "other_slopes", "another row of slopes", f"Here the slope of head h is {SLOPES[slopes]}.",
                "What are the slopes of two heads, by hand?",
            ),
            idea(
                "other_growth", "a bias that grows otherwise", f"Here it grows with {GROWTHS[growth]}.",
                "What is the bias at a distance of 3?",
            ),
            *([natural] if growth == "log" else []),
        ),
        hints=(
            "Make the distances of all pairs first, then the slopes, then multiply.",
            "Distances (T, S), slopes (H, 1, 1), bias (H, T, S).",
            "positions of the queries: the last T of S\ndistance: query less key, and 0 where that is negative\n"
            "minus slope times what grows with it",
        ),
        family={"slopes": tuple(SLOPES), "growth": tuple(GROWTHS)}, build=make_distance_bias,
        phrases=(f"s_h = {SLOPES[slopes]}", f"−s_h · {'(i − j)' if growth == 'linear' else GROWTHS[growth]}",
                 str([round(each, 3) + 0.0 for each in faulty(frozenset())(1, 4, 2)[0, 0].tolist()])),
    )  # fmt: skip


# A cap on the scores that somebody has put into the wrong place


def capping(bugs: Bugs = frozenset()) -> Capped:
    """distance.repair_cap; with bugs, one that does it otherwise."""

    def repair_cap(scores: Tensor, cap: float) -> Tensor:
        T, S = scores.shape[-2:]
        start = 0 if "from_zero" in bugs else S - T
        ahead = torch.arange(S)[None] > torch.arange(start, start + T)[:, None]
        if "cap_after_mask" in bugs:
            scores = scores.masked_fill(ahead, -torch.inf)
        if "clamped" in bugs:
            scores = scores.clamp(-cap, cap)
        elif "no_cap" not in bugs:
            scores = torch.tanh(scores / cap) * (1.0 if "not_scaled_back" in bugs else cap)
        if "cap_after_mask" not in bugs and "no_mask" not in bugs:
            scores = scores.masked_fill(ahead, -torch.inf)
        return scores.softmax(-2 if "over_queries" in bugs else -1)

    return repair_cap


def cap_cases(rng: np.random.Generator) -> Sequence[Case]:
    """Scores far beyond the cap, scores within it, and a step after cached keys."""

    def draw(T: int, S: int, size: float) -> np.ndarray:
        return (size * rng.standard_normal((2, T, S))).astype(np.float32)

    T, past = int(rng.integers(4, 6)), int(rng.integers(2, 5))
    return [
        Case(name=f"{T} tokens, scores beyond the cap", args=(draw(T, T, 9.0), 3.0)),
        Case(name=f"{T} tokens, scores within the cap", args=(draw(T, T, 1.0), 5.0)),
        Case(name=f"2 tokens after {past} cached ones", args=(draw(2, past + 2, 4.0), 2.0)),
    ]


repair_cap = Task(
    id="distance.repair_cap", lesson=LESSON, kind="diagnose", title="Repair a colleague's cap", points=4, difficulty=3,
    importance=4, minutes=12,
    reference=capping(), faulty=capping, cases=cap_cases, outputs=("the weights",),
    misconceptions=(
        idea(
            "cap_after_mask", "a cap that comes after the mask",
            "A cap makes every score finite, minus infinity too: what was masked is seen again.",
            "What does the cap make of a score of minus infinity?", 0.0,
        ),
        idea(
            "clamped", "scores that are cut off", "The cap bends: a larger score stays larger, however little.",
            "What becomes of two scores that both lie beyond the cap?",
        ),
        idea(
            "no_cap", "scores without a cap", "No score may leave the range from −cap to cap.",
            "Where does `cap` come into your function?", 0.2,
        ),
        idea(
            "not_scaled_back", "scores that are left between −1 and 1",
            "Scores well within the cap are to stay nearly what they were.",
            "What does yours make of a score of 1, under a cap of 50?",
        ),
        idea("no_mask", "scores without a mask", "No query may look ahead.", "What hides the keys ahead?", 0.2),
        idea(
            "from_zero", "queries that are counted from 0",
            "The queries are the last T of S positions: what is cached lies before them.",
            "How many keys may the first query see, when 5 are cached?",
        ),
        idea(
            "over_queries", "shares over the queries", "Every query has 1 to share out among the keys.",
            "Along which axis do your weights add up to 1?",
        ),
    ),
    hints=(
        "Follow one masked score through the function, line by line.",
        "Scores (H, T, S) come in, weights of the same shape go out; T is at most S.",
        "bend the scores\nhide what lies ahead\nsoftmax over the keys",
    ),
)  # fmt: skip


# A test that tells

UNSEEN = {
    "cap_after_mask": "Your test never asks whether a query sees what lies ahead of it.",
    "clamped": "Your test never compares two scores that both lie beyond the cap.",
    "no_cap": "Your test uses no scores that are larger than the cap.",
    "not_scaled_back": "Your test never looks at scores well within the cap.",
    "from_zero": "In your test there are always as many queries as keys.",
    "over_queries": "Your test never adds up the weights of a query.",
}
CANDIDATES = ("right", "right_too", *UNSEEN)


def candidate(name: str) -> Capped:
    """An implementation to be accepted or rejected, by name."""
    if name == "right_too":
        return lambda scores, cap: capping()(scores.clone(), float(cap))
    return capping(frozenset() if name == "right" else frozenset({name}))


def asking(bugs: Bugs = frozenset()) -> Callable[[Capped], bool]:
    """distance.test_cap; with bugs, one that looks at too little."""

    def test_cap(cap_scores: Capped) -> bool:
        if bugs & {"anything", "nothing"}:
            return "anything" in bugs
        T, S = (4, 4) if "no_cache" in bugs else (3, 5)
        size = 0.1 if "small_scores" in bugs else 6.0
        scores = size * torch.randn(1, T, S, generator=torch.Generator().manual_seed(5))
        weights = cap_scores(scores.clone(), 2.0)
        if "sums_only" in bugs:
            return bool(torch.allclose(weights.sum(-1), torch.ones(1, T), atol=1e-4))
        return bool(torch.allclose(weights, capping()(scores, 2.0), atol=1e-3))

    return test_cap


def candidates(rng: np.random.Generator) -> Sequence[Case]:
    """All of them, in any order."""
    return [
        Case(
            name=f"candidate {i + 1}", args=(Made(f"{__name__}:candidate", {"name": str(name)}),),
            unseen=UNSEEN.get(str(name), ""),
        )
        for i, name in enumerate(rng.permutation(CANDIDATES))
    ]  # fmt: skip


test_cap = Task(
    id="distance.test_cap", lesson=LESSON, kind="test", title="Write the test that tells", points=5, difficulty=4,
    importance=4, minutes=18,
    reference=asking(), faulty=asking, cases=candidates, driver="accepts", outputs=("your verdict",),
    time_limit_s=60.0,
    misconceptions=(
        idea("anything", "a test that accepts everything", "Six of eight are wrong.", "What can yours reject?", 0.0),
        idea("nothing", "a test that rejects everything", "Two of the eight are right.", "What can yours accept?", 0.0),
        idea(
            "sums_only", "a test of sums alone", "Wrong weights add up to 1, too.",
            "What else is true of the right weights, and of no others?", 0.3,
        ),
        idea(
            "no_cache", "a test without cached keys", "With as many queries as keys, a wrong start goes unseen.",
            "Which T and S does your test use?", 0.6,
        ),
        idea(
            "small_scores", "a test whose scores never reach the cap", "Far below the cap, a cap does next to nothing.",
            "How large is your largest score, and how large the cap?", 0.3,
        ),
    ),
    hints=(
        "Work one small case out apart from the candidate, all of it.",
        "Scores (1, T, S) with T smaller than S, some far beyond the cap.",
        "your own weights, by a loop over the queries\nthe candidate's\nare they close?",
    ),
)  # fmt: skip

TASKS = (make_distance_bias(), repair_cap, test_cap)
