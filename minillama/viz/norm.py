"""Pictures of norms: sizes through many layers, two numbers on paper, eps, what a changed token moves."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STROKES = ("-", "--", ":", "-.")
FLOAT16 = {"largest float16": 65_504.0, "smallest float16": 2.0**-24}


def _norms(x: np.ndarray) -> dict[str, np.ndarray]:
    """One vector as it is, after LayerNorm and after RMSNorm, without eps and weights."""
    return {
        "no norm": x,
        "LayerNorm": (x - x.mean()) / max(x.std(), 1e-30),
        "RMSNorm": x / max(np.sqrt((x**2).mean()), 1e-30),
    }


def sizes_by_depth(strength: float, n_layers: int = 32, dim: int = 64) -> dict[str, list[float]]:
    """The root mean square of a vector after each of many random layers, for each norm in front of them."""
    found = {}
    for name in _norms(np.ones(dim)):
        rng = np.random.default_rng(0)
        x, sizes = rng.standard_normal(dim), []
        for _ in range(n_layers):
            x = strength * rng.standard_normal((dim, dim)) @ _norms(x)[name] / math.sqrt(dim)
            sizes.append(float(np.sqrt((x**2).mean())))
        found[name] = sizes
    return found


def draw_depth(percent: int) -> "Figure":
    """Sizes through 32 random layers, each of which multiplies the size of a vector by `percent` / 100, about."""
    figure, axes = new_figure()
    for (name, sizes), style in zip(sizes_by_depth(percent / 100).items(), STROKES, strict=False):
        axes.semilogy(range(1, len(sizes) + 1), sizes, style, label=name, linewidth=2)
    for name, height in FLOAT16.items():
        axes.axhline(height, color="#6e7781", linewidth=1)
        axes.annotate(name, (1, height * 1.5), color="#444444")
    axes.set(xlabel="layer", ylabel="root mean square", ylim=(1e-9, 1e9), title=f"each layer: about {percent} %")
    axes.legend(frameon=False, loc="center right", bbox_to_anchor=(1.0, 0.3))
    return figure


def depth() -> Control:
    """Make the layers stronger or weaker by a slider."""
    alt = (
        "Root mean square of a vector after each of 32 random layers that double it. Without a norm it leaves "
        "float16 after about 16 layers; with LayerNorm or RMSNorm before every layer it stays level."
    )
    return Control(draw_depth, alt, percent=(40, 250, 200))


def draw_two_numbers(first: int, second: int) -> "Figure":
    """A vector of two numbers, and where the two norms send it."""
    figure, axes = new_figure(5.4, 3.4)
    axes.add_patch(_circle(math.sqrt(2)))
    places = _norms(np.array([float(first), float(second)]))
    places["x"] = places.pop("no norm")
    for (name, place), colour, style in zip(places.items(), (COLOURS[2], COLOURS[0], "#444444"), ("--", "-", ":"),
                                            strict=True):  # fmt: skip
        axes.plot([0, place[0]], [0, place[1]], style, color=colour, linewidth=2.5)
        axes.plot(*place, "o", color=colour, label=f"{name}: ({place[0]:.2f}, {place[1]:.2f})")
    axes.set(xlim=(-4.5, 4.5), ylim=(-4.5, 4.5), aspect="equal", xlabel="first number", ylabel="second number")
    figure.legend(frameon=False, loc="outside right upper")
    return figure


def _circle(radius: float) -> Any:
    from matplotlib.patches import Circle

    return Circle((0, 0), radius, fill=False, color="#94a4a2")


def two_numbers() -> Control:
    """Move a vector of two numbers by sliders."""
    alt = (
        "The vector (3, 4) as a line from the origin. RMSNorm shortens it to the circle of root mean square 1, in the "
        "same direction; LayerNorm sends it to (-1, 1), as it does every vector whose second number is the larger."
    )
    return Control(draw_two_numbers, alt, first=(-4, 4, 3), second=(-4, 4, 4))


def plot_log(
    x: Sequence[float],
    lines: Mapping[str, Any],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    log_x: bool = False,
) -> Picture:
    """Labelled lines over a logarithmic height.

    Args:
        x: places on the horizontal axis.
        lines: label -> heights.
        xlabel, ylabel: with units.
        alt: what is to be seen.
        log_x: the horizontal axis, too.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    figure, axes = new_figure()
    for (label, heights), style in zip(lines.items(), STROKES, strict=False):
        axes.plot(x, heights, style, label=label, linewidth=2)
    axes.set(xlabel=xlabel, ylabel=ylabel, yscale="log")
    if log_x:
        axes.set_xscale("log")
    low, high = axes.get_ylim()
    if high / low < 100:  # few powers of ten: plain numbers, some between them
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False)
    return show(figure, alt)


def plot_moved(changes: Mapping[str, Sequence[float]], alt: str) -> Picture:
    """How far the result of each token moved, one group of bars a token.

    Args:
        changes: label -> largest change at each token.
        alt: what is to be seen.
    """
    figure, axes = new_figure()
    width = 0.8 / len(changes)
    for i, ((label, heights), hatch) in enumerate(zip(changes.items(), ("", "//", ".."), strict=False)):
        places = np.arange(len(heights)) + (i - (len(changes) - 1) / 2) * width
        axes.bar(places, heights, width, label=label, hatch=hatch, edgecolor="white")
    axes.set(xlabel="token", ylabel="largest change of its result", xticks=range(len(next(iter(changes.values())))))
    figure.legend(frameon=False, loc="outside upper center", ncols=len(changes))
    return show(figure, alt)


def plot_weights(weights: Mapping[str, Any]) -> Picture:
    """The weights of each norm, sorted, as one strip a norm.

    Args:
        weights: name of the norm -> (D,).
    """
    rows = np.stack([np.sort(np.asarray(each, dtype=np.float64)) for each in weights.values()])
    figure, axes = new_figure(5.4, 0.9 + 0.28 * len(rows))
    image = axes.imshow(rows, aspect="auto", cmap="cividis", interpolation="nearest", vmin=min(0.0, rows.min()))
    axes.set(yticks=range(len(rows)), xlabel="channels, in the order of their weights")
    axes.set_yticklabels(list(weights), fontsize="small")
    figure.colorbar(image, ax=axes, label="weight")
    median = np.median(rows, axis=1)
    alt = (
        f"Weights of {len(rows)} norms, sorted. They run from {rows.min():.2f} to {rows.max():.2f}; the median of the "
        f"first norm is {median[0]:.2f}, of the last {median[-1]:.2f}."
    )
    return show(figure, alt)
