# ruff: noqa: E501 (a sentence of a story stays on one line)
"""Stories in which something is made, learned, grown or mended."""

from __future__ import annotations

from minillama.train.corpus.openings import one_day, opening
from minillama.train.corpus.phrases import ending, feel, meet_helper, pet_beat, thank_helper, way_out
from minillama.train.corpus.world import World


def build(world: World) -> None:
    """Something is built; it breaks, and is built better."""
    opening(world)
    world.parts["b"] = world.pick(
        ("tree house", "boat", "kite", "hut", "bird house", "bridge", "sled", "tower", "swing", "cart")
    )
    world.parts["m"] = world.pick(("wood", "old boards", "sticks and rope", "boxes", "branches"))
    one_day(world)
    world.say("{when}{T} wanted to build a {b}.", '{when}{h} said, "I will build a {b}."' if not world.pair else
              '{when}{h} said, "Let us build a {b}."')  # fmt: skip
    world.say(
        "{T} looked for {m}[ all morning|].", "Behind the house, {T} found [enough |]{m}.", "{e} gave {T.him} some {m}."
    )
    world.say("{h} held the {m}, and {f.n} made the knots." if world.pair else "{h} made one knot after the other.",
              "{T} worked until the sun was high.", "Knock, knock, knock went the hammer.")  # fmt: skip
    troubles = {
        "fall": (("But then the {b} fell over with a loud crash.", "But the {b} was not strong. Crash! It fell apart."), "It lay in pieces on the ground."),
        "wind": (("But in the night a strong wind came and broke the {b}.", "Then a storm came and blew the {b} away."), "Only a few pieces were left."),
        "short": (("But then {T} had used up all the {m}.", "But soon {T} had no {m} left."), "The {b} was only half done."),
    }  # fmt: skip
    world.para()
    world.tell(*troubles[world.obstacle])
    feel(world, "h", "sad")
    way_out(world, {
        "helper": (('"I will show you how," said {g.n}. "You must begin at the bottom."', '"I have built many things," said {g.n}. "Let me help."'),
                   ("{g} brought more {m} and worked with {T.him}.", "They all worked until the evening.")),
        "tool": (("{e} had an old hammer and a box of nails.", "{h} found a strong rope in the barn."),
                 ("With that, everything held together.", "{T} tied and pulled, and this time it held.")),
        "clever": (("{h} drew a plan with a stick in the sand.", '"It must be wide below and small above," said {h.n}.'),
                   ("Then {T} started again, but in a better way.", "{T} did it just like that.")),
        "patient": (("{T} began again from the start.", '"Then {I} will do it again," said {h.n}.'),
                    ("Piece by piece, the {b} grew.", "One day went by, and another, and then it was done.")),
    })  # fmt: skip
    world.say(
        "At last, the {b} was ready.",
        "The {b} was [stronger|better|bigger] than before.",
        "Now the {b} was strong and beautiful.",
    )
    feel(world, "h", "proud")
    ending(
        world, "What falls down can be built again.", "Good work needs time.", '"You did that very well," said {e.n}.'
    )


