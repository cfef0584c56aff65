"""TXT records of a name, asked of the machine's own resolver (RFC 1035), over UDP and, when cut, over TCP.

What comes back is hostile input: it must repeat the question and its number, names may point only backwards, and all
of it is bounded. The standard library looks up addresses and nothing else; this reads the one record that a proof of
control needs. Whether the resolver validates DNSSEC is the operator's to see to.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from clearway.records.errors import InputError, OutsideError

Resolver = Callable[[str], tuple[str, ...]]  # a name -> its TXT records; () when it has none
_RESOLV = Path("/etc/resolv.conf")
_TXT, _CNAME, _IN = 16, 5, 1
_NXDOMAIN = 3
_MOST_RECORDS = 100
_MOST_BYTES = 16_384
_TRIES = 2


class Txt:
    """A resolver of TXT records. `servers` are (address, port), tried in turn; () reads the machine's setting."""

    def __init__(
        self, servers: tuple[tuple[str, int], ...] = (), *, timeout_s: float = 3.0, deadline_s: float = 10.0
    ) -> None:
        """`timeout_s` is for each step, `deadline_s` for a name, whatever is tried for it."""
        self._servers = servers
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s

    def __call__(self, name: str) -> tuple[str, ...]:
        """The TXT records of `name`, each with its strings joined; () when there is none.

        Raises:
            InputError: `name` can't be asked for.
            OutsideError: no resolver is set or answers, or the answer can't be read.
        """
        number = secrets.randbelow(1 << 16)
        query = question(name, number)
        problem = "no resolver is set"
        end = time.monotonic() + self._deadline_s
        for server in (self._servers or machine_servers()) * _TRIES:
            try:
                answer = self._udp(server, query, number, end)
                if answer[2] & 0x02:  # TC: it did not fit
                    answer = self._tcp(server, query, end)
                return records(answer, query)
            except (OSError, OutsideError) as error:
                problem = str(error) or type(error).__name__
        raise OutsideError(f"the DNS does not answer: {problem}", where=name, mend="try again later")

    def _left(self, end: float) -> float:
        """Seconds for the next step."""
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return min(left, self._timeout_s)

    def _udp(self, server: tuple[str, int], query: bytes, number: int, end: float) -> bytes:
        with socket.socket(_family(server[0]), socket.SOCK_DGRAM) as link:
            link.settimeout(self._left(end))
            link.connect(server)  # answers of others don't reach it
            link.send(query)
            for _ in range(8):
                link.settimeout(self._left(end))
                answer = link.recv(_MOST_BYTES)
                if len(answer) >= 12 and struct.unpack_from(">H", answer)[0] == number:
                    return answer
        raise OutsideError("answers that were not asked for")

    def _tcp(self, server: tuple[str, int], query: bytes, end: float) -> bytes:
        with socket.create_connection(server, self._left(end)) as link:
            link.sendall(struct.pack(">H", len(query)) + query)
            size = struct.unpack(">H", self._exactly(link, 2, end))[0]
            if size > _MOST_BYTES:
                raise OutsideError("an answer that is too long")
            return self._exactly(link, size, end)

    def _exactly(self, link: socket.socket, size: int, end: float) -> bytes:
        found = b""
        while len(found) < size:
            link.settimeout(self._left(end))  # who drips has no longer than who is silent
            piece = link.recv(size - len(found))
            if not piece:
                raise OutsideError("an answer that breaks off")
            found += piece
        return found


def machine_servers() -> tuple[tuple[str, int], ...]:
    """The resolvers that /etc/resolv.conf names, at most three."""
    try:
        lines = _RESOLV.read_text(errors="replace")[:10_000].splitlines()
    except OSError:
        return ()
    found = []
    for words in map(str.split, lines):
        if len(words) > 1 and words[0] == "nameserver":
            found.append((words[1], 53))
    return tuple(found[:3])


def question(name: str, number: int) -> bytes:
    """The query for the TXT records of `name`, recursion desired. Raises InputError."""
    body = b""
    for label in name.rstrip(".").split("."):
        said = label.encode("ascii", "replace")
        if not 1 <= len(said) <= 63 or b"?" in said:
            raise InputError("is no name of the DNS", where=name[:100])
        body += bytes([len(said)]) + said
    if len(body) > 254:
        raise InputError("is longer than a name of the DNS may be", where=name[:100])
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + body + b"\0" + struct.pack(">2H", _TXT, _IN)


def records(answer: bytes, query: bytes) -> tuple[str, ...]:
    """The TXT records in `answer` to `query`, along its aliases.

    Raises:
        OutsideError: it is no answer to that, or breaks off.
    """
    try:
        number, flags, questions, answers, _, _ = struct.unpack_from(">6H", answer)
        if number != struct.unpack_from(">H", query)[0] or not flags & 0x8000 or questions != 1:
            raise OutsideError("no answer to what was asked")
        asked, at = _name(query, 12)
        repeated, at = _name(answer, 12)
        if repeated != asked or answer[at : at + 4] != query[-4:]:
            raise OutsideError("an answer to another question")
        if flags & 0x0F == _NXDOMAIN:
            return ()
        if flags & 0x0F:
            raise OutsideError(f"the resolver says error {flags & 0x0F}")
        at += 4
        wanted, found = asked, []
        for _ in range(min(answers, _MOST_RECORDS)):
            owner, at = _name(answer, at)
            kind, group, _, size = struct.unpack_from(">HHIH", answer, at)
            at += 10
            data = answer[at : at + size]
            if len(data) < size:
                raise OutsideError("an answer that breaks off")
            if owner == wanted and group == _IN and kind == _CNAME:
                wanted, _ = _name(answer, at)
            elif owner == wanted and group == _IN and kind == _TXT:
                found.append(_strings(data))
            at += size
    except (struct.error, IndexError):
        raise OutsideError("an answer that breaks off") from None
    return tuple(found)


def _name(packet: bytes, at: int) -> tuple[bytes, int]:
    """A name in lower case, and where what follows it begins. Pointers lead backwards alone, so that it ends."""
    labels: list[bytes] = []
    after, least = 0, at
    while True:
        size = packet[at]
        if size >= 0xC0:
            target = (size & 0x3F) << 8 | packet[at + 1]
            after = after or at + 2
            if target >= least:
                raise OutsideError("an answer whose names lead in circles")
            at = least = target
        elif size > 63:
            raise OutsideError("an answer with a name that is none")
        elif size == 0:
            return b".".join(labels), after or at + 1
        else:
            labels.append(packet[at + 1 : at + 1 + size].lower())
            at += 1 + size


def _strings(data: bytes) -> str:
    found, at = b"", 0
    while at < len(data):
        found += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return found.decode("utf-8", "replace")


def _family(address: str) -> socket.AddressFamily:
    try:
        return socket.AF_INET6 if ip_address(address.partition("%")[0]).version == 6 else socket.AF_INET
    except ValueError:
        raise OutsideError("the resolver's address can't be read", where=address[:60]) from None
