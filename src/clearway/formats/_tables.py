"""Tables as spreadsheets, scanners and PowerShell export them: CSV with a header somewhere near the top.

Any of UTF-8 and UTF-16 with a byte-order mark; comma, semicolon, tab or pipe; headings in any case and spelling.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from msgspec import Struct

from clearway.records.errors import InputError, TooLargeError

MAX_TABLE_BYTES = 256 << 20
MAX_CELL_CHARS = 1 << 20  # a scanner's report of one host stands in one cell
_AGAIN_CHARS = 8 << 20  # that are read again behind rows that can't be
NO_CSV = "is not CSV: a quote has no end, or text behind it (export the table again)"
NO_UTF8 = 'is not UTF-8 (save it as "CSV UTF-8")'
_UNDECODED = re.compile("[\udc80-\udcff]")
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
    """`headings` as written (normalised by `heading`), how wide the header is, and the rows below it.

    `refused` are (place, reason) of rows that can't be read, as far as `rows` have been.
    """

    headings: tuple[str, ...]
    columns: frozenset[str]
    rows: Iterator[Row]
    refused: list[tuple[str, str]]


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

    `quoted` False is for a tool that writes quotes as they are and never means them. A row that is no UTF-8 where a
    column is, has a cell of over `MAX_CELL_CHARS`, or a quote that never ends, is refused, and the rest follows.

    Raises:
        InputError: undecodable UTF-16, no header, or a column that stands there twice under one name.
        TooLargeError: more than `MAX_TABLE_BYTES`; while rows are read: too many that can't be.
    """
    text = decoded(data, place)
    found = find_header(text, is_header)
    if found is None:
        raise InputError(
            "has no header row that is known", where=place, mend="export it with its column headings"
        )
    _, delimiter = found
    refused: list[tuple[str, str]] = []
    rows = rows_of(
        text, delimiter, place, lambda line, reason: refused.append((f"line {line}", reason)), quoted=quoted
    )
    headings: tuple[str, ...] = ()
    for line, head in rows:
        headings = tuple(heading(cell) for cell in head)
        if len(head) <= _MAX_COLUMNS and is_header([*headings]):
            refuse_twice([title for title in headings if names(title)], f"{place}, line {line}")
            break
    refused.clear()  # what stands above the header is no row
    columns: dict[int, str] = {}
    for i, title in enumerate(headings):
        column = names(title)
        if column and column not in columns.values():
            columns[i] = column
    return Table(headings, frozenset(columns.values()), _rows(rows, columns, refused), refused)


def refuse_twice(titles: Iterable[str], place: str) -> None:
    """Raises InputError where one of these headings stands there twice: nobody can tell which of them is meant."""
    met: set[str] = set()
    for title in titles:
        if title in met:
            raise InputError(
                f"has two columns {title[:60]!r}",
                where=place,
                mend="leave one out, or give each its own name",
            )
        met.add(title)


def decoded(data: bytes, place: str) -> str:
    """The text of a table, without byte-order mark, with plain line ends, and with U+FFFD for NUL.

    Bytes that are no UTF-8 are lone surrogates: `is_text` tells the cells that have any.

    Raises:
        InputError: it has the byte-order mark of UTF-16 and is none.
        TooLargeError: more than `MAX_TABLE_BYTES`.
    """
    if len(data) > MAX_TABLE_BYTES:
        raise TooLargeError(
            f"a table of more than {MAX_TABLE_BYTES >> 20} MiB", where=place, mend="split it by asset"
        )
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16") if wide else data.decode("utf-8-sig", "surrogateescape")
    except UnicodeDecodeError:
        raise InputError("invalid UTF-16", where=place, mend='save it as "CSV UTF-8"') from None
    if "\r\r\n" in text:  # wmic's, when its output is redirected
        text = text.replace("\r\r\n", "\n")
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def is_text(cell: str) -> bool:
    """Whether all of it could be decoded."""
    return cell.isascii() or _UNDECODED.search(cell) is None


class _Lines:
    """The lines of a text for `csv.reader`, which can be taken up again behind any of them."""

    def __init__(self, text: str) -> None:
        self.stream = io.StringIO(text, newline="")
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.stream.readline()
        if not line:
            raise StopIteration
        self.number += 1
        return line


def rows_of(
    text: str,
    delimiter: str,
    place: str,
    refuse: Callable[[int, str], None],
    *,
    quoted: bool = True,
    most_chars: int = MAX_CELL_CHARS,
) -> Iterator[tuple[int, list[str]]]:
    """(number of the line it ends on, cells) of each row. One that is no CSV goes to `refuse`, by its first line.

    Reading goes on behind that line: what follows it may be rows.

    Raises:
        TooLargeError: so many can't be read that looking for the next costs more than the table is worth.
    """
    csv.field_size_limit(most_chars)
    lines = _Lines(text)
    # Strict: else a quote that never ends takes all rows behind it into one cell, and nobody hears of them.
    form: dict[str, Any] = {"strict": True} if quoted else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(lines, delimiter=delimiter, **form)
    left = 4 * len(text) + _AGAIN_CHARS
    while True:
        start, at = lines.number, lines.stream.tell()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            left -= lines.stream.tell() - at
            if left < 0:
                raise TooLargeError(
                    f"too many rows are no CSV: {e}",
                    where=f"{place}, line {start + 1}",
                    mend="export it again",
                ) from None
            refuse(start + 1, too_long(most_chars) if "field larger" in str(e) else NO_CSV)
            lines.stream.seek(at)
            lines.stream.readline()
            lines.number = start + 1
            reader = csv.reader(lines, delimiter=delimiter, **form)
        else:
            yield lines.number, row


def too_long(most_chars: int) -> str:
    """Why a row with such a cell is set aside."""
    return f"has a cell of more than {most_chars:,} characters (is a quote missing its end?)"


def _rows(
    rows: Iterator[tuple[int, list[str]]], columns: dict[int, str], refused: list[tuple[str, str]]
) -> Iterator[Row]:
    for line, row in rows:
        if any(cell and not cell.isspace() for cell in row):
            cells = {column: row[i].strip() for i, column in columns.items() if i < len(row)}
            if all(is_text(cell) for cell in cells.values()):
                yield Row(line, cells, len(row))
            else:
                refused.append((f"line {line}", NO_UTF8))
