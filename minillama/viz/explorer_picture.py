"""The attention explorer as a picture: all heads at a glance, and one large."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minillama.viz.attention import strongest_looks
from minillama.viz.figure import Picture, new_figure, show

MAX_WORDS = 40  # beside a heat map; with more, they cannot be read
COLOURS = 128  # are enough for cividis and letters
GAP = 2  # empty places between two heads


def contact_sheet(attention: Any) -> Any:
    """All heads in one array, a row a layer, with gaps that are not a number.

    Args:
        attention: (L, H, T, T).

    Returns:
        (L * (T + 2) - 2, H * (T + 2) - 2) float64.
    """
    padded = np.pad(
        np.asarray(attention, dtype=np.float64), ((0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=np.nan
    )
    L, H, rows, columns = padded.shape
    return padded.transpose(0, 2, 1, 3).reshape(L * rows, H * columns)[:-GAP, :-GAP]


def plot_explorer(attention: Any, words: Sequence[str], layer: int, head: int) -> Picture:
    """All heads of a model on one text, and one of them large.

    Args:
        attention: (L, H, T, T).
        words: T labels.
        layer, head: which one is large.
    """
    places = np.asarray(attention.cpu(), dtype=np.float64)
    L, H, T, _ = places.shape
    one = places[layer, head]
    figure, axes = new_figure(9.6, 4.2)
    axes.remove()
    left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
    future = np.triu(np.ones((T, T), dtype=bool), 1)
    seen = np.where(future & (places == 0), np.nan, places)
    sheet = np.sqrt(np.clip(contact_sheet(seen), 0, 1))
    left.imshow(sheet, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    step, middle = T + GAP, (T - 1) / 2
    left.set(xticks=np.arange(H) * step + middle, yticks=np.arange(L) * step + middle, xlabel="head", ylabel="layer")
    left.set_xticklabels(range(H), fontsize="small" if H <= 16 else 5)
    left.set_yticklabels(range(L), fontsize="small" if L <= 16 else 5)
    left.set_title(f"all {L * H} heads", fontsize="medium")
    left.tick_params(length=0)
    left.spines[:].set_visible(False)
    frame = {"fill": False, "edgecolor": "#bd1f01", "linewidth": 2, "clip_on": False}
    left.add_patch(_rectangle((head * step - 1, layer * step - 1), T + 1, frame))
    image = right.imshow(seen[layer, head], cmap="cividis", vmin=0, vmax=max(float(np.nanmax(one)), 1e-9))
    right.set(xlabel="is looked at", ylabel="looks")
    right.set_title(f"layer {layer}, head {head}", fontsize="medium")
    if T <= MAX_WORDS:
        size = "small" if T <= 24 else 6
        right.set(xticks=range(T), yticks=range(T))
        right.set_xticklabels(words, rotation=90, fontsize=size)
        right.set_yticklabels(words, fontsize=size)
    right.spines[:].set_visible(False)
    figure.colorbar(image, ax=right, label="attention", shrink=0.8)
    looks = strongest_looks(np.nan_to_num(one), words)
    alt = f"Attention of {L} layers of {H} heads over {T} tokens. Layer {layer}, head {head} looks most: {looks}."
    return show(figure, alt, colours=COLOURS)


def _rectangle(corner: tuple[float, float], size: float, style: dict[str, Any]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, size, size, **style)
