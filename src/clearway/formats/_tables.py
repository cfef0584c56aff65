"""Tables as spreadsheets, scanners and PowerShell export them: CSV with a header somewhere near the top.

Any of UTF-8 and UTF-16 with a byte-order mark; comma, semicolon, tab or pipe; headings in any case and spelling.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from itertools import islice

from msgspec import Struct

from clearway.records.errors import InputError, TooLargeError

MAX_TABLE_BYTES = 256 << 20
MAX_CELL_CHARS = 1 << 20  # a scanner's report of one host stands in one cell
_HEAD_ROWS = 60  # a header is looked for in these: exports begin with titles, filters and counts
_HEAD_CHARS = 64 << 10
_MAX_COLUMNS = 1000
_DELIMITERS = (",", ";", "\t", "|")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LINE_END = re.compile(r"\r*\n|\r")
_APART = re.compile(r"[^a-z0-9#]+")


class Row(Struct, frozen=True):
    """One row: the number of the line it ends on, its cells by column, stripped, and how many cells it has."""

    line: int
    cells: dict[str, str]
    width: int

    def get(self, column: str) -> str:
        return self.cells.get(column, "")


class Table(Struct, frozen=True):
    """`headings` as written (normalised by `heading`), how wide the header is, and the rows below it."""

    headings: tuple[str, ...]
    columns: frozenset[str]
    rows: Iterator[Row]


def heading(text: str) -> str:
    """A heading as it is compared: "First Discovered", "first_discovered" and "firstDiscovered" are one."""
    return _APART.sub(" ", _CAMEL.sub(" ", text.strip()[:200]).lower()).strip()


def head_of(data: bytes) -> str:
    """The beginning of a table as text; "" for bytes that are none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data[:_HEAD_CHARS].decode("utf-16", "replace")
    head = data[:_HEAD_CHARS]
    binary = head.count(b"\x00") * 20 > len(head)  # a NUL here and there is dirt in a text
    return "" if binary else head.decode("utf-8-sig", "replace")


def find_header(text: str, is_header: Callable[[list[str]], bool]) -> tuple[int, str] | None:
    """(index among the rows, delimiter) of the first row for whose headings `is_header` holds; None without one."""
    # Not `splitlines`: it also parts lines at U+2028 and form feeds, which the reader of the whole does not.
    lines = _LINE_END.split(text[:_HEAD_CHARS])[: 4 * _HEAD_ROWS]
    for delimiter in sorted(_DELIMITERS, key=lambda d: -max((line.count(d) for line in lines), default=0)):
        try:
            for index, row in enumerate(islice(csv.reader(lines, delimiter=delimiter), _HEAD_ROWS)):
                if len(row) <= _MAX_COLUMNS and is_header([heading(cell) for cell in row]):
                    return index, delimiter
        except csv.Error:
            continue
    return None


def read_table(
    data: bytes,
    place: str,
    names: Callable[[str], str],
    is_header: Callable[[list[str]], bool],
    *,
    quoted: bool = True,
) -> Table:
    """The table in `data`: each heading's column by `names` ("" leaves it out; the first of each column counts).

    `quoted` False is for a tool that writes quotes as they are and never means them.

    Raises:
        InputError: undecodable text or no header; while rows are read: a quote that never ends.
        TooLargeError: more than `MAX_TABLE_BYTES`, or a cell of more than `MAX_CELL_CHARS` characters.
    """
    text = decoded(data, place)
    found = find_header(text, is_header)
    if found is None:
        raise InputError(
            "has no header row that is known", where=place, mend="export it with its column headings"
        )
    skipped, delimiter = found
    reader = _reader(text, delimiter, quoted)
    rows = _checked(reader, place)
    head = next(islice(rows, skipped, None), [])
    headings = tuple(heading(cell) for cell in head)
    columns: dict[int, str] = {}
    for i, title in enumerate(headings):
        column = names(title)
        if column and column not in columns.values():
            columns[i] = column
    return Table(headings, frozenset(columns.values()), _rows(rows, reader, columns))


def decoded(data: bytes, place: str) -> str:
    """The text of a table, without byte-order mark, with plain line ends, and with U+FFFD for NUL.

    Raises:
        InputError: it is neither UTF-8 nor UTF-16 with a byte-order mark.
        TooLargeError: more than `MAX_TABLE_BYTES`.
    """
    if len(data) > MAX_TABLE_BYTES:
        raise TooLargeError(
            f"a table of more than {MAX_TABLE_BYTES >> 20} MiB", where=place, mend="split it by asset"
        )
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        raise InputError(
            "invalid UTF-16" if wide else "invalid UTF-8",
            where=f"{place}, line {line}",
            mend='save it as "CSV UTF-8"',
        ) from None
    if "\r\r\n" in text:  # wmic's, when its output is redirected
        text = text.replace("\r\r\n", "\n")
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def _reader(text: str, delimiter: str, quoted: bool) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_CELL_CHARS)
    lines = io.StringIO(text, newline="")
    if not quoted:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    # Strict: else a quote that never ends takes all rows behind it into one cell, and nobody hears of them.
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _checked(reader: Iterator[list[str]], place: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as e:
        where = f"{place}, line {getattr(reader, 'line_num', 0)}"
        if "field larger" in str(e):
            raise TooLargeError(
                f"a cell is longer than {MAX_CELL_CHARS} characters",
                where=where,
                mend="is a quote missing its end?",
            ) from None
        raise InputError(f"is not CSV: {e}", where=where, mend="export the table again") from None


def _rows(rows: Iterator[list[str]], reader: Iterator[list[str]], columns: dict[int, str]) -> Iterator[Row]:
    for row in rows:
        if any(cell and not cell.isspace() for cell in row):
            cells = {column: row[i].strip() for i, column in columns.items() if i < len(row)}
            yield Row(getattr(reader, "line_num", 0), cells, len(row))
