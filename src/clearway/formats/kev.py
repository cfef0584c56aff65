"""CISA's Known Exploited Vulnerabilities catalogue, JSON and CSV, entry by entry."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from msgspec import Struct

from clearway.records.advisory import Kev
from clearway.records.errors import InputError

from . import strict_json
from ._fields import a_date, an_id, an_object, one_line, parse_moment, stamp, strings, text
from .cve import CVE_ID

BEGAN = date(2021, 11, 3)  # the catalogue, with BOD 22-01: nothing was added on a day before
_DATE_IN_NAME = re.compile(r"(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)", re.ASCII)


class Entry(Struct, frozen=True):
    """One entry: its place in the catalogue, its exact bytes, and what it says or what is wrong with it."""

    at: str
    raw: bytes
    kev: Kev | None
    problem: str = ""


def read_json(data: bytes, place: str = "") -> tuple[str, Iterator[Entry]]:
    """(version, entries) of the JSON catalogue. The version is its `catalogVersion`, then `dateReleased`.

    A catalogue without the first is of the day of its release.

    Raises:
        InputError: no JSON, or no list of entries.
    """
    whole = an_object(strict_json.loads(data, place), "the catalogue")
    catalogue = text(whole, "catalogVersion")
    if not isinstance(whole.get("vulnerabilities"), list):
        raise InputError("`vulnerabilities` is not a list", where=place, mend="fetch the catalogue again")
    released = ""
    if moment := parse_moment(text(whole, "dateReleased"), "dateReleased"):
        released = stamp(moment)
        catalogue = catalogue or released[:10].replace("-", ".")
    return _padded(catalogue) + ("T" + released if released else ""), (
        _entry(f"vulnerabilities[{at}]", raw, value, catalogue)
        for at, (raw, value) in enumerate(strict_json.entries(data, whole, "vulnerabilities"))
    )


def read_csv(data: bytes, name: str = "") -> tuple[str, Iterator[Entry]]:
    """(version, entries) of the CSV catalogue, which does not carry its version: the date in its file name, else
    the latest `dateAdded`. Both sort with the JSON catalogue's.

    Raises:
        InputError: its header lacks a column.
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
    rows = list(_rows(lines))
    header = [cell.strip() for cell in rows[0][2]] if rows and rows[0][2] else []
    if "cveID" not in header or "dateAdded" not in header:
        raise InputError("the header lacks cveID or dateAdded", mend="fetch the catalogue again")
    values: list[tuple[str, bytes, Any]] = []
    for line, raw, cells in rows[1:]:
        if isinstance(cells, str):
            values.append((f"line {line}", raw, cells))
        elif len(cells) != len(header):
            values.append((f"line {line}", raw, f"{len(cells)} cells, the header has {len(header)}"))
        else:
            row: dict[str, Any] = dict(zip(header, cells, strict=True))
            row["cwes"] = [cwe.strip() for cwe in row.get("cwes", "").split(",") if cwe.strip()]
            values.append((f"line {line}", raw, row))
    version = _date_in(name) or max(
        (row["dateAdded"].replace("-", ".") for _, _, row in values if isinstance(row, dict)), default=""
    )
    return version, (_entry(at, raw, value, version) for at, raw, value in values)


def _rows(lines: list[bytes]) -> Iterator[tuple[int, bytes, list[str] | str]]:
    """(line number, exact bytes, cells or what is wrong); a quoted cell may hold line feeds."""
    start = 0
    bad = [at for at, line in enumerate(lines) if not _is_utf8(line)]
    reader = csv.reader(line.decode("utf-8", "replace") for line in lines)
    while True:
        problem = ""
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            problem = f"not CSV: {e}"
        end = reader.line_num
        raw = b"".join(lines[start:end]).rstrip(b"\r\n")
        if any(start <= at < end for at in bad):
            problem = "invalid UTF-8"
        if problem or cells:
            yield start + 1, raw, problem or cells
        start = end


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _entry(at: str, raw: bytes, value: Any, catalogue: str) -> Entry:
    if isinstance(value, str):
        return Entry(at, raw, None, value)
    try:
        strict_json.refuse_nul(value, raw)
        return Entry(at, raw, _kev(an_object(value, "entry"), catalogue))
    except InputError as e:
        return Entry(at, raw, None, e.what)


def _kev(item: dict[str, Any], catalogue: str) -> Kev:
    cve = an_id(item, "cveID")
    if not CVE_ID.fullmatch(cve):
        raise InputError(f"`cveID` is {cve!r}", mend="use CVE-YYYY-NNNN")
    added = a_date(text(item, "dateAdded"), "dateAdded")
    if added < BEGAN:
        raise InputError(f"`dateAdded` is {added}, and the catalogue began on {BEGAN}")
    if added.year < int(cve.split("-")[1]):
        raise InputError(f"`dateAdded` is {added}, before the year of {cve}")
    due = text(item, "dueDate")
    return Kev(
        cve=cve,
        date_added=added,
        due_date=a_date(due, "dueDate") if due else None,
        vendor=one_line(text(item, "vendorProject")),
        product=one_line(text(item, "product")),
        name=one_line(text(item, "vulnerabilityName")),
        ransomware=one_line(text(item, "knownRansomwareCampaignUse"), 40),
        required_action=one_line(text(item, "requiredAction"), 4000),
        notes=one_line(text(item, "notes"), 4000),
        cwes=strings(item, "cwes"),
        catalogue=catalogue,
        source="cisa-kev",
    )


def _padded(version: str) -> str:
    """ "2026.8.7" as "2026.08.07", so that greater is newer."""
    return ".".join(part.zfill(2) if part.isdigit() else part for part in one_line(version, 60).split("."))


def _date_in(name: str) -> str:
    found = _DATE_IN_NAME.findall(name)
    return ".".join(found[-1]) if found else ""
