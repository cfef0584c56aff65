"""Which assets of an organisation a text names: by number, name, identifier, DNS name, address or former name.

Case, spaces around and within, a full stop at the end and the width of characters tell nothing apart. Only what the
caller may see is found: that a hidden asset has a name is told to nobody.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from clearway.directives.reports.provider import Named
from clearway.records.errors import ConflictError
from clearway.records.text import plain

from .version import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    import psycopg

_NUMBER = re.compile(r"(?:assets?[ /#:]*)?0*([0-9]{1,9})")
_LONGEST = 2**31 - 1
_MOST = 20
_LISTED = 1_000
_SHOWN = 5

# The words are compared once for every asset of the organisation: no index knows them without their case. Theirs are
# taken as they are kept, but for it: what is asked is spelled in each way that they may have (`_spelled`).
_NAMED = """
select asset, name, min(rank), org from (
    select a.asset, a.name, 1 as rank, a.org from clearway.asset a
    where {orgs} and lower(a.name) = any(%(words)s)
    union all
    select a.asset, a.name, 2, a.org from clearway.asset a
    where {orgs} and exists (
        select from unnest(a.identifiers) i
        where lower(i) = any(%(words)s) or lower(substr(i, position(':' in i) + 1)) = any(%(words)s))
    union all
    select a.asset, a.name, 2, a.org from clearway.asset a
    where {orgs} and exists (select from unnest(a.names) n where lower(n) = any(%(words)s))
    union all
    select a.asset, a.name, 3, a.org from clearway.asset a
    where {orgs} and exists (select from unnest(a.addresses) d where lower(d) = any(%(words)s))
    union all
    select a.asset, a.name, 4, a.org from clearway.asset_said s join clearway.asset a on a.asset = s.asset
    where {orgs} and s.name <> a.name and lower(s.name) = any(%(words)s)) w
group by asset, name, org order by 3, 1 limit %(most)s"""
_OF_ONE = _NAMED.format(orgs="a.org = %(org)s")
_OF_ALL = _NAMED.format(orgs="true")


def key(text: str) -> str:
    """A name as it is compared: "Edge-FW-1. " and "edge-fw-1" are one."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split()).rstrip(".")


def named(db: psycopg.Connection[Any], org: int, text: str) -> tuple[Named, ...]:
    """The assets that `text` names best, in the order of their numbers: those of its number, else of its name, and so
    on. Empty where it names none that the caller sees."""
    word = key(text)
    numbered = _NUMBER.fullmatch(word)
    number = int(numbered[1]) if numbered else 0
    if numbered and not word.isdigit():
        return _numbered(db, org, number)
    rows = db.execute(_OF_ONE, {"org": org, "words": _spelled(text), "most": _MOST}).fetchall()
    if not rows:
        return _numbered(db, org, number) if numbered else ()
    return tuple(Named(asset=asset, name=name) for asset, name, rank, _ in rows if rank == rows[0][2])


def meant(db: psycopg.Connection[Any], text: str, org: int | None = None) -> tuple[Named, ...]:
    """The assets that a filter by this name is about, of one organisation or of each: those that are called just so,
    where any is, else as `named`. Empty where it names none that the caller sees.
    """
    exact = db.execute(
        "select asset, name from clearway.asset where name = %(text)s and (%(org)s::int is null or org = %(org)s) "
        "order by asset limit %(most)s",
        {"text": storable(text), "org": org, "most": _LISTED},
    ).fetchall()
    if exact:
        return tuple(Named(asset=asset, name=name) for asset, name in exact)
    if org is not None:
        return named(db, org, text)
    numbered = _NUMBER.fullmatch(key(text))
    rows = []
    if not numbered or numbered[0].isdigit():
        rows = db.execute(_OF_ALL, {"words": _spelled(text), "most": _LISTED}).fetchall()
    if not rows and numbered and 0 < int(numbered[1]) <= _LONGEST:
        rows = db.execute(
            "select asset, name, 5, org from clearway.asset where asset = %s", (int(numbered[1]),)
        ).fetchall()
    best: dict[int, int] = {}
    for _, _, rank, of in rows:
        best.setdefault(of, rank)
    return tuple(Named(asset=asset, name=name) for asset, name, rank, of in rows if rank == best[of])


