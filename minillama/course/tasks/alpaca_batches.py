"""Lesson 15's batches: samples of different lengths in one rectangle, and labels of a model that never stops."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.alpaca_hand import LESSON
from minillama.course.tasks.alpaca_labels import EOS
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.loss import IGNORE
from minillama.train import alpaca
from minillama.train.alpaca import Sample
from minillama.train.data import Batch


def faulty_collate(bugs: Bugs = frozenset()) -> Callable[..., Batch]:
    """alpaca.collate with these bugs."""

    def collate(samples: Sequence[Sample], pad_id: int = 0) -> Batch:
        if "pad_ignored" in bugs:
            pad_id = 0
        lengths = [len(sample.tokens) for sample in samples]
        T = min(lengths) if "shortest" in bugs else max(lengths)
        tokens, weights = [], []
        for sample in samples:
            room = [pad_id] * (T - len(sample.tokens))
            ids, labels = list(sample.tokens)[:T], list(sample.labels)[:T]
            fill = [1 if "padding_counts" in bugs else 0] * len(room)
            counted = [label if "labels_for_weights" in bugs else int(label != IGNORE) for label in labels]
            if "above_zero" in bugs:
                counted = [int(label > 0) for label in labels]
            if "all_count" in bugs:
                counted = [1] * len(labels)
            if "eos_is_padding" in bugs:
                counted = [w * (token != pad_id) for w, token in zip(counted, ids, strict=True)]
            if "by_pad" in bugs:
                counted = [int(token != pad_id) for token in ids]
            if "grows" in bugs:
                sample.tokens.extend(room)
            if "left" in bugs:
                tokens.append([*room, *ids])
                weights.append([*fill, *counted])
            else:
                tokens.append([*ids, *room])
                weights.append([*counted, *fill])
            if "shifted" in bugs:
                weights[-1] = [*weights[-1][1:], 0]
        return Batch(torch.tensor(tokens), torch.tensor(weights, dtype=torch.float32))

    return collate


def collate_cases(rng: Generator) -> Sequence[Case]:
    """Padding of 0, of EOS, and of an id that stands in an answer; a sample whose prompt counts; one alone."""

    def sample(n_prompt: int, n_said: int, whole: bool = False) -> list[list[int]]:
        tokens = [1, *(int(each) for each in rng.integers(10, 90, n_prompt + n_said)), EOS]
        return [tokens, tokens if whole else [*[IGNORE] * (n_prompt + 1), *tokens[n_prompt + 1 :]]]

    three = [sample(3, 2), sample(5, 4), sample(2, 1)]
    inside = [sample(2, 3), sample(3, 5)]
    for part in inside[0]:
        part[4] = 7  # the id of the padding, in the middle of an answer
    for part in inside[1]:
        part[5] = 0  # an id like any other
    return [
        Case(name="three samples", args=(three,)),
        Case(name="EOS for padding", args=(three, EOS)),
        Case(name="padding of 7, which an answer holds, too", args=(inside, 7)),
        Case(name="a sample whose prompt counts", args=([sample(2, 2, whole=True), sample(1, 5)], 3)),
        Case(name="a single sample", args=([sample(2, 2)],)),
    ]


collate = Task(
    id="alpaca.collate", lesson=LESSON, kind="rebuild", title="Lay samples into a batch", points=4, difficulty=3,
    importance=4, minutes=15,
    reference=alpaca.collate, faulty=faulty_collate, cases=collate_cases, driver="rows", outputs=("the batch",),
    piece="minillama.train.alpaca:collate", forbidden=("minillama.train.alpaca:collate",), exact_dtype=True,
    misconceptions=(
        idea("left", "padding on the left",
             "Attention looks back only. On the left, padding would be read by every token; on the right, by none.",
             "Which tokens can see your padding?"),
        idea(
            "by_pad", "weights that ask which tokens are padding, and nothing else",
            "Whether a token counts stands in its label. A prompt is no padding, and does not count either.",
            "Do your weights look at the labels at all?", 0.3,
        ),
        idea(
            "eos_is_padding", "a token that does not count because its id is that of the padding",
            "Padding is where the sample has ended, not where an id happens to be equal. An EOS may be both.",
            "What is the weight of the last token of an answer when the padding is EOS?", 0.4,
        ),
        idea("padding_counts", "padding that counts", "Nobody wants the model to say padding.",
             "What is the weight of a place behind the end of a sample?"),
        idea("all_count", "prompts that count", "A label of -100 says: this one does not count.",
             "What is the weight of BOS in yours?"),
        idea("labels_for_weights", "labels in the place of weights",
             "A weight says how much a token counts: 1, or 0.", "By what is a token's loss multiplied in yours?"),
        idea(
            "shifted", "weights that are shifted already",
            "A weight stands where its token stands. Whoever computes the loss shifts both.",
            "At which place stands the weight of the last token?", 0.4,
        ),
        idea("above_zero", "a token of id 0 that does not count", "0 is a token like any other; -100 is none.",
             "What is the weight of a token whose label is 0?", 0.7),
        idea("shortest", "rows that are cut to the shortest", "Every token of every sample is there.",
             "Which of the samples decides how long the rows are?"),
        idea("pad_ignored", "a `pad_id` that is not used", "The caller says which id fills the rows.",
             "What do you fill with, for pad_id=7?", 0.6),
        idea(
            "grows", "samples that grow: the padding was written into their lists",
            "The samples come again in the next epoch, in another company.",
            "How long is the list of tokens of the shortest sample after the call?",
        ),
    ),
    hints=(
        "A rectangle full of padding that counts nothing, as wide as the longest sample. Then write each sample in.",
        "Tokens (B, T + 1) int64 and weights (B, T + 1) float32, handed over as Batch(tokens, weights).",
        "longest = of all samples\ntokens: full of pad_id; weights: zeros\n"
        "for each row: the first places of both from the sample;\n    weight 1 where its label is not IGNORE, else 0",
    ),
)  # fmt: skip


# A tuned model that never stops


def faulty_repair(bugs: Bugs = frozenset()) -> Callable[[Tensor, list[int], int], Tensor]:
    """Labels of rows that are padded with EOS, with these bugs."""

    def repair_labels(tokens: Tensor, n_prompt: list[int], eos_id: int) -> Tensor:
        places = torch.arange(tokens.shape[1])
        starts = torch.tensor(n_prompt)[:, None] + int("late" in bugs) - int("early" in bugs)
        asked = places < starts  # (B, T)
        is_end = tokens == eos_id
        answered = is_end if "first_of_row" in bugs else is_end & ~asked
        n_ends = answered.long().cumsum(1)
        padding = is_end & (n_ends > 2 if "one_more" in bugs else n_ends > 1)
        if "eos_masked" in bugs:
            padding = is_end
        if "last_counts" in bugs:
            padding = is_end & (places < tokens.shape[1] - 1)
        if "padding_counts" in bugs:
            padding = torch.zeros_like(is_end)
        hidden = padding if "prompt_counts" in bugs else padding | asked
        labels = tokens.masked_fill(hidden, 0 if "zeros" in bugs else IGNORE)
        if "shifted" in bugs:
            labels = torch.cat([labels[:, 1:], torch.full_like(labels[:, :1], IGNORE)], dim=1)
        return labels

    return repair_labels


def loses_the_later_end(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is everything right, except that an answer has no end where its prompt holds one?"""
    found = False
    for case, got, right in zip(cases, outputs, expected, strict=True):
        _, n_prompt, eos = case.args
        again = [(row[:n] == eos).any() for row, n in zip(case.args[0], n_prompt, strict=True)]
        ends = [(row == eos).any() for row in got]
        if not np.array_equal(got[~np.array(again)], right[~np.array(again)]):
            return False
        if any(end for end, is_again in zip(ends, again, strict=True) if is_again):
            return False
        found |= any(again)
    return found


