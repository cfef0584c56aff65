"""To whom a directive is addressed, and who has taken note of it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.records.text import plain

from ..acknowledgement import Acknowledgement, Addressed
from ..issue import in_force
from ..standing import read_standing
from .issues import Version, as_issue, standing_version, version, versions
from .who import acting_in, authority_of, between, organisation, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg

    from clearway.records.principal import Principal


def first_day(db: psycopg.Connection[Any], slug: str, directive: str, today: date) -> date:
    """From which day on an authority's directive can be addressed, as of `today`: not before a version is in effect.

    `today` too where it has issued none that stands or is to come.
    """
    first = _first(_issued(db, slug, directive), today)
    return today if first is None else first


def check_day(db: psycopg.Connection[Any], slug: str, directive: str, since: date) -> None:
    """Whether an authority's directive can be addressed from that day on: one of its versions stands on it.

    So nobody is bound by it for days on which nobody could have known it.

    Raises:
        NotFoundError: the authority has issued none, or all were revoked by then.
        InputError: the day is before the one from which a version is in effect.
    """
    issued = _issued(db, slug, directive)
    if not issued:
        raise NotFoundError(f"{slug} has issued no {plain(directive, 80)}", mend="issue it first")
    first = _first(issued, since)
    if first is None:
        raise NotFoundError(
            f"every version of {directive} is revoked by {since}", mend="issue a new version first"
        )
    if since < first:
        number = in_force(map(as_issue, issued), directive, first).version
        raise InputError(
            f"{since} is before {first}, from which version {number} is in effect",
            where="since",
            mend=f"give {first} or a later day",
        )


def _issued(db: psycopg.Connection[Any], slug: str, directive: str) -> tuple[Version, ...]:
    return tuple(v for v in versions(db, directive, slug) if not v.imported)


def _first(issued: Iterable[Version], day: date) -> date | None:
    """The first day, from `day` on, on which one of them stands; None for never."""
    days = (max(v.begins, day) for v in issued if v.revoked is None or v.revoked > max(v.begins, day))
    return min(days, default=None)


def address(
    db: psycopg.Connection[Any],
    me: Principal,
    slug: str,
    directive: str,
    recipients: Mapping[str, str],
    *,
    since: date,
) -> int:
    """Addresses a directive to organisations, from slug to standing; returns how many were not addressed so before.

    A recipient whose standing changes is addressed anew from `since` on; the entry before stays for history.

    Raises:
        UsageError: a standing that is none.
        NotFoundError: an organisation, or the directive, is not there.
        ConflictError: a recipient was addressed from the same day or a later one in other terms.
        InputError: no version is in effect on that day yet, so that nobody could have followed it.
    """
    org = authority_of(acting_in(db, me, slug, "direct"))
    standings = {to: read_standing(word) for to, word in recipients.items()}
    check_day(db, org.slug, directive, since)
    made = 0
    for to, standing in sorted(standings.items()):
        recipient = organisation(db, to)
        now = db.execute(
            """select address, standing, since from clearway.directive_address
            where org = %s and directive = %s and recipient = %s and until is null""",
            (org.org, directive, recipient.org),
        ).fetchone()
        if now is not None and now[1] == standing:
            continue
        if now is not None:
            if now[2] >= since:
                raise ConflictError(
                    f"{to} is addressed from {now[2]}", where=directive, mend="give a later day"
                )
            db.execute("update clearway.directive_address set until = %s where address = %s", (since, now[0]))
        aud = between(db, org.org, recipient.org)
        db.execute(
            """insert into clearway.directive_address (org, aud, directive, recipient, standing, since)
            values (%s, %s, %s, %s, %s, %s)""",
            (org.org, aud, directive, recipient.org, standing, since),
        )
        tell(
            db,
            "directive.addressed",
            f"directive/{directive}",
            {"organisation": org.slug, "to": to, "standing": standing, "since": since.isoformat()},
            org=org.org,
            aud=aud,
        )
        made += 1
    return made


def withdraw(
    db: psycopg.Connection[Any], me: Principal, slug: str, directive: str, recipient: str, *, until: date
) -> None:
    """From `until` on the directive is no longer addressed to that organisation. Raises NotFoundError."""
    org = authority_of(acting_in(db, me, slug, "direct"))
    to = organisation(db, recipient)
    row = db.execute(
        """update clearway.directive_address set until = %s
        where org = %s and directive = %s and recipient = %s and until is null and since < %s returning aud""",
        (until, org.org, directive, to.org, until),
    ).fetchone()
    if row is None:
        raise NotFoundError("it is not addressed to them on that day", where=plain(directive, 80))
    tell(
        db,
        "directive.withdrawn",
        f"directive/{directive}",
        {"organisation": org.slug, "from": recipient, "until": until.isoformat()},
        org=org.org,
        aud=int(row[0]),
    )


def acknowledge(
    db: psycopg.Connection[Any], me: Principal, slug: str, version_id: int, note: str = ""
) -> Acknowledgement:
    """Takes note of a version for one's organisation; a second time changes nothing.

    Raises:
        NotFoundError: no such version, or it is not addressed to that organisation.
        ForbiddenError: without the right to operate.
    """
    org = acting_in(db, me, slug, "operate")
    taken = version(db, version_id)
    if taken.imported:
        raise NotFoundError("it is not addressed to you", where=f"{taken.directive} {taken.version}")
    issuer = organisation(db, taken.by)
    row = db.execute(
        """select exists (select from clearway.directive_address
            where org = %s and directive = %s and recipient = %s)""",
        (issuer.org, taken.directive, org.org),
    ).fetchone()
    if not (row and row[0]):
        raise NotFoundError("it is not addressed to you", where=f"{taken.directive} {taken.version}")
    aud = between(db, org.org, issuer.org)
    made = db.execute(
        """insert into clearway.directive_acknowledgement (org, aud, version_id, note, by_name)
        values (%s, %s, %s, %s, %s) on conflict (org, version_id) do nothing returning acknowledgement""",
        (org.org, aud, version_id, plain(note, 4000), plain(me.name, 200)),
    ).fetchone()
    if made is not None:
        subject = f"directive/{taken.directive}/{taken.version}"
        tell(db, "directive.acknowledged", subject, {"organisation": org.slug}, org=org.org, aud=aud)
    found = db.execute(
        """select by_name, (at at time zone 'UTC')::date, note from clearway.directive_acknowledgement
        where org = %s and version_id = %s""",
        (org.org, version_id),
    ).fetchone()
    assert found is not None
    return Acknowledgement(org=org.org, version=taken.version, by=found[0], on=found[1], note=found[2])


def addressed(db: psycopg.Connection[Any], by: int, directive: str) -> tuple[Addressed, ...]:
    """To whom the organisation `by` has addressed a directive, as far as the caller may see, with history."""
    rows = db.execute(
        """select a.recipient, o.slug, o.name, a.standing, a.since, a.until
        from clearway.directive_address a join clearway.organisation o on o.org = a.recipient
        where a.org = %s and a.directive = %s order by o.slug, a.since""",
        (by, directive),
    )
    return tuple(
        Addressed(org=row[0], slug=row[1], name=row[2], standing=row[3], since=row[4], until=row[5])
        for row in rows
    )


def acknowledgements(db: psycopg.Connection[Any], by: int, directive: str) -> tuple[Acknowledgement, ...]:
    """Who has taken note of the versions that the organisation `by` issued, as far as the caller may see."""
    rows = db.execute(
        """select k.org, v.version, k.by_name, (k.at at time zone 'UTC')::date, k.note
        from clearway.directive_acknowledgement k join clearway.directive_version v using (version_id)
        where v.org = %s and v.directive = %s order by k.acknowledgement""",
        (by, directive),
    )
    return tuple(Acknowledgement(org=r[0], version=r[1], by=r[2], on=r[3], note=r[4]) for r in rows)


class ToDo(Struct, frozen=True, kw_only=True):
    """A version addressed to an organisation, and when it took note of it; None: it has not."""

    version: Version
    standing: str
    since: date
    acknowledged: date | None


def audiences(db: psycopg.Connection[Any], org: int) -> list[int]:
    """The audiences of what is addressed to the organisation, for the log of what is read."""
    rows = db.execute("select aud from clearway.directive_address where recipient = %s", (org,))
    return [aud for (aud,) in rows]


def addressed_to(db: psycopg.Connection[Any], org: int, as_of: date) -> tuple[ToDo, ...]:
    """What is addressed to the organisation on that day: of each directive the version that stands then."""
    rows = db.execute(
        """select a.org, o.slug, a.directive, a.standing, a.since
        from clearway.directive_address a join clearway.organisation o on o.org = a.org
        where a.recipient = %s and a.since <= %s and (a.until is null or a.until > %s)
        order by a.directive, o.slug""",
        (org, as_of, as_of),
    ).fetchall()
    return tuple(_todo(db, org, row, as_of) for row in rows if _stands(db, row, as_of))


class Unnoted(Struct, frozen=True, kw_only=True):
    """How many directives an organisation has not taken note of, and the audiences of what says so."""

    number: int
    auds: tuple[int, ...]


def unnoted(db: psycopg.Connection[Any], org: int, as_of: date) -> Unnoted:
    """Of what `addressed_to` gives, what waits to be taken note of."""
    waiting = [todo.version.id for todo in addressed_to(db, org, as_of) if todo.acknowledged is None]
    rows = db.execute(
        """select a.aud::int from clearway.directive_address a
        where a.recipient = %(org)s and a.since <= %(day)s and (a.until is null or a.until > %(day)s)
            and (a.org, a.directive) in (select v.org, v.directive from clearway.directive_version v
                where v.version_id = any(%(waiting)s))
        union select v.aud::int from clearway.directive_version v where v.version_id = any(%(waiting)s)""",
        {"org": org, "day": as_of, "waiting": waiting},
    )
    return Unnoted(number=len(waiting), auds=tuple(row[0] for row in rows))


def _stands(db: psycopg.Connection[Any], row: Any, as_of: date) -> bool:
    try:
        standing_version(db, row[2], row[1], as_of)
    except NotFoundError:
        return False
    return True


def _todo(db: psycopg.Connection[Any], org: int, row: Any, as_of: date) -> ToDo:
    found = standing_version(db, row[2], row[1], as_of)
    noted = db.execute(
        """select (at at time zone 'UTC')::date from clearway.directive_acknowledgement
        where org = %s and version_id = %s""",
        (org, found.id),
    ).fetchone()
    return ToDo(version=found, standing=row[3], since=row[4], acknowledged=noted[0] if noted else None)