def only(db: psycopg.Connection[Any], text: str, orgs: Sequence[int]) -> Named | None:
    """The one asset that `text` names in these organisations; None where it names none.

    Raises:
        ConflictError: it names several; the error says which.
    """
    found = [one for org in orgs for one in meant(db, text, org)]
    if len(found) > 1:
        several = ", ".join(f"asset/{one.asset} ({plain(one.name, 60)})" for one in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        raise ConflictError(
            f"{plain(text, 60)!r} names several assets: {several}{more}",
            mend="name it by its number, as asset/17",
        )
    return found[0] if found else None


def led(db: psycopg.Connection[Any]) -> Callable[[str], tuple[int, ...]]:
    """What a list is narrowed to by an asset's name: their numbers."""
    return lambda text: tuple(one.asset for one in meant(db, text))


def words(db: psycopg.Connection[Any], assets: Sequence[int]) -> dict[int, frozenset[str]]:
    """Everything that these assets are or were called, as `key` makes it."""
    found: dict[int, frozenset[str]] = {}
    for asset, name, identifiers, names, addresses, former in db.execute(
        """select a.asset, a.name, a.identifiers, a.names, a.addresses,
            array(select distinct s.name from clearway.asset_said s where s.asset = a.asset)
        from clearway.asset a where a.asset = any(%s)""",
        (list(assets),),
    ):
        bare = [i.partition(":")[2] or i for i in identifiers]
        found[asset] = frozenset(key(w) for w in (name, *identifiers, *bare, *names, *addresses, *former))
    return found


def with_flaw(db: psycopg.Connection[Any], org: int, flaw: str) -> tuple[Named, ...]:
    """Assets of the organisation that have that flaw now, at most twenty, in the order of their numbers."""
    rows = db.execute(
        """select distinct a.asset, a.name from clearway.exposure e join clearway.asset a on a.asset = e.asset
        where e.org = %(org)s and e.gone is null and e.flaw = any(array(
            select f.flaw from clearway.flaw f where f.id = any(%(ids)s) or f.id = any(array(
                select r.new from clearway.flaw_redirect r where r.old = any(%(ids)s)))))
        order by a.asset limit %(most)s""",
        {"org": org, "ids": spellings(flaw), "most": _MOST},
    )
    return tuple(Named(asset=asset, name=name) for asset, name in rows)


def kev_day(db: psycopg.Connection[Any], flaw: str) -> date | None:
    """The day that a flaw, by any of its ids, was added to KEV; None where it was not."""
    row = db.execute(
        """select min(f.kev) from clearway.flaw f where f.id = any(%(ids)s) or f.id = any(array(
            select r.new from clearway.flaw_redirect r where r.old = any(%(ids)s)))""",
        {"ids": spellings(flaw)},
    ).fetchone()
    return row[0] if row else None


def spellings(flaw: str) -> list[str]:
    """A flaw's id as it may stand in the catalogue, whatever case it was typed in."""
    prefix, dash, rest = flaw.partition("-")
    return list(dict.fromkeys([flaw, flaw.upper(), f"{prefix.upper()}{dash}{rest.lower()}"]))


def _spelled(text: str) -> list[str]:
    """Every way in which the fleet may have kept a name that is typed so, in lower case."""
    word, typed = key(text), text.strip().lower()
    return list(dict.fromkeys((word, f"{word}.", typed)))


def _numbered(db: psycopg.Connection[Any], org: int, number: int) -> tuple[Named, ...]:
    if not 0 < number <= _LONGEST:
        return ()
    rows = db.execute(
        "select asset, name from clearway.asset where asset = %s and org = %s", (number, org)
    ).fetchall()
    return tuple(Named(asset=asset, name=name) for asset, name in rows)
