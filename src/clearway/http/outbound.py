"""The one HTTP client for calls to the outside: feeds are fetched and webhooks are sent with it, and nothing else is.

Somebody else chooses the URLs: a feed's publisher by its redirects, a member by a webhook. So each call

    1. reads the URL strictly: http or https, no user information, no address in disguise
    2. connects to an address that was checked (`outbound_socket`), on each hop anew
    3. follows redirects by hand: at most five, never from https to http, and no credentials across origins
    4. is bound in time as a whole and by its pace, and in size before and after decompression
    5. uses no proxy, netrc or cookie of the environment; a proxy that the operator's own setting names connects in its
       place, and is asked for no address that this installation would refuse, as far as names resolve here

Errors, all of them `OutsideError` for a caller that only wants to try later:

    OutsideError        nobody answers, or the answer breaks HTTP
    ├── RefusedError    the URL or address is not one that this installation connects to
    ├── SlowError       over the deadline, or dripping
    ├── TooMuchError    larger than the caller takes
    └── StatusError     the answer's status; `status`, and `retry_after_s` where the server says when
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpcore
import httpx
from msgspec import Struct

from clearway.records.clock import Clock, SystemClock
from clearway.records.errors import ClearwayError, OutsideError
from clearway.records.text import plain

from . import trusted
from .outbound_address import PUBLIC_ONLY, InnerError, Networks, RefusedError
from .outbound_body import Sink, TooMuchError, plain_chunks
from .outbound_socket import Budget, CheckedBackend, Pace, Resolver, SlowError, resolve
from .outbound_url import checked_url, core, default_port, joined, origin, proxy_url, shown

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "PUBLIC_ONLY", "Answer", "Client", "Fetched", "InnerError", "Networks", "NotModified", "Pace", "RefusedError",
    "SlowError", "StatusError", "TooMuchError", "checked_url",
]  # fmt: skip

MAX_REDIRECTS = 5
_MAX_RETRY_AFTER_S = 7 * 86_400.0
_MAX_VALIDATOR_CHARS = 300
_MOST_JUDGED = 256  # hosts of one client
ANSWER_BYTES = 4096  # of an answer to a POST, unless the caller wants more: for the record of what was said
USER_AGENT = "Clearway"
# What another origin may see of a request that was meant for this one.
_FOR_ANYBODY = frozenset(
    ("accept", "accept-encoding", "user-agent", "if-none-match", "if-modified-since", "range", "if-range")
)
_WITH_BODY = ("POST", "PUT")
_OURS = frozenset(
    ("host", "content-length", "connection", "transfer-encoding", "user-agent", "accept-encoding")
)


class StatusError(OutsideError):
    """The server answered, but not with what was asked for."""

    def __init__(self, status: int, where: str, retry_after_s: float | None = None) -> None:
        when = f"asks to come back after {retry_after_s:g} s" if retry_after_s else "try again later"
        mend = (
            when
            if status in (429, 503) or status >= 500
            else "check the address, and what it needs to be read"
        )
        super().__init__(f"answered {status}", where=where, mend=mend)
        self.status = status
        self.retry_after_s = retry_after_s


class Fetched(Struct, frozen=True, kw_only=True):
    """A file that was written whole. `etag` and `modified` are what to send the next time, "" without any."""

    url: str  # after redirects
    size_bytes: int
    sha256: str
    etag: str = ""
    modified: str = ""
    content_type: str = ""
    resumed_at: int = 0  # bytes that an earlier, interrupted call had left


class NotModified(Struct, frozen=True, kw_only=True):
    """What the caller has is still current (RFC 9110 §15.4.5)."""

    url: str
    etag: str = ""
    modified: str = ""


class Answer(Struct, frozen=True, kw_only=True):
    """What came back from a POST, whatever its status."""

    status: int
    url: str
    body: bytes = b""  # its beginning
    retry_after_s: float | None = None


class Client:
    """Calls to the outside, for one thread. Close it, or use it as a context manager.

    `allow` are the operator's networks beside the public ones. `proxy` is the URL of the operator's own proxy,
    http://[user:password@]host:port: https goes through it by CONNECT, so that it reads nothing. It resolves names
    anew: those that resolve here are judged before it is asked, and what it may reach beyond that is its own rule.
    """

    def __init__(
        self,
        allow: Networks = PUBLIC_ONLY,
        *,
        resolver: Resolver = resolve,
        pace: Pace | None = None,
        proxy: str = "",
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        user_agent: str = USER_AGENT,
    ) -> None:
        self._allow = allow
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._user_agent = user_agent
        self._proxied = bool(proxy)
        through = proxy_url(proxy) if proxy else None
        self._backend = CheckedBackend(
            allow, resolver, (through.host, through.port or default_port(through)) if through else None
        )
        common = {
            "max_connections": 4,
            "max_keepalive_connections": 2,
            "keepalive_expiry": 15.0,
            "retries": 0,
        }
        context = tls or trusted.context()
        self._pool: httpcore.ConnectionPool
        if through is None:
            self._pool = httpcore.ConnectionPool(
                ssl_context=context,
                network_backend=self._backend,
                http2=False,
                **common,  # type: ignore[arg-type]
            )
        else:
            self._pool = httpcore.HTTPProxy(
                core(through),
                proxy_auth=_credentials(through),
                ssl_context=context,
                network_backend=self._backend,
                http2=False,
                **common,  # type: ignore[arg-type]
            )
        self._judged: dict[str, str] = {}  # host -> why the proxy is not asked for it, "" when it is
        self.requests = 0  # hops so far

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends its connections."""
        self._pool.close()

    def get_to_file(
        self,
        url: str,
        path: Path,
        *,
        etag: str = "",
        modified: str = "",
        max_bytes: int,
        deadline_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched | NotModified:
        """Fetches `url` into `path`, which appears only when whole, or says that it is not modified.

        An earlier call for the same `url` and `path` that broke off is taken up where it ended, if the server's
        entity tag says that the file is the same. `max_bytes` bounds what is written, unpacked.

        Raises:
            RefusedError, SlowError, TooMuchError, StatusError, OutsideError: `path` is as it was.
            UpstreamError: it can't be written.
        """
        sink = Sink(path, url, max_bytes)
        asked = {"accept": "*/*", **_lower(headers)}
        if etag:
            asked["if-none-match"] = etag
        elif modified:
            asked["if-modified-since"] = modified
        conditional = bool(etag or modified)
        asked |= sink.resumption()
        budget = Budget(deadline_s, self._pace, shown(url))
        with self._hops("GET", url, asked, b"", MAX_REDIRECTS, budget) as (answer, at):
            if answer.status == 304 and conditional:
                sink.drop()
                return NotModified(url=at, etag=_validator(answer, "etag") or etag,
                                   modified=_validator(answer, "last-modified") or modified)  # fmt: skip
            if answer.status not in (200, 206):
                if answer.status == 416:
                    sink.drop()  # the next call begins anew
                raise self._status(answer, budget.where)
            content_range = answer.headers.get("content-range", "") if answer.status == 206 else ""
            tag = _validator(answer, "etag")
            written = sink.write(
                plain_chunks(answer, max_bytes, budget.where),
                etag=tag,
                content_range=content_range,
                identity=not answer.headers.get("content-encoding"),
            )
            return Fetched(url=at, size_bytes=written.size_bytes, sha256=written.sha256, etag=tag,
                           modified=_validator(answer, "last-modified"), resumed_at=written.resumed_at,
                           content_type=plain(answer.headers.get("content-type", ""), 100))  # fmt: skip

    def get(self, url: str, headers: Mapping[str, str], deadline_s: float, *, most_bytes: int) -> Answer:
        """What is there, whatever its status, unpacked and whole. A redirect is not followed: its status is the answer.

        Raises:
            RefusedError, SlowError, TooMuchError, OutsideError: no answer came, or one that is larger.
        """
        budget = Budget(deadline_s, self._pace, shown(url))
        with self._hops("GET", url, _lower(headers), b"", 0, budget) as (answer, at):
            body = b"".join(plain_chunks(answer, most_bytes, budget.where))
            return Answer(status=answer.status, url=at, body=body,
                          retry_after_s=self._retry_after(answer))  # fmt: skip

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline_s: float,
        *,
        most_bytes: int = ANSWER_BYTES,
    ) -> Answer:
        """Sends `body` once. A redirect is not followed: its status is the answer. Of its body, `most_bytes` are read.

        Raises:
            RefusedError, SlowError, OutsideError: no answer came.
        """
        return self._sent("POST", url, body, headers, deadline_s, most_bytes)

    def put(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline_s: float,
        *,
        most_bytes: int = ANSWER_BYTES,
    ) -> Answer:
        """As `post`, with PUT: what is there is replaced."""
        return self._sent("PUT", url, body, headers, deadline_s, most_bytes)

    def _sent(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline_s: float,
        most_bytes: int,
    ) -> Answer:
        budget = Budget(deadline_s, self._pace, shown(url))
        with self._hops(method, url, _lower(headers), body, 0, budget) as (answer, at):
            said = b""
            for chunk in answer.chunks():
                said += chunk
                if len(said) >= most_bytes:
                    break
            return Answer(status=answer.status, url=at, body=said[:most_bytes],
                          retry_after_s=self._retry_after(answer))  # fmt: skip

    @contextmanager
    def _hops(
        self, method: str, url: str, headers: dict[str, str], body: bytes, redirects: int, budget: Budget
    ) -> Iterator[tuple[_Response, str]]:
        """The answer of the last hop, its body unread, and the URL that gave it."""
        self._backend.budget = budget
        at = checked_url(url)
        for hop in range(redirects + 1):
            with _translated(budget.where):
                answer = self._send(method, at, headers, body)
            try:
                location = answer.headers.get("location", "")
                if redirects and answer.status in (301, 302, 303, 307, 308) and location:
                    if hop == redirects:
                        raise OutsideError(f"more than {redirects} redirects", where=budget.where)
                    onward = joined(at, location)
                    if at.scheme == "https" and onward.scheme != "https":
                        raise RefusedError("a redirect from https to http", where=budget.where)
                    if origin(onward) != origin(at):
                        headers = {k: v for k, v in headers.items() if k in _FOR_ANYBODY}
                    at = onward
                    continue
                with _translated(budget.where):
                    yield answer, str(at)
                return
            finally:
                answer.close()

    def _send(self, method: str, url: httpx.URL, headers: dict[str, str], body: bytes) -> _Response:
        if self._proxied:
            self._judge_before_the_proxy(url)
        sent = {
            "host": url.netloc.decode("ascii"),
            "user-agent": self._user_agent,
            "accept-encoding": "identity" if "range" in headers or method in _WITH_BODY else "gzip",
            **{k: v for k, v in headers.items() if k not in _OURS},
        }
        if method in _WITH_BODY:
            sent["content-length"] = str(len(body))
        self.requests += 1
        return _Response(
            self._pool.handle_request(
                httpcore.Request(
                    method,
                    core(url),
                    headers=[(k.encode(), v.encode("utf-8")) for k, v in sent.items()],
                    content=body,
                )
            )
        )

    def _judge_before_the_proxy(self, url: httpx.URL) -> None:
        host = url.raw_host.decode("ascii")
        reason = self._judged.get(host)
        if reason is None:
            reason = self._backend.refusal(host, url.port or default_port(url))
            if len(self._judged) < _MOST_JUDGED:
                self._judged[host] = reason
        if reason:
            raise InnerError(
                reason,
                where=shown(str(url)),
                mend="name a public address, or let the operator allow the network",
            )

    def _status(self, answer: _Response, where: str) -> StatusError:
        return StatusError(answer.status, where, self._retry_after(answer))

    def _retry_after(self, answer: _Response) -> float | None:
        """RFC 9110 §10.2.3, in seconds from now; at most a week, None without one that can be read."""
        text = answer.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit() and len(text) < 12:
            return min(float(text), _MAX_RETRY_AFTER_S)
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
        wait = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - self._clock.now()).total_seconds()
        return min(max(wait, 0.0), _MAX_RETRY_AFTER_S)


