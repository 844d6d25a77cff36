"""Lesson 09's diagnosis: a loss that falls too fast, because every token is asked for itself."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.pretrain_hand import LESSON


def faulty_loss(bugs: Bugs = frozenset()) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The weighted mean of next tokens' losses, with these bugs."""

    def repair_loss(logits: Tensor, tokens: Tensor, weights: Tensor) -> Tensor:
        T = tokens.shape[1]
        ahead = 0 if "unshifted" in bugs else 2 if "twice" in bugs else 1
        asked, targets, counted = logits[:, : T - ahead], tokens[:, ahead:], weights[:, ahead:]
        if "backwards" in bugs:
            asked, targets, counted = logits[:, 1:], tokens[:, :-1], weights[:, :-1]
        if "weights_behind" in bugs:
            counted = weights[:, : T - ahead]
        if "rolled" in bugs:
            asked, targets, counted = logits, tokens.roll(-1, 1), weights.roll(-1, 1)
        if "flattened" in bugs:
            asked, targets, counted = (part.flatten(0, 1)[None] for part in (logits, tokens, weights))
            asked, targets, counted = asked[:, :-1], targets[:, 1:], counted[:, 1:]
        if "yes_or_no" in bugs:
            counted = (counted > 0).float()
        if "softmax_twice" in bugs:
            asked = asked.softmax(-1)
        nats = -asked.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
        if "unweighted" in bugs:
            return nats.mean()
        if "by_count" in bugs:
            return (nats * counted).mean()
        if "summed" in bugs:
            return (nats * counted).sum()
        if "by_row" in bugs:
            return ((nats * counted).sum(1) / counted.sum(1)).mean()
        if "places" in bugs:
            return (nats * counted).sum() / (counted > 0).sum()
        mean = (nats * counted).sum() / (weights if "all_weights" in bugs else counted).sum()
        return -mean if "no_minus" in bugs else mean

    return repair_loss


def loss_cases(rng: Generator) -> Sequence[Case]:
    """Weights of a prompt, of padding, and all alike but one."""
    found = []
    for name, rows in (
        ("a prompt that does not count", [[0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 1]]),
        ("padding at the end of a row", [[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]]),
        ("weights of 1, 3 and 5", [[2, 1, 5, 1, 3, 1], [4, 3, 1, 1, 0, 5], [1, 0, 0, 5, 1, 1]]),
    ):
        weights = np.array(rows, dtype=np.float32)
        logits = rng.normal(size=(*weights.shape, 7)).astype(np.float32)
        found.append(Case(name=name, args=(logits, rng.integers(0, 7, weights.shape), weights)))
    return found


repair_loss = Task(
    id="train.repair_loss", lesson=LESSON, kind="diagnose", title="Repair a loss that falls too fast", points=4,
    difficulty=3, importance=5, minutes=12,
    reference=faulty_loss(), faulty=faulty_loss, cases=loss_cases, outputs=("the loss",),
    misconceptions=(
        idea(
            "unshifted", "every token asked for itself",
            "The logits at a place are about the token after it. A model that may answer with what it reads learns "
            "to copy in no time.",
            "Which token is the target of place 0?", 0.1,
        ),
        idea(
            "weights_behind", "a token's loss counted by the weight of the token before it",
            "A weight belongs to the token that is predicted.",
            "Does the first token of an answer count in yours? And the last of a prompt?",
        ),
        idea(
            "backwards", "every token asked for the one before it", "The model is to say what comes next.",
            "Which of the two do you cut at the front: logits, or tokens?",
        ),
        idea(
            "twice", "targets that are shifted twice", "The next token is one place ahead.",
            "How many places lie between a logit and its target in yours?",
        ),
        idea(
            "all_weights", "a division by the weights of all tokens, the first one too",
            "The first token is predicted by nobody, so its weight belongs to no loss.",
            "How many losses are in the sum, and how many weights?", 0.6,
        ),
        idea("unweighted", "weights that are not used", "A weight of 0 means: this one does not count.",
             "Which of your lines reads `weights`?"),
        idea(
            "by_count", "a division by the number of tokens", "A weighted mean is divided by its weights.",
            "What does your loss become when a row gets padding?",
        ),
        idea("by_row", "a mean of the rows' means", "Every token counts by its weight, in whichever row it stands.",
             "How many times do you divide?"),
        idea("summed", "a sum that is not divided", "A loss is told for one token.",
             "By what do you divide, at the end?"),
        idea(
            "rolled", "a last place that is asked for the first token of its row",
            "Behind the last token of a row there is nothing that could be asked for.",
            "What stands at the end of a row that was rolled by one?",
        ),
        idea(
            "flattened", "rows that were laid end to end before the shift",
            "The last token of one row says nothing about the first of the next.",
            "Which token is the target of the last place of row 0?",
        ),
        idea(
            "yes_or_no", "weights that only say yes or no", "A token with a weight of 5 counts five times.",
            "What becomes of a weight of 5 in yours?", 0.7,
        ),
        idea(
            "places", "a division by how many places count", "A weighted mean is divided by its weights.",
            "What does your loss become when all weights are doubled?", 0.7,
        ),
        idea(
            "softmax_twice", "a softmax before the cross-entropy", "cross_entropy wants logits: it has a softmax of "
            "its own.", "How many softmaxes does a logit meet on its way?",
        ),
        idea("no_minus", "a loss below zero", "A chance is at most 1, its logarithm at most 0, and a loss is what "
             "is lost.", "What is the logarithm of a chance of 0.1?", 0.7),
    ),
    hints=(
        "Take the first logit of a row: it has read one token. Which token is it about?",
        "logits (B, T, V), tokens and weights (B, T): there are T - 1 predictions a row.",
        "logits without the last place, tokens without the first, weights like the tokens\ncross-entropy of each\n"
        "times its weight, summed, divided by the sum of these weights",
    ),
)  # fmt: skip
