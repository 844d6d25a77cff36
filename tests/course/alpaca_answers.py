"""Answers to lesson 15's tasks by hand, about prompts and data, in unusual spellings, right ones and wrong ones."""

import re
import textwrap
from string import Template

import numpy as np
import torch

from minillama.course.proving import Book
from minillama.course.tasks.alpaca_own import EXAMPLE

book = Book()
RIGHT, WRONG, STRAY = book.RIGHT, book.WRONG, book.STRAY
right, wrong, stray = book.right, book.wrong, book.stray


# alpaca.sample_by_hand

HAND = {"length": 12, "counted": 5, "first": 7, "asked": 6, "padding": 8, "loss": 2.75, "steps": 1218}
RIGHT["alpaca.sample_by_hand"] = [
    HAND,
    {name: float(value) for name, value in HAND.items()},
    HAND | {"length": np.int64(1 + 6 + 4 + 1), "loss": torch.tensor(22 / 8), "steps": 52_002 // 128 * 3},
]
for name, by_hand in {
    "one_mark": [{"length": 11}, {"length": 6 + 4 + 1.0}],
    "no_marks": [{"length": 10}, {"length": np.int64(6) + 4}],
    "prompt_counted": [{"counted": 12}, {"counted": 7 + 5.0}],
    "eos_uncounted": [{"counted": 4}, {"counted": np.int64(4)}],
    "from_one": [{"first": 8}, {"first": 8.0}],
    "bos_forgotten": [{"first": 6}, {"first": 6.0}],
    "unshifted": [{"asked": 7}, {"asked": 7.0}],
    "ahead": [{"asked": 8}, {"asked": 8.0}],
    "padding_for_all": [{"padding": 20}, {"padding": 20.0}],
    "mean_of_means": [{"loss": 3}, {"loss": (2 + 4) / 2}],
    "by_all_tokens": [{"loss": 0.55}, {"loss": torch.tensor(22 / 40)}],
    "by_row": [{"loss": 11}, {"loss": 22 / 2}],
    "one_epoch": [{"steps": 406}, {"steps": 52_002 // 128}],
    "rounded_up": [{"steps": 1221}, {"steps": 3 * 407.0}],
    "records": [{"steps": 156_006}, {"steps": 3 * 52_002}],
}.items():
    WRONG["alpaca.sample_by_hand", name] = [HAND | each for each in by_hand]
STRAY["alpaca.sample_by_hand"] = [HAND | {"loss": 22}, HAND | {"padding": "eight"}, HAND | {"counted": 6}]


# alpaca.format_prompt

PROMPT = "alpaca.format_prompt"
CONTEXT = ", paired with an input that provides further context"
FIRST = "Below is an instruction that describes a task{}. Write a response that appropriately completes the request."


def with_replace(bug=""):
    """One long text, slots filled by a single pass of a regular expression."""

    def prompt(instruction, input="", template="stanford"):
        has = bug == "one_template" or (input != "" and bug != "never_input")
        text = FIRST.format(CONTEXT if has and bug != "one_preamble" else "") + "\n\n### Instruction:\n<I>\n\n"
        if has and bug == "glued":
            text = text[:-1] + "<X>\n\n"
        elif has or bug == "empty_section":
            text += "### Input:\n<X>\n\n"
        text += "### Response:"
        if bug == "no_preamble":
            text = text[text.index("###") :]
        if bug == "line_breaks":
            text = text.replace("\n\n###", "\n###")
        if bug == "stripped":
            instruction, input = instruction.strip(), input.strip()
        if bug == "filled_twice":
            instruction = instruction.replace("{input}", input)
        first, second = (input, instruction) if bug == "swapped" and input else (instruction, input)
        text = re.sub("<[IX]>", lambda match: first if match[0] == "<I>" else second, text)
        newline = bug == "always_newline" or (template != "stanford" and bug != "template_ignored")
        return text + "\n" * newline + " " * (bug == "trailing_space")

    return prompt


def in_lines(bug=""):
    """A list of lines, joined at the end."""

    def prompt(instruction, input="", template="stanford"):
        if bug == "stripped":
            instruction, input = (" ".join([text]).strip(" ") for text in (instruction, input))
        if bug == "swapped" and len(input):
            instruction, input = input, instruction
        if bug == "filled_twice":
            instruction = "".join(input if part == "{input}" else part for part in re.split(r"({input})", instruction))
        paired = len(input) > 0
        if bug == "one_template":
            paired = True
        if bug == "never_input":
            paired = False
        gap = [] if bug == "line_breaks" else [""]
        lines = (
            [] if bug == "no_preamble" else [FIRST.replace("{}", CONTEXT * (paired and bug != "one_preamble")), *gap]
        )
        lines += ["### Instruction:", instruction]
        if paired and bug == "glued":
            lines += [input]
        elif paired or bug == "empty_section":
            lines += [*gap, "### Input:", input]
        lines += [*gap, "### Response:"]
        if (template == "alpaca-lora" and bug != "template_ignored") or bug == "always_newline":
            lines += [""]
        if bug == "trailing_space":
            lines[-1] += " "
        return "\n".join(lines)

    return prompt


@right(PROMPT)
def with_a_template_string(instruction, input="", template="stanford"):
    start = FIRST.format(CONTEXT if input else "") + "\n\n### Instruction:\n$i\n\n"
    middle = "### Input:\n$x\n\n" if input else ""
    ends = {"stanford": "### Response:", "alpaca-lora": "### Response:\n"}
    return Template(start + middle + ends[template]).substitute(i=instruction, x=input)


@right(PROMPT)
def with_percent(instruction, input="", template="stanford"):
    end = "\n" if template == "alpaca-lora" else ""
    if not input:
        form = textwrap.dedent("""\
            Below is an instruction that describes a task. Write a response that appropriately completes the request.

            ### Instruction:
            %s

            ### Response:""")
        return form % instruction + end
    form = FIRST.format(CONTEXT) + "\n\n### Instruction:\n%s\n\n### Input:\n%s\n\n### Response:"
    return form % (instruction, input) + end


RIGHT[PROMPT] += [with_replace(), in_lines()]
for name in (
    "one_template", "empty_section", "never_input", "one_preamble", "no_preamble", "glued", "line_breaks",
    "trailing_space", "always_newline", "template_ignored", "swapped", "filled_twice", "stripped",
):  # fmt: skip
    WRONG[PROMPT, name] = [with_replace(name), in_lines(name)]


@wrong(PROMPT, "line_breaks")
def no_blank_line_before_the_response(instruction, input="", template="stanford"):
    return in_lines()(instruction, input, template).replace("\n\n### Response", "\n### Response")


@wrong(PROMPT, "line_breaks")
def a_blank_line_too_many(instruction, input="", template="stanford"):
    return in_lines()(instruction, input, template).replace("Input:\n", "Input:\n\n").replace("tion:\n", "tion:\n\n")


@wrong(PROMPT, "line_breaks")
def after_the_quotes(instruction, input="", template="stanford"):
    return "\n" + in_lines()(instruction, input, template)


@wrong(PROMPT, "indented")
def in_the_function(instruction, input="", template="stanford"):
    context = CONTEXT if input else ""
    section = f"""
        ### Input:
        {input}
""" if input else ""  # fmt: skip
    return f"""{FIRST.format(context)}

        ### Instruction:
        {instruction}
{section}
        ### Response:""" + "\n" * (template == "alpaca-lora")  # fmt: skip


@wrong(PROMPT, "indented")
def two_spaces(instruction, input="", template="stanford"):
    return in_lines()(instruction, input, template).replace("\n#", "\n  #")


@stray(PROMPT)
def in_capitals(instruction, input="", template="stanford"):
    return in_lines()(instruction, input, template).upper()


@stray(PROMPT)
def in_json(instruction, input="", template="stanford"):
    return {"instruction": instruction, "input": input}


@stray(PROMPT)
def answers_too(instruction, input="", template="stanford"):
    return in_lines()(instruction, input, template) + "Sure."


# alpaca.format_turn

TURN = "alpaca.format_turn"
CHAT = "A chat between a curious user and a helpful assistant."


def turn_in_one_line(bug=""):
    def prompt(instruction, input=""):
        if bug == "stripped":
            instruction, input = instruction.strip(" "), input.strip(" ")
        between = "\n\n" if bug == "blank_line" else "\n"
        said = instruction + between + input if input or bug == "empty_line" else instruction
        if bug == "other_order" and input:
            said = input + between + instruction
        if bug == "never_input":
            said = instruction
        gap = "\n" if bug == "other_separator" else " "
        if bug == "alpaca_headings":
            return f"{CHAT} ### USER:\n{said} ### ASSISTANT:"
        system = "" if bug == "no_system" else CHAT + gap
        user = f"USER:{said}" if bug == "no_space" else f"USER: {said}"
        answer = "" if bug == "no_answer" else f"{gap}ASSISTANT:"
        return f"{system}{user}{answer}" + (" " if bug == "trailing_space" else "")

    return prompt


def turn_by_words(bug=""):
    def prompt(instruction, input=""):
        if bug == "stripped":
            instruction, input = instruction.strip(), input.strip()
        parts = ["USER:" + " " * (bug != "no_space") + instruction]
        if (input and bug != "never_input") or bug == "empty_line":
            parts.append(input)
        if bug == "other_order" and len(parts) == 2:
            parts = ["USER: " + input, instruction]
        asked = ("\n" * (1 + (bug == "blank_line"))).join(parts)
        whole = [CHAT, asked, "ASSISTANT:"]
        if bug == "alpaca_headings":
            whole = [CHAT, "### " + asked.replace("USER: ", "USER:\n"), "### ASSISTANT:"]
        whole = whole[bug == "no_system" :]
        whole = whole[:-1] if bug == "no_answer" else whole
        text = ("\n" if bug == "other_separator" else " ").join(whole)
        return text.ljust(len(text) + 1) if bug == "trailing_space" else text

    return prompt


@right(TURN)
def turn_by_strip(instruction, input=""):
    return CHAT + " USER: " + (instruction + "\n" + input).removesuffix("\n") + " ASSISTANT:"


RIGHT[TURN] += [turn_in_one_line(), turn_by_words()]
for name in (
    "empty_line", "never_input", "other_order", "blank_line", "other_separator", "no_space", "trailing_space",
    "no_system", "no_answer", "alpaca_headings", "stripped",
):  # fmt: skip
    WRONG[TURN, name] = [turn_in_one_line(name), turn_by_words(name)]
STRAY[TURN] = [in_lines(), lambda instruction, input="": instruction]


# alpaca.check_data

DATA = "alpaca.check_data"


def with_regex(bug=""):
    none = re.compile(r"[ .<>()\[\]]*(no ?input|none|n/a)[ .<>()\[\]]*", 0 if bug == "none_capitals" else re.I)
    link = {"link_word": "http", "only_https": "https://", "only_http": "http://", "link_at_start": "^https?://"}.get(
        bug, "https?://"
    )

    def check(records):
        names = ("empty", "no_input", "link", "again")
        found = {name: [] for name in names}
        asked = []
        for each in records:
            fields = ["instruction", "input"]
            if bug == "again_by_instruction":
                fields.pop()
            if bug == "again_with_output":
                fields.append("output")
            texts = [each[f] if bug in ("again_exact", "again_capitals") else each[f].lower() for f in fields]
            texts = texts if bug in ("again_exact", "again_spaces") else [text.strip() for text in texts]
            asked.append("".join(texts) if bug == "glued" else tuple(texts))
        for place, each in enumerate(records):
            number = place + 1 if bug == "from_one" else place
            if each["output"] == "" or (bug != "empty_exact" and each["output"].isspace()):
                found["empty"].append(number)
            find = none.search if bug == "none_anywhere" else none.fullmatch
            if bug == "none_exact":
                if each["input"] in ("no input", "noinput", "none", "n/a"):
                    found["no_input"].append(number)
            elif find(each["input"]):
                found["no_input"].append(number)
            if re.search(link, each["input"]) or (bug == "link_anywhere" and re.search(link, str(each))):
                found["link"].append(number)
            before = asked[:place]
            if bug == "again_neighbours":
                before = before[-1:]
            if bug == "again_all":
                before = asked[:place] + asked[place + 1 :]
            if bug == "again_first":
                before = asked[place + 1 :]
            if asked[place] in before:
                found["again"].append(number)
            hits = [name for name in names if number in found[name]]
            for name in hits[1:] if bug == "one_rule" else []:
                found[name].remove(number)
        if bug == "drops_names":
            found = {name: numbers for name, numbers in found.items() if numbers}
        return found

    return check


def by_rules(bug=""):
    """A function for each name, applied to all records."""

    def bare(text):
        for sign in ".<>()[]":
            text = text.strip().strip(sign)
        return text if bug == "none_capitals" else text.lower()

    def is_none(record):
        words = {"no input", "noinput", "none", "n/a"}
        if bug == "none_anywhere":
            return any(word in record["input"].lower() for word in words)
        return record["input"] in words if bug == "none_exact" else bare(record["input"]) in words

    def has_link(record):
        text = record["instruction"] + record["input"] + record["output"] if bug == "link_anywhere" else record["input"]
        starts = {"link_word": ["http"], "only_https": ["https://"], "only_http": ["http://"]}.get(
            bug, ["http://", "https://"]
        )
        if bug == "link_at_start":
            return any(text[: len(start)] == start for start in starts)
        return any(start in text for start in starts)

    def check(records):
        offset = int(bug == "from_one")
        seen = {}
        for i, record in enumerate(records):
            parts = [record["instruction"], record["input"], record["output"]]
            parts = parts[: {"again_by_instruction": 1, "again_with_output": 3}.get(bug, 2)]
            if bug not in ("again_exact", "again_spaces"):
                parts = [part.strip() for part in parts]
            if bug not in ("again_exact", "again_capitals"):
                parts = [part.casefold() for part in parts]
            key = ("" if bug == "glued" else "\0").join(parts)
            seen.setdefault(key, []).append(i)
        groups = seen.values()
        again = [i for group in groups for i in group[1:]]
        if bug == "again_all":
            again = [i for group in groups if len(group) > 1 for i in group]
        if bug == "again_first":
            again = [i for group in groups for i in group[:-1]]
        if bug == "again_neighbours":
            again = [i for group in groups for i in group if i - 1 in group]
        found = {
            "again": sorted(again),
            "link": [i for i, record in enumerate(records) if has_link(record)],
            "no_input": [i for i, record in enumerate(records) if is_none(record)],
            "empty": [
                i for i, record in enumerate(records) if not (record["output"] if bug == "empty_exact" else
                                                              record["output"].split())
            ],
        }  # fmt: skip
        if bug == "one_rule":  # an elif before the memory of what was asked
            found["link"] = [i for i in found["link"] if i not in found["empty"]]
            found["no_input"] = [i for i in found["no_input"] if i not in found["empty"]]
        found = {name: [i + offset for i in places] for name, places in found.items()}
        return {name: places for name, places in found.items() if places or bug != "drops_names"}

    return check


@right(DATA)
def one_by_one(records):
    seen = []

    def again(record):
        pair = [record[name].lower().strip() for name in ("instruction", "input")]
        known = pair in seen
        seen.append(pair)
        return known

    def numbers(holds):
        return [number for number, record in enumerate(records) if holds(record)]

    nothing = {"no input", "noinput", "none", "n/a"}
    return {
        "empty": numbers(lambda record: len(record["output"].strip()) == 0),
        "no_input": numbers(lambda record: record["input"].strip(" .<>()[]").lower() in nothing),
        "link": numbers(lambda record: "://" in record["input"] and "http" in record["input"]),
        "again": numbers(again),
    }


RIGHT[DATA] += [with_regex(), by_rules()]
for name in (
    "empty_exact", "none_anywhere", "none_exact", "none_capitals", "link_anywhere", "link_word", "only_https",
    "link_at_start", "again_by_instruction", "again_with_output", "again_exact", "again_all", "again_first",
    "again_neighbours",
    "from_one", "drops_names", "only_http", "again_spaces",
    "again_capitals", "glued", "one_rule",
):  # fmt: skip
    WRONG[DATA, name] = [with_regex(name), by_rules(name)]


@stray(DATA)
def counts_alone(records):
    return {name: len(places) for name, places in by_rules()(records).items()}


@stray(DATA)
def in_one_list(records):
    return sorted({place for places in by_rules()(records).values() for place in places})


# alpaca.own_experiment

RIGHT["alpaca.own_experiment"] = [EXAMPLE, EXAMPLE | {"measured": "3 of 40"}, EXAMPLE | {"more": "a picture"}]
STRAY["alpaca.own_experiment"] = [EXAMPLE | {"learned": ""}, {"changed": "the seed"}, EXAMPLE | {"expected": ...}]
