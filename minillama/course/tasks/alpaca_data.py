"""Lesson 15's look at the data: records that teach something wrong, found by rules."""

from collections.abc import Callable, Mapping, Sequence

from minillama.course.record import Bugs, Case, Task
from minillama.course.tasks.alpaca_hand import LESSON
from minillama.course.tasks.alpaca_prompts import ORDERS, WORDS
from minillama.course.tasks.generate_ideas import Generator, idea

Records = list[dict[str, str]]
Found = Mapping[str, Sequence[float]]
NONE = ("no input", "noinput", "none", "n/a")
ENDS = " .<>()[]"


def faulty_check(bugs: Bugs = frozenset()) -> Callable[[Records], dict[str, list[int]]]:
    """What is wrong with records, with these bugs."""

    def says_none(text: str) -> bool:
        if "none_anywhere" in bugs:
            return any(each in text.lower() for each in NONE)
        if "none_exact" in bugs:
            return text in NONE
        if "none_capitals" in bugs:
            return text.strip(ENDS) in NONE
        return text.strip(ENDS).lower() in NONE

    def has_link(record: dict[str, str]) -> bool:
        text = " ".join(record.values()) if "link_anywhere" in bugs else record["input"]
        if "link_word" in bugs:
            return "http" in text
        if "link_at_start" in bugs:
            return text.startswith(("http://", "https://"))
        return ("http://" in text and "only_https" not in bugs) or ("https://" in text and "only_http" not in bugs)

    def key(record: dict[str, str]) -> tuple[str, ...]:
        fields = ["instruction", "input", "output"]
        fields = fields[: 1 if "again_by_instruction" in bugs else 3 if "again_with_output" in bugs else 2]
        texts = [record[name] for name in fields]
        if "again_exact" not in bugs:
            texts = texts if "again_spaces" in bugs else [text.strip() for text in texts]
            texts = texts if "again_capitals" in bugs else [text.lower() for text in texts]
        return ("".join(texts),) if "glued" in bugs else tuple(texts)

    def check_data(records: Records) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {"empty": [], "no_input": [], "link": [], "again": []}
        keys = [key(record) for record in records]
        for i, record in enumerate(records):
            number = i + ("from_one" in bugs)
            output = record["output"] if "empty_exact" in bugs else record["output"].strip()
            others = keys[:i] + keys[i + 1 :] if "again_all" in bugs else keys[:i]
            others = keys[max(0, i - 1) : i] if "again_neighbours" in bugs else others
            others = keys[i + 1 :] if "again_first" in bugs else others
            for name, holds in (
                ("empty", not output),
                ("no_input", says_none(record["input"])),
                ("link", has_link(record)),
                ("again", keys[i] in others),
            ):
                found[name] += [number] if holds else []
                if holds and "one_rule" in bugs:
                    break
        return {name: numbers for name, numbers in found.items() if numbers or "drops_names" not in bugs}

    return check_data


def data_cases(rng: Generator) -> Sequence[Case]:
    """Each fault in its spellings beside records that only look like it, in an order that is drawn; and clean ones."""
    words = [str(each) for each in rng.permutation(WORDS)]
    orders = [str(each) for each in rng.permutation(ORDERS)]

    def record(n: int, input: str = "", output: str = "yes") -> dict[str, str]:
        return {"instruction": f"{orders[n % 4]} {words[n % 10]}, {words[(n * 3 + 1) % 10]} {n}", "input": input,
                "output": output}  # fmt: skip

    blank = [record(1, output=""), record(2, output=" \n"), record(3, "", "none"), record(4, " ", "n/a")]
    none = [
        record(5, "No input."), record(6, "<noinput>"), record(7, "none of them"), record(8, "n/a"),
        record(9, "Say no input"), record(10, "[None]"), record(24, "< none >"),
    ]  # fmt: skip
    links = [
        record(11, "Read https://a.org/b first"), record(12, "http://a.org"), record(13, "http and ftp"),
        record(14, "", "See https://a.org"), record(25, "https://a.org"), record(26, "Read http://a.org first"),
    ]  # fmt: skip
    again = [
        record(15, "tea"),
        record(16),
        record(15, "Tea ", "no"),
        record(15, "milk"),
        record(16),
        record(15, "milk"),
    ]
    again[4] = {**again[4], "instruction": again[4]["instruction"].upper()}
    again += [{**again[1], "instruction": f" {again[1]['instruction']} "}]
    again += [{**again[0], "instruction": "Say sun", "input": "flower"}, {**again[0], "instruction": "Say sunflower",
              "input": ""}]  # fmt: skip
    several = [record(22, "http://a.org"), record(22, "http://a.org", ""), record(23, "none", ""),
               record(23, "none", "")]  # fmt: skip

    def mixed(records: Records) -> Records:
        return [records[i] for i in rng.permutation(len(records))]

    return [
        Case(name="blank outputs", args=(mixed(blank),)),
        Case(name="inputs that say there is none", args=(mixed(none),)),
        Case(name="links", args=(mixed(links),)),
        Case(name="records that ask what another one asks", args=(again,)),
        Case(name="records with several faults", args=(several,)),
        Case(name="clean records", args=([record(n) for n in range(17, 20)],)),
    ]


