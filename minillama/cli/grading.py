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
    from minillama.course.grading.marking import Marking
    from minillama.course.grading.records import LearnerResult

CourseOption = Annotated[Path | None, Option(help="The class: course.toml.")]
AssignmentOption = Annotated[str, Option(help="Which of the class's; the only one if left out.")]
AdjustOption = Annotated[
    Path | None, Option(help="Points and comments by hand: manual.csv, or columns learner, task, points, comment.")
]
AttemptsOption = Annotated[str | None, Option(help="Which attempt counts: last (the default) or best.")]
RootOption = Annotated[Path | None, Option(help="The course's folder.")]


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
    course: CourseOption = None,
    assignment: AssignmentOption = "",
    adjust: AdjustOption = None,
    attempts: AttemptsOption = None,
    only: Annotated[
        str, Option(metavar="LEARNER|TASK", help="Grade these again, on the same inputs, into the report in --out.")
    ] = "",
    time_limit: Annotated[float, Option(min=10, help="Seconds for one submission.")] = 300.0,
    limits_only: Annotated[bool, Option("--limits-only", help="Without a sandbox: not tamper-resistant.")] = False,
    root: RootOption = None,
) -> None:
    """Grade submissions by nbval in a sandbox; the word run may be left out."""
    from minillama.course.grading.class_file import read_secret
    from minillama.course.grading.grading import Plan, grade
    from minillama.course.grading.limits import Limits
    from minillama.course.grading.repeating import regrade
    from minillama.course.home import clone_root

    top, marking = root or clone_root(), _marking(out, course, assignment, adjust, attempts)
    if marking.course is not None and marking.assignment is not None:
        _refuse_beside_course(pack=pack, secret_file=secret_file, lesson=lesson)
        pack, secret, stem = marking.course.pack, marking.course.secret(), marking.assignment.lesson
    else:
        secret, stem = read_secret(secret_file) if secret_file else "", _stem(lesson, pack or top)
    plan = Plan(
        submissions=submissions, out=out, root=top, pack=pack, jobs=jobs, shard=_shard(shard), seed=seed,
        secret=secret, lesson=stem, marking=marking, limits_only=limits_only,
        limits=Limits(wall_s=time_limit, cell_s=min(Limits.cell_s, time_limit)),
    )  # fmt: skip
    with progress() as bar:

        def show(_: "LearnerResult", done: int, total: int) -> None:
            bar(done, total, f"graded {done} of {total}")

        results = regrade(plan, only, show) if only else grade(plan, show)
    _finish(results, out, marking)


def merge(
    parts: Annotated[list[Path], Argument(metavar="REPORTS", help="The --out folders of all shards.")],
    out: Annotated[Path, Option(help="Folder of the report.")],
    course: CourseOption = None,
    assignment: AssignmentOption = "",
    adjust: AdjustOption = None,
    attempts: AttemptsOption = None,
    root: RootOption = None,
) -> None:
    """Write the report that one run over everything would have written."""
    from minillama.course.grading.merging import merge as merge_parts

    marking = _over(_marking(out, course, assignment, adjust, attempts), root)
    _finish(merge_parts(parts, out, marking), out, marking)


def rewrite(
    report: Annotated[Path, Argument(help="The --out folder of a run.")],
    course: CourseOption = None,
    assignment: AssignmentOption = "",
    adjust: AdjustOption = None,
    attempts: AttemptsOption = None,
    root: RootOption = None,
) -> None:
    """Write a report again without grading: after other dates, points or adjustments."""
    from minillama.course.grading.merging import rewrite as write_again

    if course is None:
        note("without --course: every task of the lesson counts, and no dates")

    marking = _over(_marking(report, course, assignment, adjust, attempts), root)
    _finish(write_again(report, marking), report, marking)


def fill(
    report: Annotated[Path, Argument(help="The --out folder of a run.")],
    out: Annotated[Path, Option(help="CSV file to write; never the export itself.")],
    canvas: Annotated[Path | None, Option(metavar="EXPORT.csv", help="The gradebook as Canvas exports it.")] = None,
    moodle: Annotated[Path | None, Option(metavar="EXPORT.csv", help="Moodle's grading worksheet or export.")] = None,
    column: Annotated[
        str, Option(help='Of the export, to fill: "Norms (123)"; Moodle\'s is "Grade" if left out.')
    ] = "",
    zeros: Annotated[bool, Option("--zeros", help="0 for who handed in nothing, or nothing to be read.")] = False,
) -> None:
    """Put the totals into a teacher's own export of Canvas or Moodle, one column and nothing else."""
    from minillama.course.grading import filling
    from minillama.files import new_file

    if (canvas is None) == (moodle is None):
        raise typer.BadParameter("got no export or two of them, expected --canvas EXPORT.csv or --moodle EXPORT.csv")
    export, platform = (canvas, filling.CANVAS) if canvas is not None else (moodle, filling.MOODLE)
    assert export is not None
    if out.exists() and export.exists() and out.samefile(export):
        raise typer.BadParameter(f"--out is {out}, which is the export itself: name another file")
    made = filling.fill(report, export, platform, column, zeros)
    with new_file(out) as file:
        file.write(made.text.encode("utf-8"))
    note(f"filled {made.filled} cells")
    for line in made.remarks:
        note(line)
    print(out)


for command in (run, merge, rewrite, fill):
    grading.command()(shared_options(command))


@grading.callback()
def _grade() -> None:
    """Grade assignments: `grade SUBMISSIONS --out REPORT`; `grade run --help` shows its options."""


def _marking(out: Path, course: Path | None, assignment: str, adjust: Path | None, attempts: str | None) -> "Marking":
    """What the options say of how results become marks."""
    from minillama.course.grading.adjusting import gather_adjustments
    from minillama.course.grading.marking import Marking
    from minillama.course.grading.reading_class import read_class

    adjustments = gather_adjustments(out, adjust)
    if course is None:
        if assignment:
            raise typer.BadParameter(f"--assignment is {assignment}, expected --course with it: the class's file")
        return Marking(attempts=attempts or "last", adjustments=adjustments)
    found = read_class(course)
    chosen = found.assignment(assignment)
    return Marking(
        attempts=attempts or chosen.attempts, course=found, assignment=chosen, adjustments=adjustments
    )  # fmt: skip


def _over(marking: "Marking", root: Path | None) -> "Marking":
    """The marking with the tasks of its lesson."""
    if marking.course is None:
        return marking
    from minillama.course.grading.grading import marking_over
    from minillama.course.grading.lessons import load_course
    from minillama.course.home import clone_root

    return marking_over(marking, load_course(root or clone_root(), marking.course.pack))


def _refuse_beside_course(**options: object) -> None:
    """With a class, these stand in its file."""
    for name, value in options.items():
        if value:
            option = "--" + name.replace("_", "-")
            raise typer.BadParameter(f"{option} is {value}, expected it in the file of --course: leave it out here")


def _finish(results: "Sequence[LearnerResult]", out: Path, marking: "Marking") -> None:
    """Say where the grades are, who has none, and what else there is to know."""
    from minillama.course.grading.marking import remarks
    from minillama.course.grading.reporting import counted

    for line in remarks(counted(results, marking.attempts), marking):
        note(line)
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
    from minillama.course.tasks import lessons_named

    if not lesson:
        return ""
    found = lessons_named(lesson, [each.stem for each in (top / "solutions").glob("*.ipynb")])
    if len(found) != 1:
        raise typer.BadParameter(f"lesson is {lesson!r}, expected the number or name of a notebook in {top}/solutions")
    return found[0]
