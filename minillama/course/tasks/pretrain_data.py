"""Lesson 09's data: documents that are dropped because they are nearly there already, and windows of the rest."""

from collections.abc import Callable, Sequence

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.pretrain_hand import LESSON
from minillama.train import data

RUN = 3  # words of a shingle


def faulty_originals(bugs: Bugs = frozenset()) -> Callable[[list[str], float], list[int]]:
    """Which texts to keep, with these bugs."""

    def shingles(text: str) -> list[tuple[str, ...]]:
        whole = text if "capitals" in bugs else text.lower()
        words = list(whole) if "letters" in bugs else whole.split()
        run = 1 if "words" in bugs else 2 if "pairs" in bugs else len(words) if "exact" in bugs else RUN
        starts = range(0, len(words) - run + ("last_run" not in bugs), run if "apart" in bugs else 1)
        return [tuple(words[i : i + run]) for i in starts]

    def alike(listed: list, others: list, threshold: float) -> bool:
        one, other = set(listed), set(others)
        both = sum(run in other for run in listed) if "repeats" in bugs else len(one & other)
        size = len(listed) + len(others) - both if "repeats" in bugs else len(one | other)
        size = min(len(one), len(other)) if "containment" in bugs else size
        size = len(one) + len(other) if "added" in bugs else size
        share = both / size
        return share > threshold if "strict" in bugs else share >= threshold

    def keep_originals(texts: list[str], threshold: float) -> list[int]:
        sets, kept = [shingles(text) for text in texts], list[int]()
        order = list(range(len(texts)))
        for i in order[::-1] if "keeps_last" in bugs else order:
            before = order[:i] if "against_dropped" in bugs else kept
            before = order[max(0, i - 1) : i] if "neighbours" in bugs else before
            before = [j for j in order if j != i] if "drops_both" in bugs else before
            before = kept[-1:] if "last_kept" in bugs else before
            if not any(alike(sets[i], sets[j], threshold) for j in before):
                kept.append(i)
        return [i for i in order if i not in kept] if "dropped" in bugs else sorted(kept)

    return keep_originals


def originals_cases(rng: Generator) -> Sequence[Case]:
    """A copy further down, a text told backwards, a share that is the threshold, a chain, a part, capitals."""
    words = [f"{a}{b}" for a in ("ba", "do", "ki", "lu", "me", "po") for b in ("ran", "sel", "tim", "vo", "zu", "fa")]
    w = [str(each) for each in rng.permutation(words)]

    def text(start: int, end: int, *more: str) -> str:
        return " ".join([*w[start:end], *more])

    return [
        Case(
            name="a copy that ends in another word",
            args=([text(0, 10), text(12, 20), text(0, 9, w[30]), text(20, 29)], 0.5),
        ),
        Case(name="the same words in another order", args=([text(0, 9), " ".join(w[8::-1]), text(0, 9)], 0.5)),
        Case(name="a share that is exactly the threshold", args=([text(0, 8), text(0, 6, w[30], w[31])], 0.5)),
        Case(name="a chain of texts, each like the one before", args=([text(0, 10), text(2, 12), text(4, 14)], 0.5)),
        Case(name="a short text that is part of a long one", args=([text(0, 20), text(3, 9), text(22, 30)], 0.6)),
        Case(name="capitals", args=([text(0, 8).title(), text(10, 19), text(0, 8).upper()], 0.8)),
        Case(
            name="a share just below the threshold",
            args=([text(0, 8), text(0, 6, w[30], w[31]), text(12, 20)], 0.53),
        ),
        Case(name="a share far below the threshold", args=([text(0, 8), text(0, 6, w[30], w[31]), text(12, 20)], 0.6)),
        Case(
            name="other words of nearly the same letters",
            args=([text(0, 10), " ".join(f"{each}s" for each in w[:10])], 0.3),
        ),
        Case(
            name="a text that repeats itself",
            args=([" ".join([*w[:3] * 2, *w[20:23]]), " ".join([*w[:3] * 3, *w[4:10]])], 0.4),
        ),
        Case(name="a copy of the text before", args=([text(0, 9), text(10, 19), text(10, 18)], 0.6)),
        Case(name="a copy of a text further up", args=([text(0, 9), text(10, 19), text(0, 8)], 0.6)),
    ]


