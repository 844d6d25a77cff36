"""course.toml: the example in the guide, every key with a wrong value, and files that mean harm."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from minillama.course.grading.class_file import read_secret
from minillama.course.grading.moments import LatePenalty
from minillama.course.grading.reading_class import read_class
from minillama.course.tasks import tasks_of
from minillama.errors import ConfigError, DataError
from tests.teaching_tables import GUIDE

EXAMPLE = re.search(r"Every key.*?```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]
SHORT = """
title = "t"
timezone = "Europe/Berlin"
[[assignment]]
name = "norms"
lesson = "03"
due = 2027-03-08T23:59:00
[[learner]]
id = "ada"
[[learner]]
id = "bob"
"""


def written(folder, text):
    path = folder / "course.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder, text):
    return read_class(written(folder, text))


def refused(folder, text):
    """The one line that a file is refused with."""
    with pytest.raises((ConfigError, DataError)) as caught:
        read(folder, text)
    assert "\n" not in str(caught.value)
    assert "course.toml" in str(caught.value)
    return str(caught.value)


@pytest.fixture
def example(tmp_path):
    """The class of the guide's list of keys, with a roster file of one more learner."""
    (tmp_path / "roster.csv").write_text("id,name,section\nalan,Alan Turing,B\n", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("  sixteen letters or more\n", encoding="utf-8")
    return read(tmp_path, EXAMPLE)


def test_the_example_reads_as_its_comments_say(example):
    made = example.assignment()
    assert (made.name, made.lesson, made.tasks) == ("norms", "03_norm", ("norm.rms_norm", "norm.RMSNorm"))
    assert made.dates.due == datetime(2027, 3, 8, 22, 59, tzinfo=UTC)
    assert made.penalty == LatePenalty(share=0.1, per="day", cap=0.5)
    assert (made.attempts, made.max_attempts, made.grace) == ("best", 3, timedelta(minutes=10))
    assert [each.id for each in example.learners] == ["alan", "ada", "grace"]
    assert example.secret() == "sixteen letters or more"
    assert example.notes == ()


def test_the_example_has_every_key():
    from minillama.course.grading import reading_class

    for name in (*reading_class.TOP, *reading_class.ASSIGNMENT, *reading_class.EXTENSION, *reading_class.GROUP):
        assert re.search(rf"\b{name}\b", EXAMPLE), name


def test_points_are_the_records_unless_the_class_says_otherwise(example):
    tasks = tasks_of("03_norm")
    own = {each.id: each.points for each in tasks}
    assert example.assignment("norms").chosen(tasks) == {
        "norm.rms_norm": 5.0, "norm.RMSNorm": float(own["norm.RMSNorm"]),
    }  # fmt: skip


def test_an_extension_takes_the_closing_date_along(example):
    made = example.assignment()
    longer, usual = example.dates_of("ada", made), example.dates_of("grace", made)
    assert longer.due - usual.due == longer.closes - usual.closes == timedelta(days=3)


def test_a_group_draws_variants_by_its_own_name(example):
    assert example.drawn_for("ada", "norms") == example.drawn_for("grace", "norms") == "team-1"
    assert example.drawn_for("alan", "norms") == "alan"
    assert example.drawn_for("ada", "another") == "ada"


def test_a_class_without_anything_is_a_class(tmp_path):
    made = read(tmp_path, 'title = "t"')
    assert made.secret() == ""
    with pytest.raises(ConfigError, match="none was chosen"):
        made.assignment()
    with pytest.raises(ConfigError, match="did you mean norms"):
        read(tmp_path, SHORT).assignment("norm")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "t"', "", r"title is missing, expected text in quotes"),
        ('title = "t"', 'title = "t"\ntimes = "file"', r"'times' means nothing here: move it under its \[\["),
        ('lesson = "03"', 'lesson = "03"\npack = "p"', r"norms.*'pack' means nothing here: move it to the top"),
        ('title = "t"', 'titel = "t"', r"'titel' means nothing here: did you mean title\?"),
        ('title = "t"', "title = 3", r"title is 3, expected text"),
        ('title = "t"', 'title = "a\\u0000b"', r"characters that are not seen"),
        ('title = "t"', f'title = "{"x" * 301}"', r"up to 300 characters"),
        ("Europe/Berlin", "Europe/Berlni", r"did you mean Europe/Berlin\?"),
        ("Europe/Berlin", "../../etc/passwd", r"the name of a zone"),
        ('timezone = "Europe/Berlin"', "", r"norms.*due is .*expected an offset"),
        ('timezone = "Europe/Berlin"', 'pack = "nowhere"', r"pack is 'nowhere', expected a folder"),
        ('lesson = "03"', 'lesson = "99"', r"lesson is '99', expected one of 00_start_here"),
        ('lesson = "03"', 'lesson = "03_nrom"', r"did you mean 03_norm\?"),
        ('lesson = "03"', "lesson = 3", r"lesson is 3, expected text in quotes"),
        ('lesson = "03"', 'lesson = "03"\ntasks = "norm.rms_norm"', r"a list of texts"),
        ('lesson = "03"', 'lesson = "03"\ntasks = ["norm.rsm_norm"]', r"did you mean norm.rms_norm\?"),
        ('lesson = "03"', 'lesson = "03"\ntasks = ["norm.rms_norm", "norm.rms_norm"]', r"each text once"),
        ('lesson = "03"', 'lesson = "03"\npoints = { "norm.rms_norm" = -1 }', r"a number from 0 to 10000"),
        ('lesson = "03"', 'lesson = "03"\npoints = { "norm.rms_norm" = nan }', r"a number from 0 to 10000"),
        ('lesson = "03"', 'lesson = "03"\npoints = { "norm.rms_norm" = true }', r"a number from 0 to 10000"),
        ('lesson = "03"', 'lesson = "03"\npoints = 5', r"a table from task to points"),
        ("due = 2027-03-08T23:59:00", 'due = "tomorrow"', r"without quotes: write 2027-"),
        ("due = 2027-03-08T23:59:00", "due = 2027-03-08", r"a date and a time"),
        ("due = 2027-03-08T23:59:00", "due = 0001-01-01T00:00:00", r"a year between"),
        ("due =", "opens = 2027-03-09T00:00:00\ndue =", r"due is .*expected a time after opens"),
        ("due =", "closes = 2027-03-07T00:00:00\ndue =", r"closes is .*expected a time after due"),
        ("due =", "grace_minutes = -1\ndue =", r"grace_minutes is -1"),
        ("due =", "penalty = 0.1\ndue =", r"penalty is 0.1, expected a table"),
        ("due =", "penalty = { share = 1.5 }\ndue =", r"penalty: share is 1.5, expected a number from 0 to 1"),
        ("due =", "penalty = { cap = 0.5 }\ndue =", r"penalty: share is missing"),
        ("due =", 'penalty = { share = 0.1, per = "week" }\ndue =', r'per is .week., expected "hour" or "day"'),
        ("due =", "penalty = { shar = 0.1 }\ndue =", r"did you mean share"),
        ("due = 2027-03-08T23:59:00", "penalty = { share = 0.1 }", r"due is missing"),
        ("due =", 'attempts = "first"\ndue =', r'expected "last" or "best"'),
        ("due =", "max_attempts = 0\ndue =", r"a whole number from 1"),
        ("due =", "max_attempts = true\ndue =", r"a whole number from 1"),
        ("due =", 'times = "clock"\ndue =', r'expected "platform" or "file"'),
        ('name = "norms"', 'name = "../norms"', r"without slashes"),
        ('id = "bob"', 'id = "ADA"', r"the roster has id 'ADA' twice"),
        ('id = "bob"', 'id = " bob"', r"id is ' bob', expected a name"),
        ('id = "bob"', 'id = "bob"\nmail = "x"', r"did you mean email\?"),
        ('id = "bob"', 'name = "Bob"', r"id is missing"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_line_that_says_what_to_do(old, new, says, tmp_path):
    assert old in SHORT
    assert re.search(says, refused(tmp_path, SHORT.replace(old, new)))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[[assignment]]\nname = "norms"\nlesson = "04"', r"'norms' is there twice"),
        ('[[extension]]\nlearner = "eve"\nassignment = "norms"\ndue = 2027-03-09T00:00:00', r"the id of a learner"),
        ('[[extension]]\nlearner = "ada"\nassignment = "norm"\ndue = 2027-03-09T00:00:00', r"did you mean norms"),
        ('[[extension]]\nlearner = "ada"\nassignment = "norms"', r"for due or closes"),
        ('[[extension]]\nlearner = "ada"\nassignment = "norms"\ncloses = 2027-03-01T00:00:00', r"closes after due"),
        ('[[extension]]\nlearner = "ada"\nassignment = "norms"\ndue = 2027-03-09T00:00:00\n' * 2, r"there twice"),
        ('[[group]]\nname = "g"\nmembers = []', r"the ids of its learners"),
        ('[[group]]\nname = "g"\nmembers = ["bod"]', r"did you mean bob"),
        ('[[group]]\nname = "g"\nmembers = ["bob"]\nassignments = ["x"]', r"names of assignments"),
        ('[[group]]\nname = "Ada"\nmembers = ["bob"]', r"called like a learner"),
        ('[[group]]\nname = "g"\nmembers = ["bob"]\n[[group]]\nname = "h"\nmembers = ["bob"]', r"in the groups 'g'"),
        ("[group]\nx = 1", r"begin with \[\[group\]\]"),
        ('roster = "gone.csv"', r"learner"),
    ],
)
def test_what_does_not_fit_together_is_one_line(more, says, tmp_path):
    assert re.search(says, refused(tmp_path, SHORT + more))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe", b"title = 't'\0", b"title = ", b"a = " + b"[" * 100_000, b"a = " + b"9" * 100_000,
        b"title = 't'\ntitle = 'u'", b"x" * (6 << 20), b"timezone = 1979-05-27",
    ],
    ids=lambda content: repr(content[:12]),
)  # fmt: skip
def test_what_is_no_class_file_is_one_line(content, tmp_path):
    (tmp_path / "course.toml").write_bytes(content)
    with pytest.raises((ConfigError, DataError)) as caught:
        read_class(tmp_path / "course.toml")
    assert len(str(caught.value)) < 500
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        read_class(tmp_path / "none.toml")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "course.toml").write_bytes("\ufefftitle = 'Größe 🦙'".encode())
    assert read_class(tmp_path / "course.toml").title == "Größe 🦙"


