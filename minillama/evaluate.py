"""How well a model predicts text that it has not seen, and how fast its size lets it write.

Source of the perplexity's method: llama.cpp, tools/perplexity: windows that do not overlap, each with BOS in the place
of its first token, the second half scored, so that every prediction has at least half a window to go on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any

import torch
from torch import Tensor

from minillama.config import ModelConfig
from minillama.errors import DataError
from minillama.model import count_parameters
from minillama.tokenizer import Tokenizer


def predict_tokens_per_second(config: ModelConfig, bits_per_weight: float, context: int, gb_per_s: float) -> float:
    """The most tokens a second that a memory allows: each token reads every weight and the whole cache once.

    Of the embedding it reads a single row, unless the output matrix is the embedding.

    Args:
        config: sizes.
        bits_per_weight: 4.5 for Q4_0, 8.5 for Q8_0, 16 for 16-bit floats.
        context: tokens in the 16-bit cache.
        gb_per_s: what the memory delivers, in 10**9 bytes a second.

    >>> from minillama.config import PRESETS
    >>> round(predict_tokens_per_second(PRESETS["llama-7b"], 4.5, 0, gb_per_s=20), 2)
    5.38
    """
    looked_up = 0 if config.tied else config.vocab_size * config.dim
    weights = (count_parameters(config) - looked_up) * bits_per_weight / 8
    cache = context * config.kv_bytes_per_token
    return gb_per_s * 1e9 / (weights + cache)


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """What a model's surprise on a text comes to.

    Args:
        value: e to the mean negative log-likelihood a token.
        standard_error: of the value, from the spread between tokens.
        n_tokens: how many were scored.
    """

    value: float
    standard_error: float
    n_tokens: int


@torch.no_grad()
def scored_windows(model: Any, ids: Sequence[int], bos_id: int | None, context: int = 512) -> Iterator[Tensor]:
    """The negative log-likelihoods, in nats, of the second half of each window.

    Args:
        model: of the model protocol.
        ids: the text, BOS included as `encode` gives it.
        bos_id: stands in for the first token of every window; None leaves it.
        context: tokens a window, an even number.

    Yields:
        (context / 2 - 1,) float32 a window; what does not fill the last window is left out.

    Raises:
        DataError: a text shorter than two windows, or a window that the model has no context for.
    """
    if not 4 <= context <= model.config.max_seq_len or context % 2:
        raise DataError(f"context is {context}, expected an even number from 4 to {model.config.max_seq_len}")
    if len(ids) < 2 * context:
        raise DataError(
            f"the text has {len(ids)} tokens, expected at least two windows of {context}: take a longer one"
        )
    half = context // 2
    for start in range(0, len(ids) - context + 1, context):
        window = torch.tensor(ids[start : start + context])
        targets = window[half + 1 :].clone()
        if bos_id is not None:
            window[0] = bos_id
        logits = model(window[None].to(getattr(model, "device", "cpu")))[0, half:-1].cpu()  # (context / 2 - 1, V)
        yield torch.nn.functional.cross_entropy(logits, targets, reduction="none")


def perplexity(
    model: Any,
    tokenizer: Tokenizer,
    text: str,
    context: int = 512,
    progress: Callable[[int, int, float], None] = lambda done, total, value: None,
) -> Perplexity:
    """The perplexity of a text, as llama.cpp measures it.

    Args:
        model, tokenizer: as `minillama.load` gives them.
        text: at least two windows long.
        context: tokens a window.
        progress: called with windows done, windows in all and the value so far.

    Raises:
        DataError: see scored_windows.
    """
    ids = tokenizer.encode(text)
    scores = []
    for window in scored_windows(model, ids, tokenizer.bos_id, context):
        scores.append(window)
        progress(len(scores), len(ids) // context, exp(torch.cat(scores).double().mean()))
    every = torch.cat(scores).double()
    value = exp(every.mean())
    return Perplexity(value=value, standard_error=value * every.std().item() / sqrt(len(every)), n_tokens=len(every))
