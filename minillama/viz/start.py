"""Pictures of lesson 00: the story so far, what fits into memory, a map, and a story to play with."""

import html
import traceback
from datetime import date
from typing import TYPE_CHECKING, Any

from minillama.checkpoint.memory import WORKING_BYTES, cache_bytes, weight_bytes
from minillama.config import PRESETS
from minillama.generation import generate
from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show
from minillama.viz.start_map import FAINT, INK, box
from minillama.viz.start_map import course_map as course_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVENTS = (  # day, name, what it brought
    (date(2023, 2, 24), "LLaMA", "7B to 65B, from public data alone"),
    (date(2023, 3, 3), "the leak", "the weights are everywhere"),
    (date(2023, 3, 10), "llama.cpp", "the 7B on a MacBook, in 4 bits"),
    (date(2023, 3, 13), "Alpaca", "52,000 instructions, about $600"),
    (date(2023, 3, 30), "Vicuna", "tuned on shared conversations"),
    (date(2023, 4, 24), "WizardLM", "instructions that a model made harder"),
    (date(2023, 5, 2), "OpenLLaMA", "LLaMA trained again, free for all"),
    (date(2023, 5, 25), "Falcon", "40B, from a filtered web"),
    (date(2023, 7, 18), "Llama 2", "to 70B, and businesses may use it"),
    (date(2023, 9, 27), "Mistral 7B", "a 7B that beats Llama 2 13B"),
    (date(2024, 4, 18), "Llama 3", "8B and 70B, 15 trillion tokens"),
)


