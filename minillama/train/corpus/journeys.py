# ruff: noqa: E501 (a sentence of a story stays on one line)
"""Stories that lead somewhere: somebody wants to find, return, bring, visit, fetch or see something.

Every journey is a goal, one obstacle of obstacles.py and one kind of resolution; the combination is drawn by the plan.
"""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.cast import add_worker
from minillama.train.corpus.obstacles import overcome
from minillama.train.corpus.openings import one_day, opening
from minillama.train.corpus.phrases import arrive, ending, feel, look_around, recall, walk
from minillama.train.corpus.world import World


def find(world: World) -> None:
    """A thing is lost, looked for in several places, and found."""
    opening(world)
    world.add_thing("o", holder="h", owner="h")
    world.place("d", world.fresh(tuple(words.PLACES)))
    world.say(
        "{h} had {o.a}[, a gift from {e.n}|]. {h.he.cap} [loved it more than anything|took it everywhere].",
        "{e} had given {h.n} {o.a}. It was {h.his} [dearest thing|favourite thing in the world].",
    )
    one_day(world)
    world.drop("h", "o")
    world.say(
        "{when}{h} [could not find {o.full}|looked for {o.full}, but it was gone].",
        "{when}{o.full} was [gone|not there any more].",
    )
    feel(world, "h", "sad")
    spots = world.sample(("bed", "table", "chair", "bench", "cupboard", "big tree", "sofa", "hedge"), 2)
    world.parts["a"], world.parts["b"] = spots
    world.say(
        "{T} looked under the {a}. It was not there. {T} looked behind the {b}. It was not there.",
        "It was not under the {a}. It was not near the {b}.",
        "{T} looked everywhere: under the {a}, behind the {b}, and [in every corner|even in the soup pot].",
    )
    world.say(
        '"When did I have it last?" {h} thought. "It was {d.at}!"',
        '"Where were you yesterday?" asked {e.n}. "I was {d.at}!" said {h.n}.',
        '"I must have lost it {d.at}," said {h.n}.',
    )
    walk(world, "d")
    overcome(world)
    arrive(world, "d")
    world.take("h", "o")
    world.say(
        "There, [in the grass|between two stones|under a leaf|near an old box], lay {o.full}!",
        "And what was that? Something [shone|lay] [in the grass|on the ground]. It was {o.full}!",
        "{T} looked and looked. Then {h.n} saw {o.full} [under a bush|next to a tree|on the ground].",
    )
    world.say("{h} picked it up and held it [tightly|close].", '"[Here it is|I have it]!" {h} cried and picked it up.')
    feel(world, "h", "happy")
    recall(world)
    ending(
        world,
        "{h} put {o.full} [next to {h.his} bed|in a safe place] and never lost it again.",
        "After that, {h} always took good care of {h.his} things.",
        '"If you look long enough, you will find it," said {e.n}.',
    )


def give_back(world: World) -> None:
    """A thing is found, and its owner is looked for."""
    world.add_thing("o")
    world.parts["pl"] = world.pick(("on the road", "in the grass", "under a tree", "by the gate", "on a bench"))
    quick = world.chance(0.5) and world.episode == 1
    if quick:
        world.say("{h} found {o.a} {pl}.", "One day, {h.n} found {o.a} {pl}.", "{T.n} found {o.a} {pl}.")
        world.say("{h} was {h.desc}, and {h.he} [looked at it for a long time|picked it up]." if world.character("h").named
                  else "{h} picked it up. {h.he.cap} was {h.desc}.")  # fmt: skip
        world.parts.update(time="morning", love="to sing")
    else:
        opening(world)
        one_day(world)
        world.say("{when}{h} found {o.a} {pl}.", "{when}{T} saw something {pl}. It was {o.a}.")
        world.say("{h} picked it up.", '"How pretty!" said {h.n} and picked it up.')
    world.take("h", "o")
    worker = add_worker(world)
    world.thing("o").owner = worker
    world.parts["w"] = worker
    world.place("d", world.fresh(tuple(words.PLACES)))
    world.say(
        '"Whose {o.noun} is this?" {h} asked.',
        '"Somebody has lost it," said {h.n}. "Somebody is sad now."',
        "{h} wanted to keep it. But it was not {h.his} {o.noun}.",
    )
    names = world.sample(("the cook", "the old man", "the sheep", "the cow", "the postman", "the painter"), 2)
    world.parts["a"], world.parts["b"] = names
    world.para()
    world.say(
        'First, {T} asked {a}. "No, it is not mine," said {a}. Then {T} asked {b}. "Not mine," said {b}.',
        '{T} asked {a}, "Is this your {o.bare}?" But {a} said no. {T} asked {b}. But {b} said no, too.',
    )
    world.say(
        '"Ask {w.n}," said {b}. "I saw {w.him} {d.at}."',
        '"I think it belongs to {w.n}," said {b}. "Go and look {d.at}."',
    )
    walk(world, "d")
    overcome(world)
    arrive(world, "d")
    world.say(
        "There [was|stood|sat] {w.n}, and {w.he} looked sad.",
        "{w} was there. {w.he.cap} was looking for something on the ground.",
    )
    world.say('"Is this your {o.noun}?" asked {h.n}.', '"We found something," said {h.n}. "Is it yours?"' if world.pair else
              '"I found something," said {h.n}. "Is it yours?"')  # fmt: skip
    world.give("h", "w", "o")
    world.say(
        '"My {o.bare}!" cried {w.n}. "I have looked for it all day!"', '"Yes, yes, that is my {o.bare}!" said {w.n}.'
    )
    world.say("{h} gave {o.full} to {w.n}.", "{h} put {o.full} in {w.s} hand.")
    world.parts["gift"] = world.pick(words.SNACKS)
    world.say('"You are honest," said {w.n} and gave {h.n} a {gift}.', '"Thank you for your honest heart," said {w.n}.')
    feel(world, "h", "happy")
    ending(
        world,
        "It is good to find a thing, but it is better to give it back.",
        '"You did the right thing," said {e.n}.',
        "{h} had nothing in {h.his} hands, but {h.his} heart was full.",
    )


