import math

from minillama.quant.kernels.roofline import Roof
from minillama.quant.kernels.rungs import RUNGS, Measurement
from minillama.viz import kernels

ROOF = Roof(gb_per_s=20.0, gops=400.0, threads=2)
SECONDS = {"python": 20.0, "numpy": 0.5, "int8": 0.01, "interleaved": 0.012, "int8_tile": 0.5, "final_tile": 0.04}


def measurements():
    return [
        Measurement(rung=rung, shape=(4096, 11008), n_bytes=25_362_432, threads=1, seconds=SECONDS.get(rung.name))
        for rung in RUNGS
        if rung.name in SECONDS or rung.name == "dot_product"
    ]


def test_the_roof_says_what_binds():
    control = kernels.Roofline(ROOF)
    assert "on the slope" in control.alt
    one, limit = control.bound(1, 4.5)
    assert limit == "memory"
    assert math.isclose(one, 20e9 / (6_607_077_376 * 4.5 / 8))
    many, limit = control.bound(128, 4.5)
    assert limit == "arithmetic"
    assert math.isclose(many, 400e9 / (2 * 6_607_077_376))
    assert control.picture(tokens_at_a_time=128, bits_a_weight=16.0).png
    assert "on the level part" in kernels.Roofline(Roof(gb_per_s=500.0, gops=400.0, threads=2)).alt


def test_bars_name_the_best_and_leave_room_for_what_is_missing():
    picture = kernels.plot_ladder(measurements(), ROOF)
    assert "5 kernels" in picture.alt
    assert "int8 activations, at 13% of the line for memory" in picture.alt
    prefill = kernels.plot_prefill(measurements(), ROOF)
    assert "2 kernels" in prefill.alt
    assert "final kernel, tiles" in prefill.alt


def test_all_rungs_are_under_one_roof():
    assert "6 kernels as dots" in kernels.plot_roofline(ROOF, measurements()).alt


def test_labels_keep_apart_and_in_order():
    heights = [1.0, 1.01, 500.0, 0.9]
    levels = kernels._spread(heights)
    assert sorted(levels) == [levels[i] for i in (3, 0, 1, 2)]
    assert all(
        b / a >= 10 ** (0.99 * kernels.LEAST_APART) for a, b in zip(sorted(levels), sorted(levels)[1:], strict=False)
    )


def test_the_layout_is_described():
    assert "sixteen rows" in kernels.plot_layout().alt
