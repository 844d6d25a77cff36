"""What every test shares: one thread for PyTorch, no deadlines, and the folder of real files."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Read when PyTorch is first imported. The tensors of tests are small, and several workers may run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A machine that is busy is no reason to fail; what takes long is seen in --durations.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tokenizers, weights and data sets; tests that need it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is not beside the repository")
    return SHARED


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Give the package's logger back its level and handlers: the command line sets both for its whole process."""
    logger = logging.getLogger("minillama")
    level, handlers = logger.level, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers
