"""What a home keeps of the log that it signs, beside its keys. Who has the database alone can't change it.

ledger/signed    the last checkpoint that was signed here
ledger/seen      a line for each that was signed here (`seen`)
ledger/epochs    the restarts that were opened here, each as the line that checkpoints have
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from clearway.records.errors import InputError
from clearway.store.failures import at

from .checkpoint import Epoch, epoch_of, of_note
from .keys import SIGNED, last_signed, replace
from .note import Note
from .seen import MOST, MOST_BYTES, Seen, Sight, head, seen, thinned

SEEN = "seen"
EPOCHS = "epochs"


def remember(folder: Path, note: Note) -> None:
    """Keeps `note` as the last that was signed here. Not synced: losing it only weakens what is held against it."""
    checkpoint = of_note(note)
    with at(folder):
        path, line = folder / SEEN, Sight.of(checkpoint).line()
        if not path.exists():
            line = (
                head(checkpoint.origin, "")
                + "".join(s.line() for s in _last(folder, checkpoint.origin))
                + line
            )
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "ab") as file:
            file.write(line.encode())
            long = file.tell() > MOST * 80
        if long:
            kept = thinned(sights(folder, checkpoint.origin), MOST * 3 // 4)
            replace(path, head(checkpoint.origin, "") + "".join(s.line() for s in kept))
        replace(folder / SIGNED, note.render(), sync=False)


def sights(folder: Path, origin: str) -> tuple[Sight, ...]:
    """Every checkpoint of the log `origin` that is remembered to have been signed here, oldest first."""
    known = all_seen(folder)
    return known.sights if known is not None and known.origin == origin else tuple(_last(folder, origin))


def all_seen(folder: Path) -> Seen | None:
    """All that is remembered to have been signed here; None where nothing was."""
    last, found = last_signed(folder), None
    with suppress(OSError, InputError):
        text = (folder / SEEN).read_bytes()[:MOST_BYTES].decode("utf-8", "replace")
        found = seen(text, torn=True)
    if last is not None and last.size and (found is None or found.origin == last.origin):
        found = (found or Seen(origin=last.origin, name="", sights=())).also(Sight.of(last))
    return found if found is not None and found.sights else None


def note_epochs(folder: Path, opened: Iterable[Epoch]) -> None:
    """Notes restarts that are opened here, synced, before the database tells of them."""
    known = noted(folder)
    lines = [e.line() for e in (*known, *(e for e in opened if e not in known))]
    replace(folder / EPOCHS, "".join(f"{line}\n" for line in lines))


def noted(folder: Path) -> tuple[Epoch, ...]:
    """The restarts that were opened here; none where there is no file.

    Raises:
        InputError: the file is damaged.
    """
    try:
        text = (folder / EPOCHS).read_bytes()[:MOST_BYTES].decode("utf-8", "replace")
    except FileNotFoundError:
        return ()
    return tuple(epoch_of(line) for line in text.splitlines())


def _last(folder: Path, origin: str) -> list[Sight]:
    last = last_signed(folder)
    return [Sight.of(last)] if last is not None and last.origin == origin else []
