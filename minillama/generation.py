"""Text from a model: one token after the other, whole characters as they come.

Works with everything that keeps the protocol `model(tokens, cache) -> logits`, `model.new_cache`, `model.config`. A
model that has `unembed` too, as both engines have, takes `last_only=True` and computes no logits that nobody reads.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from minillama.errors import ContextLengthError, SamplingError
from minillama.sampling import check_sampling, penalize_repetition, sample
from minillama.tokenizer import Tokenizer
from minillama.tokenizer.bpe import stream_decode
from minillama.tokenizer.sentencepiece import SentencePieceTokenizer

log = logging.getLogger(__name__)

PREFILL_CHUNK = 512  # prompt tokens a pass: logits and masks of longer ones would cost memory for nothing


def generate_ids(
    model: Any,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int = 128,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    seed: int | None = None,
    stop_ids: Iterable[int] = (),
) -> Iterator[list[int | None]]:
    """Generate for several prompts at once, a step at a time.

    Prompts of different lengths are padded on the left, and the padding is hidden from attention.

    Args:
        model: keeps the protocol above.
        prompts: ids of each, at least one.
        max_new_tokens: at most; fewer when the context is full.
        temperature, top_k, top_p, min_p: see sampling.sample; temperature 0 takes the most likely token.
        repetition_penalty: see sampling.penalize_repetition.
        seed: makes the draws repeatable; None draws anew each time.
        stop_ids: end their row.

    Yields:
        One id a row, None for rows that have ended (the id that ends a row is not given).

    Raises:
        ContextLengthError: a prompt longer than the context.
        SamplingError: an option out of its range.
    """
    check_sampling(temperature, top_k, top_p, min_p, repetition_penalty)
    if not isinstance(max_new_tokens, int) or max_new_tokens < 0:
        raise SamplingError(f"max_new_tokens is {max_new_tokens!r}, expected a whole number from 0")
    if seed is not None and not (isinstance(seed, int) and -(2**63) <= seed < 2**63):
        raise SamplingError(f"seed is {seed!r}, expected a whole number of at most 63 bits")
    rows, ends = [list(prompt) for prompt in prompts], frozenset(stop_ids)
    longest = _check_prompts(rows, model.config.max_seq_len)
    n_steps = min(max_new_tokens, model.config.max_seq_len - longest + 1)  # the last token needs no place of its own
    if n_steps < max_new_tokens:
        log.info("the context of %d tokens ends after %d new ones", model.config.max_seq_len, n_steps)
    if n_steps == 0:
        return
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    cache = model.new_cache(len(rows), longest + n_steps - 1)
    logits = _prefill(model, rows, longest, cache)  # (B, V)
    draw = getattr(getattr(model, "pieces", None), "sample", sample)  # a learner may have written it
    running = [True] * len(rows)
    for step in range(n_steps):
        if repetition_penalty is not None:
            logits = penalize_repetition(logits, rows, repetition_penalty)
        drawn = draw(logits, temperature, top_k, top_p, min_p, generator).tolist()
        running = [alive and token not in ends for alive, token in zip(running, drawn, strict=True)]
        for row, token, alive in zip(rows, drawn, running, strict=True):
            if alive:
                row.append(token)
        if any(running):
            yield [token if alive else None for token, alive in zip(drawn, running, strict=True)]
        if not any(running) or step + 1 == n_steps:
            return
        logits = _last_logits(model, torch.tensor(drawn)[:, None], cache)


def _check_prompts(rows: list[list[int]], max_seq_len: int) -> int:
    if not rows:
        raise SamplingError("no prompts were given, expected at least one")
    for row in rows:
        if not row:
            raise SamplingError("a prompt has no tokens, expected at least BOS")
        if len(row) > max_seq_len:
            raise ContextLengthError(
                f"the prompt has {len(row)} tokens, but the model's context is {max_seq_len}: shorten the prompt"
            )
    return max(len(row) for row in rows)


def _prefill(model: Any, rows: list[list[int]], longest: int, cache: Any) -> Tensor:
    padding = [longest - len(row) for row in rows]
    tokens = torch.tensor([[0] * pad + row for pad, row in zip(padding, rows, strict=True)])  # (B, longest)
    if any(padding):
        cache.padding = torch.tensor(padding)
    for start in range(0, longest, PREFILL_CHUNK):
        logits = _last_logits(model, tokens[:, start : start + PREFILL_CHUNK], cache)
    return logits


@torch.no_grad()
def _last_logits(model: Any, tokens: Tensor, cache: Any) -> Tensor:
    """The logits after the last token, (B, V) on the CPU, where the draw is the same for every device."""
    options = {"last_only": True} if hasattr(model, "unembed") else {}
    return model(tokens.to(getattr(cache.keys, "device", "cpu")), cache, **options)[:, -1].cpu()


def _check_text(prompt: str) -> str:
    if not isinstance(prompt, str):
        raise SamplingError(f"a prompt is of type {type(prompt).__name__}, expected a text, of type str")
    return prompt


def stream(
    model: Any,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    seed: int | None = None,
    stop: str | Sequence[str] = (),
) -> Iterator[str]:
    """The completion of a prompt in pieces of whole characters, as soon as they are certain.

    Args:
        model, tokenizer: as `minillama.load` gives them.
        prompt: text; the empty prompt is BOS alone.
        max_new_tokens, temperature, top_k, top_p, min_p, repetition_penalty, seed: see generate_ids.
        stop: strings that end the text; they are left out of it.

    Yields:
        Pieces of text, which joined are `generate`'s result.

    Raises:
        ContextLengthError, SamplingError, TokenizerError: see generate_ids and Tokenizer.encode.
    """
    prompt_ids = tokenizer.encode(_check_text(prompt))
    steps = generate_ids(
        model, [prompt_ids], max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        repetition_penalty=repetition_penalty, seed=seed, stop_ids=_ends(tokenizer),
    )  # fmt: skip
    ids = (token for (token,) in steps if token is not None)
    pieces = _text_of(ids, tokenizer, at_start=not prompt)
    return until_stop(pieces, _stop_strings(stop))


def _text_of(ids: Iterable[int], tokenizer: Tokenizer, at_start: bool) -> Iterator[str]:
    """The tokenizer's own way to stream, which a learner may have written, where it has one."""
    if isinstance(tokenizer, SentencePieceTokenizer):
        return tokenizer.stream_decode(ids, at_start=at_start)
    return stream_decode(ids, tokenizer, at_start=at_start)


