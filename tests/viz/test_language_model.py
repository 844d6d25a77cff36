"""The game of guessing the next token, its rounds, and the pictures of lesson 02."""

import math

import pytest
import torch

from minillama.viz import language_model as view

ROUNDS = [
    view.Round("The cat sat on the", (" mat", " dog", " a", "."), 0, {"model": (0.7, 0.1, 0.1, 0.1)}),
    view.Round("The cat sat on the mat", (" mat", " dog", " a", "."), 3, {"model": (0.25, 0.25, 0.25, 0.25)}),
]


def test_a_bet_costs_its_surprise():
    game = view.Game(ROUNDS)
    assert "It was ' mat'" in game.bet("a", 50)
    assert game.surprises["you"] == [pytest.approx(math.log(2))]
    said = game.bet("a", 70)  # wrong: the other three share 30%
    assert game.surprises["you"][1] == pytest.approx(-math.log(0.1))
    assert f"you {math.sqrt(20):.2f}" in said
    assert f"model {math.sqrt(4 / 0.7):.2f}" in said
    assert game.bet("a", 50) == game.score()  # no round is left
    assert game.played == 2
    assert game.question() == []


def test_what_is_no_bet_changes_nothing():
    game = view.Game(ROUNDS)
    assert "expected one of a, b, c, d" in game.bet("e", 50)
    assert "expected" in game.bet("", 50)
    assert game.played == 0
    game.bet("d", 1000)
    assert game.surprises["you"] == [pytest.approx(-math.log(0.03 / 3))]


def test_the_game_reads_well_without_a_kernel_and_plays_with_one():
    import ipywidgets

    game = view.Game(ROUNDS)
    bundle = game._repr_mimebundle_()
    assert "The cat sat on the" in bundle["text/html"]
    assert "(d) &#x27;.&#x27;" in bundle["text/html"]
    page, pieces, sure, button = game.widget(ipywidgets).children
    for _ in ROUNDS:
        pieces.value, sure.value = "a", 40
        button.click()
    assert "after 2 of 2" in page.value
    assert button.disabled


def test_an_error_in_the_game_is_said_in_it(monkeypatch):
    import ipywidgets

    game = view.Game(ROUNDS)
    page, *_, button = game.widget(ipywidgets).children
    monkeypatch.setattr(game, "bet", lambda letter, percent: 1 / 0)
    button.click()
    assert "ZeroDivisionError" in page.value


def test_rounds_hold_the_true_piece_once():
    class Tokenizer:
        def encode(self, text):
            return [int(each) for each in text.split()]

        def decode(self, ids):
            return "".join(f" {each}" for each in ids)

    def model(tokens):
        generator = torch.Generator().manual_seed(1)
        return torch.randn(*tokens.shape, 30, generator=generator)

    text = " ".join(str(i % 30) for i in range(60))
    rounds = view.make_rounds({"model": model}, Tokenizer(), text, n_rounds=5)
    assert len(rounds) == 5
    for each in rounds:
        assert len(set(each.pieces)) == 4
        follows = (int(each.before.split()[-1]) + 1) % 30
        assert each.pieces[each.answer] == f" {follows}"
        assert sum(each.chances["model"]) == pytest.approx(1)


def test_pictures_are_drawn_for_all_that_a_slider_gives():
    control = view.guess()
    assert control.picture(mat=-10, floor=10, moon=10).png
    assert "0.665" in control.alt
    levels = {"ln 8": 2.08, "counting": 1.0, "a LLaMA": 0.5}
    assert view.plot_training([2.1, 1.5, 1.2], levels, alt="It falls from ln 8 and stays above counting.").png
