"""Alpaca's recipe: templates, what counts, rows without leaks, and an order that follows from the seed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import minillama
from minillama.errors import ConfigError, DataError
from minillama.loss import IGNORE
from minillama.model import Llama
from minillama.tokenizer import Tokenizer
from minillama.train.alpaca import (
    AlpacaPieces,
    Sample,
    SampleBatches,
    collate,
    encode_sample,
    encode_samples,
    format_prompt,
    mask_labels,
)
from minillama.train.losses import summed_loss, training_loss
from minillama.train.records import Record

RECORD = Record(instruction="Say the list again.", input="milk, eggs", output="milk, eggs", number=7)


@pytest.fixture(scope="module")
def bundled() -> tuple[Llama, Tokenizer]:
    model, tokenizer = minillama.load(quant="none", dtype="float32")
    assert isinstance(model, Llama)
    return model, tokenizer


def test_the_prompts_are_stanfords() -> None:
    assert format_prompt("Add.", "1 2") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:"
    )
    assert format_prompt("Sing.") == (
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nSing.\n\n### Response:"
    )
    assert format_prompt("Sing.", template="alpaca-lora") == format_prompt("Sing.") + "\n"
    assert "{input}" in format_prompt("{input}", "{instruction}")
    with pytest.raises(ConfigError, match="template is 'vicuna', expected one of stanford, alpaca-lora"):
        format_prompt("Sing.", template="vicuna")


def test_labels_stand_where_their_tokens_stand() -> None:
    assert mask_labels([1, 5, 6, 7, 2], 3) == [IGNORE, IGNORE, IGNORE, 7, 2]
    assert mask_labels([1, 5, 6, 7, 2], 3, whole=True) == [1, 5, 6, 7, 2]


def test_prompt_and_response_are_encoded_apart(bundled: tuple[Llama, Tokenizer]) -> None:
    _, tokenizer = bundled
    sample = encode_sample(RECORD, tokenizer)
    assert sample is not None
    prompt = tokenizer.encode(format_prompt(RECORD.instruction, RECORD.input))
    assert sample.tokens[: len(prompt)] == prompt  # what the model is given when it answers
    assert sample.tokens[len(prompt) :] == [*tokenizer.encode("milk, eggs", bos=False), tokenizer.eos_id]
    assert sample.labels == [IGNORE] * len(prompt) + sample.tokens[len(prompt) :]


def test_a_long_response_is_cut_and_ends_nevertheless(bundled: tuple[Llama, Tokenizer]) -> None:
    _, tokenizer = bundled
    long = replace(RECORD, output="milk " * 50)
    n_prompt = len(tokenizer.encode(format_prompt(RECORD.instruction, RECORD.input)))
    sample = encode_sample(long, tokenizer, n_prompt + 10)
    assert sample is not None
    assert sample.cut
    assert len(sample.tokens) == n_prompt + 10
    assert sample.tokens[-1] == sample.labels[-1] == tokenizer.eos_id
    assert encode_sample(long, tokenizer, n_prompt + 1) is None
    samples, findings = encode_samples([RECORD, long], tokenizer, n_prompt + 10)
    assert len(samples) == 2
    assert [finding.numbers for finding in findings] == [(), (7,)]
    with pytest.raises(DataError, match="none of 1 prompts leaves room in 20 tokens"):
        encode_samples([RECORD], tokenizer, 20)


def test_padding_never_hides_an_end() -> None:
    eos = 2
    samples = [
        Sample(tokens=[1, 5, 7, eos], labels=[IGNORE, IGNORE, 7, eos]),
        Sample(tokens=[1, 6, 8, 9, 9, eos], labels=[IGNORE, IGNORE, 8, 9, 9, eos]),
    ]
    batch = collate(samples, pad_id=eos)
    assert batch.tokens.tolist() == [[1, 5, 7, 2, 2, 2], [1, 6, 8, 9, 9, 2]]
    assert batch.weights is not None
    assert batch.weights.tolist() == [[0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]]
    assert batch.total_weight == 6


@pytest.mark.parametrize("loss", [summed_loss, training_loss])
def test_nothing_leaks_between_samples(bundled: tuple[Llama, Tokenizer], loss: Callable[..., Any]) -> None:
    """The loss of a batch is the sum of its samples' own, whatever the padding holds; packed end to end, too."""
    model, tokenizer = bundled
    words = ("milk", "milk, eggs, tea, bread, rice", "tea, eggs")
    samples = [encode_sample(replace(RECORD, input=text, output=text), tokenizer) for text in words]
    alone = [loss(model, collate([sample]))[0].item() for sample in samples if sample]
    for pad_id in (0, 2, 700):
        together, weight = loss(model, collate([sample for sample in samples if sample], pad_id))
        assert together.item() == pytest.approx(sum(alone), rel=1e-5)
        assert weight == sum(label != IGNORE for sample in samples if sample for label in sample.labels)


