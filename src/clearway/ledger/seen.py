"""What was seen of a log over its life: a small line for each checkpoint, and what a restart gives up of it. Pure.

A home keeps it of what it signed, a witness of what it co-signed. The last checkpoint alone proves nothing of a log
that has given it up; an older one that the restart says it kept still does.

    clearway-ledger-seen-1
    ORIGIN
    NAME                      of the witness; "-" for a home
    EPOCH SIZE ROOT           one line a checkpoint, as they were seen
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from clearway.records.errors import InputError

from .checkpoint import Checkpoint, Epoch
from .merkle import HASH_BYTES

HEAD = "clearway-ledger-seen-1"
MOST_BYTES = 512 << 10
MOST = 4_096  # lines; beyond, every second of the older half is dropped
_LINE = re.compile(r"([1-9]\d{0,8}) (0|[1-9]\d{0,15}) ([A-Za-z0-9+/]{43}=)")


class Sight(Struct, frozen=True, kw_only=True):
    """One checkpoint that was seen."""

    epoch: int  # 1 before any restart
    size: int
    root: bytes

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Sight:
        """What is kept of a checkpoint."""
        epoch = checkpoint.epoch.number if checkpoint.epoch else 1
        return cls(epoch=epoch, size=checkpoint.size, root=checkpoint.root)

    def line(self) -> str:
        """Its line, with the line feed."""
        return f"{self.epoch} {self.size} {base64.b64encode(self.root).decode()}\n"


class Seen(Struct, frozen=True, kw_only=True):
    """All that one party has seen of one log, the oldest first."""

    origin: str
    name: str
    sights: tuple[Sight, ...]

    def text(self) -> str:
        """The file."""
        return head(self.origin, self.name) + "".join(sight.line() for sight in self.sights)

    def also(self, sight: Sight) -> Seen:
        """With one more, and no more than `MOST`: what is old thins out, so that some of every age is there."""
        if sight in self.sights:
            return self
        return Seen(origin=self.origin, name=self.name, sights=thinned((*self.sights, sight)))


def head(origin: str, name: str) -> str:
    """The first lines of a file."""
    return f"{HEAD}\n{origin}\n{name or '-'}\n"


def thinned(sights: tuple[Sight, ...], most: int = MOST) -> tuple[Sight, ...]:
    """At most `most`: of the older half every second one goes, as often as is needed."""
    while len(sights) > most:
        half = len(sights) // 2
        sights = (*sights[:half:2], *sights[half:])
    return sights


def seen(text: str, *, torn: bool = False) -> Seen:
    """What a file says. With `torn`, lines that can't be read are passed over: the file is not written synced.

    Raises:
        InputError: it is none, or a line can't be read.
    """
    lines = text.split("\n")
    if len(text) > MOST_BYTES or len(lines) < 4 or lines[0] != HEAD or not lines[1]:
        raise InputError("this is no list of what was seen of a log", where="seen")
    if lines.pop() and not torn:
        raise InputError("the list of what was seen is cut", where="seen")
    found = []
    for number, line in enumerate(lines[3:], 4):
        match = _LINE.fullmatch(line)
        root = _root(match[3]) if match else b""
        if match and root:
            found.append(Sight(epoch=int(match[1]), size=int(match[2]), root=root))
        elif not torn:
            raise InputError(f"line {number} of what was seen can't be read", where="seen")
    return Seen(origin=lines[1], name="" if lines[2] == "-" else lines[2], sights=tuple(found))


def given_up(chain: Iterable[Epoch], sight: Sight) -> Epoch | None:
    """The restart that did not keep all of a sight; None when every one since then did, so that the log begins with it.

    `chain` is oldest first. A restart keeps the first `kept` entries of the log as it was before.
    """
    return next((e for e in chain if e.number > sight.epoch and e.kept < sight.size), None)


def contradicts(epoch: Epoch, sight: Sight) -> str:
    """Why the restart that gave up `sight` can't be honest about it; "" when nothing shows.

    A restart names the last tree that was signed. One that was seen is no larger, and of that size it is the same.
    Whether a smaller one was a beginning of the tree that is gone can't be told any more.
    """
    if sight.size > epoch.old_size:
        return f"says that it gave up {epoch.old_size:,} entries, and {sight.size:,} were seen"
    if sight.size == epoch.old_size and sight.root != epoch.old_root:
        return f"gives up another tree than the one seen at {sight.size:,} entries"
    return ""


def untold(chain: Sequence[Epoch], sight: Sight) -> bool:
    """Whether `chain` lacks a restart since the sight: then it does not tell what became of it."""
    numbers = {e.number for e in chain}
    newest = max(numbers, default=1)
    return sight.epoch > newest or any(n not in numbers for n in range(sight.epoch + 1, newest + 1))


def _root(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return found if len(found) == HASH_BYTES else b""
