"""Keys of authorities, versions of directives, and to whom they are addressed."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from clearway.records.errors import ConflictError, InputError, IntegrityError, NotFoundError, UsageError
from clearway.records.text import plain

from ..directive import effective_day
from ..entrance import check_new
from ..issue import Issue, Key, Signed, in_force, last_of, order_of, verify
from ..issue import coming as next_of
from .names import check_names
from .who import Org, acting_in, authority_of, between, tell

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from clearway.records.principal import Principal

Reach = Literal["CLEAR", "GREEN"]
ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,59}", re.ASCII)  # of a version
_AUD: dict[str, int] = {"CLEAR": 0, "GREEN": 1}


class Version(Struct, frozen=True, kw_only=True):
    """One issued version without its document. `by` is the organisation that issued or imported it.

    It governs from `begins` on: the first day of its own phases, and not before it was issued.
    `signature` is that of the document's bytes, and `public` the key it was made with, both in base64.
    """

    id: int
    by: str
    by_name: str
    directive: str
    version: str
    sha256: str
    key: str
    issued: date
    begins: date
    imported: bool
    revoked: date | None
    revoked_reason: str
    signature: str
    public: str


_SELECT = """select v.version_id, o.slug, o.name, v.directive, v.version, encode(v.sha256, 'hex'), v.key_id, v.issued,
    v.begins, v.imported, v.revoked, v.revoked_reason, replace(encode(v.signature, 'base64'), E'\\n', ''),
    encode(v.public, 'base64')
    from clearway.directive_version v join clearway.organisation o on o.org = v.org"""


def add_key(db: psycopg.Connection[Any], me: Principal, slug: str, key: Key, label: str = "") -> str:
    """Registers a public key of the authority; returns its id. An administrator's act.

    Raises:
        ForbiddenError: not an authority, or not its administrator.
        ConflictError: it is registered already.
    """
    org = authority_of(acting_in(db, me, slug, "administer"))
    row = db.execute(
        """insert into clearway.directive_key (org, aud, key_id, public, label) values (%s, 0, %s, %s, %s)
        on conflict (org, key_id) do nothing returning key""",
        (org.org, key.id, key.raw, plain(label, 200)),
    ).fetchone()
    if row is None:
        raise ConflictError(f"key {key.id} is registered already", where=org.slug)
    tell(
        db,
        "directive.key_added",
        f"directive-key/{key.id}",
        {"organisation": org.slug, "key": key.raw.hex()},
        org=org.org,
        aud=0,
    )
    return key.id


def retire_key(db: psycopg.Connection[Any], me: Principal, slug: str, key_id: str) -> None:
    """From now on nothing new is issued with that key; what it signed stands. Raises NotFoundError."""
    org = authority_of(acting_in(db, me, slug, "administer"))
    row = db.execute(
        """update clearway.directive_key set retired = clock_timestamp()
        where org = %s and key_id = %s and retired is null returning key""",
        (org.org, key_id),
    ).fetchone()
    if row is None:
        raise NotFoundError("no such key in use", where=plain(key_id, 40))
    tell(
        db, "directive.key_retired", f"directive-key/{key_id}", {"organisation": org.slug}, org=org.org, aud=0
    )


def keys(db: psycopg.Connection[Any], org: int) -> tuple[Key, ...]:
    """The keys that an organisation may sign with today."""
    rows = db.execute(
        "select public from clearway.directive_key where org = %s and retired is null order by key", (org,)
    )
    return tuple(Key(row[0]) for row in rows)


def publish(
    db: psycopg.Connection[Any],
    me: Principal,
    slug: str,
    document: bytes,
    signature: bytes,
    *,
    issued: date,
    reach: Reach = "CLEAR",
) -> Version:
    """Publishes a signed version of a directive, for everybody, or for all who are signed in.

    The version before it stays, so that any day's answer can be replayed, and governs until this one begins.

    Raises:
        IntegrityError: signed by none of the authority's registered keys.
        InputError: not a directive, or not a signature.
        ForbiddenError: not an authority, without the right to direct, or the name or its issuer's is another's.
        ConflictError: it has issued that version already, or a later one.
    """
    org = authority_of(acting_in(db, me, slug, "direct"))
    signed = verify(document, signature, keys(db, org.org))
    check_names(db, org, signed.directive)
    public = next(key.raw for key in keys(db, org.org) if key.id == signed.key)
    return _keep(db, org, signed, public, issued, imported=False, aud=_AUD[reach], act="directive.issued")


def take_over(
    db: psycopg.Connection[Any], me: Principal, slug: str, signed: Signed, key: Key, *, issued: date
) -> Version:
    """Keeps a version that an authority elsewhere signed, for the members of one's own organisation.

    `signed` is what `issue.verify` found to hold against `key`. An administrator's act. Raises as `publish`.
    """
    org = acting_in(db, me, slug, "administer")
    return _keep(
        db, org, signed, key.raw, issued, imported=True, aud=between(db, org.org), act="directive.imported"
    )


def _keep(
    db: psycopg.Connection[Any],
    org: Org,
    signed: Signed,
    public: bytes,
    issued: date,
    *,
    imported: bool,
    aud: int,
    act: str,
) -> Version:
    directive = signed.directive
    check_new(signed.document, directive)
    if not (ID.fullmatch(directive.id) and _NUMBER.fullmatch(directive.version)):
        raise InputError(
            f"{plain(directive.id, 80)!r} {plain(directive.version, 80)!r} can't be an id and a version",
            where="directive",
            mend="an id has lower-case letters, digits, - and .; a version 1 to 60 letters, digits, - and .",
        )
    last = db.execute(
        """select version, issued from clearway.directive_version
        where org = %s and directive = %s and imported = %s order by issued desc, version_id desc limit 1""",
        (org.org, directive.id, imported),
    ).fetchone()
    if last is not None and last[1] > issued:
        raise ConflictError(f"version {last[0]} was issued later, on {last[1]}", where=directive.id)
    if last is not None and directive.version != last[0] and order_of(directive.version) <= order_of(last[0]):
        same = order_of(directive.version) == order_of(last[0])
        raise ConflictError(
            f"version {directive.version} {'counts as' if same else 'comes before'} {last[0]}, which is there",
            where=directive.id,
            mend="what is issued later has the higher number",
        )
    begins = max(issued, effective_day(directive))
    row = db.execute(
        """insert into clearway.directive_version
            (org, aud, directive, version, document, sha256, signature, key_id, public, imported, issued, begins)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (org, directive, version, imported) do nothing returning version_id""",
        (
            org.org,
            aud,
            directive.id,
            directive.version,
            signed.document,
            signed.sha256,
            signed.signature,
            signed.key,
            public,
            imported,
            issued,
            begins,
        ),
    ).fetchone()
    if row is None:
        raise ConflictError(
            f"{directive.id} {directive.version} is there already",
            where=org.slug,
            mend="a changed document is a new version",
        )
    tell(
        db,
        act,
        f"directive/{directive.id}/{directive.version}",
        {
            "organisation": org.slug,
            "sha256": signed.sha256.hex(),
            "key": signed.key,
            "issued": issued.isoformat(),
            "begins": begins.isoformat(),
            "supersedes": None if last is None else last[0],
        },
        org=org.org,
        aud=aud,
    )
    return version(db, int(row[0]))


def revoke(
    db: psycopg.Connection[Any],
    me: Principal,
    slug: str,
    directive: str,
    number: str,
    *,
    on: date,
    reason: str,
) -> Version:
    """Ends a version from the day `on`; it stays for replay.

    What is to end on a later day can be ended sooner, and not later than was said.

    Raises:
        NotFoundError: the authority has issued no such version.
        ConflictError: it is revoked from that day on already, or from an earlier one.
        UsageError: there is no reason, or the day is before the version was issued.
    """
    if not reason.strip():
        raise UsageError("a revocation has its reason", where="reason", mend="say why")
    org = authority_of(acting_in(db, me, slug, "direct"))
    row = db.execute(
        """update clearway.directive_version set revoked = %s, revoked_reason = %s
        where org = %s and directive = %s and version = %s and not imported and issued <= %s
            and (revoked is null or revoked > greatest(%s::date, (clearway.now_marked() at time zone 'UTC')::date))
        returning version_id, aud""",
        (on, plain(reason, 4000), org.org, directive, number, on, on),
    ).fetchone()
    if row is None:
        raise _not_revoked(db, org, directive, number, on)
    tell(
        db,
        "directive.revoked",
        f"directive/{directive}/{number}",
        {"organisation": org.slug, "on": on.isoformat(), "reason": plain(reason, 4000)},
        org=org.org,
        aud=int(row[1]),
    )
    return version(db, int(row[0]))


def _not_revoked(
    db: psycopg.Connection[Any], org: Org, directive: str, number: str, on: date
) -> ConflictError | NotFoundError | UsageError:
    """Why a version is not revoked from the day `on`."""
    place = plain(f"{directive} {number}", 120)
    row = db.execute(
        """select issued, revoked from clearway.directive_version
        where org = %s and directive = %s and version = %s and not imported""",
        (org.org, directive, number),
    ).fetchone()
    if row is None:
        return NotFoundError("no such version", where=place)
    issued, revoked = row
    if on < issued:
        return UsageError(f"it was issued on {issued}", where=place, mend=f"give {issued} or a later day")
    return ConflictError(
        f"it is revoked from {revoked} on already",
        where=place,
        mend="while that day is to come, an earlier one can be given",
    )


def version(db: psycopg.Connection[Any], version_id: int) -> Version:
    """One version. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where v.version_id = %s", (version_id,)).fetchone()
    if row is None:
        raise NotFoundError("no such version of a directive", where=f"directive-version/{version_id}")
    return _version(row)


