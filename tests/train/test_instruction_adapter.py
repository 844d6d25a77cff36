"""The bundled instruction adapter: small, loaded by name and by PEFT, and as good as its card says."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import minillama
from minillama.checkpoint.bundled import bundled_adapter, bundled_model
from minillama.checkpoint.safetensors_files import open_safetensors
from minillama.generation import generate
from minillama.train.adapters import load_adapted, read_adapter
from minillama.train.alpaca import format_prompt
from minillama.train.instructions import NEVER_TRAINED, TRAINED, teach
from minillama.train.instructions.measure import measure, read_card

MOST_BYTES = 2_500_000
REMEASURED = ("repeat", "what_lost", "second")  # kinds
TOLERANCE = 0.04  # of a share: processors round differently, and a close answer may change


def test_it_is_small_and_is_what_the_recipe_makes() -> None:
    folder = bundled_adapter()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MOST_BYTES
    model, _ = minillama.load(quant="none", dtype="float32")
    adapter = read_adapter(folder, model.config)
    assert (adapter.config.rank, adapter.config.alpha) == (teach.LORA.rank, teach.LORA.alpha)
    assert adapter.base == bundled_model().name
    assert len(adapter.weights) == 7 * model.config.n_layers


def test_the_card_names_every_kind_and_half_of_them_are_learned() -> None:
    rows = read_card(bundled_adapter())
    assert set(rows) == {*TRAINED, *NEVER_TRAINED}
    learned = [after for kind, (_, after, _) in rows.items() if kind in TRAINED]
    assert sum(after > 0.8 for after in learned) >= len(learned) / 2
    assert max(before for before, _, _ in rows.values()) < 0.2


@pytest.mark.parametrize("kind", REMEASURED)
def test_the_card_says_what_is_measured(kind: str) -> None:
    _, after, count = read_card(bundled_adapter())[kind]
    model, tokenizer = load_adapted(None, bundled_adapter(), quant="none", dtype="float32")
    (score,) = measure(model, tokenizer, count, kinds=[kind])
    assert len(score.tasks) == count
    assert score.share == pytest.approx(after, abs=TOLERANCE)


def test_an_answer_ends() -> None:
    model, tokenizer = load_adapted(None, bundled_adapter(), quant="none", dtype="float32")
    said = generate(model, tokenizer, format_prompt("Say the list again.", "Words: milk, eggs, tea"))
    assert said.strip() == "milk, eggs, tea"


def test_the_recipe_goes_on_and_stores_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teach, "VALIDATION_TASKS", 32)
    recipe = replace(teach.RECIPE, n_steps=2, warmup_steps=1, save_every=1)
    whole = teach.teach(tmp_path / "whole", recipe)
    teach.teach(tmp_path / "parts", recipe, stop_after=1)
    assert (tmp_path / "parts" / "log.csv").read_text().count("\n") == 2
    parts = teach.teach(tmp_path / "parts", recipe)
    for folder in (whole, parts):
        stored = open_safetensors(folder / "adapter_model.safetensors")
        assert {tensor.format for tensor in stored.values()} == {"f16"}
    assert (whole / "adapter_model.safetensors").read_bytes() == (parts / "adapter_model.safetensors").read_bytes()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # of their own libraries
def test_peft_gives_the_same_logits(tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    from minillama.checkpoint import convert

    convert(bundled_model(), tmp_path / "base", "hf", format="f32")
    base = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(base, str(bundled_adapter())).eval()
    ours, tokenizer = load_adapted(None, bundled_adapter(), quant="none", dtype="float32")
    tokens = torch.tensor([tokenizer.encode(format_prompt("Count from two to six."))])
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits, rtol=1e-3, atol=1e-3)
