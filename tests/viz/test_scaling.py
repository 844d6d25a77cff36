"""The numbers of lesson 19's pictures."""

import numpy as np
import pytest

from minillama.config import PRESETS
from minillama.model import count_parameters
from minillama.viz import scaling


def test_fsdp_breaks_even_where_link_and_processor_do_whatever_the_model():
    """6 operations a weight and token against 6 bytes a weight: tokens = operations a second / bytes a second."""
    assert scaling.moving_share(np.array([6000.0]), 25e9)[0] == pytest.approx(1)
    assert scaling.moving_share(np.array([3000.0]), 25e9)[0] == pytest.approx(2)


def test_sums_cost_more_the_more_processes_and_the_narrower_the_model():
    """By hand for two processes: 2 D numbers of 2 bytes, and 12 D^2 weights of which each has half."""
    D, link = 8192, 25e9
    by_hand = (2 * D * 2 / link) / (12 * D * D / scaling.OPERATIONS_A_SECOND)
    assert scaling.summing_share(D, np.array([2]), link)[0] == pytest.approx(by_hand)
    assert (np.diff(scaling.summing_share(D, np.array([2, 4, 8, 16]), link)) > 0).all()
    assert scaling.summing_share(D, np.array([1]), link)[0] == 0


def test_holders_add_up_and_the_text_says_what_the_bars_do():
    count = count_parameters(PRESETS["llama-65b"])
    for ways in scaling.WAYS.values():
        parts = [scaling._held(count, 64, ways, kind) for kind, _ in scaling.STATE_BYTES]
        assert sum(parts) == scaling.shard_bytes(count, 64, ways)
    control = scaling.holders()
    assert "1,045" in control.alt
    assert "16.3" in control.alt
    assert control.picture(model=1, processes=1).png.startswith(b"\x89PNG")


def test_trainings_that_differ_are_told_apart():
    picture = scaling.plot_two_trainings({"one": [7.0, 6.0], "two": [7.0, 6.000001], "hers": [7.0, 6.5]})
    assert "two is at most 1e-06 away" in picture.alt
    assert "hers is at most 5e-01 away" in picture.alt
    assert scaling.plot_split_block().alt
    assert "6,000" in scaling.plot_moving().alt
