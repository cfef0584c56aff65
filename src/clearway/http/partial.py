"""A file, or one range of it (RFC 9110 §14): what is asked for by `Range`, and how it leaves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from litestar import Request, Response

from . import problems

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/octet-stream"
_RANGE = re.compile(r"bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))")


def span(asked: str, size: int) -> tuple[int, int] | None:
    """First and last byte of the one range that a `Range` header asks for; None for the whole file.

    `bytes=5-9`, `bytes=5-` and `bytes=-5` (the last five). What is no range of bytes, several at once and one that ends
    before it begins are as if nothing was asked (§14.2). A range that the file has no byte of is (size, size - 1).
    """
    found = _RANGE.fullmatch(asked.strip())
    if found is None:
        return None
    if found[3] is not None:
        last = int(found[3])
        return (max(size - last, 0), size - 1) if last and size else (size, size - 1)
    first = int(found[1])
    if found[2] and int(found[2]) < first:
        return None
    if first >= size:
        return size, size - 1
    return first, min(int(found[2]) if found[2] else size - 1, size - 1)


def download(
    request: Request[Any, Any, Any],
    data: bytes,
    name: str,
    digest: str,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """`data` as a download that no browser shows or runs: 200, 206 with the part that was asked for, or 416.

    `digest` is a strong validator of the bytes, so that a download that broke goes on where it broke: with `If-Range`
    of another file the whole is sent (§13.1.5).
    """
    etag = f'"{digest}"'
    common = {
        "accept-ranges": "bytes", "content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store",
        "x-content-type-options": "nosniff", "etag": etag, **(headers or {}),
    }  # fmt: skip
    asked = request.headers.get("range", "")
    if request.headers.get("if-range", etag) != etag:
        asked = ""
    found = span(asked, len(data))
    if found is None:
        return Response(data, media_type=MEDIA_TYPE, headers=common)
    first, last = found
    if first > last:
        problem = problems.of_status(416, f"it has {len(data)} bytes")
        return problems.response(problem, {"content-range": f"bytes */{len(data)}"})
    return Response(
        data[first : last + 1],
        status_code=206,
        media_type=MEDIA_TYPE,
        headers={**common, "content-range": f"bytes {first}-{last}/{len(data)}"},
    )
