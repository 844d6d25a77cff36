"""Tasks of lesson 01 that go beyond the page: numbers in groups of digits, and a test that tells."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_coding import faulty_encoding
from minillama.course.tasks.tokenizer_inputs import LESSON, Generator, hard_vocabulary
from minillama.tokenizer import bpe
from minillama.tokenizer.vocabulary import SPACE

Encoder = Callable[..., list[int]]


# Numbers in groups


def grouping(size: int, side: str) -> Callable[[Bugs], Callable[[list[str]], list[str]]]:
    """Numbers in groups of `size` digits, counted from the left or right; the space in front stands alone."""

    def with_bugs(bugs: Bugs) -> Callable[[list[str]], list[str]]:
        left = (side == "left") != ("other_side" in bugs)
        length = 1 if "digit_by_digit" in bugs else size

        def groups(word: str) -> list[str]:
            first = length if left else len(word) % length or length
            parts = [word[:first], *(word[i : i + length] for i in range(first, len(word), length))]
            empty = [""] * ("empty_group" in bugs and len(word) % length == 0)
            return [*parts, *empty] if left else [*empty, *parts]

        def split(words: list[str]) -> list[str]:
            found: list[str] = []
            for word in words:
                bare = word.removeprefix(SPACE)
                seen = word if "space_hides" in bugs else bare
                if not (seen.isalnum() if "letters_too" in bugs else seen.isdigit()):
                    apart = "every_space" in bugs and bare not in (word, "")
                    found += [SPACE, bare] if apart else [word]
                elif "short_whole" in bugs and len(bare) <= length:
                    found.append(word)
                elif "space_glued" in bugs:
                    first, *rest = groups(bare)
                    found += [word.removesuffix(bare) + first, *rest]
                else:
                    found += [SPACE] * (bare != word and "space_lost" not in bugs)
                    parts = groups(str(int(bare)) if "as_values" in bugs and bare.isdigit() else bare)
                    found += [part[::-1] for part in parts] if "mirrored" in bugs else parts
            return found

        return split

    return with_bugs


def number_cases(rng: Generator) -> list[Case]:
    """Numbers of one to twelve digits, with a space before them and without, zeros in front of some."""

    def number(digits: int) -> str:
        return "".join(str(each) for each in rng.integers(1, 10, digits))

    long, other = 7 + int(rng.integers(0, 2)), 4 + int(rng.integers(0, 2))
    texts = {
        f"a number of {long} digits": f"about {number(long)} people",
        "a number without a space": f"v{number(other)}, version {number(2)}",
        "a number that begins the line": f"{number(5)} and {number(1)} or {number(10)}",
        "zeros in front": f"agent 00{number(1)} and 000{number(4)} or 0",
        "a number of whole groups alone": f"{number(12)} is v{number(12)}",
        "no number": "understanding everything",
    }
    return [Case(name=name, args=(bpe.split_words(text, split_digits=False),)) for name, text in texts.items()]


def make_split_numbers(size: int = 3, side: str = "right") -> Task:
    """The task for one size of groups, counted from one side."""
    faulty = grouping(size, side)
    example = faulty(frozenset())([f"{SPACE}1234567"])
    return Task(
        id="tokenizer.split_numbers", lesson=LESSON, kind="vary", title=f"Numbers in groups of {size}", points=6,
        difficulty=3, importance=3, minutes=12,
        reference=faulty(frozenset()), faulty=faulty, cases=number_cases, outputs=("word",),
        misconceptions=(
            Misconception(
                name="other_side",
                looks_like="groups counted from the other end",
                principle=f"Groups are counted from the {side}, so that the last group at the other end may be short.",
                question="Which group of a number with ten digits is the short one in yours?",
            ),
            Misconception(
                name="digit_by_digit",
                looks_like="every digit by itself",
                principle=f"Here up to {size} digits stay together.",
                question="How many digits does your longest group have?",
            ),
            Misconception(
                name="space_glued",
                looks_like="a space that sticks to the first digits",
                principle="The same digits should be the same piece, in front of a number and within it.",
                question=f"What does {SPACE}25 become, and what 25?",
            ),
            Misconception(
                name="space_hides",
                looks_like="numbers left alone when a space stands before them",
                principle=f"`{SPACE}25` is a number too, with its space.",
                question="How do you recognise a number, and what does that say of one with a space in front?",
            ),
            Misconception(
                name="space_lost",
                looks_like="a space that gets lost before numbers",
                principle="The words, put together, are the text, no shorter.",
                question=f"Where does the {SPACE} of a number go in yours?",
            ),
            Misconception(
                name="letters_too",
                looks_like="words of letters cut like numbers",
                principle="Only numbers are cut; other words are handed on.",
                question="Which of the words does your function cut?",
            ),
            Misconception(
                name="as_values",
                looks_like="numbers read as values, whose zeros in front are gone",
                principle="The words, put together, are the text, and 007 is not the text 7.",
                question="What does your function make of 007?",
                credit=0.7,
            ),
            Misconception(
                name="empty_group",
                looks_like="an empty piece beside a number of whole groups",
                principle="A piece without letters has no id.",
                question=f"What is left over of a number of {2 * size} digits?",
                credit=0.7,
            ),
            Misconception(
                name="every_space",
                looks_like="a space cut off every word",
                principle="Only numbers are cut; other words are handed on with their space.",
                question=f"What does {SPACE}about become?",
            ),
            Misconception(
                name="short_whole",
                looks_like="short numbers handed on with their space",
                principle="The same digits should be the same piece, however few they are.",
                question=f"What does {SPACE}25 become?",
                credit=0.7,
            ),
            Misconception(
                name="mirrored",
                looks_like="groups whose digits stand backwards",
                principle="What was turned round to be cut has to be turned back, the groups and the digits in each.",
                question="What do the first two digits of a number become?",
                credit=0.7,
            ),
        ),
        hints=(
            "Take one word. Is it a number, apart from its space? Then cut it; else hand it on.",
            f"In and out are lists of text. [\"{SPACE}1234567\"] becomes {example}.",
            "for each word:\n    without its space, is it all digits?\n"
            "        no: keep it\n        yes: the space by itself, then the groups of digits",
        ),
        family={"size": (2, 3, 4), "side": ("left", "right")},
        build=make_split_numbers,
    )  # fmt: skip


split_numbers = make_split_numbers()


# A test that tells

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
    path = "minillama.course.tasks.tokenizer_more:candidate"
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
