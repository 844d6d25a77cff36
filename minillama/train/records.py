"""Records of instructions from a file: read with care, checked by rules, and reported.

A record is an instruction, an input that may be empty, and an output, as in Alpaca's data (Taori et al. 2023, "Stanford
Alpaca: An Instruction-following LLaMA Model"), whose rows were written by a model and hold what models get wrong.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from minillama.errors import DataError

FIELDS = ("instruction", "input", "output")
NO_INPUT = re.compile(r"\W*no ?input( needed| required)?\W*|n/a|none", re.IGNORECASE)
NOTES = re.compile(r"(\s*<[^<>=]*>\s*)+|\W*no ?(out|in)put\W*", re.IGNORECASE)
RUNS_ON = re.compile(r"^\W*(\d+\.)?\s*Instruction:", re.MULTILINE)
URL = re.compile(r"https?://")
EXAMPLES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Record:
    """One instruction with its answer.

    Args:
        instruction, input, output: texts; input may be empty.
        number: its place in the file, from 1.
    """

    instruction: str
    input: str = ""
    output: str
    number: int = 0


def read_records(path: Path) -> list[Record]:
    """The records of a JSON file (one list) or a JSONL file (an object a line); a missing input is an empty one.

    Raises:
        DataError: not readable as such, or a record lacks a field or holds no text in it; the message names the record.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}, expected a file of records: check the name") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from error
    if path.suffix == ".jsonl":
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        rows = [_parsed(line, f"{path}: record {i} (line {number})") for i, (number, line) in enumerate(lines, start=1)]
    else:
        rows = _parsed_list(text, path)
    if not rows:
        raise DataError(f"{path} holds no records, expected at least one")
    return [_record(row, number, path) for number, row in enumerate(rows, start=1)]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error}): mend or remove it") from error


def _parsed_list(text: str, path: Path) -> list[Any]:
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise DataError(f"{path} is nested too deeply, expected a list of records") from error
    except ValueError as error:
        place = error.pos if isinstance(error, json.JSONDecodeError) else 0
        raise DataError(f"{path} is not JSON at record {_record_at(text, place)} ({error}): mend the file") from error
    if not isinstance(found, list):
        raise DataError(f"{path} holds {_kind(found)}, expected a list of records: name a .jsonl file .jsonl")
    return found


def _record_at(text: str, place: int) -> int:
    """The number of the record of a list that holds a place of the text, found by reading one after the other."""
    decoder, number, at = json.JSONDecoder(), 1, text.find("[") + 1
    while True:
        begin = re.compile(r"[\s,]*").match(text, at)
        assert begin is not None
        try:
            _, at = decoder.raw_decode(text, begin.end())
        except (ValueError, RecursionError):
            return number
        if at > place:
            return number
        number += 1


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "a truth value"}.get(
        type(value), "a number"
    )


def _record(row: Any, number: int, path: Path) -> Record:
    if not isinstance(row, dict):
        raise DataError(f"{path}: record {number} is {_kind(row)}, expected an object with {', '.join(FIELDS)}")
    row = {"input": "", **row}
    for field in FIELDS:
        if field not in row:
            raise DataError(f"{path}: record {number} has no {field!r}; it has {', '.join(map(repr, row))}: add it")
        if not isinstance(row[field], str):
            raise DataError(f"{path}: record {number}: {field!r} is {_kind(row[field])}, expected a text")
    if not row["instruction"].strip():
        raise DataError(f"{path}: record {number} has an empty instruction: write one or remove the record")
    return Record(**{field: row[field] for field in FIELDS}, number=number)


@dataclass(frozen=True)
class Rule:
    """What can be wrong with a record.

    Args:
        name: short.
        text: the exact rule.
        then: what is done with such records: left out, mended, or kept and only counted.
        holds: whether a record is of this kind.
    """

    name: str
    text: str
    then: Literal["left out", "mended", "kept"]
    holds: Callable[[Record], bool]


def _invisible(record: Record) -> bool:
    characters = "".join((record.instruction, record.input, record.output))
    return any(unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in "\n\t" for char in characters)


