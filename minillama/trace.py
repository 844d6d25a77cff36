"""Look inside one forward pass: attention weights, the stream after every block, what each layer would say next.

And change it: `ablate` switches heads off, for whatever is computed inside its `with` block.

Sources: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits" (the residual stream);
nostalgebraist 2020, "interpreting GPT: the logit lens"; Kobayashi et al. 2020, "Attention is Not Only a Weight"
(attention times value norm); Michel et al. 2019, "Are Sixteen Heads Really Better than One?" (heads switched off).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minillama.attention import attend
from minillama.errors import ConfigError
from minillama.model import Llama, LlamaBase

PART = re.compile(r"tok_embeddings|norm|layers\.\d+(\.(attention_norm|attention|ffn_norm|feed_forward))?")


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


def _check_torch(model: Llama) -> None:
    if not isinstance(model, LlamaBase):
        raise ConfigError(f"a {type(model).__name__} cannot be looked into: load it with pieces=minillama.Pieces()")


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
    _check_torch(model)
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


@torch.no_grad()
def part_outputs(model: nn.Module, tokens: Tensor, names: Mapping[str, str] | None = None) -> dict[str, Tensor]:
    """What each part of a model gives in one pass, in the order in which they finish: to compare two models by.

    Args:
        model: any module that takes tokens; it need not be a Llama.
        tokens: (B, T) int64.
        names: of its modules -> under which name to keep their outputs; None for those of a Llama, as they are.

    Returns:
        name -> (B, T, ...) float32: the embedding, the norms, attention, feed-forward and end of each layer, logits.

    >>> import minillama
    >>> model, tokenizer = minillama.load(quant="none")
    >>> list(part_outputs(model, torch.tensor([[5, 6]])))[:4]
    ['tok_embeddings', 'layers.0.attention_norm', 'layers.0.attention', 'layers.0.ffn_norm']
    """
    found: dict[str, Tensor] = {}

    def keep(name: str, output: Any) -> None:
        found[name] = (output[0] if isinstance(output, tuple) else output).float()

    with ExitStack() as stack:
        for own, module in model.named_modules():
            name = PART.fullmatch(own) and own if names is None else names.get(own)
            if name:
                hook = partial(lambda name, module, inputs, output: keep(name, output), name)
                stack.callback(module.register_forward_hook(hook).remove)
        result = model(tokens)
    found["logits"] = getattr(result, "logits", result).float()
    return found


def token_losses(logits: Tensor, tokens: Tensor) -> Tensor:
    """The surprise at each token, in nats.

    Args:
        logits: (B, T, V), of a model on `tokens` or of a Trace.
        tokens: (B, T) int64.

    Returns:
        (B, T - 1) float32: at [b, t] that of tokens[b, t + 1].
    """
    return nn.functional.cross_entropy(logits[:, :-1].float().transpose(1, 2), tokens[:, 1:], reduction="none")


def _outputs(model: Llama) -> list[nn.Module]:
    """The matrix of each layer that takes up what its heads give, side by side: (B, T, H * K)."""
    _check_torch(model)
    parts: list[Any] = [block.attention for block in model.layers]
    for layer, part in enumerate(parts):
        if not isinstance(getattr(part, "wo", None), nn.Module):
            raise ConfigError(f"the attention of layer {layer} has no module `wo`: its heads cannot be told apart")
    return [part.wo for part in parts]


@torch.no_grad()
def mean_head_outputs(model: Llama, tokens: Tensor) -> Tensor:
    """What each head gives on average over all positions of a text, for `ablate`.

    Args:
        model: the torch model.
        tokens: (B, T) int64.

    Returns:
        (L, H, K) float32.

    Raises:
        ConfigError: see ablate.
    """
    means: list[Tensor] = []

    def keep_mean(module: nn.Module, inputs: tuple) -> None:
        means.append(inputs[0].float().mean(dim=(0, 1)).unflatten(-1, (model.config.n_heads, -1)))

    with ExitStack() as stack:
        for wo in _outputs(model):
            stack.callback(wo.register_forward_pre_hook(keep_mean).remove)
        model(tokens)
    return torch.stack(means)


def _put_instead(heads: list[int], n_heads: int, instead: Tensor | float, module: nn.Module, inputs: tuple) -> tuple:
    out = inputs[0].unflatten(-1, (n_heads, -1)).clone()  # (B, T, H, K)
    out[..., heads, :] = instead.to(out) if isinstance(instead, Tensor) else instead
    return (out.flatten(-2), *inputs[1:])


@contextmanager
def ablate(model: Llama, heads: Iterable[tuple[int, int]], means: Tensor | None = None) -> Iterator[None]:
    """Switch heads off inside a `with` block: they add nothing to the stream, or always the same.

    Everything that runs the model inside the block runs it without them: `model(tokens)`, `trace`, `generate`. A head
    that is switched off still has its attention weights; those of later layers change. Blocks may be nested. Zero takes
    away what a head adds on every text too; its mean (`means`) takes away only what it tells about this one.

    Args:
        model: the torch model, of any pieces whose attention ends in a module `wo`.
        heads: (layer, head) pairs, both counted from 0.
        means: (L, H, K) of `mean_head_outputs`; None for zero.

    Raises:
        ConfigError: a head that the model does not have, means of another model, or attention without a `wo`.

    >>> import minillama
    >>> model, tokenizer = minillama.load(quant="none")
    >>> tokens = torch.tensor([tokenizer.encode("Once upon a time")])
    >>> with torch.no_grad(), ablate(model, [(0, 0), (2, 1)]):
    ...     next_token = model(tokens)[0, -1].softmax(-1)  # (V,)
    ...     seen = trace(model, tokens)
    """
    outputs, config = _outputs(model), model.config
    if means is not None and tuple(means.shape) != (config.n_layers, config.n_heads, config.head_dim):
        wanted = (config.n_layers, config.n_heads, config.head_dim)
        raise ConfigError(
            f"means have shape {tuple(means.shape)}, expected {wanted}: take mean_head_outputs(model, ...)"
        )
    off: dict[int, list[int]] = {}
    for layer, head in heads:
        if not (0 <= layer < config.n_layers and 0 <= head < config.n_heads):
            raise ConfigError(
                f"head {head} of layer {layer}, expected layers 0 to {config.n_layers - 1} "
                f"and heads 0 to {config.n_heads - 1}"
            )
        off.setdefault(int(layer), []).append(int(head))
    with ExitStack() as stack:
        for layer, chosen in off.items():
            instead: Tensor | float = 0.0 if means is None else means[layer, chosen]
            hook: Callable[..., tuple] = partial(_put_instead, chosen, config.n_heads, instead)
            stack.callback(outputs[layer].register_forward_pre_hook(hook).remove)
        yield
