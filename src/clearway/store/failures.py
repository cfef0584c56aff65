"""What the operating system and the server complain about, as errors that name place and cure."""

from __future__ import annotations

import errno
import os
import pwd
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearway.records.errors import ClearwayError, ConfigError, UpstreamError

OTHER_HOME = "give another folder with --home or CLEARWAY_HOME"
OWN_SERVER = "or name a PostgreSQL server of your own in CLEARWAY_DATABASE_URL"

_REFUSED = {errno.EACCES, errno.EPERM}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_LOG_TAIL_BYTES = 16_384


@contextmanager
def at(place: Path) -> Iterator[None]:
    """Turns an `OSError` raised inside into a `ClearwayError` about `place`."""
    try:
        yield
    except OSError as error:
        raise from_os(error, place) from error


def from_os(error: OSError, place: Path) -> ClearwayError:
    """The error to raise for `error`, which happened while working on `place`.

    Refused, read-only, absent, or not a folder: `ConfigError`. Full or failing disk: `UpstreamError`.
    """
    where = str(error.filename or place)
    if error.errno in _FULL:
        return disk_full(where)
    if error.errno == errno.EROFS:
        return ConfigError("the file system is read-only", where=where, mend=OTHER_HOME)
    if error.errno == errno.ENOENT:
        return ConfigError("no such file or folder", where=where, mend="check the path")
    if error.errno in _REFUSED:
        return ConfigError(f"access refused{_owned_by_another(place)}", where=where, mend=OTHER_HOME)
    if error.errno in {errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}:
        return ConfigError(_words(error), where=where, mend=OTHER_HOME)
    if error.errno in {errno.ENOLCK, errno.EOPNOTSUPP}:
        return ConfigError(
            "the file system can't lock files", where=where, mend=f"{OTHER_HOME} on a local disk"
        )
    return UpstreamError(_words(error), where=where, mend="see the system log for the disk's state")


def disk_full(where: str) -> UpstreamError:
    """The error for a file system (or quota) without room."""
    return UpstreamError("no space left on the disk", where=where, mend=f"free some space, or {OTHER_HOME}")


def from_server(said: str, place: Path) -> ClearwayError:
    """The error to raise when the server or `initdb` would not start, from what it said.

    The last line that it called fatal is quoted; causes with a known cure get that cure.
    """
    line = _last_complaint(said)
    where = str(place)
    low = said.lower()
    if "no space left on device" in low or "disk quota exceeded" in low:
        return disk_full(where)
    if "read-only file system" in low:
        return ConfigError("the file system is read-only", where=where, mend=OTHER_HOME)
    if "incompatible with server" in low:
        return ConfigError(
            line, where=where, mend="dump it with the older release and restore it with this one"
        )
    if "could not map anonymous shared memory" in low or "cannot allocate memory" in low:
        return UpstreamError(
            f"too little memory for the database: {line}", where=where, mend="free some memory"
        )
    if "permission denied" in low:
        return ConfigError(line, where=where, mend=OTHER_HOME)
    return UpstreamError(
        f"the embedded PostgreSQL did not start: {line}", where=where, mend=f"see the log {OWN_SERVER}"
    )


def log_tail(log: Path) -> str:
    """The end of the server's log as text, "" when it can't be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _last_complaint(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    loud = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    chosen = (loud or lines or ["no reason given"])[-1]
    for word in ("FATAL:", "PANIC:", "error:"):
        _, found, rest = chosen.partition(word)
        if found:
            return rest.strip()
    return chosen


def _owned_by_another(place: Path) -> str:
    """Names the part of `place` that is another account's; "" when none is."""
    for part in (*reversed(place.parents), place):
        try:
            owner = part.lstat().st_uid
        except OSError:
            break
        if owner not in (os.geteuid(), 0) or (owner != os.geteuid() and not os.access(part, os.X_OK)):
            return f": {part} belongs to {user_name(owner)}"
    return ""


def user_name(uid: int) -> str:
    """The account name of `uid`, or "user 1234" when the machine has none for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


_FRAMES = 12  # of an error's way, the innermost


def cause(error: BaseException) -> str:
    """Where an error that is none of ours came from, to follow a line of the log; "" for a `ClearwayError`.

    Kinds and places in code alone: an error's own words may hold what is marked.
    """
    if isinstance(error, ClearwayError):
        return ""
    kinds = [type(error).__name__]
    under = error
    while (below := under.__cause__ or under.__context__) is not None and len(kinds) < _FRAMES:
        under = below
        kinds.append(type(under).__name__)
    places = [
        f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(under.__traceback__)
    ]
    return f" ({' from '.join(kinds)}; {' > '.join(places[-_FRAMES:])})"
