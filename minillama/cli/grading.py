"""Grading from the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option
from typer.core import TyperGroup

from minillama.cli.app import note, shared_options
from minillama.cli.progress import progress

if TYPE_CHECKING:
    from minillama.course.grading.records import LearnerResult


class Grading(TyperGroup):
    """The commands of grading; where the first word is none of them, it is what `run` is to grade."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args or ["--help"])


grading = typer.Typer(cls=Grading, context_settings={"help_option_names": ["-h", "--help"]})


def run(
    submissions: Annotated[Path, Argument(help="A folder, a zip archive (of an LMS too) or one notebook.")],
    out: Annotated[Path, Option(help="Folder of the report.")],
    pack: Annotated[Path | None, Option(help="Private folder with records and notebooks to grade by.")] = None,
    jobs: Annotated[int, Option(min=1, help="How many are graded at once.")] = 1,
    shard: Annotated[str, Option(metavar="I/N", help="Grade the I-th of N parts; see merge.")] = "1/1",
    seed: Annotated[str, Option(help="Of an earlier run (audit.jsonl), to draw the same inputs.")] = "",
    secret_file: Annotated[Path | None, Option(help="Holds the course's secret: variants for each learner.")] = None,
    lesson: Annotated[str, Option(help="Such as 04; expect this notebook of everybody.")] = "",
    attempts: Annotated[str, Option(help="Which attempt counts: last or best.")] = "last",
    time_limit: Annotated[float, Option(min=10, help="Seconds for one submission.")] = 300.0,
    limits_only: Annotated[bool, Option("--limits-only", help="Without a sandbox: not tamper-resistant.")] = False,
    root: Annotated[Path | None, Option(help="The course's folder.")] = None,
) -> None:
    """Grade submissions by nbval in a sandbox; the word run may be left out."""
    from minillama.course.grading.class_file import read_secret
    from minillama.course.grading.grading import Plan, grade
    from minillama.course.grading.limits import Limits
    from minillama.course.home import course_root

    top = root or course_root()
    plan = Plan(
        submissions=submissions, out=out, root=top, pack=pack, jobs=jobs, shard=_shard(shard), seed=seed,
        secret=read_secret(secret_file) if secret_file else "", lesson=_stem(lesson, pack or top), attempts=attempts,
        limits_only=limits_only, limits=Limits(wall_s=time_limit, cell_s=min(Limits.cell_s, time_limit)),
    )  # fmt: skip
    with progress() as report:
        results = grade(plan, lambda _, done, total: report(done, total, f"graded {done} of {total}"))
    _finish(results, out)


def merge(
    parts: Annotated[list[Path], Argument(metavar="REPORTS", help="The --out folders of all shards.")],
    out: Annotated[Path, Option(help="Folder of the report.")],
    attempts: Annotated[str, Option(help="Which attempt counts: last or best.")] = "last",
) -> None:
    """Write the report that one run over everything would have written."""
    from minillama.course.grading.merging import merge as merge_parts

    _finish(merge_parts(parts, out, attempts), out)


for command in (run, merge):
    grading.command()(shared_options(command))


@grading.callback()
def _grade() -> None:
    """Grade assignments: `grade SUBMISSIONS --out REPORT`; `grade run --help` shows its options."""


def _finish(results: "Sequence[LearnerResult]", out: Path) -> None:
    """Say where the grades are, and who has none."""
    failed = [each.learner for each in results if each.status == "failed"]
    if failed:
        note(f"{len(failed)} could not be graded, {failed[0]} among them: run the same command again")
    print(out / "gradebook.csv")
    if failed:
        raise typer.Exit(1)


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit()):
        raise typer.BadParameter(f"shard is {text!r}, expected i/n such as 1/4")
    return int(part), int(parts)


def _stem(lesson: str, top: Path) -> str:
    """The stem of the notebook that a number or name means."""
    if not lesson:
        return ""
    found = [each.stem for each in (top / "solutions").glob("*.ipynb") if lesson in (each.stem, each.stem[:2])]
    if len(found) != 1:
        raise typer.BadParameter(f"lesson is {lesson!r}, expected the number or name of a notebook in {top}/solutions")
    return found[0]
