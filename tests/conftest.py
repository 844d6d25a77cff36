"""What every test shares: one thread for PyTorch, and the folder of real files."""

import os
from pathlib import Path

import pytest

# Read when PyTorch is first imported. The tensors of tests are small, and several workers may run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tokenizers, weights and data sets; tests that need it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not beside the repository")
    return SHARED
