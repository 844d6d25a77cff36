import contextlib
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from minillama.checkpoint.safetensors_files import SafetensorsWriter, open_safetensors
from minillama.errors import CheckpointError

TENSORS = {
    "a": torch.arange(12, dtype=torch.float32).reshape(3, 4),
    "b": torch.arange(5).to(torch.bfloat16),
    "c.weight": torch.ones(2, 3, dtype=torch.float16),
}


def test_reads_what_the_library_wrote(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"format": "pt"})
    found = open_safetensors(tmp_path / "x.safetensors")
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name].read(), tensor)
        assert found[name].shape == tuple(tensor.shape)


def test_the_library_reads_what_the_stream_wrote(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with SafetensorsWriter(path, [(name, tuple(t.shape), t.dtype) for name, t in TENSORS.items()]) as writer:
        for tensor in TENSORS.values():
            writer.write(tensor)
    found = load_file(path)
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_other_dtypes_are_listed_but_marked(tmp_path: Path) -> None:
    save_file({"ids": torch.arange(3)}, tmp_path / "x.safetensors")
    assert open_safetensors(tmp_path / "x.safetensors")["ids"].format == "? I64"


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_that_is_cut_off(tmp_path: Path, tenth: int) -> None:
    path = tmp_path / "x.safetensors"
    save_file(TENSORS, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(CheckpointError, match="cut off or damaged"):
        open_safetensors(path)


@pytest.mark.parametrize("length", [0, 1, 1 << 20, 1 << 40, (1 << 64) - 1])
def test_a_header_of_absurd_length(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.safetensors"
    save_file(TENSORS, path)
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(CheckpointError, match="cut off or damaged"):
        open_safetensors(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_byte_is_read_or_named_but_never_crashes(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    path = tmp_path_factory.mktemp("damaged") / "x.safetensors"
    save_file(TENSORS, path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(CheckpointError):
        for tensor in open_safetensors(path).values():
            if not tensor.format.startswith("?"):
                tensor.read()


@pytest.mark.parametrize("padding", [0, 1])
def test_what_is_not_aligned_is_read_but_not_called_mapped(tmp_path: Path, padding: int) -> None:
    path = tmp_path / "x.safetensors"
    save_file(TENSORS, path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length] + b" " * padding
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    for name, tensor in open_safetensors(path).items():
        assert tensor.mapped == (padding == 0)
        assert torch.equal(tensor.read(), TENSORS[name])
