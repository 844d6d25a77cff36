# ruff: noqa: E501 (a sentence of a story stays on one line)
"""Stories about others: helping, sharing, telling the truth, making friends, being brave, turning back."""

from __future__ import annotations

from minillama.train.corpus.cast import ensure_friend
from minillama.train.corpus.openings import one_day, opening
from minillama.train.corpus.phrases import ending, feel, recall
from minillama.train.corpus.world import World


def help_animal(world: World) -> None:
    """A small animal is in trouble and is helped; later it helps back."""
    opening(world)
    world.parts["a"] = world.fresh(
        ("bird", "mouse", "kitten", "frog", "hedgehog", "duckling", "bee", "snail", "puppy", "butterfly")
    )
    one_day(world)
    troubles = {
        "stuck": ("It was stuck [in a bush|between two stones|under a branch].", "It could not get out."),
        "hurt": ("It had hurt its leg.", "It could not walk."),
        "cold": ("It was wet and cold.", "It was shaking."),
    }
    world.say(
        "{when}{T} heard a small sound. It came from a little {a}.",
        "{when}{T} saw a little {a} on the ground.",
    )
    world.tell(*troubles[world.obstacle])
    feel(world, "h", "sad") if world.chance(0.4) else world.say('"Poor little {a}!" said {h.n}.')
    world.para()
    ways = {
        "stuck": ("Very slowly, {h} pulled the branch aside.", "{h} made the hole bigger with {h.his} hands."),
        "hurt": ("{h} put a soft cloth around the leg.", "{h} carried it home and made a bed in a box."),
        "cold": ("{h} put it in a warm cloth.", "{h} held it in {h.his} hands until it was warm."),
    }
    world.say(*ways[world.obstacle])
    world.parts["snack"] = world.pick(("some milk", "a few seeds", "some water", "a bit of bread"))
    world.say("{f} brought {snack}." if world.pair else "{h} gave it {snack}.", "Then it got {snack}.")
    world.say("After some days, the little {a} was well again.", "Soon the little {a} opened its eyes and was well.")
    world.say(
        '"Thank you," said the little {a}. "One day I will help you."', "It looked at {h.n} once more and was gone."
    )
    world.para()
    world.add_thing("o", holder="h")
    world.drop("h", "o")
    world.say(
        "Some time later, {h.n} lost {h.his} {o.bare}.", "Then came a day when {h.n} could not find {h.his} {o.bare}."
    )
    world.say("{T} looked [here and there|everywhere], but it was gone.", "{h} was very sad about it.")
    world.say("But who was that? It was the little {a}!", "Then {h} heard a small sound. The little {a} was back!")
    world.take("h", "o")
    world.say(
        '"I know where your {o.noun} is," it said, and it showed the place.',
        "It led {h.him} to an old wall. And there lay {o.full}!",
    )
    world.say("{h} picked up {o.full} and laughed.", "So {h} had {o.full} again.")
    feel(world, "h", "happy")
    ending(
        world,
        "Even a small friend can be a big help.",
        "Kindness always comes back.",
        '"Good things come back to you," said {e.n}.',
    )


