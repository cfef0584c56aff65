"""Tables as CSV (RFC 4180) that a spreadsheet shows and does not run.

A cell that starts with one of `=`, `+`, `-`, `@`, a tab, a carriage return or a line feed is read by spreadsheets as
a formula, so that text from outside could call programs or send cells elsewhere. Such text gets an apostrophe in
front (OWASP, CSV injection). Numbers of ours stay as they are.
"""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MEDIA_TYPE = "text/csv; header=present"  # the framework adds the charset
# With the full-width forms, which some locales' spreadsheets read as their ASCII twins.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """`value` as the text of a cell. None is empty, times are ISO 8601, lists are joined by a space and `|`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return _inert(" | ".join(cell(one) for one in value))
    return _inert(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _inert(text: str) -> str:
    # Spaces in front do not stop every spreadsheet. NUL ends the file for some readers.
    clean = text.replace("\0", "\ufffd")
    return f"'{clean}" if clean.lstrip(" ").startswith(_FORMULA) else clean


def of_records(
    record: type[msgspec.Struct], items: Iterable[msgspec.Struct], *, header: bool = True
) -> bytes:
    """A CSV file with a column for each field of `record`; without `header` its rows alone, to go on with one."""
    names = record.__struct_fields__
    return table(names if header else (), ([getattr(item, name) for name in names] for item in items))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A whole CSV file: UTF-8, CRLF, the header first; the rows alone where that is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if header:
        writer.writerow([_inert(name) for name in header])
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")
