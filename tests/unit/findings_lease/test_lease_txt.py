"""TXT records as a resolver on this machine answers them, well-formed and not."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from clearway.findings.lease.txt import Txt, question, records
from clearway.records.errors import InputError, OutsideError, UpstreamError

NAME = "_clearway-scan-control.example.org"


def header(query: bytes, answers: int, flags: int = 0x8180) -> bytes:
    return query[:2] + struct.pack(">5H", flags, 1, answers, 0, 0) + query[12:]


def record(data: bytes, owner: bytes = b"\xc0\x0c", kind: int = 16) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def strings(*texts: bytes) -> bytes:
    return b"".join(bytes([len(t)]) + t for t in texts)


@contextmanager
def resolver(
    answer: Callable[[bytes], bytes], over_tcp: Callable[[bytes], bytes] | None = None
) -> Iterator[Txt]:
    """A resolver on this machine that answers each query so."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        tcp.bind(
            ("127.0.0.1", 0)
        )  # first: ports of connections that have ended are still taken for TCP alone
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        tcp.listen()
        udp.settimeout(5)
        tcp.settimeout(5)

        def serve() -> None:
            try:
                query, peer = udp.recvfrom(512)
                udp.sendto(answer(query), peer)
                if over_tcp is not None:
                    link, _ = tcp.accept()
                    with link:
                        asked = link.recv(512)[2:]
                        said = over_tcp(asked)
                        link.sendall(struct.pack(">H", len(said)) + said)
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Txt((("127.0.0.1", port),), timeout_s=0.5)
        finally:
            thread.join()


def test_each_record_is_its_strings_joined() -> None:
    with resolver(
        lambda q: header(q, 2) + record(strings(b"one ", b"text")) + record(strings(b"other"))
    ) as ask:
        assert ask(NAME) == ("one text", "other")


def test_an_alias_is_followed_inside_the_answer() -> None:
    elsewhere = b"\x05proof\x07example\x00"
    body = (
        record(elsewhere, kind=5)
        + record(strings(b"found"), elsewhere)
        + record(strings(b"stray"), b"\x01x\x00")
    )
    with resolver(lambda q: header(q, 3) + body) as ask:
        assert ask(NAME) == ("found",)


def test_an_answer_that_was_cut_is_asked_for_again_over_tcp() -> None:
    long = b"".join(record(strings(b"x" * 200)) for _ in range(5))
    with resolver(lambda q: header(q, 0, 0x8380), lambda q: header(q, 5) + long) as ask:
        assert len(ask(NAME)) == 5


def test_a_name_that_is_not_there_has_no_records() -> None:
    with resolver(lambda q: header(q, 0, 0x8183)) as ask:
        assert ask(NAME) == ()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda q: header(q, 1, 0x8182), id="the resolver failed"),
        pytest.param(lambda q: header(q, 3) + record(strings(b"a")), id="fewer records than it says"),
        pytest.param(lambda q: header(q, 1) + b"\xc0\x0c\x00", id="it breaks off"),
        pytest.param(lambda q: header(q, 1) + record(b"", b"\xc0\xff"), id="a name points ahead"),
        pytest.param(
            lambda q: header(question("other.example.org", 1), 0)[2:].join([q[:2], b""]),
            id="another question",
        ),
        pytest.param(lambda q: q, id="the query itself"),
    ],
)
def test_what_is_no_answer_is_an_error_of_the_upstream(spoil: Callable[[bytes], bytes]) -> None:
    query = question(NAME, 77)
    with pytest.raises(UpstreamError):
        records(spoil(query), query)


def test_an_answer_with_another_number_is_not_taken() -> None:
    with (
        resolver(lambda q: bytes([q[0] ^ 1]) + header(q, 1)[1:] + record(strings(b"forged"))) as ask,
        pytest.raises(UpstreamError, match="does not answer"),
    ):
        ask(NAME)


@pytest.mark.parametrize(
    "name", ["", "a..b", "x" * 64 + ".org", ".".join(["abcdefgh"] * 40), "bücher.example"]
)
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(InputError):
        question(name, 1)


def test_an_answer_that_drips_is_given_up_at_the_deadline_of_the_whole() -> None:
    """Each byte comes in time for its step, and the whole would take for hours."""
    done = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        tcp.listen()
        tcp.settimeout(5)
        udp.settimeout(5)

        def serve() -> None:
            with suppress(OSError):
                query, peer = udp.recvfrom(512)
                udp.sendto(header(query, 0, 0x8380), peer)  # it did not fit
                link, _ = tcp.accept()
                with link:
                    link.sendall(struct.pack(">H", 100))
                    for _ in range(99):
                        if done.wait(0.1):
                            return
                        link.sendall(b"\0")
                    done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic()
        try:
            with pytest.raises(OutsideError, match="timed out"):
                Txt((tcp.getsockname(),), timeout_s=3, deadline_s=0.5)(NAME)
            assert time.monotonic() - began < 9, "all of the bytes were waited for"
        finally:
            done.set()
            thread.join()
