"""Text from a model, and how fast it comes."""

import json
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from minillama.cli.app import note
from minillama.cli.arguments import (
    CacheTypeOption,
    DeviceOption,
    DtypeOption,
    ModelArgument,
    PiecesOption,
    QuantOption,
    ThreadsOption,
    TokenizerOption,
    find_model,
    read_text,
    use_cache_type,
    use_threads,
)
from minillama.cli.processes import load_share, same_seed, started_by_torchrun
from minillama.errors import ConfigError


def generate(
    model: ModelArgument = None,
    prompt: Annotated[str | None, Option(help="The beginning; - reads standard input; empty is BOS alone.")] = None,
    prompt_file: Annotated[Path | None, Option(help="A UTF-8 file that holds the prompt.")] = None,
    max_new_tokens: Annotated[int, Option(min=0, help="At most so many tokens after the prompt.")] = 128,
    temperature: Annotated[float, Option(help="0 takes the likeliest token; above 1 flattens the choice.")] = 0.0,
    top_k: Annotated[int | None, Option(help="Sample among the k likeliest tokens.")] = None,
    top_p: Annotated[float | None, Option(help="Sample among the likeliest that hold this probability.")] = None,
    min_p: Annotated[float | None, Option(help="Drop tokens below this share of the likeliest's.")] = None,
    repetition_penalty: Annotated[float | None, Option(help="Above 1 makes seen tokens less likely.")] = None,
    seed: Annotated[int | None, Option(help="The same seed samples the same text.")] = None,
    stop: Annotated[list[str] | None, Option(help="Stop before this text; may be given more than once.")] = None,
    quant: QuantOption = None,
    cache_type: CacheTypeOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = None,
    tokenizer: TokenizerOption = None,
    adapter: Annotated[Path | None, Option(help="A folder with an adapter in PEFT's format.")] = None,
) -> None:
    """Print a prompt and how the model continues it; under torchrun, by a model that is cut over its processes."""
    text = read_text(prompt, prompt_file, "--prompt")
    path = find_model(model)
    use_threads(threads)
    import minillama
    from minillama.cli.speed import Stopwatch
    from minillama.sampling import check_sampling

    check_sampling(temperature, top_k, top_p, min_p, repetition_penalty)  # before the long load
    load: Any = minillama.load
    if adapter is not None:
        from minillama.train.adapters import load_adapted

        load = partial(load_adapted, adapter=adapter)
    if started_by_torchrun():
        if adapter is not None:
            raise ConfigError("--adapter works in one process only: merge it into a checkpoint for several")
        load, seed = load_share, same_seed(device, seed)
    loaded, reader = load(path, quant=quant, device=device, dtype=dtype, tokenizer=tokenizer)
    use_cache_type(loaded, cache_type)
    watch = Stopwatch(loaded)
    stream = partial(
        minillama.stream, watch, reader, text, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        repetition_penalty=repetition_penalty, seed=seed, stop=tuple(stop or ()),
    )  # fmt: skip
    for _ in stream(max_new_tokens=0):  # raises for a prompt that is too long before anything is printed
        pass
    _write(text)
    for piece in stream(max_new_tokens=max_new_tokens):
        _write(piece)
    _write("\n")
    note(watch.summary(len(reader.encode(text))))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def bench(
    model: ModelArgument = None,
    prompt_tokens: Annotated[int, Option(min=1, help="Length of the prompt.")] = 128,
    new_tokens: Annotated[int, Option(min=1, help="Tokens decoded after it.")] = 32,
    repetitions: Annotated[int, Option(min=1, help="The median of so many runs, after a warm-up.")] = 3,
    depth: Annotated[int, Option(min=0, help="Tokens in the cache before the prompt.")] = 0,
    as_json: Annotated[bool, Option("--json", help="One JSON object.")] = False,
    quant: QuantOption = None,
    cache_type: CacheTypeOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = None,
    tokenizer: TokenizerOption = None,
    pieces: PiecesOption = None,
) -> None:
    """Measure loading, prefill, decode and memory."""
    path = find_model(model)
    use_threads(threads)
    import minillama
    from minillama.cli.speed import Speed, measure, peak_memory_bytes

    load = minillama.load  # its import is not part of the loading
    began = time.perf_counter()
    loaded, _ = load(path, quant=quant, device=device, dtype=dtype, tokenizer=tokenizer, pieces=pieces)
    load_seconds = time.perf_counter() - began
    use_cache_type(loaded, cache_type)
    needed = depth + prompt_tokens + new_tokens
    if needed > loaded.config.max_seq_len:
        raise typer.BadParameter(
            f"{needed} tokens in all, the model has {loaded.config.max_seq_len} places: take fewer"
        )
    prefill, decode = measure(loaded, prompt_tokens, new_tokens, depth, repetitions)
    speed = Speed(
        load_seconds=load_seconds,
        prefill_tokens_per_second=prefill,
        decode_tokens_per_second=decode,
        peak_memory_bytes=peak_memory_bytes(),
    )
    if as_json:
        print(json.dumps(asdict(speed)))
        return
    print(f"load     {load_seconds:10.2f} s")
    print(f"prefill  {prefill:10.1f} tokens/s   ({prompt_tokens} tokens)")
    print(f"decode   {decode:10.1f} tokens/s   ({new_tokens} tokens after {depth + prompt_tokens})")
    print(f"memory   {speed.peak_memory_bytes / 1e9:10.2f} GB at the peak")
