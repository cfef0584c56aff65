"""Answers and exposures follow the compiled table, as the table follows the database.

`fleet_state` says which table the answers stand for. What changed since is told by the table itself: the
rows beside the file that it was compiled to (`Table.changed`) are a superset of it, and asking again about
what did not change changes nothing. Another file means that everything was compiled: all is matched anew.
Killed anywhere, the next run does the same again.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.records.errors import ConflictError

from . import answer, dictionary, due, noted, told

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    import psycopg

    from clearway.advisories.table import Table

# Shared by who takes inventories in, alone for who follows: no version is asked of one table while
# another is followed.
_LOCK = 0x636C7761_00000006
_BATCH = 20_000
_COLUMNS_PAY_AT = 20_000  # versions


class Followed(Struct, frozen=True, kw_only=True):
    """What following changed. `whole`: all was matched anew."""

    whole: bool = False
    versions: int = 0  # asked about
    answers: int = 0  # that changed
    appeared: int = 0
    ended: int = 0
    dated: int = 0


class RenewedError(ConflictError):
    """The answers stand for a newer table than the one that was given: ask again with the one that stands now."""


class _State(Struct, frozen=True):
    base: str
    generation: int
    rows: bytes
    kev: bool
    ssvc: bool


def together(db: psycopg.Connection[Any], table: Table, day: date) -> None:
    """Makes sure that the answers stand for `table`, for the rest of this transaction of the owner's.

    Raises:
        RenewedError: they stand for a newer one.
    """
    here = _of(table)
    if _state(db) != here:  # locked alone at once: two who share a lock would wait for each other
        db.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        state = _state(db)
        if state is not None and state.generation > here.generation:
            raise _renewed(table)
        if state != here:
            _follow(db, table, day)
        return
    db.execute("select pg_advisory_xact_lock_shared(%s)", (_LOCK,))
    if _state(db) != here:
        raise _renewed(table)


def _renewed(table: Table) -> RenewedError:
    return RenewedError(
        "the advisory table has been renewed meanwhile", where=str(table.path), mend="try again"
    )


def alone(db: psycopg.Connection[Any]) -> None:
    """Keeps everybody else from asking or following until this transaction ends."""
    db.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))


def follow(db: psycopg.Connection[Any], table: Table, day: date, home: Path | None = None) -> Followed:
    """Brings answers, exposures and dates up to `table`: the owner's transaction. Does nothing when they are.

    With a `home`, a large fleet is matched anew in columns (`rematch`), through private files in there.
    """
    alone(db)
    if _state(db) == _of(table):
        return Followed()
    return _follow(db, table, day, home)


def _follow(db: psycopg.Connection[Any], table: Table, day: date, home: Path | None = None) -> Followed:
    with told.gathering(db, "advisories"):
        return _followed(db, table, day, home)


def _followed(db: psycopg.Connection[Any], table: Table, day: date, home: Path | None) -> Followed:
    state, here = _state(db), _of(table)
    whole = state is None or state.base != here.base
    changed_flaws = None if whole else set(table.changed.get("flaw", ()))
    mark = db.execute("select clearway.fleet_now()").fetchone()
    public_now = dictionary.keep_facts(db, table, changed_flaws)
    _redirects(db, table, whole)
    db.execute(
        """insert into clearway.fleet_state (at, base, generation, rows, kev_loaded, ssvc_loaded)
        values ((select clearway.fleet_now()), %s, %s, %s, %s, %s)""",
        (here.base, here.generation, here.rows, here.kev, here.ssvc),
    )
    pvs = _versions(db) if whole else _touched(db, table)
    if whole and home is not None and len(pvs) > _COLUMNS_PAY_AT:
        from .rematch import rematch

        done = rematch(db, table, home, day)
        put = answer.Put(done.changed, done.appeared, done.ended, 0)
    else:
        put = _ask_again(db, table, pvs, day)
    noted.note(db, pvs=None if whole else pvs, products=table.changed.get("vex", ()))
    loads_changed = state is None or (state.kev, state.ssvc) != (here.kev, here.ssvc)
    dated = due.date_again(db, day) if loads_changed else _date_moved(db, mark, day, public_now)
    return Followed(whole=whole, versions=len(pvs), answers=put.answers, appeared=put.appeared, ended=put.ended,
                    dated=dated)  # fmt: skip


def _date_moved(db: psycopg.Connection[Any], mark: Any, day: date, more: set[int]) -> int:
    """Dates the exposures of flaws whose facts have just changed, and of `more`."""
    rows = db.execute("select distinct flaw from clearway.flaw_history where until >= %s", mark).fetchall()
    flaws = sorted({*more, *(r[0] for r in rows)})
    return due.date_again(db, day, flaws=flaws) if flaws else 0


def _ask_again(db: psycopg.Connection[Any], table: Table, pvs: list[int], day: date) -> answer.Put:
    asker = answer.Asker(table, day)
    total = answer.Put(0, 0, 0, 0)
    for start in range(0, len(pvs), _BATCH):
        part = pvs[start : start + _BATCH]
        answers = answer.ask(asker, dictionary.components(db, part))
        put = answer.put(db, part, answers, day)
        total = answer.Put(*(a + b for a, b in zip(total, put, strict=True)))
    return total


def _state(db: psycopg.Connection[Any]) -> _State | None:
    row = db.execute(
        """select base, generation, rows, kev_loaded, ssvc_loaded from clearway.fleet_state
        order by state desc limit 1"""
    ).fetchone()
    return None if row is None else _State(row[0], row[1], bytes(row[2]), row[3], row[4])


def _of(table: Table) -> _State:
    meta = table.meta
    rows = (
        sha256(msgspec.msgpack.encode(table.changed, order="sorted")).digest()[:16] if table.changed else b""
    )
    return _State(meta.base, meta.generation, rows, bool(meta.kev), meta.ssvc)


def _versions(db: psycopg.Connection[Any]) -> list[int]:
    return [r[0] for r in db.execute("select pv from clearway.package_version order by pv")]


def _touched(db: psycopg.Connection[Any], table: Table) -> list[int]:
    """Versions of which something else may be said than before: of packages whose claims changed, and those
    that rest on records whose flaws changed or that VEX speaks of."""
    packages = [key.partition("\0")[::2] for key in table.changed.get("package", ())]
    by_package = db.execute(
        """with changed as (
            select p.package from unnest(%s::text[], %s::text[]) w(e, n)
            join clearway.package p on p.ecosystem = w.e and p.name = w.n)
        select l.pv from changed join clearway.lookup l using (package)
        union select l.pv from changed c join clearway.lookup l on l.unless = c.package""",
        ([e for e, _ in packages], [n for _, n in packages]),
    )
    found = {row[0] for row in by_package}
    ids = sorted(
        {*table.changed.get("alias", ()), *table.changed.get("flaw", ()), *table.changed.get("record", ())}
    )
    if ids:
        found.update(row[0] for row in db.execute(
            """select pv from clearway.answer where records && %s
            union select a.pv from clearway.answer a join clearway.flaw f using (flaw) where f.id = any(%s)""",
            (ids, ids),
        ))  # fmt: skip
    found |= of_products(db, table.changed.get("vex", ()))
    return sorted(found)


def of_products(db: psycopg.Connection[Any], products: Iterable[str]) -> set[int]:
    """Versions whose purl is of one of these products ("type/namespace/name", lower case)."""
    wanted = list(products)
    if not wanted:
        return set()
    rows = db.execute(
        """select v.pv from clearway.package_version v
        where lower(substring(v.purl from '^pkg:/*([^?#]*?)(?:@[^/?#]*)?(?:[?#].*)?$')) = any(%s)""",
        (wanted,),
    )
    return {row[0] for row in rows}


def _redirects(db: psycopg.Connection[Any], table: Table, whole: bool) -> None:
    """Keeps where ids went that no longer lead a group."""
    if whole:
        rows = db.execute("select id from clearway.flaw where aud = 0").fetchall()
        gone = [r[0] for r in rows if table.facts(r[0]) is None]
    else:
        gone = [i for i, body in table.changed.get("flaw", {}).items() if body is None]
    pairs = [(old, new) for old in gone for new in table.flaws_of(old) if new != old]
    if pairs:
        db.execute(
            """insert into clearway.flaw_redirect (old, new, since)
            select w.old, w.new, (select clearway.fleet_now()) from unnest(%s::text[], %s::text[]) w(old, new)
            on conflict do nothing""",
            ([o for o, _ in pairs], [n for _, n in pairs]),
        )


def tick(db: psycopg.Connection[Any], day: date) -> int:
    """What a new day alone changes: acceptances that ended, assets that are over, facts that were said of it before."""
    with told.gathering(db, "day"):
        return _tick(db, day)


def _tick(db: psycopg.Connection[Any], day: date) -> int:
    reopened = db.execute(
        """with over as (
            update clearway.decision d set ended = (select clearway.fleet_now()), ended_why = 'until ' || d.until
            where d.ended is null and d.until < %s returning d.decision)
        update clearway.exposure e set status = 0, decision = null, until = null, version = version + 1
        where e.gone is null and e.decision in (select decision from over) returning e.exposure""",
        (day,),
    )
    told.note(db, "reopened", [row[0] for row in reopened])
    db.execute(
        "update clearway.fleet_rule set ended = (select clearway.fleet_now()) where ended is null and until < %s",
        (day,),
    )
    over = db.execute(
        """select asset from clearway.asset a where a.decommissioned <= %s and exists (
            select from clearway.exposure e where e.asset = a.asset and e.gone is null) order by asset""",
        (day,),
    ).fetchall()
    for (asset,) in over:
        standing = db.execute(
            "select exposure from clearway.exposure where asset = %s and gone is null", (asset,)
        )
        told.note(db, "ended", [row[0] for row in standing])
        db.execute("select clearway.fleet_retire(%s)", (asset,))
    noted.note(db)  # statements that end, or begin, with a day
    rows = db.execute(
        "select distinct asset from clearway.asset_exposure where since > recorded::date and since <= %s",
        (day,),
    )
    assets = [r[0] for r in rows]
    if not assets:
        return 0
    # What was said beforehand is how it is, from its day on.
    db.execute(
        """update clearway.asset a set exposure = w.exposure, version = version + 1
        from (
            select distinct on (s.asset) s.asset, s.exposure from clearway.asset_exposure s
            where s.asset = any(%s) and s.since <= %s and (s.exposure <> 'unknown' or exists (
                select from clearway.asset_exposure f where f.asset = s.asset and f.statement < s.statement))
            order by s.asset, s.since desc, s.statement desc) w
        where a.asset = w.asset and a.exposure <> w.exposure""",
        (assets, day),
    )
    return due.date_again(db, day, assets=assets)
