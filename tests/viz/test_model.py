import numpy as np

from minillama import viz
from minillama.config import PRESETS
from minillama.model import count_parameters
from minillama.viz.model import draw_design, parts_of


def test_the_designers_parts_are_the_models():
    for name, group, words in (("llama-7b", 1, 32_000), ("llama-65b", 1, 32_000), ("mistral-7b", 4, 32_000)):
        config = PRESETS[name]
        parts = parts_of(config.n_layers, config.n_heads, group, words)
        own = 3 * config.n_layers * config.dim * config.hidden_dim
        assert sum(parts.values()) - parts["feed-forward"] + own == count_parameters(config)
    assert sum(parts_of(32, 32, 1, 32_000).values()) == count_parameters(PRESETS["llama-7b"])


def test_the_designer_begins_with_the_7b():
    control = viz.model.designer()
    title = draw_design(**control.values).axes[0].get_title(loc="left")
    assert title.startswith("6.74 billion weights\n13.5 GB at 16 bits")
    for values in ({"layers": 1, "heads": 1, "heads_a_key": 16, "thousand_words": 1}, {"layers": 128, "heads": 128}):
        assert control.picture(**values).png


def test_the_first_wrong_part_stands_in_the_alternative_text():
    names = ["embedding", "first", "second"]
    wrong = dict(zip(names, (0.0, 0.3, 2.0), strict=True))
    picture = viz.model.plot_parity({"a": dict.fromkeys(names, 1e-7), "b": wrong})
    assert "a: only rounding; b: wrong from first on" in picture.alt
    assert "wrong from second on" in viz.model.plot_parity({"c": {"first": 0.0, "second": float("nan")}}).alt


def test_bugs_are_ranked_by_loss():
    picture = viz.model.plot_damage({"x": 2.0, "y": -1e-9}, {"x": 0.3, "y": 4.0}, 0.25)
    assert "least by y (0.00) and most by x (2.00 nats)" in picture.alt
    assert "the strangest text is that of y (4.00), and x has 0.30" in picture.alt


def test_the_road_and_its_loudness_stand_in_the_alternative_text():
    assert "attention and then feed-forward" in viz.model.plot_road().alt
    alt = viz.model.plot_growth(np.array([0.5, 1.0, 3.0]), [0.2, 0.4], [0.6, 2.0]).alt
    assert "from 0.50 before the first block to 3.00" in alt
    assert "addition is 2.00" in alt
