"""Pictures of lesson 14: thin matrices, the ranks of a change, how loud an adapter is, and what training one takes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from minillama.checkpoint.memory import weight_bytes
from minillama.checkpoint.source import tensor_shapes
from minillama.config import PRESETS, ModelConfig
from minillama.model import count_parameters
from minillama.viz.figure import COLOURS, Choice, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

D = 4096  # of the 7B's wq
RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
MODELS = ("tinyllama-1.1b", "llama-7b", "llama-13b", "llama-33b", "llama-65b")
PLACES = {"wq, wv": ("wq", "wv"), "all seven": ("wq", "wk", "wv", "wo", "w1", "w2", "w3")}
WAYS = ("all weights learn", "adapters, base in 16 bits", "adapters, base in 4 bits")
MACHINES = (8, 24, 80, 640)  # GB: a laptop, a large card for games, an A100, eight of them
HATCHES = ("", "//", "..")


def draw_thin(rank: int) -> "Figure":
    """W of 4096 x 4096 with its A and B, drawn to scale."""
    from matplotlib.patches import Rectangle

    figure, axes = new_figure(5.4, 3.4)
    axes.add_patch(Rectangle((0, 0), D, D, facecolor="#eceff2", edgecolor=COLOURS[3]))
    axes.text(D / 2, D / 2, f"W\n{D} x {D}\nfrozen", ha="center", va="center", color="#24292f")
    left, gap = 1.75 * D, 0.1 * D
    axes.add_patch(Rectangle((left, 0), rank, D, facecolor=COLOURS[1], edgecolor=COLOURS[1]))
    axes.add_patch(Rectangle((left + rank + gap, D - rank), D, rank, facecolor=COLOURS[0], edgecolor=COLOURS[0]))
    axes.text(1.4 * D, D / 2, "+ α/r ·", ha="center", va="center", fontsize="x-large", color="#24292f")
    axes.text(left - 0.06 * D, 0.1 * D, "B", ha="right", color="#24292f", fontsize="large")
    axes.text(left + rank + gap + D / 2, D - rank - 0.06 * D, "A", ha="center", va="top", fontsize="large")
    axes.set(xlim=(-0.05 * D, left + rank + gap + 1.05 * D), ylim=(-0.05 * D, 1.05 * D), xticks=[], yticks=[])
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)
    count = 2 * D * rank
    axes.set_title(
        f"rank {rank}: {count:,} numbers learn beside {D * D:,}, {count / D / D:.2%}", loc="left", fontsize="medium"
    )
    return figure


def thin() -> Control:
    """Choose the rank of an adapter beside one of the 7B's matrices, to scale; it begins with 8."""
    alt = (
        "A large grey square, W, and beside it a tall sliver B and a flat sliver A, drawn to scale. At rank 8 the two "
        "hold 65,536 numbers, 0.39% of the square's."
    )
    return Control(draw_thin, alt, rank=Choice(RANKS, 8))


def energy(matrix: np.ndarray) -> np.ndarray:
    """The share of a matrix's squares that its first 1, 2, ... singular values carry.

    >>> energy(np.diag([2.0, 1.0, 0.0]))
    array([0.8, 1. , 1. ])
    """
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    return np.cumsum(squares) / squares.sum()


def plot_energy(shares: Mapping[str, np.ndarray], wanted: float = 0.9) -> Picture:
    """How many singular values carry how much.

    Args:
        shares: name -> result of `energy`.
        wanted: where to draw a line.
    """
    figure, axes = new_figure()
    words = []
    for (name, share), style, colour in zip(shares.items(), ("-", "--", ":"), COLOURS, strict=False):
        count = int(np.searchsorted(share, wanted)) + 1
        axes.plot(np.arange(1, len(share) + 1), 100 * share, style, color=colour, linewidth=2, label=name)
        axes.plot(count, 100 * share[count - 1], "o", color=colour)
        words.append(f"{count} for {name}")
    axes.axhline(100 * wanted, color="#6e7781", linewidth=1)
    axes.set(xlabel="largest singular values, together", ylabel="share of the squares in percent", ylim=(0, 102))
    axes.legend(frameon=False, loc="lower right")
    alt = f"Singular values that carry {wanted:.0%} of the squares, of {len(share)}: {', '.join(words)}."
    return show(figure, alt)


