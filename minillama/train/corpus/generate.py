"""Tells stories by seed and index, strings them into a corpus, and describes what it holds."""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Iterator

from minillama.errors import DataError
from minillama.train.corpus.cast import cast
from minillama.train.corpus.journeys import JOURNEYS
from minillama.train.corpus.plans import PLANS, TELLERS, Plan
from minillama.train.corpus.world import World

SPLITS = ("train", "held_out")
MIN_WORDS, MAX_WORDS = 100, 800


def choose(world: World) -> Plan:
    """Draws a plan of the world's split."""
    plans = PLANS[world.held_out]
    return world.pick(plans[world.pick(tuple(plans))])


def _tell_plan(world: World, plan: Plan) -> None:
    """Tells a story of one plan, or of two plans one after the other, with further obstacles on some journeys."""
    world.episodes = 2 if world.chance(0.25) else 1
    goal = plan.goal
    while True:
        world.obstacle, world.resolution = plan.obstacle, plan.resolution
        world.troubles = []
        if plan.goal in JOURNEYS and world.chance(0.4):
            more = [other for other in PLANS[world.held_out][plan.goal] if other.obstacle != plan.obstacle]
            other = world.pick(more)
            world.troubles = [(other.obstacle, other.resolution)]
        TELLERS[plan.goal][0](world)
        if world.episode == world.episodes:
            return
        world.episode += 1
        while plan.goal in (goal, "friend", "night"):
            plan = choose(world)


def tell(seed: int, index: int, split: str = "train") -> tuple[Plan, World]:
    """Tells one story and returns its plan and the world at its end.

    Args:
        seed: which corpus.
        index: which story of it, from 0.
        split: "train" or "held_out".

    Returns:
        The plan and the world; `world.text()` is the story.

    Raises:
        DataError: for a split that does not exist.
    """
    if split not in SPLITS:
        raise DataError(f"got split {split!r}, expected one of {SPLITS}; choose one of these")
    held_out = split == "held_out"
    for attempt in itertools.count():  # until the length is right and every invented name has come three times
        world = World(random.Random(f"{seed}/{split}/{index}/{attempt}"), held_out)
        cast(world)
        plan = choose(world)
        _tell_plan(world, plan)
        text = world.text()
        if MIN_WORDS <= len(text.split()) <= MAX_WORDS and all(text.count(name) >= 3 for name in world.invented):
            return plan, world
    raise AssertionError("unreachable")


def story(seed: int, index: int, split: str = "train") -> str:
    """One story as plain ASCII text, a line for each paragraph.

    The same arguments give the same text on every machine. Arguments and errors are those of `tell`.

    Example:
        >>> story(0, 0) == story(0, 0)
        True
    """
    return tell(seed, index, split)[1].text()


def stories(seed: int, split: str = "train") -> Iterator[str]:
    """Endless stories, the first of which is `story(seed, 0, split)`."""
    return (story(seed, index, split) for index in itertools.count())


def corpus(seed: int, n_bytes: int, split: str = "train") -> Iterator[str]:
    """Stories until they have at least `n_bytes` bytes; what separates them is left to the tokenizer."""
    told = 0
    for text in stories(seed, split):
        if told >= n_bytes:
            return
        told += len(text)
        yield text


def describe(seed: int, n_stories: int, split: str = "train") -> dict[str, float]:
    """Counts what a corpus holds.

    Args:
        seed: which corpus.
        n_stories: how many of its stories to count, at least 1.
        split: "train" or "held_out".

    Returns:
        Words a story (min, median, max), distinct words (lower-cased, of letters), and the shares of stories with an
        invented name, with an ordered list, with speech, and of stories and sentences that occur once.
    """
    lengths: list[int] = []
    texts: dict[str, None] = {}
    vocabulary: dict[str, None] = {}
    sentences: dict[str, int] = {}
    invented = lists = speech = 0
    for index in range(n_stories):
        world = tell(seed, index, split)[1]
        text = world.text()
        lengths.append(len(text.split()))
        texts[text] = None
        vocabulary.update(dict.fromkeys("".join(c if c.isalpha() else " " for c in text.lower()).split()))
        for sentence in itertools.chain.from_iterable(world.paragraphs):
            sentences[sentence] = sentences.get(sentence, 0) + 1
        invented += bool(world.invented)
        lists += bool(world.listed)
        speech += '"' in text
    return {
        "stories": n_stories,
        "words_min": min(lengths),
        "words_median": statistics.median(lengths),
        "words_max": max(lengths),
        "distinct_words": len(vocabulary),
        "share_invented_names": invented / n_stories,
        "share_lists": lists / n_stories,
        "share_speech": speech / n_stories,
        "share_distinct_stories": len(texts) / n_stories,
        "share_distinct_sentences": len(sentences) / sum(sentences.values()),
    }
