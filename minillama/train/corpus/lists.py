# ruff: noqa: E501 (a sentence of a story stays on one line)
"""Stories in which a list is said and said again in the same order: things to buy, to sing, to do."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.cast import add_worker, animal, ensure_friend
from minillama.train.corpus.openings import one_day, opening
from minillama.train.corpus.phrases import arrive, count_words, ending, feel, join, meet_helper, pet_beat, thank_helper
from minillama.train.corpus.world import World


def _draw_list(world: World, items: tuple[str, ...], low: int = 3, high: int = 5) -> list[str]:
    chosen = world.sample(items, low + int(world.random() * (high - low + 1)))
    world.parts["list"] = join(chosen)
    world.parts["n"] = count_words(len(chosen))
    world.listed = chosen
    return chosen


def _one_by_one(world: World, items: list[str]) -> None:
    """Names the items again in their order, as a row of short sentences."""
    first, *middle, last = items
    world.parts.update(first=first, last=last)
    steps = " ".join(f"{world.pick(('Then', 'Next', 'After that'))} came the {item}." for item in middle)
    world.parts["steps"] = steps
    world.say("First came the {first}. {steps} Last came the {last}.")


def shop(world: World) -> None:
    """A shopping list is learned, nearly forgotten, and bought in order."""
    opening(world)
    items = _draw_list(world, words.FOODS)
    add_worker(world)
    world.parts["w"] = world.parts["g"]
    world.add_thing("o", noun=world.pick(("basket", "bag", "box")), look=world.fresh(words.COLOURS), holder="e")
    one_day(world)
    world.say("{when}{e} sent {h.n} to the market.", "{when}{e.n} needed some things from the market.")
    world.say('"We need {list}," said {e.n}.', '"Please buy {list}," {e.he} said. "Can you keep that in mind?"')
    world.give("e", "h", "o")
    world.say("{e} gave {h.n} {o.a} and some coins.", "{h} took {o.a} and went.")
    world.say(
        '"{list.cap}," said {h.n} [again and again|to {h.self}] on the way.',
        '{h} said it like a song: "{list.cap}."',
        '"{list.cap}," {h} said at every step.',
    )
    world.para()
    troubles = {
        "dog": ("Then a big dog came and barked, and {h.n} ran.", "A dog ran after {h.him} and barked."),
        "fall": ("Then {h} fell over a stone.", "Bump! {h} fell over a root."),
        "music": (
            "Then there was music in the street, and {h.n} stopped to listen.",
            "A man with a drum came by, and {h.n} danced.",
        ),
    }
    world.say(*troubles[world.obstacle])
    world.say("After that, {h.he} had forgotten the list.", '"Oh no! What was it?" thought {h.n}.')
    if world.resolution == "helper":
        world.parts["first"] = items[0]
        meet_helper(world)
        world.say('"What was the first thing?" asked {g.n}. "{first.cap}!" said {h.n}.')
        world.say(
            '"And then?" asked {g.n}. Then {h.n} knew it again: {list}.', 'And then {h} knew it again: "{list.cap}!"'
        )
        thank_helper(world)
    else:
        world.say("{h} closed {h.his} eyes and thought hard.", "{h} sat down and thought. What had {e.n} said?")
        world.say('"{list.cap}!" {h} said at last.', 'Then it came back: "{list.cap}!"')
    world.place("d", "market")
    arrive(world, "d")
    world.say('"What do you need?" asked {w.n}.', '"Good day! What can I do for you?" asked {w.n}.')
    world.say('"{list.cap}, please," said {h.n}.')
    _one_by_one(world, items)
    world.say("All {n} things were in {o.full}.", "{h} put everything in {o.full}, and it was [very |]heavy.")
    world.para()
    world.give("h", "e", "o")
    world.say(
        "At home, {e.n} looked into {o.full}. There were {list}.",
        "{h} gave {o.full} to {e.n}. {e.he.cap} took out {list}.",
    )
    world.say('"You forgot nothing!" said {e.n}.', '"All {n} things! Well done," said {e.n}.')
    feel(world, "h", "proud")
    ending(world, "A song helps to remember.", '"Tomorrow you may go again," said {e.n}.')


def cook(world: World) -> None:
    """Something is cooked with several things that go into the pot in order."""
    opening(world)
    items = _draw_list(world, words.FOODS)
    world.parts["meal"] = world.pick(("soup", "cake", "pudding", "pie", "stew"))
    one_day(world)
    world.say(
        "{when}{T} wanted to make a {meal} for {e.n}.",
        "{when}{T} {T.was} very hungry. " + '"{I.cap} will make a {meal}," said {h.n}.',
    )
    world.say("In an old book it said: {list}.", '"For a good {meal} you need {list}," said {e.n}.')
    troubles = {
        "none": (
            "But one thing was missing. {T} could not find any {lastitem}.",
            'But one shelf was empty. "We need {lastitem}," said {h.n}.',
        ),
        "jar": ("But the {lastitem} stood on the highest shelf.", "But {h} could not reach the {lastitem}."),
        "far": ("But the neighbour had taken the {lastitem}.", "But {e} had used up all the {lastitem}."),
    }
    world.parts["lastitem"] = items[-1]
    world.para()
    world.say(*troubles[world.obstacle])
    if world.resolution == "helper":
        meet_helper(world)
        world.say(
            '"I have enough {lastitem} for all of us," said {g.n}.',
            '{g} came back with {lastitem}. "Here you are," {g.he} said.',
        )
        thank_helper(world)
    else:
        world.say("{h} ran to the neighbour and came back with {lastitem}.", "{h} put a chair on the table and climbed up. Behind the tea, {h.he} found some {lastitem}." if items[-1] != "tea" else
                  "{h} put a chair on the table and climbed up. Behind the pots, {h.he} found some {lastitem}.")  # fmt: skip
    world.para()
    world.say("Then the work began.", '"{I.cap} will begin," said {h.n}.', "Soon the fire was hot.")
    _one_by_one(world, items)
    world.say('"{list.cap}," sang {T.n}.', '"{list.cap}," said {h.n}. "Is that all? Yes!"')
    world.say(
        "It smelled wonderful.", "{h} stirred it for a long time with a big spoon.", "The pot went blub, blub, blub."
    )
    world.say(
        'When {e.n} tasted it, {e.he} closed {e.his} eyes. "How good!" {e.he} said.',
        '"What is in it?" asked {e.n}. "{list.cap}," said {h.n}.',
    )
    feel(world, "h", "proud")
    ending(world, "What you make yourself tastes best.", "There was not one spoon of it left.")


_SONG = (
    "sun",
    "moon",
    "star",
    "rain",
    "wind",
    "bird",
    "bee",
    "tree",
    "rose",
    "snow",
    "fish",
    "hill",
    "bell",
    "boat",
    "cloud",
)


def song(world: World) -> None:
    """A song with things in an order is learned for a show, forgotten, and remembered."""
    opening(world)
    items = _draw_list(world, _SONG, 4, 6)
    world.parts["song"] = ", ".join(items)
    one_day(world)
    world.say("{when}{e} taught {h.n} a song.", "{when}{h} had to learn a song for the feast.")
    world.say(
        '"{song.cap}, sing along," it went.',
        'It went like this: "{song.cap}, come and sing with me."',
        '"{song.cap}, all are friends of mine," {e.n} sang.',
    )
    world.say('{h} sang it in the morning: "{song.cap}."', 'All day long, {h.n} sang, "{song.cap}."')
    world.para()
    troubles = {
        "stage": (
            "Then the evening of the feast came. Everybody looked at {h.n}.",
            "When the feast began, {h.n} stood in front of everybody.",
        ),
        "noise": (
            "At the feast, somebody dropped a plate, and {h.n} forgot everything.",
            "At the feast, there was so much noise that {h.n} could not think.",
        ),
        "sleep": (
            "{h} had slept too little, and at the feast {h.his} head was empty.",
            "At the feast, {h.n} was so tired that {h.he} forgot the words.",
        ),
    }
    world.say(*troubles[world.obstacle])
    feel(world, "h", "afraid")
    world.parts["first"] = items[0]
    if world.pair:
        world.say('"{first.cap}," whispered {f.n} from behind.', '{f} smiled and whispered, "{first.cap}."')
    else:
        world.say(
            '"{first.cap}," whispered {e.n} from the first row.',
            "{h} looked up and saw a picture on the wall. It showed the {first}.",
        )
    world.say("Then {h} knew it again.", "Then all the words came back.")
    world.say('"{song.cap}," sang {h.n}[, loud and clear|].', '{h} sang, "{song.cap}," and everybody was quiet.')
    world.say('And everybody sang, "{song.cap}!"', 'And then they all sang together: "{song.cap}!"')
    feel(world, "h", "proud")
    ending(
        world,
        "With a friend behind you, nothing is too hard." if world.pair else "One small word can help.",
        '"{song.cap}," sang {h.n} on the way home.',
    )


def hide(world: World) -> None:
    """A game of hide and seek: names are called in order, and found in the same order."""
    ensure_friend(world)
    opening(world)
    kinds = world.sample(words.ANIMALS, 3 + int(world.random() * 2))
    called = world.chance(0.5)
    names = [animal(world, named=1.0).name if called else f"the {kind}" for kind in kinds]
    world.listed = names
    world.parts["list"], world.parts["n"] = join(names), count_words(len(names))
    one_day(world)
    world.say(
        "{when}{T} played hide and seek with {list}.",
        '{when}{T} met {list}. "Let us play hide and seek!" said {h.n}.',
    )
    world.say("{h} closed {h.his} eyes and counted to ten.", '{h} counted, "One, two, three, four, five."')
    world.say("{f} was the best at hiding.", "Everybody ran away, and {f.n} ran, too.")
    world.para()
    spots = world.sample(
        (
            "behind a tree",
            "under a bush",
            "behind the wall",
            "in a barrel",
            "under a cart",
            "in the hay",
            "behind the door",
            "in a hole",
        ),
        len(names),
    )
    for position, (name, spot) in enumerate(zip(names, spots, strict=True)):
        world.parts["name"], world.parts["spot"] = name, spot
        lead = ("First, ", "Then ", "After that, ", "Next, ")[position]
        world.say(lead + "{h} found {name} {spot}.")
    troubles = {
        "gone": ("But where was {f}?", "But {f} was not there."),
        "late": ("It got late, and {f} was still hidden.", "But nobody could find {f}."),
        "quiet": (
            '"{f.call}, where are you?" {h} called. No answer.',
            "{f} was still not there. Everything was quiet.",
        ),
    }
    world.say(*troubles[world.obstacle])
    feel(world, "h", "sad")
    world.say('"Let us all call," said {h.n}. {list.cap} helped to look.', "Then they all went to look: {list}.")
    world.say(
        "And there {f.he} was! {f.n} had fallen asleep in a [warm|quiet] corner.",
        "At last, they heard a laugh. {f.n} sat in a tree above them.",
    )
    feel(world, "f", "happy")
    ending(world, "It was the best game of the year.", '"Tomorrow I will hide," said {h.n}.')


_ERRANDS = ("feed the hens", "sweep the floor", "wash the cups", "water the roses", "close the gate", "light the lamp", "make the bed", "fill the bucket", "cut the bread", "pick the beans")  # fmt: skip


def errands(world: World) -> None:
    """Several things are to be done in an order, and are done in that order."""
    opening(world)
    jobs = world.sample(_ERRANDS, 3 + int(world.random() * 2))
    world.listed = jobs
    world.parts["list"], world.parts["n"], world.parts["last"] = join(jobs), count_words(len(jobs)), jobs[-1]
    one_day(world)
    world.say("{when}{e} had to go away until the evening.", "{when}{e} was very tired.")
    world.say('"Please {list}," said {e.n}. "Can you do that?"', '"There is much to do," said {e.n}. "{list.cap}."')
    world.say('"{list.cap}," said {h.n}. "I can do that."', '{h} counted on {h.his} fingers: "{list.cap}."')
    world.para()
    past = {
        "feed": "fed",
        "sweep": "swept",
        "wash": "washed",
        "water": "watered",
        "close": "closed",
        "light": "lit",
        "make": "made",
        "fill": "filled",
        "cut": "cut",
        "pick": "picked",
    }
    for position, job in enumerate(jobs):
        verb, _, rest = job.partition(" ")
        world.parts["job"] = f"{past[verb]} {rest}"
        lead = ("First, ", "Then ", "After that, ", "Next, ")[position] if position < len(jobs) - 1 else "At last, "
        world.say(lead + "{h} {job}.")
        if position == 0:
            troubles = {
                "play": (
                    "A butterfly flew by, and {h} wanted to run after it. But there was work to do.",
                    '"Come and play!" called the birds. "Later," said {h.n}.',
                ),
                "forget": (
                    "What came next? {h.n} thought for a moment.",
                    '"What was the next thing?" {h} thought. Then {h} knew it.',
                ),
                "tired": ("That was not easy, but {h} went on.", "{h} was a bit tired, but there was more to do."),
            }
            world.say(*troubles[world.obstacle])
    if world.resolution == "helper" and world.pair:
        world.say("{f} came by and helped with the last one.")
    pet_beat(world)
    world.para()
    world.say("In the evening, {e.n} came and looked around.", "When it got dark, {e.n} looked at everything.")
    world.say(
        '"Did you do it all?" asked {e.n}. "{list.cap}?" "Yes, all {n} things," said {h.n}.',
        '"All {n} things are done!" said {h.n}. "{list.cap}!"',
    )
    feel(world, "e", "happy")
    ending(world, "One thing after another, and the work is done.", '"You are a big help," said {e.n}.')
