"""Training from the command line."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from minillama.cli.app import note
from minillama.cli.arguments import ThreadsOption, use_threads
from minillama.cli.processes import join_training
from minillama.cli.progress import Report, progress
from minillama.config import PRESETS

if TYPE_CHECKING:
    from minillama.train.runs import Progress

RecomputeOption = Annotated[
    bool, Option("--recompute", help="Keep less for the backward pass: less memory, more time.")
]


def reporter(report: Report, n_steps: int) -> "Callable[[Progress], None]":
    """Show a run's steps in the bar, and above it what was measured and written now and then."""

    def show(progress: "Progress") -> None:
        line = f"step {progress.step} of {n_steps}: loss {progress.loss:.3f}"
        report(progress.step, n_steps, line)
        if progress.validation is not None or progress.sample:
            held = "" if progress.validation is None else f", held out {progress.validation:.3f}"
            note(line + held + f"\n{progress.sample}".rstrip())

    return show


def pretrain(
    out: Annotated[Path, Option(help="Folder for the tokens, the checkpoint, the log and model.gguf.")],
    preset: Annotated[str, Option(help="The sizes of the model.")] = "tiny",
    steps: Annotated[int | None, Option(min=1, help="Optimizer steps.")] = None,
    batch_size: Annotated[int | None, Option(min=1, help="Windows a step.")] = None,
    seq_len: Annotated[int | None, Option(min=2, help="Tokens a window.")] = None,
    micro_batch: Annotated[int | None, Option(min=1, help="Windows at once: less memory, the same step.")] = None,
    lr: Annotated[float | None, Option(help="Learning rate after the warm-up.")] = None,
    seed: Annotated[int, Option(min=0, help="Of the stories, the weights and the order.")] = 0,
    bf16: Annotated[
        bool, Option(help="Matrix products in bfloat16; slow where the processor has no such instructions.")
    ] = True,
    recompute: RecomputeOption = False,
    resume: Annotated[bool, Option(help="Go on with the run that the folder holds.")] = True,
    stop_after: Annotated[int | None, Option(min=1, help="Stop after this step; the same command goes on.")] = None,
    snapshots: Annotated[str, Option(help="Steps after which the model is written too, such as 200,600,1000.")] = "",
    threads: ThreadsOption = None,
) -> None:
    """Train a model on generated stories; what is left out is the recipe of the bundled model.

    Under torchrun, the processes share the weights, the gradients and the work.
    """
    preset = preset.lower()
    if preset not in PRESETS:
        raise typer.BadParameter(f"--preset is {preset}, expected one of {', '.join(PRESETS)}")
    if lr is not None and not 0 < lr < 1:
        raise typer.BadParameter(f"--lr is {lr}, expected a share such as 0.002")
    if not resume and (out / "checkpoint.pt").exists():
        raise typer.BadParameter(f"{out} holds a run: leave out --no-resume to go on with it, or take another folder")
    try:
        kept = {int(step) for step in snapshots.split(",") if step.strip()}
    except ValueError:
        raise typer.BadParameter(f"--snapshots is {snapshots}, expected steps such as 200,600,1000") from None
    use_threads(threads)
    from minillama.train.pretrain import BUNDLED_RECIPE
    from minillama.train.pretrain import pretrain as run

    recipe = replace(BUNDLED_RECIPE, seed=seed, bf16=bf16, recompute=recompute)
    if steps is not None:
        recipe = replace(recipe, n_steps=steps)
    if lr is not None:
        recipe = replace(recipe, peak_lr=lr)
    if batch_size is not None or seq_len is not None:
        last = recipe.stages[-1]
        only = replace(last, share=1.0, seq_len=seq_len or last.seq_len, batch_size=batch_size or last.batch_size)
        recipe = replace(recipe, stages=(only,))
    n_steps = min(recipe.n_steps, stop_after or recipe.n_steps)
    processes = join_training()
    with progress() as report:
        path = run(
            out,
            config=PRESETS[preset],
            recipe=recipe,
            report=reporter(report, n_steps),
            stop_after=stop_after,
            snapshots=kept,
            micro_batch=micro_batch,
            processes=processes,
        )
    print(path)
