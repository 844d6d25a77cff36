"""The command line of minillama; heavy modules are imported inside the commands, so that --help is quick."""

from typing import Annotated

import typer

from minillama.cli.app import Application, shared_options
from minillama.cli.assigning import assign, pack
from minillama.cli.course import check, hint, release, reset
from minillama.cli.environment import doctor, lab
from minillama.cli.evaluation import perplexity
from minillama.cli.gates import gates
from minillama.cli.generation import bench, generate
from minillama.cli.grading import grading
from minillama.cli.inspection import info, tokenize
from minillama.cli.training import pretrain
from minillama.cli.tuning import finetune
from minillama.cli.weights import convert, download, quantize

app = typer.Typer(
    cls=Application,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    generate, info, tokenize, convert, quantize, download, pretrain, finetune, gates, bench, perplexity, lab, doctor,
    check, hint, reset, release, assign,
):  # fmt: skip
    app.command()(shared_options(command))
app.add_typer(grading, name="grade")
app.add_typer(pack, name="pack")


def _show_version(wanted: bool) -> None:
    if wanted:
        from minillama import __version__

        print(__version__)
        raise typer.Exit()


@app.callback()
@shared_options
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Build LLaMA piece by piece, and run the real weights on a laptop."""


def main() -> None:
    """Run the program; never returns."""
    app()
