"""Pictures of tokenizers: a text in pieces, merges step by step, the price of a text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from minillama.tokenizer.bpe import count_pairs, merge, split_words
from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILLS = ("#dbeafe", "#fde8c4", "#e5e7eb")  # pale, so that black letters stay readable; neighbours differ
LINE = 46  # characters of a line of pieces
LETTER, GAP, PADDING = 1.0, 0.25, 0.7  # widths, in characters


def draw_pieces(
    pieces: Sequence[str], ids: Sequence[int] = (), new: str = "", title: str = "", fills: Sequence[str] = ()
) -> "Figure":
    """A text as a row of boxes, a piece each.

    Args:
        pieces: as the vocabulary spells them.
        ids: the number of each, written below it; none for no numbers.
        new: the piece that gets a thick frame.
        title: stands above.
        fills: the colour of each box; pale ones in turn where not given.
    """
    rows = _rows(pieces, ids)
    figure, axes = new_figure(6.4, 0.5 + (0.62 if len(ids) else 0.4) * len(rows) + (0.3 if title else 0))
    place = 0
    for row, line in enumerate(rows):
        left = 0.0
        for piece, width in line:
            fill = fills[place] if len(fills) else FILLS[place % len(FILLS)]
            _box(axes, left, -row, width, piece, fill, piece == new)
            if len(ids):
                axes.text(left + width / 2, -row - 0.48, str(ids[place]), ha="center", va="top", fontsize=7)
            left += width + GAP
            place += 1
    axes.set(xlim=(-0.5, LINE + 1), ylim=(-len(rows) + 0.3, 0.6), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title, fontsize="medium", loc="left")
    return figure


def _rows(pieces: Sequence[str], ids: Sequence[int]) -> list[list[tuple[str, float]]]:
    """The pieces with their widths, in lines that fit."""
    rows: list[list[tuple[str, float]]] = [[]]
    left = 0.0
    for place, piece in enumerate(pieces):
        letters = max(len(piece), 0.6 * len(str(ids[place])) if len(ids) else 0)
        width = letters * LETTER * 0.86 + PADDING
        if rows[-1] and left + width > LINE:
            rows.append([])
            left = 0.0
        rows[-1].append((piece, width))
        left += width + GAP
    return rows


def _box(axes: object, left: float, height: float, width: float, text: str, fill: str, framed: bool) -> None:
    from matplotlib.axes import Axes
    from matplotlib.patches import FancyBboxPatch

    assert isinstance(axes, Axes)
    axes.add_patch(
        FancyBboxPatch(
            (left, height - 0.3), width, 0.6, boxstyle="round,pad=0,rounding_size=0.12", facecolor=fill,
            edgecolor=COLOURS[2] if framed else "#6e7781", linewidth=2.2 if framed else 0.6,
        )
    )  # fmt: skip
    axes.text(left + width / 2, height, text, ha="center", va="center", fontsize=9, family="monospace", color="#111111")


def plot_pieces(pieces: Sequence[str], ids: Sequence[int] = (), title: str = "") -> Picture:
    """`draw_pieces` as a picture that says how many pieces it shows, and which."""
    listed = " ".join(pieces) if len(pieces) <= 40 else " ".join(pieces[:40]) + " and so on"
    return show(draw_pieces(pieces, ids, title=title), f"A text as {len(pieces)} boxes, a piece each: {listed}")


def learn_step_by_step(text: str, steps: int) -> list[tuple[str, int, list[str]]]:
    """The text before any merge and after each: the new piece, how often its pair occurred, the whole text."""
    words = [tuple(word) for word in split_words(text)]
    found = [("", 0, [symbol for word in words for symbol in word])]
    for _ in range(steps):
        pairs = count_pairs({word: words.count(word) for word in words})
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        words = [merge(word, best) for word in words]
        found.append(("".join(best), pairs[best], [symbol for word in words for symbol in word]))
    return found


def merge_steps(text: str, steps: int = 12) -> Control:
    """Step through the merges that a text teaches."""
    states = learn_step_by_step(text, steps)

    def draw(merges: int) -> "Figure":
        new, times, pieces = states[merges]
        said = f"merge {merges}: {new}, which occurs {times} times" if merges else "no merge yet: letters"
        return draw_pieces(pieces, new=new, title=f"{said}; {len(pieces)} pieces")

    new, _, pieces = states[1]
    alt = (
        f"The text in boxes: {len(states[0][2])} letters and spaces. The first merge makes {new} and leaves "
        f"{len(pieces)} boxes; after {len(states) - 1} merges there are {len(states[-1][2])}."
    )
    return Control(draw, alt, merges=(0, len(states) - 1, 1))


def plot_prices(prices: Mapping[str, Mapping[str, float]], alt: str) -> Picture:
    """Tokens a character of some kinds of text, in several vocabularies.

    Args:
        prices: vocabulary -> kind of text -> tokens a character.
        alt: what is to be seen.
    """
    figure, axes = new_figure(5.8, 3.8)
    kinds = list(next(iter(prices.values())))
    height = 0.8 / len(prices)
    for row, ((vocabulary, costs), hatch) in enumerate(zip(prices.items(), ("", "//", "..", "xx"), strict=False)):
        places = [-(kind + (row - (len(prices) - 1) / 2) * height) for kind in range(len(kinds))]
        values = [costs[kind] for kind in kinds]
        axes.barh(places, values, height * 0.92, label=vocabulary, color=COLOURS[row], hatch=hatch, edgecolor="white")
        for place, value in zip(places, values, strict=True):
            axes.annotate(f" {value:.2f}", (value, place), va="center", fontsize=8)
    axes.set_yticks([-kind for kind in range(len(kinds))], kinds)
    axes.set(xlabel="tokens a character", xlim=(0, 1.12 * max(max(costs.values()) for costs in prices.values())))
    axes.legend(frameon=False, loc="upper right")
    return show(figure, alt)
