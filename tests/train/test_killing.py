from pathlib import Path

import pytest

from tests.train import killing


@pytest.mark.parametrize("kind", killing.KINDS)
def test_a_run_that_is_killed_becomes_what_it_would_have(kind: str, tmp_path: Path) -> None:
    counts = killing.campaign(kind, n_kills=3, n_steps=40, folder=tmp_path, seed=1)
    assert counts["kills"] > 0
    assert counts["files the same"] > 4
