"""Lesson 08's penalty to repair, and its bonus: a smaller model drafts, the larger one accepts or refuses."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from minillama import sampling
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import LESSON, NOT_RENORMALISED, Generator, idea


def faulty_penalty(bugs: Bugs = frozenset()) -> Callable[[Tensor, list[list[int]], float], Tensor]:
    """sampling.repair_penalty with these bugs."""

    def penalize(logits: Tensor, seen: list[list[int]], penalty: float) -> Tensor:
        logits = logits.clone()
        if "unchanged" in bugs:
            return logits
        if "shared" in bugs:
            seen = [[token for ids in seen for token in ids]] * len(seen)
        if "first_row" in bugs:
            seen = [seen[0]] * len(seen)
        if "everybody" in bugs:
            seen = [list(range(logits.shape[1]))] * len(seen)
        if "only_first" in bugs:
            seen = [seen[0], *[[]] * (len(seen) - 1)]
        for row, ids in zip(logits, seen, strict=True):
            for token in ids if "each_time" in bugs else dict.fromkeys(ids):
                shrinks = (row[token] > 0) != ("swapped" in bugs)
                shrinks = "divides" in bugs or (shrinks and "multiplies" not in bugs)
                new = row[token] / penalty if shrinks else row[token] * penalty
                new = row[token] - penalty if "subtracts" in bugs else new
                row[token] = row[token] if "negative_left" in bugs and not shrinks else new
        return logits

    return penalize


def penalty_cases(rng: Generator) -> Sequence[Case]:
    """Positive and negative logits, tokens seen several times, rows with tokens of their own."""
    logits = np.array([[2.0, -1.0, 0.5, -3.0, 1.5], [-2.0, 1.0, -0.5, 3.0, -1.5]]) + rng.uniform(-0.2, 0.2, (2, 5))
    mixed = rng.permuted(logits, axis=1).astype(np.float32)
    one, two, three = (int(token) for token in rng.permutation(5)[:3])
    return [
        Case(name="two rows", args=(logits.astype(np.float32), [[0, 1], [3, 2]], 1.5)),
        Case(name="tokens seen three times", args=(mixed, [[one, one, two, one], [three, three, three]], 1.3)),
        Case(name="a row with nothing seen", args=(mixed, [[], [one, two, three]], 2.0)),
    ]


repair_penalty = Task(
    id="sampling.repair_penalty", lesson=LESSON, kind="diagnose", title="Repair a repetition penalty", points=3,
    difficulty=3, importance=3, minutes=10,
    reference=sampling.penalize_repetition, faulty=faulty_penalty, cases=penalty_cases, atol=1e-4,
    forbidden=("minillama.sampling:penalize_repetition",),
    misconceptions=(
        idea(
            "divides", "every logit divided, the negative ones too",
            "A number below zero gets larger when it is divided by 1.5: these tokens are encouraged.",
            "What becomes of a logit of -3?",
        ),
        idea(
            "multiplies", "every logit multiplied, the positive ones too",
            "A number above zero gets larger when it is multiplied by 1.5: these tokens are encouraged.",
            "What becomes of a logit of 3?",
        ),
        idea(
            "swapped", "the two cases exchanged", "Whatever its sign, the logit of a seen token has to go down.",
            "Which way does a positive logit move in yours?",
        ),
        idea(
            "each_time", "a penalty for every time that a token was seen",
            "The penalty is for having been seen at all. Taken to a power, it would silence every `the`.",
            "How often is a token counted that stands in the list three times?",
        ),
        idea(
            "shared", "tokens of all rows penalised in every row", "Each row is a text by itself.",
            "Whose tokens are penalised in row 0?",
        ),
        idea(
            "first_row", "the tokens of row 0 penalised in every row", "Each row has a list of its own in `seen`.",
            "Which list does row 1 use in yours?",
        ),
        idea("unchanged", "logits that come back as they were", "The logits of seen tokens have to go down.",
             "Which of your lines writes into what you return?", 0.0),
        idea(
            "negative_left", "negative logits that stay as they were",
            "Whatever its sign, the logit of a seen token has to go down.", "What becomes of a logit of -3?",
        ),
        idea("everybody", "a penalty for every token, seen or not", "Only what its row has seen becomes less likely.",
             "Where does your function read `seen`?"),
        idea("only_first", "a penalty in row 0 alone", "Each row is a text by itself, and all of them are returned.",
             "How many rows does your loop reach before it returns?"),
        idea(
            "subtracts", "the penalty taken off", "The colleague's penalty is a factor: 1 would change nothing.",
            "What would yours do with a penalty of 1?",
        ),
    ),
    hints=(
        "Take one seen token with a logit of -3, and one with 3. Work out what the colleague's line makes of each.",
        "logits (B, V), a copy to return; seen[b] holds ids, perhaps twice, of row b.",
        "copy the logits\nfor each row, each different token of its list:\n"
        "    above zero: make it smaller by the penalty\n    below zero: move it further down by the penalty",
    ),
)  # fmt: skip


# A draft accepted or refused


def faulty_acceptance(bugs: Bugs = frozenset()) -> Callable[..., tuple[bool, Tensor]]:
    """sampling.accept_draft with these bugs."""

    def accept(target: Tensor, draft: Tensor, token: int, number: float) -> tuple[bool, Tensor]:
        p, q = target[token].item(), draft[token].item()
        bar = q / p if "inverted" in bugs else p if "no_ratio" in bugs else p / q
        accepted = p >= q if "greedy" in bugs else number > bar if "flipped" in bugs else number < bar
        rest = draft - target if "reversed" in bugs else target - draft
        if "signed" not in bugs:
            rest = rest.abs() if "absolute" in bugs else rest.clamp(min=0)
        if "all_of_target" in bugs:
            rest = target.clone()
        if "token_left_out" in bugs:
            rest = target.clone()
            rest[token] = 0
        if "softmaxed_signed" in bugs:
            return bool(accepted), (target - draft).softmax(-1)
        if "ratio" in bugs:
            return min(1.0, bar), rest / rest.sum()  # type: ignore[return-value]
        if "softmaxed" in bugs:
            return bool(accepted), rest.softmax(-1)
        return bool(accepted), rest if "not_renormalised" in bugs else rest / rest.sum()

    return accept


def below_zero(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is some chance of every case negative, or blown up by a sum of nearly 0?"""
    chances = [np.asarray(got[1], dtype=np.float64) for got in outputs]
    return all(((each < 0) | ~np.isfinite(each)).any() for each in chances)


