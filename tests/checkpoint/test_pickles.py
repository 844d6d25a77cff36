import contextlib
import os
import pickle
import re
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.checkpoint.pickles import PthWriter, open_pickle
from minillama.errors import CheckpointError

TENSORS = {
    "a": torch.arange(12, dtype=torch.float32).reshape(3, 4),
    "b": torch.arange(5).to(torch.bfloat16),
    "c.weight": torch.ones(2, 3, dtype=torch.float16),
}


class Payload:
    """What an attacker would put into a file: a call that runs when the pickle is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.target}",)


def same(path: Path, expected: dict[str, torch.Tensor]) -> bool:
    found = {name: tensor.read() for name, tensor in open_pickle(path).items()}
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("zipped", [True, False])
def test_reads_what_torch_saved(tmp_path: Path, zipped: bool) -> None:
    torch.save(TENSORS, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    assert same(tmp_path / "x.pth", TENSORS)


def test_views_of_one_storage_keep_their_shape_and_order(tmp_path: Path) -> None:
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    views = {"rows": whole[1:3], "turned": whole.t(), "whole": whole}
    torch.save(views, tmp_path / "x.pth")
    assert same(tmp_path / "x.pth", views)


@pytest.mark.parametrize("mapped", [True, False])
def test_torch_reads_what_the_stream_wrote(tmp_path: Path, mapped: bool) -> None:
    path = tmp_path / "x.pth"
    with PthWriter(path, [(name, tuple(t.shape), t.dtype) for name, t in TENSORS.items()]) as writer:
        for tensor in TENSORS.values():
            writer.write(tensor)
    found = torch.load(path, mmap=mapped, weights_only=True)
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)
    assert all(tensor.data_ptr() % 64 == 0 for tensor in found.values())
    assert zipfile.ZipFile(path).testzip() is None
    assert same(path, TENSORS)


def test_nothing_is_read_into_memory_and_changes_stay_out_of_the_file(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "x.pth")
    before = (tmp_path / "x.pth").read_bytes()
    tensor = open_pickle(tmp_path / "x.pth")["a"]
    assert tensor.mapped
    tensor.read().zero_()
    assert (tmp_path / "x.pth").read_bytes() == before


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "x.pth", tmp_path / "ran"
    torch.save({"a": Payload(trace)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"could run code.*system") as caught:
        open_pickle(path)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_the_payload_of_the_test_above_is_a_real_one(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("tenth", range(10))
def test_a_file_that_is_cut_off(tmp_path: Path, zipped: bool, tenth: int) -> None:
    path = tmp_path / "x.pth"
    torch.save(TENSORS, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(CheckpointError, match=r"x\.pth"):
        open_pickle(path)


def test_a_tensor_that_is_larger_than_its_file(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(1 << 40)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="damaged"):
        open_pickle(tmp_path / "x.pth")


def test_an_archive_that_would_unpack_into_more_than_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(10_000_000))
    with pytest.raises(CheckpointError, match="damaged"):
        open_pickle(tmp_path / "x.pth")


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"a": 3}, {1: torch.zeros(2)}, torch.zeros(2), "text"])
def test_something_else_than_named_tensors(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="expected"):
        open_pickle(tmp_path / "x.pth")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_byte_is_read_or_named_but_never_crashes(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    path = tmp_path_factory.mktemp("damaged") / "x.pth"
    torch.save(TENSORS, path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(CheckpointError):
        for tensor in open_pickle(path).values():
            tensor.read()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_is_no_model_says_one_line_whatever_the_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(pickle.dumps({"model": [1, 2, 3]}, protocol=protocol))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(CheckpointError) as caught:
            open_pickle(path)
    assert "\n" not in str(caught.value)
    assert warned == []


def rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Write an archive again with other contents of its records."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in records.items():
            archive.writestr(name, change(name, content))


def test_numbers_in_another_byte_order_are_refused(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "x.pth")
    script = "import sys; from pathlib import Path; from minillama.checkpoint.pickles import open_pickle\n"
    rewrite(tmp_path / "x.pth", lambda name, content: b"big" if name.endswith("byteorder") else content)
    done = subprocess.run(  # of its own: torch.load ends the process on such a file
        [sys.executable, "-c", script + "open_pickle(Path(sys.argv[1]))", tmp_path / "x.pth"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"CheckpointError: .*x\.pth: its byteorder is not little-endian", done.stderr)


@pytest.mark.parametrize("kept", [0, 40])
@pytest.mark.parametrize("number", [0, 1])
def test_a_record_that_is_shorter_than_its_tensor(tmp_path: Path, number: int, kept: int) -> None:
    torch.save({"a": torch.ones(12), "b": torch.ones(12)}, tmp_path / "x.pth")
    rewrite(tmp_path / "x.pth", lambda name, content: content[:kept] if name.endswith(f"data/{number}") else content)
    with pytest.raises(CheckpointError, match=rf"record data/{number} has {kept} bytes, expected 48|not in the file"):
        open_pickle(tmp_path / "x.pth")


def write_program(path: Path, program: bytes, zipped: bool) -> None:
    if not zipped:
        before = (torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {})
        path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in before) + program)
        return
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", program)
        archive.writestr("x/version", "3\n")


NESTED_BYTEARRAY = b"\x80\x02cbuiltins\nbytearray\ncbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x01\x85R\x85R."


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("program", "message"),
    [
        (NESTED_BYTEARRAY, r"builtins\.bytearray"),
        (b"\x80\x04\x8c\x08builtins\x8c\x09bytearray\x93.", r"builtins\.bytearray"),
        (b"\x80\x02" + b"(" * 3_000_000 + b".", "steps"),
        (b"\x80\x02" + b"(" * 30_000_000 + b".", "at most|steps"),
        (b"\x80\x02\x8a", "damaged"),
    ],
    ids=["bytearray", "bytearray by strings", "marks", "more marks", "cut off"],
)
def test_a_program_that_would_fill_the_memory_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: bytes, message: str, zipped: bool
) -> None:
    write_program(tmp_path / "x.pth", program, zipped)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("was run"))
    with pytest.raises(CheckpointError, match=message) as caught:
        open_pickle(tmp_path / "x.pth")
    assert "\n" not in str(caught.value)


def test_two_records_of_one_name(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "x.pth", "a") as archive:
        archive.writestr("X/DATA.PKL", b"N.")
    with pytest.raises(CheckpointError, match="two parts"):
        open_pickle(tmp_path / "x.pth")


def quantized() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are deprecated
        return torch.quantize_per_tensor(torch.eye(4), 0.1, 0, torch.qint8)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "make",
    [lambda: torch.empty(4, 4, device="meta"), lambda: torch.eye(4).to_sparse(), quantized],
    ids=["meta", "sparse", "quantized"],
)
def test_tensors_of_other_kinds(tmp_path: Path, make: Callable[[], torch.Tensor], zipped: bool) -> None:
    torch.save({"a": make()}, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"x\.pth: ") as caught:
        open_pickle(tmp_path / "x.pth")["a"].read()
    assert "\n" not in str(caught.value)
    assert "run code" not in str(caught.value)


@pytest.mark.parametrize("content", [b"cat on\nthe mat\n", b"GGUF" + bytes(100), b"hello", b"", b"<html></html>"])
def test_what_is_no_pickle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match="is no pickle"):
        open_pickle(tmp_path / "x.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_parameters_and_state_dicts_of_modules(tmp_path: Path, zipped: bool) -> None:
    layer = torch.nn.Linear(3, 2)
    torch.save(layer.state_dict(), tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    assert same(tmp_path / "x.pth", layer.state_dict())
    torch.save(dict(layer.named_parameters()), tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    assert same(tmp_path / "x.pth", layer.state_dict())


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn, torch.uint16])
def test_tensors_of_other_dtypes_are_listed_but_marked(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.save({"a": torch.zeros(3, dtype=dtype)}, tmp_path / "x.pth")
    assert open_pickle(tmp_path / "x.pth")["a"].format == f"? {dtype}"
