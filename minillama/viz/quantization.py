"""Pictures of lesson 11: rounding under a control, what blocks cost, and what perplexity pays for smaller weights."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.config import PRESETS
from minillama.model import count_parameters
from minillama.viz.figure import COLOURS, Choice, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLOCKS = (16, 32, 64, 128, 256)
SHOWN = 64  # weights in the picture
OUTLIER_AT = 5  # which of them can be made large
SCALE_BITS = 16  # a float16 for each block


def round_to_blocks(weights: np.ndarray, bits: int, block_size: int) -> np.ndarray:
    """Round to the nearest multiple of a scale that each block has for itself.

    Args:
        weights: (N,) float, N a multiple of block_size.
        bits: a weight, 2 to 8; levels are symmetric around 0, -7 to 7 for 4.
        block_size: weights that share a scale.

    Returns:
        (N,) float64.

    >>> round_to_blocks(np.array([0.0, 0.2, -0.7, 0.35]), 4, 4).round(3)
    array([ 0.  ,  0.2 , -0.7 ,  0.4 ])
    """
    blocks = np.asarray(weights, np.float64).reshape(-1, block_size)
    largest = 2 ** (bits - 1) - 1
    scale = np.abs(blocks).max(axis=1, keepdims=True) / largest
    steps = np.rint(np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale > 0))
    return (steps * scale).ravel()


def bits_per_weight(bits: int, block_size: int) -> float:
    """With the scale of the block."""
    return bits + SCALE_BITS / block_size


class Rounding(Control):
    """Sliders over the rounding of real weights: bits, block, outlier; the error and the size of a 7B.

    Args:
        weights: at least 256 numbers, such as a row of a matrix; the first 256 are taken.

    >>> viz.quantization.Rounding(model.layers[0].feed_forward.w1.weight[0])
    """

    def __init__(self, weights: Any) -> None:
        self.weights = np.array(weights.detach().float() if hasattr(weights, "detach") else weights, np.float64)[:256]
        alt = (
            f"{SHOWN} weights of a row as dots and what rounding makes of them as short lines, with the error below. "
            "Fewer bits, larger blocks and an outlier push the lines away from the dots."
        )
        super().__init__(self.draw, alt, bits=(2, 8, 4), block_size=Choice(BLOCKS, 32), outlier_times=(1, 30, 1))

    def rounded(self, bits: int, block_size: int, outlier: int) -> tuple[np.ndarray, np.ndarray]:
        """The weights with one of them so many times as large as the largest, and the same rounded."""
        weights = self.weights.copy()
        if outlier > 1:
            weights[OUTLIER_AT] = outlier * np.abs(weights).max()
        return weights, round_to_blocks(weights, bits, block_size)

    def draw(self, bits: int, block_size: int, outlier_times: int) -> "Figure":
        """The first weights, rounded, and their errors.

        Args:
            bits: a weight.
            block_size: weights that share a scale.
            outlier_times: 1 for no outlier.
        """
        weights, rounded = self.rounded(bits, block_size, outlier_times)
        figure, axes = new_figure(5.4, 4.2)
        axes.remove()
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        places, usual = np.arange(SHOWN), 1.15 * np.abs(self.weights[:SHOWN]).max()
        above.plot(places, weights[:SHOWN], "o", markersize=3, color=COLOURS[0], label="weight")
        above.plot(places, rounded[:SHOWN], "_", markersize=6, color=COLOURS[2], label="rounded")
        below.bar(places, (rounded - weights)[:SHOWN], color=COLOURS[1])
        for axes in (above, below):
            axes.set_ylim(-usual, usual)
            axes.spines[["top", "right"]].set_visible(False)
            for edge in range(0, SHOWN + 1, block_size):
                axes.axvline(edge - 0.5, color="#6e7781", linewidth=0.6)
        if outlier_times > 1:
            above.annotate("outlier, far above", (OUTLIER_AT, usual), xytext=(8, -12), textcoords="offset points")
        others = np.arange(len(weights)) != OUTLIER_AT
        wrong = np.sqrt(np.mean((rounded - weights)[others] ** 2) / np.mean(weights[others] ** 2))
        size = bits_per_weight(bits, block_size)
        whole = count_parameters(PRESETS["llama-7b"]) * size / 8 / 1e9
        above.set_ylabel("weight")
        below.set(xlabel="place in the row; thin lines part the blocks", ylabel="error")
        figure.legend(*above.get_legend_handles_labels(), frameon=False, ncols=2, loc="outside lower left")
        figure.suptitle(
            f"{size:.2g} bits a weight, a 7B of {whole:.1f} GB; error {wrong:.1%} of the other weights' size",
            fontsize="medium", x=0.02, ha="left",
        )  # fmt: skip
        return figure


def plot_block_sizes(errors: Mapping[str, Mapping[int, float]]) -> Picture:
    """The error of rounding by the number of weights that share a scale.

    Args:
        errors: label -> block size -> error, as a share of the weights' size.
    """
    figure, axes = new_figure(5.4, 3.4)
    for (label, line), style in zip(errors.items(), ("o-", "s--", "^-.", "D:"), strict=False):
        axes.plot(list(line), [100 * each for each in line.values()], style, label=label)
    sizes = sorted({size for line in errors.values() for size in line})
    axes.set(xscale="log", xlabel="weights that share a scale", ylabel="error, % of the weights' size")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45)
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    ends = (f"{name} from {line[min(line)]:.1%} to {line[max(line)]:.1%}" for name, line in errors.items())
    return show(figure, f"Errors by block size, from {sizes[0]} to {sizes[-1]:,} weights: {'; '.join(ends)}.")


def plot_layout(parts: Mapping[str, Mapping[str, float]]) -> Picture:
    """Where the bits of a weight go, a bar a format.

    Args:
        parts: format -> what the bits are for -> bits a weight.
    """
    figure, axes = new_figure(5.4, 0.9 + 0.42 * len(parts))
    kinds = list(dict.fromkeys(kind for format in parts.values() for kind in format))
    left, places = np.zeros(len(parts)), np.arange(len(parts))
    for kind, colour in zip(kinds, (COLOURS[0], COLOURS[1], COLOURS[4]), strict=False):
        width = np.array([format.get(kind, 0.0) for format in parts.values()])
        axes.barh(places, width, 0.6, left=left, color=colour, label=kind)
        left += width
    for place, total in zip(places, left, strict=True):
        axes.text(total + 0.1, place, f"{total:g}", va="center")
    axes.set(xlabel="bits a weight", yticks=places, yticklabels=list(parts), xlim=(0, 1.15 * left.max()))
    axes.invert_yaxis()
    figure.legend(frameon=False, ncols=len(kinds), loc="outside upper left")
    totals = ", ".join(f"{name} {total:g}" for name, total in zip(parts, left, strict=True))
    return show(figure, f"Bits a weight, in bars of {', '.join(kinds)}: {totals}.")


def plot_sizes(
    measured: Mapping[str, tuple[float, float]],
    published: Mapping[str, tuple[float, float]],
    errors: Mapping[str, float] = MappingProxyType({}),
) -> Picture:
    """What perplexity grows by as weights shrink: measured on one model, and published for a 7B.

    Args:
        measured, published: format -> (bits a weight, at most 9, and perplexity above that of float16 in percent).
        errors: format -> how far off the measured percentage may be.
    """
    figure, axes = new_figure(5.4, 6.0)
    axes.remove()
    panels = figure.subplots(2, 1, sharex=True)
    titles = ("the bundled model, 3.7 million weights", "LLaMA 7B, published")
    for axes, points, title, colour in zip(panels, (measured, published), titles, COLOURS[::2], strict=False):
        bars = {name: errors.get(name, 0.0) if points is measured else 0.0 for name in points}
        for name, (bits, worse) in points.items():
            axes.errorbar(bits, worse, bars[name] or None, fmt="o", color=colour, elinewidth=0.8)
            lower = any(bits == other and worse < more for other, more in points.values())  # of two as large
            aside, side = ((-7, 1), "right") if lower else ((7, 1), "left")
            axes.annotate(
                name, (bits, worse), aside, textcoords="offset points", fontsize=8.5, ha=side, va="bottom",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},  # over the bars of its neighbours
            )  # fmt: skip
        axes.set_title(title, loc="left", fontsize="medium")
        axes.set(ylabel="perplexity above\nfloat16, in percent", xlim=(4.0, 9.2))
        axes.axhline(0, color="#6e7781", linewidth=0.8, zorder=0)
        axes.annotate("float16", (7.6, 0), (0, 3), textcoords="offset points", fontsize=8.5, color="#57606a")
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels(list(panels))
    panels[1].set_xlabel("bits a weight")
    worst = [max(points, key=lambda name: points[name][1]) for points in (measured, published)]
    alt = (
        "Two panels, perplexity above float16 by bits a weight; both fall towards 0 from left to right. "
        f"The bundled model loses most with {worst[0]}, {measured[worst[0]][1]:.1f}%, the 7B with {worst[1]}, "
        f"{published[worst[1]][1]:.1f}%."
    )
    return show(figure, alt)


def plot_costs(costs: Mapping[str, float], xlabel: str, what: str) -> Picture:
    """A bar for each part of a model: what it costs to store that part alone in few bits.

    Args:
        costs: part -> cost.
        xlabel: with its unit.
        what: names the parts in the alternative text, "kinds of matrix".
    """
    figure, axes = new_figure(5.4, 0.9 + 0.34 * len(costs))
    ordered = dict(sorted(costs.items(), key=lambda pair: pair[1]))
    axes.barh(list(ordered), list(ordered.values()), 0.62, color=COLOURS[0])
    axes.axvline(0, color="#6e7781", linewidth=0.8)
    axes.set(xlabel=xlabel)
    most, least = list(ordered)[-1], next(iter(ordered))
    ends = f"{most} costs most with {costs[most]:.3g}, {least} least with {costs[least]:.3g}"
    return show(figure, f"{len(costs)} {what}, in bars: {ends}.")
