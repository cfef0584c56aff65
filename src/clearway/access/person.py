"""People and services, and the roles they have in organisations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct, UnsetType, convert
from msgspec.json import decode

from clearway import ledger
from clearway.records import zones
from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store.scalar import scalar

from . import audience
from .marking import own
from .organisation import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

ROLES = (
    "operator",
    "finder",
    "coordinator",
    "maintainer",
    "lab",
    "assessor",
    "official",
    "auditor",
    "administrator",
)
DIGESTS = ("never", "daily", "weekly")
DESK_MAIL = ("never", "at-once", "digest")  # letters about cases and findings


class Member(Struct, frozen=True, kw_only=True):
    """Somebody in an organisation. `org` is set for a service: where it works."""

    person: int
    kind: str
    name: str
    email: str = ""
    org: int | None = None
    active: bool = True
    time_zone: str = "UTC"
    digest: str = "weekly"
    desk_mail: str = "never"
    roles: tuple[str, ...] = ()
    version: int = 1


def add(
    db: psycopg.Connection[Any],
    org: int,
    name: str,
    roles: Sequence[str],
    *,
    email: str = "",
    kind: str = "person",
) -> Member:
    """A new person (or "service") with `roles` in `org`; how they sign in comes after (`invitation`, `token`).

    Raises:
        InputError: a role, the name or the address is not one.
        ForbiddenError: the caller does not administer the organisation. Who administers this installation names the
            first administrator of one that has none.
    """
    if kind not in ("person", "service"):
        raise InputError(f"no such kind: {plain(kind, 40)}", where="kind", mend="person or service")
    shown, address = named(name), _address(email)
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise InputError(
            f"no such role: {plain(unknown[0], 40)}" if unknown else "a member has at least one role",
            where="roles",
            mend=f"one of {', '.join(ROLES)}",
        )
    person = scalar(db, "select clearway.add_person(%s, %s, %s, %s)", (kind, shown, address, org))
    for role in dict.fromkeys(roles):
        db.execute("select clearway.grant_role(%s, %s, %s)", (person, org, role))
    ledger.append(
        db,
        f"{kind}.added",
        f"person/{person}",
        {"name": shown, "org": org, "roles": sorted(set(roles))},
        aud=audience.of(db, own(org)),
    )
    return Member(
        person=person,
        kind=kind,
        name=shown,
        email=address,
        org=org if kind == "service" else None,
        roles=tuple(sorted(set(roles))),
    )


def grant(db: psycopg.Connection[Any], person: int, org: int, role: str) -> None:
    """Gives a role. It bites at the person's next statement.

    Raises:
        ForbiddenError: the caller does not administer the organisation. Who administers this installation makes
            somebody else the first administrator of one that has none.
    """
    db.execute("select clearway.grant_role(%s, %s, %s)", (person, org, role))
    _log_role(db, "role.granted", person, org, role)


def revoke(db: psycopg.Connection[Any], person: int, org: int, role: str) -> None:
    """Takes a role away. It bites at the person's next statement.

    Raises:
        NotFoundError: the person does not have it.
        ConflictError: it is the last administrator of this installation.
    """
    row = db.execute("select clearway.revoke_role(%s, %s, %s)", (person, org, role)).fetchone()
    if row is None or not row[0]:
        raise NotFoundError("nobody there has that role", where=f"person/{person}")
    _log_role(db, "role.revoked", person, org, role)


def set_active(db: psycopg.Connection[Any], person: int, *, active: bool) -> None:
    """Bars a person from everything, at once and with every session and token, or lets them in again.

    What a barred person had asked of a second one is withdrawn; the database logs each ("approval.withdrawn").
    """
    db.execute("select clearway.set_active(%s, %s)", (person, active))
    house = scalar(db, "select clearway.house()", ())
    act = "person.allowed" if active else "person.barred"
    ledger.append(db, act, f"person/{person}", aud=audience.of(db, own(house)))


def members(db: psycopg.Connection[Any], org: int) -> tuple[Member, ...]:
    """Who belongs to `org`, with their roles there, by name; empty for an organisation not one's own."""
    rows = db.execute(
        """select to_jsonb(m) from (
            select p.person, p.kind, p.name, p.email, p.org, p.active, p.time_zone, p.digest, p.desk_mail, p.version,
                array_agg(s.role order by s.role) as roles
            from clearway.membership s join clearway.person p using (person) where s.org = %s
            group by p.person, p.kind, p.name, p.email, p.org, p.active, p.time_zone, p.digest, p.desk_mail,
                p.version
            order by lower(p.name), p.person) m""",
        (org,),
    )
    return tuple(convert(row[0], Member) for row in rows)


