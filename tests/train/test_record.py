"""The bundled model's training, against the losses that were written down when it was trained."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from minillama.checkpoint.bundled import bundled_log
from minillama.config import PRESETS
from minillama.model import Llama
from minillama.tokenizer.bpe import FIRST_PIECES
from minillama.train.copying import set_weights_to_copy
from minillama.train.loop import train
from minillama.train.pretrain import BUNDLED_RECIPE
from minillama.train.stages import StagedText

STEPS = 20


@pytest.fixture(scope="module")
def record() -> list[dict[str, str]]:
    with bundled_log("tiny").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_record_is_of_the_whole_recipe(record: list[dict[str, str]]) -> None:
    steps = [int(row["step"]) for row in record]
    assert steps[:200] == list(range(200))
    assert steps[-1] == BUNDLED_RECIPE.n_steps - 1
    assert int(record[-1]["tokens"]) == BUNDLED_RECIPE.tokens_before(BUNDLED_RECIPE.n_steps)


def test_training_again_gives_the_recorded_losses(record: list[dict[str, str]], tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        config, losses = PRESETS["tiny"], list[float]()
        model = Llama(config)
        set_weights_to_copy(model, BUNDLED_RECIPE.seed)
        unread = np.zeros(5000, np.uint16)  # the first steps read random spans alone
        source = StagedText(unread, BUNDLED_RECIPE, (FIRST_PIECES, config.vocab_size))
        train(
            model, source, BUNDLED_RECIPE, tmp_path, report=lambda progress: losses.append(progress.loss),
            before_step=lambda step: source.choose_learning(model, step), stop_after=STEPS,
        )  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    recorded = [float(row["loss"]) for row in record[:STEPS]]
    assert losses == pytest.approx(recorded, abs=0.02)  # another processor multiplies bfloat16 in another order
    if torch.cpu._is_amx_tile_supported():
        assert [f"{loss:.6f}" for loss in losses] == [row["loss"] for row in record[:STEPS]]
