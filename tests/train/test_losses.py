import pytest
import torch

from minillama.config import ModelConfig
from minillama.model import Llama
from minillama.train.data import Batch
from minillama.train.losses import summed_loss

CONFIG = ModelConfig(
    dim=32, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=48, vocab_size=20, max_seq_len=64, tied=True
)


@pytest.fixture
def model() -> Llama:
    model = Llama(CONFIG)
    model.init_weights(0)
    return model


def test_sum_of_the_tokens_that_count(model: Llama) -> None:
    tokens, weights = torch.randint(20, (3, 9)), torch.rand(3, 9).round(decimals=1)
    log_p = model(tokens[:, :-1]).log_softmax(-1)
    wanted = -sum(log_p[b, t, tokens[b, t + 1]] * weights[b, t + 1] for b in range(3) for t in range(8))
    nats, weight = summed_loss(model, Batch(tokens, weights))
    assert nats.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert weight == pytest.approx(weights[:, 1:].sum().item())
    assert summed_loss(model, Batch(tokens))[1] == 24


def test_padding_and_what_stands_in_it_change_nothing(model: Llama) -> None:
    tokens = torch.randint(20, (1, 7))
    alone = summed_loss(model, Batch(tokens, torch.ones(1, 7)))
    for filler in (0, 13):
        padded = torch.nn.functional.pad(tokens, (0, 5), value=filler)
        nats, weight = summed_loss(model, Batch(padded, torch.tensor([[1.0] * 7 + [0.0] * 5])))
        assert nats.item() == pytest.approx(alone[0].item(), rel=1e-5)
        assert weight == alone[1] == 6


def test_a_batch_moves_whole() -> None:
    batch = Batch(torch.zeros(2, 3, dtype=torch.int64), torch.ones(2, 3))
    moved = batch.to("meta")
    assert moved.tokens.is_meta
    assert moved.weights is not None
    assert moved.weights.is_meta
    assert Batch(batch.tokens).to("meta").weights is None