def versions(db: psycopg.Connection[Any], directive: str = "", by: str = "") -> tuple[Version, ...]:
    """Every version that the caller may see, oldest first; of one directive or one organisation where named."""
    rows = db.execute(
        f"""{_SELECT} where (%(directive)s = '' or v.directive = %(directive)s) and (%(by)s = '' or o.slug = %(by)s)
        order by v.directive, v.issued, v.version_id""",
        {"directive": directive, "by": by},
    )
    return tuple(_version(row) for row in rows)


def last_version(db: psycopg.Connection[Any], directive: str, by: str, as_of: date) -> Version:
    """The version of an authority that stood on that day; where all were revoked by then, the last that stood.

    As `issue.last_of`. Raises NotFoundError.
    """
    found = tuple(v for v in versions(db, directive, by) if not v.imported)
    return _picked(found, last_of(map(as_issue, found), directive, as_of))


def standing_version(
    db: psycopg.Connection[Any], directive: str, by: str, as_of: date, *, imported: bool = False
) -> Version:
    """The version of an authority's directive that stood on that day; with `imported`, of those `by` took over.

    Raises NotFoundError.
    """
    found = tuple(v for v in versions(db, directive, by) if v.imported is imported)
    return _picked(found, in_force(map(as_issue, found), directive, as_of))


