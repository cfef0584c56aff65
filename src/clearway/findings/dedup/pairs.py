"""Pairs of findings that wait for a person: what keys, runs or words say of the two, and nobody has settled yet."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from clearway.http.filters import choice, text
from clearway.http.listing import Listing
from clearway.store.keyset import Column, Source

VERDICTS = ("likely", "regression", "contains")
BASES = ("cross-run", "input", "stack", "crash", "context", "place", "text")


class Pair(Struct, frozen=True, kw_only=True):
    """Two findings, the strongest thing that is said of them, and how far the evidence of each goes."""

    edge: int
    one: str
    other: str
    one_title: str
    other_title: str
    one_organisation: str
    other_organisation: str
    one_release: str
    other_release: str
    one_level: int
    other_level: int
    package: str
    verdict: str
    basis: str
    score: float
    reason: str
    at: datetime


# A pair is settled once a person, or both fixes run against both proofs, said "one" or "two" of it. Of several things
# that are said of one pair the strongest stands for it.
PAIRS = Listing(
    "pairs",
    Pair,
    Source(
        "e.edge, a.handling as one, b.handling as other, a.title as one_title, b.title as other_title, "
        "x.slug as one_organisation, y.slug as other_organisation, a.release as one_release, "
        "b.release as other_release, a.level as one_level, b.level as other_level, a.package, e.verdict, "
        "e.basis, e.score, e.reason, e.at",
        "clearway.finding_edge e join clearway.finding a on a.finding = e.one "
        "join clearway.finding b on b.finding = e.other join clearway.organisation x on x.org = a.org "
        "join clearway.organisation y on y.org = b.org",
    ),
    sorts={
        "score": Column("e.score", "real"),
        "at": Column("e.at", "timestamptz"),
        "package": Column("a.package"),
    },
    tie=Column("e.edge", "bigint"),
    default="-score",
    where="""e.revoked is null and e.verdict in ('likely', 'regression', 'contains')
        and a.live and a.state <> 'withdrawn' and b.state <> 'withdrawn'
        and not exists (select from clearway.finding_edge s where s.revoked is null
            and s.verdict in ('same', 'different') and s.one = least(e.one, e.other)
            and s.other = greatest(e.one, e.other))
        and not exists (select from clearway.finding_edge s where s.revoked is null
            and s.verdict in ('likely', 'regression', 'contains') and (s.score, s.edge) > (e.score, e.edge)
            and (s.one, s.other) in ((e.one, e.other), (e.other, e.one)))""",
    filters={
        "verdict": choice("e.verdict = any(%s)", VERDICTS, "e.verdict <> all(%s)"),
        "basis": choice("e.basis = any(%s)", BASES, "e.basis <> all(%s)"),
        "package": text("a.package = any(%s)"),
    },
    aud="e.aud",
)