def repair_cases(rng: Generator) -> Sequence[Case]:
    """Padding of several lengths, and of none; a prompt in which an earlier answer has ended."""

    def rows(eos: int, *lengths: tuple[int, int, int]) -> tuple[np.ndarray, list[int]]:
        made = []
        for n_prompt, n_said, n_padding in lengths:
            words = [int(each) for each in rng.integers(10, 90, n_prompt - 1 + n_said)]
            made.append([1, *words, *[eos] * (1 + n_padding)])
        return np.array(made), [n_prompt for n_prompt, _, _ in lengths]

    tokens, n_prompt = rows(2, (3, 2, 4), (4, 4, 1), (2, 2, 5))
    earlier, n_earlier = rows(2, (6, 2, 3), (5, 5, 1))
    earlier[0, 3] = 2  # an earlier answer ended here
    other, n_other = rows(5, (2, 3, 2), (3, 1, 3))
    full, n_full = rows(2, (3, 3, 0), (2, 4, 0))
    return [
        Case(name="rows with padding of 4, 1 and 5 tokens", args=(tokens, n_prompt, 2)),
        Case(name="an earlier answer that ends inside a prompt", args=(earlier, n_earlier, 2)),
        Case(name="an EOS whose id is 5", args=(other, n_other, 5)),
        Case(name="rows without padding", args=(full, n_full, 2)),
    ]


