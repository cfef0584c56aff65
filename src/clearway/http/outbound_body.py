"""The body of an answer: unpacked within bounds, and written to a file that appears only when whole."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from clearway.records.errors import OutsideError, UpstreamError

from .outbound_url import shown

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

_STEP_BYTES = 1 << 16
_RATIO = 200  # unpacked to packed, looked at from 8 MiB on; gzip of real JSON stays below 30
_RATIO_FROM_BYTES = 8 << 20
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)")


class TooMuchError(OutsideError):
    """More than the caller takes."""


class Body(Protocol):
    """What is needed of an answer."""

    @property
    def headers(self) -> httpx.Headers: ...

    def chunks(self) -> Iterator[bytes]: ...


def plain_chunks(answer: Body, max_bytes: int, where: str) -> Iterator[bytes]:
    """The body without its content coding, in pieces of at most 64 KiB; bounded before and after unpacking.

    Raises:
        TooMuchError: over `max_bytes`, announced or met, or packed beyond all proportion.
        OutsideError: a coding that was not asked for, or one that is broken.
    """
    announced = answer.headers.get("content-length", "")
    if announced.isdigit() and len(announced) < 16 and int(announced) > max_bytes:
        raise _too_much(max_bytes, where)
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        chunks: Iterable[bytes] = answer.chunks()
    elif coding in ("gzip", "x-gzip"):
        chunks = _unzipped(answer.chunks(), where)
    else:
        raise OutsideError("packed in a way that was not asked for", where=where)
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise _too_much(max_bytes, where)
        yield chunk


def _unzipped(chunks: Iterator[bytes], where: str) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=31)
    packed = unpacked = 0
    for chunk in chunks:
        packed += len(chunk)
        while chunk:
            try:
                data = unpack.decompress(chunk, _STEP_BYTES)
            except zlib.error:
                raise OutsideError("its gzip coding is broken", where=where, mend="try again later") from None
            unpacked += len(data)
            if unpacked > _RATIO_FROM_BYTES and unpacked > _RATIO * packed:
                raise TooMuchError(f"unpacks to more than {_RATIO} times its size", where=where)
            if data:
                yield data
            chunk = unpack.unconsumed_tail
            if unpack.eof:
                if unpack.unused_data:
                    raise OutsideError("more follows its gzip coding", where=where)
                break
    if not unpack.eof:
        raise OutsideError("its gzip coding is cut short", where=where, mend="try again later")


def _too_much(max_bytes: int, where: str) -> TooMuchError:
    return TooMuchError(f"larger than {max_bytes:,} bytes", where=where, mend="take it from another place")


class Written(Struct, frozen=True):
    """What `Sink.write` wrote."""

    size_bytes: int
    sha256: str
    resumed_at: int


class _Left(Struct, frozen=True):
    """Beside an unfinished file: of what it is the beginning."""

    url: str
    etag: str


class Sink:
    """Where one download goes: `path.part` while it runs, `path` when it is whole."""

    def __init__(self, path: Path, url: str, max_bytes: int) -> None:
        self._path = path
        self._url = url
        self._max_bytes = max_bytes
        self._part = path.with_name(path.name + ".part")
        self._note = path.with_name(path.name + ".part.json")
        self._etag = ""
        self._have = 0

    def resumption(self) -> dict[str, str]:
        """Headers that ask for the rest of what an earlier call left, or none (RFC 9110 §13.1.5, §14.2)."""
        try:
            left = msgspec.json.decode(self._note.read_bytes(), type=_Left)
            size = self._part.stat().st_size
        except (OSError, msgspec.MsgspecError):
            return {}
        if left.url != self._url or not left.etag or not 0 < size <= self._max_bytes:
            return {}
        self._etag, self._have = left.etag, size
        return {"range": f"bytes={size}-", "if-range": left.etag}

    def drop(self) -> None:
        """Forgets what an earlier call left."""
        self._part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def write(self, chunks: Iterator[bytes], *, etag: str, content_range: str, identity: bool) -> Written:
        """Writes what comes and moves it into place.

        `content_range` is that of a 206, "" for a whole answer. A part is left for the next call only where
        a strong entity tag says of what it is a part.

        Raises:
            OutsideError: the range is not the one asked for.
            UpstreamError: the file can't be written.
        """
        start, total = self._place_of(content_range, etag)
        keep = identity and bool(etag) and not etag.startswith("W/")
        digest = hashlib.sha256()
        size = 0
        try:
            with self._part.open("r+b" if start else "wb") as file:
                while size < start and (old := file.read(min(_STEP_BYTES, start - size))):
                    digest.update(old)
                    size += len(old)
                if keep and not start:
                    self._note.write_bytes(msgspec.json.encode(_Left(self._url, etag)))
                for chunk in chunks:
                    size += len(chunk)
                    if size > self._max_bytes:
                        raise _too_much(self._max_bytes, shown(self._url))
                    digest.update(chunk)
                    file.write(chunk)
                file.truncate()
            if total is not None and size != total:
                raise OutsideError(
                    f"{size:,} of {total:,} bytes came", where=shown(self._url), mend="try again later"
                )
            os.replace(self._part, self._path)  # noqa: PTH105 - atomic, and says so
            self._note.unlink(missing_ok=True)
        except OSError as error:
            raise UpstreamError(
                f"can't be written: {error.strerror}", where=str(self._path), mend="free some space"
            ) from error
        except TooMuchError:
            self.drop()
            raise
        finally:
            if not keep:
                self.drop()
        return Written(size, digest.hexdigest(), start)

    def _place_of(self, content_range: str, etag: str) -> tuple[int, int | None]:
        """Where the bytes that come belong, and how many there are in all, None when that is not said."""
        if not content_range:
            return 0, None
        found = _RANGE.fullmatch(content_range.strip())
        if not self._have or found is None or int(found[1]) != self._have or (etag and etag != self._etag):
            self.drop()
            raise OutsideError(
                "answered with another part than asked for", where=shown(self._url), mend="try again"
            )
        return self._have, int(found[3]) if found[3] != "*" else int(found[2]) + 1
