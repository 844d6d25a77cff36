"""Figures that can be read without being seen, and controls that leave a picture where nothing runs.

Every picture has alternative text that states what it shows. A control is core ipywidgets around one function that
draws; its first picture is committed with the notebook.
"""

import base64
import html
import io
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Petroff 2021, "Accessible Color Sequences for Data Visualization": apart for every kind of colour vision.
COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59")
PIXELS_AN_INCH = 110  # as a page shows it; a phone of 390 pixels then shows a figure of usual width at 60% and more
SHARPNESS = 2  # pixels of the file for one of the page, on a side: screens have that many


class Picture:
    """A finished figure with its alternative text.

    Args:
        png: the picture.
        alt: one or two sentences that state the finding.
    """

    def __init__(self, png: bytes, alt: str) -> None:
        self.png, self.alt = png, alt

    @property
    def width(self) -> int:
        """How wide a page shows it, in CSS pixels, where there is room; bytes 16 to 19 of a PNG file are its width."""
        return int.from_bytes(self.png[16:20], "big") // SHARPNESS

    def __repr__(self) -> str:
        return f"[figure: {self.alt}]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        data = base64.b64encode(self.png).decode("ascii")
        style = f"width:{self.width}px;max-width:100%;border-radius:4px"
        page = f'<img alt="{html.escape(self.alt)}" style="{style}" src="data:image/png;base64,{data}">'
        return {"text/plain": repr(self), "text/html": page}


def new_figure(width: float = 5.4, height: float = 3.2) -> "tuple[Figure, Any]":
    """An empty figure on white and its axes, sizes in inches; it is not kept by pyplot.

    On a phone a figure shrinks with all its letters, so the narrower it is, the larger they stay.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_prop_cycle(color=COLOURS)
    return figure, axes


def show(figure: "Figure", alt: str, colours: int | None = None) -> Picture:
    """Turn a figure into a picture with alternative text; with few `colours` (up to 256) the file is smaller."""
    return Picture(to_png(figure, colours), alt)


def to_png(figure: "Figure", colours: int | None = None) -> bytes:
    """The bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=PIXELS_AN_INCH * SHARPNESS)
    if colours is None:
        return file.getvalue()
    from PIL import Image

    few = io.BytesIO()
    Image.open(file).convert("RGB").quantize(colours).save(few, format="png", optimize=True)
    return few.getvalue()


@dataclass(frozen=True)
class Choice:
    """A slider over values that have names or leave gaps.

    Args:
        options: from left to right.
        first: the one to begin with.
    """

    options: tuple[Any, ...]
    first: Any


class Control:
    """Sliders above a picture that is drawn anew when one moves; without a kernel, the first picture.

    Args:
        draw: from one keyword argument a slider to a figure.
        alt: alternative text, of the first picture and of the control.
        sliders: name -> (least, most, first value), whole numbers; or a Choice of named values.
    """

    def __init__(self, draw: "Callable[..., Figure]", alt: str, **sliders: "tuple[int, int, int] | Choice") -> None:
        self.draw, self.alt, self.sliders = draw, alt, sliders
        self.values = {name: each.first if isinstance(each, Choice) else each[2] for name, each in sliders.items()}

    def picture(self, **values: Any) -> Picture:
        """The picture for these values of the sliders, their first ones where not given."""
        return show(self.draw(**(self.values | values)), self.alt)

    def __repr__(self) -> str:
        return f"[control: {self.alt}]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        bundle = self.picture()._repr_mimebundle_() | {"text/plain": repr(self)}
        try:
            import ipywidgets
        except ImportError:
            return bundle
        return self.widget(ipywidgets)._repr_mimebundle_() | bundle

    def widget(self, ipywidgets: Any) -> Any:
        """The live control; an error while drawing shows in it instead of vanishing."""
        first = self.picture()
        size = ipywidgets.Layout(width=f"{first.width}px", max_width="100%")
        image = ipywidgets.Image(value=first.png, format="png", layout=size)
        message = ipywidgets.HTML()
        parts = {name: self._slider(ipywidgets, name) for name in self.sliders}

        def redraw(change: Any) -> None:
            try:
                image.value = self.picture(**{name: part.value for name, part in parts.items()}).png
                message.value = ""
            except Exception:
                message.value = f"<pre>{html.escape(traceback.format_exc(limit=2))}</pre>"

        for part in parts.values():
            part.observe(redraw, names="value")
        return ipywidgets.VBox([*parts.values(), image, message])

    def _slider(self, ipywidgets: Any, name: str) -> Any:
        limits, common = self.sliders[name], {
            "value": self.values[name], "description": name.replace("_", " "), "continuous_update": False,
            "style": {"description_width": "initial"}, "layout": ipywidgets.Layout(width="min(30em, 100%)"),
        }  # fmt: skip
        if isinstance(limits, Choice):
            return ipywidgets.SelectionSlider(options=limits.options, **common)
        return ipywidgets.IntSlider(min=limits[0], max=limits[1], **common)


def plot_lines(
    x: Any,
    lines: dict[str, Any],
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    mark: float | None = None,
    top: float | None = None,
) -> Picture:
    """Labelled lines in colours and strokes that stay apart.

    Args:
        x: places on the horizontal axis.
        lines: label -> heights.
        xlabel, ylabel: with units.
        alt: what is to be seen.
        mark: where to draw a thin upright line.
        top: the highest value that is shown.
    """
    figure, axes = new_figure()
    for (label, heights), style in zip(lines.items(), ("-", "--", "-.", ":"), strict=False):
        axes.plot(x, heights, style, label=label, linewidth=2)
    if mark is not None:
        axes.axvline(mark, color="#6e7781", linewidth=1)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if top is not None:
        axes.set_ylim(top=top)
    columns = max(1, 70 // (max(map(len, lines)) + 6))  # about 70 letters stand side by side
    figure.legend(
        frameon=False, loc="outside upper left", ncols=columns
    )  # inside it hides lines where there is no room
    return show(figure, alt)
