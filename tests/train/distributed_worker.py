"""Trainings that one process and several have to do alike; under torchrun, one of the several.

python -m torch.distributed.run ... -m tests.train.distributed_worker OUT
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from minillama.config import ModelConfig
from minillama.model import Llama
from minillama.train.copying import let_learn
from minillama.train.data import Batch
from minillama.train.distributed import together
from minillama.train.loop import evaluate_loss, train
from minillama.train.lora import LoRAConfig, add_lora
from minillama.train.recipe import TrainConfig

CONFIG = ModelConfig(
    dim=30, n_layers=2, n_heads=5, n_kv_heads=1, hidden_dim=45, vocab_size=61, max_seq_len=64, tied=True
)
RECIPE = TrainConfig(n_steps=6, warmup_steps=2, peak_lr=1e-2, eval_every=2, save_every=3)


class Ragged:
    """Two micro-batches a step: three rows of unequal lengths, and a single one."""

    def batches(self, step):
        rng = np.random.default_rng(step)
        tokens = torch.from_numpy(rng.integers(0, 61, (4, 25)) % (5 + step))
        weights = (torch.arange(25) < torch.tensor([[25], [4], [9], [17]])).float() * 1.5
        return [Batch(tokens[:3], weights[:3]), Batch(tokens[3:], None)]


def fresh(lora=False):
    model = Llama(CONFIG)
    model.init_weights(3)
    if lora:
        add_lora(model, LoRAConfig(rank=3, targets=("wq", "wv", "w2")))
        torch.manual_seed(0)
        for name, parameter in model.named_parameters():
            if name.endswith("lora_b"):
                torch.nn.init.normal_(parameter, std=0.1)
    return model


def losses(out, processes, *, lora=False, stop_after=None, staged=False, recompute=False):
    """The losses of one run, and those on held-out data between them."""
    model, found = fresh(lora), []
    processes.share(model)

    def choose(step):
        if staged:
            let_learn(model, attention_only=step < 2)

    with processes.folder(out) as folder:
        train(
            model, Ragged(), replace(RECIPE, recompute=recompute), folder, stop_after=stop_after, before_step=choose,
            look=lambda: (evaluate_loss(model, Ragged(), 1), ""), pieces=processes.pieces,
            report=lambda progress: found.append((progress.loss, progress.validation)),
        )  # fmt: skip
    if not lora:
        whole = processes.whole(model)
        found.append((evaluate_loss(whole, Ragged(), 2) if processes.first else 0.0, None))
    return found


def runs(out, processes):
    """Every kind of run; those of `half` go on with a checkpoint that lies there already, if any does."""
    return {
        "full": losses(out / "full", processes),
        "recomputed": losses(out / "recomputed", processes, recompute=True),
        "staged": losses(out / "staged", processes, staged=True),
        "lora": losses(out / "lora", processes, lora=True),
        "half": losses(out / "half", processes, stop_after=3),
        "half of lora": losses(out / "half_lora", processes, lora=True, stop_after=3),
        "gone on": losses(out / "other", processes),
        "gone on with lora": losses(out / "other_lora", processes, lora=True),
    }


def main(out):
    with together() as processes:
        found = runs(Path(out), processes)
        if processes.first:
            (Path(out) / "losses.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
