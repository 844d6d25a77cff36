"""Lesson 08's cache: the class that remembers keys and values."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from minillama import cache
from minillama.course.drivers import remembers
from minillama.course.plain import to_plain
from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import LESSON, Generator, idea
from minillama.errors import ContextLengthError

NEW_ONLY = idea(
    "new_only", "an update that returns only what it was given",
    "Attention needs all keys and values up to here: the old ones are why they were kept.",
    "How many keys does a query see in the second step?",
)  # fmt: skip
VALUES_OF_KEYS = idea(
    "values_of_keys", "keys kept in the place of values", "Each of the two is kept by itself.",
    "What do you keep as values?",
)  # fmt: skip
CUT = "cut"  # in the name of the case in which faults leave traces that depend on the spelling
SWAPPED = idea(
    "swapped", "keys and values exchanged", "Keys come first, then values, on the way in and on the way out.",
    "In which order do your last line and the caller name the two?",
)  # fmt: skip


class _Plain:
    """A cache of lists; `bugs` are those of cache.KVCache."""

    bugs: Bugs = frozenset()
    padding: Tensor | None = None

    def __init__(self, n_layers: int, batch_size: int, max_len: int, n_kv_heads: int, head_dim: int, *_: Any) -> None:
        self.empty = torch.zeros(batch_size, 0, n_kv_heads, head_dim)
        self.keys, self.values = [self.empty] * n_layers, [self.empty] * n_layers
        self.max_len, self.batch_size = max_len, batch_size

    @property
    def length(self) -> int:
        if "fixed_length" in self.bugs:
            return self.max_len
        return sum(k.shape[1] for k in (self.keys if "all_layers" in self.bugs else self.keys[:1]))

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        v = k if "values_of_keys" in self.bugs else v
        old = (self.keys[layer], self.values[layer])
        if "restarts" in self.bugs:
            old = (self.empty, self.empty)
        if "shared_count" in self.bugs:
            gap = self.empty.new_zeros(k.shape[0], max(0, self.length - old[0].shape[1]), *k.shape[2:])
            old = (torch.cat((old[0][:, : self.length], gap), 1), torch.cat((old[1][:, : self.length], gap), 1))
        if "moves_all" in self.bugs:
            longest = max(part.shape[1] for part in self.keys)
            gap = self.empty.new_zeros(k.shape[0], longest - old[0].shape[1], *k.shape[2:])
            old = (torch.cat((old[0], gap), 1), torch.cat((old[1], gap), 1))
        places = self.max_len - ("full_early" in self.bugs)
        if old[0].shape[1] + k.shape[1] > places and "no_limit" not in self.bugs:
            raise ContextLengthError("full")
        parts = ((k, old[0]), (v, old[1])) if "new_first" in self.bugs else ((old[0], k), (old[1], v))
        keys, values = torch.cat(parts[0], 1), torch.cat(parts[1], 1)
        self.keys[layer], self.values[layer] = keys, values
        if "new_only" in self.bugs:
            keys, values = k, v
        if "whole" in self.bugs:
            room = self.empty.new_zeros(k.shape[0], self.max_len - keys.shape[1], *k.shape[2:])
            keys, values = torch.cat((keys, room), 1), torch.cat((values, room), 1)
        return (values, keys) if "swapped" in self.bugs else (keys, values)

    def truncate(self, length: int) -> None:
        layers = range(1 if "one_layer" in self.bugs else len(self.keys))
        for layer in layers if "never_shorter" not in self.bugs else ():
            held = self.keys[layer].shape[1]
            part = slice(held - length) if "by_that_many" in self.bugs else slice(length)
            part = slice(held - length, held) if "keeps_last" in self.bugs else part
            self.keys[layer], self.values[layer] = self.keys[layer][:, part], self.values[layer][:, part]


def faulty_cache(bugs: Bugs = frozenset()) -> type:
    """KVCache with these bugs."""
    return type("KVCache", (_Plain,), {"bugs": bugs})


def as_far_as_the_cut(bug: str) -> Callable[[Sequence[Case], Sequence[Any], Sequence[Any]], bool]:
    """A signature: are the outputs those of this bug, wherever nothing is cut?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        wrong = faulty_cache(frozenset({bug}))
        telling = [(case, got) for case, got in zip(cases, outputs, strict=True) if CUT not in case.name]
        return len(telling) > 1 and all(got == to_plain(remembers(wrong, *case.args)) for case, got in telling)

    return fits


