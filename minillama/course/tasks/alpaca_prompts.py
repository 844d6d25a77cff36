"""Lesson 15's prompts: Alpaca's two templates, which are promoted, and a relative that nobody shows."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.alpaca_hand import LESSON
from minillama.course.tasks.generate_ideas import Generator, idea
from minillama.train import alpaca

PAIRED, ALONE = (text.partition("\n")[0] for text in (alpaca.WITH_INPUT, alpaca.WITHOUT_INPUT))
WORDS = ("milk", "eggs", "tea", "bread", "rice", "plums", "honey", "salt", "nuts", "corn")
ORDERS = ("Say the list again.", "Name the first word.", "Write the list backwards.", "Count the words.")


def faulty_format(bugs: Bugs = frozenset()) -> Callable[..., str]:
    """alpaca.format_prompt with these bugs."""

    def format_prompt(instruction: str, input: str = "", template: str = "stanford") -> str:
        has_input = (bool(input) or "one_template" in bugs) and "never_input" not in bugs
        if "stripped" in bugs:
            instruction, input = instruction.strip(), input.strip()
        if "filled_twice" in bugs:
            instruction = instruction.replace("{input}", input)
        if "swapped" in bugs and input:
            instruction, input = input, instruction
        parts = [PAIRED if has_input and "one_preamble" not in bugs else ALONE, f"### Instruction:\n{instruction}"]
        if "glued" in bugs and has_input:
            parts[-1] += f"\n{input}"
        elif has_input or "empty_section" in bugs:
            parts.append(f"### Input:\n{input}")
        text = ("\n" if "line_breaks" in bugs else "\n\n").join([*parts, "### Response:"])
        if "no_preamble" in bugs:
            text = text.partition("\n\n")[2]
        if "always_newline" in bugs or (template == "alpaca-lora" and "template_ignored" not in bugs):
            text += "\n"
        if "indented" in bugs:
            text = text.replace("\n### ", "\n    ### ")
        return text + " " if "trailing_space" in bugs else text

    return format_prompt


def other_line_breaks(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are the texts those that are expected but for the number of line breaks between two of their lines?"""
    pairs = [[re.sub(r"\n+", "\n", text.strip("\n")) for text in pair] for pair in zip(outputs, expected, strict=True)]
    ends = [got.endswith("\n") == right.endswith("\n") for got, right in zip(outputs, expected, strict=True)]
    return all(ends) and all(got == right for got, right in pairs)