def deliver(world: World) -> None:
    """A thing is brought to somebody who lives far away."""
    opening(world)
    elder = world.character("e")
    others = [entry for entry in words.ELDERS if entry[0] != elder.name]
    name, pronoun = world.pick(others)
    world.parts["w"] = type(elder)(name, "grown-up", pronoun, "kind", "", name)
    world.parts["give"] = world.pick(("soup", "cookies", "bread", "apples", "eggs", "tea", "flowers", "honey"))
    world.add_thing(
        "o", noun=world.pick(("basket", "bag", "box", "pot", "bucket")), look=world.fresh(words.COLOURS), holder="e"
    )
    world.place("d", world.fresh(tuple(words.PLACES)))
    one_day(world)
    world.say(
        '{when}{e} said, "{w} is [ill|alone|hungry] today. [Will you bring|Can you bring] {w.him} some {give}?"',
        '{when}{e} called {h.n}. "Please take some {give} to {w.n}," {e.he} said.',
    )
    world.give("e", "h", "o")
    world.say("{e} put the {give} in {o.a} and gave it to {h.n}.", "{e} gave {h.n} {o.a} with {give} in it.")
    world.say(
        '"I will be careful," said {h.n}.', '"Do not [stop|run], and do not drop it," said {e.n}.',
        "{w} lived near {d}, and that was far away.",
    )  # fmt: skip
    walk(world, "d")
    overcome(world)
    arrive(world, "d")
    world.say(
        "The house of {w.n} stood [near an old tree|behind a wall|at the end of the path].",
        "There was the little house of {w.n}.",
    )
    world.say('"Who is there?" asked {w.n}. "It is {h.call}!" said {h.n}.',
              "{h} knocked at the door, and {w.n} opened it.")  # fmt: skip
    world.give("h", "w", "o")
    world.say(
        "{h} gave {w.n} {o.full}. Nothing was [broken|missing].",
        '"This is for you," said {h.n} and gave {w.n} {o.full}.',
    )
    world.say('"{give.cap}! Just what I need," said {w.n}.', "{w} looked into it and smiled.")
    feel(world, "h", "proud")
    if world.parts["give"] not in ("flowers", "tea"):
        world.say("They ate the {give} together.", "")
    ending(
        world,
        '"I knew that you could do it," said {e.n}.',
        "Even small feet can go a long way.",
        "{w} felt better that very day.",
    )


def visit(world: World) -> None:
    """Somebody is invited and has to get there in time, with a present."""
    opening(world)
    host = add_worker(world)
    world.parts["w"] = host
    world.place("d", world.fresh(tuple(words.PLACES)))
    world.parts["feast"] = world.pick(("birthday", "party", "dance", "feast", "concert"))
    one_day(world)
    world.say(
        '{when}a letter came. It was from {w.n}. "Come to my {feast} {d.at}!" it said.',
        '{when}{w} called, "Come to my {feast} {d.at} [tonight|this evening|today]!"',
    )
    feel(world, "h", "happy")
    world.add_thing("o", holder="h")
    world.say(
        '"I need a present," said {h.n}. {h.he.cap} took {o.a} and put [paper|a bow] around it.',
        "{h} thought about a present for a long time. Then {h} chose {o.a}.",
    )
    walk(world, "d")
    overcome(world)
    arrive(world, "d")
    world.say(
        "There were lights in all the trees, and music.", "Everybody was there: the hens, the goats, and the old horse.",
        "The table was full of good things.",
    )  # fmt: skip
    world.give("h", "w", "o")
    world.say('"You are here!" cried {w.n}. {h.n} gave {w.him} {o.full}.', "{h} gave {w.n} {o.full}.")
    world.say(
        '"It is just what I wanted," said {w.n}.',
        '"A {o.bare}! Thank you!" said {w.n}.',
        "{w} put it in the middle of the table.",
    )
    world.say("Everybody danced until late.", "They all ate cake and sang.", "There was cake, and there were games.")
    feel(world, "h", "happy")
    ending(
        world,
        "It is not far to a friend's house.",
        '"Next time, I will visit you," said {w.n}.',
        "The best present was that all were together.",
    )


