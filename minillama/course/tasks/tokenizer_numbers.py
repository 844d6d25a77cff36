"""The variant of lesson 01: numbers in groups of digits."""

import json
from collections.abc import Callable

from minillama.course.record import Bugs, Case, Misconception, Task
from minillama.course.tasks.tokenizer_inputs import LESSON, Generator
from minillama.tokenizer import bpe
from minillama.tokenizer.vocabulary import SPACE


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
                digits = seen.isdigit() and (seen.isascii() or "other_digits" in bugs)
                if not (seen.isalnum() if "letters_too" in bugs else digits):
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
    strange = [f"{SPACE}٣٤٥٦٧", f"x{number(4)}", f"{SPACE}v{number(3)}"]
    return [
        *(Case(name=name, args=(bpe.split_words(text, split_digits=False),)) for name, text in texts.items()),
        Case(name="words that are no numbers, though there are digits in them", args=(strange,)),
    ]


def make_split_numbers(size: int = 3, side: str = "right") -> Task:
    """The task for one size of groups, counted from one side."""
    faulty = grouping(size, side)
    example = faulty(frozenset())([f"{SPACE}1234567"])
    shown = faulty(frozenset())([f"{SPACE}about", f"{SPACE}1234567", f"{SPACE}people", "v", "25"])
    count = {2: "two", 3: "three", 4: "four"}[size]
    lead = {(3, "right"): "as people write numbers", (3, "left"): "as Llama 3 does"}.get((size, side), "another way")
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
                name="other_digits",
                looks_like="digits of any script taken for digits",
                principle="Unicode has hundreds of digits, and Python's isdigit, isdecimal and \\d know most of them. "
                "Here a number is made of 0 to 9.",
                question="What does your test say of ٣, the Arabic three?",
                credit=0.8,
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
        family={"size": (3, 2, 4), "side": ("right", "left")},
        build=make_split_numbers,
        phrases=(
            f"Do it {lead}: **groups of {count}, counted from the {side}**",
            json.dumps(shown, ensure_ascii=False),
            f"at most {count} digits, counted from the {side}",
        ),
    )  # fmt: skip


split_numbers = make_split_numbers()
