"""Kill a training again and again with SIGKILL, and hold what it becomes to a run that was left alone.

    python -m tests.train.killing --kills 20        # pre-training, then fine-tuning on a 4-bit base

A third of the kills comes at any moment from the start of a process, a third at any moment of the training, and a
third while a file is being written. After each, every file that bears its name must be whole; at the end the losses and
what was made must be the same, byte for byte.
"""

import argparse
import csv
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch

KINDS = ("pretrain", "finetune")
STARTUP_SECONDS = 2.0
TRAINING_SECONDS = 1.5
WRITING_SECONDS = 0.02
PATIENCE_SECONDS = 300.0


def work(kind: str, folder: Path, n_steps: int) -> None:
    """Train to the end, or until killed."""
    torch.set_num_threads(1)
    if kind == "pretrain":
        _pretrain(folder, n_steps)
    else:
        _finetune(folder, n_steps)


def _pretrain(folder: Path, n_steps: int) -> None:
    from minillama.config import ModelConfig
    from minillama.train import pretrain
    from minillama.train.copying import Copying
    from minillama.train.stages import Stage, StagedConfig

    pretrain.VOCABULARY_STORIES, pretrain.VALIDATION_TOKENS = 200, 3000
    config = ModelConfig(
        dim=64, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=128, vocab_size=400, max_seq_len=256, tied=True
    )
    stages = (
        Stage(share=0.25, seq_len=32, batch_size=4, copying=Copying()),
        Stage(share=0.75, seq_len=64, batch_size=4, repeat_share=0.25, emphasis=5.0),
    )
    recipe = StagedConfig(stages=stages, n_steps=n_steps, warmup_steps=5, eval_every=20, save_every=2)
    pretrain.pretrain(folder, config=config, recipe=recipe, snapshots=range(0, n_steps, 10), micro_batch=2)


def _finetune(folder: Path, n_steps: int) -> None:
    import minillama
    from minillama.model import Llama, Pieces
    from minillama.train.data import Windows
    from minillama.train.finetune import Example, finetune
    from minillama.train.lora import LoRAConfig
    from minillama.train.recipe import TrainConfig

    model, tokenizer = minillama.load(quant="q4_0", pieces=Pieces())
    assert isinstance(model, Llama)
    stream = np.array(tokenizer.encode("The cat said moo to the king, and the king said it too. " * 40))
    recipe = TrainConfig(n_steps=n_steps, warmup_steps=5, eval_every=20, save_every=2, schedule="linear")
    finetune(
        model, tokenizer, Windows(stream, 24, 2, 0), recipe, folder, lora=LoRAConfig(dropout=0.1),
        validation=Windows(stream, 24, 2, 1), examples=[Example(prompt="The cat", wanted=" said moo")],
    )  # fmt: skip


def start(kind: str, folder: Path, n_steps: int) -> BaseProcess:
    """Train in a process of its own, which is forked from one that has imported everything and done nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["minillama.train.pretrain", "minillama.train.finetune"])
    process = context.Process(target=work, args=(kind, folder, n_steps))
    process.start()
    return process


def end(process: BaseProcess) -> int:
    """Wait for a process, and give its exit code."""
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def kill(kind: str, folder: Path, n_steps: int, moment: str, rng: random.Random) -> bool:
    """Start or resume a run and kill it; whether that was before its end."""
    process = start(kind, folder, n_steps)
    log, began = folder / "log.csv", time.monotonic()
    if moment == "any":
        time.sleep(rng.uniform(0, STARTUP_SECONDS))
    else:
        size = log.stat().st_size if log.exists() else 0
        while process.is_alive() and time.monotonic() - began < PATIENCE_SECONDS:
            if moment == "training" and log.exists() and log.stat().st_size != size:
                time.sleep(rng.uniform(0, TRAINING_SECONDS))
                break
            if moment == "writing" and any(folder.glob(".*.partial")) and rng.random() < 0.3:
                time.sleep(rng.uniform(0, WRITING_SECONDS) * rng.random())
                break
            time.sleep(0.001)
    process.kill()
    return end(process) != 0


def steps_logged(folder: Path) -> int:
    """How far a run has come."""
    log = folder / "log.csv"
    return len(log.read_text(encoding="utf-8").splitlines()) - 1 if log.exists() else 0


def check_whole(folder: Path) -> None:
    """Raise unless every file of a run that bears its name can be read to its end."""
    from minillama.checkpoint.opening import open_checkpoint
    from minillama.checkpoint.safetensors_files import open_safetensors

    for path in folder.rglob("*"):
        if path.name.startswith(".") or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix == ".pt":
            assert torch.load(path, weights_only=True)["weights"]
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".npy":
            np.load(path)
        elif path.suffix == ".csv":
            rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines())) if path.name == "log.csv" else [[]]
            assert len({len(row) for row in rows}) == 1, f"{path} has rows of different lengths"
        elif path.suffix == ".gguf":
            for tensor in open_checkpoint(path).tensors.values():
                tensor.read()
        elif path.suffix == ".safetensors":
            for tensor in open_safetensors(path).values():
                tensor.read()


def flat(value: Any) -> Iterator[object]:
    """Everything that a checkpoint holds, one after the other, tensors as their bytes."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from flat(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from flat(each)
    else:
        yield (value.dtype, value.shape, value.numpy().tobytes()) if isinstance(value, torch.Tensor) else value


def outcome(folder: Path) -> dict[str, object]:
    """What a run has come to: every file's bytes; of the log all but the seconds, of the checkpoint all that it holds.

    (The same state has other bytes once it has been read: pickle writes a value that two places share only once.)
    """
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        if path.name == "log.csv":
            found[name] = [line.rpartition(b",")[0] for line in path.read_bytes().splitlines()]
        elif path.suffix == ".pt":
            found[name] = list(flat(torch.load(path, weights_only=True)))
        else:
            found[name] = path.read_bytes()
    return found


def campaign(kind: str, n_kills: int, n_steps: int, folder: Path, seed: int = 0) -> Counter[str]:
    """Kill a run so many times, let it end, and compare it with one that was left alone.

    Returns:
        How many kills came at which moment, and how often a file was half written under a temporary name.

    Raises:
        AssertionError: something differs, or is not whole.
    """
    rng, counts = random.Random(seed), Counter[str]()
    assert end(start(kind, folder / "whole", n_steps)) == 0
    killed = folder / "killed"
    while counts["kills"] < n_kills:
        moment = ("any", "training", "writing")[counts["kills"] % 3]
        if not kill(kind, killed, n_steps, moment, rng):
            break  # the run has come to its end
        counts["kills"] += 1
        counts[moment] += 1
        counts["left half written"] += any(killed.rglob(".*.partial"))
        check_whole(killed)
        print(f"{kind}: kill {counts['kills']} ({moment}) at step {steps_logged(killed)}", file=sys.stderr, flush=True)
    assert end(start(kind, killed, n_steps)) == 0
    check_whole(killed)
    expected, found = outcome(folder / "whole"), outcome(killed)
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    differing = [name for name in expected if found[name] != expected[name]]
    assert not differing, differing
    counts["files the same"] = len(expected)
    return counts


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS)
    options = parser.parse_args()
    for kind in [options.kind] if options.kind else KINDS:
        with tempfile.TemporaryDirectory() as folder:
            counts = campaign(kind, options.kills, options.steps, Path(folder), options.seed)
        print(f"{kind}: {', '.join(f'{count} {what}' for what, count in counts.items())}", flush=True)


if __name__ == "__main__":
    main()