def one(db: psycopg.Connection[Any], person: int) -> Member:
    """A person whom the caller may know of, without roles.

    Raises:
        NotFoundError: there is nobody of that number.
    """
    row = db.execute(
        """select jsonb_build_object('person', person, 'kind', kind, 'name', name, 'email', email, 'org', org,
            'active', active, 'time_zone', time_zone, 'digest', digest, 'desk_mail', desk_mail,
            'version', version)
        from clearway.person where person = %s and kind <> 'public'""",
        (person,),
    ).fetchone()
    if row is None:
        raise NotFoundError("nobody of that number is here", where=f"person/{person}")
    return convert(row[0], Member)


def change(
    db: psycopg.Connection[Any],
    person: int,
    version: int,
    *,
    name: str | UnsetType = UNSET,
    time_zone: str | UnsetType = UNSET,
    digest: str | UnsetType = UNSET,
    desk_mail: str | UnsetType = UNSET,
) -> Member:
    """A person with what is given changed: by themselves, or a service by its administrator.

    Another name is an entry of the log, with the one before: everybody who reads of them reads the present one.

    Raises:
        ConflictError: it is no longer at `version`.
        InputError: no such time zone, or rhythm of digests or letters.
        NotFoundError: nobody of that number, or not the caller's to change.
    """
    before = one(db, person)
    zone = before.time_zone if time_zone is UNSET else time_zone
    rhythm = before.digest if digest is UNSET else digest
    if zone not in zones.names():
        raise InputError(
            f"no such time zone: {plain(zone, 60)}", where="time_zone", mend="write Europe/Paris"
        )
    if rhythm not in DIGESTS:
        raise InputError(
            f"no such rhythm: {plain(rhythm, 20)}", where="digest", mend=f"one of {', '.join(DIGESTS)}"
        )
    letters = before.desk_mail if desk_mail is UNSET else desk_mail
    if letters not in DESK_MAIL:
        raise InputError(
            f"no such rhythm: {plain(letters, 20)}", where="desk_mail", mend=f"one of {', '.join(DESK_MAIL)}"
        )
    if before.version != version:
        raise ConflictError("somebody changed it since it was read", mend="read it again")
    called = before.name if name is UNSET else named(name)
    row = db.execute(
        """update clearway.person set name = %s, time_zone = %s, digest = %s, desk_mail = %s, version = version + 1
        where person = %s and version = %s returning version""",
        (called, zone, rhythm, letters, person, version),
    ).fetchone()
    if row is None:
        after = one(db, person)
        if after.version != version:
            raise ConflictError("somebody changed it since it was read", mend="read it again")
        raise NotFoundError("nobody of yours has that number", where=f"person/{person}")
    if called != before.name:
        _log_name(db, before, called)
    return one(db, person)


class Was(Struct, frozen=True, kw_only=True):
    """What somebody was called before, and since when they are not."""

    name: str
    until: datetime


def called_before(db: psycopg.Connection[Any], people: Iterable[int], *, since: datetime) -> dict[int, Was]:
    """Who of `people` was called otherwise at `since`, by the entries of the log that the caller may read."""
    rows = db.execute(
        """select distinct on (e.subject) p.person, e.content, e.at, p.name from clearway.log_entry e
        join clearway.person p on e.subject = 'person/' || p.person
        where p.person = any(%s) and e.act in ('person.renamed', 'service.renamed') and e.at >= %s and e.content <> ''
        order by e.subject, e.entry""",
        (list(people), since),
    ).fetchall()
    told = [(who, str(decode(content)["was"]), at, now) for who, content, at, now in rows]
    return {who: Was(name=was, until=at) for who, was, at, now in told if was != now}


def _log_name(db: psycopg.Connection[Any], before: Member, name: str) -> None:
    """An entry for each organisation of theirs: the members of one need not know of another.

    Of somebody without any, for themself and the auditors of the house.
    """
    rows = db.execute("select distinct org from clearway.membership where person = %s", (before.person,))
    orgs = sorted({org for (org,) in rows} | ({before.org} if before.org is not None else set()))
    for aud in [audience.of(db, own(org)) for org in orgs] or [
        scalar(db, "select clearway.my_own_audience()")
    ]:
        ledger.append(
            db,
            f"{before.kind}.renamed",
            f"person/{before.person}",
            {"was": before.name, "name": name},
            aud=aud,
        )


def _log_role(db: psycopg.Connection[Any], act: str, person: int, org: int, role: str) -> None:
    ledger.append(db, act, f"person/{person}", {"org": org, "role": role}, aud=audience.of(db, own(org)))


def _address(text: str) -> str:
    shown = text.strip()
    if shown and (len(shown) > 254 or shown.count("@") != 1 or not shown.isprintable() or " " in shown):
        raise InputError("that is not a mail address", where="email")
    return shown