def share(world: World) -> None:
    """Two want the same thing; they quarrel and find a way."""
    ensure_friend(world)
    opening(world)
    one_day(world)
    world.add_thing(
        "o",
        noun=world.pick(("ball", "kite", "drum", "toy boat", "sled", "wagon", "book", "puzzle", "swing", "boat")),
        holder="h",
        owner="h",
    )
    world.say("{when}{h} got {o.a} from {e.n}.", "{when}{e} gave {h.n} {o.a}.")
    world.say('"May I have it, too?" asked {f.n}.', "{f} wanted to play with it, too.", '"Let me try!" said {f.n}.')
    world.say(
        '"No, it is mine!" said {h.n}.',
        '"Not now," said {h.n} and held {o.full} tightly.',
        "But {h} did not want to share.",
    )
    world.para()
    troubles = {
        "leave": (("{f} turned around and went away.", "{f} said nothing and went home."), "It was very quiet then.", "{h} played alone, but it was no fun."),
        "pull": (("{f} pulled on one side, and {h.n} pulled on the other.", "They both pulled."), "Then {o.full} fell down in the mud.", "They looked at it and were ashamed."),
        "angry": (('"You are not my friend any more!" cried {f.n}.', '"You are mean!" cried {f.n}.'), "Both of them were angry.", "They sat back to back and did not talk."),
    }  # fmt: skip
    world.tell(*troubles[world.obstacle])
    feel(world, "h", "sad")
    world.para()
    ways: dict[str, tuple[tuple[str, ...] | str, ...]] = {
        "helper": (('{e} said, "You first, and then {f.n}. Count to twenty and change."', '{e} said, "Alone you have a {o.noun}. Together you have a game."'),),
        "clever": (('Then {h} had an idea. "You take it in the morning, and I take it in the afternoon."', '"Let us make a game for two," said {h.n}.'),),
        "patient": (('{h} thought for a long time. Then {h.he} went to {f.n} and said, "I am sorry."', '"I am sorry," said {h.n}. "I am sorry, too," said {f.n}.'),),
    }  # fmt: skip
    world.tell(*ways.get(world.resolution, ways["patient"]))
    world.give("h", "f", "o")
    world.say("{h} gave {o.full} to {f.n}.", '"Here, you may have it first," said {h.n} and gave {f.n} {o.full}.')
    world.say("{f} played with it, and {h.n} watched and laughed.", "{f} smiled and was not sad any more.")
    if world.chance(0.6):
        world.give("f", "h", "o")
        world.say(
            "After a while, {f.n} gave {o.full} back to {h.n}.", "Then it was {h.s} turn, and {f.n} gave {o.full} back."
        )
    recall(world)
    world.say("They played until it was dark.", "It was twice as much fun as before.", "They laughed all afternoon.")
    ending(
        world,
        "A thing that you share is twice as nice.",
        '"I am proud of you both," said {e.n}.',
        "A friend is better than any {o.noun}.",
    )


def truth(world: World) -> None:
    """Something is done in secret, and telling the truth makes it good."""
    opening(world)
    world.parts["food"] = world.pick(
        ("cake", "pie", "big pudding", "bowl of sweet rice", "plate of cookies", "pudding")
    )
    one_day(world)
    world.say("{when}{e} made a {food} and put it on the table.", "{when}there was a {food} on the table.")
    world.say(
        '"It is for this evening," said {e.n}. "Please do not touch it."',
        '"Wait until tonight," said {e.n} and went out.',
    )
    world.say(
        "It smelled so good. {h.n} took [only a little bit|one small spoon].",
        "{h} wanted only to [taste it|look at it]. But {h.he} took a bit.",
    )
    world.say("Then {h} took a little more, and a little more.", "And then a little more. Soon half of it was gone.")
    world.para()
    world.say('{e} came back. "Who ate from the {food}?" {e.he} asked.', '"Oh!" said {e.n}. "Who was that?"')
    lies = {
        "mouse": ('"It was a mouse," said {h.n}.', '"I saw a big mouse," said {h.n}.'),
        "wind": ('"It was the wind," said {h.n}.', '"Maybe the wind took it," said {h.n}.'),
        "silent": ("{h} looked at the floor and said nothing.", "{h} hid {h.his} hands and said nothing."),
    }
    world.say(*lies[world.obstacle])
    world.say(
        "But {h.his} belly hurt, and {h.his} heart was heavy.",
        "But {h} did not feel good. {h.he.cap} could not [play|sleep].",
    )
    if world.pair:
        world.say('"You should say it," whispered {f.n}.', '"It is better to tell the truth," said {f.n}.')
    world.para()
    world.say(
        'At last, {h} went to {e.n}. "It was me," {h.he} said. "I am sorry."',
        '"{e.n}, I ate from the {food}," said {h.n}. "I did not tell the truth."',
    )
    world.say(
        '"It is good that you tell me," said {e.n}.',
        '{e} was quiet for a moment. Then {e.he} said, "That was not easy to say."',
    )
    ways = {
        "helper": ("Together they made another {food}.", "{e.n} and {h.n} made a new {food}, and {h.n} washed up."),
        "clever": ("{h} made a fruit salad for everybody.", "{h} picked a bowl of berries for the evening."),
        "patient": (
            "{h} washed all the plates that evening.",
            "In the evening, {h.n} gave {h.his} part to the others.",
        ),
    }
    world.say(*ways.get(world.resolution, ways["helper"]))
    feel(world, "h", "happy")
    ending(
        world,
        "The truth makes the heart light.",
        "From that day on, {h} told the truth.",
        "A small lie can be very heavy.",
    )


