"""What a run is made by: the same recipe, data and machine give the same losses."""

from dataclasses import dataclass
from typing import Literal

from minillama.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The recipe of one run.

    Args:
        n_steps: optimizer steps in all.
        peak_lr: learning rate after the warm-up.
        schedule: what follows the warm-up, see learning_rate.
        warmup_steps: of linear growth from 0.
        floor: last learning rate of the cosine as a share of the peak.
        weight_decay, betas, clip: AdamW's decay on matrices, its two averages, the largest gradient norm.
        seed: of first weights, of the order of the data and of dropout.
        bf16: matrix products in bfloat16 (autocast) where the machine can; weights and optimizer stay as they are.
        recompute: keep less for the backward pass, see machine.recomputing.
        by_pieces: compute the loss by the model's own forward, from all logits; see losses.by_pieces.
        eval_every: steps between two evaluations.
        save_every: steps between two checkpoints.
    """

    n_steps: int = 4000
    peak_lr: float = 2e-3
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_steps: int = 200
    floor: float = 0.1
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    seed: int = 0
    bf16: bool = False
    recompute: bool = False
    by_pieces: bool = False
    eval_every: int = 250
    save_every: int = 250

    def __post_init__(self) -> None:
        for name in ("n_steps", "eval_every", "save_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected at least 1")
        if self.schedule not in ("cosine", "linear", "constant"):
            raise ConfigError(f"schedule is {self.schedule!r}, expected 'cosine', 'linear' or 'constant'")
        if not 0 < self.peak_lr < 1:
            raise ConfigError(f"peak_lr is {self.peak_lr}, expected a share such as 0.002")
