"""Triages as they are read: each row folded, and held against what was recorded of its item elsewhere.

Elsewhere is the kept fleet, and the other workbooks of the same asset that are about the same flaw or component: one
that was concluded, or that somebody opened under another of the asset's names. What a reader may not see is not told.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.records.errors import ConfigError
from clearway.records.text import plain

from ..duties import duties
from ..reports.provider import default_provider
from ..triage import Subject, Workbook, fold
from ..triage_events import Event, read_event
from ..triage_flags import volatile
from ..triage_patch import SeenPatch, Taken, Wanted, minute
from .triage_item import NUMBERED, asset_of, beside, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

    from ..reports.provider import Provider

_OTHERS = 50  # workbooks of one item that are looked at


class Triage(Struct, frozen=True, kw_only=True):
    """One triage: its number, how many events it has, and the workbook that they make.

    A patch that the kept fleet has seen is part of the workbook (`book.seen`), as far as the reader may see it.
    """

    id: int
    organisation: str
    opened: datetime
    events: int
    book: Workbook


SELECT = """select t.triage, o.slug, t.opened, t.directive, t.asset, t.asset_name, t.flaw, t.component, t.kev_added,
    t.org, t.aud::int,
    array(select e.body::text from clearway.triage_event e where e.triage = t.triage order by e.seq),
    array(select e.recorded from clearway.triage_event e where e.triage = t.triage order by e.seq)
    from clearway.triage t join clearway.organisation o on o.org = t.org"""


class _Elsewhere(Struct):
    """What was recorded of an item outside its workbook."""

    seen: Sequence[SeenPatch] = ()
    taken: Sequence[Taken] = ()
    notes: Sequence[str] = ()


def alone(row: Any, now: datetime) -> Triage:
    """A row of `SELECT` folded by itself: its flags are of its own events."""
    return _folded(row, _Elsewhere(), now)


def several(
    db: psycopg.Connection[Any], rows: Sequence[Any], now: datetime, provider: Provider | None = None
) -> tuple[Triage, ...]:
    """Rows of `SELECT`, each held against what the fleet records of an asset that is named by its number."""
    wanted = [_wanted(row, int(found[1])) if (found := NUMBERED.fullmatch(row[4])) else None for row in rows]
    seen = _seen(db, wanted, provider)
    return tuple(_folded(row, _Elsewhere(seen=s), now) for row, s in zip(rows, seen, strict=True))


def closely(db: psycopg.Connection[Any], row: Any, now: datetime, provider: Provider | None = None) -> Triage:
    """A row of `SELECT`, held against the fleet and the other workbooks of its item, by whatever name it was opened."""
    org, text, flaw, component = row[9], row[4], row[6], row[7]
    asset, told = asset_of(db, org, text, provider)
    (seen,) = _seen(db, [_wanted(row, asset) if asset else None], provider)
    notes = [told or beside(db, org, text, flaw, provider)] if not NUMBERED.fullmatch(text) else []
    words = words_of(db, asset, provider) if asset else frozenset((text.lower(),))
    others = db.execute(
        f"""{SELECT} where t.org = %s and t.triage <> %s and lower(t.asset) = any(%s)
        and (lower(t.flaw) = lower(%s) or lower(t.component) = lower(%s)) order by t.triage desc limit %s""",
        (org, row[0], sorted(words | {text.lower()}), flaw, component, _OTHERS),
    ).fetchall()
    taken: list[Taken] = []
    patches = list(seen)
    for other in (alone(o, now) for o in others):
        taken += volatile(other.book)
        patches += _patches(other)
        notes += _said_of(other)
    notes += _repeated(db, row, sorted(words | {text.lower()}))
    return _folded(row, _Elsewhere(seen=patches, taken=taken, notes=[n for n in notes if n]), now)


def for_all(db: psycopg.Connection[Any], row: Any, now: datetime, provider: Provider | None = None) -> Triage:
    """A row of `SELECT`, held against what of the fleet every reader of it may see: for events and the log."""
    numbered = NUMBERED.fullmatch(row[4])
    wanted = msgspec.structs.replace(_wanted(row, int(numbered[1])), told_to=row[10]) if numbered else None
    (seen,) = _seen(db, [wanted], provider)
    return _folded(row, _Elsewhere(seen=seen), now)


def _folded(row: Any, elsewhere: _Elsewhere, now: datetime) -> Triage:
    subject = Subject(
        organisation=row[1],
        directive=row[3],
        asset=row[4],
        asset_name=row[5],
        flaw=row[6],
        component=row[7],
        kev_added=row[8],
    )
    events: list[Event] = [read_event(text.encode(), f"triage/{row[0]}") for text in row[11]]
    book = fold(
        subject,
        duties(row[3]).triage,
        events,
        now=now,
        recorded=row[12],
        seen=elsewhere.seen,
        opened=row[2],
        elsewhere=elsewhere.taken,
        notes=elsewhere.notes,
    )
    return Triage(id=row[0], organisation=row[1], opened=row[2], events=len(events), book=book)


def _wanted(row: Any, asset: int) -> Wanted:
    return Wanted(org=row[9], asset=asset, flaw=row[6], component=row[7])


def _seen(
    db: psycopg.Connection[Any], wanted: Sequence[Wanted | None], provider: Provider | None
) -> Sequence[Sequence[SeenPatch]]:
    """For each item the patches that the kept fleet knows of; none for what it does not keep."""
    found: list[Sequence[SeenPatch]] = [()] * len(wanted)
    kept = [(n, w) for n, w in enumerate(wanted) if w is not None]
    if not kept:
        return found
    try:
        fleet = provider or default_provider()
    except ConfigError:  # this installation keeps no fleet
        return found
    for (n, _), seen in zip(kept, fleet.patched(db, [w for _, w in kept]), strict=True):
        found[n] = seen
    return found


def _patches(other: Triage) -> Iterator[SeenPatch]:
    """Patches that another workbook tells of and that its own evidence did not precede."""
    for patch in other.book.patches:
        if not patch.after_evidence:
            yield SeenPatch(at=patch.at, where=f"triage/{other.id}", what=patch.what)


def _said_of(other: Triage) -> Iterator[str]:
    book = other.book
    if book.conclusion is not None and book.concluded is not None:
        flags = f", with {len(book.flags)} flags" if book.flags else ""
        yield f"triage/{other.id} of this asset concluded {book.conclusion}, {minute(book.concluded)}{flags}"


def _repeated(db: psycopg.Connection[Any], row: Any, words: Sequence[str]) -> Iterator[str]:
    """Volatile evidence whose very bytes a workbook of another asset has: memory is of one machine."""
    rows = db.execute(
        """select distinct on (e.body->>'evidence') e.body->>'evidence', f.triage, f.body->>'evidence'
        from clearway.triage_event e
        join clearway.triage t on t.org = e.org and t.triage <> e.triage and lower(t.asset) <> all(%(words)s)
        join clearway.triage_event f on f.triage = t.triage and f.body->>'sha256' = e.body->>'sha256'
        where e.triage = %(triage)s and e.body->>'event' = 'evidence_taken' and f.body->>'event' = 'evidence_taken'
            and (e.body->>'volatile')::boolean
        order by e.body->>'evidence', f.triage limit 20""",
        {"triage": row[0], "words": list(words)},
    )
    for mine, triage, theirs in rows:
        yield (
            f"evidence {plain(mine, 60)}: the same bytes as {plain(theirs, 60)} "
            f"in triage/{triage}, of another asset"
        )
