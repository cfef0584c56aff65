"""A witness: keeps the last checkpoint that it has seen of a log, and co-signs only what continues it.

Run by somebody else than the log, on another machine, it makes a rewritten log evident even when it is
rewritten by who holds the log's key. The rules are those of C2SP tlog-witness, `add-checkpoint`; the
co-signature is cosignature/v1. Pure but for the two files of its folder:

    witness.key    its own key, made at the first use
    LOG.checkpoint the last checkpoint that it co-signed, with its co-signature
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from clearway.records.errors import ConflictError, IntegrityError, NotFoundError
from clearway.store.failures import at

from .checkpoint import Checkpoint, read
from .keys import load_or_make, replace
from .merkle import EMPTY_ROOT, verify_consistency
from .note import Note, Signature, SigningKey, VerifierKey, verified

KEY = "witness.key"
# From an old size to the checkpoint's: the hashes of the consistency proof.
Prover = Callable[[int, int], Sequence[bytes]]


class Witness:
    """One witness, in its folder."""

    def __init__(self, folder: Path, name: str) -> None:
        """Opens the folder, or makes it with a new key.

        Raises:
            ConfigError: the folder can't be used, or its key is readable by others.
        """
        self.folder = folder
        self.key: SigningKey = load_or_make(folder / KEY, name, "cosignature")

    def last(self, origin: str) -> tuple[Checkpoint, Note] | None:
        """The last checkpoint that it co-signed for a log; None when it has seen none.

        Raises:
            InputError: its file is damaged; a witness that has lost its memory must not go on by itself.
        """
        with at(self.folder), suppress(FileNotFoundError):
            return read(self._file(origin).read_bytes())
        return None

    def cosign(
        self,
        given: str,
        prove: Prover,
        log: VerifierKey,
        now: int,
        *,
        accept_epoch: int = 0,
    ) -> tuple[Checkpoint, Signature]:
        """The co-signature of the checkpoint `given`, once it is kept in the folder.

            1. The log's key must have signed it.
            2. It must not be smaller than the last one, and must continue it: `prove` shows so.
            3. A log that lost entries which this witness has seen is co-signed only as the epoch that a person
               accepts by number, and only when that epoch names the very root that was seen.

        `now` is in seconds since 1970.

        Raises:
            IntegrityError: it does not continue what was seen, or is not signed.
            ConflictError: it is smaller than what was seen.
            NotFoundError: `log` is the key of another log.
        """
        checkpoint, note = read(given)
        if checkpoint.origin != log.name:
            raise NotFoundError(f"the key is not that of {checkpoint.origin}", mend="give this log's own key")
        if verified(note, log) is None:
            raise IntegrityError("the checkpoint is not signed by the log's key", where=checkpoint.origin)
        with _locked(self.folder):
            self._continues(checkpoint, prove, accept_epoch)
            line = self.key.cosign(note.text, now)
            kept = Note(note.text, (*note.signatures[:8], line))
            replace(self._file(checkpoint.origin), kept.render())
        return checkpoint, line

    def _continues(self, new: Checkpoint, prove: Prover, accept_epoch: int) -> None:
        seen = self.last(new.origin)
        if seen is None:
            return  # the first sight is believed
        old = seen[0]
        if new.epoch is not None and new.epoch.number != (old.epoch.number if old.epoch else 1):
            lost = new.epoch.kept < old.size
            if lost:
                if (new.epoch.old_size, new.epoch.old_root) != (old.size, old.root):
                    raise IntegrityError(
                        f"epoch {new.epoch.number} gives up another tree than the one seen at {old.size} entries",
                        where=new.origin,
                    )
                if accept_epoch != new.epoch.number:
                    raise IntegrityError(
                        f"entries {new.epoch.kept} to {old.size - 1}, which were seen, are gone since epoch "
                        f"{new.epoch.number}",
                        where=new.origin,
                        mend=f"when the restore is known to be honest: --accept-epoch {new.epoch.number}",
                    )
                return
        if new.size < old.size:
            raise ConflictError(
                f"the log shows {new.size} entries, and {old.size} were seen", where=new.origin
            )
        proof = prove(old.size, new.size) if 0 < old.size < new.size else ()
        verify_consistency(old.size, old.root if old.size else EMPTY_ROOT, new.size, new.root, proof)

    def _file(self, origin: str) -> Path:
        # An origin is another's text: its hash is the name of the file.
        return self.folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:16]}.checkpoint"


class _locked:  # noqa: N801 - used as a function
    """One checkpoint at a time: looking at the last and keeping the next must not be torn apart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = -1

    def __enter__(self) -> None:
        import fcntl

        with at(self._folder):
            self._fd = os.open(self._folder, os.O_RDONLY)
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
