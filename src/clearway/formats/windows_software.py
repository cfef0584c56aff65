"""Installed software of Windows hosts: the registry's Uninstall keys, Get-Package, wmic, and winget.

Each becomes a commercial product, vendor and name as typed but for what repeats the version or the architecture: the
reviewed vendor map knows "Mozilla Firefox", not "Mozilla Firefox 102.0 (x64 en-US)".
"""

from __future__ import annotations

import re
from typing import Any

from clearway.records.errors import InputError
from clearway.records.fleet_input import FleetInput, Witness
from clearway.records.inventory import Component

from . import _when
from ._assets import Assets
from ._fields import one_line
from ._scan_json import is_lines, items, line, load, obj, read_lines, row_problem
from ._tables import decoded, find_header, head_of, heading, read_table
from .one_version import why_not

# column -> headings, as `heading` spells them.
HEADINGS: dict[str, tuple[str, ...]] = {
    "name": ("display name", "name"),
    "version": ("display version", "version"),
    "publisher": ("publisher", "vendor"),
    "host": (
        "pscomputer name",
        "ps computer name",
        "computer name",
        "node",
        "system name",
        "host",
        "hostname",
        "machine name",
    ),
    "provider": ("provider name",),
    "hidden": ("system component",),
    "parent": ("parent key name", "parent display name"),
}
_COLUMNS = {title: column for column, titles in HEADINGS.items() for title in titles}
# Headings that only these tools write; "Name,Version" alone is a product list of anything.
_TELLING = frozenset(
    ("display name", "provider name", "pschild name", "ps child name", "pspath", "uninstall string",
     "identifying number",
     "fast package reference", "package cache", "node")
)  # fmt: skip
# Columns that a product list has and no export of these tools.
_PRODUCT_LIST = frozenset(("exposure", "exposed", "internet facing", "public facing", "purl", "cpe"))
_ARCHITECTURE = re.compile(
    r"\s*(?:\((?:x64|x86|arm64|amd64|64[- ]bit|32[- ]bit|x86_64)(?:[ ,]+[\w-]{2,12})?\)"
    r"|\b(?:x64|x86|64-bit|32-bit))\s*$",
    re.IGNORECASE,
)
_LOCALE = re.compile(r"\s*\([a-z]{2}-[A-Z]{2}\)\s*$")
_RULE = re.compile(r"^-{10,}$")
_GAP = re.compile(r" {2,}")
MAX_LISTED = 1_000_000


def program(name: str, version: str, publisher: str, place: str) -> Component:
    """The component that an entry of the registry or of a package manager means."""
    problem = why_not(version)  # of some, winget knows a bound alone
    if problem or version.lower() == "unknown":
        version = ""
    return Component(
        ecosystem="vendor",
        vendor=publisher,
        name=product_name(name, version),
        version=version,
        place=place,
        problem=problem,
    )


def product_name(display: str, version: str) -> str:
    """`display` without architecture, locale and its own version at its end; never empty where `display` is not."""
    name = display.strip()
    for _ in range(4):  # "7-Zip 22.01 (x64)", "Mozilla Firefox (x64 en-US)"
        shorter = _LOCALE.sub("", _ARCHITECTURE.sub("", name)).rstrip(" -,")
        if version and shorter.endswith(version) and shorter[: -len(version)][-1:] in (" ", "v", "-"):
            shorter = re.sub(r"(?:[\s-]+(?:v|version))?[\s-]*$", "", shorter[: -len(version)])
        if shorter == name or not shorter:
            break
        name = shorter
    return name


def is_windows_csv(data: bytes) -> bool:
    """Whether a row near the top has headings of an export of installed software."""
    head = head_of(data)
    return bool(head) and find_header(head, _is_header) is not None


def _is_header(titles: list[str]) -> bool:
    columns = {_COLUMNS.get(title, "") for title in titles}
    if _PRODUCT_LIST.intersection(titles):
        return False
    return {"name", "version"} <= columns and bool(_TELLING.intersection(titles))


def read_csv(data: bytes, place: str) -> FleetInput:
    """An asset for each host that a column names, else one, named as the document is.

    Raises:
        InputError: no header, or not text; TooLargeError: over a bound of `_tables`.
    """
    # wmic does not quote a name with a comma in it, and its first column is the host.
    unquoted = (
        find_header(head_of(data), lambda titles: titles[:1] == ["node"] and _is_header(titles)) is not None
    )
    table = read_table(data, place, lambda title: _COLUMNS.get(title, ""), _is_header, quoted=not unquoted)
    width = len(table.headings)
    found = Assets("windows-csv", Witness(tool="wmic" if unquoted else "powershell"))
    for row in table.rows:
        if unquoted and row.width != width:
            found.refuse(
                f"line {row.line}",
                f"has {row.width} cells, the header {width} (a name has a comma: use PowerShell)",
            )
            continue
        _add(
            {column: one_line(cell, 1000) for column, cell in row.cells.items()},
            place,
            f"line {row.line}",
            found,
        )
    for at, reason in table.refused:
        found.refuse(at, reason)
    return found.finish()


