"""Writing: many answers are right, so a rule judges them, except where numbers are counted."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.world import World
from minillama.train.instructions.lists import CATEGORIES, NUMBERS
from minillama.train.instructions.scenes import gift, meet
from minillama.train.instructions.task import Task, different_words, sentence_with

ABOUT = (
    "{h.n} had {o.full} in {h.his} hand.", "{h.n} looked at {o.full} and smiled.",
    "{h.n} put {o.full} under {h.his} bed.",
    "One day, {h.n} found {o.full} {d.at}.", "{h.n} took {o.full} and went to {d}.", "{o.full} was for {h.n}.",
    "{h.n} loved {o.full} very much.", "{d.at}, {h.n} saw {o.full}.",
)  # fmt: skip


def _sentence(world: World) -> str:
    world.place("d", world.fresh(tuple(words.PLACES)))
    world.paragraphs = [[]]
    world.say(*ABOUT)
    return world.text()


def write_about(world: World) -> Task:
    """A sentence in which somebody and a thing come."""
    meet(world)
    world.add_thing("o", look=world.fresh(words.COLOURS))
    name, thing = world.character("h").name, f"the {world.thing('o').look} {world.thing('o').noun}"
    instruction = world.pick((f"Write a sentence about {name} and {thing}.", f"Tell something of {name} and {thing}."))
    return Task(instruction=instruction, output=_sentence(world), accepts=sentence_with(name, thing))


def go_on(world: World) -> Task:
    """The next sentence of a scene, in which a thing must come."""
    meet(world)
    gift(world)
    text, thing = world.text(), f"the {world.thing('o').look} {world.thing('o').noun}"
    instruction = world.pick((f"Write the next sentence, with {thing} in it.", f"Go on. Use the words {thing}."))
    return Task(instruction=instruction, input=f"Story: {text}", output=_sentence(world), accepts=sentence_with(thing))


def name_some(world: World) -> Task:
    """Some words of a category."""
    category, count = world.pick(tuple(CATEGORIES)), 2 + int(world.random() * 3)
    some = world.sample(CATEGORIES[category], count)
    number = NUMBERS[count - 1]
    instruction = world.pick((f"Name {number} {category}.", f"Write a list of {number} {category}."))
    return Task(instruction=instruction, output=", ".join(some), accepts=different_words(count, CATEGORIES[category]))


def count_up(world: World) -> Task:
    """From one number to another."""
    low = int(world.random() * 7)
    high = low + 2 + int(world.random() * (8 - low))
    instruction = world.pick(
        (
            f"Count from {NUMBERS[low]} to {NUMBERS[high]}.",
            f"Say the numbers from {NUMBERS[low]} up to {NUMBERS[high]}.",
        )
    )
    return Task(instruction=instruction, output=", ".join(NUMBERS[low : high + 1]))


def count_down(world: World) -> Task:
    """Backwards: never trained on."""
    low = int(world.random() * 7)
    high = low + 2 + int(world.random() * (8 - low))
    instruction = world.pick(
        (f"Count from {NUMBERS[high]} to {NUMBERS[low]}.", f"Count down from {NUMBERS[high]} to {NUMBERS[low]}.")
    )
    return Task(instruction=instruction, output=", ".join(NUMBERS[low : high + 1][::-1]))
