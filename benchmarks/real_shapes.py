"""Load checkpoints of the real sizes, and say what that took.

    python benchmarks/real_shapes.py [--preset llama-7b] [--folder DIR] [--new-tokens 4]

Writes a checkpoint of random weights in Meta's format (float16, 2 shards) and as Q4_0 GGUF, loads the first with
quant="q4_0" and the second as it is, each in a process of its own, and prints load time, peak memory and tokens/s.
A LLaMA-7B takes 17.3 GB of disk while it runs; the files are deleted at the end. The text is noise: the weights are.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import minillama
from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.meta import write_meta
from minillama.checkpoint.source import tensor_shapes
from minillama.checkpoint.stand_in import random_checkpoint
from minillama.config import PRESETS, ModelConfig
from minillama.model import count_parameters
from minillama.quant.formats import row_bytes


class PeakMemory:
    """Watches a process from a thread: the largest anonymous and the largest total memory, in bytes (Linux).

    Args:
        process: its id, None for this one.
    """

    def __init__(self, process: int | None = None) -> None:
        self._status = Path(f"/proc/{process or 'self'}/status")

    def __enter__(self) -> "PeakMemory":
        self.anonymous = self.total = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            try:
                lines = dict(line.split(":", 1) for line in self._status.read_text().splitlines())
            except OSError:  # the process has ended, and somebody has asked how
                return
            if "VmRSS" in lines:  # it has ended, and nobody has asked yet
                self.anonymous = max(self.anonymous, int(lines["RssAnon"].split()[0]) * 1024)
                self.total = max(self.total, int(lines["VmRSS"].split()[0]) * 1024)


def measure(path: Path, quant: str | None, new_tokens: int) -> dict[str, float]:
    """Load and generate once, in this process."""
    with PeakMemory() as memory:
        start = time.perf_counter()
        model, tokenizer = minillama.load(path, quant=quant)
        loaded = time.perf_counter()
        load_anonymous, load_total = memory.anonymous, memory.total
        pieces = list(minillama.stream(model, tokenizer, "the", max_new_tokens=1))
        first = time.perf_counter()
        minillama.generate(model, tokenizer, "the", max_new_tokens=new_tokens + 1, seed=0)
        done = time.perf_counter()
    assert len(pieces) <= 1
    first_pass = first - loaded
    return {
        "load_seconds": loaded - start,
        "tokens_per_second": new_tokens / max(done - first - first_pass, 1e-9),
        "load_anonymous_bytes": load_anonymous,
        "load_total_bytes": load_total,
        "peak_anonymous_bytes": memory.anonymous,
        "peak_total_bytes": memory.total,
    }


def model_bytes(config: ModelConfig, format: str) -> int:
    """Bytes of the weights in memory: matrices in a block format, norms in float32."""
    return sum(
        shape[0] * row_bytes(format, shape[1]) if len(shape) == 2 else 4 * shape[0]
        for shape in tensor_shapes(config).values()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="llama-7b", choices=PRESETS)
    parser.add_argument("--folder", type=Path, default=None, help="where the files go while it runs")
    parser.add_argument("--new-tokens", type=int, default=4)
    parser.add_argument("--measure", nargs=2, metavar=("PATH", "QUANT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        path, quant = options.measure
        print(json.dumps(measure(Path(path), None if quant == "None" else quant, options.new_tokens)))
        return
    config = PRESETS[options.preset]
    folder = Path(tempfile.mkdtemp(prefix="real_shapes_", dir=options.folder))
    try:
        run(config, folder, options)
    finally:
        shutil.rmtree(folder)


def run(config: ModelConfig, folder: Path, options: argparse.Namespace) -> None:
    size = model_bytes(config, "q4_0")
    print(f"{options.preset}: {count_parameters(config):,} parameters, {size / 1e9:.2f} GB as Q4_0")
    start = time.perf_counter()
    write_meta(random_checkpoint(config, "f16"), folder / "meta", shards=2)
    print(f"wrote Meta's format, float16, 2 shards, in {time.perf_counter() - start:.0f} s", flush=True)
    start = time.perf_counter()
    write_gguf(random_checkpoint(config, "q4_0"), folder / "model.gguf", format="q4_0")
    print(f"wrote Q4_0 GGUF in {time.perf_counter() - start:.0f} s", flush=True)
    for title, path, quant in (("Meta float16, quant='q4_0'", "meta", "q4_0"), ("GGUF Q4_0", "model.gguf", "None")):
        command = [
            sys.executable,
            __file__,
            "--measure",
            str(folder / path),
            quant,
            "--new-tokens",
            str(options.new_tokens),
        ]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
        over = found["peak_anonymous_bytes"] - size
        gigabytes = {name: value / 1e9 for name, value in found.items()}
        print(
            f"{title}: load {found['load_seconds']:.1f} s; "
            f"peak anonymous {gigabytes['peak_anonymous_bytes']:.2f} GB ({over / 1e9:+.2f} GB against the model's own "
            f"bytes; {gigabytes['load_anonymous_bytes']:.2f} GB while loading); "
            f"peak total {gigabytes['peak_total_bytes']:.2f} GB; {found['tokens_per_second']:.2f} tokens/s",
            flush=True,
        )


if __name__ == "__main__":
    main()
