"""Lesson 09's step of the optimizer, judged by its losses and by the weights that it leaves behind."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from minillama.course.drivers import training_steps
from minillama.course.plain import to_input, to_plain
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.pretrain_hand import LESSON
from minillama.errors import DataError
from minillama.train import loop
from minillama.train.data import Batch
from minillama.train.losses import summed_loss

V = 6  # tokens that there are
REFUSED = "no token that counts"  # in the names of the cases that end in a DataError
NO_NUMBER = "a loss that is no number"
ENDLESS = "a loss without end"


def faulty_step(bugs: Bugs = frozenset()) -> Callable[..., float]:
    """loop.train_step with these bugs."""

    def train_step(
        model: nn.Module, optimizer: torch.optim.Optimizer, batches: Sequence[Batch], lr: float, clip: float = 1.0,
        bf16: bool = False, total: float | None = None,
    ) -> float:  # fmt: skip
        counted = [each.tokens[:, 1:].numel() if "counts_all" in bugs else each.total_weight for each in batches]
        total = sum(counted) if total is None or "total_ignored" in bugs else total
        if not total and "no_guard" not in bugs:
            raise DataError("no token counts")
        if "no_zero_grad" not in bugs:
            optimizer.zero_grad()
        nats, losses = [], []
        for batch, count in zip(batches, counted, strict=True):
            if "zero_each" in bugs:
                optimizer.zero_grad()
            nats.append(summed_loss(model, batch)[0])
            share = len(batches) * count if "mean_of_means" in bugs else count if "not_divided" in bugs else total
            losses.append(nats[-1] / share)
            (nats[-1] if "summed" in bugs else losses[-1]).backward()
            if "clips_each" in bugs:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
        mean = losses[-1].item() if "last_loss" in bugs else sum(each.item() for each in losses)
        guarded = total or "no_guard" not in bugs
        if guarded and not math.isfinite(mean) and not bugs & {"not_finite", "spoils"}:
            raise DataError("no finite loss")
        if "clips_values" in bugs:
            nn.utils.clip_grad_value_(model.parameters(), clip)
        elif "unclipped" not in bugs and "clips_each" not in bugs:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0 if "clip_fixed" in bugs else clip)
        if "late_rate" in bugs:
            optimizer.step()
        for group in optimizer.param_groups[: 1 if "one_group" in bugs else None]:
            group["lr"] = group["lr"] if "lr_ignored" in bugs else lr
        if not bugs & {"no_step", "late_rate"}:
            optimizer.step()
        if "spoils" in bugs and not math.isfinite(mean):
            raise DataError("no finite loss")
        if "loss_after" in bugs:
            mean = sum(summed_loss(model, each)[0].item() for each in batches) / total
        return mean

    return train_step


def by_weights(bug: str) -> Callable[[Sequence[Case], Sequence[Any], Sequence[Any]], bool]:
    """A signature: are the weights those of this bug, whatever loss is told, and not the right ones?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        wrong, telling = faulty_step(frozenset({bug})), False
        for case, got, right in zip(cases, outputs, expected, strict=True):
            if case.name in (REFUSED, NO_NUMBER, ENDLESS):
                continue
            made = to_plain(training_steps(wrong, *(to_input(each) for each in case.args)))
            for name in (each for each in made if each.endswith("weights")):
                if not np.allclose(got[name].data, made[name].data, rtol=1e-4, atol=1e-5):
                    return False
                telling |= not np.allclose(made[name].data, right[name].data, rtol=1e-4, atol=1e-5)
        return telling

    return fits


