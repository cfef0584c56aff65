"""Records that not everybody may see: matched inside PostgreSQL, and never in the compiled table or a file.

A marked record takes part for those who may see it. What it says of an asset is for who may see both: the
audience of such an exposure is the meet of the two. Its claims are rows with keys as `bytea`, joined where
the versions are; what takes more than intervals is asked of the judge in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from clearway.advisories.table import Claim
from clearway.records.errors import ConflictError, NotFoundError

from . import answer, dictionary, due, told
from .acts import record as tell
from .due import Dater, loaded
from .pieces import pieces
from .word import word

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    import psycopg

    from clearway.advisories.claims import ClaimRow

_ENCODE = msgspec.msgpack.Encoder().encode
_CLAIM = msgspec.msgpack.Decoder(Claim)
_CLAIMS = msgspec.msgpack.Decoder(tuple[Claim, ...])
_VEX = "vex"
# Numbers from here on are of what other rooms keep; stored records count from 1.
_KEPT_ELSEWHERE = 1 << 62
# The day on which the same was detected, when a newer version of a record has just taken the place of an older one.
_BEFORE = """cross join lateral (
    select coalesce(min(x.detected) filter (where x.how = 2), min(x.detected)) as detected, bool_or(x.how = 2) as kept
    from clearway.exposure x join clearway.marked o on o.marked = x.via
    where x.asset = h.asset and x.pv = h.pv and o.source = m.source and o.record = m.record and o.marked <> m.marked
        and x.gone >= m.taken - interval '1 minute') b"""


def take(db: psycopg.Connection[Any], source: str, record: str, aud: int, org: int, day: date) -> int:
    """Lets a standing marked record take part, for `aud`; returns the exposures that appeared. The owner's transaction.

    `org` is who answers for it. Taking it again follows a newer version of it.

    Raises:
        NotFoundError: no such record stands.
        ConflictError: it is TLP:CLEAR, and takes part through the compiled table.
    """
    row = db.execute(
        "select rec, tlp from clearway.record where source = %s and id = %s and current", (source, record)
    ).fetchone()
    if row is None:
        raise NotFoundError("no such record stands", where=f"{source}/{record}")
    rec, tlp = row
    if tlp == "CLEAR":
        raise ConflictError("the record is public", where=record, mend="it is matched already")
    claims = db.execute(
        "select ecosystem, name, body from clearway.claim where rec = %s and ecosystem <> %s", (rec, _VEX)
    ).fetchall()
    said = [(ecosystem, name, bytes(body)) for ecosystem, name, body in claims]
    return _take(db, _About(rec, record, source, _named(db, rec, record)), said, aud, org, day)


def take_claims(
    db: psycopg.Connection[Any],
    source: str,
    record: str,
    number: int,
    flaw: str,
    claims: Iterable[ClaimRow],
    aud: int,
    org: int,
    day: date,
) -> int:
    """As `take`, of what is no stored record: its `claims` about a flaw, under a `number` of the source's own.

    Taking it again puts its newer claims in place; what they find again keeps the day on which it was detected.
    """
    said = [(row.ecosystem, row.name, row.body) for row in claims]
    return _take(db, _About(_KEPT_ELSEWHERE + number, record, source, flaw), said, aud, org, day)


class _About(NamedTuple):
    """What takes part: its number among marked records, its id, who says it, and the flaw's id."""

    rec: int
    record: str
    source: str
    flaw: str


def _take(
    db: psycopg.Connection[Any],
    about: _About,
    said: Iterable[tuple[str, str, bytes]],
    aud: int,
    org: int,
    day: date,
) -> int:
    with told.gathering(db, "advisories"):
        marked, appeared = _put(db, about, said, aud, org, day)
    # How many appeared, in whosever fleets, is for none of its readers.
    tell(db, "record.marked", f"marked/{marked}", {"record": about.record}, org=org, aud=aud)
    return appeared