def plot_ranks(ranks: Sequence[int], losses: Sequence[float], before: float, after: float) -> Picture:
    """The loss with nothing but the strongest directions of every change.

    Args:
        ranks: directions that are kept in each matrix.
        losses: on held-out answers, nats a token.
        before, after: of the model that has learnt nothing, and of the one that has learnt everything.
    """
    figure, axes = new_figure()
    axes.plot(ranks, losses, "o-", color=COLOURS[0], label="only so many directions")
    axes.axhline(before, color=COLOURS[3], linestyle=":", label="before")
    axes.axhline(after, color=COLOURS[2], linestyle="--", label="the whole change")
    axes.set(xscale="log", xlabel="directions kept in each matrix", ylabel="loss in nats a token")
    axes.set_xticks(ranks, [str(rank) for rank in ranks])
    axes.minorticks_off()
    axes.legend(frameon=False)
    enough = next((r for r, loss in zip(ranks, losses, strict=True) if before - loss >= 0.9 * (before - after)), None)
    alt = (
        f"The loss falls from {before:.2f} to {after:.2f} nats; "
        f"{enough or 'more than ' + str(ranks[-1])} directions in each matrix keep nine tenths of that."
    )
    return show(figure, alt)


class Strength(Control):
    """A slider over how loudly an adapter speaks: the loss at this strength, and an answer.

    Args:
        percents: strengths, 100 for the one that was trained.
        losses: on held-out answers at each.
        answers: to one question, at each.
    """

    def __init__(self, percents: Sequence[int], losses: Sequence[float], answers: Sequence[str]) -> None:
        self.percents, self.losses, self.answers = list(percents), list(losses), list(answers)
        best = self.percents[int(np.argmin(losses))]
        alt = (
            f"The loss by the strength of the adapter: {losses[0]:.2f} nats at {percents[0]}%, lowest at {best}%, and "
            f"{losses[-1]:.2f} at {percents[-1]}%."
        )
        super().__init__(self.draw, alt, percent=Choice(tuple(percents), 100))

    def draw(self, percent: int) -> "Figure":
        """The curve with this strength marked, and its answer above."""
        place = self.percents.index(percent)
        figure, axes = new_figure(5.4, 3.4)
        axes.plot(self.percents, self.losses, "o-", color=COLOURS[0])
        axes.plot(percent, self.losses[place], "D", color=COLOURS[2], markersize=9, clip_on=False, zorder=3)
        axes.set(xlabel="strength of the adapter in percent", ylabel="loss in nats a token", ylim=(0, None))
        figure.suptitle(f"{percent}%: {self.answers[place]}", fontsize="medium", x=0.02, ha="left")
        return figure


def plot_places(stored: Mapping[str, Sequence[float]], live: tuple[str, float] | None = None) -> Picture:
    """What runs with adapters in several places ended with; each dot is a run, an upright mark their mean.

    Args:
        stored: place -> losses on held-out answers, one a seed.
        live: one more run, done here: its place and loss.
    """
    figure, axes = new_figure(5.6, 3.2)
    means = {name: float(np.mean(losses)) for name, losses in stored.items()}
    order = sorted(stored, key=lambda name: means[name])
    for row, name in enumerate(order):
        axes.plot([means[name]] * 2, [row - 0.3, row + 0.3], color=COLOURS[2], label=None if row else "their mean")
        axes.plot(
            stored[name], [row] * len(stored[name]), "o", color=COLOURS[0], label="stored runs" if not row else None
        )
    if live is not None:
        axes.plot(live[1], order.index(live[0]), "D", color=COLOURS[2], markersize=8, label="run here")
    axes.set(xlabel="loss on held-out answers in nats a token", yticks=range(len(order)), yticklabels=order)
    axes.invert_yaxis()
    figure.legend(frameon=False, loc="outside upper left", ncols=2)
    alt = (
        f"Adapters of about equal size in {len(order)} places: {order[0]} ends lowest with {means[order[0]]:.2f} nats "
        f"a token, {order[-1]} highest with {means[order[-1]]:.2f}."
    )
    return show(figure, alt)


def adapter_parameters(config: ModelConfig, rank: int, targets: Sequence[str]) -> int:
    """How many numbers adapters of a rank have beside these matrices of a model."""
    shapes = (shape for name, shape in tensor_shapes(config).items() if name.split(".")[-2] in targets)
    return rank * sum(sum(shape) for shape in shapes)


def training_bytes(config: ModelConfig, way: str, rank: int, targets: Sequence[str]) -> dict[str, float]:
    """What lies in memory at the end of a backward pass, activations apart.

    Args:
        config: of the model.
        way: one of WAYS.
        rank, targets: of the adapters, where there are any.

    Returns:
        Bytes of the weights, of the gradients and of AdamW's two means, the last two in float32.
    """
    count = count_parameters(config)
    learns = count if way == WAYS[0] else adapter_parameters(config, rank, targets)
    base = 4.0 * count if way == WAYS[0] else weight_bytes(config, "f16" if way == WAYS[1] else "q4_0") + 4.0 * learns
    return {"weights": base, "gradients": 4.0 * learns, "AdamW's two means": 8.0 * learns}


