import numpy as np
import torch

from minillama import viz
from minillama.feedforward import hidden_size, silu
from minillama.viz.feedforward import sigmoid


def test_the_curve_at_steepness_one_is_silu():
    line = viz.feedforward.bends().draw(steepness=1).axes[0].lines[2]
    assert line.get_label() == "SiLU"
    x = torch.from_numpy(line.get_xdata())
    np.testing.assert_allclose(line.get_ydata(), silu(x), atol=1e-12)


def test_sigmoid_of_large_numbers_is_finite():
    np.testing.assert_allclose(sigmoid([-1e4, 0.0, 1e4]), [0.0, 0.5, 1.0])


def test_shares_stand_in_the_alternative_text():
    parts = {"small": {"feed-forward": 60, "attention": 30, "embeddings": 10}}
    assert "60% of the small" in viz.feedforward.plot_weights(parts).alt


def test_means_and_ranges_stand_in_the_alternative_text():
    picture = viz.feedforward.plot_seeds({"A": [1.0, 1.2, 1.4], "B": [1.1]})
    assert "A 1.200 (1.000 to 1.400)" in picture.alt


def test_a_channel_shows_its_strongest_words_first():
    strengths = np.array([[0.1, 0.0], [-3.0, 0.0], [2.0, 1.0]])
    axes = viz.feedforward.draw_channel(strengths, ["a", "b", "c"], 0).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["'b'", "'c'", "'a'"]
    assert viz.feedforward.channels(strengths, ["a", "b", "c"]).sliders == {"channel": (0, 1, 0)}


def test_other_pictures_can_be_drawn():
    dims = list(range(64, 257, 64))
    sizes = [hidden_size(dim, 64) for dim in dims]
    for picture in (viz.feedforward.plot_neurons(), viz.feedforward.plot_sizes(64, dims, sizes)):
        assert picture.png.startswith(b"\x89PNG")
        assert len(picture.alt) > 20
