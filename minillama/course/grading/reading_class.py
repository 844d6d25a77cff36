"""From course.toml to a ClassFile, with every fault said: which key, what was got, what was expected, what to do."""

import re
import zoneinfo
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from minillama.course.grading.class_file import Assignment, ClassFile, Extension, Group
from minillama.course.grading.moments import UNITS, Dates, LatePenalty, read_instant
from minillama.course.grading.roster import COLUMNS, Learner, Roster, read_roster
from minillama.course.grading.tables import did_you_mean, read_table
from minillama.course.grading.toml_fields import Table, read_toml
from minillama.course.tasks import LESSONS, lessons_named, tasks_of
from minillama.errors import ConfigError, DataError

TOP = ("title", "timezone", "secret", "pack", "roster", "assignment", "learner", "extension", "group")
ASSIGNMENT = (
    "name", "lesson", "tasks", "points", "opens", "due", "closes", "grace_minutes", "penalty", "attempts",
    "max_attempts", "times", "submitted",
)  # fmt: skip
EXTENSION = ("learner", "assignment", "due", "closes")
GROUP = ("name", "members", "assignments")
PLACES = {"to the top of the file, above every [[table]]": TOP, "under its [[assignment]]": ASSIGNMENT}
SUBMITTED = ("learner", "attempt", "submitted")  # columns of times by hand
MOST_POINTS = 10_000
MOST_ATTEMPTS = 1_000
MOST_GRACE_MINUTES = 10_080  # a week


def read_class(path: Path) -> ClassFile:
    """The class of a file; exercises/TEACHING.md shows every key.

    Raises:
        ConfigError, DataError: the file or its roster is not as it should be.
    """
    top = Table(path, "", read_toml(path))
    top.only(TOP, PLACES)
    zone, pack, notes = _zone(top), top.file("pack"), list[str]()
    stems = _stems(top, pack)
    learners = _learners(top)
    known = [each.id for each in learners]
    assignments = tuple(
        _assignment(_named(top, "assignment", i, each), stems, known, zone, notes, pack is None)
        for i, each in enumerate(top.tables("assignment"), 1)
    )
    names = _all_different(path, "assignment", [each.name for each in assignments])
    extensions = tuple(
        _extension(_named(top, "extension", i, each), known, assignments, zone, notes)
        for i, each in enumerate(top.tables("extension"), 1)
    )
    pairs = [f"{each.learner}, {each.assignment}" for each in extensions]
    _all_different(path, "extension", pairs)
    groups = tuple(_group(_named(top, "group", i, each), known, names) for i, each in enumerate(top.tables("group"), 1))
    _check_groups(path, groups, known, names)
    return ClassFile(
        path=path, title=top.text("title"), timezone=top.text("timezone", ""), secret_file=top.file("secret"),
        pack=pack, assignments=assignments, learners=learners, extensions=extensions, groups=groups,
        notes=tuple(notes),
    )  # fmt: skip


def _named(top: Table, key: str, number: int, values: Mapping[str, Any]) -> Table:
    """One of several tables, called by its name where it has one."""
    name = values.get("name", values.get("id", values.get("learner", number)))
    return Table(top.path, f"[[{key}]] {name!r:.60}", values)


def _all_different(path: Path, key: str, names: Sequence[str]) -> list[str]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(f"{path}: [[{key}]] {twice[0]!r} is there twice, expected it once: delete one")
    return list(names)


def _zone(top: Table) -> tzinfo | None:
    name = top.text("timezone", "")
    if not name:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(name, zoneinfo.available_timezones())
        top.wrong("timezone", f'the name of a zone, such as "Europe/Berlin"{hint}')


def _stems(top: Table, pack: Path | None) -> list[str]:
    """The notebooks that can be assigned."""
    if pack is None:
        return list(LESSONS)
    found = sorted(each.stem for each in (pack / "solutions").glob("*.ipynb"))
    if not found:
        top.wrong("pack", "a folder with solutions/*.ipynb and records/*.py", "mind where course.toml lies")
    return found


def _assignment(
    table: Table, stems: Sequence[str], known: Sequence[str], zone: tzinfo | None, notes: list[str], public: bool
) -> Assignment:
    table.only(ASSIGNMENT, PLACES)
    wanted = table.text("lesson")
    fits = lessons_named(wanted, stems)
    if len(fits) != 1:
        table.wrong("lesson", f"one of {', '.join(stems)}{did_you_mean(wanted, stems)}")
    made = Assignment(
        name=table.name("name"), lesson=fits[0], tasks=table.texts("tasks"), points=_points(table),
        dates=_dates(table, zone, notes),
        grace=timedelta(minutes=table.number("grace_minutes", 0, MOST_GRACE_MINUTES, 0)), penalty=_penalty(table),
        attempts=table.choice("attempts", ("last", "best"), "last"), max_attempts=_max_attempts(table),
        times=table.choice("times", ("platform", "file"), "platform"), submitted=_submitted(table, known, zone),
    )  # fmt: skip
    if public and (made.tasks or made.points):
        try:
            made.chosen(tasks_of(made.lesson))
        except ConfigError as error:
            raise ConfigError(f"{table.path}: {error}") from error
    return made


def _points(table: Table) -> dict[str, float]:
    values = table.values.get("points", {})
    if not isinstance(values, dict):
        table.wrong("points", "a table from task to points", 'write points = { "norm.rms_norm" = 5 }')
    own = Table(table.path, f"{table.place}: points", values)
    return {task: own.number(task, 0, MOST_POINTS, 0) for task in values}


