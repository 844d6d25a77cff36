import os
import sys
from pathlib import Path

import pytest

from minillama.checkpoint import load_tokenizer, open_checkpoint
from minillama.checkpoint.files import check_readable, read_json, size_text
from minillama.checkpoint.mapped import map_file
from minillama.checkpoint.pickles import open_pickle
from minillama.checkpoint.safetensors_files import open_safetensors
from minillama.errors import CheckpointError
from tests.checkpoint.models import hf_folder, meta_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes among its files")
READERS = [check_readable, read_json, map_file, open_pickle, open_safetensors, open_checkpoint, load_tokenizer]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path, reader) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(CheckpointError, match="expected a regular file"):
            reader(path)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (hf_folder, "model.safetensors"),
        (hf_folder, "config.json"),
        (hf_folder, "tokenizer.model"),
        (meta_folder, "params.json"),
        (meta_folder, "consolidated.00.pth"),
        (meta_folder, "tokenizer.model"),
    ],
)
def test_a_pipe_in_a_folder_is_refused_at_once(tmp_path: Path, make, name: str) -> None:
    folder = make(tmp_path / "m")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(CheckpointError, match=rf"{name}: .*expected a regular file"):
        open_checkpoint(folder).tokenizer()


@pytest.mark.parametrize("reader", READERS[:-1], ids=lambda reader: reader.__name__)
def test_what_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x").write_bytes(bytes(100))
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"x: cannot be read \(Permission denied\)"):
        reader(tmp_path / "x")


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (99_999, "99999 bytes"), (5e5, "0.5 MB"), (2e9, "2.0 GB")])
def test_sizes_are_told_in_units_that_show_them(size: float, text: str) -> None:
    assert size_text(int(size)) == text
