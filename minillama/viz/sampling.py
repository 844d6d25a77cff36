"""Pictures of generation: candidates for the next token, and what a key/value cache computes and reads."""

import html
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np

from minillama.config import PRESETS
from minillama.viz.figure import COLOURS, Control, Picture, new_figure, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N_BARS = 12


class Candidates(Control):
    """Sliders over the chances of a model's next token, after a text that can be changed.

    Args:
        model, tokenizer: as `minillama.load` gives them.
        prompt: the first text.

    >>> viz.sampling.Candidates(model, tokenizer, "Once upon a")
    """

    def __init__(self, model: Any, tokenizer: Any, prompt: str) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.read(prompt)
        alt = (
            f"Bars of the likeliest next tokens after a text, {self.pieces[0].strip()!r} first, at temperature 1: full "
            "where a token may be drawn, hollow where top-k, top-p or min-p has cut it."
        )
        super().__init__(
            self.draw_chances, alt,
            temperature_in_tenths=(1, 30, 10), top_k=(1, 60, 60), top_p_in_percent=(1, 100, 100),
            min_p_in_percent=(0, 100, 0),
        )  # fmt: skip

    def read(self, prompt: str) -> None:
        """Let the model read another text."""
        import torch

        self.prompt = prompt
        ids = self.tokenizer.encode(prompt)
        with torch.inference_mode():
            self.logits = self.model(torch.tensor([ids]))[:, -1]  # (1, V)
        self.order = self.logits[0].argsort(descending=True)
        before = self.tokenizer.decode(ids)
        self.pieces = [self.tokenizer.decode([*ids, token])[len(before) :] for token in self.order[:N_BARS].tolist()]

    def draw_chances(
        self, temperature_in_tenths: int, top_k: int, top_p_in_percent: int, min_p_in_percent: int
    ) -> "Figure":
        """The chances of the likeliest tokens.

        Args:
            temperature_in_tenths: 10 leaves the model's own chances.
            top_k: 60 stands for no cut.
            top_p_in_percent, min_p_in_percent: 100, and 0, cut nothing.
        """
        from minillama.sampling import keep_min_p, keep_top_k, keep_top_p

        hot = self.logits / (temperature_in_tenths / 10)
        kept = hot if top_k == 60 else keep_top_k(hot, top_k)
        if top_p_in_percent < 100:
            kept = keep_top_p(kept, top_p_in_percent / 100)
        kept = keep_min_p(kept, min_p_in_percent / 100)
        survivors = int((kept > -float("inf")).sum())
        own, heated, drawn = (
            x[0, self.order[:N_BARS]].numpy() for x in (self.logits.softmax(-1), hot.softmax(-1), kept.softmax(-1))
        )
        figure, axes = new_figure(5.4, 4.1)
        places = np.arange(len(own))
        axes.barh(places, heated, height=0.72, facecolor="white", edgecolor="#8b949e", label="hot, before the cuts")
        axes.barh(places, drawn, height=0.46, color=COLOURS[0], label="drawn from")
        axes.plot(own, places, "|", color=COLOURS[2], markersize=11, markeredgewidth=2, label="the model's own")
        axes.set_yticks(places, [piece.replace("\n", "⏎") or "·" for piece in self.pieces])
        axes.invert_yaxis()
        top = max(own.max(), heated.max(), drawn.max())
        axes.set(xlim=(0, top * 1.08), xlabel="chance")
        figure.legend(frameon=False, loc="outside lower center", ncols=3)  # inside it covers the bars of a flat list
        shown = self.prompt if len(self.prompt) <= 40 else "…" + self.prompt[-40:]
        axes.set_title(f"“{shown}”\n{survivors:,} of {self.logits.shape[1]:,} tokens may be drawn", fontsize="medium")
        return figure

    def widget(self, ipywidgets: Any) -> Any:
        """The sliders, with a field for the text above them."""
        box = super().widget(ipywidgets)
        text = ipywidgets.Text(value=self.prompt, description="text", continuous_update=False)
        sliders, (image, message) = box.children[: len(self.sliders)], box.children[-2:]

        def reread(change: Any) -> None:
            try:
                self.read(str(text.value))
                values = {name: part.value for name, part in zip(self.sliders, sliders, strict=True)}
                image.value, message.value = self.picture(**values).png, ""
            except Exception:
                message.value = f"<pre>{html.escape(traceback.format_exc(limit=2))}</pre>"

        text.observe(reread, names="value")
        box.children = (text, *box.children)
        return box


