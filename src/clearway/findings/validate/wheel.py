"""Wheels unpacked without executing anything of them (PEP 427): a bounded copy of their files."""

from __future__ import annotations

import io
import lzma
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from clearway.records.errors import InputError, TooLargeError

MOST_BYTES = 512 << 20
MOST_FILES = 20_000
_DATA = ("purelib", "platlib")  # what of `name.data/` goes to where modules are looked for


def unpack(data: bytes, into: Path, place: str) -> frozenset[str]:
    """Writes the modules of a wheel below `into`, which exists; their paths there. One in the place of another's is
    written over it, as installers do.

    Raises:
        InputError: it is no wheel, or names a place outside.
        TooLargeError: more than 512 MiB or 20,000 files in clear.
    """
    written: set[str] = set()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [m for m in archive.infolist() if not m.filename.endswith("/")]
            if len(members) > MOST_FILES or sum(m.file_size for m in members) > MOST_BYTES:
                raise TooLargeError("a wheel of that size is not unpacked", where=place)
            left = MOST_BYTES
            for member in members:
                target = _place(member, place)
                if target is None:
                    continue
                path = into / target
                written.add(target.as_posix())
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, path.open("wb") as file:
                    while block := source.read(1 << 20):
                        left -= len(block)
                        if left < 0:
                            raise TooLargeError("it unpacks to more than it says", where=place)
                        file.write(block)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        EOFError,
        RuntimeError,
        ValueError,  # names that are no text
        OSError,
        zlib.error,
        lzma.LZMAError,
        struct.error,
    ) as error:
        # Where it is unpacked to is no reporter's to know.
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"not a wheel: {why}", where=place) from None
    return frozenset(written)


def _place(member: zipfile.ZipInfo, place: str) -> Path | None:
    path = PurePosixPath(member.filename)
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or not path.parts:
        raise InputError(f"a file outside: {member.filename[:80]!a}", where=place)
    if mode and not (stat.S_ISREG(mode) or stat.S_IFMT(mode) == 0):
        return None  # no links, no devices
    parts = path.parts
    if parts[0].endswith(".dist-info"):
        # For the package itself: importlib.metadata takes the name before the first "-". The place tells no release.
        parts = (f"{parts[0].partition('-')[0].removesuffix('.dist-info')}.dist-info", *parts[1:])
    if parts[0].endswith(".data"):
        if len(parts) < 3 or parts[1] not in _DATA:
            return None
        parts = parts[2:]
    return Path(*parts)
