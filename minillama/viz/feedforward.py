"""Pictures of feed-forward layers: bends, gates, where the weights lie, what one channel waits for."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 8  # words that are shown of one channel


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(np.asarray(x) / 2))


def draw_bend(steepness: int) -> "Figure":
    """x times the sigmoid of steepness * x, between ReLU and GELU."""
    figure, axes = new_figure()
    x = np.linspace(-4, 4, 401)
    erf = np.array([math.erf(each / math.sqrt(2)) for each in x])
    axes.plot(x, np.maximum(x, 0), ":", color="#444444", linewidth=2, label="ReLU")
    axes.plot(x, x * (1 + erf) / 2, "--", color=COLOURS[1], linewidth=2, label="GELU")
    label = "SiLU" if steepness == 1 else f"x · sigmoid({steepness} x)"
    axes.plot(x, x * sigmoid(steepness * x), color=COLOURS[0], linewidth=2.5, label=label)
    axes.set(xlabel="x", ylabel="what is left of x", xlim=(-4, 4), ylim=(-1.2, 4))
    axes.axhline(0, color="#d0d7de", linewidth=1, zorder=0)
    axes.legend(frameon=False, loc="upper left")
    return figure


def bends() -> Control:
    """Make the door of x * sigmoid(steepness * x) open more or less suddenly."""
    alt = (
        "Three curves. ReLU is 0 up to 0 and then x, with a corner. SiLU and GELU are smooth, dip a little below 0 on "
        "the left, and join ReLU far out on both sides."
    )
    return Control(draw_bend, alt, steepness=(0, 10, 1))


def plot_neurons() -> Picture:
    """What one hidden channel answers on a plane of inputs: a plain one, and a gated one whose two rows differ."""
    figure, _ = new_figure(6.4, 3.2)
    figure.clear()
    left, right = figure.subplots(1, 2, sharey=True)
    a, b = np.meshgrid(np.linspace(-3, 3, 121), np.linspace(-3, 3, 121))
    for axes, values, title in (
        (left, np.maximum(a, 0), "plain: ReLU(a)"),
        (right, a * sigmoid(a) * b, "gated: SiLU(a) · b"),
    ):
        axes.imshow(values, extent=(-3, 3, -3, 3), origin="lower", cmap="PuOr_r", vmin=-9, vmax=9)
        lines = axes.contour(a, b, values, levels=[-6, -4, -2, -0.5, 0.5, 2, 4, 6], colors="#444444", linewidths=0.8)
        axes.clabel(lines, fontsize="x-small")
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("a")
    left.set_ylabel("b")
    alt = (
        "Two planes with height lines. The plain channel grows to the right in straight stripes and ignores b. The "
        "gated one is near 0 on the left; on the right its lines curve, rising where b is positive and falling where "
        "it is negative."
    )
    return show(figure, alt)


def plot_weights(parts: Mapping[str, Mapping[str, int]]) -> Picture:
    """Where the weights of models lie, as shares of each.

    Args:
        parts: model -> part -> weights; every model has the same parts.
    """
    figure, axes = new_figure(6.0, 0.9 + 0.45 * len(parts))
    names = list(parts)
    left = np.zeros(len(names))
    for part, colour, hatch in zip(next(iter(parts.values())), COLOURS, ("", "//", "..", "xx"), strict=False):
        shares = np.array([100 * each[part] / sum(each.values()) for each in parts.values()])
        axes.barh(names, shares, left=left, color=colour, hatch=hatch, edgecolor="white", label=part)
        for y, (start, share) in enumerate(zip(left, shares, strict=True)):
            if share > 8:
                axes.text(start + share / 2, y, f"{share:.0f}%", ha="center", va="center", fontweight="bold",
                          bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"})  # fmt: skip
        left += shares
    axes.invert_yaxis()
    axes.set(xlabel="share of all weights in percent", xlim=(0, 100))
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    first, inner = next(iter(parts.items()))
    share = 100 * inner["feed-forward"] / sum(inner.values())
    return show(
        figure, f"Stacked bars. Feed-forward layers hold the largest part of every model, {share:.0f}% of the {first}."
    )


def plot_sizes(multiple_of: int, dims: Sequence[int], sizes: Sequence[int]) -> Picture:
    """The inner size as stairs above the line of 8/3 dim.

    Args:
        multiple_of: the height of a stair.
        dims, sizes: of each layer.
    """
    figure, axes = new_figure()
    axes.plot(dims, [8 * dim / 3 for dim in dims], "--", color=COLOURS[1], linewidth=2, label="8/3 · dim")
    axes.step(dims, sizes, where="mid", color=COLOURS[0], linewidth=2, label=f"up to a multiple of {multiple_of}")
    axes.set(xlabel="dim", ylabel="inner size in channels")
    axes.legend(frameon=False)
    return show(
        figure, f"Stairs of height {multiple_of} that touch the line of 8/3 dim from above and never fall below it."
    )


def plot_seeds(runs: Mapping[str, Sequence[float]]) -> Picture:
    """The last losses of a few runs, a dot a seed and a bar for their mean.

    Args:
        runs: name -> loss of each seed, nats a byte.
    """
    figure, axes = new_figure(5.4, 2.6)
    for y, ((name, losses), marker) in enumerate(zip(runs.items(), "osD^", strict=False)):
        axes.plot(losses, [y] * len(losses), marker, color=COLOURS[y], markersize=9, alpha=0.8, label=name)
        axes.plot([np.mean(losses)] * 2, [y - 0.25, y + 0.25], color="#444444", linewidth=2)
    axes.set(yticks=range(len(runs)), yticklabels=list(runs), ylim=(len(runs) - 0.5, -0.5))
    axes.set_xlabel("loss on unread stories, nats a byte (further left is better)")
    means = ", ".join(
        f"{name} {np.mean(losses):.3f} ({min(losses):.3f} to {max(losses):.3f})" for name, losses in runs.items()
    )
    return show(figure, f"Last losses, a dot a seed and a bar at the mean: {means}.")


def draw_channel(strengths: Any, words: Sequence[str], channel: int) -> "Figure":
    """The words on which one channel is strongest.

    Args:
        strengths: (words, channels), mean over the places where each word stands.
        words: their text.
        channel: which column.
    """
    figure, axes = new_figure(5.4, 3.0)
    column = np.asarray(strengths)[:, channel]
    best = np.argsort(-np.abs(column))[:TOP]
    colours = [COLOURS[0] if column[i] > 0 else COLOURS[2] for i in best]
    axes.barh(range(len(best)), column[best], color=colours)
    axes.set(yticks=range(len(best)), yticklabels=[repr(words[i]) for i in best])
    axes.axvline(0, color="#444444", linewidth=1)
    axes.set_xlabel("mean of gate · up")
    axes.invert_yaxis()
    return figure


def channels(strengths: Any, words: Sequence[str]) -> Control:
    """Look through the hidden channels of a layer, one at a time.

    Args:
        strengths: (words, channels).
        words: their text.
    """

    def draw(channel: int) -> "Figure":
        return draw_channel(strengths, words, channel)

    alt = "Bars: the tokens that drive one hidden channel of the bundled model most, the strongest first."
    return Control(draw, alt, channel=(0, np.asarray(strengths).shape[1] - 1, 0))
