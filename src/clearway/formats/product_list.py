"""Commercial products as a CSV: vendor, product, version, and optionally host and exposure.

Most of what is known to be exploited is vendor software that no package ecosystem lists.
"""

from __future__ import annotations

import re

from clearway.records.errors import InputError
from clearway.records.inventory import Component, Inventory

from .component import Gathering
from .one_version import why_not

MAX_FIELD_CHARS = 100_000
PASSED_OVER = " (set aside)"  # what a problem ends with that lost a row
_SEP = re.compile(r'"?sep=([,;\t|])"?', re.IGNORECASE)
_DELIMITERS = (",", ";", "\t")
# Header cells, lower case, with "_", "-" and runs of spaces as one space.
_HEADERS = {
    "vendor": "vendor",
    "vendor name": "vendor",
    "manufacturer": "vendor",
    "publisher": "vendor",
    "supplier": "vendor",
    "make": "vendor",
    "product": "product",
    "product name": "product",
    "software": "product",
    "software name": "product",
    "application": "product",
    "application name": "product",
    "name": "product",
    "display name": "product",
    "model": "product",
    "version": "version",
    "product version": "version",
    "software version": "version",
    "installed version": "version",
    "display version": "version",
    "firmware": "version",
    "firmware version": "version",
    "release": "version",
    "host": "host",
    "hostname": "host",
    "host name": "host",
    "asset": "host",
    "asset name": "host",
    "machine": "host",
    "device": "host",
    "device name": "host",
    "computer": "host",
    "computer name": "host",
    "server": "host",
    "exposure": "exposure",
    "exposed": "exposure",
    "internet facing": "exposure",
    "public facing": "exposure",
    "purl": "purl",
    "cpe": "cpe",
}
EXPOSURES = {
    "public": "public",
    "internet": "public",
    "external": "public",
    "exposed": "public",
    "yes": "public",
    "true": "public",
    "1": "public",
    "internal": "internal",
    "private": "internal",
    "no": "internal",
    "false": "internal",
    "0": "internal",
    "unknown": "",
    "": "",
}


def is_product_list(head: bytes) -> bool:
    """Whether the first line of `head` is a header that names a product, and a vendor or a version."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", "replace")
    else:
        text = head.decode("utf-8-sig", "replace")
    told, line, _ = _sep(text)
    columns = set(_columns(_cells(line, told or _delimiter(line))).values())
    return "product" in columns and bool(columns & {"vendor", "version"})


def read(data: bytes, name: str) -> Inventory:
    """A component for each row: ecosystem "vendor", vendor and product as typed.

    The delimiter is the one of `,`, `;` and tab that the header has most of. Header names are known
    in any case and by common synonyms; other columns are ignored. A row with a purl is that package.
    A cell that looks like a spreadsheet formula is text. A row without product, or with a wildcard, a bound, a range or
    a list where its version should stand (`one_version`), is a component with a problem. One that is no UTF-8, no CSV,
    or has a cell of over `MAX_FIELD_CHARS` characters is passed over, with a problem of the document that ends with
    `PASSED_OVER`.

    Raises:
        InputError: no header, one column twice, or UTF-16 that is none.
        TooLargeError: as `_tables.rows_of`.
    """
    from ._tables import NO_UTF8, is_text, refuse_twice, rows_of

    text = _decode(data)
    told, header, text = _sep(text)
    delimiter = told or _delimiter(header)
    found = Gathering()
    columns: dict[int, str] = {}

    def refuse(line: int, reason: str) -> None:
        found.problems.append(f"line {line + bool(told)} {reason}{PASSED_OVER}")

    for line, row in rows_of(text, delimiter, name, refuse, most_chars=MAX_FIELD_CHARS):
        number = line + bool(told)
        if not row:
            continue
        if not columns:
            columns = _columns(row)
            if "product" not in columns.values():
                raise InputError(
                    "has no product column", where=name, mend="name the columns vendor,product,version"
                )
            refuse_twice(
                (_heading(cell) for cell in row if _heading(cell) in _HEADERS), f"{name}, line {number}"
            )
            continue
        if not all(is_text(row[i]) for i in columns if i < len(row)):
            refuse(line, NO_UTF8)
            continue
        cells = {column: row[i].strip() for i, column in columns.items() if i < len(row)}
        if any(cells.values()):
            _add(cells, f"line {number}", found)
    return Inventory(
        name=name, format="product-list", components=found.finish(), problems=tuple(found.problems)
    )


def _add(cells: dict[str, str], place: str, found: Gathering) -> None:
    get = cells.get
    stated = get("exposure", "").lower()
    exposure = EXPOSURES.get(stated)
    if exposure is None:
        found.problems.append(f"{place}: exposure {stated[:40]!r} is neither public nor internal")
        exposure = ""
    product, version, host = get("product", ""), get("version", ""), get("host", "")
    cpes = (get("cpe", ""),) if get("cpe") else ()
    if get("purl"):
        found.add(get("purl", ""), product, version, place, cpes)
        found.locate(host, exposure)
        wrong = why_not(version, packaged=True)
        if wrong and found.components[-1].version == version:
            found.blame(wrong)
        return
    problem = why_not(version) if product else "row has no product"
    found.components.append(
        Component(
            ecosystem="vendor",
            vendor=get("vendor", ""),
            name=product,
            version=version,
            cpes=cpes,
            place=place,
            host=host,
            exposure=exposure,
            problem=problem,
        )
    )


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # "Unicode text" of spreadsheet programs
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise InputError("invalid UTF-16", mend='save the sheet as "CSV UTF-8"') from None
    return data.decode("utf-8-sig", "surrogateescape")


def _sep(text: str) -> tuple[str, str, str]:
    """(delimiter that Excel's first line "sep=;" names, the header, the text from the header on)."""
    first, _, rest = text.lstrip().partition("\n")
    told = _SEP.fullmatch(first.rstrip("\r"))
    if told is None:
        return "", first.rstrip("\r"), text
    return told[1], rest.lstrip().partition("\n")[0].rstrip("\r"), rest


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(delimiter)]


def _heading(cell: str) -> str:
    return " ".join(cell.strip().lower().replace("_", " ").replace("-", " ").split())


def _columns(cells: list[str]) -> dict[int, str]:
    """Index -> column, the first of each where a header repeats."""
    found: dict[int, str] = {}
    for i, cell in enumerate(cells):
        column = _HEADERS.get(_heading(cell))
        if column and column not in found.values():
            found[i] = column
    return found
