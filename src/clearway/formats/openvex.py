"""OpenVEX documents (specification 0.0.x to 0.2.0) to `VexDocument`. https://github.com/openvex/spec"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from clearway.records.errors import InputError
from clearway.records.vex import VexDocument, VexProduct, VexStatement

from ._fields import a_list, an_object, moment, one_line, strings, text

_STATUSES = ("not_affected", "affected", "fixed", "under_investigation")


def document(record: dict[str, Any], data: bytes) -> tuple[VexDocument, tuple[str, ...]]:
    """The document, and a note for each statement that had to be left out.

    A document without `@id` is named by the hash of `data`. Statements inherit the document's time
    (OpenVEX 0.2.0, "Inheritance model").

    Raises:
        InputError: `statements` is no list, or no statement of several can be read.
    """
    found = one_line(text(record, "@id"), 500)
    author = one_line(text(record, "author"))
    timestamp, updated = moment(record, "timestamp"), moment(record, "last_updated")
    statements: list[VexStatement] = []
    notes: list[str] = []
    items = a_list(record, "statements")
    for at, item in enumerate(items):
        try:
            statements.append(_statement(an_object(item, "statement"), updated or timestamp))
        except InputError as e:
            notes.append(f"statements[{at}] left out: {e.what}")
    if items and not statements:
        raise InputError(
            f"no statement can be read; the first: {notes[0]}", mend="see the OpenVEX specification"
        )
    version = record.get("version")
    return (
        VexDocument(
            id=found or f"sha256:{hashlib.sha256(data).hexdigest()}",
            source=source_of(found, author),
            format="openvex",
            author=author,
            version=str(version) if isinstance(version, str | int) else "",
            timestamp=timestamp,
            updated=updated,
            statements=tuple(statements),
        ),
        tuple(notes),
    )


def source_of(document_id: str, author: str) -> str:
    """ "openvex:" and who speaks: the author, else the host of the document's id."""
    try:
        host = urlsplit(document_id).hostname or ""
    except ValueError:
        host = ""
    return f"openvex:{one_line(author, 80).replace(' ', '-').lower() or host or 'unnamed'}"


def _statement(item: dict[str, Any], inherited: datetime | None) -> VexStatement:
    status = text(item, "status")
    if status not in _STATUSES:
        raise InputError(f"the status is {one_line(status, 30)!r}", mend=f"use one of {', '.join(_STATUSES)}")
    flaws = _flaws(item.get("vulnerability"))
    if not flaws:
        raise InputError("it names no vulnerability", mend="give `vulnerability.name`")
    parts = _parts(item)
    products = tuple(_product(product, parts) for product in a_list(item, "products"))
    return VexStatement(
        flaws=flaws,
        products=products,
        status=status,  # type: ignore[arg-type]
        justification=one_line(text(item, "justification"), 100),
        impact=one_line(text(item, "impact_statement"), 1000),
        action=one_line(text(item, "action_statement"), 1000),
        timestamp=moment(item, "last_updated") or moment(item, "timestamp") or inherited,
    )


def _flaws(value: Any) -> tuple[str, ...]:
    """The name and aliases; 0.0.x wrote a plain string, and some writers only an `@id`."""
    if isinstance(value, str):
        return (value,) if value else ()
    item = an_object(value, "vulnerability")
    name = text(item, "name") or text(item, "@id").rpartition("/")[2]
    return tuple(dict.fromkeys(flaw for flaw in (name, *strings(item, "aliases")) if flaw))


def _product(value: Any, parts: tuple[str, ...]) -> VexProduct:
    if isinstance(value, str):
        return VexProduct(identifiers=(value,) if value else (), subcomponents=parts)
    item = an_object(value, "product")
    return VexProduct(identifiers=_identifiers(item), subcomponents=_parts(item) or parts)


def _parts(item: dict[str, Any]) -> tuple[str, ...]:
    """Identifiers of all subcomponents; 0.0.x wrote strings, and put them beside the products."""
    found: list[str] = []
    for part in a_list(item, "subcomponents"):
        found.extend([part] if isinstance(part, str) else _identifiers(an_object(part, "subcomponent")))
    return tuple(dict.fromkeys(found))


def _identifiers(item: dict[str, Any]) -> tuple[str, ...]:
    named = an_object(item.get("identifiers"), "identifiers")
    hashes = an_object(item.get("hashes"), "hashes")
    found = [text(item, "@id"), *(text(named, key) for key in ("purl", "cpe23", "cpe22"))]
    found += [f"{algorithm}:{text(hashes, algorithm)}" for algorithm in hashes]
    return tuple(dict.fromkeys(i for i in found if i))
