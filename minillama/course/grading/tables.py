"""CSV: what is written is safe for spreadsheets, and what people fill in is read with every fault said by its line."""

import csv
import difflib
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minillama.errors import DataError

MAX_BYTES = 50 << 20
MAX_ROWS = 200_000
DELIMITERS = (",", ";", "\t")
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # what a spreadsheet may compute instead of show; also at full width


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        line: where it ends in the file, counted from 1.
        cells: column -> text, without spaces around it; a column that the file lacks is empty.
    """

    line: int
    cells: dict[str, str]


def read_text(path: Path, most: int = MAX_BYTES) -> str:
    """The text of a file, whatever its byte order mark.

    Raises:
        DataError: not there, too large, not UTF-8, or with null bytes in it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): name a file that is there") from error
    if len(data) > most:
        raise DataError(f"{path}: has more than {most >> 20} MB, expected a table or a class file: check the path")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8: save it as CSV UTF-8") from error
    if "\0" in text:
        raise DataError(f"{path}: holds null bytes, expected text: save it as UTF-8")
    return text


def did_you_mean(word: str, known: Collection[str]) -> str:
    """What was probably meant, to stand at the end of a message.

    >>> did_you_mean("lerner", ["learner", "task"])
    ': did you mean learner?'
    """
    near = difflib.get_close_matches(word[:200], known, n=1, cutoff=0.6)
    return f": did you mean {near[0]}?" if near else ""


def safe_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula.

    >>> safe_cell("=1+1")
    "'=1+1"
    """
    text = str(value)
    return f"'{text}" if not isinstance(value, int | float) and text.lstrip().startswith(FORMULA) else value


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV, safe for spreadsheets."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([safe_cell(each) for each in row] for row in rows)
    return file.getvalue()


def plain_cell(text: str) -> str:
    """The text that `safe_cell` has made safe, and a cell that needed no such thing as it is.

    >>> plain_cell("'=1+1"), plain_cell("'tis")
    ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and text[1:].lstrip().startswith(FORMULA) else text


def read_table(path: Path, needed: Collection[str], known: Collection[str]) -> list[Row]:
    """The rows of a table with a header; empty ones are passed over.

    Args:
        path: comma, semicolon or tab between cells, whichever the header has most of.
        needed: columns that must be there.
        known: columns that may be there; case counts for nothing.

    Raises:
        DataError: the file, a column or a row is not as it should be.
    """
    lines = _lines(path, read_text(path))
    _, header = next(lines, (1, []))
    columns = [each.strip().lower() for each in header]
    for each in columns:
        if each not in known:
            hint = did_you_mean(each, known) or f", expected {', '.join(known)}: delete it"
            raise DataError(f"{path}: line 1 has a column {each[:60]!r} that means nothing here{hint}")
    missing = [each for each in needed if each not in columns]
    if missing or len(set(columns)) < len(columns):
        words = f"no column {missing[0]!r}" if missing else "one column twice"
        raise DataError(f"{path}: line 1 has {words}, expected each of {', '.join(needed)} once")
    rows = []
    for line, cells in lines:
        if len(cells) > len(columns) or (len(cells) < len(columns) and any(cells)):
            raise DataError(f"{path}: line {line} has {len(cells)} cells, expected {len(columns)}: quote commas in it")
        if any(each.strip() for each in cells):
            found = {name: plain_cell(cell.strip()) for name, cell in zip(columns, cells, strict=True)}
            rows.append(Row(line, {name: found.get(name, "") for name in known}))
        if len(rows) > MAX_ROWS:
            raise DataError(f"{path}: has more than {MAX_ROWS} rows, expected a class: check the path")
    return rows


def _lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines with the number of the one that each ends on."""
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV ({error}): save it again as CSV UTF-8") from error
