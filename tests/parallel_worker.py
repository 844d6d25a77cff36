"""One of several processes: python -m torch.distributed.run ... -m tests.parallel_worker OUT MODEL..."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

from minillama.cli.processes import agree_on_seed
from minillama.parallel import load_parallel, process_group, split_columns


def main(out, *models):
    """Logits of each model, its share's size, whether shares of even sizes are DTensor's, and a seed."""
    with process_group(), torch.inference_mode():
        rank, n = dist.get_rank(), dist.get_world_size()
        found = []
        for path in models:
            model, _ = load_parallel(path)
            tokens = torch.arange(2 * 24).view(2, 24) * 7 % 200
            cache = model.new_cache(2, 24)
            whole, parts = model(tokens), torch.cat([model(each, cache) for each in tokens.split((20, 3, 1), 1)], 1)
            found.append((whole, parts, sum(each.numel() for each in model.parameters())))
        weight = torch.arange(24.0 * n * 3).view(24 * n, 3)
        theirs = distribute_tensor(weight, init_device_mesh("cpu", (n,)), [Shard(0)]).to_local()
        same = torch.equal(theirs, split_columns(weight, n, rank, unit=8))
        torch.save((found, same, agree_on_seed("cpu", None)), Path(out) / f"{rank}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