def coming(db: psycopg.Connection[Any], directive: str, by: str, day: date) -> Version | None:
    """The version of an authority that is issued by that day and takes over next, on a later one; None without one.

    As `issue.coming`.
    """
    return coming_of((v for v in versions(db, directive, by) if not v.imported), directive, day)


def coming_of(found: Iterable[Version], directive: str, day: date) -> Version | None:
    """As `coming`, of one organisation's versions."""
    every = tuple(found)
    chosen = next_of(map(as_issue, every), directive, day)
    return None if chosen is None else _picked(every, chosen)


def last_version_of(found: Iterable[Version], directive: str, day: date) -> Version | None:
    """As `last_version`, of one organisation's versions; None where the day of none has come."""
    every = tuple(found)
    try:
        return _picked(every, last_of(map(as_issue, every), directive, day))
    except NotFoundError:
        return None


def standing_of(found: Iterable[Version], directive: str, day: date) -> Version | None:
    """Of one organisation's versions the one that stood on that day; None where none did."""
    every = tuple(found)
    try:
        return _picked(every, in_force(map(as_issue, every), directive, day))
    except NotFoundError:
        return None


def _picked(found: Iterable[Version], chosen: Issue) -> Version:
    return next(v for v in found if v.version == chosen.version)


def as_issue(found: Version) -> Issue:
    """The version as `issue.in_force` takes it."""
    return Issue(
        directive=found.directive,
        version=found.version,
        issued=found.issued,
        begins=found.begins,
        revoked=found.revoked,
    )


def document(db: psycopg.Connection[Any], version_id: int) -> Signed:
    """A version's bytes and what they say, with its signature checked anew.

    Raises:
        NotFoundError: there is none that the caller may see.
        IntegrityError: the stored bytes are not what was signed.
    """
    row = db.execute(
        "select document, signature, public, sha256 from clearway.directive_version where version_id = %s",
        (version_id,),
    ).fetchone()
    if row is None:
        raise NotFoundError("no such version of a directive", where=f"directive-version/{version_id}")
    if hashlib.sha256(row[0]).digest() != row[3]:
        raise IntegrityError(
            "the stored document does not have its hash", where=f"directive-version/{version_id}"
        )
    return verify(row[0], row[1], [Key(row[2])], f"directive-version/{version_id}")


def _version(row: Any) -> Version:
    return Version(
        id=row[0],
        by=row[1],
        by_name=row[2],
        directive=row[3],
        version=row[4],
        sha256=row[5],
        key=row[6],
        issued=row[7],
        begins=row[8],
        imported=row[9],
        revoked=row[10],
        revoked_reason=row[11],
        signature=row[12],
        public=row[13],
    )
