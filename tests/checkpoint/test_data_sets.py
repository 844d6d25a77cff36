"""Data by name, brought from a stand-in server on 127.0.0.1: the licence, the checksum, going on, refusals."""

import dataclasses
import hashlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minillama.checkpoint import data_sets
from minillama.checkpoint import download as module
from minillama.checkpoint.data_sets import DATA_SETS, data_folder, download_data_set
from minillama.cli import main
from minillama.errors import DownloadError
from tests.checkpoint.hub import COMMIT, Hub, serve

CONTENT = b'[{"instruction": "Say one.", "input": "", "output": "one"}]' * 20_000  # 1.2 MB


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    with serve(Hub({"owner/name": {"alpaca_data.json": CONTENT}})) as running:
        digest = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
        url = f"{running.url}/owner/name/resolve/{COMMIT}/alpaca_data.json"
        entry = dataclasses.replace(DATA_SETS["alpaca"], url=url, digest=digest)
        monkeypatch.setitem(data_sets.DATA_SETS, "alpaca", entry)
        yield running


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    log = logging.getLogger("minillama")
    monkeypatch.setattr(log, "handlers", log.handlers[:])  # the command puts its own in their place
    monkeypatch.setattr(log, "level", log.level)
    monkeypatch.setattr(sys, "argv", ["minillama", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_published_file_is_named() -> None:
    alpaca = DATA_SETS["alpaca"]
    assert alpaca.digest == "3779ddbc040543ab1834ef216c983d6fcc06cc9a"
    assert "CC BY-NC 4.0" in alpaca.licence


def test_a_file_comes_whole_and_once(server: Hub, tmp_path: Path) -> None:
    path = download_data_set("alpaca", tmp_path / "data")
    assert path == tmp_path / "data" / "alpaca_data.json"
    assert path.read_bytes() == CONTENT
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    server.requests.clear()
    download_data_set("alpaca", tmp_path / "data")
    assert server.requests == []
    path.write_bytes(CONTENT[:-1])
    download_data_set("alpaca", tmp_path / "data")
    assert path.read_bytes() == CONTENT


def test_a_cut_transfer_goes_on(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    server.cut_after["alpaca_data.json"] = 300_000
    with pytest.raises(DownloadError, match=r"answered 503 for alpaca_data\.json"):
        download_data_set("alpaca", tmp_path)
    assert not (tmp_path / "alpaca_data.json").exists()
    (partial,) = tmp_path.glob("*.part")
    have = partial.stat().st_size
    assert 0 < have <= 300_000
    server.cut_after.clear()
    server.requests.clear()
    download_data_set("alpaca", tmp_path)
    assert server.ranges("alpaca_data.json") == [f"bytes={have}-"]
    assert (tmp_path / "alpaca_data.json").read_bytes() == CONTENT
    assert not list(tmp_path.glob("*.part"))


def test_another_file_is_refused(server: Hub, tmp_path: Path) -> None:
    server.corrupt.add("alpaca_data.json")
    with pytest.raises(DownloadError, match=r"alpaca_data\.json came out different: checksum"):
        download_data_set("alpaca", tmp_path)
    assert not list(tmp_path.iterdir())


def test_errors_name_the_remedy(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match="no data are called 'alpaka', expected one of alpaca"):
        download_data_set("alpaka", tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot write to"):
        download_data_set("alpaca", tmp_path / "file" / "inner")
    away = dataclasses.replace(DATA_SETS["alpaca"], url="http://127.0.0.1:9/alpaca_data.json")
    monkeypatch.setitem(data_sets.DATA_SETS, "alpaca", away)
    with pytest.raises(DownloadError, match=r"from 127.0.0.1:9 broke off .*check the network"):
        download_data_set("alpaca", tmp_path / "away")


def test_the_licence_is_shown_and_must_be_accepted(
    server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "download", "alpaca", "--folder", str(tmp_path)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "licence: CC BY-NC 4.0" in shown.err
    assert "error: the licence of alpaca is not accepted: add --accept-licence" in shown.err
    assert server.requests == []
    assert _run(monkeypatch, "download", "Alpaca", "--folder", str(tmp_path), "--accept-licence") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'alpaca_data.json'}\n"


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2)])
def test_at_a_terminal_the_licence_is_asked_for(
    server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda question, err: answer == "y")
    monkeypatch.setenv("MINILLAMA_DATA", str(tmp_path))
    assert _run(monkeypatch, "download", "alpaca") == code
    assert (data_folder() / "alpaca_data.json").is_file() == (code == 0)


def test_the_list_names_the_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(monkeypatch, "download") == 0
    shown = capsys.readouterr().out
    assert "open-llama-7b" in shown
    assert "alpaca  CC BY-NC 4.0  52,002 instructions" in shown
