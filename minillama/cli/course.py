"""The course from the command line: progress, hints, and the assignments."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from minillama.cli.app import note


def check(
    lesson: Annotated[
        str | None, Argument(metavar="[LESSON]", help="Number or name, such as 04; all if left out.")
    ] = None,
) -> None:
    """Show which tasks are done, and which pieces of your own the model runs."""
    from minillama.course.promoting import where
    from minillama.course.tasks import LESSONS, lessons_named

    found = list(LESSONS) if lesson is None else lessons_named(lesson, LESSONS)
    if not found:
        raise typer.BadParameter(f"lesson is {lesson!r}, expected one of {', '.join(stem[:2] for stem in LESSONS)}")
    for stem in found:
        print(f"{stem}\n{where(stem)!r}")


def hint(task: Annotated[str, Argument(metavar="TASK", help="Such as rope.apply_rope.")]) -> None:
    """Give the next hint for a task: the idea, the shapes, pseudocode."""
    from minillama.course.checking import hint as next_hint

    print(repr(next_hint(task)))


def reset(lesson: Annotated[str, Argument(metavar="LESSON", help="Number or name, such as 04.")]) -> None:
    """Put an assignment back to its beginning; your answers are kept aside."""
    from minillama.course.home import course_root, my_llama
    from minillama.course.releasing import reset as reset_lesson

    target, kept = reset_lesson(course_root(), lesson, my_llama() / "kept")
    if kept is not None:
        note(f"your answers are kept in {kept}")
    print(target)


def release(
    check: Annotated[bool, Option("--check", help="Write nothing; exit code 1 where a file would change.")] = False,
    root: Annotated[Path | None, Option(help="The course's folder.")] = None,
) -> None:
    """Write exercises/ from solutions/: every answer becomes a stub."""
    from minillama.course.home import clone_root
    from minillama.course.releasing import release as release_all

    changed = release_all(root or clone_root(), check=check)
    for name in changed:
        print(name)
    if check and changed:
        note("exercises/ differ from solutions/: run minillama release")
        raise typer.Exit(1)
