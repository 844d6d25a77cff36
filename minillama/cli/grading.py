"""Grading from the command line."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from minillama.cli.app import note
from minillama.cli.progress import progress


def grade(
    submissions: Annotated[
        list[str],
        Argument(
            metavar="SUBMISSIONS",
            help="A folder, a zip archive (of an LMS too) or one notebook; or the word merge, and the shards' reports.",
        ),
    ],
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
    """Grade submissions by nbval in a sandbox, or merge the reports of shards."""
    from minillama.course.grading.grading import Plan
    from minillama.course.grading.grading import grade as grade_all
    from minillama.course.grading.limits import Limits
    from minillama.course.grading.merging import merge
    from minillama.course.home import course_root

    if submissions[0] == "merge":
        results = merge([Path(each) for each in submissions[1:]], out, attempts)
    elif len(submissions) > 1:
        raise typer.BadParameter(f"got {len(submissions)} paths, expected one folder, archive or notebook")
    else:
        top = root or course_root()
        plan = Plan(
            submissions=Path(submissions[0]), out=out, root=top, pack=pack, jobs=jobs, shard=_shard(shard), seed=seed,
            secret=_secret(secret_file), lesson=_stem(lesson, pack or top), attempts=attempts, limits_only=limits_only,
            limits=Limits(wall_s=time_limit, cell_s=min(Limits.cell_s, time_limit)),
        )  # fmt: skip
        with progress() as report:
            results = grade_all(plan, lambda _, done, total: report(done, total, f"graded {done} of {total}"))
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


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    text = path.read_text(encoding="utf-8").strip()
    if len(text) < 16:
        raise typer.BadParameter(f"{path}: holds {len(text)} characters, expected a secret of at least 16")
    return text


def _stem(lesson: str, top: Path) -> str:
    """The stem of the notebook that a number or name means."""
    if not lesson:
        return ""
    found = [each.stem for each in (top / "solutions").glob("*.ipynb") if lesson in (each.stem, each.stem[:2])]
    if len(found) != 1:
        raise typer.BadParameter(f"lesson is {lesson!r}, expected the number or name of a notebook in {top}/solutions")
    return found[0]
