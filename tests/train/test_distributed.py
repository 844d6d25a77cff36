"""Two processes train as one does: the same losses, and files that either goes on with."""

import csv
import json
import shutil
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

import minillama
from minillama.cli import app
from minillama.config import PRESETS
from minillama.tokenizer.sentencepiece import serialize_vocabulary
from minillama.train.adapters import read_adapter
from minillama.train.data import Batch
from minillama.train.distributed import rows_of, shard_bytes
from minillama.train.pretrain import BUNDLED_RECIPE, pretrain
from minillama.train.runs import CHECKPOINT
from minillama.train.sharing import ALONE
from tests.processes import torchrun
from tests.train.distributed_worker import losses, runs


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The losses of every run by one process and by two, and their folders; each goes on with half of the other's."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    for half, other, lora in (("half", "other", False), ("half_lora", "other_lora", True)):
        losses(one / half, ALONE, lora=lora, stop_after=3)
        shutil.copytree(one / half, two / other)
    run = torchrun(2, "tests.train.distributed_worker", two)
    assert run.returncode == 0, run.stderr
    for half, other in (("half", "other"), ("half_lora", "other_lora")):
        shutil.copytree(two / half, one / other)
        shutil.rmtree(one / half)
    torch.set_num_threads(1)
    return runs(one, ALONE), json.loads((two / "losses.json").read_text()), one, two


@pytest.mark.parametrize("kind", ["full", "recomputed", "staged", "lora", "half", "half of lora"])
def test_two_processes_have_the_losses_of_one(both, kind):
    """With rows of unequal lengths, a micro-batch of one row, weights that learn in some steps only, evaluations."""
    one, two = both[0][kind], both[1][kind]
    assert len(one) == len(two)
    for mine, theirs in zip(one, two, strict=True):
        assert mine[0] == pytest.approx(theirs[0], abs=1e-5)
        assert mine[1] == pytest.approx(theirs[1], abs=1e-5)


@pytest.mark.parametrize(("kind", "whole"), [("gone on", "full"), ("gone on with lora", "lora")])
def test_either_goes_on_with_what_the_other_has_saved(both, kind, whole):
    for found in both[:2]:
        for mine, theirs in zip(found[kind], both[0][whole][3:], strict=True):
            assert mine[0] == pytest.approx(theirs[0], abs=1e-5)


def test_a_checkpoint_of_two_is_that_of_one(both):
    one, two = (torch.load(folder / "full" / CHECKPOINT, weights_only=True) for folder in both[2:])
    assert one["recipe"] == two["recipe"]
    for name, weight in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], weight, rtol=0, atol=2e-5)
    for number, held in one["optimizer"]["state"].items():
        for name, value in held.items():
            torch.testing.assert_close(two["optimizer"]["state"][number][name], value, rtol=1e-3, atol=2e-5)


def log_of(folder):
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_first_process_keeps_the_log(both):
    rows = log_of(both[3] / "full")
    assert [row["step"] for row in rows] == list("012345")
    assert [float(row["loss"]) for row in rows] == [pytest.approx(loss, abs=1e-6) for loss, _ in both[1]["full"][:6]]


def test_the_rows_of_all_processes_are_the_batch():
    batch = Batch(torch.arange(15).view(5, 3), torch.ones(5, 3))
    shares = [rows_of(batch, 3, rank) for rank in range(3)]
    assert sorted(torch.cat([each.tokens for each in shares])[:, 0].tolist()) == [0, 3, 6, 9, 12]
    assert sum(each.total_weight for each in shares) == batch.total_weight
    nothing = rows_of(Batch(batch.tokens[:2]), 3, 2)
    assert nothing.tokens.shape == (1, 3)
    assert nothing.total_weight == 0


def test_state_is_16_bytes_a_parameter_and_fsdp_cuts_all_of_it():
    assert shard_bytes(1001, 1) == shard_bytes(1001, 10, ()) == 16 * 1001
    assert shard_bytes(1001, 10) == 16 * 101
    assert shard_bytes(1001, 10, ("optimizer", "gradients")) == 4 * 1001 + 12 * 101


def test_finetune_under_torchrun_writes_one_adapter(tmp_path):
    """Over a quantized base, which is no parameter, with a step of five records in micro-batches of two."""
    words = ("ball", "cat", "tree", "hat", "sun", "dog")
    records = [{"instruction": f"Say {word}.", "input": "", "output": word * (i + 1)} for i, word in enumerate(words)]
    (tmp_path / "records.json").write_text(json.dumps(records))
    options = [
        "finetune",
        "--data",
        tmp_path / "records.json",
        "--steps",
        "3",
        "--batch-size",
        "5",
        "--micro-batch",
        "2",
    ]
    options += ["--dropout", "0", "--lr", "0.003", "--samples", "0", "--quant", "q8_0", "--out"]
    assert CliRunner().invoke(app, [*map(str, options), str(tmp_path / "one")]).exit_code == 0
    run = torchrun(2, "minillama.train", *options, tmp_path / "two")
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{tmp_path / 'two' / 'adapter'}\n"
    one, two = (read_adapter(tmp_path / name / "adapter", PRESETS["tiny"]) for name in ("one", "two"))
    assert one.config == two.config
    for name, halves in one.weights.items():
        torch.testing.assert_close(two.weights[name], halves, rtol=0, atol=2e-4)
    losses_of = [[float(row["loss"]) for row in log_of(tmp_path / name)] for name in ("one", "two")]
    assert losses_of[0] == pytest.approx(losses_of[1], abs=1e-5)


def test_pretrain_under_torchrun_writes_one_model(tmp_path):
    """The whole command, from the stories to the file, by two processes; and the same by one."""
    options = ["pretrain", "--preset", "tiny-0.6m", "--steps", "2", "--batch-size", "4", "--seq-len", "32", "--no-bf16"]
    (tmp_path / "two").mkdir()
    vocabulary = serialize_vocabulary(minillama.load_tokenizer().vocabulary)
    (tmp_path / "two" / "tokenizer.model").write_bytes(vocabulary)  # which would take long to learn
    run = torchrun(2, "minillama.train", *options, "--out", tmp_path / "two")
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{tmp_path / 'two' / 'model.gguf'}\n"
    shutil.copytree(tmp_path / "two", tmp_path / "one", ignore=shutil.ignore_patterns("*.pt", "*.csv", "*.gguf"))
    stage = replace(BUNDLED_RECIPE.stages[-1], share=1.0, seq_len=32, batch_size=4)
    recipe = replace(BUNDLED_RECIPE, n_steps=2, stages=(stage,), bf16=False)
    pretrain(tmp_path / "one", config=PRESETS["tiny-0.6m"], recipe=recipe)
    one, two = (minillama.load(tmp_path / name / "model.gguf")[0] for name in ("one", "two"))
    for name, weight in one.named_parameters():
        torch.testing.assert_close(two.get_parameter(name), weight, rtol=1e-3, atol=2e-3)