def new_friend(world: World) -> None:
    """Somebody is alone and is asked to play."""
    ensure_friend(world)
    newcomer = world.character("f")
    world.pair = False
    world.parts["T"] = world.character("h")
    world.parts["I"], world.parts["Iam"] = "I", "I am"
    opening(world)
    one_day(world)
    world.say("{when}{f.intro} came to the village.", "{when}{h} saw {f.intro} all alone under a tree." if newcomer.named else
              "{when}{h} saw somebody all alone under a tree. It was {f.desc}.")  # fmt: skip
    world.say("{f} did not know anybody.", "Nobody played with {f.n}.", "{f} sat there and looked sad.")
    troubles = {
        "shy": ("{h} wanted to say hello, but {h.he} did not dare.", "{h} did not know what to say."),
        "odd": ("The others said that {f.n} was strange.", '"We do not know {f.him}," said the others.'),
        "sad": ('"Why should I play?" said {f.n}. "I miss my old home."', "{f} did not even look up."),
    }
    world.say(*troubles[world.obstacle])
    world.para()
    world.add_thing("o", holder="h", owner="h")
    ways = {
        "tool": ("{h} had {o.a} with {h.him}. {h.he.cap} sat down next to {f.n} and showed it to {f.him}.",),
        "clever": (
            '{h} rolled {o.a} over the grass until it lay before {f.n}. "Will you send it back?" {h.he} asked.',
        ),
        "patient": ("{h} sat down near {f.n} and said nothing. After a long time, {h.he} took out {o.a}.",),
    }
    world.say(*ways.get(world.resolution, ways["tool"]))
    world.say('"What a nice {o.noun}!" said {f.n}.', '"I like your {o.noun}," said {f.n} at last.')
    name = '"I am {f.call}," said {f.n}. "Who are you?"' if newcomer.named else '"Who are you?" asked {f.n}.'
    world.say(name)
    world.say(
        '"I am {h.call}," said {h.n}. "Do you want to play?"'
        if world.character("h").named
        else '"I live here," said {h.n}. "Do you want to play?"'
    )
    world.say(
        "They played all [day|afternoon].",
        "They ran and jumped and laughed.",
        "They played with {o.full} until the evening.",
    )
    world.para()
    if world.chance(0.6):
        world.give("h", "f", "o")
        world.say(
            '"You may keep it," said {h.n} and gave {o.full} to {f.n}.',
            "Before they went home, {h.n} gave {f.n} {o.full}.",
        )
    recall(world)
    feel(world, "f", "happy")
    ending(
        world,
        "A new friend is the best thing that one can find.",
        "It takes only one small word to make a friend: hello.",
        "After that, {f.n} was never alone again.",
    )


def night(world: World) -> None:
    """A strange sound in the dark turns out to be something harmless."""
    opening(world)
    world.para()
    cause = world.pick(
        (
            "a branch at the window",
            "a hungry mouse with a nut",
            "the old clock",
            "a cat that wanted to come in",
            "an owl on the roof",
            "a loose door in the wind",
        )
    )
    sound = world.pick(("tap, tap, tap", "scratch, scratch", "knock, knock, knock", "hoo, hoo", "crack, crack"))
    world.parts["cause"], world.parts["sound"] = cause, sound
    if world.dated:
        world.say("That night, {h} could not sleep.", "In the middle of the night, {h} woke up.")
    else:
        world.say(
            "One night, {h} could not sleep.", "It was night, and {h} lay in bed.", "One dark night, {h} woke up."
        )
    world.say("There was a sound: {sound}.", 'Something went "{sound}" in the dark.')
    feel(world, "h", "afraid")
    troubles = {
        "bed": ("{h} pulled the blanket over {h.his} head.", "{h} hid under the blanket."),
        "call": ("{h} wanted to call {e.n}, but no word came out.", "{h} called, but nobody heard {h.him}."),
        "again": ("There it was again: {sound}.", "It came again, and louder: {sound}."),
    }
    world.say(*troubles[world.obstacle])
    world.say(
        '"Maybe it is a monster," {h} thought.', '"Is it a thief?" {h} thought.', '"Who is there?" {h} whispered.'
    )
    world.para()
    ways: dict[str, tuple[str, ...]] = {
        "tool": ("Then {h} took {h.his} lamp and stood up.", "{h} lit a candle. The light was small and warm."),
        "clever": ('"I will count to three, and then I will look," thought {h.n}. One, two, three.', "{h} listened closely. The sound did not come from the room."),
        "patient": ("{h} took a deep breath and stood up.", "Slowly, {h} put one foot on the floor, and then the other."),
        "helper": ("{h} went to {e.n} and took {e.his} hand. Together they went to look.", '"Come, we will look together," said {e.n}, who stood at the door.'),
    }  # fmt: skip
    world.say(*ways[world.resolution])
    world.say("Step by step, {h} went to the window.", "{h} opened the door just a little.")
    world.say("And what was it? It was {cause}!", "It was no monster. It was only {cause}.")
    world.say("{h} had to laugh.", '"So it was you!" said {h.n} and laughed.')
    if world.pair:
        world.say(
            "The next morning, {h} told {f.n} about it, and {f} laughed, too.",
            "The next day, {h.n} told {f.n} everything.",
        )
    feel(world, "h", "happy")
    world.para()
    world.say("Then {h} went back to bed and slept until morning.", "{h} lay down again. The night was quiet and soft.")
    world.say(
        "In the light, many dark things are small.",
        "After that, {h.he} was not afraid of the dark any more.",
        "The moon looked in and smiled.",
        "",
    )


