"""Tasks of lesson 01 about learning a vocabulary: by hand, count_pairs, merge, train_bpe."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_inputs import LESSON, Generator, Words, letters, made_words
from minillama.tokenizer import bpe
from minillama.tokenizer.vocabulary import SPACE

Pair = tuple[str, str]

WORDS_ONCE = Misconception(
    name="words_once",
    looks_like="every different word counted once, however often it occurs",
    principle="A pair is worth as much as the text it shortens: a word that occurs nine times brings its pairs nine "
    "times.",
    question="Where does the number beside each word enter your sum?",
)
NO_OVERLAP = Misconception(
    name="no_overlap",
    looks_like="pairs that may not share a symbol",
    principle="Counting looks at every two neighbours, and the symbol in the middle of three has two of them. Only "
    "merging uses symbols up.",
    question="How many neighbours has the middle one of three equal letters?",
)
TAKEN_AGAIN = Misconception(
    name="taken_again",
    looks_like="a symbol that is joined to the left and then used again",
    principle="The pieces of a word, put together, spell the word, no longer and no shorter.",
    question="After a pair has been joined, at which symbol does your walk go on?",
)
LEFT_TO_RIGHT = Misconception(
    name="left_to_right",
    looks_like="joining whatever can be joined first from the left",
    principle="The merge that was learned first comes first, wherever in the word it is.",
    question="Of all pairs that could be joined, which one has the lowest rank?",
)


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


# train_bpe


def faulty_training(bugs: Bugs) -> Callable[[str, int], list[Pair]]:
    """train_bpe, counted again before every merge, with these bugs."""

    def train(text: str, vocab_size: int) -> list[Pair]:
        used = 0 if "merges_only" in bugs else bpe.FIRST_PIECES
        room = vocab_size - used - (0 if bugs & {"no_alphabet", "merges_only"} else len(bpe.alphabet(text)))
        split = [SPACE + text.replace(" ", SPACE)] if "across_words" in bugs else bpe.split_words(text)
        split = [word.removeprefix(SPACE) for word in split] if "bare_words" in bugs else split
        words: dict[tuple[str, ...], int] = Counter(tuple(word) for word in split)
        if "words_once" in bugs:
            words = dict.fromkeys(words, 1)
        least = 1 if "goes_on" in bugs else 2
        if "counts_at_start" in bugs:
            pairs = bpe.count_pairs(words)
            return sorted((p for p in pairs if pairs[p] >= least), key=lambda p: (-pairs[p], p))[:room]
        merges: list[Pair] = []
        while len(merges) < room:
            pairs = bpe.count_pairs(words)
            best = _best(pairs, bugs)
            if best is None or pairs[best] < least:
                break
            merges.append(best)
            words = {bpe.merge(symbols, best): times for symbols, times in words.items()}
        return merges

    return train


def _best(pairs: Counter[Pair], bugs: Bugs) -> Pair | None:
    if not pairs:
        return None
    if "ties_first_seen" in bugs:
        return max(pairs, key=lambda pair: pairs[pair])
    if "ties_last" in bugs:
        return max(pairs, key=lambda pair: (pairs[pair], pair))
    return min(pairs, key=lambda pair: (-pairs[pair], pair))


def training_cases(rng: Generator) -> list[Case]:
    """Ties, a frequent word beside rarer ones, pairs of words, and room for all merges that there are."""
    while True:
        cases = _draw_texts(rng)
        learned = [bpe.train_bpe(*case.args) for case in cases]
        if all(len({left + right for left, right in merges}) == len(merges) for merges in learned):
            return cases  # two merges that spell one piece are no part of the task


def _draw_texts(rng: Generator) -> list[Case]:
    a, b = sorted(letters(rng, 2))
    e, n, h, t, m, w = letters(rng, 6)
    times = int(rng.integers(3, 6))
    ties = f"{a}{b} {b}{a} " * 2
    often = " ".join([f"{t}{h}{e}"] * (3 + times) + [f"{h}{e}{n}", f"{t}{e}{n}", f"{m}{e}{n}", f"{w}{e}{n}"] * 2)
    mixed = f"{n}{e}{w} {h}{e}{m}{t} {t}{h}{e} {w}{h}{e}{n} {m}{e}{n}{t} " * times + f"{w}{e} {t}{h}{e}{m} {m}{e}{t}"

    def size(text: str, room: int) -> int:
        return bpe.FIRST_PIECES + len(bpe.alphabet(text)) + room

    return [
        Case(name="pairs that occur equally often", args=(ties.strip(), size(ties, 3))),
        Case(name="one word more frequent than the others", args=(often, size(often, 4))),
        Case(name="room for six merges", args=(mixed, size(mixed, 6))),
        Case(name="room for more merges than there are", args=(f"{mixed} {often}", size(mixed + often, 100))),
    ]


train_bpe = Task(
    id="tokenizer.train_bpe", lesson=LESSON, kind="rebuild", title="Learn the merges", points=4, difficulty=3,
    importance=5, minutes=15,
    reference=bpe.train_bpe, faulty=faulty_training, cases=training_cases, outputs=("merge",),
    piece="minillama.tokenizer.bpe:train_bpe", forbidden=("minillama.tokenizer.bpe:train_bpe",),
    misconceptions=(
        Misconception(
            name="ties_first_seen",
            looks_like="ties that go to the pair seen first",
            principle="Two people who learn from the same sentences in another order must get the same vocabulary: "
            "ties go by the dictionary.",
            question="Two pairs occur equally often: what decides in yours?",
            credit=0.7,
        ),
        Misconception(
            name="ties_last",
            looks_like="ties that go to the pair that stands last in the dictionary",
            principle="The largest count wins, and among equals the *first* in dictionary order.",
            question="Which way does your comparison run for the count, and which way for the pair?",
            credit=0.7,
        ),
        Misconception(
            name="across_words",
            looks_like="merges across the border of two words",
            principle="A piece that ends in the middle of the next word fits that one neighbour only. LLaMA's pieces "
            "stay within words.",
            question="Which function cuts the text into words, and where do you use it?",
        ),
        WORDS_ONCE,
        Misconception(
            name="bare_words",
            looks_like="words without the sign of the space in front of them",
            principle="A word starts at its space, written `▁`, and the space can be merged like a letter. Without it, "
            "nobody could put the text together again.",
            question="What is the first symbol of each of your words?",
        ),
        Misconception(
            name="no_alphabet",
            looks_like="single characters that take no room in the vocabulary",
            principle="vocab_size counts everything that gets an id: special pieces, bytes, characters and merges.",
            question="How many ids are taken before the first merge?",
            credit=0.7,
        ),
        Misconception(
            name="merges_only",
            looks_like="a vocabulary in which merges alone take room",
            principle="vocab_size counts everything that gets an id: special pieces, bytes, characters and merges.",
            question="How many ids are taken before the first merge?",
        ),
        Misconception(
            name="goes_on",
            looks_like="merges of pairs that occur only once",
            principle="A pair that occurs once saves nothing: it would be a piece for one place in one text.",
            question="When does your loop end, if there is room left?",
            credit=0.7,
        ),
        Misconception(
            name="counts_at_start",
            looks_like="all pairs counted once, at the start",
            principle="Every merge changes the neighbours: the new symbol has pairs of its own, old ones get rarer.",
            question="Which line of yours runs again after each merge?",
        ),
    ),
    hints=(
        "The same three steps, again and again: count, choose, merge. Stop when there is no room, or nothing to gain.",
        "`split_words(text)` is a list of words; as tuples of characters with their numbers they are what "
        "`count_pairs` takes. Room: vocab_size without FIRST_PIECES and without the characters of `alphabet(text)`.",
        "words = characters of each word -> how often it occurs\nwhile there is room:\n    count the pairs\n"
        "    choose the most frequent, of equals the first in dictionary order\n"
        "    stop if it occurs only once\n    note it, and merge it in every word",
    ),
)  # fmt: skip
