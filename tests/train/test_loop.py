import csv
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import get_linear_schedule_with_warmup

from minillama.config import ModelConfig
from minillama.errors import ConfigError, DataError
from minillama.model import Llama
from minillama.train.data import Batch, Windows
from minillama.train.loop import (
    cosine_schedule,
    decay_groups,
    evaluate_loss,
    learning_rate,
    train,
    train_step,
)
from minillama.train.lora import LoRAConfig, add_lora
from minillama.train.recipe import TrainConfig
from minillama.train.runs import Progress

CONFIG = ModelConfig(
    dim=32, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=48, vocab_size=20, max_seq_len=512, tied=True
)
RECIPE = TrainConfig(n_steps=40, warmup_steps=5, peak_lr=1e-2, eval_every=10, save_every=10)
STREAM = np.tile(np.arange(20, dtype=np.uint16), 300)  # 0 1 2 ... 19 0 1 2 ...: a child could go on
SOURCE = Windows(STREAM, 16, 4, seed=0)


def fresh() -> Llama:
    model = Llama(CONFIG)
    model.init_weights(0)
    return model


def adapted() -> Llama:
    model = fresh()
    add_lora(model, LoRAConfig(rank=2, dropout=0.5))
    return model


def logged(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open() as file:
        return [row[:5] for row in csv.reader(file)]  # all but the seconds


def test_loss_falls_and_the_model_says_what_it_has_learned(tmp_path: Path) -> None:
    reports: list[Progress] = []
    model = fresh()
    train(model, SOURCE, RECIPE, tmp_path, report=reports.append)
    assert reports[0].loss > math.log(20)
    assert reports[-1].loss < 0.5
    assert [each.step for each in reports] == list(range(1, 41))
    assert reports[-1].n_tokens == 40 * 64
    assert [row[0] for row in logged(tmp_path)] == ["step", *map(str, range(40))]
    assert model(torch.arange(3, 12)[None]).argmax(-1)[0, -3:].tolist() == [10, 11, 12]


@pytest.mark.parametrize("start", [fresh, adapted])
@pytest.mark.parametrize("recompute", [False, True])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(
    tmp_path: Path, start: Callable[[], Llama], recompute: bool
) -> None:
    recipe = replace(RECIPE, recompute=recompute)
    whole, killed, resumed = start(), start(), start()
    train(whole, SOURCE, recipe, tmp_path / "whole")

    def kill(progress: Progress) -> None:
        if progress.step == 27:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(killed, SOURCE, recipe, tmp_path / "killed", report=kill)
    torch.manual_seed(5)  # what others draw changes nothing
    train(resumed, SOURCE, recipe, tmp_path / "killed")
    assert logged(tmp_path / "killed") == logged(tmp_path / "whole")
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_threads_stay_those_of_the_start(tmp_path: Path) -> None:
    threads, seen = torch.get_num_threads(), list[int]()

    def disturb(progress: Progress) -> None:
        torch.set_num_threads(threads + 1)  # as Numba's thread pool does

    recipe = replace(RECIPE, n_steps=4, save_every=2)
    train(fresh(), SOURCE, recipe, tmp_path, report=disturb, before_step=lambda _: seen.append(torch.get_num_threads()))
    assert seen == [threads] * 4
    assert torch.get_num_threads() == threads
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["position"]["threads"] == threads


def test_dropout_follows_the_seed_and_leaves_the_callers_numbers_alone(tmp_path: Path) -> None:
    models = [adapted() for _ in range(3)]
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for model, name, seed in zip(models, ("one", "again", "other"), (0, 0, 1), strict=True):
        train(model, SOURCE, replace(RECIPE, n_steps=3, seed=seed), tmp_path / name)
    assert torch.equal(torch.rand(2), expected)
    assert logged(tmp_path / "one") == logged(tmp_path / "again") != logged(tmp_path / "other")


def test_recomputing_gives_the_same_losses(tmp_path: Path) -> None:
    for name, recompute in (("kept", False), ("again", True)):
        train(adapted(), SOURCE, replace(RECIPE, n_steps=5, recompute=recompute), tmp_path / name)
    assert logged(tmp_path / "kept") == logged(tmp_path / "again")


def test_only_what_learns_is_saved_and_changed(tmp_path: Path) -> None:
    model = adapted()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    train(model, SOURCE, replace(RECIPE, n_steps=2), tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["weights"]
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed == saved.keys() == {name for name in before if "lora_" in name}


def test_looks_are_logged_with_what_the_model_wrote(tmp_path: Path) -> None:
    train(fresh(), SOURCE, replace(RECIPE, n_steps=25), tmp_path, look=lambda: (1.25, 'she said "a,b"\nand left'))
    assert [row[0] for row in logged(tmp_path) if row[3] == "1.2500"] == ["9", "19", "24"]
    with (tmp_path / "samples.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [[step, 'she said "a,b"\nand left'] for step in ("9", "19", "24")]


def test_another_recipe_does_not_go_on(tmp_path: Path) -> None:
    train(fresh(), SOURCE, replace(RECIPE, n_steps=1), tmp_path, about={"data": "a"})
    with pytest.raises(ConfigError, match="other settings \\(data, peak_lr\\)"):
        train(fresh(), SOURCE, replace(RECIPE, n_steps=1, peak_lr=1e-3), tmp_path, about={"data": "b"})
    with pytest.raises(ConfigError, match="a model with other weights"):
        train(adapted(), SOURCE, replace(RECIPE, n_steps=1), tmp_path, about={"data": "a"})


def test_held_out_loss_is_over_tokens_and_without_dropout() -> None:
    class Uneven:
        def batches(self, step: int) -> list[Batch]:
            weights = torch.zeros(2, 9)
            weights[:, 3 : 5 + 2 * step] = 1.0
            return Batch(torch.arange(18).reshape(2, 9), weights).split(1)

    model = adapted()
    for _, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.train()
    found = [evaluate_loss(model, Uneven(), 2) for _ in range(2)]
    assert model.training
    model.eval()
    tokens = torch.arange(18).reshape(2, 9)
    log_p = model(tokens[:, :-1]).log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]
    expected = -(log_p[:, 2:4].sum() + log_p[:, 2:6].sum()) / 12
    assert found == pytest.approx([expected.item()] * 2, rel=1e-5)


def test_schedules_after_the_warm_up() -> None:
    for schedule, last in (("cosine", 0.2), ("linear", 2.0 / 90), ("constant", 2.0)):
        config = TrainConfig(n_steps=100, peak_lr=0.2, warmup_steps=10, schedule=schedule)
        rates = [10 * learning_rate(config, step) for step in range(100)]
        assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
        assert rates[10] == pytest.approx(2.0)
        assert rates[-1] == pytest.approx(last)


def test_linear_schedule_equals_that_of_transformers() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
    theirs = get_linear_schedule_with_warmup(optimizer, 10, 100)
    config = TrainConfig(n_steps=100, peak_lr=0.2, warmup_steps=10, schedule="linear")
    for step in range(10, 100):
        optimizer.step()
        theirs.step() if step > 10 else [theirs.step() for _ in range(10)]
        assert learning_rate(config, step) == pytest.approx(theirs.get_last_lr()[0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_steps": 0}, "n_steps is 0, expected at least 1"),
        ({"schedule": "step"}, "schedule is 'step', expected"),
        ({"peak_lr": 3.0}, "peak_lr is 3.0, expected a share"),
    ],
)
def test_a_recipe_out_of_range_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**wrong)


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
