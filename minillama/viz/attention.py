"""Pictures of attention: a soft dictionary, masks, heat maps with words, maps of all heads, groups of heads."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DICTIONARY = {"Lily": 80, "saw": 200, "a": 250, "cat": 20, "sad": 130}  # word -> direction of its key, in degrees
MAX_NUMBERS = 12  # columns of a mask up to which its letters are drawn


def soft_dictionary(query: float, strength: float) -> dict[str, float]:
    """The weight of each word for a query of this direction in degrees; scores are at most `strength`."""
    scores = np.array([strength * math.cos(math.radians(query - key)) for key in DICTIONARY.values()])
    weights = np.exp(scores - scores.max())
    return dict(zip(DICTIONARY, (weights / weights.sum()).tolist(), strict=True))


def draw_dictionary(query: int, strength: int) -> "Figure":
    """A query among the keys of five words, and the weight that each word gets.

    Args:
        query: its direction in degrees.
        strength: of the scores, in tenths.
    """
    weights = soft_dictionary(query, strength / 10)
    figure, axes = new_figure(5.4, 3.4)
    for (word, weight), key in zip(weights.items(), DICTIONARY.values(), strict=True):
        x, y = math.cos(math.radians(key)), math.sin(math.radians(key))
        axes.plot([0, x], [0, y], color=COLOURS[2], linewidth=1 + 9 * weight, solid_capstyle="round")
        axes.annotate(f"{word}\n{weight:.2f}", (1.3 * x, 1.3 * y), ha="center", va="center")
    x, y = math.cos(math.radians(query)), math.sin(math.radians(query))
    axes.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": COLOURS[0], "linewidth": 3})
    axes.set(xlim=(-2.2, 2.2), ylim=(-1.6, 1.6), aspect="equal", xticks=[], yticks=[])
    axes.set_xlabel("blue: the query; red: keys, as thick as their weight", fontsize="medium")
    axes.spines[:].set_visible(False)
    return figure


def dictionary() -> Control:
    """Turn a query among five keys, and make its scores stronger."""
    alt = (
        "A query arrow among the keys of five words. The key that points most nearly the same way has the thickest "
        "line and the largest weight; the others get something too, and all weights sum to 1."
    )
    return Control(draw_dictionary, alt, query=(0, 355, 60), strength=(0, 100, 20))


def plot_masks(masks: Mapping[str, Any]) -> Picture:
    """Masks beside each other: dark where a query may look.

    Args:
        masks: title -> (T, S) bool.
    """
    figure, axes = new_figure(max(3.0, 2.3 * len(masks)), 2.6)
    axes.remove()
    for i, (title, mask) in enumerate(masks.items()):
        places = np.asarray(mask).astype(float)
        part = figure.add_subplot(1, len(masks), i + 1)
        part.imshow(places, cmap="Blues", vmin=0, vmax=1.2)
        part.set_title(title, fontsize="medium")
        part.set(xlabel="key", ylabel="query" if i == 0 else None)
        T, S = places.shape
        part.set(xticks=range(0, S, 1 + S // MAX_NUMBERS), yticks=range(T), yticklabels=range(S - T, S))
        part.set_xticks(np.arange(S + 1) - 0.5, minor=True)
        part.set_yticks(np.arange(T + 1) - 0.5, minor=True)
        part.grid(which="minor", color="white", linewidth=2)
        part.tick_params(which="both", length=0)
    counts = ", ".join(
        f"{title}: {int(np.asarray(mask).sum())} of {np.asarray(mask).size}" for title, mask in masks.items()
    )
    return show(figure, f"Masks of queries (rows) and keys (columns). Places where a query may look: {counts}.")


def draw_weights(weights: Any, words: Sequence[str], title: str = "", label: str = "attention") -> "Figure":
    """One head as a heat map: the row looks, the column is looked at.

    Args:
        weights: (T, T).
        words: T labels.
        title: above the picture.
        label: of the colours.
    """
    T, places = len(words), np.asarray(weights, dtype=np.float64)
    size = min(7.0, max(3.6, 0.24 * T))
    figure, axes = new_figure(size + 0.9, size)
    image = axes.imshow(places, cmap="cividis", vmin=0, vmax=max(float(places.max()), 1e-9))
    axes.set(xticks=range(T), yticks=range(T), xlabel="is looked at", ylabel="looks", title=title)
    axes.set_xticklabels(words, rotation=90, fontsize="small" if T <= 24 else "x-small")
    axes.set_yticklabels(words, fontsize="small" if T <= 24 else "x-small")
    figure.colorbar(image, ax=axes, label=label, shrink=0.7)
    return figure


def strongest_looks(weights: Any, words: Sequence[str], count: int = 3) -> str:
    """The rows with the largest weights on an earlier token, in words."""
    places = np.tril(np.asarray(weights, dtype=np.float64), -1)
    order = np.argsort(-places, axis=None, kind="stable")[:count]
    pairs = (np.unravel_index(each, places.shape) for each in order)
    return ", ".join(f"{words[row]!r} at {words[column]!r} {places[row, column]:.2f}" for row, column in pairs)


def plot_weights(weights: Any, words: Sequence[str], title: str = "") -> Picture:
    """One head as a heat map with its words, (T, T)."""
    alt = f"Heat map of one head's attention ({title}). Most on earlier words: {strongest_looks(weights, words)}."
    return show(draw_weights(weights, words, title), alt)


def plot_heads(values: Any, label: str, what: str) -> Picture:
    """One number for every head of a model, a row a layer.

    Args:
        values: (L, H).
        label: of the colours.
        what: "the score for ...", for the alternative text.
    """
    numbers = np.asarray(values, dtype=np.float64)
    n_layers, n_heads = numbers.shape
    figure, axes = new_figure(5.4, 0.9 + 0.5 * n_layers)
    low, high = min(0.0, numbers.min()), max(numbers.max(), 1e-9)
    image = axes.imshow(numbers, cmap="cividis", aspect="auto", vmin=low, vmax=high)
    for layer in range(n_layers):
        for head in range(n_heads):
            dark = numbers[layer, head] < low + 0.6 * (high - low)
            text = f"{round(numbers[layer, head], 2) + 0.0:.2f}"  # 0.00 for -0.001
            axes.text(head, layer, text, ha="center", va="center", fontsize="small", color="white" if dark else "black")
    axes.set(xticks=range(n_heads), yticks=range(n_layers), xlabel="head", ylabel="layer")
    figure.colorbar(image, ax=axes, label=label)
    best = int(numbers.argmax()) // n_heads
    middle = float(np.median(numbers))
    alt = (
        f"{what} for each of {numbers.size} heads, a row a layer. The largest is {numbers.max():.2f} in layer {best}, "
        f"the median {middle:.2f}; above half of the largest: {int((numbers > numbers.max() / 2).sum())} heads."
    )
    return show(figure, alt)


def plot_scaling(sizes: Mapping[int, tuple[Any, Any]]) -> Picture:
    """The weights of one query, largest first, with unscaled and with scaled scores.

    Args:
        sizes: K -> two arrays of mean sorted weights, unscaled and scaled.
    """
    figure, axes = new_figure(5.4, 3.2)
    axes.remove()
    found = []
    for i, name in enumerate(("without the root", "divided by the root")):
        part = figure.add_subplot(1, 2, i + 1, sharey=figure.axes[0] if i else None)
        for (K, both), style in zip(sizes.items(), ("-", "--", ":"), strict=False):
            part.plot(range(1, len(both[i]) + 1), both[i], style, color=COLOURS[len(part.lines)], label=f"K = {K}")
            part.lines[-1].set_linewidth(2)
        part.set(xlabel="keys, best first", ylabel=None if i else "weight")
        part.set_title(name, fontsize="medium")
        part.spines[["top", "right"]].set_visible(False)
        found.append(", ".join(f"{float(both[i][0]):.2f} with K = {K}" for K, both in sizes.items()))
    figure.axes[0].legend(frameon=False)
    alt = f"Mean weight of each key, best first. Unscaled, the best gets {found[0]}; scaled, {found[1]}."
    return show(figure, alt)


def plot_groups(n_heads: int = 4) -> Picture:
    """Which key/value head each query head reads: one each, two groups, one for all."""
    figure, axes = new_figure(5.4, 2.2)
    kinds = {"multi-head": n_heads, "grouped": n_heads // 2, "multi-query": 1}
    for i, (name, n_kv_heads) in enumerate(kinds.items()):
        left, group = i * (n_heads + 1.5), n_heads // n_kv_heads
        for head in range(n_heads):
            place = left + (head // group + 0.5) * group - 0.5
            axes.plot([left + head, place], [1, 0], color="#6e7781", linewidth=1.5, zorder=1)
            axes.plot(left + head, 1, "o", color=COLOURS[0], markersize=17)
            axes.text(left + head, 1, "q", ha="center", va="center", color="white")
        for kv in range(n_kv_heads):
            place = left + (kv + 0.5) * group - 0.5
            axes.plot(place, 0, "s", color=COLOURS[2], markersize=18)
            axes.text(place, 0, "kv", ha="center", va="center", color="white", fontsize="small")
        axes.text(left + (n_heads - 1) / 2, 1.55, name, ha="center")
    axes.set(ylim=(-0.45, 1.8), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    alt = (
        f"{n_heads} query heads above their key/value heads. Multi-head: {n_heads}, one each. Grouped: {n_heads // 2}, "
        "neighbouring query heads share one. Multi-query: one for all."
    )
    return show(figure, alt)


def plot_moments(maps: Mapping[int, Any]) -> Picture:
    """One head's attention at several moments of a training, in reading order, all in one scale of colours.

    Args:
        maps: steps done -> (T, T).
    """
    columns = 3
    rows = math.ceil(len(maps) / columns)
    figure, axes = new_figure(5.4, 0.2 + 1.9 * rows)
    axes.remove()
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for place in grid:
        place.set_axis_off()
    highest = {}
    for place, (step, weights) in zip(grid, maps.items(), strict=False):
        square = np.asarray(weights, dtype=np.float64)
        place.imshow(square, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
        place.set_title(f"step {step:,}", fontsize="medium")
        highest[step] = float(square[len(square) // 2 :].max(axis=1).mean())
    said = ", ".join(f"{each:.2f} at step {step:,}" for step, each in highest.items())
    return show(figure, f"Heat maps of one head. Mean of the largest weight of the rows in the second half: {said}.")


def plot_training(log: Mapping[str, Any], scores: Mapping[str, Mapping[int, float]]) -> Picture:
    """The loss of a training, and below it what was measured of the model at some of its steps.

    Args:
        log: "step" and "loss", a number each for every point.
        scores: label -> steps done -> score from 0 to 1.
    """
    figure, axes = new_figure(5.4, 4.6)
    axes.remove()
    above, below = figure.subplots(2, 1, sharex=True)
    steps = np.asarray(log["step"])
    last = max(step for each in scores.values() for step in each)
    above.plot(steps[steps <= last], np.asarray(log["loss"])[steps <= last], color=COLOURS[3], linewidth=1)
    above.set_ylabel("loss in nats a token")
    for (label, each), (marker, line), colour in zip(
        scores.items(), (("o", "-"), ("s", "--"), ("^", ":")), COLOURS, strict=False
    ):
        below.plot(list(each), list(each.values()), marker + line, label=label, color=colour)
    below.set(xlabel="steps of training", ylabel="score of the best head", ylim=(0, 1.05))
    below.legend(frameon=False)
    for each in (above, below):
        each.spines[["top", "right"]].set_visible(False)
    said = "; ".join(
        f"{label} " + ", ".join(f"{score:.2f} at {step:,}" for step, score in each.items())
        for label, each in scores.items()
    )
    return show(figure, f"Loss by step above; below the best head's score. {said}.")
