"""Whom a platform means, rosters that people write, and tables that mean harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minillama.course.grading.roster import Learner, Roster, read_roster, spellings
from minillama.course.grading.tables import MAX_BYTES, csv_text, plain_cell, read_table, safe_cell
from minillama.errors import ConfigError, DataError

ADA = Learner(id="ada", name="Ada King Lovelace", email="Ada@X.org", canvas="17", sis="s1", gradescope="g1")
BOB = Learner(id="bob", name="Bob Baker", canvas="18", email="bob@x.org")
TWIN = Learner(id="bob2", name="Bob Baker", canvas="19")
ROSTER = Roster([ADA, BOB, TWIN])


@pytest.mark.parametrize(
    ("name", "identity", "expected"),
    [
        ("whoever", {"canvas": "17"}, "ada"), ("whoever", {"email": "ada@x.ORG"}, "ada"),
        ("whoever", {"sid": "g1"}, "ada"), ("whoever", {"sid": "s1"}, "ada"), ("whoever", {"sid": "ADA"}, "ada"),
        ("ADA", {}, "ada"), ("Ada King Lovelace", {}, "ada"), ("lovelaceadaking", {}, "ada"),
        ("kinglovelaceada", {"canvas": "17"}, "ada"), ("Ada King Lovelace", {"canvas": "99"}, None),
        ("ada", {"canvas": "99"}, None), ("Bob Baker", {}, None), ("bakerbob", {"canvas": "19"}, "bob2"),
        ("Ada King Lovelace", {"sid": "g1", "email": "bob@x.org"}, None),
        ("Bob Baker", {"moodle": "5"}, None), ("bob", {}, "bob"), ("", {}, None), ("🦙", {}, None), ("eve", {}, None),
    ],
)  # fmt: skip
def test_a_learner_is_found_by_what_is_sure_and_else_by_a_name_of_one(name, identity, expected):
    found = ROSTER.find(name, identity)
    assert (found.id if found else None) == expected


def test_names_that_are_nothing_but_signs_find_nobody():
    roster = Roster([Learner(id="x", name="🦙")])
    assert roster.find("🦙", {}) is None
    assert roster.find("!!!", {}) is None


def test_accents_that_are_written_in_two_ways_are_one():
    roster = Roster([Learner(id="x", name="Jose\u0301 Marti\u0301")])
    assert roster.find("mart\u00edjos\u00e9", {}) is not None


@given(st.text(max_size=200))
def test_spellings_never_fail_and_are_never_empty(name):
    assert "" not in spellings(name)


@pytest.mark.parametrize("column", ["id", "email", "canvas", "sis", "login", "idnumber", "gradescope"])
def test_two_learners_of_one_number_are_refused(column):
    two = [Learner(**{"id": each} | {column: "Same"}) for each in ("a", "b")]
    with pytest.raises(ConfigError, match=rf"{column} 'Same' twice"):
        Roster(two)


def roster_of(folder, content):
    (folder / "roster.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_roster(folder / "roster.csv")


@pytest.mark.parametrize(
    "content",
    [
        "id,name\nada,Ada Lovelace\n", "\ufeffid,name\r\nada,Ada Lovelace\r\n", "ID;Name\nada;Ada Lovelace\n\n;\n",
        'id\tname\n"ada"\t"Ada Lovelace"\n', " id , name \n ada , Ada Lovelace \n",
    ],
)  # fmt: skip
def test_rosters_as_spreadsheets_write_them(content, tmp_path):
    assert roster_of(tmp_path, content) == [Learner(id="ada", name="Ada Lovelace")]


def test_names_that_look_like_formulas_and_emoji_are_text(tmp_path):
    found = roster_of(tmp_path, "id,name\n'=cmd,'@x\n🦙,Ada\u202eEvil\n")
    assert [(each.id, each.name) for each in found] == [("=cmd", "@x"), ("🦙", "AdaEvil")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no column 'id'"), ("name\nAda\n", "no column 'id'"), ("id,emial\nada,x\n", "did you mean email"),
        ("id,shoe size\nada,39\n", "'shoe size' that means nothing here, expected id, name"),
        ("id,id\nada,ada\n", "one column twice"),
        ("id,name\nada,a,b\n", "line 2 has 3 cells, expected 2"),
        ("id,name\nada\n", "line 2 has 1 cells"), ('id\n"ada\n', "not CSV"), (b"id\n\xff\n", "byte 3 is not UTF-8"),
        ("id\na\0b\n", "null bytes"), ("id\n../etc\n", "expected a name without slashes"),
        ("id,name\n,Ada\n", "id ''"),
        ("id\n" + "x" * 200_000, "not CSV"), (b"i" * (MAX_BYTES + 1), "more than 50 MB"),
    ],
    ids=lambda each: repr(each[:20]),
)  # fmt: skip
def test_a_damaged_roster_is_one_line(content, says, tmp_path):
    with pytest.raises(DataError, match=says) as caught:
        roster_of(tmp_path, content)
    assert len(str(caught.value).splitlines()) == 1
    assert "roster.csv" in str(caught.value)


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(str.strip)


@given(rows=st.lists(st.tuples(CELL, CELL), max_size=5))
def test_what_is_written_safely_is_read_as_it_was(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text(csv_text([("a", "b"), *rows]), encoding="utf-8", newline="")
    found = [tuple(row.cells.values()) for row in read_table(path, ("a",), ("a", "b"))]
    assert found == [row for row in rows if any(row)] or any(cell.startswith("'") for row in rows for cell in row)


@given(st.text(max_size=30))
def test_a_safe_cell_begins_like_no_formula(text):
    safe = safe_cell(text)
    assert not safe.lstrip().startswith(("=", "+", "-", "@"))
    assert plain_cell(safe) == text or text.startswith("'")
