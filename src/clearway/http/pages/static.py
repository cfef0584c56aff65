"""The stylesheet, the scripts and the pictures: read once, served under names that carry their content's hash.

`/static/clearway.3f1c….css` never changes, so browsers keep it for a year. Only names that were read at start are
served: no path from a request ever reaches the file system.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from msgspec import Struct

from clearway.http.guard import ANYBODY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

PREFIX = "/static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_LEAST_TO_PACK = 1_000  # bytes


class Asset(Struct, frozen=True):
    """One file. `packed` is it in gzip, b"" where that saves nothing."""

    name: str  # with hash
    data: bytes
    packed: bytes
    media_type: str
    etag: str


class Statics:
    """The files of `folders`, by name. A file of a type that pages don't use is left out."""

    def __init__(self, folders: Sequence[Traversable]) -> None:
        self._by_plain: dict[str, Asset] = {}
        self._by_hashed: dict[str, Asset] = {}
        for folder in folders:
            for file in sorted(folder.iterdir(), key=lambda f: f.name):
                stem, dot, end = file.name.rpartition(".")
                if dot + end in _TYPES and file.is_file():
                    asset = _asset(stem, dot + end, file.read_bytes())
                    self._by_plain[file.name] = self._by_hashed[asset.name] = asset

    def url(self, name: str) -> str:
        """Where `name` ("clearway.css") is served.

        Raises:
            KeyError: there is no such file, which is a fault of the template.
        """
        return f"{PREFIX}/{self._by_plain[name].name}"

    def route(self) -> Router:
        """`GET /static/{name}`: 404 for anything that is not one of the files under its hashed name."""
        files = self._by_hashed

        @get("/{name:str}", opt=ANYBODY, include_in_schema=False)
        async def static(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
            asset = files.get(name)
            if asset is None:
                raise NotFoundException
            return _answer(asset, request)

        return Router(PREFIX, route_handlers=[static])


def _asset(stem: str, end: str, data: bytes) -> Asset:
    digest = hashlib.sha256(data).hexdigest()
    packed = gzip.compress(data, 9, mtime=0) if len(data) >= _LEAST_TO_PACK and end != ".png" else b""
    return Asset(f"{stem}.{digest[:16]}{end}", data, packed, _TYPES[end], digest[:32])


def _answer(asset: Asset, request: Request[Any, Any, Any]) -> Response[bytes]:
    packing = bool(asset.packed) and _takes_gzip(request.headers.get("accept-encoding", ""))
    etag = f'"{asset.etag}{"-gz" if packing else ""}"'
    headers = {"cache-control": _FOR_EVER, "etag": etag, "vary": "accept-encoding"}
    if etag in (tag.strip() for tag in request.headers.get("if-none-match", "").split(",")):
        return Response(b"", status_code=304, headers=headers, media_type=asset.media_type)
    if packing:
        headers["content-encoding"] = "gzip"
    return Response(asset.packed if packing else asset.data, headers=headers, media_type=asset.media_type)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, _, quality = part.partition(";")
        if coding.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def own() -> Traversable:
    """The folder of this room's files."""
    return resources.files("clearway.http").joinpath("static")
