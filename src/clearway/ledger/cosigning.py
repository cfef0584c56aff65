"""Taking a witness's co-signature: checked before it is kept, and shown under its checkpoint."""

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


def accept(db: Connection, size: int, line: Signature) -> bool:
    """Keeps a co-signature of the checkpoint of `size`; False when its witness is not one that this log accepts.

    Raises:
        NotFoundError: no such checkpoint is kept.
        IntegrityError: the signature does not hold.
    """
    _, note = tree.checkpoint_at(db, size)
    known = next(
        (key for key in tree.witnesses(db) if (key.name, key.key_id) == (line.name, line.key_id)), None
    )
    if known is None:
        return False
    when = verified(Note(note.text, (line,)), known)
    if when is None or not 0 < when <= _LATEST:
        raise IntegrityError("the co-signature says no time", where=line.name)
    db.execute(
        "select clearway.log_cosign(%s, %s, %s, %s, %s)",
        (size, line.name, line.key_id, line.line().rstrip("\n"), datetime.fromtimestamp(when, UTC)),
    )
    return True
