"""Small models that differ in one piece, trained alike, so that the piece can be judged.

They read the bytes of generated stories, without a tokenizer: almost all of their weights then lie in the layers.
Shazeer 2020, "GLU Variants Improve Transformer", compares feed-forward layers so: equal weights, equal steps.

    python -m minillama.train.ablation    # what lesson 05 shows: three layers, three seeds
"""

import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import torch
from torch import Tensor, nn

from minillama.config import ModelConfig
from minillama.feedforward import SwiGLU, linear
from minillama.files import new_file
from minillama.model import Llama, Pieces
from minillama.train.corpus.generate import corpus
from minillama.train.data import Windows
from minillama.train.loop import cosine_schedule, decay_groups, evaluate_loss, train_step

BYTES = 256
DIM = 96
N_STEPS = 600
SEQ_LEN, BATCH_SIZE = 128, 8
PEAK_LR, WARMUP_STEPS = 4e-3, 60
EVAL_EVERY, EVAL_BATCHES = 60, 12
STORED = "feedforward_ablation.json"


class Plain(nn.Module):
    """A feed-forward layer without a gate: w2(activation(w1 x)).

    Args:
        dim: D.
        hidden_dim: F.
        linear: makes a matrix from (in, out) sizes.
        activation: what bends, element by element.
    """

    def __init__(
        self, dim: int, hidden_dim: int, linear: Callable[[int, int], nn.Module] = linear,
        activation: Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:  # fmt: skip
        super().__init__()
        self.w1, self.w2, self.activation = linear(dim, hidden_dim), linear(hidden_dim, dim), activation

    def forward(self, x: Tensor) -> Tensor:  # (B, T, D) -> (B, T, D)
        return self.w2(self.activation(self.w1(x)))


def plain_gelu(dim: int, hidden_dim: int, linear: Callable[[int, int], nn.Module] = linear) -> Plain:
    """A plain layer that bends with GELU."""
    return Plain(dim, hidden_dim, linear, nn.functional.gelu)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A feed-forward layer at the size that gives it as many weights as the others.

    Args:
        name: for a figure.
        piece: makes it from (dim, hidden_dim, linear).
        hidden_dim: F.
    """

    name: str
    piece: Callable[..., nn.Module]
    hidden_dim: int


CANDIDATES = (
    Candidate(name="ReLU", piece=Plain, hidden_dim=4 * DIM),
    Candidate(name="GELU", piece=plain_gelu, hidden_dim=4 * DIM),
    Candidate(name="SwiGLU", piece=SwiGLU, hidden_dim=8 * DIM // 3),
)


def small_config(hidden_dim: int) -> ModelConfig:
    """A model of two layers that reads bytes."""
    return ModelConfig(
        dim=DIM,
        n_layers=2,
        n_heads=4,
        n_kv_heads=4,
        hidden_dim=hidden_dim,
        vocab_size=BYTES,
        max_seq_len=256,
        tied=True,
    )


@cache
def story_bytes(split: str) -> np.ndarray:
    """Stories as byte values, one after the other, the same in every run."""
    n_bytes = N_STEPS * BATCH_SIZE * (SEQ_LEN + 1) + 1 if split == "train" else 100_000
    text = "\n".join(corpus(0, n_bytes, split))
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8).astype(np.uint16)


def train_small(
    piece: Callable[..., nn.Module],
    hidden_dim: int,
    seed: int = 0,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> list[float]:
    """Train a small model with this feed-forward layer.

    Args:
        piece: makes the layer from (dim, hidden_dim, linear).
        hidden_dim: F.
        seed: of the weights and of the order of the data.
        report: called with step and training loss after every step.

    Returns:
        The loss on held-out stories, nats a byte, after every EVAL_EVERY steps.
    """
    model = Llama(small_config(hidden_dim), Pieces(SwiGLU=piece))
    model.init_weights(seed)
    optimizer = torch.optim.AdamW(decay_groups(model), betas=(0.9, 0.95), fused=True)
    source = Windows(story_bytes("train"), SEQ_LEN, BATCH_SIZE, seed)
    held_out = Windows(story_bytes("held_out"), SEQ_LEN, BATCH_SIZE, 0)
    losses = []
    for step in range(N_STEPS):
        lr = cosine_schedule(step, N_STEPS, PEAK_LR, WARMUP_STEPS)
        report(step, train_step(model, optimizer, source.batches(step), lr))
        if (step + 1) % EVAL_EVERY == 0:
            losses.append(evaluate_loss(model, held_out, EVAL_BATCHES))
    return losses


def stored_runs() -> dict[str, list[list[float]]]:
    """Name of the layer -> seed -> losses, as `python -m minillama.train.ablation` wrote them."""
    text = resources.files("minillama").joinpath("assets", STORED).read_text(encoding="utf-8")
    found: dict[str, list[list[float]]] = json.loads(text)["runs"]
    return found


def main(n_seeds: int = 3) -> None:
    """Train every candidate with every seed, print the last losses, and store them all."""
    runs: dict[str, list[list[float]]] = {}
    for each in CANDIDATES:
        runs[each.name] = [
            [round(loss, 4) for loss in train_small(each.piece, each.hidden_dim, seed)] for seed in range(n_seeds)
        ]
        last = [losses[-1] for losses in runs[each.name]]
        sys.stdout.write(f"{each.name:8} {statistics.mean(last):.4f} from {last}\n")
        sys.stdout.flush()
    with resources.as_file(resources.files("minillama") / "assets") as folder, new_file(folder / STORED) as file:
        file.write((json.dumps({"steps": N_STEPS, "every": EVAL_EVERY, "runs": runs}, indent=1) + "\n").encode("utf-8"))


if __name__ == "__main__":
    main()
