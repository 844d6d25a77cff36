"""Pictures of lesson 12: a machine's roof, the ladder of kernels under it, and rows that lie beside each other."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.quant.kernels.roofline import Roof
from minillama.quant.kernels.rungs import Measurement, weights_per_token
from minillama.viz.figure import COLOURS, Choice, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, FAINT = "#24292f", "#94a4a2"
BITS = (4.5, 8.5, 16.0, 32.0)  # Q4_0, Q8_0, float16, float32
TOKENS = (1, 2, 4, 8, 16, 32, 64, 128)
LEAST_APART = 0.24  # of labels, in powers of ten


def operations_a_byte(tokens: int, bits: float) -> float:
    """A multiplication and an addition for each token and weight, over the bytes of a weight.

    >>> operations_a_byte(1, 8.0)
    2.0
    """
    return 2 * tokens / (bits / 8)


def _roof(axes: Any, roof: Roof, least: float = 0.3, most: float = 2000.0) -> None:
    """The two lines, with their names."""
    bottom = roof.at(least)
    axes.plot([least, roof.ridge, most], [bottom, roof.gops, roof.gops], color=INK, linewidth=2)
    axes.set(xscale="log", yscale="log", xlabel="operations for each byte of weights", ylabel="10⁹ operations a second")
    axes.text(most, roof.gops * 1.12, f"arithmetic: {roof.gops:.0f} GOPS", ha="right", va="bottom", fontsize=9)
    axes.text(least, roof.gops * 1.12, f"slope: memory, {roof.gb_per_s:.0f} GB/s", va="bottom", fontsize=9)


class Roofline(Control):
    """Sliders over the tokens that share a weight and the bits that it has; the bound on a 7B below the roof.

    Args:
        roof: of this machine, see `measure_roof`.
    """

    def __init__(self, roof: Roof) -> None:
        self.roof = roof
        alt = (
            f"A roof of two lines: it slopes up at {roof.gb_per_s:.0f} GB/s until {roof.ridge:.0f} operations a byte, "
            f"then stays level at {roof.gops:.0f} billion operations a second. One token in 4.5 bits lies on "
            f"the {'slope' if operations_a_byte(1, 4.5) < roof.ridge else 'level part'}."
        )
        super().__init__(self.draw, alt, tokens_at_a_time=Choice(TOKENS, 1), bits_a_weight=Choice(BITS, 4.5))

    def bound(self, tokens: int, bits: float) -> tuple[float, str]:
        """The most tokens a second of a 7B, and what sets it, "memory" or "arithmetic"."""
        intensity = operations_a_byte(tokens, bits)
        per_second = self.roof.at(intensity) * 1e9 / (2 * weights_per_token("llama-7b"))
        return per_second, "memory" if intensity < self.roof.ridge else "arithmetic"

    def draw(self, tokens_at_a_time: int, bits_a_weight: float) -> "Figure":
        """The roof with one product under it."""
        figure, axes = new_figure()
        _roof(axes, self.roof)
        intensity = operations_a_byte(tokens_at_a_time, bits_a_weight)
        bottom, reached = self.roof.at(0.3) * 0.7, self.roof.at(intensity)
        axes.plot([intensity], [reached], "o", color=COLOURS[2], markersize=9)
        axes.plot([intensity, intensity], [bottom, reached], color=COLOURS[2], linewidth=0.8, linestyle=":")
        axes.set_ylim(bottom, self.roof.gops * 2.2)
        per_second, limit = self.bound(tokens_at_a_time, bits_a_weight)
        axes.set_title(
            f"a 7B: at most {per_second:.3g} tokens a second, set by {limit}", fontsize="medium", loc="left"
        )  # fmt: skip
        return figure


def _spread(heights: Sequence[float]) -> list[float]:
    """Heights on a scale of powers of ten, moved apart upwards so that labels do not touch; in their order."""
    order, placed = np.argsort(heights), dict[int, float]()
    last = -math.inf
    for i in order:
        last = max(math.log10(heights[i]), last + LEAST_APART)
        placed[int(i)] = 10**last
    return [placed[i] for i in range(len(heights))]


def plot_roofline(roof: Roof, measurements: Sequence[Measurement]) -> Picture:
    """Every rung under the roof: one token on the left, many on the right.

    Args:
        roof: of this machine.
        measurements: of rungs; those that are missing are left out.
    """
    figure, axes = new_figure(5.8, 5.2)
    _roof(axes, roof, least=0.4, most=60_000)
    found = [measured for measured in measurements if measured.seconds is not None]
    for many in (False, True):
        column = [measured for measured in found if (measured.rung.tokens > 1) == many]
        heights = [measured.gops or 0.0 for measured in column]
        levels = _spread([min(height, 0.65 * roof.gops) for height in heights])  # a label hangs below the roof
        for measured, height, level in zip(column, heights, levels, strict=True):
            x = operations_a_byte(measured.rung.tokens, 8 * measured.n_bytes / math.prod(measured.shape))
            there = x * 1.7
            axes.plot([x], [height], "s" if many else "o", color=COLOURS[2 if many else 0], markersize=7)
            axes.annotate(
                measured.rung.title, (x, height), (there, level), ha="left", va="center", fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.6, "shrinkB": 4},
            )  # fmt: skip
    lowest = min((measured.gops or 1.0 for measured in found), default=1.0)
    axes.set_ylim(min(lowest, roof.at(0.4)) / 2, roof.gops * 2.5)
    best = max(found, key=lambda measured: measured.gb_per_s or 0.0)
    share = (best.gb_per_s or 0.0) / roof.gb_per_s
    alt = (
        f"{len(found)} kernels as dots under a roof. Those for one token stand above each other at about 3.6 "
        f"operations a byte; the highest, {best.rung.title}, reaches {share:.0%} of the memory's line. Those for many "
        "tokens stand to the right, under the level part."
    )
    return show(figure, alt)


def plot_ladder(measurements: Sequence[Measurement], roof: Roof) -> Picture:
    """A bar for each rung with one token: bytes of weights a second, on a scale of powers of ten."""
    return _bars(
        [measured for measured in measurements if measured.rung.tokens == 1], [m.gb_per_s for m in measurements if
        m.rung.tokens == 1], "GB of weights a second", roof.gb_per_s, "memory",
    )  # fmt: skip


def plot_prefill(measurements: Sequence[Measurement], roof: Roof) -> Picture:
    """A bar for each rung with many tokens: operations a second."""
    many = [measured for measured in measurements if measured.rung.tokens > 1]
    return _bars(many, [measured.gops for measured in many], "10⁹ operations a second", roof.gops, "arithmetic")


def _bars(
    found: Sequence[Measurement], values: Sequence[float | None], xlabel: str, limit: float, name: str
) -> Picture:
    figure, axes = new_figure(5.6, 1.1 + 0.42 * len(found))
    known = [value for value in values if value is not None]
    left = 10 ** math.floor(math.log10(min([*known, limit]) / 1.5))
    for place, (measured, value) in enumerate(zip(found, values, strict=True)):
        if value is None:
            axes.text(left * 1.15, place, "missing on this processor", va="center", fontsize=8.5, color="#57606a")
            continue
        axes.barh(place, value - left, left=left, height=0.62, color=COLOURS[0])
        per_second = f"{measured.tokens_per_s_7b:.2g} tokens/s of a 7B"
        inside = value > math.sqrt(left * limit)
        axes.text(
            value / 1.1 if inside else value * 1.1, place, per_second, va="center", fontsize=8.5, color=INK,
            ha="right" if inside else "left",
        )  # fmt: skip
    axes.axvline(limit, color=COLOURS[2], linewidth=2)
    axes.set_title(
        f"red line: {name}, {limit:.3g} {'GB/s' if name == 'memory' else 'GOPS'}", fontsize="medium", loc="left"
    )
    axes.set(xscale="log", xlim=(left, max([*known, limit]) * 1.4), xlabel=xlabel)
    axes.set_yticks(range(len(found)), [measured.rung.title for measured in found], fontsize=9)
    axes.invert_yaxis()
    best = max(range(len(found)), key=lambda i: values[i] or 0.0)
    alt = (
        f"{len(found)} kernels in bars of {xlabel}, from {min(known):.2g} to {max(known):.3g}. The best is "
        f"{found[best].rung.title}, at {max(known) / limit:.0%} of the line for {name}."
    )
    return show(figure, alt)


def plot_layout() -> Picture:
    """One block of each of 16 rows: as a file keeps it, and as the fast kernels read it."""
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    figure, axes = new_figure(5.6, 5.4)
    shades = colormaps["cividis"](np.linspace(0.15, 1, 16))

    def cell(x: float, y: float, width: float, colour: Any, text: str) -> None:
        axes.add_patch(Rectangle((x, y), width, 0.86, facecolor=colour, edgecolor="white"))
        dark = np.mean(colour[:3]) < 0.5 if not isinstance(colour, str) else False
        axes.text(x + width / 2, y + 0.43, text, ha="center", va="center", fontsize=7, color="white" if dark else INK)

    for row in range(16):
        axes.text(-0.3, row + 0.43, f"row {row}", ha="right", va="center", fontsize=7.5)
        cell(0, row, 2, "#d0d7de", "scale")
        for line in range(4):
            cell(2 + 4 * line, row, 4, shades[row], f"{row}.{line}")
    for line in range(4):
        axes.text(-0.3, 18 + line + 0.43, f"line {line}", ha="right", va="center", fontsize=7.5)
        for row in range(16):
            cell(1.125 * row, 18 + line, 1.125, shades[row], f"{row}.{line}")
    axes.text(-0.3, 22.43, "scales", ha="right", va="center", fontsize=7.5)
    for row in range(16):
        cell(1.125 * row, 22, 1.125, "#d0d7de", str(row))
    axes.text(0, -0.3, "in the file: 18 bytes a row, 4 bytes a coloured cell", va="bottom", fontsize=8.5)
    axes.text(0, 17.7, "packed: a line of 64 bytes is one load", va="bottom", fontsize=8.5)
    axes.set(xlim=(-3, 18.2), ylim=(23.2, -1.6), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    alt = (
        "Above, sixteen rows, each a scale and four cells of four bytes. Below, four lines; each holds the same cell "
        "of all sixteen rows side by side, and the sixteen scales follow in a line of their own."
    )
    return show(figure, alt)