def test_pieces_take_their_places(bundled: tuple[Llama, Tokenizer]) -> None:
    _, tokenizer = bundled
    used: list[str] = []

    def noting(piece: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            used.append(piece.__name__)
            return piece(*arguments)

        return call

    mine = AlpacaPieces(
        format_prompt=noting(format_prompt), mask_labels=noting(mask_labels), collate=noting(collate)
    )  # fmt: skip
    samples, _ = encode_samples([RECORD] * 3, tokenizer, pieces=mine)
    (batch,) = SampleBatches(samples, 2, pieces=mine).batches(0)
    assert used == ["format_prompt", "mask_labels"] * 3 + ["collate"]
    assert samples == encode_samples([RECORD] * 3, tokenizer)[0]
    assert torch.equal(batch.tokens, collate(samples[:2]).tokens)


def _samples(count: int) -> list[Sample]:
    return [Sample(tokens=[1, *([i] * (3 + i % 17)), 2], labels=[IGNORE] * (4 + i % 17) + [2]) for i in range(count)]


def test_the_order_follows_from_seed_and_step() -> None:
    samples = _samples(203)
    one, other = SampleBatches(samples, 8, seed=3), SampleBatches(samples, 8, seed=3)
    steps = list(range(60))
    first = [one.batches(step)[0].tokens for step in steps]
    for step in reversed(steps):  # no state: any order of asking
        assert torch.equal(other.batches(step)[0].tokens, first[step])
    assert not torch.equal(SampleBatches(samples, 8, seed=4).batches(0)[0].tokens[:, 1], first[0][:, 1])
    epoch = [int(row[1]) for tokens in first[: one.steps_per_epoch] for row in tokens]
    assert len(epoch) == len(set(epoch)) == 200  # each at most once
    second = [int(row[1]) for tokens in first[one.steps_per_epoch : 2 * one.steps_per_epoch] for row in tokens]
    assert epoch != second


def test_batches_hold_samples_of_like_length() -> None:
    source = SampleBatches(_samples(512), 16)
    batches = [source.batches(step)[0] for step in range(source.steps_per_epoch)]
    padded = sum((batch.tokens == 0).sum().item() for batch in batches) / sum(b.tokens.numel() for b in batches)
    assert padded < 0.05
    lengths = [batch.tokens.shape[1] for batch in batches]
    assert lengths != sorted(lengths)


def test_micro_batches_are_the_same_samples() -> None:
    samples = _samples(64)
    whole, parts = SampleBatches(samples, 16), SampleBatches(samples, 16, micro_batch_size=6)
    found = parts.batches(1)
    assert [len(batch.tokens) for batch in found] == [6, 6, 4]
    ids = [int(row[1]) for batch in found for row in batch.tokens]
    assert ids == [int(row[1]) for row in whole.batches(1)[0].tokens]
    with pytest.raises(DataError, match="64 samples, expected at least a batch of 65"):
        SampleBatches(samples, 65)


def test_alpaca_becomes_batches(shared_data: Path) -> None:
    from minillama.train.records import check_records, read_records

    tokenizer = minillama.load_tokenizer(shared_data / "llama_tokenizer.model")
    records, _ = check_records(read_records(shared_data / "alpaca_5000.json"))
    samples, findings = encode_samples(records[:1000], tokenizer)
    assert [(finding.name, len(finding.numbers)) for finding in findings] == [
        ("prompt too long", 0),
        ("response cut", 0),
    ]
    assert all(sample.labels[-1] == sample.tokens[-1] == tokenizer.eos_id for sample in samples)
    assert all(sample.tokens.count(tokenizer.eos_id) == 1 for sample in samples)
    source = SampleBatches(samples, 32, 8)
    batches = [batch for step in range(source.steps_per_epoch) for batch in source.batches(step)]
    counted = sum(batch.total_weight for batch in batches)
    kept = [samples[index] for index in source._plan.flatten()]
    assert counted == sum(label != IGNORE for sample in kept for label in sample.labels)
