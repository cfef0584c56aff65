"""How often one may ask: token buckets by address and by principal, and stricter ones for signing in and for failing.

A code or passkey that somebody else tries spends nothing of one's own: who guesses behind the same address does not
keep the others there from signing in, until they have spent what the address has in all.

Buckets are kept in this process's memory: of N server processes each grants its own share. They protect a process from
one caller; they are no accounting. Every answer of a limited request says where its caller stands, in the fields
`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10); a refusal is 429 with `Retry-After`.

    address    every request, by the peer's address
    principal  every request of a person or service, whatever its address (asked by `spend`, once it is known)
    sign-in-address  requests that try to sign in, by address: above what people behind one address need together
    sign-in    tries with one code or passkey from one address (asked by `spend_sign_in`, once it is read)
    sign-in-account  tries with one code or passkey, from wherever they come
    failures   credentials that are none, by address, each of them once: tokens and sessions that nobody holds, wrong
               codes, bad assertions. With none left, requests from there that bring one are refused unread, but for
               those that were good before: one guesser does not lock out an office. Who may not do something has a
               good credential, and spends nothing here
"""

from __future__ import annotations

import ipaddress
import math
import os
import time
from collections import OrderedDict
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from litestar import Request
from litestar.enums import ScopeType
from msgspec import Struct

from clearway.records.errors import ConfigError, TooManyRequestsError

from . import address as address_page
from . import problems
from .session_cookie import brought, set_by, without

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

PROXIES_VARIABLE = "CLEARWAY_PROXIES"
MOST_KEYS = 50_000  # of one policy; beyond it the one not seen for longest is forgotten
_WIDEST = 7  # of a network of proxies: fc00::/7 are all private addresses of IPv6
_FORWARDED = 2_000  # characters of X-Forwarded-For that are read, from the right
_KEY = "clearway_rate"
_STATIC = "/static/"  # what the page of signing in is made of
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Policy(Struct, frozen=True):
    """`quota` requests at once, refilled evenly over `window_s` seconds."""

    name: str
    quota: int
    window_s: int


class Rates(Struct, frozen=True, kw_only=True):
    """The policies of a server."""

    address: Policy = Policy("address", 6_000, 10)
    principal: Policy = Policy("principal", 6_000, 10)
    sign_in: Policy = Policy("sign-in", 10, 300)
    sign_in_account: Policy = Policy("sign-in-account", 30, 300)
    sign_in_address: Policy = Policy("sign-in-address", 600, 300)
    refused_pages: Policy = Policy("refused-pages", 20, 10)  # to an address; beyond them a refusal is JSON
    failures: Policy = Policy("failures", 30, 300)
    # Paths below which a request tries to sign in, unless it only reads.
    sign_in_paths: tuple[str, ...] = ("/sign-in", "/api/v1/sign-in")
    # Proxies whose `X-Forwarded-For` is believed: its last address that is not such a proxy is the client's.
    proxies: tuple[str, ...] = ()  # networks: "10.0.0.0/8"


class Standing(NamedTuple):
    """Where a caller stands with a policy after a request."""

    policy: Policy
    left: int  # whole requests
    wait_s: float  # until there is one more
    refused: bool


