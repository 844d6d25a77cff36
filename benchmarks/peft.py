"""Fine-tuning and pre-training beside PEFT and transformers: the same work, counted in the same tokens.

    python benchmarks/peft.py [--shapes 15m 110m] [--kinds lora bf16 alpaca pretrain] [--data DIR] [--steps 20]

Both sides get the same weights (ours exported to Hugging Face's format), the same ids and labels, the same adapters
(rank 8 on q and v, written in PEFT's format), no dropout, SDPA, no cache, the same fused AdamW, learning rate, clipping
and number of threads, float32 unless the kind says bf16 (autocast). Each arm is a process of its own; they take turns,
step by step. The losses of the first 10 steps must agree to 1e-5, and the ids that are not padding must be identical.

kinds: lora and bf16 mask the first half of every row; alpaca trains on the responses of real records (DIR holds
alpaca_5000.json and llama_tokenizer.model) in batches of four, as Stanford's and alpaca-lora's recipes have them, in
their order, padded to their longest, and counts response tokens; pretrain learns every weight from every token, beside
transformers in a bare loop.

A ratio is the median of the steps' ratios, above 1 where minillama is faster; memory is the peak of the resident set
(VmHWM) with all libraries, ours over theirs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from minillama.checkpoint.hf import write_hf
from minillama.checkpoint.loading import load_tokenizer
from minillama.checkpoint.opening import open_checkpoint
from minillama.checkpoint.source import from_model
from minillama.checkpoint.stand_in import letters
from minillama.config import ModelConfig
from minillama.model import Llama
from minillama.train.adapters import adapter_of, attach, read_adapter, save_adapter
from minillama.train.alpaca import collate, encode_samples
from minillama.train.data import Batch
from minillama.train.loop import train_step
from minillama.train.lora import LoRAConfig, add_lora
from minillama.train.records import check_records, read_records

SHAPES = {  # dim, layers, heads, hidden, rows of a batch
    "15m": (288, 6, 6, 768, 4),
    "110m": (768, 12, 12, 2048, 2),
}
TOKENS_A_ROW, ALPACA_ROWS = 256, 4
LR, CLIP, WARM_UP, COMPARED = 3e-4, 1.0, 2, 10
PAUSE_SECONDS = 0.05  # between two steps, for the threads of the other arm to fall asleep
ARMS = {
    "lora": ("ours", "peft", "trainer"),
    "bf16": ("ours", "peft", "trainer"),
    "alpaca": ("ours", "peft", "trainer"),
    "pretrain": ("ours", "transformers"),
}


def config_of(shape: str) -> ModelConfig:
    """Sizes of llama2.c's models of these names, vocabulary 32,000, tied embeddings."""
    dim, n_layers, n_heads, hidden_dim, _ = SHAPES[shape]
    return ModelConfig(
        dim=dim, n_layers=n_layers, n_heads=n_heads, n_kv_heads=n_heads, hidden_dim=hidden_dim, vocab_size=32_000,
        norm_eps=1e-5, max_seq_len=1024, tied=True,
    )  # fmt: skip


