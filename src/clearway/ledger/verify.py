"""Verifying a whole log: every leaf, tile, root, signature and opening, from whatever holds them. Pure.

    1. Each checkpoint is read, and must be signed by a key of the log.
    2. Each leaf is hashed from its bundle and held against its level-0 tile.
    3. Each row of the tree is computed anew and held against the tiles above.
    4. The root at the size of each checkpoint, and of all that a witness has seen, is computed and compared. Only what
       a restart says it did not keep is left out, and said to be.
    5. What is opened of an entry is hashed with its salt and held against its leaf.

Nothing is believed for standing beside a signature: the tree is computed from the leaves alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from clearway.records.errors import InputError, IntegrityError

from .checkpoint import Checkpoint, Epoch, of_note
from .leaf import opens
from .log_keys import followed, leading_to
from .merkle import EMPTY_ROOT
from .note import Note, VerifierKey, parse, parse_key, verified
from .seen import Seen, Sight, given_up
from .verify_closed import Settled, Unshown, beyond
from .verify_report import Report, Source, Witnessed, text_of
from .verify_seen import Copy, copy_of, restarts
from .verify_tree import Problems, TreeWalk

_SHOWN = 20  # reasons; a log that is wrong throughout needs no more
_NAMED = 5  # of the parts that are withheld
_BEYOND = 4  # sights of more than the log has signed that are tried: each is a walk over all leaves
Witness = VerifierKey | Note | Seen


def verify(
    source: Source,
    *,
    key: VerifierKey | None = None,
    own: VerifierKey | None = None,
    last: Checkpoint | None = None,
    signed_here: Seen | None = None,
    complete: bool = False,
    witnesses: Iterable[Witness] = (),
    pending: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Verifies all that `source` holds.

    `key` is a key of the log that the caller knows from elsewhere; without one the holder's own are believed, and
    `pinned` says so. A key that came after others is taken too: what the others have signed is then proved by the
    checkpoints that it has signed since. `own` is the key that signs where the caller is: the holder must know it.
    `last` is what was signed there last, and `signed_here` what was before: the log must begin with them, but for what
    an epoch says that it gave up. With `complete`, and always where the source has the whole log, nothing may be
    withheld: every part is shown, or an entry that is shown says that exactly this one was erased (`verify_closed`).
    A witness is its key (a checkpoint must bear its co-signature), its own copy of a checkpoint, or all that it has
    seen (the log must begin with each, as with `last`). `progress` is told leaves done and in all.
    """
    home = signed_here
    if last is not None and last.size:
        home = (home or Seen(origin=last.origin, name="", sights=())).also(Sight.of(last))
    return _Verifier(source, key, own, home, complete, list(witnesses), progress).run(pending)


def unsigned(source: Source, pending: int) -> Report:
    """The report on a log of which nothing was ever placed or signed: right where what waits is whole."""
    problems = Problems()
    settled(source, Unshown(), problems, complete=True)
    for said in source.elsewhere():
        problems.add(-1, said)
    return Report(
        ok=not problems.found,
        size=0,
        root=text_of(EMPTY_ROOT),
        first_bad=None,
        reasons=tuple(text for _, text in problems.found[:_SHOWN]),
        pending=pending,
    )


