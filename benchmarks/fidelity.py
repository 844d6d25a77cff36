"""Whether quantized files mean the same here and in llama.cpp: teacher-forced stories, and weights of 7B's sizes.

    make bench-deps
    python benchmarks/fidelity.py [--types q4_0 q4_k ...] [--windows 4] [--context 512]
    python benchmarks/fidelity.py --shape llama-7b [--layers 2] [--types q4_0]

The first writes the bundled model in each type to a temporary folder and runs windows of held-out stories, each behind
BOS, in minillama, in llama.cpp and in the torch model, which multiplies in float32 with the dequantized weights: what
both engines approximate. KL is the Kullback-Leibler divergence in nats a token, top-1 the share of tokens for which
both find the same next token most likely. Both engines round the vectors that they multiply to 8 bits: minillama every
32 numbers by a scale of their own, llama.cpp for the K-quants every 256. "torch, rounded so" is the torch model with
llama.cpp's rounding and nothing else of it: if that agrees with llama.cpp better than plain float32 does, the rest is
rounding.

The second does the same with random weights of a preset's sizes and few layers, and prints the relative error of the
logits, the root of sum((a - b)**2) / sum(b**2).
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from llamacpp_logits import PLAIN_TYPES, llamacpp_logits, llamacpp_quantize
from random_files import write_random_gguf
from rich.console import Console
from rich.table import Table
from torch import Tensor

import minillama
from minillama.checkpoint import open_checkpoint
from minillama.checkpoint.bundled import bundled_model
from minillama.checkpoint.conversion import convert
from minillama.checkpoint.tensors import stored_bytes
from minillama.config import PRESETS
from minillama.model import Pieces, count_parameters
from minillama.quant.linear import QuantLinear
from minillama.train.corpus import stories
from minillama.train.data import encode_documents, take_tokens

TYPES = ("f16", "q8_0", "q6_k", "q5_k", "q5_1", "q5_0", "q4_k_m", "q4_k", "q4_1", "q4_0")
MAX_KL, MIN_TOP_1, MAX_PERPLEXITY = 1e-3, 0.99, 0.005  # what counts as the same


def held_out_windows(count: int, context: int) -> np.ndarray:
    """Windows of stories that the bundled model has not seen, BOS in front: int64 (count, context)."""
    tokenizer = minillama.load_tokenizer()
    assert tokenizer.bos_id is not None
    stream = take_tokens(encode_documents(stories(1, "held_out"), tokenizer), count * (context - 1))
    bos = np.full((count, 1), tokenizer.bos_id, np.int64)
    return np.concatenate([bos, stream.astype(np.int64).reshape(count, -1)], axis=1)


def round_activations(x: Tensor, super_blocks: bool) -> Tensor:
    """x (..., K) after llama.cpp's rounding: 8 bits with a scale for 32 numbers in float16, or for 256 in float32."""
    blocks = x.float().unflatten(-1, (-1, 256 if super_blocks else 32))
    scale = blocks.abs().amax(-1, keepdim=True) / 127
    codes = (blocks / scale.clamp(min=1e-30)).round()
    return (codes * (scale if super_blocks else scale.half().float())).flatten(-2)


def run(path: Path, windows: np.ndarray, exact: bool = False, rounded: bool = False) -> np.ndarray:
    """The logits (N, T, V) of minillama's engine, or of the torch model in float32 on the same weights.

    Args:
        path: a GGUF file.
        windows: int64 (N, T).
        exact: use the torch model.
        rounded: let it round what is multiplied as llama.cpp does.
    """
    model, _ = minillama.load(path, dtype="float32", pieces=Pieces() if exact or rounded else None)
    if rounded:
        for module in model.modules():
            if isinstance(module, QuantLinear):
                kind = module.matrix.format.endswith("_k")
                module.register_forward_pre_hook(lambda _, inputs, kind=kind: (round_activations(inputs[0], kind),))
    with torch.no_grad():
        return np.concatenate([model(torch.from_numpy(window[None])).float().numpy() for window in windows])


def log_shares(logits: np.ndarray) -> Tensor:
    """Log-probabilities (N, T - 1, V) of every token that the windows go on with, float64."""
    return torch.log_softmax(torch.from_numpy(logits[:, :-1]).double(), dim=-1)


def perplexity(found: Tensor, windows: np.ndarray) -> float:
    """e to the mean surprise a token."""
    targets = torch.from_numpy(windows[:, 1:])
    return torch.nn.functional.nll_loss(found.flatten(0, 1), targets.flatten()).exp().item()


def compare(truth: Tensor, found: Tensor) -> tuple[float, float, float]:
    """Mean and largest KL(truth, found), and top-1 agreement."""
    kl = (truth.exp() * (truth - found)).sum(-1)
    return kl.mean().item(), kl.max().item(), (truth.argmax(-1) == found.argmax(-1)).double().mean().item()


