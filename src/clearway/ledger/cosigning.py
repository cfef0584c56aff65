"""Taking a witness's co-signature: checked before it is kept, and shown under its checkpoint.

The database can't check a signature, so keeping one is the owner's, after it was checked here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clearway.records.errors import IntegrityError

from . import tree_store as tree
from .note import Note, Signature, verified

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_LATEST = 253_402_300_799  # the year 9999


def accept(owner: Connection, size: int, line: Signature) -> bool:
    """Keeps a co-signature of the checkpoint of `size`; False when its witness is not one that this log accepts.

    Raises as `time_of`.
    """
    when = time_of(owner, size, line)
    if when is not None:
        keep(owner, size, line, when)
    return when is not None


def time_of(db: Connection, size: int, line: Signature) -> datetime | None:
    """When the witness signed the checkpoint of `size`; None when it is not one that this log accepts.

    Raises:
        NotFoundError: no such checkpoint is kept.
        IntegrityError: the signature does not hold.
    """
    _, note = tree.checkpoint_at(db, size)
    known = next(
        (key for key in tree.witnesses(db) if (key.name, key.key_id) == (line.name, line.key_id)), None
    )
    if known is None:
        return None
    when = verified(Note(note.text, (line,)), known)
    if when is None or not 0 < when <= _LATEST:
        raise IntegrityError("the co-signature says no time", where=line.name)
    return datetime.fromtimestamp(when, UTC)


def keep(owner: Connection, size: int, line: Signature, when: datetime) -> None:
    """Keeps a co-signature that `time_of` has checked, in the place of what was kept of that witness before."""
    owner.execute(
        "select clearway.log_cosign(%s, %s, %s, %s, %s)",
        (size, line.name, line.key_id, line.line().rstrip("\n"), when),
    )
