"""Pictures of the whole model: the road, what adds to it, weights by part, where two models part, damage by bugs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.feedforward import hidden_size
from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROAD = "#6e7781"
HEAD_DIM = 128
HATCHES = ("", "//", "..", "xx")
ROUNDING = 1e-4  # of the largest number: what two right programs may differ by


def plot_road() -> Picture:
    """One block on the road: each half reads a normed copy, and adds what it says."""
    figure, axes = new_figure(6.6, 3.3)
    axes.axis("off")
    axes.set(xlim=(0, 13.2), ylim=(-0.3, 4.4))

    def box(x: float, y: float, text: str, colour: str) -> None:
        style = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
        axes.text(x, y, text, ha="center", va="center", bbox=style)

    def arrow(start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1.8) -> None:
        style = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style)

    arrow((1.7, 1), (11.2, 1), ROAD, 6)
    for left, half, colour in ((2.6, "attention", COLOURS[0]), (6.6, "feed-forward", COLOURS[1])):
        axes.plot([left, left], [1, 2.2], color=colour, linewidth=1.8)
        box(left, 2.2, "norm", colour)
        arrow((left, 2.5), (left, 3.5), colour)
        axes.plot([left + 0.6, left + 2.6, left + 2.6], [3.85, 3.85, 2.0], color=colour, linewidth=1.8)
        box(left + 0.6, 3.85, half, colour)
        arrow((left + 2.6, 2.0), (left + 2.6, 1.35), colour)
        circle = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
        axes.text(left + 2.6, 1, "+", ha="center", va="center", fontsize="large", fontweight="bold", bbox=circle)
    axes.plot([2.0, 2.0, 10.1, 10.1], [0.45, 0.2, 0.2, 0.45], color=ROAD, linewidth=1.2)
    axes.text(6.05, -0.1, "a block: 32 of them in the 7B", ha="center", va="center", color="#444444")
    box(0.9, 1, "embed-\nding", ROAD)
    box(12.0, 1, "norm,\noutput", ROAD)
    alt = (
        "A thick arrow, the road, from the embedding to the last norm and the output. In a block, attention and then "
        "feed-forward each read the road through a norm of their own, and what they say is added back to it."
    )
    return show(figure, alt)


def plot_growth(stream: Sequence[float], attention: Sequence[float], feed_forward: Sequence[float]) -> Picture:
    """How loud the road is, and what each half adds.

    Args:
        stream: root mean square before the first block and after each: L + 1 numbers.
        attention, feed_forward: of what each layer's halves add: L numbers.
    """
    figure, axes = new_figure()
    layers = np.arange(len(attention))
    axes.plot(np.arange(len(stream)) - 0.5, stream, "o-", color=ROAD, linewidth=3, label="the road, between blocks")
    axes.bar(layers - 0.16, attention, 0.3, color=COLOURS[0], label="attention adds")
    axes.bar(layers + 0.16, feed_forward, 0.3, color=COLOURS[1], hatch="//", edgecolor="white",
             label="feed-forward adds")  # fmt: skip
    axes.set(xlabel="block", ylabel="root mean square", xticks=layers)
    figure.legend(frameon=False, loc="outside upper left", ncols=2)
    alt = (
        f"The root mean square of the road goes from {stream[0]:.2f} before the first block to {stream[-1]:.2f} after "
        f"the last; the loudest addition is {max(*attention, *feed_forward):.2f}."
    )
    return show(figure, alt)


def parts_of(layers: int, heads: int, query_heads_a_key: int, vocabulary: int) -> dict[str, int]:
    """Weights by part of a LLaMA with heads of 128 channels.

    Args:
        layers, heads: of the model; each head is 128 channels of the road.
        query_heads_a_key: how many share one key/value head.
        vocabulary: rows of each of the two tables.
    """
    dim = heads * HEAD_DIM
    keys = -(-heads // query_heads_a_key) * HEAD_DIM
    return {
        "feed-forward": layers * 3 * dim * hidden_size(dim, 256),
        "attention": layers * (2 * dim * dim + 2 * dim * keys),
        "two tables": 2 * vocabulary * dim,
        "norms": (2 * layers + 1) * dim,
    }


def draw_design(layers: int, heads: int, heads_a_key: int, thousand_words: int) -> "Figure":
    """One model's weights by part, with what it costs to keep and to run."""
    parts = parts_of(layers, heads, heads_a_key, 1000 * thousand_words)
    total, tables = sum(parts.values()), parts["two tables"]
    figure, axes = new_figure(5.8, 2.7)
    left = 0.0
    for (name, count), colour, hatch in zip(parts.items(), COLOURS, HATCHES, strict=False):
        label = f"{name} {count / 1e9:.2f}" if count > 5e6 else f"{name} {count / 1e9:.4f}"
        axes.barh([0], [count / 1e9], left=left, color=colour, hatch=hatch, edgecolor="white", label=label)
        left += count / 1e9
    axes.set(xlabel="billions of weights", yticks=[], xlim=(0, left * 1.02))
    axes.set_title(
        f"{total / 1e9:.2f} billion weights\n"
        f"{2 * total / 1e9:.1f} GB at 16 bits · {4.5 * total / 8e9:.1f} GB at about 4 bits\n"
        f"{2 * (total - tables / 2) / 1e9:.1f} billion operations a token",
        fontsize="medium", loc="left",
    )  # fmt: skip
    figure.legend(frameon=False, loc="outside lower left", ncols=2)
    return figure


