"""Pre-training in stages: what each reads, and which weights learn meanwhile."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch

from minillama.errors import ConfigError
from minillama.model import Llama
from minillama.train.copying import Copying, copy_rows, let_learn
from minillama.train.data import Batch, Windows
from minillama.train.recipe import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a run. Short windows first are cheaper, long ones last teach the later positions.

    Args:
        share: of the steps.
        seq_len, batch_size: T and B.
        repeat_share: see data.repeat_spans.
        copying: rows of random spans that come again and again instead of text, from which attention alone learns
            (copying.py).
        emphasis: how many times each of the emphasized tokens counts (see StagedText).
    """

    share: float
    seq_len: int
    batch_size: int
    repeat_share: float = 0.0
    copying: Copying | None = None
    emphasis: float = 1.0


@dataclass(frozen=True, kw_only=True)
class StagedConfig(TrainConfig):
    """The recipe of a run in stages.

    Args:
        stages: one after the other; see Stage.
    """

    stages: tuple[Stage, ...] = (Stage(share=1.0, seq_len=256, batch_size=8),)

    def __post_init__(self) -> None:
        super().__post_init__()
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


class StagedText:
    """A source that gives each step the rows of its stage.

    Args:
        stream: (N,) ids to train on.
        config: the recipe.
        id_range: ids that may stand in repeated spans, first and one past the last.
        emphasized: ids that count as often as the stage's emphasis says.
        micro_batch: rows of a micro-batch at most; None for all rows of a step at once.
    """

    def __init__(
        self,
        stream: np.ndarray,
        config: StagedConfig,
        id_range: tuple[int, int] = (0, 0),
        emphasized: Collection[int] = (),
        micro_batch: int | None = None,
    ) -> None:
        self.config, self.id_range, self.micro_batch = config, id_range, micro_batch
        self.emphasized = torch.tensor(sorted(emphasized), dtype=torch.int64)
        self.windows = {
            stage: Windows(stream, stage.seq_len, stage.batch_size, config.seed, stage.repeat_share, id_range)
            for stage in config.stages
            if stage.copying is None
        }

    def batches(self, step: int) -> list[Batch]:
        """The rows of one step."""
        stage = self.config.stage(step)
        if stage.copying:
            rng = np.random.default_rng((self.config.seed, step, 2))
            tokens, counted = copy_rows(stage.copying, stage.batch_size, stage.seq_len, self.id_range, rng)
            return Batch(tokens, counted.float()).split(self.micro_batch)
        tokens = self.windows[stage].tokens(step)
        if stage.emphasis == 1:
            return Batch(tokens).split(self.micro_batch)
        weights = torch.where(torch.isin(tokens, self.emphasized), stage.emphasis, 1.0)
        return Batch(tokens, weights).split(self.micro_batch)

    def choose_learning(self, model: Llama, step: int) -> None:
        """Let the weights learn that learn in this step."""
        let_learn(model, attention_only=self.config.stage(step).copying is not None)
