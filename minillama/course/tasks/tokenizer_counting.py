"""Tasks of lesson 01 about pairs: by hand, count_pairs, merge."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_ideas import LEFT_TO_RIGHT, NO_OVERLAP, TAKEN_AGAIN, WORDS_ONCE
from minillama.course.tasks.tokenizer_inputs import LESSON, Generator, Words, letters, made_words
from minillama.tokenizer import bpe
from minillama.tokenizer.vocabulary import SPACE

Pair = tuple[str, str]


# By hand


def by_hand(bugs: Bugs = frozenset()) -> Callable[[str], Any]:
    """The values of tokenizer.by_hand."""
    values = {
        "first merge": "en" if "words_once" in bugs else "he",
        "pairs": 2 if "no_overlap" in bugs else 3,
        "left": 4 if "taken_again" in bugs else 3,
        "bytes": 2 if "characters" in bugs else 4 if "two_each" in bugs else 3,
        "pieces": "aa b" if "left_to_right" in bugs else "a ab",
    }
    return lambda question: values[question]


by_hand_task = Task(
    id="tokenizer.by_hand", lesson=LESSON, kind="trace", title="Merge and encode by hand", points=2, difficulty=1,
    importance=4, minutes=6,
    reference=by_hand(), faulty=by_hand,
    cases=lambda rng: [Case(name=name, args=(name,)) for name in ("first merge", "pairs", "left", "bytes", "pieces")],
    misconceptions=(
        WORDS_ONCE, NO_OVERLAP, TAKEN_AGAIN,
        Misconception(
            name="characters",
            looks_like="characters in place of bytes",
            principle="UTF-8 spells a plain English letter in one byte, and every other character in two to four.",
            question="What does Python's `len` say of the text after `.encode()`?",
        ),
        Misconception(
            name="two_each",
            looks_like="as many bytes for every letter",
            principle="UTF-8 is short for plain English letters, and longer for others.",
            question="How many bytes has the letter n alone?",
        ),
        LEFT_TO_RIGHT,
    ),
    hints=(
        "Write each word letter by letter, with its count beside it, and go through its neighbours.",
        "`first merge` and `pieces` are text, pieces with one space between; the others are whole numbers.",
        "first merge: add up the counts of each pair of letters, take the largest\n"
        "pieces: look for the earliest merge that fits anywhere, join, look again",
    ),
)  # fmt: skip


# count_pairs


def faulty_count(bugs: Bugs) -> Callable[[Words], Any]:
    """count_pairs with these bugs."""

    def count(words: Words) -> Any:
        if "across_words" in bugs:
            words = {tuple(each for symbols, times in words.items() for each in symbols * times): 1}
        pairs: Counter[Any] = Counter()
        for symbols, times in words.items():
            found = list(pairwise(symbols))
            if "no_overlap" in bugs:
                found = _apart(found)
            if "once_per_word" in bugs:
                found = sorted(set(found))
            for pair in found:
                key: Any = tuple(sorted(pair)) if "unordered" in bugs else pair
                key = "".join(key) if "joined_keys" in bugs else key
                pairs[key] += 1 if "words_once" in bugs else times
        return pairs

    return count


def _apart(pairs: list[Pair]) -> list[Pair]:
    """Of equal pairs that overlap every second one only."""
    kept: list[Pair] = []
    skipped = False
    for i, pair in enumerate(pairs):
        skipped = i > 0 and pair == pairs[i - 1] and not skipped
        if not skipped:
            kept.append(pair)
    return kept


def count_cases(rng: Generator) -> list[Case]:
    """Runs of one letter, a pair twice in a word, symbols of several letters, words of one symbol."""
    a, b, c = letters(rng, 3)
    low, high = (int(each) for each in rng.choice(range(2, 9), 2, replace=False))
    return [
        Case(name="a run of one letter", args=(made_words({" ".join(a * 5): low, f"{a} {b}": high}),)),
        Case(name="a pair twice in a word", args=(made_words({f"{b} {a} {b} {a} {c}": low, f"{a} {b}": high}),)),
        Case(
            name="symbols of several letters",
            args=(made_words({f"{SPACE}{a}{b} {c}": low, f"{SPACE}{a}{b} {c} {a}": high}),),
        ),
        Case(name="a word of one symbol", args=(made_words({f"{a}{c}": low, f"{c} {a}": high}),)),
    ]


count_pairs = Task(
    id="tokenizer.count_pairs", lesson=LESSON, kind="complete", title="Count neighbours", points=2, difficulty=1,
    importance=5, minutes=6,
    reference=bpe.count_pairs, faulty=faulty_count, cases=count_cases, outputs=("the count",),
    piece="minillama.tokenizer.bpe:count_pairs", forbidden=("minillama.tokenizer.bpe:count_pairs",),
    misconceptions=(
        WORDS_ONCE, NO_OVERLAP,
        Misconception(
            name="once_per_word",
            looks_like="a pair that counts once a word, even where the word holds it twice",
            principle="Every place in the text where a pair stands is a place that a merge would shorten.",
            question="What does your function give for one word in which the pair stands twice?",
        ),
        Misconception(
            name="across_words",
            looks_like="pairs of one word's end and the next one's beginning",
            principle="The words come without order, so the end of one has no neighbour in another.",
            question="Where does your loop begin anew when a word ends?",
        ),
        Misconception(
            name="unordered",
            looks_like="pairs whose order does not matter",
            principle="Merging joins a left and a right symbol: `a b` and `b a` become different pieces.",
            question="Do your pairs keep left and right apart?",
        ),
        Misconception(
            name="joined_keys",
            looks_like="pairs written as one text",
            principle="A pair is a tuple of two symbols. Joined, `ab` + `c` and `a` + `bc` would be one and the same.",
            question="What is a key of your dict: one text, or a tuple of two?",
            credit=0.7,
        ),
    ),
    hints=(
        "Go through the words, and in each word through its neighbours.",
        "words: tuple of symbols -> how often; the result: (left, right) -> how often. `itertools.pairwise` helps.",
        "for each word with its number of times:\n    for each two neighbours:\n        add that number to their count",
    ),
)  # fmt: skip


# merge


def faulty_merge(bugs: Bugs) -> Callable[[Sequence[str], Pair], tuple[str, ...]]:
    """merge with these bugs."""

    def merge(symbols: Sequence[str], pair: Pair) -> tuple[str, ...]:
        if "inside_symbols" in bugs:
            return tuple(" ".join(symbols).replace(" ".join(pair), "".join(pair)).split(" "))
        if "right_to_left" in bugs:
            backward = faulty_merge(bugs - {"right_to_left"})(
                [each[::-1] for each in reversed(symbols)], (pair[1][::-1], pair[0][::-1])
            )
            return tuple(each[::-1] for each in reversed(backward))
        merged, i, joined = [], 0, 0
        end = len(symbols) - 1 if "drops_last" in bugs else len(symbols)
        while i < end:
            both = tuple(symbols[i : i + 2])
            fits = "".join(both) == "".join(pair) and len(both) == 2 if "same_spelling" in bugs else both == pair
            if fits and not ("first_only" in bugs and joined):
                merged.append("".join(both))
                joined += 1
                i += 1 if "taken_again" in bugs else 2
            else:
                merged.append(symbols[i])
                i += 1
        return tuple(merged)

    return merge


def merge_cases(rng: Generator) -> list[Case]:
    """A run of odd length, the pair at both ends, an end that is left over, like spellings, pairs inside symbols."""
    a, b, c = letters(rng, 3)
    run = 2 * int(rng.integers(2, 4)) + 1
    return [
        Case(name=f"{run} equal letters", args=((a,) * run, (a, a))),
        Case(name="the pair at both ends", args=((a, b, c, a, b, b, a, b), (a, b))),
        Case(name="a symbol left over at the end", args=((a, b, a, a, b, c), (a, b))),
        Case(name="another pair of the same spelling", args=((a + b, c, a, b + c, c), (a, b + c))),
        Case(name="the pair inside longer symbols", args=((c + a, b, a, b + c, a, b), (a, b))),
        Case(name="no such pair", args=((a, c, b), (a, b))),
    ]


merge_task = Task(
    id="tokenizer.merge", lesson=LESSON, kind="complete", title="Join one pair", points=2, difficulty=2,
    importance=5, minutes=8,
    reference=bpe.merge, faulty=faulty_merge, cases=merge_cases, outputs=("symbol",),
    piece="minillama.tokenizer.bpe:merge", forbidden=("minillama.tokenizer.bpe:merge",),
    misconceptions=(
        TAKEN_AGAIN,
        Misconception(
            name="first_only",
            looks_like="only the first place joined",
            principle="A merge holds everywhere in a word, not once.",
            question="What does your function do after it has joined one pair?",
        ),
        Misconception(
            name="right_to_left",
            looks_like="a walk from the right",
            principle="Of three equal letters the first two join, as everybody who uses the vocabulary expects.",
            question="At which end does your walk begin?",
        ),
        Misconception(
            name="drops_last",
            looks_like="a last symbol that gets lost",
            principle="The pieces of a word, put together, spell the word.",
            question="When your walk stands on the last symbol, which has no right neighbour, what does it do?",
        ),
        Misconception(
            name="same_spelling",
            looks_like="any two neighbours joined that spell the same text",
            principle="Here `ab` + `c` is another pair than `a` + `bc`: it was counted apart.",
            question="Do you compare the symbols, or the text that they make together?",
            credit=0.7,
        ),
        Misconception(
            name="inside_symbols",
            looks_like="a search in the joined text, which also finds the ends of longer symbols",
            principle="A pair is two whole symbols.",
            question="What does your search find in the symbols `ca` and `b`, for the pair `a`, `b`?",
            credit=0.7,
        ),
    ),
    hints=(
        "Walk through the symbols. At each place there are two cases: the pair begins here, or it does not.",
        "symbols: a list or tuple of text; pair: (left, right); the result: a tuple of text.",
        "while there are symbols ahead:\n    the pair begins here: add both as one, go on behind them\n"
        "    else: add this one, go on behind it",
    ),
)  # fmt: skip
