# ruff: noqa: E501 (a sentence of a story stays on one line)
"""Sentences that any story can use: feelings, walks, meetings, endings."""

from __future__ import annotations

from collections.abc import Sequence

from minillama.train.corpus import words
from minillama.train.corpus.cast import add_helper
from minillama.train.corpus.world import World

FEELINGS: dict[str, tuple[str, ...]] = {
    "happy": (
        "{who} [smiled|laughed] and [clapped {who.his} hands|jumped up and down].",
        "{who} was so happy that {who.he} [danced|sang|laughed|jumped for joy].",
        "{who} felt [warm and happy|as light as a feather|very happy] [inside|].",
        "A big smile came over {who.s} face.",
        "{who} could not stop smiling.",
        "{who} [threw {who.his} arms in the air|turned around and around] and laughed.",
        "{who.s} eyes [shone|were bright] with joy.",
        "{who} [began to hum a little song|gave a happy cry|laughed out loud].",
        "It was the [best|happiest] moment of the [day|week].",
        "{who} wanted this day to last forever.",
    ),
    "sad": (
        "{who} [sat down and cried|hung {who.his} head|felt very sad].",
        "{who} was so sad that {who.he} [could not speak|did not want to eat|began to cry].",
        "A tear ran down {who.s} face.",
        "{who} wanted to cry, but {who.he} took a deep breath.",
        "{who} looked at the ground and said nothing [for a while|].",
        "{who} [sighed|sighed deeply|swallowed hard].",
        "{who.s} eyes were full of tears.",
        "There was a lump in {who.s} throat.",
        "{who} felt as if the sun had gone away.",
    ),
    "afraid": (
        "{who} was afraid, and {who.his} knees shook.",
        "{who.s} heart went boom, boom, boom.",
        "{who} felt [small and cold|afraid] and [wanted to go home|took a step back].",
        "{who} closed {who.his} eyes for a moment.",
        "{who} [shook|trembled] like a leaf.",
        "{who} did not dare to [move|breathe|speak].",
        "{who} swallowed and tried to be brave.",
    ),
    "proud": (
        "{who} felt [very |]proud of {who.self}.",
        "{who} stood up tall and smiled.",
        "{who.s} face [was red|shone] with pride.",
        "{who} [could hardly believe it|laughed and took a bow].",
        "{who} felt [bigger|taller|stronger] than before.",
        "{who} was so proud that {who.he} [wanted to tell everybody|could not sit still].",
    ),
    "tired": (
        "{who} was tired, but {who.he} did not [stop|give up].",
        "{who.s} legs were [tired|heavy], but {who.he} went on.",
        "{who} sat down to rest [for a little while|on a stone].",
    ),
}


def feel(world: World, part: str, feeling: str) -> None:
    """Tells what somebody feels."""
    world.parts["who"] = world.parts[part]
    world.say(*FEELINGS[feeling])


def count_words(count: int) -> str:
    """2 is "two", up to six."""
    return ("zero", "one", "two", "three", "four", "five", "six")[count]


def join(items: Sequence[str]) -> str:
    """["milk", "eggs", "tea"] is "milk, eggs, and tea"."""
    return f"{', '.join(items[:-1])}, and {items[-1]}"


def pet_beat(world: World) -> None:
    """Lets the pet do something, where there is one."""
    if world.pet and world.chance(0.7):
        world.say(
            "The {pet} ran ahead and came back again.",
            "The {pet} [stayed close to|looked up at|ran after] {h.him}.",
            "Even the {pet} [wanted to help|was curious|waited].",
            "The {pet} lay down and [watched|waited].",
        )


def look_around(world: World, part: str) -> None:
    """Tells something that can be seen, heard or smelled at a place."""
    world.say(*words.PLACES[str(world.parts[part])][2])


def recall(world: World) -> None:
    """Says who has what, drawn from the state, so that it is always true."""
    present = [world.parts.get(part) for part in "hfe"]
    held = [thing for thing in world.things if thing.holder is not None and thing.holder in present]
    if not held or not world.chance(0.6):
        return
    thing = world.pick(held)
    assert thing.holder is not None
    world.parts["who"], world.parts["x"] = thing.holder, thing
    world.say(
        "{who} [still |]had {x.full} with {who.him}.",
        "{who} held {x.full} [tightly|in {who.his} hands|close to {who.his} heart].",
        "{who} looked at {x.full} in {who.his} [hand|hands].",
        "{who} took good care of {x.full}.",
    )


def meet_helper(world: World) -> None:
    """Brings in a helper `g` who asks what is wrong."""
    add_helper(world)
    world.para()
    world.say(
        "Just then, {g.intro} came [by|along|down the path|out of the grass].",
        "[Then|Suddenly,] {g.intro} [came by|stood in front of {T.him}|looked out from behind a tree].",
        "{g.intro} sat on a [stone|log] and saw {T.him}.",
        "After a while, {g.intro} came along the path.",
        "A voice called from above. It was {g.intro} [on a wall|on a fence|on a big rock].",
    )
    greeting = "[What is the matter|What is wrong|Why do you look so sad|Can I help you|Where are you going]"
    world.say(
        f'"{greeting}?" asked {{g.n}}.',
        f'"Hello!" said {{g.n}}. "{greeting}?"',
        f'"Good day," said {{g.n}}. "{greeting}?"',
    )
    if world.pair:
        world.say(
            "{T} told {g.him} everything.", "{h} told {g.him} what had happened.", "{f} explained what was wrong."
        )
    else:
        world.say("{h} told {g.him} [everything|the whole story|what had happened].", "{h} explained what was wrong.")


