"""What goes wrong in lesson 08's cache of sinks and a window."""

from collections.abc import Callable, Sequence
from typing import Any

from minillama.course.drivers import remembers
from minillama.course.plain import to_plain
from minillama.course.record import Bugs, Case, Misconception
from minillama.course.tasks.generate_cache import SWAPPED, VALUES_OF_KEYS
from minillama.course.tasks.generate_ideas import idea

LONG = "a prompt that is longer than the room"  # a case in which one fault's traces depend on the spelling
Signature = Callable[[Sequence[Case], Sequence[Any], Sequence[Any]], bool]


def _behind(case: Case, counts: str) -> int:
    """Places behind the sinks."""
    window: int = case.args[0]["window"]
    return window - case.args[0]["sinks"] * (counts == "with")


def loses_the_first(forget: str, counts: str) -> Signature:
    """Are the tokens that are held the last ones of the text, as many as may be, wherever some had to go?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        found = False
        for case, got, right in zip(cases, outputs, expected, strict=True):
            least = _behind(case, counts) // (2 if forget == "half" else 1)
            for name, tokens in right.items():
                held = got[name]
                if held != tokens:
                    if held[0] <= 0 or len(held) < least or held != tuple(range(held[0], tokens[-1] + 1)):
                        return False
                    found = True
        return found

    return fits


def holds_twice(counts: str) -> Signature:
    """Is every token held that should be, and no other, and some twice where sinks and window meet at first?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        found = False
        for case, got, right in zip(cases, outputs, expected, strict=True):
            if any(set(got[name]) != set(tokens) for name, tokens in right.items()):
                return False
            name, tokens = next(iter(right.items()))
            if got[name] != tokens:
                if got[name] != (*tokens[: case.args[0]["sinks"]], *tokens[-_behind(case, counts) :]):
                    return False
                found = True
        return found

    return fits


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


def but_for_the_long_prompt(bug: str, faulty: Callable[[Bugs], type]) -> Signature:
    """Are the outputs those of this bug, wherever the first call brings no more than there is room for?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        wrong = faulty(frozenset({bug}))
        telling = [each for each in zip(cases, outputs, expected, strict=True) if each[0].name != LONG]
        return any(got != right for _, got, right in telling) and all(
            got == to_plain(remembers(wrong, *case.args)) for case, got, _ in telling
        )

    return fits


ALWAYS: tuple[Misconception, ...] = (
    idea(
        "no_window", "a cache that stops taking in tokens when it is full",
        "The end of the window moves on with the text: the latest token is always there.",
        "Which token does your cache hold last, after a hundred steps?",
    ),
    idea(
        "window_first", "the window put in front of the sinks", "The order is the order of the text.",
        "Which of the tokens that are held is the oldest, and where is it?", 0.7,
    ),
    idea(
        "forgets_all", "a cache that begins anew with every call", "What was held before is kept, as far as it may.",
        "Which of your lines remembers anything until the next call?",
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
    SWAPPED,
)  # fmt: skip


def _of_the_room(forget: str, counts: str) -> tuple[Misconception, ...]:
    """How many fit, and that no more are handed out."""
    room = "sinks + window" if counts == "beside" else "window"
    fit = "The window comes in addition to the sinks." if counts == "beside" else "The sinks are a part of the window."
    full = f"There is room for {room} tokens, and for not one {{}}: what fits stays, the new one too."
    asked = "How many tokens are held in all when the cache is full?"
    return (
        idea(
            "no_sinks", "a window alone: the first tokens slide out",
            "The first tokens of the whole text stay for ever. Heads rest their attention on them.",
            "Where is token 0 after a hundred steps?", 0.5, loses_the_first(forget, counts),
        ),
        idea(
            "other_counts",
            f"sinks that are counted {'as a part of' if counts == 'beside' else 'in addition to'} the window",
            fit, asked, 0.5,
        ),
        idea("one_more", "room for one token too many", full.format("more"), asked, 0.7),
        idea(
            "one_less", "room for one token too few", full.format("less"), asked, 0.7,
            lacks_one if forget == "one by one" else None,
        ),
        idea(
            "before_the_cut", "tokens handed out before the oldest are forgotten",
            f"What comes back is what is held from now on: {room} at most.",
            "How many tokens does your update return when the room is full?", 0.7,
        ),
    )  # fmt: skip


def _one_by_one(counts: str) -> tuple[Misconception, ...]:
    return (
        idea(
            "other_forget", "half of the tokens behind the sinks forgotten at once",
            "Here no token goes before it has to: a full cache stays full.",
            "How many tokens does a full cache hold after one token more?",
        ),
        idea(
            "one_a_call", "one token that is forgotten in each call",
            "A call may bring several tokens, and a prompt more than there is room for: as many have to go.",
            "How many tokens are held after a prompt of a hundred?", 0.7,
        ),
        idea(
            "twice", "tokens that are held twice while there are few of them",
            "As long as everything fits, sinks and window overlap, and each token is there once.",
            "How many tokens does your cache return, when it was given only a few?", 0.7, holds_twice(counts),
        ),
    )  # fmt: skip


def _by_halves(faulty: Callable[[Bugs], type]) -> tuple[Misconception, ...]:
    half = "Half of all that stands behind the sinks goes, the new tokens counted too."
    return (
        idea(
            "other_forget", "no more tokens forgotten than have to be",
            "Here room is made seldom: half of what stands behind the sinks goes at once.",
            "How many tokens does a full cache hold after one token more?",
        ),
        idea(
            "one_a_call", "half of the tokens forgotten once, whatever is left",
            "After a long prompt half of it may still be more than there is room for.",
            "How many tokens are held after a prompt of a hundred?", 0.7,
        ),
        idea(
            "rounded_up", "the larger half forgotten, where the number is odd",
            "Of an odd number the middle one stays.", "Five tokens stand behind the sinks: how many go, in yours?", 0.7,
        ),
        idea(
            "half_of_all", "a half of everything, sinks too", f"{half} The sinks are no part of that number.",
            "Which number does yours take the half of?", 0.7,
        ),
        idea(
            "half_of_room", "always as many forgotten as half of the places behind the sinks", half,
            "After a long prompt: is half of the places half of the tokens?", 0.7,
        ),
        idea(
            "down_to_half", "as many kept as half of the places behind the sinks", half,
            "After a long prompt: is half of the places half of the tokens?", 0.7,
        ),
        idea(
            "half_of_old", "half of what was held before, and the new tokens put behind it", half,
            "Which tokens are there when yours counts them?", 0.7, but_for_the_long_prompt("half_of_old", faulty),
        ),
        idea(
            "newer_half", "the newer half forgotten", "The older half goes: what was said last is needed most.",
            "Is the latest token still there, after room was made?",
        ),
    )  # fmt: skip


def sink_ideas(forget: str, counts: str, faulty: Callable[[Bugs], type]) -> tuple[Misconception, ...]:
    """The misconceptions of one member of the family."""
    own = _one_by_one(counts) if forget == "one by one" else _by_halves(faulty)
    return (*_of_the_room(forget, counts), *own, *ALWAYS)
