"""The teacher's guide: its tables are those of the records, its class is one, and its commands are there."""

import re
import shlex

import pytest
from typer.testing import CliRunner

from minillama.cli import app
from minillama.course.grading.reading_class import read_class
from minillama.course.tasks import LESSONS, all_tasks
from tests.teaching_tables import FAILURES, GUIDE, with_tables

TEXT = GUIDE.read_text(encoding="utf-8")
JOINED = re.sub(r"\s*\\\n\s*", " ", TEXT)  # a command over several lines is one
COMMANDS = re.findall(r"^(?: {4}|\t)?(?:\$ |- run: )?(minillama [^\n#|`]+)", JOINED, re.MULTILINE)


def test_tables_are_those_of_the_records():
    assert with_tables(TEXT) == TEXT, "run python tests/teaching_tables.py --write"
    assert FAILURES.keys() <= LESSONS.keys()


def test_the_class_of_the_guide_is_one(tmp_path):
    example, *additions = re.findall(r"```toml\n(.*?)```", TEXT[: TEXT.index("### Every key")], re.DOTALL)
    (tmp_path / "course.toml").write_text("\n".join([example, *additions]), encoding="utf-8")
    (tmp_path / "secret.txt").write_text("a secret of the course's", encoding="utf-8")
    found = read_class(tmp_path / "course.toml")
    assert [each.id for each in found.learners] == ["ada", "grace", "alan"]
    assert found.assignment("rope").chosen([task for task in all_tasks() if task.lesson == "04_rope"])


def test_the_guide_shows_commands():
    assert len(COMMANDS) >= 12
    assert re.findall(r"# (\d+)$", TEXT, re.MULTILINE) == [str(i) for i in range(1, 9)]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_guide_is_there(command):
    words = [word for word in shlex.split(command)[1:] if word != "..."]
    name = words[:2] if words[0] in ("grade", "pack") else words[:1]
    if words[0] == "grade" and words[1] not in ("merge", "rewrite", "fill"):
        name = ["grade", "run"]
    shown = CliRunner().invoke(app, [*name, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, command
    for option in (word for word in words if word.startswith("--")):
        assert option in shown.stdout, f"{command}: {option}"


def test_the_term_has_every_lesson_and_rests_its_points_on_tasks_that_are_closed_book():
    term = TEXT[TEXT.index("## A term of twelve weeks") : TEXT.index("<!-- times")]
    for stem in LESSONS:
        assert re.search(rf"\b{stem[:2]} {stem[3:].split('_')[0]}", term, re.IGNORECASE), stem
    names = {task.name for task in all_tasks() if task.kind in ("vary", "diagnose", "test", "experiment")}
    rows = [line.split("|")[4] for line in term.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) == 12
    for name in re.findall(r"\w+", " ".join(rows)):
        assert name in names, name