keep_originals = Task(
    id="train.keep_originals", lesson=LESSON, kind="complete", title="Drop what is nearly there already", points=3,
    difficulty=2, importance=3, minutes=12,
    reference=faulty_originals(), faulty=faulty_originals, cases=originals_cases, outputs=("the kept texts",),
    misconceptions=(
        idea(
            "words", "a comparison of words, whatever their order",
            "Three words in a row are what two texts share only if one was copied.",
            "What has a text in common with itself told backwards?",
        ),
        idea(
            "exact", "a comparison of whole texts", "One changed word does not make another text.",
            "How alike are two texts in yours, of which one word differs?",
        ),
        idea(
            "apart", "runs that do not overlap",
            "A run begins at every word. Otherwise one word put in at the front would change every run behind it.",
            "How many runs has a text of six words in yours?",
        ),
        idea(
            "capitals", "capitals that make another word", "Capitals do not count here.",
            "Are `Once` and `once` one word in yours?", 0.7,
        ),
        idea(
            "containment", "a share of the shorter text",
            "The share is of all that occurs in either text. A short quotation in a long text is no copy of it.",
            "By how many runs of words do you divide?",
        ),
        idea(
            "strict", "a threshold that has to be passed, not reached", "A share that is the threshold is enough.",
            "What happens at exactly the threshold?", 0.7,
        ),
        idea("keeps_last", "the last copy kept, not the first", "The first of two copies stays.",
             "From which end do you walk?"),
        idea(
            "neighbours", "a look at the text before alone", "A copy may stand anywhere in the pile.",
            "With how many texts is the last one compared?",
        ),
        idea("drops_both", "a text dropped together with its copy", "One of them stays: it is worth reading once.",
             "With which texts is the first one compared?"),
        idea(
            "against_dropped", "a comparison with texts that were dropped",
            "What was dropped teaches nobody, so whoever resembles it alone is still worth reading.",
            "Are texts that you dropped still in the pile that you compare with?", 0.7,
        ),
        idea(
            "last_kept", "a look at the last kept text alone", "A copy may resemble any text of the pile.",
            "With how many of the kept texts is each compared?",
        ),
        idea(
            "added", "a share of both sizes added up",
            "A run that both have is one run of what occurs in either, not two.",
            "How large is the share of a text and itself in yours?",
        ),
        idea(
            "last_run", "texts whose last run is missing", "Five words have three runs of three.",
            "Which words are in the last run of a text of five?", 0.7,
        ),
        idea("pairs", "runs of two words", "A shingle has three words here.",
             "How many words does each of your runs hold?", 0.7),
        idea("letters", "runs of letters", "A shingle is three words in a row, not three letters.",
             "What does your function cut a text into before it makes runs?"),
        idea(
            "repeats", "runs that count as often as they occur",
            "A run counts once for each text, however often it stands there: a set.",
            "How many different runs has a text that says the same three times?", 0.7,
        ),
        idea("dropped", "the indices of those that go", "Those that stay are asked for.",
             "What does your function give where all texts are different?"),
    ),
    hints=(
        "Walk from the first text to the last, and keep a pile of what you keep.",
        "A set of runs of three words for each text; a share from 0 to 1; a list of indices, in order.",
        "for each text: its set of runs\nits share with every kept text: runs in both / runs in either\n"
        "none reaches the threshold? keep its index",
    ),
)  # fmt: skip


