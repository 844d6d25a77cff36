"""What the attention explorer shows, as plain data that JSON can hold: pure functions from a trace.

Weights go as 16-bit codes, one string a layer: all high bytes, then all low bytes, gzipped, in base64. The triangle of
a causal head is kept row by row; where anything stands above the diagonal the whole square is, so that a leak is seen.
"""

import base64
import gzip
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minillama.trace import Trace, token_losses

CODES = 65534  # steps from the lowest weight to the highest; one code more stands for what is not a number
NOT_A_NUMBER = 65535
N_NEXT = 10  # tokens of a next-token distribution
N_LENS = 3  # tokens after each layer


def numbers(values: Any, digits: int = 5) -> Any:
    """Nested lists of floats with so many significant digits; None for what is not finite, which JSON cannot hold."""
    if isinstance(values, Tensor):
        values = values.detach().float().cpu().tolist()
    if isinstance(values, (list, tuple)):
        return [numbers(each, digits) for each in values]
    return float(f"{values:.{digits}g}") if math.isfinite(values) else None


def is_square(attention: Tensor) -> bool:
    """Whether any weight stands above the diagonal: a query that looks at what comes after it.

    Args:
        attention: (..., T, T).
    """
    T = attention.shape[-1]
    future = torch.ones(T, T, dtype=torch.bool, device=attention.device).triu(1)
    return bool((attention[..., future] != 0).any())  # also where it is not a number


def weight_range(attention: Tensor) -> tuple[float, float]:
    """The lowest and highest weight that codes must reach: 0 and 1, and more where a piece is broken."""
    finite = attention[attention.isfinite()]
    if not finite.numel():
        return 0.0, 1.0
    return min(0.0, finite.min().item()), max(1.0, finite.max().item())


def encode_weights(weights: Tensor, square: bool = False, span: tuple[float, float] = (0.0, 1.0)) -> str:
    """The heads of one layer as a string; a weight comes back to within half of a step, 0.000008 between 0 and 1.

    Args:
        weights: (H, T, T).
        square: keep what stands above the diagonal, too.
        span: the lowest and the highest weight.
    """
    T = weights.shape[-1]
    kept = weights.flatten(-2) if square else weights[:, *torch.tril_indices(T, T)]  # (H, T * (T + 1) / 2)
    values = kept.detach().float().cpu().numpy().astype(np.float64)
    low, high = span
    with np.errstate(invalid="ignore"):
        codes = np.where(np.isfinite(values), np.rint((values - low) / (high - low) * CODES), NOT_A_NUMBER)
    codes = codes.astype(np.uint16).ravel()
    planes = np.concatenate([codes >> 8, codes & 255]).astype(np.uint8)
    return base64.b64encode(gzip.compress(planes.tobytes(), 6, mtime=0)).decode("ascii")


def decode_weights(text: str, n_heads: int, T: int, square: bool = False, span: Sequence[float] = (0.0, 1.0)) -> Tensor:
    """The inverse of `encode_weights`: (H, T, T) float64."""
    high_bytes, low_bytes = np.frombuffer(gzip.decompress(base64.b64decode(text)), np.uint8).reshape(2, -1)
    codes = (high_bytes.astype(np.uint16) << 8) | low_bytes
    values = np.where(codes == NOT_A_NUMBER, np.nan, span[0] + codes / CODES * (span[1] - span[0]))
    if square:
        return torch.from_numpy(values.reshape(n_heads, T, T))
    weights = torch.zeros(n_heads, T, T, dtype=torch.float64)
    weights[:, *torch.tril_indices(T, T)] = torch.from_numpy(values.reshape(n_heads, -1))
    return weights


def next_tokens(logits: Tensor, count: int = N_NEXT) -> list[list[Any]]:
    """The likeliest next tokens, best first: pairs of id and probability.

    Args:
        logits: (V,).
        count: how many.
    """
    chances = logits.float().softmax(-1).nan_to_num(0.0)
    best = chances.topk(min(count, chances.shape[-1]))
    return [list(pair) for pair in zip(best.indices.tolist(), numbers(best.values), strict=True)]


def outcome(logits: Tensor, tokens: Tensor) -> dict[str, Any]:
    """What came out of a pass over one text: loss, losses and next tokens.

    Args:
        logits: (1, T, V).
        tokens: (1, T) int64, T >= 2.
    """
    losses = token_losses(logits, tokens)[0]
    return {"loss": numbers(losses.mean()), "losses": numbers(losses, 4), "next": next_tokens(logits[0, -1])}


