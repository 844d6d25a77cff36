import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from minillama.checkpoint.mapped import let_go, map_file, mapped_tensor
from minillama.errors import CheckpointError


def test_tensors_lie_in_the_file_and_changes_stay_out_of_it(tmp_path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(64)))
    tensor = mapped_tensor(map_file(path), 16, (2, 3), torch.int16)
    assert tensor.tolist() == [[0x1110, 0x1312, 0x1514], [0x1716, 0x1918, 0x1B1A]]
    tensor.zero_()
    assert path.read_bytes() == bytes(range(64))


def test_a_place_that_is_not_aligned_is_copied(tmp_path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(64)))
    assert mapped_tensor(map_file(path), 1, (2,), torch.int16).tolist() == [0x0201, 0x0403]
    assert mapped_tensor(map_file(path), 1, (0, 3), torch.int16).shape == (0, 3)


@pytest.mark.parametrize(("start", "shape"), [(60, (3,)), (-2, (1,)), (0, (1 << 40,))])
def test_a_tensor_must_end_before_the_file_does(tmp_path, start, shape) -> None:
    (tmp_path / "x").write_bytes(bytes(64))
    with pytest.raises(ValueError, match="of a file of 64"):
        mapped_tensor(map_file(tmp_path / "x"), start, shape, torch.float16)


def test_what_cannot_be_mapped_is_named(tmp_path) -> None:
    (tmp_path / "empty").touch()
    for name in ("empty", "missing"):
        with pytest.raises(CheckpointError, match=name):
            map_file(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files and overcommitting as Linux has them")
def test_a_file_larger_than_the_memory_can_be_mapped(tmp_path) -> None:
    size = 4 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with (tmp_path / "x").open("wb") as file:
        file.truncate(size)
    assert mapped_tensor(map_file(tmp_path / "x"), size - 8, (4,), torch.float16).sum() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")
def test_what_is_let_go_leaves_the_memory_and_is_read_again(tmp_path) -> None:
    def held() -> int:
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"RssFile:\s+(\d+)", status)[1]) * 1024

    size = 32 << 20
    (tmp_path / "x").write_bytes(bytes(range(256)) * (size // 256))
    file = map_file(tmp_path / "x")
    array = np.frombuffer(file, np.uint8)
    total, before = int(array.sum()), held()
    let_go(file, 5, size - 5)
    assert before - held() > size * 0.9
    assert int(array.sum()) == total
    let_go(file, 1, 100)  # no whole page
