"""What a run keeps in its folder, so that it can be killed at any moment and go on as if it had not been.

A checkpoint holds what learns, the optimizer, and how far the run has come. Data and dropout need no state: both follow
from the seed and the step. It replaces the one before in a single rename, and the log is cut back to it.
"""

import csv
import io
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from minillama.errors import CheckpointError, ConfigError
from minillama.files import new_file

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a run has come.

    Args:
        step: steps taken.
        n_tokens: tokens predicted by them.
        threads: that torch computed with; another number adds in another order, and changes the last digits.
    """

    step: int = 0
    n_tokens: int = 0
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a run reports after a step.

    Args:
        step: how many have been taken, and of how many.
        n_steps: in all.
        loss: of the step's batches before it, nats a token.
        lr: learning rate.
        n_tokens: predicted so far.
        seconds: that the step took.
        validation: loss on held-out data, where it was measured after this step.
        sample: what the model wrote then, if anything.
    """

    step: int
    n_steps: int
    loss: float
    lr: float
    n_tokens: int
    seconds: float
    validation: float | None = None
    sample: str = ""


def learning(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_checkpoint(
    path: Path,
    weights: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    position: Position,
    recipe: Mapping[str, Any],
) -> None:
    """Write a run's state so that a crash at any moment leaves the last good file.

    Args:
        path: of the file.
        weights: what learns.
        optimizer: over them.
        position: how far the run has come.
        recipe: what the run must be the same in to go on, of plain types.
    """
    state = {
        "weights": {name: parameter.detach() for name, parameter in weights.items()},
        "optimizer": optimizer.state_dict(),
        "position": vars(position),
        "recipe": dict(recipe),
    }
    with new_file(path) as file:
        torch.save(state, file)


def load_checkpoint(
    path: Path, weights: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, recipe: Mapping[str, Any]
) -> Position:
    """Put back what save_checkpoint wrote; see there.

    Raises:
        CheckpointError: the file is damaged.
        ConfigError: the run was started with another recipe, or learns in other weights.
    """
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        found, position = state["recipe"], Position(**state["position"])
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: is damaged ({type(error).__name__}): delete it to start anew") from error
    if found != recipe:
        names = sorted(key for key in found.keys() | recipe.keys() if found.get(key) != recipe.get(key))
        raise ConfigError(f"{path} was trained with other settings ({', '.join(names)}): use them, or another folder")
    shapes = {name: parameter.shape for name, parameter in weights.items()}
    if {name: tensor.shape for name, tensor in state["weights"].items()} != shapes:
        raise ConfigError(f"{path} is of a model with other weights: train the same one, or use another folder")
    with torch.no_grad():
        for name, parameter in weights.items():
            parameter.copy_(state["weights"][name])
    optimizer.load_state_dict(state["optimizer"])
    return position


def remove_partial(folder: Path) -> None:
    """Remove what a killed run had half written under a temporary name (see new_file and new_folder)."""
    for path in [*folder.glob(".*.partial"), *folder.glob(".*.previous")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


class LogFile:
    """A CSV file with a row a step at most, cut back to the step that a resumed run starts with.

    Args:
        path: of the file.
        header: names of the columns; the first is the step.
        start: rows of this step and later ones are dropped.
    """

    def __init__(self, path: Path, header: tuple[str, ...], start: int = 0) -> None:
        kept = []
        if start and path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in csv.reader(file) if row and row[0].isdecimal() and int(row[0]) < start]
        text = io.StringIO(newline="")
        csv.writer(text).writerows([header, *kept])
        with new_file(path) as whole:
            whole.write(text.getvalue().encode("utf-8"))
        self._file = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)

    def write(self, *row: object) -> None:
        """Add a row, which is in the file when this returns."""
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()


class RunLog:
    """A run's log.csv and samples.csv.

    Args:
        folder: of the run.
        start: the step that the run goes on with.
    """

    def __init__(self, folder: Path, start: int) -> None:
        header = ("step", "tokens", "loss", "validation", "lr", "seconds")
        self._rows = LogFile(folder / "log.csv", header, start)
        self._samples = LogFile(folder / "samples.csv", ("step", "text"), start)

    def write(self, progress: Progress) -> None:
        """Add a step."""
        held = "" if progress.validation is None else f"{progress.validation:.4f}"
        step, loss, lr, seconds = progress.step - 1, progress.loss, progress.lr, progress.seconds
        self._rows.write(step, progress.n_tokens, f"{loss:.6f}", held, f"{lr:.3e}", f"{seconds:.4f}")
        if progress.sample:
            self._samples.write(step, progress.sample)

    def close(self) -> None:
        """End both files."""
        self._rows.close()
        self._samples.close()
