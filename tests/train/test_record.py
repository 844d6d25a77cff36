"""The bundled model's training, against the losses that were written down when it was trained."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from minillama.checkpoint.bundled import bundled_log, bundled_model
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


@pytest.fixture(scope="module")
def first_losses() -> list[dict[str, str]]:
    with (bundled_model().parent / "minillama-tiny-losses.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bfloat16_products() -> str | None:
    """The column of minillama-tiny-losses.csv whose instructions this processor multiplies bfloat16 with."""
    if torch.cpu._is_amx_tile_supported():
        return "amx"
    return "avx512_bf16" if torch.cpu._is_avx512_bf16_supported() else None


def test_both_records_tell_of_one_training(record: list[dict[str, str]], first_losses: list[dict[str, str]]) -> None:
    assert len(first_losses) == 200
    for long, short in zip(record, first_losses, strict=False):
        assert (long["step"], long["loss"]) == (short["step"], short["amx"])
        assert float(short["avx512_bf16"]) == pytest.approx(float(short["amx"]), abs=0.002)


def test_training_again_gives_the_recorded_losses(
    record: list[dict[str, str]], first_losses: list[dict[str, str]], tmp_path: Path
) -> None:
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
    if (kind := bfloat16_products()) is not None:
        assert [f"{loss:.6f}" for loss in losses] == [row[kind] for row in first_losses[:STEPS]]
