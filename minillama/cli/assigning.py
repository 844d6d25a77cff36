"""Assignments and packs from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from minillama.cli.app import console, note, shared_options
from minillama.cli.progress import progress

if TYPE_CHECKING:
    from minillama.course.grading.assigning import Handout
    from minillama.course.grading.class_file import Assignment
    from minillama.course.grading.handing_out import Recipient
    from minillama.course.grading.lessons import Lesson

CourseOption = Annotated[Path | None, Option(help="The class: course.toml.")]


def assign(
    lesson: Annotated[
        str | None, Argument(metavar="[LESSON]", help="Number or name, such as 04; with --course it is known.")
    ] = None,
    out: Annotated[Path | None, Option(help="The archive to write, FILE.zip; with --roster a folder of them.")] = None,
    course: CourseOption = None,
    assignment: Annotated[str, Option(help="Which assignment of --course; the only one if left out.")] = "",
    task: Annotated[
        list[str] | None, Option(help="Id of a task to choose, such as norm.rms_norm; may be repeated.")
    ] = None,
    pack: Annotated[Path | None, Option(help="Private folder with records and notebooks to assign from.")] = None,
    secret_file: Annotated[Path | None, Option(help="Holds the course's secret: variants for each learner.")] = None,
    learner: Annotated[str, Option(help="For whom: their own variants. With --course, an id of the roster.")] = "",
    roster: Annotated[bool, Option("--roster", help="An archive for everybody in --course.")] = False,
    root: Annotated[Path | None, Option(help="The course's folder.")] = None,
) -> None:
    """Make the archive that learners are given: a lesson's tasks without answers, in their own variants."""
    from minillama.course.grading.handing_out import Recipient, archive, write_archive, write_archives

    if out is None:
        raise typer.BadParameter("got no --out, expected the archive to write, such as --out 04.zip")
    if roster and (learner or course is None):
        raise typer.BadParameter("--roster needs --course, and no --learner: it makes an archive for everybody there")
    if course is None:
        handout, secret = _handout(lesson, task or [], pack, secret_file, root)
        to = Recipient(learner=learner, drawn_for=learner)
    else:
        if lesson or task or pack or secret_file:
            raise typer.BadParameter("--course says which lesson, tasks, pack and secret: leave the others out")
        handout, secret, everybody, to = _assignment(course, assignment, root)
        if roster:
            for path in write_archives(handout, secret, list(everybody.values()), out):
                print(path)
            return
        if learner and learner not in everybody:
            raise typer.BadParameter(f"{course}: --learner is {learner!r}, expected an id of its roster")
        to = everybody.get(learner, to)
    varied = any(handout.lesson.tasks[name].build for name in handout.points)
    if varied and learner and not secret:
        note("there is no secret, so these are the public variants: see --secret-file, or `secret` in course.toml")
    if varied and secret and not learner:
        note("these are the public variants: --learner or --roster draws each learner's own")
    write_archive(archive(handout, secret, to), out)
    print(out)


def _handout(
    lesson: str | None, tasks: list[str], pack: Path | None, secret_file: Path | None, root: Path | None
) -> tuple["Handout", str]:
    """What the options assign, and the course's secret."""
    from minillama.course.grading.class_file import Assignment, read_secret

    if lesson is None:
        raise typer.BadParameter("got no lesson, expected its number or name, or --course")
    chosen = _lesson(lesson, pack, root)
    secret = read_secret(secret_file) if secret_file is not None else ""
    return _handed(Assignment(name=chosen.stem, lesson=chosen.stem, tasks=tuple(tasks)), chosen), secret


def _assignment(
    course: Path, name: str, root: Path | None
) -> tuple["Handout", str, dict[str, "Recipient"], "Recipient"]:
    """What a class assigns, its secret, the recipient of each learner's archive, and that of nobody's."""
    from minillama.course.grading.handing_out import Recipient
    from minillama.course.grading.reading_class import read_class

    klass = read_class(course)
    wanted = klass.assignment(name)
    everybody = {
        each.id: Recipient(
            learner=each.id, drawn_for=klass.drawn_for(each.id, wanted.name),
            due=klass.in_words(klass.dates_of(each.id, wanted).due),
        )
        for each in klass.learners
    }  # fmt: skip
    nobody = Recipient(due=klass.in_words(wanted.dates.due))
    return _handed(wanted, _lesson(wanted.lesson, klass.pack, root)), klass.secret(), everybody, nobody


def _handed(wanted: "Assignment", lesson: "Lesson") -> "Handout":
    from minillama.course.grading.assigning import Handout

    return Handout(lesson=lesson, points=wanted.chosen(tuple(lesson.tasks.values())), name=wanted.name)


def _lesson(name: str, pack: Path | None, root: Path | None) -> "Lesson":
    from minillama.course.grading.lessons import load_course
    from minillama.course.home import clone_root
    from minillama.course.tasks import lessons_named

    lessons = load_course(root or clone_root(), pack).lessons
    found = lessons_named(name, lessons)
    if len(found) != 1:
        raise typer.BadParameter(f"lesson is {name!r}, expected one of {', '.join(lessons)}")
    return lessons[found[0]]


pack = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)


def check(
    folder: Annotated[Path, Argument(metavar="DIR", help="The pack.")],
    seeds: Annotated[int, Option(min=1, help="How many draws of the inputs are tried on each record.")] = 20,
) -> None:
    """Put a pack to the tests of the tests; exit code 2 where it has a fault."""
    from rich.table import Table

    from minillama.course.grading.packs import check_pack

    with progress() as report:
        found = check_pack(folder, seeds, report)
    table = Table("task", "kind", "points", "variants", "misconceptions", "right", "wrong", "stray", "faults")
    for each in found.tasks:
        task = each.task
        table.add_row(
            task.id, task.kind, f"{task.points:g}", str(each.members), str(len(task.misconceptions)), str(each.right),
            str(each.wrong), str(each.stray), str(len(each.faults)),
        )  # fmt: skip
    console().print(table)
    for fault in found.faults:
        print(fault)
    if found.faults:
        note(f"{len(found.faults)} to mend; then run this again")
        raise typer.Exit(2)
    note(f"{len(found.tasks)} records hold, each on {seeds} draws")


def new(
    folder: Annotated[Path, Argument(metavar="DIR", help="To be made; outside of every public repository.")],
) -> None:
    """Make a pack of your own from the public example."""
    from minillama.course.grading.packs import new_pack

    print(new_pack(folder))


for command in (check, new):
    pack.command()(shared_options(command))


@pack.callback()
def _pack() -> None:
    """Private tasks of a teacher's: `pack new DIR` copies an example, `pack check DIR` tests its tests."""
