"""Triages: opened, recorded event by event, and reported. Who records is the database's word, not the caller's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.records.errors import ConfigError, ConflictError, InputError, NotFoundError
from clearway.records.text import plain

from ..duties import duties
from ..reports.provider import default_provider
from ..triage import Subject, Workbook, apply, fold, new
from ..triage_events import Event, read_event
from ..triage_patch import SeenPatch, Wanted
from .who import acting_in, between, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

    from clearway.records.principal import Principal

    from ..reports.provider import Provider

_ASSET = re.compile(r"asset/([0-9]{1,18})")
_LIMITS = (("asset", 300), ("asset_name", 300), ("flaw", 300), ("component", 2000))


class Triage(Struct, frozen=True, kw_only=True):
    """One triage: its number, how many events it has, and the workbook that they make.

    A patch that the kept fleet has seen is part of the workbook (`book.seen`), as far as the reader may see it.
    """

    id: int
    organisation: str
    opened: datetime
    events: int
    book: Workbook


_SELECT = """select t.triage, o.slug, t.opened, t.directive, t.asset, t.asset_name, t.flaw, t.component, t.kev_added,
    t.org, t.aud::int,
    array(select e.body::text from clearway.triage_event e where e.triage = t.triage order by e.seq),
    array(select e.recorded from clearway.triage_event e where e.triage = t.triage order by e.seq)
    from clearway.triage t join clearway.organisation o on o.org = t.org"""


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
    """Opens a workbook, for the members of the organisation alone.

    What is named "asset/N" is held against the kept fleet (`provider`, by default its own): it has to be one of the
    organisation's, with that flaw in that component. Any other name is of something that the fleet does not keep.

    Raises:
        ForbiddenError: without the right to operate.
        NotFoundError: the directive knows no triage, or the organisation has no such asset.
        InputError: a text is empty or too long; the fleet finds no such flaw there; KEV has another day.
        ConflictError: one of the same asset, flaw and component is open.
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
    _in_the_fleet(db, org.org, values, kev_added, provider)
    for other in _same(db, org.org, values, now, provider):
        if other.book.conclusion is None:
            raise ConflictError(
                f"triage {other.id} of it is open", where=f"triage/{other.id}", mend="go on with that"
            )
    aud = between(db, org.org)
    row = db.execute(
        """insert into clearway.triage (org, aud, directive, asset, asset_name, flaw, component, kev_added)
        values (%s, %s, %s, %s, %s, %s, %s, %s) returning triage""",
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
    assert row is not None
    made = one(db, int(row[0]), now=now, provider=provider)
    tell(
        db,
        "triage.opened",
        f"triage/{made.id}",
        {"asset": values["asset"], "flaw": values["flaw"], "directive": directive, **_first(made.book)},
        org=org.org,
        aud=aud,
    )
    return made


def _in_the_fleet(
    db: psycopg.Connection[Any],
    org: int,
    about: Mapping[str, str],
    kev_added: datetime,
    provider: Provider | None,
) -> None:
    numbered = _ASSET.fullmatch(about["asset"])
    if numbered is None:
        return
    found = (provider or default_provider()).found_on(db, org, int(numbered[1]), about["flaw"])
    named = [f for f in found if about["component"] in f.components]
    if not named:
        raise InputError(
            f"{about['asset']} has no {about['flaw']} in that component",
            where="component" if found else "flaw",
            mend="name them as its exposure does",
        )
    day = kev_added.astimezone(UTC).date()
    listed = next((f.kev for f in named if f.kev is not None), day)
    if listed != day:
        raise InputError(
            f"KEV has {about['flaw']} since {listed}, not {day}", where="kev_added", mend=f"give {listed}"
        )


def _same(
    db: psycopg.Connection[Any],
    org: int,
    about: Mapping[str, str],
    now: datetime,
    provider: Provider | None,
) -> tuple[Triage, ...]:
    """The triages of one asset, flaw and component; who opens another waits until this transaction ends."""
    item = "\n".join(("clearway triage", str(org), about["asset"], about["flaw"], about["component"]))
    db.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (item,))
    rows = db.execute(
        f"""{_SELECT} where t.org = %s and t.asset = %s and t.flaw = %s and t.component = %s
        order by t.triage desc limit 100""",
        (org, about["asset"], about["flaw"], about["component"]),
    ).fetchall()
    return _read(db, rows, now, provider)


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
    row = db.execute(f"{_SELECT} where t.triage = %s", (triage,)).fetchone()
    if row is None:
        raise NotFoundError("no such triage", where=f"triage/{triage}")
    org = acting_in(db, me, row[1], "operate")
    (kept,) = _read(db, [row], now)
    if kept.events != after:
        raise ConflictError(
            f"it has {kept.events} events, and you have seen {after}",
            where=f"triage/{triage}",
            mend="read it again",
        )
    apply(kept.book, event)
    # A second writer of the same number waits for the first to commit, and then finds the number taken.
    made = db.execute(
        """insert into clearway.triage_event (triage, seq, org, aud, body) values (%s, %s, %s, %s, %s::jsonb)
        on conflict (triage, seq) do nothing returning seq""",
        (triage, after + 1, org.org, row[10], msgspec.json.encode(event).decode()),
    ).fetchone()
    if made is None:
        raise ConflictError("somebody else recorded an event", where=f"triage/{triage}", mend="read it again")
    found = one(db, triage, now=now)
    tell(
        db,
        f"triage.{_ACTS[type(event).__name__]}",
        f"triage/{triage}",
        {"event": msgspec.to_builtins(event), "number": after + 1, **_first(found.book)},
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
    row = db.execute(f"{_SELECT} where t.triage = %s", (triage,)).fetchone()
    if row is None:
        raise NotFoundError("no such triage", where=f"triage/{triage}")
    return _read(db, [row], now, provider)[0]


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
        f"""{_SELECT} where (%(slug)s = '' or o.slug = %(slug)s) and (%(flaw)s = '' or t.flaw = %(flaw)s)
        and (%(before)s = 0 or t.triage < %(before)s) order by t.triage desc limit %(limit)s""",
        {"slug": slug, "flaw": flaw, "before": before, "limit": max(1, min(limit, 500))},
    ).fetchall()
    return _read(db, rows, now)


