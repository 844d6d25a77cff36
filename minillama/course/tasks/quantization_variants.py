"""Lesson 11's variant that nobody shows: few bits, counted from the lowest weight of a block."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.generate_ideas import idea
from minillama.course.tasks.quantization_inputs import LESSON, Generator, Signature, only_wrong, step

EQUAL = "a block of equal weights"
FAR = "weights that lie close together and far from zero"


def above_minimum(bits: int, block_size: int) -> Callable[[Bugs], Callable[[np.ndarray], tuple[np.ndarray, ...]]]:
    """Codes, scales and minimums: w = d * code + m."""

    def with_bugs(bugs: Bugs = frozenset()) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
        top = 2**bits - 1

        def quantize(x: np.ndarray) -> tuple[np.ndarray, ...]:
            blocks = x.astype(np.float32).reshape(len(x), -1, block_size)
            wide = blocks.reshape(1, 1, -1) if "per_tensor" in bugs else blocks.reshape(len(x), 1, -1)
            of = wide if bugs & {"per_row", "per_tensor"} else blocks
            low, high = (np.broadcast_to(each, blocks.shape[:2]) for each in (of.min(axis=2), of.max(axis=2)))
            low = np.zeros_like(low) if "no_minimum" in bugs else np.minimum(low, 0) if "reaches_zero" in bugs else low
            m = low.astype(np.float16)
            start = m.astype(np.float32) if "range_of_stored" in bugs else low
            d = ((high - start) / np.float32(top + ("levels" in bugs))).astype(np.float16)
            by, under = (each.astype(np.float32)[..., None] for each in (d, m))
            if "unrounded" in bugs:
                by, under = ((high - low) / np.float32(top + ("levels" in bugs)))[..., None], low[..., None]
            with np.errstate(all="ignore"):
                steps = (blocks - under) / by
            steps[~np.isfinite(steps)] = 99 if "zero_block" in bugs else 0
            codes = np.floor(steps) if "truncated" in bugs else np.rint(steps)
            codes = codes if "unclipped" in bugs else np.clip(codes, 0, top)
            codes = codes.astype(np.int16).reshape(x.shape)
            return (codes, m, d) if "exchanged" in bugs else (codes, d, m)

        return quantize

    return with_bugs


def block_between(rng: Generator, low: float, d: float, bits: int, block_size: int) -> np.ndarray:
    """Weights from `low` to as far above it as the codes reach; each is 0.35 of a stored step from a code at most."""
    top = 2**bits - 1
    stored, m = float(np.float16(d)), float(np.float16(low))
    codes = rng.integers(1, max(2, top), block_size)
    off = rng.uniform(0.1, 0.35, block_size) * rng.choice((-1, 1), block_size)
    block = m + (codes + off) * stored
    first, last = rng.permutation(block_size)[:2]
    block[first], block[last] = low, low + top * d
    return np.clip(block, low, low + top * d).astype(np.float32)


def far_block(rng: Generator, share: float, bits: int, block_size: int) -> np.ndarray:
    """Weights near 10 whose lowest lies `share` of float16's spacing above a float16, and steps smaller than that."""
    spacing = 2.0**-7
    low = 10 + (int(rng.integers(100)) + share) * spacing
    return block_between(rng, low, step(rng, 0.44 * spacing), bits, block_size)


def minimum_cases(bits: int, block_size: int) -> Callable[[Generator], Sequence[Case]]:
    """Unequal blocks, a range below zero, weights far from zero, and equal ones."""

    def cases(rng: Generator) -> Sequence[Case]:
        def block(low: float, d: float) -> np.ndarray:
            return block_between(rng, low, d, bits, block_size)

        def side_by_side(*blocks: np.ndarray, rows: int = 1) -> np.ndarray:
            return np.concatenate(blocks).reshape(rows, -1)

        top = 2**bits - 1
        sizes = [step(rng, size / top) for size in rng.permutation([2.0, 0.2, 0.5, 0.05])]
        unequal = [block(-float(rng.uniform(0.3, 0.6)) * top * d, d) for d in sizes]
        below = block(-float(rng.uniform(2, 3)), step(rng, 1 / top))
        equal = np.full(block_size, float(rng.choice((-0.75, 0.625))), np.float32)
        return [
            Case(name="blocks of very unequal size", args=(side_by_side(*unequal, rows=2),)),
            Case(name="weights below zero", args=(side_by_side(below),)),
            Case(
                name=FAR,
                args=(side_by_side(*(far_block(rng, share, bits, block_size) for share in (0.34, 0.66))),),
            ),
            Case(name=EQUAL, args=(side_by_side(block(-0.4, step(rng, 1 / top)), equal),)),
        ]

    return cases


