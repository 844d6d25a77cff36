"""Lesson 12's race, and its tile: what several threads may write, and what several tokens may share."""

from collections.abc import Callable, Sequence

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.kernels_inputs import BLOCK, LESSON, SUMS, wrap

Thread = Callable[[int, int, np.ndarray, np.ndarray, np.ndarray], None]


def faulty_thread(bugs: Bugs = frozenset()) -> Thread:
    """What one of several threads does for y = W x, with these bugs."""

    def repair_race(thread: int, threads: int, weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
        n_rows, n_columns = weights.shape
        if "columns" in bugs:
            part = slice(n_columns * thread // threads, n_columns * (thread + 1) // threads)
            y += weights[:, part] @ x[part]
            return
        turn = thread - 1 if "from_one" in bugs else thread
        rows = slice(max(0, n_rows * turn // threads), n_rows * (turn + 1) // threads)
        if "rest_lost" in bugs:
            rows = slice(n_rows // threads * turn, n_rows // threads * (turn + 1))
        if "overlap" in bugs:
            rows = slice(n_rows * thread // threads, n_rows * (thread + 1) // threads + 1)
        if "all_rows" in bugs:
            rows = slice(None)
        if "alone" in bugs:
            rows = slice(0 if thread else None)
        product = weights[rows] @ x
        if "nothing_written" in bugs:
            return
        if "clears_all" in bugs:
            y[:] = 0
        y[rows] = product + (y[rows] if "adds" in bugs else 0)

    return repair_race


def race_cases(rng: Generator) -> Sequence[Case]:
    """Rows that divide among the threads, a rest, and more threads than rows; y holds old numbers."""
    found = []
    for name, threads, n_rows, n_columns in (
        ("2 threads and 8 rows", 2, 8, 6), ("3 threads and 10 rows", 3, 10, 5), ("4 threads and 3 rows", 4, 3, 8),
    ):  # fmt: skip
        weights = rng.integers(1, 90, (n_rows, n_columns)).astype(np.float32)
        x, old = rng.integers(1, 90, n_columns).astype(np.float32), rng.uniform(0.1, 0.9, n_rows)
        found.append(Case(name=name, args=(threads, weights, x, (old - rng.integers(2, 99)).astype(np.float32))))
    return found


def all_write_all(cases: Sequence[Case], outputs: Sequence[dict], expected: Sequence[dict]) -> bool:
    """Does every thread write every row, and is the result wrong: were the columns shared out?"""
    found = False
    for case, got, right in zip(cases, outputs, expected, strict=True):
        found |= not np.allclose(got["result"].data, right["result"].data)
        if any(each != case.args[0] for each in got["number of threads that wrote each row"]):
            return False
    return found


repair_race = Task(
    id="kernels.repair_race", lesson=LESSON, kind="diagnose", title="Repair a race", points=5, difficulty=3,
    importance=4, minutes=15,
    reference=faulty_thread(), faulty=faulty_thread, cases=race_cases, framework="numpy", driver="at_once",
    outputs=("the answer",), time_limit_s=90, rtol=1e-4, atol=1e-4,
    misconceptions=(
        idea(
            "columns", "threads that all write to the same rows",
            "To add is to read, to add and to write. Between the reading and the writing another thread may have "
            "written, and its part is lost.",
            "Which numbers of y does thread 0 write, and which does thread 1?", 0.1, all_write_all,
        ),
        idea(
            "all_rows", "every thread computing every row",
            "The result is right, but each thread does the whole work, so nothing gets faster.",
            "Which rows are left out by thread 0, because another thread has them?", 0.3,
        ),
        idea(
            "alone", "one thread that does everything",
            "The result is right, and no faster than before: the others come and go.",
            "Which rows has thread 1 in yours?", 0.3,
        ),
        idea(
            "rest_lost", "rows at the end that belong to nobody", "Ten rows on three threads leave one over.",
            "Which thread has the last row, when the rows do not divide?", 0.6,
        ),
        idea(
            "overlap", "shares that overlap by a row", "A share ends where the next one begins.",
            "Which two threads write the same row?", 0.6,
        ),
        idea(
            "from_one", "threads counted from 1", "The first thread is number 0.",
            "Which rows has thread 0 in yours?", 0.6,
        ),
        idea(
            "adds", "a sum that starts from what was there", "y comes with old numbers in it.",
            "What is in a number of y before you write it?", 0.6,
        ),
        idea(
            "clears_all", "a thread that wipes the rows of the others",
            "When one thread clears y, another may have written to it already.",
            "Whose rows do you set to 0?", 0.4,
        ),
        idea(
            "nothing_written", "a result that is not written to y",
            "The threads share y and nothing else: what is returned, or bound to another name, goes nowhere.",
            "Which of your lines changes the array that came in as y?", 0.0,
        ),
    ),
    hints=(
        "A race needs two threads that write the same number. Deal out the work so that no two ever do.",
        "weights (N, K), x (K,), y (N,). A thread knows its number and how many there are; it may read everything.",
        "which rows are mine? from thread x N / threads to the next thread's first row, in whole numbers\n"
        "for each of them: the product of the row with x, into y at that row",
    ),
)  # fmt: skip

Tile = Callable[..., np.ndarray]


def faulty_tile(bugs: Bugs = frozenset()) -> Tile:
    """A tile of tokens with these bugs."""

    def matmul_tile(n_rows: int, take_apart: Callable, codes: np.ndarray, scales: np.ndarray) -> np.ndarray:
        y = np.zeros((len(codes), n_rows))
        for row in range(n_rows):
            weights, steps = take_apart(row)
            for token in range(len(codes)):
                if "each_token" in bugs and token:
                    weights, steps = take_apart(row)
                products = weights.astype(np.int64) * codes[0 if "first_token" in bugs else token].astype(np.int64)
                if "int8_products" in bugs:
                    products = wrap(products, 8)
                sums = products.sum(axis=1)
                if "int8_sum" in bugs:
                    sums = wrap(sums, 8)
                if "int16_sum" in bugs:
                    sums = wrap(sums, 16)
                factors = scales[0 if "first_scales" in bugs else token]
                if "scales_lost" in bugs:
                    factors = np.ones_like(factors)
                if "steps_lost" in bugs:
                    steps = np.ones_like(steps)
                y[token, row] = (sums * steps * factors).sum()
        return (y.T if "transposed" in bugs else y).astype(np.float32)

    return matmul_tile


def tile_cases(rng: Generator) -> Sequence[Case]:
    """Fewer tokens than rows, more than rows, one, and rows whose sums need more than 16 bits."""
    found = []
    for name, tokens, rows, blocks in (
        ("3 tokens and 5 rows", 3, 5, 2), ("8 tokens and 4 rows", 8, 4, 3), ("a single token", 1, 3, 1),
    ):  # fmt: skip
        weights = rng.integers(-8, 8, (rows, blocks, BLOCK)).astype(np.int8)
        codes = rng.integers(-127, 128, (tokens, blocks, BLOCK)).astype(np.int8)
        steps, scales = rng.uniform(0.05, 0.2, (rows, blocks)), rng.uniform(0.01, 0.05, (tokens, blocks))
        args = (weights, steps.astype(np.float32), codes, scales.astype(np.float32))
        found.append(Case(name=name, args=args))
    weights, codes = (rng.integers(90, 128, (n, 2, BLOCK)).astype(np.int8) for n in (3, 2))
    small, fine = (rng.uniform(0.001, 0.002, (n, 2)).astype(np.float32) for n in (3, 2))
    found.append(Case(name="rows of 8 bits, all large", args=(weights, small, codes, fine)))
    return found


matmul_tile = Task(
    id="kernels.matmul_tile", lesson=LESSON, kind="complete", title="Let tokens share a row", points=4, difficulty=3,
    importance=4, minutes=15,
    reference=faulty_tile(), faulty=faulty_tile, cases=tile_cases, framework="numpy", driver="counted",
    outputs=("the answer",), rtol=1e-4, atol=1e-3, time_limit_s=90,
    misconceptions=(
        idea(
            "each_token", "rows that are taken apart anew for every token",
            "The numbers are right, and all of the saving is gone: the codes of a row serve every token of the tile.",
            "Which of your two loops is the outer one?", 0.4,
        ),
        idea(
            "int16_sum", "sums that are kept in 16 bits",
            "Codes of 8 bits have products of up to 16,129. Three of them fill 16 bits.",
            "Which dtype do 32 products add up in?", 0.5,
        ),
        idea(
            "first_token", "the first token's codes for all tokens", "Every token has activations of its own.",
            "Which index of `codes` counts the tokens?",
        ),
        idea(
            "first_scales", "the first token's scales for all tokens", "Codes and scales of a token belong together.",
            "Whose scales does the second token get?",
        ),
        *SUMS,
        idea(
            "scales_lost", "sums without the scales of the activations",
            "Both factors were rounded to steps of their own.",
            "Where does a large activation differ from a small one with the same codes?",
        ),
        idea(
            "steps_lost", "sums without the steps of the weights",
            "`take_apart` gives two things: codes, and how long a step is.",
            "What do you do with the second thing that `take_apart` gives?",
        ),
        idea(
            "transposed", "rows and tokens that changed places", "A token is a row of the result.",
            "Which axis of your result has as many numbers as there are tokens?", 0.7,
        ),
    ),
    hints=(
        "What is expensive is done once, what is cheap is done often.",
        "take_apart(row) gives (B, 32) and (B,); codes (T, B, 32); scales (T, B). The result is (T, N).",
        "for each row: take it apart\n    for each token: sums of its blocks, in 32 bits\n        times the "
        "steps, times "
        "the token's scales, summed",
    ),
)  # fmt: skip