def designer() -> Control:
    """Choose a model's sizes, and see where its weights go and what they cost; it begins with the 7B."""
    alt = (
        "Stacked bar of the 7B's weights: feed-forward layers hold most, attention about half as much, the two tables "
        "little, the norms next to nothing."
    )
    return Control(
        draw_design, alt, layers=(1, 128, 32), heads=(1, 128, 32), heads_a_key=(1, 16, 1), thousand_words=(1, 256, 32)
    )


def plot_parity(errors: Mapping[str, Mapping[str, float]]) -> Picture:
    """How far the parts of models are from a reference, in the order of the pass.

    Args:
        errors: model -> part -> largest difference, as a share of the part's largest number.
    """
    names = list(next(iter(errors.values())))
    figure, axes = new_figure(5.6, 0.9 + 0.2 * len(names))
    findings = []
    for (label, parts), colour, marker, size in zip(errors.items(), COLOURS, "os^D", (9, 6, 4, 3), strict=False):
        values = np.maximum([parts[name] for name in names], 1e-9)
        axes.plot(values, range(len(names)), marker, color=colour, markersize=size, label=label)
        first = next((name for name in names if not parts[name] <= ROUNDING), None)
        findings.append(f"{label}: {'only rounding' if first is None else f'wrong from {first} on'}")
    axes.axvline(ROUNDING, color="#444444", linewidth=1, linestyle="--")
    axes.set(xscale="log", xlabel="largest difference, as a share of the largest number", yticks=range(len(names)))
    axes.set_yticklabels(names, fontsize="x-small")
    axes.grid(axis="y", color="#eaeef2")
    axes.set_axisbelow(True)
    axes.invert_yaxis()
    figure.legend(frameon=False, loc="outside upper left", ncols=2)
    return show(figure, f"Dots by part of the model, in the order of the pass. {'; '.join(findings)}.")


def plot_damage(nats: Mapping[str, float], strangeness: Mapping[str, float], usual: float) -> Picture:
    """Bugs in the order of what they do to the loss, beside how strange their text is.

    Args:
        nats: bug -> how much the loss rises.
        strangeness: bug -> the right model's loss on the text that the broken one writes.
        usual: that of the right model's own text.
    """
    names = sorted(nats, key=lambda name: nats[name])
    figure, _ = new_figure(6.8, 1.0 + 0.34 * len(names))
    figure.clear()
    left, right = figure.subplots(1, 2, sharey=True)
    rows = range(len(names))
    for axes, values, colour, hatch in ((left, nats, COLOURS[2], ""), (right, strangeness, COLOURS[4], "//")):
        heights: list[Any] = [max(values[name], 0) for name in names]
        axes.barh(rows, heights, color=colour, hatch=hatch, edgecolor="white")
        for row, height in zip(rows, heights, strict=True):
            axes.text(height, row, f" {height:.2f}", va="center", fontsize="small")
        axes.set_xlim(0, 1.25 * max(heights))
        axes.spines[["top", "right"]].set_visible(False)
    right.axvline(usual, color="#444444", linewidth=1, linestyle="--")
    left.set(yticks=rows, yticklabels=names, xlabel="rise of the loss,\nnats a token")
    right.set_xlabel("strangeness of its text,\nnats a token (dashed: usual)")
    least = max(nats[names[0]], 0)
    loudest = max(strangeness, key=lambda name: strangeness[name])
    alt = (
        f"Two rows of bars, bugs in the order of the loss. It rises least by {names[0]} ({least:.2f}) and "
        f"most by {names[-1]} ({nats[names[-1]]:.2f} nats); the strangest text is that of {loudest} "
        f"({strangeness[loudest]:.2f}), and {names[-1]} has {strangeness[names[-1]]:.2f}."
    )
    return show(figure, alt)