def cache_cases(rng: Generator) -> Sequence[Case]:
    """Two layers step by step, one that is cut and goes on, one that gets full."""
    first, second = int(rng.integers(3, 5)), int(rng.integers(1, 3))
    total = first + second + 1
    batch_size, G, K = int(rng.integers(2, 4)), int(rng.integers(2, 5)), int(rng.integers(2, 6))

    def sizes(n_layers: int, max_len: int) -> dict[str, int]:
        return {"n_layers": n_layers, "batch_size": batch_size, "max_len": max_len, "n_kv_heads": G, "head_dim": K}

    steps = [("update", layer, count) for count in (first, second, 1) for layer in (0, 1)]
    return [
        Case(name="one layer", args=(sizes(1, total + 2), [("update", 0, first), ("update", 0, 1), ("length",)])),
        Case(name="two layers", args=(sizes(2, total + 2), [*steps, ("length",)])),
        Case(
            name=f"a cache that is {CUT}, and goes on",
            args=(
                sizes(2, total + 3),
                [*steps, ("truncate", 2), ("length",), ("update", 0, 2), ("update", 1, 2)],
            ),
        ),
        Case(
            name="a cache that gets full",
            args=(sizes(1, first + 1), [("update", 0, first), ("update", 0, 2), ("update", 0, 1)]),
        ),
    ]  # fmt: skip


kv_cache = Task(
    id="cache.KVCache", lesson=LESSON, kind="rebuild", title="Remember keys and values", points=4, difficulty=3,
    importance=5, minutes=18,
    reference=cache.KVCache, faulty=faulty_cache, cases=cache_cases, piece="minillama.cache:KVCache",
    forbidden=("minillama.cache:KVCache",),
    driver="remembers", outputs=("what came back",),
    misconceptions=(
        idea(
            "restarts", "a place that starts again at 0 in every step",
            "A step goes on where the last one ended. What came before must not be overwritten.",
            "At which place does your second update begin to write?",
            0.5, as_far_as_the_cut("restarts"),
        ),
        idea(
            "shared_count", "a place that is counted in layer 0, for every layer",
            "In the middle of a step layer 0 holds the new tokens already, and the layers behind it do not.",
            "Layer 1 gets its first keys, after layer 0: at which place does yours write them?",
            0.5, as_far_as_the_cut("shared_count"),
        ),
        NEW_ONLY,
        idea(
            "whole", "the whole room, with places that nobody has filled",
            "Places that were never written hold anything, and attention would look at it.",
            "How many tokens are held, and how many places do you hand out?",
            0.5, as_far_as_the_cut("whole"),
        ),
        SWAPPED,
        idea(
            "new_first", "new tokens put in front of the old ones", "The order is the order of the text.",
            "Which token does place 0 hold after the second step?",
        ),
        idea(
            "no_limit", "a cache that never gets full",
            "max_len is a promise about memory: one token more is a ContextLengthError.",
            "Which of your lines looks at max_len?", 0.7,
        ),
        idea(
            "all_layers", "a length that counts every layer",
            "All layers hold the same tokens; the length is that of one.",
            "How many tokens has a model of 32 layers seen, when each of them holds 5?", 0.7,
        ),
        idea(
            "fixed_length", "a length that is the room, not what it holds",
            "The length says how many tokens there are so far: the next one's position.",
            "What is the length before the first update?", 0.7,
        ),
        idea(
            "full_early", "a cache that is full one token too early",
            "There are places for max_len tokens: as many fit.",
            "How many tokens does a cache of 6 places hold in yours?", 0.7,
        ),
        idea(
            "moves_all", "a count of all layers that every layer moves on",
            "In the middle of a step layer 0 holds the new tokens already, and the layers behind it do not.",
            "How far are the counts after the first step, when each of 2 layers got 5 tokens?",
            0.5, as_far_as_the_cut("moves_all"),
        ),
        VALUES_OF_KEYS,
        idea(
            "one_layer", "a cut of the first layer alone", "All layers forget the same tokens, or they disagree.",
            "Which layers does your truncate reach?", 0.7,
        ),
        idea(
            "by_that_many", "a cut by that many tokens", "truncate(3) leaves 3 tokens, whatever there were.",
            "How many are left in yours?", 0.7,
        ),
        idea(
            "keeps_last", "a cut that keeps the end", "What is forgotten is the end: the beginning stays.",
            "Which tokens does a chat keep, when its last answer is taken back?", 0.7,
        ),
        idea(
            "never_shorter", "a cut that cuts nothing", "After truncate(3) the cache holds 3 tokens.",
            "What does `length` say before and after it?", 0.7,
        ),
    ),
    hints=(
        "Room for everything is made once; a number for each layer says how much of it is filled.",
        "keys and values (n_layers, batch_size, max_len, n_kv_heads, head_dim); k and v (B, T, G, K).",
        "update: start = filled so far, end = start + T; too long? raise\nwrite k and v to places start to end of "
        "their layer\nfilled = end\nreturn places 0 to end\ntruncate: filled = length, for all layers",
    ),
)  # fmt: skip
