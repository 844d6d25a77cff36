"""Lesson 13's search: a function that finds out from times alone what slows a run down."""

from collections.abc import Callable, Sequence
from typing import Any

from minillama.course.plain import Made
from minillama.course.record import Bugs, Case, Misconception, Probe, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.run_7b_hand import LESSON

Run = Callable[[int, int, int], float]
HERE = "minillama.course.tasks.run_7b_brakes"
BRAKES = ("start", "floats", "alone", "crowd", "forgets", "wide", "disk")
WEIGHTS, FLOATS, CACHE = 3.7e9, 13.2e9, 0.5e6  # bytes of a token, and of each token before it
ONE_CORE, MEMORY, CORES = 8e9, 20e9, 4  # bytes a second


def timed_run(name: str, seed: int) -> Run:
    """A machine on which a 7B runs, by the word for what slows it down; nothing does in "fine" and "fine_too"."""

    def run(tokens: int, context: int, threads: int) -> float:
        """Seconds to write so many tokens after a text of `context` tokens, on so many threads."""
        tokens, context, threads = int(tokens), int(context), int(threads)
        if min(tokens, context + 1, threads) < 1:
            raise ValueError(f"run({tokens}, {context}, {threads}): expected tokens and threads from 1 on")
        speed = min(ONE_CORE * (1 if name == "alone" else min(threads, CORES)), MEMORY)
        if name == "crowd":
            speed = ONE_CORE / (1 + 0.5 * (threads - 1))
        each = (FLOATS if name == "floats" else WEIGHTS) + context * CACHE * (4 if name == "wide" else 1)
        seconds = each / speed
        if name == "forgets":
            seconds += context * 0.02  # all of the text is read again
        if name == "disk":
            seconds += 2.0
        noise = 1 + 0.01 * ((seed + 7 * tokens + 3 * context + 5 * threads) % 11 - 5) / 5
        return (tokens * seconds + (6.0 if name == "start" else 0.0)) * noise

    return run


def faulty_search(bugs: Bugs = frozenset()) -> Callable[[Run], str]:
    """run_7b.name_the_brake; with bugs, one that is blind to some brakes."""

    def name_the_brake(run: Run) -> str:
        word = _word(run)
        return "fine" if "says_fine" in bugs or f"blind_to_{word}" in bugs else word

    return name_the_brake


def _word(run: Run) -> str:
    """What slows this run down."""
    once, often = run(1, 0, CORES), run(21, 0, CORES)
    each = (often - once) / 20
    if once - each > 3:
        return "start"
    if each > 1.5 and run(20, 0, 1) / 20 > 2:
        return "disk" if run(20, 0, 1) / 20 - each < 0.5 else "floats"
    alone, late = run(20, 0, 1) / 20, (run(21, 2000, CORES) - run(1, 2000, CORES)) / 20
    if late - each > 10:
        return "forgets"
    if each > 2 * alone:
        return "crowd"
    if alone < 1.2 * each:
        return "alone"
    if each > 0.5:
        return "floats"
    return "wide" if late - each > 0.12 else "fine"


def _line_up(rng: Generator) -> Sequence[Case]:
    names = rng.permutation(("fine", "fine_too", *BRAKES))
    return [
        Case(
            name=f"run {i + 1}", args=(Made(f"{HERE}:timed_run", {"name": str(name), "seed": int(rng.integers(100))}),)
        )
        for i, name in enumerate(names)
    ]


def word_of(case: Case) -> str:
    """What has to be said of a case."""
    return str(case.args[0].arguments["name"]).removesuffix("_too")


def _words(cases: Sequence[Case], outputs: Sequence[Any]) -> str | None:
    """What was said of the first run that was misjudged."""
    for case, said in zip(cases, outputs, strict=True):
        if not isinstance(said, str) or said.strip() not in ("fine", *BRAKES):
            return f"Of {case.name} you say {said!r}, which is none of the eight words."
        if said.strip() != word_of(case):
            return f"Of {case.name} you say {said.strip()!r}, and it is {word_of(case)!r}."
    return None


def wrong_about(*words: str) -> Callable[[Sequence[Case], Sequence[Any], Sequence[Any]], bool]:
    """A signature: every run of these words is misjudged, and no other is."""

    def only_these(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        said = {(word_of(case), str(got).strip() == word_of(case)) for case, got in zip(cases, outputs, strict=True)}
        known = all(str(got).strip() in ("fine", *BRAKES) for got in outputs)
        return known and said == {(word, word not in words) for word in ("fine", *BRAKES)}

    return only_these


def _blind(word: str, looks_like: str, principle: str, question: str) -> Misconception:
    return idea(f"blind_to_{word}", looks_like, principle, question, 0.7, wrong_about(word))


name_the_brake = Task(
    id="run_7b.name_the_brake", lesson=LESSON, kind="diagnose", title="Find what slows a run down", points=6,
    difficulty=4, importance=4, minutes=25,
    reference=faulty_search(), faulty=faulty_search, cases=_line_up, outputs=("your word",),
    probes=(
        Probe(
            name="each run by its brake", cases=_line_up, broken=_words,
            principle="Each brake changes how the time goes with tokens, with the text before, or with threads.",
            question="Which two calls would differ for this brake, and for no other?",
        ),
    ),
    misconceptions=(
        idea(
            "says_fine", "a function that finds nothing wrong with any run", "Seven of the nine are slow.",
            "Which of your lines can return another word?", 0.0, wrong_about(*BRAKES),
        ),
        _blind(
            "start", "times that cannot tell a slow beginning from slow tokens",
            "A cost that comes once is paid by one token as by twenty.",
            "How do the times of 1 and of 21 tokens differ if only the beginning is slow?",
        ),
        _blind(
            "floats", "times that cannot see the bytes of the weights",
            "Bytes over bytes a second: the bound says how long a healthy token takes.",
            "How long should a token take on four threads, and how long if its weights had 16 bits?",
        ),
        _blind(
            "alone", "times that cannot see idle threads", "Four threads read faster than one.",
            "How do the times of 1 and of 4 threads differ in a healthy run?",
        ),
        _blind(
            "crowd", "times that cannot see threads in each other's way",
            "More hands do not help if they wait for each other.", "Can four threads be slower than one?",
        ),
        _blind(
            "forgets", "times that cannot see a cache that is not used",
            "Without its cache a run reads the whole text again for every token.",
            "What happens to a token's time after 2,000 tokens of text?",
        ),
        _blind(
            "wide", "times that cannot see the bytes of the cache",
            "Half a megabyte a token: after 2,000 tokens that is a billion bytes, and can be seen.",
            "By how much should a token get slower after 2,000 others, and by how much does it?",
        ),
        _blind(
            "disk", "times that cannot see a disk at work",
            "What comes from the disk is as slow on one thread as on four.",
            "Which cost stays the same, in seconds, whatever the number of threads?",
        ),
    ),
    hints=(
        "Change one thing at a time: tokens, context, threads. First work out what a healthy run would say.",
        "run(tokens, context, threads) gives seconds. Healthy, on 4 threads: 0.185 s a token at the beginning, 0.235 s "
        "after 2,000 tokens; 0.46 s on 1 thread. Times differ by 1% from call to call.",
        "1 and 21 tokens: is there a cost that comes once? -> start\n0 and 2,000 tokens before: much more -> forgets; "
        "a little too much -> wide\n1 and 4 threads: the same -> alone; slower -> crowd; both slower by 2 s -> disk; "
        "both 3.6 times as slow -> floats",
    ),
)  # fmt: skip
