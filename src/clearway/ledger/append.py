"""Writing entries, in the transaction of the act that they record.

One statement inserts the entry through a function of the database, which finds out itself who acts and
when. If it fails, the transaction fails, and the act has not happened.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from clearway.records.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    TooLargeError,
    UsageError,
)

from .canonical import canonical
from .leaf import PARTS

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

READ = "content.read"
ERASED = "ledger.erased"
STAYS = (ERASED, "ledger.epoch_opened")  # what nothing else says: no part of such an entry is erased
MAX_SUBJECTS = 1_000
CLEAR = 0  # the audience of what everybody may read
Part = Literal["header", "content"]
_APPEND = "select clearway.log_append(%s, %s, %s, %s, %b)"
_APPEND_MANY = (
    "select clearway.log_append(%s, s.subject, %s, %s, s.salts) "
    "from unnest(%s::text[], %b::bytea[]) with ordinality s(subject, salts, n) order by n"
)


def append(
    db: Connection, act: str, subject: str, content: Mapping[str, object] | None = None, *, aud: int
) -> int:
    """Logs an act in the transaction of `db`; the number of its entry. It counts once that commits.

    `act` is a verb in the past, with its room before it ("asset.added"); `subject` the public id of what it is
    about ("asset/17", at most 400 characters); `content` what a later reader needs to understand it; `aud` the
    audience that may read it. The tree holds salted hashes only, so no content is too sensitive to log.

    Raises:
        UsageError: the content can't be written as JSON.
        TooLargeError: the content is over 64 KiB.
        psycopg.Error: the database refused; the transaction can only be rolled back.
    """
    if "\0" in subject:
        raise UsageError("a subject has a control character", where="subject")
    row = db.execute(
        _APPEND, (act, subject, canonical(content) if content else "", aud, os.urandom(64))
    ).fetchone()
    assert row is not None
    made: int = row[0]
    return made


def append_as(
    owner: Connection,
    key: str,
    act: str,
    subject: str,
    content: Mapping[str, object] | None = None,
    *,
    aud: int,
) -> int:
    """As `append`, in a transaction of the owner: the entry is by the holder of `key` and what they came with.

    For what the owner does at the request of somebody who may not write it themself. The transaction is the owner's
    again afterwards.

    Raises:
        AuthenticationError: `key` is nobody's any more.
        psycopg.Error: as `append`, also for an act that the application may not log.
    """
    from clearway.store.principal import set_principal

    set_principal(owner, key)
    if owner.execute("select clearway.me()").fetchone() == (None,):
        raise AuthenticationError("the session has ended", mend="sign in again")
    made = append(owner, act, subject, content, aud=aud)
    owner.execute("select set_config('role', 'none', true), set_config('clearway.principal', '', true)")
    return made


def append_read(db: Connection, subjects: Iterable[str], aud: int) -> list[int]:
    """Logs that the caller has read marked content: one entry for each distinct subject, in one statement.

    Raises:
        TooLargeError: over `MAX_SUBJECTS` subjects; log the list that was read as one.
    """
    wanted = list(dict.fromkeys(subjects))
    if len(wanted) > MAX_SUBJECTS:
        raise TooLargeError(
            f"{len(wanted):,} subjects in one reading", where="subjects", mend=f"at most {MAX_SUBJECTS:,}"
        )
    if any("\0" in subject for subject in wanted):
        raise UsageError("a subject has a control character", where="subject")
    if not wanted:
        return []
    salts = [os.urandom(64) for _ in wanted]
    return [made for (made,) in db.execute(_APPEND_MANY, (READ, "", aud, wanted, salts))]


def erase(db: Connection, entry: int, parts: Iterable[Part], reason: str) -> int:
    """Erases parts of an entry for good, with their salts; the number of the entry that says so.

    What is left is the hash of what was there, so that the log verifies as before. The act is logged for the same
    audience. For the owner alone. Copies in backups and in the database's free space are not reached.

    Raises:
        NotFoundError: there is no such entry, or the part is erased already.
        ConflictError: the entry says of an erasure, or of a restart: nothing else does.
        UsageError: no part or no reason is given.
    """
    wanted = sorted(set(parts))
    if not wanted or not set(wanted) <= {"header", "content"} or not reason.strip():
        raise UsageError("nothing to erase, or no reason", mend="name header or content, and say why")
    row = db.execute(
        "select aud, act is not null, content is not null, act, encode(header_hash, 'hex'), "
        "encode(content_hash, 'hex') from clearway.log_entry where entry = %s for update",
        (entry,),
    ).fetchone()
    there = {} if row is None else {"header": row[1], "content": row[2]}
    if row is None or not all(there[part] for part in wanted):
        raise NotFoundError("no such entry, or it is erased", where=f"entry/{entry}")
    if row[3] in STAYS:
        raise ConflictError(
            "this entry says of an erasure or of a restart: without it the log would not verify any more",
            where=f"entry/{entry}",
            mend="it stays; leave out of a reason what should not be read for ever",
        )
    # The tree knows no numbers of entries: the hashes bind what this says to one leaf.
    hashes = {part: row[4 + PARTS.index(part)] for part in wanted}
    said = {"entry": entry, "parts": wanted, "hashes": hashes, "reason": reason}
    told = append(db, ERASED, f"entry/{entry}", said, aud=row[0])
    if "header" in wanted:
        db.execute(
            "update clearway.log_entry set actor = null, credential = null, act = null, subject = null, at = null, "
            "header_salt = null, header_erased = %s where entry = %s",
            (told, entry),
        )
    if "content" in wanted:
        db.execute(
            "update clearway.log_entry set content = null, content_salt = null, content_erased = %s where entry = %s",
            (told, entry),
        )
    return told