def faulty_pack(bugs: Bugs = frozenset()) -> Callable[[list[list[int]], int], np.ndarray]:
    """data.pack with these bugs."""

    def pack(documents: list[list[int]], length: int) -> np.ndarray:
        if "leaks" in bugs:
            documents = [ids[1:-1] for ids in documents]
        if "no_end" in bugs:
            documents = [ids[:-1] for ids in documents]
        if "own_windows" in bugs:
            documents = [ids[: len(ids) // length * length] for ids in documents]
        if "one_a_window" in bugs:
            documents = [[*ids[:length], *[0] * (length - len(ids))] for ids in documents]
        stream = [token for ids in (sorted(documents, key=len) if "sorted" in bugs else documents) for token in ids]
        length += "one_longer" in bugs
        if "padded" in bugs:
            stream += [0] * (-len(stream) % length)
        stride = 1 if "sliding" in bugs else length - 1 if "overlap" in bugs else length
        usable = len(stream) - (1 if "one_short" in bugs else 0)
        starts = range(0, usable - length + 1, stride)
        windows = np.array([stream[start : start + length] for start in starts], dtype=np.int64).reshape(-1, length)
        return windows.reshape(length, -1).T if "columns" in bugs else windows

    return pack


def pack_cases(rng: Generator) -> Sequence[Case]:
    """Short documents and long ones, a stream with a rest, one without, one that fills a window only together."""

    def documents(*lengths: int) -> list[list[int]]:
        return [[1, *(int(token) for token in rng.integers(3, 90, n - 2)), 2] for n in lengths]

    return [
        Case(name="a long document between short ones", args=(documents(5, 14, 6, 9), 6)),
        Case(name="a stream that fills its windows", args=(documents(7, 4, 9), 5)),
        Case(name="documents shorter than a window", args=(documents(4, 3, 5, 4, 6), 8)),
        Case(name="fewer tokens than a window", args=(documents(4, 3), 9)),
    ]


pack = Task(
    id="train.pack", lesson=LESSON, kind="rebuild", title="Lay documents end to end, and cut", points=2, difficulty=2,
    importance=4, minutes=8,
    reference=data.pack, faulty=faulty_pack, cases=pack_cases, framework="numpy",
    piece="minillama.train.data:pack", forbidden=("minillama.train.data:pack",), outputs=("the windows",),
    exact_dtype=True,
    misconceptions=(
        idea(
            "leaks", "documents without what keeps them apart",
            "BOS and EOS stay where they are: without them one text would run on into the next.",
            "How does the model learn in yours that a new text begins?",
        ),
        idea(
            "no_end", "documents without their ends",
            "A model that never reads an EOS never learns to stop.", "Which token stands last in a document?",
        ),
        idea(
            "own_windows", "windows that never cross from one document into the next",
            "The stream is one: what a document leaves of a window is filled by the next one.",
            "What becomes of a document that is shorter than a window?",
        ),
        idea(
            "one_a_window", "one window for each document",
            "Padding is computed and thrown away, and what is cut off is never read. A stream has neither.",
            "How many of your tokens are filling?",
        ),
        idea(
            "padded", "a last window that is filled up", "What does not fill the last window is left out.",
            "Which of your tokens come from no document?", 0.7,
        ),
        idea(
            "overlap", "windows that share a token",
            "Each token stands in one window: the next one begins where the last one ends.",
            "Where does your second window begin?",
        ),
        idea(
            "one_short", "a stream that loses its last window when it fits exactly",
            "A stream of three times the length has three windows.",
            "How many windows are there in 20 tokens, at 5 each?", 0.7,
        ),
        idea(
            "columns", "a stream that runs down the columns", "A row is a window: the text runs along it.",
            "Which two numbers of your result stood side by side in the stream?",
        ),
        idea("sorted", "documents in another order", "Their order is the caller's affair.",
             "Which document do your windows begin with?"),
        idea(
            "sliding", "a window for every place", "Each token stands in one window, not in as many as are long.",
            "How many windows does your first token after the beginning stand in, and how many the tenth?",
        ),
        idea(
            "one_longer", "windows with one token more, for the targets",
            "Whoever trains on a window takes inputs and targets from it. Here it has `length` tokens.",
            "How many columns does your result have?", 0.7,
        ),
    ),
    hints=(
        "One long row of ids, then scissors.",
        "A list of lists comes in, (N, length) of integers goes out.",
        "all ids of all documents, one after the other\nhow many whole windows are in it?\ncut what is left over, fold "
        "the rest into rows",
    ),
)  # fmt: skip