class Open(Struct, frozen=True, kw_only=True):
    """How many triages of an organisation are open, and their audiences."""

    number: int
    auds: tuple[int, ...]


def open_of(db: psycopg.Connection[Any], slug: str, *, now: datetime, most: int = 500) -> Open:
    """Of the newest `most` triages that the caller may see, those without a conclusion."""
    rows = db.execute(f"{_SELECT} where o.slug = %s order by t.triage desc limit %s", (slug, most)).fetchall()
    auds = [int(row[10]) for row in rows if _one(row, (), now).book.conclusion is None]
    return Open(number=len(auds), auds=tuple(sorted({*auds})))


def about(
    db: psycopg.Connection[Any], assets: Iterable[int], *, now: datetime, limit: int = 500
) -> tuple[Triage, ...]:
    """The triages of these assets of the kept fleet that the caller may see, newest first, at most `limit`."""
    names = [f"asset/{asset}" for asset in sorted(set(assets))]
    rows: Sequence[Any] = db.execute(
        f"{_SELECT} where t.asset = any(%s) order by t.triage desc limit %s", (names, limit)
    ).fetchall()
    return _read(db, rows, now)


def _read(
    db: psycopg.Connection[Any], rows: Sequence[Any], now: datetime, provider: Provider | None = None
) -> tuple[Triage, ...]:
    return tuple(_one(row, seen, now) for row, seen in zip(rows, _seen(db, rows, provider), strict=True))


def _one(row: Any, seen: Sequence[SeenPatch], now: datetime) -> Triage:
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
    book = fold(subject, duties(row[3]).triage, events, now=now, recorded=row[12], seen=seen, opened=row[2])
    return Triage(id=row[0], organisation=row[1], opened=row[2], events=len(events), book=book)


def _seen(
    db: psycopg.Connection[Any], rows: Sequence[Any], provider: Provider | None
) -> Sequence[Sequence[SeenPatch]]:
    """For each triage the patches of its item that the kept fleet knows of; none for what it does not keep."""
    found: list[Sequence[SeenPatch]] = [()] * len(rows)
    kept = [
        (n, Wanted(org=row[9], asset=int(numbered[1]), flaw=row[6], component=row[7]))
        for n, row in enumerate(rows)
        if (numbered := _ASSET.fullmatch(row[4]))
    ]
    if not kept:
        return found
    try:
        fleet = provider or default_provider()
    except ConfigError:  # this installation keeps no fleet
        return found
    for (n, _), seen in zip(kept, fleet.patched(db, [w for _, w in kept]), strict=True):
        found[n] = seen
    return found


def _first(book: Workbook) -> dict[str, object]:
    """For the log: that a patch came before the evidence, and where the fleet has seen one."""
    if not book.patched_first:
        return {}
    return {"patched_first": True, "seen": [msgspec.to_builtins(s) for s in book.seen[:20]]}
