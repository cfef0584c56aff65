"""The list of leases, as the API and the page ask for it."""

from __future__ import annotations

from clearway.http.filters import choice, flag, text
from clearway.http.listing import Listing
from clearway.store.keyset import Column, Source

from .hold import COLUMNS, STATE, TABLES, Lease
from .rule import ACTIVITIES

STATES = ("planned", "held", "released", "withdrawn", "over")

LEASES = Listing(
    "leases",
    Lease,
    Source(COLUMNS, TABLES),
    sorts={
        "starts": Column("l.starts", "timestamptz"),
        "until": Column("l.until", "timestamptz"),
        "asked": Column("l.asked", "timestamptz"),
    },
    tie=Column("l.lease", "bigint"),
    aud="l.aud",
    default="starts",
    filters={
        "state": choice(f"({STATE}) = any(%s)", STATES, f"({STATE}) <> all(%s)"),
        "activity": choice("l.activity = any(%s)", ACTIVITIES, "l.activity <> all(%s)"),
        "organisation": text("o.slug = any(%s)"),
        "exclusive": flag("l.exclusive = any(%s)"),
        "sealed": flag("l.sealed = any(%s)"),
    },
)
