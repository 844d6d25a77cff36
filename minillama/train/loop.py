"""The training loop: AdamW, warm-up and cosine, clipping, checkpoints that a killed run goes on from.

One loop serves pre-training and fine-tuning: what learns is what requires a gradient.

Sources: Touvron et al. 2023, section 2.3; Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization".
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from minillama.errors import DataError
from minillama.train.data import Batch, Source
from minillama.train.losses import by_pieces, training_loss
from minillama.train.machine import evaluating, hold_threads, pinned, recomputing, seed_step, usable_bf16
from minillama.train.recipe import TrainConfig
from minillama.train.runs import (
    CHECKPOINT,
    Position,
    Progress,
    RunLog,
    learning,
    load_checkpoint,
    remove_partial,
    save_checkpoint,
)


def cosine_schedule(step: int, n_steps: int, peak_lr: float, warmup_steps: int, floor: float = 0.1) -> float:
    """The learning rate of a step: linear warm-up, then half a cosine down to `floor` times the peak.

    >>> cosine_schedule(99, 1000, 1e-3, 100)
    0.001
    >>> round(cosine_schedule(999, 1000, 1e-3, 100), 6)
    0.0001
    """
    if step < warmup_steps:
        return peak_lr * (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, n_steps - 1 - warmup_steps))
    return peak_lr * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)


def learning_rate(config: TrainConfig, step: int) -> float:
    """The learning rate of a step: after the warm-up it falls by half a cosine, falls along a line to 0, or stays.

    >>> learning_rate(TrainConfig(n_steps=10, peak_lr=0.1, warmup_steps=0, schedule="linear"), 4)
    0.06
    """
    if config.schedule == "cosine":
        return cosine_schedule(step, config.n_steps, config.peak_lr, config.warmup_steps, config.floor)
    if step < config.warmup_steps:
        return config.peak_lr * (step + 1) / config.warmup_steps
    left = (config.n_steps - step) / max(1, config.n_steps - config.warmup_steps)
    return config.peak_lr * (left if config.schedule == "linear" else 1.0)


def decay_groups(model: nn.Module, weight_decay: float = 0.1) -> list[dict]:
    """AdamW's parameter groups: matrices decay; norms do not, nor do embeddings, which decay would make too small.

    Source: OLMo Team 2024, "2 OLMo 2 Furious", which leaves embeddings out of the decay as well.
    """
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_matrix = parameter.dim() >= 2 and "tok_embeddings" not in name
            (decayed if is_matrix else kept).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    lr: float,
    clip: float = 1.0,
    bf16: bool = False,
    total: float | None = None,
) -> float:
    """One step of the optimizer on the mean loss of all tokens of some micro-batches.

    Args:
        model: called with (B, T) ids, gives (B, T, V) logits.
        optimizer: over the model's parameters.
        batches: as many as fit into the memory one after the other, on the model's device.
        lr: learning rate of this step.
        clip: gradients are scaled down to this norm if theirs is larger.
        bf16: matrix products in bfloat16.
        total: what the sum of the losses is divided by; None for the weight of these batches.

    Returns:
        The loss before the step, nats a token.

    Raises:
        DataError: the loss is not a finite number, or no token counts.
    """
    total = sum(batch.total_weight for batch in batches) if total is None else total
    if not total:
        raise DataError("no token of the step counts: leave such samples out")
    optimizer.zero_grad(set_to_none=True)
    losses = []
    for batch in batches:
        with torch.autocast(batch.tokens.device.type, torch.bfloat16, enabled=bf16):
            nats, _ = training_loss(model, batch)
        loss = nats / total
        loss.backward()  # adds to the gradients of the batches before
        losses.append(loss.detach())
    mean = torch.stack(losses).sum().item()
    if not math.isfinite(mean):
        raise DataError(f"the loss is {mean}: lower the learning rate, or look for faulty data")
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    return mean


@torch.no_grad()
def evaluate_loss(model: nn.Module, source: Source, n_steps: int) -> float:
    """Mean loss over the batches of the first steps, nats a token, without dropout."""
    device = device_of(model)
    with evaluating(model):
        sums = [training_loss(model, batch.to(device)) for step in range(n_steps) for batch in source.batches(step)]
    return sum(nats.item() for nats, _ in sums) / sum(weight for _, weight in sums)


def device_of(model: nn.Module) -> torch.device:
    """Where a model's batches belong."""
    return next(model.parameters()).device


