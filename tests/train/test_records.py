"""Records of instructions: what is read, what is refused with the record's number, what the rules find."""

import json
import re
from pathlib import Path

import pytest

from minillama.errors import DataError
from minillama.train.records import RULES, Record, check_records, prompt_key, read_records, split_records

GOOD = {"instruction": "Say one.", "input": "", "output": "one"}


def _file(folder: Path, rows: object, name: str = "data.json") -> Path:
    path = folder / name
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows), encoding="utf-8")
    return path


def test_json_and_jsonl_hold_the_same(tmp_path: Path) -> None:
    rows = [GOOD, {"instruction": "Say two.", "output": "two\u2028"}]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n"
    found = read_records(_file(tmp_path, rows))
    assert found == read_records(_file(tmp_path, lines, "data.jsonl"))
    assert [(r.number, r.instruction, r.input, r.output) for r in found] == [
        (1, "Say one.", "", "one"),
        (2, "Say two.", "", "two\u2028"),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([GOOD, {"instruction": "x"}], r"record 2 has no 'output'; it has 'input', 'instruction'"),
        ([GOOD, GOOD, {**GOOD, "output": 3}], "record 3: 'output' is a number, expected a text"),
        ([{**GOOD, "input": None}], "record 1: 'input' is null, expected a text"),
        ([GOOD, "text"], "record 2 is a text, expected an object"),
        ([GOOD, {**GOOD, "instruction": " "}], "record 2 has an empty instruction"),
        ({"a": 1}, "holds an object, expected a list of records"),
        ([], "holds no records"),
        (json.dumps([GOOD, GOOD])[:-20], "is not JSON at record 2 "),
        (json.dumps([GOOD, GOOD, GOOD]).replace("}, {", "} {", 1), "is not JSON at record 2 "),
        ('[{"instruction": "a", "output": "b"}, {"instruction": oops}]', "is not JSON at record 2 "),
        ("", "is not JSON at record 1 "),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, rows: object, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_records(_file(tmp_path, rows))
    assert "\n" not in str(caught.value)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    lines = json.dumps(GOOD) + "\n\n{'instruction': 1}\n"
    with pytest.raises(DataError, match=r"record 2 \(line 3\) is not JSON"):
        read_records(_file(tmp_path, lines, "data.jsonl"))


def test_a_file_that_is_missing_or_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_records(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes('[{"instruction": "é"}]'.encode("latin-1"))
    with pytest.raises(DataError, match="byte 18 is not UTF-8"):
        read_records(tmp_path / "latin.json")


def _record(number: int = 1, instruction: str = "Say one.", input: str = "", output: str = "one") -> Record:
    return Record(instruction=instruction, input=input, output=output, number=number)


@pytest.mark.parametrize(
    ("rule", "faulty", "sound"),
    [
        ("empty output", {"output": " \n"}, {"output": "0"}),
        ("output is only a note", {"output": "<nooutput>"}, {"output": "<b>bold</b>"}),
        ("output is only a note", {"output": "No Output"}, {"output": "There is no output."}),
        ("output runs on", {"output": "Yes.\n\n3. Instruction: Say two."}, {"output": "Instructions:\n1. Stir."}),
        ("input says there is none", {"input": "< noinput >"}, {"input": "No input was received."}),
        ("input says there is none", {"input": "N/A"}, {"input": "Nonesuch"}),
        ("input has a URL", {"input": "See https://a.b/c"}, {"input": "the http protocol"}),
        ("input copied from the instruction", {"input": "one"}, {"input": "two"}),
        ("output copies the input", {"input": "one "}, {"input": "two"}),
        ("invisible characters", {"output": "on\u200be"}, {"output": "one\n\tö"}),
    ],
)
def test_each_rule_tells_faulty_from_sound(rule: str, faulty: dict[str, str], sound: dict[str, str]) -> None:
    holds = {each.name: each.holds for each in RULES}[rule]
    assert holds(_record(**faulty))
    assert not holds(_record(**sound))


def test_faulty_records_are_left_out_or_mended_and_counted() -> None:
    records = [
        _record(1),
        _record(2, output=""),
        _record(3, instruction="Go.", input="<No Input>"),
        _record(4, instruction="go. ", input=""),
        _record(5, input="one"),
    ]
    left, findings = check_records(records)
    assert [(r.number, r.input) for r in left] == [(1, ""), (3, ""), (5, "one")]
    numbers = {finding.name: finding.numbers for finding in findings if finding.numbers}
    assert numbers == {
        "empty output": (2,),
        "input says there is none": (3,),
        "asks what an earlier record asks": (2, 4),
        "input copied from the instruction": (5,),
        "output copies the input": (5,),
    }


def test_alpaca_has_the_faults_that_it_is_known_for(shared_data: Path) -> None:
    records = read_records(shared_data / "alpaca_5000.json")
    left, findings = check_records(records)
    counts = {finding.name: len(finding.numbers) for finding in findings}
    assert counts == {
        "empty output": 2,
        "output is only a note": 8,
        "output runs on": 4,
        "input says there is none": 62,
        "input has a URL": 29,
        "input copied from the instruction": 41,
        "output copies the input": 6,
        "invisible characters": 2,
        "asks what an earlier record asks": 0,
    }
    plain = [r for r in records if re.fullmatch(r"<?no ?input>?\.?", r.input, re.IGNORECASE)]
    assert len(plain) == 49  # the rule without other signs and words
    assert len(left) == 4958
    assert len({prompt_key(r) for r in left}) == len(left)


def test_the_split_is_that_of_each_record_alone() -> None:
    records = [_record(n, instruction=f"Say {n}.") for n in range(1, 101)]
    train, held_out = split_records(records, 10)
    assert (len(train), len(held_out)) == (90, 10)
    _, again = split_records(records[::-1], 10)
    assert {r.number for r in again} == {r.number for r in held_out}
    with pytest.raises(DataError, match="100 of 100 records to hold out, expected fewer"):
        split_records(records, 100)
