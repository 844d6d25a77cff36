"""Notebooks run by nbval, as a teacher or a reader would run them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def nbval_faults(path: Path, home: Path) -> str:
    """What nbval says of a notebook that does not run to its end; empty where it does.

    Args:
        path: of the notebook.
        home: the folder that the learner's own pieces and progress lie in.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(ROOT)]
    command += ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "600", str(path)]
    environment = os.environ | {"MINILLAMA_HOME": str(home)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=1500)
    return "" if run.returncode == 0 else run.stdout[-3000:] + run.stderr[-1000:]
