"""Scenes of four or five sentences, told by the stories' world, which knows the answers to questions about them."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.cast import NAMES, cast, ensure_friend
from minillama.train.corpus.world import Thing, World

FATES = ("kept", "given", "lost")
GIVEN = {name for names in NAMES.values() for kind in names.values() for name in kind}
ONSETS = ("B", "Br", "D", "Dr", "F", "Fl", "G", "H", "J", "K", "L", "M", "N", "P", "R", "S", "St", "T", "Tr", "V", "Z")
VOWELS = ("a", "e", "i", "o", "u", "ai", "ee")
MIDDLES = ("b", "d", "k", "l", "ll", "m", "n", "nd", "r", "ss", "st", "t", "v", "z")  # codespell:ignore nd
ENDINGS = ("a", "o", "i", "e", "en", "in", "ar", "us", "et", "y", "ix", "ock")


def made_up_name(world: World) -> str:
    """A name of one word that no list has, such as "Brelo"."""
    while True:
        name = "".join(world.pick(parts) for parts in (ONSETS, VOWELS, MIDDLES, ENDINGS))
        if name not in GIVEN:
            return name


def people(world: World) -> None:
    """Draws the hero `h`, a friend `f`, the two together `T`, and a grown-up `e`.

    In training, half of the names are made up: only who copies what stands there can answer with a name that is met for
    the first time.
    """
    cast(world)
    ensure_friend(world)
    hero, friend = world.character("h"), world.character("f")
    for who in (hero, friend):
        if who.named and not world.held_out and world.chance(0.5):
            who.name = who.call = made_up_name(world)
    world.character("T").name = f"{hero.name} and {friend.name}"


def meet(world: World) -> None:
    """Draws who there is, and introduces the hero and the friend."""
    people(world)
    world.parts["love"], world.parts["like"] = world.sample(words.LOVES, 2)
    if world.character("h").named:
        world.say(
            "There was {h.intro} who loved {love}.",
            "Once there was {h.intro}. {h.he.cap} loved {love}.",
            "{h.n} was {h.desc} who loved {love}.",
        )
    else:
        world.say("{h.n} was {h.trait} and loved {love}.", "There was {h.desc} who loved {love}.")
    world.say("{h.his.cap} friend was {f.intro}.", "{h.he.cap} had a friend, {f.intro}.")
    if world.chance(0.5):
        world.say("{f.n} liked {like}.")


def gift(world: World) -> Thing:
    """The grown-up gives the hero a thing, `o`."""
    thing = world.add_thing("o", look=world.fresh(words.COLOURS), holder="e", owner="h")
    world.give("e", "h", "o")
    world.say("One day, {e.n} gave {h.n} {o.a}.", "{h.n} got {o.a} from {e.n}.", "Then {e.n} gave {h.n} {o.a}.")
    return thing


def rival(world: World) -> Thing:
    """The friend has a thing too, `p`: sometimes of the same kind in another colour."""
    noun = world.thing("o").noun if world.chance(0.4) else ""
    thing = world.add_thing("p", noun=noun, look=world.fresh(words.COLOURS), holder="f", owner="f")
    world.say("{f.n} had {p.a}.", "And {f.n} had {p.a}.")
    return thing


def walk(world: World) -> None:
    """Both go to a place, `d`."""
    world.place("d", world.fresh(tuple(words.PLACES)))
    world.say("{T.n} went to {d}.", "They walked to {d}.", "One [sunny|cold|fine] day, they went to {d}.")


def fate(world: World, which: str = "") -> str:
    """What becomes of the hero's thing: one of FATES."""
    which = which or world.pick(FATES)
    if which == "given":
        world.give("h", "f", "o")
        world.say("There {h.n} gave {o.full} to {f.n}.", "{h.n} gave {f.n} {o.full}.")
    elif which == "lost":
        world.drop("h", "o")
        world.say("There {h.n} lost {o.full}.", "On the way, {h.n} lost {o.full}.")
    else:
        world.say("{h.n} held {o.full} tightly.", "{h.n} took good care of {o.full}.")
    return which


def scene(world: World, fate_of_thing: str = "") -> str:
    """A whole scene.

    Args:
        world: a fresh one; its parts and things are those of the scene when it returns.
        fate_of_thing: one of FATES; empty draws.

    Returns:
        The text, one paragraph.
    """
    meet(world)
    gift(world)
    if world.chance(0.6):
        rival(world)
    walk(world)
    fate(world, fate_of_thing)
    return world.text()


def holder_of(thing: Thing) -> str:
    """Who has a thing, "nobody" where it lies somewhere."""
    return thing.holder.name if thing.holder else "nobody"


def capital(text: str) -> str:
    """With a large first letter."""
    return text[:1].upper() + text[1:]
