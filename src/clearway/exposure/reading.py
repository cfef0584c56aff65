"""Finding the inventories in what was named on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from clearway.formats.inventory import kind_of, read_inventory
from clearway.records.errors import InputError, NotFoundError, TooLargeError, UpstreamError
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clearway.formats.archive import Blob, Refused
    from clearway.records.inventory import Inventory

# One document. A million components take about 200 MB of JSON.
MAX_BYTES = 512 << 20
MAX_MEMBER_BYTES = 256 << 20  # unpacked from an archive, which holds it once more
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")


class Unread(Struct, frozen=True):
    """Something that is not an inventory or can't be read. `skipped`: it never was one, such as a licence text."""

    place: str
    reason: str
    skipped: bool = False


def inventories(paths: Sequence[str], distro: str = "") -> Iterator[Inventory | Unread]:
    """The inventories under `paths` in order: files, folders, archives, `-` for standard input.

    A file named outright must be an inventory; inside folders and archives others are passed over.
    `distro` is the operating system of those that name none.

    Raises:
        NotFoundError: a path does not exist.
    """
    for path in paths:
        if path != "-" and not Path(path).exists():
            raise NotFoundError("no such file or folder", where=path, mend="check the path")
    for path in paths:
        data = _plain_file(path)
        if data is None:
            yield from _walked(path, distro)
        else:
            yield _read(data, plain(path, 4_096), distro, named=True)


def _plain_file(path: str) -> bytes | None:
    """The bytes of a regular file that is no archive; None for anything else."""
    if path != "-" and not Path(path).is_file():
        return None
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UpstreamError(f"can't be read: {error.strerror}", where=path, mend="check its rights") from None
    if len(data) > MAX_BYTES:
        raise TooLargeError(f"larger than {MAX_BYTES >> 20} MiB", where=path, mend="split the inventory")
    if path != "-" and (data.startswith(_ARCHIVES) or data[257:262] == b"ustar"):
        return None
    if path.endswith((".jsonl", ".ndjson")):
        return None
    return data


def _walked(path: str, distro: str) -> Iterator[Inventory | Unread]:
    from clearway.formats.archive import Refused

    for piece in documents(path):
        if isinstance(piece, Refused):
            yield Unread(piece.place, piece.reason)
        else:
            yield _read(piece.data, piece.place, distro, named=False)


def documents(path: str, *, links: bool = True) -> Iterator[Blob | Refused]:
    """The documents under `path`, as `archive.walk` finds them; not `links`: `path` itself must be none.

    JSON lines are one document where a reader knows them as a whole, such as a result log of osquery: what a line means
    there hangs on the others. Else each line is one.
    """
    from clearway.formats.archive import Limits, Refused, is_json_lines, lines_of, walk

    for piece in walk([path], Limits(member_bytes=MAX_MEMBER_BYTES), split=False, links=links):
        if isinstance(piece, Refused) or not is_json_lines(piece) or _is_whole(piece):
            yield piece
        else:
            yield from lines_of(piece)


def _is_whole(piece: Blob) -> bool:
    from clearway.formats.observed import fleet_kind

    return fleet_kind(piece.data, piece.place) in ("osquery", "windows-json")


def _read(data: bytes, place: str, distro: str, *, named: bool) -> Inventory | Unread:
    try:
        if not named and not kind_of(data, place):
            return Unread(place, "not an inventory", skipped=True)
        inventory = read_inventory(data, place, distro)
        if data.startswith(b"\xef\xbb\xbf"):
            noted = (*inventory.problems, "it starts with a byte-order mark")
            return replace(inventory, problems=noted)
        return inventory
    except InputError as error:
        reason = f"{error.what} ({error.mend})" if error.mend else error.what
        return Unread(error.where or place, reason)
