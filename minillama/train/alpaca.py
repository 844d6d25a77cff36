"""Alpaca's recipe: how an instruction becomes a prompt, what the loss counts, and how samples become batches.

Sources: Taori et al. 2023, "Stanford Alpaca", train.py; Wang 2023, "alpaca-lora", templates/alpaca.json. The two differ
by the newline after "### Response:".

Samples of like length share a batch, whose rows are padded on the right. The loss in training (flat.py) lays them end
to end without the padding, and each attends to itself alone: packed, and nothing leaks from one sample into another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from minillama.errors import ConfigError, DataError
from minillama.loss import IGNORE
from minillama.tokenizer import Tokenizer
from minillama.train.data import Batch
from minillama.train.records import CUT, TOO_LONG, Finding, Record

WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)
TEMPLATES = {"stanford": "", "alpaca-lora": "\n"}  # what follows "### Response:"
POOL = 32  # batches whose samples are sorted by length together


def format_prompt(instruction: str, input: str = "", template: str = "stanford") -> str:
    """The text that a model is given before it answers.

    Args:
        instruction: what to do.
        input: the text that it is about; where there is none, the prompt does not speak of one.
        template: a name of TEMPLATES; a model is asked in the one that it was trained in.

    Raises:
        ConfigError: a template that does not exist.

    >>> format_prompt("Count to three.")[-46:]
    '### Instruction:\\nCount to three.\\n\\n### Response:'
    """
    if template not in TEMPLATES:
        raise ConfigError(f"template is {template!r}, expected one of {', '.join(TEMPLATES)}")
    text = WITH_INPUT if input else WITHOUT_INPUT
    return text.format(instruction=instruction, input=input) + TEMPLATES[template]


def mask_labels(tokens: Sequence[int], n_prompt: int, whole: bool = False) -> list[int]:
    """What the loss is to count of a sample: the response and the EOS after it.

    Labels stand where their tokens stand; whoever computes the loss shifts both.

    Args:
        tokens: ids of the prompt, the response and EOS.
        n_prompt: how many of them are the prompt's.
        whole: count the prompt too, as alpaca-lora did.

    Returns:
        As many labels: the token's id where it counts, IGNORE where it does not.

    >>> mask_labels([1, 5, 6, 7, 2], n_prompt=3)
    [-100, -100, -100, 7, 2]
    """
    return list(tokens) if whole else [IGNORE] * n_prompt + list(tokens[n_prompt:])


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One record as a model reads it.

    Args:
        tokens: ids of prompt, response and EOS.
        labels: see mask_labels.
        has_input: whether its prompt speaks of an input.
        cut: whether the response did not fit.
    """

    tokens: list[int]
    labels: list[int]
    has_input: bool = False
    cut: bool = False


def collate(samples: Sequence[Sample], pad_id: int = 0) -> Batch:
    """Samples as rows of one length, padded on the right.

    What counts follows from the labels, never from the ids: an EOS counts even where the padding is EOS too.

    Args:
        samples: at least one.
        pad_id: any id; attention looks back only, so nothing ever reads it.

    Returns:
        tokens and weights (B, T + 1), T + 1 the length of the longest.
    """
    longest = max(len(sample.tokens) for sample in samples)
    tokens = torch.full((len(samples), longest), pad_id)
    weights = torch.zeros(len(samples), longest)
    for row, sample in enumerate(samples):
        n = len(sample.tokens)
        tokens[row, :n] = torch.tensor(sample.tokens)
        weights[row, :n] = (torch.tensor(sample.labels) != IGNORE).float()
    return Batch(tokens, weights)


@dataclass(frozen=True, kw_only=True)
class AlpacaPieces:
    """What turns records into batches; each can be replaced by one of the same signature."""

    format_prompt: Callable[..., str] = format_prompt
    mask_labels: Callable[..., list[int]] = mask_labels
    collate: Callable[..., Batch] = collate


