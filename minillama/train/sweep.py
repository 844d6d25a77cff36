"""The same short run at several learning rates: too small learns little, too large learns nothing.

`python -m minillama.train.sweep` trains every one, and writes the losses that lesson 09 shows.
"""

import json
import math
import sys
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import torch

from minillama.checkpoint import load_tokenizer
from minillama.checkpoint.bundled import bundled_model
from minillama.config import PRESETS
from minillama.errors import DataError
from minillama.files import new_file
from minillama.model import Llama
from minillama.train.corpus import stories
from minillama.train.data import Windows, encode_documents, take_tokens
from minillama.train.loop import cosine_schedule, decay_groups, evaluate_loss, train_step

PRESET = "tiny-0.6m"
N_STEPS, WARMUP_STEPS = 150, 15
BATCH_SIZE, SEQ_LEN = 4, 128
HELD_OUT_TOKENS, HELD_OUT_BATCHES = 8_000, 12
RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
STORED = "learning_rates.json"


@cache
def story_tokens(split: str, n_tokens: int) -> np.ndarray:
    """The first tokens of one split's stories, the same in every run."""
    return take_tokens(encode_documents(stories(0, split), load_tokenizer(bundled_model())), n_tokens)


def train_at(
    peak_lr: float, n_steps: int = N_STEPS, report: Callable[[int, float], None] = lambda step, loss: None
) -> float:
    """Train the smallest sibling for a moment.

    Args:
        peak_lr: learning rate after the warm-up.
        n_steps: of 512 tokens each.
        report: called with step and training loss after every step.

    Returns:
        The loss on held-out stories, nats a token; infinite where the run broke off.
    """
    model = Llama(PRESETS[PRESET])
    model.init_weights(0)
    optimizer = torch.optim.AdamW(decay_groups(model), betas=(0.9, 0.95), fused=True)
    source = Windows(story_tokens("train", N_STEPS * BATCH_SIZE * SEQ_LEN + 1), SEQ_LEN, BATCH_SIZE, seed=0)
    held_out = Windows(story_tokens("held_out", HELD_OUT_TOKENS), SEQ_LEN, BATCH_SIZE, seed=0)
    try:
        for step in range(n_steps):
            lr = cosine_schedule(step, n_steps, peak_lr, WARMUP_STEPS)
            report(step, train_step(model, optimizer, source.batches(step), lr))
    except DataError:  # the loss is no number any more
        return math.inf
    return evaluate_loss(model, held_out, HELD_OUT_BATCHES)


def stored_sweep() -> dict[float, float]:
    """Learning rate -> loss on held-out stories, as `python -m minillama.train.sweep` wrote them."""
    text = resources.files("minillama").joinpath("assets", STORED).read_text(encoding="utf-8")
    return {float(rate): loss for rate, loss in json.loads(text)["losses"].items()}


def main() -> None:
    """Train at every rate, print the losses, and store them."""
    losses = {}
    for rate in RATES:
        losses[str(rate)] = round(train_at(rate), 4)
        sys.stdout.write(f"{rate:8.0e} {losses[str(rate)]:.4f}\n")
        sys.stdout.flush()
    about = {"preset": PRESET, "steps": N_STEPS, "tokens_a_step": BATCH_SIZE * SEQ_LEN, "losses": losses}
    with new_file(Path(str(resources.files("minillama"))) / "assets" / STORED) as file:
        file.write((json.dumps(about, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
