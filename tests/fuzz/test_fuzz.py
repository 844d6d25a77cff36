"""A short run of the fuzzer on every reader, and proof that it would find what it looks for."""

import numpy as np
import pytest

from minillama.errors import CheckpointError
from tests.fuzz.mutations import Seed
from tests.fuzz.readers import READERS, Reader
from tests.fuzz.runner import fuzz, judge


@pytest.mark.parametrize("name", READERS)
def test_no_reader_raises_anything_but_its_errors(name: str) -> None:
    report = fuzz(READERS[name], executions=400, seed=0)
    assert report.executions == 400
    assert 0 < report.accepted < 400
    assert report.findings == {}


@pytest.mark.parametrize("name", READERS)
def test_the_first_seed_is_a_valid_file(name: str) -> None:
    seed = READERS[name].seeds()[0]
    assert judge(READERS[name], seed.data) == (None, None)
    assert all(offset + width <= len(seed.data) for offset, width in seed.fields)


def wrong_type(data: bytes) -> None:
    raise ValueError("not a named error")


def two_lines(data: bytes) -> None:
    raise CheckpointError("one\ntwo")


def endless(data: bytes) -> None:
    while True:
        pass


def huge(data: bytes) -> None:
    np.ones(1 << 30)


@pytest.mark.parametrize(
    ("read", "found"),
    [(wrong_type, "ValueError"), (two_lines, "not one short line"), (endless, "TooSlowError"), (huge, "MemoryError")],
)
def test_the_fuzzer_finds(read, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.runner.SECONDS_EACH", 0.05)
    calls = []

    def reader(data: bytes) -> None:
        calls.append(data)
        if len(calls) > 1:  # the seed itself is read before memory is bounded
            read(data)

    report = fuzz(Reader(reader, (CheckpointError,), lambda: [Seed(b"seed")]), executions=1, seed=0)
    (wrong,) = report.findings
    monkeypatch.undo()
    assert report.findings[wrong] == calls[-1]
    assert wrong
    assert found in wrong
