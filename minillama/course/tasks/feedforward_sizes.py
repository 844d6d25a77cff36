"""Lesson 05's inner size."""

from collections.abc import Callable
from math import ceil

from minillama import feedforward
from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.feedforward_ideas import LESSON, ROUNDS_DOWN, WHOLE_FOUR, Generator


def faulty_size(bugs: Bugs) -> Callable[..., int]:
    """hidden_size with these bugs."""

    def size(dim: int, multiple_of: int, multiplier: float | None = None) -> int:
        def up(number: int) -> int:
            if "nearest" in bugs:
                return multiple_of * ((2 * number + multiple_of) // (2 * multiple_of))
            if "rounds_down" in bugs:
                return number // multiple_of * multiple_of
            if "one_too_many" in bugs:
                return (number // multiple_of + 1) * multiple_of
            return -(-number // multiple_of) * multiple_of

        hidden = 4 * dim if "whole_four" in bugs else int(2 * (4 * dim) / 3)
        hidden = int(2 * dim / 3) if "four_forgotten" in bugs else hidden
        hidden = 8 * (dim // 3) if "third_first" in bugs else hidden
        if bugs & {"cut_once", "never_cut", "rounded"}:
            return up(_otherwise_cut(dim, multiplier, bugs))
        if multiplier is None or "no_multiplier" in bugs:
            return up(hidden)
        if "rounds_before" in bugs:
            return int(multiplier * up(hidden))
        if "product_up" in bugs:
            return up(ceil(multiplier * hidden))
        return up(int(multiplier * (up(hidden) if "rounds_twice" in bugs else hidden)))

    return size


def _otherwise_cut(dim: int, multiplier: float | None, bugs: Bugs) -> int:
    """The size before it is rounded up, where fractions are not cut off after each step."""
    hidden = 8 * dim / 3
    if "rounded" in bugs:
        hidden = round(hidden)
    stretched = hidden * (multiplier or 1.0)
    if "rounded" in bugs:
        return round(stretched)
    return int(stretched) if "cut_once" in bugs else ceil(stretched)


def _between(rng: Generator, bug: str, multipliers: tuple[float | None, ...]) -> tuple[int, int, float | None]:
    """Numbers for which a multiple lies between the right size and the one that this bug gives, far from rounding."""
    while True:
        dim, multiple_of = int(rng.integers(30, 300)), int(rng.integers(5, 30))
        multiplier = multipliers[int(rng.integers(len(multipliers)))]
        whole = int(8 * dim / 3) * (multiplier or 1.0)
        halved = round(8 * dim / 3) * (multiplier or 1.0) % 1  # half a number is rounded either way
        sure = multiplier is None or (0.1 < whole % 1 < 0.9 and abs(halved - 0.5) > 0.01)
        numbers = [faulty_size(bugs)(dim, multiple_of, multiplier) for bugs in (frozenset(), frozenset({bug}))]
        if sure and numbers[0] != numbers[1] and (multiplier or bug == "rounded" or dim % 3 == 2):
            return dim, multiple_of, multiplier


def _is_telling(dim: int, multiple_of: int, multiplier: float | None, bugs: tuple[str, ...]) -> bool:
    """Do all these bugs give numbers of their own, and all right spellings the same one?"""
    numbers = [faulty_size(frozenset({bug}))(dim, multiple_of, multiplier) for bug in bugs]
    right = feedforward.hidden_size(dim, multiple_of, multiplier)
    whole = ceil((multiplier or 1.0) * 8 * dim / 3 / multiple_of) * multiple_of
    return len({right, *numbers}) == 1 + len(numbers) and right == whole


def _draw(rng: Generator, multipliers: tuple[float | None, ...], *bugs: str) -> tuple[int, int, float | None]:
    while True:
        dim, multiple_of = 8 * int(rng.integers(20, 600)), int(rng.choice([32, 64, 128, 256]))
        multiplier = multipliers[int(rng.integers(len(multipliers)))]
        if _is_telling(dim, multiple_of, multiplier, bugs):
            return dim, multiple_of, multiplier


def size_cases(rng: Generator) -> list[Case]:
    """Without and with a multiplier, a size that divides already, and one just above a multiple."""
    some = _draw(rng, (None,), "rounds_down", "whole_four")
    while faulty_size(frozenset({"nearest"}))(*some) != feedforward.hidden_size(*some):
        some = _draw(rng, (None,), "rounds_down", "whole_four")
    stretched = _draw(rng, (1.3, 1.5, 1.7), "rounds_before", "rounds_twice", "no_multiplier", "rounds_down")
    above = _draw(rng, (None,), "nearest", "whole_four")
    k = int(rng.integers(2, 12))
    third, two_thirds = _between(rng, "never_cut", (None,)), _between(rng, "rounded", (None,))
    carried = _between(rng, "cut_once", (1.3, 1.5, 1.7))
    early = _between(rng, "third_first", (None,))
    above_product = _between(rng, "product_up", (1.3, 1.5, 1.7))
    while faulty_size(frozenset({"cut_once"}))(*above_product) != feedforward.hidden_size(*above_product):
        above_product = _between(rng, "product_up", (1.3, 1.5, 1.7))
    return [
        Case(name=f"dim {some[0]} and multiple_of {some[1]}", args=some),
        Case(name=f"dim {stretched[0]}, multiple_of {stretched[1]} and multiplier {stretched[2]}", args=stretched),
        Case(name=f"dim {above[0]} and multiple_of {above[1]}", args=above),
        Case(name=f"dim {96 * k}, of which 8/3 is a multiple of 64 already", args=(96 * k, 64, None)),
        Case(name=f"dim {third[0]} and multiple_of {third[1]}: a fraction above a multiple", args=third),
        Case(name=f"dim {two_thirds[0]} and multiple_of {two_thirds[1]}: a large fraction", args=two_thirds),
        Case(
            name=f"dim {carried[0]}, multiple_of {carried[1]} and multiplier {carried[2]}: a fraction that is not "
            "multiplied",
            args=carried,
        ),
        Case(name=f"dim {early[0]}, which is no multiple of 3, and multiple_of {early[1]}", args=early),
        Case(
            name=f"dim {above_product[0]}, multiple_of {above_product[1]} and multiplier {above_product[2]}: a product "
            "a fraction above a multiple",
            args=above_product,
        ),
        Case(name="the 70B's numbers: dim 8192, multiple_of 4096, multiplier 1.3", args=(8192, 4096, 1.3)),
    ]


hidden_size = Task(
    id="feedforward.hidden_size", lesson=LESSON, kind="rebuild", title="Find the inner size", points=3, difficulty=2,
    importance=4, minutes=10,
    reference=feedforward.hidden_size, faulty=faulty_size, cases=size_cases,
    piece="minillama.feedforward:hidden_size", outputs=("the size",), rtol=0.0, atol=0.0,
    misconceptions=(
        ROUNDS_DOWN, WHOLE_FOUR,
        Misconception(
            name="nearest",
            looks_like="rounding to the nearest multiple",
            principle="LLaMA always rounds up, even from one above a multiple.",
            question="What do you get for a size that is a little above a multiple?",
        ),
        Misconception(
            name="one_too_many",
            looks_like="one multiple too many where the size divides already",
            principle="A size that is a multiple stays as it is.",
            question="What do you get for 256 and a multiple of 256?",
        ),
        Misconception(
            name="rounds_before",
            looks_like="rounding before the multiplier, and not after it",
            principle="The last step makes the multiple. Whatever comes after it can break it.",
            question="Is your result for the 70B a multiple of 4,096?",
        ),
        Misconception(
            name="rounds_twice",
            looks_like="rounding before the multiplier and after it",
            principle="Rounded once, at the end: the first rounding would be multiplied, too.",
            question="Which number does your multiplier meet?",
        ),
        Misconception(
            name="no_multiplier",
            looks_like="a multiplier that is never used",
            principle="The 70B's layer is 1.3 times as wide as the rule alone would have it.",
            question="Which of your lines reads `multiplier`?",
        ),
        Misconception(
            name="cut_once",
            looks_like="fractions that are cut off once, at the end",
            principle="The fraction of the two thirds is gone before the multiplier comes: it is not multiplied.",
            question="Which number does your multiplier meet, a whole one?",
            credit=0.7,
        ),
        Misconception(
            name="never_cut",
            looks_like="fractions that are never cut off",
            principle="A third above a multiple is cut off and leaves the multiple.",
            question="What do you get for 10.67 and a multiple of 10?",
            credit=0.7,
        ),
        Misconception(
            name="rounded",
            looks_like="fractions that are rounded",
            principle="Fractions are cut off, also those above a half.",
            question="What becomes of 10.67 in your code?",
            credit=0.7,
        ),
        Misconception(
            name="third_first",
            looks_like="a third that is cut off before it is multiplied",
            principle="Two thirds of 4 · dim: multiply first, and cut off what the division leaves.",
            question="What do you get for dim 5: 13, or 8?",
            credit=0.7,
        ),
        Misconception(
            name="product_up",
            looks_like="a product with the multiplier that is rounded up",
            principle="The fraction of the product is cut off, and only then comes the way up to a multiple.",
            question="What becomes of 20.3, with a multiple of 20?",
            credit=0.7,
        ),
        Misconception(
            name="four_forgotten",
            looks_like="two thirds of dim instead of 4 · dim",
            principle="A plain layer is 4 · dim wide; a gated one has two thirds of that.",
            question="Is your layer wider than the stream?",
        ),
    ),
    hints=(
        "Three steps in a fixed order: two thirds, the multiplier if there is one, and only then the rounding.",
        "Whole numbers in, a whole number out. Fractions are cut off after each of the first two steps.",
        "hidden = whole part of two thirds of 4 * dim\nif there is a multiplier: hidden = whole part of the product\n"
        "how many multiples does it take to hold hidden? that many",
    ),
)  # fmt: skip