def indents(cases: Sequence[Case], outputs: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Are the lines those that are expected, but for white space before headings?"""
    bare = [[[line.strip() for line in text.strip().split("\n")] for text in texts] for texts in (outputs, expected)]
    return bare[0] == bare[1] and all(re.search(r"^[ \t]+###", text, re.MULTILINE) for text in outputs)


def format_cases(rng: Generator) -> Sequence[Case]:
    """Both cases in both templates, texts with spaces at their ends, and texts that hold a slot's name."""
    orders = [str(each) for each in rng.permutation(ORDERS)]
    words = [str(each) for each in rng.permutation(WORDS)]
    return [
        Case(name="an input", args=(orders[0], f"Words: {', '.join(words[:3])}")),
        Case(name="no input", args=(orders[1], "")),
        Case(name="nothing given for the input", args=(orders[2],)),
        Case(name="an input of two lines", args=(orders[3], f"Words: {words[3]}\nand {words[4]}", "stanford")),
        Case(name="an input, in alpaca-lora's template", args=(orders[0], f"Words: {words[5]}", "alpaca-lora")),
        Case(name="no input, in alpaca-lora's template", args=(orders[1], "", "alpaca-lora")),
        Case(name="spaces around the texts", args=(f"{orders[2]} ", f"    {words[6]} = 1  ")),
        Case(name="an instruction about {input}", args=(f"Put {words[7]} for {{input}}.", f"{words[8]} and {{0}}")),
    ]


format_prompt = Task(
    id="alpaca.format_prompt", lesson=LESSON, kind="rebuild", title="Write Alpaca's prompt", points=3, difficulty=2,
    importance=5, minutes=12,
    reference=alpaca.format_prompt, faulty=faulty_format, cases=format_cases, outputs=("the prompt",),
    piece="minillama.train.alpaca:format_prompt", forbidden=("minillama.train.alpaca:format_prompt",),
    misconceptions=(
        idea(
            "one_template", "one template for both cases",
            "An instruction that needs no input is asked without the word: the model was taught so.",
            "What does your prompt say about an input that is not there?",
        ),
        idea(
            "empty_section", "an empty section for an input that is not there",
            "Without an input the whole section goes, heading and all.",
            "Which heading stands in your prompt with nothing below it?",
        ),
        idea("never_input", "an input that never gets into the prompt",
             "The model can only work on what it reads.", "Where in your prompt do the words of the input stand?"),
        idea(
            "one_preamble", "the first sentence of the shorter template in both",
            "The first sentence differs, too: one of them speaks of an input that provides further context.",
            "What does the first line of your prompt say when there is an input?",
        ),
        idea("no_preamble", "a prompt without its first sentence",
             "Both templates begin with a sentence about what follows, and then a blank line.",
             "What is the first line of your prompt?"),
        idea(
            "glued", "an input that stands below the instruction without a heading of its own",
            "The heading tells the model where the order ends and the text begins.",
            "How does a model see in yours what is to be done, and with what?",
        ),
        idea(
            "line_breaks", "the right words with other line breaks between them",
            "A blank line is a token like any other. A model that learnt with two line breaks is asked with two.",
            "How many line breaks stand between each section and the next in yours? Print repr(prompt): "
            "where does it leave the text of the task?",
            0.6, other_line_breaks,
        ),
        idea(
            "indented", "lines that are indented as the code around them",
            "A text between triple quotes keeps every space that the code has in front of its lines.",
            "Print repr(prompt): what stands between a line break and the three #?", 0.6, indents,
        ),
        idea(
            "trailing_space", "a space behind the last colon",
            "The answer's first token brings its own space with it. After another one the model has never begun.",
            "Which character is the last of your prompt?", 0.7,
        ),
        idea(
            "always_newline", "a line break behind `### Response:` in both templates",
            "That line break is alpaca-lora's; Stanford's prompt ends with the colon.",
            "With which character does your prompt end for template=\"stanford\"?", 0.6,
        ),
        idea("template_ignored", "a `template` that is not used",
             "alpaca-lora's prompt is Stanford's with one character more.",
             "What does your function do with template=\"alpaca-lora\"?", 0.6),
        idea("swapped", "instruction and input exchanged", "The instruction says what to do, the input with what.",
             "What stands below `### Instruction:` in yours?"),
        idea(
            "filled_twice", "a text that is searched for slots after it was filled in",
            "What a person writes is text, whatever it looks like. Slots are filled once, all at the same time.",
            "What happens in yours when an instruction speaks of {input}?", 0.7,
        ),
        idea("stripped", "texts whose spaces at the ends are cut off",
             "An input may be code, whose spaces mean something: texts go in as they are.",
             "What becomes of four spaces at the beginning of an input?", 0.7),
    ),
    hints=(
        "Print both templates with repr(). They differ in their first sentence, and in one section.",
        "Three texts in, one text out. Sections are parted by a blank line: two line breaks.",
        "is there an input? the longer template: the shorter one\nfill the slots\n"
        "alpaca-lora? a line break at the very end",
    ),
)  # fmt: skip


# A template that nobody shows: one system sentence and two speakers

SYSTEM = "A chat between a curious user and a helpful assistant."
ROLES = {"caps": ("USER", "ASSISTANT"), "people": ("Human", "Assistant")}
SEPARATORS = {"spaces": " ", "lines": "\n"}


def speaking(roles: str, separator: str, input_first: bool) -> Callable[[Bugs], Callable[..., str]]:
    """A system sentence, then who asks and what, then who answers; the parts joined by the separator."""

    def with_bugs(bugs: Bugs = frozenset()) -> Callable[..., str]:
        asks, answers = ROLES[roles]
        between = SEPARATORS[separator]
        if "other_separator" in bugs:
            between = next(each for name, each in SEPARATORS.items() if name != separator)

        def format_turn(instruction: str, input: str = "") -> str:
            texts = [instruction, input]
            if input_first != ("other_order" in bugs):
                texts.reverse()
            if "never_input" in bugs:
                texts = [instruction]
            if "stripped" in bugs:
                texts = [each.strip() for each in texts]
            said = ("\n\n" if "blank_line" in bugs else "\n").join(
                texts if "empty_line" in bugs else [each for each in texts if each]
            )
            colon = ":" if "no_space" in bugs else ": "
            parts = [SYSTEM, f"{asks}{colon}{said}", f"{answers}:"]
            if "alpaca_headings" in bugs:
                parts = [SYSTEM, f"### {asks}:\n{said}", f"### {answers}:"]
            if "no_system" in bugs:
                parts = parts[1:]
            if "no_answer" in bugs:
                parts = parts[:-1]
            return between.join(parts) + (" " if "trailing_space" in bugs else "")

        return format_turn

    return with_bugs


def turn_cases(rng: Generator) -> Sequence[Case]:
    """With an input, with an empty one, with none, with one of two lines."""
    orders = [str(each) for each in rng.permutation(ORDERS)]
    words = [str(each) for each in rng.permutation(WORDS)]
    return [
        Case(name="an input", args=(orders[0], f"Words: {', '.join(words[:3])}")),
        Case(name="an empty input", args=(orders[1], "")),
        Case(name="nothing given for the input", args=(orders[2],)),
        Case(name="an input of two lines", args=(orders[3], f"Words: {words[3]}\nand {words[4]}")),
        Case(name="spaces and braces", args=(f"  {orders[0]} {{input}}", f"{{{words[5]}}} ")),
    ]


def phrases_of(roles: str, separator: str, input_first: bool) -> tuple[str, ...]:
    """What the notebook says of one member of the family."""
    asks, answers = ROLES[roles]
    first, second = ("input", "instruction") if input_first else ("instruction", "input")
    joined = {"spaces": "a space", "lines": "a line break"}[separator]
    between = SEPARATORS[separator]
    return (
        "all of it in one line (but for a line break inside what the user says)" if separator == "spaces"
        else "each part in a line of its own",
        f"{SYSTEM}{between}{asks}: {{{first}}}\n{{{second}}}{between}{answers}:",
        f"Three parts joined by {joined}: the first sentence; `{asks}:`, a space and what is asked; `{answers}:`,",
        f"What is asked is the {first}, and below it, after one line break, the {second}.",
        f"three parts, joined by {joined}",
    )  # fmt: skip


def make_turn(roles: str = "caps", separator: str = "spaces", input_first: bool = False) -> Task:
    """The task for one pair of speakers, one separator, and one place of the input."""
    faulty = speaking(roles, separator, input_first)
    asks, answers = ROLES[roles]
    return Task(
        id="alpaca.format_turn", lesson=LESSON, kind="vary", title="Write another model's prompt", points=4,
        difficulty=2, importance=3, minutes=10,
        reference=faulty(frozenset()), faulty=faulty, cases=turn_cases, outputs=("the prompt",),
        misconceptions=(
            idea("empty_line", "a line for an input that is not there", "Without an input nothing stands in its place.",
                 f"What stands between the instruction and {answers}: in yours, when there is no input?"),
            idea("never_input", "an input that never gets into the prompt",
                 "The model can only work on what it reads.", "Where do the words of the input stand?"),
            idea("other_order", "instruction and input the other way round",
                 "The task says which of the two comes first.", f"What stands first behind {asks}: in yours?"),
            idea("blank_line", "a blank line between instruction and input", "Here one line break parts them.",
                 "How many line breaks stand between the two?", 0.7),
            idea("other_separator", "parts that are joined by something else",
                 f"The three parts are joined by {SEPARATORS[separator]!r} here.",
                 "What stands between the first sentence and the speaker?"),
            idea("no_space", "no space behind the speaker's colon", "There is one between the colon and the words.",
                 f"What stands behind {asks}: in yours?", 0.7),
            idea(
                "trailing_space", f"a space behind {answers}:",
                "The answer's first token brings its own space with it.",
                "Which character is the last of your prompt?", 0.7,
            ),
            idea("stripped", "spaces taken off what is asked", "What is filled in stays as it is.",
                 "What becomes of a space at the end of the input?", 0.7),
            idea("no_system", "a prompt without its first sentence", "The model was taught with it, so it is asked so.",
                 "With which words does your prompt begin?"),
            idea("no_answer", "a prompt that does not say whose turn it is",
                 "Without the last speaker's name the model may well go on asking.",
                 "Who is to speak at the end of your prompt?"),
            idea("alpaca_headings", "Alpaca's headings", "Another model was taught in another template.",
                 "Which marks stand before a speaker's name in the task?"),
        ),
        hints=(
            "Three parts: the first sentence, who asks and what, who answers.",
            "Two texts in, one text out; nothing stands behind the last colon.",
            "what is asked: instruction and, if there is one, input, parted by a line break\n"
            "speaker, colon, space, what is asked\njoin the three parts",
        ),
        family={"roles": tuple(ROLES), "separator": tuple(SEPARATORS), "input_first": (False, True)}, build=make_turn,
        phrases=phrases_of(roles, separator, input_first),
    )  # fmt: skip


format_turn = make_turn()
