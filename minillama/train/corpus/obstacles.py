# ruff: noqa: E501 (a sentence of a story stays on one line)
"""What can stand in the way on a walk, and four kinds of ways out of it.

Each obstacle has sentences that bring it in and, for each kind of resolution, the sentences that lead out. "helper"
means that somebody who comes by helps; the others are told without a stranger.
"""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.phrases import feel, meet_helper, pet_beat, recall, thank_helper
from minillama.train.corpus.world import World

Beats = tuple[tuple[str, ...] | str, ...]
KINDS = ("helper", "tool", "clever", "patient")

OBSTACLES: dict[str, tuple[Beats, dict[str, Beats]]] = {
    "water": (
        (
            ("But then {T} came to a wide stream[, and there was no bridge|].", "But a deep stream lay across the path.",
             "Then the path ended at [cold|dark|fast] water.", "But the rain had made the stream [deep|wide] and fast."),
            ('"The water is too deep," said {h.n}.', '"How can {I} get across?" asked {h.n}.', "There was no way to walk through it."),
        ),
        {
            "helper": (('"I have a small boat," said {g.n}. "[Climb in|Sit down in it]!"', '"Hold on to me," said {g.n}. "I know where the water is not deep."'),
                       ("Together they crossed the stream[, and nobody fell in|].", "{g} took {T.him} safely to the other side.")),
            "tool": (("{h} found a long [board|log] in the grass.", "There lay an old [board|log] near the water."),
                     ("{T} pushed it over the stream and made a little bridge.", "{T} pulled and pushed until it lay across the water."),
                     ("Step by step, {T} went across.", "Then {T} walked over it, very slowly.")),
            "clever": (('"Look, there are big stones in the water," said {h.n}.', "Then {h} saw a row of [flat|round] stones in the water."),
                       ("One, two, three, four, five: {T} jumped from stone to stone.", "{T} jumped from one stone to the next and did not fall."),
                       ("Only {T.his} feet got wet.", "On the other side, {T} laughed.")),
            "patient": (("{T} walked along the water for a long time.", "{T} did not give up and followed the stream."),
                        ("At last, there was an old bridge.", "Behind the third turn, there was a bridge [of wood|of stone]."),
                        ("It was worth the long way.", "{T} crossed it and went on.")),
        },
    ),
    "dark": (
        (
            ("The path went into a dark wood.", "But then the way led through a very dark wood.", "Soon it got dark between the tall trees."),
            ("{T} could not see {T.his} own feet.", "Strange sounds came from all sides.", "Something went crack in the dark."),
        ),
        {
            "helper": (('"I can see well in the dark," said {g.n}. "[Follow me|Stay behind me]."', '"I know every tree here," said {g.n}. "Come with me."'),
                       ("{g} went ahead, and {T} followed step by step.", "{T} stayed close behind {g.n} until the light came back.")),
            "tool": (("But {h} had a small light in {h.his} pocket.", "Then {h} remembered the candle in {h.his} pocket."),
                     ("The light was small, but it was enough.", "In its light, the wood looked [friendly|quite different]."),
                     ("The strange sound was only an old branch in the wind.", "The two green eyes were only a cat.")),
            "clever": (('"If {I} sing, it is not so dark," said {h.n}.', '"{I.cap} must look at the stars," said {h.n}. "They show the way."'),
                       ("So {T} sang [loudly|softly], and the dark was not so bad.", "{T} looked up and counted the stars."),
                       ("Soon there was light between the trees.", "Step by step, {T} came out of the dark.")),
            "patient": (("{T} sat down under a tree and waited for the moon.", '"{I.cap} will wait for the moon," said {h.n}.'),
                        ("After a long time, the moon came up, big and round.", "When the moon rose, everything was silver."),
                        ("Then the way was easy to see.", "Every stone and leaf could be seen.")),
        },
    ),
    "rain": (
        (
            ("Suddenly, dark clouds came, and it began to rain.", "Then a drop fell, and another, and soon it was raining hard.", "But the sky turned grey, and thunder rolled."),
            ("{T} got very wet.", "The path turned to mud.", '"Oh no, [the rain|so much rain]!" cried {h.n}.'),
        ),
        {
            "helper": (('"My house is near," said {g.n}. "Come in and get dry."', '"Come under my roof," said {g.n}.'),
                       ("There was a fire, and {g.n} made tea.", "Inside, it was warm, and {g.n} had soup for everybody.")),
            "tool": (("{T} found a [very |]big leaf and held it like a roof.", "There was an old umbrella behind a bush. It had a hole, but it helped."),
                     ("The rain went drip, drop, drip, drop above.", "Under it, {T} stayed nearly dry.")),
            "clever": (("{h} saw a hole under the roots of a big tree.", '"Quick, under the rocks!" said {h.n}.'),
                       ("It was [small|narrow] but dry.", "There {T} waited and listened to the rain."),
                       ("When the rain stopped, a rainbow stood in the sky.", "Then the sun came back and everything shone.")),
            "patient": (("{T} walked on through the rain, step by step.", '"It is only water," said {h.n}, and {h.he} went on.'),
                        ("It rained and rained, but {T} did not turn back.", "{T} sang a song about rain."),
                        ("After a while, the clouds went away.", "In the end, the sun came out and dried everything.")),
        },
    ),
    "lost": (
        (
            ("Then the path split in two.", "After many turns, {T} did not know the way any more.", "At a big tree, there were three paths."),
            ('"Which way is right?" asked {h.n}.', '"I think {Iam} lost," said {h.n}.', "All the paths looked the same."),
        ),
        {
            "helper": (('"Go left at the old tree, then always straight ahead," said {g.n}.', '"I am going the same way," said {g.n}. "Come along."', '"Follow the path with the white stones," said {g.n}.'),
                       ("{T} went just as {g.n} had said.", "That was good to hear.")),
            "tool": (("{h} had an old map in {h.his} pocket.", "{h} climbed up a tree to see where the paths went."),
                     ("It was easy to see which path was right.", '"There it is!" {h} said. "{I.cap} have to go right."')),
            "clever": (("{h} saw footprints on one of the paths.", "{h} listened. On one side, there was the sound of water."),
                       ('"{I.cap} will follow that," {h.he} said.', "That was the right way, for sure."),
                       ("And {h} was right.", "Before long, {T} knew the way again.")),
            "patient": (("{T} tried the first path, but it ended at a wall.", "The first path went around in a circle."),
                        ("Then {T} tried the second one, and it was right.", "So {T} went back and tried the other one."),
                        ("It took a long time, but it was the right way.", "This time, everything was right.")),
        },
    ),
    "wall": (
        (
            ("But then there was a high wall.", "A tall gate closed the way.", "But a big gate stood across the road, and it was shut."),
            ("It was much too high to climb.", "{T} knocked, but nobody came.", "{T} pushed and pulled, but nothing moved."),
        ),
        {
            "helper": (('"I know a hole in it," said {g.n}. "It is behind the roses."', '"I can open it from the other side," said {g.n}.'),
                       ("A moment later, the way was open.", "{g} showed {T.him} the way, and soon {T} {T.was} on the other side.")),
            "tool": (("There was a ladder in the long grass.", "{h} found a rope and made a knot in it."),
                     ("{T} climbed up, one foot after the other.", "Up and up went {T.n}, and down again on the other side.")),
            "clever": (("{h} put one big stone on top of another.", "{h} saw some old boxes and had an idea."),
                       ("{h} made stairs, and {T} climbed over.", "Soon there were enough of them to climb up.")),
            "patient": (("{T} walked along it, and the walk was long.", "{T} sat down and waited for somebody to come."),
                        ("At last, there was a little door, and it was open.", "In the end, an old woman came and opened the door."),
                        ("{T} went through it and laughed.",)),
        },
    ),
    "guard": (
        (
            ("On the path stood a big goose, and it did not move.", "A grumpy old troll sat in the middle of the way.", "A big black bull stood on the path."),
            ("It made an angry sound.", '"Oh," whispered {h.n}. "It does not look friendly."', "Nobody could pass."),
        ),
        {
            "helper": (('"Do not be afraid," said {g.n}. "I will talk to it."', '"It is only grumpy because it is lonely," said {g.n}.'),
                       ("{g} said some quiet words, and the way was free.", "{g} sang a soft song, and it lay down and slept.")),
            "tool": (("{h} had {snack} in {h.his} pocket.", "In {h.s} pocket was {snack}."),
                     ("{h} put it on the ground[ very slowly|].", "{h} held it out with a shaking hand."),
                     ("It ate and was not grumpy any more.", "It ate everything and stepped to the side.")),
            "clever": (("{h} began to dance in a very funny way.", "{h} told the funniest story {h.he} knew."),
                       ("It laughed so hard that it had to sit down.", "It laughed and laughed until tears ran down."),
                       ("Then {T} could pass.", '"You may go," it said at last.')),
            "patient": (("{h} did not shout and did not run.", "{T} stood very still and waited."),
                        ('"Please, may {I} pass?" {h} asked [three times|again and again].', "{T} waited for a long, long time."),
                        ("In the end, it stepped to the side.", "After a while, it got tired and went away.")),
        },
    ),
    "stone": (
        (
            ("But a big rock had fallen on the path.", "A tree had fallen over in the wind, and it lay across the path.", "Then there was a heap of heavy stones on the way."),
            ("It was as big as a cow.", "{T} pushed with all {T.his} strength, but nothing moved.", '"{I.cap} cannot get past," said {h.n}.'),
        ),
        {
            "helper": (('"I am strong," said {g.n}. "[Step back|Let me try]."', '"I will push with you," said {g.n}. "One, two, three!"'),
                       ("{g} pushed once, and the way was free.", "All together they pushed, and at last the way was free.")),
            "tool": (("{h} found a long, strong stick.", "There was a strong branch on the ground."),
                     ("{h} put it under the heavy thing and pushed.", "With the help of it, {T} rolled everything to the side."),
                     ("Slowly, slowly, the way became free.",)),
            "clever": (('"{I.cap} do not have to push," said {h.n}. "There is a hole below."', "{h} looked at it from all sides and found a small hole."),
                       ("{T} went through the hole on hands and knees.", "It was narrow, but {T} could get through.")),
            "patient": (("{T} carried the earth and the small stones away, one by one.", "Bit by bit, {T} made the way free."),
                        ("It took a long time, and {T.his} hands got dirty.", "The sun was already low."),
                        ("But in the end there was room to pass.", "But {T} did not give up, and then the work was done.")),
        },
    ),
    "bees": (
        (
            ("In the middle of the way was a nest of bees.", "Suddenly there were bees everywhere.", "A loud humming sound was in the air. It was a cloud of bees."),
            ("They flew around {T.n} in circles.", '"Stand still!" whispered {h.n}.', "Nobody could go on."),
        ),
        {
            "helper": (('"The bees are my friends," said {g.n}. "They only want to keep their honey safe."', '"You must walk very slowly," said {g.n}. "Like this."'),
                       ("{g} hummed a song, and the bees went home.", "{T} did it just like {g.n}, and the bees let {T.him} pass.")),
            "tool": (("{h} had a cloth and put it over {h.his} head.", "{h} picked a big flower and threw it far away."),
                     ("The bees did not see {T.him} any more.", "The bees forgot all about {T.n}."),
                     ("Quickly, {T} went on.",)),
            "clever": (('"Bees like flowers," said {h.n}. "They do not like [cold |]water."', '"{I.cap} will go around them," said {h.n}, "in a big, big circle."'),
                       ("That was a good idea.", "And that worked."),
                       ("The humming got softer and softer behind {T.him}.", "Not one bee came after {T.him}.")),
            "patient": (("{T} stood as still as a tree.", "{T} sat down on the ground and did not move."),
                        ("Ten bees sat down on {h.s} hair, and then they flew away.", "One bee sat on {h.s} nose, but {h.he} did not even laugh."),
                        ("After a while, they all went back to their flowers.", "At last, the air was quiet again.")),
        },
    ),
}  # fmt: skip


