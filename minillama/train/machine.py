"""What a machine's memory and arithmetic ask of a training."""

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

log = logging.getLogger(__name__)

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # as torch names them on x86 and Arm


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in its own instructions, and does not imitate them slowly."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        return any(found.get(name) is True for name in BF16_INSTRUCTIONS)
    return False


def usable_bf16(wanted: bool, device: torch.device) -> bool:
    """bfloat16 where it is wanted and the device has it; a line in the log where it has not."""
    if wanted and not has_bf16(device):
        log.warning("bf16: this %s has no bfloat16 instructions, so the matrix products are float32", device.type)
        return False
    return wanted


@contextmanager
def pinned(threads: int | None, device: torch.device) -> Iterator[int]:
    """Compute with the threads that a run began with, and leave the caller's random numbers as they are.

    Args:
        threads: as recorded; None for as many as there are.
        device: whose random numbers are used.

    Yields:
        The number of threads, to hold on to in every step.
    """
    now = torch.get_num_threads()
    if threads is not None and threads != now:
        log.warning("the run began with %d threads, not %d: it goes on so, to give the same losses", threads, now)
        torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield torch.get_num_threads()
    finally:
        torch.set_num_threads(now)


def hold_threads(threads: int) -> None:
    """Set torch's threads again: Numba's kernels, which quantize a snapshot, set those of the whole process."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def seed_step(seed: int, step: int) -> None:
    """Let what is drawn in a step, as dropout is, depend on seed and step alone."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1)[0]))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout, and afterwards as before."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@contextmanager
def recomputing(model: Any, wanted: bool = True) -> Iterator[None]:
    """Keep only each block's input for the backward pass, and compute the rest again: less memory, a third more time.

    The non-reentrant kind, for which no input needs a gradient: embeddings may be frozen. What dropout drew is drawn
    again. Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".

    Args:
        model: whose `layers` are the blocks.
        wanted: False leaves everything as it is.
    """
    blocks: list[nn.Module] = list(model.layers) if wanted else []
    for block in blocks:
        block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward
