from minillama.viz import quantization


def test_errors_by_block_size_are_told_for_both_ends():
    picture = quantization.plot_block_sizes({"weights": {8: 0.05, 256: 0.1}, "with an outlier": {8: 0.06, 256: 0.5}})
    assert "from 8 to 256 weights" in picture.alt
    assert "with an outlier from 6.0% to 50.0%" in picture.alt


def test_bits_of_a_format_are_added_up():
    picture = quantization.plot_layout({"q4_0": {"codes": 4, "scales": 0.5}, "q8_0": {"codes": 8, "scales": 0.5}})
    assert "q4_0 4.5, q8_0 8.5" in picture.alt


def test_sizes_name_who_loses_most():
    measured, published = {"q4_0": (4.5, 3.0), "q8_0": (8.5, -0.01)}, {"q4_0": (4.5, 4.2), "q6_k": (6.56, 0.1)}
    alt = quantization.plot_sizes(measured, published).alt
    assert "loses most with q4_0, 3.0%" in alt
    assert "the 7B with q4_0, 4.2%" in alt


def test_costs_name_the_most_and_the_least_expensive():
    alt = quantization.plot_costs({"wq": 0.2, "wv": 1.5, "w1": -0.1}, "percent", "kinds of matrix").alt
    assert "3 kinds of matrix" in alt
    assert "wv costs most with 1.5, w1 least with -0.1" in alt
