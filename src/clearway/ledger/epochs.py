"""Restarts: a database restored from a backup goes on as a new epoch, which names the tree that it gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import ConflictError, IntegrityError, UsageError

from . import memory
from . import tree_store as tree
from .append import CLEAR, append
from .checkpoint import Epoch
from .going_on import OPENED, check_opened, check_sights
from .keys import Signer
from .log_keys import ensure_registered
from .seen import Sight
from .sequencer import integrate_all

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    Connection = psycopg.Connection[Any]

_AGAIN = "opened before the backup was restored, which does not have it"


def open_epoch(
    db: Connection, signer: Signer, reason: str, *, also: Callable[[Connection, str], object] | None = None
) -> Epoch:
    """Goes on from a restored database; returns the epoch, which every later checkpoint names.

    The tree that is given up is the last one this home signed. Where that is no larger than the restored one and its
    beginning, nothing is lost, and the epoch says so. An entry tells the reason. Epochs that were signed here and are
    not in the restored database are told anew, so that the chain has no hole. The home notes what it opens before the
    database tells of it: the sequencer takes no other. `db` is the owner's, outside of any transaction; to be called
    once, after each restore. `also` is called with the reason in the epoch's transaction, for what else must not go on
    as it was.

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
    check_opened(db, signer, tree.epochs(db), last)
    told = [epoch for epoch, _ in tree.epochs(db)]
    again = [epoch for epoch in last.chain if epoch not in told]
    number = max([1, *(epoch.number for epoch in (*told, *last.chain))]) + 1
    if {e.number for e in again} & {e.number for e in told}:
        raise IntegrityError(
            "the database tells of an epoch otherwise than it was signed here",
            where="ledger",
            mend="this is no restored backup: the log has been rewritten",
        )
    # What epochs after the backup gave up came back with it: it is no part of what was signed last.
    kept = min([now.size, *(epoch.kept for epoch in again)])
    whole = last.size <= kept
    epoch = Epoch(
        number=number,
        old_size=kept if whole else last.size,
        old_root=tree.root(db, kept) if whole else last.root,
        kept=kept,
    )
    chain = sorted((*told, *again, epoch), key=lambda e: e.number)
    sights = (*memory.sights(signer.folder, now.origin), Sight.of(last))
    check_sights(db, chain, sights, now.size)
    memory.note_epochs(signer.folder, [*again, epoch])
    with db.transaction():
        if also is not None:
            also(db, reason)
        for one in again:
            _tell(db, one, _AGAIN)
        _tell(db, epoch, reason)
    integrate_all(db, signer)
    return epoch


def _tell(db: Connection, epoch: Epoch, reason: str) -> None:
    entry = append(
        db,
        OPENED,
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
