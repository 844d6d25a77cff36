"""Training over several processes: each reads other rows, and holds a share of weights, gradients and optimizer.

torch's FSDP2 cuts every parameter by its first axis. A block's weights are gathered just before the block computes, and
dropped after it; gradients are averaged over the processes and scattered, each share to its holder. It runs on GPUs
(nccl) and on CPUs (gloo). Quantized matrices are no parameters: every process holds those of a 4-bit base whole.

    torchrun --nproc-per-node 2 -m minillama.train pretrain --out run

Source: Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel".
"""

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from minillama.model import Llama
from minillama.parallel import process_group
from minillama.train import loop, runs
from minillama.train.data import Batch
from minillama.train.loop import TrainPieces
from minillama.train.runs import Position
from minillama.train.sharing import Alone

STATE_BYTES = (("weights", 4), ("gradients", 4), ("optimizer", 8))  # of a float32 parameter; AdamW keeps two averages


def shard_bytes(n_parameters: int, n: int, sharded: Collection[str] = ("weights", "gradients", "optimizer")) -> int:
    """What a process holds of a model in training, between two steps.

    Args:
        n_parameters: of the whole model, all of which learn.
        n: processes.
        sharded: the kinds of state that are cut into n shares of whole parameters; the others every process holds
            whole. () is plain data parallelism, all three are FSDP.

    Returns:
        Bytes, of the largest share. Activations are not in it, nor the block that FSDP has put together just then.

    Source: Rajbhandari et al. 2020, "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", section 3.

    >>> shard_bytes(1_000, 8, sharded=("optimizer",))
    9000
    """
    held = 0
    for kind, size in STATE_BYTES:
        held += size * (-(-n_parameters // n) if kind in sharded else n_parameters)
    return held


def rows_of(batch: Batch, n: int, rank: int) -> Batch:
    """The rows of a batch that one process reads: every n-th. Where none is left, a row that does not count."""
    tokens = batch.tokens[rank::n]
    if not len(tokens):
        return Batch(batch.tokens[:1], torch.zeros_like(batch.tokens[:1], dtype=torch.float32))
    return Batch(tokens, None if batch.weights is None else batch.weights[rank::n])


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Sequence[Batch],
    lr: float,
    clip: float = 1.0,
    bf16: bool = False,
) -> float:
    """loop.train_step of which each process does its rows: the same loss, and the same step.

    FSDP averages the gradients of the n processes. Each divides the sum of its losses by the weight of all tokens over
    n, so that every token counts alike, whichever process has it.

    Args:
        model: shared by the processes.
        batches: the whole step's, in every process.
        optimizer, lr, clip, bf16: see loop.train_step.

    Returns:
        The loss of all rows before the step, nats a token.
    """
    rank, n = dist.get_rank(), dist.get_world_size()
    total = sum(batch.total_weight for batch in batches)
    mine = [rows_of(batch, n, rank) for batch in batches]
    loss = torch.tensor(loop.train_step(model, optimizer, mine, lr, clip, bf16, total / n), dtype=torch.float64)
    mean = loss.to(batches[0].tokens.device)
    dist.all_reduce(mean)
    return mean.item() / n


class _Whole:
    """A parameter in shares as the files have it, whole: what is read is cut, what is written is gathered."""

    def __init__(self, parameter: nn.Parameter) -> None:
        self.parameter = parameter

    @property
    def shape(self) -> torch.Size:
        return self.parameter.shape

    def copy_(self, whole: Tensor) -> None:
        _cut_like(whole, self.parameter, into=self.parameter)

    def detach(self) -> Tensor:
        return _gather(self.parameter.detach())


class _WholeOptimizer:
    """An optimizer over parameters in shares as the files have it."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        state = self.optimizer.state_dict()
        gathered = {i: {name: _gather(each) for name, each in held.items()} for i, held in state["state"].items()}
        return {**state, "state": gathered}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        parameters = [each for group in self.optimizer.param_groups for each in group["params"]]
        cut = {
            i: {name: _cut_like(each, parameters[i]) if each.dim() else each for name, each in held.items()}
            for i, held in state["state"].items()
        }
        self.optimizer.load_state_dict({**state, "state": cut})


def _gather(value: Any) -> Any:
    """A tensor with all of its shares; all processes have to ask for it, and the first alone keeps it."""
    whole = value.full_tensor() if isinstance(value, DTensor) else value
    return whole.cpu() if isinstance(whole, Tensor) and dist.get_rank() == 0 else None


@torch.no_grad()
def _cut_like(whole: Tensor, parameter: Tensor, into: Tensor | None = None) -> Tensor:
    """This process's share of a tensor that all processes have, cut as a parameter is."""
    if not isinstance(parameter, DTensor):
        return whole if into is None else into.copy_(whole)
    placed = distribute_tensor(
        whole.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )
    return placed if into is None else into.copy_(placed)


def save_checkpoint(
    path: Path,
    weights: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    position: Position,
    recipe: Mapping[str, Any],
) -> None:
    """runs.save_checkpoint of a shared model: the same file as one process writes, written by the first."""
    whole: Any = {name: _Whole(parameter) for name, parameter in weights.items()}
    gathering: Any = _WholeOptimizer(optimizer)
    if dist.get_rank() == 0:
        runs.save_checkpoint(path, whole, gathering, position, recipe)
    else:
        for parameter in whole.values():
            parameter.detach()
        gathering.state_dict()


def load_checkpoint(
    path: Path, weights: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, recipe: Mapping[str, Any]
) -> Position:
    """runs.load_checkpoint into a shared model, by whatever number of processes the file was written."""
    whole: Any = {name: _Whole(parameter) for name, parameter in weights.items()}
    cutting: Any = _WholeOptimizer(optimizer)
    position = runs.load_checkpoint(path, whole, cutting, recipe)
    return replace(position, threads=None)  # the sums are in another order anyway


class Together(Alone):
    """The processes that torchrun has started; each holds a share of the model.

    Args:
        device: this process's.
    """

    pieces = TrainPieces(train_step=train_step, save_checkpoint=save_checkpoint, load_checkpoint=load_checkpoint)

    def __init__(self, device: torch.device) -> None:
        self.device, self.first = device, dist.get_rank() == 0

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """See Alone.in_turn."""
        if not self.first:
            dist.barrier()
        yield
        if self.first:
            dist.barrier()

    def share(self, model: Llama) -> None:
        """Cut every block's parameters, and then what stands outside of the blocks, over the processes."""
        mesh = init_device_mesh(self.device.type, (dist.get_world_size(),))
        for part in (*model.layers, model):
            # without it the tables would stay gathered after an evaluation, and be no shares for who looks at them then
            fully_shard(part.to(self.device), mesh=mesh, reshard_after_forward=True)

    @contextmanager
    def folder(self, out: Path) -> Iterator[Path]:
        """The run's folder; for all but the first, one that vanishes and in which the checkpoint can be read."""
        if self.first:
            yield out
            return
        with tempfile.TemporaryDirectory() as own:
            (Path(own) / runs.CHECKPOINT).symlink_to((out / runs.CHECKPOINT).absolute())
            yield Path(own)

    def loading_device(self, device: str) -> str:
        """The CPU, whose memory is larger: block by block goes to the GPU, and a share of it stays there."""
        return "cpu"

    def whole_tensor(self, tensor: Tensor) -> Tensor:
        """See Alone.whole_tensor."""
        held: Any = tensor.detach()
        return held.full_tensor() if isinstance(held, DTensor) else held

    def whole(self, model: Llama) -> Llama:
        """See Alone.whole."""
        weights = {name: _gather(parameter.detach()) for name, parameter in model.named_parameters()}
        whole = Llama(model.config)
        if self.first:
            whole.load_state_dict(weights)
        return whole


@contextmanager
def together(device: str | torch.device = "cpu") -> Iterator[Together]:
    """Join the processes that torchrun has started, for a training.

    Args:
        device: "cpu" or "cuda".
    """
    with process_group(device) as own:
        yield Together(own)