def _ends(tokenizer: Tokenizer) -> set[int]:
    """Ids that end a text: the tokenizer's own, and BOS, with which another text would begin."""
    return set(tokenizer.stop_ids) | ({tokenizer.bos_id} if tokenizer.bos_id is not None else set())


def _stop_strings(stop: str | Sequence[str]) -> tuple[str, ...]:
    strings = (stop,) if isinstance(stop, str) else tuple(stop) if isinstance(stop, Iterable) else (stop,)
    for string in strings:
        if not isinstance(string, str):
            raise SamplingError(f"stop holds {string!r}, expected strings")
        if not string:
            raise SamplingError("a stop string is empty, expected at least one character: it would end every text")
    return strings


def until_stop(pieces: Iterable[str], stop: Sequence[str]) -> Iterator[str]:
    """Pass text on up to the first stop string; text that may be the beginning of one is held back.

    >>> list(until_stop(["ab", "c#", "#", "d"], ["##"]))
    ['ab', 'c']
    """
    held = ""
    for piece in pieces:
        held += piece
        found = [place for place in (held.find(word) for word in stop) if place >= 0]
        if found:
            held = held[: min(found)]
            break
        unsure = max((_overlap(held, word) for word in stop), default=0)
        ready = held[: len(held) - unsure]
        held = held[len(ready) :]
        if ready:
            yield ready
    if held:
        yield held


def _overlap(text: str, word: str) -> int:
    """How many characters at the end of the text are the beginning of the word, without being the whole of it."""
    lengths = range(min(len(text), len(word) - 1), 0, -1)
    return next((n for n in lengths if text.endswith(word[:n])), 0)


def generate(
    model: Any,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    seed: int | None = None,
    stop: str | Sequence[str] = (),
) -> str:
    """The completion of a prompt, without the prompt; arguments and errors as in `stream`.

    >>> import minillama
    >>> model, tokenizer = minillama.load()
    >>> generate(model, tokenizer, "Once upon a time", max_new_tokens=0)
    ''
    """
    return "".join(
        stream(
            model, tokenizer, prompt, max_new_tokens, temperature, top_k, top_p, min_p, repetition_penalty, seed, stop
        )
    )


def generate_batch(
    model: Any,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    seed: int | None = None,
    stop: str | Sequence[str] = (),
) -> list[str]:
    """The completions of several prompts of any lengths, computed together; arguments and errors as in `stream`."""
    if isinstance(prompts, str) or not isinstance(prompts, Iterable):
        raise SamplingError(f"prompts are of type {type(prompts).__name__}, expected a list of texts")
    prompts = [_check_text(prompt) for prompt in prompts]
    if not prompts:
        return []
    strings = _stop_strings(stop)
    steps = generate_ids(
        model, [tokenizer.encode(prompt) for prompt in prompts], max_new_tokens, temperature=temperature, top_k=top_k,
        top_p=top_p, min_p=min_p, repetition_penalty=repetition_penalty, seed=seed, stop_ids=_ends(tokenizer),
    )  # fmt: skip
    rows: list[list[int]] = [[] for _ in prompts]
    for step in steps:
        for row, token in zip(rows, step, strict=True):
            if token is not None:
                row.append(token)
    return [
        "".join(until_stop(_text_of(row, tokenizer, at_start=not prompt), strings))
        for row, prompt in zip(rows, prompts, strict=True)
    ]
