"""Pictures of lesson 09: what a model reads, how fast it may learn, and what one budget buys."""

from collections.abc import Mapping, Sequence

import numpy as np

from minillama.viz.figure import COLOURS, Picture, new_figure, show


def plot_mixture(shares: Mapping[str, tuple[float, float]]) -> Picture:
    """What a corpus holds beside what is read of it.

    Args:
        shares: source -> (share of the bytes on disk, share of what is read), in percent.
    """
    figure, axes = new_figure(5.4, 3.4)
    places = np.arange(len(shares))
    disk, read = (np.array(each) for each in zip(*shares.values(), strict=True))
    axes.barh(places - 0.2, disk, 0.38, color=COLOURS[3], label="of the bytes on disk")
    axes.barh(places + 0.2, read, 0.38, color=COLOURS[0], label="of what is read")
    axes.set(xlabel="share in percent", yticks=places, yticklabels=list(shares))
    axes.invert_yaxis()
    axes.legend(frameon=False, loc="lower right")
    most, least = (max(shares, key=lambda name: pick * (read / disk)[list(shares).index(name)]) for pick in (1, -1))
    alt = f"{len(shares)} sources, in bars. {most} is read most beside what it has on disk, {least} least."
    return show(figure, alt)


def plot_sweep(stored: Mapping[float, float], live: tuple[float, float] | None = None) -> Picture:
    """The loss that runs of one length end with, by their learning rate.

    Args:
        stored: learning rate -> loss on held-out text.
        live: one more point, run here.
    """
    figure, axes = new_figure()
    axes.plot(list(stored), list(stored.values()), "o-", color=COLOURS[0], label="stored runs")
    if live is not None:
        axes.plot(*live, "D", color=COLOURS[2], markersize=8, label="run here")
    axes.set(xscale="log", xlabel="learning rate after the warm-up", ylabel="loss in nats a token")
    axes.legend(frameon=False)
    best = min(stored, key=lambda rate: stored[rate])
    alt = (
        f"The loss on held-out stories by learning rate: lowest at {best:g} with {stored[best]:.2f} nats, and higher "
        f"on both sides, up to {max(stored.values()):.2f}."
    )
    return show(figure, alt)


def plot_budget(sizes: Sequence[float], losses: Sequence[float], tokens: Sequence[float]) -> Picture:
    """Models of several sizes that were each trained with the same number of operations.

    Args:
        sizes: parameters of each.
        losses: on held-out text, nats a token.
        tokens: that each has read.
    """
    figure, axes = new_figure()
    axes.plot(sizes, losses, "o-", color=COLOURS[0])
    for size, loss, count in zip(sizes, losses, tokens, strict=True):
        over = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        words = f"{count / 1e6:.1f} M tokens"
        axes.annotate(words, (size, loss), (0, 9), textcoords="offset points", ha="center", bbox=over)
    axes.set(xscale="log", xlabel="parameters", ylabel="loss in nats a token")
    axes.set(xlim=(min(sizes) * 0.7, max(sizes) * 1.5), ylim=(min(losses) - 0.02, max(losses) + 0.03))
    axes.set_xticks(sizes, [f"{size / 1e6:.1f} M" for size in sizes], minor=False)
    axes.minorticks_off()
    best = int(np.argmin(losses))
    alt = (
        f"Four sizes, one budget: the loss is lowest for {sizes[best] / 1e6:.1f} million parameters with "
        f"{losses[best]:.3f} nats, and {losses[0]:.3f} for the smallest, which read the most."
    )
    return show(figure, alt)