def _put(
    db: psycopg.Connection[Any],
    about: _About,
    said: Iterable[tuple[str, str, bytes]],
    aud: int,
    org: int,
    day: date,
) -> tuple[int, int]:
    """Its number now, and how many exposures appeared."""
    end(db, about.source, about.record)
    flaw = _flaw(db, about.flaw, aud)
    made = db.execute(
        """insert into clearway.marked (rec, record, source, aud, flaw, org) values (%s, %s, %s, %s, %s, %s)
        returning marked""",
        (about.rec, about.record, about.source, aud, flaw, org),
    ).fetchone()
    assert made is not None
    marked: int = made[0]
    by_package: dict[tuple[str, str], list[Claim]] = {}
    for ecosystem, name, body in said:
        by_package.setdefault((ecosystem, name), []).append(_CLAIM.decode(body))
    packages = dictionary.packages(db, by_package)
    for at, own in by_package.items():
        found = pieces(at[0], own)
        body = _ENCODE(own)
        joined = found is not None and all(p.verdict == 1 for p in found)
        rows = [(p.lo, p.hi, p.fixed) for p in found or ()] if joined else [(None, None, "")]
        with db.cursor() as cursor:
            cursor.executemany(
                """insert into clearway.marked_interval (marked, package, lo, hi, fixed, body)
                values (%s, %s, %s, %s, %s, %s)""",
                [(marked, packages[at], lo, hi, fixed, body) for lo, hi, fixed in rows],
            )
    return marked, match(db, day, marked=marked)


def _named(db: psycopg.Connection[Any], rec: int, record: str) -> str:
    """The id of the flaw that a record is about: its CVE where it names one."""
    row = db.execute(
        """select target from clearway.edge where rec = %s and kind = 'same' and target like 'CVE-%%'
        order by target limit 1""",
        (rec,),
    ).fetchone()
    return row[0] if row else record


def _flaw(db: psycopg.Connection[Any], identifier: str, aud: int) -> int:
    """The flaw of that id; known to `aud` alone, unless it is public."""
    known = db.execute("select flaw from clearway.flaw where id = %s and aud = 0", (identifier,)).fetchone()
    if known is None:
        known = db.execute(
            """insert into clearway.flaw (id, aud) values (%s, %s)
            on conflict (id, aud) do update set id = excluded.id returning flaw""",
            (identifier, aud),
        ).fetchone()
    assert known is not None
    return int(known[0])


def withdraw(db: psycopg.Connection[Any], source: str, record: str, org: int) -> int:
    """Takes back exactly what a marked record caused; returns how many exposures ended. The owner's transaction.

    Raises:
        NotFoundError: no such record takes part.
    """
    row = db.execute(
        "select marked, aud from clearway.marked where source = %s and record = %s and rec > 0",
        (source, record),
    ).fetchone()
    if row is None:
        raise NotFoundError("no such marked record takes part", where=f"{source}/{record}")
    ended = end(db, source, record)
    tell(db, "record.unmarked", f"marked/{row[0]}", {"record": record}, org=org, aud=row[1])
    return ended


def end(db: psycopg.Connection[Any], source: str, record: str) -> int:
    """As `withdraw`, as a part of another act."""
    with told.gathering(db, "advisories"):
        return _end(db, source, record)


def _end(db: psycopg.Connection[Any], source: str, record: str) -> int:
    rows = db.execute(
        """update clearway.exposure e set gone = (select clearway.fleet_now()), version = version + 1
        from clearway.marked m where m.source = %s and m.record = %s and e.via = m.marked and e.gone is null
        returning e.exposure""",
        (source, record),
    )
    over = [row[0] for row in rows]
    told.note(db, "ended", over)
    db.execute(
        """delete from clearway.marked_interval i using clearway.marked m
        where m.source = %s and m.record = %s and i.marked = m.marked""",
        (source, record),
    )
    # The row stays where an exposure's history names it; it matches nothing any more.
    db.execute(
        "update clearway.marked set rec = -marked where source = %s and record = %s and rec > 0",
        (source, record),
    )
    return len(over)


