"""Quantize a checkpoint of LLaMA-7B's size from the command line, and say what that took.

    python benchmarks/quantize_7b.py [--types q4_0 q4_k_m] [--preset llama-7b] [--folder DIR]

Writes random weights in Meta's format (float16, 2 shards), runs `minillama quantize FOLDER OUT.gguf --type TYPE` in a
process of its own, watches that process's memory, and lets llama.cpp load the result and say one token. Needs
llama-cpp-python (`make bench-deps`) and, for a 7B, 18 GB of disk while it runs; the files are deleted at the end.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from llamacpp_logits import llamacpp_logits
from real_shapes import PeakMemory

from minillama.checkpoint.gguf_mixtures import QUANTIZED_TYPES
from minillama.checkpoint.meta import write_meta
from minillama.checkpoint.stand_in import random_checkpoint
from minillama.config import PRESETS
from minillama.model import count_parameters


def quantize(source: Path, out: Path, type: str) -> None:
    """Quantize once and print a line."""
    command = [sys.executable, "-m", "minillama", "--quiet", "quantize", str(source), str(out), "--type", type]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process, PeakMemory(process.pid) as memory:
        if process.wait():
            raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}")
    took, size = time.perf_counter() - start, out.stat().st_size
    start = time.perf_counter()
    logits = llamacpp_logits(out, np.array([[1]]))[0, 0]
    assert np.isfinite(logits).all()
    print(
        f"{type}: {took:.0f} s for {size / 1e9:.2f} GB, peak anonymous {memory.anonymous / 1e9:.2f} GB, peak total "
        f"{memory.total / 1e9:.2f} GB; llama.cpp loads it and says token {logits.argmax()} after "
        f"{time.perf_counter() - start:.0f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="llama-7b", choices=PRESETS)
    parser.add_argument("--types", nargs="+", default=["q4_0", "q4_k_m"], choices=QUANTIZED_TYPES, metavar="TYPE")
    parser.add_argument("--folder", type=Path, default=None, help="where the files go while it runs")
    options = parser.parse_args()
    config = PRESETS[options.preset]
    folder = Path(tempfile.mkdtemp(prefix="quantize_7b_", dir=options.folder))
    try:
        start = time.perf_counter()
        write_meta(random_checkpoint(config, "f16"), folder / "meta", shards=2)
        print(
            f"{options.preset}: {count_parameters(config):,} parameters, written as float16 in 2 shards in "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
        for type in options.types:
            out = folder / f"{type}.gguf"
            quantize(folder / "meta", out, type)
            out.unlink()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
