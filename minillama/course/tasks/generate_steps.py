"""What lesson 08 does with a cache: a step of attention."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minillama import attention, cache, rope
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import LESSON, Generator, idea
from minillama.course.tasks.rope_inputs import draw, tables


def faulty_step(bugs: Bugs = frozenset()) -> Callable[..., Tensor]:
    """cache.attend_step with these bugs."""

    def step(q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, cache: cache.KVCache) -> Tensor:
        T, past = q.shape[1], cache.length
        start = 0 if "restarts" in bugs else past + T if "late_length" in bugs else past
        start += "one_late" in bugs and past > 0
        rows = slice(start, start + T)
        turned, own = rope.apply_rope(q, cos[rows], sin[rows]), rope.apply_rope(k, cos[rows], sin[rows])
        q = q if "unturned_queries" in bugs else turned
        own = k if "unturned_keys" in bugs else own
        v = rope.apply_rope(v, cos[rows], sin[rows]) if "turned_values" in bugs else v
        k, v = cache.update(0, own, v)
        S = past + T
        if "twice" in bugs:
            k = rope.apply_rope(k, cos[:S], sin[:S])
        if "forgets" in bugs:
            k, v = k[:, past:], v[:, past:]
        mask = attention.causal_mask(T, k.shape[1])
        if "sees_all" in bugs:
            mask = torch.ones_like(mask)
        if "upper_rows" in bugs:
            mask = attention.causal_mask(S, S)[:T]
        return attention.attend(q, k, v, mask)[0]

    return step


def step_cases(rng: Generator) -> Sequence[Case]:
    """A prompt, then single tokens; and a prompt in two parts."""
    cos, sin = tables(range(24), 4)
    H, G = 4, int(rng.choice([1, 2]))
    first = int(rng.integers(3, 6))

    def steps(name: str, *counts: int) -> Case:
        T = sum(counts)
        return Case(
            name=name,
            args=(list(counts), draw(rng, 1, T, H, 8), draw(rng, 1, T, G, 8), draw(rng, 1, T, G, 8), cos, sin),
        )

    return [
        steps("a prompt, then two tokens one by one", first, 1, 1),
        steps("a prompt in two parts", first, 3),
    ]


attend_step = Task(
    id="cache.attend_step", lesson=LESSON, kind="complete", title="Take one step with a cache", points=3,
    difficulty=3, importance=5, minutes=10,
    reference=faulty_step(), faulty=faulty_step, cases=step_cases, driver="steps", outputs=("out",), atol=1e-4,
    misconceptions=(
        idea(
            "restarts", "positions that start again at 0 in every step",
            "Kept keys were turned at their own positions. The token after 7 others stands at position 7.",
            "Which row of cos belongs to the first token of this step?",
        ),
        idea(
            "late_length", "positions that were read after the new keys had been added",
            "The cache's length is the position of the next token, until that token is in it.",
            "Which length does your cache have when you choose the rows of cos?",
        ),
        idea(
            "twice", "old keys that are turned again in every step",
            "A key is turned once, when it is made, and kept turned.",
            "How often has the first token's key been turned after three steps?",
        ),
        idea(
            "unturned_keys", "keys that are kept unturned",
            "A score feels the distance only where query and key are both turned.",
            "Which form of k do you hand to the cache?",
        ),
        idea(
            "unturned_queries", "queries that are not turned",
            "A score feels the distance only where query and key are both turned.",
            "Which of the three are turned in yours?",
        ),
        idea(
            "turned_values", "values that are turned as well",
            "A score is made of queries and keys. What is handed on must not depend on where it stood.",
            "Which two meet in a dot product?", 0.7,
        ),
        idea(
            "one_late", "a place that is one late as soon as something is held",
            "Places are counted from 0: behind 5 tokens the next one stands at place 5.",
            "Which row of cos does the first token behind the prompt get?", 0.7,
        ),
        idea(
            "forgets", "queries that see this step's tokens only",
            "The old keys and values are in the cache so that new queries can look at them.",
            "How many keys does a single new token see in yours?",
        ),
        idea(
            "sees_all", "a prompt whose tokens see what comes after them",
            "Within one step, too, a token may look at itself and back only.",
            "Which mask does a step of several tokens get in yours?",
        ),
        idea(
            "upper_rows", "the mask of the first tokens, for tokens that come later",
            "This step's queries are the last T of S positions.",
            "How many keys may the first query of this step see?",
        ),
    ),
    hints=(
        "Turn q and k by the rows of their positions; hand k and v to the cache; attend to all that it gives back.",
        "q (1, T, H, K), k and v (1, T, G, K); from the cache (1, S, G, K); the mask is (T, S).",
        "past = how many tokens the cache holds\nturn q and k by rows past to past + T\n"
        "k, v = update layer 0\nmask: causal, T queries, S keys\nthe first thing that attend gives",
    ),
)  # fmt: skip