repair_labels = Task(
    id="alpaca.repair_labels", lesson=LESSON, kind="diagnose", title="Repair a model that never stops", points=5,
    difficulty=3, importance=5, minutes=15,
    reference=faulty_repair(), faulty=faulty_repair, cases=repair_cases, outputs=("labels",),
    misconceptions=(
        idea(
            "eos_masked", "an EOS that is masked together with the padding",
            "Both have one id, and only one of them is padding: the first EOS behind the answer is its end.",
            "Which label says that an answer is over?", 0.1,
        ),
        idea(
            "padding_counts", "padding that counts",
            "Now the model learns to say EOS, and then to say it again and again: most of the loss is about nothing.",
            "How many labels of EOS has the row with the longest padding?", 0.3,
        ),
        idea("one_more", "two ends an answer", "An answer ends once.",
             "How many labels of EOS has a row with padding in yours?", 0.7),
        idea("last_counts", "the EOS at the very end of the row that counts",
             "The end of an answer stands right behind its last word.",
             "What does the model have to foretell right after the answer's last word in yours?"),
        idea(
            "first_of_row", "the first EOS of the row taken for the answer's end",
            "A prompt may hold an end, too: that of an earlier answer. It is masked like the rest of the prompt, and "
            "does not use up the one that counts.",
            "Where does yours begin to look for EOS?", 0.6, loses_the_later_end,
        ),
        idea("prompt_counts", "a prompt that counts", "Her mask of the prompt was right.",
             "Which of her lines have you dropped?"),
        idea("late", "a mask of the prompt that is one place too long", "The first token of the answer counts.",
             "Which place is the first behind a prompt of n tokens?"),
        idea("early", "a mask of the prompt that is one place too short",
             "The last token of the prompt does not count.", "Which place is the last of a prompt of n tokens?"),
        idea("shifted", "labels that are shifted already", "Labels stand where their tokens stand.",
             "At which place stands the label of the first EOS?", 0.4),
        idea("zeros", "zeros for what does not count", f"What does not count is marked {IGNORE}.",
             "What does the loss do at a place with label 0?"),
    ),
    hints=(
        "Take one row, and write the label that you want below each token. Which EOS of the row is which?",
        "tokens (B, T), n_prompt a list of B counts; labels (B, T) of ids and -100.",
        "labels: a copy of the tokens, the prompt masked\n"
        "for each row: where, behind the prompt, stands the first EOS?\nwhat stands behind that place is padding",
    ),
)  # fmt: skip
