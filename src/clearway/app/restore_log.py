"""The log of a restored database: it is verified, told what is lost, and goes on as a new epoch."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from clearway.access import restored
from clearway.ledger import keys as ledger_keys
from clearway.ledger import tree_store as tree
from clearway.ledger.check import note_of, verify_home, witness_of
from clearway.ledger.checkpoint import Checkpoint, of_note
from clearway.ledger.epochs import open_epoch
from clearway.ledger.going_on import check_sights
from clearway.ledger.note import Note, parse_key, verified
from clearway.ledger.seen import Seen, Sight, given_up
from clearway.ledger.sequencer import signer_of
from clearway.records.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import psycopg

    from clearway.ledger.note import VerifierKey

    from .backup_read import Backup

    Connection = psycopg.Connection[Any]

_NOTHING = "nothing of it can be relied on: remove this home and database, and restore another backup"


def check_root(db: Connection, backup: Backup) -> None:
    """Raises IntegrityError when the database has not the root that the backup's manifest names."""
    log = backup.manifest.log
    root = tree.root(db, log.size) if tree.head(db).size >= log.size else b""
    if base64.b64encode(root).decode() != log.root:
        raise IntegrityError(
            f"the restored log has not the root that the backup names at {log.size:,} entries",
            where="ledger",
            mend=_NOTHING,
        )


def is_unsigned(db: Connection, backup: Backup) -> bool:
    """Whether nothing was ever sequenced or signed, as where only intake has run: there is nothing to verify yet."""
    return (
        not backup.manifest.log.keys
        and backup.manifest.log.size == 0
        and not tree.keys(db)
        and not tree.head(db).size
    )


def verify(home: Path, witnesses: Sequence[str], key: VerifierKey | None) -> None:
    """Raises IntegrityError when the log does not verify, under `key` if one is known, or a witness saw another."""
    report = verify_home(home, key=key.text() if key else None, witnesses=witnesses, continues=False)
    if not report.ok:
        reason = next(iter(report.reasons), "")
        raise IntegrityError(f"the restored log does not verify: {reason}", where="ledger", mend=_NOTHING)


def of_witnesses(db: Connection, typed: Sequence[str]) -> tuple[list[str], list[Note]]:
    """What can be held against the log as it was restored, and copies of checkpoints from after the backup.

    Of the latter, what the witness has seen of before the backup is held against the log here.

    Raises:
        IntegrityError: the witness has seen another log.
    """
    now, chain = tree.head(db), [epoch for epoch, _ in tree.epochs(db)]
    seen, later = [], []
    for text in typed:
        found, note = witness_of(text), note_of(text)
        last = of_note(note) if note is not None else None
        newer = now.epoch.number if now.epoch else 1
        if note is not None and last is not None and (last.size > now.size or Sight.of(last).epoch > newer):
            later.append(note)
            known = found.sights if isinstance(found, Seen) else ()
            before = [
                s for s in known if s.size <= now.size and s.epoch <= newer and not given_up(last.chain, s)
            ]
            check_sights(db, chain, before, now.size)
        else:
            seen.append(text)
    return seen, later


def know_later(db: Connection, home: Path, notes: Sequence[Note]) -> None:
    """Makes the largest checkpoint that the log is known to have signed the one that the epoch gives up."""
    keys = [parse_key(key.vkey) for key in tree.keys(db)]
    last = signer_of(db, home).last()
    for note in sorted(notes, key=lambda note: _reach(of_note(note))):
        checkpoint = of_note(note)
        if checkpoint.origin != tree.head(db).origin or all(verified(note, key) is None for key in keys):
            raise IntegrityError(
                "the witness's copy was not signed by this log",
                where="--witness",
                mend="give its copy of this log",
            )
        if last is None or _reach(checkpoint) > _reach(last):
            ledger_keys.replace(home / ledger_keys.FOLDER / ledger_keys.SIGNED, note.render())
            last = checkpoint


def _reach(checkpoint: Checkpoint) -> tuple[int, int]:
    """How far a log was signed: a later epoch goes on from an earlier one, however large that was."""
    return (checkpoint.epoch.number if checkpoint.epoch else 1, checkpoint.size)


def void(db: Connection, backup: Backup) -> tuple[restored.Voided, restored.Back]:
    """Ends what may have ended since the backup and would open something, and freezes armed embargoes; what is left."""
    return restored.void(db, words(backup)), restored.standing(db)


def words(backup: Backup) -> str:
    """Why its embargoes are frozen."""
    return restored.words(f"from the backup of {backup.manifest.taken[:40]}")


def go_on(db: Connection, home: Path, backup: Backup) -> tuple[int, int]:
    """The epoch that follows, and how many entries are known to be lost; opened once."""
    log = backup.manifest.log
    now = tree.head(db)
    if now.epoch is not None and now.epoch.number > log.epoch:
        return now.epoch.number, now.epoch.old_size - now.epoch.kept
    if not log.keys:  # nothing was ever signed
        return log.epoch, 0
    reason = f"restored from the backup of {backup.manifest.taken} ({backup.digest[:16]})"
    epoch = open_epoch(db, signer_of(db, home), reason)
    return epoch.number, epoch.old_size - epoch.kept
