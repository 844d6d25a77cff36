"""Rewriting: a sentence or two are given and come back changed in one respect."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.cast import NAMES
from minillama.train.corpus.world import Character, World
from minillama.train.instructions.lists import SINGLE_THINGS
from minillama.train.instructions.scenes import capital, people, scene
from minillama.train.instructions.task import Task

VERBS = (  # now, then, and what may follow
    ("goes", "went", "to {d}"), ("runs", "ran", "to {d}"), ("walks", "walked", "to {d}"), ("comes", "came", "to {d}"),
    ("sits", "sat", "{d.at}"), ("sleeps", "slept", "{d.at}"), ("sings", "sang", "{d.at}"),
    ("plays", "played", "{d.at}"),
    ("finds", "found", "{o.a}"), ("takes", "took", "{o.a}"), ("has", "had", "{o.a}"), ("sees", "saw", "{o.a}"),
    ("wants", "wanted", "{o.a}"), ("makes", "made", "{o.a}"), ("holds", "held", "{o.a}"), ("loves", "loved", "{o.a}"),
)  # fmt: skip
OPPOSITES = (
    ("big", "small"), ("old", "new"), ("hot", "cold"), ("wet", "dry"), ("long", "short"), ("good", "bad"),
    ("heavy", "light"), ("hard", "soft"), ("full", "empty"), ("clean", "dirty"), ("first", "last"), ("open", "closed"),
)  # fmt: skip
MOODS = ("happy", "sad", "tired", "hungry", "afraid", "proud", "late", "ill", "alone", "busy", "angry", "quiet")
SPEECHES = (
    "Where is my {o.noun}?", "Look at {o.full}!", "I want to go to {d}!", "Who has {o.full}?", "Let us go home!",
    "What a fine day!", "Can you help me?", "May I have {o.full}?", "Do not be sad!", "Is it far to {d}?",
)  # fmt: skip


def _parts(world: World) -> Character:
    """Draws a hero, a friend, a thing and a place, and tells nothing yet."""
    people(world)
    world.add_thing("o", look=world.fresh(words.COLOURS))
    world.place("d", world.fresh(tuple(words.PLACES)))
    return world.character("h")


def _told(world: World, template: str) -> str:
    """What a template says with the world's parts."""
    world.paragraphs = [[]]
    world.say(template)
    return world.text()


def _rewrite(world: World, given: str, wanted: str, *instructions: str) -> Task:
    return Task(instruction=world.pick(instructions), input=f"Text: {given}", output=wanted)


def other_name(world: World) -> Task:
    """Somebody else's name wherever one stands."""
    hero = _parts(world)
    given = _told(world, world.pick((
        "{h.n} had {o.a}. {h.n} went to {d} with {f.n}.", "{h.n} and {f.n} went to {d}. There {h.n} lost {o.a}.",
        "{f.n} gave {h.n} {o.a}. {h.n} was happy.", "{h.n} loved {o.full}. So {f.n} gave it to {h.n}.",
    )))  # fmt: skip
    fresh = world.fresh(NAMES[world.held_out][world.pick(("girl", "boy", "animal"))])
    wanted = given.replace(hero.name, fresh).replace(capital(hero.name), fresh)
    order = f"Write it again with {fresh} instead of {hero.name}.", f"Change {hero.name} to {fresh}."
    return _rewrite(world, given, wanted, *order)


def he_and_she(world: World) -> Task:
    """The other pronouns."""
    hero = _parts(world)
    template = world.pick((
        "{h.n} took {h.his} {o.noun}, and {h.he} went to {d}.", "{h.he.cap} lost {h.his} {o.noun}, and {h.he} was sad.",
        "{h.n} said that {h.he} wanted {o.a}.", "{h.he.cap} went to {d} because {h.he} wanted {o.a}.",
        "When {h.he} came to {d}, {h.he} saw {h.his} {o.noun}.", "{h.he.cap} sat {d.at} with {h.his} {o.bare}.",
    ))  # fmt: skip
    given, pronoun = _told(world, template), hero.pronoun
    hero.pronoun = other = {"he": "she", "she": "he"}[pronoun]
    wanted = _told(world, template)
    return _rewrite(world, given, wanted, f"Write {other} instead of {pronoun}.", f"Change {pronoun} to {other}.")


def past(world: World) -> Task:
    """From now to then."""
    _parts(world)
    (now, then, rest), (now_too, then_too, rest_too) = world.pick(VERBS[:8]), world.pick(VERBS[8:])
    if world.chance(0.5):
        template = "{{h.n}} {} {}."
        given, wanted = template.format(now, rest), template.format(then, rest)
    else:
        template = "{{h.n}} {} {} and {} {}."
        given = template.format(now, rest, now_too, rest_too)
        wanted = template.format(then, rest, then_too, rest_too)
    orders = "Write it again in the past.", "Say it as if it was long ago."
    return _rewrite(world, _told(world, given), _told(world, wanted), *orders)


