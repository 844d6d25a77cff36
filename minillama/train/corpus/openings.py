# ruff: noqa: E501 (a sentence of a story stays on one line)
"""How stories begin: who there is, where, and on which day."""

from __future__ import annotations

from minillama.train.corpus import words
from minillama.train.corpus.world import World

_DAY = "[[sunny|bright|warm|cool|windy|cloudy|fine|quiet|spring|summer|autumn] |]"
_AGO = "[Once upon a time|Once upon a time|Once upon a time|Once upon a time|Long ago|Many years ago]"
_HOME = (
    "a small house|a little white house|a house with a green door|a house under an old tree|a house near {dh}|"
    "a little house on a hill|a tiny village by {dh}"
)
_RELATION = "[best friend|good friend|friend|neighbour]"


def _introduce_hero(world: World) -> None:
    named = world.character("h").named
    classic = (
        f"{_AGO}[, in a {{size}} village|, near {{dh}}|], there [was|lived] {{h.intro}}.",
        f"{_AGO}, there was {{h.intro}} who [loved {{love}}|{{habit}}].",
        f"{_AGO}, {{h.intro}} lived in [{_HOME}].",
        "{h.intro} lived near {dh}.",
        "[Once there was|There was] {h.intro}[ who loved {love}|].",
        "There [was once|once was] {h.intro}[ who loved {love}| who lived near {dh}|].",
        "In a {size} [village|town|house] [near|by|not far from] {dh}, there lived {h.intro}.",
        "[Far away|Far, far away], [behind the hills|on the other side of the sea|near {dh}], lived {h.intro}.",
    )
    plain = (
        "{h} was {h.desc} [who loved {love}|who {habit}|who lived near {dh}].",
        "{h} was {h.desc}. {h.he.cap} lived in [" + _HOME + "].",
        "This is the story of {h.intro}.",
    )
    animals = ("{h} lived near {dh}[, in a house under an old tree|]. {h.he.cap} was [very |]{h.trait}.",)
    if named:
        world.say(*(classic if world.chance(0.75) else plain))
    else:
        world.say(*(classic if world.chance(0.7) else animals))


def _introduce_friend(world: World) -> None:
    friend = world.character("f")
    options = [
        f"{{h.his.cap}} {_RELATION} was {{f.intro}}.",
        f"{{h.he.cap}} had a {_RELATION}, {{f.intro}}.",
        "{h.n} [often |]played with {f.intro}.",
    ]
    if friend.named:
        options.append(f"{{f.n}} was {{h.his}} {_RELATION}, {{f.desc}}.")
    world.say(*options)
    world.say(
        "They [did everything together|were always together|met every day|shared everything|played every day].",
        "The two [friends |]liked {love}.",
        "They had [much fun|a good time] together.",
        "",
    )


def _short_opening(world: World) -> None:
    """A story that begins in the middle of things, as typed prompts do; who is who is said at once after it."""
    if world.pet:
        world.say(
            "{h.n} and {h.his} {pet} went to {dh}.",
            "One " + _DAY + "{time}, {h.n} and {h.his} {pet} were {dh.at}.",
            "{h.n} and {h.his} {pet} were {dh.at}.",
        )
    elif world.pair:
        world.say(
            "{T.n} were {friends}.",
            "{T.n} often played {dh.at}. They were {friends}.",
            "One day, {T.n} [went to {dh}|were {dh.at}|sat {dh.at}].",
            "{T.n} went to {dh} one " + _DAY + "{time}.",
            "It was a [sunny|warm|windy|cloudy|quiet] {time}. {T.n} were {dh.at}.",
        )
    else:
        world.say(
            "One " + _DAY + "{time}, {h.n} woke up early.",
            "One day, {h.n} was {dh.at}.",
            "It was a [sunny|warm|windy|cloudy|quiet] {time}, and {h.n} was {dh.at}.",
            "{h} sat {dh.at} and [looked at the sky|thought about many things|listened to the wind].",
            "{h} had a [big |]wish.",
        )
    if world.chance(0.8):
        options = (
            ("{h} was {h.desc} who {habit}.",)
            if world.character("h").named
            else ("{h} was {h.trait}, and {h.he} {habit}.",)
        )
        world.say(*options, "{h} was {h.trait}, and {h.he} loved {love}.", "{h} was {h.trait}.")
    if world.pair and world.chance(0.6):
        world.parts["love"] = world.fresh(words.LOVES)
        world.say(
            "{f} was {f.trait}.", "{f} was {f.trait}, and {f.he} liked {love}.", "{f} was {f.trait} and liked {love}."
        )


def opening(world: World) -> None:
    """Introduces the hero and the friend: who they are, where they live, what they like."""
    if world.episode == 1:
        world.friend_known = world.pair
    world.parts["dh"] = world.fresh(tuple(words.PLACES))
    world.parts["love"] = world.fresh(words.LOVES)
    world.parts["habit"] = world.character("h").habit
    world.parts["size"] = world.pick(("small", "little", "tiny", "quiet", "old"))
    world.parts["time"] = world.pick(("morning", "morning", "afternoon", "day"))
    world.parts["friends"] = world.pick(("best friends", "good friends", "friends", "neighbours and friends"))
    if world.episode > 1:
        world.dated = True
        world.para()
        world.parts["all"] = world.parts["T" if world.friend_known or not world.pair else "h"]
        world.say(
            "[Some days|A week|Two weeks] later, {all} {all.was} {dh.at}.",
            "The next {time}, {all} {all.was} {dh.at}.",
            "[Soon after that|The next day], {all} went to {dh}.",
            "But that is not the end of the story. The next {time}, {h} [had something new to do|wanted to do something new].",
        )
        if world.pair and not world.friend_known:
            world.friend_known = True
            _introduce_friend(world)
    elif world.chance(0.4):
        _short_opening(world)
        text = world.text()
        world.dated = "day" in text or str(world.parts["time"]) in text
    else:
        _introduce_hero(world)
        if world.chance(0.55):
            habit = () if world.character("h").habit in world.text() else ("{h} {habit}.",)
            world.parts["love"] = world.fresh(words.LOVES)
            world.say("{h} loved {love}.", *habit, "Every day, {h} went to {dh}.", "Everybody liked {h.him}.")
        if world.pair:
            world.parts["love"] = world.fresh(words.LOVES)
            _introduce_friend(world)
        elif world.pet:
            world.say("{h.he.cap} had a [small|big|funny|good] {pet}[ that went everywhere with {h.him}|].")


def _when(world: World) -> str:
    """A time phrase to put before a sentence, or nothing where the day is known already."""
    time = world.parts["time"]
    if world.dated:
        return "" if world.episode > 1 else world.pick(("", "", f"that {time}, "))
    world.dated = True
    weather = world.pick(
        ("sunny", "bright", "warm", "cool", "windy", "cloudy", "fine", "quiet", "spring", "summer", "autumn")
    )
    return world.pick(
        (
            "one day, ",
            f"one {time}, ",
            f"one {weather} {time}, ",
            f"one {weather} {time}, ",
            "one Sunday, ",
            "one fine day, ",
        )
    )


def one_day(world: World) -> None:
    """Begins the paragraph in which the story proper starts."""
    world.para()
    if not world.dated and world.chance(0.3):
        world.dated = True
        world.say(
            "It was a [sunny|warm|windy|cloudy|cool|fine] {time}.",
            "The [sun was shining|birds were singing|wind was soft|sky was blue].",
            "It was [a fine day|Sunday|Monday|Saturday].",
        )
    world.parts["when"] = _when(world)
