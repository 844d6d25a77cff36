"""Totals of a report into a teacher's own export of Canvas or Moodle; nothing but one column's cells changes in it."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from minillama.course.grading.records import LearnerResult, from_json
from minillama.course.grading.reporting import RESULTS, counted
from minillama.course.grading.tables import DELIMITERS, did_you_mean, read_text
from minillama.errors import ConfigError, DataError

MARK = "\ufeff"  # the byte order mark, as a character
NUMBERED = re.compile(r"\s*\(\d+\)$")  # of a column's name in Canvas
PARTICIPANT = re.compile(r"^\D*(\d+)$")
EMPTY = ("", "-")  # what a cell holds that nobody has filled, the second in Moodle
MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What an export looks like.

    Args:
        name: of the platform.
        keys: column, in small letters -> what of a learner's identity may stand there.
        column: that is filled where none is named; empty where one must be.
        possible: column or row, in small letters, that says how many points are possible.
    """

    name: str
    keys: Mapping[str, tuple[str, ...]]
    column: str
    possible: str


CANVAS = Platform(
    name="Canvas", column="", possible="points possible",
    keys={"id": ("canvas",), "sis user id": ("sis", "sid", "learner"), "sis login id": ("login", "email", "learner")},
)  # fmt: skip
MOODLE = Platform(
    name="Moodle", column="Grade", possible="maximum grade",
    keys={
        "email address": ("email", "learner"), "id number": ("idnumber", "sid", "learner"),
        "username": ("login", "learner"), "identifier": ("moodle",),
    },
)  # fmt: skip


@dataclass
class Sheet:
    """A CSV file whose cells are kept as they are written, with their quotes.

    Args:
        cells: row -> the raw text of each cell.
        ends: row -> what follows each cell: the delimiter, or the line's end.
        delimiter: between cells.
    """

    cells: list[list[str]]
    ends: list[list[str]]
    delimiter: str

    def value(self, row: int, column: int) -> str:
        """What a cell says; empty where the row is too short."""
        raw = self.cells[row][column] if column < len(self.cells[row]) else ""
        return raw[1:-1].replace('""', '"') if raw.startswith('"') else raw

    def put(self, row: int, column: int, text: str) -> None:
        """Write into a cell, in quotes where it had them; `text` needs none by itself."""
        quoted = self.cells[row][column].startswith('"') or self.delimiter in text
        self.cells[row][column] = f'"{text}"' if quoted else text

    def text(self) -> str:
        """The whole file."""
        pairs = (zip(*both, strict=True) for both in zip(self.cells, self.ends, strict=True))
        return "".join(cell + end for row in pairs for cell, end in row)


def read_sheet(path: Path, text: str) -> Sheet:
    """The cells of a CSV file.

    Raises:
        DataError: a quote is not closed.
    """
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    pattern = re.compile(rf'("(?:[^"]|"")*"|(?!")[^{delimiter}\r\n]*)({delimiter}|\r\n|\n|\r|\Z)')
    sheet, place = Sheet([[]], [[]], delimiter), 0
    while place < len(text):
        found = pattern.match(text, place)
        if found is None:
            raise DataError(
                f"{path}: line {text.count(chr(10), 0, place) + 1} has a quote where none can be: export it anew"
            )
        sheet.cells[-1].append(found[1])
        sheet.ends[-1].append(found[2])
        place = found.end()
        if found[2] != delimiter and place < len(text):
            sheet.cells.append([])
            sheet.ends.append([])
    if sheet.ends[-1] and sheet.ends[-1][-1] == delimiter:
        sheet.cells[-1].append("")
        sheet.ends[-1].append("")
    return sheet


@dataclass
class Filled:
    """What became of an export.

    Args:
        text: the filled file, byte order mark and all.
        filled: how many cells hold a total now.
        remarks: what a teacher should know, sentences.
    """

    text: str
    filled: int = 0
    remarks: list[str] = field(default_factory=list)