def fetch(world: World) -> None:
    """Somebody is ill, and what helps grows far away."""
    opening(world)
    world.parts["plant"] = plant = world.pick(("flower", "leaf", "root", "berry", "mushroom", "herb"))
    world.add_thing("o", noun=plant, look=world.pick(words.COLOURS))
    world.place("d", world.fresh(tuple(words.PLACES)))
    one_day(world)
    world.say(
        "{when}{e} was ill. {e.he.cap} lay in bed and [was very hot|could not get up].",
        "{when}{e} had a bad cough. {e.he.cap} could not [eat|sleep].",
    )
    world.say(
        'The doctor said, "Only tea from {o.a} can help. It grows {d.at}."',
        "There was an old book. It said that tea from {o.a} would help. It grew only {d.at}.",
    )
    world.say(
        '"I will get it," said {h.n}.',
        '"I will go," said {h.n}. {h.he.cap} loved {e.n} very much.',
    )
    walk(world, "d")
    overcome(world)
    arrive(world, "d")
    world.add_thing(
        "p", noun=plant, look=world.fresh([colour for colour in words.COLOURS if colour != world.thing("o").look])
    )
    world.say(
        "There were two kinds: {o.a} and {p.a}. {T} remembered: it had to be the {o.bare}.",
        'There {h.n} saw {p.a}. "No, not that one," said {h.n}. Next to it was {o.a}. "That one!"',
    )
    world.take("h", "o")
    world.say("{h} picked {o.full} and put it in {h.his} pocket.", "Very carefully, {h} took {o.full}.")
    look_around(world, "d")
    world.para()
    world.say("{T} ran all the way home.", "The way home was easy, and {T} ran.")
    world.say("{h} made hot tea from {o.full}.", "Soon the tea from {o.full} was ready.")
    world.say(
        "{e} drank it, and {e.he} slept. In the morning, {e.he} was well.",
        "{e} drank it slowly. After one hour, {e.he} sat up and smiled.",
    )
    feel(world, "h", "happy")
    ending(
        world,
        "Love makes the long way short.",
        '"You are my little hero," said {e.n}.',
        "And {h.n} was never afraid of that path again.",
    )


def explore(world: World) -> None:
    """Somebody wants to see something that they have only heard about."""
    opening(world)
    world.place(
        "d", world.fresh(("beach", "mountain", "lake", "cave", "mill", "bridge", "library", "bakery", "market"))
    )
    world.parts["sight"] = world.pick(
        ("a rainbow from above", "the biggest tree in the world", "the snow", "a falling star", "the place where the wind sleeps",
         "the blue bird", "the oldest turtle", "the white horse")
    )  # fmt: skip
    one_day(world)
    world.say(
        '{when}{e} told a story. "You can see {sight}," {e.he} said. "But only {d.at}."',
        "{h} had a dream. {h.he.cap} wanted to see {sight}. People said that one could see it {d.at}.",
    )
    world.say('"I want to go there," said {h.n}.', '"Is that true?" asked {h.n}. "I will go and look."')
    world.add_thing("o", holder="e")
    world.give("e", "h", "o")
    world.say('"Take this with you," said {e.n} and gave {h.him} {o.a}.', "{e} gave {h.n} {o.a} for the way.")
    walk(world, "d")
    overcome(world)
    arrive(world, "d")
    world.say("{T} waited and looked.", "At first, there was nothing.", "It was very quiet.")
    world.say("And then {T} saw it: {sight}!", "Then, there it was: {sight}!")
    world.say(
        "It was more beautiful than in any story.",
        "Nobody said a word.",
        "{T} stood there with open mouths." if world.pair else "",
    )
    feel(world, "h", "happy")
    world.say("{h} held {o.full} and did not want to go home.", "")
    ending(
        world,
        "The world is big and full of wonders.",
        '"The story is true," {h} told {e.n}.',
        "Those who go and look will see.",
    )


JOURNEYS = {"find": find, "return": give_back, "deliver": deliver, "visit": visit, "fetch": fetch, "explore": explore}