def encode_sample(
    record: Record,
    tokenizer: Tokenizer,
    max_tokens: int = 512,
    template: str = "stanford",
    whole: bool = False,
    pieces: AlpacaPieces = AlpacaPieces(),
) -> Sample | None:
    """A record's ids. Prompt and response are encoded apart, as they are when the model answers.

    Args:
        record: see records.Record.
        tokenizer: of the model.
        max_tokens: of the whole; a longer response is cut, and EOS follows nevertheless.
        template: see format_prompt.
        whole: see mask_labels.
        pieces: see AlpacaPieces.

    Returns:
        None where the prompt leaves no room for a token and EOS.
    """
    prompt = tokenizer.encode(pieces.format_prompt(record.instruction, record.input, template))
    response = tokenizer.encode(record.output, bos=False)
    room = max_tokens - len(prompt) - 1
    if room < 1:
        return None
    tokens = [*prompt, *response[:room], *tokenizer.encode("", bos=False, eos=True)]
    labels = pieces.mask_labels(tokens, len(prompt), whole)
    return Sample(tokens=tokens, labels=labels, has_input=bool(record.input), cut=len(response) > room)


def encode_samples(
    records: Sequence[Record],
    tokenizer: Tokenizer,
    max_tokens: int = 512,
    template: str = "stanford",
    whole: bool = False,
    pieces: AlpacaPieces = AlpacaPieces(),
) -> tuple[list[Sample], list[Finding]]:
    """All records' samples, with findings about the long ones; arguments as for encode_sample.

    Raises:
        DataError: no record fits.
    """
    pairs = [(record, encode_sample(record, tokenizer, max_tokens, template, whole, pieces)) for record in records]
    samples = [sample for _, sample in pairs if sample]
    if not samples:
        raise DataError(f"none of {len(records)} prompts leaves room in {max_tokens} tokens: allow more")
    left_out = tuple(record.number for record, sample in pairs if sample is None)
    cut = tuple(record.number for record, sample in pairs if sample and sample.cut)
    rule = f"prompt, response and EOS are more than {max_tokens} tokens"
    return samples, [
        Finding(
            name=TOO_LONG, rule=f"the prompt alone leaves no room in {max_tokens}", then="left out", numbers=left_out
        ),
        Finding(name=CUT, rule=rule, then="cut, EOS kept", numbers=cut),
    ]


class SampleBatches:
    """Samples in an order that depends on the seed alone: a data.Source.

    Each epoch is a new order. Samples of the same kind of prompt and of about the same length go into one batch: within
    every POOL batches they are sorted, and the batches are taken in a random order.

    Args:
        samples: more than one batch of them.
        batch_size: samples a step.
        micro_batch_size: rows that are computed together; None for the whole step at once.
        seed: of the order.
        pieces: see AlpacaPieces.

    Raises:
        DataError: fewer samples than a batch.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        batch_size: int,
        micro_batch_size: int | None = None,
        seed: int = 0,
        pieces: AlpacaPieces = AlpacaPieces(),
    ) -> None:
        if not 0 < batch_size <= len(samples):
            raise DataError(f"{len(samples)} samples, expected at least a batch of {batch_size}: take a smaller batch")
        self.samples, self.batch_size, self.seed, self.pieces = samples, batch_size, seed, pieces
        self.micro_batch_size = micro_batch_size or batch_size
        self.steps_per_epoch = len(samples) // batch_size
        self._epoch, self._plan = -1, np.empty((0, 0), dtype=np.int64)

    def _place(self, index: int) -> tuple[bool, int]:
        return self.samples[index].has_input, len(self.samples[index].tokens)

    def _planned(self, epoch: int) -> np.ndarray:
        """The samples of each batch of an epoch, (steps, batch_size)."""
        rng = np.random.default_rng((self.seed, epoch))
        chosen = rng.permutation(len(self.samples))[: self.steps_per_epoch * self.batch_size]
        size = POOL * self.batch_size
        pools = [chosen[start : start + size] for start in range(0, len(chosen), size)]
        ordered = np.array([index for pool in pools for index in sorted(pool, key=self._place)])
        return rng.permutation(ordered.reshape(-1, self.batch_size))

    def batches(self, step: int) -> list[Batch]:
        """The batches of one step; the samples of the last, half-filled batch of an epoch wait for another."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._plan = epoch, self._planned(epoch)
        samples = [self.samples[index] for index in self._plan[place]]
        starts = range(0, len(samples), self.micro_batch_size)
        return [self.pieces.collate(samples[start : start + self.micro_batch_size]) for start in starts]