def _dates(table: Table, zone: tzinfo | None, notes: list[str]) -> Dates:
    opens, due, closes = (table.moment(key, zone, key != "opens", notes) for key in ("opens", "due", "closes"))
    if opens is not None and due is not None and not opens < due:
        table.wrong("due", "a time after opens")
    last = max((each for each in (opens, due) if each is not None), default=None)
    if closes is not None and last is not None and closes < last:
        table.wrong("closes", "a time after due and opens")
    return Dates(opens=opens, due=due, closes=closes)


def _penalty(table: Table) -> LatePenalty | None:
    values = table.values.get("penalty")
    if values is None:
        return None
    if not isinstance(values, dict):
        table.wrong("penalty", "a table", 'write penalty = { share = 0.1, per = "day", cap = 0.5 }')
    own = Table(table.path, f"{table.place}: penalty", values)
    own.only(("share", "per", "cap"), {})
    if "due" not in table.values:
        table.wrong("due", "a date and a time, because there is a penalty for being late")
    if "share" not in values:
        own.wrong("share", "a number from 0 to 1, such as 0.1 for a tenth")
    return LatePenalty(
        share=own.number("share", 0, 1, 0), per=own.choice("per", tuple(UNITS), "day"), cap=own.number("cap", 0, 1, 1)
    )


def _max_attempts(table: Table) -> int | None:
    value = table.values.get("max_attempts")
    if value is not None and (type(value) is not int or not 1 <= value <= MOST_ATTEMPTS):
        table.wrong("max_attempts", f"a whole number from 1 to {MOST_ATTEMPTS}")
    return value


def _submitted(table: Table, known: Sequence[str], zone: tzinfo | None) -> dict[tuple[str, int | None], datetime]:
    """Times by hand; on the clocks of the class where they have no offset."""
    path, found = table.file("submitted"), dict[tuple[str, int | None], datetime]()
    for row in read_table(path, ("learner", "submitted"), SUBMITTED) if path is not None else ():
        learner, attempt, text = (row.cells[name] for name in SUBMITTED)
        if learner not in known:
            hint = did_you_mean(learner, known) or ", expected the id of one in the roster"
            raise DataError(f"{path}: line {row.line} has learner {learner[:60]!r}{hint}")
        if not re.fullmatch(r"\d{0,6}", attempt):
            raise DataError(
                f"{path}: line {row.line} has attempt {attempt[:60]!r}, expected a whole number, or nothing"
            )
        moment = read_instant(text, zone)
        if moment is None:
            got = f"line {row.line} has submitted {text[:60]!r}"
            raise DataError(f"{path}: {got}, expected a date and a time, such as 2027-03-09T08:15+01:00")
        key = (learner, int(attempt) if attempt else None)
        if found.setdefault(key, moment) != moment:
            raise DataError(f"{path}: line {row.line} has another time for {learner!r} than a line above: delete one")
    return found


def _learners(top: Table) -> tuple[Learner, ...]:
    roster = top.file("roster")
    learners = read_roster(roster) if roster is not None else []
    for number, values in enumerate(top.tables("learner"), 1):
        table = _named(top, "learner", number, values)
        table.only(COLUMNS, PLACES)
        learners.append(Learner(id=table.name("id"), **{key: table.text(key, "") for key in COLUMNS if key != "id"}))
    try:
        Roster(learners)
    except ConfigError as error:
        raise ConfigError(f"{top.path}: {error}") from error
    return tuple(learners)


def _one_of(table: Table, key: str, known: Sequence[str], what: str) -> str:
    name = table.text(key)
    if name not in known:
        table.wrong(key, f"{what}{did_you_mean(name, known)}")
    return name


def _extension(
    table: Table, known: Sequence[str], assignments: Sequence[Assignment], zone: tzinfo | None, notes: list[str]
) -> Extension:
    table.only(EXTENSION, PLACES)
    name = _one_of(table, "assignment", [each.name for each in assignments], "the name of an assignment")
    due, closes = (table.moment(key, zone, True, notes) for key in ("due", "closes"))
    if due is None and closes is None:
        table.wrong("due", "a date and a time, for due or closes")
    dates = next(each.dates for each in assignments if each.name == name).extended(due, closes)
    if dates.due is not None and dates.closes is not None and dates.closes < dates.due:
        table.wrong("closes" if closes else "due", "closes after due")
    learner = _one_of(table, "learner", known, "the id of a learner in the roster")
    return Extension(learner=learner, assignment=name, due=due, closes=closes)


def _group(table: Table, known: Sequence[str], names: Sequence[str]) -> Group:
    table.only(GROUP, PLACES)
    members, assignments = table.texts("members"), table.texts("assignments")
    if not members:
        table.wrong("members", "the ids of its learners")
    for key, each, allowed in [
        *(("members", each, known) for each in members), *(("assignments", each, names) for each in assignments)
    ]:  # fmt: skip
        if each not in allowed:
            what = "ids in the roster" if key == "members" else "names of assignments"
            table.wrong(key, f"{what}, and {each!r:.60} is none{did_you_mean(each, allowed)}")
    return Group(name=table.name("name"), members=members, assignments=assignments)


def _check_groups(path: Path, groups: Sequence[Group], learners: Sequence[str], names: Sequence[str]) -> None:
    """Nobody is in two groups for one assignment, and no group is called like a learner."""
    _all_different(path, "group", [each.name for each in groups])
    ids = {each.casefold() for each in learners}
    place: dict[tuple[str, str], str] = {}
    for group in groups:
        if group.name.casefold() in ids:
            raise ConfigError(f"{path}: [[group]] {group.name!r} is called like a learner: give it another name")
        for pair in [(member, name) for member in group.members for name in group.assignments or names]:
            other = place.setdefault(pair, group.name)
            if other != group.name:
                raise ConfigError(
                    f"{path}: {pair[0]!r} is in the groups {other!r} and {group.name!r} for {pair[1]!r}, expected one: "
                    "take them out of the other, or give the groups different assignments"
                )
