"""The two engines that llamacpp.py compares, with the same methods; each lives in a process of its own.

    python benchmarks/engines.py ours|llamacpp FILE.gguf --threads N

reads requests from standard input, a line of JSON each ({"do": "decode", "depth": 1, "n": 16}), and answers each with a
line of JSON ({"seconds": 0.5}).
"""

import argparse
import ctypes
import json
import re
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np

CONTEXT = 1152  # positions that a cache has places for
CHUNK = 512  # prompts are read in pieces of at most so many tokens
FIRST_ID, LAST_ID = 260, 1260  # ordinary pieces in every vocabulary


def some_ids(n: int) -> list[int]:
    """n ids without a pattern; the speed does not depend on which."""
    return np.random.default_rng(n).integers(FIRST_ID, LAST_ID, n).tolist()


class Engine(Protocol):
    """What a comparison asks of an engine."""

    def feed(self, ids: list[int]) -> None:
        """Read tokens at once, after those in the cache, and compute the logits of the last one."""

    def forget(self, length: int) -> None:
        """Cut the cache to so many tokens."""


class Ours:
    """minillama on a GGUF file."""

    def __init__(self, path: Path, threads: int) -> None:
        import torch

        import minillama

        self.tensor = torch.tensor
        self.model, _ = minillama.load(path)
        self.model.threads = threads
        self.context = min(CONTEXT, self.model.config.max_seq_len)
        self.cache = self.model.new_cache(1, self.context)

    def feed(self, ids: list[int]) -> None:
        """See Engine."""
        hidden = self.model.hidden(self.tensor([ids]), self.cache)
        self.model.unembed(hidden[:, -1:])

    def forget(self, length: int) -> None:
        """See Engine."""
        self.cache.truncate(length)

    def about(self) -> str:
        """What runs."""
        import minillama

        return f"minillama {minillama.__version__}, path {self.model.path.name}, {self.model.threads} threads"


class LlamaCpp:
    """llama.cpp on a GGUF file, through llama-cpp-python's plain bindings; everything at llama.cpp's defaults.

    Args:
        path: a GGUF file.
        threads: for one token and for many.
        extra_buffers: whether weights may be repacked for this processor when they are loaded (the default, and the
            fastest).
    """

    def __init__(self, path: Path, threads: int, extra_buffers: bool = True) -> None:
        import llama_cpp

        self.api, self.log = llama_cpp, []  # type: ignore[var-annotated]
        self._keep = llama_cpp.llama_log_callback(lambda level, text, data: self.log.append(text.decode()))
        llama_cpp.llama_log_set(self._keep, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        how = llama_cpp.llama_model_default_params()
        how.use_extra_bufts = extra_buffers
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), how)
        if not self.model:
            raise SystemExit(f"llama.cpp does not load {path}: {''.join(self.log[-3:])}")
        settings = llama_cpp.llama_context_default_params()
        self.context = min(CONTEXT, llama_cpp.llama_model_n_ctx_train(self.model))
        settings.n_ctx = self.context
        settings.n_threads = settings.n_threads_batch = threads
        self.state = llama_cpp.llama_init_from_model(self.model, settings)
        self.memory = llama_cpp.llama_get_memory(self.state)
        self.threads = threads

    def feed(self, ids: list[int]) -> None:
        """See Engine."""
        tokens = (ctypes.c_int32 * len(ids))(*ids)
        if self.api.llama_decode(self.state, self.api.llama_batch_get_one(tokens, len(ids))):
            raise SystemExit("llama_decode failed")
        self.api.llama_get_logits_ith(self.state, -1)

    def forget(self, length: int) -> None:
        """See Engine."""
        self.api.llama_memory_seq_rm(self.memory, 0, length, -1)

    def about(self) -> str:
        """The version, the system-info line, and where the weights lie (CPU_REPACK: repacked for this processor)."""
        buffers = re.findall(r"(\S+) model buffer size = *([\d.]+ MiB)", "".join(self.log))
        attention = re.findall(r"Flash Attention was auto, set to (\w+)", "".join(self.log))
        system = self.api.llama_print_system_info().decode().strip()
        return (
            f"llama-cpp-python {self.api.__version__}, {self.threads} threads; {system} weights: "
            f"{', '.join(f'{name} {size}' for name, size in buffers)}; "
            f"flash attention {''.join(attention) or 'default'}"
        )


def fill(engine: Engine, length: int, held: int) -> int:
    """Make a cache that holds `held` tokens hold `length`; returns that."""
    held = min(held, length)
    engine.forget(held)
    while held < length:
        n = min(CHUNK, length - held)
        engine.feed(some_ids(n))
        held += n
    return length


def anonymous_bytes() -> int:
    """This process's anonymous memory now (Linux)."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def import_engine(kind: str) -> float:
    """Import all modules of an engine; the seconds that took."""
    began = time.perf_counter()
    if kind == "ours":
        import minillama

        for name in ("load", "stream"):  # their modules are imported when they are asked for
            getattr(minillama, name)
    else:
        import llama_cpp  # noqa: F401
    return time.perf_counter() - began


class Worker:
    """Answers requests with one engine; the time to load it does not count the imports."""

    def __init__(self, kind: str, path: Path, threads: int) -> None:
        imports = import_engine(kind)
        began = time.perf_counter()
        self.engine: Any = (Ours if kind == "ours" else LlamaCpp)(path, threads)
        loaded = time.perf_counter()
        self.engine.feed(some_ids(1))
        first = time.perf_counter()
        self.load = {
            "import_seconds": imports,
            "load_seconds": loaded - began,
            "first_token_seconds": first - began,
        }
        self.held, self.anonymous = 1, anonymous_bytes()

    def answer(self, do: str, depth: int = 0, n: int = 0) -> dict[str, Any]:
        """The answer to one request."""
        if do == "load":
            return self.load | {"about": self.engine.about(), "context": self.engine.context}
        if do == "memory":
            self.anonymous = max(self.anonymous, anonymous_bytes())
            return {"anonymous_bytes": self.anonymous}
        ids = some_ids(n)
        self.held = fill(self.engine, depth, self.held)
        began = time.perf_counter()
        if do == "prefill":
            self.engine.feed(ids)
        else:
            for token in ids:
                self.engine.feed([token])
        seconds = time.perf_counter() - began
        self.held = depth + n
        self.anonymous = max(self.anonymous, anonymous_bytes())
        return {"seconds": seconds}


def main() -> None:
    """Loads, then answers until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=("ours", "llamacpp"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    worker = Worker(options.engine, options.file, options.threads)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(worker.answer(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
