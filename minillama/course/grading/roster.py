"""Who is in a class: a learner's names on every platform, and the roster they stand in."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path

from minillama.course.grading.tables import read_table
from minillama.course.grading.untrusted import clean_name
from minillama.errors import ConfigError, DataError

UNIQUE = ("id", "email", "canvas", "sis", "login", "idnumber", "gradescope")
# What intake reads from each platform's download -> the columns of a roster that may hold the same.
SOURCES = {"canvas": ("canvas",), "sid": ("gradescope", "sis", "idnumber", "id"), "email": ("email", "login")}


@dataclass(frozen=True, kw_only=True)
class Learner:
    """One learner; all but `id` may be empty.

    Args:
        id: what reports call them, and what their variants are drawn from: it never changes within a course.
        name: first names, then the family's: "Ada Lovelace".
        email: compared without regard to case.
        canvas: "ID" of Canvas, the number in the names of its download.
        sis: "SIS User ID" of Canvas.
        login: "SIS Login ID" of Canvas.
        idnumber: "ID number" of Moodle.
        gradescope: "SID" of Gradescope.
        section: for the teacher.
    """

    id: str
    name: str = ""
    email: str = ""
    canvas: str = ""
    sis: str = ""
    login: str = ""
    idnumber: str = ""
    gradescope: str = ""
    section: str = ""

    @property
    def identity(self) -> dict[str, str]:
        """Everything that is known, without what is empty."""
        return {each: getattr(self, each) for each in COLUMNS if getattr(self, each)}


COLUMNS = tuple(each.name for each in fields(Learner))


def read_roster(path: Path) -> list[Learner]:
    """The learners of a CSV file with the columns of Learner, of which only `id` must be there.

    Raises:
        DataError: it is not such a file.
    """
    learners = []
    for row in read_table(path, ("id",), COLUMNS):
        if clean_name(row.cells["id"]) != row.cells["id"] or "/" in row.cells["id"]:
            raise DataError(
                f"{path}: line {row.line} has id {row.cells['id'][:60]!r}, expected a name without slashes: write "
                f"{clean_name(row.cells['id'])!r}"
            )
        cells = {name: clean_name(text) if text else "" for name, text in row.cells.items()}
        learners.append(Learner(**cells))
    return learners


@dataclass(frozen=True)
class Roster:
    """The learners of a class, found by whatever a platform calls them.

    Raises:
        ConfigError: two of them cannot be told apart.
    """

    learners: Sequence[Learner]
    by_id: Mapping[str, Learner] = field(init=False)
    _by_key: Mapping[tuple[str, str], Learner] = field(init=False, repr=False)
    _by_name: Mapping[str, tuple[Learner, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_key: dict[tuple[str, str], Learner] = {}
        by_name: dict[str, tuple[Learner, ...]] = {}
        for each in self.learners:
            for column in UNIQUE:
                value = getattr(each, column).casefold()
                other = by_key.setdefault((column, value), each) if value else each
                if other is not each:
                    raise ConfigError(
                        f"the roster has {column} {getattr(each, column)!r} twice ({other.name or other.id}, "
                        f"{each.name or each.id}), expected one learner for it: mend one of them"
                    )
            for spelling in spellings(each.name):
                by_name[spelling] = (*by_name.get(spelling, ()), each)
        object.__setattr__(self, "by_id", {each.id: each for each in self.learners})
        object.__setattr__(self, "_by_key", by_key)
        object.__setattr__(self, "_by_name", by_name)

    def find(self, name: str, identity: Mapping[str, str]) -> Learner | None:
        """Whom a platform, or a folder's name, means; None where nobody or more than one may be meant.

        What a platform knows for certain decides: its numbers and addresses. Else it is the learner whose id the name
        is, or the only one of that name, unless a number or address of theirs says that they are another.

        Args:
            name: of a folder or file, or a person's in any order of its parts.
            identity: as of Submission.
        """
        sure = self.sure(identity)
        if sure:
            return sure[0] if len(sure) == 1 else None
        by_id = self._by_key.get(("id", name.casefold()))
        likely = [by_id] if by_id else list(self._by_name.get(letters(name), ()))
        likely = [each for each in likely if not _contradicts(each, identity)]
        return likely[0] if len(likely) == 1 else None

    def sure(self, identity: Mapping[str, str]) -> list[Learner]:
        """Who has these numbers and addresses: nobody, one, or where they are of different people, several."""
        found = (self._by_key.get((column, text.casefold())) for column, text in _known(identity))
        return list({each.id: each for each in found if each is not None}.values())


def _known(identity: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return chain.from_iterable(
        ((column, identity[source]) for column in columns)
        for source, columns in SOURCES.items() if identity.get(source)
    )  # fmt: skip


def _contradicts(learner: Learner, identity: Mapping[str, str]) -> bool:
    """Does the platform know somebody else by this name?"""
    pairs = [(getattr(learner, columns[0]), identity.get(source, "")) for source, columns in SOURCES.items()]
    return any(own and told and own.casefold() != told.casefold() for own, told in pairs)


def letters(name: str) -> str:
    """A name as platforms squeeze it: its letters and digits, without case.

    >>> letters("O'Neil, Ada")
    'oneilada'
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name)).casefold()


def spellings(name: str) -> set[str]:
    """A person's name squeezed, with its parts in the order written and with the last ones first.

    >>> sorted(spellings("Ada King Lovelace"))
    ['adakinglovelace', 'kinglovelaceada', 'lovelaceadaking']
    """
    parts = name.split()
    return {letters("".join(parts[i:] + parts[:i])) for i in range(min(len(parts), 8))} - {""}