def random_batches(shape: str, n_steps: int, masked: bool) -> list[Batch]:
    """Rows of random ids; of half of each row the prediction does not count."""
    generator = torch.Generator().manual_seed(1)
    rows, found = SHAPES[shape][-1], []
    for _ in range(n_steps):
        tokens = torch.randint(3, 32_000, (rows, TOKENS_A_ROW + 1), generator=generator)
        weights = torch.ones(tokens.shape)
        weights[:, : TOKENS_A_ROW // 2 + 1 if masked else 1] = 0
        found.append(Batch(tokens, weights))
    return found


def alpaca_batches(data: Path, n_steps: int) -> list[Batch]:
    """Real records in their order, in Stanford's template; responses count."""
    records, _ = check_records(read_records(data / "alpaca_5000.json"))
    samples, _ = encode_samples(records, load_tokenizer(data / "llama_tokenizer.model"))
    return [collate(samples[step * ALPACA_ROWS : (step + 1) * ALPACA_ROWS]) for step in range(n_steps)]


def prepare(folder: Path, shape: str, kind: str, n_steps: int, data: Path) -> None:
    """Write weights, the adapter, and the batches that every arm reads."""
    config = config_of(shape)
    model = Llama(config)
    model.init_weights(0)
    write_hf(from_model(model, letters()), folder / "model")
    lora = LoRAConfig(rank=8, alpha=16.0, targets=("wq", "wv"))
    add_lora(model, lora)
    save_adapter(adapter_of(model, lora), config, folder / "adapter")
    batches = alpaca_batches(data, n_steps) if kind == "alpaca" else random_batches(shape, n_steps, kind != "pretrain")
    torch.save([(batch.tokens, batch.weights) for batch in batches], folder / "batches.pt")


Step = Callable[[int], float]


def ours(folder: Path, kind: str, batches: list[Batch]) -> Step:
    """minillama's own step."""
    checkpoint = open_checkpoint(folder / "model")
    model = Llama(checkpoint.config)
    model.load_state_dict({name: tensor.read() for name, tensor in checkpoint.tensors.items()}, strict=False)
    if kind != "pretrain":
        attach(model, read_adapter(folder / "adapter", model.config))
    optimizer = adamw(model)
    return lambda step: train_step(model, optimizer, [batches[step]], LR, CLIP, bf16=kind == "bf16")


def adamw(model: torch.nn.Module) -> torch.optim.Optimizer:
    """The same on every side."""
    return torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=LR, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )


def hugging_face_model(folder: Path, adapted: bool) -> Any:
    """transformers' model of the same weights, with PEFT's adapter of the same numbers."""
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder / "model", dtype=torch.float32, attn_implementation="sdpa", use_cache=False
    )
    if adapted:
        import peft

        model = peft.PeftModel.from_pretrained(model, str(folder / "adapter"), is_trainable=True)
    return model.train()


def hugging_face_batch(batch: Batch) -> dict[str, torch.Tensor]:
    """Ids and labels as transformers shifts them itself; the same tokens are read and predicted."""
    assert batch.weights is not None
    real = batch.weights.flip(1).cummax(1).values.flip(1) > 0  # up to the last token that counts
    inputs = {"input_ids": batch.tokens, "labels": batch.tokens.masked_fill(batch.weights == 0, -100)}
    return inputs if real.all() else {**inputs, "attention_mask": real.long()}


def bare_loop(folder: Path, kind: str, batches: list[Batch]) -> Step:
    """transformers, with PEFT or without, in the loop that its documentation shows."""
    model = hugging_face_model(folder, kind != "pretrain")
    optimizer, inputs = adamw(model), [hugging_face_batch(batch) for batch in batches]

    def step(index: int) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == "bf16"):
            loss = model(**inputs[index]).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], CLIP)
        optimizer.step()
        return loss.item()

    return step


def run_trainer(folder: Path, kind: str, batches: list[Batch]) -> None:
    """PEFT under transformers' Trainer, which waits for its turn before each step."""
    import transformers

    model, inputs = hugging_face_model(folder, True), [hugging_face_batch(batch) for batch in batches]

    class Turns(transformers.TrainerCallback):
        began = 0.0

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            input()
            self.began = time.perf_counter()

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
            if "loss" in logs:
                answer({"seconds": time.perf_counter() - self.began, "loss": logs["loss"]})

    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "trainer"), per_device_train_batch_size=1, max_steps=len(batches), learning_rate=LR,
        lr_scheduler_type="constant", optim="adamw_torch_fused", adam_beta2=0.95, weight_decay=0.0, max_grad_norm=CLIP,
        logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True, bf16=kind == "bf16",
        remove_unused_columns=False, train_sampling_strategy="sequential",
    )  # fmt: skip
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=inputs, data_collator=lambda items: items[0], callbacks=[Turns()]
    )
    trainer.remove_callback(transformers.PrinterCallback)
    answer({"ready": True})
    trainer.train()
    answer({"peak": peak_bytes()})


