"""The attention explorer: every head of a model on one text, live in a notebook or as a page that needs nothing else.

Sources: Vig 2019, "A Multiscale Visualization of Attention in the Transformer Model" (all
heads at a glance, one large); see also `minillama.trace` and `minillama.heads`.
"""

import base64
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from minillama.errors import ConfigError, DataError
from minillama.files import new_file
from minillama.heads import (
    best_heads,
    induction_scores,
    own_token_scores,
    previous_token_scores,
    repeated_spans,
    sink_scores,
)
from minillama.trace import Trace, ablate, logit_lens, trace
from minillama.viz.explorer_ablation import head_groups, outcome_without, outcomes_alone
from minillama.viz.explorer_page import notebook_html, page
from minillama.viz.explorer_payload import explorer_payload, frame_payload, lens_payload
from minillama.viz.explorer_picture import plot_explorer

if TYPE_CHECKING:
    from minillama.viz.figure import Picture

MAX_TOKENS = 128
MAX_ABLATED = 64  # heads that are switched off one by one for a page
MAX_INLINE = 1_500_000  # weights that a page in a notebook, or the first message to a live view, may hold
N_SPANS, SPAN = 4, 24  # rows of random tokens that come twice, and the length of a span
FIRST_WORD = 259  # in vocabularies of SentencePiece, ids below are control tokens and single bytes

KINDS = {
    "previous token": "attention to the token before, on this text",
    "own token": "attention to the very token, on this text",
    "first-token sink": "attention to the first token, on this text",
    "induction": "attention from a token's second occurrence to what followed the first, on random tokens twice",
}


