"""The laboratory of lesson 06: a text of one's own, every head's attention to it, and heads switched off."""

import html
import traceback
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from minillama.viz.attention import draw_weights, strongest_looks
from minillama.viz.figure import Picture, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_TOKENS = 48  # more words than that cannot be read beside a heat map


class Lab:
    """Look at each head of a model on one text, as it weighs or as what it brings, and switch it off.

    Args:
        model: the torch model, of any pieces that `minillama.trace.trace` can look into.
        tokenizer: its tokenizer.
        text: at most MAX_TOKENS tokens of it are read.
        scores: kind -> (L, H), such as {"token before": previous_token_scores(...)}: heads are described by them.
    """

    def __init__(self, model: Any, tokenizer: Any, text: str, scores: Mapping[str, Any] | None = None) -> None:
        self.model, self.tokenizer, self.scores = model, tokenizer, dict(scores or {})
        self.layer, self.head, self.by_value, self.off = 0, 0, False, False
        self._losses: dict[tuple[tuple[int, int], ...], float] = {}
        self.read(text)

    def read(self, text: str) -> None:
        """Take another text."""
        import torch

        from minillama.trace import trace

        ids = self.tokenizer.encode(text)[:MAX_TOKENS]
        self.words = [self.tokenizer.decode([each]).strip() or self.tokenizer.piece(each) for each in ids]
        self.tokens = torch.tensor([ids])
        self.trace = trace(self.model, self.tokens)
        self._losses.clear()

    def loss(self, off: Iterable[tuple[int, int]] = ()) -> float:
        """The loss of this text in nats a token, with these (layer, head) pairs switched off."""
        import torch

        from minillama.trace import ablate, token_losses

        heads = tuple(sorted(off))
        if heads not in self._losses:
            with torch.no_grad(), ablate(self.model, heads):
                self._losses[heads] = token_losses(self.model(self.tokens), self.tokens).mean().item()
        return self._losses[heads]

    def weights(self, layer: int, head: int, by_value: bool = False) -> Any:
        """(T, T): attention, or with `by_value` the share of each token in what the head brings."""
        if not by_value:
            return self.trace.attention[layer, 0, head]
        brought = self.trace.weighted_attention[layer, 0, head]
        return brought / brought.sum(-1, keepdim=True)

    def describe(self, layer: int, head: int) -> str:
        """What is known of a head: its measured scores."""
        known = ", ".join(f"{kind} {float(each[layer, head]):.2f}" for kind, each in self.scores.items())
        return known or f"layer {layer}, head {head}"

    def say(self, layer: int, head: int, off: bool = False) -> str:
        """What is known of a head, and the loss of the text, without this head too if it is switched off."""
        said = f"{self.describe(layer, head)}. Loss with all heads {self.loss():.3f}"
        return said + (f", without this one {self.loss([(layer, head)]):.3f}" if off else "") + " nats a token."

    def draw(self, layer: int = 0, head: int = 0, by_value: bool = False) -> "Figure":
        """The heat map of one head."""
        label = "share of what is brought" if by_value else "attention"
        return draw_weights(self.weights(layer, head, by_value), self.words, f"layer {layer}, head {head}", label)

    def picture(self, layer: int = 0, head: int = 0, by_value: bool = False) -> Picture:
        """The heat map of one head, with the places where it looks most in words."""
        looks = strongest_looks(self.weights(layer, head, by_value), self.words)
        kind = "attention times value length" if by_value else "attention"
        return show(
            self.draw(layer, head, by_value), f"Heat map of {kind} of one head. Most on earlier words: {looks}."
        )

    def __repr__(self) -> str:
        return f"[control: {self.picture(self.layer, self.head, self.by_value).alt}]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        bundle = self.picture(self.layer, self.head, self.by_value)._repr_mimebundle_() | {"text/plain": repr(self)}
        try:
            import ipywidgets
        except ImportError:
            return bundle
        return self.widget(ipywidgets)._repr_mimebundle_() | bundle

    def widget(self, ipywidgets: Any) -> Any:
        """The live laboratory; an error while drawing shows in it."""
        n_layers, _, n_heads = self.trace.attention.shape[:3]
        wide = ipywidgets.Layout(width="min(40em, 100%)")
        own = {"style": {"description_width": "initial"}, "layout": wide}
        text = ipywidgets.Text(
            value=self.tokenizer.decode(self.tokens[0].tolist()), description="text", continuous_update=False, **own
        )
        layer = ipywidgets.IntSlider(value=self.layer, max=n_layers - 1, description="layer", **own)
        head = ipywidgets.IntSlider(value=self.head, max=n_heads - 1, description="head", **own)
        by_value = ipywidgets.Checkbox(value=self.by_value, description="attention × length of the value", **own)
        off = ipywidgets.Checkbox(value=self.off, description="switch this head off", **own)
        first = self.picture(self.layer, self.head, self.by_value)
        size = ipywidgets.Layout(width=f"{first.width}px", max_width="100%")
        image, said = ipywidgets.Image(value=first.png, format="png", layout=size), ipywidgets.HTML()

        def redraw(change: Any) -> None:
            try:
                if change is not None and change["owner"] is text:
                    self.read(text.value)
                picture = self.picture(layer.value, head.value, by_value.value)
                image.value, image.layout.width = picture.png, f"{picture.width}px"
                said.value = html.escape(self.say(layer.value, head.value, off.value))
            except Exception:
                said.value = f"<pre>{html.escape(traceback.format_exc(limit=2))}</pre>"

        redraw(None)
        for part in (text, layer, head, by_value, off):
            part.observe(redraw, names="value")
        return ipywidgets.VBox([text, layer, head, by_value, off, said, image])
