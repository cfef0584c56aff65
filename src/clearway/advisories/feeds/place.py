"""Where a feed's files come from: its publisher or a mirror over HTTP, or a folder that was carried here.

Both give the same files by the same references, so that a layout is written once. A reference is relative
to the feed's own address, or absolute; mirrors replace the beginning of absolute ones.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urljoin, urlsplit

from msgspec import Struct

from clearway.http.outbound import Client, NotModified, RefusedError, SlowError, StatusError, TooMuchError
from clearway.records.errors import UpstreamError
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .feed import Feed

MiB = 1 << 20
_PATIENCE_S = 30.0  # for all waits of one pull that the other side asks for
_DEADLINE_S = 300.0
_LONG_DEADLINE_S = 4 * 3600.0
_LONG_FROM_BYTES = 256 * MiB
_PAUSE_S = (0.2, 0.6)  # before a second try, drawn between
_COPY_BYTES = 1 << 20


class Got(Struct, frozen=True, kw_only=True):
    """A file that came whole."""

    path: Path
    url: str
    size_bytes: int
    sha256: str
    etag: str = ""
    modified: str = ""


class MissingError(UpstreamError):
    """There is nothing at that address (404 or 410)."""


class Place(Protocol):
    """A feed's files. `size_bytes` and `requests` count what it took so far."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def requests(self) -> int: ...

    def get(self, ref: str, name: str, *, max_bytes: int, etag: str = "", modified: str = "") -> Got | None:
        """The file at `ref`, in the staging folder as `name`; None when it is still the one with these validators.

        Raises:
            MissingError: there is none. UpstreamError: it could not be had.
        """
        ...

    def close(self) -> None: ...


class Staging:
    """The folder where one feed's files wait for their intake. It outlives a killed pull."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UpstreamError(
                f"can't be made: {error.strerror}", where=str(folder), mend="free space"
            ) from error

    def path(self, name: str) -> Path:
        """A path inside, for any text as a name."""
        safe = quote(name, safe=" @+,=").replace("/", "_").strip(".") or "_"
        if len(safe) > 180:
            safe = f"{hashlib.sha256(safe.encode()).hexdigest()[:24]}{safe[-60:]}"
        return self.folder / safe

    def clear(self) -> None:
        """Empties it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)


class Remote:
    """Over HTTP: one request at a time, waits when it is asked to, and tries once more what broke off."""

    def __init__(
        self,
        feed: Feed,
        client: Client,
        staging: Staging,
        *,
        headers: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._feed = feed
        self._client = client
        self._staging = staging
        self._headers = headers or {}
        self._sleep = sleep
        self._patience_s = _PATIENCE_S
        self.size_bytes = 0

    @property
    def requests(self) -> int:
        return self._client.requests

    def close(self) -> None:
        self._client.close()

    def get(self, ref: str, name: str, *, max_bytes: int, etag: str = "", modified: str = "") -> Got | None:
        try:
            url = mirrored(self._feed, urljoin(self._feed.url, ref) if ref else self._feed.url)
            own = self._headers if _origin(url) == _origin(self._feed.url) else {}
        except ValueError:  # such as brackets without an IPv6 address between them
            raise RefusedError("not a URL", where=plain(ref, 200)) from None
        deadline_s = _LONG_DEADLINE_S if max_bytes >= _LONG_FROM_BYTES else _DEADLINE_S
        path = self._staging.path(name)
        for attempt in (1, 2, 3):
            try:
                found = self._client.get_to_file(
                    url,
                    path,
                    etag=etag,
                    modified=modified,
                    max_bytes=max_bytes,
                    deadline_s=deadline_s,
                    headers=own,
                )
            except StatusError as error:
                if error.status in (404, 410):
                    raise MissingError(
                        f"answered {error.status}", where=error.where, mend=error.mend
                    ) from None
                self._wait(error, attempt)
                continue
            except (RefusedError, SlowError, TooMuchError):
                raise
            except UpstreamError:
                if attempt == 2:
                    raise
                self._sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret
                continue
            if isinstance(found, NotModified):
                return None
            self.size_bytes += found.size_bytes - found.resumed_at
            return Got(path=path, url=found.url.partition("?")[0], size_bytes=found.size_bytes, sha256=found.sha256,
                       etag=found.etag, modified=found.modified)  # fmt: skip
        raise AssertionError("the last attempt raises or returns")

    def _wait(self, error: StatusError, attempt: int) -> None:
        """Waits as asked when that is short; raises when it is long, or no wait helps."""
        if attempt == 3 or error.status not in (429, 500, 502, 503, 504):
            raise error
        wait = error.retry_after_s if error.retry_after_s is not None else random.uniform(*_PAUSE_S)  # noqa: S311
        if wait > self._patience_s:
            raise error
        self._patience_s -= wait
        self._sleep(wait)


class Folder:
    """A folder, or a single file, in the publisher's layout. Nothing outside of it is read."""

    def __init__(self, feed: Feed, staging: Staging) -> None:
        self._feed = feed
        self._staging = staging
        root = Path(feed.url)
        self._root = Path(os.path.realpath(root if root.is_dir() else root.parent))
        self.size_bytes = 0
        self.requests = 0

    def close(self) -> None:
        pass

    def get(self, ref: str, name: str, *, max_bytes: int, etag: str = "", modified: str = "") -> Got | None:
        try:
            source = self._inside(ref)
        except ValueError:  # no address, or a path with a zero byte in it
            raise RefusedError("not a URL or path", where=plain(ref, 200)) from None
        self.requests += 1
        try:
            if source.stat().st_size > max_bytes:
                raise TooMuchError(f"larger than {max_bytes:,} bytes", where=str(source))
            path = self._staging.path(name)
            digest = hashlib.sha256()
            with source.open("rb") as read, path.open("wb") as write:
                while chunk := read.read(_COPY_BYTES):
                    digest.update(chunk)
                    write.write(chunk)
        except FileNotFoundError:
            raise MissingError("no such file", where=str(source), mend="copy the whole layout") from None
        except OSError as error:
            raise UpstreamError(f"can't be read: {error.strerror}", where=str(source)) from error
        sha256 = digest.hexdigest()
        if etag == sha256:
            path.unlink()
            return None
        size = path.stat().st_size
        self.size_bytes += size
        return Got(path=path, url=source.as_uri(), size_bytes=size, sha256=sha256, etag=sha256)

    def _inside(self, ref: str) -> Path:
        if not ref:
            return Path(self._feed.url)
        if ref.startswith("file://"):
            path = Path(unquote(urlsplit(ref).path))
        elif urlsplit(ref).scheme:
            onward = mirrored(self._feed, ref)
            if onward == ref:
                raise MissingError(
                    "an address outside of the folder",
                    where=plain(ref, 200),
                    mend="add --mirror ADDRESS FOLDER",
                )
            path = Path(unquote(onward))
        else:
            path = self._root / unquote(ref).lstrip("/")
        real = Path(os.path.realpath(path))
        if real != self._root and self._root not in real.parents:
            raise RefusedError("leads out of the feed's folder", where=plain(str(path), 200))
        return real


def mirrored(feed: Feed, url: str) -> str:
    """`url` at its mirror, the longest beginning first; `url` itself where no mirror is named."""
    for start, instead in sorted(feed.mirrors, key=lambda pair: -len(pair[0])):
        if url.startswith(start):
            return instead + url[len(start) :]
    return url


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
