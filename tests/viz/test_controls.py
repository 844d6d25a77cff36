"""The controls over quantization, memory and training: what they say is what the package computes."""

import time
from pathlib import Path

import numpy as np
import pytest

from minillama.checkpoint.bundled import bundled_log
from minillama.errors import DataError
from minillama.quant.formats import FORMATS, quantize_q8_0
from minillama.train.runs import Progress
from minillama.viz.figure import Choice, Control
from minillama.viz.memory import calculator, draw_need, need
from minillama.viz.quantization import Rounding, bits_per_weight, round_to_blocks
from minillama.viz.training import LiveCurve, Player, read_log

WEIGHTS = np.random.default_rng(0).normal(size=256)


def ends(control: Control) -> list[dict[str, int]]:
    limits = {
        name: (each.options[0], each.options[-1]) if isinstance(each, Choice) else each
        for name, each in control.sliders.items()
    }
    return [{name: each[end] for name, each in limits.items()} for end in (0, 1)]


def title(figure) -> str:
    return figure.get_suptitle()


def test_eight_bits_in_blocks_of_32_are_ggmls():
    theirs = FORMATS["q8_0"].dequantize(quantize_q8_0(WEIGHTS.astype(np.float32)[None]))[0]
    ours = round_to_blocks(WEIGHTS, 8, 32)
    np.testing.assert_allclose(ours, theirs, atol=np.abs(WEIGHTS).max() * 2e-3)  # their scale is a float16
    assert bits_per_weight(8, 32) == 8.5


def test_a_block_of_zeros_stays_zero():
    assert not round_to_blocks(np.zeros(32), 4, 16).any()


def test_an_outlier_hurts_its_own_block_only():
    control = Rounding(WEIGHTS)
    plain, large = (np.subtract(*control.rounded(4, 32, times)) for times in (1, 20))
    assert np.abs(large[:32]).mean() > 3 * np.abs(plain[:32]).mean()
    np.testing.assert_array_equal(large[32:], plain[32:])


def test_the_title_tells_bits_and_size():
    assert "4.5 bits a weight, a 7B of 3.8 GB" in title(Rounding(WEIGHTS).draw(4, 32, 1))
    assert "2.1 bits" in title(Rounding(WEIGHTS).draw(2, 256, 1))


def test_what_a_7b_needs():
    weights, cache = need("llama-7b", "q4_0", 2048)
    assert weights == pytest.approx(3.8e9, rel=0.02)
    assert cache == 2 * 32 * 2048 * 4096 * 2
    assert "4.9 GB,\na machine of 8 GB" in title(draw_need("llama-7b", "q4_0", 2048, 1))
    assert "more than one machine" in title(draw_need("llama2-70b", "f32", 131072, 64))


def test_the_player_stops_where_the_slider_stands():
    player = Player(read_log(bundled_log("tiny-1m")), {500: "no copies yet", 700: "copies"})
    assert "no copies yet" in title(player.draw(30))
    whole = title(player.draw(100))
    assert whole.startswith("step 1,999: loss 1.34")
    assert whole.endswith("copies")
    assert "learning rate" in whole
    assert "one of" in title(player.draw(1))


def test_a_live_curve_is_drawn_in_one_place(monkeypatch: pytest.MonkeyPatch):
    drawn: list[object] = []

    class Handle:
        update = drawn.append

    monkeypatch.setattr("IPython.display.display", lambda picture, display_id: drawn.append(picture) or Handle)
    curve = LiveCurve(seconds=1000)
    curve._drawn = time.monotonic()
    for step in range(1, 31):
        curve(
            Progress(
                step=step,
                n_steps=30,
                loss=9.0 / step,
                lr=1e-3,
                n_tokens=step,
                seconds=0.1,
                validation=0.5 if step == 20 else None,
                sample="Once there was\na cat" if step == 20 else "",
            )
        )
        if step == 10:
            curve.show()
    assert len(drawn) == 2
    assert "from 9.00 nats a token at step 1 to 0.30 at step 30" in drawn[1].alt
    assert "to 0.90 at step 10" in drawn[0].alt
    assert title(Player(curve.log, curve.moments).draw(100)).endswith("Once there was")


@pytest.mark.parametrize("control", [Rounding(WEIGHTS), calculator(), Player({"step": [0, 1, 2], "loss": [3, 2, 1]})])
def test_every_end_of_every_slider_can_be_drawn(control):
    for values in ends(control):
        assert control.picture(**values).png


def test_named_values_are_moved_by_name():
    ipywidgets = pytest.importorskip("ipywidgets")
    model, _format, tokens, _texts, image, message = calculator().widget(ipywidgets).children
    assert (model.value, tokens.value) == ("llama-7b", 2048)
    before = image.value
    model.value = "llama-65b"
    assert image.value != before
    assert message.value == ""


def test_a_file_that_is_no_log(tmp_path: Path):
    (tmp_path / "log.csv").write_text("time,temperature\n1,2\n")
    with pytest.raises(DataError, match="expected a CSV file with the columns step and loss"):
        read_log(tmp_path / "log.csv")
