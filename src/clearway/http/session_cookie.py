"""The cookie of a session: its names, and the credentials among a request's headers as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Headers = Iterable[tuple[bytes, bytes]]

# A cookie of this name is only taken over HTTPS, for the whole host and no sub-domain; plain HTTP on this machine
# can't set it, so there it goes without the prefix.
SESSION_COOKIE = "__Host-clearway"
SESSION_COOKIE_PLAIN = "clearway"
_NAMES = tuple(f"{name}=".encode() for name in (SESSION_COOKIE, SESSION_COOKIE_PLAIN))


def brought(headers: Headers) -> bytes:
    """What a request proves itself by, a token or sessions; b"" for nothing. Other cookies are no part of it."""
    return b"\0".join(_credentials(headers))


def without(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The same headers without what a request proves itself by."""
    left = []
    for name, value in headers:
        if name == b"cookie":
            others = [part for part in value.split(b";") if not part.strip().startswith(_NAMES)]
            left.append((name, b";".join(others).strip()))
        elif name != b"authorization":
            left.append((name, value))
    return left


def set_by(headers: Headers) -> Iterator[bytes]:
    """The sessions that an answer begins, as `brought` will say them."""
    for name, value in headers:
        if name.lower() == b"set-cookie" and value.startswith(_NAMES):
            secret = value.partition(b"=")[2].partition(b";")[0].strip(b'"')
            if secret:
                yield secret


def _credentials(headers: Headers) -> Iterator[bytes]:
    for name, value in headers:
        if name == b"authorization":
            yield value
        elif name == b"cookie":
            for part in value.split(b";"):
                if part.strip().startswith(_NAMES):
                    yield part.strip().partition(b"=")[2].strip(b'"')
