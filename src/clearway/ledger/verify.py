"""Verifying a whole log: every leaf, tile, root, signature and opening, from whatever holds them. Pure.

    1. Each checkpoint is read, and must be signed by a key of the log.
    2. Each leaf is hashed from its bundle and held against its level-0 tile.
    3. Each row of the tree is computed anew and held against the tiles above.
    4. The root at the size of each checkpoint, and of what a witness has kept, is computed and compared.
    5. What is opened of an entry is hashed with its salt and held against its leaf.

Nothing is believed for standing beside a signature: the tree is computed from the leaves alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from clearway.records.errors import InputError, IntegrityError

from .checkpoint import Checkpoint, of_note
from .log_keys import followed
from .merkle import EMPTY_ROOT
from .note import Note, VerifierKey, parse, parse_key, verified
from .verify_report import Report, Restart, Source, Witnessed, text_of
from .verify_tree import Problems, TreeWalk

_SHOWN = 20  # reasons; a log that is wrong throughout needs no more
Witness = VerifierKey | Note


def verify(
    source: Source,
    *,
    key: VerifierKey | None = None,
    own: VerifierKey | None = None,
    last: Checkpoint | None = None,
    complete: bool = False,
    witnesses: Iterable[Witness] = (),
    pending: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Verifies all that `source` holds.

    `key` is a key of the log that the caller knows from elsewhere; without one the holder's own are believed, and
    `pinned` says so. `own` is the key that signs where the caller is: the holder must know it. `last` is what was
    signed there last: the log must begin with it, or be of an epoch that names it. With `complete`, a part that is
    closed must be explained by an entry that says that it was erased. A witness is its key
    (a checkpoint must bear its co-signature) or its own copy of a checkpoint (the log must begin with it). `progress`
    is told leaves done and in all.
    """
    return _Verifier(source, key, own, last, complete, list(witnesses), progress).run(pending)


