"""The task of lesson 01 that learns a vocabulary: train_bpe."""

from collections import Counter
from collections.abc import Callable

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_ideas import WORDS_ONCE
from minillama.course.tasks.tokenizer_inputs import LESSON, Generator, letters
from minillama.tokenizer import bpe
from minillama.tokenizer.vocabulary import SPACE

Pair = tuple[str, str]


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
