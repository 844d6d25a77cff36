"""Which stories there are: a plan is a goal, an obstacle and a resolution; some plans are held out of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from minillama.train.corpus import belongings, caring, lists, making
from minillama.train.corpus.journeys import JOURNEYS
from minillama.train.corpus.obstacles import KINDS, OBSTACLES
from minillama.train.corpus.world import World


@dataclass(frozen=True)
class Plan:
    """A goal (the plot), what stands in the way, and what kind of way out there is."""

    goal: str
    obstacle: str
    resolution: str


# the other goals: who tells the story, and what can go wrong in it
_AT_HOME: dict[str, tuple[Callable[[World], None], tuple[str, ...]]] = {
    "build": (making.build, ("fall", "wind", "short")),
    "learn": (making.learn, ("fear", "fail", "laugh")),
    "help": (caring.help_animal, ("stuck", "hurt", "cold")),
    "share": (caring.share, ("leave", "pull", "angry")),
    "grow": (making.grow, ("dry", "eaten", "cold")),
    "repair": (making.repair, ("drop", "stop", "rip")),
    "truth": (caring.truth, ("mouse", "wind", "silent")),
    "friend": (caring.new_friend, ("shy", "odd", "sad")),
    "night": (caring.night, ("bed", "call", "again")),
    "race": (caring.race, ("fall", "stuck", "tired")),
    "shop": (lists.shop, ("dog", "fall", "music")),
    "cook": (lists.cook, ("none", "jar", "far")),
    "song": (lists.song, ("stage", "noise", "sleep")),
    "hide": (lists.hide, ("gone", "late", "quiet")),
    "errands": (lists.errands, ("play", "forget", "tired")),
    "trade": (belongings.trade, ("",)),
    "mix-up": (belongings.mix_up, ("rain", "dark", "call")),
    "boxes": (belongings.boxes, ("hungry", "friend", "greedy")),
}


def _tellers() -> dict[str, tuple[Callable[[World], None], tuple[str, ...]]]:
    journeys = {goal: (teller, tuple(OBSTACLES)) for goal, teller in JOURNEYS.items()}
    return {**journeys, **_AT_HOME}


TELLERS = _tellers()
GOALS = tuple(TELLERS)


def _is_held_out(goal: int, obstacle: int, resolution: int) -> bool:
    return (goal + 2 * obstacle + 3 * resolution) % 9 == 4


def _plans(held_out: bool) -> dict[str, tuple[Plan, ...]]:
    return {
        goal: tuple(
            Plan(goal, obstacle, resolution)
            for o, obstacle in enumerate(TELLERS[goal][1])
            for r, resolution in enumerate(KINDS)
            if _is_held_out(g, o, r) == held_out
        )
        for g, goal in enumerate(GOALS)
    }


PLANS = {held_out: {goal: plans for goal, plans in _plans(held_out).items() if plans} for held_out in (False, True)}
