"""Lesson 08's variant: a cache that keeps sinks and a window."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.generate_cache import SWAPPED, VALUES_OF_KEYS
from minillama.course.tasks.generate_ideas import LESSON, Generator, idea


class _Sinks:
    """A cache with sinks and a window; `bugs` are those of cache.SinkCache."""

    bugs: Bugs = frozenset()

    def __init__(self, sinks: int, window: int) -> None:
        self.sinks, self.window = sinks, window
        if "window_in_all" in self.bugs:
            self.window -= sinks
        self.window += ("one_more" in self.bugs) - ("one_less" in self.bugs)
        self.parts: tuple[Tensor, Tensor] | None = None

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        v = k if "values_of_keys" in self.bugs else v
        old = None if "forgets_all" in self.bugs else self.parts
        grown = (k, v) if old is None else (torch.cat((old[0], k), 1), torch.cat((old[1], v), 1))
        if "new_first" in self.bugs and old is not None:
            grown = (torch.cat((k, old[0]), 1), torch.cat((v, old[1]), 1))
        self.parts = (self._kept(grown[0], k), self._kept(grown[1], v))
        if "long_prompt" in self.bugs and old is None:
            self.parts = grown
        keys, values = self.parts
        keys, values = grown if "before_the_cut" in self.bugs else (keys, values)
        return (values, keys) if "swapped" in self.bugs else (keys, values)

    def _kept(self, part: Tensor, new: Tensor) -> Tensor:
        sinks, window = self.sinks, self.window
        if "no_sinks" in self.bugs:
            return part[:, -(sinks + window) :]
        if "no_window" in self.bugs:
            return part[:, : sinks + window]
        if "twice" not in self.bugs and part.shape[1] <= sinks + window:
            return part
        if "one_a_call" in self.bugs:
            return torch.cat((part[:, :sinks], part[:, sinks + 1 :]), 1)
        ends = (new[:, :sinks] if "new_sinks" in self.bugs else part[:, :sinks], part[:, -window:])
        return torch.cat(ends[::-1] if "window_first" in self.bugs else ends, 1)


def faulty_sinks(bugs: Bugs = frozenset()) -> type:
    """SinkCache with these bugs."""
    return type("SinkCache", (_Sinks,), {"bugs": bugs})


def loses_the_first(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are the tokens that are held the last ones of the text, a window of them or more, wherever some had to go?"""
    found = False
    for case, got, right in zip(cases, outputs, expected, strict=True):
        for name, tokens in right.items():
            held = got[name]
            if held != tokens:
                if held[0] <= 0 or len(held) < case.args[0]["window"]:
                    return False
                if held != tuple(range(held[0], tokens[-1] + 1)):
                    return False
                found = True
    return found


def holds_twice(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Is every token held that should be, and no other, and some twice where sinks and window meet at first?"""
    found = False
    for case, got, right in zip(cases, outputs, expected, strict=True):
        if any(set(got[name]) != set(tokens) for name, tokens in right.items()):
            return False
        name, tokens = next(iter(right.items()))
        if got[name] != tokens:
            if got[name] != (*tokens[: case.args[0]["sinks"]], *tokens[-case.args[0]["window"] :]):
                return False
            found = True
    return found


def lacks_one(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Does the oldest token of the window lack, in some steps or in all that had to forget?"""
    found = False
    for case, got, right in zip(cases, outputs, expected, strict=True):
        sinks = case.args[0]["sinks"]
        for name, tokens in right.items():
            if got[name] != tokens:
                if got[name] != (*tokens[:sinks], *tokens[sinks + 1 :]):
                    return False
                found = True
    return found


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
        "Where is token 0 after a hundred steps?", 0.5, loses_the_first,
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
        "How many tokens does your cache return, when it was given only a few?", 0.7, holds_twice,
    ),
    idea(
        "one_less", "a window that is one token too short", "A window of w holds the last w tokens, the new one too.",
        "How many tokens are held in all when the cache is full?", 0.7, lacks_one,
    ),
    idea(
        "forgets_all", "a cache that begins anew with every call", "What was held before is kept, as far as it may.",
        "Which of your lines remembers anything until the next call?",
    ),
    idea(
        "one_a_call", "one token that is forgotten in each call",
        "A call may bring several tokens, and a prompt more than there is room for: as many have to go.",
        "How many tokens are held after a prompt of a hundred?", 0.7,
    ),
    idea(
        "long_prompt", "a first prompt that is held whole, whatever its length",
        "The first call forgets as well: a prompt may be longer than the room.",
        "How many tokens does your first update return at most?", 0.7,
    ),
    idea(
        "new_sinks", "sinks taken from what has just come",
        "The first tokens of the whole text stay, not those of each call.",
        "Which tokens stand in front after the second call?",
    ),
    idea(
        "new_first", "new tokens put in front of the old ones", "The order is the order of the text.",
        "Which token is the first after the second call?",
    ),
    VALUES_OF_KEYS,
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
        outputs=("what came back",),
        # with one sink a window without the sinks is one token too short
        misconceptions=tuple(each for each in SINKS if sinks > 1 or each.name != "one_less"),
        hints=(
            "Put the new tokens behind the old ones first. Then decide which of them all stay.",
            "k and v (B, T, G, K); what is held, and returned, is (B, S, G, K) with S at most sinks + window.",
            "join the held and the new along axis 1\nno more than sinks + window? keep all\n"
            "else: the first `sinks` of them, and the last `window`, joined\nkeys and values alike",
        ),
        family={"sinks": (1, 2, 3), "window": (3, 4, 6)}, build=make_sink_cache,
    )  # fmt: skip


sink_cache = make_sink_cache()
