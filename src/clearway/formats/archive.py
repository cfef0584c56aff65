"""Every record-sized piece of the files, folders, archives and streams that somebody names.

Nothing is unpacked to disk and nothing is held whole but the piece at hand. What something is shows in its
first bytes; only JSON lines may need their name (`.jsonl`, `.ndjson`). Places read
`folder/all.tar.zst!2024/a.json` for a member and `go.jsonl.zst:17` for a line.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from msgspec import Struct

from clearway.records.errors import InputError, NotFoundError, TooLargeError

from . import _streams, _tar

_ARCHIVE_SUFFIXES = (".zst", ".gz", ".xz", ".bz2")
_JSON_LINES = (".jsonl", ".ndjson")
_NO_LINK = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # nor a pipe that nobody writes to
_SKIPPED_FOLDERS = {".git", ".hg", ".svn"}


class Blob(Struct, frozen=True):
    """One file, member or line. `data` is exact; of a line, without its LF or CRLF."""

    place: str
    data: bytes


class Refused(Struct, frozen=True):
    """Something that was not read, and why. The rest of its archive follows."""

    place: str
    reason: str


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds that protect this process."""

    member_bytes: int = 64 << 20  # one file, member or line
    ratio: int = 100  # unpacked to packed, looked at from 128 MiB on
    members: int = 2_000_000  # of one archive
    nesting: int = 3  # archives in archives; each may be compressed


def walk(
    paths: Sequence[str | Path],
    limits: Limits | None = None,
    stdin: IO[bytes] | None = None,
    *,
    split: bool = True,
    links: bool = True,
) -> Iterator[Blob | Refused]:
    """The pieces of `paths` in order; "-" is standard input (`stdin` for another stream).

    Not `split`: JSON lines stay one piece, since what a line means may hang on the others. Not `links`: one of `paths`
    that is a symbolic link is refused.

    Folders are walked by name, without version-control folders; a symbolic link is passed over where it
    leads back into the folder, and refused where it leads out. Archives: zip, tar, each also inside gzip,
    zstd, xz or bzip2. Members with absolute paths or "..", links and devices are refused, as are members
    over the limits; of an archive that is cut short or damaged, what comes before the damage is yielded.

    Raises:
        NotFoundError: one of `paths` does not exist; nothing has been yielded then.
    """
    limits = limits or Limits()
    for path in paths:
        if str(path) != "-" and not os.path.lexists(path):
            raise NotFoundError("no such file or folder", where=_shown(str(path)), mend="check the path")
    for path in paths:
        if str(path) == "-":
            source = stdin if stdin is not None else sys.stdin.buffer
            stream = _streams.buffered(_streams.Filling(source))
            yield from _stream(stream, "-", "", limits, limits.nesting, split=split)
        elif links and Path(path).is_dir():
            yield from _folder(Path(path), limits, split)
        else:
            yield from _file(Path(path), limits, split, links=links)


def _folder(root: Path, limits: Limits, split: bool) -> Iterator[Blob | Refused]:
    inside = os.path.realpath(root)
    todo = [str(root)]
    while todo:
        path = todo.pop()
        place = _shown(path)
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode) and path != str(root):
                if not os.path.realpath(path).startswith(inside + os.sep):
                    yield Refused(place, "a symbolic link that leads out of the folder")
            elif stat.S_ISDIR(mode) or path == str(root):
                names = sorted(os.listdir(path), reverse=True)  # noqa: PTH208 - names as they are
                todo.extend(os.path.join(path, name) for name in names if name not in _SKIPPED_FOLDERS)  # noqa: PTH118
            elif stat.S_ISREG(mode):
                yield from _file(Path(path), limits, split, links=False)
            else:
                yield Refused(place, "not a regular file")
        except OSError as e:
            yield Refused(place, f"can't be read: {e.strerror}")


def _file(path: Path, limits: Limits, split: bool, *, links: bool) -> Iterator[Blob | Refused]:
    place = _shown(str(path))
    try:
        # What was a file when it was looked at may be a link by now: whoever writes in the folder chooses neither.
        raw = path.open("rb", buffering=0) if links else io.FileIO(os.open(path, _NO_LINK), "rb")
    except OSError as e:
        yield Refused(place, "a symbolic link" if e.errno == errno.ELOOP else f"can't be read: {e.strerror}")
        return
    with raw:
        seekable = raw.seekable()
        stream = _streams.buffered(raw if seekable else _streams.Filling(raw))
        try:
            file = raw if seekable else None
            yield from _stream(stream, place, path.name, limits, limits.nesting, file, split=split)
        except OSError as e:
            yield Refused(place, f"can't be read: {e.strerror}")


