"""Tensor parallelism: every matrix of a model cut into one share a process, for models that fit no single device.

Source: Shoeybi et al. 2019, "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model Parallelism",
section 3. Each half of a block is two products, cut so that one sum over the processes is all that they have to say:

    wq wk wv, w1 w3    by columns: whole heads, or channels of the inner layer; every process reads the whole stream
    wo, w2             by rows: they read the shares that the process has just made; the results are added up

Books write x A, so a "column" makes one output. torch keeps A transposed: there it is a row of the weight.

    torchrun --nproc-per-node 2 -m minillama generate MODEL --device cuda --prompt "Once upon a time"
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from minillama.checkpoint.bundled import bundled_model
from minillama.checkpoint.loading import load_opened
from minillama.checkpoint.opening import open_checkpoint
from minillama.checkpoint.source import FLOAT_DTYPES, Checkpoint, StoredTensor
from minillama.checkpoint.tensors import read_checked, to_dtype
from minillama.config import ModelConfig
from minillama.errors import ConfigError
from minillama.model import Llama
from minillama.tokenizer import Tokenizer

AllReduce = Callable[[Tensor], Tensor]


def split_columns(weight: Tensor, n: int, rank: int, unit: int = 1) -> Tensor:
    """One process's share of a matrix that is cut by its outputs.

    Args:
        weight: (N, K), a row for each output.
        n: processes.
        rank: of the one whose share is asked for, 0 to n - 1.
        unit: rows that must stay together, such as those of one head; it divides N. Where the units do not go round
            evenly, the first processes hold one more.

    Returns:
        (about N / n, K), a view.

    >>> split_columns(torch.arange(10)[:, None], 2, 0, unit=2).flatten()
    tensor([0, 1, 2, 3, 4, 5])
    """
    each, more = divmod(len(weight) // unit, n)
    first = rank * each + min(rank, more)
    return weight[first * unit : (first + each + (rank < more)) * unit]


def share_of(name: str, weight: Tensor, config: ModelConfig, n: int, rank: int) -> Tensor:
    """One process's share of a weight: a view, the whole of it for norms.

    Args:
        name: canonical, such as layers.0.attention.wq.weight.
        weight: the whole.
        config: of the whole model.
        n, rank: processes, and which of them.
    """
    leaf = name.split(".")[-2]
    groups = {"wq": config.group_size * config.head_dim, "wk": config.head_dim, "wv": config.head_dim}
    if leaf in ("wq", "wk", "wv", "w1", "w3", "tok_embeddings", "output"):
        return split_columns(weight, n, rank, groups.get(leaf, 1))
    if leaf in ("wo", "w2"):
        return split_columns(weight.T, n, rank, groups["wq"] if leaf == "wo" else 1).T
    return weight


def local_config(config: ModelConfig, n: int, rank: int) -> ModelConfig:
    """The sizes of one process's share: fewer heads, a narrower inner layer, fewer rows of the tables.

    Raises:
        ConfigError: more processes than key/value heads, which cannot be cut.
    """
    if n > config.n_kv_heads:
        raise ConfigError(f"{n} processes for {config.n_kv_heads} key/value heads: start at most so many")
    sizes = (config.n_kv_heads, config.hidden_dim, config.vocab_size)
    groups, hidden, vocabulary = (len(split_columns(torch.empty(size, 0), n, rank)) for size in sizes)
    return replace(
        config, head_dim=config.head_dim, n_heads=groups * config.group_size, n_kv_heads=groups, hidden_dim=hidden,
        vocab_size=vocabulary,
    )  # fmt: skip


def local_checkpoint(checkpoint: Checkpoint, n: int, rank: int, dtype: torch.dtype) -> Checkpoint:
    """One process's share of a checkpoint; a tensor is cut as it is read, and the rest of it is not kept."""
    config = checkpoint.config
    small = {held: name for name, held in FLOAT_DTYPES.items()}[dtype]

    def read(name: str, tensor: StoredTensor) -> Tensor:
        whole = to_dtype(name, read_checked(name, tensor), tensor.format, dtype)
        return share_of(name, whole, config, n, rank).clone(memory_format=torch.contiguous_format)

    tensors = {}
    for name, tensor in checkpoint.tensors.items():
        share = share_of(name, torch.empty(tensor.shape, device="meta"), config, n, rank)
        tensors[name] = StoredTensor(
            shape=tuple(share.shape), format=small, read=partial(read, name, tensor), mapped=False
        )
    return replace(checkpoint, config=local_config(config, n, rank), tensors=tensors)


class SplitRows(nn.Module):
    """A matrix cut by its inputs: the processes' partial results are added up.

    Args:
        linear: this process's share.
        all_reduce: the sum of a tensor over all processes.
    """

    def __init__(self, linear: nn.Module, all_reduce: AllReduce) -> None:
        super().__init__()
        self.linear, self.all_reduce = linear, all_reduce

    def forward(self, x: Tensor) -> Tensor:  # (B, T, share of K) -> (B, T, N)
        return self.all_reduce(self.linear(x))


