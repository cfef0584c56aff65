"""What a witness or a home has seen, held against a log that may have been restored. Pure; a part of `verify`.

Each thing seen must be a beginning of the log, but for what a restart since then did not keep. What such a restart kept
is proved by what was seen of it; between the last such sight and `kept` there is only the word of who opened it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .checkpoint import Epoch, of_note
from .note import Note
from .seen import Seen, Sight, contradicts, given_up, untold
from .verify_report import Restart, Witnessed, text_of
from .verify_tree import Problems

Roots = Mapping[int, bytes]


class Copy:
    """All that one party has seen, and what became of it."""

    def __init__(self, seen: Seen, *, witness: bool) -> None:
        self.seen = seen
        self.name = (seen.name or "the witness") if witness else "what was signed here"
        # How it is named where a root disagrees, and where the log's own checkpoint is gone.
        self._whose = "the witness's copy" if witness else "what was signed here,"
        self.shows = (
            f"as {'the copy of it that the witness has' if witness else 'what was signed here'} shows"
        )
        self._kept: list[Sight] = []
        self._lost: list[tuple[Sight, Epoch]] = []
        self._fits = True
        self._witness = witness

    def expected(
        self, chain: Sequence[Epoch], origin: str, size: int, problems: Problems
    ) -> list[tuple[int, bytes, str]]:
        """The roots that the log must have, each with whose word it is; adds what can be told to be wrong already."""
        if origin and self.seen.origin != origin:
            self._wrong(
                problems, -1,
                f"{self.name} has kept a checkpoint of another log" if self._witness
                else "another log was signed here last",
            )  # fmt: skip
            return []
        for sight in self.seen.sights:
            gone = given_up(chain, sight)
            if untold(chain, sight):
                self._wrong(
                    problems, -1, f"{self.name} is of epoch {sight.epoch}, of which the log does not tell all"
                )
            elif gone is not None:
                self._lost.append((sight, gone))
                if why := contradicts(gone, sight):
                    self._wrong(problems, -1, f"{self.name}: epoch {gone.number} {why}")
            elif sight.size > size:
                text = (
                    f"{self.name} has seen {sight.size} entries, the log has {size}" if self._witness
                    else f"the log has {size:,} entries, and {sight.size:,} were signed here"
                )  # fmt: skip
                self._wrong(problems, size, text)
            else:
                self._kept.append(sight)
        return [(s.size, s.root, self._whose) for s in self._kept]

    def proved(self, roots: Roots, before: int = 0) -> int:
        """So many first entries are those that were seen; with `before`, seen in an epoch below that number."""
        return max(
            (s.size for s in self._kept if roots.get(s.size) == s.root and (not before or s.epoch < before)),
            default=0,
        )

    def told(self, roots: Roots) -> Witnessed:
        """What this witness's copy says of the log, once the roots are computed."""
        last = max(self.seen.sights, key=lambda s: (s.epoch, s.size))
        gone = max((s.size - e.kept for s, e in self._lost), default=0)
        ok = self._fits and all(roots.get(s.size) == s.root for s in self._kept)
        return Witnessed(
            name=self.name, size=last.size, root=text_of(last.root), time=0, ok=ok, proved=self.proved(roots),
            given_up=gone,
        )  # fmt: skip

    def _wrong(self, problems: Problems, leaf: int, text: str) -> None:
        self._fits = False
        problems.add(leaf, text)


def copy_of(what: Note | Seen) -> Copy:
    """A copy of one checkpoint, or of all that was seen; that of a home has no name and is no note.

    Raises:
        InputError: the note is no checkpoint.
    """
    if isinstance(what, Seen):
        return Copy(what, witness=bool(what.name))
    checkpoint = of_note(what)
    names = [s.name for s in what.signatures if s.name != checkpoint.origin]
    seen = Seen(
        origin=checkpoint.origin, name=names[0] if names else "the witness", sights=(Sight.of(checkpoint),)
    )
    return Copy(seen, witness=True)


def restarts(chain: Sequence[Epoch], copies: Sequence[Copy], roots: Roots) -> tuple[Restart, ...]:
    """The restarts, each with how much of what it kept is proved by copies from before it."""
    return tuple(
        Restart(
            epoch=e.number, old_size=e.old_size, old_root=text_of(e.old_root), kept=e.kept,
            lost=e.old_size - e.kept, proved=max((c.proved(roots, e.number) for c in copies), default=0),
        )
        for e in chain
    )  # fmt: skip
