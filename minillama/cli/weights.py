"""Weights: to other formats, to fewer bits, and from the Hub."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from minillama.cli.app import console, note, settings
from minillama.cli.arguments import RevisionOption, TokenizerOption, find_model, optional_model
from minillama.cli.progress import progress
from minillama.errors import DownloadError

ModelAndOut = Annotated[
    list[str], Argument(metavar="[MODEL] OUT", help="Weights (the bundled ones if left out) and where to write.")
]
OverwriteOption = Annotated[bool, Option("--overwrite", help="Replace a model that is there.")]


def convert(
    paths: ModelAndOut,
    to: Annotated[str, Option(help="hf, meta or gguf.")],
    type: Annotated[
        str | None, Option(help="Of the weights: f32, f16, bf16; for gguf also a type of quantize.")
    ] = None,
    shards: Annotated[int, Option(min=1, help="Files of Meta's layout: 1, 2, 4 or 8.")] = 1,
    overwrite: OverwriteOption = False,
    tokenizer: TokenizerOption = None,
) -> None:
    """Write a model in another format."""
    _convert(paths, "OUT", to, type, shards, overwrite, tokenizer)


def quantize(
    paths: Annotated[list[str], Argument(metavar="[MODEL] OUT.gguf", help="Weights, and the file to write.")],
    type: Annotated[str, Option(help="q4_0, q4_k, q4_k_m (a mixture), q6_k or q8_0.")] = "q4_0",
    overwrite: OverwriteOption = False,
    tokenizer: TokenizerOption = None,
) -> None:
    """Write a model as a GGUF file with few bits a weight."""
    from minillama.checkpoint.gguf_mixtures import QUANTIZED_TYPES

    if type not in QUANTIZED_TYPES:
        raise typer.BadParameter(f"--type is {type}, expected one of {', '.join(QUANTIZED_TYPES)}")
    _convert(paths, "OUT.gguf", "gguf", type, 1, overwrite, tokenizer)


def _convert(
    paths: list[str], rest: str, to: str, type: str | None, shards: int, overwrite: bool, tokenizer: Path | None
) -> None:
    name, out = optional_model(paths, rest)
    if name is None and (not out or Path(out).exists()):
        raise typer.BadParameter(
            f"{rest} is missing: got {out or 'an empty name'} alone; name the weights and where to write"
        )
    model = find_model(name)
    from minillama import checkpoint

    with progress() as report:
        path = checkpoint.convert(
            model,
            out,
            to,
            shards=shards,
            format=type,
            tokenizer=tokenizer,
            overwrite=overwrite,
            progress=lambda done, total: report(done, total, f"{out}: {done / 1e6:,.1f} of {total / 1e6:,.1f} MB"),
        )
    print(path)


def download(
    name: Annotated[str | None, Argument(help="A name of the list, or owner/name of any repository.")] = None,
    folder: Annotated[
        Path | None, Option(help="Where to; left out, MINILLAMA_MODELS, for data MINILLAMA_DATA, or the user's folder.")
    ] = None,
    revision: RevisionOption = None,
    file: Annotated[
        list[str] | None, Option(help="Only this file, such as one GGUF; may be given more than once.")
    ] = None,
    token: Annotated[str | None, Option(help="Of the Hub; left out, HF_TOKEN or the stored one.")] = None,
    accept_licence: Annotated[bool, Option("--accept-licence", help="Of data, which is asked for otherwise.")] = False,
) -> None:
    """Bring published weights or data to this machine and print where they are; without a name, list them."""
    from minillama.checkpoint.data_sets import DATA_SETS

    if name is None:
        _print_catalogue()
        return
    if name.lower() in DATA_SETS:
        _download_data(name.lower(), folder, accept_licence)
        return
    from minillama.checkpoint.catalogue import find_weights
    from minillama.checkpoint.download import download as bring

    weights = find_weights(name)
    note(f"{weights.repository}, licence: {weights.licence}")
    path = bring(name, folder, revision, file or (), token, progress=False if settings.quiet else None)
    print(path)


def _download_data(name: str, folder: Path | None, accepted: bool) -> None:
    from minillama.checkpoint.data_sets import DATA_SETS, download_data_set

    print(f"{name}: {DATA_SETS[name].note}\nlicence: {DATA_SETS[name].licence}", file=sys.stderr, flush=True)
    if not accepted and sys.stdin is not None and sys.stdin.isatty():
        accepted = typer.confirm("Do you accept it?", err=True)
    if not accepted:
        raise DownloadError(
            f"the licence of {name} is not accepted: add --accept-licence if you do; nothing was brought"
        )
    print(download_data_set(name, folder, progress=False if settings.quiet else None))


def _print_catalogue() -> None:
    from rich.table import Table

    from minillama.checkpoint.catalogue import CATALOGUE
    from minillama.checkpoint.data_sets import DATA_SETS

    table = Table("name", "repository", "licence", "GB", "note", box=None, pad_edge=False)
    for name, weights in CATALOGUE.items():
        text = f"{weights.note}{'; gated: needs HF_TOKEN' if weights.gated else ''}"
        table.add_row(name, weights.repository, weights.licence, f"{weights.size_bytes / 1e9:.1f}", text)
    console().print(table)
    data = Table("data", "licence", "note", box=None, pad_edge=False)
    for name, data_set in DATA_SETS.items():
        data.add_row(name, data_set.licence.partition(",")[0], data_set.note)
    console().print(data)