class Buckets:
    """Token buckets of one policy, by key. Safe between threads; bounded in number."""

    def __init__(self, policy: Policy, now: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self._rate = policy.quota / policy.window_s
        self._now = now
        self._kept: OrderedDict[object, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, key: object, cost: float = 1.0) -> Standing:
        """Takes `cost` from the bucket of `key` when that much is there; `cost` 0 only looks for one."""
        now = self._now()
        with self._lock:
            tokens, then = self._kept.get(key, (float(self.policy.quota), now))
            tokens = min(float(self.policy.quota), tokens + (now - then) * self._rate)
            refused = tokens < max(cost, 1.0)
            if not refused:
                tokens -= cost
            self._kept[key] = (tokens, now)
            self._kept.move_to_end(key)
            if len(self._kept) > MOST_KEYS:
                self._kept.popitem(last=False)
        return Standing(self.policy, int(tokens), max(0.0, (1.0 - tokens) / self._rate), refused)


class _Digests:
    """The digests met last, as many as are kept. Safe between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def has(self, digest: bytes) -> bool:
        with self._lock:
            return digest in self._kept

    def add(self, digest: bytes) -> bool:
        """Whether it is new."""
        with self._lock:
            new = digest not in self._kept
            self._kept[digest] = None
            self._kept.move_to_end(digest)
            if len(self._kept) > MOST_KEYS:
                self._kept.popitem(last=False)
        return new

    def drop(self, digest: bytes) -> None:
        with self._lock:
            self._kept.pop(digest, None)


class RateLimits:
    """The ASGI layer, and `spend` for those who know the principal."""

    def __init__(
        self, app: ASGIApp, rates: Rates, *, pages: bool = False, now: Callable[[], float] = time.monotonic
    ) -> None:
        """With `pages`, `app` answers a refusal as a page for who prefers one (`address.refusal`)."""
        self.app = app
        self.rates = rates
        self._now = now
        self._proxies = networks(rates.proxies)
        self._address = Buckets(rates.address, now)
        self._principal = Buckets(rates.principal, now)
        self._sign_in = Buckets(rates.sign_in, now)
        self._sign_in_account = Buckets(rates.sign_in_account, now)
        self._sign_in_address = Buckets(rates.sign_in_address, now)
        self._pages = Buckets(rates.refused_pages, now) if pages else None
        self._failures = Buckets(rates.failures, now)
        self._pepper = os.urandom(16)
        self._good = _Digests()
        self._bad = _Digests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        client = address(scope, self._proxies)
        stands = [self._address.take(client)]
        credential = self._digest(brought(scope["headers"]))
        unknown = credential and not self._good.has(credential)
        spent = self._failures.take(client, 0) if unknown else None
        if self._tries_to_sign_in(scope):
            stands.append(self._sign_in_address.take(client))
        if spent is not None and spent.refused and self._is_for_signing_in(scope):
            # Whose session has ended must be able to begin another.
            scope = {**scope, "headers": without(scope["headers"])}
            credential = b""
        elif spent is not None and spent.refused:
            stands.append(spent)
        for stand in stands:
            if stand.refused:
                await self._refuse(scope, receive, send, client, stands, stand)
                return
        noted: dict[str, Any] = {"client": client, "stands": stands, "good": None}
        scope.setdefault("state", {})[_KEY] = (self, noted)

        async def with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                refused = message["status"] == 401 and self._is_below_sign_in(scope)
                self._note(client, credential, noted["good"], refused=refused)
                for secret in set_by(message.get("headers", ())):
                    self._good.add(self._digest(secret))
                message["headers"] = [*message.get("headers", ()), *_fields(noted["stands"], None)]
            await send(message)

        await self.app(scope, receive, with_fields)

    async def _refuse(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        client: str,
        stands: Sequence[Standing],
        refusing: Standing,
    ) -> None:
        """As a page for who prefers one: it says how long to wait, and asks nobody who this is."""
        error, fields = _refusal(refusing), _fields(stands, refusing)
        page = self._pages is not None and problems.wants_page(Request(scope))
        if not page or self._pages is None or self._pages.take(client).refused:
            await problems.send_bare(send, problems.of_error(error), fields)
            return

        async def with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":  # the error has its own `retry-after`
                message["headers"] = [*message.get("headers", ()), *fields[:-1]]
            await send(message)

        await self.app(address_page.refusal(scope, error), receive, with_fields)

    def _note(self, client: str, credential: bytes, good: bool | None, *, refused: bool) -> None:
        """What an answer told: `good` of the credential that was brought, `refused` of what was to sign in."""
        if credential and good:
            self._good.add(credential)
            self._bad.drop(credential)
        guessed = False
        if credential and good is False:
            self._good.drop(credential)
            # The same again, as by a browser whose session has ended, is no further guess.
            guessed = self._bad.add(credential)
        if refused or guessed:
            self._failures.take(client)

    def _is_below_sign_in(self, scope: Scope) -> bool:
        path = scope["path"]
        return any(path == p or path.startswith(f"{p}/") for p in self.rates.sign_in_paths)

    def _tries_to_sign_in(self, scope: Scope) -> bool:
        return scope.get("method") not in ("GET", "HEAD", "OPTIONS") and self._is_below_sign_in(scope)

    def _is_for_signing_in(self, scope: Scope) -> bool:
        return self._is_below_sign_in(scope) or scope["path"].startswith(_STATIC)

    def _digest(self, secret: bytes) -> bytes:
        """What tells this credential apart from others, and tells nobody what it is; b"" for none."""
        return blake2b(secret, key=self._pepper, digest_size=16).digest() if secret else b""

    def credential(self, noted: dict[str, Any], *, good: bool) -> None:
        """Notes whether the request's credential is one that somebody holds."""
        noted["good"] = good

    def spend(self, noted: dict[str, Any], person: int) -> None:
        """Takes one request from the principal's bucket.

        Raises:
            TooManyRequestsError: it is empty.
        """
        stand = self._principal.take(person)
        noted["stands"].append(stand)
        if stand.refused:
            raise _refusal(stand)

    def spend_sign_in(self, noted: dict[str, Any], tried: str) -> None:
        """Takes one try with that code or passkey: from that address, and from anywhere.

        Raises:
            TooManyRequestsError: there is none left.
        """
        client = noted["client"]
        what = blake2b(tried.encode("utf-8", "replace"), key=self._pepper, digest_size=16).digest()
        for buckets, key in ((self._sign_in, (client, what)), (self._sign_in_account, what)):
            stand = buckets.take(key)
            noted["stands"].append(stand)
            if stand.refused:
                raise _refusal(stand)


def credential(scope: Scope, *, good: bool) -> None:
    """Says whether the request's credential is one that somebody holds; nothing on a server without limits."""
    found = scope.get("state", {}).get(_KEY)
    if found is not None:
        limits, noted = found
        limits.credential(noted, good=good)


def spend(scope: Scope, person: int) -> None:
    """Takes one request from `person`'s share; nothing on a server without limits.

    Raises:
        TooManyRequestsError: there is none left.
    """
    found = scope.get("state", {}).get(_KEY)
    if found is not None:
        limits, noted = found
        limits.spend(noted, person)


def spend_sign_in(scope: Scope, tried: str) -> None:
    """Takes one try to sign in with `tried`, a code or the id of a passkey; nothing on a server without limits.

    Raises:
        TooManyRequestsError: there is none left for it.
    """
    found = scope.get("state", {}).get(_KEY)
    if found is not None:
        limits, noted = found
        limits.spend_sign_in(noted, tried)


def address(scope: Scope, proxies: Sequence[Network] = ()) -> str:
    """The client's address; IPv6 by its /64, which is what one subscriber has. "" for a peer without one."""
    client = scope.get("client")
    peer = _parsed(client[0] if client else "")
    if peer is None:
        return ""
    if any(peer in network for network in proxies):
        forwarded = ",".join(v.decode("latin-1") for n, v in scope["headers"] if n == b"x-forwarded-for")
        # Proxies add at the right: what is on the left is the client's to write, however much of it.
        for text in reversed(forwarded[-_FORWARDED:].split(",")):
            found = _parsed(_without_port(text.strip()))
            if found is None:
                break
            peer = found
            if not any(peer in network for network in proxies):
                break
    return _subscriber(peer)


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks that `texts` name.

    Raises:
        ConfigError: one of them is none.
    """
    try:
        return tuple(ipaddress.ip_network(text.strip()) for text in texts)
    except ValueError as error:
        raise ConfigError(
            f"not a network: {error}", where=PROXIES_VARIABLE, mend="such as 10.0.0.0/8"
        ) from None


def trusted_proxies() -> tuple[str, ...]:
    """The networks that `CLEARWAY_PROXIES` names, by commas: the operator's own proxies in front of this server.

    Raises:
        ConfigError: one of them is no network, or is half of all addresses: then anybody could name an address.
    """
    said = tuple(text.strip() for text in os.environ.get(PROXIES_VARIABLE, "").split(",") if text.strip())
    if any(network.prefixlen < _WIDEST for network in networks(said)):
        raise ConfigError(
            f"a network wider than /{_WIDEST} holds others than your proxies",
            where=PROXIES_VARIABLE,
            mend="name your own proxies, such as 10.0.0.7",
        )
    return said


def _without_port(text: str) -> str:
    """An address as some proxies write it: `198.51.100.7:4711`, `[2001:db8::7]:4711`, `[2001:db8::7]`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


@lru_cache(4_096)
def _subscriber(peer: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(peer, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((peer, 64), strict=False))
    return str(peer)


@lru_cache(4_096)
def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _words(stand: Standing) -> str:
    if stand.policy.name == "failures":
        return (
            f"more than {stand.policy.quota} codes, tokens or sessions that are none came from your network's address "
            f"in {stand.policy.window_s} s (failures)"
        )
    return f"more than {stand.policy.quota} in {stand.policy.window_s} s ({stand.policy.name})"


def _refusal(stand: Standing) -> TooManyRequestsError:
    wait = max(1, math.ceil(stand.wait_s))
    soon = f"{wait} s" if wait <= 90 else f"{math.ceil(wait / 60)} min"
    return TooManyRequestsError(_words(stand), mend=f"come back in {soon}", retry_after_s=wait)


@lru_cache(256)
def _told(policies: tuple[Policy, ...]) -> bytes:
    return ", ".join(f'"{p.name}";q={p.quota};w={p.window_s}' for p in policies).encode()


def _fields(stands: Sequence[Standing], refusing: Standing | None) -> list[tuple[bytes, bytes]]:
    if not stands:
        return []
    least = refusing or min(stands, key=lambda s: s.left / s.policy.quota)
    fields = [
        (b"ratelimit-policy", _told(tuple([s.policy for s in stands]))),
        (b"ratelimit", f'"{least.policy.name}";r={least.left};t={math.ceil(least.wait_s)}'.encode()),
    ]
    if refusing is not None:
        fields.append((b"retry-after", str(max(1, math.ceil(refusing.wait_s))).encode()))
    return fields