def _stream(
    stream: io.BufferedReader,
    place: str,
    name: str,
    limits: Limits,
    nesting: int,
    file: IO[bytes] | None = None,
    *,
    split: bool,
) -> Iterator[Blob | Refused]:
    """The pieces of one stream. `name` helps where content can't; `file` is the seekable file behind."""
    try:
        head = stream.peek(_streams.CHUNK_BYTES)
        packed = False
        while kind := _streams.compression_of(head):
            if packed:
                raise InputError("compressed more than once", where=place, mend="unpack one layer")
            packed = True
            stream = _streams.buffered(_streams.Inflated(stream, kind, place, limits.ratio))
            name, file = _without_suffix(name), None
            head = stream.peek(_streams.CHUNK_BYTES)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            yield from _zip(file or stream, place, limits, nesting, split)
        elif _tar.is_tar(head):
            yield from _tar_members(stream, place, limits, nesting, split)
        elif split and (name.lower().endswith(_JSON_LINES) or looks_like_json_lines(head)):
            yield from _lines(stream, place, limits)
        else:
            yield _whole(stream, place, limits)
    except InputError as e:
        yield Refused(e.where or place, e.what)


def lines_of(blob: Blob) -> Iterator[Blob]:
    """The lines of JSON lines that were not split, with their places; empty ones are left out."""
    for number, line in enumerate(blob.data.split(b"\n"), 1):
        if (data := line.removesuffix(b"\r")) and not data.isspace():
            yield Blob(f"{blob.place}:{number}", data)


def is_json_lines(blob: Blob) -> bool:
    """Whether a piece that was not split holds JSON lines, by its name or its first two lines."""
    named = _without_suffix(blob.place).lower().endswith(_JSON_LINES)
    return named or looks_like_json_lines(blob.data[: _streams.CHUNK_BYTES])


def _whole(stream: io.BufferedReader, place: str, limits: Limits) -> Blob:
    data = stream.read(limits.member_bytes + 1)
    if len(data) > limits.member_bytes:
        raise _too_large(place, limits)
    return Blob(place, data)


def _lines(stream: io.BufferedReader, place: str, limits: Limits) -> Iterator[Blob | Refused]:
    number = 0
    while line := stream.readline(limits.member_bytes + 1):
        number += 1
        if len(line) > limits.member_bytes:
            del line
            yield Refused(f"{place}:{number}", _too_large("", limits).what)
            while (rest := stream.readline(_streams.CHUNK_BYTES)) and not rest.endswith(b"\n"):
                pass
        elif (data := line.removesuffix(b"\n").removesuffix(b"\r")) and not data.isspace():
            yield Blob(f"{place}:{number}", data)


def looks_like_json_lines(head: bytes) -> bool:
    """Whether the first line holds a whole object and the second begins another: no JSON text does so."""
    first, _, rest = head.partition(b"\n")
    first = first.strip()
    return first.startswith(b"{") and first.endswith(b"}") and rest.lstrip().startswith(b"{")


def _tar_members(
    stream: io.BufferedReader, place: str, limits: Limits, nesting: int, split: bool
) -> Iterator[Blob | Refused]:
    for count, member in enumerate(_tar.members(stream, place), 1):
        _bound_archive(place, count, limits, nesting)
        at = f"{place}!{_shown(member.name)}"
        if reason := _unsafe(member.name):
            yield Refused(at, reason)
        elif member.kind == "other":
            yield Refused(at, f"{member.what}, not a file")
        elif member.kind == "file":
            yield from _stream(
                _streams.buffered(member.part), at, member.name, limits, nesting - 1, split=split
            )


def _zip(
    stream: IO[bytes], place: str, limits: Limits, nesting: int, split: bool
) -> Iterator[Blob | Refused]:
    from . import _zip as reader

    if not stream.seekable():
        data = stream.read(limits.member_bytes + 1)
        if len(data) > limits.member_bytes:
            raise _too_large(place, limits)
        stream = io.BytesIO(data)
    for count, member in enumerate(reader.members(stream, place, limits.members, limits.ratio), 1):
        _bound_archive(place, count, limits, nesting)
        at = f"{place}!{_shown(member.name)}"
        if reason := _unsafe(member.name) or member.problem:
            yield Refused(at, reason)
        elif member.content is not None:
            inner = _streams.buffered(member.content)
            yield from _stream(inner, at, member.name, limits, nesting - 1, split=split)


def _bound_archive(place: str, count: int, limits: Limits, nesting: int) -> None:
    if nesting <= 0:
        raise TooLargeError("archives nested too deep", where=place, mend="unpack the outer ones")
    if count > limits.members:
        raise TooLargeError(f"more than {limits.members} members", where=place, mend="split the archive")


def _unsafe(name: str) -> str:
    """Why a member's name is refused, or "". Nothing is written, yet such a name announces an attack."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or (len(parts[0]) == 2 and parts[0][1] == ":"):
        return "an absolute path"
    if ".." in parts:
        return 'a path with ".."'
    return "a name with a NUL byte" if "\x00" in name else ""


def _without_suffix(name: str) -> str:
    lower = name.lower()
    for suffix in _ARCHIVE_SUFFIXES:
        if lower.endswith(suffix):
            return name[: -len(suffix)]
    return name


def _shown(path: str) -> str:
    """A path as text that is safe to print: no control characters, no half-decoded bytes."""
    if path.isprintable():
        return path
    clean = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in clean)


def _too_large(place: str, limits: Limits) -> TooLargeError:
    return TooLargeError(f"larger than {limits.member_bytes >> 20} MiB", where=place, mend="split it")