def acceptance_cases(rng: Generator) -> Sequence[Case]:
    """A token that the draft overrates, drawn luckily and unluckily, and one that it underrates."""
    target, draft = np.array([0.5, 0.28, 0.12, 0.1]), np.array([0.2, 0.7, 0.08, 0.02])
    cases = []
    for name, token, low in (
        ("a token that the draft overrates, and a low number", 1, 0.3),
        ("a token that the draft overrates, and a high number", 1, 0.5),
        ("a token that the draft underrates", 0, 0.9),
    ):
        order = rng.permutation(4)
        place = int(np.flatnonzero(order == token)[0])
        args = (target[order].astype(np.float32), draft[order].astype(np.float32), place, low + rng.uniform(0, 0.08))
        cases.append(Case(name=name, args=args))
    return cases


accept_draft = Task(
    id="sampling.accept_draft", lesson=LESSON, kind="complete", title="Bonus: accept a draft, or not", points=3,
    difficulty=4, importance=3, minutes=15,
    reference=faulty_acceptance(), faulty=faulty_acceptance, cases=acceptance_cases,
    outputs=("accepted", "chances"),
    misconceptions=(
        idea(
            "inverted", "the ratio the other way round",
            "Where the draft is too fond of a token, the token has to be refused now and then.",
            "Draft 0.7, target 0.28: how often should this token survive?",
        ),
        idea(
            "no_ratio", "a number compared with the target's chance alone",
            "The draft has already drawn the token with its own chance; that has to be divided out.",
            "How often would a token come, on which both models agree?",
        ),
        idea(
            "greedy", "a decision without the number",
            "A token that the draft overrates is kept some of the time; otherwise it would never come from there.",
            "Which part does the random number play in yours?",
        ),
        idea(
            "flipped", "a decision the other way round: refused where it should stay",
            "A number between 0 and 1 is below 0.4 in four of ten draws.",
            "A ratio of 0.4: for which numbers should the token stay?",
        ),
        idea(
            "all_of_target", "a second draw from the whole target",
            "Tokens that the draft underrates were too seldom so far. The second draw is there to make up for it.",
            "How much of its chance has each token already had through the draft?",
        ),
        idea(
            "token_left_out", "a second draw from the target without the refused token",
            "The refused token is not the only one that had its share already.",
            "How much of its chance has each of the other tokens already had through the draft?",
        ),
        idea(
            "absolute", "shortfall and surplus counted alike", "Only tokens that came too seldom are drawn now.",
            "What does your difference give where the draft is above the target?",
        ),
        idea(
            "reversed", "the surplus of the draft, not its shortfall",
            "A second draw should bring what the draft has missed.",
            "For which tokens is your difference above zero?",
        ),
        idea(
            "signed", "differences below zero that were kept",
            "Both sum to 1, so their differences sum to 0: there is nothing to divide by, and no chance is negative.",
            "What do you do with a token that the draft gives too often?", 0.5, below_zero,
        ),
        idea(
            "softmaxed", "a softmax of what is missing",
            "What is missing is a share already. A softmax would give a token that misses nothing a chance of its own.",
            "Which chance has a token in yours that the draft gives too often?",
        ),
        idea(
            "softmaxed_signed", "a softmax of the differences",
            "What the draft gives too often must not come at all. A softmax gives every token a chance.",
            "Which chance has a token in yours that the draft gives too often?",
        ),
        idea(
            "ratio", "a chance where a decision is asked for", "`number` decides: the token stays, or it goes.",
            "Where does your function use `number`?",
        ),
        NOT_RENORMALISED,
    ),
    hints=(
        "The draft drew the token with chance q. It may stay with chance p / q, at most 1. What is missing afterwards?",
        "target and draft (V,) chances; token an id; number from 0 to 1. A bool and chances (V,) come back.",
        "accepted: number < target's chance / draft's chance, of this token\n"
        "chances: what target has more than draft, nothing where it has less; made to sum to 1",
    ),
)  # fmt: skip