def prompt_key(record: Record) -> tuple[str, str]:
    """What two records share when they ask the same: instruction and input in small letters, spaces as one."""
    return " ".join(record.instruction.lower().split()), " ".join(record.input.lower().split())


RULES = (
    Rule("empty output", "the output is empty or blank", "left out", lambda r: not r.output.strip()),
    Rule(
        "output is only a note",
        "nothing but <...> without =, or 'no output' or 'no input' with any signs around it",
        "left out",
        lambda r: bool(NOTES.fullmatch(r.output)),
    ),
    Rule(
        "output runs on",
        "a line of the output begins with 'Instruction:', a number before it or not",
        "left out",
        lambda r: bool(RUNS_ON.search(r.output)),
    ),
    Rule(
        "input says there is none",
        "'no input' or 'noinput', with 'needed' or 'required' or not, any signs around; or 'n/a', 'none'",
        "mended",
        lambda r: bool(NO_INPUT.fullmatch(r.input.strip())),
    ),
    Rule(
        "input has a URL",
        "http:// or https:// stands in the input: the model cannot read the page",
        "left out",
        lambda r: bool(URL.search(r.input)),
    ),
    Rule(
        "input copied from the instruction",
        "the input stands word for word in the instruction too",
        "kept",
        lambda r: bool(r.input.strip()) and r.input.strip() in r.instruction,
    ),
    Rule(
        "output copies the input",
        "both are the same but for spaces around them",
        "kept",
        lambda r: bool(r.input.strip()) and r.input.strip() == r.output.strip(),
    ),
    Rule(
        "invisible characters",
        "a control or format character (Unicode Cc, Cf, Cs) other than newline and tab",
        "kept",
        _invisible,
    ),
)
DUPLICATE = "asks what an earlier record asks"
TOO_LONG = "prompt too long"
CUT = "response cut"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """How many records are of one kind, which, and what was done with them."""

    name: str
    rule: str
    then: str
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.numbers[:EXAMPLES_SHOWN])) + (
            ", ..." if len(self.numbers) > EXAMPLES_SHOWN else ""
        )
        where = f" (records {shown})" if self.numbers else ""
        return f"{self.name}: {len(self.numbers)} {self.then}{where}. Rule: {self.rule}."


def check_records(records: Sequence[Record]) -> tuple[list[Record], list[Finding]]:
    """Apply every rule.

    Args:
        records: as read_records gives them.

    Returns:
        The records that are left, inputs that say there is none made empty, and a finding for each rule.
    """
    findings = [
        Finding(
            name=rule.name,
            rule=rule.text,
            then=rule.then,
            numbers=tuple(record.number for record in records if rule.holds(record)),
        )
        for rule in RULES
    ]
    mended = [replace(r, input="") if NO_INPUT.fullmatch(r.input.strip()) else r for r in records]
    seen: set[tuple[str, str]] = set()
    again = []
    for record in mended:
        key = prompt_key(record)
        if key in seen:
            again.append(record.number)
        seen.add(key)
    rule = "instruction and input are the same in small letters, with spaces as one"
    findings.append(Finding(name=DUPLICATE, rule=rule, then="left out", numbers=tuple(again)))
    dropped = {number for finding in findings if finding.then == "left out" for number in finding.numbers}
    return [record for record in mended if record.number not in dropped], findings


def split_records(records: Sequence[Record], held_out: int) -> tuple[list[Record], list[Record]]:
    """Part records for training and validation: the same ones whatever else the file holds.

    Args:
        records: without duplicates.
        held_out: about how many to hold out.

    Returns:
        The two parts, in their order.

    Raises:
        DataError: nothing would be left to train on.
    """
    if not 0 <= held_out < len(records):
        raise DataError(f"{held_out} of {len(records)} records to hold out, expected fewer: hold out less")
    ranked = sorted(records, key=lambda record: hashlib.sha256("\n".join(prompt_key(record)).encode()).digest())
    chosen = {record.number for record in ranked[:held_out]}
    return [r for r in records if r.number not in chosen], [r for r in records if r.number in chosen]
