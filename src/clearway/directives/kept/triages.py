"""Triages: opened, recorded event by event, and reported. Who records is the database's word, not the caller's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege

from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.records.text import plain

from ..duties import duties
from ..triage import Subject, apply, new
from ..triage_events import read_event
from .triage_item import NUMBERED, Item, item_of, readers_of, words_of
from .triage_read import SELECT, alone, closely, for_all, several
from .triage_read import Triage as Triage
from .who import acting_in, between, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import psycopg

    from clearway.records.principal import Principal

    from ..reports.provider import Provider

_LIMITS = (("asset", 300), ("asset_name", 300), ("flaw", 300), ("component", 2000))


def open_triage(
    db: psycopg.Connection[Any],
    me: Principal,
    slug: str,
    *,
    directive: str,
    asset: str,
    asset_name: str,
    flaw: str,
    component: str,
    kev_added: datetime,
    now: datetime,
    provider: Provider | None = None,
) -> Triage:
    """Opens a workbook, for the members of the organisation who may see the asset that it is about.

    A name that the kept fleet has (`provider`, by default its own) is that asset, whatever its case, and by "asset/N",
    name, identifier or address: it has to have that flaw in that component, and both are kept as the fleet names them.
    Any other name is of something that the fleet does not keep, which the workbook says where the fleet has the flaw.

    Raises:
        ForbiddenError: without the right to operate.
        NotFoundError: the directive knows no triage, or the organisation has no such asset.
        InputError: a text is empty or too long; the fleet finds no such flaw there, or several assets of that name;
            KEV has another day.
        ConflictError: one of the same asset, flaw and component is open, or what it is about was marked anew meanwhile.
    """
    org = acting_in(db, me, slug, "operate")
    steps = duties(directive).triage
    values = {"asset": asset, "asset_name": asset_name.strip() or asset, "flaw": flaw, "component": component}
    for name, longest in _LIMITS:
        values[name] = plain(values[name].strip(), longest + 1)
        if not values[name] or len(values[name]) > longest:
            raise InputError(f"1 to {longest} characters are wanted", where=name)
    subject = Subject(organisation=org.slug, directive=directive, kev_added=kev_added, **values)
    new(subject, steps)
    if kev_added > now:
        raise InputError("the addition to KEV lies in the future", where="kev_added", mend="give its day")
    item = item_of(db, org.org, values, kev_added, provider)
    values = {name: getattr(item, name) for name in values}
    for other in _same(db, org.org, item, now, provider):
        if other.book.conclusion is None:
            raise ConflictError(
                f"triage {other.id} of it is open", where=f"triage/{other.id}", mend="go on with that"
            )
    # Of the members, who may see what says so; and who may see the asset and the record, from now on: the database
    # sees to that.
    aud = readers_of(db, item, between(db, org.org))
    try:
        row = db.execute(
            """insert into clearway.triage (org, aud, directive, asset, asset_name, flaw, component, kev_added)
            values (%s, %s, %s, %s, %s, %s, %s, %s) returning triage, aud::int""",
            (
                org.org,
                aud,
                directive,
                values["asset"],
                values["asset_name"],
                values["flaw"],
                values["component"],
                kev_added,
            ),
        ).fetchone()
    except InsufficientPrivilege as error:  # what it is about went to another audience, since it was read
        raise ConflictError(
            "the marking of what it is about has just changed", where="asset", mend="open it again"
        ) from error
    assert row is not None
    made = one(db, int(row[0]), now=now, provider=provider)
    tell(
        db,
        "triage.opened",
        f"triage/{made.id}",
        {
            "asset": values["asset"],
            "flaw": values["flaw"],
            "directive": directive,
            **_first(db, made.id, now, provider),
        },
        org=org.org,
        aud=int(row[1]),
    )
    return made


def _same(
    db: psycopg.Connection[Any], org: int, item: Item, now: datetime, provider: Provider | None
) -> tuple[Triage, ...]:
    """The triages of one asset, flaw and component; who opens another waits until this transaction ends.

    One that was opened under a name of the asset before the fleet had it is of the same asset, and one under an id that
    the flaw had before of the same flaw.
    """
    lock = "\n".join(
        ("clearway triage", str(org), *(w.lower() for w in (item.asset, item.flaw, item.component)))
    )
    db.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))
    numbered = NUMBERED.fullmatch(item.asset)
    words = words_of(db, int(numbered[1]), provider) if numbered else {item.asset.lower()}
    flaws = [flaw.lower() for flaw in (item.flaw, *item.former)]
    rows = db.execute(
        f"""{SELECT} where t.org = %s and lower(t.asset) = any(%s) and lower(t.flaw) = any(%s)
        and lower(t.component) = lower(%s) order by t.triage desc limit 100""",
        (org, sorted(words), flaws, item.component),
    ).fetchall()
    return several(db, rows, now, provider)


def record(
    db: psycopg.Connection[Any], me: Principal, triage: int, data: bytes, *, after: int, now: datetime
) -> Triage:
    """Appends one event, given as JSON (`triage_events.read_event`); `after` is how many the caller has seen.

    Raises:
        NotFoundError: no such triage.
        ForbiddenError: without the right to operate in its organisation.
        InputError: not an event, or of a time to come.
        ConflictError: it does not fit, or somebody else recorded one meanwhile.
    """
    if len(data) > 50_000:  # an entry of the log holds 64 KiB
        raise InputError("more than 50,000 bytes", where="event")
    event = read_event(data)
    if event.at > now:
        raise InputError("lies in the future", where="at", mend="record what has happened")
    row = _row(db, triage)
    org = acting_in(db, me, row[1], "operate")
    kept = alone(row, now)
    if kept.events != after:
        raise ConflictError(
            f"it has {kept.events} events, and you have seen {after}",
            where=f"triage/{triage}",
            mend="read it again",
        )
    apply(kept.book, event)
    # A second writer of the same number waits for the first to commit, and then finds the number taken.
    try:
        made = db.execute(
            """insert into clearway.triage_event (triage, seq, org, aud, body) values (%s, %s, %s, %s, %s::jsonb)
            on conflict (triage, seq) do nothing returning seq""",
            (triage, after + 1, org.org, row[10], msgspec.json.encode(event).decode()),
        ).fetchone()
    except ForeignKeyViolation as error:  # it went to another audience with its asset, since it was read
        raise ConflictError(
            "its marking has just changed", where=f"triage/{triage}", mend="read it again"
        ) from error
    if made is None:
        raise ConflictError("somebody else recorded an event", where=f"triage/{triage}", mend="read it again")
    found = one(db, triage, now=now)
    tell(
        db,
        f"triage.{_ACTS[type(event).__name__]}",
        f"triage/{triage}",
        {"event": msgspec.to_builtins(event), "number": after + 1, **_first(db, triage, now, None)},
        org=org.org,
        aud=int(row[10]),
    )
    return found


_ACTS = {
    "StepStarted": "step_started",
    "StepDone": "step_done",
    "StepSkipped": "step_skipped",
    "EvidenceTaken": "evidence_taken",
    "EvidenceMoved": "evidence_moved",
    "Patched": "patched",
    "Concluded": "concluded",
    "IncidentReported": "incident_reported",
    "Reopened": "reopened",
}


def one(
    db: psycopg.Connection[Any], triage: int, *, now: datetime, provider: Provider | None = None
) -> Triage:
    """One triage with its workbook, flags as of `now`. Raises NotFoundError."""
    return closely(db, _row(db, triage), now, provider)


def audience_of(db: psycopg.Connection[Any], triage: int) -> int:
    """Who may read a triage. Raises NotFoundError."""
    row = db.execute("select aud::int from clearway.triage where triage = %s", (triage,)).fetchone()
    if row is None:
        raise NotFoundError("no such triage", where=f"triage/{triage}")
    return int(row[0])


def of_organisation(
    db: psycopg.Connection[Any],
    slug: str = "",
    *,
    now: datetime,
    flaw: str = "",
    before: int = 0,
    limit: int = 50,
) -> tuple[Triage, ...]:
    """The triages that the caller may see, newest first, at most `limit`; `before` is the id to go on from."""
    rows: Sequence[Any] = db.execute(
        f"""{SELECT} where (%(slug)s = '' or o.slug = %(slug)s) and (%(flaw)s = '' or t.flaw = %(flaw)s)
        and (%(before)s = 0 or t.triage < %(before)s) order by t.triage desc limit %(limit)s""",
        {"slug": slug, "flaw": flaw, "before": before, "limit": max(1, min(limit, 500))},
    ).fetchall()
    return several(db, rows, now)


def these(db: psycopg.Connection[Any], ids: Sequence[int], *, now: datetime) -> tuple[Triage, ...]:
    """Those of these triages that the caller may see, in the order of their numbers."""
    rows = db.execute(f"{SELECT} where t.triage = any(%s) order by t.triage", (list(ids),)).fetchall()
    return several(db, rows, now)


class Open(Struct, frozen=True, kw_only=True):
    """How many triages of an organisation are open, and their audiences."""

    number: int
    auds: tuple[int, ...]


def open_of(db: psycopg.Connection[Any], slug: str, *, now: datetime, most: int = 500) -> Open:
    """Of the newest `most` triages that the caller may see, those without a conclusion."""
    rows = db.execute(f"{SELECT} where o.slug = %s order by t.triage desc limit %s", (slug, most)).fetchall()
    auds = [int(row[10]) for row in rows if alone(row, now).book.conclusion is None]
    return Open(number=len(auds), auds=tuple(sorted({*auds})))


def about(
    db: psycopg.Connection[Any], assets: Iterable[int], *, now: datetime, limit: int = 500
) -> tuple[Triage, ...]:
    """The triages of these assets of the kept fleet that the caller may see, newest first, at most `limit`."""
    names = [f"asset/{asset}" for asset in sorted(set(assets))]
    rows: Sequence[Any] = db.execute(
        f"{SELECT} where t.asset = any(%s) order by t.triage desc limit %s", (names, limit)
    ).fetchall()
    return several(db, rows, now)


def _first(
    db: psycopg.Connection[Any], triage: int, now: datetime, provider: Provider | None
) -> dict[str, object]:
    """For the log: that a patch came before the evidence, and where the fleet has seen one, for whom the triage is."""
    book = for_all(db, _row(db, triage), now, provider).book
    if not book.patched_first:
        return {}
    return {"patched_first": True, "seen": [msgspec.to_builtins(s) for s in book.seen[:20]]}


def _row(db: psycopg.Connection[Any], triage: int) -> Any:
    row = db.execute(f"{SELECT} where t.triage = %s", (triage,)).fetchone()
    if row is None:
        raise NotFoundError("no such triage", where=f"triage/{triage}")
    return row
