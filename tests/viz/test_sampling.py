import pytest

import minillama
from minillama.viz import sampling


@pytest.fixture(scope="module")
def candidates():
    return sampling.Candidates(*minillama.load(), "Once upon a")


def test_candidates_draw_at_their_ends(candidates):
    for end in (0, 1):
        assert candidates.picture(**{name: limits[end] for name, limits in candidates.sliders.items()}).png


def test_the_title_counts_survivors(candidates):
    figure = candidates.draw_chances(10, 3, 100, 0)
    assert "3 of 2,048 tokens" in figure.axes[0].get_title()
    assert "2,048 of 2,048" in candidates.draw_chances(10, 60, 100, 0).axes[0].get_title()


def test_another_text_has_other_candidates(candidates):
    before = candidates.pieces
    candidates.read("One day, Tim went to the")
    assert candidates.pieces != before


def test_the_live_control_reads_a_new_text(candidates):
    ipywidgets = pytest.importorskip("ipywidgets")
    box = candidates.widget(ipywidgets)
    before = box.children[-2].value
    box.children[0].value = "The sun was"
    assert candidates.prompt == "The sun was"
    assert box.children[-2].value != before
    assert box.children[-1].value == ""
    box.children[0].value = "goat " * 2000
    assert "ContextLengthError" in box.children[-1].value


def test_growth_counts_keys():
    figure = sampling.draw_growth(8)
    without, cached = (axes.get_title() for axes in figure.axes)
    assert f"{sum(range(4, 13))} keys" in without
    assert "12 keys" in cached
    for step in (0, 8):
        assert sampling.growth().picture(step=step).png


def test_bytes_are_told_in_words():
    assert "7B 1.00" in sampling.plot_bytes({"7B": 524_288}, [0, 2048]).alt
