"""Who is in a story: names, kinds and pronouns, and which of them belong to the held-out share."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.world import Character, World


def _share(names: tuple[str, ...], held_out: bool) -> tuple[str, ...]:
    every = words.HELD_OUT_EVERY
    return tuple(name for index, name in enumerate(names) if (index % every == 0) == held_out)


NAMES = {
    held_out: {
        "girl": _share(words.GIRLS, held_out),
        "boy": _share(words.BOYS, held_out),
        "animal": _share(words.ANIMAL_NAMES, held_out),
    }
    for held_out in (False, True)
}  # fmt: skip


def syllables_held_out(first: int, last: int) -> bool:
    """Whether the invented word of these two syllables belongs to the held-out share (one in five)."""
    return (first * 7 + last * 3) % 5 == 0


def _invented_words(held_out: bool) -> tuple[str, ...]:
    return tuple(
        first + last
        for i, first in enumerate(words.FIRST_SYLLABLES)
        for j, last in enumerate(words.LAST_SYLLABLES)
        if syllables_held_out(i, j) == held_out
    )


INVENTED = {held_out: _invented_words(held_out) for held_out in (False, True)}


def invented_name(world: World) -> str:
    """A two-word name such as "Zorbik Quamel"."""
    return " ".join(world.sample(INVENTED[world.held_out], 2))


def _pronoun(world: World, unlike: str) -> str:
    other = {"he": "she", "she": "he"}
    if unlike:
        return other[unlike] if world.chance(0.75) else unlike
    return "she" if world.chance(0.5) else "he"


def child(world: World, unlike: str = "", invented: bool = False) -> Character:
    """A girl or a boy; `unlike` names a pronoun that this one should rather not share."""
    pronoun = _pronoun(world, unlike)
    kind = "girl" if pronoun == "she" else "boy"
    name = invented_name(world) if invented else world.fresh(NAMES[world.held_out][kind])
    adjective, habit = world.pick(words.TRAITS)
    return Character(name, kind, pronoun, adjective, habit, name, invented)


def animal(world: World, unlike: str = "", invented: bool = False, named: float = 0.5) -> Character:
    """An animal that talks, with a name or as "the fox"."""
    pronoun = _pronoun(world, unlike)
    kind = world.fresh(words.CREATURES if invented and world.chance(0.4) else words.ANIMALS)
    if kind == "hen":
        pronoun = "she"
    adjective, habit = world.pick(words.TRAITS)
    if invented or world.chance(named):
        name = invented_name(world) if invented else world.fresh(NAMES[world.held_out]["animal"])
        return Character(name, kind, pronoun, adjective, habit, name, invented)
    return Character(f"the {kind}", kind, pronoun, adjective, habit, kind.capitalize())


def cast(world: World) -> None:
    """Draws the hero `h`, perhaps a friend `f`, the two together `T`, and a grown-up `e`."""
    invented = world.chance(0.36)
    friend_invented = invented and world.chance(0.3)
    human = world.chance(0.6)
    hero = (
        child(world, invented=invented and not friend_invented)
        if human
        else animal(world, invented=invented and not friend_invented)
    )
    world.parts["h"] = world.parts["T"] = hero
    if friend_invented or world.chance(0.6):
        friend_human = human if world.chance(0.8) else not human
        make = child if friend_human else animal
        friend = make(world, hero.pronoun, friend_invented)
        world.parts["f"] = friend
        world.parts["T"] = Character(f"{hero.name} and {friend.name}", "friends", "they", "good", "", "friends")
        world.pair = True
    elif human and world.chance(0.4):
        world.pet = world.fresh(("dog", "cat", "pony", "goat"))
        world.parts["pet"] = world.pet
    world.parts["I"], world.parts["Iam"] = ("we", "we are") if world.pair else ("I", "I am")
    elder = world.pick(words.ELDERS)
    world.parts["e"] = Character(elder[0], "grown-up", elder[1], "kind", "", elder[0])
    world.invented = [who.name for who in (hero, world.parts.get("f")) if isinstance(who, Character) and who.invented]


def add_helper(world: World) -> Character:
    """Draws a helper `g` who is met on the way; mostly an animal without a name."""
    helper = animal(world, world.character("h").pronoun, named=0.3)
    helper.adjective = world.pick(("old", "friendly", "small", "big", "kind", "wise", "young", "brown", "grey"))
    world.parts["g"] = helper
    return helper


def add_worker(world: World) -> Character:
    """Draws somebody of the village, `g`, such as the baker."""
    name, pronoun = world.pick(words.WORKERS)
    kind = name.removeprefix("the ")
    worker = Character(name, kind, pronoun, world.pick(("old", "friendly", "kind", "busy")), "", kind.capitalize())
    world.parts["g"] = worker
    return worker


def ensure_friend(world: World) -> None:
    """Brings in a friend `f` in stories that need two."""
    if world.pair:
        return
    hero = world.character("h")
    make = child if hero.kind in ("girl", "boy") else animal
    world.parts["f"] = friend = make(world, hero.pronoun)
    world.parts["T"] = type(hero)(f"{hero.name} and {friend.name}", "friends", "they", "good", "", "friends")
    world.parts["I"], world.parts["Iam"] = "we", "we are"
    world.pair, world.pet = True, ""
