"""Rows that teach copying, the weights that it starts from, and what learns meanwhile."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from minillama.config import ModelConfig
from minillama.model import Llama
from minillama.train.copying import Copying, copy_rows, let_learn, set_weights_to_copy
from minillama.train.data import Batch
from minillama.train.loop import train, train_step
from minillama.train.stages import Stage, StagedConfig, StagedText

CONFIG = ModelConfig(
    dim=64, n_layers=2, n_heads=4, n_kv_heads=2, hidden_dim=96, vocab_size=48, max_seq_len=256, tied=True
)
IDS = (8, 48)


def fresh(seed: int = 0) -> Llama:
    model = Llama(CONFIG)
    set_weights_to_copy(model, seed)
    return model


@pytest.mark.parametrize("copying", [Copying(), Copying(shortest=4, longest=20, gap=0), Copying(gap=30)])
def test_what_counts_has_stood_before_after_the_same_token(copying: Copying) -> None:
    tokens, counted = copy_rows(copying, 20, 63, IDS, np.random.default_rng(1))
    assert tokens.shape == counted.shape == (20, 64)
    assert tokens.min() >= IDS[0]
    assert tokens.max() < IDS[1]
    assert counted.any(dim=1).sum() >= 15
    for row, counts in zip(tokens.tolist(), counted.tolist(), strict=True):
        pairs = list(pairwise(row))
        for place in (i for i, counts_here in enumerate(counts) if counts_here):
            assert pairs[place - 1] in pairs[: place - 1]


def test_rows_depend_on_the_seed_alone() -> None:
    one, two, other = (copy_rows(Copying(), 3, 40, IDS, np.random.default_rng(seed))[0] for seed in (5, 5, 6))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_first_weights_guess_evenly_and_hand_values_on() -> None:
    model = fresh()
    logits = model(torch.randint(*IDS, (2, 30)))
    assert logits.std() < 1
    assert not any(layer.feed_forward.w2.weight.any() for layer in model.layers)
    attention = model.layers[1].attention
    values = attention.wv.weight.unflatten(0, (2, -1)).repeat_interleave(2, 0).flatten(0, 1)
    assert torch.nn.functional.cosine_similarity(attention.wo.weight.flatten(), values.T.flatten(), dim=0) > 0.8
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), fresh().parameters(), strict=True))


def test_attention_alone_learns_and_then_everything() -> None:
    model, tokens = fresh(), torch.randint(*IDS, (4, 33))
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    let_learn(model, attention_only=True)
    train_step(model, optimizer, [Batch(tokens)], 1e-2)
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert {name.split(".")[-2] for name in changed} == {"wq", "wk", "wv", "wo", "attention_norm", "norm"}
    let_learn(model, attention_only=False)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_only_what_counts_gives_a_gradient() -> None:
    model, tokens = fresh(), torch.randint(*IDS, (1, 20))
    weights = torch.zeros(1, 20)
    weights[0, 5] = 1.0
    loss = train_step(model, torch.optim.SGD(model.parameters(), lr=0.0), [Batch(tokens, weights)], 0.0)
    expected = -fresh()(tokens[:, :-1]).log_softmax(-1)[0, 4, tokens[0, 5]].item()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_a_run_learns_to_copy_tokens_in_an_order_it_has_never_seen(tmp_path: Path) -> None:
    recipe = StagedConfig(
        stages=(Stage(share=1.0, seq_len=48, batch_size=16, copying=Copying(longest=6, gap=3)),),
        n_steps=350, peak_lr=3e-3, warmup_steps=20,
    )  # fmt: skip
    model, losses = fresh(), list[float]()
    source = StagedText(np.zeros(5000, np.uint16), recipe, IDS)
    train(
        model, source, recipe, tmp_path, report=lambda progress: losses.append(progress.loss),
        before_step=lambda step: source.choose_learning(model, step),
    )  # fmt: skip
    assert sum(losses[-10:]) / 10 < 0.5 * losses[0]
