"""Questions about a scene that is given: the answer stands in it, or follows from it."""

from __future__ import annotations

from minillama.train.corpus.world import World
from minillama.train.instructions.scenes import capital, holder_of, scene
from minillama.train.instructions.task import Task


def ask(world: World, text: str, answer: str, *questions: str) -> Task:
    """One of the questions about a text, with the world's parts filled in."""
    world.paragraphs = [[]]
    world.say(*questions)
    return Task(instruction=world.text(), input=f"Story: {text}", output=answer)


def who_has(world: World) -> Task:
    """Who has the thing at the end, which may have changed hands."""
    text = scene(world)
    world.parts["x"] = thing = world.pick(world.things)
    return ask(world, text, holder_of(thing), "Say who has {x.full} now.", "Who has {x.full} in the end?")


def does_have(world: World) -> Task:
    """Yes or no: whether somebody has it at the end."""
    text = scene(world)
    thing = world.pick(world.things)
    who = thing.holder if thing.holder and world.chance(0.5) else world.character(world.pick(("h", "f", "e")))
    world.parts["x"], world.parts["who"] = thing, who
    answer = "yes" if thing.holder is who else "no"
    return ask(
        world, text, answer, "Yes or no: does {who.n} have {x.full} now?", "Say yes or no: {who.n} has {x.full}."
    )


def who_gave(world: World) -> Task:
    """Who gave the hero the thing."""
    text = scene(world)
    answer = world.character("e").name
    return ask(world, text, answer, "Say who gave {h.n} {o.full}.", "From whom did {h.n} get {o.full}?")


def where(world: World) -> Task:
    """Where they went."""
    text = scene(world)
    return ask(world, text, f"the {world.parts['d']}", "Say where they went.", "Name the place in the story.")


def what_lost(world: World) -> Task:
    """What was lost, told from what was not."""
    text = scene(world, "lost")
    thing = world.thing("o")
    return ask(world, text, f"the {thing.look} {thing.noun}", "Say what {h.n} lost.", "What is lost in the story?")


def colour(world: World) -> Task:
    """The colour of a thing, which may have a rival of its kind."""
    text = scene(world)
    world.parts["who"], world.parts["x"] = world.character("h"), world.thing("o")
    if len(world.things) > 1 and world.chance(0.5):
        world.parts["who"], world.parts["x"] = world.character("f"), world.thing("p")
    look = world.thing("x").look
    return ask(world, text, look, "Say the colour of the {x.noun} of {who.n}.", "{who.s} {x.noun}: what colour is it?")


def friend(world: World) -> Task:
    """Who the friend is."""
    text = scene(world)
    return ask(world, text, world.character("f").name, "Say who is the friend of {h.n}.", "Name the friend of {h.n}.")


def loves(world: World) -> Task:
    """What the hero loves, as the scene says it."""
    text = scene(world)
    return ask(world, text, str(world.parts["love"]), "Say what {h.n} loved.", "What did {h.n} love most of all?")


def what_is(world: World) -> Task:
    """What somebody is, such as "a clever beaver"."""
    text = scene(world)
    world.parts["who"] = who = world.character("f" if world.character("f").named else "h")
    answer = who.desc.replace("a ", "an ", 1) if who.desc[2] in "aeiou" else who.desc
    return ask(world, text, answer, "Say what {who.n} was.", "Who was {who.n}?")


def title(world: World) -> Task:
    """A name for the scene: the hero and the thing."""
    text = scene(world)
    thing = world.thing("o")
    answer = f"{capital(world.character('h').name)} and the {thing.look} {thing.noun}"
    return ask(world, text, answer, "Give the story a name.", "Find a title.")


def who_lost(world: World) -> Task:
    """Who lost the thing: never trained on, though its parts are."""
    text = scene(world, "lost")
    return ask(world, text, world.character("h").name, "Say who lost {o.full}.", "Who lost {o.full}?")
