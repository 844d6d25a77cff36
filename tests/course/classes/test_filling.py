"""Totals into exports of Canvas and Moodle, with the csv module as the judge of what else changes: nothing."""

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from minillama.cli import app
from minillama.course.grading.filling import CANVAS, MOODLE, fill, read_results, read_sheet
from minillama.course.grading.records import to_json
from minillama.errors import ConfigError, DataError
from tests.course.classes.making import TASKS, result

POSSIBLE = sum(each.points for each in TASKS.values())
EARNED = f"{POSSIBLE - TASKS['lora.where_to_put'].points}"
CANVAS_EXPORT = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Norms (123),Norms (124),Norms Current Score\r\n"
    f"    Points Possible,,,,,{POSSIBLE},10,(read only)\r\n"
    '"Lovelace, Ada",1,s1,ada@x.org,"A ""1""",,5,\r\n'
    '"Baker, Bob",2,s2,BOB,A,"7",,\r\n'
    "=Eve,3,s3,eve,A,,,\r\n"
    '"Student, Test",9,,t,A,,,\r\n'
)
MOODLE_EXPORT = (
    "\ufeffIdentifier;Full name;ID number;Email address;Grade;Maximum Grade;Feedback comments\n"
    f"Participant 5;Ada Lovelace;;ADA@x.org;;{POSSIBLE},00;\n"
    f'Participant 6;Bob Baker;;bob@x.org;"-";{POSSIBLE},00;"two\nlines; and more"\n'
    f"Participant 7;Nobody;;n@x.org;;{POSSIBLE},00;"
)


@pytest.fixture
def report(tmp_path):
    """Ada has everything but the experiment, Bob half of it; Cyd nothing; Dee is not in any export."""
    results = [
        result("ada", identity={"canvas": "1", "email": "ada@x.org"}),
        result("bob", 0.5, identity={"canvas": "2", "moodle": "6"}),
        replace(result("cyd", 0.0, identity={"sid": "S3", "idnumber": "s3"}), status="missing"), result("dee"),
    ]  # fmt: skip
    return written(tmp_path / "report", results)


def written(folder, results):
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(
        json.dumps({"attempts": "last", "results": [to_json(each) for each in results]})
    )
    return folder


def export(folder, text, name="export.csv"):
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def rows(text, delimiter=","):
    return list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter))


def test_canvas(report, tmp_path):
    made = fill(report, export(tmp_path, CANVAS_EXPORT), CANVAS, "Norms (123)")
    before, after = rows(CANVAS_EXPORT), rows(made.text)
    assert [row[5] for row in after] == ["Norms (123)", str(POSSIBLE), EARNED, f"{float(EARNED) / 2:g}", "", ""]
    assert [row[:5] + row[6:] for row in after] == [row[:5] + row[6:] for row in before]
    assert made.text.replace(f",{EARNED},5,", ",,5,").replace(f'"{float(EARNED) / 2:g}"', '"7"') == CANVAS_EXPORT
    assert made.filled == 2
    assert made.remarks == [
        "1 in the report and not in the export: dee", "1 in the export and not in the report: Student, Test",
        "1 not graded, whose cells stay as they are: cyd", "cells that held something else before: 1",
    ]  # fmt: skip


def test_moodle_with_semicolons_commas_lines_in_cells_and_a_mark(report, tmp_path):
    made = fill(report, export(tmp_path, MOODLE_EXPORT), MOODLE)
    before, after = rows(MOODLE_EXPORT, ";"), rows(made.text, ";")
    assert made.text.startswith("\ufeffIdentifier")
    assert [row[4] for row in after] == ["Grade", EARNED, f"{float(EARNED) / 2:g}".replace(".", ","), ""]
    assert [row[:4] + row[5:] for row in after] == [row[:4] + row[5:] for row in before]
    assert '"two\nlines; and more"' in made.text
    again = fill(report, export(tmp_path, made.text), MOODLE)
    assert again.text == made.text
    assert not [each for each in (*made.remarks, *again.remarks) if "held something else" in each]


def test_zeros_for_who_handed_in_nothing(report, tmp_path):
    made = fill(report, export(tmp_path, CANVAS_EXPORT), CANVAS, "Norms (123)", zeros=True)
    assert [row[5] for row in rows(made.text)][4] == "0"
    assert made.filled == 3


def test_what_failed_is_never_filled(tmp_path):
    report = written(tmp_path / "r", [replace(result("ada", identity={"canvas": "1"}), status="failed")])
    assert fill(report, export(tmp_path, CANVAS_EXPORT), CANVAS, "Norms (123)", zeros=True).filled == 0