_PLAIN = f"""select distinct h.asset, l.pv, m.flaw, 1::smallint, a.org, f.id, f.kev, f.kev_due, f.automatable,
    f.impact, f.ssvc_dated, b.detected, b.kept, m.marked
from clearway.marked m
join clearway.marked_interval i on i.marked = m.marked and i.lo is not null
join clearway.lookup l on l.package = i.package and l.key >= i.lo and l.key < i.hi and l.plain
join clearway.version_use u on u.pv = l.pv
join clearway.held h on h.aud = u.aud and h.pv = l.pv
join clearway.asset a on a.asset = h.asset
join clearway.flaw f on f.flaw = m.flaw
{_BEFORE}
where (%(marked)s::int is null or m.marked = %(marked)s) and (%(asset)s::int is null or h.asset = %(asset)s)
    and l.unless is null
    and not exists (select from clearway.exposure e where e.asset = h.asset and e.pv = l.pv and e.flaw = m.flaw
        and e.via = m.marked and e.gone is null)"""  # noqa: S608 - of constants
_SPECIAL = f"""select distinct h.asset, l.pv, m.flaw, m.marked, p.ecosystem, p.name, i.body, a.org, f.id, f.kev,
    f.kev_due, f.automatable, f.impact, f.ssvc_dated, b.detected, b.kept
from clearway.marked m
join clearway.marked_interval i on i.marked = m.marked
join clearway.package p on p.package = i.package
join clearway.lookup l on l.package = i.package
join clearway.version_use u on u.pv = l.pv
join clearway.held h on h.aud = u.aud and h.pv = l.pv
join clearway.asset a on a.asset = h.asset
join clearway.flaw f on f.flaw = m.flaw
{_BEFORE}
where (%(marked)s::int is null or m.marked = %(marked)s) and (%(asset)s::int is null or h.asset = %(asset)s)
    and (i.lo is null or not l.plain or l.unless is not null)
    and not exists (select from clearway.exposure e where e.asset = h.asset and e.pv = l.pv and e.flaw = m.flaw
        and e.via = m.marked and e.gone is null)"""  # noqa: S608 - of constants


def match(
    db: psycopg.Connection[Any], day: date, *, marked: int | None = None, asset: int | None = None
) -> int:
    """Exposures that marked records cause: of one record, on one asset, or all; returns how many appeared."""
    with told.gathering(db, "advisories"):
        return _match(db, day, marked, asset)


def _match(db: psycopg.Connection[Any], day: date, marked: int | None, asset: int | None) -> int:
    given = {"marked": marked, "asset": asset}
    rows: dict[int, list[tuple[Any, ...]]] = {}
    for *row, via in db.execute(_PLAIN, given):
        rows.setdefault(via, []).append(tuple(row))
    special = db.execute(_SPECIAL, given).fetchall()
    components = dictionary.components(db, {r[1] for r in special})
    for row in special:
        host, pv, flaw, via, ecosystem, name, body, org, *facts = (
            row  # the last two: detected before, and kept
        )
        verdict = word(ecosystem, name, _CLAIMS.decode(bytes(body)), components[pv])
        if verdict:
            rows.setdefault(via, []).append((host, pv, flaw, verdict, org, *facts))
    dater = Dater(db, day, loaded(db))
    made: list[int] = []
    for via, those in rows.items():
        # Several claims of one record about one version are one exposure; *affected* outweighs *unknown*.
        once: dict[tuple[int, int], tuple[Any, ...]] = {}
        for row in sorted(those, key=lambda r: -r[3]):
            once[row[0], row[1]] = row
        made += answer.insert(db, dater, list(once.values()), via)
    if made:
        db.execute("select clearway.fleet_settle(%s)", (made,))
    # Whoever may see what is exposed may read the names of what it is in.
    db.execute(
        """insert into clearway.version_use select distinct pv, aud from clearway.exposure
        where exposure = any(%s) on conflict do nothing""",
        (made,),
    )
    return len(made)


def pending(db: psycopg.Connection[Any], day: date) -> int:
    """Does what acts on assets left to the owner, who knows every marked record; returns how many assets."""
    rows = db.execute(
        """delete from clearway.fleet_pending where asset in (
            select asset from clearway.fleet_pending order by asset limit 1000 for update skip locked)
        returning asset"""
    ).fetchall()
    if rows:
        with told.gathering(db, "advisories"):
            for (asset,) in rows:
                match(db, day, asset=asset)
            due.date_again(db, day, assets=[row[0] for row in rows])
    return len(rows)
