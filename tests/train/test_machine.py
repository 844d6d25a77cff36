import logging

import pytest
import torch

from minillama.config import ModelConfig
from minillama.model import Llama
from minillama.train import machine
from minillama.train.data import Batch
from minillama.train.losses import summed_loss
from minillama.train.machine import pinned, recomputing, usable_bf16

CPU = torch.device("cpu")
CONFIG = ModelConfig(
    dim=64, n_layers=4, n_heads=4, n_kv_heads=2, hidden_dim=96, vocab_size=40, max_seq_len=256, tied=True
)


def kept_bytes(model: Llama, batch: Batch) -> int:
    """What the forward pass keeps for the backward pass."""
    total = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal total
        total += tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        nats, _ = summed_loss(model, batch)
    nats.backward()
    return total


@pytest.mark.parametrize("frozen", [False, True])
def test_recomputing_keeps_less_and_gives_the_same_gradients(frozen: bool) -> None:
    model, batch = Llama(CONFIG), Batch(torch.randint(40, (2, 129)))
    model.init_weights(0)
    model.tok_embeddings.requires_grad_(not frozen)
    found = []
    for wanted in (False, True):
        model.zero_grad()
        with recomputing(model, wanted):
            kept = kept_bytes(model, batch)
        found.append((kept, [p.grad.clone() for p in model.parameters() if p.grad is not None]))
    (plain, expected), (less, gradients) = found
    assert less < plain / 2
    assert len(gradients) == len(expected) > 4
    for ours, theirs in zip(gradients, expected, strict=True):
        assert torch.equal(ours, theirs)
    assert "forward" not in vars(model.layers[0])


def test_bf16_falls_back_with_a_word(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert usable_bf16(True, CPU)
    assert not usable_bf16(False, CPU)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "architecture": "x86_64"})
    assert not usable_bf16(False, CPU)
    assert not caplog.records
    assert not usable_bf16(True, CPU)
    assert "this cpu has no bfloat16 instructions" in caplog.text


def test_threads_are_those_of_the_record(caplog: pytest.LogCaptureFixture) -> None:
    before = torch.get_num_threads()
    with caplog.at_level(logging.WARNING), pinned(before + 1, CPU):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    assert f"began with {before + 1} threads, not {before}" in caplog.text
    with pinned(None, CPU):
        assert torch.get_num_threads() == before


def test_a_step_draws_by_its_seed_and_number() -> None:
    def draw(seed: int, step: int) -> float:
        machine.seed_step(seed, step)
        return torch.rand(1).item()

    with pinned(None, CPU):
        assert draw(0, 3) == draw(0, 3)
        assert len({draw(seed, step) for seed in range(3) for step in range(3)}) == 9