def read_json(data: bytes, place: str) -> FleetInput:
    """As `read_csv`, of `ConvertTo-Json`; an object alone is one entry.

    Raises:
        InputError: not JSON, or another format; TooLargeError: over a bound of `_scan_json`.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # Out-File of Windows PowerShell
        data = decoded(data, place).encode()
    found = Assets("windows-json", Witness(tool="powershell"))
    if is_lines(data):  # an object a line, of one host or of many
        entries = [*read_lines(data, found.refuse)]
    else:
        value = load(data, place, by_row=True)
        listed = [value] if isinstance(value, dict) else items(value)
        entries = [(f"[{index}]", entry) for index, entry in enumerate(listed)]
    for at, entry in entries:
        if problem := row_problem(entry, "is not an object (use ConvertTo-Json)"):
            found.refuse(at, problem)
            continue
        cells: dict[str, str] = {}
        for key, content in entry.items():
            column = _COLUMNS.get(heading(key), "")
            if column and column not in cells:
                cells[column] = line(content, 1000)
        _add(cells, place, at, found)
    return found.finish()


def _add(cells: dict[str, str], document: str, place: str, found: Assets) -> None:
    get = cells.get
    name = get("name", "")
    host = get("host", "")
    if host.lower() in ("localhost", "."):
        host = ""
    asset = found.get(host or document)
    if host:
        asset.named(host)
    asset.complete = True
    if not name or (get("provider", "").lower() == "msu"):
        found.passed_over += 1  # keys without a name are parts of others; msu entries are updates
        return
    asset.components.append(program(name, get("version", ""), get("publisher", ""), place))


def is_winget_list(data: bytes) -> bool:
    """Whether it looks like what `winget list` prints: columns of fixed width, "Id" among them, and a rule below."""
    head = head_of(data)
    return "Id" in head and _listing(head[:20_000]) is not None


def _listing(text: str) -> tuple[int, list[int], list[str]] | None:
    """(index of the rule, where columns begin, headings)."""
    lines = [one.rpartition("\r")[2] for one in text.replace("\r\n", "\n").split("\n", 100)[:100]]
    for index in range(1, len(lines)):
        if _RULE.match(lines[index].strip()):
            header = lines[index - 1]
            titles = header.split()
            if titles[:1] and "Id" in titles and "Version" in titles:
                starts = [m.start() for m in re.finditer(r"(?<!\S)\S", header)]
                return index, starts, titles
    return None


def read_winget_list(data: bytes, place: str) -> FleetInput:
    """A product for each line. Its vendor and name are those of the id ("Mozilla.Firefox") where it has one.

    Raises:
        InputError: not text, or no such listing; TooLargeError: over `MAX_LISTED` lines.
    """
    text = decoded(data, place)
    listing = _listing(text[:20_000])
    if listing is None:
        raise InputError("is not what `winget list` prints", where=place, mend="use `winget export` instead")
    rule, starts, titles = listing
    found = Assets("winget-list", Witness(tool="winget"))
    asset = found.get(place)
    asset.complete = True
    for number, raw in enumerate(
        text.replace("\r\n", "\n").split("\n", MAX_LISTED)[rule + 1 : MAX_LISTED], rule + 2
    ):
        row = raw.rpartition("\r")[2]
        if not row.strip():
            continue
        cells = _cells(row, starts, titles)
        if cells is None:
            found.refuse(f"line {number}", "its columns can't be told apart (use `winget export`)")
            continue
        identifier, name = cells.get("Id", ""), cells.get("Name", "")
        vendor, _, product = identifier.partition(".")
        if (
            not product
            or "\\" in identifier
            or "_" in identifier
            or "\u2026" in identifier
            or "{" in identifier
        ):
            vendor, product = "", name
        if "\u2026" in product:
            found.refuse(f"line {number}", "its name is cut short (use `winget export`, or a wider terminal)")
            continue
        asset.components.append(
            program(one_line(product), one_line(cells.get("Version", ""), 200), vendor, f"line {number}")
        )
    return found.finish()


def _cells(row: str, starts: list[int], titles: list[str]) -> dict[str, str] | None:
    """The cells at `starts`; wide characters shift them, and then runs of spaces part them."""
    if all(start == 0 or start >= len(row) or row[start - 1] == " " for start in starts):
        ends = [*starts[1:], len(row)]
        return {t: row[a:b].strip() for t, a, b in zip(titles, starts, ends, strict=True)}
    parts = [part for part in _GAP.split(row.strip()) if part]
    return dict(zip(titles, parts, strict=False)) if 3 <= len(parts) <= len(titles) else None


def read_winget_export(data: bytes, place: str) -> FleetInput:
    """The packages of `winget export --include-versions`; without that option they have no version.

    Raises:
        InputError: not JSON, or another format; TooLargeError: over a bound of `_scan_json`.
    """
    document: Any = load(data, place)
    found = Assets(
        "winget-export", Witness(tool="winget", version=line(obj(document).get("WinGetVersion"), 40))
    )
    asset = found.get(place)
    try:
        at = _when.moment(line(obj(document).get("CreationDate")), "CreationDate")
    except InputError:
        at = None  # "2021-09-28T14:34:43.000-00:00" in all versions seen; a date is not what it is read for
    if at:
        asset.seen.add(at)
    for number, source in enumerate(items(obj(document).get("Sources"))):
        for index, package in enumerate(items(obj(source).get("Packages"))):
            where = f"Sources[{number}].Packages[{index}]"
            identifier = line(obj(package).get("PackageIdentifier"))
            vendor, _, product = identifier.partition(".")
            if not identifier:
                found.refuse(where, "has no PackageIdentifier")
                continue
            version = line(obj(package).get("Version"), 200)
            asset.components.append(program(product or vendor, version, vendor if product else "", where))
    return found.finish()