def peak_bytes() -> int:
    """VmHWM of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def answer(message: dict[str, Any]) -> None:
    """One line for the process that leads."""
    print("answer", json.dumps(message), flush=True)


def work(arm: str, kind: str, folder: Path) -> None:
    """One arm, in a process of its own: a step for each line that comes in."""
    here = Path(__file__).resolve().parent  # its peft.py and tokenizers.py are not the libraries of these names
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    batches = [Batch(*each) for each in torch.load(folder / "batches.pt")]
    if arm == "trainer":
        run_trainer(folder, kind, batches)
        return
    step = (ours if arm == "ours" else bare_loop)(folder, kind, batches)
    answer({"ready": True})
    for index in range(len(batches)):
        input()
        began = time.perf_counter()
        loss = step(index)
        answer({"seconds": time.perf_counter() - began, "loss": loss})
    answer({"peak": peak_bytes()})


class Arm:
    """A process that takes its turns."""

    def __init__(self, name: str, kind: str, folder: Path) -> None:
        self.name = name
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--arm", name, "--kinds", kind, "--folder", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("answer "):
                return json.loads(line[7:])
        raise SystemExit(f"{self.name} ended with code {self._process.wait()}")

    def step(self) -> None:
        """One step, measured by the arm itself."""
        assert self._process.stdin is not None
        time.sleep(PAUSE_SECONDS)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found = self._read()
        self.seconds.append(found["seconds"])
        self.losses.append(found["loss"])

    def end(self) -> int:
        """Peak memory in bytes."""
        peak = self._read()["peak"]
        self._process.communicate()
        return peak


def compare(shape: str, kind: str, n_steps: int, data: Path) -> Iterator[tuple[str, ...]]:
    """All arms of a kind in turns; a row of the table for each of the others."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder, shape, kind, WARM_UP + n_steps, data)
        batches = [Batch(*each) for each in torch.load(folder / "batches.pt")]
        counted = [batch.total_weight for batch in batches][WARM_UP:]
        arms = [Arm(name, kind, folder) for name in ARMS[kind]]
        for _ in batches:
            for arm in arms:
                arm.step()
        peaks = {arm.name: arm.end() for arm in arms}
    mine = arms[0]
    for arm in arms[1:]:
        pairs = list(zip(mine.losses[:COMPARED], arm.losses, strict=False))
        apart = max(abs(a - b) for a, b in pairs)
        allowed = 5e-2 if kind == "bf16" else 1e-5 + (1e-4 if arm.name == "trainer" else 0)  # Trainer logs 4 digits
        if apart > allowed:
            raise SystemExit(f"{shape} {kind}: the losses of {arm.name} differ by {apart:.2e}: {pairs}")
        ratio = statistics.median(b / a for a, b in zip(mine.seconds[WARM_UP:], arm.seconds[WARM_UP:], strict=True))
        speeds = [
            statistics.median(n / s for n, s in zip(counted, each.seconds[WARM_UP:], strict=True))
            for each in (mine, arm)
        ]
        yield (
            shape, kind, arm.name, *(f"{speed:,.0f}" for speed in speeds), f"{ratio:.2f}",
            *(f"{peaks[each.name] / 1e6:,.0f}" for each in (mine, arm)), f"{peaks['ours'] / peaks[arm.name]:.2f}",
            f"{apart:.1e}",
        )  # fmt: skip


def main() -> None:
    """Read the arguments, run the arms, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--kinds", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arm:
        work(args.arm, args.kinds[0], args.folder)
        return
    table = Table("shape", "kind", "beside", "tokens/s", "theirs", "times", "MB", "theirs", "share", "losses apart")
    for shape in args.shapes:
        for kind in args.kinds:
            for row in compare(shape, kind, args.steps, args.data):
                table.add_row(*row)
                print(*row, flush=True)
    Console().print(table)


if __name__ == "__main__":
    main()
