"""Sockets for calls to the outside: connected to a checked address, and bound in time at every step.

httpcore asks for a connection to a host name. Here the name is resolved once, each address is judged, and
the socket is connected to one that passed: no second look-up lies between check and use (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import math
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore
from msgspec import Struct

from clearway.records.errors import OutsideError
from clearway.records.text import plain

from .outbound_address import InnerError, Networks, RefusedError, literal

Resolver = Callable[[str, int], Sequence[str]]  # host, port -> addresses as text, in order of preference
_MAX_ADDRESSES = 16
_PROXIED_LOOK_UP_S = 2.0  # where a proxy resolves names, this machine may have no resolver at all


class SlowError(OutsideError):
    """The other side took too long, or sent too little for too long."""


class Pace(Struct, frozen=True, kw_only=True):
    """How slow the other side may be."""

    connect_s: float = 10
    idle_s: float = 30  # without any byte
    least_bytes_s: float = 512  # on the average of each window: who drips keeps a worker busy for nothing
    window_s: float = 20


class Budget:
    """The time of one call, whatever number of hops and connections it takes."""

    def __init__(
        self, deadline_s: float, pace: Pace, where: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = monotonic
        self._deadline_s = deadline_s
        self._end = monotonic() + deadline_s
        self._window_end: float | None = None  # None until the answer begins: to think is not to drip
        self._in_window = 0
        self.pace = pace
        self.where = where

    def left(self, at_most_s: float) -> float:
        """Seconds for the next step, at most `at_most_s`; raises SlowError when nothing is left."""
        left = self._end - self._now()
        if left <= 0:
            raise SlowError(f"not done within {self._deadline_s:g} s", where=self.where, mend=_LATER)
        return min(left, at_most_s)

    def asked(self) -> None:
        """Something was sent: the next answer is waited for."""
        self._window_end, self._in_window = None, 0

    def took(self, size: int) -> None:
        """Counts what came; raises SlowError when a window ends with too little."""
        now = self._now()
        if self._window_end is None:
            self._window_end = now + self.pace.window_s
        self._in_window += size
        if now < self._window_end:
            return
        least = self.pace.least_bytes_s * self.pace.window_s
        if self._in_window < least:
            raise SlowError(
                f"only {self._in_window:,} bytes came in {self.pace.window_s:g} s",
                where=self.where,
                mend=_LATER,
            )
        self._window_end, self._in_window = now + self.pace.window_s, 0

    def idle(self) -> SlowError:
        """The error for a step that took all of its time."""
        self.left(1)  # says so when it was the whole call's
        return SlowError(f"nothing came for {self.pace.idle_s:g} s", where=self.where, mend=_LATER)


_LATER = "try again later"


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host` by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to addresses that `networks` lets through, and to the operator's own proxy if there is one."""

    def __init__(self, networks: Networks, resolver: Resolver, exempt: tuple[str, int] | None = None) -> None:
        self._networks = networks
        self._resolver = resolver
        self._exempt = exempt
        self.budget = Budget(0, Pace(), "")  # the caller sets one for each call

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        budget = self.budget
        failure: OSError | None = None
        for address in self._addresses(host, port, budget):
            try:
                sock = socket.create_connection((address, port), budget.left(budget.pace.connect_s))
            except OSError as error:
                failure = error
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return TimedStream(sock, self)
        said = getattr(failure, "strerror", None) or str(failure)
        raise OutsideError(
            f"can't be reached: {said}", where=budget.where, mend="see that it is up, or try later"
        )

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise RefusedError("a socket of this machine", where=plain(path, 80))

    def refusal(self, host: str, port: int) -> str:
        """Why a proxy is not asked to connect to `host`, in words; "" when it is.

        The proxy resolves a name anew and picks among its addresses, so that all of those seen here must be good.
        A name that does not resolve here is left to the proxy.

        Raises:
            RefusedError: the text is neither a name nor an address. SlowError: no time is left.
        """
        written = literal(host)
        if written is not None:
            reason = self._networks.refusal(written)
            return f"{written} is {reason}" if reason else ""
        try:
            found = self._looked_up(host, port, self.budget, _PROXIED_LOOK_UP_S)
        except OutsideError:
            self.budget.left(1)  # says so when it was the whole call's time that ended
            return ""
        for text in found[:_MAX_ADDRESSES]:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:  # with a zone that names an interface
                return f"{plain(host, 80)} leads to {plain(text, 60)}, which can't be checked"
            if reason := self._networks.refusal(address):
                return f"{plain(host, 80)} leads to {address}, which is {reason}"
        return ""

    def _addresses(self, host: str, port: int, budget: Budget) -> list[str]:
        written = literal(host)
        exempt = (host, port) == self._exempt
        candidates = [str(written)] if written is not None else self._looked_up(host, port, budget)
        good: list[str] = []
        reasons: list[str] = []
        for text in candidates[:_MAX_ADDRESSES]:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:  # with a zone that names an interface
                reasons.append(f"{plain(text, 60)} is no address that can be checked")
                continue
            reason = "" if exempt else self._networks.refusal(address)
            if reason:
                reasons.append(f"{address} is {reason}")
            else:
                good.append(str(address))
        if not good:
            raise InnerError(
                f"{plain(host, 80)} is not reached from here: {'; '.join(reasons[:3])}",
                where=budget.where,
                mend="name a public address, or let the operator allow the network",
            )
        return good

    def _looked_up(self, host: str, port: int, budget: Budget, at_most_s: float = math.inf) -> list[str]:
        """Resolves in a thread of its own: the system's resolver knows no deadline."""
        answer: list[Sequence[str] | OSError | UnicodeError] = []

        def look_up() -> None:
            try:
                answer.append(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                answer.append(error)

        thread = threading.Thread(target=look_up, daemon=True, name="resolve")
        thread.start()
        thread.join(budget.left(min(budget.pace.connect_s, at_most_s)))
        if not answer:
            raise SlowError(
                f"{plain(host, 80)}: the resolver gave no answer in time", where=budget.where, mend=_LATER
            )
        found = answer[0]
        if isinstance(found, Exception) or not found:
            said = getattr(found, "strerror", None) or "no such name"
            raise OutsideError(
                f"{plain(host, 80)} can't be resolved: {said}", where=budget.where, mend="check the name"
            )
        return [str(text) for text in found]


class TimedStream(httpcore.NetworkStream):
    """One connection. Every send and receive is bound by the budget of the call that is going on."""

    def __init__(self, sock: socket.socket, backend: CheckedBackend) -> None:
        self._sock = sock
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        budget = self._backend.budget
        self._sock.settimeout(budget.left(budget.pace.idle_s))
        try:
            data = self._sock.recv(max_bytes)
        except TimeoutError:
            raise budget.idle() from None
        except OSError as error:
            raise httpcore.ReadError(_said(error)) from error
        budget.took(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        budget = self._backend.budget
        budget.asked()
        rest = memoryview(buffer)
        while rest:
            self._sock.settimeout(budget.left(budget.pace.idle_s))
            try:
                rest = rest[self._sock.send(rest) :]
            except TimeoutError:
                raise budget.idle() from None
            except OSError as error:
                raise httpcore.WriteError(_said(error)) from error

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        budget = self._backend.budget
        try:
            self._sock.settimeout(budget.left(budget.pace.connect_s))
            wrapped = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise OutsideError(
                f"its certificate does not hold: {plain(error.verify_message, 120)}",
                where=budget.where,
                mend="see the certificate, or add its authority to SSL_CERT_FILE",
            ) from error
        except TimeoutError:
            self.close()
            raise budget.idle() from None
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore.ConnectError(_said(error)) from error
        except BaseException:
            self.close()
            raise
        return TimedStream(wrapped, self._backend)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            return bool(poll.poll(0))
        if info == "server_addr":
            return self._sock.getpeername()
        if info == "ssl_object" and isinstance(self._sock, ssl.SSLSocket):
            return self._sock
        return self._sock if info == "socket" else None


def _said(error: Exception) -> str:
    return plain(getattr(error, "strerror", None) or str(error), 160)
