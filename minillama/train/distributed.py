"""Training over several processes."""

from collections.abc import Collection

STATE_BYTES = {"weights": 4, "gradients": 4, "optimizer": 8}  # of one parameter in float32; AdamW keeps two averages


def shard_bytes(n_parameters: int, n: int, sharded: Collection[str] = tuple(STATE_BYTES)) -> int:
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
    for kind, size in STATE_BYTES.items():
        held += size * (-(-n_parameters // n) if kind in sharded else n_parameters)
    return held