def learn(world: World) -> None:
    """Something is hard to learn, and is learned."""
    opening(world)
    skill, act = world.pick(
        (("swim", "swam from one side to the other"), ("whistle", "whistled a whole song"), ("ride a bike", "rode all around the house"),
         ("read", "read a whole page"), ("dance", "danced without one mistake"), ("climb", "climbed to the very top"),
         ("bake bread", "took a perfect bread out of the oven"), ("skate", "went over the ice like a bird"),
         ("play the flute", "played a song from start to end"), ("tie a knot", "tied a knot that held"),
         ("count to one hundred", "counted to one hundred"), ("paint", "painted a picture of the sea"))
    )  # fmt: skip
    world.parts["skill"], world.parts["act"] = skill, act
    one_day(world)
    world.say("{h} wanted to learn to {skill}.", "There was one thing that {h.n} could not do. {h.he.cap} could not {skill}.",
              "Everybody could {skill}, but not {h.n}.")  # fmt: skip
    world.para()
    troubles = {
        "fear": (("{h} tried, but {h.he} was afraid.", "But when {h.n} wanted to start, {h.his} legs shook."), '"I cannot do it," said {h.n}.'),
        "fail": (("{h} tried once. It went wrong. {h.he.cap} tried again. It went wrong again.", "The first time, it went very wrong."), '"It is too hard," said {h.n}.'),
        "laugh": (("{h} tried, and some big {bird} laughed.", "{h} tried, but the others laughed."), "That hurt a little."),
    }  # fmt: skip
    world.parts["bird"] = world.pick(("crows", "geese", "ducks", "goats"))
    world.tell(*troubles[world.obstacle])
    feel(world, "h", world.pick(("sad", "afraid")))
    if world.pair:
        world.say(
            '"I could not do it at first, too," said {f.n}.',
            '"Try it one more time," said {f.n}.',
            "{f} sat down next to {h.n}.",
        )
    way_out(world, {
        "helper": (('"I learned it when I was small," said {g.n}. "Watch me."', '"Go slowly," said {g.n}. "One little step at a time."'),
                   ("{g} showed it once, and {h.n} did the same.", "{h} watched and then tried again.")),
        "patient": (("{h} tried every day.", "On Monday, {h.n} tried. On Tuesday, {h.n} tried. On Wednesday, {h.n} tried again."),
                    ("Each time, it went a little better.", "Every day, it was a little easier.")),
        "clever": (("{h} thought about it and started with the easy part.", "{h} watched the others closely."),
                   ("Then {h} did the next part, and then the next.", "{h} saw what they did, and then {h} did the same.")),
    })  # fmt: skip
    world.say(
        "And one {time}, {h.n} {act}!",
        "Then it happened: {h.n} {act}.",
        "And then {h} {act}, [all alone|just like that].",
    )
    feel(world, "h", "proud")
    if world.pair:
        world.say('"You did it!" cried {f.n}.', "{f} clapped and laughed.")
    ending(
        world,
        "Nobody can do everything at once.",
        '"Every master was once a beginner," said {e.n}.',
        "What is hard today will be easy one day.",
    )


def grow(world: World) -> None:
    """A seed is planted and needs care."""
    opening(world)
    world.parts["s"] = world.pick(
        ("sunflower", "apple tree", "pumpkin", "rose", "bean", "carrot", "tulip", "cherry tree", "melon", "pea plant")
    )
    one_day(world)
    world.say(
        '{when}{e} gave {h.n} a seed. "This will be a {s}," {e.he} said.',
        "{when}{h} found a little seed. It was the seed of a {s}.",
    )
    world.say(
        "{h} made a hole in the earth and put the seed in.",
        "{T} put the seed into the ground and covered it with earth.",
    )
    world.say(
        "{h} gave it water every [day|morning].",
        "Every morning, {h} looked at the place. Nothing.",
        "One day went by, then two, then three.",
    )
    world.say("Then a small green leaf came out of the earth.", "At last, there was something green.")
    feel(world, "h", "happy")
    world.para()
    troubles = {
        "dry": (
            ("But then it did not rain for many days.", "But the summer was hot and dry."),
            "The leaf hung down and turned brown.",
        ),
        "eaten": (
            ("But one night, somebody ate a leaf.", "But one morning, there were holes in the leaf."),
            "It was a hungry snail.",
        ),
        "cold": (
            ("But then the nights got very cold.", "But one night there was ice on the ground."),
            "The little plant was cold.",
        ),
    }
    world.tell(*troubles[world.obstacle])
    feel(world, "h", "sad")
    fixes = {
        "dry": (
            "{T} carried water from the river, one bucket after the other.",
            "Every evening, {h.n} brought water from the pond.",
        ),
        "eaten": (
            "{h} put a ring of small stones around the plant.",
            "{h} carried the snail to the other side of the garden and gave it some old leaves.",
        ),
        "cold": ("{h} put straw around the plant.", "Each evening, {h.n} put a box over the plant."),
    }
    if world.resolution == "helper":
        meet_helper(world)
        world.say(
            '"I know what it needs," said {g.n}. "I will help."',
            '"Plants are like friends," said {g.n}. "They need care."',
        )
        world.say(*fixes[world.obstacle])
        thank_helper(world)
    else:
        world.say('"Do not give up, little plant," said {h.n}.', '"I will help you," {h} told the plant.')
        world.say(*fixes[world.obstacle])
        pet_beat(world)
    world.para()
    world.say(
        "The {s} grew and grew.",
        "Week after week, the {s} got bigger.",
        "When summer came, the {s} was as tall as {h.n}.",
    )
    world.say(
        "It was the most beautiful {s} far and wide.",
        "Everybody came to look at it.",
        "The bees came, and the birds came, too.",
    )
    feel(world, "h", "proud")
    ending(
        world,
        "Small things grow when you take care of them.",
        "Who plants a seed must learn to wait.",
        '"You have a green thumb," said {e.n}.',
    )


