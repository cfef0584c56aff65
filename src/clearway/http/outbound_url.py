"""URLs that somebody else wrote, read strictly: what could mean two things to two programs is refused. Pure."""

from __future__ import annotations

import re

import httpcore
import httpx

from clearway.records.errors import ConfigError
from clearway.records.text import plain

from .outbound_address import RefusedError, literal

_MAX_URL_CHARS = 4096
_AUTHORITY_END = re.compile("[/?#]")


def shown(url: str) -> str:
    """`url` as it may stand in an error: without its user information and query, where secrets are."""
    start, slashes, rest = url.partition("?")[0].partition("#")[0].partition("://")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        authority = "…@" + authority.rpartition("@")[2]
    return plain(f"{start}{slashes}{authority}{slash}{path}" + ("?…" if "?" in url else ""), 200)


def checked_url(text: str) -> httpx.URL:
    """`text` as a URL that may be tried; raises RefusedError with the reason. Nothing is looked up."""
    where = shown(text)
    if len(text) > _MAX_URL_CHARS or "\\" in text or not text.isprintable() or " " in text:
        raise RefusedError("not a URL", where=where, mend="write https://host/path")
    try:
        url = httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, ValueError, UnicodeError):
        raise RefusedError("not a URL", where=where, mend="write https://host/path") from None
    if url.scheme not in ("http", "https"):
        raise RefusedError(
            f"{plain(url.scheme, 20) or 'no scheme'} is not fetched", where=where, mend="http and https are"
        )
    if url.userinfo or "@" in _AUTHORITY_END.split(text.partition("//")[2], maxsplit=1)[0]:
        raise RefusedError("a URL with a user or password", where=where)
    if port is not None and not 0 < port < 65536:
        raise RefusedError(f"no port {port}", where=where)
    literal(url.raw_host.decode("ascii", "replace"))
    return url


def joined(base: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect from `base` leads; raises RefusedError."""
    if not location.isprintable() or len(location) > _MAX_URL_CHARS:
        raise RefusedError("a redirect to what is no URL", where=shown(str(base)))
    try:
        target = str(base.join(location).copy_with(fragment=None))
    except (httpx.InvalidURL, ValueError, UnicodeError):
        raise RefusedError("a redirect to what is no URL", where=shown(str(base))) from None
    return checked_url(target)


def proxy_url(text: str) -> httpx.URL:
    """The operator's proxy, http://[user:password@]host:port; raises ConfigError, which never shows a password."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme != "http" or not url.host or url.path not in ("", "/") or url.query:
        raise ConfigError(
            "the proxy is no http:// address",
            where=shown(text) if "://" in text else "",
            mend="write http://host:port, or http://user:password@host:port",
        )
    return url


def core(url: httpx.URL) -> httpcore.URL:
    """The same for the layer below, from the same reading."""
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def default_port(url: httpx.URL) -> int:
    """The port of its scheme."""
    return 443 if url.scheme == "https" else 80


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454)."""
    return url.scheme, url.host, url.port or default_port(url)
