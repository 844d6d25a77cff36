"""Points in time: what a class file and a platform write, how late something is, and what that costs."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from minillama.errors import ConfigError

UNITS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
OFFSET = re.compile(r"\s+(Z|UTC|[+-]\d\d:?\d\d)$")


def instant(local: datetime, zone: tzinfo, later: bool) -> tuple[datetime, str]:
    """The point in time that a clock on the wall means.

    Where the clocks are turned back, a time on the wall comes twice; where they are turned forward, some never come.
    Both are read in the learners' favour, and said.

    Args:
        local: without a zone.
        zone: of the clock.
        later: which of two is meant, the later or the earlier one.

    Returns:
        The point in UTC, and a sentence about it, empty where the time is plain.

    Raises:
        OverflowError: beyond the years that a date can have.

    >>> from zoneinfo import ZoneInfo
    >>> instant(datetime(2026, 10, 25, 2, 30), ZoneInfo("Europe/Berlin"), later=True)[0].isoformat()
    '2026-10-25T01:30:00+00:00'
    """
    first, second = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    chosen = second if later else first
    if first == second:
        return chosen, ""
    comes = first.astimezone(zone).replace(tzinfo=None) == local
    why = "comes twice that day" if comes else "does not come that day"
    return chosen, f"{local.isoformat()} {why} in {zone}; it is read as {stamp(chosen)}"


def read_instant(text: str, zone: tzinfo | None = None) -> datetime | None:
    """What a platform or a person says about when something was handed in, in UTC; None where that is not to be read.

    Args:
        text: ISO 8601, or what Gradescope writes.
        zone: of a time without an offset, which is read in the learner's favour; None refuses it.

    >>> read_instant("2026-01-02 03:04:05.000000000 +0100").isoformat()
    '2026-01-02T02:04:05+00:00'
    """
    tidy = OFFSET.sub(lambda found: "Z" if found[1] == "UTC" else found[1], text.strip())
    try:
        found = datetime.fromisoformat(tidy)
        if found.tzinfo is None:
            return instant(found, zone, later=False)[0] if zone is not None else None
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def stamp(moment: datetime) -> str:
    """A point in time as text: ISO 8601 in UTC, with microseconds where there are any.

    >>> stamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05Z'
    """
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def in_words(duration: timedelta) -> str:
    """A duration as people say it; its smallest unit is a minute, begun ones count.

    >>> in_words(timedelta(days=1, hours=2, seconds=1))
    '1 d 2 h 1 min'
    """
    minutes = -(-duration // timedelta(minutes=1)) if duration > timedelta() else 0
    sizes = {"d": minutes // 1440, "h": minutes // 60 % 24, "min": minutes % 60}
    return " ".join(f"{size} {unit}" for unit, size in sizes.items() if size) or "0 min"


@dataclass(frozen=True, kw_only=True)
class LatePenalty:
    """What lateness costs, as a share of the points that were earned.

    Args:
        share: that each unit of time takes, 0 to 1; a unit that has begun counts.
        per: the unit, "day" (24 hours) or "hour".
        cap: the most that is taken, 0 to 1.
    """

    share: float
    per: str = "day"
    cap: float = 1.0

    def __post_init__(self) -> None:
        for name in ("share", "cap"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= 1):
                raise ConfigError(f"{name} is {value!r}, expected a number from 0 to 1, such as 0.1 for a tenth")
        if self.per not in UNITS:
            raise ConfigError(f"per is {self.per!r}, expected {' or '.join(UNITS)}")

    def taken(self, late: timedelta) -> float:
        """The share that is taken for so much lateness.

        >>> LatePenalty(share=0.1, cap=0.5).taken(timedelta(hours=25))
        0.2
        """
        units = -(-late // UNITS[self.per]) if late > timedelta() else 0
        return min(round(self.share * units, 9), self.cap)


@dataclass(frozen=True, kw_only=True)
class Dates:
    """When one learner may hand in one assignment; all in UTC, None where there is no such date.

    Args:
        opens: from when on.
        due: until when it is in time.
        closes: until when it counts at all.
    """

    opens: datetime | None = None
    due: datetime | None = None
    closes: datetime | None = None

    def extended(self, due: datetime | None, closes: datetime | None) -> "Dates":
        """The same with other dates; a later due date takes the closing date along by as much, if that has no other."""
        if due is None:
            return Dates(opens=self.opens, due=self.due, closes=closes or self.closes)
        if closes is None and self.closes is not None:
            moved = due - self.due if self.due is not None and due > self.due else timedelta()
            closes = self.closes + moved
        return Dates(opens=self.opens, due=due, closes=closes)
