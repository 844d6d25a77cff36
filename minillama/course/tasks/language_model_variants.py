"""Tasks of lesson 02 on other losses: a colleague's to repair, and one with softened targets."""

from collections.abc import Callable

from torch import Tensor

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.language_model_inputs import (
    FORBIDDEN,
    LESSON,
    Generator,
    draw_logits,
    draw_targets,
    faulty_loss,
    ordinary_cases,
)
from minillama.course.tasks.language_model_loss import (
    BITS,
    LOG_OF_MEAN,
    NO_MINUS,
    OVER_POSITIONS,
    OVER_ROWS,
    STEP_ZERO,
    SUMS,
)

# A colleague's loss


repair_loss = Task(
    id="language_model.repair_loss", lesson=LESSON, kind="diagnose", title="Repair a colleague's loss", points=3,
    difficulty=3, importance=4, minutes=10,
    reference=faulty_loss(frozenset()), faulty=lambda bugs: faulty_loss(
        frozenset({"over_positions", "log_of_mean"}) if "as_found" in bugs else bugs
    ),
    cases=ordinary_cases, probes=(STEP_ZERO,), outputs=("the loss",), forbidden=FORBIDDEN,
    misconceptions=(
        Misconception(
            name="as_found",
            looks_like="the colleague's loss as it was",
            principle="With equal scores it gives ln T, and with unequal ones it averages too early: two faults.",
            question="If nothing is known, what should the loss depend on: the number of positions, or of pieces?",
            credit=0.0,
        ),
        OVER_POSITIONS, OVER_ROWS, LOG_OF_MEAN, NO_MINUS, SUMS, BITS,
    ),
    hints=(
        "e to the first loss is a whole number. What is there so many of?",
        "logits (B, T, V): which axis is that whole number? And which comes first, mean or logarithm?",
        "chances over the pieces\nthe chance of each target\nits logarithm\nthen the mean, and the sign",
    ),
)  # fmt: skip


# Softened targets


def soften(spread: str) -> Callable[[Bugs], Callable[[Tensor, Tensor, float], Tensor]]:
    """A loss whose target is mostly the true piece, and a little of every piece, or of every other."""

    def with_bugs(bugs: Bugs) -> Callable[[Tensor, Tensor, float], Tensor]:
        over_all = (spread == "all") != ("other_spread" in bugs)

        def softened_loss(logits: Tensor, targets: Tensor, share: float) -> Tensor:
            surprise = -logits.float().log_softmax(1 if "over_positions" in bugs else -1)  # (B, T, V)
            true = surprise.gather(-1, targets[..., None]).squeeze(-1)  # (B, T)
            V = logits.shape[-1]
            rest = surprise.mean(-1) if over_all else (surprise.sum(-1) - true) / (V - 1)
            if "part_lost" in bugs:
                rest = (surprise.sum(-1) - true) / V
            if "share_each" in bugs:
                rest = surprise.sum(-1) if over_all else surprise.sum(-1) - true
            kept = 1.0 if "keeps_all" in bugs else 1 - share
            if "shares_swapped" in bugs:
                kept, share = share, 1 - share
            places = true if "share_ignored" in bugs else kept * true + share * rest
            total = places.sum() if "sums" in bugs else places.mean()
            return -total if "no_minus" in bugs else total

        return softened_loss

    return with_bugs


def soft_cases(rng: Generator) -> list[Case]:
    """Shares of a tenth to a half, and none."""
    shares = [float(each) for each in rng.permutation([0.1, 0.2, 0.3])]
    return [
        Case(name=f"a share of {share}", args=(*case.args, share))
        for case, share in zip(ordinary_cases(rng), shares, strict=True)
    ] + [
        Case(
            name="scores up to 300",
            args=(draw_logits(rng, 1, 3, 5, scale=100.0), draw_targets(rng, 1, 3, 5), 0.2),
        ),
        Case(name="a share of 0", args=(draw_logits(rng, 2, 3, 5), draw_targets(rng, 2, 3, 5), 0.0)),
    ]


def make_softened_loss(spread: str = "all") -> Task:
    """The task for a share spread over all pieces, or over all others."""
    faulty = soften(spread)
    whom = {"all": "all pieces, the true one among them", "others": "all pieces but the true one"}[spread]
    return Task(
        id="language_model.softened_loss", lesson=LESSON, kind="vary", title="Soften the target", points=6,
        difficulty=4, importance=3, minutes=15,
        reference=faulty(frozenset()), faulty=faulty, cases=soft_cases, outputs=("the loss",),
        misconceptions=(
            Misconception(
                name="other_spread",
                looks_like="the share spread over the wrong pieces",
                principle=f"Here it goes to {whom}, in equal parts.",
                question="With 4 pieces and a share of 0.2, what should each of them get?",
            ),
            Misconception(
                name="part_lost",
                looks_like="weights that do not sum to 1: what one of the pieces should get is gone",
                principle="The target is a list of chances: it sums to 1 at every place.",
                question="Add up your weights for 4 pieces and a share of 0.2: what is missing, and at which piece?",
                credit=0.7,
            ),
            Misconception(
                name="keeps_all",
                looks_like="a true piece that keeps its whole weight",
                principle="The target is a list of chances: it sums to 1.",
                question="What do the weights in your sum come to?",
            ),
            Misconception(
                name="share_each",
                looks_like="the whole share given to every piece",
                principle="All of them together get one share.",
                question="How much of the share belongs to each piece?",
            ),
            Misconception(
                name="shares_swapped",
                looks_like="the share on the true piece, and the rest on the others",
                principle="A share of 0 must give the loss that you know.",
                question="What does yours give for a share of 0?",
            ),
            OVER_POSITIONS, NO_MINUS, SUMS,
            Misconception(
                name="share_ignored",
                looks_like="the loss that you know, with the whole target on the true piece",
                principle="Every piece gets a part of the share, and its surprise is weighed by that.",
                question="Which of your lines reads `share`?",
            ),
        ),
        hints=(
            "The loss you know takes the surprise at one piece. Here it is a weighted sum of the surprises at all.",
            "surprise = minus log of all chances (B, T, V); weights (B, T, V), which sum to 1 at each place.",
            "surprise of the true piece (B, T)\nmean surprise of the pieces that get the share (B, T)\n"
            "weigh the two by 1 - share and share\nmean over all places",
        ),
        family={"spread": ("all", "others")},
        build=make_softened_loss,
        phrases={
            "all": ("all V pieces, the true one among them", "0.85, 0.05, 0.05, 0.05"),
            "others": ("all V pieces but the true one", "0.8, 0.067, 0.067, 0.067"),
        }[spread],
    )  # fmt: skip


softened_loss = make_softened_loss()
