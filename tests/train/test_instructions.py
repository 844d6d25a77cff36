"""The instruction set: many kinds, right answers, splits that share nothing, and words that no story says."""

import json
import re
import sys
from itertools import islice
from pathlib import Path

import pytest

from minillama.checkpoint.bundled import bundled_model
from minillama.errors import DataError
from minillama.train.corpus import stories
from minillama.train.corpus.cast import INVENTED, NAMES
from minillama.train.instructions import KINDS, NEVER_TRAINED, TRAINED, Task, task, tasks
from minillama.train.instructions.__main__ import main
from minillama.train.instructions.measure import held_out_tasks
from minillama.train.instructions.sheet import sheet
from minillama.train.instructions.task import different_words, sentence_with

N_STORIES = 3000
NAMES_BY_SPLIT = {
    held_out: {name for names in NAMES[held_out].values() for name in names} | set(INVENTED[held_out])
    for held_out in (False, True)
}


def test_there_are_enough_kinds_and_some_are_never_trained() -> None:
    assert len(TRAINED) >= 20
    assert len(NEVER_TRAINED) >= 4
    assert not set(TRAINED) & set(NEVER_TRAINED)
    assert {kind for kind, _ in islice(tasks(0), 2 * len(TRAINED))} == set(TRAINED)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_accepts_its_own_answer_and_no_other(kind: str) -> None:
    for index in range(30):
        for split in ("train", "held_out"):
            made = task(3, index, kind, split)
            assert made == task(3, index, kind, split) or made.accepts is not None
            assert made.record() == task(3, index, kind, split).record()
            assert made.is_right(f" {made.output}\n")
            assert not made.is_right("")
            assert not made.is_right(f"{made.output} {made.output}")
            for text in made.record().values():
                assert text == text.strip()
                assert text.isascii()
                assert not re.search(r"[{}\[\]#|]|  |\ba [aeiou]", text), text


def test_answers_that_can_be_worked_out() -> None:
    """Some kinds once more, by another way than the generator's."""
    for index in range(60):
        made = {kind: task(5, index, kind, "held_out") for kind in KINDS}
        given = {kind: re.sub(r"^(Words|Text|Story): ", "", each.input) for kind, each in made.items()}
        items = {kind: text.split(", ") for kind, text in given.items()}
        assert made["backwards"].output == ", ".join(reversed(items["backwards"]))
        assert made["first"].output == items["first"][0]
        assert made["last"].output == items["last"][-1]
        assert made["second"].output == items["second"][1]
        numbers = ["one", "two", "three", "four", "five", "six", "seven"]
        assert made["how_many"].output == numbers[len(items["how_many"]) - 1]
        ordered = sorted(items["by_number"], key=lambda item: numbers.index(item.split()[0]))
        assert made["by_number"].output == ", ".join(ordered)
        word = re.search(r"after (\w+)", made["after"].instruction)
        assert word is not None
        assert items["after"][items["after"].index(word[1]) + 1] == made["after"].output
        changed = re.search(r"(\w+) instead of (\w+)|Change (\w+) to (\w+)", made["instead"].instruction)
        assert changed is not None
        other, old = (changed[1], changed[2]) if changed[1] else (changed[4], changed[3])
        assert made["instead"].output == given["instead"].replace(old, other)
        assert given["speech"].startswith(f'"{made["speech"].output}"')
        assert made["what_lost"].output in given["what_lost"]
        assert made["negation"].output.replace(" not ", " ") == given["negation"] != made["negation"].output


def test_what_is_asked_in_one_split_is_never_asked_in_the_other() -> None:
    def asked(split: str) -> set[tuple[str, str]]:
        return {(each.instruction, each.input) for _, each in islice(tasks(0, split, tuple(KINDS)), 60 * len(KINDS))}

    assert not asked("train") & asked("held_out")


def test_names_of_one_split_never_stand_in_the_other() -> None:
    for split, others in (("train", NAMES_BY_SPLIT[True]), ("held_out", NAMES_BY_SPLIT[False])):
        texts = " ".join(" ".join(each.record().values()) for _, each in islice(tasks(1, split), 2000))
        found = set(re.findall(r"[A-Z][a-z]+", texts)) & others
        assert not found - {"Will"}  # a boy in training, and a question in both


def test_no_instruction_stands_in_a_training_story() -> None:
    told = " ".join(islice(stories(0), N_STORIES))
    asked = {each.instruction for _, each in islice(tasks(0, "train", tuple(KINDS)), 40 * len(KINDS))}
    assert len(asked) > 700
    assert [instruction for instruction in asked if instruction in told] == []


def test_what_judges_a_sentence() -> None:
    judge = sentence_with("Tom", "the red kite")
    assert judge("The red kite was for Tom.")
    assert judge('"Tom, where is the red kite?"')
    for wrong in ("", "Tom the red kite", "Tom. The red kite.", "Tomas held the red kite.", "tom had the red kite."):
        assert not judge(wrong)
    assert not judge("Tom had the red kite" + " and ran" * 15 + ".")
    some = different_words(2, ("fox", "owl"))
    assert some("owl, fox")
    assert not any(map(some, ("fox", "fox, fox", "fox, cat", "fox owl", "fox, owl, fox")))


def test_an_unknown_kind_or_split_is_refused() -> None:
    with pytest.raises(DataError, match="got kind 'sing'"):
        task(0, 0, "sing")
    with pytest.raises(DataError, match="split 'test'"):
        task(0, 0, "first", "test")


def test_held_out_tasks_are_different() -> None:
    found = held_out_tasks("count_up", 100)
    assert len({each.instruction for each in found}) == len(found) < 100
    assert len(held_out_tasks("repeat", 100)) == 100


def test_the_set_is_written_as_alpaca_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from minillama.train.records import check_records, read_records

    path = tmp_path / "tasks.json"
    monkeypatch.setattr(sys, "argv", ["instructions", "write", str(path), "--count", "200", "--seed", "2"])
    main()
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert [set(row) for row in rows] == [{"instruction", "input", "output"}] * 200
    left, findings = check_records(read_records(path))
    assert not [each for each in findings if each.numbers and each.then == "left out" and "earlier" not in each.name]
    assert len(left) > 190


def test_the_sheet_is_the_one_that_is_printed() -> None:
    stored = (bundled_model().parent / "instructions.md").read_text(encoding="utf-8")
    assert sheet(0) == stored, "run `python -m minillama.train.instructions sheet > minillama/assets/instructions.md`"


def test_a_task_without_a_rule_has_one_answer() -> None:
    made = Task(instruction="Say one.", output="one")
    assert made.is_right("one ")
    assert not made.is_right("One")
