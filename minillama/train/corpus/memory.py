# ruff: noqa: E501 (a sentence of a story stays on one line)
"""Stories in which something must be kept in mind: lists said twice in the same order, and who has which thing."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.cast import add_worker, animal
from minillama.train.corpus.daily import ensure_friend
from minillama.train.corpus.phrases import (
    arrive,
    count_words,
    ending,
    feel,
    join,
    meet_helper,
    one_day,
    opening,
    pet_beat,
    recall,
    thank_helper,
    walk,
)
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


def trade(world: World) -> None:
    """A chain of swaps: at each step it matters who has what."""
    opening(world)
    swaps = 2 + int(world.random() * 2)
    world.add_thing("o", holder="h", owner="h")
    goal = world.pick(("a pair of skates", "a warm coat", "a jar of honey", "a ticket for the boat", "a big cake"))
    world.parts["goal"] = goal
    one_day(world)
    world.say(
        "{h} had {o.a}. But {h.he} wished for {goal}.",
        "{when}{h} wanted {goal} for {e.n}. But all {h.he} had was {o.a}.",
    )
    world.say('"{Iam.cap} poor," said {h.n}, "but {I} can swap."', "So {T} went [to the market|from house to house].")
    last = "o"
    for step in range(swaps):
        worker = add_worker(world)
        while worker.name in world.taken:
            worker = add_worker(world)
        world.taken.append(worker.name)
        world.parts["w"] = worker
        part = f"x{step}"
        world.add_thing(part, holder="w")
        world.parts["a"], world.parts["b"] = world.parts[last], world.parts[part]
        world.para()
        world.say(
            "{T} met {w.n}. {w.he.cap} had {b.a}.",
            "Then {w} came by with {b.a}.",
            "In a small shop, {w.n} had {b.a}.",
        )
        world.say(
            '"What a fine {a.bare}!" said {w.n}. "Will you swap?"',
            '"I need a {a.bare}," said {w.n}. "I will give you my {b.bare} for it."',
        )
        world.give("h", "w", last)
        world.give("w", "h", part)
        world.say(
            "So {h} gave {w.n} {a.full} and got {b.full}.", "{h} gave {w.n} {a.full}, and {w.n} gave {h.n} {b.full}."
        )
        world.say("{w} had {a.full}, and {h.n} had {b.full}.", "{h} put {b.full} under {h.his} arm.", "")
        last = part
    world.parts["b"] = world.parts[last]
    world.para()
    worker = animal(world, named=0.0)
    worker.adjective = "old"
    world.parts["w"] = worker
    world.say("At the end of the road sat {w.desc}. {w.he.cap} had {goal}.", "Then {T} met {w.desc} who had {goal}.")
    world.say(
        '"Please, will you take my {b.bare} for it?" asked {h.n}.',
        '"I have looked for a {b.bare} all my life," said {w.n}.',
    )
    world.give("h", "w", last)
    world.say("{w} took {b.full}, and {h.n} got {goal}.", "{h} gave {b.full} to {w.n}. And so {h.he} got {goal}.")
    feel(world, "h", "happy")
    ending(
        world,
        "What is old for one is new for another.",
        '"All that from {o.a}!" laughed {e.n}.',
        "Everybody had what they wanted.",
    )


def mix_up(world: World) -> None:
    """Two have the same kind of thing in two colours; they are mixed up and put right."""
    ensure_friend(world)
    opening(world)
    noun = world.fresh(words.THINGS)
    looks = world.sample(words.COLOURS, 2)
    world.add_thing("o", noun, looks[0], holder="h", owner="h")
    world.add_thing("p", noun, looks[1], holder="f", owner="f")
    one_day(world)
    world.say("{h} had {o.a}, and {f.n} had {p.a}.", "{e} gave {h.n} {o.a}. {e.he.cap} gave {f.n} {p.a}.")
    world.say(
        "{h} [loved|liked] {o.full}, and {f.n} [loved|liked] {p.full}.",
        "The {o.bare} was for {h.n}, and the {p.bare} was for {f.n}.",
    )
    world.say(
        "They played all day and put everything on the grass.",
        "They played together and put their things under a tree.",
    )
    world.drop("h", "o")
    world.drop("f", "p")
    world.para()
    troubles = {
        "rain": (
            "Then it began to rain, and both ran home.",
            "Suddenly it rained, and they took their things and ran.",
        ),
        "dark": ("When it got dark, they went home quickly.", "It got dark, and one could not see any colours."),
        "call": ("Then {e} called, and both ran home.", '"Come home!" called {e.n}, and they ran.'),
    }
    world.say(*troubles[world.obstacle])
    world.take("h", "p")
    world.take("f", "o")
    world.say(
        "At home, {h.n} looked at what {h.he} had. It was {p.full}!",
        '"This is not my {o.noun}," said {h.n} at home. It was {p.full}.',
    )
    world.say('"I have {p.full}," {h} said. "So {f} must have {o.full}."', "{h} had {p.full}, and {f.n} had {o.full}.")
    world.para()
    world.say("The next morning, {h.n} went to {f.n}.", "Early in the morning, {h.n} met {f.n} on the road.")
    world.say('"You have {o.full}, and I have {p.full}," said {h.n}.', '"Look, this is your {p.bare}," said {h.n}.')
    world.give("h", "f", "p")
    world.give("f", "h", "o")
    world.say(
        "{h} gave {p.full} to {f.n}, and {f.n} gave {o.full} to {h.n}.", "{f} took {p.full}, and {h.n} took {o.full}."
    )
    world.say(
        "So {h} had {o.full} again, and {f.n} had {p.full}.",
        "Everything was right again: the {o.bare} for {h.n} and the {p.bare} for {f.n}.",
    )
    ways = {
        "clever": ("{h} tied a string around {h.his} {o.noun}, so that it would not happen again.",),
        "patient": ("After that, they always looked twice.",),
        "helper": ("{e} wrote a name on each of them.",),
    }
    world.say(*ways.get(world.resolution, ways["patient"]))
    feel(world, "f", "happy")
    recall(world)
    ending(world, "Friends can mix up everything, but not their hearts.", "They laughed about it for a long time.")


def boxes(world: World) -> None:
    """Three boxes, each with a thing inside: what was said about them must be kept in mind."""
    opening(world)
    colours = world.sample(words.COLOURS, 3)
    inside = world.sample(
        ("gold", "seeds", "bread", "stones", "letters", "shells", "nuts", "water", "feathers", "sand"), 3
    )
    container = world.pick(("box", "jar", "bag", "pot", "basket"))
    world.place("d", world.fresh(("cave", "barn", "mill", "forest", "mountain", "library")))
    world.parts.update(c=container, cs="boxes" if container == "box" else container + "s")
    world.parts.update(c1=colours[0], c2=colours[1], c3=colours[2], i1=inside[0], i2=inside[1], i3=inside[2])
    world.listed = colours
    one_day(world)
    world.say(
        '{when}{h} found an old letter. "Go to {d} and choose well," it said.',
        "{when}{e} told {h.n} about somebody {d.at} who gave good things away.",
    )
    walk(world, "d")
    arrive(world, "d")
    keeper = animal(world, named=0.0)
    keeper.adjective = world.pick(("old", "wise", "big", "white"))
    world.parts["g"] = keeper
    world.say("There sat {g.desc}. In front of {g.him} were three {cs}: a {c1} one, a {c2} one, and a {c3} one.")
    world.say(
        '"The {c1} {c} is full of {i1}, the {c2} {c} is full of {i2}, and the {c3} {c} is full of {i3}," said {g.n}.'
    )
    which = int(world.random() * 3)
    world.parts["cx"], world.parts["ix"] = colours[which], inside[which]
    need = {
        "hungry": ("{e} needed {ix}. {h.n} thought about that.", '"At home, {e.n} needs {ix}," thought {h.n}.'),
        "friend": ("{h} knew somebody who had always wished for {ix}.", "{h} thought of a neighbour who needed {ix}."),
        "greedy": (
            '"You may take only one," said {g.n}. {h.n} wanted {ix}.',
            "{h} could take only one. {h.he.cap} wished for {ix}.",
        ),
    }
    world.para()
    world.say(*need[world.obstacle])
    if world.pair:
        world.say('"Which one was it?" whispered {f.n}.', '"Do you remember?" asked {f.n}.')
    world.say(
        "{h} thought of what {g.n} had said.",
        "{h} said it once more: {c1}, {c2}, {c3}.",
        "{h} did not have to think long.",
    )
    world.say('"The {cx} {c}, please," said {h.n}.', '"I take the {cx} one," said {h.n}.')
    world.say("{h} opened the {cx} {c}. It was full of {ix}!", "The {cx} {c} was full of {ix}, just as {g.n} had said.")
    world.say('"You have listened well," said {g.n}.', '"Good ears are worth more than gold," said {g.n}.')
    feel(world, "h", "happy")
    world.say("{T} carried the {cx} {c} home.", "{h} took the {cx} {c} and said goodbye.")
    ending(
        world,
        "Those who listen choose well.",
        "It is enough to take what one needs.",
        '"{ix.cap}!" cried {e.n}. "Just what was missing."',
    )


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


MEMORY = {
    "shop": (shop, ("dog", "fall", "music")),
    "cook": (cook, ("none", "jar", "far")),
    "song": (song, ("stage", "noise", "sleep")),
    "hide": (hide, ("gone", "late", "quiet")),
    "errands": (errands, ("play", "forget", "tired")),
    "trade": (trade, ("",)),
    "mix-up": (mix_up, ("rain", "dark", "call")),
    "boxes": (boxes, ("hungry", "friend", "greedy")),
}
