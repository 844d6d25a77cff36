"""The package on a GPU; skipped where there is none."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import minillama
from minillama.checkpoint.bundled import bundled_model
from minillama.cli import app
from minillama.config import PRESETS
from minillama.evaluate import perplexity
from minillama.generation import generate, generate_batch
from minillama.model import Llama, Pieces
from minillama.tokenizer import Tokenizer
from minillama.trace import ablate, trace
from minillama.train.adapters import load_adapted
from minillama.train.data import Batch
from minillama.train.finetune import Example, finetune
from minillama.train.loop import evaluate_loss, train_step
from minillama.train.lora import LoRAConfig
from minillama.train.recipe import TrainConfig
from minillama.viz.explorer import Explorer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

OPENING = "Once upon a time, a small fox lived in the woods."
TEXT = " ".join([OPENING] * 30)


def tiny(device: str = "cuda", dtype: str = "float32", **options: object) -> tuple[Llama, Tokenizer]:
    return minillama.load(device=device, dtype=dtype, **options)


def test_greedy_text_is_that_of_the_cpu() -> None:
    model, tokenizer = tiny()
    expected = generate(*tiny("cpu", pieces=Pieces()), OPENING, 300)
    assert generate(model, tokenizer, OPENING, 300) == expected


def test_token_by_token_equals_one_pass() -> None:
    model, tokenizer = tiny()
    tokens = torch.tensor([tokenizer.encode(TEXT)[:300]], device=model.device)
    with torch.no_grad():
        cache = model.new_cache(1, 300)
        parts = [model(tokens[:, :250], cache)] + [model(tokens[:, t : t + 1], cache) for t in range(250, 300)]
        torch.testing.assert_close(torch.cat(parts, 1), model(tokens), atol=2e-3, rtol=1e-3)


def test_prompts_of_any_lengths_together_and_in_bfloat16() -> None:
    prompts = [OPENING, "The", OPENING + " One day"]
    model, tokenizer = tiny()
    expected = generate_batch(*tiny("cpu", pieces=Pieces()), prompts, 40)
    assert generate_batch(model, tokenizer, prompts, 40) == expected
    halves, _ = tiny(dtype="bfloat16")
    assert all(generate_batch(halves, tokenizer, prompts, 40))


def test_heads_are_switched_off_while_text_is_made() -> None:
    off = [(0, 1), (2, 3), (3, 0)]
    texts = []
    for model, tokenizer in (tiny(), tiny("cpu", pieces=Pieces())):
        generate(model, tokenizer, OPENING, 5)
        with ablate(model, off):
            texts.append(generate(model, tokenizer, OPENING, 60))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("quant", ["q4_0", "q8_0"])
def test_quantized_matrices_stay_on_the_cpu_and_give_the_same_text(quant: str) -> None:
    ours = generate(*minillama.load(device="cuda", dtype="float32", quant=quant), OPENING, 20)
    assert ours == generate(*minillama.load(quant=quant, pieces=Pieces(), dtype="float32"), OPENING, 20)


def test_traces_pages_and_perplexity_equal_the_cpus() -> None:
    here, there = tiny("cpu", pieces=Pieces()), tiny()
    tokens = torch.tensor([here[1].encode(OPENING)])
    ours, theirs = trace(there[0], tokens.to("cuda")), trace(here[0], tokens)
    for name in ("attention", "value_norms", "stream", "logits"):
        torch.testing.assert_close(getattr(ours, name).cpu(), getattr(theirs, name), atol=2e-3, rtol=1e-3)
    assert "<html" in Explorer(*there, OPENING).to_html()
    values = [perplexity(*each, TEXT, context=64).value for each in (here, there)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


class Lesson:
    """One answer, again and again, beside a shorter row."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        prompt, answer = tokenizer.encode("What does the cat say?"), tokenizer.encode(" Moo.", bos=False, eos=True)
        self.tokens = torch.tensor([prompt + answer, prompt + answer])
        self.weights = torch.tensor([[0.0] * len(prompt) + [1.0] * len(answer)] * 2)
        self.weights[1, -2:] = 0

    def batches(self, step: int) -> list[Batch]:
        return [Batch(self.tokens, self.weights)]


@pytest.mark.parametrize(("dtype", "options"), [("float32", {}), ("bfloat16", {}), ("float32", {"bf16": True}),
                                                ("float32", {"recompute": True})])  # fmt: skip
def test_an_adapter_learns(tmp_path: Path, dtype: str, options: dict) -> None:
    model, tokenizer = tiny(dtype=dtype, pieces=Pieces())
    source = Lesson(tokenizer)
    recipe = TrainConfig(n_steps=40, peak_lr=1e-2, warmup_steps=1, weight_decay=0.0, save_every=20, **options)
    example = Example(prompt="What does the cat say?", wanted=" Moo.")
    lora = LoRAConfig(rank=4, dropout=0.05, targets=("wq", "wv"))
    folder = finetune(model, tokenizer, source, recipe, tmp_path, lora=lora, examples=[example], validation=source)
    assert evaluate_loss(model, source, 1) < 0.2
    (row,) = json.loads((tmp_path / "examples.json").read_text())
    assert row["after"].strip() == "Moo."
    again, _ = load_adapted(None, folder, device="cuda", dtype=dtype)
    assert evaluate_loss(again, source, 1) == pytest.approx(evaluate_loss(model, source, 1), abs=1e-3)


def test_every_weight_learns_as_on_the_cpu() -> None:
    losses = []
    for device in ("cpu", "cuda"):
        model = Llama(PRESETS["tiny-0.6m"])
        model.init_weights(0)
        model.to(device)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        tokens = torch.randint(3, 2048, (4, 65), generator=torch.Generator().manual_seed(0)).to(device)
        losses.append([train_step(model, optimizer, [Batch(tokens)], 1e-3) for _ in range(5)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_all_weights_are_taught_and_written(tmp_path: Path) -> None:
    model, tokenizer = tiny(quant="none", pieces=Pieces())
    source, recipe = Lesson(tokenizer), TrainConfig(n_steps=20, peak_lr=1e-3, warmup_steps=1, save_every=10)
    made = finetune(model, tokenizer, source, recipe, tmp_path, lora=None)
    again, _ = minillama.load(made, pieces=Pieces())
    assert evaluate_loss(again, source, 1) == pytest.approx(evaluate_loss(model, source, 1), abs=0.02)


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    losses = []
    for stops in ((None,), (4, None)):
        out = tmp_path / str(len(stops))
        for stop_after in stops:
            model, tokenizer = tiny(pieces=Pieces())
            recipe = TrainConfig(n_steps=8, peak_lr=1e-2, warmup_steps=1, save_every=2)
            lora = LoRAConfig(rank=2, dropout=0.1)
            finetune(model, tokenizer, Lesson(tokenizer), recipe, out, lora=lora, stop_after=stop_after)
        losses.append(evaluate_loss(model, Lesson(tokenizer), 1))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    for command in (
        ["generate", "--prompt", OPENING, "--max-new-tokens", "5"],
        ["bench", "--prompt-tokens", "8", "--new-tokens", "4", "--repetitions", "1"],
        ["perplexity", str(bundled_model()), str(tmp_path / "text.txt"), "--context", "64"],
    ):
        done = CliRunner().invoke(app, [*command, "--device", "cuda"])
        assert done.exit_code == 0, done.output
        assert done.stdout
