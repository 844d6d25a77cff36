"""Look inside one forward pass: attention weights, the stream after every block, what each layer would say next.

Sources: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits" (the residual stream);
nostalgebraist 2020, "interpreting GPT: the logit lens"; Kobayashi et al. 2020, "Attention is Not Only a Weight"
(attention times value norm).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from minillama.attention import attend
from minillama.errors import ConfigError
from minillama.model import Llama


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What one pass over (B, T) tokens left behind; L layers, float32.

    Args:
        tokens: (B, T) int64.
        attention: (L, B, H, T, T), rows sum to 1.
        value_norms: (L, B, G, T), the length of each value vector.
        stream: (L + 1, B, T, D), the residual stream before the first block and after each.
        logits: (B, T, V).
    """

    tokens: Tensor
    attention: Tensor
    value_norms: Tensor
    stream: Tensor
    logits: Tensor

    @property
    def weighted_attention(self) -> Tensor:
        """(L, B, H, T, T): attention times the length of the value it brings, which is what reaches the stream."""
        group_size = self.attention.shape[2] // self.value_norms.shape[2]
        return self.attention * self.value_norms.repeat_interleave(group_size, dim=2)[..., None, :]


@contextmanager
def _recorded_attention(model: Llama, weights: list[Tensor], norms: list[Tensor]) -> Iterator[None]:
    def record(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        out, attention = attend(q, k, v, mask)
        weights.append(attention.float())
        norms.append(v.float().norm(dim=-1).transpose(1, 2))  # (B, G, T)
        return out, attention

    parts: list[Any] = [block.attention for block in model.layers]
    missing = [layer for layer, part in enumerate(parts) if not hasattr(part, "attend")]
    if missing:
        raise ConfigError(f"the attention of layer {missing[0]} has no `attend` to look into: keep it as an attribute")
    replaced = [part.attend for part in parts]
    try:
        for part in parts:
            part.attend = record
        yield
    finally:
        for part, original in zip(parts, replaced, strict=True):
            part.attend = original


@torch.no_grad()
def trace(model: Llama, tokens: Tensor) -> Trace:
    """Run the model once over whole sequences and keep what happened inside.

    Args:
        model: the torch model.
        tokens: (B, T) int64.

    Returns:
        A Trace.

    Raises:
        ConfigError: an attention piece that hides its `attend`, or a model that is not the torch one.
    """
    if not isinstance(model, Llama):
        raise ConfigError(f"a {type(model).__name__} cannot be looked into: load it with pieces=minillama.Pieces()")
    weights: list[Tensor] = []
    norms: list[Tensor] = []
    stream: list[Tensor] = []

    def keep_input(module: nn.Module, inputs: tuple) -> None:
        stream.append(inputs[0].float())

    with ExitStack() as stack:
        stack.enter_context(_recorded_attention(model, weights, norms))
        for module in (*model.layers, model.norm):
            handle = module.register_forward_pre_hook(keep_input)
            stack.callback(handle.remove)
        logits = model(tokens)
    return Trace(
        tokens=tokens,
        attention=torch.stack(weights),
        value_norms=torch.stack(norms),
        stream=torch.stack(stream),
        logits=logits,
    )


@torch.no_grad()
def logit_lens(model: Llama, trace: Trace) -> Tensor:
    """What the model would say if it stopped after each layer: final norm and output matrix on every stream.

    Returns:
        (L + 1, B, T, V) float32; the last equals the model's logits.
    """
    streams = model.norm(trace.stream.to(next(model.norm.parameters()).dtype))
    return model.unembed(streams).float()
