"""The siblings of the bundled model: one vocabulary, the induction heads that form, the operations that are equal."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from minillama.checkpoint.bundled import (
    SIBLINGS,
    bundled_log,
    bundled_model,
    bundled_sibling,
    bundled_snapshots,
)
from minillama.checkpoint.loading import load, load_tokenizer
from minillama.config import PRESETS
from minillama.errors import CheckpointError
from minillama.model import Llama, count_parameters
from minillama.train.gates import FIRST_CORPUS_SEED
from minillama.train.head_probes import head_scores, make_head_probes, repetition_gain

MOST_BYTES = 20_000_000  # what all assets together may weigh


def log(name: str) -> list[dict[str, str]]:
    with bundled_log(name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", [*bundled_snapshots().values(), *map(bundled_sibling, SIBLINGS)], ids=lambda p: p.stem)
def test_siblings_have_the_bundled_models_vocabulary(path: Path) -> None:
    mine, theirs = load_tokenizer(path), load_tokenizer(bundled_model())
    assert [mine.piece(i) for i in range(2048)] == [theirs.piece(i) for i in range(2048)]


def test_induction_rises_between_two_snapshots() -> None:
    snapshots = bundled_snapshots()
    assert 4 <= len(snapshots) <= 6
    assert list(snapshots) == sorted(snapshots)
    induction, gain = [], []
    for path in snapshots.values():
        model, tokenizer = load(path, quant="none", dtype="float32")
        assert isinstance(model, Llama)
        assert count_parameters(model.config) == count_parameters(PRESETS["tiny-1m"])
        probes = make_head_probes(model, tokenizer, 0, FIRST_CORPUS_SEED)
        induction.append(head_scores(model, probes)["induction"].max().item())
        gain.append(repetition_gain(model, probes))
    assert induction[0] < 0.1
    assert induction[-1] > 0.7
    assert max(after - before for before, after in pairwise(induction)) > 0.3
    assert gain[0] < 1 < 5 < gain[-1]


def test_the_log_of_the_snapshots_reaches_the_last_of_them() -> None:
    assert int(log("tiny-1m")[-1]["step"]) + 1 == list(bundled_snapshots())[-1]


def test_siblings_cost_the_same_to_train_and_the_smaller_saw_more() -> None:
    tokens = {name: int(log(name)[-1]["tokens"]) for name in SIBLINGS}
    operations = {name: 6 * count_parameters(PRESETS[name]) * tokens[name] for name in SIBLINGS}
    small, large = SIBLINGS
    assert operations[small] == pytest.approx(operations[large], rel=0.01)
    assert tokens[small] > 3 * tokens[large]
    for name in SIBLINGS:
        model, _ = load(bundled_sibling(name))
        assert count_parameters(model.config) == count_parameters(PRESETS[name])


def test_the_budget_was_one_for_all_sizes_and_the_best_lies_between() -> None:
    with (bundled_model().parent / "tiny-isoflop.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        operations = 6 * count_parameters(PRESETS[row["preset"]]) * int(row["tokens"])
        assert operations == int(row["operations"]) == pytest.approx(3.19e13, rel=0.01)
    losses = [float(row["validation"]) for row in rows]
    assert min(losses) not in (losses[0], losses[-1])
    logged = {name: float(log(name)[-1]["validation"]) for name in SIBLINGS}
    assert logged == {row["preset"]: float(row["validation"]) for row in rows if row["preset"] in SIBLINGS}


def test_another_sibling_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"sibling is 'tiny-9m', expected one of tiny-0\.6m, tiny-2m"):
        bundled_sibling("tiny-9m")


def test_all_assets_together_are_small() -> None:
    assert sum(path.stat().st_size for path in bundled_model().parent.rglob("*")) <= MOST_BYTES