def draw_growth(step: int, prompt_tokens: int = 4) -> "Figure":
    """Which keys and values each step computes, and which it only reads, without a cache and with one.

    Args:
        step: 0 is the prompt; the last row that is shown.
        prompt_tokens: that are read at once.
    """
    from matplotlib.patches import Rectangle

    figure, _ = new_figure(6.4, 3.9)
    figure.clear()
    panels = figure.subplots(1, 2, sharey=True)
    last = prompt_tokens + 8
    for axes, cached in zip(panels, (False, True), strict=True):
        total = 0
        for row in range(step + 1):
            held = prompt_tokens + row
            for column in range(held):
                computed = not cached or row == 0 or column == held - 1
                total += computed
                face, hatch = (COLOURS[1], "") if computed else (COLOURS[0], "///")
                box = Rectangle(
                    (column, row), 0.9, 0.85, facecolor=face if computed else "white", edgecolor=face, hatch=hatch,
                    alpha=1 if row == step else 0.45, linewidth=0.6,
                )  # fmt: skip
                axes.add_patch(box)
        axes.set(xlim=(-0.2, last), ylim=(9.1, -0.4), xlabel="token", xticks=[])
        axes.set_title(f"{'with' if cached else 'without'} a cache:\n{total} keys computed so far", fontsize="medium")
        axes.spines[:].set_visible(False)
    panels[0].set_yticks([row + 0.45 for row in range(9)], ["prompt", *(f"step {row}" for row in range(1, 9))])
    for axes in panels:
        axes.tick_params(left=False)
    held, size = prompt_tokens + step, PRESETS["llama-7b"].kv_bytes_per_token / 2**20
    read = held - 1 if step else 0
    figure.suptitle(
        f"in a 7B this step reads {read * size:.1f} MiB of keys and values, and adds {(held - read) * size:.1f} MiB",
        fontsize="medium",
    )
    marks = [
        Rectangle((0, 0), 1, 1, facecolor=COLOURS[1]),
        Rectangle((0, 0), 1, 1, facecolor="white", edgecolor=COLOURS[0], hatch="///"),
    ]
    figure.legend(marks, ["computed", "read from the cache"], frameon=False, ncols=2, loc="outside lower left")
    return figure


def growth() -> Control:
    """Step a model token by token, and watch what its cache spares it."""
    alt = (
        "Two triangles, a row a step. Without a cache every key is computed again in every row; with one, only the "
        "last of each row is, and the others are read."
    )
    return Control(draw_growth, alt, step=(0, 8, 5))


def plot_bytes(names: dict[str, float], contexts: Any) -> Picture:
    """The size of a cache against the tokens that it holds.

    Args:
        names: label -> bytes a token.
        contexts: numbers of tokens.
    """
    figure, axes = new_figure()
    for (label, size), style in zip(names.items(), ("-", "--", "-.", ":"), strict=False):
        heights = np.asarray(contexts) * size / 2**30
        axes.plot(contexts, heights, style, linewidth=2)
        axes.annotate(label, (contexts[-1], heights[-1]), xytext=(6, 0), textcoords="offset points", va="center")
    axes.set(xlabel="tokens held, for one text", ylabel="GiB", xlim=(0, contexts[-1]))
    ends = ", ".join(f"{label} {size * contexts[-1] / 2**30:.2f}" for label, size in names.items())
    return show(figure, f"Straight lines: a cache grows with every token. GiB at {contexts[-1]:,} tokens: {ends}.")
