"""Checkpoints (C2SP tlog-checkpoint): what the log says of itself, signed. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from msgspec import Struct

from clearway.records.errors import InputError

from .merkle import HASH_BYTES
from .note import Note, parse
from .tiles import MAX_SIZE

_EPOCH = re.compile(r"epoch ([1-9]\d{0,8}) (0|[1-9]\d{0,15}) ([A-Za-z0-9+/]{43}=) (0|[1-9]\d{0,15})")
MOST_EPOCHS = 48  # that a checkpoint names: the newest; one is 80 bytes
_MAX_LINES = 64


class Epoch(Struct, frozen=True, kw_only=True):
    """A restart of the log after a restore: which log was signed last before it, and where this one goes on.

    The extension line `epoch NUMBER OLD-SIZE OLD-ROOT KEPT` of every checkpoint since then. Entries from `kept`
    on to `old_size` were signed and are gone; none are when the two are equal: the root of the first `kept` is then
    `old_root`.
    """

    number: int  # the first restart is 2
    old_size: int
    old_root: bytes
    kept: int

    def line(self) -> str:
        return f"epoch {self.number} {self.old_size} {_encoded(self.old_root)} {self.kept}"


class Checkpoint(Struct, frozen=True, kw_only=True):
    """The tree head at one size."""

    origin: str  # names the log
    size: int
    root: bytes
    epoch: Epoch | None = None  # the newest
    before: tuple[Epoch, ...] = ()  # those before it, newest first; checkpoints of older releases name none
    extensions: tuple[str, ...] = ()  # lines of others, kept

    def text(self) -> str:
        """The text of the note."""
        lines = [self.origin, str(self.size), _encoded(self.root)]
        if self.epoch is not None:
            lines += [epoch.line() for epoch in (self.epoch, *self.before)]
        return "".join(f"{line}\n" for line in (*lines, *self.extensions))

    @property
    def chain(self) -> tuple[Epoch, ...]:
        """The restarts that it names, oldest first."""
        return () if self.epoch is None else (*reversed(self.before), self.epoch)

    @classmethod
    def of(cls, origin: str, size: int, root: bytes, chain: Sequence[Epoch] = ()) -> Checkpoint:
        """A checkpoint that names the newest `MOST_EPOCHS` restarts of `chain`, which is oldest first."""
        newest = tuple(reversed(chain))[:MOST_EPOCHS]
        return cls(
            origin=origin, size=size, root=root, epoch=newest[0] if newest else None, before=newest[1:]
        )


def of_note(note: Note) -> Checkpoint:
    """What a note says, as a checkpoint. Its signatures are not checked here.

    Raises:
        InputError: it is no checkpoint.
    """
    lines = note.text.removesuffix("\n").split("\n")
    if not 3 <= len(lines) <= _MAX_LINES:
        raise _refused("it has too few or too many lines")
    origin, size, root, *more = lines
    if not origin or not re.fullmatch(r"0|[1-9]\d{0,15}", size) or int(size) > MAX_SIZE:
        raise _refused("its second line is no size")
    if "" in more:
        raise _refused("an extension line is empty")
    epochs: list[Epoch] = []
    while more and _EPOCH.fullmatch(more[0]):
        one = epoch_of(more[0])
        if epochs and one.number != epochs[-1].number - 1:
            raise _refused("its epochs are not one after the other")
        epochs.append(one)
        more = more[1:]
    found = Checkpoint(
        origin=origin, size=int(size), root=_hash(root), epoch=epochs[0] if epochs else None,
        before=tuple(epochs[1:]), extensions=tuple(more),
    )  # fmt: skip
    if found.text() != note.text:
        raise _refused("it is not in the one spelling")
    return found


def epoch_of(line: str) -> Epoch:
    """The restart that an extension line tells of.

    Raises:
        InputError: it tells of none.
    """
    match = _EPOCH.fullmatch(line)
    if match is None:
        raise InputError("this line tells of no epoch", where="epoch")
    number, old_size, old_root, kept = match.groups()
    found = Epoch(number=int(number), old_size=int(old_size), old_root=_hash(old_root), kept=int(kept))
    if found.kept > found.old_size or found.number < 2:
        raise _refused("its epoch keeps more than there was")
    return found


def read(data: bytes | str) -> tuple[Checkpoint, Note]:
    """The checkpoint in `data`, and the note with its signatures.

    Raises:
        InputError: it is none.
    """
    note = parse(data)
    return of_note(note), note


def _encoded(root: bytes) -> str:
    return base64.b64encode(root).decode()


def _hash(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != HASH_BYTES:
        raise _refused("a root is not 32 bytes in base64")
    return found


def _refused(why: str) -> InputError:
    return InputError(f"this is no checkpoint: {why}", where="checkpoint")
