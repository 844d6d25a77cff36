"""Pictures of one model over many processes: who holds what, and what moving it costs beside computing."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from minillama.config import PRESETS
from minillama.model import count_parameters
from minillama.train.distributed import STATE_BYTES, shard_bytes
from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODELS = ("tinyllama-1.1b", "llama-7b", "llama-13b", "llama-33b", "llama-65b")
WAYS: dict[str, tuple[str, ...]] = {
    "data parallel: all whole": (),
    "optimizer cut": ("optimizer",),
    "and gradients": ("optimizer", "gradients"),
    "and weights: FSDP": ("optimizer", "gradients", "weights"),
}
GPU_GB = 80
HATCHES = ("", "//", "..")
OPERATIONS_A_SECOND = 150e12  # about half of what an A100 promises in bfloat16
LINKS = {"between machines, 25 GB/s": 25e9, "inside a machine, 300 GB/s": 300e9}  # one GPU's share, one way
BYTES = 2  # of a number on its way, in bfloat16


def plot_split_block() -> Picture:
    """Two halves of a block over two processes: columns, rows, one sum."""
    figure, axes = new_figure(6.6, 3.2)
    axes.axis("off")
    axes.set(xlim=(0, 13), ylim=(0, 6.4))

    def box(x: float, y: float, text: str, colour: str) -> None:
        style = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
        axes.text(x, y, text, ha="center", va="center", bbox=style)

    def arrow(start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
        style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style)

    for number, (y, colour) in enumerate(((4.9, COLOURS[0]), (1.5, COLOURS[1]))):
        axes.text(0.1, y + 0.95, f"process {number}", color="#444444")
        box(1.1, y, "the whole\nstream", colour)
        box(4.1, y, "w1, w3: half\nof the rows", colour)
        box(8.5, y, "w2: half of\nthe columns", colour)
        arrow((2.2, y), (2.8, y), colour)
        arrow((5.5, y), (7.1, y), colour)
        arrow((9.8, y), (10.7, 3.2 + 0.55 * (1 if y > 3 else -1)), colour)
        axes.text(6.3, y + 0.75, "half of the\ninner numbers", ha="center", fontsize="small", color="#444444")
    circle = {"boxstyle": "circle,pad=0.35", "facecolor": "white", "edgecolor": COLOURS[2], "linewidth": 2}
    axes.text(11.0, 3.2, "+", ha="center", va="center", fontsize="large", fontweight="bold", bbox=circle)
    axes.text(11.0, 1.85, "all-reduce:\nboth get\nthe sum", ha="center", va="top", color="#444444")
    alt = (
        "Two processes side by side. Each has the whole stream, half of the rows of w1 and w3, makes half of the inner "
        "numbers, and multiplies them with its half of the columns of w2. Only then the two results meet, in one sum."
    )
    return show(figure, alt)


def draw_holders(model: int, processes: int) -> "Figure":
    """What one process holds between two steps, in four ways of sharing.

    Args:
        model: place in MODELS, from 1.
        processes: how many share.
    """
    config = PRESETS[MODELS[model - 1]]
    count = count_parameters(config)
    figure, axes = new_figure(6.2, 3.0)
    rows = np.arange(len(WAYS))
    left = np.zeros(len(WAYS))
    for (kind, _), colour, hatch in zip(STATE_BYTES, COLOURS, HATCHES, strict=False):
        widths = np.array([_held(count, processes, ways, kind) for ways in WAYS.values()]) / 1e9
        axes.barh(rows, widths, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4, label=kind)
        left += widths
    for row, total in zip(rows, left, strict=True):
        words = f"{total:,.3g} GB" if total < 1000 else f"{total:,.0f} GB"
        over = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axes.text(total + 0.01 * max(left[0], GPU_GB), row, words, va="center", bbox=over)
    axes.axvline(GPU_GB, color="#444444", linewidth=1.2, linestyle="--", zorder=0.5)
    axes.set(yticks=rows, yticklabels=list(WAYS), xlabel=f"GB in each process; dashed: a GPU of {GPU_GB} GB")
    axes.set_xlim(0, 1.22 * max(left[0], GPU_GB))
    axes.invert_yaxis()
    axes.set_title(f"{MODELS[model - 1]} in training, {processes} processes", fontsize="medium", loc="left")
    figure.legend(frameon=False, ncols=3, loc="outside lower left")
    return figure


def _held(count: int, n: int, sharded: Sequence[str], kind: str) -> int:
    """The bytes of one kind of state in one process."""
    return dict(STATE_BYTES)[kind] * (-(-count // n) if kind in sharded else count)


def holders() -> Control:
    """Choose a model and how many processes train it: what does each hold? It begins with the 65B over 64."""
    count = count_parameters(PRESETS["llama-65b"])
    whole, least = shard_bytes(count, 64, ()) / 1e9, shard_bytes(count, 64) / 1e9
    alt = (
        f"Four bars of gigabytes in each of 64 processes that train the 65B: {whole:,.0f} with everything whole, and "
        f"{least:.1f} with weights, gradients and optimizer cut, which alone fits into a GPU of {GPU_GB} GB."
    )
    return Control(draw_holders, alt, model=(1, len(MODELS), 5), processes=(1, 2048, 64))


def moving_share(tokens: "np.ndarray", bytes_a_second: float) -> "np.ndarray":
    """Time that FSDP moves weights and gradients, as a multiple of the time of computing with them.

    A step gathers every weight twice and scatters every gradient once, and computes six operations a weight and token:
    the size of the model cancels.

    Args:
        tokens: that each process reads in a step.
        bytes_a_second: of its link.
    """
    return (3 * BYTES / bytes_a_second) / (6 * tokens / OPERATIONS_A_SECOND)


def summing_share(dim: int, n: "np.ndarray", bytes_a_second: float) -> "np.ndarray":
    """Time that n processes add up what they say, as a multiple of the time of computing, when matrices are cut.

    A block's forward pass has two sums of D numbers a token, of which a ring sends 2 (n - 1) / n times the numbers; and
    2 operations with each of its 12 D^2 weights, shared by n.

    Args:
        dim: D.
        n: processes.
        bytes_a_second: of the link of each.
    """
    moved = 2 * dim * BYTES * 2 * (n - 1) / n / bytes_a_second
    return moved / (2 * 12 * dim**2 / n / OPERATIONS_A_SECOND)


def plot_moving(dim: int = 8192) -> Picture:
    """Communication against compute: FSDP by tokens a process, cut matrices by processes.

    Args:
        dim: D of the model whose matrices are cut.
    """
    figure, _ = new_figure(6.8, 3.4)
    figure.clear()
    left, right = figure.subplots(1, 2, sharey=True)
    tokens, n = np.geomspace(100, 100_000, 60), np.array([2, 4, 8, 16, 32, 64])
    for (label, speed), colour, style in zip(LINKS.items(), COLOURS, ("-", "--"), strict=False):
        left.plot(tokens, moving_share(tokens, speed), style, color=colour, linewidth=2, label=label)
        right.plot(n, summing_share(dim, n, speed), style, color=colour, linewidth=2, marker="o")
    for axes in (left, right):
        axes.axhline(1, color="#444444", linewidth=1, linestyle=":")
        axes.set(xscale="log", yscale="log")
        axes.spines[["top", "right"]].set_visible(False)
    left.set(xlabel="tokens a process and step", ylabel="moving / computing", title="FSDP: any model")
    right.set(xlabel="processes", title=f"cut matrices: D = {dim:,}", xticks=n, xticklabels=[str(each) for each in n])
    right.minorticks_off()
    figure.legend(frameon=False, loc="outside upper left", ncols=2)
    slow, fast = (OPERATIONS_A_SECOND / speed for speed in LINKS.values())
    eight = [float(summing_share(dim, np.array([8]), speed)[0]) for speed in LINKS.values()]
    alt = (
        f"Moving divided by computing. FSDP breaks even at {slow:,.0f} tokens a process between machines and at "
        f"{fast:,.0f} inside one. Matrices cut over 8 processes move {eight[1]:.1f} times as long as they compute "
        f"inside a machine, and {eight[0]:.1f} times between machines."
    )
    return show(figure, alt)


def plot_two_trainings(losses: Mapping[str, Sequence[float]]) -> Picture:
    """Losses by step of trainings that should be one, and how far each is from the first.

    Args:
        losses: name -> loss of each step; the first is what the others are compared with.
    """
    figure, _ = new_figure(6.8, 3.2)
    figure.clear()
    left, right = figure.subplots(1, 2)
    right_one = np.array(next(iter(losses.values())))
    findings = []
    for (name, values), colour, style in zip(losses.items(), COLOURS, ("-", "--", ":"), strict=False):
        steps, gap = np.arange(len(values)), np.abs(np.array(values) - right_one)
        left.plot(steps, values, style, color=colour, linewidth=2.5, label=name)
        if gap.any():
            right.plot(steps, np.maximum(gap, 1e-8), style, color=colour, linewidth=2.5, marker="o")
            findings.append(f"{name} is at most {gap.max():.0e} away")
    left.set(xlabel="step", ylabel="loss, nats a token")
    right.set(xlabel="step", ylabel="distance from one process", yscale="log")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside upper left", ncols=2)
    falls = f"All losses fall from about {right_one[0]:.1f} to about {right_one[-1]:.1f}"
    return show(figure, f"{falls}; {', '.join(findings) or 'they are equal'}.")