def lens_payload(lens: Tensor, tokens: Tensor) -> dict[str, Any]:
    """The logit lens of every position: the likeliest tokens after each layer, and the chance of the true next one.

    Args:
        lens: (L + 1, 1, T, V) of `minillama.trace.logit_lens`.
        tokens: (1, T) int64.
    """
    chances = lens[:, 0].softmax(-1).nan_to_num(0.0)  # (L + 1, T, V)
    best = chances.topk(min(N_LENS, chances.shape[-1]), dim=-1)
    following = tokens[0, 1:].expand(len(chances), -1)[..., None]
    true = chances[:, :-1].gather(-1, following)[..., 0]  # (L + 1, T - 1)
    return {"ids": best.indices.tolist(), "chances": numbers(best.values, 3), "true": numbers(true, 3)}


def frame_payload(label: str, trace: Trace, scores: Mapping[str, Any], layers: bool = True) -> dict[str, Any]:
    """One model on one text: sizes, weights, value lengths, scores and what came out.

    Args:
        label: what the model is called.
        trace: of one text.
        scores: kind -> (L, H), from 0 to 1.
        layers: put the weights in; else the page asks for each layer when it needs it.
    """
    attention = trace.attention[:, 0]  # (L, H, T, T)
    square, span = is_square(attention), weight_range(attention)
    return {
        "label": label,
        "layers": attention.shape[0],
        "heads": attention.shape[1],
        "square": square,
        "span": list(span),
        "weights": [encode_weights(each, square, span) if layers else None for each in attention],
        "value_norms": numbers(trace.value_norms[:, 0]),
        "scores": {kind: numbers(each, 4) for kind, each in scores.items()},
        **outcome(trace.logits, trace.tokens),
    }


def spell(tokenizer: Any, token: int) -> list[Any]:
    """How a page writes one token: its letters, and whether a space stands before it."""
    as_bytes = getattr(tokenizer, "token_bytes", None)
    text = as_bytes(token).decode("utf-8", "replace") if as_bytes else tokenizer.decode([token])
    if not text:
        text = tokenizer.piece(token)
    elif "\N{REPLACEMENT CHARACTER}" in text:
        text = f"<0x{as_bytes(token).hex().upper()}>" if as_bytes else text
    shown = text.removeprefix(" ").replace("\n", "⏎").replace("\t", "⇥").replace(" ", "␣")
    return [shown or "␣", text.startswith(" ") and bool(shown)]


def mentioned(frames: Sequence[Mapping[str, Any]]) -> set[int]:
    """The ids of every token that frames name beside those of the text."""
    found: set[int] = set()
    for frame in frames:
        ablated = (frame.get("ablation") or {}).get("next", [])
        lists = [frame["next"], *(pairs for layer in ablated for pairs in layer)]
        lists += [each["next"] for pair in frame.get("groups", {}).values() for each in pair.values() if "next" in each]
        if frame.get("baseline"):
            lists.append(frame["baseline"]["next"])
        found |= {token for pairs in lists for token, _ in pairs}
        if frame.get("lens"):
            found |= set(np.unique(np.array(frame["lens"]["ids"])).tolist())
    return found


def explorer_payload(
    tokenizer: Any,
    tokens: Tensor,
    frames: Sequence[Mapping[str, Any]],
    *,
    text: str,
    kinds: Mapping[str, str],
    notes: Mapping[str, str] | None = None,
    focus: tuple[int, int] = (0, 0),
    kind: str | None = None,
) -> dict[str, Any]:
    """Everything that the page needs.

    Args:
        tokenizer: spells tokens.
        tokens: (1, T) int64.
        frames: of `frame_payload`, the last of them the model itself.
        text: that was read.
        kinds: of heads -> what their score means, in a sentence.
        notes: "ablation", "lens" or "text" -> why it is missing or cut.
        focus: layer and head to begin with.
        kind: of heads to begin with.
    """
    ids = tokens[0].tolist()
    pieces = {str(token): spell(tokenizer, token) for token in sorted({*ids, *mentioned(frames)})}
    return {
        "tokens": ids,
        "text": text,
        "pieces": pieces,
        "frames": list(frames),
        "kinds": dict(kinds),
        "notes": dict(notes or {}),
        "focus": list(focus),
        "kind": kind,
    }
