import numpy as np
import pytest
import torch

from minillama.feedforward import linear
from minillama.train import ablation


@pytest.fixture
def short(monkeypatch):
    for name, value in (("N_STEPS", 6), ("WARMUP_STEPS", 2), ("EVAL_EVERY", 3), ("EVAL_BATCHES", 1), ("SEQ_LEN", 16)):
        monkeypatch.setattr(ablation, name, value)
    text = np.frombuffer(b"a small dog saw a big dog. " * 200, dtype=np.uint8).astype(np.uint16)
    monkeypatch.setattr(ablation, "story_bytes", lambda split: text)


def test_candidates_have_equally_many_weights():
    counts = [
        sum(p.numel() for p in each.piece(ablation.DIM, each.hidden_dim, linear).parameters())
        for each in ablation.CANDIDATES
    ]
    assert max(counts) == min(counts)


def test_plain_layer_bends_between_its_matrices():
    layer, x = ablation.Plain(4, 6), torch.randn(2, 3, 4)
    torch.testing.assert_close(layer(x), (x @ layer.w1.weight.T).clamp(min=0) @ layer.w2.weight.T)


@pytest.mark.parametrize("candidate", ablation.CANDIDATES, ids=lambda each: each.name)
def test_a_run_depends_on_its_seed_alone(candidate, short):
    one, again, other = (ablation.train_small(candidate.piece, candidate.hidden_dim, seed) for seed in (0, 0, 1))
    assert len(one) == 2
    assert one == again != other
    assert one[-1] < one[0]


def test_stories_are_bytes():
    assert ablation.story_bytes("held_out").max() < ablation.BYTES


def test_stored_runs_hold_three_seeds_of_every_candidate():
    runs = ablation.stored_runs()
    assert list(runs) == [each.name for each in ablation.CANDIDATES]
    for seeds in runs.values():
        assert len(seeds) == 3
        assert all(len(losses) == ablation.N_STEPS // ablation.EVAL_EVERY for losses in seeds)
        assert all(losses[-1] < losses[0] for losses in seeds)
