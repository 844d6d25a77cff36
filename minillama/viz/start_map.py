"""The map of the course in lesson 00: a model whose parts name their lessons, filled where the pieces are yours."""

from collections.abc import Mapping
from typing import Any

from minillama.viz.figure import COLOURS, Picture, new_figure, show

INK, FAINT = "#24292f", "#94a4a2"

PARTS = (  # lesson, name, x, y, width: the model, from the bottom upwards
    ("01", "tokenizer", 0.0, 0.0, 4.0),
    ("02", "embedding and loss", 0.0, 1.0, 4.0),
    ("03", "norm", 0.3, 2.2, 1.1),
    ("04", "positions", 1.45, 2.2, 1.1),
    ("06", "attention", 2.6, 2.2, 1.1),
    ("05", "feed-forward", 1.45, 3.15, 2.25),
    ("07", "the whole model: 32 layers of this", 0.0, 4.4, 4.0),
    ("08", "generate", 0.0, 5.4, 4.0),
)
AROUND = (
    ("09", "pretrain"), ("10", "read real files"), ("11", "quantize"), ("12", "fast kernels"), ("13", "run the 7B"),
    ("14", "LoRA"), ("15", "Alpaca"), ("16", "chat"), ("17", "evaluate"), ("18", "the family"), ("19", "scale out"),
)  # fmt: skip


def course_map(yours: Mapping[str, tuple[int, int]]) -> Picture:
    """The model as a diagram whose parts name the lessons, each filled as far as its pieces are yours.

    Args:
        yours: number of a lesson -> (your pieces, pieces that there are), such as `course.my_pieces()`.
    """
    figure, axes = new_figure(5.4, 5.6)
    axes.add_patch(box(0.12, 2.05, 3.76, 2.1, fill=False, edgecolor=INK, linestyle="--"))
    axes.text(0.3, 3.55, "one\nlayer", color="#57606a", va="center", fontsize=9.5)
    for lesson, name, x, y, width in PARTS:
        _part(axes, lesson, name, x, y, width, 0.8, yours)
    for i, (lesson, name) in enumerate(AROUND):
        _part(axes, lesson, name, 4.5, i * 0.564, 2.0, 0.46, yours)
    for low, high in ((0.8, 1.0), (1.8, 2.05), (4.15, 4.4), (5.2, 5.4)):
        axes.annotate("", (2, high), (2, low), arrowprops={"arrowstyle": "-|>", "color": INK})
    axes.set(xlim=(-0.05, 6.6), ylim=(-0.45, 6.6), xticks=[], yticks=[])
    axes.text(2, -0.3, "text", ha="center", color=INK)
    axes.text(2, 6.32, "more text", ha="center", color=INK)
    axes.text(5.5, 6.32, "and around it", ha="center", color=INK)
    axes.spines[:].set_visible(False)
    own, there = (sum(pair[i] for pair in yours.values()) for i in (0, 1))
    axes.set_title(f"{own} of {there} pieces are yours", loc="left", fontsize=10.5)
    alt = (
        "A diagram of the model from text at the bottom to more text at the top, each part with the number of its "
        f"lesson, and eleven lessons around it. {own} of {there} pieces are yours, and fill their parts with colour."
    )
    return show(figure, alt)


def _part(axes: Any, lesson: str, name: str, x: float, y: float, width: float, height: float,
          yours: Mapping[str, tuple[int, int]]) -> None:  # fmt: skip
    own, there = yours.get(lesson, (0, 0))
    axes.add_patch(box(x, y, width, height, facecolor="#f3f5f7", edgecolor=FAINT))
    if own:
        axes.add_patch(box(x, y, width * own / there, height, facecolor=COLOURS[1], alpha=0.75, edgecolor="none"))
    if height < 0.6 or width < 1.2:
        text = f"{lesson} {name}" if height < 0.6 else f"{lesson}\n{name}"
        axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", color=INK, fontsize=9)
        return
    count = f"\n{own} of {there} yours" if there else ""
    axes.text(
        x + width / 2, y + height / 2, f"{lesson} {name}{count}", ha="center", va="center", color=INK, fontsize=9.5
    )


def box(x: float, y: float, width: float, height: float, **style: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, **style)
