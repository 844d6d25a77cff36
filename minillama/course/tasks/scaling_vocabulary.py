"""The variant of lesson 19: the loss of a vocabulary that is cut by words."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.scaling_hand import LESSON

Generator = np.random.Generator
Reduce = Callable[[Tensor], Tensor]


def faulty_split_loss(reduction: str, unit: str) -> Callable[[Bugs], Callable[..., Tensor]]:
    """scaling.split_loss of this family, with bugs."""

    def with_bugs(bugs: Bugs) -> Callable[..., Tensor]:
        def split_loss(targets: Tensor, logits: Tensor, first: int, total: Reduce, largest: Reduce) -> Tensor:
            own = logits.amax(-1)
            top = own if "own_top" in bugs else torch.zeros_like(own) if "no_top" in bugs else largest(own)
            mass = (logits - top[:, None]).exp().sum(-1)
            log_mass = (
                total(mass.log() + top)
                if "sum_of_logs" in bugs
                else (mass if "own_mass" in bugs else total(mass)).log() + top
            )
            rows = targets if "not_shifted" in bugs else targets - first
            mine = (rows >= ("first_word_lost" in bugs)) & (rows < logits.shape[-1] + ("one_word_more" in bugs))
            said = logits.gather(-1, rows.clamp(0, logits.shape[-1] - 1)[:, None])[:, 0]
            said = said if "everybody_says" in bugs else said * mine
            nats = log_mass - (said if "own_target" in bugs else total(said))
            nats = nats - top if "top_lost" in bugs else -nats if "no_minus" in bugs else nats
            if "own_losses" in bugs:
                nats = total((logits.logsumexp(-1) - said) * mine)
            loss = nats.mean() if (reduction == "mean") != ("other_reduction" in bugs) else nats.sum()
            return loss / math.log(2) if (unit == "bits") != ("other_unit" in bugs) else loss

        return split_loss

    return with_bugs


def split_loss_cases(rng: Generator) -> list[Case]:
    """Words over two and three processes, shares of unequal size, and logits that overflow."""

    def case(name: str, sizes: tuple[int, ...], scale: float, moved: float = 0.0) -> Case:
        V, T = sum(sizes), 6
        logits = (scale * rng.normal(size=(T, V)) + moved).astype(np.float32)
        borders = [0, V - 1, min(sizes[0], V - 1)]
        targets = np.concatenate([rng.permutation(V)[: T - 3], borders]).astype(np.int64)
        ends = np.cumsum(sizes)
        own = [(logits[:, end - size : end].copy(), int(end - size)) for size, end in zip(sizes, ends, strict=True)]
        return Case(name=name, args=(("sum", "max"), own, targets))

    return [
        case("two equal shares", (5, 5), 1.5), case("shares of 5, 4 and 4 words", (5, 4, 4), 1.5),
        case("one process", (9,), 1.5), case("logits near 200", (4, 4), 2.0, moved=200.0),
    ]  # fmt: skip


def make_split_loss(reduction: str = "mean", unit: str = "nats") -> Task:
    """The task for a mean or a sum over tokens, in nats or bits."""
    faulty = faulty_split_loss(reduction, unit)
    return Task(
        id="scaling.split_loss", lesson=LESSON, kind="vary", title="Take the loss of a vocabulary that is cut",
        points=6, difficulty=4, importance=3, minutes=20,
        reference=faulty(frozenset()), faulty=faulty, cases=split_loss_cases, driver="processes",
        outputs=("the loss",), rtol=1e-3, atol=1e-4,
        misconceptions=(
            idea(
                "own_top", "each process's own largest score taken off before the sum",
                "Exponentials that are added up must have lost the same number.",
                "What did the other process subtract before it took its exponentials?",
            ),
            idea(
                "no_top", "exponentials of scores as they are", "e to the 200 is more than a float32 can hold.",
                "What is the largest number that you take e to the power of?",
            ),
            idea(
                "sum_of_logs", "a sum of logarithms",
                "The logarithm comes after the sum over all words, and that runs over all processes.",
                "Of what do you take the logarithm: of a share, or of the whole sum?",
            ),
            idea(
                "own_mass", "chances among this process's words alone",
                "All words share the chance, whoever holds them.",
                "What do the chances of all words sum to?",
            ),
            idea(
                "not_shifted", "targets looked up as if every share began at word 0",
                "Row 0 of a share is word `first`.", "Which word is column 0 of the second process?",
            ),
            idea(
                "everybody_says", "a target's score from processes that do not hold it",
                "Who does not hold the word has nothing to say about it: 0 in the sum.",
                "What does your process add for a word that another one holds?",
            ),
            idea(
                "own_target", "a target's score known only to who holds it",
                "Every process needs the score of the target. One has it.", "Where do the others get it from?",
            ),
            idea(
                "own_losses", "the loss of whoever holds the target, over its own words",
                "A chance is a share of all words' exponentials, whoever holds them.",
                "What do the chances of all words sum to?",
            ),
            idea(
                "top_lost", "a largest score that was taken off and never put back",
                "What is taken off before the exponential comes back after the logarithm.",
                "What does your loss become when 10 is added to all scores?", 0.7,
            ),
            idea(
                "one_word_more", "a share that claims the first word of the next one",
                "A share of 5 words has the rows 0 to 4.",
                "Who claims the first word of the second process in yours?", 0.7,
            ),
            idea(
                "first_word_lost", "a first word that nobody claims", "Row 0 of a share is a word as any other.",
                "Which rows of a share of 5 words are yours?", 0.7,
            ),
            idea("no_minus", "a loss below zero", "The surprise is the log of the sum less the score, not the other "
                 "way round.", "Which of the two is larger, always?", 0.7),
            idea(
                "other_reduction", "a sum where the mean is asked for, or a mean where the sum is",
                f"The {reduction} over the tokens is asked for.", "What does your last line do with the tokens?", 0.7,
            ),
            idea(
                "other_unit", "nats where bits are asked for, or bits where nats are",
                f"The result is in {unit}; a bit is ln 2 nats.", "To which base is your logarithm?", 0.7,
            ),
        ),
        hints=(
            "log of the sum of exponentials, less the target's score. Both parts can be added up over processes.",
            "targets (T,), logits (T, share of V); `total` and `largest` get vectors (T,), not all scores.",
            "top = largest over all processes\nlog_mass = log of the total of the sums of e^(score - top), plus top\n"
            "said = own score of the target, 0 where another process holds it; then the total\nloss = log_mass - said",
        ),
        family={"reduction": ("mean", "sum"), "unit": ("nats", "bits")}, build=make_split_loss,
        phrases=(
            {
                "mean": "the mean cross-entropy over the T tokens",
                "sum": "the sum of the cross-entropies of the T tokens",
            }[reduction] + f", in {unit}",
            {"mean": "The mean loss", "sum": "The summed loss"}[reduction] + ", from shares",
        ),
    )  # fmt: skip


split_loss = make_split_loss()
