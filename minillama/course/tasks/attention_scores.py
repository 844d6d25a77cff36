"""Lesson 06's task about what a head does, as a number: how much it looks where an induction head would."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from minillama import heads
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.attention_ideas import LESSON, Generator


def faulty_score(bugs: Bugs) -> Callable[[Tensor, int], Tensor]:
    """attention.head_score with these bugs."""

    def score(attention: Tensor, length: int) -> Tensor:
        T = attention.shape[-1]
        back = length - 1
        back += ("same_token" in bugs) - ("one_further" in bugs)
        back = 1 if "previous" in bugs else back
        first = T - length
        queries = range(first - ("no_start" in bugs), T - ("no_start" in bugs))
        queries = range(first, T - 1) if "last_left_out" in bugs else queries
        queries = range(length, 2 * length) if "from_start" in bugs else queries
        queries = range(back, T) if "whole_diagonal" in bugs else queries
        rows = attention.transpose(-1, -2) if "exchanged" in bugs else attention
        if "keys_from_start" in bugs:
            return torch.stack([rows[:, t, t - first + 1] for t in queries]).mean(0)
        if "whole_span" in bugs:
            return rows[:, first:, first - length : first].sum(-1).mean(-1)
        places = torch.stack([rows[:, t, t - back] for t in queries])  # (n, H)
        if "counted" in bugs:
            hits = torch.stack([rows[:, t].argmax(-1) == t - back for t in queries])
            return hits.float().mean(0)
        if "most" in bugs:
            return places.amax(0)
        return places.sum(0) if "summed" in bugs else places.mean(0)

    return score


def score_cases(rng: Generator) -> list[Case]:
    """Attention of three heads: one that copies, one that looks back, one that looks anywhere; with and without BOS."""
    n = int(rng.integers(4, 6))
    found = []
    for T, length in ((2 * n + 1, n), (2 * n + 4, n + 1)):
        kinds = np.stack([3 * np.eye(T, k=1 - length), 2 * np.eye(T, k=-1), np.zeros((T, T))])
        scores = rng.standard_normal((3, T, T)) + kinds
        scores = np.where(np.tril(np.ones((T, T), dtype=bool)), scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        name = f"{T} tokens, the last {2 * length} of them a span of {length} and the same once more"
        found.append(Case(name=name, args=(weights.astype(np.float32), length)))
    return found


def reference(attention: Tensor, length: int) -> Tensor:
    """The package's score, for one layer and one text."""
    return heads.induction_scores(attention[None, None], length)[0]


def _fault(name: str, looks_like: str, principle: str, question: str) -> Misconception:
    return Misconception(name=name, looks_like=looks_like, principle=principle, question=question)


head_score = Task(
    id="attention.head_score", lesson=LESSON, kind="complete", title="Score a head that copies", points=3, difficulty=3,
    importance=3, minutes=12,
    reference=reference, faulty=faulty_score, cases=score_cases, outputs=("scores",),
    forbidden=("minillama.heads:induction_scores",),
    misconceptions=(
        _fault(
            "same_token", "a look at the same token, the first time it came",
            "That token is known already. What comes next stands one place further on.",
            "In A B C A, where would you look from the second A to find out what comes next?",
        ),
        _fault(
            "one_further", "a look one place too far on",
            "The answer stands right after the first occurrence, not two places after.",
            "In A B C D A, how far is it from the second A back to B?",
        ),
        _fault(
            "previous", "a look at the token before", "That is another kind of head; this one looks a span back.",
            "Which place does the query look at, in A B C A B C?",
        ),
        _fault(
            "no_start", "a second span that begins one token too early",
            "The text may begin with something else: it is its last `length` tokens that come a second time.",
            "Counted from the end, which queries belong to the second span?",
        ),
        _fault(
            "last_left_out", "a mean without the last query",
            "The last query has a key as well: behind the first span stands the first token of the second.",
            "How many queries does your mean run over?",
        ),
        _fault(
            "from_start", "spans that are counted from the beginning of the text",
            "The text ends with the spans, and something may stand before them.",
            "Which token is the first of the second span where T is 2 * length + 3?",
        ),
        _fault(
            "keys_from_start", "a first span that begins with the text",
            "The text ends with the spans, and something may stand before them.",
            "At which place does the first span begin where T is 2 * length + 3?",
        ),
        _fault(
            "whole_diagonal", "a mean over queries of the first span too",
            "In the first span nothing has come before, so there is nothing to copy.",
            "Which queries stand in the second span?",
        ),
        _fault(
            "exchanged", "queries and keys in each other's place", "Rows are queries, columns are keys.",
            "Can attention[h, 2, 7] be anything but 0 under a causal mask?",
        ),
        _fault(
            "whole_span", "attention to the first span as a whole", "Only one place of it says what comes next.",
            "Which single key do you want for each query?",
        ),
        _fault(
            "counted", "a count of the queries that look there most",
            "The score is how much attention goes there, not how often that is the largest share.",
            "What would you give a head that puts 0.4 there and 0.6 elsewhere?",
        ),
        _fault("most", "the best query alone", "The score is a mean over the queries of the second span.",
               "How many numbers does each head's score come from?"),
        _fault("summed", "a sum where a mean is asked for", "A score runs from 0 to 1, whatever the length.",
               "What would a perfect head score with yours?"),
    ),
    hints=(
        "Draw A B C A B C on paper, and an arrow from each letter of the second span to where the next one stands.",
        "attention (H, T, T) -> (H,). The queries are the last `length`; each has one key.",
        "for each query t of the last `length`: take attention[:, t, t - (length - 1)]\nthe mean of these, a head",
    ),
)  # fmt: skip
