"""Commands that torchrun starts in several processes."""

import atexit
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from minillama.cli.app import settings, start_logging
from minillama.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from minillama.model import Llama
    from minillama.tokenizer import Tokenizer
    from minillama.train.sharing import Alone


def started_by_torchrun() -> bool:
    """Is this one of several processes?"""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def same_seed(device: str, seed: int | None) -> int:
    """Join the other processes, and agree on a seed with them.

    Args:
        device: "cpu" or "cuda".
        seed: None draws one.
    """
    from minillama.parallel import process_group

    stack = ExitStack()
    atexit.register(stack.close)
    return agree_on_seed(stack.enter_context(process_group(device)), seed)


def agree_on_seed(device: "torch.device | str", seed: int | None) -> int:
    """The first process's seed, in all of them; None draws one."""
    import torch
    import torch.distributed as dist

    chosen = torch.tensor([torch.seed() % 2**31 if seed is None else seed], device=device)
    dist.broadcast(chosen, 0)
    return int(chosen)


def load_share(
    path: Path, *, quant: str | None, device: str, dtype: str | None, tokenizer: Path | None
) -> "tuple[Llama, Tokenizer]":
    """Load this process's share of a model; after it, only the first process prints results and notes.

    Raises:
        ConfigError: a quantization was asked for.
    """
    if quant not in (None, "none"):
        raise ConfigError(f"quant is {quant!r}, but a model over several processes keeps floats: leave it out")
    from minillama.parallel import load_parallel, own_device, place

    model, words = load_parallel(path, device=own_device(device), dtype=dtype, tokenizer=tokenizer)
    if place()[0]:
        be_silent()
    return model, words


def be_silent() -> None:
    """Print no more results and notes: the first process does."""
    settings.quiet = True
    start_logging()
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (to the end of the process)


def join_training(device: str = "cpu") -> "Alone":
    """The processes of a training: this one alone, or those that torchrun has started.

    Args:
        device: "cpu" or "cuda".
    """
    if not started_by_torchrun():
        from minillama.train.sharing import ALONE

        return ALONE
    from minillama.train.distributed import together

    stack = ExitStack()
    atexit.register(stack.close)
    processes = stack.enter_context(together(device))
    if not processes.first:
        be_silent()
    return processes
