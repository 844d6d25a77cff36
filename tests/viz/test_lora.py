"""The numbers of lesson 14's pictures."""

import numpy as np
import pytest

from minillama.config import PRESETS
from minillama.course.tasks.lora_lists import count_adapter
from minillama.viz import lora


def test_energy_of_a_known_matrix():
    assert lora.energy(np.diag([3.0, 0.0, 4.0])) == pytest.approx([16 / 25, 1, 1])
    one = np.outer(np.arange(1, 5), np.arange(2, 9))
    assert lora.energy(one)[0] == pytest.approx(1)


def test_alt_texts_state_what_was_found():
    picture = lora.plot_energy({"the change": np.array([0.5, 0.95, 1.0]), "noise": np.array([0.4, 0.7, 1.0])})
    assert "90% of the squares, of 3: 2 for the change, 3 for noise" in picture.alt
    picture = lora.plot_ranks([1, 4, 16], [2.0, 1.1, 1.0], before=3.0, after=1.0)
    assert "from 3.00 to 1.00 nats; 4 directions" in picture.alt
    picture = lora.plot_ranks([1, 4], [2.9, 2.5], before=3.0, after=1.0)
    assert "more than 4 directions" in picture.alt
    stored = {"wq": [2.0, 2.1], "everything": [1.0, 1.2]}
    for live in (None, ("wq", 2.2)):
        picture = lora.plot_places(stored, live)
        assert "everything ends lowest with 1.10" in picture.alt
        assert "wq highest with 2.05" in picture.alt


def test_strength_marks_where_it_is_best():
    control = lora.Strength((0, 100, 200), (4.0, 0.5, 2.0), ("a story", "the fox", "fox fox"))
    assert "4.00 nats at 0%, lowest at 100%, and 2.00 at 200%" in control.alt
    assert control.picture(percent=200).png != control.picture().png


def test_memory_of_a_7b_in_three_ways():
    """By hand: 6.74 billion weights at 16 bytes; 4,194,304 numbers at 16 bytes beside 2 bytes a weight, or 4.5 bits."""
    config = PRESETS["llama2-7b"]
    whole, half, four = (lora.training_bytes(config, way, 8, ("wq", "wv")) for way in lora.WAYS)
    count, learns = 6_738_415_616, 4_194_304
    assert sum(whole.values()) == 16 * count
    assert sum(half.values()) == 2 * count + 16 * learns
    assert sum(four.values()) == pytest.approx(4.5 / 8 * count + 16 * learns)
    assert four["AdamW's two means"] == 8 * learns


@pytest.mark.parametrize("model", ["llama-7b", "llama2-70b", "tinyllama-1.1b"])
@pytest.mark.parametrize("targets", [("wq", "wv"), ("wk", "wo", "w1", "w2", "w3")])
def test_parameters_are_those_of_the_exercise(model, targets):
    config = PRESETS[model]
    assert lora.adapter_parameters(config, 5, targets) == count_adapter.reference(config, 5, targets)


def test_controls_draw_at_both_ends():
    for control, values in (
        (lora.thin(), [{"rank": 1}, {"rank": 512}]),
        (lora.training_memory(), [{"model": "llama-65b", "places": "all seven"}, {"model": "tinyllama-1.1b"}]),
        (lora.stairs(np.linspace(-1, 1, 32)), [{"bits": 2}, {"bits": 8}]),
    ):
        assert len(control.alt) > 40
        for value in values:
            assert control.picture(**value).png.startswith(b"\x89PNG")
