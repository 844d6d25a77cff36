"""Tasks of lesson 02 beside the loss: targets, embedding as a product, perplexity."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minillama import loss
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.language_model_inputs import LESSON, Generator

# Targets


def faulty_shift(bugs: Bugs) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """shift_targets with these bugs."""

    def shift(tokens: Tensor) -> tuple[Tensor, Tensor]:
        if "along_rows" in bugs:
            return tokens[:-1], tokens[1:]
        if "whole_inputs" in bugs:
            return tokens, tokens[:, 1:]
        if "rolled" in bugs:
            return tokens, tokens.roll(-1, 1)
        if "twice" in bugs:
            return tokens[:, :-2], tokens[:, 2:]
        if "unshifted" in bugs:
            return tokens[:, :-1], tokens[:, :-1]
        if "backwards" in bugs:
            return tokens[:, 1:], tokens[:, :-1]
        return tokens[:, :-1], tokens[:, 1:]

    return shift


def shift_cases(rng: Generator) -> list[Case]:
    """Windows of ids without repetition, more and fewer rows than columns."""
    return [
        Case(name=name, args=(np.stack([rng.permutation(50)[:length] for _ in range(B)]).astype(np.int64),))
        for name, B, length in (("2 windows of 6", 2, 6), ("5 windows of 4", 5, 4), ("one window of 9", 1, 9))
    ]


shift_targets = Task(
    id="language_model.shift_targets", lesson=LESSON, kind="rebuild", title="Find the answers in the text", points=2,
    difficulty=1, importance=5, minutes=5,
    reference=loss.shift_targets, faulty=faulty_shift, cases=shift_cases, outputs=("inputs", "targets"),
    piece="minillama.loss:shift_targets",
    misconceptions=(
        Misconception(
            name="twice",
            looks_like="a shift by two",
            principle="The target of a token is the very next one. With a shift by two, somebody has shifted before, "
            "and the model learns to skip every other token.",
            question="Which token follows your first input, and which is your first target?",
        ),
        Misconception(
            name="unshifted",
            looks_like="targets that are the inputs themselves",
            principle="Copying what it sees needs no language: the loss falls to 0, and nothing has been learnt.",
            question="What should be predicted at a place, and is it not known there already?",
        ),
        Misconception(
            name="backwards",
            looks_like="targets that come before their inputs",
            principle="A model that writes from left to right has to know what follows.",
            question="Which token follows your first input, and which is your first target?",
        ),
        Misconception(
            name="rolled",
            looks_like="a roll: the last target is the first token of the window",
            principle="Nothing in the window follows its last token. That one is a target only, so T + 1 tokens make T "
            "pairs.",
            question="What is your last target in each row, and does it follow there?",
        ),
        Misconception(
            name="whole_inputs",
            looks_like="inputs that still hold the last token",
            principle="Every input needs its target. The last token of a window has none.",
            question="How many inputs have you, and how many targets?",
        ),
        Misconception(
            name="along_rows",
            looks_like="a shift from one window to the next",
            principle="tokens is (B, T + 1): time runs along the second axis; windows have nothing to do with another.",
            question="Which axis does your slice cut?",
        ),
    ),
    hints=(
        "Write a window of four tokens, and below it what follows each. What is left over?",
        "tokens (B, T + 1) -> inputs (B, T) and targets (B, T).",
        "inputs: every row without its last token\ntargets: every row without its first",
    ),
)  # fmt: skip


# Embedding as a product


def faulty_embed(bugs: Bugs) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The one-hot rows of tokens and their product with a table, with these bugs."""

    def embed(tokens: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        V, D = table.shape
        ids = tokens - 1 if "from_one" in bugs else tokens
        rows = (ids[..., None] == torch.arange(V)).float()  # (B, T, V)
        if "one_bag" in bugs:
            rows = rows.sum(1)
        if "ids_for_ones" in bugs:
            rows = rows * tokens[..., None]
        vectors = rows @ table
        return rows, vectors * D**0.5 if "scaled" in bugs else vectors

    return embed


def embed_cases(rng: Generator) -> list[Case]:
    """Tables with more pieces than channels, and as many."""
    found = []
    for B, T, V, D in ((2, 3, 7, 4), (1, 5, 6, 6)):
        tokens = np.stack([rng.permutation(np.arange(2, V))[:T] for _ in range(B)]).astype(np.int64)
        tokens[0, 0] = 0
        table = rng.standard_normal((V, D)).astype(np.float32)
        found.append(Case(name=f"{V} pieces of {D} channels", args=(tokens, table)))
    return found


one_hot_embed = Task(
    id="language_model.one_hot_embed", lesson=LESSON, kind="complete", title="Embed by a matrix product", points=2,
    difficulty=2, importance=3, minutes=8,
    reference=faulty_embed(frozenset()), faulty=faulty_embed, cases=embed_cases, outputs=("rows", "vectors"),
    misconceptions=(
        Misconception(
            name="from_one",
            looks_like="ids that are counted from 1",
            principle="Id 0 is a piece like others, and its vector is the first row of the table.",
            question="Where is the 1 in the row of id 0?",
        ),
        Misconception(
            name="one_bag",
            looks_like="one row for a whole window",
            principle="Every position keeps a vector of its own: order is most of what a sentence says.",
            question="How many axes has yours, and which one went?",
        ),
        Misconception(
            name="ids_for_ones",
            looks_like="ids where ones should stand",
            principle="An id is a name, not an amount: piece 40 is not ten times piece 4.",
            question="By what number is the chosen row of the table multiplied?",
        ),
        Misconception(
            name="scaled",
            looks_like="vectors that are multiplied by the root of their width",
            principle="The first Transformer did so, and Gemma does. LLaMA's norms make it needless.",
            question="What happens in your code after the product?",
        ),
    ),
    hints=(
        "A row that is 0 everywhere and 1 in one place, times a table, picks one row of the table.",
        "tokens with an axis of 1 behind (B, T, 1), beside all V ids (V,) -> rows (B, T, V); rows @ table, which is "
        "(V, D), gives (B, T, D).",
        "rows = 1.0 where the number of the piece equals the id, else 0.0\nvectors = rows @ table",
    ),
)  # fmt: skip


# Perplexity


def faulty_perplexity(bugs: Bugs) -> Callable[[Tensor, Tensor], Tensor]:
    """The perplexity of several texts together, with these bugs."""

    def perplexity(nats: Tensor, n_tokens: Tensor) -> Tensor:
        each = nats / n_tokens
        if "mean_of_perplexities" in bugs:
            return each.exp().mean()
        if "weighted_perplexities" in bugs:
            return (each.exp() * n_tokens).sum() / n_tokens.sum()
        if "mean_of_means" in bugs:
            return each.mean().exp()
        mean = nats.mean() if "a_text" in bugs else nats.sum() / n_tokens.sum()
        if "only_loss" in bugs:
            return mean
        if "bits" in bugs:
            return 2**mean
        return (-mean).exp() if "minus" in bugs else mean.exp()

    return perplexity


def perplexity_cases(rng: Generator) -> list[Case]:
    """Texts of other lengths and other difficulty; one text alone."""
    found = []
    for n in (2, 4, 1):
        n_tokens = rng.permutation(np.arange(3, 11))[:n].astype(np.int64)
        nats = (n_tokens * (0.3 + rng.permutation(n) + rng.random(n) / 2)).astype(np.float32)
        found.append(Case(name=f"{n} texts" if n > 1 else "one text", args=(nats, n_tokens)))
    return found


perplexity = Task(
    id="language_model.perplexity", lesson=LESSON, kind="complete", title="One perplexity for several texts",
    points=2, difficulty=2, importance=4, minutes=6,
    reference=faulty_perplexity(frozenset()), faulty=faulty_perplexity, cases=perplexity_cases,
    outputs=("the perplexity",),
    misconceptions=(
        Misconception(
            name="mean_of_perplexities",
            looks_like="a mean of the texts' perplexities",
            principle="e to a mean is not the mean of e to each: one hard text would swamp all others.",
            question="What do you take the mean of, and when?",
        ),
        Misconception(
            name="weighted_perplexities",
            looks_like="perplexities weighed by the lengths of their texts",
            principle="The lengths are right. But surprises may be averaged, and powers of e may not.",
            question="What do you take the mean of, and when?",
        ),
        Misconception(
            name="mean_of_means",
            looks_like="a mean over texts that counts a short one as much as a long one",
            principle="The mean runs over all tokens of all texts.",
            question="How much does one token of a long text count in yours, and one of a short text?",
        ),
        Misconception(
            name="a_text",
            looks_like="nats a text instead of nats a token",
            principle="Perplexity is how unsure a model is at one token.",
            question="By how many do you divide: texts, or tokens?",
        ),
        Misconception(
            name="only_loss",
            looks_like="the loss itself",
            principle="The loss is in nats. The perplexity is a number of choices.",
            question="How many equal choices make this loss?",
            credit=0.7,
        ),
        Misconception(
            name="bits",
            looks_like="2 to the power of a loss in nats",
            principle="A logarithm is undone with its own base.",
            question="Which logarithm was taken for the loss?",
            credit=0.7,
        ),
        Misconception(
            name="minus",
            looks_like="e to the minus loss: a chance",
            principle="A perplexity is 1 for certainty, and more for everything else.",
            question="Is your result above 1?",
            credit=0.7,
        ),
    ),
    hints=(
        "All texts are one long text that was cut in pieces.",
        "nats (N,) and n_tokens (N,), a number a text -> one number.",
        "all nats together / all tokens together\ne to that",
    ),
)  # fmt: skip
