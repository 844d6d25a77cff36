"""One table of a TOML file, read key by key; every fault is one line that names the file, the table and the key."""

import tomllib
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, NoReturn

from minillama.course.grading.moments import instant
from minillama.course.grading.tables import did_you_mean, read_text
from minillama.course.grading.untrusted import clean_name
from minillama.errors import ConfigError, DataError

MAX_BYTES = 5 << 20
MAX_TEXT = 300  # characters of one text
SHOWN = 60  # characters of what was got, in a message


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: it is not there, or not TOML.
    """
    try:
        return tomllib.loads(read_text(path, MAX_BYTES))
    except DataError as error:
        raise ConfigError(str(error)) from error
    except (ValueError, RecursionError) as error:
        why = str(error) or "it is nested too deeply"
        raise ConfigError(f"{path}: is not TOML ({why}): mend that place") from error


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        path: the file.
        place: which table, for messages: '[[assignment]] "norms"'; empty for the file's own keys.
        values: key -> what stands there.
    """

    path: Path
    place: str
    values: Mapping[str, Any]

    def wrong(self, key: str, expected: str, remedy: str = "") -> NoReturn:
        """Say that a key holds something else than it should.

        Raises:
            ConfigError: always.
        """
        got = repr(self.values[key]) if key in self.values else "missing"
        got = got if len(got) <= SHOWN else got[: SHOWN - 3] + "..."
        where = f"{self.place}: " if self.place else ""
        raise ConfigError(f"{self.path}: {where}{key} is {got}, expected {expected}" + (remedy and f": {remedy}"))

    def only(self, known: Collection[str], elsewhere: Mapping[str, Collection[str]]) -> None:
        """Refuse keys that mean nothing.

        Args:
            known: those that mean something here.
            elsewhere: where else keys stand, in words, and which.
        """
        for key in self.values:
            if key not in known:
                places = [place for place, keys in elsewhere.items() if key in keys]
                hint = f": move it {places[0]}" if places else did_you_mean(key, known)
                hint = hint or f", expected {', '.join(known)}: delete it"
                where = f"{self.place}: " if self.place else ""
                raise ConfigError(f"{self.path}: {where}key {key[:SHOWN]!r} means nothing here{hint}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text in one line, without anything that is not seen; `default` None makes the key a must."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or (value == "" and default is None) or len(value) > MAX_TEXT:
            self.wrong(key, f"text in quotes, up to {MAX_TEXT} characters")
        if any(unicodedata.category(each).startswith(("C", "Zl", "Zp")) for each in value):
            self.wrong(key, "plain text in one line, without characters that are not seen")
        return value

    def name(self, key: str) -> str:
        """A text that stands for somebody or something, as it is written in every report."""
        value = self.text(key)
        if clean_name(value) != value or "/" in value:
            self.wrong(key, "a name without slashes and without a dot in front", f'write "{clean_name(value)}"')
        return value

    def number(self, key: str, low: float, high: float, default: float) -> float:
        """A number within a range."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.wrong(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def choice(self, key: str, known: Collection[str], default: str) -> str:
        """One of some words."""
        value = self.values.get(key, default)
        if value not in known:
            self.wrong(key, " or ".join(f'"{each}"' for each in known))
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of different texts; empty where the key is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            self.wrong(key, "a list of texts in quotes")
        if len(set(value)) < len(value):
            self.wrong(key, "each text once", "delete the second")
        return tuple(value)

    def file(self, key: str) -> Path | None:
        """A path, from where the TOML file lies; None where the key is not there."""
        return self.path.parent / self.text(key) if key in self.values else None

    def moment(self, key: str, zone: tzinfo | None, later: bool, notes: list[str]) -> datetime | None:
        """A point in time, in UTC; None where the key is not there.

        Args:
            key: holds a date and a time; with an offset, or on the clocks of `zone`.
            zone: of the class.
            later: as in `moments.instant`.
            notes: what is to be said about it is put here.
        """
        value = self.values.get(key)
        if value is None and key not in self.values:
            return None
        if not isinstance(value, datetime):
            self.wrong(key, "a date and a time without quotes", "write 2027-03-08T23:59:00+01:00")
        if value.tzinfo is None and zone is None:
            self.wrong(key, "an offset, as in 2027-03-08T23:59:00+01:00", "add it, or a timezone for the class")
        try:
            if value.tzinfo is not None:
                return value.astimezone(UTC)
            assert zone is not None
            found, note = instant(value, zone, later)
        except (OverflowError, ValueError):
            self.wrong(key, "a year between 1970 and 9000")
        if note:
            notes.append(f"{self.place}: {key} {note}" if self.place else f"{key} {note}")
        return found

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        """What stands under [[key]]; empty where there is none."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.wrong(key, f"tables that each begin with [[{key}]]")
        return list(value)
