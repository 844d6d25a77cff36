import csv
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from minillama.config import ModelConfig
from minillama.errors import ConfigError, DataError
from minillama.model import Llama
from minillama.train.data import Batch
from minillama.train.loop import Stage, TrainConfig, cosine_schedule, decay_groups, train, train_step

CONFIG = ModelConfig(
    dim=32, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=48, vocab_size=20, max_seq_len=512, tied=True
)
RECIPE = TrainConfig(
    stages=(Stage(share=0.5, seq_len=16, batch_size=4), Stage(share=0.5, seq_len=32, batch_size=2)),
    n_steps=40, warmup_steps=5, peak_lr=1e-2, eval_every=10, save_every=10,
)  # fmt: skip
STREAM = np.tile(np.arange(20, dtype=np.uint16), 300)  # 0 1 2 ... 19 0 1 2 ...: a child could go on


def fresh() -> Llama:
    model = Llama(CONFIG)
    model.init_weights(0)
    return model


def logged(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open() as file:
        return [row[:5] for row in csv.reader(file)]  # all but the seconds


def test_loss_falls_and_the_model_says_what_it_has_learned(tmp_path: Path) -> None:
    losses: list[float] = []
    model = fresh()
    train(model, STREAM, STREAM, RECIPE, tmp_path, report=lambda step, loss: losses.append(loss))
    assert losses[0] > math.log(20)
    assert losses[-1] < 0.5
    assert [row[0] for row in logged(tmp_path)] == ["step", *map(str, range(40))]
    assert model(torch.arange(3, 12)[None]).argmax(-1)[0, -3:].tolist() == [10, 11, 12]


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, killed = fresh(), fresh()
    train(whole, STREAM, STREAM, RECIPE, tmp_path / "whole")

    def kill(step: int, loss: float) -> None:
        if step == 26:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(killed, STREAM, STREAM, RECIPE, tmp_path / "killed", report=kill)
    resumed = fresh()
    train(resumed, STREAM, STREAM, RECIPE, tmp_path / "killed")
    assert logged(tmp_path / "killed") == logged(tmp_path / "whole")
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_another_recipe_does_not_go_on(tmp_path: Path) -> None:
    train(fresh(), STREAM, STREAM, RECIPE, tmp_path)
    other = TrainConfig(**{**{name: getattr(RECIPE, name) for name in RECIPE.__dataclass_fields__}, "peak_lr": 1e-3})
    with pytest.raises(ConfigError, match="other settings \\(peak_lr\\)"):
        train(fresh(), STREAM, STREAM, other, tmp_path)


def test_schedule() -> None:
    rates = [cosine_schedule(step, 100, 2.0, 10) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert rates[10] == pytest.approx(2.0)
    assert rates[-1] == pytest.approx(0.2)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))


def test_schedule_equals_torch_after_the_warm_up() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=89, eta_min=0.2)
    for step in range(10, 100):
        assert cosine_schedule(step, 100, 2.0, 10) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


def test_matrices_decay_and_norms_and_embeddings_do_not() -> None:
    model = fresh()
    matrices, vectors = decay_groups(model, 0.1)
    assert matrices["weight_decay"] == 0.1
    assert vectors["weight_decay"] == 0.0
    assert {p.dim() for p in matrices["params"]} == {2}
    assert any(parameter is model.tok_embeddings.weight for parameter in vectors["params"])
    assert len(vectors["params"]) == 2 * CONFIG.n_layers + 2
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(model.parameters()))


def test_gradients_are_clipped_and_a_loss_that_is_no_number_stops_the_run() -> None:
    model = fresh()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = [p.detach().clone() for p in model.parameters()]
    train_step(model, optimizer, [Batch(torch.randint(20, (2, 9)))], lr=1.0, clip=1e-3)
    moved = math.sqrt(sum((p - q).pow(2).sum().item() for p, q in zip(model.parameters(), before, strict=True)))
    assert moved == pytest.approx(1e-3, rel=1e-2)
    with torch.no_grad():
        model.norm.weight[0] = math.nan
    with pytest.raises(DataError, match="the loss is nan"):
        train_step(model, optimizer, [Batch(torch.randint(20, (2, 9)))], lr=1.0)


def test_micro_batches_give_the_step_of_one_batch() -> None:
    tokens, weights = torch.randint(20, (6, 9)), torch.rand(6, 9)
    weights[0, 2:] = 0.0  # so that a mean of means would be another loss
    steps = []
    for parts in (Batch(tokens, weights),), [Batch(tokens[i], weights[i]) for i in (slice(1), slice(1, 6))]:
        model = fresh()
        loss = train_step(model, torch.optim.SGD(model.parameters(), lr=1.0), parts, lr=1.0, clip=0.5)
        steps.append((loss, model))
    assert steps[0][0] == pytest.approx(steps[1][0], rel=1e-6)
    for one, many in zip(steps[0][1].parameters(), steps[1][1].parameters(), strict=True):
        torch.testing.assert_close(one, many)


def test_a_step_without_a_token_that_counts_is_refused() -> None:
    model = fresh()
    with pytest.raises(DataError, match="no token of the step counts"):
        train_step(model, torch.optim.SGD(model.parameters()), [Batch(torch.ones(1, 4).long(), torch.zeros(1, 4))], 1.0)


def test_stages_follow_each_other() -> None:
    assert [RECIPE.stage(step).seq_len for step in (0, 19, 20, 39)] == [16, 16, 32, 32]
    assert RECIPE.tokens_before(40) == 40 * 64
    with pytest.raises(ConfigError, match=r"take 0\.7 of the steps"):
        TrainConfig(stages=(Stage(share=0.7, seq_len=16, batch_size=4),))
