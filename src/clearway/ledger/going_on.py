"""Whether the database goes on from what was signed here: the sequencer signs nothing of one that does not.

Who has the database alone can write a restart into it. It counts where this home opened it and noted so (`memory`), has
signed it already, or finds it in a checkpoint that the log's key has signed, as where another home of a team opened it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clearway.records.errors import IntegrityError

from . import memory
from . import tree_store as tree
from .checkpoint import Checkpoint, Epoch, of_note
from .leaf import Opening, opens
from .note import Note, VerifierKey, parse, verified
from .seen import Sight, contradicts, given_up
from .verify_report import numbers_of

if TYPE_CHECKING:
    import psycopg

    from .keys import Signer

    Connection = psycopg.Connection[Any]

OPENED = "ledger.epoch_opened"
_REWRITTEN = "the log has been rewritten: keep it as evidence, and restore a backup"
_ENTRY = """
select act, subject, clearway.log_header(act, actor, at, credential, subject), header_salt, content, content_salt,
    header_hash || content_hash
from clearway.log_entry where entry = %s
"""


def chain_to_sign(db: Connection, signer: Signer, now: tree.Head, root: bytes) -> tuple[Epoch, ...]:
    """The restarts that the next checkpoint names, oldest first, once the database is known to go on.

    `root` is that of the database.

    Raises:
        IntegrityError: it is not the log that this home signed last, or tells of a restart that nobody opened.
    """
    told = tree.epochs(db) if now.epoch is not None else []
    chain = tuple(epoch for epoch, _ in told)
    last = signer.last()
    if last is not None and last.origin != now.origin:
        return chain
    signed = last.chain if last else ()
    first = Sight.of(last) if last else next(reversed(memory.sights(signer.folder, now.origin)), None)
    if lost := [e for e in signed if e not in chain]:
        raise IntegrityError(
            f"the database does not tell of epoch {lost[0].number} as it was signed here",
            where="ledger",
            mend="it was restored from a backup: `clearway ledger epoch --reason …` goes on from it and says so",
        )
    new = check_opened(db, signer, told, last)
    if first is not None:
        check_sights(db, chain, [first], now.size, {now.size: root})
    if new:
        check_sights(db, chain, memory.sights(signer.folder, now.origin), now.size)
    return chain


def check_opened(
    db: Connection, signer: Signer, told: Sequence[tuple[Epoch, int]], last: Checkpoint | None
) -> list[Epoch]:
    """Those restarts of the database that were not signed here yet, each known to have been opened with the key.

    Raises:
        IntegrityError: one was not.
    """
    signed = last.chain if last else ()
    # Checkpoints of older releases name the newest alone: those before it are taken as they stand.
    oldest = min((e.number for e in signed), default=0)
    remembers = last is not None or bool(memory.sights(signer.folder, tree.head(db).origin))
    found = []
    for epoch, entry in told:
        if epoch not in signed and epoch.number >= oldest:
            _check_opened(db, signer, epoch, entry, remembers=remembers)
            found.append(epoch)
    return found


def check_sights(
    db: Connection,
    chain: Sequence[Epoch],
    sights: Sequence[Sight],
    size: int,
    known: dict[int, bytes] | None = None,
) -> None:
    """Raises IntegrityError when the tree of `size` is not what was signed here, but for what a restart gave up."""
    for sight in sights:
        if not sight.size:
            continue
        gone = given_up(chain, sight)
        if gone is not None:
            if why := contradicts(gone, sight):
                raise IntegrityError(
                    f"epoch {gone.number} {why}: it was signed here",
                    where="ledger",
                    mend="a home that had signed less has opened it: restore again, where the most was signed",
                )
            continue
        if sight.size > size:
            raise IntegrityError(
                f"the database has {size:,} entries in its tree, and {sight.size:,} were signed here",
                where="ledger",
                mend="it was restored from a backup: `clearway ledger epoch --reason …` goes on from it and says so",
            )
        if ((known or {}).get(sight.size) or tree.root(db, sight.size)) != sight.root:
            raise IntegrityError(
                f"the first {sight.size:,} entries are not those that were signed here",
                where="ledger",
                mend=_REWRITTEN,
            )


def unexplained(db: Connection, epoch: Epoch, entry: int) -> str:
    """What is wrong with the entry that tells of a restart; "" when it has the same numbers, or was erased."""
    row = db.execute(_ENTRY, (entry,), binary=True).fetchone()
    if row is None:
        return f"no entry tells of epoch {epoch.number}"
    act, subject, header, header_salt, content, content_salt, both = row
    if opens(Opening(entry, header if act else None, header_salt, content, content_salt), both):
        return f"the entry that tells of epoch {epoch.number} was changed"
    if act is not None and (act, subject) != (OPENED, f"epoch/{epoch.number}"):
        return f"entry {entry} does not tell of epoch {epoch.number}"
    if content is not None and numbers_of(content) != _numbers(epoch):
        return f"the entry that tells of epoch {epoch.number} has other numbers"
    return ""


def _numbers(epoch: Epoch) -> tuple[int, int, str, int]:
    return epoch.number, epoch.old_size, epoch.old_root.hex(), epoch.kept


def _check_opened(db: Connection, signer: Signer, epoch: Epoch, entry: int, *, remembers: bool) -> None:
    """Raises IntegrityError for a restart that nobody who holds the key has opened."""
    if why := unexplained(db, epoch, entry):
        raise IntegrityError(f"{why}: nothing is signed", where="ledger", mend=_REWRITTEN)
    # A home that remembers nothing takes the log as it stands, as it takes its first entry.
    if not remembers or epoch in memory.noted(signer.folder) or _is_signed(db, signer, epoch):
        return
    raise IntegrityError(
        f"the database tells of epoch {epoch.number}, which was not opened here: nothing is signed",
        where="ledger",
        mend="if another home opened it, copy the folder ledger/ from there; else the log has been rewritten: keep it "
        "as evidence, and restore a backup",
    )


def _is_signed(db: Connection, signer: Signer, epoch: Epoch) -> bool:
    """Whether a checkpoint that this home's own keys have signed names the restart. Nobody makes one without them."""
    for text in tree.kept_notes(db):
        note = parse(text)
        if epoch in of_note(note).chain and any(_holds(note, key.public) for key in signer.keys):
            return True
    return False


def _holds(note: Note, key: VerifierKey) -> bool:
    try:
        return verified(note, key) is not None
    except IntegrityError:
        return False
