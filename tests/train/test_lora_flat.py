"""The loss in training, written for speed, against the promoted pieces: values and gradients."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minillama.checkpoint.loading import load
from minillama.config import ModelConfig
from minillama.feedforward import silu
from minillama.loss import shift_targets
from minillama.model import Llama, Pieces
from minillama.norm import RMSNorm, rms_norm
from minillama.rope import apply_rope, rope_frequencies
from minillama.train import gradients, head_loss, losses
from minillama.train.data import Batch
from minillama.train.flat import flat_loss, is_plain
from minillama.train.lora import TARGETS, LoRAConfig, LoRALinear, add_lora, merge
from minillama.train.machine import recomputing

CONFIG = ModelConfig(
    dim=64, n_layers=3, n_heads=4, n_kv_heads=2, hidden_dim=96, vocab_size=101, norm_eps=1e-5, max_seq_len=32
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def compare(ours, theirs, inputs: list[Tensor], **tolerance: float) -> None:
    """The same output, and the same gradients of a random weighting of it."""
    mine = [x.clone().requires_grad_() for x in inputs]
    other = [x.clone().requires_grad_() for x in inputs]
    a, b = ours(*mine), theirs(*other)
    torch.testing.assert_close(a, b, **tolerance)
    direction = draw(*a.shape, seed=9)
    for x, y in zip(torch.autograd.grad(a, mine, direction), torch.autograd.grad(b, other, direction), strict=True):
        torch.testing.assert_close(x, y, **(tolerance or {"rtol": 1e-4, "atol": 1e-5}))


def test_rms_norm():
    compare(
        lambda x, w: gradients.rms_norm(x, w, 1e-5), lambda x, w: rms_norm(x, w, 1e-5), [draw(7, 64), draw(64, seed=1)]
    )


def test_rms_norm_of_large_half_precision_numbers_is_finite():
    x = torch.full((1, 8), 300.0, dtype=torch.float16)
    assert torch.equal(
        gradients.rms_norm(x, torch.ones(8, dtype=x.dtype), 1e-5), rms_norm(x, torch.ones(8, dtype=x.dtype), 1e-5)
    )


def test_rope():
    cos, sin = rope_frequencies(8, 5)
    turns = torch.complex(cos, sin)[:, None]
    compare(lambda x: gradients.apply_rope(x, turns), lambda x: apply_rope(x[None], cos, sin)[0], [draw(5, 3, 8)])


def test_gate():
    compare(gradients.gate, lambda a, b: silu(a) * b, [draw(4, 6), draw(4, 6, seed=1)])


@pytest.mark.parametrize("chunk", [1, 250, 10_000])
def test_head_loss(chunk, monkeypatch):
    monkeypatch.setattr(head_loss, "LOGITS_AT_ONCE", chunk)
    targets, weights = torch.tensor([3, 100, 0, 7, 7]), torch.tensor([1.0, 0.5, 2.0, 0.0, 1.0])
    matrix, other = nn.Embedding(101, 16), nn.Embedding(101, 16)
    other.load_state_dict(matrix.state_dict())
    x, y = (draw(5, 16).requires_grad_() for _ in range(2))
    ours = head_loss.head_loss(x, matrix, targets, weights)
    theirs = (F.cross_entropy(y @ other.weight.T, targets, reduction="none") * weights).sum()
    torch.testing.assert_close(ours, theirs)
    (ours * 0.5).backward()
    (theirs * 0.5).backward()
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(matrix.weight.grad, other.weight.grad)
    with torch.no_grad():
        assert torch.equal(head_loss.head_loss(x, matrix, targets, weights), ours)


def test_a_target_beyond_the_range_of_float32_has_its_loss():
    logits = torch.tensor([[0.0, 200.0], [500.0, 0.0]])
    nats, shares = head_loss.surprise(logits, torch.tensor([[0], [0]]))
    assert torch.equal(nats, torch.tensor([[200.0], [0.0]]))
    assert torch.equal(shares, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))


@pytest.fixture
def batch() -> Batch:
    """Rows of several lengths; prompts, padding, and a token in the middle count nothing."""
    tokens = torch.randint(0, 101, (4, 17), generator=torch.Generator().manual_seed(3))
    weights = torch.zeros(4, 17)
    weights[0, 5:17], weights[1, 3:9], weights[2, 4:17] = 1, 1, 0.5
    weights[2, 9] = 0  # the last row does not count at all
    return Batch(tokens, weights)


def tiny(seed: int = 0, **changes: object) -> Llama:
    model = Llama(dataclasses.replace(CONFIG, **changes))
    model.init_weights(seed)
    return model


def naive(model: nn.Module, batch: Batch) -> Tensor:
    """From the logits of model.py, by PyTorch's own loss."""
    inputs, targets = shift_targets(batch.tokens)
    nats = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="none")
    return (nats if batch.weights is None else nats * batch.weights[:, 1:].flatten()).sum()


