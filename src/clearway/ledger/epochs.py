"""Restarts: a database restored from a backup goes on as a new epoch, which names the tree that it gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import ConflictError, IntegrityError, UsageError

from . import tree_store as tree
from .append import CLEAR, append
from .checkpoint import Epoch
from .keys import Signer
from .log_keys import ensure_registered
from .sequencer import integrate_all

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    Connection = psycopg.Connection[Any]


def open_epoch(
    db: Connection, signer: Signer, reason: str, *, also: Callable[[Connection, str], object] | None = None
) -> Epoch:
    """Goes on from a restored database; returns the epoch, which every later checkpoint names.

    The tree that is given up is the last one this home signed. Where that is no larger than the restored one and its
    beginning, nothing is lost, and the epoch says so. An entry tells the reason. `db` is the owner's, outside of any
    transaction; to be called once, after each restore. `also` is called with the reason in the epoch's transaction,
    for what else must not go on as it was.

    Raises:
        UsageError: no reason is given.
        IntegrityError: the restored entries are not the first ones of what was signed, as far as can be told.
        ConflictError: nothing was ever signed, so there is nothing to go on from.
    """
    if not reason.strip():
        raise UsageError("no reason is given", mend="say with --reason why the database was restored")
    signer = ensure_registered(db, signer)
    now = tree.head(db)
    newest = tree.newest(db)
    last = signer.last() or (newest[0] if newest else None)
    if last is None or last.origin != now.origin:
        raise ConflictError(
            "this log has not been signed here yet", where="ledger", mend="no epoch is needed"
        )
    if last.size <= now.size and tree.root(db, last.size) != last.root:
        raise IntegrityError(
            f"the first {last.size:,} entries are not those that were signed here",
            where="ledger",
            mend="this is no restored backup: the log has been rewritten",
        )
    whole = last.size <= now.size
    epoch = Epoch(
        number=now.epoch.number + 1 if now.epoch else 2,
        old_size=now.size if whole else last.size,
        old_root=tree.root(db, now.size) if whole else last.root,
        kept=now.size,
    )
    with db.transaction():
        if also is not None:
            also(db, reason)
        entry = append(
            db,
            "ledger.epoch_opened",
            f"epoch/{epoch.number}",
            {
                "reason": reason, "epoch": epoch.number, "old_size": epoch.old_size,
                "old_root": epoch.old_root.hex(), "kept": epoch.kept, "lost": epoch.old_size - epoch.kept,
            },
            aud=CLEAR,
        )  # fmt: skip
        db.execute(
            "insert into clearway.log_epoch (number, old_size, old_root, kept, entry) values (%s, %s, %s, %s, %s)",
            (epoch.number, epoch.old_size, epoch.old_root, epoch.kept, entry),
        )
    integrate_all(db, signer)
    return epoch