class SplitTable(nn.Module):
    """The embedding, of which each process holds some rows: whoever has a token's row gives it, the others give 0.

    Args:
        weight: (share of V, D).
        first: id of its first row.
        all_reduce: see SplitRows.
    """

    def __init__(self, weight: Tensor, first: int, all_reduce: AllReduce) -> None:
        super().__init__()
        self.weight, self.first, self.all_reduce = weight, first, all_reduce

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, T, D)
        rows = tokens - self.first
        mine = (rows >= 0) & (rows < len(self.weight))
        found = nn.functional.embedding(rows.clamp(0, len(self.weight) - 1), self.weight)
        return self.all_reduce(found * mine[..., None])


class SplitOutput(nn.Module):
    """The output matrix, of which each process scores some words; every process gets the scores of all.

    Args:
        weight: (share of V, D).
        first: id of its first row.
        vocab_size: V.
        all_reduce: see SplitRows.
    """

    def __init__(self, weight: Tensor, first: int, vocab_size: int, all_reduce: AllReduce) -> None:
        super().__init__()
        self.weight, self.first, self.vocab_size, self.all_reduce = weight, first, vocab_size, all_reduce

    def forward(self, x: Tensor) -> Tensor:  # (..., D) -> (..., V)
        logits = x.new_zeros(*x.shape[:-1], self.vocab_size)
        logits[..., self.first : self.first + len(self.weight)] = nn.functional.linear(x, self.weight)
        return self.all_reduce(logits)


def connect(model: Llama, vocab_size: int, first: int, all_reduce: AllReduce) -> Llama:
    """Let a model of shares speak with the others, in place.

    Args:
        model: built from one process's share of a checkpoint.
        vocab_size: V of the whole model.
        first: id of the first row of this share's tables.
        all_reduce: the sum of a tensor over all processes.
    """
    for layer in range(model.config.n_layers):
        for name in ("attention.wo", "feed_forward.w2"):
            path = f"layers.{layer}.{name}"
            model.set_submodule(path, SplitRows(model.get_submodule(path), all_reduce))
    table = model.tok_embeddings.weight
    output = table if model.output is None else model.output.get_parameter("weight")
    model.output = SplitOutput(output, first, vocab_size, all_reduce)
    model.set_submodule("tok_embeddings", SplitTable(table, first, all_reduce))
    model.config = replace(model.config, vocab_size=vocab_size)
    return model


def sum_over_processes(x: Tensor) -> Tensor:
    """The sum of a tensor over all processes, in its place."""
    dist.all_reduce(x)
    return x


def place() -> tuple[int, int, int]:
    """This process's rank, how many there are, and its rank on its machine, as torchrun says; (0, 1, 0) alone."""
    return tuple(
        int(os.environ.get(name, alone)) for name, alone in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
    )  # type: ignore[return-value]


def own_device(device: str | torch.device) -> torch.device:
    """This process's own: "cuda" is the GPU of its local rank."""
    kind = torch.device(device).type
    return torch.device(kind, place()[2]) if kind == "cuda" else torch.device(kind)


@contextmanager
def process_group(device: str | torch.device = "cpu") -> Iterator[torch.device]:
    """Join the processes that torchrun has started; gives this one's device.

    Args:
        device: "cpu" (gloo) or "cuda" (nccl).
    """
    own = own_device(device)
    if own.type == "cuda":
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield own
    finally:
        dist.destroy_process_group()


def load_parallel(
    path: str | Path | None = None,
    *,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype | None = None,
    tokenizer: str | Path | None = None,
) -> tuple[Llama, Tokenizer]:
    """Load this process's share of a model; to be called by all processes of a group, as everything it is used for.

    Args:
        path, tokenizer: see minillama.load.
        device: of this process.
        dtype: of the weights; None is float32 on a CPU and bfloat16 elsewhere. Quantized weights become floats.

    Returns:
        The model, which every process calls with the same tokens and which gives each of them the whole logits; its
        config counts this process's heads and channels. And the tokenizer.

    Raises:
        ConfigError: more processes than key/value heads, or no such dtype.
        CheckpointError, NotEnoughMemoryError: see minillama.load; the memory is that of the share.
    """
    rank, n = dist.get_rank(), dist.get_world_size()
    target = torch.device(device)
    held = dtype or ("float32" if target.type == "cpu" else "bfloat16")
    floats = getattr(torch, held, None) if isinstance(held, str) else held
    if not isinstance(floats, torch.dtype) or floats not in FLOAT_DTYPES.values():
        raise ConfigError(f"dtype is {dtype!r}, expected 'float32', 'bfloat16' or 'float16'")
    checkpoint = open_checkpoint(bundled_model() if path is None else path, tokenizer)
    local = local_checkpoint(checkpoint, n, rank, floats)
    words = checkpoint.tokenizer()
    model = load_opened(local, device=target, dtype=floats)
    vocab_size = checkpoint.config.vocab_size
    first = sum(local_config(checkpoint.config, n, each).vocab_size for each in range(rank))
    return connect(model, vocab_size, first, sum_over_processes), words
