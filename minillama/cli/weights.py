"""Weights: to other formats, to fewer bits, and from the Hub."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from minillama.cli.app import console, note, settings
from minillama.cli.arguments import RevisionOption, TokenizerOption, optional_model

ModelAndOut = Annotated[
    list[str], Argument(metavar="[MODEL] OUT", help="Weights (the bundled ones if left out) and where to write.")
]


def convert(
    paths: ModelAndOut,
    to: Annotated[str, Option(help="hf, meta or gguf.")],
    type: Annotated[str | None, Option(help="Number format of a GGUF file: f32, f16, bf16, q8_0 or q4_0.")] = None,
    shards: Annotated[int, Option(min=1, help="Shards of Meta's layout: 1, 2, 4 or 8.")] = 1,
    tokenizer: TokenizerOption = None,
) -> None:
    """Write a model in another format."""
    model, out = optional_model(paths, "OUT")
    _convert(model, Path(out), to, type, shards, tokenizer)


def quantize(
    paths: ModelAndOut,
    type: Annotated[str, Option(help="q4_0 or q8_0.")] = "q4_0",
    tokenizer: TokenizerOption = None,
) -> None:
    """Write a model as a GGUF file with few bits a weight."""
    model, out = optional_model(paths, "OUT.gguf")
    if type not in ("q4_0", "q8_0"):
        raise typer.BadParameter(f"--type is {type}, expected q4_0 or q8_0")
    _convert(model, Path(out), "gguf", type, 1, tokenizer)


def _convert(model: str | None, out: Path, to: str, type: str | None, shards: int, tokenizer: Path | None) -> None:
    raise NotImplementedError


def download(
    name: Annotated[str | None, Argument(help="A name of the list, or owner/name of any repository.")] = None,
    folder: Annotated[Path | None, Option(help="Where to; left out, the user's data folder.")] = None,
    revision: RevisionOption = None,
    file: Annotated[
        list[str] | None, Option(help="Only this file, such as one GGUF; may be given more than once.")
    ] = None,
    token: Annotated[str | None, Option(help="Of the Hub; left out, HF_TOKEN or the stored one.")] = None,
) -> None:
    """Bring published weights to this machine and print where they are; without a name, list them."""
    if name is None:
        _print_catalogue()
        return
    from minillama.checkpoint.catalogue import find_weights
    from minillama.checkpoint.download import download as bring

    weights = find_weights(name)
    note(f"{weights.repository}, licence: {weights.licence}")
    path = bring(name, folder, revision, file or (), token, progress=False if settings.quiet else None)
    print(path)


def _print_catalogue() -> None:
    from rich.table import Table

    from minillama.checkpoint.catalogue import CATALOGUE

    table = Table("name", "repository", "licence", "GB", "note", box=None, pad_edge=False)
    for name, weights in CATALOGUE.items():
        text = f"{weights.note}{'; gated: needs HF_TOKEN' if weights.gated else ''}"
        table.add_row(name, weights.repository, weights.licence, f"{weights.size_bytes / 1e9:.1f}", text)
    console().print(table)
