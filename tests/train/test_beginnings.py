"""Rows that begin alike give the same loss and the same gradients when their beginning is computed once."""

import pytest
import torch
from torch import nn

from minillama.config import ModelConfig
from minillama.model import Llama
from minillama.train import flat
from minillama.train.beginnings import SHORTEST, Part, parts_of
from minillama.train.data import Batch
from minillama.train.flat import flat_loss
from minillama.train.lora import LoRAConfig, add_lora, trainable_parameters
from minillama.train.losses import summed_loss

CONFIG = ModelConfig(dim=32, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=48, vocab_size=64, max_seq_len=64)
WINDOWED = ModelConfig(
    dim=32, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=48, vocab_size=64, max_seq_len=64, sliding_window=9
)


def _batch(n_common: int, first_counted: int = 30) -> Batch:
    """Five rows that begin alike, and one of its own; the second ends early."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(3, 64, (6, 40), generator=generator)
    tokens[:5, :n_common] = tokens[0, :n_common]
    tokens[:5, n_common] = torch.arange(5)  # here they part
    weights = torch.zeros(6, 40)
    weights[:, first_counted:] = 1.0
    weights[1, 35:] = 0.0
    return Batch(tokens, weights)


def _learned(loss, batch: Batch, lora: bool, config: ModelConfig = CONFIG) -> tuple[float, list[torch.Tensor]]:
    model = Llama(config)
    model.init_weights(0)
    if lora:
        add_lora(model, LoRAConfig(rank=4, targets=("wq", "wk", "wv", "wo", "w1", "w2", "w3")))
        torch.manual_seed(2)
        for parameter in trainable_parameters(model):
            nn.init.normal_(parameter, std=0.1)
    model.train()
    nats = loss(model, batch)
    nats.backward()
    return nats.item(), [parameter.grad for parameter in trainable_parameters(model) if parameter.grad is not None]


def _summed(model: nn.Module, batch: Batch) -> torch.Tensor:
    return summed_loss(model, batch)[0]


@pytest.mark.parametrize("config", [CONFIG, WINDOWED])
@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize(
    ("n_common", "first"), [(0, 30), (SHORTEST - 1, 30), (SHORTEST, 30), (35, 30), (35, 20), (35, 5)]
)
def test_loss_and_gradients_are_the_same(n_common, first, lora, config):
    batch = _batch(n_common, first)
    loss, gradients = _learned(_summed, batch, lora, config)
    shared_loss, shared_gradients = _learned(flat_loss, batch, lora, config)
    assert shared_loss == pytest.approx(loss, rel=1e-5)
    assert len(gradients) == len(shared_gradients) > 0
    for one, other in zip(gradients, shared_gradients, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


def _inputs(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    return batch.tokens[:, :-1], batch.weights[:, 1:] != 0


def test_a_beginning_is_computed_once():
    parts = parts_of(*_inputs(_batch(20)))
    assert parts == [
        Part(0, 0, 20), *(Part(row, 20, 34 if row == 1 else 39, 0) for row in range(5)), Part(5, 0, 39)
    ]  # fmt: skip


def test_a_beginning_ends_where_tokens_count():
    assert parts_of(*_inputs(_batch(35, 25)))[0] == Part(0, 0, 24)
    assert all(part.before is None for part in parts_of(*_inputs(_batch(35, SHORTEST))))


def test_two_templates_have_a_beginning_each():
    batch = _batch(20)
    batch.tokens[3:, :18] = torch.arange(3, 21)
    parts = parts_of(*_inputs(batch))
    assert [(part.row, part.start, part.before) for part in parts] == [
        (0, 0, None), (0, 20, 0), (1, 20, 0), (2, 20, 0), (3, 0, None), (3, 18, 4), (4, 18, 4), (5, 18, 4)
    ]  # fmt: skip


def test_dropout_keeps_rows_apart(monkeypatch):
    """Each row drops out what it will, where rows are alike too."""
    shared = []
    monkeypatch.setattr(flat, "parts_of", lambda *args, share: shared.append(share) or parts_of(*args, share=share))
    model = Llama(CONFIG)
    model.init_weights(0)
    add_lora(model, LoRAConfig(rank=4, targets=("wq",), dropout=0.5))
    flat.flat_loss(model.train(), _batch(20))
    flat.flat_loss(model.eval(), _batch(20))
    assert shared == [False, True]


def test_a_batch_in_which_nothing_counts_has_no_loss():
    batch = _batch(20)
    batch.weights[:] = 0
    loss, gradients = _learned(flat_loss, batch, True)
    assert loss == 0
    assert all(not gradient.any() for gradient in gradients)
