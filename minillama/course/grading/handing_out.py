"""The archives that learners are given: their notebook, and a page that says how to open it and what to hand in."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from minillama.course.grading.assigning import Handout, assigned_notebook
from minillama.course.grading.drawing import variant_of
from minillama.course.grading.untrusted import clean_name
from minillama.errors import ConfigError
from minillama.files import new_file

OLDEST = (1980, 1, 1, 0, 0, 0)  # the first time that an archive can hold
UNSAFE = re.compile(r'[<>:"/\\|?*\s]+')  # in a name, on one system or another
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # on Windows

HELP = "  course.check says what it sees, as often as you want; course.hint helps in three steps.\n"
README = """{title}
{line}

{who}{notebook} asks for {count}: {points} points, about {minutes} minutes{due}.

{tasks}

Open it
  1. Once, in the folder of the course: make lab
     Without make: pip install -c constraints.txt -e ".[course]"
  2. Unpack this archive, and go into its folder.
  3. jupyter lab {notebook}
     After make lab, jupyter lies in .venv/bin of the course's folder.

Work in it
  Write your answers into the cells that are there for them. Further cells are yours: they are not graded, so
  an answer must not need them.
{help}  Earlier pieces come from the package: this notebook stands alone.

Hand in
  {notebook}, this one file, under this name, as you saved it. It is run anew, on other inputs than those that
  you see: what counts is what your answers give then.
"""


def safe_name(text: str) -> str:
    """A name that every system takes for a file.

    >>> safe_name("Week 3: norms?"), safe_name("../nul")
    ('Week-3-norms', '_nul')
    """
    name = UNSAFE.sub("-", clean_name(text)).strip("-. ") or "unnamed"
    return f"_{name}" if RESERVED.fullmatch(name) else name


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Whom an archive is for.

    Args:
        learner: their id; empty for everybody.
        drawn_for: the name that their variants are drawn from; empty for the public ones.
        due: until when they hand in, in words; empty for no date.
    """

    learner: str = ""
    drawn_for: str = ""
    due: str = ""


def archive(handout: Handout, secret: str, to: Recipient) -> bytes:
    """The bytes of one archive; equal for equal arguments, on every machine.

    Args:
        handout: what is assigned.
        secret: of the course; empty gives everybody the public variants.
        to: see Recipient.
    """
    tasks = handout.lesson.tasks
    variants = {name: variant_of(tasks[name], secret if to.drawn_for else "", to.drawn_for) for name in handout.points}
    stem, folder = handout.lesson.stem, safe_name(handout.name)
    notebook = nbformat.writes(assigned_notebook(handout, variants), version=4) + "\n"
    readme = _readme(handout, variants, to, HELP if "course.check(" in notebook else "")
    files = {f"{folder}/README.txt": readme, f"{folder}/{stem}.ipynb": notebook}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as made:  # what packs differs from one zlib to the next
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            made.writestr(entry, text.encode("utf-8"))
    return stream.getvalue()


def _readme(handout: Handout, variants: Mapping[str, Mapping[str, Any]], to: Recipient, help_lines: str) -> str:
    members = handout.members(variants)
    who = f"For {clean_name(to.learner)}. " if to.learner else ""
    own = "Parts of it are yours alone: a neighbour's may ask for something else.\n" if any(variants.values()) else ""
    wide, long = (max(len(getattr(each, name)) for each in members.values()) for name in ("title", "id"))
    return README.format(
        title=handout.name, line="=" * len(handout.name), who=who + own, notebook=f"{handout.lesson.stem}.ipynb",
        count="one task" if len(members) == 1 else f"{len(members)} tasks",
        points=f"{sum(each.points for each in members.values()):g}",
        minutes=sum(each.minutes for each in members.values()), due=f"; due {to.due}" if to.due else "",
        help=help_lines,
        tasks="\n".join(
            f"  {each.title:{wide}}  {each.id:{long}}  {each.points:3g} point{'s' if each.points != 1 else ' '}  "
            f"{each.minutes:3} minutes"
            for each in members.values()
        ),
    )  # fmt: skip


def write_archives(handout: Handout, secret: str, people: Sequence[Recipient], out: Path) -> list[Path]:
    """One archive for each learner, in a folder.

    Args:
        handout, secret: as `archive` takes them.
        people: whom they are for.
        out: the folder.

    Raises:
        ConfigError: two learners would share a file.
    """
    files: dict[str, Recipient] = {}
    for each in people:
        name = f"{safe_name(each.learner)}.zip"
        other = files.setdefault(name.casefold(), each).learner
        if other != each.learner:
            raise ConfigError(f"{each.learner!r} and {other!r} would both be given {name}: change one of their ids")
    paths = [out / f"{safe_name(each.learner)}.zip" for each in people]
    for path, each in zip(paths, people, strict=True):
        write_archive(archive(handout, secret, each), path)
    return paths


def write_archive(data: bytes, path: Path) -> None:
    """Write an archive whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as file:
        file.write(data)