def one_rule_each(cases: Sequence[Case], outputs: Sequence[Found], expected: Sequence[Found]) -> bool:
    """Is nothing missing but records that another rule has found already?"""
    missing = 0
    for got, right in zip(outputs, expected, strict=True):
        if got.keys() != right.keys():
            return False
        places = {name: {int(place) for place in got[name]} for name in right}
        for name, numbers in right.items():
            wanted = {int(place) for place in numbers}
            elsewhere = {place for other in places if other != name for place in places[other]}
            if places[name] - wanted or wanted - places[name] - elsewhere:
                return False
            missing += len(wanted - places[name])
    return missing > 0


check_data = Task(
    id="alpaca.check_data", lesson=LESSON, kind="complete", title="Find what is wrong with the data", points=4,
    difficulty=2, importance=4, minutes=15,
    reference=faulty_check(), faulty=faulty_check, cases=data_cases, outputs=("the result",),
    misconceptions=(
        idea("empty_exact", "outputs with a space taken for answers",
             "A blank teaches as little as nothing at all.", "What does yours say about an output of one space?", 0.7),
        idea(
            "none_anywhere", "a search for the words anywhere in the input",
            "`none of them` is an input. Only one that says nothing else is meant.",
            "Which of your hits are longer than the words that you look for?",
        ),
        idea("none_exact", "a comparison with the text as it stands",
             "The same is written with capitals, with a full stop, in brackets.",
             "How does `<noinput>` come through your comparison?"),
        idea("none_capitals", "capitals that make another word of it", "Capitals do not count here.",
             "What does yours say about `No input`?", 0.7),
        idea("link_anywhere", "links in the wrong field",
             "A link in the answer is text like any other. In the input it stands for a page that the model cannot "
             "read.",
             "Which fields do you search?"),
        idea("link_word", "the word http taken for a link", "The rule speaks of `http://` and `https://`.",
             "What does yours say about an input on the protocols http and ftp?", 0.7),
        idea("only_https", "links with https alone", "Both spellings are links.",
             "Is `https://` part of `http://`?", 0.7),
        idea("only_http", "links with http alone", "Both spellings are links.",
             "Is `http://` part of `https://`?", 0.7),
        idea("link_at_start", "links at the very beginning alone", "A link may stand anywhere in the input.",
             "What does yours say about `Read http://a.org first`?", 0.7),
        idea(
            "again_by_instruction", "a comparison of instructions alone",
            "One instruction with two inputs is two tasks: most useful ones are asked of many texts.",
            "Which fields make a record another one?",
        ),
        idea("again_with_output", "a comparison of outputs, too",
             "Who asks the same twice and answers differently teaches both.",
             "Is a record that asks the same a new question because its answer is new?"),
        idea("again_exact", "capitals and spaces that make another question",
             "Neither capitals nor spaces around it make a question new.",
             "What do you compare: the texts as they are?", 0.7),
        idea("again_spaces", "spaces that make another question", "Spaces around it make no question new.",
             "What does yours say of the same instruction with a space behind it?", 0.7),
        idea("again_capitals", "capitals that make another question", "Capitals make no question new.",
             "What does yours say of the same instruction in capitals?", 0.7),
        idea("glued", "instruction and input glued together",
             "Where the seam is not kept, `sun` with `flower` and `sunflower` with nothing are one and the same.",
             "How does yours know where the instruction ends?", 0.8),
        idea(
            "one_rule", "records that one rule keeps from the next",
            "The rules know nothing of each other: a record may fall under several.",
            "What does yours say of a record whose output is empty and whose input is a link?", 0.7, one_rule_each,
        ),
        idea("again_all", "the first of them counted as well",
             "The first is no repetition, and is kept.", "With which records is the first one compared in yours?"),
        idea("again_first", "the earlier of two marked, not the later",
             "The first stays, and what comes again goes.", "Which of two equal records has the smaller place?"),
        idea("again_neighbours", "a comparison with the record before alone",
             "A repetition may stand anywhere further down.", "With how many records is the last one compared?"),
        idea("from_one", "records counted from 1", "They are counted from 0, as a list is.",
             "Which number has the first record?", 0.7),
        idea("drops_names", "names that are missing where nothing was found",
             "All four names are there, with an empty list if need be.",
             "What does yours give for records without a fault?", 0.7),
    ),
    hints=(
        "Four questions, asked of each record in turn. Only the last one needs a memory.",
        "A list of dicts in; a dict of four lists of places out, each in order.",
        "four empty lists, and an empty set of what was asked\nfor each place and record:\n"
        "    output without spaces is empty?\n    input without signs at its ends, in small letters, is one of four?\n"
        "    a link in the input?\n    (instruction, input) in small letters in the set? then put it there",
    ),
)  # fmt: skip