def timeline() -> Picture:
    """The models of this course on a line of time, days to scale, from the first LLaMA to Llama 3."""
    figure, axes = new_figure(5.4, 5.2)
    first, last = EVENTS[0][0], EVENTS[-1][0]
    span = (last - first).days
    axes.plot([0, 0], [0, 1], color=FAINT, linewidth=4, solid_capstyle="round", zorder=1)
    for i, (day, name, what) in enumerate(EVENTS):
        at, row = (day - first).days / span, i / (len(EVENTS) - 1)
        own = name.startswith(("LLaMA", "Llama"))
        colour = COLOURS[2] if own else COLOURS[0]
        axes.plot([0, 0.07, 0.11], [at, row, row], color=colour, linewidth=1)
        axes.plot(0, at, "s" if own else "o", color=colour, zorder=2)
        axes.text(0.125, row, f"{day:%b %Y}", va="center", color="#57606a", fontsize=9.5)
        axes.text(0.29, row, name, va="center", weight="bold", color=colour, fontsize=10.5)
        axes.text(0.53, row, what, va="center", color=INK, fontsize=9.5)
    axes.set(xlim=(-0.02, 1.145), ylim=(1.04, -0.04), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    alt = (
        "A line of time with eleven events. Seven of them come in the three months after LLaMA of February 2023; then "
        "Llama 2 in July, Mistral 7B in September, and Llama 3 in April 2024."
    )
    return show(figure, alt)


# What fits

MODELS = {
    "the bundled model": "tiny", "TinyLlama 1.1B": "tinyllama-1.1b", "LLaMA 7B": "llama-7b",
    "Llama 3 8B": "llama3-8b", "LLaMA 13B": "llama-13b", "LLaMA 33B": "llama-33b", "LLaMA 65B": "llama-65b",
}  # fmt: skip
FORMATS = {"f16": "16 bits", "q8_0": "8 bits", "q4_0": "4 bits"}
CONTEXT = 2048


def need_bytes(preset: str, format: str) -> int:
    """Memory for a model's weights in one format, its cache for 2,048 tokens, and room to work."""
    config = PRESETS[preset]
    return weight_bytes(config, format) + cache_bytes(config, min(CONTEXT, config.max_seq_len)) + WORKING_BYTES


def draw_fitting(free_GB: int) -> "Figure":
    """Each model in each format: its need, and whether it fits into so many GB (10 ** 9 bytes)."""
    figure, axes = new_figure(5.4, 3.9)
    fitting = 0
    for row, preset in enumerate(MODELS.values()):
        for column, format in enumerate(FORMATS):
            need = need_bytes(preset, format) / 1e9
            fits = need <= free_GB
            fitting += fits
            style = {"facecolor": COLOURS[0], "alpha": 0.35} if fits else {"facecolor": "none", "hatch": "////"}
            axes.add_patch(box(column + 0.04, row + 0.06, 0.92, 0.88, edgecolor=FAINT, **style))
            mark = "✓ " if fits else ""
            white = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
            axes.text(column + 0.5, row + 0.5, f"{mark}{need:.1f} GB", ha="center", va="center", bbox=white,
                      color=INK, weight="bold" if fits else "normal")  # fmt: skip
    axes.set(xlim=(0, len(FORMATS)), ylim=(len(MODELS), 0), title=f"{free_GB} GB free: {fitting} of 21 fit (✓)")
    axes.set_xticks([i + 0.5 for i in range(len(FORMATS))], FORMATS.values())
    axes.set_yticks([i + 0.5 for i in range(len(MODELS))], MODELS)
    axes.set_xlabel("bits a weight")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def machine(free_bytes: int | None) -> Control:
    """What fits into the memory that is free here, or into as much as a slider says.

    Args:
        free_bytes: what is free, None where it is not known: the slider then begins at 8 GB.
    """
    first = 8 if free_bytes is None else min(160, max(1, free_bytes // 10**9))
    alt = (
        "A table of seven models in 16, 8 and 4 bits a weight, with the memory that each needs, from 0.3 GB for the "
        "bundled model to 136 GB for LLaMA 65B in 16 bits. What fits into the free memory is coloured and ticked."
    )
    return Control(draw_fitting, alt, free_GB=(1, 160, int(first)))


# A story

OPENING = "Once upon a time, a dragon"


class Storyteller:
    """A beginning to type, a seed and a temperature; the model goes on. Without a kernel, its first story.

    Args:
        model, tokenizer: as `minillama.load` gives them.
        prompt: the first beginning.
        max_new_tokens: how far each story goes.
    """

    entry, end, warmth = "beginning", " …", 0.7  # the words beside the box, what follows a text, the first temperature

    def __init__(self, model: Any, tokenizer: Any, prompt: str = OPENING, max_new_tokens: int = 160) -> None:
        self.model, self.tokenizer, self.prompt, self.max_new_tokens = model, tokenizer, prompt, max_new_tokens
        self._first: str | None = None

    def tell(self, prompt: str, seed: int = 1, temperature: float = 0.7) -> str:
        """The beginning and how it goes on."""
        options = {"temperature": temperature, "top_p": 0.95, "seed": seed} if temperature > 0 else {}
        return prompt + generate(self.model, self.tokenizer, prompt, self.max_new_tokens, **options)  # type: ignore[arg-type]

    def page(self, prompt: str, seed: int = 1, temperature: float = 0.7) -> str:
        """The story as a quiet box, the beginning in bold."""
        told = self.tell(prompt, seed, temperature)[len(prompt) :]
        style = f"border-left:4px solid {FAINT};padding:.2em .8em;max-width:44em;white-space:pre-wrap;line-height:1.5"
        return f"<div style='{style}'><b>{html.escape(prompt)}</b>{html.escape(told)}{self.end}</div>"

    def first(self) -> str:
        """The page of the first story, told once."""
        if self._first is None:
            self._first = self.page(self.prompt, temperature=self.warmth)
        return self._first

    def __repr__(self) -> str:
        return "[control: type a beginning; the model goes on. A seed and a temperature make other stories of it.]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        bundle = {"text/plain": repr(self), "text/html": self.first()}
        try:
            import ipywidgets
        except ImportError:
            return bundle
        return self.widget(ipywidgets)._repr_mimebundle_() | bundle

    def widget(self, ipywidgets: Any) -> Any:
        """The live control; an error shows in it instead of vanishing."""
        wide = {"layout": ipywidgets.Layout(width="min(40em, 100%)"), "style": {"description_width": "7em"}}
        parts = {
            "prompt": ipywidgets.Text(value=self.prompt, description=self.entry, continuous_update=False, **wide),
            "seed": ipywidgets.IntSlider(
                value=1, min=1, max=20, description="seed", continuous_update=False, **wide
            ),
            "temperature": ipywidgets.FloatSlider(
                value=self.warmth, min=0.0, max=2.0, step=0.1, description="temperature",
                continuous_update=False, **wide,
            ),
        }  # fmt: skip
        story = ipywidgets.HTML(self.first())

        def again(change: Any) -> None:
            try:
                story.value = self.page(**{name: part.value for name, part in parts.items()})
            except Exception:
                story.value = f"<pre>{html.escape(traceback.format_exc(limit=1))}</pre>"

        for part in parts.values():
            part.observe(again, names="value")
        return ipywidgets.VBox([*parts.values(), story])


# Views

TABLES = (  # title, shape of the view, turned afterwards?
    ("x.view(2, 3)", (2, 3), False),
    ("x.view(3, 2)", (3, 2), False),
    ("x.view(2, 3).T", (2, 3), True),
)


def view_and_transpose() -> Picture:
    """Six numbers as they lie in memory, cut into rows by two views, and turned by a transpose."""
    figure, axes = new_figure(5.4, 2.9)
    shades = [COLOURS[0]] * 3 + [COLOURS[1]] * 3
    for number in range(6):
        _cell(axes, number, 1.5 + number, 0, shades)
    axes.text(1.3, 0.5, "x", ha="right", va="center", color=INK, fontsize=11)
    left = 0.0
    for title, (rows, columns), turned in TABLES:
        for number in range(6):
            row, column = divmod(number, columns)
            row, column = (column, row) if turned else (row, column)
            _cell(axes, number, left + column, 1.9 + row, shades)
        width = rows if turned else columns
        axes.text(left + width / 2, 1.7, title, ha="center", color=INK, fontsize=9.5, family="monospace")
        left += width + 1.1
    axes.set(xlim=(-0.3, 9.6), ylim=(5.0, -0.1), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    alt = (
        "The numbers 0 to 5 in one row of memory, and three tables of them. A view into two rows of three; a view into "
        "three rows of two: 0 1, 2 3, 4 5; and the transpose of the first, also three rows of two: 0 3, 1 4, 2 5."
    )
    return show(figure, alt)


def _cell(axes: Any, number: int, x: float, y: float, shades: list[str]) -> None:
    axes.add_patch(box(x, y, 1, 1, facecolor=shades[number], alpha=0.45, edgecolor="white", linewidth=2))
    axes.text(x + 0.5, y + 0.5, str(number), ha="center", va="center", color=INK, fontsize=11)
