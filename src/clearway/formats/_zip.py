"""Zip archives member by member, with bounds looked at before the library reads the directory."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from msgspec import Struct

from clearway.records.errors import InputError, TooLargeError

from ._streams import Readable

_DIRECTORY_BYTES = 64 << 20  # the library reads the whole central directory
_RATIO_FLOOR_BYTES = 128 << 20


class Member(Struct, frozen=True):
    """One entry. `content` is None for a folder, or where `problem` says why it can't be read."""

    name: str
    content: io.RawIOBase | None
    problem: str = ""


def members(stream: IO[bytes], place: str, max_members: int, max_ratio: int) -> Iterator[Member]:
    """Every entry, in the order of the central directory.

    Raises:
        InputError: no zip archive, cut short (its directory is at its end), or over a bound.
    """
    archive_bytes = stream.seek(0, io.SEEK_END)
    _bound_directory(stream, archive_bytes, place)
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OverflowError) as e:
        raise InputError(f"not a readable zip archive: {e}", where=place, mend="fetch it again") from None
    entries = archive.infolist()
    if len(entries) > max_members:
        raise TooLargeError(f"more than {max_members} members", where=place, mend="split the archive")
    tally = _Tally(max(max_ratio * archive_bytes, _RATIO_FLOOR_BYTES), place, max_ratio)
    for entry in entries:
        if entry.filename.endswith(
            "/"
        ):  # what `is_dir` asks, and of a name that is empty it raises IndexError
            continue
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "a special file"
            yield Member(entry.filename, None, f"{what}, not a file")
        elif entry.flag_bits & 1:
            yield Member(entry.filename, None, "encrypted")
        elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # The library decompresses the other kinds without a bound.
            yield Member(entry.filename, None, f"compressed by method {entry.compress_type}, not read here")
        else:
            try:
                source = archive.open(entry)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as e:
                yield Member(entry.filename, None, f"damaged: {e}")
                continue
            with source:
                yield Member(entry.filename, _Content(source, f"{place}!{entry.filename}", tally))


class _Tally:
    """Bytes unpacked from the whole archive: overlapping entries make bombs out of modest ones."""

    def __init__(self, limit: int, place: str, ratio: int) -> None:
        self._left, self._place, self._ratio = limit, place, ratio

    def add(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooLargeError(f"unpacks to more than {self._ratio} times its size", where=self._place)


class _Content(io.RawIOBase):
    """One entry's bytes; the library's exceptions become `InputError`."""

    def __init__(self, source: Readable, place: str, tally: _Tally) -> None:
        super().__init__()
        self._source, self._place, self._tally = source, place, tally

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        filled = 0
        try:
            while filled < len(buffer) and (data := self._source.read(len(buffer) - filled)):
                buffer[filled : filled + len(data)] = data
                filled += len(data)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as e:
            raise InputError(f"damaged: {e}", where=self._place) from None
        self._tally.add(filled)
        return filled


def _bound_directory(stream: IO[bytes], archive_bytes: int, place: str) -> None:
    """Refuse a central directory that would not fit in memory (end record: APPNOTE 4.3.16)."""
    stream.seek(max(0, archive_bytes - 65_557))
    tail = stream.read(65_557)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise InputError(
            "a zip archive without its directory: it is cut short", where=place, mend="fetch it again"
        )
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if size == 0xFFFFFFFF:  # the real size is in the zip64 record; it lies between two places that are known
        size = archive_bytes
    if min(size, archive_bytes) > _DIRECTORY_BYTES:
        raise TooLargeError("the zip directory is larger than 64 MiB", where=place, mend="split the archive")
    stream.seek(0)
