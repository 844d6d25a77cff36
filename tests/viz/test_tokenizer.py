"""The pictures of lesson 01, and the counts that it states for published vocabularies."""

import re
from pathlib import Path

import nbformat
import pytest

from minillama import load_tokenizer
from minillama.viz import tokenizer as view

CAT = "the cat sat on the mat. the cat ate the hat."
LESSON = Path(__file__).parents[2] / "notebooks" / "01_tokenizer.ipynb"


def test_steps_spell_the_text_and_get_shorter():
    states = view.learn_step_by_step(CAT, 12)
    assert [new for new, _, _ in states[:4]] == ["", "at", "he", "the"]
    assert states[1][1] == 6
    for _, _, pieces in states:
        assert "".join(pieces) == "".join(states[0][2])
    lengths = [len(pieces) for _, _, pieces in states]
    assert lengths == sorted(lengths, reverse=True)
    assert len(states) < 13  # it ends when nothing occurs twice


def test_control_draws_every_step():
    control = view.merge_steps(CAT, 3)
    assert control.sliders["merges"] == (0, 3, 1)
    assert "at" in control.alt
    pictures = {control.picture(merges=step).png for step in range(4)}
    assert len(pictures) == 4


def test_pieces_fill_as_many_lines_as_they_need():
    few, many = (view.draw_pieces(["▁piece"] * count, range(count)) for count in (3, 30))
    assert few.get_size_inches()[1] < many.get_size_inches()[1]
    assert "3 boxes" in view.plot_pieces(["a", "b", "c"]).alt


@pytest.mark.shared
def test_counts_that_the_lesson_states_are_those_of_the_published_files(shared_data):
    cell = next(cell for cell in nbformat.read(LESSON, as_version=4).cells if cell.id == "prices")
    names: dict = {}
    exec(re.sub(r'    "ours.*\n', "", cell.source), names)
    files = ("llama_tokenizer.model", "llama3_tokenizer.model")
    for file, stated in zip(files, names["counts"].values(), strict=True):
        tokenizer = load_tokenizer(shared_data / file)
        assert stated == tuple(len(tokenizer.encode(each, bos=False)) for each in names["samples"].values())
