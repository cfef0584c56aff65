"""One flaw across everything that a reader may see of the fleet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import InputError

from . import listing
from .wanted import VERDICTS, Filter

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from clearway.advisories.table import Table

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.ASCII)


class Affected(Struct, frozen=True, kw_only=True):
    """What stands of one flaw: `ids` are its present preferred ids, of whatever id was asked for.

    `assets` have it, and of `unjudged` others nothing loaded tells whether they do.
    """

    asked: str
    ids: tuple[str, ...]
    lines: tuple[listing.ExposureLine, ...]
    after: tuple[Any, ...] | None
    assets: int
    unjudged: int
    exact: bool  # whether `assets` is, or at least so many


def led(table: Table | None) -> Callable[[str], tuple[str, ...]]:
    """What leads any name of a flaw (an alias, a record's id, in any case) to the ids that a list knows it by."""

    def leads(name: str) -> tuple[str, ...]:
        ways = _spellings(name)
        return tuple(dict.fromkeys((*ways, *_loaded(table, ways))))

    return leads


def meant(db: psycopg.Connection[Any], table: Table | None, name: str) -> str:
    """The one flaw that a name means, by its present preferred id: what is loaded, or known by that id here.

    Raises:
        InputError: it means several, or nothing that is known here and is no CVE id, which may be known later.
    """
    ways = _spellings(name.strip())
    ids = _loaded(table, ways)
    if not ids:
        rows = db.execute(
            """select id from clearway.flaw where id = any(%(ways)s)
            union select old from clearway.flaw_redirect where old = any(%(ways)s)""",
            {"ways": [*ways]},
        )
        ids = [row[0] for row in rows]
    found = sorted({i for one in ids for i in now(db, one)})
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{name} is about {len(found):,} flaws", where="flaw", mend="name one: " + ", ".join(found[:5])
        )
    if not _CVE.fullmatch(ways[1]):
        raise InputError(
            "no flaw is known by that name", where="flaw", mend="give its id, as a list shows it"
        )
    return ways[1]


def _loaded(table: Table | None, ways: tuple[str, ...]) -> list[str]:
    return [] if table is None else [i for way in ways for i in table.flaws_of(way)]


def _spellings(name: str) -> tuple[str, str, str]:
    upper = name.upper()
    return name, upper, f"{upper[:5]}{name[5:].lower()}"  # the last is GHSA's own


def now(db: psycopg.Connection[Any], flaw: str) -> tuple[str, ...]:
    """The preferred ids that an id of today or of the past leads to, itself where it leads."""
    rows = db.execute(
        """with recursive way as (
            select %s::text as id, 0 as step
            union select r.new, w.step + 1 from way w join clearway.flaw_redirect r on r.old = w.id where w.step < 20)
        select id from way w where not exists (select from clearway.flaw_redirect r where r.old = w.id)
        group by id order by id""",
        (flaw,),
    ).fetchall()
    return tuple(row[0] for row in rows) or (flaw,)


def affected(
    db: psycopg.Connection[Any],
    flaw: str,
    *,
    also: tuple[str, ...] = (),
    after: tuple[Any, ...] | None = None,
    limit: int = 100,
) -> Affected:
    """The reader's exposures to a flaw, by due date, and on how many assets they are.

    `also` are more flaws, where `flaw` is an advisory about several.
    """
    ids = tuple(dict.fromkeys((*now(db, flaw), *also)))
    wanted = Filter(flaw=flaw if len(ids) != 1 else ids[0], flaws=also)
    page = listing.page(db, wanted, after=after, limit=limit)
    most = 100_000
    row = db.execute(
        """select count(*) filter (where affected), count(*) filter (where not affected), coalesce(sum(lines), 0)
        from (
            select x.asset, bool_or(x.verdict = %(affected)s) as affected, count(*) as lines from (
                select e.asset, e.verdict from clearway.exposure e join clearway.flaw f using (flaw)
                where f.id = any(%(ids)s) and e.gone is null limit %(most)s) x
            group by x.asset) a""",
        {"affected": VERDICTS.index("affected"), "ids": list(ids), "most": most},
    ).fetchone() or (0, 0, 0)
    return Affected(
        asked=flaw,
        ids=ids,
        lines=page.lines,
        after=page.after,
        assets=row[0],
        unjudged=row[1],
        exact=row[2] < most,
    )
