"""Lesson 08's variant: a cache that keeps sinks and a window.

Both ways are found, of either entry of the family. How much fits: streaming-llm has a window beside its sinks; for
SinkCache of transformers and n_keep of llama.cpp the sinks are a part of the room. Who goes: as many as have to in
streaming-llm (Xiao et al. 2023, section 3.2); in llama.cpp's context shift half of what stands behind the sinks.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import LESSON, Generator
from minillama.course.tasks.generate_sink_ideas import LONG, sink_ideas

COUNTS = {"beside": "`window` tokens beside the sinks", "with": "`window` tokens, the sinks among them"}
FORGET = {
    "one by one": "as many of the oldest behind the sinks go as have to, and no more.",
    "half": "the older half of all that stands behind the sinks goes at once, the new tokens counted too (of an odd "
    "number the middle one stays), and half of what is left again, as long as it is still too much. So room has to be "
    "made less often, as in llama.cpp.",
}
EXAMPLES = {
    ("one by one", "beside"): "tokens 0 1 2 3 4, and holds 0 2 3 4 5 once token 5 has come",
    ("one by one", "with"): "tokens 0 1 2 3, and holds 0 2 3 4 once token 4 has come",
    ("half", "beside"): "tokens 0 1 2 3 4, and holds 0 3 4 5 once token 5 has come",
    ("half", "with"): "tokens 0 1 2 3, and holds 0 3 4 once token 4 has come",
}  # of a cache with one sink and a window of 4
FEW, SINGLES = "fewer tokens than there is room", "a full cache, then one token after the other"
SEVERAL = "steps of several tokens"
ROOM = {"beside": "sinks + window", "with": "window"}


class _Sinks:
    """A cache with sinks and a window; `bugs` are those of cache.SinkCache."""

    bugs: Bugs = frozenset()
    halves = with_sinks = False

    def __init__(self, sinks: int, window: int) -> None:
        within = self.with_sinks != ("other_counts" in self.bugs)
        self.sinks, self.behind = sinks, window - sinks * within  # places behind the sinks
        self.behind += ("one_more" in self.bugs) - ("one_less" in self.bugs)
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
        room = self.sinks + self.behind
        if "no_window" in self.bugs:
            return part[:, :room]
        if "twice" not in self.bugs and part.shape[1] <= room:
            return part
        sinks = 0 if "no_sinks" in self.bugs else self.sinks
        first, rest = part[:, :sinks], part[:, sinks:]
        if self.halves != ("other_forget" in self.bugs):
            rest = self._halved(rest, room - sinks, sinks, new.shape[1])
        elif "one_a_call" in self.bugs:
            rest = rest[:, 1:]
        else:
            rest = (part if "twice" in self.bugs else rest)[:, -(room - sinks) :]
        ends = (new[:, :sinks] if "new_sinks" in self.bugs else first, rest)
        return torch.cat(ends[::-1] if "window_first" in self.bugs else ends, 1)

    def _halved(self, rest: Tensor, fit: int, sinks: int, T: int) -> Tensor:
        """What is left of the tokens behind the sinks, where `fit` of them do."""
        while (n := rest.shape[1]) > fit:
            gone = n // 2
            if "rounded_up" in self.bugs:
                gone = n - n // 2
            if "half_of_all" in self.bugs:
                gone = (sinks + n) // 2
            if "half_of_room" in self.bugs:
                gone = fit // 2
            if "down_to_half" in self.bugs:
                gone = n - fit // 2
            if "half_of_old" in self.bugs:
                gone = max(0, n - T) // 2
            rest = rest[:, : n - gone] if "newer_half" in self.bugs else rest[:, gone:]
            if "one_a_call" in self.bugs or gone == 0:
                break
        return rest


def faulty_sinks(forget: str, counts: str) -> Callable[[Bugs], type]:
    """SinkCache of this member of the family, with some bugs."""
    traits = {"halves": forget == "half", "with_sinks": counts == "with"}
    return lambda bugs: type("SinkCache", (_Sinks,), {"bugs": bugs, **traits})


def sink_cases(counts: str) -> Callable[[Generator], Sequence[Case]]:
    """Few tokens; then many, one by one; a prompt longer than the room; steps of several tokens."""

    def cases(rng: Generator) -> Sequence[Case]:
        odd, even = (int(each) for each in rng.permutation((2, 3)))
        made = []
        for name, sinks in {FEW: int(rng.integers(1, 4)), SINGLES: odd, LONG: 1, SEVERAL: even}.items():
            least = 3 + sinks * (counts == "beside")  # leaves places behind the sinks in both ways of counting
            fit = least + int(rng.integers(0, 3))  # behind the sinks
            if name in (SINGLES, SEVERAL):  # halves of odd numbers and of even ones
                fit += (fit + (name == SINGLES)) % 2
            steps = {
                FEW: [int(rng.integers(sinks, sinks + fit))],
                SINGLES: [sinks + fit, *[1] * int(rng.integers(6, 9))],
                LONG: [sinks + 3 * fit + int(rng.integers(0, 2)), 1, 1, 1],  # has to be halved twice
                SEVERAL: [sinks + fit - 1, 2, fit // 2 - 1, 1],  # halved, and full, and halved by the last one
            }[name]
            arguments = {"sinks": sinks, "window": fit + sinks * (counts == "with")}
            made.append(Case(name=name, args=(arguments, [("update", None, n) for n in steps])))
        return made

    return cases


def make_sink_cache(forget: str = "one by one", counts: str = "beside") -> Task:
    """The task for who has to go, and for whether the window counts the sinks as well."""
    faulty, room = faulty_sinks(forget, counts), ROOM[counts]
    behind = {"beside": "window", "with": "window - sinks"}[counts]
    return Task(
        id="cache.SinkCache", lesson=LESSON, kind="vary", title="Keep sinks and a window", points=6, difficulty=4,
        importance=3, minutes=18,
        reference=faulty(frozenset()), faulty=faulty, cases=sink_cases(counts), driver="remembers",
        outputs=("what came back",), misconceptions=sink_ideas(forget, counts, faulty),
        hints=(
            "Put the new tokens behind the old ones first. Then decide which of them all stay.",
            f"k and v (B, T, G, K); what is held, and returned, is (B, S, G, K) with S at most {room}.",
            f"join the held and the new along axis 1\nno more than {room}? keep all\n"
            f"else: the first `sinks` of them, and the last `{behind}`, joined\nkeys and values alike"
            if forget == "one by one" else "join the held and the new along axis 1\ncut it in two: the first `sinks` "
            f"of them, and the rest\nwhile the rest is longer than {behind}: leave out its first half, the smaller one "
            "of an odd number\njoin the two; keys and values alike",
        ),
        family={"forget": tuple(FORGET), "counts": tuple(COUNTS)}, build=make_sink_cache,
        phrases=(COUNTS[counts], FORGET[forget], EXAMPLES[forget, counts], f"S at most {room}."),
    )  # fmt: skip


sink_cache = make_sink_cache()
