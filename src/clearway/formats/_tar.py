"""Tar archives as a stream: one header at a time, nothing kept, nothing written.

The standard library's reader takes the sizes in pax and GNU headers on trust (it reads them whole into
memory, and releases in use loop on negative ones), so this one reads the little that is needed:
ustar, pax `path` and `size`, GNU long names and base-256 numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from clearway.records.errors import InputError

from ._streams import Part, Readable, cut_short

_BLOCK = 512
_HEADER_DATA_BYTES = 1 << 20  # a pax header or long name of more than this is an attack
_REGULAR = b"0\x007"
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"S": "a sparse file",
}


class Member(Struct, frozen=True):
    """One entry. `part` is its content; bytes left unread are skipped when the next is asked for."""

    name: str
    kind: Literal["file", "folder", "other"]
    part: Part
    what: str = ""  # for "other": "a symbolic link", …


def is_tar(head: bytes) -> bool:
    """Whether `head` (512 bytes or more) starts with a tar header: its checksum holds."""
    return len(head) >= _BLOCK and head[:1] != b"\x00" and _checksum_holds(head[:_BLOCK])


def members(stream: Readable, place: str) -> Iterator[Member]:
    """Every entry, in the order of the archive.

    Raises:
        InputError: cut short, or a header that is none; the entries before it have been yielded.
    """
    long_name = ""
    pax: dict[str, str] = {}
    while True:
        header = _exactly(stream, _BLOCK, place, at_end=b"")
        if not header:
            raise cut_short(place)  # the end mark is missing
        if header.count(0) == _BLOCK:
            return
        if not _checksum_holds(header):
            raise InputError("a tar header is damaged", where=place)
        size = _number(header[124:136], place)
        kind = header[156:157]
        if kind in b"xgLK" and kind:
            if size > _HEADER_DATA_BYTES:
                raise InputError("a tar header claims to be larger than 1 MiB", where=place)
            data = _exactly(stream, size, place)
            _exactly(stream, -size % _BLOCK, place)
            if kind == b"L":
                long_name = _text(data.split(b"\x00")[0])
            elif kind == b"x":
                pax = _pax(data, place)
            continue
        size = _decimal(pax["size"], place) if "size" in pax else size
        name = pax.get("path") or long_name or _ustar_name(header)
        what = "a sparse file" if any(key.startswith("GNU.sparse") for key in pax) else ""
        long_name, pax = "", {}
        if kind in (b"1", b"2", b"3", b"4", b"5", b"6"):
            size = 0
        extended = kind == b"S" and header[482] != 0
        while extended:  # old GNU sparse maps go on in blocks of their own
            extended = _exactly(stream, _BLOCK, place)[504] != 0
        part = Part(stream, size, place)
        if kind == b"5" or (name.endswith("/") and kind in _REGULAR):
            yield Member(name, "folder", part)
        elif kind in _REGULAR and not what:
            yield Member(name, "file", part)
        else:
            yield Member(name, "other", part, what or _KINDS.get(kind, "an entry of unknown type"))
        if part.failed:  # whoever read the part has told
            return
        part.drain()
        _exactly(stream, -size % _BLOCK, place)


def _checksum_holds(header: bytes) -> bool:
    field = header[148:156].strip(b" \x00")
    if not field or not field.isdigit():
        return False
    try:
        stated = int(field, 8)
    except ValueError:
        return False
    return stated == sum(header) - sum(header[148:156]) + 8 * 32


def _number(field: bytes, place: str) -> int:
    """An octal number, or GNU's base-256 one (first bit set); never negative."""
    if field[0] == 0x80:
        return _sane(int.from_bytes(field[1:], "big"), place)
    text = field.strip(b" \x00")
    if not text:
        return 0
    try:
        return _sane(int(text, 8), place)
    except ValueError:
        raise InputError("a tar header has no readable size", where=place) from None


def _decimal(text: str, place: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise InputError("a tar header has no readable size", where=place)
    return _sane(int(text), place)


def _sane(size: int, place: str) -> int:
    if not 0 <= size < 1 << 62:
        raise InputError("a tar header has an impossible size", where=place)
    return size


def _ustar_name(header: bytes) -> str:
    name = header[:100].split(b"\x00")[0]
    prefix = header[345:500].split(b"\x00")[0] if header[257:263] == b"ustar\x00" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _pax(data: bytes, place: str) -> dict[str, str]:
    """The records of a pax header: "LENGTH key=value" and a line feed (POSIX.1-2001)."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at] != 0:
        blank = data.find(b" ", at, at + 12)
        digits = data[at:blank] if blank > 0 else b""
        if not digits.isdigit() or not at + int(digits) <= len(data) or int(digits) < blank - at + 3:
            raise InputError("a pax header is damaged", where=place)
        key, _, value = data[blank + 1 : at + int(digits) - 1].partition(b"=")
        found[_text(key)] = _text(value)
        at += int(digits)
    return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _exactly(stream: Readable, size: int, place: str, *, at_end: bytes | None = None) -> bytes:
    """`size` bytes; `at_end` instead when the stream ends right here, if given."""
    data = stream.read(size) if size else b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            if not data and at_end is not None:
                return at_end
            raise cut_short(place)
        data += more
    return data
