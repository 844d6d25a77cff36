from collections import Counter

import numpy as np
import pytest
import torch

from minillama.errors import DataError
from minillama.train.data import Windows, pack, repeat_spans, take_tokens

STREAM = np.arange(10_001, dtype=np.uint16)


def test_pack_keeps_order_and_leaves_out_the_rest() -> None:
    documents = [[1, 7, 2], [1, 8, 9, 10, 2], [1, 3, 2]]
    assert pack(documents, 4).tolist() == [[1, 7, 2, 1], [8, 9, 10, 2]]
    assert pack([], 4).shape == (0, 4)


def test_take_tokens_takes_just_so_many() -> None:
    endless = iter(lambda: [1, 70_000, 2], None)
    assert take_tokens(endless, 5).tolist() == [1, 70_000, 2, 1, 70_000]
    assert take_tokens([[1, 2, 3]], 3).dtype == np.uint16
    with pytest.raises(DataError, match="hold 3 tokens, expected 4"):
        take_tokens([[1, 2, 3]], 4)


def test_an_epoch_reads_every_window_once() -> None:
    batches = Windows(STREAM, seq_len=100, batch_size=10, seed=3)
    starts = Counter(int(row[0]) for step in range(10) for row in batches.tokens(step))
    assert starts == Counter(range(0, 10_000, 100))
    assert batches.tokens(0).shape == (10, 101)
    assert [int(row[0]) for row in batches.tokens(0)] != [int(row[0]) for row in batches.tokens(10)]


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    make = lambda seed: Windows(STREAM, 64, 4, seed, repeat_share=0.9, id_range=(20_000, 20_100))  # noqa: E731
    forward, backward = make(1), make(1)
    ahead = [forward.tokens(step) for step in range(5)]
    assert all(torch.equal(backward.tokens(step), ahead[step]) for step in reversed(range(5)))
    assert not torch.equal(make(2).tokens(0), ahead[0])


def test_repeated_spans_come_twice() -> None:
    windows = np.zeros((200, 513), dtype=np.int64)
    repeat_spans(windows, 1.0, 100, 2000, np.random.default_rng(0))
    for row in windows:
        for half in (row[:256], row[256:512]):
            span = half[half > 0]
            n = len(span) // 2
            assert 8 <= n <= 48
            assert span[:n].tolist() == span[n:].tolist()
            assert span.min() >= 100
            assert span.max() < 2000
    untouched = np.zeros((50, 257), dtype=np.int64)
    repeat_spans(untouched, 0.0, 100, 2000, np.random.default_rng(0))
    assert not untouched.any()


def test_too_little_text_is_refused() -> None:
    with pytest.raises(DataError, match="make 0 windows of 100"):
        Windows(STREAM[:100], 100, 1, 0)
