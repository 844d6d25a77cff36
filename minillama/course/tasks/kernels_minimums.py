"""Lesson 12's relative that nobody has shown: nibbles with a scale and a minimum; and its experiment."""

from collections.abc import Sequence

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.course.tasks.hand import nothing_to_expect
from minillama.course.tasks.kernels_inputs import (
    BLOCK,
    LESSON,
    SUMS,
    activations,
    block_sums,
    halves,
    in_bytes,
    quantize,
)
from minillama.course.tasks.kernels_rows import FORBIDDEN, Matvec, split

OTHER = {"neighbours": "halves", "halves": "neighbours"}
SAYS = {
    "neighbours": ("Byte i of a block holds columns 2i and 2i + 1 here.", "Which two columns are in byte 1?"),
    "halves": ("Byte i of a block holds columns i and 16 + i here.", "Which two columns are in byte 1?"),
}


def make_minimums(first: str = "scale", nibbles: str = "neighbours") -> Task:
    """y = W x for blocks with a scale and a minimum: w = scale * nibble + minimum.

    Args:
        first: which of the two float16 a block begins with, "scale" or "minimum".
        nibbles: "neighbours" for columns 2i and 2i + 1 in byte i, "halves" for i and 16 + i.
    """

    def faulty(bugs: Bugs = frozenset()) -> Matvec:
        order = OTHER[nibbles] if "other_order" in bugs else nibbles
        swapped = (first == "minimum") != ("exchanged" in bugs)

        def matvec_minimums(blocks: np.ndarray, x: np.ndarray) -> np.ndarray:
            stored = blocks.reshape(len(blocks), -1, 20)
            pairs = np.ascontiguousarray(stored[..., :4]).view("<f2").astype(np.float64)  # (N, B, 2)
            steps, minimums = pairs[..., int(swapped)], pairs[..., int(not swapped)]
            weights = split(stored[..., 4:], frozenset({"neighbours"} if order == "neighbours" else ()))
            codes, scales = quantize(x)
            sums, beside = block_sums(weights, codes, bugs), codes.sum(axis=1)
            if "offset" in bugs:
                sums = block_sums(weights - 8, codes, bugs)
            if "minimum_once" in bugs:
                beside = np.ones_like(beside)
            least = minimums * (1 if "minimum_unscaled" in bugs else scales) * beside
            if "exact_sum" in bugs:
                least = minimums * x.astype(np.float64).reshape(-1, BLOCK).sum(axis=1)
            if "subtracted" in bugs:
                least = -least
            if "minimum_lost" in bugs:
                least = 0 * least
            if "minimum_scaled" in bugs:
                least = least * steps
            if "in_float" in bugs:
                values = (weights * steps[..., None] + minimums[..., None]) * x.astype(np.float64).reshape(-1, BLOCK)
                return values.sum(axis=(1, 2)).astype(np.float32)
            return (sums * steps * scales + least).sum(axis=1).astype(np.float32)

        return matvec_minimums

    def cases(rng: Generator) -> Sequence[Case]:
        def blocks(rows: int, steps: Sequence[int], minimums: Sequence[int]) -> np.ndarray:
            pair = [halves(rng, rows, steps)[..., None], -halves(rng, rows, minimums)[..., None]]
            codes = rng.integers(0, 256, (rows, len(steps), BLOCK // 2), np.uint8)
            return in_bytes(*(pair if first == "scale" else pair[::-1]), codes)

        return [
            Case(name="activations of both signs", args=(blocks(5, (-4, -4), (-2, -1)), activations(rng, (-5, -4)))),
            Case(
                name="activations of one sign, between two steps",
                args=(blocks(4, (-4, -5), (-1, -2)), activations(rng, (-4, -3), 1, 3, beside=0.4)),
            ),
            Case(
                name="scales far apart",
                args=(blocks(3, (-1, -6, -3), (1, -5, -2)), activations(rng, (-7, -3, -5), 20, 90)),
            ),
        ]

    principle, question = SAYS[nibbles]
    return Task(
        id="kernels.matvec_minimums", lesson=LESSON, kind="vary", title="Multiply weights that have a minimum",
        points=7, difficulty=4, importance=3, minutes=25,
        reference=faulty(), faulty=faulty, cases=cases, framework="numpy", outputs=("y",), rtol=1e-4, atol=2e-3,
        forbidden=FORBIDDEN, time_limit_s=90,
        misconceptions=(
            idea(
                "minimum_lost", "weights without their minimum", "Every weight of a block is higher by its minimum.",
                "Which weight has a nibble of 0?",
            ),
            idea(
                "minimum_once", "a minimum that is added once a block",
                "Each of the 32 weights has the minimum in it, and each is multiplied by another activation.",
                "By what is the minimum multiplied when you multiply out scale * q + minimum?",
            ),
            idea(
                "minimum_unscaled", "a minimum without the scale of the activations",
                "The sum of the codes is a number of steps, too.",
                "What has to come to a sum of codes to make it a sum of activations?",
            ),
            idea(
                "minimum_scaled", "a minimum that is multiplied by the weights' scale",
                "The minimum is stored as it is; only the nibble is a number of steps.",
                "Which weight has a nibble of 0, and does the scale matter for it?",
            ),
            idea(
                "subtracted", "a minimum that is taken away", "Here it is added, and may be negative.",
                "Which sign has the minimum in the formula above?", 0.7,
            ),
            idea(
                "offset", "nibbles that are moved by 8, as in Q4_0",
                "A minimum is what this format has instead of an offset.",
                "From where to where do the codes of this format run?",
            ),
            idea(
                "exchanged", "scale and minimum in each other's place", "A block begins with "
                f"its {first}.", "What do the first two bytes hold?", 0.7,
            ),
            idea("other_order", "nibbles in the order of another format", principle, question, 0.7),
            *SUMS,
            idea(
                "in_float", "activations that were never rounded to 8 bits",
                "The sums of a block are to be sums of whole numbers.",
                "Which of your lines uses the codes of the activations?",
            ),
            idea(
                "exact_sum", "a minimum times activations that were not rounded",
                "Both parts have to speak of the same activations, and those are codes times a scale.",
                "Of which activations do you take the sum?", 0.7,
            ),
        ),
        hints=(
            "Multiply out: a sum over (scale * q + minimum) * activation has two parts. One is familiar.",
            f"Blocks of 20 bytes: {first} first, both float16; then 16 bytes of nibbles. Codes (B, 32), "
            f"scales (B,). y (N,).",
            "for each row, for each block:\n    sum of nibble x code, times both scales\n    and: minimum x "
            "the sum of the "
            "codes x the activations' scale\nboth onto the row's total",
        ),
        family={"first": ("scale", "minimum"), "nibbles": ("neighbours", "halves")},
        build=make_minimums,
        phrases=(
            f"a float16 *{first}*, a float16 *{'minimum' if first == 'scale' else 'scale'}*",
            {
                "neighbours": "**2i** (low four bits) and **2i + 1** (high ones)",
                "halves": "**i** (low four bits) and **16 + i** (high ones)",
            }[nibbles],
        ),
    )  # fmt: skip


matvec_minimums = make_minimums()

ASKED = ("memory_gb_per_s", "mine_gb_per_s", "share", "what_i_changed", "what_holds_it_back")


at_the_bound: Task = Task(
    id="kernels.at_the_bound", lesson=LESSON, kind="experiment", title="Bring a kernel of yours to the memory's speed",
    points=4, difficulty=4, importance=4, minutes=30,
    reference=nothing_to_expect, cases=lambda rng: [Case(name=name, args=(name,)) for name in ASKED],
    hints=(
        "A kernel at the bound spends its time waiting for bytes. What does yours do while it could wait?",
        "Weights of 8 bits are the easier ones: nothing has to be taken apart. Both are read once, row by row.",
        "every row on some thread\nwithin a row: an inner loop over an array of int8, into an int32, nothing else\n"
        "scales outside of it\nmeasure, change one thing, measure again",
    ),
    rubric=(
        "1 point: the memory's and the kernel's GB/s, measured on one machine",
        "1 point: the share follows from the two",
        "1 point: what was changed, one thing at a time, with a number for each",
        "1 point: what holds it back, with a reason that the numbers carry",
    ),
)  # fmt: skip