def test_another_maximum_is_said(report, tmp_path):
    made = fill(report, export(tmp_path, CANVAS_EXPORT), CANVAS, "Norms (124)")
    assert f"Canvas says that 10 points are possible, and the report {POSSIBLE}: totals are not scaled" in made.remarks


@pytest.mark.parametrize(
    ("platform", "text", "column", "error", "says"),
    [
        (CANVAS, CANVAS_EXPORT, "", ConfigError, "column is not given"),
        (CANVAS, CANVAS_EXPORT, "Norms", ConfigError, "has 2 columns called 'Norms'"),
        (CANVAS, CANVAS_EXPORT, "Norm (123)", ConfigError, r"did you mean Norms \(123\)"),
        (CANVAS, CANVAS_EXPORT, "ID", ConfigError, "no column to fill"),
        (CANVAS, MOODLE_EXPORT, "Grade", ConfigError, "expected an export of Canvas"),
        (MOODLE, CANVAS_EXPORT, "", ConfigError, "expected an export of Moodle"),
        (CANVAS, "", "x", ConfigError, "expected an export of Canvas"),
        (CANVAS, 'ID,x\n1,"a', "x", DataError, "line 2 has a quote"),
        (CANVAS, 'ID,x\n1,"a"b', "x", DataError, "line 2 has a quote"),
        (CANVAS, "ID,x\n1,\n1,", "x", DataError, "rows 2 and 3 both mean 'ada'"),
        (CANVAS, "ID,SIS Login ID,x\n1,dee,", "x", DataError, "row 2 means ada and dee"),
        (CANVAS, "ID,x\n1", "x", DataError, "shorter than the header"), (CANVAS, "ID,x\n\0", "x", DataError, "null"),
    ],
)  # fmt: skip
def test_an_export_that_does_not_fit_is_one_line(report, platform, text, column, error, says, tmp_path):
    with pytest.raises(error, match=says) as caught:
        fill(report, export(tmp_path, text), platform, column)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"results": 3}', '{"results": [{"learner": 3}]}', "[" * 10**5])
def test_a_damaged_report_is_one_line(content, tmp_path):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(DataError, match="not the results of a report"):
        read_results(tmp_path)
    with pytest.raises(DataError, match="is not there"):
        read_results(tmp_path / "none")


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"), max_size=12)


@given(
    table=st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=5), delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), cut=st.booleans(),
)  # fmt: skip
def test_every_file_that_csv_writes_is_read_alike_and_stays_as_it_is(
    table, delimiter, end, quoting, cut, tmp_path_factory
):
    file = io.StringIO(newline="")
    header = [f"h{i}" for i in range(4)]
    csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([header, *table])
    text = file.getvalue().removesuffix(end) if cut else file.getvalue()
    sheet = read_sheet(tmp_path_factory.getbasetemp(), text)
    assert sheet.text() == text
    found = [[sheet.value(i, j) for j in range(len(row))] for i, row in enumerate(sheet.cells)]
    assert found == list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    sheet.put(1, 1, "7.5")
    changed = list(csv.reader(io.StringIO(sheet.text(), newline=""), delimiter=delimiter))
    table[0][1] = "7.5"
    assert changed == [header, *table]


def run(*arguments):
    return CliRunner().invoke(app, ["grade", "fill", *map(str, arguments)])


def test_the_command_writes_another_file_and_never_the_export(report, tmp_path):
    path = export(tmp_path, CANVAS_EXPORT)
    done = run(report, "--canvas", path, "--column", "Norms (123)", "--out", tmp_path / "filled.csv")
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'filled.csv'}\n")
    assert "filled 2 cells" in done.stderr
    assert path.read_bytes().decode() == CANVAS_EXPORT
    (tmp_path / "link.csv").symlink_to(path)
    for wrong, says in [
        (("--canvas", path, "--out", path), "which is the export itself"),
        (("--canvas", path, "--out", tmp_path / "link.csv"), "which is the export itself"),
        (("--out", tmp_path / "o.csv"), "expected --canvas"),
        (("--canvas", path, "--moodle", path, "--out", tmp_path / "o.csv"), "two of them"),
        (("--canvas", tmp_path / "gone.csv", "--out", tmp_path / "o.csv"), "cannot be read"),
    ]:
        done = run(report, *wrong)
        assert done.exit_code == 2
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert path.read_bytes().decode() == CANVAS_EXPORT
    assert not (tmp_path / "o.csv").exists()
