"""What is derived from one record when it is taken in: its note, facts, edges and claims. Pure.

Derived data is kept beside the record and made again whenever `derivation` changes, so a better
reader or vendor map corrects what is already stored without fetching anything.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
from msgspec import Struct

from clearway.formats.cvss_vector import score_of
from clearway.records.advisory import Advisory, Kev, Score, Ssvc
from clearway.records.vex import VexDocument
from clearway.versions import KEY_FORMAT

from .claims import ClaimRow, claims_of
from .groups import Edge, edges_of
from .table_claims import VexClaim, product_key
from .table_flaws import RecordNote, ScoreNote
from .vendors import bundled

if TYPE_CHECKING:
    from datetime import datetime

    from .vendors import VendorMap

# Raised when a reader, a version order or a rule of derivation changes.
_RULES = 6
VEX = "vex"  # the claim ecosystem under which VEX statements are kept, by product


@cache
def derivation() -> int:
    """A number for the rules and the vendor map that derived data is made by; fits PostgreSQL's integer."""
    return crc32(f"{_RULES}:{KEY_FORMAT}:{bundled().edition}".encode()) >> 1


class Head(Struct, frozen=True, array_like=True):
    """What compiling needs to know of a note without reading it."""

    id: str
    source: str
    withdrawn: bool
    ecosystems: tuple[str, ...]


class Facts(Struct, frozen=True, array_like=True):
    """The part of a record that the compiled table shows: one note for each id it carries.

    `notes` stay msgpack of `RecordNote`, in the order of `heads`: they are copied, not read.
    """

    heads: tuple[Head, ...] = ()
    notes: tuple[msgspec.Raw, ...] = ()
    scores: tuple[tuple[str, ScoreNote], ...] = ()  # (id that it scores, score)
    ssvc: tuple[Ssvc, ...] = ()
    kev: tuple[Kev, ...] = ()


class Derived(Struct, frozen=True):
    """Everything that one record yields. `facts` is msgpack of `Facts`."""

    facts: bytes
    edges: tuple[Edge, ...] = ()
    claims: tuple[ClaimRow, ...] = ()
    tlp: str = "CLEAR"


_ENCODE = msgspec.msgpack.Encoder().encode
FACTS = msgspec.msgpack.Decoder(Facts)


def derive(item: object, vendors: VendorMap) -> Derived:
    """What `item` (an `Advisory`, a tuple of them, a `Kev` or a `VexDocument`) yields."""
    if isinstance(item, Advisory):
        return _advisories((item,), vendors)
    if isinstance(item, tuple):
        advisories = tuple(a for a in item if isinstance(a, Advisory))
        derived = _advisories(advisories, vendors)
        claims = list(derived.claims)
        for document in item:
            if isinstance(document, VexDocument):
                claims += _vex_claims(document)
        return Derived(derived.facts, derived.edges, tuple(claims), derived.tlp)
    if isinstance(item, Kev):
        return Derived(_ENCODE(Facts(kev=(item,))))
    if isinstance(item, VexDocument):
        return Derived(_ENCODE(Facts()), claims=tuple(_vex_claims(item)), tlp=item.tlp)
    raise TypeError(f"nothing is derived from {type(item).__name__}")


def _advisories(advisories: tuple[Advisory, ...], vendors: VendorMap) -> Derived:
    heads, notes, scores, ssvc, kev, edges, claims = [], [], [], [], [], [], []  # type: ignore[var-annotated]
    tlp = "CLEAR"
    for advisory in advisories:
        own = claims_of(advisory, vendors)
        claims += own
        if advisory.tlp != "CLEAR":
            tlp = advisory.tlp
        packages = tuple(dict.fromkeys((row.ecosystem, row.name) for row in own))
        note = RecordNote(
            id=advisory.id,
            source=advisory.source,
            format=advisory.format,
            published=_iso(advisory.published),
            modified=_iso(advisory.modified),
            withdrawn=_iso(advisory.withdrawn) or ("rejected" if advisory.rejected else ""),
            packages=packages,
            title=advisory.title[:120],
            disputed=advisory.disputes,
            notes=advisory.notes,
        )
        ecosystems = tuple(dict.fromkeys(p[0] for p in packages))
        heads.append(Head(note.id, note.source, bool(note.withdrawn), ecosystems))
        notes.append(msgspec.Raw(_ENCODE(note)))
        if advisory.withdrawn is None and not advisory.rejected:
            edges += edges_of(
                advisory.id,
                advisory.source,
                aliases=advisory.aliases,
                related=advisory.related,
                upstream=advisory.upstream,
                duplicates=advisory.duplicates,
            )
        scores += [
            (
                advisory.id,
                ScoreNote(s.system, s.vector, _score(s), s.rating, s.source or advisory.source, s.dated),
            )
            for s in advisory.scores
        ]
        ssvc += advisory.ssvc
        kev += advisory.kev
    facts = Facts(tuple(heads), tuple(notes), tuple(scores), tuple(ssvc), tuple(kev))
    return Derived(_ENCODE(facts), tuple(edges), tuple(claims), tlp)


def _score(stated: Score) -> float | None:
    """The source's number; where it gives a vector alone, as OSV does, what the vector means."""
    if stated.score is not None or not stated.vector:
        return stated.score
    return score_of(stated.vector)


def _vex_claims(document: VexDocument) -> list[ClaimRow]:
    rows = []
    for statement in document.statements:
        for product in statement.products:
            for identifier in product.identifiers:
                key = product_key(identifier)
                if not key:
                    continue
                claim = VexClaim(
                    flaws=statement.flaws,
                    status=statement.status,
                    product=identifier,
                    subcomponents=product.subcomponents,
                    justification=statement.justification,
                    document=document.id,
                    source=document.source,
                    timestamp=_iso(statement.timestamp or document.updated or document.timestamp),
                    expires=_iso(statement.expires),
                    impact=statement.impact[:300],
                )
                rows.append(ClaimRow(VEX, key, _ENCODE(claim)))
    return rows


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat().replace("+00:00", "Z")
