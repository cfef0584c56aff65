"""Whoever may see exposures is told when they change by no act of a person: one event for each audience of them.

Advisories that come, change or are withdrawn, a new day, and a version of a directive change exposures of many
organisations in one transaction of the owner's. `gathering` stands around such work. What appears in it, ends, is open
again, or gets another date, flaw or verdict is noted where that happens (`note`), and at its end each organisation's
exposures of one audience are told of together, as the event `exposure.changed` under `org/<number>/exposures`. It names
some of them, and only what that audience may see; `count` says how many there are, so that an event which names fewer
follows a marking of any of them (`told_names`). The log has no entry of it: it has what was taken in, and each
exposure keeps its own history.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

KIND = "exposure.changed"
NAMED = 20  # exposures, assets and flaws that an event names, each
_LONGEST = 100  # characters of a flaw's id that is named: an event's body has 8 KiB

Cause = Literal["advisories", "day", "directive"]
What = Literal["appeared", "ended", "moved", "dated", "reopened", "judged"]

_LETTER: dict[What, str] = {
    "appeared": "a", "ended": "e", "moved": "m", "dated": "d", "reopened": "r", "judged": "v",
}  # fmt: skip
# The connection whose work is told of. Acts of principals tell of themselves, and note nothing here.
_told: ContextVar[psycopg.Connection[Any] | None] = ContextVar("told", default=None)

_TEMPORARY = """create temporary table if not exists told_exposure (
    exposure bigint, what "char", primary key (exposure, what)) on commit delete rows"""
# What appears and ends in one transaction, by another row of the same or by its own, has not changed for anybody, save
# where another verdict came of it.
_TELL = """with noted as (
    select t.exposure, bool_or(t.what = 'a') as a, bool_or(t.what = 'e') as e, bool_or(t.what = 'm') as m,
        bool_or(t.what = 'd') as d, bool_or(t.what = 'r') as r, bool_or(t.what = 'v') as v
    from told_exposure t group by 1),
net as (
    select x.exposure, x.org, x.aud::int as aud, x.asset, x.pv, x.flaw, x.verdict,
        n.a and not n.e and x.gone is null as appeared, n.e and not n.a and x.gone is not null as ended,
        n.m and not n.a and x.gone is null as moved, n.d and not n.a and x.gone is null as dated,
        n.r and x.gone is null as reopened, n.v and not n.a and x.gone is null as judged
    from noted n join clearway.exposure x using (exposure)),
paired as (
    select n.*, bool_or(n.appeared) over same and bool_or(n.ended) over same as again,
        n.judged or n.appeared and min(n.verdict) filter (where n.ended) over same <> n.verdict as other from net n
    window same as (partition by n.org, n.aud, n.asset, n.pv, n.flaw)),
changed as (
    select p.exposure, p.org, p.aud, p.asset, p.flaw, p.appeared and not p.again as appeared,
        p.ended and not p.again as ended, p.moved, p.dated, p.reopened, p.other and p.verdict = 1 as affected,
        p.other and p.verdict = 2 as unknown
    from paired p where (p.appeared or p.ended) and not p.again or p.moved or p.dated or p.reopened or p.other),
-- What appeared is named first.
placed as (
    select c.*, row_number() over (partition by c.org, c.aud order by c.appeared desc, c.exposure) as nth
    from changed c),
named as (
    select p.org, p.aud, array_agg(p.exposure order by p.exposure) as exposures,
        array_agg(distinct p.asset) as assets,
        array_agg(distinct f.id) filter (where length(f.id) <= %(longest)s
            and (f.aud = 0 or clearway.within(p.aud, f.aud::int))) as flaws
    from placed p join clearway.flaw f using (flaw) where p.nth <= %(named)s group by 1, 2),
counted as (
    select c.org, c.aud, count(*) as count, count(distinct c.asset) as on_assets,
        count(*) filter (where c.appeared) as appeared, count(*) filter (where c.ended) as ended,
        count(*) filter (where c.moved) as moved, count(*) filter (where c.dated) as dated,
        count(*) filter (where c.reopened) as reopened, count(*) filter (where c.affected) as affected,
        count(*) filter (where c.unknown) as unknown
    from changed c group by 1, 2)
select clearway.emit(%(kind)s, 'org/' || c.org || '/exposures', c.org, c.aud, jsonb_build_object(
    'cause', %(cause)s::text, 'count', c.count, 'on_assets', c.on_assets, 'appeared', c.appeared, 'ended', c.ended,
    'moved', c.moved, 'dated', c.dated, 'reopened', c.reopened, 'affected', c.affected,
    'unknown', c.unknown, 'exposures', n.exposures, 'assets', n.assets, 'flaws', coalesce(n.flaws, '{}')))
from counted c join named n using (org, aud) order by c.org, c.aud"""


@contextmanager
def gathering(db: psycopg.Connection[Any], cause: Cause) -> Iterator[None]:
    """Tells, as the work in it ends, of what it changed: the owner's transaction. Within another, that one tells.

    To be left shortly before the transaction ends: readers of events wait for it from then on.
    """
    if _told.get() is db:
        yield
        return
    db.execute(_TEMPORARY)
    db.execute("delete from told_exposure")  # what failed before in this transaction
    token = _told.set(db)
    try:
        yield
    finally:
        _told.reset(token)
    row = db.execute("select count(*) from told_exposure").fetchone()
    if row is None or not row[0]:
        return
    if row[0] > 1_000:
        db.execute("analyze told_exposure")
    db.execute(_TELL, {"kind": KIND, "cause": cause, "named": NAMED, "longest": _LONGEST})


def note(db: psycopg.Connection[Any], what: What, exposures: Sequence[int]) -> None:
    """These have just appeared, ended, come to mean another flaw, got another due date or verdict, or are
    open again; nothing is kept outside `gathering`."""
    if exposures and _told.get() is db:
        db.execute(
            """insert into told_exposure select distinct n, %s::"char" from unnest(%s::bigint[]) n
            on conflict do nothing""",
            (_LETTER[what], list(exposures)),
        )