def thank_helper(world: World) -> None:
    """Thanks the helper, who goes away again."""
    world.say(
        '"Thank you, {g.call}!" said {T.n}.',
        '"Thank you so much!" {T} called.',
        '"You are very kind, {g.call}," said {h.n}.',
        '"Thank you, {g.call}," said {h.n}. "I will not forget this."',
    )
    world.say(
        '"[Good luck|You are welcome|It was nothing]," said {g.n}, and {g.he} went [on {g.his} way|away].',
        "{g} [smiled|nodded|waved] and went on {g.his} way.",
        '"Friends help each other," said {g.n}.',
        "",
    )


def walk(world: World, part: str) -> None:
    """The way to a place, past another one that lies next to it."""
    near = [place for place in words.PLACES[str(world.parts[part])][1] if place != world.parts.get("dh")]
    middle = world.pick(near)
    world.parts["dm"] = middle
    world.para()
    world.say(
        "{T} [set off|started] at once.",
        "So {T} went out [of the door|into the world] and [down the road|along the path].",
        "{T} put on [warm clothes|good shoes] and went out.",
        "Soon {T} [{T.was} on the way|began to walk].",
        "So the long walk began.",
    )
    world.say(
        "First, the path went [past|through] {dm}.",
        "After a while, {T} came to {dm}.",
        "{T} walked [and walked |]until {T.he} came to {dm}.",
        "The way led past {dm}.",
    )
    if world.chance(0.7):
        look_around(world, "dm")
    pet_beat(world)
    recall(world)


def arrive(world: World, part: str) -> None:
    """Reaches the place where the story leads."""
    world.parts["da"] = world.parts[part]
    world.para()
    world.say(
        "At last, {T} came to {da}.",
        "Soon {T} [reached|saw|came to] {da}.",
        "A little later, {T} {T.was} {da.at}.",
        "[In the end|Finally], {T} [arrived at|reached] {da}.",
    )
    if world.chance(0.6):
        look_around(world, "da")


def ending(world: World, *morals: str) -> None:
    """Closes the story: home, evening, and sometimes what was learned."""
    world.para()
    if world.met and world.chance(0.5):
        world.parts["met"] = join(world.met) if len(world.met) > 2 else " and ".join(world.met)
        world.say(
            "At home, {T} told {e.n} about {met}.",
            '"Tell me everything," said {e.n} in the evening. And {T} told {e.him} about {met}.',
        )
    else:
        world.say(
            "That [evening|night], {T} [talked about the day for a long time|went to bed happy|slept very well].",
            "When the sun went down, {T} [went home|walked home slowly|sat together and looked at the stars]."
            if world.pair
            else "When the sun went down, {T} [went home|walked home slowly|sat at the window and looked at the stars].",
            "In the evening, {e.n} made [soup|warm milk|pancakes|tea], and {T} told {e.him} [everything|the whole story].",
            "{T} went home with a [song|smile].",
            "It had been a [good|long|wonderful] day.",
            "The stars came out one by one, and everything was quiet.",
            "[The moon|A big round moon] rose over the [roofs|trees|hills], and it was time to sleep.",
            "Slowly, the sky turned [red|pink|dark blue], and the birds went to sleep.",
            "When {T} lay in bed that night, {T.he} [smiled in the dark|could still hear the birds|had good dreams].",
            "{e} [closed the door|lit the lamp|told a story], and the day was over.",
            "For supper, there was [bread and cheese|hot soup|a big pie], and it had never tasted so good.",
            "Outside, the wind [sang softly|grew quiet], and inside it was warm.",
            "The [crickets|frogs] began to sing, and {T} listened [for a long time|until late].",
        )
    world.met = []
    if morals and world.chance(0.75):
        world.say(*morals)
    if world.episode < world.episodes:
        return
    world.say(
        "[And from|From] that day on, {T} [{T.was} a little braver|{T.was} a little wiser|often told this story].",
        "And {T} never forgot that day.",
        "And {T} lived happily ever after.",
        '"What a day!" said {h.n}, and then {h.he} [fell asleep|closed {h.his} eyes].',
        "The end.",
        "",
        "",
    )


def way_out(world: World, ways: dict[str, tuple[tuple[str, ...] | str, ...]]) -> None:
    """Tells the resolution of the plan, or another one where the story does not have it."""
    kind = world.resolution if world.resolution in ways else next(iter(ways))
    if kind == "helper":
        meet_helper(world)
    else:
        world.para()
    world.tell(*ways[kind])
    if kind == "helper":
        thank_helper(world)
    else:
        pet_beat(world)
