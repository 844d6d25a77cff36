"""A learner's adapter and merge in fine-tuning: they are used where the model's pieces have them, and are as good."""

import csv
import inspect
from pathlib import Path

import pytest
import torch
from torch import Tensor

from minillama.checkpoint.bundled import bundled_adapter
from minillama.checkpoint.loading import load
from minillama.checkpoint.own_pieces import own_names
from minillama.errors import ConfigError
from minillama.train import lora
from minillama.train.adapters import load_adapted, read_adapter
from minillama.train.data import Windows
from minillama.train.finetune import finetune
from minillama.train.lora import TARGETS, LoRAConfig, lora_layers
from minillama.train.recipe import TrainConfig

IMPORTS = "import math\nimport torch\nfrom torch import Tensor, nn\nfrom minillama.errors import ConfigError\n"
IMPORTS += "from minillama.quant.linear import QuantLinear\nLoRALinear = object\n"
CONFIG = LoRAConfig(rank=3, alpha=5.0, targets=TARGETS, rank_stabilized=True)
RECIPE = TrainConfig(n_steps=3, peak_lr=1e-2, warmup_steps=1, weight_decay=0.0, by_pieces=True)


@pytest.fixture
def pieces(tmp_path: Path) -> Path:
    """A folder with an adapter and a merge that leave their mark."""
    folder = tmp_path / "my_llama" / "lora"
    folder.mkdir(parents=True)
    for name in ("LoRALinear", "merge"):
        source = IMPORTS + inspect.getsource(getattr(lora, name))
        if name == "merge":
            source = source.replace("layer.merged = True", 'layer.merged = True\n        layer.merged_by = "me"')
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return folder.parent


@pytest.fixture
def source() -> Windows:
    stream = torch.randint(259, 2048, (400,), generator=torch.Generator().manual_seed(1)).numpy()
    return Windows(stream, 16, 2, seed=0)


def losses_of(folder: Path) -> list[str]:
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        return [row["loss"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("quant", ["none", "q4_0"])
def test_finetuning_trains_the_learners_adapter(quant: str, pieces: Path, source: Windows, tmp_path: Path) -> None:
    adapters = []
    for name, options in (("own", {"pieces": pieces}), ("ours", {"pieces": tmp_path / "none"})):
        (tmp_path / "none").mkdir(exist_ok=True)
        model, tokenizer = load(quant=quant, dtype="float32", **options)
        made = finetune(model, tokenizer, source, RECIPE, tmp_path / name, lora=CONFIG)
        kinds = {type(layer).__module__ for layer in lora_layers(model).values()}
        assert kinds == {"my_llama.lora.LoRALinear" if name == "own" else "minillama.train.lora"}
        adapters.append(read_adapter(made, model.config).weights)
    assert own_names(load(pieces=pieces)[0].pieces) == ["LoRALinear", "merge"]
    assert losses_of(tmp_path / "own") == losses_of(tmp_path / "ours")
    assert len(losses_of(tmp_path / "own")) == 3
    for matrix, halves in adapters[0].items():
        for mine, theirs in zip(halves, adapters[1][matrix], strict=True):
            assert torch.equal(mine, theirs)
            assert mine.any()


def test_an_adapter_is_merged_by_the_learners_piece(pieces: Path, tmp_path: Path) -> None:
    tokens = torch.randint(259, 2048, (2, 12), generator=torch.Generator().manual_seed(2))
    options = {"quant": "none", "dtype": "float32"}

    def logits(**more: object) -> tuple[Tensor, list[object]]:
        model, _ = load_adapted(None, bundled_adapter(), **options, **more)
        marks = [getattr(layer, "merged_by", layer.merged) for layer in lora_layers(model).values()]
        with torch.no_grad():
            return model(tokens), marks

    apart, marks = logits()
    assert marks == [False] * 28
    for more, mark in (({"pieces": pieces}, "me"), ({}, True)):
        merged, marks = logits(merged=True, **more)
        assert marks == [mark] * 28
        torch.testing.assert_close(merged, apart, rtol=0, atol=1e-3)


def test_a_quantized_base_is_not_merged_into() -> None:
    with pytest.raises(ConfigError, match="the base is quantized"):
        load_adapted(None, bundled_adapter(), merged=True, quant="q4_0")