class _Response:
    """An answer whose body is still to come."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers = httpx.Headers(answer.headers)

    def chunks(self) -> Iterator[bytes]:
        """The body as it is on the wire, without the transfer coding."""
        return iter(self._answer.iter_stream())

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turns what httpcore, and the protocol parser below it, raise into an `OutsideError`."""
    try:
        yield
    except ClearwayError:
        raise
    except httpcore.RemoteProtocolError as error:
        raise OutsideError(
            f"the answer breaks off or is no HTTP: {plain(str(error), 120)}",
            where=where,
            mend="try again later",
        ) from error
    except httpcore.LocalProtocolError as error:
        raise OutsideError(
            f"a header that HTTP can't carry: {plain(str(error), 120)}", where=where
        ) from error
    except httpcore.ProxyError as error:
        raise OutsideError(
            f"the proxy refuses: {plain(str(error), 120)}",
            where=where,
            mend="see the proxy's setting, its login, and what it lets through",
        ) from error
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        raise OutsideError(
            f"the connection failed: {plain(str(error), 120) or type(error).__name__}",
            where=where,
            mend="try again later",
        ) from error


def _credentials(proxy: httpx.URL) -> tuple[str, str] | None:
    return (proxy.username, proxy.password) if proxy.userinfo else None


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _validator(answer: _Response, name: str) -> str:
    """An entity tag or date as it may be sent back, "" for what no server means."""
    value = answer.headers.get(name, "")
    return value if value.isascii() and value.isprintable() and len(value) <= _MAX_VALIDATOR_CHARS else ""
