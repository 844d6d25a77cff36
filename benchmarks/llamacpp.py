"""minillama and llama.cpp on the same GGUF files, in turns.

    make bench-deps
    python benchmarks/llamacpp.py [--shapes llama-7b tinyllama-1.1b bundled] [--types q4_0 q8_0 q4_k_m] [--pairs 7]

Both engines are loaded in processes of their own, with the same number of threads. Each measurement is made with one,
then with the other, `pairs` times; a ratio is the median of the pairs' ratios, above 1 where minillama is faster. The
weights of the large shapes are random, 64 rows repeated, in files of the real sizes: speed does not depend on what
they say. The files are deleted at the end; a 7B needs 7.2 GB of disk, and memory for both engines at once.

share: bytes that a token at context 1 reads (weights and their scales) a second, against the best read bandwidth seen.
"""

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from kernels import bandwidth_works, product_works, random_matrices
from rich.console import Console
from rich.table import Table

import minillama
from minillama.checkpoint import open_checkpoint
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.stand_in import random_checkpoint
from minillama.config import PRESETS
from minillama.quant.formats import row_bytes
from minillama.quant.kernels.choose import choose_path
from minillama.quant.kernels.threads import thread_count

SHAPES = ("llama-7b", "tinyllama-1.1b", "bundled")
TYPES = ("q4_0", "q8_0", "q4_k_m")
WORKS = ("decode", "prefill-128", "prefill-512", "decode-deep")
PAUSE_SECONDS = 0.05  # between two measurements, for the threads of the engine before to fall asleep
ENGINES = ("ours", "llamacpp")


@dataclass(frozen=True)
class Work:
    """One measurement: n tokens after `depth` others, one at a time or at once."""

    do: str
    depth: int
    n: int

    @property
    def title(self) -> str:
        """What the table calls it."""
        return f"prefill {self.n}" if self.do == "prefill" else f"decode at {self.depth}"


def works(names: Sequence[str], context: int, decoded: int) -> list[Work]:
    """The measurements of some names (WORKS)."""
    every = {
        "decode": Work("decode", 1, decoded),
        "prefill-128": Work("prefill", 0, 128),
        "prefill-512": Work("prefill", 0, 512),
        "decode-deep": Work("decode", min(1024, context - decoded), decoded),
    }
    return [every[name] for name in names]