NAMES = {
    "water": "the deep water", "dark": "the dark wood", "rain": "the rain", "lost": "the paths", "wall": "the high wall",
    "guard": "the grumpy one on the path", "stone": "the heavy load on the path", "bees": "the bees",
}  # fmt: skip


def overcome(world: World) -> None:
    """Tells the obstacle and the resolution of the plan, and then the further ones."""
    world.para()
    _overcome_one(world)
    for obstacle, resolution in world.troubles:
        world.obstacle, world.resolution = obstacle, resolution
        world.para()
        world.say(
            "So {T} went on.", "The path went on and on.", "{T} walked and walked.", "But the way was still long."
        )
        _overcome_one(world)


def _overcome_one(world: World) -> None:
    world.met.append(NAMES[world.obstacle])
    intro, resolutions = OBSTACLES[world.obstacle]
    world.tell(*intro)
    if world.chance(0.6):
        feel(world, "h", world.pick(("afraid", "sad", "tired")))
    if world.pair and world.chance(0.6):
        world.say(
            '"Do not worry," said {f.n}. "We will find a way."',
            '"What shall we do now?" asked {f.n}.',
            '"We must not give up," said {f.n}.',
            '{f} took {h.his} hand. "We are together," {f.he} said.',
        )
    world.parts["snack"] = f"a {world.pick(words.SNACKS)}"
    if world.resolution == "helper":
        meet_helper(world)
    elif world.chance(0.5):
        world.para()
    world.tell(*resolutions[world.resolution])
    if world.resolution == "helper":
        thank_helper(world)
    else:
        pet_beat(world)
        recall(world)
