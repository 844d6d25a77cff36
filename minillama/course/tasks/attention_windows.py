"""Lesson 06's variant: a mask of what is near and what is never forgotten."""

from collections.abc import Callable

import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.attention_ideas import LESSON, Generator
from minillama.course.tasks.attention_masks import FROM_ZERO, INVERTED, Mask, left

NEAR = {"window": "the last `window` keys, itself included", "blocks": "the keys of its own block of `window` tokens"}
FAR = {"first": "the first `n` tokens of the text", "every": "every `n`th token of the text, beginning with the first"}


def near_and_far(near: str, far: str) -> Callable[[Bugs], Mask]:
    """A mask of what is near and what is never forgotten."""

    def with_bugs(bugs: Bugs) -> Mask:
        windowed = (near == "window") != ("other_near" in bugs)

        def make(T: int, S: int, window: int, n: int) -> Tensor:
            start = 0 if "from_zero" in bugs else S - T
            query, key = torch.arange(start, start + T)[:, None], torch.arange(S)[None, :]
            size = window + ("one_too_many" in bugs) - ("one_too_few" in bugs)
            close = key > query - size if windowed else key // size == query // size
            off = int("one_more_kept" in bugs)
            kept = key < n + off if far == "first" else (key + off) % n == 0
            seen = key < query if "not_itself" in bugs else key <= query
            kept = kept.expand(T, S)
            if "never_near" in bugs:
                return kept & seen
            if "never_far" in bugs:
                return close & seen
            if "both" in bugs:
                return close & kept & seen
            if "either" in bugs:
                return (close ^ kept) & seen
            if "sees_ahead" in bugs:
                return (close & seen) | kept
            if "near_ahead" in bugs:
                return close | (kept & seen)
            return ~((close | kept) & seen) if "inverted" in bugs else (close | kept) & seen

        return make

    return with_bugs


def near_far_cases(rng: Generator) -> list[Case]:
    """A prompt, a step after cached keys, one token alone."""
    T, past, single = int(rng.integers(9, 13)), int(rng.integers(7, 12)), int(rng.integers(9, 16))
    return [
        Case(name=f"T = {T}, S = {T}, a window of 3 and n = 2", args=(T, T, 3, 2)),
        Case(name=f"T = {T}, S = {T}, a window of 2 and n = 3", args=(T, T, 2, 3)),
        Case(name=f"T = 3, S = {past + 3}, a window of 3 and n = 4", args=(3, past + 3, 3, 4)),
        Case(name=f"T = 1, S = {single}, a window of 4 and n = 3", args=(1, single, 4, 3)),
    ]


def make_near_and_far(near: str = "window", far: str = "first") -> Task:
    """The task for one kind of nearness and one kind of what is never forgotten."""
    faulty = near_and_far(near, far)
    title = {
        ("window", "first"): "Keep a window and the first tokens",
        ("window", "every"): "Keep a window and every nth token",
        ("blocks", "first"): "Keep a block and the first tokens",
        ("blocks", "every"): "Keep a block and every nth token",
    }[near, far]
    return Task(
        id="attention.near_and_far", lesson=LESSON, kind="vary", title=title, points=6, difficulty=3, importance=4,
        minutes=12,
        reference=faulty(frozenset()), faulty=faulty, cases=near_far_cases, exact_dtype=True, outputs=("mask",),
        misconceptions=(
            left(
                "sees_ahead", "far keys that are seen before they are there",
                "Being kept for ever begins with having been there: nobody looks ahead.",
                "What may the first query of a text look at?",
            ),
            left(
                "near_ahead", "near keys that are seen before they are there", "Nobody looks ahead, however near.",
                "Which key is the last that a query may see?",
            ),
            left(
                "both", "only what is near and far at once", "A query sees what is near, and beside it what is far.",
                "Which word joins the two conditions, and or or?",
            ),
            left(
                "either", "only what is near or far, and not both",
                "At the beginning of a text the first keys are near as well, and are seen all the same.",
                "What becomes of a key that meets both of your conditions?",
            ),
            left(
                "never_far", "a mask that forgets everything far", f"Every query also sees {FAR[far]}.",
                "Which of your lines reads `n`?",
            ),
            left(
                "never_near", "a mask without what is near", f"A query sees {NEAR[near]}.",
                "Which of your lines reads `window`?",
            ),
            left(
                "one_too_many", "one place too many near the query" if near == "window" else "blocks of one token too "
                "many", f"Near are {NEAR[near]}.", "How many keys are near with a window of 3?",
            ),
            left(
                "one_too_few", "one place too few near the query" if near == "window" else "blocks of one token too "
                "few", f"Near are {NEAR[near]}.", "How many keys are near with a window of 3?",
            ),
            left(
                "not_itself", "queries that do not see themselves", "A token is there when it asks: it sees itself.",
                "What may the first query of a text look at?",
            ),
            left(
                "one_more_kept", "a count that is off by one, far away", f"Far is {FAR[far]}; positions begin with 0.",
                "With n = 2, which positions does your far part allow?",
            ),
            left(
                "other_near", "a block in place of a window" if near == "window" else "a window in place of a block",
                f"Near are {NEAR[near]}.", "Which keys are near for two neighbouring queries, in yours?",
            ),
            FROM_ZERO, INVERTED,
        ),
        hints=(
            "Three questions about each pair: is the key there already, is it near, is it one that is never forgotten?",
            "Three masks (T, S), or what broadcasts to it. Which two belong together with `or`?",
            "position of queries: the last T of S\nallowed: not after the query, and (near or far)",
        ),
        family={"near": tuple(NEAR), "far": tuple(FAR)},
        build=make_near_and_far,
        phrases=(NEAR[near], FAR[far]),
    )  # fmt: skip


near_and_far_task = make_near_and_far()
