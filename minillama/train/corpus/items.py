"""Probes of consistency: a story cut off where only one of two continuations agrees with what has been said."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from minillama.errors import DataError
from minillama.train.corpus import words
from minillama.train.corpus.generate import tell
from minillama.train.corpus.world import World

_OTHER = {"she": "he", "he": "she", "herself": "himself", "himself": "herself"}
KINDS = ("pronoun", "object")


class ConsistencyItem(NamedTuple):
    """A context, the continuation that agrees with it, and one of the same form that does not."""

    context: str
    right: str
    wrong: str


def _pronoun_item(world: World) -> ConsistencyItem | None:
    """Cuts before "she" in the last sentence about the hero such as "Mira was so happy that she ..."."""
    hero, text = world.character("h"), world.text()
    own = {"she": "she|herself", "he": "he|himself"}[hero.pronoun]
    pattern = rf"(?:(?<=\. )|(?<=\n)|(?<=\" )){re.escape(hero.name[0].upper() + hero.name[1:])} [a-z ,]*? ({own})\b"
    cuts = [match.start(1) - 1 for match in re.finditer(pattern, text)]
    if len(cuts) < 2:
        return None
    right = re.match(r" (\w+)", text[cuts[-1] :])
    assert right is not None
    return ConsistencyItem(text[: cuts[-1]], right[0], f" {_OTHER[right[1]]}")


def _object_item(world: World) -> ConsistencyItem | None:
    """Cuts before the last mention of the hero's thing; the wrong one has another look, a rival's if there is one."""
    thing = world.parts.get("o")
    text = world.text()
    if not hasattr(thing, "look") or world.episodes > 1:
        return None
    thing = world.thing("o")
    named = f" {thing.look} {thing.noun}"
    rivals = [other.look for other in world.things if other.noun == thing.noun and other is not thing]
    if text.count(named) < 3 or (rivals and text.count(f" {rivals[0]} {thing.noun}") > 2):
        return None
    wrong = rivals[0] if rivals else world.pick([look for look in words.COLOURS if look not in text])
    return ConsistencyItem(text[: text.rindex(named)], named, f" {wrong} {thing.noun}")


def consistency_items(seed: int, count: int, split: str = "held_out", kind: str | None = None) -> list[ConsistencyItem]:
    """Draws items that test whether a model keeps pronouns and objects straight in a story.

    Args:
        seed: which corpus.
        count: how many items.
        split: the split whose names and plans are used.
        kind: "pronoun", "object", or None for both in turn.

    Returns:
        `count` items; `context + right` is how a story of the split goes on.

    Raises:
        DataError: for a kind or a split that does not exist.
    """
    if kind is not None and kind not in KINDS:
        raise DataError(f"got kind {kind!r}, expected one of {KINDS}; choose one of these or None for both")
    makers = {"pronoun": _pronoun_item, "object": _object_item}
    items: list[ConsistencyItem] = []
    for index in itertools.count():
        if len(items) >= count:
            break
        wanted = kind or KINDS[len(items) % len(KINDS)]
        item = makers[wanted](tell(seed, index, split)[1])
        if item is not None:
            items.append(item)
    return items