def adapted(targets: tuple[str, ...], **changes: object) -> Llama:
    model = tiny(**changes)
    for i, layer in enumerate(add_lora(model, LoRAConfig(rank=3, alpha=5.0, targets=targets)).values()):
        with torch.no_grad():
            layer.lora_b.copy_(0.1 * draw(*layer.lora_b.shape, seed=i))
    return model


def assert_same(model: nn.Module, batch: Batch, **tolerance: float) -> None:
    """The same loss and the same gradients by both ways."""
    found = []
    for loss in (naive, flat_loss):
        model.zero_grad()
        nats = loss(model, batch)
        (nats / 3).backward()
        found.append((nats, {name: p.grad for name, p in model.named_parameters() if p.requires_grad}))
    torch.testing.assert_close(found[1][0], found[0][0], **tolerance)
    assert found[0][1].keys() == found[1][1].keys()
    for name, gradient in found[0][1].items():
        small = {"rtol": 1e-4, "atol": 1e-5 * gradient.abs().max().item()}
        torch.testing.assert_close(
            found[1][1][name], gradient, **(tolerance or small), msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("targets", [("wq", "wv"), TARGETS, ("wk", "w2"), ("wo", "w1", "w3")])
def test_losses_and_gradients_of_adapters(targets, batch):
    assert_same(adapted(targets), batch)


@pytest.mark.parametrize("changes", [{"tied": True}, {"sliding_window": 6}, {"n_kv_heads": 4}, {"n_layers": 1}])
def test_losses_and_gradients_of_all_weights(changes, batch):
    assert_same(tiny(**changes), batch)
    assert_same(tiny(**changes), Batch(batch.tokens))  # all count, in rows of one length


def test_adapters_in_some_layers_and_merged_ones(batch):
    model = adapted(("wq", "wo"))
    merge(model.layers[1].attention.wq)
    merge(model.layers[1].attention.wo)
    model.layers[1].requires_grad_(False)
    assert_same(model, batch)


def test_bfloat16_products(batch):
    model = adapted(TARGETS)
    with torch.autocast("cpu", torch.bfloat16):
        assert_same(model, batch, rtol=0.1, atol=0.1)


def test_adapters_on_quantized_matrices(batch):
    model, _ = load(quant="q4_0", pieces=Pieces())
    for i, layer in enumerate(add_lora(model, LoRAConfig(rank=2, targets=TARGETS)).values()):
        with torch.no_grad():
            layer.lora_b.copy_(0.02 * draw(*layer.lora_b.shape, seed=i))
    assert is_plain(model)
    assert_same(model, dataclasses.replace(batch, tokens=batch.tokens + 300))


def test_dropout_keeps_its_place(batch):
    model = adapted(("wq", "wv")).train()
    for layer in model.modules():
        if isinstance(layer, LoRALinear):
            layer.dropout.p = 0.5
    assert flat_loss(model, batch) != flat_loss(model, batch)
    model.eval()
    assert flat_loss(model, batch) == flat_loss(model, batch)
    assert_same(model, batch)


def test_recomputing_blocks_changes_nothing(batch):
    model = adapted(TARGETS)
    with recomputing(model):
        assert is_plain(model)
        nats = flat_loss(model, batch)
        nats.backward()
    again = adapted(TARGETS)
    flat_loss(again, batch).backward()
    for mine, other in zip(model.parameters(), again.parameters(), strict=True):
        assert (mine.grad is None and other.grad is None) or torch.equal(mine.grad, other.grad)


def test_training_takes_it_where_it_may(batch, monkeypatch):
    taken = []
    monkeypatch.setattr(losses, "flat_loss", lambda *args: taken.append(args) or flat_loss(*args))
    model, other = adapted(("wq", "wv")), Llama(CONFIG, Pieces(RMSNorm=type("Own", (RMSNorm,), {})))
    nats, weight = losses.training_loss(model, batch)
    assert (len(taken), weight) == (1, batch.total_weight)
    with losses.by_pieces():
        torch.testing.assert_close(losses.training_loss(model, batch)[0], nats)
    losses.training_loss(other, batch)
    assert len(taken) == 1


def test_what_follows_the_last_counted_token_is_not_read(batch):
    model = adapted(("wq", "wv"))
    changed = batch.tokens.clone()
    changed[1, 9:] = 0
    assert torch.equal(flat_loss(model, batch), flat_loss(model, Batch(changed, batch.weights)))


def test_other_pieces_are_not_plain():
    assert is_plain(tiny())
    assert is_plain(adapted(TARGETS))
    assert not is_plain(nn.Linear(1, 1))

    def own_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        return apply_rope(x, cos, sin)

    assert not is_plain(Llama(CONFIG, Pieces(apply_rope=own_rope)))

    class OwnNorm(nn.RMSNorm):
        pass

    assert not is_plain(Llama(CONFIG, Pieces(RMSNorm=OwnNorm)))
    watched = tiny()
    watched.layers[0].register_forward_hook(lambda *_: None)
    assert not is_plain(watched)
