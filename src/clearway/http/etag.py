"""Entity tags: an answer that is already there is not sent again, and nobody overwrites what they have not read.

A tag is `"VERSION.HASH"` for a thing with a row version, `"HASH"` for anything else. The hash covers the reader, the
media type and the body's bytes, so that a tag is strong (RFC 9110 §8.8.1) and one reader's tag says nothing about what
another one sees. `If-None-Match` compares the whole tag. `If-Match` compares the version alone: what a
representation derives from elsewhere (counts, due dates) may have moved, and that is no lost update.

A table whose rows are changed by request has `version int not null default 1`, and each change adds one:

    expected = etag.expected(request)                       # 428 without If-Match
    row = db.execute("select version from … where … for update").fetchone()
    expected.check(row[0] if row else None)                 # 404, 412
    db.execute("update … set …, version = version + 1 where …")
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response
from msgspec import Struct

from clearway.records.errors import InputError, NotFoundError, PreconditionMissingError, StaleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Request

    from clearway.records.principal import Principal

_MAX_CHARS = 4_000
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_LIST = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e]*"\s*)*')
_VERSION = re.compile(r"([0-9]{1,9})\.[A-Za-z0-9_-]{22}")


class Expected(Struct, frozen=True):
    """The versions that an `If-Match` names; None for `*`, which is any version of what is there."""

    versions: tuple[int, ...] | None

    def check(self, version: int | None) -> None:
        """Passes when the row has one of these versions; `version` None says that there is no such row.

        Raises:
            NotFoundError: there is none (for this reader).
            StaleError: it has another version.
        """
        if version is None:
            raise NotFoundError("nothing of that name is here")
        if self.versions is not None and version not in self.versions:
            raise StaleError(
                "it changed since you read it", where="if-match", mend="read it again, and decide again"
            )


def tag(body: bytes, me: Principal, media_type: str, version: int | None = None) -> str:
    """The tag of `body` as `me` is shown it."""
    said = b"\0".join((str(me.person).encode(), media_type.encode(), body))
    digest = urlsafe_b64encode(hashlib.sha256(said).digest()[:16]).rstrip(b"=").decode()
    return f'"{digest}"' if version is None else f'"{version}.{digest}"'


def expected(request: Request[Any, Any, Any]) -> Expected:
    """What `If-Match` names. Tags that no thing of ours has are left out, and then match nothing.

    Raises:
        PreconditionMissingError: there is none.
        InputError: it is not a list of entity tags.
    """
    header = ", ".join(request.headers.getall("if-match", []))
    if not header:
        raise PreconditionMissingError(
            "this change needs `if-match`", where="if-match", mend="send the `etag` of what you read"
        )
    if header.strip() == "*":
        return Expected(None)
    strong = [text for weak, text in _tags(header, "if-match") if not weak]  # RFC 9110 §13.1.1
    return Expected(tuple(int(m[1]) for text in strong if (m := _VERSION.fullmatch(text))))


def response(
    request: Request[Any, Any, Any],
    body: bytes,
    me: Principal,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    *,
    version: int | None = None,
    status: int = 200,
) -> Response[bytes]:
    """`body` with its tag; an empty 304 for a GET whose `If-None-Match` names it.

    It may be kept by this reader's own client, which asks each time whether it still holds.
    """
    own = tag(body, me, media_type, version)
    sent = {
        **(headers or {}),
        "etag": own,
        "cache-control": "private, no-cache",
        "vary": "authorization, cookie",
    }
    header = ", ".join(request.headers.getall("if-none-match", []))
    if header and status == 200 and request.method in ("GET", "HEAD") and _names(header, own):
        return Response(b"", status_code=304, headers=sent, media_type=media_type)
    return Response(body, status_code=status, media_type=media_type, headers=sent)


def thing(
    request: Request[Any, Any, Any],
    record: Struct,
    me: Principal,
    version: int,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """`record` as JSON with the tag of this version."""
    return response(request, msgspec.json.encode(record), me, headers=headers, version=version, status=status)


def _names(header: str, own: str) -> bool:
    if header.strip() == "*":
        return True
    try:
        tags = _tags(header, "if-none-match")
    except InputError:
        return False  # a condition that can't be read does not hold: the answer is sent whole
    return any(f'"{text}"' == own for _, text in tags)  # weak comparison (§13.1.2)


def _tags(header: str, name: str) -> list[tuple[str, str]]:
    if len(header) > _MAX_CHARS or not _LIST.fullmatch(header):
        raise InputError(
            "is not a list of entity tags", where=name, mend='write "…" as the `etag` header had it'
        )
    return [(weak, text) for weak, text in _TAG.findall(header)]