def read_results(report: Path) -> tuple[list[LearnerResult], str]:
    """The results of a report, and which attempt counts.

    Raises:
        DataError: there is no such report.
    """
    path = report / RESULTS
    try:
        data = json.loads(read_text(path, 2 << 30))
        return [from_json(LearnerResult, each) for each in data["results"]], str(data.get("attempts", "last"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, DataError) and not path.is_file():
            raise DataError(f"{path}: is not there, expected the --out folder of minillama grade") from error
        raise DataError(f"{path}: not the results of a report ({error}): name the --out folder of a run") from error


def fill(report: Path, export: Path, platform: Platform, column: str = "", zeros: bool = False) -> Filled:
    """Put each learner's total into their row of an export.

    Args:
        report: its folder.
        export: CSV, as the platform gives it.
        platform: CANVAS or MOODLE.
        column: that is filled, by its name; for Canvas with or without its number.
        zeros: who handed in nothing, or nothing to be read, gets 0; else their cells stay as they are.

    Raises:
        ConfigError: there is no such column.
        DataError: the export cannot be read, or a row and a learner do not find each other without doubt.
    """
    text = read_text(export)
    bom = MARK if export.read_bytes().startswith(MARK.encode()) else ""
    results, attempts = read_results(report)
    totals = _totals(counted(results, attempts), zeros)
    sheet = read_sheet(export, text)
    place = _column(export, sheet, platform, column or platform.column)
    rows = _rows(export, sheet, platform, counted(results, attempts))
    possible = _possible(sheet, platform, place)
    comma = any(re.fullmatch(r"\d+,\d+", sheet.value(i, place)) for i in range(1, len(sheet.cells))) or "," in possible
    made, changed = Filled(text=""), 0
    for learner, row in rows.items():
        if learner not in totals:
            continue
        if len(sheet.cells[row]) <= place:
            raise DataError(f"{export}: the row of {learner!r} is shorter than the header: export it anew")
        points = f"{totals[learner]:.4f}".rstrip("0").rstrip(".")
        points = points.replace(".", ",") if comma else points
        changed += sheet.value(row, place) not in (*EMPTY, points)
        sheet.put(row, place, points)
        made.filled += 1
    made.text = bom + sheet.text()
    everybody = {each.learner for each in results}
    made.remarks = [
        *_said("in the report and not in the export", sorted(everybody - rows.keys())),
        *_said("in the export and not in the report", _others(sheet, platform, set(rows.values()))),
        *_said("not graded, whose cells stay as they are", sorted(everybody & rows.keys() - totals.keys())),
        *([f"cells that held something else before: {changed}"] if changed else []),
        *_other_maximum(platform, possible, max((each.possible for each in results), default=0.0)),
    ]
    return made


def _totals(results: Sequence[LearnerResult], zeros: bool) -> dict[str, float]:
    """What each learner has earned, of those who have anything to be filled in."""
    found: dict[str, float] = defaultdict(float)
    for each in results:
        by_hand = any(one.adjusted for one in each.outcomes)
        if each.status == "graded" or by_hand or (zeros and each.status != "failed"):
            found[each.learner] += each.total
    return dict(found)


def _column(export: Path, sheet: Sheet, platform: Platform, wanted: str) -> int:
    """The place of the column that is filled."""
    names = [sheet.value(0, i).strip() for i in range(len(sheet.cells[0]))]
    if not any(name.lower() in platform.keys for name in names):
        raise ConfigError(
            f"{export}: has none of the columns {', '.join(platform.keys)}, expected an export of {platform.name}"
        )
    if not wanted:
        raise ConfigError('column is not given, expected the name of the one to fill, such as --column "Norms (123)"')
    fits = [i for i, name in enumerate(names) if name == wanted.strip()]
    fits = fits or [i for i, name in enumerate(names) if NUMBERED.sub("", name) == wanted.strip()]
    if len(fits) != 1 or names[fits[0]].lower() in platform.keys:
        words = f"has {len(fits)} columns" if len(fits) > 1 else "has no column to fill"
        raise ConfigError(f"{export}: {words} called {wanted!r}{did_you_mean(wanted, names) or ': mind its number'}")
    return fits[0]


def _possible(sheet: Sheet, platform: Platform, place: int) -> str:
    """How many points the export says are possible; empty where it does not."""
    names = [sheet.value(0, i).strip().lower() for i in range(len(sheet.cells[0]))]
    if platform.possible in names:
        return next((sheet.value(i, names.index(platform.possible)) for i in range(1, len(sheet.cells))), "").strip()
    rows = (i for i in range(1, len(sheet.cells)) if sheet.value(i, 0).strip().lower() == platform.possible)
    return next((sheet.value(i, place).strip() for i in rows), "")


def _other_maximum(platform: Platform, possible: str, ours: float) -> list[str]:
    """What to say where the platform counts to another number."""
    try:
        theirs = float(possible.replace(",", "."))
    except ValueError:
        return []
    words = f"{platform.name} says that {theirs:g} points are possible, and the report {ours:g}: totals are not scaled"
    return [words] if theirs != ours else []


def _rows(export: Path, sheet: Sheet, platform: Platform, results: Sequence[LearnerResult]) -> dict[str, int]:
    """Learner -> the row that is theirs."""
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in results:
        known = {**each.identity, "learner": each.learner}
        for column, sources in platform.keys.items():
            for source in sources:
                if known.get(source):
                    owners[column, known[source].casefold()].add(each.learner)
    columns = [(i, sheet.value(0, i).strip().lower()) for i in range(len(sheet.cells[0]))]
    keyed = [(i, name) for i, name in columns if name in platform.keys]
    rows: dict[str, int] = {}
    for row in range(1, len(sheet.cells)):
        values = [(name, _key(name, sheet.value(row, i))) for i, name in keyed]
        found = set().union(*(owners.get(each, set()) for each in values if each[1]))
        if len(found) > 1:
            raise DataError(
                f"{export}: row {row + 1} means {' and '.join(sorted(found))}, expected one: mend the roster"
            )
        for learner in found:
            if learner in rows:
                raise DataError(f"{export}: rows {rows[learner] + 1} and {row + 1} both mean {learner!r}, expected one")
            rows[learner] = row
    return rows


def _key(column: str, value: str) -> str:
    value = value.strip().casefold()
    found = PARTICIPANT.match(value) if column == "identifier" else None
    return found[1] if found else value


def _others(sheet: Sheet, platform: Platform, taken: set[int]) -> list[str]:
    """The first cells of rows that are nobody's, but for those that are of no learner."""
    rows = [row for row in range(1, len(sheet.cells)) if row not in taken]
    keyed = [i for i in range(len(sheet.cells[0])) if sheet.value(0, i).strip().lower() in platform.keys]
    return [sheet.value(row, 0).strip() for row in rows if any(sheet.value(row, i).strip() for i in keyed)]


def _said(what: str, names: Sequence[str]) -> list[str]:
    more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return [f"{len(names)} {what}: {', '.join(names[:MOST_NAMED])}{more}"] if names else []
