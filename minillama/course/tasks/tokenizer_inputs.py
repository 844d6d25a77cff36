"""Inputs that the tasks of lesson 01 share: words, texts and small vocabularies."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minillama.course.plain import Made
from minillama.tokenizer.merge import Merger
from minillama.tokenizer.vocabulary import SPACE, Vocabulary

LESSON = "01_tokenizer"
Generator = np.random.Generator
Words = Mapping[tuple[str, ...], int]


def words(spelled: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    """A word's symbols -> how often; symbols are parted by single spaces."""
    return {tuple(word.split(" ")): times for word, times in spelled.items()}


def made_words(spelled: Mapping[str, int]) -> Made:
    """The input that `words` makes."""
    return Made("minillama.course.tasks.tokenizer_inputs:words", {"spelled": dict(spelled)})


def rank_of(pieces: Sequence[str]) -> Callable[[str, str], int]:
    """A function that gives the place of the piece that two neighbours spell, NEVER where they spell none."""
    merger: Merger[str] = Merger({piece: rank for rank, piece in enumerate(pieces)}, lambda piece: [])
    return merger.rank


def made_ranks(*pieces: str) -> Made:
    """The input that `rank_of` makes."""
    return Made("minillama.course.tasks.tokenizer_inputs:rank_of", {"pieces": list(pieces)})


def letters(rng: Generator, count: int) -> list[str]:
    """Different letters, in no order."""
    return [str(each) for each in rng.choice(list("abcdefghijklmnopqrstuvwxyz"), count, replace=False)]


def made_vocabulary(merges: Sequence[str], characters: Sequence[str]) -> Made:
    """The vocabulary with these merges, spelled such as "a b", and these characters."""
    pairs = [pair.split(" ") for pair in merges]
    path = "minillama.tokenizer.bpe:vocabulary_from_merges"
    return Made(path, {"merges": pairs, "characters": [SPACE, *characters]})


def hard_vocabulary(alphabet: Sequence[str]) -> Made:
    """A vocabulary of seven letters in which the order of merging decides.

    With the letters a b c d x y z: "abcd" is one piece, but who joins a and b first is stuck; of "xyzd" the last two
    join first, so "xyz", which is a piece, is not used.
    """
    a, b, c, d, x, y, z = alphabet
    return made_vocabulary(
        [
            f"{b} {c}", f"{b}{c} {d}", f"{a} {b}{c}{d}", f"{z} {d}", f"{y} {z}", f"{x} {y}{z}", f"{a} {b}",
            f"{SPACE} {y}",
        ],
        alphabet,
    )  # fmt: skip


def vocabulary_of(made: Any) -> Vocabulary:
    """The vocabulary itself, for what is computed while cases are made."""
    assert isinstance(made, Made)
    found = made.make()
    assert isinstance(found, Vocabulary)
    return found


def ids_of(vocab: Vocabulary, *parts: str) -> list[int]:
    """The ids of pieces; a part in brackets, such as "[🙂]", stands for its bytes."""
    ids: list[int] = []
    for part in parts:
        bare = part[1:-1] if part.startswith("[") else ""
        ids += [vocab.byte_ids[byte] for byte in bare.encode()] if bare else [vocab.ids[part]]
    return ids