def test_a_time_that_comes_twice_is_said(tmp_path):
    made = read(tmp_path, SHORT.replace("2027-03-08T23:59:00", "2026-10-25T02:30:00"))
    assert made.assignment().dates.due == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    (note,) = made.notes
    assert "norms" in note
    assert "comes twice that day in Europe/Berlin; it is read as 2026-10-25T01:30:00Z" in note


def test_an_offset_needs_no_zone(tmp_path):
    text = SHORT.replace('timezone = "Europe/Berlin"', "").replace("23:59:00", "23:59:00-05:00")
    assert read(tmp_path, text).assignment().dates.due == datetime(2027, 3, 9, 4, 59, tzinfo=UTC)


def test_times_by_hand_are_read_on_the_clocks_of_the_class(tmp_path):
    text = SHORT.replace("due =", 'submitted = "s.csv"\ndue =')
    lines = [
        "learner,submitted,attempt",
        "ada,2027-03-09 08:15,",
        "bob,2027-03-09T08:15:00Z,2",
        "ada,2026-10-25T02:30,1",
    ]
    with pytest.raises(DataError, match=r"s\.csv: cannot be read"):
        read(tmp_path, text)
    (tmp_path / "s.csv").write_text("\n".join(lines))
    assert read(tmp_path, text).assignment().submitted == {
        ("ada", None): datetime(2027, 3, 9, 7, 15, tzinfo=UTC), ("bob", 2): datetime(2027, 3, 9, 8, 15, tzinfo=UTC),
        ("ada", 1): datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    }  # fmt: skip
    for wrong, says in [
        ("bod,2027-03-09 08:15,", "did you mean bob"), ("bob,soon,", "line 2 has submitted 'soon'"),
        ("bob,2027-03-09 08:15,x", "attempt 'x'"),
        ("bob,2027-03-09 08:15,\nbob,2027-03-09 08:16,", "line 3 has another"),
        ("bob,0001-01-01 00:00,", "expected a date"),
    ]:  # fmt: skip
        (tmp_path / "s.csv").write_text(f"learner,submitted,attempt\n{wrong}\n")
        with pytest.raises(DataError, match=says):
            read(tmp_path, text)


def test_a_short_secret_is_refused(tmp_path):
    (tmp_path / "s").write_text("short")
    with pytest.raises(ConfigError, match="at least 16"):
        read_secret(tmp_path / "s")