@dataclass(frozen=True, kw_only=True)
class TrainPieces:
    """What the loop is made of; each can be replaced by one of the same signature."""

    decay_groups: Callable[..., list[dict]] = decay_groups
    learning_rate: Callable[[TrainConfig, int], float] = learning_rate
    train_step: Callable[..., float] = train_step
    save_checkpoint: Callable[..., None] = save_checkpoint
    load_checkpoint: Callable[..., Position] = load_checkpoint


def train(
    model: nn.Module,
    source: Source,
    config: TrainConfig,
    out: Path,
    *,
    before_step: Callable[[int], None] = lambda step: None,
    look: Callable[[], tuple[float | None, str]] = lambda: (None, ""),
    report: Callable[[Progress], None] = lambda progress: None,
    stop_after: int | None = None,
    about: Mapping[str, Any] = {},
    pieces: TrainPieces = TrainPieces(),
) -> None:
    """Train a model; goes on from `out`/checkpoint.pt when that is there, with the same losses as if never stopped.

    Args:
        model: with its first weights; what requires a gradient learns.
        source: what it is trained on.
        config: the recipe.
        out: folder for checkpoint.pt, log.csv (step, tokens, loss, validation, lr, seconds) and samples.csv.
        before_step: called with the number of the step that comes.
        look: called every `eval_every` steps and at the end; gives the loss on held-out data, and text that the
            model has written.
        report: called after every step, before its checkpoint: what it writes is not missed by a run that is killed.
        stop_after: steps to stop after, to go on another time; None for the end of the run.
        about: whatever else must be the same to go on, of plain types: the data, for one.
        pieces: what the loop is made of.

    Raises:
        ConfigError, CheckpointError: the folder holds a run with other settings, or a damaged one.
        DataError: the loss is not a finite number.
    """
    out.mkdir(parents=True, exist_ok=True)
    remove_partial(out)
    path, device, weights, recipe = out / CHECKPOINT, device_of(model), learning(model), {**asdict(config), **about}
    optimizer = torch.optim.AdamW(pieces.decay_groups(model, config.weight_decay), betas=config.betas, fused=True)
    position = pieces.load_checkpoint(path, weights, optimizer, recipe) if path.exists() else Position()
    n_tokens, bf16 = position.n_tokens, usable_bf16(config.bf16, device)
    end = min(config.n_steps, stop_after or config.n_steps)
    model.train()
    with (
        closing(RunLog(out, position.step)) as rows,
        pinned(position.threads, device) as threads,
        recomputing(model, config.recompute),
        by_pieces(config.by_pieces),
    ):
        for step in range(position.step, end):
            began = time.perf_counter()
            hold_threads(threads)
            seed_step(config.seed, step)
            before_step(step)
            batches = [batch.to(device) for batch in source.batches(step)]
            lr = pieces.learning_rate(config, step)
            loss = pieces.train_step(model, optimizer, batches, lr, config.clip, bf16)
            n_tokens += sum(batch.tokens[:, 1:].numel() for batch in batches)
            done = step + 1
            held, text = look() if done % config.eval_every == 0 or done == config.n_steps else (None, "")
            progress = Progress(
                step=done, n_steps=config.n_steps, loss=loss, lr=lr, n_tokens=n_tokens,
                seconds=time.perf_counter() - began, validation=held, sample=text,
            )  # fmt: skip
            rows.write(progress)
            report(progress)
            if done % config.save_every == 0 or done == end:
                reached = Position(step=done, n_tokens=n_tokens, threads=threads)
                pieces.save_checkpoint(path, weights, optimizer, reached, recipe)
