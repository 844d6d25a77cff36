"""Stories in which it matters who has which thing, and what is in which box."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.cast import add_worker, animal, ensure_friend
from minillama.train.corpus.openings import one_day, opening
from minillama.train.corpus.phrases import arrive, ending, feel, recall, walk
from minillama.train.corpus.world import World


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
