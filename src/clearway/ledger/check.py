"""`clearway ledger verify`: what to verify, with which keys, and how the answer reads.

A file is verified without the database and without its driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from clearway.records.errors import InputError, UpstreamError
from clearway.records.text import plain

from . import verify as v
from .bundle import Bundle
from .checkpoint import of_note
from .note import MAX_BYTES, Note, SigningKey, VerifierKey, parse, parse_key
from .seen import HEAD, MOST_BYTES, Seen, Sight, seen
from .verify_report import Report, Witnessed

MAX_SEEN = max(4 * MAX_BYTES, MOST_BYTES)
Progress = Callable[[int, int], None] | None


def verify_file(
    path: str,
    *,
    key: str | None,
    witnesses: Sequence[str],
    complete: bool = False,
    progress: Progress = None,
) -> Report:
    """The report on an exported log. `key` and `witnesses` are as typed: texts, or files with them.

    Raises:
        InputError: the file is no exported log, or a key is none.
        UpstreamError: a file can't be read.
    """
    pinned = key_of(key) if key else None
    vouching = [witness_of(text) for text in witnesses]
    with Bundle(Path(path)) as bundle:
        return v.verify(bundle, key=pinned, complete=complete, witnesses=vouching, progress=progress)


def verify_home(
    home: Path,
    *,
    key: str | None,
    witnesses: Sequence[str],
    complete: bool = False,
    unsigned: bool = False,
    continues: bool = True,
    progress: Progress = None,
) -> Report:
    """The report on the log in the database of `home`, as its owner sees it.

    With `unsigned`, a log of which nothing was ever placed or signed, as before the first start of a server, is right:
    there is nothing to verify yet. It is not where the home has a key or a checkpoint, or a key or witness is named.
    Without `continues`, what was signed here last is not held against it: a backup that is put back is older.
    """
    from .keys import FOLDER, LOG_KEY, SIGNED
    from .memory import all_seen
    from .opened import opened
    from .stored import Stored, is_untouched, pending, snapshot

    pinned = key_of(key) if key else None
    vouching = [witness_of(text) for text in witnesses]
    file = home / FOLDER / LOG_KEY
    own = SigningKey.parse(read_file(str(file)).decode("utf-8", "replace")).public if file.exists() else None
    never = unsigned and not (pinned or vouching or own or (home / FOLDER / SIGNED).exists())
    with opened(home) as log, snapshot(log.db):
        source = Stored(log.db, whole=True)
        if never and is_untouched(log.db):
            return v.unsigned(source, pending(log.db))
        return v.verify(
            source,
            key=pinned,
            own=own,
            signed_here=all_seen(home / FOLDER) if continues else None,
            complete=complete,
            witnesses=vouching,
            pending=pending(log.db),
            progress=progress,
        )


def key_of(text: str) -> VerifierKey:
    """The key typed as `NAME+ID+KEY`, or in a file.

    Raises:
        InputError: it is none.
    """
    return parse_key(text if "+" in text and "\n" not in text else read_file(text).decode("utf-8", "replace"))


def witness_of(text: str) -> v.Witness:
    """A witness's key, its copy of a checkpoint, or all that it has seen (`.seen`), as typed or in a file.

    A copy `NAME.checkpoint` with a `NAME.seen` of the same log beside it is taken with it.

    Raises:
        InputError: it is none of them.
    """
    if text.count("+") >= 2 and not Path(text).exists():
        return parse_key(text)
    data = read_file(text, MAX_SEEN).decode("utf-8", "replace")
    if data.startswith(HEAD):
        return _seen(data, text)
    if "\n\n" not in data:
        return parse_key(data)
    note = parse(data)
    checkpoint = of_note(note)
    beside = Path(text).with_suffix(".seen")
    if Path(text).suffix == ".checkpoint" and beside.exists():
        found = _seen(read_file(str(beside), MAX_SEEN).decode("utf-8", "replace"), str(beside))
        if found.origin == checkpoint.origin:
            return found.also(Sight.of(checkpoint))
    return note


def note_of(text: str) -> Note | None:
    """The checkpoint in the file of a witness's copy; None where it is no such file. Raises as `witness_of`."""
    if not Path(text).is_file():
        return None
    data = read_file(text, MAX_SEEN).decode("utf-8", "replace")
    return parse(data) if "\n\n" in data and not data.startswith(HEAD) else None


