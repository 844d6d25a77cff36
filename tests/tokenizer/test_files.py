"""Tokenizer files are read with limits, and written whole or not at all."""

import pytest

from minillama.errors import TokenizerError
from minillama.tokenizer import files
from minillama.tokenizer.files import read_bytes, write_bytes


def test_what_was_written_is_read(tmp_path):
    write_bytes(tmp_path / "file", b"one")
    write_bytes(tmp_path / "file", b"two")
    assert read_bytes(tmp_path / "file") == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_absurdly_large_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 3)
    (tmp_path / "file").write_bytes(b"four")
    with pytest.raises(TokenizerError, match="at most 3"):
        read_bytes(tmp_path / "file")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(TokenizerError, match="cannot be written"):
        write_bytes(tmp_path / "none" / "file", b"")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(TokenizerError, match="no such file"):
        read_bytes(tmp_path / "none")
