"""The command line of grading: which words are commands, and one line for what is wrong."""

import pytest
from typer.testing import CliRunner

from minillama.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["grade", *map(str, arguments)])


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_the_commands(arguments):
    done = run(*arguments)
    assert done.exit_code == 0
    assert "merge" in done.stdout
    assert "run" in done.stdout


@pytest.mark.parametrize("words", [[], ["run"]])
def test_the_word_run_may_be_left_out(words, tmp_path):
    for arguments in (["nowhere", "--out", tmp_path / "out"], ["--out", tmp_path / "out", "nowhere"]):
        done = run(*words, *arguments)
        assert done.exit_code == 2
        assert done.stderr == "error: nowhere: not found, expected a folder, a zip archive or a notebook\n"


def test_merging_what_is_no_report_is_one_line(tmp_path):
    done = run("merge", tmp_path, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "holds no journal" in done.stderr
    assert len(done.stderr.splitlines()) == 1