def repair(world: World) -> None:
    """A loved thing breaks and is mended."""
    opening(world)
    world.add_thing(
        "o",
        noun=world.pick(
            ("clock", "drum", "kite", "doll", "lamp", "music box", "chair", "toy car", "bell", "umbrella", "cup")
        ),
        holder="h",
        owner="e",
    )
    one_day(world)
    world.say(
        "{when}{h} [played|was busy] with {o.a}. It belonged to {e.n}.",
        "{e} had {o.a}. {when}{h} was allowed to carry it.",
    )
    troubles = {
        "drop": ("Then it slipped out of {h.his} hands. Crack!", "It fell on the floor, and a piece broke off."),
        "stop": (
            "Suddenly it made a strange sound. Then it was [silent|broken].",
            "Then there was a snap, and it was broken.",
        ),
        "rip": ("Then {h} pulled too hard, and it broke.", "{h} ran too fast, and it hit the wall."),
    }
    world.say(*troubles[world.obstacle])
    feel(world, "h", world.pick(("sad", "afraid")))
    world.say('"Oh no," said {h.n}. "What will {e.n} say?"', '"I must tell {e.n}," thought {h.n}.')
    world.para()
    world.say(
        '{h} went to {e.n} and said, "I broke {o.full}. I am sorry."',
        '"{e.n}, I have broken {o.full}," said {h.n} softly.',
    )
    world.say(
        '"Thank you for telling me," said {e.n}. "Let us see."', '{e} was not angry. "Things can break," {e.he} said.'
    )
    way_out(world, {
        "helper": (('"Give it to me," said {g.n}. "I have small hands and good eyes."', '"I have mended a hundred of these," said {g.n}.'),
                   ("{g} turned it around, pushed here and pulled there.", "{g} worked quietly, and {T} watched.")),
        "tool": (("{e} brought the glue and a small brush.", "{h} brought the tool box."),
                 ("{h} held the pieces, and {e.n} put on the glue.", "Together they put the pieces where they belonged.")),
        "clever": (("{h} looked closely and saw what was wrong.", "{h} put the pieces on the table like a puzzle."),
                   ("One small part was in the wrong place. {h} moved it.", "Then {h} knew how they fit together.")),
        "patient": (("It took the whole afternoon.", "{h} worked on it for three evenings."),
                    ("Again and again it fell apart. Again and again {h.n} put it together.", "{h} did not stop until the last piece was in place.")),
    })  # fmt: skip
    world.say("And then {o.full} was whole again.", "At last, {o.full} was as good as before.")
    world.give("h", "e", "o")
    world.say("{h} gave {o.full} to {e.n}.", "{h} put it into {e.s} hands.")
    world.say('{e} smiled. "It is even nicer now," {e.he} said.', '"Well done," said {e.n}.')
    feel(world, "h", "proud")
    ending(
        world,
        "It is brave to say that you made a mistake.",
        "What is broken can be mended.",
        "After that, {h} was much more careful.",
    )