class Process:
    """An engine in a process of its own."""

    def __init__(self, engine: str, path: Path, threads: int, python: str) -> None:
        here = Path(__file__).with_name("engines.py")
        command = [python if engine == "llamacpp" else sys.executable, str(here), engine, str(path)]
        self.process = subprocess.Popen(
            [*command, "--threads", str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"an engine ended with exit code {self.process.wait()}")
        return json.loads(line)

    def ask(self, do: str, **arguments: int) -> dict[str, Any]:
        """The answer to one request of engines.Worker."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()


@dataclass
class Pairs:
    """Values of both engines that were measured in turns."""

    ours: list[float] = field(default_factory=list)
    llamacpp: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return statistics.median(theirs / ours for ours, theirs in zip(self.ours, self.llamacpp, strict=True))


def write_file(shape: str, kind: str, path: Path) -> None:
    """Write a GGUF file of a shape and type."""
    if shape == "bundled":
        checkpoint = open_checkpoint(next((Path(minillama.__file__).parent / "assets").glob("minillama-tiny*.gguf")))
    else:
        checkpoint = random_checkpoint(PRESETS[shape], kind)
    write_gguf(checkpoint, path, format=kind)


class Bandwidth:
    """The best read bandwidth that was seen: of sums, of copies, and of a product's own stream."""

    def __init__(self, threads: int, n_bytes: int = 400_000_000) -> None:
        matrices = random_matrices("q8_0", 4096, 4096, n_bytes)
        one = np.ones((1, 4096), np.float32)
        products = product_works(matrices, one, one, choose_path().name, threads)
        stream = next(iter(products.values()))
        self.works = [(work, n_bytes) for work in bandwidth_works(n_bytes, threads).values()]
        self.works.append((stream, len(matrices) * matrices[0].nbytes))
        self.best = 0.0

    def measure(self) -> None:
        """One more round."""
        for work, amount in self.works:
            began = time.perf_counter()
            work()
            self.best = max(self.best, amount / (time.perf_counter() - began))


def bytes_a_token(path: Path) -> int:
    """Bytes of packed matrices that every token reads; of the embedding it reads one row."""
    config, tensors = (checkpoint := open_checkpoint(path)).config, checkpoint.tensors
    names = [name for name, tensor in tensors.items() if len(tensor.shape) == 2]
    read = [name for name in names if config.tied or name != "tok_embeddings.weight"]
    return sum(tensors[name].shape[0] * row_bytes(tensors[name].format, tensors[name].shape[1]) for name in read)


def measure_loads(path: Path, options: argparse.Namespace) -> tuple[Pairs, Pairs]:
    """Seconds from the call that loads to the first token's logits, and anonymous bytes then."""
    seconds, memory = Pairs(), Pairs()
    for _ in range(options.load_pairs):
        for engine in ENGINES:
            process = Process(engine, path, options.threads, options.llamacpp_python)
            getattr(seconds, engine).append(process.ask("load")["first_token_seconds"])
            getattr(memory, engine).append(process.ask("memory")["anonymous_bytes"])
            process.close()
    return seconds, memory


def measure(path: Path, options: argparse.Namespace, bandwidth: Bandwidth) -> dict[str, Any]:
    """All figures of one file."""
    loads, _ = measure_loads(path, options)
    processes = {engine: Process(engine, path, options.threads, options.llamacpp_python) for engine in ENGINES}
    about = {engine: process.ask("load") for engine, process in processes.items()}
    found = {
        work: Pairs() for work in works(options.works, min(one["context"] for one in about.values()), options.decoded)
    }
    for work, pairs in found.items():
        for turn in range(options.pairs + 1):
            bandwidth.measure()
            for engine in ENGINES if turn % 2 else reversed(ENGINES):
                time.sleep(PAUSE_SECONDS)
                answer = processes[engine].ask(work.do, depth=work.depth, n=work.n)
                if turn:  # the first turn warms up
                    getattr(pairs, engine).append(answer["seconds"])
    memory = {engine: process.ask("memory")["anonymous_bytes"] for engine, process in processes.items()}
    for process in processes.values():
        process.close()
    shallow = [pairs for work, pairs in found.items() if work.do == "decode" and work.depth == 1]
    decode = statistics.median(shallow[0].ours) / options.decoded if shallow else float("nan")
    return {
        "about": {engine: one["about"] for engine, one in about.items()},
        "load": loads,
        "memory": memory,
        "works": found,
        "bytes_per_second": bytes_a_token(path) / decode,
    }


def rows(shape: str, kind: str, found: dict[str, Any], bandwidth: Bandwidth) -> Iterator[tuple[str, ...]]:
    """The lines of the table for one file."""
    for work, pairs in found["works"].items():
        ours, theirs = (work.n / statistics.median(getattr(pairs, engine)) for engine in ENGINES)
        speeds = [theirs / ours for ours, theirs in zip(pairs.ours, pairs.llamacpp, strict=True)]
        share = f"{found['bytes_per_second'] / bandwidth.best:.0%}" if work.do == "decode" and work.depth == 1 else ""
        spread = f"{min(speeds):.2f}-{max(speeds):.2f}"
        yield shape, kind, work.title, f"{ours:.1f}", f"{theirs:.1f}", f"{pairs.ratio:.2f}", spread, share
    loads = found["load"]
    ours, theirs = (statistics.median(getattr(loads, engine)) for engine in ENGINES)
    yield shape, kind, "load to first token, s", f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.2f}", "", ""
    mine, other = (found["memory"][engine] / 1e6 for engine in ENGINES)
    yield shape, kind, "anonymous memory, MB", f"{mine:,.0f}", f"{other:,.0f}", f"{other / mine:.2f}", "", ""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=SHAPES)
    parser.add_argument("--types", nargs="+", choices=TYPES, default=TYPES)
    parser.add_argument("--works", nargs="+", choices=WORKS, default=WORKS, help="what to measure")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--load-pairs", type=int, default=3)
    parser.add_argument("--decoded", type=int, default=16, help="tokens of one decode measurement")
    parser.add_argument("--threads", type=int, help="default: the physical cores")
    parser.add_argument("--folder", type=Path, help="where the files go while it runs")
    parser.add_argument("--keep", action="store_true", help="leave the files there, and use those that are there")
    parser.add_argument("--llamacpp-python", default=sys.executable, help="the Python that has llama-cpp-python")
    options = parser.parse_args()
    options.threads = thread_count(options.threads)
    folder = options.folder if options.keep else Path(tempfile.mkdtemp(prefix="llamacpp_", dir=options.folder))
    bandwidth, lines = Bandwidth(options.threads), []
    try:
        for shape, kind in itertools.product(options.shapes, options.types):
            path = folder / f"{shape}-{kind}.gguf"
            if not path.exists():
                write_file(shape, kind, path)
            found = measure(path, options, bandwidth)
            lines.append((shape, kind, found))
            print_table([(shape, kind, found)], bandwidth)
            if not options.keep:
                path.unlink()
    finally:
        if not options.keep:
            shutil.rmtree(folder)
    for engine, about in lines[-1][2]["about"].items():
        print(f"{engine}: {about}")
    print(f"best read bandwidth {bandwidth.best / 1e9:.1f} GB/s")
    if len(lines) > 1:
        print_table(lines, bandwidth)


def print_table(lines: list[tuple[str, str, dict[str, Any]]], bandwidth: Bandwidth) -> None:
    """All figures; speeds are tokens a second, medians."""
    table = Table("shape", "type", "", "minillama", "llama.cpp", "times", "from-to", "share")
    for line in lines:
        for row in rows(*line, bandwidth):
            table.add_row(*row)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
