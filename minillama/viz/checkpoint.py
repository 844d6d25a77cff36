"""Pictures of lesson 10: shards, a file as a map, what fits, and the bits of a number."""

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING

from minillama.viz.figure import COLOURS, Choice, Control, Picture, new_figure, show
from minillama.viz.hexview import FILLS, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAINT = "#94a4a2"

CUTS = (  # name, width and height in the picture, x, y, cut by
    ("tok_embeddings", 1.0, 2.2, 0.0, 0.0, "columns"),
    ("wq", 1.0, 1.0, 1.5, 0.0, "rows"), ("wk", 1.0, 1.0, 2.8, 0.0, "rows"), ("wv", 1.0, 1.0, 4.1, 0.0, "rows"),
    ("wo", 1.0, 1.0, 5.4, 0.0, "columns"),
    ("w1", 1.0, 1.6, 1.5, 1.6, "rows"), ("w3", 1.0, 1.6, 2.8, 1.6, "rows"), ("w2", 1.6, 1.0, 4.1, 1.6, "columns"),
    ("norm", 1.0, 0.12, 4.4, 3.05, ""), ("output", 1.0, 2.2, 6.9, 0.0, "rows"),
)  # fmt: skip


def draw_cuts(shards: int) -> "Figure":
    """Which part of each matrix lies in which shard."""
    from matplotlib.patches import Rectangle

    figure, axes = new_figure(5.4, 3.3)
    for name, width, height, x, y, cut in CUTS:
        for i in range(shards if cut else 1):
            place = (x + i * width / shards, y) if cut == "columns" else (x, y + i * height / shards if cut else y)
            size = (width / shards, height) if cut == "columns" else (width, height / shards if cut else height)
            fill, hatch = COLOURS[i % 4] if cut else FAINT, "///" if i % 2 else None
            axes.add_patch(Rectangle(place, *size, facecolor=fill, hatch=hatch, edgecolor="white", alpha=0.85))
        axes.text(x + width / 2, y + height + 0.07, name, ha="center", va="top", fontsize=9, color=INK)
    axes.set(xlim=(-0.1, 8.0), ylim=(3.6, -0.15), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)
    words = "one file holds all" if shards == 1 else f"{shards} shards, each with a colour; grey: a copy in all"
    axes.set_title(words, loc="left", fontsize=10)
    axes.set_xlabel("rows from top to bottom, columns from left to right; not to scale", fontsize=9)
    return figure


def cuts() -> Control:
    """Meta's shards: choose how many."""
    alt = (
        "The matrices of a LLaMA in the colours of two shards. wq, wk, wv, w1, w3 and output are cut into an upper and "
        "a lower half; tok_embeddings, wo and w2 into a left and a right one; norms are whole in both."
    )
    return Control(draw_cuts, alt, shards=Choice((1, 2, 4, 8), 2))


PARTS = {"embeddings": "tok_embeddings output", "attention": "wq wk wv wo", "feed-forward": "w1 w2 w3", "norms": ""}


def part_of(name: str) -> str:
    """Which of PARTS a tensor belongs to, by its canonical name.

    >>> part_of("layers.0.attention.wq.weight")
    'attention'
    """
    leaf = name.removesuffix(".weight").rpartition(".")[2]
    return next((part for part, leaves in PARTS.items() if leaf in leaves.split()), "norms")


def plot_map(sizes: Mapping[str, int]) -> Picture:
    """All weights of a model end to end, coloured by what they belong to.

    Args:
        sizes: canonical name -> bytes, in order.
    """
    total, at = sum(sizes.values()), 0
    unit, name = (1e9, "GB") if total > 1e9 else (1e6, "MB")
    figure, axes = new_figure(5.4, 1.7)
    shares = dict.fromkeys(PARTS, 0)
    colours = dict(zip(PARTS, (COLOURS[0], COLOURS[1], COLOURS[4], FAINT), strict=True))
    for tensor, size in sizes.items():
        part = part_of(tensor)
        axes.barh([0], [size / unit], left=[at / unit], color=colours[part], height=0.8, linewidth=0)
        shares[part] += size
        at += size
    axes.set(yticks=[], xlabel=f"{name}, from the first tensor to the last", xlim=(0, total / unit))
    axes.spines["left"].set_visible(False)
    words = {part: f"{share / total:.0%}" if share / total > 0.005 else "under 1%" for part, share in shares.items()}
    handles = [axes.bar([0], [0], color=colours[part], label=f"{part} {words[part]}") for part in PARTS]
    figure.legend(handles=handles, frameon=False, ncols=2, loc="outside upper left", fontsize="small")
    told = ", ".join(f"{part} {word}" for part, word in words.items())
    return show(
        figure, f"{len(sizes)} tensors of {total / unit:.1f} {name} end to end, in colours: {told}.", colours=64
    )