class _Verifier:
    def __init__(
        self,
        source: Source,
        key: VerifierKey | None,
        own: VerifierKey | None,
        last: Checkpoint | None,
        complete: bool,
        witnesses: list[Witness],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.source = source
        self.key = key
        self.own = own
        self.last = last
        self.complete = complete
        self.witnesses = witnesses
        self.problems = Problems()
        self.walk = TreeWalk(source, self.problems, progress)

    def run(self, pending: int) -> Report:
        trusted = self._trusted()
        if self.own is not None and self.own not in trusted:
            self.problems.add(-1, "the key that signs here is not among the keys of the log")
        signed = self._signed(trusted)
        newest = max((c for c, _ in signed), key=lambda c: c.size, default=None)
        copies = [(of_note(w), w) for w in self.witnesses if isinstance(w, Note)]
        size = self._reaches(newest.size if newest else 0, newest, copies)
        known = [(c.size, c.root, "a checkpoint") for c, _ in signed]
        known += [(c.size, c.root, "the witness's copy") for c, _ in copies if c.size <= size]
        known += self._continues(newest, size)
        self.walk.check(size, {s for s, _, _ in known})
        agreed = self._compare(known)
        found = [self._witnessed(w, signed, size, newest) for w in self.witnesses]
        epochs = self._epochs(newest)
        for said in self.source.elsewhere():
            self.problems.add(-1, said)
        withheld = [leaf for leaf, entry in self.walk.closed_at.items() if entry not in self.walk.erased]
        if self.complete:
            for leaf in withheld:
                self.problems.add(
                    leaf, f"leaf {leaf}: a part is withheld, and no entry says that it was erased"
                )
        leaves = [leaf for leaf, _ in self.problems.found if leaf >= 0]
        order = sorted(self.problems.found, key=lambda p: (p[0] < 0, p[0]))
        return Report(
            ok=not self.problems.found,
            size=size,
            root=text_of(newest.root if newest else EMPTY_ROOT),
            first_bad=min(leaves, default=None),
            origin=newest.origin if newest else "",
            reasons=tuple(text for _, text in order[:_SHOWN]),
            epochs=epochs,
            witnesses=tuple(found),
            keys=tuple(k.text() for k in trusted),
            pinned=self.key is not None,
            checkpoints=agreed,
            opened=self.walk.opened,
            closed=self.walk.closed,
            withheld=tuple(withheld[:_SHOWN]),
            pending=pending,
        )

    def _continues(self, newest: Checkpoint | None, size: int) -> list[tuple[int, bytes, str]]:
        """What was signed here last, to be held against the tree."""
        last = self.last
        if last is None or not last.size:
            return []
        epoch = newest.epoch if newest else None
        if epoch is not None and (epoch.old_size, epoch.old_root) == (last.size, last.root):
            return []  # the restart that gave this one up
        if newest is not None and newest.origin != last.origin:
            self.problems.add(-1, "another log was signed here last")
            return []
        if last.size > size:
            self.problems.add(size, f"the log has {size:,} entries, and {last.size:,} were signed here")
            return []
        return [(last.size, last.root, "what was signed here last,")]

    def _reaches(
        self, signed: int, newest: Checkpoint | None, copies: Sequence[tuple[Checkpoint, Note]]
    ) -> int:
        """How far the tree is to be checked: to the newest checkpoint, or as far as another vouches for it.

        Where the newest checkpoint is gone or altered, no leaf need be wrong: a copy of it that is kept elsewhere shows
        whether the leaves are those that it was signed for.
        """
        ours = [c for c, _ in copies if newest is None or c.origin == newest.origin]
        known = [(c.size, c.root, "as the witness's copy of it shows") for c in ours]
        if self.last is not None:
            known.append((self.last.size, self.last.root, "as what was signed here last shows"))
        for size, root, words in sorted(known, reverse=True):
            if size > signed and self.walk.root_at(size) == root:
                self.problems.add(
                    -1, f"the checkpoint of {size:,} entries is gone or altered; its leaves are here, {words}"
                )
                return size
        return signed

    # Signatures

    def _trusted(self) -> list[VerifierKey]:
        try:
            keys = self.source.keys()
            first = self.key or (parse_key(keys[0].vkey) if keys else None)
            return followed(first, keys) if first else []
        except (InputError, IntegrityError) as error:
            self.problems.add(-1, f"the keys of the log: {error}")
            return [self.key] if self.key else []

    def _signed(self, trusted: list[VerifierKey]) -> list[tuple[Checkpoint, Note]]:
        """The checkpoints that a trusted key has signed."""
        found = []
        origins = set()
        for text in self.source.notes():
            try:
                note = parse(text)
                checkpoint = of_note(note)
                if not _signers(note, trusted):
                    raise IntegrityError(
                        f"the checkpoint of {checkpoint.size} is not signed by the log's key"
                    )
            except (InputError, IntegrityError) as error:
                self.problems.add(-1, str(error))
                continue
            origins.add(checkpoint.origin)
            found.append((checkpoint, note))
        if len(origins) > 1:
            self.problems.add(-1, "the checkpoints are of several logs")
        if not found:
            self.problems.add(-1, "there is no checkpoint signed by the log's key")
        return found

    # Roots

    def _compare(self, known: list[tuple[int, bytes, str]]) -> int:
        """Holds every known root against the tree; returns how many agree."""
        exact = min((leaf for leaf, _ in self.problems.found if leaf >= 0), default=None)
        agreed = {(size, whose) for size, root, whose in known if self.walk.roots.get(size) == root}
        for size, root, whose in sorted(known):
            if self.walk.roots.get(size) != root and (exact is None or exact >= size):
                # Which leaf it is can't be told from a root, only that it comes after the last root that agrees;
                # and what the log says of itself tells nothing of where a witness disagrees.
                good = max((s for s, w in agreed if w == whose and s < size), default=0)
                self.problems.add(
                    good, f"{whose} of {size} has another root: some leaf from {good} to {size - 1} is wrong"
                )
        return len({size for size, _ in agreed})

    def _witnessed(
        self,
        witness: Witness,
        signed: list[tuple[Checkpoint, Note]],
        size: int,
        newest: Checkpoint | None,
    ) -> Witnessed:
        if isinstance(witness, VerifierKey):
            return self._by_key(witness, signed)
        copy = of_note(witness)
        names = [s.name for s in witness.signatures if s.name != copy.origin] or ["the witness"]
        same = self.walk.roots.get(copy.size) == copy.root
        epoch = newest.epoch if newest else None
        if newest is not None and copy.origin != newest.origin:
            self.problems.add(-1, f"{names[0]} has kept a checkpoint of another log")
            same = False
        elif copy.size > size:
            same = epoch is not None and (epoch.old_size, epoch.old_root) == (copy.size, copy.root)
            if not same:
                self.problems.add(size, f"{names[0]} has seen {copy.size} entries, the log has {size}")
        elif not same and epoch and (epoch.old_size, epoch.old_root) == (copy.size, copy.root):
            same = True  # the log grew again after the restart that gave this one up
            self.problems.found = [
                p for p in self.problems.found if not p[1].startswith(f"the witness's copy of {copy.size} ")
            ]
        return Witnessed(name=names[0], size=copy.size, root=text_of(copy.root), time=0, ok=same)

    def _by_key(self, key: VerifierKey, signed: list[tuple[Checkpoint, Note]]) -> Witnessed:
        best: tuple[int, int, bytes] | None = None
        for checkpoint, note in signed:
            try:
                when = verified(note, key)
            except IntegrityError as error:
                self.problems.add(-1, str(error))
                continue
            if when is not None and (best is None or checkpoint.size > best[0]):
                best = (checkpoint.size, when, checkpoint.root)
        if best is None:
            self.problems.add(-1, f"no checkpoint bears a co-signature of {key.name}")
            return Witnessed(name=key.name, size=0, root=text_of(EMPTY_ROOT), time=0, ok=False)
        size, when, root = best
        return Witnessed(
            name=key.name, size=size, root=text_of(root), time=when, ok=self.walk.roots.get(size) == root
        )

    def _epochs(self, newest: Checkpoint | None) -> tuple[Restart, ...]:
        told = self.source.epochs()
        if (newest.epoch if newest else None) != (told[-1] if told else None):
            self.problems.add(-1, "the newest checkpoint names another epoch than the log")
        return tuple(
            Restart(
                epoch=e.number, old_size=e.old_size, old_root=text_of(e.old_root), kept=e.kept,
                lost=e.old_size - e.kept,
            )
            for e in told
        )  # fmt: skip


def _signers(note: Note, keys: list[VerifierKey]) -> list[VerifierKey]:
    """The keys that have signed; raises IntegrityError when a signature in the name of one does not hold."""
    return [key for key in keys if verified(note, key) is not None]
