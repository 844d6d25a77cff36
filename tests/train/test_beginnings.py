"""Rows that begin alike give the same loss and the same gradients when their beginning is computed once."""

import pytest
import torch

from minillama.config import ModelConfig
from minillama.model import Llama
from minillama.train.beginnings import SHORTEST, SharedLlama, common_length
from minillama.train.data import Batch
from minillama.train.lora import LoRAConfig, add_lora, trainable_parameters
from minillama.train.losses import summed_loss

CONFIG = ModelConfig(dim=32, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=48, vocab_size=64, max_seq_len=64)


def _batch(n_common: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(3, 64, (5, 40), generator=generator)
    tokens[:, :n_common] = tokens[0, :n_common]
    tokens[:, n_common] = torch.arange(5)  # here they part
    weights = torch.zeros(5, 40)
    weights[:, 30:] = 1.0
    return Batch(tokens, weights)


def _learned(kind: type[Llama], batch: Batch, lora: bool) -> tuple[float, list[torch.Tensor]]:
    model = kind(CONFIG)
    model.init_weights(0)
    if lora:
        add_lora(model, LoRAConfig(rank=4, targets=("wq", "wk", "wv", "wo", "w1", "w2", "w3")))
        torch.manual_seed(2)
        for parameter in trainable_parameters(model):
            torch.nn.init.normal_(parameter, std=0.1)
    model.train()
    nats, _ = summed_loss(model, batch)
    nats.backward()
    return nats.item(), [parameter.grad for parameter in trainable_parameters(model) if parameter.grad is not None]


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("n_common", [0, SHORTEST - 1, SHORTEST, 35])
def test_loss_and_gradients_are_the_same(n_common: int, lora: bool) -> None:
    batch = _batch(n_common)
    loss, gradients = _learned(Llama, batch, lora)
    shared_loss, shared_gradients = _learned(SharedLlama, batch, lora)
    assert shared_loss == pytest.approx(loss, rel=1e-5)
    assert len(gradients) == len(shared_gradients) > 0
    for one, other in zip(gradients, shared_gradients, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


def test_the_beginning_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    plain = Llama.hidden

    def counted(self: Llama, tokens: torch.Tensor, cache: object = None) -> torch.Tensor:
        shapes.append(tuple(tokens.shape))
        return plain(self, tokens, cache)  # type: ignore[arg-type]

    monkeypatch.setattr(Llama, "hidden", counted)
    model = SharedLlama(CONFIG)
    model.init_weights(0)
    tokens = _batch(20).tokens
    trained = model.train()(tokens)
    assert shapes == [(1, 20), (5, 20)]
    asked = model.eval()(tokens)
    assert shapes[2:] == [(5, 40)]
    torch.testing.assert_close(trained, asked, rtol=1e-4, atol=1e-5)


def test_each_row_keeps_a_token() -> None:
    assert common_length(torch.tensor([[1, 2, 3], [1, 2, 3]])) == 2
    assert common_length(torch.tensor([[1, 2, 3], [4, 2, 3]])) == 0
