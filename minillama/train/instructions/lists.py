"""Tasks about a list of words that is given."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.phrases import join
from minillama.train.corpus.world import World
from minillama.train.instructions.task import Task

SINGLE_THINGS = tuple(thing for thing in words.THINGS if " " not in thing)
CATEGORIES = {"animals": words.ANIMALS, "foods": words.FOODS, "things": SINGLE_THINGS, "colours": words.COLOURS}
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def draw(world: World, low: int = 3, high: int = 6) -> list[str]:
    """A list of different words of one category."""
    items = world.pick(tuple(CATEGORIES.values()))
    return world.sample(items, low + int(world.random() * (high - low + 1)))


def order(world: World, items: list[str], answer: str | list[str], *instructions: str) -> Task:
    """One of the instructions, about these items."""
    output = answer if isinstance(answer, str) else ", ".join(answer)
    return Task(instruction=world.pick(instructions), input=f"Words: {', '.join(items)}", output=output)


def repeat(world: World) -> Task:
    """The same list."""
    items = draw(world)
    return order(world, items, items, "Say the list again.", "Repeat the words.")


def backwards(world: World) -> Task:
    """From the last to the first."""
    items = draw(world, 3, 5)
    return order(world, items, items[::-1], "Say the list backwards.", "Turn the list around.")


def first(world: World) -> Task:
    """The first word."""
    items = draw(world)
    return order(world, items, items[0], "Say the first word of the list.", "Which word is the first?")


def last(world: World) -> Task:
    """The last word."""
    items = draw(world)
    return order(world, items, items[-1], "Say the last word of the list.", "Which word is the last?")


def how_many(world: World) -> Task:
    """How many words there are."""
    items = draw(world, 1, 7)
    return order(world, items, NUMBERS[len(items) - 1], "Count the words.", "How many words are in the list?")


def after(world: World) -> Task:
    """The word after another one."""
    items = draw(world, 4, 6)
    place = int(world.random() * (len(items) - 1))
    word = items[place]
    return order(world, items, items[place + 1], f"Say what comes after {word}.", f"Which word is next after {word}?")


def without(world: World) -> Task:
    """All but one."""
    items = draw(world, 3, 5)
    word = world.pick(items)
    rest = [item for item in items if item != word]
    return order(world, items, rest, f"Say the list without {word}.", f"Leave out {word}.")


def instead(world: World) -> Task:
    """Another word in the place of one."""
    *items, other = draw(world, 4, 6)
    word = world.pick(items)
    changed = [other if item == word else item for item in items]
    return order(world, items, changed, f"Say the list with {other} instead of {word}.", f"Change {word} to {other}.")


def is_in(world: World) -> Task:
    """Yes or no: whether a word is there."""
    *items, other = draw(world, 4, 6)
    word = world.pick(items) if world.chance(0.5) else other
    answer = "yes" if word in items else "no"
    return order(world, items, answer, f"Yes or no: is {word} in the list?", f"Say yes or no: the list has {word}.")


def odd_one_out(world: World) -> Task:
    """The word of another category than the others."""
    many, one = world.sample(tuple(CATEGORIES), 2)
    odd = world.pick(CATEGORIES[one])
    items = world.sample(CATEGORIES[many], 3)
    items.insert(int(world.random() * 4), odd)
    return order(world, items, odd, "Say which word does not belong here.", "Find the odd one out.")


def only(world: World) -> Task:
    """The words of one category among those of two, in their order."""
    kept, other = world.sample(tuple(CATEGORIES), 2)
    chosen = world.sample(CATEGORIES[kept], 2)
    items = world.sample(CATEGORIES[other], 2)
    for word in reversed(chosen):
        items.insert(int(world.random() * (len(items) + 1)), word)
    found = [item for item in items if item in chosen]
    return order(world, items, found, f"Say only the {kept}.", f"Pick out the {kept}.")


def by_number(world: World) -> Task:
    """Sorted by the numbers that stand before the words."""
    numbers = [NUMBERS.index(word) for word in world.sample(NUMBERS[1:7], 3)]
    pairs = list(zip(numbers, world.sample(words.FOODS, 3), strict=True))
    spoken = [f"{NUMBERS[number]} {food}" for number, food in pairs]
    ordered = [f"{NUMBERS[number]} {food}" for number, food in sorted(pairs)]
    return order(world, spoken, ordered, "Sort the list by number.", "Put the small numbers first.")


def with_and(world: World) -> Task:
    """As it is said in a sentence: "milk, eggs, and tea"."""
    items = draw(world)
    return order(world, items, join(items), "Write the list with and before the last word.", "Put and into the list.")


def second(world: World) -> Task:
    """The second word: never trained on."""
    items = draw(world)
    return order(world, items, items[1], "Say the second word of the list.", "Which word is the second?")


def before(world: World) -> Task:
    """The word before another one: never trained on."""
    items = draw(world, 4, 6)
    place = 1 + int(world.random() * (len(items) - 1))
    word = items[place]
    return order(world, items, items[place - 1], f"Say what comes before {word}.", f"Which word is just before {word}?")
