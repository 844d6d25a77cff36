"""What the heads of a model do, on a circuit whose heads are known, and what heads.json says of the bundled one."""

import json

import pytest
import torch
from circuits import INDUCTION_HEAD, PREVIOUS_HEAD, VOCABULARY, induction_llama

from minillama.checkpoint.bundled import bundled_model
from minillama.checkpoint.loading import load
from minillama.config import ModelConfig
from minillama.errors import DataError
from minillama.heads import repeated_spans, shuffled_rows
from minillama.model import Llama
from minillama.train.gates import FIRST_CORPUS_SEED, digest
from minillama.train.head_probes import (
    KINDS,
    HeadProbes,
    ablations,
    circuit_heads,
    head_scores,
    make_head_probes,
    repetition_gain,
    split_gain,
    strongest,
)

SIZES = {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 32, "vocab_size": 2048, "tied": True}


@pytest.fixture(scope="module")
def circuit() -> tuple[Llama, HeadProbes]:
    spans = repeated_spans(4, 16, (1, VOCABULARY), seed=0, start_id=0)
    return induction_llama(), HeadProbes(stories=spans[:, :17], spans=spans, length=16)


def test_the_heads_of_the_circuit_are_found(circuit: tuple[Llama, HeadProbes]) -> None:
    model, probes = circuit
    scores = head_scores(model, probes)
    assert scores.keys() == set(KINDS)
    assert [head[:2] for head in strongest(scores["induction"])] == [INDUCTION_HEAD]
    assert scores["previous_token"][PREVIOUS_HEAD] > 0.99
    assert scores["sink"].max() < 0.3
    assert set(circuit_heads(scores)) == {PREVIOUS_HEAD, INDUCTION_HEAD}
    shuffled = head_scores(model, probes, lambda attention: shuffled_rows(attention, 0))
    assert shuffled["induction"].max() < 0.2


def test_only_the_circuits_heads_cost_it_its_gain(circuit: tuple[Llama, HeadProbes]) -> None:
    model, probes = circuit
    off = ablations(model, probes, head_scores(model, probes), seed=0)
    assert off.gain == repetition_gain(model, probes)
    assert off.gain > 5
    assert off.n_off == 1
    assert off.lost(off.induction) > 0.9
    assert off.lost(off.previous_token) > 0.5
    assert len(off.others) == 10
    assert max(abs(off.lost(left)) for left in off.others) < 1e-4
    assert max(off.lost(left) for left in off.any_others) > 0.5  # a draw has the head that the copying one needs
    assert off == ablations(model, probes, head_scores(model, probes), seed=0)


def test_a_model_that_looks_at_random_loses_nothing(circuit: tuple[Llama, HeadProbes]) -> None:
    model = Llama(circuit[0].config).requires_grad_(False)
    model.init_weights(0)
    off = ablations(model, circuit[1], head_scores(model, circuit[1]), seed=0)
    assert abs(off.gain) < 0.3
    assert type(off)(gain=-0.1, induction=0, previous_token=0, others=(), any_others=(), n_off=1).lost(-5.0) == 0


def test_strongest_are_few_and_near_the_best() -> None:
    scores = torch.zeros(4, 8)
    scores[2, 3], scores[1, 1], scores[3, 0] = 0.9, 0.5, 0.4
    assert [head[:2] for head in strongest(scores)] == [(2, 3), (1, 1)]
    assert len(strongest(torch.ones(4, 8))) == 4
    assert len(strongest(torch.ones(1, 2))) == 1


def test_the_circuit_is_what_copies_and_what_lies_below_it() -> None:
    scores = {kind: torch.zeros(4, 8) for kind in KINDS}
    scores["induction"][2, 3], scores["induction"][2, 1], scores["induction"][2, 0] = 0.9, 0.5, 0.4
    scores["previous_token"][0, 7], scores["own_token"][1, 2] = 0.6, 0.9
    scores["own_token"][3, 3] = 1.0  # above
    assert set(circuit_heads(scores)) == {(2, 3), (2, 1), (0, 7), (1, 2)}


def test_gain_is_of_the_second_span() -> None:
    losses = torch.tensor([[9.0, 3.0, 5.0, 1.0, 2.0]])  # the first is of a token before the spans
    assert split_gain(losses, 2) == pytest.approx(2.5)


def test_probes_depend_on_the_seed_alone_and_need_room() -> None:
    _, tokenizer = load()
    model = Llama(ModelConfig(**SIZES, max_seq_len=128))
    one, same, other = (make_head_probes(model, tokenizer, seed, 7 + seed) for seed in (1, 1, 2))
    assert one.stories.shape == (8, 128)
    assert one.spans.shape == (24, 65)
    assert (one.stories[:, 0] == tokenizer.bos_id).all()
    assert torch.equal(one.stories, same.stories)
    assert torch.equal(one.spans, same.spans)
    assert not torch.equal(one.stories, other.stories)
    assert not torch.equal(one.spans, other.spans)
    with pytest.raises(DataError, match="context is 64, expected at least 65"):
        make_head_probes(Llama(ModelConfig(**SIZES, max_seq_len=64)), tokenizer, 1, 7)


def test_heads_json_is_of_the_bundled_model() -> None:
    path = bundled_model()
    record = json.loads((path.parent / "heads.json").read_text(encoding="utf-8"))
    again = "run `minillama gates`, which writes heads.json"
    assert record["model"] == path.name
    assert record["sha256"] == digest(path), again
    model, tokenizer = load(quant="none", dtype="float32")
    found = [
        head_scores(model, make_head_probes(model, tokenizer, seed, FIRST_CORPUS_SEED + seed))
        for seed in range(record["seeds"])
    ]
    for kind in KINDS:
        scores = torch.stack([scores[kind] for scores in found]).mean(0)
        listed = record[kind]
        assert len(listed) == 4
        for head in listed:
            assert head["score"] == pytest.approx(scores[head["layer"], head["head"]].item(), abs=2e-3), again
        rest = scores.clone()
        for head in listed:
            rest[head["layer"], head["head"]] = 0
        assert listed[0]["score"] == pytest.approx(scores.max().item(), abs=2e-3), again
        assert listed[-1]["score"] > rest.max().item() - 2e-3, again
