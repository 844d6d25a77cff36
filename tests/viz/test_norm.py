import numpy as np

from minillama.viz import norm
from minillama.viz.figure import Picture


def test_sizes_double_without_a_norm_and_stay_with_one():
    sizes = norm.sizes_by_depth(2.0)
    assert sizes["no norm"][-1] > 1e8
    for name in ("LayerNorm", "RMSNorm"):
        assert max(sizes[name]) < 4


def test_controls_draw_at_their_ends():
    for control in (norm.depth(), norm.two_numbers()):
        for end in (0, 1):
            picture = control.picture(**{name: limits[end] for name, limits in control.sliders.items()})
            assert isinstance(picture, Picture)
    assert norm.two_numbers().picture(first=0, second=0).png


def test_weights_are_told_in_words():
    alt = norm.plot_weights({"a": np.array([0.5, 1.0, 1.5]), "b": np.array([2.0, 2.0, 4.0])}).alt
    assert "from 0.50 to 4.00" in alt
    assert "first norm is 1.00, of the last 2.00" in alt
