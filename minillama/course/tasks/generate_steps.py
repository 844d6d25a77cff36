"""What lesson 08 does with a cache: a step of attention, and a variant that keeps sinks and a window."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from minillama import attention, cache, rope
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.generate_cache import SWAPPED
from minillama.course.tasks.generate_ideas import LESSON, Generator, idea
from minillama.course.tasks.rope_inputs import draw, tables

# A step with a cache


def faulty_step(bugs: Bugs = frozenset()) -> Callable[..., Tensor]:
    """cache.attend_step with these bugs."""

    def step(q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, cache: cache.KVCache) -> Tensor:
        T, past = q.shape[1], cache.length
        start = 0 if "restarts" in bugs else past + T if "late_length" in bugs else past
        rows = slice(start, start + T)
        q, own = rope.apply_rope(q, cos[rows], sin[rows]), rope.apply_rope(k, cos[rows], sin[rows])
        own = k if "unturned_keys" in bugs else own
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


# Sinks and a window


class _Sinks:
    """A cache with sinks and a window; `bugs` are those of cache.SinkCache."""

    bugs: Bugs = frozenset()

    def __init__(self, sinks: int, window: int) -> None:
        self.sinks, self.window = sinks, window
        if "window_in_all" in self.bugs:
            self.window -= sinks
        if "one_more" in self.bugs:
            self.window += 1
        self.parts: tuple[Tensor, Tensor] | None = None

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        old = self.parts
        grown = (k, v) if old is None else (torch.cat((old[0], k), 1), torch.cat((old[1], v), 1))
        keys, values = self.parts = (self._kept(grown[0]), self._kept(grown[1]))
        keys, values = grown if "before_the_cut" in self.bugs else (keys, values)
        return (values, keys) if "swapped" in self.bugs else (keys, values)

    def _kept(self, part: Tensor) -> Tensor:
        sinks, window = self.sinks, self.window
        if "no_sinks" in self.bugs:
            return part[:, -(sinks + window) :]
        if "no_window" in self.bugs:
            return part[:, : sinks + window]
        if "twice" not in self.bugs and part.shape[1] <= sinks + window:
            return part
        ends = (part[:, :sinks], part[:, -window:])
        return torch.cat(ends[::-1] if "window_first" in self.bugs else ends, 1)


def faulty_sinks(bugs: Bugs = frozenset()) -> type:
    """SinkCache with these bugs."""
    return type("SinkCache", (_Sinks,), {"bugs": bugs})


def sink_cases(sinks: int, window: int) -> Callable[[Generator], Sequence[Case]]:
    """Few tokens; then many, one by one; a prompt longer than the room; steps of several tokens."""

    def cases(rng: Generator) -> Sequence[Case]:
        arguments = {"sinks": sinks, "window": window}
        room, few = sinks + window, max(1, int(rng.integers(sinks, sinks + window)))
        singles: list[tuple[Any, ...]] = [("update", None, 1)] * int(rng.integers(3, 6))
        scripts = {
            "fewer tokens than there is room": [("update", None, few)],
            "a full cache, then one token after the other": [("update", None, room), *singles],
            "a prompt that is longer than the room": [("update", None, room + int(rng.integers(2, 5))), *singles[:2]],
            "steps of several tokens": [("update", None, room - 1), ("update", None, 3), ("update", None, 2)],
        }
        return [Case(name=name, args=(arguments, script)) for name, script in scripts.items()]

    return cases


SINKS: tuple[Misconception, ...] = (
    idea(
        "no_sinks", "a window alone: the first tokens slide out",
        "The first tokens of the whole text stay for ever. Heads rest their attention on them.",
        "Where is token 0 after a hundred steps?",
    ),
    idea(
        "no_window", "a cache that stops taking in tokens when it is full",
        "The end of the window moves on with the text: the latest token is always there.",
        "Which token does your cache hold last, after a hundred steps?",
    ),
    idea(
        "window_in_all", "sinks that are counted as a part of the window",
        "The window comes in addition to the sinks.",
        "How many tokens are held in all when the cache is full?", 0.7,
    ),
    idea(
        "one_more", "a window that is one token too long", "A window of w holds the last w tokens, the new one too.",
        "How many tokens are held in all when the cache is full?", 0.7,
    ),
    idea(
        "window_first", "the window put in front of the sinks", "The order is the order of the text.",
        "Which of the tokens that are held is the oldest, and where is it?", 0.7,
    ),
    idea(
        "twice", "tokens that are held twice while there are few of them",
        "As long as everything fits, sinks and window overlap, and each token is there once.",
        "How many tokens does your cache return, when it was given only a few?", 0.7,
    ),
    idea(
        "before_the_cut", "tokens handed out before the oldest are forgotten",
        "What comes back is what is held from now on: sinks + window at most.",
        "How many tokens does your update return when the room is full?", 0.7,
    ),
    SWAPPED,
)  # fmt: skip


def make_sink_cache(sinks: int = 2, window: int = 4) -> Task:
    """The task for one number of sinks and one window; both are arguments of the class as well."""
    return Task(
        id="cache.SinkCache", lesson=LESSON, kind="vary", title="Keep sinks and a window", points=6, difficulty=4,
        importance=3, minutes=18,
        reference=faulty_sinks(), faulty=faulty_sinks, cases=sink_cases(sinks, window), driver="remembers",
        outputs=("what came back",), misconceptions=SINKS,
        hints=(
            "Put the new tokens behind the old ones first. Then decide which of them all stay.",
            "k and v (B, T, G, K); what is held, and returned, is (B, S, G, K) with S at most sinks + window.",
            "join the held and the new along axis 1\nno more than sinks + window? keep all\n"
            "else: the first `sinks` of them, and the last `window`, joined\nkeys and values alike",
        ),
        family={"sinks": (1, 2, 3), "window": (3, 4, 6)}, build=make_sink_cache,
    )  # fmt: skip


sink_cache = make_sink_cache()