class _Verifier:
    def __init__(
        self,
        source: Source,
        key: VerifierKey | None,
        own: VerifierKey | None,
        home: Seen | None,
        complete: bool,
        witnesses: list[Witness],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.source = source
        self.key = key
        self.own = own
        self.home = copy_of(home) if home else None
        self.complete = complete or source.whole
        self.witnesses = witnesses
        self.copies = [copy_of(w) for w in witnesses if not isinstance(w, VerifierKey)]
        self.ancestors: list[VerifierKey] = []
        self.problems = Problems()
        self.walk = TreeWalk(source, self.problems, progress)

    def run(self, pending: int) -> Report:
        trusted = self._trusted()
        if self.own is not None and self.own not in (*trusted, *self.ancestors):
            self.problems.add(-1, "the key that signs here is not among the keys of the log")
        signed, before = self._signed(trusted)
        newest = max((c for c, _ in signed), key=lambda c: c.size, default=None)
        chain = self.source.epochs()
        self._check_chain(chain, [*(c for c, _ in signed), *before], newest)
        size = self._reaches(newest.size if newest else 0, newest)
        for checkpoint in before:
            if checkpoint.size > size:
                self.problems.add(-1, f"the checkpoint of {checkpoint.size} is not signed by the log's key")
        before = [c for c in before if c.size <= size]
        known = [(c.size, c.root, "a checkpoint") for c in (*(c for c, _ in signed), *before)]
        known += [
            (e.old_size, e.old_root, f"the tree that epoch {e.number} kept whole,")
            for e in chain
            if given_up(chain, Sight(epoch=e.number - 1, size=e.old_size, root=e.old_root)) is None
        ]
        origin = newest.origin if newest else ""
        for copy in self._all_copies():
            known += copy.expected(chain, origin, size, self.problems)
        self.walk.check(size, {s for s, _, _ in known})
        agreed = self._compare(known)
        found = self._witnesses(signed)
        closed = settled(self.source, self.walk.unshown, self.problems, complete=self.complete)
        for epoch in chain:
            self._check_told(epoch, closed)
        for said in self.source.elsewhere():
            self.problems.add(-1, said)
        leaves = [leaf for leaf, _ in self.problems.found if leaf >= 0]
        order = sorted(self.problems.found, key=lambda p: (p[0] < 0, p[0]))
        return Report(
            ok=not self.problems.found,
            size=size,
            root=text_of(newest.root if newest else EMPTY_ROOT),
            first_bad=min(leaves, default=None),
            origin=newest.origin if newest else "",
            reasons=tuple(text for _, text in order[:_SHOWN]),
            epochs=restarts(chain, self._all_copies(), self.walk.roots),
            witnesses=tuple(found),
            keys=tuple(k.text() for k in trusted),
            pinned=self.key is not None,
            checkpoints=agreed,
            older=len({c.size for c in before if self.walk.roots.get(c.size) == c.root}),
            opened=self.walk.opened,
            closed=self.walk.unshown.parts,
            erased=closed.erased,
            withheld=closed.leaves[:_SHOWN],
            pending=pending,
        )

    def _all_copies(self) -> list[Copy]:
        return [*self.copies, *([self.home] if self.home else [])]

    def _reaches(self, signed: int, newest: Checkpoint | None) -> int:
        """How far the tree is to be checked: to the newest checkpoint, or as far as another vouches for it.

        Where the newest checkpoint is gone or altered, no leaf need be wrong: a copy of it that is kept elsewhere shows
        whether the leaves are those that it was signed for.
        """
        known = {
            (sight.size, sight.root, copy.shows)
            for copy in self._all_copies()
            if newest is None or copy.seen.origin == newest.origin
            for sight in copy.seen.sights
            if sight.size > signed
        }
        for size, root, words in sorted(known, reverse=True)[:_BEYOND]:
            if self.walk.root_at(size) == root:
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
            if first is None:
                return []
            self.ancestors = leading_to(first, keys)
            return followed(first, keys)
        except (InputError, IntegrityError) as error:
            self.problems.add(-1, f"the keys of the log: {error}")
            return [self.key] if self.key else []

    def _signed(self, trusted: list[VerifierKey]) -> tuple[list[tuple[Checkpoint, Note]], list[Checkpoint]]:
        """The checkpoints that a trusted key has signed, and those that only a key from before it has."""
        found, before = [], []
        origins = set()
        for text in self.source.notes():
            try:
                note = parse(text)
                checkpoint = of_note(note)
                trusts = bool(_signers(note, trusted))
                if not trusts and not _signers(note, self.ancestors):
                    raise IntegrityError(
                        f"the checkpoint of {checkpoint.size} is not signed by the log's key"
                    )
            except (InputError, IntegrityError) as error:
                self.problems.add(-1, str(error))
                continue
            origins.add(checkpoint.origin)
            if trusts:
                found.append((checkpoint, note))
            else:
                before.append(checkpoint)
        if len(origins) > 1:
            self.problems.add(-1, "the checkpoints are of several logs")
        if not found:
            self.problems.add(-1, "there is no checkpoint signed by the log's key")
        return found, before

    # Restarts

    def _check_chain(
        self, chain: Sequence[Epoch], signed: Sequence[Checkpoint], newest: Checkpoint | None
    ) -> None:
        """The restarts that the holder tells of must be those that checkpoints name, one after the other."""
        if (newest.epoch if newest else None) != (chain[-1] if chain else None):
            self.problems.add(-1, "the newest checkpoint names another epoch than the log")
        if [e.number for e in chain] != list(range(2, len(chain) + 2)):
            self.problems.add(-1, "the epochs that the log tells of are not one after the other")
        odd = {e.number for c in signed for e in c.chain if e not in chain}
        for number in sorted(odd):
            self.problems.add(-1, f"a checkpoint names epoch {number} otherwise than the log")

    def _check_told(self, epoch: Epoch, closed: Settled) -> None:
        """Where the entry that tells of a restart is shown, it has the same numbers; it is shown, or withheld."""
        numbers = (epoch.number, epoch.old_size, epoch.old_root.hex(), epoch.kept)
        told = self.walk.epochs.get(epoch.number)
        if told is None and self.walk.opened and not closed.withheld:
            self.problems.add(-1, f"no entry tells of epoch {epoch.number}")
        elif told is not None and numbers not in told:
            self.problems.add(-1, f"the entry that tells of epoch {epoch.number} has other numbers")

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

    def _witnesses(self, signed: list[tuple[Checkpoint, Note]]) -> list[Witnessed]:
        copies = iter(self.copies)
        return [
            self._by_key(w, signed) if isinstance(w, VerifierKey) else next(copies).told(self.walk.roots)
            for w in self.witnesses
        ]

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
        ok = self.walk.roots.get(size) == root
        return Witnessed(
            name=key.name, size=size, root=text_of(root), time=when, ok=ok, proved=size if ok else 0
        )


def settled(source: Source, unshown: Unshown, problems: Problems, *, complete: bool) -> Settled:
    """What of the log is not shown, with what waits for its place; it is a problem where all must be there."""
    for opening, hashes in source.waiting():
        wrong = opens(opening, hashes)
        if wrong:
            problems.add(
                -1, f"the {wrong} of entry {opening.entry}, which waits for its place, is not what was logged"
            )
        unshown.closed(-1, opening, hashes)
        if not wrong:
            unshown.says(opening)
    found = unshown.settled()
    if complete:
        for one in found.first[:_NAMED]:
            problems.add(one.leaf, one.text())
        if found.withheld > _NAMED:
            problems.add(-1, f"{found.withheld:,} headers and contents in all are not there")
        if unshown.too_many:
            problems.add(-1, beyond())
    return found


def _signers(note: Note, keys: list[VerifierKey]) -> list[VerifierKey]:
    """The keys that have signed; raises IntegrityError when a signature in the name of one does not hold."""
    return [key for key in keys if verified(note, key) is not None]