def _seen(data: str, place: str) -> Seen:
    found = seen(data)
    if not found.sights:
        raise InputError("nothing was seen", where=place)
    return found if found.name else Seen(origin=found.origin, name="a home", sights=found.sights)


def read_file(path: str, most: int = 4 * MAX_BYTES) -> bytes:
    """The bytes of a small file.

    Raises:
        UpstreamError: it can't be read.
        InputError: it is not a small one.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "the name is no file's"
        raise UpstreamError(f"can't be read: {said}", where=path) from None
    if len(data) > most:
        raise InputError("the file is too large for a key, checkpoint or proof", where=path)
    return data


def show(report: Report, out: TextIO) -> None:
    """The report for a person."""
    if report.ok and not report.checkpoints:
        out.write(
            f"nothing is signed yet: {report.pending:,} entries are acknowledged and wait for their place; a server "
            "gives it to them, or `clearway ledger integrate`\n"
        )
        return
    word = "verifies" if report.ok else "does NOT verify"
    out.write(f"the log {word}: {report.size:,} entries of {plain(report.origin, 120) or 'no log'}\n")
    if report.first_bad is not None:
        out.write(f"  first bad leaf: {report.first_bad:,}\n")
    for reason in report.reasons:
        out.write(f"  {plain(reason)}\n")
    out.write(f"  root {report.root}\n")
    out.write(
        f"  checked: {report.size:,} leaves, every tile, {report.checkpoints:,} signed roots; of the entries' parts "
        f"{report.opened:,} shown and matching, {report.erased:,} erased, as an entry says, "
        f"{report.closed - report.erased:,} withheld\n"
    )
    if report.pending:
        out.write(f"  {report.pending:,} entries are acknowledged and wait for their place\n")
    if report.withheld and report.opened:
        some = ", ".join(f"{leaf:,}" for leaf in report.withheld[:5])
        out.write(
            f"  withheld, and no entry shown says that it was erased: leaf {some}"
            f"{' …' if len(report.withheld) > 5 else ''}\n"
        )
    for epoch in report.epochs:
        out.write(
            f"  epoch {epoch.epoch}: a restore kept {epoch.kept:,} of {epoch.old_size:,} entries; {epoch.lost:,} lost; "
            + (
                f"of those kept, all {epoch.kept:,} are proved by what was seen before it\n"
                if epoch.proved >= epoch.kept
                else f"proved up to {epoch.proved:,} by what was seen before it, and that the other "
                f"{epoch.kept - epoch.proved:,} are those of before is the word of who opened it\n"
            )
        )
    if report.older:
        out.write(
            f"  {report.older:,} of these roots are signed by a key from before the one given, which does not vouch "
            "for it; their leaves are under a later root that the given key, or one it endorsed, has signed\n"
        )
    for one in report.witnesses:
        out.write(f"  {plain(one.name, 120)}: {_state(one)}\n")
    if not report.witnesses:
        out.write("  no witness was asked: who holds the log's key could have rewritten it (--witness)\n")
    if not report.pinned:
        out.write("  the key is the log's own word; name one you know with --key\n")


def _state(one: Witnessed) -> str:
    if not one.ok:
        return f"the log does not go on from what it has seen, {one.size:,} entries"
    said = f"proved up to {one.proved:,} entries by what it has seen"
    if one.given_up:
        said += f"; of what it has seen, the last {one.given_up:,} were given up by a restore"
    return said
