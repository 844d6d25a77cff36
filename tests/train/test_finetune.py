import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import minillama
from minillama.checkpoint.bundled import bundled_model
from minillama.checkpoint.opening import open_checkpoint
from minillama.errors import CheckpointError, ConfigError
from minillama.model import Llama, Pieces
from minillama.tokenizer import Tokenizer
from minillama.train.adapters import attach, read_adapter
from minillama.train.data import Batch
from minillama.train.finetune import Example, finetune, trained_on, write_merged
from minillama.train.lora import LoRAConfig
from minillama.train.recipe import TrainConfig
from minillama.train.runs import Progress

PROMPT, ANSWER = "What does the cat say?", " The cat says moo."
RECIPE = TrainConfig(n_steps=8, peak_lr=1e-2, warmup_steps=1, weight_decay=0.0, save_every=2, eval_every=4)
LORA = LoRAConfig(rank=2, dropout=0.1, targets=("wq", "wk", "wv", "w2"))
TOKENS = torch.arange(40)[None] + 300


def model_and_words(quant: str | None = None) -> tuple[Llama, Tokenizer]:
    model, tokenizer = minillama.load(quant=quant, pieces=Pieces())
    assert isinstance(model, Llama)
    return model, tokenizer


class Lesson:
    """One wrong answer, again and again, beside a shorter row."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        prompt, answer = tokenizer.encode(PROMPT), tokenizer.encode(ANSWER, bos=False, eos=True)
        self.tokens = torch.tensor([prompt + answer])
        self.weights = torch.tensor([[0.0] * len(prompt) + [1.0] * len(answer)])

    def batches(self, step: int) -> list[Batch]:
        return [Batch(self.tokens, self.weights), Batch(self.tokens[:, :-2], self.weights[:, :-2])]


def logged(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open() as file:
        return [row[:5] for row in csv.reader(file)]


@torch.no_grad()
def logits(model: Llama) -> torch.Tensor:
    return model.eval()(TOKENS)


def test_an_adapter_learns_and_is_the_model_that_was_trained(tmp_path: Path) -> None:
    model, tokenizer = model_and_words()
    source, reports = Lesson(tokenizer), list[Progress]()
    frozen = {name: parameter.clone() for name, parameter in model.named_parameters()}
    example = Example(prompt=PROMPT, wanted=ANSWER)
    recipe = replace(RECIPE, n_steps=30)
    folder = finetune(
        model, tokenizer, source, recipe, tmp_path, lora=LORA, base="tiny", validation=source, examples=[example],
        report=reports.append,
    )  # fmt: skip
    assert reports[-1].loss < 0.1 < 2 < reports[0].loss
    assert reports[-1].validation is not None
    (row,) = json.loads((tmp_path / "examples.json").read_text())
    assert row["before"].strip() != row["after"].strip() == row["wanted"].strip() == ANSWER.strip()
    kept = dict(model.named_parameters())
    assert all(torch.equal(kept[name], weight) for name, weight in frozen.items() if name in kept)
    again, _ = model_and_words()
    adapter = read_adapter(folder, again.config)
    assert adapter.base == "tiny"
    attach(again, adapter)
    assert torch.equal(logits(again), logits(model))


@pytest.mark.parametrize("quant", [None, "q4_0"])
def test_a_killed_run_goes_on_exactly(tmp_path: Path, quant: str | None) -> None:
    def run(name: str, kill_at: int = 0) -> Path:
        def report(progress: Progress) -> None:
            if progress.step == kill_at:
                raise KeyboardInterrupt

        model, tokenizer = model_and_words(quant)
        return finetune(model, tokenizer, Lesson(tokenizer), RECIPE, tmp_path / name, lora=LORA, report=report)

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("killed", 5)
    killed = run("killed")
    assert logged(tmp_path / "killed") == logged(tmp_path / "whole")
    for file in whole.iterdir():
        assert (killed / file.name).read_bytes() == file.read_bytes()


def test_another_adapter_does_not_go_on(tmp_path: Path) -> None:
    model, tokenizer = model_and_words()
    finetune(model, tokenizer, Lesson(tokenizer), replace(RECIPE, n_steps=1), tmp_path, lora=LORA)
    model, _ = model_and_words()
    with pytest.raises(ConfigError, match=r"other settings \(lora\)"):
        finetune(
            model, tokenizer, Lesson(tokenizer), replace(RECIPE, n_steps=1), tmp_path, lora=replace(LORA, alpha=3.0)
        )


def test_all_weights_learn_and_become_a_file(tmp_path: Path) -> None:
    model, tokenizer = model_and_words()
    before = logits(model)
    recipe = replace(RECIPE, peak_lr=1e-3)
    path = finetune(model, tokenizer, Lesson(tokenizer), recipe, tmp_path, lora=None)
    assert not torch.allclose(logits(model), before, atol=0.1)
    again, _ = minillama.load(path, pieces=Pieces())
    torch.testing.assert_close(logits(again), logits(model), atol=0.02, rtol=0.01)  # its weights are f16
    assert torch.equal(logits(model_and_words()[0]), before)


def test_quantized_weights_cannot_all_learn(tmp_path: Path) -> None:
    model, tokenizer = model_and_words("q4_0")
    with pytest.raises(ConfigError, match=r"tok_embeddings is no float32 matrix.*train adapters"):
        finetune(model, tokenizer, Lesson(tokenizer), RECIPE, tmp_path, lora=None)


@pytest.mark.parametrize("name", ["merged.gguf", "merged"])
@pytest.mark.parametrize("quant", [None, "q4_0"])
def test_a_merged_model_is_the_one_that_was_trained(tmp_path: Path, name: str, quant: str | None) -> None:
    model, tokenizer = model_and_words(quant)
    folder = finetune(model, tokenizer, Lesson(tokenizer), RECIPE, tmp_path / "run", lora=LORA)
    checkpoint = trained_on(open_checkpoint(bundled_model()), quant)
    write_merged(checkpoint, read_adapter(folder, model.config), tmp_path / name)
    merged, _ = minillama.load(tmp_path / name, pieces=Pieces())
    torch.testing.assert_close(logits(merged), logits(model), atol=0.02, rtol=0.01)  # its weights are f16
    plain, _ = model_and_words(quant)
    assert not torch.allclose(logits(plain), logits(model), atol=0.1)


def test_a_merged_model_does_not_replace_another(tmp_path: Path) -> None:
    model, tokenizer = model_and_words()
    folder = finetune(model, tokenizer, Lesson(tokenizer), replace(RECIPE, n_steps=1), tmp_path / "run", lora=LORA)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "config.json").write_text("{}")
    checkpoint = open_checkpoint(bundled_model())
    with pytest.raises(CheckpointError, match="exists and is not empty"):
        write_merged(checkpoint, read_adapter(folder, model.config), tmp_path / "there")
