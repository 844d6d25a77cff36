"""Pre-training: AdamW, warm-up and cosine, clipping, checkpoints that a killed run goes on from.

Sources: Touvron et al. 2023, section 2.3; Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization".
"""

import csv
import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from minillama.errors import ConfigError, DataError
from minillama.files import new_file
from minillama.model import Llama
from minillama.train.copying import Copying, copy_rows, let_learn
from minillama.train.data import Batch, Source, Windows
from minillama.train.losses import summed_loss

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a run. Short windows first are cheaper, long ones last teach the later positions.

    Args:
        share: of the steps.
        seq_len, batch_size: T and B.
        repeat_share: see data.repeat_spans.
        copying: rows of random spans that come again and again instead of text, from which attention alone learns
            (copying.py).
        emphasis: how many times each of the emphasized tokens counts (see train).
    """

    share: float
    seq_len: int
    batch_size: int
    repeat_share: float = 0.0
    copying: Copying | None = None
    emphasis: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The recipe of one run.

    Args:
        stages: one after the other; see Stage.
        n_steps: optimizer steps in all.
        peak_lr: learning rate after the warm-up.
        warmup_steps: of linear growth from 0.
        floor: last learning rate as a share of the peak.
        weight_decay, betas, clip: AdamW's decay on matrices, its two averages, the largest gradient norm.
        seed: of the weights and of the order of the data.
        bf16: matrix products in bfloat16 (autocast); weights and optimizer stay float32.
        eval_every, save_every: steps.
    """

    stages: tuple[Stage, ...] = (Stage(share=1.0, seq_len=256, batch_size=8),)
    n_steps: int = 4000
    peak_lr: float = 2e-3
    warmup_steps: int = 200
    floor: float = 0.1
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    seed: int = 0
    bf16: bool = False
    eval_every: int = 250
    save_every: int = 250

    def __post_init__(self) -> None:
        if self.n_steps < 1:
            raise ConfigError(f"n_steps is {self.n_steps}, expected at least 1")
        if not math.isclose(sum(stage.share for stage in self.stages), 1.0):
            raise ConfigError(f"the stages take {sum(stage.share for stage in self.stages)} of the steps, expected 1")

    def stage(self, step: int) -> Stage:
        """The stage that a step belongs to."""
        done = 0.0
        for stage in self.stages:
            done += stage.share
            if step < done * self.n_steps:
                return stage
        return self.stages[-1]

    def tokens_before(self, step: int) -> int:
        """Tokens read by the steps before this one."""
        return sum(self.stage(i).seq_len * self.stage(i).batch_size for i in range(step))


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
            nats, _ = summed_loss(model, batch)
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
    """Mean loss over the batches of the first steps, nats a token."""
    sums = [summed_loss(model, batch) for step in range(n_steps) for batch in source.batches(step)]
    return sum(nats.item() for nats, _ in sums) / sum(weight for _, weight in sums)


def save_checkpoint(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, recipe: dict) -> None:
    """Write weights, optimizer and step so that a crash at any moment leaves the last good file."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "recipe": recipe}
    with new_file(path) as file:
        torch.save(state, file)


def resume(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: dict) -> int:
    """Load what save_checkpoint wrote and return the step to go on with.

    Raises:
        ConfigError: the run was started with another recipe.
    """
    state = torch.load(path, weights_only=True, map_location="cpu")
    if state["recipe"] != recipe:
        differing = sorted(key for key in recipe if state["recipe"].get(key) != recipe[key])
        raise ConfigError(
            f"{path} was trained with other settings ({', '.join(differing)}): use them, or another folder"
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]


def train(
    model: Llama,
    stream: np.ndarray,
    validation: np.ndarray,
    config: TrainConfig,
    out: Path,
    id_range: tuple[int, int] = (0, 0),
    report: Callable[[int, float], None] = lambda step, loss: None,
    stop_after: int | None = None,
    emphasized: Collection[int] = (),
) -> None:
    """Train a model on a token stream; goes on from `out`/checkpoint.pt when that is there.

    Args:
        model: with its first weights, float32.
        stream: (N,) ids to train on.
        validation: (M,) ids that are only read.
        config: the recipe.
        out: folder for checkpoint.pt and log.csv (step, tokens, loss, validation, lr, seconds).
        id_range: ids that may stand in repeated spans.
        report: called with step and loss after every step, when the model has taken it.
        stop_after: steps to stop after, to go on another time; None for the end of the run.
        emphasized: ids that count as often as the stage's emphasis says.
    """
    out.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(decay_groups(model, config.weight_decay), betas=config.betas, fused=True)
    recipe, path = asdict(config), out / "checkpoint.pt"
    start = resume(path, model, optimizer, recipe) if path.exists() else 0
    windows = {
        stage: Windows(stream, stage.seq_len, stage.batch_size, config.seed, stage.repeat_share, id_range)
        for stage in config.stages
        if stage.copying is None
    }
    held_out = Windows(validation, 256, 8, seed=0)
    emphasis = torch.tensor(sorted(emphasized), dtype=torch.int64)
    n_tokens = config.tokens_before(start)
    end = min(config.n_steps, stop_after or config.n_steps)
    with closing(_LogFile(out / "log.csv", start)) as rows:
        for step in range(start, end):
            began = time.perf_counter()
            stage = config.stage(step)
            let_learn(model, attention_only=stage.copying is not None)
            if stage.copying:
                rng = np.random.default_rng((config.seed, step, 2))
                tokens, counted = copy_rows(stage.copying, stage.batch_size, stage.seq_len, id_range, rng)
                batch = Batch(tokens, counted.float())
            else:
                tokens = windows[stage].tokens(step)
                emphatic = stage.emphasis != 1
                batch = Batch(
                    tokens, torch.where(torch.isin(tokens, emphasis), stage.emphasis, 1.0) if emphatic else None
                )
            n_tokens += tokens.shape[0] * (tokens.shape[1] - 1)
            lr = cosine_schedule(step, config.n_steps, config.peak_lr, config.warmup_steps, config.floor)
            loss = train_step(model, optimizer, [batch], lr, config.clip, config.bf16)
            last = step + 1 == end
            held = ""
            if (step + 1) % config.eval_every == 0 or last:
                held = f"{evaluate_loss(model, held_out, 8):.4f}"
                log.info("step %d: loss %.4f, held out %s, %s tokens", step + 1, loss, held, f"{n_tokens:,}")
            rows.write(step, n_tokens, f"{loss:.6f}", held, f"{lr:.3e}", f"{time.perf_counter() - began:.4f}")
            if (step + 1) % config.save_every == 0 or last:
                save_checkpoint(path, model, optimizer, step + 1, recipe)
            report(step, loss)


class _LogFile:
    """log.csv, cut back to the step that a resumed run starts with."""

    header = ("step", "tokens", "loss", "validation", "lr", "seconds")

    def __init__(self, path: Path, start: int) -> None:
        kept = []
        if start and path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in csv.reader(file) if row and row[0].isdigit() and int(row[0]) < start]
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerows([self.header, *kept])

    def write(self, *row: object) -> None:
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
