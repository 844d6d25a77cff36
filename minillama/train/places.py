"""Adapters of about equal size beside different matrices: where do they learn most?

`python -m minillama.train.places` trains every one with every seed, and writes the losses that lesson 14 shows.
"""

import json
import sys
from collections.abc import Callable
from functools import cache
from importlib import resources
from itertools import islice
from pathlib import Path

import torch

from minillama.checkpoint import load_tokenizer
from minillama.checkpoint.bundled import bundled_model
from minillama.errors import ConfigError
from minillama.files import new_file
from minillama.train.alpaca import SampleBatches, encode_samples
from minillama.train.instructions.generate import tasks
from minillama.train.instructions.teach import load_base
from minillama.train.loop import cosine_schedule, evaluate_loss, train_step
from minillama.train.lora import TARGETS, LoRAConfig, add_lora, trainable_parameters
from minillama.train.records import Record

KINDS = ("first", "last", "how_many", "opposite", "past", "negation", "who_gave", "where")  # of instructions
PLACES: dict[str, LoRAConfig] = {  # 86,016 numbers in each, but for the last: a tenth less
    name: LoRAConfig(rank=rank, alpha=float(rank), targets=targets)
    for name, rank, targets in (
        ("wq", 42, ("wq",)),
        ("wv", 56, ("wv",)),
        ("wq, wv", 24, ("wq", "wv")),
        ("attention", 12, ("wq", "wk", "wv", "wo")),
        ("feed-forward", 7, ("w1", "w2", "w3")),
        ("everything", 4, TARGETS),
    )
}
SEEDS = (0, 1, 2)
N_STEPS, WARMUP_STEPS, PEAK_LR = 50, 5, 5e-3
BATCH_SIZE, HELD_OUT = 8, 64
STORED = "adapter_places.json"


@cache
def instruction_batches(split: str, count: int, batch_size: int = BATCH_SIZE, seed: int = 0) -> SampleBatches:
    """The first tasks of KINDS in one split, the kinds in turn, of which only the answers count.

    Args:
        split: "train" or "held_out".
        count: of the tasks.
        batch_size: tasks a step.
        seed: of the tasks and their order.
    """
    tokenizer = load_tokenizer(bundled_model())
    drawn = islice(tasks(seed, split, KINDS), count)
    records = [Record(**task.record(), number=number) for number, (_, task) in enumerate(drawn, 1)]
    return SampleBatches(encode_samples(records, tokenizer)[0], batch_size, seed=seed)


def train_place(
    place: str, seed: int = 0, n_steps: int = N_STEPS, report: Callable[[int, float], None] = lambda step, loss: None
) -> float:
    """Teach the bundled model some kinds of instructions, in adapters beside some of its matrices.

    Args:
        place: a key of PLACES.
        seed: of the adapters, and of the order of the tasks.
        n_steps: of BATCH_SIZE tasks each.
        report: called with step and training loss after every step.

    Returns:
        The loss on the answers to held-out tasks, nats a token.

    Raises:
        ConfigError: a place that is not in PLACES.
    """
    if place not in PLACES:
        raise ConfigError(f"place is {place!r}, expected one of {', '.join(PLACES)}")
    model, _ = load_base()
    add_lora(model, PLACES[place], seed)
    optimizer = torch.optim.AdamW(trainable_parameters(model), weight_decay=0.0)
    source = instruction_batches("train", N_STEPS * BATCH_SIZE, seed=seed)
    for step in range(n_steps):
        lr = cosine_schedule(step, n_steps, PEAK_LR, WARMUP_STEPS)
        report(step, train_step(model, optimizer, source.batches(step), lr))
    held_out = instruction_batches("held_out", HELD_OUT)
    return evaluate_loss(model, held_out, held_out.steps_per_epoch)


def stored_places() -> dict[str, list[float]]:
    """Place -> loss on held-out answers for each seed, as `python -m minillama.train.places` wrote them."""
    text = resources.files("minillama").joinpath("assets", STORED).read_text(encoding="utf-8")
    found: dict[str, list[float]] = json.loads(text)["losses"]
    return found


def main() -> None:
    """Train in every place with every seed, print the losses, and store them."""
    losses: dict[str, list[float]] = {}
    for place in PLACES:
        losses[place] = [round(train_place(place, seed), 4) for seed in SEEDS]
        sys.stdout.write(f"{place:13} {losses[place]}\n")
        sys.stdout.flush()
    about = {"kinds": KINDS, "steps": N_STEPS, "batch_size": BATCH_SIZE, "peak_lr": PEAK_LR, "losses": losses}
    with new_file(Path(str(resources.files("minillama"))) / "assets" / STORED) as file:
        file.write((json.dumps(about, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
