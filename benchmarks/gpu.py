"""A 7B in bfloat16 on one GPU: LoRA beside PEFT, decoding beside transformers and the memory's bandwidth.

    python benchmarks/gpu.py [--preset llama2-7b] [--work lora decode] [--steps 20] [--rounds 3] [--device cuda]

Weights are random, drawn on the device by one seed, so every side has the same ones (Hugging Face's in its own order
of rows). Each side is a process of its own; they take turns, a step or a text at a time, and peaks of memory are those
of PyTorch's allocator in each process (torch.cuda.max_memory_allocated).

lora: rank 8 on q and v, no dropout, rows of 512 tokens of which the second half counts. Weights in bfloat16, adapters
in float32 on both sides; SDPA, no cache, fused AdamW, the same learning rate and clipping, checkpointing of every block
on both sides or on none. Ours is the step of `minillama finetune --device cuda`, theirs a bare loop around PEFT.
The losses of the first 10 steps must agree to 0.02 (of about 11), and must fall.

decode: one text of 256 tokens after a prompt of 128, greedy. Ours is generate_ids on the model that `load` gives for a
GPU, theirs transformers' generate with its defaults. The bound is the bandwidth measured here (the better of a copy and
a sum of 8 GB) over the bytes that a token reads: all weights but the embedding's, and the cache. The logits of 32 steps
must be within 3% of transformers' (in norm).

Figures are medians: of the steps' ratios, and of the times between two tokens.
"""

import argparse
import multiprocessing
import statistics
import time
from typing import Any

import torch
from gpu_arms import Arguments, wait, work
from rich.console import Console
from rich.table import Table

from minillama.config import PRESETS
from minillama.model import count_parameters

SETTINGS = ((4, False), (4, True), (16, True))  # rows of a batch, checkpointing
ROW, PROMPT, NEW, WARM_UP, COMPARED = 512, 128, 256, 4, 10
ARMS = {"lora": ("our lora", "peft"), "decode": ("our text", "transformers")}


class Arm:
    """A process that takes its turns."""

    def __init__(self, name: str, args: Arguments, setting: tuple) -> None:
        context = multiprocessing.get_context("spawn")
        self.name, self.results = name, list[Any]()
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, name, args, setting), daemon=True)
        self.process.start()
        theirs.close()

    def turn(self, index: int) -> Any:
        """One turn."""
        self.pipe.send(index)
        return self.pipe.recv()

    def end(self) -> int:
        """Peak memory in bytes."""
        self.pipe.send(None)
        peak = self.pipe.recv()
        self.process.join()
        return peak


def started(kind: str, args: Arguments, setting: tuple) -> list[Arm]:
    """All arms of a kind of work, ready for their turns."""
    arms = [Arm(name, args, setting) for name in ARMS[kind]]
    for arm in arms:
        assert arm.pipe.recv() == "ready"
    return arms


def compare_lora(args: Arguments, rows: int, recompute: bool) -> tuple[str, ...]:
    """A row of the table: both sides in turns."""
    arms = started("lora", args, (rows, recompute))
    for index in range(WARM_UP + args.steps):
        for arm in arms:
            arm.results.append(arm.turn(index))
    peaks = [arm.end() for arm in arms]
    (ours, mine), (theirs, other) = ([list(part) for part in zip(*arm.results, strict=True)] for arm in arms)
    apart = max(abs(a - b) for a, b in zip(mine[:COMPARED], other[:COMPARED], strict=True))
    if apart > 0.02 or max(mine[-1] - mine[1], other[-1] - other[1]) >= 0:  # of the same batch
        raise SystemExit(f"the losses differ by {apart:.3f} or do not fall: {mine}, {other}")
    ratio = statistics.median(b / a for a, b in zip(ours[WARM_UP:], theirs[WARM_UP:], strict=True))
    speeds = [rows * args.row / statistics.median(seconds[WARM_UP:]) for seconds in (ours, theirs)]
    return (
        f"{rows} x {args.row}", "on" if recompute else "off", *(f"{speed:,.0f}" for speed in speeds), f"{ratio:.2f}",
        *(f"{peak / 1e9:.1f}" for peak in peaks), f"{peaks[0] / max(1, peaks[1]):.2f}", f"{apart:.4f}",
        f"{mine[0]:.3f} to {mine[-1]:.3f}",
    )  # fmt: skip


def bandwidth(args: Arguments) -> float:
    """Bytes that the device moves in a second, at best: a copy (read and written) or a sum (read)."""
    n_bytes = 8 << 30 if args.device != "cpu" else 1 << 26
    source = torch.rand(n_bytes // 4, device=args.device)
    target, best = torch.empty_like(source), 0.0
    for moved, move in ((2 * n_bytes, lambda: target.copy_(source)), (n_bytes, lambda: source.sum())):
        seconds = []
        for _ in range(20):
            wait(args)
            began = time.perf_counter()
            move()
            wait(args)
            seconds.append(time.perf_counter() - began)
        best = max(best, moved / statistics.median(seconds))
    return best


def compare_decode(args: Arguments) -> tuple[str, ...]:
    """The row of the table: both sides in turns, and the bound."""
    config, peak = PRESETS[args.preset], bandwidth(args)
    torch.cuda.empty_cache()
    weights = 2 * (count_parameters(config) - (0 if config.tied else config.vocab_size * config.dim))
    token = weights + config.kv_bytes_per_token * (args.prompt + args.new / 2)
    print(f"bandwidth {peak / 1e9:,.0f} GB/s, a token reads {token / 1e9:.2f} GB")
    arms = started("decode", args, ())
    ours, theirs = (torch.from_numpy(arm.turn(-1)) for arm in arms)
    apart = ((ours - theirs).norm() / theirs.norm()).item()
    if apart > 0.03:
        raise SystemExit(f"the logits are {apart:.3f} apart")
    for index in range(args.rounds + 1):
        for arm in arms:
            times = arm.turn(index)
            arm.results += times if index else []  # the first is a warm-up
    seconds = [statistics.median(arm.results) for arm in arms]
    bound = [f"{token / each / peak:.0%}" for each in seconds]
    return (
        *(f"{1 / each:.1f}" for each in seconds), f"{seconds[1] / seconds[0]:.2f}", f"{peak / token:.1f}", *bound,
        *(f"{arm.end() / 1e9:.1f}" for arm in arms), f"{apart:.4f}",
    )  # fmt: skip


def main() -> None:
    """Read the arguments, run the arms, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="llama2-7b")
    parser.add_argument("--work", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=20, help="of LoRA, after the warm-up")
    parser.add_argument("--rounds", type=int, default=3, help="texts that are decoded, after the warm-up")
    parser.add_argument("--row", type=int, default=ROW, help="tokens of a row of LoRA")
    parser.add_argument("--prompt", type=int, default=PROMPT)
    parser.add_argument("--new", type=int, default=NEW)
    args = parser.parse_args()
    if "decode" in args.work:
        row = compare_decode(args)
        table = Table("tokens/s", "transformers", "times", "bound", "of it", "theirs", "GB", "theirs", "logits apart")
        table.add_row(*row)
        print(*row, flush=True)
        Console().print(table)
    if "lora" in args.work:
        table = Table("rows", "checkpointing", "tokens/s", "PEFT", "times", "GB", "PEFT", "share", "apart", "loss")
        for setting in SETTINGS:
            row = compare_lora(args, *setting)
            table.add_row(*row)
            print(*row, flush=True)
        Console().print(table)


if __name__ == "__main__":
    main()
