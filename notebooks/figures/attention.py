"""Draw attention.png for the README: what two heads of the bundled model look at.

python notebooks/figures/attention.py [MODEL]

The heads are found by score, not by index: the one that looks most at the token before, and the one that looks most
from a name back to where that name was last.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

import minillama
from minillama.heads import best_heads, previous_token_scores, span_scores
from minillama.trace import trace

TEXT = 'Zorbik Quamel had a blue kite. One day, the wind took it away. "Oh no!" said Zorbik Quamel.'
NAME = ("Zor", "bik", "Qua", "mel")  # its tokens
INK, FAINT, ACCENT = "#1f2933", "#d5dbe1", "#0b6fa4"


def name_places(pieces: list[str]) -> tuple[slice, slice]:
    """Where the name stands last and first."""
    starts = [i for i, piece in enumerate(pieces) if piece == NAME[0]]
    return slice(starts[-1], starts[-1] + len(NAME)), slice(starts[0], starts[0] + len(NAME))


def draw_head(axes: Axes, weights: Tensor, pieces: list[str], title: str) -> None:
    """One head as a square: rows look, columns are looked at."""
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(pieces)), pieces, rotation=90, fontsize=7)
    axes.set_yticks(range(len(pieces)), pieces, fontsize=7)
    axes.set_title(title, fontsize=10, color=INK, loc="left", pad=8)
    axes.tick_params(length=0, colors=INK)
    axes.set_xlabel("looked at", fontsize=8, color=INK)
    for spine in axes.spines.values():
        spine.set_color(FAINT)


def main() -> None:
    model, tokenizer = minillama.load(sys.argv[1] if len(sys.argv) > 1 else None)
    ids = tokenizer.encode(TEXT)
    pieces = [tokenizer.piece(token).replace("▁", " ").strip() or "␣" for token in ids]
    attention = trace(model, torch.tensor([ids])).attention  # (L, 1, H, T, T)
    scores = previous_token_scores(attention), span_scores(attention, *name_places(pieces))
    figure, panels = plt.subplots(1, 2, figsize=(11, 6), layout="constrained")
    kinds = ("looks at the token before", "looks from a name back to the same name")
    for axes, found, kind in zip(panels, scores, kinds, strict=True):
        best = best_heads(found, 1)[0]
        weights = attention[best.layer, 0, best.head]
        draw_head(axes, weights, pieces, f"This head {kind} ({best.score:.0%} of the time)")
    panels[0].set_ylabel("looking", fontsize=8, color=INK)
    figure.savefig(
        Path(__file__).with_suffix(".png"), dpi=110, bbox_inches="tight", facecolor="white", metadata={"Software": None}
    )


if __name__ == "__main__":
    main()
