"""Pictures of rotary embedding: clock hands, wavelengths, scores."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_hands(query_position: int, key_position: int, hand: int) -> "Figure":
    """A query and a key as hands of a clock, and their score below.

    Args:
        query_position, key_position: from 0.
        hand: 0 to 3, each slower than the one before: the pairs of a head with 8 channels and theta 100.
    """
    speed = 100.0 ** (-hand / 4)
    angles = {"query": query_position * speed, "key": key_position * speed}
    figure, axes = new_figure(4.8, 4.2)
    axes.add_patch(_circle())
    axes.add_patch(_wedge(angles["key"], angles["query"]))
    # Hands of two lengths, with the label of one outside of the circle, stay readable where they lie on each other.
    for (name, angle), position, length, at, colour, style in zip(
        angles.items(), (query_position, key_position), (1.0, 0.55), (1.1, 0.72), (COLOURS[0], COLOURS[2]), ("-", "--"),
        strict=True,
    ):  # fmt: skip
        x, y = math.cos(angle), math.sin(angle)
        axes.plot([0, length * x], [0, length * y], style, color=colour, linewidth=3)
        side = "center" if name == "key" or abs(x) < 0.3 else "left" if x > 0 else "right"
        box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"}
        axes.annotate(f"{name} at {position}", (at * x, at * y), ha=side, va="center", bbox=box, zorder=3)
    score = math.cos(angles["query"] - angles["key"])
    distance = query_position - key_position
    axes.set(xlim=(-1.8, 1.8), ylim=(-1.25, 1.25), aspect="equal", xticks=[], yticks=[])
    axes.set_title(f"hand {hand}: {speed:.3f} radians a position", fontsize="medium")
    axes.set_xlabel(
        f"{distance:+d} positions × {speed:.3f} = {distance * speed:+.2f} radians\nscore {score:+.3f}", fontsize="large"
    )
    axes.spines[:].set_visible(False)
    return figure


def _circle() -> Any:
    from matplotlib.patches import Circle

    return Circle((0, 0), 1, fill=False, color="#94a4a2")


def _wedge(start: float, end: float) -> Any:
    """What lies between two angles, without whole turns."""
    from matplotlib.patches import Wedge

    least, between = min(start, end), abs(end - start) % (2 * math.pi)
    return Wedge((0, 0), 0.3, math.degrees(least), math.degrees(least + between), color="#94a4a2", alpha=0.5)


def hands() -> Control:
    """Turn a query and a key by sliders."""
    alt = (
        "A clock with two hands: a query at position 7 and a key at position 4. "
        "Below, the angle between them and their score, which depend on the distance of 3 alone."
    )
    return Control(draw_hands, alt, query_position=(0, 40, 7), key_position=(0, 40, 4), hand=(0, 3, 1))


def plot_wavelengths(thetas: dict[str, float], head_dim: int = 128, context: int | None = None) -> Picture:
    """Tokens that each pair takes for one turn.

    Args:
        thetas: label -> theta.
        head_dim: K.
        context: draws a line at this many tokens.
    """
    figure, axes = new_figure()
    pair = np.arange(head_dim // 2)
    for (label, theta), style in zip(thetas.items(), ("-", "--", ":"), strict=False):
        axes.semilogy(pair, 2 * np.pi * theta ** (2 * pair / head_dim), style, label=label, linewidth=2)
    if context:
        axes.axhline(context, color="#6e7781", linewidth=1)
        axes.annotate(f"context of {context:,} tokens", (1, context * 1.15), color="#444444")
    axes.set(xlabel="pair i", ylabel="tokens for one turn")
    axes.legend(frameon=False)
    longest = ", ".join(f"{label} {2 * np.pi * theta ** (1 - 2 / head_dim):,.0f}" for label, theta in thetas.items())
    alt = f"Tokens for one turn rise in a straight line on a log scale, from 6 for pair 0; last pair: {longest}."
    return show(figure, alt)
