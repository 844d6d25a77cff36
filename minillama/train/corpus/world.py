"""The small world that a story happens in: who is there, who has what, and what has been said.

Sentences are written as templates. `[sunny|warm]` picks one of the choices, `[very |]` is a word that may be left out,
and `{h}` stands for whoever plays the part `h`. The world decides between the name and the pronoun, so that "she" is
used only where a reader knows who is meant. Handing a thing over changes the state and tells it in one step, so a
story cannot say that somebody gives away what another one holds.

Parts: `h` the hero, `f` the friend, `T` the two together (the hero alone where there is no friend), `g` a helper,
`e` a grown-up, `o` and `p` things, `d` the place where the story leads.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from minillama.train.corpus import words

Item = TypeVar("Item")
PRONOUNS = {
    "he": {"he": "he", "him": "him", "his": "his", "self": "himself", "was": "was", "has": "has", "is": "is"},
    "she": {"he": "she", "him": "her", "his": "her", "self": "herself", "was": "was", "has": "has", "is": "is"},
    "they": {
        "he": "they",
        "him": "them",
        "his": "their",
        "self": "themselves",
        "was": "were",
        "has": "have",
        "is": "are",
    },
}
_TOKEN = re.compile(r"[\[\]|]|\{[^}]*\}|[^\[\]|{]+")
_SENTENCE_START = re.compile(r'(^"?|[.!] "?|[.]" "?|\? |: ")([a-z])')
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")


@dataclass(eq=False)
class Character:
    """Somebody in a story; `name` is also "the fox" for an animal without a name, `call` is how others address them."""

    name: str
    kind: str
    pronoun: str
    adjective: str
    habit: str
    call: str
    invented: bool = False

    @property
    def named(self) -> bool:
        """False for "the fox" and "the baker"."""
        return self.name == self.call

    @property
    def desc(self) -> str:
        """Such as "a curious girl"."""
        return f"a {self.adjective} {self.kind}"

    @property
    def intro(self) -> str:
        """Such as "a curious girl named Lily", for the first mention."""
        return f"{self.desc} named {self.name}" if self.named else self.desc


@dataclass(eq=False)
class Thing:
    """An object with a look and a noun, and the one who holds it (None: it lies somewhere)."""

    noun: str
    look: str
    holder: Character | None = None
    owner: Character | None = None
    alone: bool = True  # False where another thing of the same noun is in the story, so the look must be said


@cache
def compile_template(template: str) -> tuple[object, ...]:
    """Turns a template into nested tuples: a string, ("ref", part, form) or ("alt", choices)."""
    stack: list[list[list[object]]] = [[[]]]
    for token in _TOKEN.findall(template):
        if token == "[":
            stack.append([[]])
        elif token == "|":
            stack[-1].append([])
        elif token == "]":
            choices = tuple(tuple(choice) for choice in stack.pop())
            stack[-1][-1].append(("alt", choices, len(choices)))
        elif token[0] == "{":
            part, _, form = token[1:-1].partition(".")
            stack[-1][-1].append(("ref", part, form))
        else:
            stack[-1][-1].append(token)
    if len(stack) != 1 or len(stack[0]) != 1:
        raise ValueError(f"unbalanced template: {template!r}")
    return tuple(stack[0][0])


class World:
    """One story under way: the parts, the state, and the paragraphs told so far.

    Args:
        rng: the only source of chance; only `random()` is called, whose values no Python version changes.
        held_out: whether names are taken from the held-out share.
    """

    def __init__(self, rng: random.Random, held_out: bool = False) -> None:
        self.random = rng.random
        self.held_out = held_out
        self.parts: dict[str, Character | Thing | str] = {}
        self.things: list[Thing] = []
        self.taken: list[str] = []
        self.paragraphs: list[list[str]] = [[]]
        self.used: dict[str, None] = {}
        self.pair = False
        self.pet = ""
        self.friend_known = False  # the friend has been introduced
        self.dated = False  # the story has said which day it is
        self.episode = 1
        self.episodes = 1
        self.met: list[str] = []  # the obstacles so far, as they are told at home
        self.troubles: list[tuple[str, str]] = []  # further obstacles on the way, with their resolutions
        self.obstacle = ""
        self.resolution = ""
        self.invented: list[str] = []
        self.listed: list[str] = []
        self._focus: Character | None = None
        self._run = 0
        self._speech = False  # the sentence begins with speech, so the next name in it is the speaker
        self._recent: dict[str, Character | None] = {}

    # chance

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[int(self.random() * len(items))]

    def chance(self, share: float) -> bool:
        """True in this share of the cases."""
        return self.random() < share

    def fresh(self, items: Sequence[str]) -> str:
        """One of the items that this story has not taken before."""
        free = [item for item in items if item not in self.taken] or list(items)
        choice = self.pick(free)
        self.taken.append(choice)
        return choice

    def sample(self, items: Sequence[str], count: int) -> list[str]:
        """Several different items, in the order of drawing."""
        return [self.fresh(items) for _ in range(count)]

    # parts

    def character(self, part: str) -> Character:
        """The character who plays a part."""
        who = self.parts[part]
        assert isinstance(who, Character)
        return who

    def thing(self, part: str) -> Thing:
        """The thing that plays a part."""
        what = self.parts[part]
        assert isinstance(what, Thing)
        return what

    def place(self, part: str, name: str) -> None:
        """Lets a place play a part: `{d}` is "the river", `{d.at}` is "by the river"."""
        self.parts[part] = name

    def add_thing(self, part: str, noun: str = "", look: str = "", holder: str = "", owner: str = "") -> Thing:
        """Adds a thing to the story; words that are not given are drawn."""
        thing = Thing(
            noun or self.fresh(words.THINGS), look or self.fresh(words.COLOURS if self.chance(0.75) else words.LOOKS)
        )
        thing.holder = self.character(holder) if holder else None
        thing.owner = self.character(owner) if owner else None
        for other in self.things:
            if other.noun == thing.noun:
                other.alone = thing.alone = False
        self.things.append(thing)
        self.parts[part] = thing
        return thing

    # state

    def take(self, who: str, what: str) -> None:
        """Somebody picks up a thing that nobody holds."""
        thing = self.thing(what)
        assert thing.holder is None, f"{thing.noun} is held by {thing.holder}"
        thing.holder = self.character(who)

    def drop(self, who: str, what: str) -> None:
        """Somebody loses or puts down what they hold."""
        thing = self.thing(what)
        assert thing.holder is self.character(who), f"{thing.noun} is not held by {who}"
        thing.holder = None

    def give(self, giver: str, taker: str, what: str) -> None:
        """A thing goes from the one who holds it to another."""
        self.drop(giver, what)
        self.take(taker, what)

    # telling

    def para(self) -> None:
        """Starts a paragraph; its first mention of anybody is a name."""
        if self.paragraphs[-1]:
            self.paragraphs.append([])
        self._focus = None

    def say(self, *templates: str) -> None:
        """Tells one of the templates, one that this story has not used where there is a choice."""
        if len(templates) > 1:
            free = [template for template in templates if template not in self.used]
            template = self.pick(free or templates)
        else:
            template = templates[0]
        self.used[template] = None
        out: list[str] = []
        self._speech = template[0:1] == '"'
        self._render(compile_template(template), out)
        text = "".join(out).strip().replace("  ", " ").replace(" .", ".")
        if text:
            text = _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), text)
            self.paragraphs[-1].append(_ARTICLE.sub(r"\1n ", text))
            if "they" in template or "They" in template:
                self._focus = None

    def tell(self, *beats: tuple[str, ...] | str) -> None:
        """Tells several sentences, each given as one template or as a tuple of templates to pick from."""
        for beat in beats:
            if isinstance(beat, str):
                self.say(beat)
            else:
                self.say(*beat)

    def text(self) -> str:
        """The story so far, a line for each paragraph."""
        return "\n".join(" ".join(sentences) for sentences in self.paragraphs if sentences)

    def _render(self, nodes: tuple[object, ...], out: list[str]) -> None:
        for node in nodes:
            if isinstance(node, str):
                out.append(node)
            elif isinstance(node, tuple) and node[0] == "alt":
                self._render(node[1][int(self.random() * node[2])], out)
            else:
                assert isinstance(node, tuple)
                out.append(self._refer(node[1], node[2]))

    def _refer(self, part: str, form: str) -> str:
        if form.endswith(".cap"):  # such as {h.he.cap}
            text = self._refer(part, form[:-4])
            return text[0].upper() + text[1:]
        who = self.parts[part]
        if isinstance(who, Character):
            return self._refer_character(who, form)
        if isinstance(who, Thing):
            return self._refer_thing(who, form)
        if part[0] != "d":
            return who[0].upper() + who[1:] if form == "cap" else who
        return f"{words.PLACES[who][0]} the {who}" if form == "at" else f"the {who}"

    def _refer_thing(self, thing: Thing, form: str) -> str:
        if form == "noun":
            return thing.noun
        if form == "bare":
            return f"{thing.look} {thing.noun}"
        if form == "a":
            return f"a {thing.look} {thing.noun}"
        short = thing.alone and form != "full" and self.random() < 0.25
        return f"the {thing.noun}" if short else f"the {thing.look} {thing.noun}"

    def _refer_character(self, who: Character, form: str) -> str:
        if form == "":
            return self._subject(who)
        if form in ("n", "intro", "desc"):
            self._recent[who.pronoun] = who
            if form != "n" or self._focus is None or (self._speech and self._focus is not who):
                self._focus, self._run, self._speech = who, 0, False
            return who.name if form == "n" else who.intro if form == "intro" else who.desc
        if form == "s":
            self._recent[who.pronoun] = who
            return f"{who.name}'s"
        if form == "call":
            return who.call
        if form == "trait":
            return who.desc if who.named else who.adjective
        return PRONOUNS[who.pronoun][form]

    def _subject(self, who: Character) -> str:
        if self._focus is who and self._recent.get(who.pronoun) is who and self._run < 3 and self.random() < 0.75:
            self._run += 1
            return PRONOUNS[who.pronoun]["he"]
        self._focus, self._run = who, 0
        self._recent[who.pronoun] = who
        return who.name