def race(world: World) -> None:
    """Two run a race; something happens that is more important than winning."""
    ensure_friend(world)
    opening(world)
    one_day(world)
    world.parts["goal"] = world.pick(
        ("the old tree", "the big stone", "the bridge", "the mill", "the red gate", "the top of the hill")
    )
    world.add_thing(
        "o",
        noun=world.pick(("cup", "ribbon", "medal", "cake", "flag")),
        look=world.pick(("golden", "blue", "silver", "big", "red")),
        holder="e",
    )
    world.say(
        "{when}there was a race to {goal}.",
        '{when}{h} asked, "Who is first at {goal}? Let us run!"',
    )
    world.say("The prize was {o.a}. {e.n} held it high.", "{e} had {o.a} for the winner.")
    world.say('"One, two, three, go!" called {e.n}.', '"Ready? Go!" called {e.n}.')
    world.say("{h} ran as fast as the wind, and {f.n} was close behind.", "At first, {f.n} was in front, then {h.n}.")
    world.para()
    troubles = {
        "fall": ("Then {f} fell over a root and cried out.", "Suddenly {f} fell and held {f.his} knee."),
        "stuck": ("Then {f} got stuck in deep mud.", "Suddenly {f} was stuck between two rocks."),
        "tired": (
            "Then {f} stopped. {f.he.cap} had no breath left.",
            "But {f} could not run any more and sat down.",
        ),
    }
    world.say(*troubles[world.obstacle])
    world.say("{h} heard it and looked back.", "{h} looked at {goal}. It was so near. Then {h.he} looked back.")
    world.say("{h} thought about {o.full}. But a friend is more than a prize.", "{h} stopped at once and ran back.")
    world.say('"I will help you," said {h.n} and held out {h.his} hand.', '"Come, hold on to me," said {h.n}.')
    ways = {
        "clever": ("{h} found a strong stick for {f.n} to lean on.",),
        "patient": ("{h} waited until {f.n} could walk again.",),
        "helper": ("{h} carried {f.n} on {h.his} back for a while.",),
    }
    world.say(*ways.get(world.resolution, ways["helper"]))
    world.para()
    world.say("Side by side, they came to {goal}.", "So they came to {goal} together, last of all, hand in hand.")
    if world.chance(0.5):
        world.give("e", "h", "o")
        world.say('"You have won," said {e.n} and gave {o.full} to {h.n}. "You have the biggest heart."')
        world.say("{h} shared the prize with {f.n}.", "{h} showed it to {f.n}, and both were happy.")
    else:
        world.give("e", "f", "o")
        world.say('"This is for both of you," said {e.n}. {f.n} took {o.full} and {h.n} clapped.')
    recall(world)
    feel(world, "f", "happy")
    ending(
        world,
        "It is good to win, but it is better to help.",
        "Nobody remembered who was first. Everybody remembered who had helped.",
        "A good friend turns back.",
    )