def plot_needs(needs: Mapping[str, float], free_gib: float, title: str) -> Picture:
    """What some versions of a model need beside what is free.

    Args:
        needs: label -> GiB.
        free_gib: on this machine.
        title: which model.
    """
    figure, axes = new_figure(5.4, 0.9 + 0.42 * len(needs))
    for y, need in enumerate(needs.values()):
        fits = need <= free_gib
        axes.barh([y], [need], color=COLOURS[0] if fits else COLOURS[1], hatch=None if fits else "///", height=0.6,
                  edgecolor="white")  # fmt: skip
        ground = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        words = f"{need:.3g} GiB, {'fits' if fits else 'does not fit'}"
        axes.annotate(words, (need, y), (6, 0), textcoords="offset points", va="center", fontsize=9, bbox=ground)
    axes.axvline(free_gib, color="#6e7781", linewidth=1, linestyle=":")
    axes.set(yticks=range(len(needs)), yticklabels=list(needs), xlabel="GiB; dotted: free on this machine now")
    axes.set(xlim=(0, 1.6 * max(*needs.values(), min(free_gib, 2 * max(needs.values())))), title=title)
    axes.invert_yaxis()
    fitting = ", ".join(label for label, need in needs.items() if need <= free_gib) or "nothing"
    return show(figure, f"{title}: GiB by format, beside {free_gib:.3g} GiB that are free. What fits: {fitting}.")


FORMATS = {  # bits of sign, exponent and fraction; NumPy's name of whole numbers as wide
    "float32": (1, 8, 23), "bfloat16": (1, 8, 7), "float16": (1, 5, 10),
}  # fmt: skip


def bits_of(value: float, format: str) -> str:
    """The bits of a number in one of FORMATS, the sign first.

    >>> bits_of(1.0, "bfloat16")
    '0011111110000000'
    """
    layout, width = ("<e", 16) if format == "float16" else ("<f", 32)
    (whole,) = struct.unpack(f"<{'H' if width == 16 else 'I'}", struct.pack(layout, value))
    return f"{whole:0{width}b}"[: sum(FORMATS[format])]


def plot_bits(value: float) -> Picture:
    """A number in three formats, bit by bit, with sign, exponent and fraction in colours."""
    from matplotlib.patches import Rectangle

    figure, axes = new_figure(5.4, 1.9)
    for y, (name, counts) in enumerate(FORMATS.items()):
        kinds = "s" * counts[0] + "e" * counts[1] + "f" * counts[2]
        for x, (bit, kind) in enumerate(zip(bits_of(value, name), kinds, strict=True)):
            fill = {"s": FILLS["length"], "e": FILLS["text"], "f": FILLS["number"]}[kind]
            axes.add_patch(Rectangle((x + 0.04, y + 0.12), 0.92, 0.76, facecolor=fill))
            axes.text(x + 0.5, y + 0.5, bit, ha="center", va="center", fontsize=8, family="monospace", color=INK)
        axes.text(-0.4, y + 0.5, name, ha="right", va="center", fontsize=9)
    axes.set(xlim=(-6.5, 32), ylim=(3, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(f"{value:g}: sign (orange), exponent (blue), fraction (green)", loc="left", fontsize=10)
    alt = (
        f"The bits of {value:g}. bfloat16 has the first 16 of float32's 32 bits: sign, 8 of exponent, 7 of fraction. "
        "float16 has 5 of exponent and 10 of fraction, so its bits are others."
    )
    return show(figure, alt, colours=64)
