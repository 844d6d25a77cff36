"""The class in one file: who is in it, what is assigned, when, and how it is counted.

exercises/TEACHING.md shows every key that there is.

`minillama grade SUBMISSIONS --out REPORT --course course.toml --assignment norms` grades by it. Times are read in the
learners' favour where a clock is turned back or forward; what was read otherwise than written stands in `notes`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from minillama.course.grading.moments import Dates, LatePenalty
from minillama.course.grading.roster import Learner, Roster
from minillama.course.grading.tables import did_you_mean, read_text
from minillama.course.record import Task
from minillama.errors import ConfigError

SHORTEST_SECRET = 16  # characters


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What is handed in together.

    Args:
        name: of the assignment.
        lesson: stem of its notebook, "03_norm".
        tasks: ids of those that count; empty for all of the lesson.
        points: id -> what it is worth here; tasks that are not named keep the points of their records.
        dates: when it opens, is due and closes.
        grace: so much later than due is not late.
        penalty: what lateness costs; None for nothing.
        attempts: "last" or "best" counts.
        max_attempts: how many count, from the first on; None for all.
        times: "platform" where only the platform's word about the time counts, "file" where the file's own time fills
            in, which a learner may set.
        submitted: (learner, attempt, or None for every one) -> when it was handed in, by the teacher's word, which
            counts before any other. Downloads of Canvas and Moodle do not say when.
    """

    name: str
    lesson: str
    tasks: tuple[str, ...] = ()
    points: Mapping[str, float] = field(default_factory=dict)
    dates: Dates = field(default_factory=Dates)
    grace: timedelta = timedelta()
    penalty: LatePenalty | None = None
    attempts: str = "last"
    max_attempts: int | None = None
    times: str = "platform"
    submitted: Mapping[tuple[str, int | None], datetime] = field(default_factory=dict)

    def chosen(self, tasks: Sequence[Task]) -> dict[str, float]:
        """Task id -> points, of what counts, in the order of the notebook.

        Args:
            tasks: all of the lesson, of the course or of a pack.

        Raises:
            ConfigError: it names one that is not among them.
        """
        known = [each.id for each in tasks]
        for name in (*self.tasks, *self.points):
            if name not in known:
                hint = did_you_mean(name, known) or f", expected some of {', '.join(known)}"
                raise ConfigError(f"assignment {self.name!r} has a task {name!r} that lesson {self.lesson} lacks{hint}")
        wanted = set(self.tasks or known)
        for name in self.points:
            if name not in wanted:
                raise ConfigError(f"assignment {self.name!r} gives points to {name!r}, expected it among its tasks too")
        return {each.id: float(self.points.get(each.id, each.points)) for each in tasks if each.id in wanted}


@dataclass(frozen=True, kw_only=True)
class Extension:
    """Other dates for one learner and one assignment; None leaves a date as it is."""

    learner: str
    assignment: str
    due: datetime | None = None
    closes: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Learners of whom one hands in for all; `assignments` empty stands for every one."""

    name: str
    members: tuple[str, ...]
    assignments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClassFile:
    """A class, as `reading_class.read_class` gives it: every name in it is known, and every date in order.

    Args:
        path: of the file.
        title: of the class.
        timezone: name of its zone; empty where every time has an offset.
        secret_file: that variants are drawn from; None gives everybody the public ones.
        pack: a teacher's private folder; None for the course's own notebooks.
        assignments, learners, extensions, groups: see there.
        notes: times that were read otherwise than they are written, sentences.
    """

    path: Path
    title: str
    timezone: str = ""
    secret_file: Path | None = None
    pack: Path | None = None
    assignments: tuple[Assignment, ...] = ()
    learners: tuple[Learner, ...] = ()
    extensions: tuple[Extension, ...] = ()
    groups: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def roster(self) -> Roster:
        """Its learners, to be found by name, number or address."""
        return Roster(self.learners)

    def assignment(self, name: str = "") -> Assignment:
        """The assignment of this name; without one, the only one.

        Raises:
            ConfigError: none is meant, or more than one.
        """
        names = [each.name for each in self.assignments]
        if not name and len(names) == 1:
            return self.assignments[0]
        if name not in names:
            words = f"{name!r} is no assignment" if name else f"has {len(names)} assignments, and none was chosen"
            hint = did_you_mean(name, names) or f", expected one of {', '.join(names)}: name it with --assignment"
            raise ConfigError(f"{self.path}: {words}{hint}")
        return self.assignments[names.index(name)]

    def group_of(self, learner: str, assignment: str) -> Group | None:
        """The group that a learner hands this assignment in with; None where they do so alone."""
        fits = (each for each in self.groups if learner in each.members)
        return next((each for each in fits if not each.assignments or assignment in each.assignments), None)

    def drawn_for(self, learner: str, assignment: str) -> str:
        """The name that a learner's variants are drawn from: their group's, else their own id.

        It is what `drawing.variant_of` takes as its learner, when assigning as when grading.
        """
        group = self.group_of(learner, assignment)
        return group.name if group else learner

    def dates_of(self, learner: str, assignment: Assignment) -> Dates:
        """When this learner may hand in, with their extension."""
        for each in self.extensions:
            if (each.learner, each.assignment) == (learner, assignment.name):
                return assignment.dates.extended(each.due, each.closes)
        return assignment.dates

    def in_words(self, moment: datetime | None) -> str:
        """A point in time as people of the class read it; empty for none."""
        if moment is None:
            return ""
        local = moment.astimezone(ZoneInfo(self.timezone) if self.timezone else UTC)
        return f"{local:%A, %d %B %Y, %H:%M} ({self.timezone or 'UTC'})"

    def secret(self) -> str:
        """What variants are drawn from; empty where the class has no secret.

        Raises:
            ConfigError, DataError: the file is not there, or its secret is too short.
        """
        return read_secret(self.secret_file) if self.secret_file is not None else ""


def read_secret(path: Path) -> str:
    """The secret in a file, without spaces around it.

    Raises:
        ConfigError, DataError: the file is not there, or its secret is too short.
    """
    text = read_text(path, 1 << 20).strip()
    if len(text) < SHORTEST_SECRET:
        raise ConfigError(f"{path}: holds {len(text)} characters, expected a secret of at least {SHORTEST_SECRET}")
    return text
