"""By whose version of which directive a week's dates are counted, and what its readers must be told of that."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from clearway.directives.governing import governing
from clearway.directives.kept.governing import settled
from clearway.directives.kept.issues import coming

if TYPE_CHECKING:
    import psycopg

    from clearway.directives.governing import Settled

_TOLD = timedelta(days=30)  # so long a revocation is told of after which an earlier version stands again
_MOST = 10


class Notice(Struct, frozen=True, kw_only=True):
    """Something about a version that its readers must know.

    `comes`: it is issued, and in effect from `on` on; until then `instead` counts.
    `waits`: it would make dates later, and does not count until somebody takes note of it; until then `instead` does.
    `revoked`: it was revoked on `on`; `instead` stands again. `instead` is "" for what ships, or for none.
    """

    kind: Literal["comes", "waits", "revoked"]
    directive: str
    version: str
    by: str
    on: date
    instead: str


def notices(db: psycopg.Connection[Any], org: int, day: date) -> tuple[Notice, ...]:
    """What an organisation must know on that day of the versions addressed to it."""
    found = settled(db, [org], day)[org]
    made = [
        Notice(
            kind="waits", directive=b.directive, version=b.version, by=issuer(db, b.version_id), on=b.issued,
            instead=_instead(found, b.directive),
        )
        for b in found.waits
    ]  # fmt: skip
    rows = db.execute(
        """select a.directive, v.version, v.version_id, v.revoked
        from clearway.directive_address a join lateral (
            select * from clearway.directive_version w where w.org = a.org and w.directive = a.directive
                and not w.imported and w.begins <= %(day)s
                and not coalesce(w.begins > w.issued and w.revoked <= w.begins, false)
            order by w.issued desc, w.version_id desc limit 1) v
            on v.revoked <= %(day)s
        where a.recipient = %(org)s and a.since <= %(day)s and (a.until is null or a.until > %(day)s)
        order by a.directive, v.version_id limit %(most)s""",
        {"org": org, "day": day, "most": _MOST},
    )
    for directive, version, version_id, revoked in rows.fetchall():
        instead = _instead(found, directive)
        if not instead or day - revoked <= _TOLD:
            made.append(
                Notice(
                    kind="revoked",
                    directive=directive,
                    version=version,
                    by=issuer(db, version_id),
                    on=revoked,
                    instead=instead,
                )
            )
    return tuple((made + _coming(db, org, day, found))[:_MOST])


def _coming(db: psycopg.Connection[Any], org: int, day: date, found: Settled) -> list[Notice]:
    """What is issued and takes over on a later day, of each authority that addresses the organisation."""
    rows = db.execute(
        """select a.directive, o.slug, a.since, a.until
        from clearway.directive_address a join clearway.organisation o on o.org = a.org
        where a.recipient = %(org)s and (a.until is null or a.until > %(day)s)
        order by a.directive, o.slug, a.since limit %(most)s""",
        {"org": org, "day": day, "most": _MOST},
    ).fetchall()
    made = []
    for directive, slug, since, until in rows:
        v = coming(db, directive, slug, day)
        if v is not None and since <= v.begins and (until is None or until > v.begins):
            made.append(
                Notice(
                    kind="comes",
                    directive=directive,
                    version=v.version,
                    by=v.by_name,
                    on=v.begins,
                    instead=_instead(found, directive),
                )
            )
    return sorted(made, key=lambda n: n.on)


def issuer(db: psycopg.Connection[Any], version_id: int | None) -> str:
    """The name of the organisation that issued or took over a version; "" for the table that ships."""
    row = db.execute(
        """select o.name from clearway.directive_version v join clearway.organisation o on o.org = v.org
        where v.version_id = %s""",
        (version_id,),
    ).fetchone()
    return str(row[0]) if row else ""


def _instead(found: Settled, directive: str) -> str:
    now = governing(found.stands, directive)
    return now.version if now is not None else ""
