"""The course from the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from minillama.cli import app
from minillama.course import home

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILLAMA_HOME", str(tmp_path))
    monkeypatch.chdir(ROOT / "notebooks")


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_check_shows_what_is_done():
    home.note_progress("rope.apply_rope", passed=True, attempts="+1")
    home.note_progress("rope.rotate_step", attempts="+1")
    result = run("check", "04")
    assert result.exit_code == 0
    assert "1 of 9 tasks done; next: rope.turn_by_hand" in result.stdout
    assert "✓ rope.apply_rope" in result.stdout
    assert "✗ rope.rotate_step" in result.stdout
    everything = run("check").stdout
    assert all(line in everything for line in result.stdout.splitlines()[1:])
    assert run("check", "77").exit_code == 2


def test_hint_gives_one_after_the_other():
    assert "hint 1 of 3" in run("hint", "rope.apply_rope").stdout
    assert "hint 2 of 3" in run("hint", "rope.apply_rope").stdout
    result = run("hint", "rope.nothing")
    assert result.exit_code == 2
    assert "expected one of" in result.stderr


def test_release_says_what_would_change(tmp_path):
    assert run("release", "--check").exit_code == 0
    (tmp_path / "exercises").mkdir()
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "04_rope.ipynb").write_bytes((ROOT / "solutions" / "04_rope.ipynb").read_bytes())
    result = run("release", "--check", "--root", str(tmp_path))
    assert result.exit_code == 1
    assert result.stdout == "04_rope.ipynb\n"
    assert run("release", "--root", str(tmp_path)).exit_code == 0
    released = (tmp_path / "exercises" / "04_rope.ipynb").read_bytes()
    assert released == (ROOT / "exercises" / "04_rope.ipynb").read_bytes()


def test_reset_keeps_the_answers(tmp_path, monkeypatch):
    for folder in ("notebooks", "solutions", "exercises"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").touch()
    for folder in ("solutions", "exercises"):
        (tmp_path / folder / "04_rope.ipynb").write_bytes((ROOT / folder / "04_rope.ipynb").read_bytes())
    target = tmp_path / "exercises" / "04_rope.ipynb"
    text = target.read_text(encoding="utf-8")
    target.write_text(text.replace("raise NotImplementedError", "return 42  #", 1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = run("reset", "04")
    assert result.exit_code == 0
    assert "kept in" in result.stderr
    assert target.read_text(encoding="utf-8") == text
    assert "return 42" in (home.my_llama() / "kept" / "04_rope-01.ipynb").read_text(encoding="utf-8")
