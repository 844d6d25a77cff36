"""Run a module of the tests in several processes that torchrun starts on this machine."""

import os
import subprocess
import sys


def torchrun(n, *arguments, timeout=300):
    """`torchrun --nproc-per-node n -m ARGUMENTS`, one thread each."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n), "-m"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )
