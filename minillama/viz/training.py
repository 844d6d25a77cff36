"""A training run while it goes on, and played again: losses up to a step, and what held-out text cost by then."""

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minillama.errors import DataError
from minillama.train.runs import Progress
from minillama.viz.figure import COLOURS, Control, Picture, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POSITIONS = 100  # of the slider
LONGEST_LINE = 80  # characters of what a model wrote


def read_log(path: Path) -> dict[str, np.ndarray]:
    """The columns of a training log as numbers; nothing was measured where there is NaN.

    Raises:
        DataError: no step or no loss in it.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"step", "loss"} <= rows[0].keys():
        raise DataError(f"{path}: expected a CSV file with the columns step and loss, of a training")
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


class Player(Control):
    """A slider over a training: the curve so far, the moment, what was measured there.

    Args:
        log: columns of `read_log`; validation and lr are shown if they are there.
        moments: step -> a line to show from that step on, such as what the model wrote.

    >>> viz.training.Player(viz.training.read_log(bundled_log("tiny")))
    """

    def __init__(self, log: Mapping[str, Sequence[float] | np.ndarray], moments: Mapping[int, str] = {}) -> None:
        self.log = {name: np.asarray(column, np.float64) for name, column in log.items()}
        self.moments = dict(sorted(moments.items()))
        steps, losses = self.log["step"], self.log["loss"]
        alt = (
            f"Loss by step, from {losses[0]:.2f} nats a token at step {steps[0]:,.0f} to {losses[-1]:.2f} at step "
            f"{steps[-1]:,.0f}; a slider shows the run up to a moment."
        )
        super().__init__(self.draw, alt, percent_of_the_run=(1, POSITIONS, POSITIONS))

    def draw(self, percent_of_the_run: int) -> "Figure":
        """The run up to a share of its steps."""
        steps, losses = self.log["step"], self.log["loss"]
        upto = steps <= steps[-1] * percent_of_the_run / POSITIONS
        upto[0] = True
        now = int(np.flatnonzero(upto)[-1])
        figure, axes = new_figure(5.4, 3.6)
        axes.plot(steps, losses, color=COLOURS[3], linewidth=0.8, alpha=0.35)
        axes.plot(steps[upto], losses[upto], color=COLOURS[0], linewidth=1.2, label="training")
        axes.plot(steps[now], losses[now], "o", color=COLOURS[0])
        held = self.log.get("validation", np.full(len(steps), np.nan))
        known = upto & np.isfinite(held)
        if known.any():
            axes.plot(steps[known], held[known], "s--", markersize=4, color=COLOURS[2], label="held-out text")
        said = [f"step {steps[now]:,.0f}: loss {losses[now]:.2f}, one of {np.exp(losses[now]):,.0f} equal guesses"]
        if "lr" in self.log:
            said.append(f"learning rate {self.log['lr'][now]:.1e}")
        said.extend([line for step, line in self.moments.items() if step <= steps[now]][-1:])
        axes.set(xlabel="step", ylabel="loss in nats a token", xlim=(0, steps[-1] * 1.02))
        axes.set_ylim(0, 1.05 * max(losses.max(), np.nanmax(held, initial=0)))
        axes.legend(frameon=False)
        figure.suptitle("\n".join(said), fontsize="medium", x=0.02, ha="left")
        return figure


class LiveCurve:
    """A curve that grows in a notebook while a model trains; its last picture stays there.

    Args:
        seconds: between two drawings.

    >>> train(model, source, config, out, report=viz.training.LiveCurve())
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.log: dict[str, list[float]] = {name: [] for name in ("step", "loss", "validation", "lr")}
        self.moments: dict[int, str] = {}
        self._drawn, self._shown = 0.0, None

    def __call__(self, progress: Progress) -> None:
        """Take a step in; draw, if it is time or the last step."""
        held = float("nan") if progress.validation is None else progress.validation
        for name, value in (
            ("step", progress.step),
            ("loss", progress.loss),
            ("validation", held),
            ("lr", progress.lr),
        ):
            self.log[name].append(value)
        if progress.sample:
            self.moments[progress.step] = progress.sample.strip().partition("\n")[0][:LONGEST_LINE]
        if progress.step == progress.n_steps or time.monotonic() - self._drawn >= self.seconds:
            self.show()
            self._drawn = time.monotonic()

    def picture(self) -> Picture:
        """The run so far."""
        return Player(self.log, self.moments).picture()

    def show(self) -> None:
        """Draw the run so far, in the place of what was drawn before."""
        from IPython.display import display

        if self._shown is None:
            self._shown = display(self.picture(), display_id=True)
        else:
            self._shown.update(self.picture())