def bits_a_weight(path: Path) -> float:
    """Of all tensors of a file."""
    checkpoint = open_checkpoint(path)
    return 8 * sum(map(stored_bytes, checkpoint.tensors.values())) / count_parameters(checkpoint.config)


def write(source: Path, out: Path, type: str) -> None:
    """A file of a type, by llama.cpp's quantizer where minillama only reads it."""
    if type in PLAIN_TYPES:
        llamacpp_quantize(source, out, type)
    else:
        convert(source, out, "gguf", format=type)


def stories_rows(types: list[str], windows: np.ndarray, folder: Path) -> Iterator[tuple[list[str], list[str]]]:
    """For each type a row of the table against llama.cpp and one of the table against float32."""
    for type in types:
        path = folder / f"{type}.gguf"
        write(bundled_model(), path, type)
        ours, exact, theirs = (
            log_shares(logits)
            for logits in (run(path, windows), run(path, windows, exact=True), llamacpp_logits(path, windows))
        )
        here, there = perplexity(ours, windows), perplexity(theirs, windows)
        mean, largest, top = compare(theirs, ours)
        passes = mean <= MAX_KL and top >= MIN_TOP_1 and abs(here / there - 1) <= MAX_PERPLEXITY
        row = [type, f"{path.stat().st_size:,}", f"{bits_a_weight(path):.2f}", f"{here:.4f}", f"{there:.4f}"]
        row += [f"{here / there - 1:+.3%}", f"{mean:.1e}", f"{largest:.1e}", f"{top:.2%}", "yes" if passes else "no"]
        against = [type]
        for truth, found in ((exact, ours), (exact, theirs)):
            mean, _, top = compare(truth, found)
            against += [f"{mean:.1e}", f"{top:.2%}"]
        if type == "f16":  # llama.cpp multiplies float16 vectors there
            against += ["", ""]
        else:
            mean, _, top = compare(theirs, log_shares(run(path, windows, rounded=True)))
            against += [f"{mean:.1e}", f"{top:.2%}"]
        yield row, against


def run_stories(types: list[str], n_windows: int, context: int) -> None:
    windows = held_out_windows(n_windows, context)
    titles = ("type", "bytes", "bits/weight", "ppl here", "there", "difference", "mean KL", "max KL", "top-1", "same?")
    first = Table(*titles, box=None)
    second = Table("type", "here: KL", "top-1", "there: KL", "top-1", "torch, rounded so: KL", "top-1", box=None)
    with tempfile.TemporaryDirectory(prefix="fidelity_") as folder:
        for row, against in stories_rows(types, windows, Path(folder)):
            first.add_row(*row)
            second.add_row(*against)
    console = Console(width=120)
    console.print(f"{windows[:, 1:].size:,} tokens of held-out stories; minillama against llama.cpp, same file")
    console.print(first)
    console.print("each against float32 on the dequantized weights; the last against llama.cpp")
    console.print(second)


def relative_error(found: np.ndarray, truth: np.ndarray) -> float:
    """The size of the difference against the size of the truth."""
    difference = np.linalg.norm(found.astype(np.float64) - truth)
    return float(difference / np.linalg.norm(truth.astype(np.float64)))


def run_shape(shape: str, layers: int | None, types: list[str], n_tokens: int) -> None:
    config = PRESETS[shape]
    config = dataclasses.replace(config, n_layers=layers or config.n_layers)
    window = np.random.default_rng(0).integers(3, config.vocab_size, (1, n_tokens))
    print(f"{shape}, {config.n_layers} layers, {n_tokens} tokens: relative error of the logits, and top-1 agreement")
    for type in types:
        with tempfile.TemporaryDirectory(prefix="fidelity_") as folder:
            path = Path(folder) / "random.gguf"
            write_random_gguf(config, path, type)
            size = path.stat().st_size
            ours, theirs, exact = run(path, window), llamacpp_logits(path, window), run(path, window, exact=True)
        pairs = {"here, there": (ours, theirs), "here, float32": (ours, exact), "there, float32": (theirs, exact)}
        found = [
            f"{name}: {relative_error(*pair):.2e} {(pair[0].argmax(-1) == pair[1].argmax(-1)).mean():.0%}"
            for name, pair in pairs.items()
        ]
        print(f"{type} ({size / 1e9:.2f} GB)", *found, sep="   ", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", default=None, choices=TYPES, metavar="TYPE")
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--shape", choices=PRESETS, default=None, help="random weights of these sizes instead")
    parser.add_argument("--layers", type=int, default=2, help="of the random weights; 0 for all of the preset's")
    parser.add_argument("--tokens", type=int, default=16, help="with random weights")
    options = parser.parse_args()
    if options.shape:
        written_here = ["q8_0", "q6_k", "q4_k_m", "q4_k", "q4_0"]
        run_shape(options.shape, options.layers, options.types or written_here, options.tokens)
    else:
        run_stories(options.types or list(TYPES), options.windows, options.context)


if __name__ == "__main__":
    main()
