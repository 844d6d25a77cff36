"""Feeds mutated files to a reader, and collects whatever is not one of its named errors."""

import random
import resource
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from tests.fuzz.mutations import Seed, mutate
from tests.fuzz.readers import Reader

SECONDS_EACH = 1.0  # of the processor's time, so that a busy machine finds nothing
EXTRA_BYTES = 256 << 20  # address space that a reader may take for a file of a few kB
MAX_MESSAGE = 600
MAX_CORPUS = 400
MAX_FINDINGS = 50
GENERATED = 0.2  # the share of inputs whose layout is sound


class TooSlowError(Exception):
    """A reading took longer than SECONDS_EACH."""


@dataclass
class Report:
    """What a run found: the first input for each place in the code where something went wrong."""

    executions: int = 0
    accepted: int = 0
    seconds: float = 0.0
    places: int = 0
    findings: dict[str, bytes] = field(default_factory=dict)


def address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


@contextmanager
def bounded() -> Iterator[None]:
    """Within: little memory, and an exception for what takes too long."""
    before = resource.getrlimit(resource.RLIMIT_AS)

    def too_slow(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"more than {SECONDS_EACH} s")

    previous = signal.signal(signal.SIGPROF, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + EXTRA_BYTES, before[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _where(error: BaseException) -> tuple[str, int]:
    """File and line that raised, the first of them where an error was wrapped."""
    while error.__cause__ is not None:
        error = error.__cause__
    trace = error.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno


def judge(reader: Reader, data: bytes) -> tuple[tuple[str, int] | None, str | None]:
    """Where the reader stopped (None: it accepted the file), and what is wrong with that (None: nothing)."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS_EACH)
    try:
        reader.read(data)
    except reader.errors as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        message = str(error)
        if "\n" in message or not 0 < len(message) <= MAX_MESSAGE:
            return _where(error), f"message is not one short line: {message[:100]!r}, {_where(error)}"
        return _where(error), None
    except (Exception, MemoryError) as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        last = traceback.extract_tb(error.__traceback__)[-1]
        return _where(error), f"{type(error).__name__}: {str(error)[:100]} at {last.filename}:{last.lineno}"
    signal.setitimer(signal.ITIMER_PROF, 0)
    return None, None


def fuzz(reader: Reader, executions: int, seed: int) -> Report:
    """Run a reader on `executions` mutated files.

    An input that stops the reader at a line where none did before becomes a seed itself, so that the search goes on
    from there.
    """
    rng = random.Random(seed)
    corpus = reader.seeds()
    originals = [each.data for each in corpus]
    for data in originals:
        judge(reader, data)  # imports and caches, before memory is bounded
    report, seen = Report(), set()
    start = time.perf_counter()
    with bounded():
        for _ in range(executions):
            parent = min(
                rng.choice(corpus), rng.choice(corpus), key=lambda each: len(each.data)
            )  # the smaller is faster
            data = mutate(rng, parent, originals)
            if reader.generate is not None and rng.random() < GENERATED:
                data = reader.generate(rng)
            place, wrong = judge(reader, data)
            report.accepted += place is None
            if wrong is not None and len(report.findings) < MAX_FINDINGS:
                report.findings.setdefault(wrong, data)
            if place is not None and place not in seen:
                seen.add(place)
                if len(corpus) < MAX_CORPUS:
                    corpus.append(Seed(data, parent.fields, parent.words))
            report.executions += 1
    report.seconds = time.perf_counter() - start
    report.places = len(seen)
    return report
