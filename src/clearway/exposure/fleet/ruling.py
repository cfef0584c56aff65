"""Dates that follow the directive: counted anew when another version governs an organisation.

Issuing, revoking, addressing and withdrawing note the organisations that they bear on (`fleet_ruling`, by a trigger, in
the act's own transaction); a new day notes those whose governing version has begun or ended with it. `step` then dates
an organisation's assets a few at a time, each time in a transaction of its own, so that a large fleet holds up nobody
and a killed job goes on where it was. The note wakes the loop that does it; until it is done, `pending` tells of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.directives import load, names

from . import due, told
from .follow import _LOCK as FOLLOWING
from .governed import alone, settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    import psycopg

CHANNEL = "clearway_ruling"  # `wake_ruling` notifies it
ASSETS = 100  # of one step
_ORGS = 1_000
_LOCK = 0x636C7761_00000007

# Organisations on which something bears, or once did, and those that have chosen a directive which is revoked since.
_CONCERNED = """select org from (
    select recipient as org from clearway.directive_address
    union select org from clearway.directive_version where imported
    union select org from clearway.fleet_ruled
    union select org from clearway.fleet_setting where directive = any(%s)) w
where org > %s order by org limit %s"""


def note(db: psycopg.Connection[Any], day: date) -> int:
    """Notes the organisations that another version governs on `day` than the one that they were last dated by.

    Returns how many. The owner's transaction.
    """
    noted = last = 0
    ended = [name for name in names() if load(name).ended(day) is not None]
    while orgs := [row[0] for row in db.execute(_CONCERNED, (ended, last, _ORGS))]:
        last = orgs[-1]
        now = settings(db, orgs, day=day)
        was = dict(
            db.execute("select org, under from clearway.fleet_ruled where org = any(%s)", (orgs,)).fetchall()
        )
        others = [org for org in orgs if now[org].name != was.get(org)]
        noted += db.execute(
            """insert into clearway.fleet_ruling (org) select w.org from unnest(%s::int[]) w(org)
            where not exists (select from clearway.fleet_ruling r where r.org = w.org and r.after = 0)""",
            (others,),
        ).rowcount
    return noted


def pending(db: psycopg.Connection[Any], orgs: Iterable[int]) -> dict[int, datetime]:
    """Organisation -> since when its dates are to be counted anew; only those that are, and that the caller reads."""
    rows = db.execute("select org, since from clearway.fleet_redating(%s)", (sorted(set(orgs)),))
    return dict(rows.fetchall())


def step(db: psycopg.Connection[Any], day: date) -> bool:
    """Dates the next few assets of an organisation that was noted; False when there is none.

    The owner's transaction.
    """
    mine = db.execute("select pg_try_advisory_xact_lock(%s)", (_LOCK,)).fetchone()
    if not (mine and mine[0]):  # another worker is at it
        return False
    row = db.execute(
        """select ruling, org, after, under from clearway.fleet_ruling
        order by ruling limit 1"""
    ).fetchone()
    if row is None:
        return False
    ruling, org, after, under = row
    # What is read here is what is written from: nobody follows the table, chooses for the organisation, or says how
    # exposed one of these assets is, until this is committed.
    db.execute("select pg_advisory_xact_lock_shared(%s)", (FOLLOWING,))
    alone(db, org)
    now = settings(db, [org], day=day)[org].name
    if after == 0 or under != now:  # it begins, or another version has come to govern meanwhile
        after = 0
        # What was noted until now is done with this.
        db.execute("delete from clearway.fleet_ruling where org = %s and ruling <> %s", (org, ruling))
    assets = [
        r[0]
        for r in db.execute(
            "select asset from clearway.asset where org = %s and asset > %s order by asset limit %s for update",
            (org, after, ASSETS),
        )
    ]
    if assets:
        with told.gathering(db, "directive"):
            due.date_again(db, day, assets=assets)
    if len(assets) == ASSETS:
        db.execute(
            "update clearway.fleet_ruling set after = %s, under = %s where ruling = %s",
            (assets[-1], now, ruling),
        )
        return True
    db.execute("delete from clearway.fleet_ruling where ruling = %s", (ruling,))
    db.execute(
        """insert into clearway.fleet_ruled (org, under) values (%s, %s)
        on conflict (org) do update set under = excluded.under""",
        (org, now),
    )
    return True
