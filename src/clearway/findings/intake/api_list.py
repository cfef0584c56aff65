"""The list of findings, as the API and the page ask for it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from clearway.http.filters import choice, flag, number, text
from clearway.http.listing import Listing
from clearway.store.keyset import Column, Source

from ..kept import STATES


class FindingLine(Struct, frozen=True, kw_only=True):
    """One finding in the list. `missing` is what its gates lack."""

    handling: str
    organisation: str
    title: str
    ecosystem: str
    package: str
    release: str
    place: str
    cwe: str
    severity: str
    state: str
    state_why: str
    level: int
    live: bool
    received: datetime
    changed: datetime


FINDINGS = Listing(
    "findings",
    FindingLine,
    Source(
        "f.handling, o.slug as organisation, f.title, f.ecosystem, f.package, f.release, f.place, f.cwe, f.severity, "
        "f.state, f.state_why, f.level, f.live, f.received, f.changed",
        "clearway.finding f join clearway.organisation o on o.org = f.org",
    ),
    sorts={
        "received": Column("f.received", "timestamptz"),
        "changed": Column("f.changed", "timestamptz"),
        "package": Column("f.package"),
        "level": Column("f.level", "int"),
    },
    tie=Column("f.finding", "bigint"),
    aud="f.aud",
    default="-received",
    filters={
        "state": choice("f.state = any(%s)", STATES, "f.state <> all(%s)"),
        "organisation": text("o.slug = any(%s)"),
        "ecosystem": text("f.ecosystem = any(%s)"),
        "package": text("f.package = any(%s)"),
        "cwe": text("f.cwe = any(%s)"),
        "level": number("f.level = any(%s)", most=6),
        "live": flag("f.live = any(%s)"),
    },
)
