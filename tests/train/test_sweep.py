import math

import numpy as np
import pytest

from minillama.train import sweep


@pytest.fixture
def short(monkeypatch):
    for name, value in (("WARMUP_STEPS", 2), ("SEQ_LEN", 16), ("HELD_OUT_BATCHES", 1)):
        monkeypatch.setattr(sweep, name, value)
    monkeypatch.setattr(sweep, "story_tokens", lambda split, n_tokens: np.arange(n_tokens, dtype=np.uint16) % 40)


def test_a_run_depends_on_its_rate_alone(short):
    losses = [sweep.train_at(rate, 6) for rate in (1e-3, 1e-3, 3e-3)]
    assert losses[0] == losses[1] != losses[2]


def test_a_run_that_breaks_off_is_infinitely_bad(short, monkeypatch):
    def broken(*arguments):
        raise sweep.DataError("the loss is nan")

    monkeypatch.setattr(sweep, "train_step", broken)
    assert sweep.train_at(1e-3, 2) == math.inf


def test_stored_losses_have_a_best_rate_in_the_middle():
    losses = sweep.stored_sweep()
    assert tuple(losses) == sweep.RATES
    best = min(losses, key=losses.get)
    assert min(sweep.RATES) < best < max(sweep.RATES)
