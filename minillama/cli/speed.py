"""How fast a model answers: its calls are timed from outside."""

import sys
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch

from minillama.checkpoint.memory import own_memory


@dataclass
class Stopwatch:
    """A model that notes how many tokens each call had and how long it took.

    Args:
        model: anything of the model protocol.
        calls: (tokens, seconds) of each call, in order.
    """

    model: Any
    calls: list[tuple[int, float]] = field(default_factory=list)

    def __call__(self, tokens: Any, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        logits = self.model(tokens, *args, **kwargs)
        if logits.is_cuda:
            torch.cuda.synchronize(logits.device)  # it works on its own until somebody waits
        self.calls.append((int(tokens.shape[1]), time.perf_counter() - began))
        return logits

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def summary(self, prompt_tokens: int) -> str:
        """How fast the prompt was read and the text came, for people."""
        prefill, later = [0, 0.0], [0, 0.0]
        for tokens, seconds in self.calls:
            phase = prefill if prefill[0] < prompt_tokens else later  # a long prompt is read in several calls
            phase[0] += tokens
            phase[1] += seconds
        text = f"prompt: {prefill[0]} tokens in {prefill[1]:.2f} s"
        return f"{text}; text: {later[0]} tokens at {later[0] / later[1]:.1f} tokens/s" if later[0] else text


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One measurement of `minillama bench`."""

    load_seconds: float
    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    peak_memory_bytes: int


@torch.no_grad()
def measure(model: Any, prompt_tokens: int, new_tokens: int, depth: int, repetitions: int) -> tuple[float, float]:
    """Tokens per second of prefill and of decode, medians after one warm-up.

    Args:
        model: anything of the model protocol.
        prompt_tokens: length of the prompt.
        new_tokens: tokens decoded one at a time after it.
        depth: tokens that the cache holds before the prompt.
        repetitions: how often; the warm-up comes on top.
    """
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(model.config.vocab_size, (1, depth + prompt_tokens), generator=generator)
    prefill, decode = [], []
    for _ in range(repetitions + 1):
        cache = model.new_cache(1, depth + prompt_tokens + new_tokens)
        ids = ids.to(getattr(cache.keys, "device", "cpu"))
        if depth:
            model(ids[:, :depth], cache=cache, last_only=True).sum().item()
        began = time.perf_counter()
        token = model(ids[:, depth:], cache=cache, last_only=True).argmax(-1)
        token.item()  # waits for a device that works on its own
        middle = time.perf_counter()
        for _ in range(new_tokens):
            token = model(token, cache=cache).argmax(-1)
        token.item()
        prefill.append(middle - began)
        decode.append(time.perf_counter() - middle)
    return prompt_tokens / median(prefill[1:]), new_tokens / median(decode[1:])


def peak_memory_bytes() -> int:
    """The most memory that this process has held at once, mapped files included; 0 where the system does not say."""
    peak = own_memory()[1]
    if peak is None and sys.platform == "darwin":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak or 0
