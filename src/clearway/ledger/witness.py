"""A witness: keeps what it has seen of a log, and co-signs only what continues it.

Run by somebody else than the log, on another machine, it makes a rewritten log evident even when it is
rewritten by who holds the log's key. The rules are those of C2SP tlog-witness, `add-checkpoint`; the
co-signature is cosignature/v1. Pure but for the files of its folder:

    witness.key    its own key, made at the first use
    LOG.checkpoint the last checkpoint that it co-signed, with its co-signature
    LOG.seen       a line for each that it co-signed (`seen`): after a restart that gave up the last, an older one
                   still proves what was kept
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from clearway.records.errors import ConflictError, IntegrityError, NotFoundError
from clearway.store.failures import at

from .checkpoint import Checkpoint, Epoch, read
from .keys import load_or_make, replace
from .merkle import EMPTY_ROOT, verify_consistency
from .note import Note, Signature, SigningKey, VerifierKey, verified
from .seen import MOST_BYTES, Seen, Sight, contradicts, given_up, seen, untold

KEY = "witness.key"
# From an old size to the checkpoint's: the hashes of the consistency proof.
Prover = Callable[[int, int], Sequence[bytes]]


class Standing(Struct, frozen=True, kw_only=True):
    """How much of a log is proved by what a witness has seen of it."""

    proved: int  # so many first entries
    seen: int  # the most that it has seen


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
            3. Epochs are followed one after the other. Of what an epoch says it kept, the largest that was seen must
               be a beginning of the log now.
            4. A log that lost entries which this witness has seen is co-signed only when a person accepts that epoch
               by its number (the last of several), and never when what it gave up is not what was seen.

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
            known = self.seen(checkpoint.origin).also(Sight.of(checkpoint))
            replace(self._file(checkpoint.origin, "seen"), known.text())
            replace(self._file(checkpoint.origin), kept.render())
        return checkpoint, line

    def seen(self, origin: str) -> Seen:
        """All that it has co-signed of a log, as far as it is kept: with older releases, the last alone.

        Raises:
            InputError: a file is damaged.
        """
        found = Seen(origin=origin, name=self.key.name, sights=())
        with at(self.folder), suppress(FileNotFoundError):
            found = seen(self._file(origin, "seen").read_bytes()[: MOST_BYTES + 1].decode("utf-8", "replace"))
        last = self.last(origin)
        return found if last is None else found.also(Sight.of(last[0]))

    def standing(self, new: Checkpoint) -> Standing:
        """What is proved of the log that `new` is of, by all that was seen of it before.

        Raises:
            IntegrityError: it tells of an epoch otherwise than was seen, or does not tell what became of one.
        """
        sights = self.seen(new.origin).sights
        kept = _kept(self._chain(new), sights)
        return Standing(
            proved=max((s.size for s in kept), default=0), seen=max((s.size for s in sights), default=0)
        )

    def _chain(self, new: Checkpoint) -> list[Epoch]:
        """The restarts that `new` names, and those that it names no more, which the last one seen did."""
        last = self.last(new.origin)
        if last is None:
            return list(new.chain)
        chain = {e.number: e for e in last[0].chain}
        for epoch in new.chain:
            if chain.setdefault(epoch.number, epoch) != epoch:
                raise IntegrityError(f"epoch {epoch.number} is another than the one seen", where=new.origin)
        found = sorted(chain.values(), key=lambda e: e.number)
        old = Sight.of(last[0])
        if old.epoch > (new.epoch.number if new.epoch else 1) or untold(found, old):
            raise IntegrityError(
                f"the checkpoint does not tell what became of epoch {old.epoch}, which was seen",
                where=new.origin,
                mend="a release before this one named the newest epoch alone: look again once the log has grown",
            )
        return found

    def _continues(self, new: Checkpoint, prove: Prover, accept_epoch: int) -> None:
        last = self.last(new.origin)
        if last is None:
            return  # the first sight is believed
        old, chain = Sight.of(last[0]), self._chain(new)
        sights = self.seen(new.origin).sights
        # What was accepted before is not asked again: only restarts since the last sight give up anything new.
        since = [e for e in chain if e.number > old.epoch]
        before = [e for e in chain if e.number <= old.epoch]
        lost = [
            (s, e) for s in sights if given_up(before, s) is None and (e := given_up(since, s)) is not None
        ]
        for sight, epoch in lost:
            if why := contradicts(epoch, sight):
                raise IntegrityError(f"epoch {epoch.number} {why}", where=new.origin)
        # The largest that is kept: each smaller one was shown to be its beginning when it was co-signed.
        nothing = Sight(epoch=1, size=0, root=EMPTY_ROOT)
        top = max(_kept(chain, sights), key=lambda s: s.size, default=nothing)
        if top.size > new.size:
            raise ConflictError(
                f"the log shows {new.size} entries, and {top.size} were seen", where=new.origin
            )
        proof = prove(top.size, new.size) if 0 < top.size < new.size else ()
        verify_consistency(top.size, top.root if top.size else EMPTY_ROOT, new.size, new.root, proof)
        if lost:
            needed = max(epoch.number for _, epoch in lost)
            if not needed <= accept_epoch <= (new.epoch.number if new.epoch else 1):
                raise IntegrityError(_told(lost, top.size), where=new.origin,
                    mend=f"when each of these restores is known to be honest: --accept-epoch {needed}",
                )  # fmt: skip

    def _file(self, origin: str, kind: str = "checkpoint") -> Path:
        # An origin is another's text: its hash is the name of the file.
        return self.folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:16]}.{kind}"


def _kept(chain: Sequence[Epoch], sights: Iterable[Sight]) -> list[Sight]:
    """What was seen that no restart gave up. Of one so old that not all restarts since are named, nothing is known."""
    return [s for s in sights if not untold(chain, s) and given_up(chain, s) is None]


def _told(lost: Sequence[tuple[Sight, Epoch]], proved: int) -> str:
    """What restarts gave up of what was seen, and how much of what they kept is proved."""
    said = []
    for epoch in sorted({e.number: e for _, e in lost}.values(), key=lambda e: e.number):
        top = max(s.size for s, e in lost if e.number == epoch.number)
        said.append(
            f"entries {epoch.kept} to {top - 1}, which were seen, are gone since epoch {epoch.number}"
        )
    least = min(e.kept for _, e in lost)
    if proved < least:
        said.append(
            f"the log is proved up to {proved} by what was seen, and entries {proved} to {least - 1} rest on the word "
            "of who opened the epoch"
        )
    else:
        said.append(f"the log is proved up to {proved} by what was seen")
    return "; ".join(said)


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
