"""Decompression as bounded streams: small reads in, small reads out, whatever the archive claims.

`bz2`, `lzma` and `zlib` can be asked for at most so many bytes. zstandard's object cannot, so it is fed
512 bytes at a time: a zstd block of 4 bytes makes at most 128 KiB, hence 16 MiB at once in the worst case.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Protocol

from clearway.records.errors import InputError, TooLargeError

CHUNK_BYTES = 1 << 16
_ZSTD_CHUNK_BYTES = 1 << 9
_WINDOW_BYTES = 1 << 27  # zstd --long=27, xz -9 needs 65 MiB: what a decoder may allocate
_RATIO_FLOOR_BYTES = 128 << 20  # small files may compress as well as they like


class Readable(Protocol):
    """What the walk needs of a stream."""

    def read(self, size: int = -1, /) -> bytes: ...


def compression_of(head: bytes) -> str:
    """ "gz", "bz2", "xz", "zst" by magic bytes, or ""."""
    if head.startswith(b"\x1f\x8b"):
        return "gz"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zst"  # RFC 8878 §3.1.1 and §3.1.2 (skippable frames)
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return "bz2"
    return ""


class Inflated(io.RawIOBase):
    """The decompressed bytes of `source`.

    Raises:
        InputError: damaged or cut short; everything before the damage has been read by then.
        TooLargeError: more than `max_ratio` times its compressed size (a bomb).
    """

    def __init__(self, source: Readable, kind: str, place: str, max_ratio: int) -> None:
        super().__init__()
        self._source, self._kind, self._place, self._max_ratio = source, kind, place, max_ratio
        self._step, self._errors = _decoder(kind)
        self._pending = memoryview(b"")
        self._consumed = 0
        self._made = 0
        self._ended = False
        self._failure: InputError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer` unless the data ends; a failure is raised once what precedes it was handed out."""
        filled = 0
        while filled < len(buffer):
            if not self._pending:
                if self._ended:
                    break
                if self._failure is None:
                    self._more()
                if self._failure is not None:
                    if filled:
                        break
                    raise self._failure
                continue
            count = min(len(buffer) - filled, len(self._pending))
            buffer[filled : filled + count] = self._pending[:count]
            self._pending = self._pending[count:]
            filled += count
        return filled

    def _more(self) -> None:
        try:
            made, consumed, self._ended = self._step(self._source)
        except _CutShortError:
            self._failure = InputError(
                "the compressed data is cut short", where=self._place, mend="fetch it again"
            )
        except self._errors as e:
            self._failure = InputError(f"damaged {self._kind} data: {e}", where=self._place)
        except InputError as e:  # a layer below
            self._failure = e
        else:
            self._consumed += consumed
            self._made += len(made)
            self._pending = memoryview(made)
            if self._made > _RATIO_FLOOR_BYTES and self._made > self._max_ratio * self._consumed:
                self._pending = memoryview(b"")
                self._failure = TooLargeError(
                    f"unpacks to more than {self._max_ratio} times its size",
                    where=self._place,
                    mend="unpack it by hand if it is honest",
                )


class Part(io.RawIOBase):
    """The next `size` bytes of `source` as a stream of their own."""

    def __init__(self, source: Readable, size: int, place: str) -> None:
        super().__init__()
        self._source, self._place = source, place
        self.left_bytes = size
        self.failed = False  # the source ended or broke inside this part

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.left_bytes)
        if not wanted:
            return 0
        data = self._next(wanted)
        buffer[: len(data)] = data
        self.left_bytes -= len(data)
        return len(data)

    def drain(self) -> None:
        """Skip what nobody read."""
        while self.left_bytes:
            self.left_bytes -= len(self._next(min(self.left_bytes, CHUNK_BYTES)))

    def _next(self, size: int) -> bytes:
        try:
            data = self._source.read(size)
        except InputError:
            self.failed = True
            raise
        if not data:
            self.failed = True
            raise cut_short(self._place)
        return data


class Filling(io.RawIOBase):
    """`source` (a pipe), read until each buffer is full, so that a `peek` sees as much as there is."""

    def __init__(self, source: Readable) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        filled = 0
        while filled < len(buffer) and (data := self._source.read(len(buffer) - filled)):
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        return filled


def buffered(raw: io.RawIOBase) -> io.BufferedReader:
    """`raw` with `peek` and `readline`."""
    return io.BufferedReader(raw, CHUNK_BYTES)


def cut_short(place: str) -> InputError:
    return InputError("the archive is cut short", where=place, mend="fetch it again")


class _CutShortError(Exception):
    """The input ended inside a frame."""


# One step: read a little, give (bytes made, bytes consumed, whether all is over).
_Step = Callable[[Readable], tuple[bytes, int, bool]]


def _decoder(kind: str) -> tuple[_Step, tuple[type[Exception], ...]]:
    if kind == "gz":
        import zlib

        return _Frames(lambda: _Deflate(zlib.decompressobj(31))), (zlib.error,)
    if kind == "bz2":
        import bz2

        return _Frames(bz2.BZ2Decompressor), (OSError, ValueError)
    if kind == "xz":
        import lzma

        return _Frames(lambda: lzma.LZMADecompressor(memlimit=_WINDOW_BYTES)), (lzma.LZMAError,)
    import zstandard

    context = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
    return _Frames(lambda: _Zstd(context.decompressobj()), _ZSTD_CHUNK_BYTES), (zstandard.ZstdError,)


class _Bounded(Protocol):
    """The shape of `bz2.BZ2Decompressor` and `lzma.LZMADecompressor`."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Frames:
    """Frames one after the other (gzip members, zstd frames, xz streams), with zero padding between."""

    def __init__(self, new: Callable[[], Any], chunk_bytes: int = CHUNK_BYTES) -> None:
        self._new, self._chunk_bytes = new, chunk_bytes
        self._object: _Bounded | None = None
        self._left = b""

    def __call__(self, source: Readable) -> tuple[bytes, int, bool]:
        consumed = 0
        if not self._left and (self._object is None or self._object.needs_input):
            self._left = source.read(self._chunk_bytes)
            consumed = len(self._left)
            if not consumed and self._object is not None:
                raise _CutShortError
            if not consumed:
                return b"", 0, True
        if self._object is None:
            self._left = self._left.lstrip(b"\x00")
            if not self._left:
                return b"", consumed, False
            self._object = self._new()
        made = self._object.decompress(self._left, 1 << 20)
        self._left = b""
        if self._object.eof:
            self._left = self._object.unused_data
            self._object = None
        return made, consumed, False


class _Deflate:
    """`zlib.decompressobj` in the shape of the others."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        made = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail
        return bytes(made)


class _Zstd:
    """`zstandard`'s object in the shape of the others; the caller keeps `data` small."""

    needs_input = True

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return bytes(self._inner.decompress(data))
