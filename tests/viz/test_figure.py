"""Pictures with words beside them, and controls that work without a kernel and with one."""

import pytest

from minillama import viz
from minillama.course.notebooks import WIDGET_VIEW

ALT = "A line that rises from zero to four, as everything in this test does."


def draw(height=1, width=2):
    figure, axes = viz.new_figure(width, height)
    axes.plot([0, 1], [0, height])
    return figure


def test_a_picture_says_in_words_what_it_shows():
    bundle = viz.show(draw(), ALT + ' "quoted"')._repr_mimebundle_()
    assert ALT in bundle["text/plain"]
    assert 'alt="A line' in bundle["text/html"]
    assert "&quot;quoted&quot;" in bundle["text/html"]
    assert "data:image/png;base64,iVBOR" in bundle["text/html"]


def test_a_control_leaves_a_picture_and_redraws():
    ipywidgets = pytest.importorskip("ipywidgets")
    control = viz.Control(draw, ALT, height=(1, 4, 2))
    bundle = control._repr_mimebundle_()
    assert WIDGET_VIEW in bundle
    assert "<img alt=" in bundle["text/html"]
    assert bundle["text/plain"] == f"[control: {ALT}]"
    slider, image, message = control.widget(ipywidgets).children
    before = image.value
    slider.value = 4
    assert image.value != before
    assert message.value == ""
    assert before == control.picture().png


def test_an_error_while_drawing_shows_in_the_control():
    ipywidgets = pytest.importorskip("ipywidgets")

    def fails_at_three(height):
        if height == 3:
            raise ValueError("three is <too> much")
        return draw(height)

    slider, _, message = viz.Control(fails_at_three, ALT, height=(1, 4, 2)).widget(ipywidgets).children
    slider.value = 3
    assert "three is &lt;too&gt; much" in message.value
    slider.value = 4
    assert message.value == ""


def test_the_clock_knows_its_score():
    figure = viz.rope.draw_hands(7, 4, 0)
    label = figure.axes[0].get_xlabel()
    assert "+3 positions" in label
    assert "score -0.990" in label  # cos 3
    assert figure.axes[0].get_xlabel() == viz.rope.draw_hands(17, 14, 0).axes[0].get_xlabel()


def test_wavelengths_are_stated():
    picture = viz.rope.plot_wavelengths({"LLaMA": 1e4}, context=2048)
    assert "54,410" in picture.alt