def measure_scores(model: Any, seen: Trace, start_id: int | None = None) -> dict[str, Tensor]:
    """How much of each kind of head every head is: kind -> (L, H), kinds as in KINDS.

    Args:
        model: the torch model.
        seen: its trace of one text.
        start_id: what stands before random tokens, such as BOS.
    """
    scores = [each(seen.attention) for each in (previous_token_scores, own_token_scores, sink_scores)]
    size = model.config.vocab_size
    first = FIRST_WORD if size > 2 * FIRST_WORD else 0
    length = min(SPAN, (model.config.max_seq_len - 1) // 2, size - first)
    spans = repeated_spans(N_SPANS, length, (first, size), 0, start_id).to(seen.tokens.device)
    scores.append(induction_scores(trace(model, spans).attention, length))
    return dict(zip(KINDS, scores, strict=True))


def read_focus(focus: Any, scores: Mapping[str, Any], shape: tuple[int, int]) -> tuple[tuple[int, int], str | None]:
    """The head to begin with, and the kind of heads to begin with: focus is a kind, or layer and head.

    Raises:
        ConfigError: there is no such head or kind.
    """
    if isinstance(focus, str):
        if focus not in scores:
            raise ConfigError(f"focus is {focus!r}, expected (layer, head) or one of {', '.join(scores)}")
        best = best_heads(torch.as_tensor(scores[focus]).nan_to_num(0.0), 1)[0]
        return (best.layer, best.head), focus
    layer, head = (int(each) for each in tuple(focus)[:2])
    if not (0 <= layer < shape[0] and 0 <= head < shape[1]):
        raise ConfigError(f"focus is ({layer}, {head}), expected layers 0 to {shape[0] - 1}, heads 0 to {shape[1] - 1}")
    return (layer, head), None


class Explorer:
    """What `explore` gives: show it as the last value of a cell, or write its page with `to_html`.

    Args:
        model: the torch model.
        tokenizer: its tokenizer.
        text: to begin with.
        scores, snapshots, means, focus, max_tokens: see explore.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        text: str,
        *,
        scores: Mapping[str, Any] | None = None,
        snapshots: Mapping[Any, Any] | None = None,
        means: Tensor | None = None,
        focus: Any = (0, 0),
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self.model, self.tokenizer, self.means, self.max_tokens = model, tokenizer, means, max_tokens
        self.own_scores, self.snapshots = dict(scores or {}), dict(snapshots or {})
        sizes = {each.config.vocab_size for each in (model, *self.snapshots.values())}
        if len(sizes) > 1:
            raise ConfigError(
                f"vocabularies have {sorted(sizes)} tokens, expected one size: give models of one tokenizer"
            )
        self.off: tuple[tuple[int, int], ...] = ()
        self.times_read = 0
        self.read(text)
        config = model.config
        self.focus, self.kind = read_focus(focus, self.scores, (config.n_layers, config.n_heads))

    def read(self, text: str, off: Iterable[tuple[int, int]] = ()) -> None:
        """Take another text, and run the model on it with these heads switched off.

        Raises:
            DataError: fewer than two tokens.
            ConfigError: a model that cannot be looked into, or heads that it does not have.
        """
        ids = self.tokenizer.encode(text)
        if len(ids) < 2:
            raise DataError(f"the text has {len(ids)} tokens, expected at least 2: nothing to look back at")
        limit = min(self.max_tokens, self.model.config.max_seq_len)
        notes = {"text": f"the first {limit} of {len(ids)} tokens"} if len(ids) > limit else {}
        tokens = torch.tensor([ids[:limit]], device=next(self.model.parameters()).device)
        heads = tuple(sorted({(int(layer), int(head)) for layer, head in off}))
        with ablate(self.model, heads, self.means) if heads else nullcontext():
            seen = trace(self.model, tokens)
            scores = measure_scores(self.model, seen, getattr(self.tokenizer, "bos_id", None))
        self.text, self.tokens, self.off, self.notes, self.trace = text, tokens, heads, notes, seen
        self.scores, self.times_read = scores | self.own_scores, self.times_read + 1

    def frame(self, *, layers: bool = True, alone: bool = False, notes: dict[str, str] | None = None) -> dict[str, Any]:
        """The payload of the model itself.

        Args:
            layers: with all weights in it.
            alone: with what comes out when each head alone is switched off, and the strongest of each kind together.
            notes: takes up what is missing, and why.
        """
        notes, config = {} if notes is None else notes, self.model.config
        frame = frame_payload("this model", self.trace, self.scores, layers)
        frame["groups"] = head_groups(self.scores, seed=self.times_read)
        n_heads = config.n_layers * config.n_heads
        if hasattr(self.model, "unembed"):
            frame["lens"] = lens_payload(logit_lens(self.model, self.trace), self.tokens)
        else:
            notes["lens"] = "the model has no `unembed`, which reads a stream as tokens"
        try:
            if alone and n_heads > MAX_ABLATED:
                notes["ablation"] = f"{n_heads} heads are too many to switch off one by one for a page: do it live"
            elif alone:
                frame["ablation"] = outcomes_alone(self.model, self.tokens, self.means)
            for group in (each for pair in frame["groups"].values() for each in pair.values() if alone):
                group |= outcome_without(self.model, self.tokens, group["heads"], self.means)
            if self.off:
                frame["baseline"] = outcome_without(self.model, self.tokens, (), None)
        except ConfigError as error:
            notes["ablation"] = str(error)
        return frame | {"off": [list(each) for each in self.off]}

    def payload(self, *, live: bool = False) -> dict[str, Any]:
        """Everything that a page shows; live, without what a kernel can still tell."""
        notes, inline = dict(self.notes), not live or self.trace.attention.numel() / 2 <= MAX_INLINE
        frames = [self._snapshot(label, model) for label, model in self.snapshots.items()]
        frames.append(self.frame(layers=inline, alone=not live, notes=notes))
        kinds = {kind: KINDS.get(kind, "as it was measured before") for kind in self.scores}
        return explorer_payload(
            self.tokenizer, self.tokens, frames, text=self.text, kinds=kinds, notes=notes, focus=self.focus,
            kind=self.kind,
        )  # fmt: skip

    def _snapshot(self, label: Any, model: Any) -> dict[str, Any]:
        seen = trace(model, self.tokens)
        scores = measure_scores(model, seen, getattr(self.tokenizer, "bos_id", None))
        name = f"step {label:,}" if isinstance(label, int) else str(label)
        frame = frame_payload(name, seen, scores)
        return frame | {"lens": lens_payload(logit_lens(model, seen), self.tokens), "off": []}

    def to_html(self, path: str | Path | None = None, title: str = "Attention explorer") -> str:
        """A page with everything in it: it needs no kernel and no network.

        Args:
            path: where to write it, None for nowhere.
            title: of the page.

        Returns:
            The page.
        """
        text = page(self.payload(), title)
        if path is not None:
            with new_file(Path(path)) as file:
                file.write(text.encode("utf-8"))
        return text

    def picture(self) -> "Picture":
        """All heads at a glance and one large, for where no script runs."""
        layer, head = self.focus
        words = [
            self.tokenizer.decode([each]).strip() or self.tokenizer.piece(each) for each in self.tokens[0].tolist()
        ]
        return plot_explorer(self.trace.attention[:, 0], words, layer, head)

    def __repr__(self) -> str:
        return f"[attention explorer: {self.picture().alt}]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        small = self.trace.attention.numel() / 2 <= MAX_INLINE
        shown = notebook_html(page(self.payload(), "Attention explorer") if small else None)
        bundle = {"text/plain": repr(self), "text/html": shown}
        try:
            from minillama.viz.explorer_live import live_bundle
        except ImportError:
            return bundle
        return live_bundle(self) | bundle

    def _ipython_display_(self) -> None:
        """Two outputs: the explorer, and the picture for where neither frames nor scripts are allowed."""
        from IPython.display import publish_display_data

        picture = self.picture()
        publish_display_data(self._repr_mimebundle_())
        still = {"image/png": base64.b64encode(picture.png).decode("ascii"), "text/plain": repr(picture)}
        publish_display_data(still, {"image/png": {"alt": picture.alt, "width": picture.width}})


def explore(
    model: Any,
    tokenizer: Any,
    text: str,
    *,
    scores: Mapping[str, Any] | None = None,
    snapshots: Mapping[Any, Any] | None = None,
    means: Tensor | None = None,
    focus: Any = (0, 0),
    max_tokens: int = MAX_TOKENS,
) -> Explorer:
    """Look at every head of a model on one text, and switch heads off.

    Args:
        model: the torch model, of any pieces that `minillama.trace.trace` can look into.
        tokenizer: its tokenizer.
        text: to begin with; live, it can be edited.
        scores: further kinds of heads -> (L, H), from 0 to 1.
        snapshots: step or name -> a model of the same tokenizer, in the order of the slider; the model itself is last.
        means: (L, H, K) of `minillama.trace.mean_head_outputs`, what a head that is off adds; None for nothing.
        focus: the head to begin with, (layer, head), or a kind, such as "induction", whose strongest head it is.
        max_tokens: that are read; with more than 256, even a live view gets slow.

    Returns:
        What to show as the last value of a cell; `to_html(path)` writes a page that needs no kernel and no network.

    Raises:
        DataError: fewer than two tokens.
        ConfigError: a model that cannot be looked into, or a focus that it does not have.

    >>> import minillama
    >>> from minillama.viz.explorer import explore
    >>> page = explore(*minillama.load(), "Zorbik Quamel met Zorbik", focus="induction").to_html()
    """
    return Explorer(
        model, tokenizer, text, scores=scores, snapshots=snapshots, means=means, focus=focus, max_tokens=max_tokens
    )
