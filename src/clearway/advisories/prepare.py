"""From pieces of input to rows ready to store. Pure, and made to run in worker processes.

A piece is detected by its content, decoded, and everything that can be derived from it alone
is derived here, so that the process that holds the database only moves bytes.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.formats import detect, intake
from clearway.formats.archive import Blob
from clearway.records.advisory import Epss, Kev
from clearway.records.errors import InputError, TooLargeError
from clearway.records.text import plain

from .claims import ClaimRow
from .derived import Derived, derive
from .groups import Edge
from .vendors import bundled

if TYPE_CHECKING:
    from collections.abc import Sequence

# A row of a PostgreSQL index holds 2,704 bytes, and two names are in it.
MAX_NAME_BYTES = 1_200
CATALOGUES = {"kev-json": "kev", "kev-csv": "kev", "epss-csv": "epss"}


class Row(Struct, frozen=True, array_like=True, tag="row"):
    """One record with what it yields. `raw` is None when it is the whole piece."""

    piece: int  # index of the piece in the batch
    place: str
    source: str
    id: str
    kind: str
    version: str
    sha256: bytes
    raw: bytes | None
    facts: bytes
    tlp: str
    edges: tuple[Edge, ...]
    claims: tuple[ClaimRow, ...]
    notes: tuple[str, ...] = ()


class CatalogueRow(Struct, frozen=True, array_like=True, tag="catalogue"):
    """A KEV or EPSS file. KEV entries are `rows`; EPSS scores are (cve, probability, percentile)."""

    piece: int
    place: str
    source: str
    kind: str
    version: str
    sha256: bytes
    rows: tuple[Row, ...] = ()
    scores: tuple[tuple[str, float, float | None], ...] = ()
    model: str = ""


class Aside(Struct, frozen=True, array_like=True, tag="aside"):
    """A record that can't be used: where it stands and why."""

    piece: int
    place: str
    reason: str
    sha256: bytes


class Skipped(Struct, frozen=True, array_like=True, tag="skipped"):
    """A piece that is no record, such as a schema or a signature."""

    piece: int
    place: str
    reason: str


Prepared = Row | CatalogueRow | Aside | Skipped


def prepare(pieces: Sequence[tuple[str, bytes]], forced: str = "") -> list[Prepared]:
    """What each (place, data) yields, in order; `forced` names a format instead of detecting it."""
    out: list[Prepared] = []
    for index, (place, data) in enumerate(pieces):
        out += _piece(index, Blob(place, data), forced)
    return out


def _piece(index: int, blob: Blob, forced: str) -> list[Prepared]:
    sha256 = hashlib.sha256(blob.data).digest()
    try:
        found = detect.detect(blob.data, blob.place)
        kind = _forced_kind(forced, blob.data, found.kind) if forced else found.kind
        if not found.is_record and found.is_skipped and not forced:
            return [Skipped(index, blob.place, found.reason)]
        if kind == "unknown":
            return [Aside(index, blob.place, found.reason, sha256)]
        if kind in CATALOGUES:
            return _catalogue(index, kind, blob, sha256)
        out: list[Prepared] = []
        for item in intake.decode(kind, blob.data, blob.place):
            if isinstance(item, intake.Rejected):
                out.append(Aside(index, item.place, item.reason, sha256))
                continue
            try:
                out.append(_row(index, blob, item))
            except InputError as error:
                out.append(_aside(index, blob, error, sha256))
        return out
    except InputError as error:
        return [_aside(index, blob, error, sha256)]


def _row(index: int, blob: Blob, decoded: intake.Decoded) -> Row:
    derived = derive(decoded.item, bundled())
    _bound_names(decoded, derived)
    whole = decoded.raw is blob.data or decoded.raw == blob.data
    return Row(
        piece=index,
        place=blob.place,
        source=decoded.source,
        id=decoded.id,
        kind=decoded.kind,
        version=decoded.version,
        sha256=hashlib.sha256(decoded.raw).digest(),
        raw=None if whole else decoded.raw,
        facts=derived.facts,
        tlp=derived.tlp,
        edges=derived.edges,
        claims=derived.claims,
        notes=tuple(decoded.notes),
    )


def _bound_names(decoded: intake.Decoded, derived: Derived) -> None:
    """Refuses names that no index holds; the longest in public data has under 300 bytes."""
    names = {decoded.id, decoded.source}
    for edge in derived.edges:
        names.update((edge.subject, edge.target))
    for claim in derived.claims:
        names.update((claim.ecosystem, claim.name))
    longest = max(names, key=len)
    if len(longest) * 4 > MAX_NAME_BYTES and len(longest.encode()) > MAX_NAME_BYTES:
        raise TooLargeError(
            f"a name of {len(longest):,} characters, beginning {plain(longest, 60)!r}",
            where=decoded.place,
            mend=f"a name may take {MAX_NAME_BYTES:,} bytes",
        )


def _catalogue(index: int, kind: str, blob: Blob, sha256: bytes) -> list[Prepared]:
    entries: dict[str, tuple[Row, Kev]] = {}
    scores: dict[str, tuple[str, float, float | None]] = {}
    asides: list[Prepared] = []
    source = version = model = ""
    for item in intake.decode(kind, blob.data, blob.place):
        if isinstance(item, intake.Rejected):
            reason_hash = hashlib.sha256(sha256 + item.place.encode()).digest()
            asides.append(Aside(index, item.place, item.reason, reason_hash))
            continue
        source, version = item.source, item.version
        if isinstance(item.item, Epss):
            score = (item.item.cve, item.item.probability, item.item.percentile)
            model = item.item.model
            if item.id in scores and scores[item.id] != score:
                asides.append(_repeated(index, item, sha256, "the higher score counts"))
            scores[item.id] = max(scores.get(item.id, score), score, key=lambda s: s[1])
        elif isinstance(item.item, Kev):
            row = _row(index, blob, item)
            first = entries.setdefault(item.id, (row, item.item))
            if first[0].raw != row.raw:
                asides.append(_repeated(index, item, sha256, "the entry that was added first counts"))
                entries[item.id] = min(first, (row, item.item), key=lambda e: _urgency(e[1]))
    rows = [row for row, _ in entries.values()]
    if not rows and not scores:
        return asides or [Aside(index, blob.place, "the catalogue holds no entry", sha256)]
    found = CatalogueRow(
        piece=index,
        place=blob.place,
        source=source,
        kind=CATALOGUES[kind],
        version=version,
        sha256=sha256,
        rows=tuple(rows),
        scores=tuple(scores.values()),
        model=model,
    )
    return [found, *asides]


def _repeated(index: int, item: intake.Decoded, sha256: bytes, which: str) -> Aside:
    """A catalogue names each flaw once: of two entries that differ, the one that asks for more counts."""
    return Aside(
        index,
        item.place,
        f"{item.id} is listed twice: {which}",
        hashlib.sha256(sha256 + item.place.encode()).digest(),
    )


def _urgency(entry: Kev) -> tuple[date, date]:
    return entry.date_added, entry.due_date or date.max


def _forced_kind(forced: str, data: bytes, found: str) -> str:
    """The exact kind of a format named on the command line."""
    if found.startswith(forced):
        return found
    if forced == "kev":
        return "kev-json" if data.lstrip()[:1] == b"{" else "kev-csv"
    return "epss-csv" if forced == "epss" else forced


def _aside(index: int, blob: Blob, error: InputError, sha256: bytes) -> Aside:
    return Aside(index, error.where or blob.place, _reason(error), sha256)


def _reason(error: InputError) -> str:
    return f"{error.what} ({error.mend})" if error.mend else error.what
