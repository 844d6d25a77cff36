import csv
from pathlib import Path

import pytest
import torch

from minillama.errors import CheckpointError
from minillama.train.runs import LogFile, Position, load_checkpoint, remove_partial, save_checkpoint


def test_log_is_cut_back_to_the_step_that_comes(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = LogFile(path, ("step", "loss"))
    for step in range(5):
        log.write(step, 0.5)
    log.close()
    with path.open("a") as file:
        file.write("5,0.")  # cut off by a kill
    log = LogFile(path, ("step", "loss"), start=3)
    log.write(3, 0.25)
    log.close()
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["step", "loss"], ["0", "0.5"], ["1", "0.5"], ["2", "0.5"], ["3", "0.25"]]
    assert [each.name for each in tmp_path.iterdir()] == ["log.csv"]


def test_what_a_kill_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint.pt.x1.partial").write_bytes(b"half")
    (tmp_path / ".adapter.x2.partial").mkdir()
    (tmp_path / ".adapter.x2.partial" / "file").write_bytes(b"half")
    (tmp_path / ".adapter.x3.previous").mkdir()
    (tmp_path / "checkpoint.pt").write_bytes(b"whole")
    remove_partial(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize("damage", ["cut", "text", "foreign", "empty"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: str) -> None:
    path, weights = tmp_path / "checkpoint.pt", {"w": torch.nn.Parameter(torch.ones(3))}
    optimizer = torch.optim.AdamW(weights.values())
    save_checkpoint(path, weights, optimizer, Position(step=1), {})
    content = path.read_bytes()
    if damage == "foreign":
        torch.save({"other": 1}, path)
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(CheckpointError, match=r"checkpoint.pt: is damaged \(\w+\): delete it to start anew"):
        load_checkpoint(path, weights, optimizer, {})
