"""Lesson 08's draw: sample, judged by the shares of many draws."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama import sampling
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import (
    CROSSER_LOST,
    LESSON,
    MIN_P_ABSOLUTE,
    Generator,
    idea,
    lost_crosser,
    shuffled,
)

SLACK = 0.09  # between shares of 2,000 draws: more than five standard deviations
CUT = "a cut"  # in the names of the cases from which the signature reads


def _cut(logits: Tensor, bugs: Bugs, top_k: int | None, top_p: float | None, min_p: float | None) -> Tensor:
    if top_p is not None and top_k is not None and "uncut_nucleus" in bugs:
        return sampling.keep_top_k(_cut(logits, bugs, None, top_p, min_p), top_k)
    if top_k is not None:
        logits = sampling.keep_top_k(logits, top_k)
        top_p, min_p = (None, None) if "one_option" in bugs else (top_p, min_p)
    if top_p is not None:
        logits = (lost_crosser if "crosser_lost" in bugs else sampling.keep_top_p)(logits, top_p)
    if min_p is not None and "min_p_absolute" in bugs:
        return logits.masked_fill(logits.softmax(-1) < min_p, -math.inf)
    return logits if min_p is None else sampling.keep_min_p(logits, min_p)


def faulty_sample(bugs: Bugs = frozenset()) -> Callable[..., Tensor]:
    """sample with these bugs."""

    def sample(
        logits: Tensor,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        if temperature == 0 or "greedy" in bugs:
            return logits.argmax(-1)
        if "reseeds" in bugs:
            generator = torch.Generator().manual_seed(0)
        if "ignores_generator" in bugs:
            generator = None
        heat = 1.0 if "late" in bugs else 1 / temperature if "multiplied" in bugs else temperature
        first, last = (1.0, heat) if "cuts_first" in bugs else (heat, 1.0)
        kept = _cut(logits / first, bugs, top_k, top_p, min_p) / last
        chances = kept.softmax(-1)
        if "softmax_twice" in bugs:
            chances = torch.where(kept == -math.inf, 0.0, chances.exp())
        if "not_renormalised" in bugs:
            shares = torch.where(kept == -math.inf, 0.0, (logits / heat).softmax(-1)).cumsum(-1)
            number = torch.rand(len(logits), 1, generator=generator)
            return (number > shares).sum(-1).clamp(max=logits.shape[-1] - 1)
        return torch.multinomial(chances, 1, generator=generator).squeeze(-1)

    return sample


def keeps_old_chances(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """After a cut, do some survivors come as often as before it, and none but one more often?"""
    found = False
    for case, got, right in zip(cases, outputs, expected, strict=True):
        shares, wanted = np.asarray(got[0]), np.asarray(right[0])
        if CUT not in case.name:
            if np.abs(shares - wanted).max() > SLACK:
                return False
            continue
        logits = np.asarray(case.args[0], dtype=np.float64) / case.args[1]["temperature"]
        chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        same = np.abs(shares - chances) < SLACK
        telling = (wanted > 0) & (np.abs(wanted - chances) > 2 * SLACK)
        if not (same | (wanted == 0) | (np.arange(shares.shape[-1]) == shares.shape[-1] - 1)).all():
            return False
        found |= bool((telling & same).any())
    return found


def sample_cases(rng: Generator) -> Sequence[Case]:
    """One case an option, with chances in which each slip shows."""
    plain, sure, even = [0.5, 0.3, 0.15, 0.05], [0.8, 0.1, 0.06, 0.04], [0.46, 0.32, 0.14, 0.08]

    def case(name: str, *rows: list[float], **options: float) -> Case:
        return Case(name=name, args=(shuffled(rng, *rows, last_stays=True)[0], options))

    return [
        case("temperature 2", sure, plain, temperature=2.0),
        case("temperature 0", plain, even, temperature=0.0),
        case(f"top_p = 0.7, {CUT}", plain, sure, temperature=1.0, top_p=0.7),
        case(f"temperature 0.5 and top_p = 0.65, {CUT}", plain, plain, temperature=0.5, top_p=0.65),
        case(f"min_p = 0.25, {CUT}", even, sure, temperature=1.0, min_p=0.25),
        case(f"top_k = 2, {CUT}", even, plain, temperature=1.0, top_k=2),
        case(f"top_k = 3 and top_p = 0.43, {CUT}", [0.4, 0.3, 0.2, 0.1], even, temperature=1.0, top_k=3, top_p=0.43),
    ]


sample = Task(
    id="sampling.sample", lesson=LESSON, kind="rebuild", title="Draw the next token", points=4, difficulty=3,
    importance=5, minutes=14,
    reference=sampling.sample, faulty=faulty_sample, cases=sample_cases, piece="minillama.sampling:sample",
    forbidden=("minillama.sampling:sample",),
    driver="draws", outputs=("shares", "a second draw", "a draw with the same seed"), rtol=0.0, atol=SLACK,
    misconceptions=(
        idea(
            "late", "a temperature that changes nothing, such as one that divides the chances",
            "A factor that all chances share cancels as soon as they are shares again.",
            "Does your temperature meet the logits before the softmax, or the chances after it?",
        ),
        idea(
            "softmax_twice", "a softmax of chances",
            "The softmax is for scores. Chances lie between 0 and 1: a second softmax makes them nearly equal.",
            "How many softmaxes does a logit meet on its way?",
        ),
        idea(
            "multiplied", "logits that are multiplied by the temperature",
            "A high temperature makes chances more alike, a low one less.",
            "At temperature 2, does your favourite win more often, or less?",
        ),
        idea(
            "cuts_first", "cuts that are made before the temperature",
            "The nucleus is one of the chances that are drawn from, and these come after the temperature.",
            "Of which chances does your top_p add up, the model's or the cooled ones?",
            0.7,
        ),
        CROSSER_LOST, MIN_P_ABSOLUTE,
        idea(
            "uncut_nucleus", "a top-p that counts tokens which top-k has cut",
            "Each cut works on what the last has left: the survivors of top-k share the whole chance, and top-p adds "
            "up these shares.",
            "Of which list does your top-p add up the chances, when top_k is given as well?", 0.7,
        ),
        idea(
            "one_option", "one cut only, where several are asked for",
            "Every option that is not None takes its cut.", "What does yours do with top_k and top_p together?", 0.7,
        ),
        idea(
            "greedy", "the most likely token at every temperature",
            "Only temperature 0 is greedy. Otherwise a token comes as often as its chance says.",
            "Which of your lines draws?", 0.2,
        ),
        idea(
            "reseeds", "a seed that is set anew for every draw",
            "A generator goes on: each draw leaves it at another place. Set back each time, it gives every token the "
            "same luck.",
            "Which number does your second draw begin with?",
            0.6,
        ),
        idea(
            "ignores_generator", "a draw that does not use the generator",
            "Who passes the same seed wants the same text.",
            "Which source of randomness does your draw ask?", 0.7,
        ),
        idea(
            "not_renormalised", "chances that no longer sum to 1 after a cut",
            "What was cut away has to go somewhere: the tokens that stay share all of the chance, in their old "
            "proportions.",
            "What do the chances of your survivors sum to, when you draw from them?",
            0.5, keeps_old_chances,
        ),
    ),
    hints=(
        "Temperature 0 is its own case. Otherwise: heat, cut three times, softmax, draw.",
        "logits (B, V) all the way, one column a token; the draw gives (B, 1), and what is asked for is (B,).",
        "if temperature is 0: the largest of each row\nlogits / temperature\n"
        "each cut that is not None, in the order k, p, min-p\nsoftmax\ntorch.multinomial(..., 1, generator=generator)",
    ),
)  # fmt: skip
