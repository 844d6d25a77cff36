"""How good a model is: numbers on files of text."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from minillama.cli.arguments import (
    CacheTypeOption,
    DeviceOption,
    PiecesOption,
    QuantOption,
    ThreadsOption,
    TokenizerOption,
    find_model,
    optional_model,
    read_text_file,
    use_cache_type,
    use_threads,
)
from minillama.cli.progress import progress


def perplexity(
    paths: Annotated[list[str], Argument(metavar="[MODEL] FILE", help="Weights, and a file of UTF-8 text.")],
    context: Annotated[int, Option(help="Tokens a window; the second half of each is scored.")] = 512,
    quant: QuantOption = None,
    cache_type: CacheTypeOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "cpu",
    tokenizer: TokenizerOption = None,
    pieces: PiecesOption = None,
) -> None:
    """Measure the perplexity of a text by llama.cpp's method, or by your own piece where --pieces has one."""
    name, file = optional_model(paths, "FILE")
    text = read_text_file(Path(file), drop_newline=False)
    path = find_model(name)
    use_threads(threads)
    import minillama
    from minillama import evaluate

    model, reader = minillama.load(path, quant=quant, device=device, tokenizer=tokenizer, pieces=pieces)
    use_cache_type(model, cache_type)
    own = getattr(getattr(model, "pieces", None), "perplexity", None)
    if own is not None:
        found = own(model, reader, text, context)
        print(f"perplexity {float(getattr(found, 'value', found)):.4f} (by your own piece)")
        return
    with progress() as report:
        found = evaluate.perplexity(
            model,
            reader,
            text,
            context,
            lambda done, total, value: report(done, total, f"window {done} of {total}: perplexity {value:.4f}"),
        )
    print(f"perplexity {found.value:.4f} +/- {found.standard_error:.4f} ({found.n_tokens:,} tokens scored)")
