"""From documents to batches, the same ones for the same seed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from minillama.errors import DataError
from minillama.tokenizer import Tokenizer

REPEATED_SPAN = (8, 48)  # tokens, shortest and longest


@dataclass(frozen=True)
class Batch:
    """Rows of tokens that are trained on together, and which of them count.

    Padding stands on the right and counts nothing: attention looks back only, so it needs no mask.

    Args:
        tokens: (B, T + 1) int64; the first is never predicted, the last only predicted.
        weights: (B, T + 1) float32, how much the prediction of each token counts, 0 for a prompt and for padding; None
            where all count alike.
    """

    tokens: Tensor
    weights: Tensor | None = None

    @property
    def total_weight(self) -> float:
        """The weights of all predictions together: their number, where all count alike."""
        return self.tokens[:, 1:].numel() if self.weights is None else self.weights[:, 1:].sum().item()

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        return Batch(self.tokens.to(device), None if self.weights is None else self.weights.to(device))

    def split(self, n_rows: int | None) -> list["Batch"]:
        """Micro-batches of at most so many rows; None for one of all rows."""
        if n_rows is None:
            return [self]
        parts = [slice(start, start + n_rows) for start in range(0, len(self.tokens), n_rows)]
        return [Batch(self.tokens[part], None if self.weights is None else self.weights[part]) for part in parts]


class Source(Protocol):
    """What a run is trained on. Without a state of its own, a killed run goes on with the batches it would have had."""

    def batches(self, step: int) -> list[Batch]:
        """The micro-batches of one step, which depend on the source's seed and on the step alone."""


def encode_documents(documents: Iterable[str], tokenizer: Tokenizer) -> Iterator[list[int]]:
    """Each document's ids with BOS before and EOS after."""
    for document in documents:
        yield tokenizer.encode(document, bos=True, eos=True)


def take_tokens(documents: Iterable[list[int]], n_tokens: int) -> np.ndarray:
    """The first `n_tokens` of the documents laid end to end.

    Returns:
        (n_tokens,) uint16 if the ids fit, else uint32.

    Raises:
        DataError: the documents end before.
    """
    stream = np.fromiter(islice(chain.from_iterable(documents), n_tokens), dtype=np.uint32)
    if len(stream) < n_tokens:
        raise DataError(
            f"the documents hold {len(stream):,} tokens, expected {n_tokens:,}: give more text or fewer steps"
        )
    return stream.astype(np.uint16) if stream.max(initial=0) < 1 << 16 else stream


def pack(documents: Iterable[list[int]], length: int) -> np.ndarray:
    """Lay documents end to end and cut the stream into windows; what does not fill the last window is left out.

    Args:
        documents: ids of each, with the BOS and EOS that keep neighbours apart.
        length: tokens a window.

    Returns:
        (N, length) int64.

    >>> pack([[1, 7, 2], [1, 8, 9, 2]], 3)
    array([[1, 7, 2],
           [1, 8, 9]])
    """
    stream = np.fromiter(chain.from_iterable(documents), dtype=np.int64)
    return stream[: len(stream) // length * length].reshape(-1, length)


def repeat_spans(windows: np.ndarray, share: float, first_id: int, vocab_size: int, rng: np.random.Generator) -> None:
    """Overwrite parts of some windows with a random span that comes twice, in place.

    Nothing but copying predicts the second half, so the model learns to copy (Olsson et al. 2022, "In-context
    Learning and Induction Heads", section "Copying random tokens").

    Args:
        windows: (B, L) ids.
        share: how many of each window's stretches of 256 tokens hold such a pair, 0 to 1.
        first_id, vocab_size: ids are drawn from this range.
        rng: source of randomness.
    """
    stretch = min(256, windows.shape[1])
    for row in windows:
        for start in range(0, len(row) - stretch + 1, stretch):
            if rng.random() >= share:
                continue
            n = int(rng.integers(REPEATED_SPAN[0], min(REPEATED_SPAN[1], stretch // 2) + 1))
            first, gap = start + int(rng.integers(0, stretch - 2 * n + 1)), 0
            if rng.random() < 0.5:
                gap = int(rng.integers(0, start + stretch - first - 2 * n + 1))
            span = rng.integers(first_id, vocab_size, n)
            row[first : first + n] = span
            row[first + n + gap : first + 2 * n + gap] = span


class Windows:
    """Windows of a token stream in an order that depends on the seed alone.

    Args:
        stream: (N,) ids.
        seq_len: T; a window holds T + 1, the last being only a target.
        batch_size: B.
        seed: of the order and of the repeated spans.
        repeat_share: see repeat_spans.
        id_range: ids that may stand in a repeated span, first and one past the last.
    """

    def __init__(
        self,
        stream: np.ndarray,
        seq_len: int,
        batch_size: int,
        seed: int,
        repeat_share: float = 0.0,
        id_range: tuple[int, int] = (0, 0),
    ) -> None:
        self.n_windows = (len(stream) - 1) // seq_len
        if self.n_windows < batch_size:
            raise DataError(
                f"{len(stream):,} tokens make {self.n_windows} windows of {seq_len}, expected a batch of {batch_size}"
            )
        self.stream, self.seq_len, self.batch_size = stream, seq_len, batch_size
        self.seed, self.repeat_share, self.id_range = seed, repeat_share, id_range
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def _window(self, index: int) -> np.ndarray:
        epoch, place = divmod(index, self.n_windows)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self.seed, epoch)).permutation(self.n_windows)
        start = int(self._order[place]) * self.seq_len
        return self.stream[start : start + self.seq_len + 1].astype(np.int64)

    def tokens(self, step: int) -> Tensor:
        """The windows of one step, (B, T + 1) int64."""
        first = step * self.batch_size
        windows = np.stack([self._window(index) for index in range(first, first + self.batch_size)])
        if self.repeat_share:
            rng = np.random.default_rng((self.seed, step, 1))
            repeat_spans(windows, self.repeat_share, *self.id_range, rng)
        return torch.from_numpy(windows)

    def batches(self, step: int) -> list[Batch]:
        """The windows of one step, all of whose tokens count."""
        return [Batch(self.tokens(step))]