def goes_on(*refused: str) -> Callable[[Sequence[Case], Sequence[Any], Sequence[Any]], bool]:
    """A signature: is everything right but a step of these cases, which should have been refused?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        found = False
        for case, got, right in zip(cases, outputs, expected, strict=True):
            if case.name in refused:
                found |= "step 1, loss" in got
            elif case.name != REFUSED and any(
                name not in got or not _equal(got[name], each) for name, each in right.items()
            ):
                return False
        return found

    return fits


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    return np.allclose(getattr(one, "data", one), getattr(other, "data", other), 1e-4, 1e-5, equal_nan=True)


def step_cases(rng: Generator) -> Sequence[Case]:
    """Two steps, micro-batches of unequal sizes, a long gradient, weights, a total, and nothing that counts."""

    def table(scale: float = 1.0) -> np.ndarray:
        return (scale * rng.normal(size=(V, V))).astype(np.float32)

    def batch(rows: int, length: int, weights: Sequence[float] | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        tokens = rng.integers(0, V, (rows, length))
        return tokens, None if weights is None else np.array([weights] * rows, dtype=np.float32)

    loose = {"clip": 100.0}
    unknown, impossible = table(), table()
    unknown[2, 3], impossible[2, 3] = np.nan, -np.inf
    path = np.array([[1, 2, 3, 4]])
    return [
        Case(name="two steps", args=(table(), [(0.7, [batch(2, 4)]), (0.3, [batch(2, 5)])], loose)),
        Case(
            name="micro-batches of 3, 10 and 6 tokens",
            args=(table(), [(0.5, [batch(1, 4), batch(2, 6), batch(3, 3)])], loose),
        ),
        Case(
            name="a gradient that is too long",
            args=(table(4.0), [(0.5, [batch(1, 4), batch(1, 6)]), (0.5, [batch(1, 5)])], {"clip": 0.05, "total": 0.5}),
        ),
        Case(
            name="weights of 0, 1 and 5",
            args=(table(), [(0.6, [batch(2, 5, [1, 0, 0, 1, 5]), batch(1, 5, [1, 1, 0, 1, 0])])], loose),
        ),
        Case(name="a total of 40", args=(table(), [(0.9, [batch(2, 4), batch(1, 4)])], {**loose, "total": 40.0})),
        Case(name=REFUSED, args=(table(), [(0.5, [batch(2, 4, [1, 0, 0, 0])])], {})),
        Case(name=NO_NUMBER, args=(unknown, [(0.5, [(path, None)])], {})),
        Case(name=ENDLESS, args=(impossible, [(0.5, [(path, None)])], {})),
    ]


train_step = Task(
    id="train.train_step", lesson=LESSON, kind="rebuild", title="Take one step of training", points=5, difficulty=4,
    importance=5, minutes=20,
    reference=loop.train_step, faulty=faulty_step, cases=step_cases, driver="training_steps",
    piece="minillama.train.loop:train_step", forbidden=("minillama.train.loop:train_step",),
    outputs=("what the steps gave",),
    time_limit_s=120.0,  # the first optimizer of a process imports half of torch, seconds even on an idle machine
    misconceptions=(
        idea(
            "no_zero_grad", "gradients that are never set back",
            "backward() adds to what is there. Within a step you want that, from one step to the next you do not.",
            "What is in the gradients when your second step begins?",
        ),
        idea(
            "zero_each", "gradients that are set back for every micro-batch",
            "The gradients of a step are the sum over all of its micro-batches.",
            "How often do you set them back in a step of three micro-batches?",
        ),
        idea(
            "unclipped", "a step that is taken before the gradients are clipped, or with no clipping at all",
            "The weights move in optimizer.step(). What is done to the gradients afterwards changes nothing any more.",
            "In which order do clipping and the step stand in yours?",
        ),
        idea(
            "clips_each", "a clip after every micro-batch",
            "The norm is that of the whole gradient: micro-batches are an affair of memory, and must not show.",
            "Would your step be the same with one micro-batch of all rows?",
        ),
        idea("clip_fixed", "a clip that is always 1", "`clip` is an argument.",
             "What does your step do with clip=0.05?", 0.7),
        idea(
            "mean_of_means", "a mean of the micro-batches' means",
            "Every token counts alike. A mean of means makes those of a short micro-batch count more.",
            "By what is one micro-batch's sum of losses divided in yours: its own tokens, or those of the step?",
        ),
        idea(
            "not_divided", "means that are added up and never divided",
            "With twice as many micro-batches the gradient must not be twice as long.",
            "How does your gradient grow with the number of micro-batches?", 0.5, by_weights("not_divided"),
        ),
        idea(
            "summed", "gradients of the sum, not of the mean",
            "The loss of a step is that of one token, and so is the gradient.",
            "Of which number do you call backward()?", 0.5, by_weights("summed"),
        ),
        idea(
            "counts_all", "tokens that are counted though their weight is 0, or 5",
            "The sum is over weights, so it is divided by their sum.",
            "By what do you divide where half of the tokens do not count?",
        ),
        idea(
            "total_ignored", "a `total` that is not used",
            "Processes that share a step divide by the tokens of all of them, and hand it in.",
            "Which of your lines reads `total`?", 0.7, by_weights("total_ignored"),
        ),
        idea(
            "lr_ignored", "a learning rate that the optimizer never hears of",
            "An optimizer takes its rate from its groups.", "Where do you write `lr` to?", 0.5,
            by_weights("lr_ignored"),
        ),
        idea(
            "last_loss", "the loss of the last micro-batch alone",
            "What is returned is the mean over all tokens of the step.",
            "Which micro-batches are in the number that you return?", 0.7,
        ),
        idea(
            "loss_after", "the loss behind the step",
            "The loss before the step is there already. Another pass would cost a third of the time for nothing.",
            "How many times does your model read each batch?", 0.7,
        ),
        idea(
            "no_step", "weights that never move", "zero_grad, backward, clip, step.",
            "Which of your lines moves the weights?", 0.3,
        ),
        idea(
            "no_guard", "a step that goes on where no token counts",
            "A nan in the weights never goes away again: a run must stop before, with a DataError.",
            "What is 0 / 0, and where would it end up?", 0.7, goes_on(REFUSED),
        ),
        idea(
            "not_finite", "a step that goes on with a loss that is no finite number",
            "One nan in a gradient is in every weight after the step. A run must stop before, with a DataError.",
            "What does your step do with a loss of nan, and with one of inf?", 0.7, goes_on(NO_NUMBER, ENDLESS),
        ),
        idea(
            "spoils", "a refusal that comes after the step",
            "Whoever catches the error wants to go on with the weights as they were.",
            "What is in the weights when your DataError is raised?", 0.7,
        ),
        idea(
            "one_group", "a rate for the first group alone",
            "Parameters that do not decay are a group of their own, and learn at the same rate.",
            "How many groups does decay_groups make, and how many of them do you write to?", 0.7,
        ),
        idea(
            "late_rate", "a rate that is written after the step",
            "The step is taken with the rate that the groups hold at that moment.",
            "With which rate does your first step move?",
        ),
        idea(
            "clips_values", "every number of the gradient clipped by itself",
            "The gradient is one long vector. Scaled as a whole it keeps its direction.",
            "In which direction does (3, 4) point after your clipping, with a clip of 1?",
        ),
    ),
    hints=(
        "Once a step: set back, clip, set the rate, step. Once a micro-batch: loss, backward.",
        "training_loss(model, batch) gives the sum of the losses and the sum of the weights; batch.total_weight is "
        "that sum, too.",
        "total = weights of all batches, if not given; 0? DataError\nset gradients back\nfor each batch: its sum / "
        "total, backward\nloss not finite? DataError\nclip\nthe rate into every group\nstep\n"
        "return the sum of the losses",
    ),
)  # fmt: skip
