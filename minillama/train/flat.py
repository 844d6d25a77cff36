"""The loss of a model in training: the arithmetic of model.py, less of it, and in fewer passes over memory.

what                                          why the loss is the same
rows end where their last counted token is    nothing looks forward, so nothing reads what comes after
rows lie end to end, without padding          only attention mixes tokens, and it is called for each row
what rows begin with alike is computed once   nothing looks forward, so it is the same in all of them (beginnings.py)
the last layer ends at places that count      what other tokens would become there is read by nobody
logits exist for these places only            the others would be multiplied by 0
the steps of gradients.py and head_loss.py    tested to be the pieces of the same names
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from minillama import rope
from minillama.attention import Attention, attend, attend_fused, causal_mask
from minillama.feedforward import SwiGLU
from minillama.loss import shift_targets
from minillama.model import Block, Llama, check_tokens
from minillama.norm import RMSNorm
from minillama.quant.linear import QuantEmbedding, QuantLinear
from minillama.train.beginnings import Part, parts_of
from minillama.train.data import Batch
from minillama.train.gradients import apply_rope, gate, project, rms_norm
from minillama.train.head_loss import head_loss
from minillama.train.lora import LoRALinear


def is_plain(model: nn.Module) -> bool:
    """Whether a model is made of the package's own pieces only, on one device: then flat_loss is its loss."""
    if type(model) is not Llama or _is_watched(model):  # a distributed model is of a class of its own
        return False
    ends = type(model.norm) is RMSNorm and type(model.tok_embeddings) in (nn.Embedding, QuantEmbedding)
    ends = ends and type(model.output) in (type(None), nn.Linear, QuantLinear)
    return ends and all(_plain_block(block) for block in model.layers)


def _is_watched(model: nn.Module) -> bool:
    return any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def _plain_block(block: Any) -> bool:
    if type(block) is not Block or type(block.attention) is not Attention:
        return False
    attention, feed_forward = block.attention, block.feed_forward
    own = type(feed_forward) is SwiGLU and type(block.attention_norm) is type(block.ffn_norm) is RMSNorm
    if not own or attention.apply_rope is not rope.apply_rope or attention.attend not in (attend, attend_fused):
        return False
    matrices = (attention.wq, attention.wk, attention.wv, attention.wo, *feed_forward.children())
    return all(type(matrix) in (nn.Linear, QuantLinear, LoRALinear) for matrix in matrices)


def flat_loss(model: Any, batch: Batch) -> Tensor:
    """The weighted sum of the losses of a batch's tokens: losses.summed_loss for a plain model.

    Args:
        model: a Llama, see is_plain.
        batch: on the model's device.

    Returns:
        A float32 scalar in nats.
    """
    inputs, targets = shift_targets(batch.tokens)  # (B, T)
    check_tokens(inputs, model.config)
    weights = torch.ones_like(targets, dtype=torch.float32) if batch.weights is None else batch.weights[:, 1:]
    parts = parts_of(inputs, weights != 0, share=not _drops(model))
    if not parts:
        return 0.0 * torch.stack([each.sum() for each in model.parameters() if each.requires_grad]).sum()
    row = torch.cat([torch.full((part.end - part.start,), part.row) for part in parts]).to(inputs.device)  # (N,)
    at = torch.cat([torch.arange(part.start, part.end) for part in parts]).to(inputs.device)  # (N,)
    targets, weights = targets[row, at], weights[row, at]
    counted = weights != 0
    last = None if counted.all() else counted
    x = _stream(model, inputs[row, at], at, parts, last)
    x = rms_norm(x, model.norm.weight, model.norm.eps)
    matrix = model.tok_embeddings if model.output is None else model.output
    return head_loss(x, matrix, targets[counted], weights[counted])


def _drops(model: nn.Module) -> bool:
    """Whether chance drops some of an input: then each row drops out what it will, where rows are alike too."""
    return any(type(part) is nn.Dropout and part.training and part.p > 0 for part in model.modules())


def _stream(model: Any, tokens: Tensor, at: Tensor, parts: Sequence[Part], last: Tensor | None = None) -> Tensor:
    """What the blocks make of tokens (N,) at positions `at` (N,): (N, D), or of the last block only rows `last`."""
    turns = torch.complex(model.cos[at], model.sin[at])[:, None]  # (N, 1, K/2)
    x = model.tok_embeddings(tokens)  # (N, D)
    for block in model.layers:
        chosen = last if block is model.layers[-1] else None
        again = "forward" in vars(block)  # machine.recomputing has wrapped it, and asks for the same here
        run = partial(checkpoint, _block, use_reentrant=False) if again else _block
        x = run(block, x, turns, parts, model.config.sliding_window, chosen)
    return x


def _block(
    block: Any, x: Tensor, turns: Tensor, parts: Sequence[Part], window: int | None, chosen: Tensor | None
) -> Tensor:
    """model.Block for these parts of rows; after its attention, only the chosen places if any are."""
    ffn, out = block.feed_forward, _attention(block, x, turns, parts, window)
    if chosen is not None:
        x, out = x[chosen], out[chosen]
    x = x + project(out, block.attention.wo)[0]
    normed = rms_norm(x, block.ffn_norm.weight, block.ffn_norm.eps)
    return x + project(gate(*project(normed, ffn.w1, ffn.w3)), ffn.w2)[0]


def _attention(block: Any, x: Tensor, turns: Tensor, parts: Sequence[Part], window: int | None) -> Tensor:
    """What every head of a block gathers, before wo: (N, H * K)."""
    attention = block.attention
    normed = rms_norm(x, block.attention_norm.weight, block.attention_norm.eps)
    q, k, v = (
        y.unflatten(-1, (-1, attention.head_dim)) for y in project(normed, attention.wq, attention.wk, attention.wv)
    )
    return attend_parts(apply_rope(q, turns), apply_rope(k, turns), v, parts, window).flatten(1)


def attend_parts(q: Tensor, k: Tensor, v: Tensor, parts: Sequence[Part], window: int | None = None) -> Tensor:
    """Causal attention inside each of several rows whose parts lie end to end.

    Args:
        q: (N, H, K), N the tokens of all parts.
        k, v: (N, G, K).
        parts: see beginnings.Part; none is empty.
        window: see attention.causal_mask.

    Returns:
        (N, H, K).
    """
    if q.shape[1] != k.shape[1]:
        k, v = (y.repeat_interleave(q.shape[1] // y.shape[1], dim=1) for y in (k, v))
    lengths = [part.end - part.start for part in parts]
    if len(set(lengths)) == 1 and all(part.before is None for part in parts):
        q, k, v = (y.unflatten(0, (-1, lengths[0])).transpose(1, 2) for y in (q, k, v))  # (B, H, T, K)
        return _attend(q, k, v, window).transpose(1, 2).flatten(0, 1)
    qs, ks, vs = (y.transpose(0, 1).split(lengths, dim=1) for y in (q, k, v))  # (H, T, K) each
    outs = []
    for i, part in enumerate(parts):
        seen = [i] if part.before is None else [part.before, i]
        key, value = (torch.cat([y[j] for j in seen], dim=1) for y in (ks, vs))  # (H, S, K)
        outs.append(_attend(qs[i][None], key[None], value[None], window)[0])
    return torch.cat(outs, dim=1).transpose(0, 1)


def _attend(q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
    T, S = q.shape[2], k.shape[2]
    if T == S and (window is None or window >= T):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=causal_mask(T, S, window, q.device))