def negation(world: World) -> Task:
    """That it is not so."""
    _parts(world)
    world.parts["mood"] = world.pick(MOODS)
    template = world.pick(("{h.n} was# {mood}.", "{h.n} was# {d.at}.", "{o.full} was# {d.at}.", "{h.n} is# {mood}."))
    given, wanted = (_told(world, template.replace("#", word)) for word in ("", " not"))
    return _rewrite(world, given, wanted, "Say that it is not so.", "Write it with not.")


def question(world: World) -> Task:
    """A question instead of a statement."""
    _parts(world)
    world.parts["mood"] = world.pick(MOODS)
    who, verb, rest = world.pick((
        ("{h.n}", "was", "{mood}"), ("{h.n}", "was", "{d.at}"), ("{o.full}", "is", "{d.at}"), ("{f.n}", "is", "{mood}")
    ))  # fmt: skip
    given, wanted = _told(world, f"{who} {verb} {rest}."), _told(world, f"{verb} {who} {rest}?")
    return _rewrite(world, given, wanted, "Make a question of it.", "Ask if it is so.")


def opposite(world: World) -> Task:
    """The opposite of the word that describes a thing."""
    pair = world.pick(OPPOSITES)
    one, other = pair if world.chance(0.5) else pair[::-1]
    noun, when = world.pick(SINGLE_THINGS), world.pick(("was", "is"))
    template = world.pick(("The {} {} {}.", "Her {} {} {}.", "My {} {} {}.", "His {} {} {}."))
    orders = "Write the opposite.", "Say it the other way."
    return _rewrite(world, template.format(noun, when, one), template.format(noun, when, other), *orders)


def plural(world: World) -> Task:
    """Several instead of one."""
    noun, look = world.pick(SINGLE_THINGS), world.pick(words.COLOURS + words.LOOKS)
    number = world.pick(("two", "three", "four"))
    article = "an" if look[0] in "aeiou" else "a"
    many = noun + ("es" if noun.endswith(("x", "s", "sh", "ch")) else "s")
    orders = f"Say it with {number}.", f"Make it {number}."
    return _rewrite(world, f"{article} {look} {noun}", f"{number} {look} {many}", *orders)


def without_colour(world: World) -> Task:
    """Shorter: the colour is left out."""
    _parts(world)
    template = world.pick((
        "{h.n} found the # {o.noun} {d.at}.", "{h.n} gave {f.n} the # {o.noun}.", "The # {o.noun} was {d.at}.",
        "{f.n} wanted the # {o.noun}.", "There was the # {o.noun} of {h.n}.",
    ))  # fmt: skip
    look = world.thing("o").look
    given, wanted = _told(world, template.replace("#", look)), _told(world, template.replace("# ", ""))
    return _rewrite(world, given, wanted, "Write it without the colour.", "Leave out the colour.")


def one_sentence(world: World) -> Task:
    """Two sentences become one."""
    _parts(world)
    first, second = (
        world.pick(("{} sang", "{} was sad", "{} went to {{d}}", "{} had {{o.a}}", "{} laughed")).format(who)
        for who in ("{h.n}", "{f.n}")
    )
    given, wanted = _told(world, f"{first}. {second}."), _told(world, f"{first} and {second}.")
    return _rewrite(world, given, wanted, "Make one sentence with and.", "Join the two sentences.")


def gap(world: World) -> Task:
    """A word that is missing at the end of a scene and stands further up."""
    text = scene(world, "kept")
    thing = world.thing("o")
    sentences = (
        (thing.look, f"{{h.n}} loved the ___ {thing.noun}."),
        (thing.noun, f"{{h.n}} loved the {thing.look} ___"),
    )
    missing, last = world.pick(sentences)
    return _rewrite(world, f"{text} {_told(world, last)}", missing, "Fill the gap.", "Say the missing word.")


def speaker(world: World) -> Task:
    """Who says it."""
    _parts(world)
    who, other = world.pick((("h", "f"), ("f", "h")))
    verb = world.pick(("said", "asked", "cried"))
    after = world.pick(("laughed", "smiled", "nodded", "was happy"))
    given = _told(world, f'"{world.pick(SPEECHES)}" {verb} {{{who}.n}}. {{{other}.n}} {after}.')
    return _rewrite(world, given, world.character(who).name, "Say who speaks.", "Name the one who says it.")


def speech(world: World) -> Task:
    """What is said, alone."""
    _parts(world)
    said = world.pick(SPEECHES)
    given = _told(world, f'"{said}" {world.pick(("said", "asked", "cried"))} {{h.n}}.')
    return _rewrite(
        world,
        given,
        given.split('"')[1],
        "Write only what is said.",
        "Repeat what {} says.".format(world.character("h").name),
    )


def change_places(world: World) -> Task:
    """Two names change places: never trained on."""
    _parts(world)
    template = world.pick(
        ("{%s.n} gave {%s.n} {o.a}.", "{%s.n} went to {d} with {%s.n}.", "{%s.n} had {o.a}, and {%s.n} was sad.")
    )
    given, wanted = _told(world, template % ("h", "f")), _told(world, template % ("f", "h"))
    return _rewrite(world, given, wanted, "Let the two change places.", "Swap the names.")
