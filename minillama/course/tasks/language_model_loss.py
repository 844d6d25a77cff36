"""The task of lesson 02 that rebuilds cross_entropy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minillama import loss
from minillama.course.record import Case, Misconception, Probe, Task
from minillama.course.tasks import language_model_signatures
from minillama.course.tasks.language_model_inputs import (
    FORBIDDEN,
    LESSON,
    Generator,
    draw_targets,
    faulty_loss,
    loss_cases,
)
from minillama.loss import IGNORE


def _uniform_cases(rng: Generator) -> list[Case]:
    V = int(rng.integers(10, 20))
    targets = draw_targets(rng, 2, 4, V)
    return [Case(name=f"{V} equal scores", args=(np.zeros((2, 4, V), np.float32), targets))]


def _uniform_is_not_ln_v(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    V, value = cases[0].args[0].shape[-1], float(outputs[0])
    if abs(value - np.log(V)) < 1e-3:
        return None
    return f"All {V} pieces score the same, and your loss is {value:.3f}, where ln {V} = {np.log(V):.3f} is due."


STEP_ZERO = Probe(
    name="equal scores",
    cases=_uniform_cases,
    broken=_uniform_is_not_ln_v,
    principle="Equal scores are equal chances, 1/V each, and minus the logarithm of 1/V is ln V. This is step 0 of "
    "every training.",
    question="What chance does your code give to each piece here?",
)
OVER_POSITIONS = Misconception(
    name="over_positions",
    looks_like="chances that sum to 1 over the positions instead of the pieces",
    principle="At every position the pieces compete for one place; positions do not compete.",
    question="Along which axis do your chances sum to 1?",
)
OVER_ROWS = Misconception(
    name="over_rows",
    looks_like="chances that sum to 1 over the windows of a batch instead of the pieces",
    principle="Windows are in one batch to save time; none of them knows of the others.",
    question="Along which axis do your chances sum to 1?",
)
LOG_OF_MEAN = Misconception(
    name="log_of_mean",
    looks_like="the logarithm of a mean chance",
    principle="Each token has a surprise of its own, and the loss is the mean of these. Averaging chances first hides "
    "a chance of nearly nothing behind a good one.",
    question="What comes first in your code, the mean or the logarithm?",
)
NO_MINUS = Misconception(
    name="no_minus",
    looks_like="a missing minus",
    principle="Logarithms of chances are below 0. A surprise is not: 0 where the guess was sure and right, else more.",
    question="What sign has the logarithm of 1/2?",
    credit=0.7,
)
SUMS = Misconception(
    name="sums",
    looks_like="a sum over the places",
    principle="A loss that grows with the size of the batch cannot be compared with anything.",
    question="By what would you divide to have nats a token?",
    credit=0.7,
)
BITS = Misconception(
    name="bits",
    looks_like="logarithms to base 2",
    principle="The loss is in nats, with base e, so that e to the loss is the perplexity.",
    question="Which logarithm did you take?",
    credit=0.7,
)
DIVIDES_BY_ALL = Misconception(
    name="divides_by_all",
    looks_like="a mean over all places, with 0 for those that do not count",
    principle="A place that does not count is not a place with a perfect guess.",
    question="By how many places do you divide?",
)
COUNTS_IGNORED = Misconception(
    name="counts_ignored",
    looks_like=f"IGNORE taken for the number of a piece: {IGNORE} used as an index, or counted as another piece",
    principle="A place that holds IGNORE has no true piece. Any piece may be looked up there, as long as what comes of "
    "it is left out before the mean.",
    question="What does your code do at a place whose target is IGNORE?",
    signature=language_model_signatures.counts_ignored,
)

cross_entropy = Task(
    id="language_model.cross_entropy", lesson=LESSON, kind="rebuild", title="Measure the surprise", points=4,
    difficulty=3, importance=5, minutes=15,
    reference=loss.cross_entropy, faulty=faulty_loss, cases=loss_cases, probes=(STEP_ZERO,), outputs=("the loss",),
    forbidden=FORBIDDEN, piece="minillama.loss:cross_entropy",
    misconceptions=(
        OVER_POSITIONS,
        OVER_ROWS,
        LOG_OF_MEAN,
        NO_MINUS,
        SUMS,
        BITS,
        DIVIDES_BY_ALL,
        COUNTS_IGNORED,
        Misconception(
            name="a_row_each",
            looks_like="a mean for each window",
            principle="Training goes downhill on one number: the mean over all places of all windows that count.",
            question="Over how many axes does your mean run?",
        ),
        Misconception(
            name="mean_of_rows",
            looks_like="a mean of the windows' means",
            principle="Then a place weighs more in a window where few count. Asked is one mean over all that count.",
            question="By what do you divide, and how often?",
        ),
        Misconception(
            name="zero_ignored",
            looks_like="piece 0 taken for a place that does not count",
            principle="Ids start at 0: piece 0 is one like any other. Only places that hold IGNORE are left out.",
            question="Which targets does your code leave out?",
            credit=0.7,
        ),
        Misconception(
            name="not_averaged",
            looks_like="the surprises of all places, without a mean",
            principle="Training goes downhill on one number: the mean over all places of all windows that count.",
            question="What is left to do with your surprises?",
        ),
        Misconception(
            name="overflows",
            looks_like="e to the power of the scores as they are",
            principle="e to the 89th is more than float32 can hold, and inf / inf is nan. Only differences between "
            "scores matter, so all of them may be moved by the same amount.",
            question="By how much could you move the scores so that the largest power is e to the 0?",
            signature=language_model_signatures.overflows,
        ),
        Misconception(
            name="log_of_zero",
            looks_like="the logarithm of a chance that was rounded to 0",
            principle="A chance of e to the -2,000 is 0 to any float; its logarithm, -2,000, is an everyday number.",
            question="Could you get the logarithm without ever making the chance itself?",
            signature=language_model_signatures.log_of_zero,
        ),
        Misconception(
            name="clamped",
            looks_like="a chance that is kept from 0 by a tiny number",
            principle="That ends the inf, and lies: a guess that was wrong by 2,000 nats should cost 2,000.",
            question="Could you get the logarithm without ever making the chance itself?",
            signature=language_model_signatures.clamped,
        ),
        Misconception(
            name="sixteen_bits",
            looks_like="a loss computed in 16 bits",
            principle="Near 7 the numbers of float16 lie 1/256 apart: coarser than what a step of training changes.",
            question="In which dtype are the scores when you take the logarithm?",
            credit=0.7,
            signature=language_model_signatures.sixteen_bits,
        ),
    ),
    hints=(
        "The surprise at a place is the logarithm of the sum of all powers, minus the score of the true piece. Then "
        "leave out what does not count, and take the mean.",
        "logits (B, T, V) -> logsumexp over V (B, T). targets[..., None] is (B, T, 1), as gather wants it; IGNORE is "
        "no index.",
        "counted = where targets are not IGNORE\nscores in float32\nlog_total = logsumexp over the pieces\n"
        "true = the score of each target, any where it is IGNORE\nmean of (log_total - true) where counted",
    ),
)  # fmt: skip
