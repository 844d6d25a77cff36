import os
from pathlib import Path

import pytest

from minillama.files import new_file


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_bytes(b"old")
    with new_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["note"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    def fail_half_way() -> None:
        with new_file(tmp_path / "note") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert os.listdir(tmp_path) == []


def test_others_may_read_it(tmp_path: Path) -> None:
    with new_file(tmp_path / "note") as file:
        file.write(b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "note").stat().st_mode == (tmp_path / "plain").stat().st_mode
