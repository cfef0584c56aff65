"""The versions that bear on organisations on a day, and the tables in them: one truth for dates, pages and reports."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

from clearway.records.errors import InputError, IntegrityError, NotFoundError, TooLargeError

from ..files import load
from ..governing import Bearing, Settled, settle
from ..issue import Key, verify

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    import psycopg

    from ..directive import Directive

_REMEMBERED = 64  # tables; a document has up to 1 MiB
_tables: OrderedDict[bytes, Directive] = OrderedDict()
_lock = Lock()


def bearing(
    db: psycopg.Connection[Any], orgs: Iterable[int], day: date | None = None, known: datetime | None = None
) -> dict[int, tuple[Bearing, ...]]:
    """Organisation -> what stands for it on `day` (None: today), as it was known before `known` (None: now).

    Nothing for an organisation that the caller neither reads nor operates for.
    """
    return {org: found.stands for org, found in settled(db, orgs, day, known).items()}


def settled(
    db: psycopg.Connection[Any], orgs: Iterable[int], day: date | None = None, known: datetime | None = None
) -> dict[int, Settled]:
    """As `bearing`, and beside it the versions that wait until the organisation takes note of them.

    A version whose own document says that it is revoked by then neither stands nor waits.
    """
    wanted = sorted(set(orgs))
    found: dict[int, list[Bearing]] = {}
    rows = db.execute(
        """select * from clearway.directives_of(
            %s, coalesce(%s::date, (clearway.fleet_now() at time zone 'UTC')::date), %s)""",
        (wanted, day, known),
    )
    for (
        org,
        directive,
        version_id,
        version,
        sha256,
        authority,
        standing,
        since,
        imported,
        taken,
        issued,
    ) in rows:
        found.setdefault(org, []).append(
            Bearing(
                directive=directive,
                version_id=version_id,
                version=version,
                sha256=bytes(sha256),
                authority=authority,
                standing=standing,
                since=since,
                imported=imported,
                taken=taken,
                issued=issued,
            )
        )
    tables = {b.version_id: usable(db, b.version_id, b.sha256) for bears in found.values() for b in bears}
    if any(table is not None and table.revoked is not None for table in tables.values()):
        on = day or today_of(db)
        found = {
            org: [b for b in bears if not _ended(tables[b.version_id], on)] for org, bears in found.items()
        }
    return {
        org: settle(found[org], lambda b: tables[b.version_id], _ships) if org in found else Settled()
        for org in wanted
    }


def _ended(table: Directive | None, day: date) -> bool:
    return table is not None and table.ended(day) is not None


def today_of(db: psycopg.Connection[Any]) -> date:
    """The fleet's day in UTC, which is `day` where none is given."""
    row = db.execute("select (clearway.fleet_now() at time zone 'UTC')::date").fetchone()
    assert row is not None
    found: date = row[0]
    return found


def usable(db: psycopg.Connection[Any], version_id: int, sha256: bytes) -> Directive | None:
    """The table in a version's document; None where it can't be had or its signature does not hold."""
    try:
        return table_of(db, version_id, sha256)
    except (IntegrityError, InputError, NotFoundError, TooLargeError):
        return None


def _ships(directive: str) -> Directive | None:
    try:
        return load(directive)
    except NotFoundError:
        return None


def table_of(db: psycopg.Connection[Any], version_id: int, sha256: bytes = b"") -> Directive:
    """The table in a version's document, its signature checked when it is first read.

    With the document's hash, as `bearing` tells it, it is read once.

    Raises:
        NotFoundError: there is none that the caller may see.
        IntegrityError: the stored bytes are not what was signed.
    """
    with _lock:
        found = _tables.get(sha256)
        if found is not None:
            _tables.move_to_end(sha256)
            return found
    row = db.execute(
        "select document, signature, public, sha256 from clearway.directive_document(%s)", (version_id,)
    ).fetchone()
    place = f"directive-version/{version_id}"
    if row is None or row[0] is None:
        raise NotFoundError("no such version of a directive", where=place)
    document = bytes(row[0])
    digest = hashlib.sha256(document).digest()
    if digest != bytes(row[3]) or sha256 not in (b"", digest):
        raise IntegrityError("the stored document does not have its hash", where=place)
    found = verify(document, bytes(row[1]), [Key(bytes(row[2]))], place).directive
    with _lock:
        _tables[digest] = found
        while len(_tables) > _REMEMBERED:
            _tables.popitem(last=False)
    return found