def leaves_range(block_size: int) -> Signature:
    """A signature: is all right but codes of weights that lie outside of what the stored numbers reach?"""

    def fits(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
        wrong = False
        for case, got, right in zip(cases, outputs, expected, strict=True):
            x = np.asarray(case.args[0], np.float64)
            d, m = (np.repeat(each, block_size, axis=1) for each in right[1:])
            outside = np.abs((x - m) / np.where(d == 0, np.inf, d) - right[0]) > 0.5
            off = np.asarray(got[0]) != right[0]
            if (off & ~outside).any() or not all(np.array_equal(got[i], right[i]) for i in (1, 2)):
                return False
            wrong |= bool(off.any())
        return wrong

    return fits


def make_minimum(bits: int = 3, block_size: int = 16) -> Task:
    """The task for so many bits, and blocks of this size."""
    faulty, top = above_minimum(bits, block_size), 2**bits - 1
    return Task(
        id="quant.quantize_minimum", lesson=LESSON, kind="vary", title="Count from the lowest weight of a block",
        points=6, difficulty=3, importance=4, minutes=20,
        reference=faulty(frozenset()), faulty=faulty, cases=minimum_cases(bits, block_size), framework="numpy",
        rtol=1e-5, atol=0, half_tolerance=1e-7, outputs=("the codes", "the scales", "the minimums"),
        forbidden=("minillama.quant.rounding:kept", "minillama.quant.rounding:blocks_above_minimum"),
        misconceptions=(
            idea(
                "unrounded", "codes that come from the exact scale and minimum",
                "A reader has the stored numbers only. Here the codes are the best ones for those.",
                "From which two numbers will a reader make the weights, and which two did you use?",
            ),
            idea(
                "levels", f"a step of one part in {top + 1}",
                "Fences and gaps: between the lowest and the highest code there is one step less than there are codes.",
                f"Which code does the highest weight of a block get, if the last one is {top}?",
            ),
            idea(
                "no_minimum", "codes that count from zero", "Code 0 stands for the lowest weight of the block.",
                "Which code do weights get that lie all below zero?", 0.3,
            ),
            idea(
                "reaches_zero", "a range that always reaches to zero",
                "Here the range begins at the lowest weight, above zero too.",
                "What is the minimum of a block of weights near 10 in yours?", 0.6,
            ),
            idea(
                "range_of_stored", "a range that is measured from the stored minimum",
                "The scale comes from the block's own lowest and highest weight; it is rounded once, at the end.",
                "Which two numbers do you subtract for the range?", 0.8,
            ),
            idea(
                "per_row", "one scale and minimum for a row", f"Every {block_size} weights have their own.",
                "Over how many weights does your minimum reach?",
            ),
            idea(
                "per_tensor", "one scale and minimum for the matrix", f"Every {block_size} weights have their own.",
                "How many different minimums are there in what you return?",
            ),
            idea(
                "truncated", "codes whose fraction is cut off", "A weight gets the code that it is nearest to.",
                "Which code does a weight get that lies 2.9 steps above the minimum?",
            ),
            idea(
                "unclipped", f"codes below 0, or above {top}",
                "The stored minimum may lie a little above the lowest weight, and the code of that is still 0.",
                "How many steps above the stored minimum is the lowest weight, where the minimum was rounded up?", 0.7,
                leaves_range(block_size),
            ),
            idea(
                "zero_block", "equal weights divided by a range of 0",
                "In such a block nothing has to be said but the minimum: scale and codes are 0.",
                "What is (highest - lowest) of such a block, and what do you do with it?", 0.8,
                only_wrong(EQUAL, scales_too=True),
            ),
            idea("exchanged", "scales and minimums in the other order", "Codes, scales, minimums.",
                 "What stands second in your return?", 0.7),
        ),
        hints=(
            "Everything is measured from the bottom of the block: how high is its highest weight above it, and into "
            "how many steps is that cut?",
            f"x (N, K) as (N, K / {block_size}, {block_size}); scales and minimums (N, K / {block_size}) as float16; "
            "codes (N, K) of whole numbers.",
            f"m = lowest, d = (highest - lowest) / {top}: both to float16, and back to float32\ncodes = (blocks - m) "
            f"/ d, "
            f"to the nearest, at least 0, at most {top}; 0 where d is 0",
        ),
        family={"bits": (3, 2, 5), "block_size": (16, 8, 32)}, build=make_minimum,
        phrases=(
            f"{bits} bits, blocks of {block_size}", f"codes from 0 to {top}", f"lowest) / {top}", f"at most {top}",
            f"K / {block_size}", f"multiple of {block_size}",
        ),
    )  # fmt: skip


quantize_minimum = make_minimum()