def draw_training(model: str, rank: int, places: str) -> "Figure":
    """Three ways to fine-tune one model, beside machines."""
    config = PRESETS[model]
    figure, axes = new_figure(5.6, 3.0)
    whole = sum(training_bytes(config, WAYS[0], rank, PLACES[places]).values()) / 1e9
    for row, way in enumerate(WAYS):
        left = 0.0
        parts = training_bytes(config, way, rank, PLACES[places])
        for (name, size), colour, hatch in zip(parts.items(), COLOURS, HATCHES, strict=False):
            axes.barh(row, size / 1e9, left=left, color=colour, hatch=hatch, edgecolor="white",
                      label=None if row else name)  # fmt: skip
            left += size / 1e9
        ground = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        axes.text(
            left + 0.015 * whole,
            row,
            f"{left:,.0f} GB" if left >= 100 else f"{left:.3g} GB",
            va="center",
            fontsize="small",
            bbox=ground,
        )
    shown = [each for each in MACHINES if each < 1.1 * whole]
    for each in shown:
        axes.axvline(each, color="#6e7781", linewidth=1, linestyle=":", zorder=0)
    axes.set(xlim=(0, 1.25 * whole), yticks=range(3), yticklabels=[way.replace(", ", ",\n") for way in WAYS])
    axes.set(xlabel=f"GB; dotted: machines of {', '.join(str(each) for each in shown)} GB")
    axes.invert_yaxis()
    learns = adapter_parameters(config, rank, PLACES[places])
    title = f"{model}: {count_parameters(config) / 1e9:.2f} billion weights; adapters of {learns / 1e6:.1f} million"
    axes.set_title(title, loc="left", fontsize="medium")
    figure.legend(frameon=False, ncols=3, loc="outside lower left")
    return figure


def training_memory() -> Control:
    """What fine-tuning a model takes in three ways: choose the model, the rank, and where adapters are."""
    sizes = [sum(training_bytes(PRESETS["llama-7b"], way, 8, PLACES["wq, wv"]).values()) / 1e9 for way in WAYS]
    alt = (
        f"Three bars for the 7B: {sizes[0]:.0f} GB where all weights learn, {sizes[1]:.1f} GB with adapters on a base "
        f"in 16 bits, {sizes[2]:.1f} GB on a base in 4 bits."
    )
    return Control(
        draw_training, alt, model=Choice(MODELS, "llama-7b"), rank=Choice(RANKS, 8),
        places=Choice(tuple(PLACES), "wq, wv"),
    )  # fmt: skip


def draw_stairs(weights: np.ndarray, step: float, bits: int) -> "Figure":
    """What a weight between -1 and 1 of a block's largest is stored as, and how far one step of training goes."""
    figure, axes = new_figure(5.4, 3.2)
    largest, half = float(np.abs(weights).max()), 2 ** (bits - 1)
    stair = largest / half
    wanted = np.linspace(-largest, largest, 2001)
    axes.plot(wanted, wanted, color=COLOURS[3], linewidth=1, label="as it is")
    axes.plot(
        wanted, np.clip(np.round(wanted / stair), -half, half - 1) * stair, color=COLOURS[0], label="as it is stored"
    )
    axes.plot(weights, np.full(len(weights), -1.12 * largest), "|", color=COLOURS[2], label="the weights of one block")
    axes.set(xlabel="a weight", ylabel="its stored value", ylim=(-1.25 * largest, 1.1 * largest))
    axes.legend(frameon=False, loc="upper left")
    title = f"{bits} bits: a stair is {stair:.4f} wide, a step of {step:g} is {step / stair:.2%} of it"
    axes.set_title(title, loc="left", fontsize="medium")
    return figure


def stairs(weights: np.ndarray, step: float = 3e-4) -> Control:
    """The staircase of a quantized weight: choose the bits; it begins with 4.

    Args:
        weights: (32,), one block of a matrix.
        step: how far one step of training would move a weight.
    """
    share = step / (float(np.abs(weights).max()) / 8)
    alt = f"A staircase beside a slope. With 4 bits, a step of {step:g} is {share:.1%} of a stair, and changes nothing."

    def draw(bits: int) -> "Figure":
        return draw_stairs(weights, step, bits)

    return Control(draw, alt, bits=(2, 8, 4))
