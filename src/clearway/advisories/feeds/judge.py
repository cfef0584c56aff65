"""Whether what came is what was asked for. What is not sound never reaches the records that are kept."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import msgspec

from clearway.records.errors import UpstreamError
from clearway.records.text import plain

from .. import own_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .place import Got

_T = TypeVar("_T")
_AHEAD = timedelta(days=2)  # clocks and zones differ; more than that is no clock
_NEVER = datetime.min.replace(tzinfo=UTC)
_CHUNK_BYTES = 1 << 16
_RATIO = 200
ACCEPT = "if that is right: clearway feeds pull NAME --accept-smaller"


class UnsoundError(UpstreamError):
    """Something came, and it is not what a sound publisher would send."""


def nature(head: bytes) -> str:
    """What the beginning of a file shows it to be, in words; "" for nothing in particular."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()
    if not text:
        return "empty"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page"
    return "markup" if text.startswith(b"<") else ""


# What a damaged archive, or one that somebody made so, raises as it is read.
BROKEN_ZIP = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    OSError, EOFError, ValueError, OverflowError, RuntimeError,
)  # fmt: skip


def refuse_page(got: Got, wanted: str) -> bytes:
    """The first bytes of a file; raises UnsoundError when it is empty or a web page."""
    with got.path.open("rb") as file:
        head = file.read(4096)
    if found := nature(head):
        raise UnsoundError(f"{found} instead of {wanted}", where=got.url, mend="see what the address shows")
    return head


def json_of(got: Got, kind: type[_T], wanted: str) -> _T:
    """The file as JSON of a shape; raises UnsoundError with the reason."""
    refuse_page(got, wanted)
    try:
        return msgspec.json.decode(got.path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnsoundError(
            f"is no {wanted}: {plain(str(error), 160)}", where=got.url, mend="what was taken in before stands"
        ) from None


def not_shrunk(what: str, now: int, before: int, got: Got, *, least: float, accept: bool) -> None:
    """Raises UnsoundError when `now` is much less than `before`: a publisher takes back one by one, not in bulk."""
    if now == 0:
        raise UnsoundError(f"lists no {what} at all", where=got.url, mend="what was taken in before stands")
    if not accept and before - now > 2 and now < least * before:
        raise UnsoundError(f"lists {now:,} {what}, and listed {before:,} before", where=got.url, mend=ACCEPT)


def not_ahead(dated: str, now: datetime, got: Got) -> None:
    """Raises UnsoundError when a publisher's date lies in the future: nothing newer could ever replace it."""
    if is_ahead(dated, now):
        raise UnsoundError(f"is dated {plain(dated, 40)}, which is yet to come", where=got.url)


def taken_by(version: str, now: datetime, got: Got) -> None:
    """Raises UnsoundError when intake would set a catalogue of this version aside: it would count as had."""
    if wrong := own_time.of_catalogue(version, now):
        raise UnsoundError(wrong, where=got.url)


def is_ahead(dated: str, now: datetime) -> bool:
    """Whether a publisher's date lies in the future."""
    moment = moment_of(dated)
    return moment is not None and moment > now + _AHEAD


def not_older(dated: str, before: str, got: Got) -> None:
    """Raises UnsoundError when a publisher's date went back: an old file is served again."""
    new, old = moment_of(dated), moment_of(before)
    if new is not None and old is not None and new < old:
        raise UnsoundError(
            f"is dated {plain(dated, 40)}, and {plain(before, 40)} before: an old state is served again",
            where=got.url,
        )


def moment_of(text: str) -> datetime | None:
    """An ISO date or time as a moment in UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def latest(texts: Iterable[str]) -> str:
    """The text of the latest moment, as it came; one that is no time stands before all others, "" for none.

    Not the greatest text: "…00.500Z" is later than "…00Z" and sorts before it, and zones differ.
    """
    return max(texts, key=ordered, default="")


def ordered(text: str) -> datetime:
    """As `moment_of`, and a moment before all others for what is none: to order and compare by."""
    return moment_of(text) or _NEVER


def zip_names(got: Got, wanted: str) -> list[str]:
    """The members of a zip archive by its directory, which stands at its end; raises UnsoundError."""
    refuse_page(got, wanted)
    try:
        with zipfile.ZipFile(got.path) as archive:
            return [m.filename for m in archive.infolist() if not m.filename.endswith("/")]
    except BROKEN_ZIP as error:
        raise UnsoundError(
            f"is no whole {wanted}: {plain(str(error), 120)}",
            where=got.url,
            mend="what was taken in before stands",
        ) from None


def gunzipped(got: Got, wanted: str, max_bytes: int) -> Iterator[bytes]:
    """The unpacked pieces of a gzip file; raises UnsoundError when it is none, cut short, or unpacks to too much."""
    head = refuse_page(got, wanted)
    if not head.startswith(b"\x1f\x8b"):
        raise UnsoundError(f"is no {wanted}", where=got.url, mend="what was taken in before stands")
    unpack = zlib.decompressobj(wbits=31)
    total = 0
    with got.path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            while chunk:
                try:
                    data = unpack.decompress(chunk, _CHUNK_BYTES)
                except zlib.error:
                    raise UnsoundError(f"is no sound {wanted}", where=got.url) from None
                total += len(data)
                if total > max_bytes or total > _RATIO * got.size_bytes + (1 << 20):
                    raise UnsoundError("unpacks to more than is taken", where=got.url)
                yield data
                chunk = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
                if unpack.eof and chunk:
                    unpack = zlib.decompressobj(wbits=31)
    if not unpack.eof:
        raise UnsoundError(
            f"is cut short: no whole {wanted}", where=got.url, mend="what was taken in before stands"
        )
