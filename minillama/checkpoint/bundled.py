"""The models in the package: the one that `load()` takes, an adapter to it, smaller siblings, moments of a training."""

import re
from importlib import resources
from pathlib import Path

from minillama.errors import CheckpointError

BUNDLED = "minillama-tiny-f16.gguf"
ADAPTER = "minillama-tiny-instructions"
SIBLINGS = ("tiny-0.6m", "tiny-2m")  # trained with the same number of operations: the smaller on more text
SNAPSHOT = re.compile(r"tiny-1m-step-(\d{6})-q8_0\.gguf")


def bundled_model() -> Path:
    """Where the bundled model lies.

    Raises:
        CheckpointError: it is not there.
    """
    return _asset(BUNDLED)


def bundled_sibling(name: str) -> Path:
    """Where a sibling of the bundled model lies, in Q8_0; `tiny-siblings.md` beside it tells how it was trained.

    Args:
        name: one of SIBLINGS, which are presets too.

    Raises:
        CheckpointError: there is no sibling of this name, or the file is not there.
    """
    if name not in SIBLINGS:
        raise CheckpointError(f"sibling is {name!r}, expected one of {', '.join(SIBLINGS)}")
    return _asset(f"{name}-q8_0.gguf")


def bundled_snapshots() -> dict[int, Path]:
    """The model of preset tiny-1m at several moments of its training: from steps done to a file in Q8_0, in order.

    Raises:
        CheckpointError: none is there.
    """
    found = {int(match[1]): path for path in _folder().iterdir() if (match := SNAPSHOT.fullmatch(path.name))}
    if not found:
        raise CheckpointError(
            f"{_folder()}: the snapshots tiny-1m-step-NNNNNN-q8_0.gguf are missing: reinstall minillama"
        )
    return dict(sorted(found.items()))


def bundled_adapter() -> Path:
    """Where the instruction adapter of the bundled model lies: a folder in PEFT's format.

    Raises:
        CheckpointError: it is not there.
    """
    path = _folder() / ADAPTER
    if not (path / "adapter_model.safetensors").is_file():
        raise CheckpointError(f"{path}: missing from the package: reinstall minillama, or give a path")
    return path


def bundled_log(name: str) -> Path:
    """The losses of a bundled model's training: a CSV file of step, tokens, loss, validation and lr.

    Args:
        name: "tiny" for the bundled model, "tiny-1m" for the run of the snapshots, or one of SIBLINGS.

    Raises:
        CheckpointError: it is not there.
    """
    return _asset("minillama-tiny-log.csv" if name == "tiny" else f"{name}-log.csv")


def _folder() -> Path:
    return Path(str(resources.files("minillama") / "assets"))


def _asset(name: str) -> Path:
    path = _folder() / name
    if not path.is_file():
        raise CheckpointError(f"{path}: missing from the package: reinstall minillama, or give a path")
    return path
