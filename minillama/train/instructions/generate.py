"""Which kinds of tasks there are, and tasks drawn by seed and index, in a split for training and one held out."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Callable, Iterator

from minillama.errors import DataError
from minillama.train.corpus.world import World
from minillama.train.instructions import lists, reading, sentences, writing
from minillama.train.instructions.task import Task

SPLITS = ("train", "held_out")
HELD_OUT_EVERY = 8  # a task whose digest this divides is held out
TRAINED: dict[str, Callable[[World], Task]] = {
    make.__name__: make
    for make in (
        reading.who_has, reading.does_have, reading.who_gave, reading.where, reading.what_lost, reading.colour,
        reading.friend, reading.loves, reading.what_is, reading.title,
        lists.repeat, lists.backwards, lists.first, lists.last, lists.how_many, lists.after, lists.without,
        lists.instead, lists.is_in, lists.odd_one_out, lists.only, lists.by_number, lists.with_and,
        sentences.other_name, sentences.he_and_she, sentences.past, sentences.negation, sentences.question,
        sentences.opposite, sentences.plural, sentences.without_colour, sentences.one_sentence, sentences.gap,
        sentences.speaker, sentences.speech,
        writing.write_about, writing.go_on, writing.name_some, writing.count_up,
    )
}  # fmt: skip
NEVER_TRAINED: dict[str, Callable[[World], Task]] = {
    make.__name__: make
    for make in (reading.who_lost, lists.second, lists.before, sentences.change_places, writing.count_down)
}
KINDS = {**TRAINED, **NEVER_TRAINED}


def _is_held_out(task: Task) -> bool:
    return zlib.crc32(f"{task.instruction}\n{task.input}".encode()) % HELD_OUT_EVERY == 0


def task(seed: int, index: int, kind: str, split: str = "train") -> Task:
    """One task; the same arguments give the same one on every machine.

    A held-out task has names that no training story and no training task has, and what it asks is never asked in
    training: which of the two splits instruction and input belong to follows from their digest.

    Args:
        seed: which set.
        index: which of its tasks of this kind, from 0.
        kind: one of KINDS.
        split: "train" or "held_out".

    Raises:
        DataError: a kind or a split that does not exist.
    """
    if kind not in KINDS or split not in SPLITS:
        raise DataError(f"got kind {kind!r} and split {split!r}, expected one of {', '.join(KINDS)} and of {SPLITS}")
    held_out = split == "held_out"
    for attempt in itertools.count():
        world = World(random.Random(f"{seed}/{split}/{kind}/{index}/{attempt}"), held_out)
        drawn = KINDS[kind](world)
        if _is_held_out(drawn) == held_out:
            return drawn
    raise AssertionError("unreachable")


def tasks(seed: int, split: str = "train", kinds: tuple[str, ...] = tuple(TRAINED)) -> Iterator[tuple[str, Task]]:
    """Endless tasks with the name of their kind, the kinds in turn."""
    for index in itertools.count():
        for kind in kinds:
            yield kind, task(seed, index, kind, split)
