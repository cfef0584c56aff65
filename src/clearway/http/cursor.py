"""Places in lists: opaque, sealed, and good only for one list, its filters and order, and one reader.

A cursor holds the sort values of the last row of a page. Those can be marked content, and a cursor stands in
URLs and logs, so it is not only signed but sealed: AES-SIV (RFC 5297), authenticated over what it is bound to.
SIV needs no nonce and gives the same cursor for the same place, so that pages can be compared and cached.

    byte 0        which key
    then          AES-SIV of MessagePack [hour of expiry, values…]

Keys are rows of `cursor_key`: made once, the newest seals, and the one before it still opens.
"""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from clearway.records.errors import CursorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from litestar import Request

GOOD_FOR_H = 24
MAX_CHARS = 2_000
RELOAD_S = 60.0
_HOUR = 3600
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


class Sealer:
    """Makes and reads cursors. `keys` by number, 64 bytes each; the greatest number seals."""

    def __init__(self, keys: Mapping[int, bytes], *, now: Callable[[], float] = time.time) -> None:
        self._ciphers = {number: AESSIV(key) for number, key in keys.items()}
        self._newest = max(keys)
        self._now = now

    def seal(self, values: Sequence[object], bound: Sequence[str]) -> str:
        """A cursor for the place `values`, which opens for exactly `bound`, for 24 to 25 hours.

        Values are what MessagePack carries: texts, numbers, times, None.
        """
        expires = int(self._now() // _HOUR) + GOOD_FOR_H + 1
        sealed = self._ciphers[self._newest].encrypt(_encode([expires, *values]), _parts(bound))
        return urlsafe_b64encode(bytes((self._newest,)) + sealed).rstrip(b"=").decode()

    def open(self, cursor: str, bound: Sequence[str]) -> list[Any]:
        """The values of `cursor`.

        Raises:
            CursorError: it was made for something or somebody else, has expired, or is no cursor. One error for
                all of these, so that a cursor tells nothing to whom it does not belong.
        """
        try:
            raw = _unpadded(cursor)
            expires, *values = _decode(self._ciphers[raw[0]].decrypt(raw[1:], _parts(bound)))
        except (ValueError, KeyError, IndexError, InvalidTag, msgspec.DecodeError):
            raise _wrong() from None
        if not isinstance(expires, int) or expires * _HOUR <= self._now():
            raise _wrong()
        return values


class Seals:
    """The sealer of an application: its keys are loaded when first needed, and again every minute."""

    def __init__(
        self, load: Callable[[], Mapping[int, bytes]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._clock = clock
        self._kept: tuple[float, Sealer] | None = None

    def __call__(self) -> Sealer:
        """The sealer.

        Raises:
            UpstreamError: the keys are in a database that does not answer.
        """
        kept, now = self._kept, self._clock()
        if kept is None or now - kept[0] > RELOAD_S:
            kept = self._kept = (now, Sealer(self._load()))
        return kept[1]


def sealer(request: Request[Any, Any, Any]) -> Sealer:
    """The application's sealer: its state has `seals`."""
    found: Seals = request.app.state.seals
    return found()


def _unpadded(cursor: str) -> bytes:
    if not cursor.isascii() or len(cursor) > MAX_CHARS:
        raise ValueError
    raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    # One spelling a cursor: the decoder skips what is not in its alphabet.
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != cursor:
        raise ValueError
    return raw


def _parts(bound: Sequence[str]) -> list[bytes]:
    return [part.encode() for part in bound]


def _wrong() -> CursorError:
    return CursorError(
        "that place is not in this list",
        where="cursor",
        mend="start again without `cursor`; a cursor is good for one list, its filters and order, one reader and a day",
    )
