"""The bundled instruction adapter's recipe: the bundled model learns every trained kind of task at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from minillama.checkpoint import load
from minillama.checkpoint.bundled import bundled_model
from minillama.model import Llama, Pieces
from minillama.tokenizer import Tokenizer
from minillama.train.adapters import Adapter, read_adapter, save_adapter
from minillama.train.alpaca import SampleBatches, encode_samples
from minillama.train.finetune import finetune
from minillama.train.instructions.generate import TRAINED, tasks
from minillama.train.lora import TARGETS, LoRAConfig
from minillama.train.recipe import TrainConfig
from minillama.train.records import Record
from minillama.train.runs import Progress

BATCH_SIZE = 32
VALIDATION_TASKS = 10 * len(TRAINED)
LORA = LoRAConfig(rank=48, alpha=48.0, targets=TARGETS)
RECIPE = TrainConfig(
    n_steps=1200,
    peak_lr=3e-3,
    warmup_steps=30,
    floor=0.02,
    weight_decay=0.0,
    bf16=True,
    eval_every=200,
    save_every=100,
)


def load_base() -> tuple[Llama, Tokenizer]:
    """The bundled model as the adapter is trained on it and measured with it: the torch model in float32."""
    model, tokenizer = load(bundled_model(), quant="none", dtype="float32", pieces=Pieces())
    assert isinstance(model, Llama)
    return model, tokenizer


def batches_of(split: str, count: int, tokenizer: Tokenizer, seed: int) -> SampleBatches:
    """The first tasks of a split, the kinds in turn, in batches."""
    records = [
        Record(**each.record(), number=i) for i, (_, each) in enumerate(islice(tasks(seed, split), count), start=1)
    ]
    samples, _ = encode_samples(records, tokenizer)
    return SampleBatches(samples, BATCH_SIZE, seed=seed)


def halved(adapter: Adapter) -> Adapter:
    """An adapter in float16, which is half of the file and changes no answer that was ever seen to change."""
    weights = {name: (a.half(), b.half()) for name, (a, b) in adapter.weights.items()}
    return dataclasses.replace(adapter, weights=weights)


def teach(
    out: Path,
    recipe: TrainConfig = RECIPE,
    report: Callable[[Progress], None] = lambda progress: None,
    stop_after: int | None = None,
) -> Path:
    """Train the adapter; goes on where a run in the folder stopped.

    Every task is seen once: there are as many as the steps take.

    Args:
        out: folder of the run, see finetune.
        recipe: how long and how; its seed is that of the tasks too.
        report, stop_after: see loop.train.

    Returns:
        The folder of the adapter in float16.
    """
    model, tokenizer = load_base()
    source = batches_of("train", recipe.n_steps * BATCH_SIZE, tokenizer, recipe.seed)
    held_out = batches_of("held_out", VALIDATION_TASKS, tokenizer, recipe.seed)
    folder = finetune(
        model, tokenizer, source, recipe, out, lora=LORA, base=bundled_model().name, validation=held_out,
        validation_steps=held_out.steps_per_epoch, report=report, stop_after=stop_after,
        about={"tasks": "instructions", "batch_size": BATCH_SIZE},
    )  # fmt: skip
    half = out / "adapter-f16"
    save_adapter(halved(read_adapter(folder, model.config)), model.config, half, overwrite=True)
    return half
