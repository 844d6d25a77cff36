"""The test of lesson 01 that tells right encoders from wrong ones."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_coding import faulty_encoding
from minillama.course.tasks.tokenizer_inputs import LESSON, Generator, hard_vocabulary
from minillama.tokenizer import bpe

Encoder = Callable[..., list[int]]
CANDIDATES = ("right", "right_too", "bytes_only", "longest", "left_to_right", "no_bytes", "spaces_lost", "no_prefix")


def candidate(name: str) -> Encoder:
    """An implementation of encode_bpe to be accepted or rejected, by name."""
    return bpe.encode_bpe if name == "right_too" else faulty_encoding(frozenset({name} - {"right"}))


def faulty_test(bugs: Bugs) -> Callable[[Encoder], bool]:
    """A test of encode_bpe; with bugs, one that looks at too little."""
    vocab = hard_vocabulary(list("abcdxyz")).make()
    texts = ["abcd xyzd", "xé", "a  b", "y"]
    if "no_conflict" in bugs:
        texts = ["bc  xé"]
    if "known_only" in bugs:
        texts = ["abcd xyzd  a"]
    if "one_space" in bugs:
        texts = ["abcd xyzd xé"]

    def accept(encode: Encoder) -> bool:
        if "anything" in bugs:
            return True
        if "nothing" in bugs:
            return False
        if "round_trip" in bugs:
            return all(bpe.decode(encode(text, vocab), vocab) == text for text in ("abcd xyzd", "xé", "a  b"))
        at_start = "no_prefix_expected" not in bugs
        return all(encode(text, vocab) == bpe.encode_bpe(text, vocab, at_start) for text in texts)

    return accept


def _test_cases(rng: Generator) -> Sequence[Case]:
    path = f"{__name__}:candidate"
    names = [str(name) for name in rng.permutation(CANDIDATES)]
    return [Case(name=f"candidate {i + 1}", args=(Made(path, {"name": name}),)) for i, name in enumerate(names)]


def accepted(cases: Sequence[Case], outputs: Sequence[Any]) -> set[str]:
    """The names of the candidates that a test accepts."""
    return {
        case.args[0].arguments["name"] for case, output in zip(cases, outputs, strict=True) if bool(np.asarray(output))
    }


RIGHT_ONES = {"right", "right_too"}


def _is_round_trip(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    found = accepted(cases, outputs)
    return {*RIGHT_ONES, "bytes_only", "longest", "left_to_right"} <= found != set(CANDIDATES)


def _is_without_conflict(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    found = accepted(cases, outputs)
    return found >= RIGHT_ONES and "bytes_only" not in found and bool(found & {"longest", "left_to_right"})


def _is_known_only(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    found = accepted(cases, outputs)
    return found >= {*RIGHT_ONES, "no_bytes"} and not found & {"bytes_only", "longest", "left_to_right"}


def _is_one_space(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    return accepted(cases, outputs) == {*RIGHT_ONES, "spaces_lost"}


test_encode: Task = Task(
    id="tokenizer.test_encode", lesson=LESSON, kind="test", title="Write the test that tells", points=4, difficulty=4,
    importance=4, minutes=15,
    reference=faulty_test(frozenset()), faulty=faulty_test, cases=_test_cases, driver="accepts",
    outputs=("your verdict",), forbidden=("minillama.tokenizer.bpe:encode_bpe",),
    misconceptions=(
        Misconception(
            name="anything", looks_like="a test that accepts everything", principle="Six of the eight are wrong.",
            question="Which of your lines can fail?", credit=0.0,
        ),
        Misconception(
            name="nothing", looks_like="a test that rejects everything", principle="Two of the eight are right.",
            question="Does what you expect hold for the lesson's own encode_bpe?", credit=0.0,
        ),
        Misconception(
            name="no_prefix_expected",
            looks_like="ids expected without the space in front",
            principle="A right encoder puts one space in front of every text, also of yours, and it has an id.",
            question="Which piece does a text of yours begin with, once a space stands before it?", credit=0.3,
        ),
        Misconception(
            name="round_trip",
            looks_like="a test of the way there and back alone",
            principle="Any ids that spell the text come back as the text, such as its bytes, one by one. The model has "
            "learned from one of the many spellings.",
            question="Which ids, exactly, must a short text become?", credit=0.3, signature=_is_round_trip,
        ),
        Misconception(
            name="no_conflict",
            looks_like="texts on which every order of merging agrees",
            principle="Ranks matter only where two merges want the same letter.",
            question="In which of your texts could a letter go to the left or to the right?", credit=0.5,
            signature=_is_without_conflict,
        ),
        Misconception(
            name="known_only",
            looks_like="texts in which every character has a piece",
            principle="What is in no piece is spelled in bytes, and only a text that has such a character shows it.",
            question="Which character of your texts is not in your vocabulary?", credit=0.5,
            signature=_is_known_only,
        ),
        Misconception(
            name="one_space",
            looks_like="texts with single spaces only",
            principle="Every space of a text is in its ids, also the second of two.",
            question="Which of your texts would a lost space change?", credit=0.7, signature=_is_one_space,
        ),
    ),
    hints=(
        "Make a vocabulary so small that you know the right ids by heart, and compare all of them.",
        "`vocabulary_from_merges(merges, characters)`, merges such as [(\"b\", \"c\"), (\"a\", \"b\")]; then "
        "candidate(text, vocab) is a list of ids, and vocab.ids[piece] the id of a piece.",
        "a text in which two merges want the same letter\na text with two spaces\na character without a piece\n"
        "for each: the ids that you worked out by hand",
    ),
)  # fmt: skip
