"""Requests that mean harm: each is refused clearly, in bounded time, and the server lives."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import live_server
import osv_world
from live_server import Live

WEB = {"ecosystem": "PyPI", "name": "example-web"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    table = osv_world.table(tmp_path_factory.mktemp("hostile") / "advisories.table")
    with live_server.over(table, header_ms=1000, body_seconds=1.0) as server:
        yield server


@pytest.fixture(autouse=True)
def _lives(live: Live) -> Iterator[None]:
    yield
    status, _, answer = live.ask("POST", "/v1/query", {"package": WEB, "version": "2.0"})
    assert (status, answer["vulns"][0]["id"]) == (200, "PYSEC-TEST-1")
    assert live.process.poll() is None


def raw(live: Live, data: bytes, *, seconds: float = 5) -> bytes:
    """Everything that the server sends back for `data` on one connection."""
    got = b""
    with socket.create_connection(("127.0.0.1", live.port), timeout=seconds) as one:
        with contextlib.suppress(ConnectionError):
            one.sendall(data)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while part := one.recv(65536):
                got += part
    return got


def memory_mib(live: Live) -> float:
    text = Path(f"/proc/{live.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


DEEP = b"[" * 100_000
BODIES = {
    "empty": (b"", 400),
    "not JSON": (b"package=a&version=1", 400),
    "cut": (b'{"package": {"ecosystem": "PyPI"', 400),
    "deep": (DEEP, 413),
    "deep objects": (b'{"a":' * 9_000, 413),
    "deep and closed": (b'{"package":' + b"[" * 5_000 + b"]" * 5_000 + b"}", 413),
    "bad UTF-8": (b'{"version": "\xff\xfe"}', 400),
    "byte order UTF-16": ('{"version": "1"}'.encode("utf-16"), 400),
    "half a surrogate": (b'{"version": "\\ud800"}', 400),
    "NaN": (b'{"version": NaN}', 400),
    "huge integer": (b'{"version": ' + b"9" * 50_000 + b"}", 400),
    "infinite number": (b'{"version": 1e999}', 400),
    "twice the same key": (b'{"version": "1", "version": "2"}', 400),
    "array": (b"[]", 400),
    "null": (b"null", 400),
    "number for a text": (b'{"version": 1}', 400),
    "text for a package": (b'{"package": "PyPI"}', 400),
    "array for a batch": (b'{"queries": {}}', 400),
    "over the route's bound": (b'{"version": "' + b"1" * (70 << 10) + b'"}', 413),
}


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
def test_a_body_that_can_not_be_used_is_refused_with_a_problem(live: Live, body: bytes, status: int) -> None:
    path = "/v1/querybatch" if b"queries" in body else "/v1/query"
    found, headers, problem = live.ask("POST", path, body)
    assert (found, headers["content-type"]) == (status, "application/problem+json")
    assert problem["code"] == 3
    assert problem["message"]


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ({"ecosystem": "NoSuch", "name": "a"}, "1"),
        ({"ecosystem": "PyPI", "name": "example-web"}, "(devel)"),
        ({"ecosystem": "PyPI", "name": "example-web"}, "1" * 1025),
        ({"ecosystem": "PyPI", "name": "example-web"}, "\0"),
        ({"ecosystem": "PyPI", "name": "a" * 2000}, "1"),
        ({"purl": "pkg:"}, None),
        ({"purl": "pkg:pypi/"}, None),
        ({"purl": "pkg:pypi/%ff@1"}, None),
        ({"purl": "pkg:pypi/a?x=1&x=2"}, None),
        ({"purl": "pkg:" + "a/" * 4000}, None),
        ({"purl": "javascript:alert(1)"}, None),
        ({"purl": "pkg:generic/openssl@1"}, None),
    ],
    ids=str,
)
def test_garbage_for_a_package_is_400_and_says_what_is_wrong(live: Live, package: Any, version: Any) -> None:
    status, _, problem = live.ask("POST", "/v1/query", {"package": package, "version": version})
    assert (status, problem["code"]) == (400, 3)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/vulns/" + "A" * 250,
        "/v1/vulns/..%2f..%2fetc%2fpasswd",
        "/v1/vulns/%00",
        "/v1/vulns/%ff",
        "/v1/vulns/'%20or%201=1--",
        "/v1/vulns/",
        "/v1/vulns/a/b",
        "/V1/query",
        "//v1/query",
        "/v1/../v1/query",
    ],
)
def test_a_path_that_means_nothing_is_a_problem_and_never_a_file(live: Live, path: str) -> None:
    answer = raw(live, f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] in (b"400", b"404", b"405")
    assert json.loads(body)["type"].startswith("urn:clearway:problem:")
    assert b"content-security-policy" in head


def test_a_body_over_the_bound_is_413_before_it_is_sent(live: Live) -> None:
    head = b"POST /v1/query HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\nconnection: close\r\n\r\n"
    assert raw(live, head).startswith(b"HTTP/1.1 413")


def test_a_chunked_body_without_end_is_413_at_the_bound(live: Live) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = b"POST /v1/querybatch HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    before = memory_mib(live)
    assert raw(live, head + chunk * 200).startswith(b"HTTP/1.1 413")
    assert memory_mib(live) - before < 64


def test_a_body_that_ends_early_does_no_harm(live: Live) -> None:
    with socket.create_connection(("127.0.0.1", live.port)) as one:
        one.sendall(b'POST /v1/query HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n{"package":')
    assert "Traceback" not in live.log.read_text()


def test_a_body_that_drips_is_408(live: Live) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=5) as one:
        one.sendall(b"POST /v1/query HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(12):
                one.sendall(b" ")
                time.sleep(0.1)
        assert one.recv(1000).startswith(b"HTTP/1.1 408")


def test_two_hundred_slow_heads_are_cut_and_others_are_served_meanwhile(live: Live) -> None:
    crowd = [socket.create_connection(("127.0.0.1", live.port), timeout=5) for _ in range(200)]
    for one in crowd:
        one.sendall(b"GET /health/live HTTP/1.1\r\nhost: a\r\nx: ")
    assert live.ask("GET", "/health/live")[0] == 200
    for one in crowd:
        with contextlib.suppress(ConnectionError):
            while one.recv(1000):
                pass
        one.close()


@pytest.mark.parametrize(
    "fields",
    [b"x: y\r\n" * 500, b"x: " + b"y" * (1 << 20) + b"\r\n", b"x" * (1 << 20) + b": y\r\n"],
    ids=["five hundred", "a long value", "a long name"],
)
def test_a_flood_of_header_fields_is_refused(live: Live, fields: bytes) -> None:
    before = memory_mib(live)
    answer = raw(live, b"GET /health/live HTTP/1.1\r\nhost: a\r\n" + fields + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431") or answer == b""
    assert memory_mib(live) - before < 16


@pytest.mark.parametrize("path", [b"/v1/vulns/PYSEC-1", b"/no/such/page", b"/health/live"])
@pytest.mark.parametrize("size", [17 << 10, 40 << 10, 63 << 10])
def test_an_address_that_is_too_long_is_refused_with_words(live: Live, path: bytes, size: int) -> None:
    filters = b"&".join([b"tier=3D"] * (size // 8))
    answer = raw(live, b"GET " + path + b"?" + filters + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 414")
    assert b"content-type: application/problem+json" in head
    assert b"content-security-policy" in head
    told = json.loads(body)
    assert (told["type"], told["status"]) == ("urn:clearway:problem:address-too-long", 414)
    assert "may have 16,384: set fewer filters" in told["detail"]


def test_an_address_within_the_bound_is_read(live: Live) -> None:
    filters = b"&".join([b"tier=3D"] * 2_000)
    answer = raw(live, b"GET /health/live?" + filters + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


def test_headers_that_are_too_large_are_refused_with_words(live: Live) -> None:
    fields = b"".join(b"x-%d: " % n + b"y" * 1_000 + b"\r\n" for n in range(60))
    answer = raw(live, b"GET /v1/vulns/X HTTP/1.1\r\nhost: a\r\nconnection: close\r\n" + fields + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431")
    told = json.loads(body)
    assert (told["type"], told["code"]) == ("urn:clearway:problem:headers-too-large", 3)
    assert "may have 49,152" in told["detail"]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST /v1/query HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET",
        b"POST /v1/query HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    ],
    ids=["zeros", "version", "two lengths", "length and chunks", "endless chunk", "HTTP/2"],
)
def test_what_is_not_http_is_refused(live: Live, data: bytes) -> None:
    answer = raw(live, data)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert b"Traceback" not in answer


def test_the_heaviest_batch_that_is_allowed_lets_others_through(live: Live) -> None:
    import threading

    many = {"package": {"ecosystem": "PyPI", "name": "example-many"}}
    batch = json.dumps(
        {"queries": [{**many, "version": f"1.{n}"} for n in range(20)] * 5}
    ).encode()  # some 235,000 judgements
    busy = threading.Thread(target=live.ask, args=("POST", "/v1/querybatch", batch))
    began = time.monotonic()
    busy.start()
    slowest = 0.0
    while busy.is_alive():
        started = time.monotonic()
        assert live.ask("GET", "/health/live")[0] == 200
        slowest = max(slowest, time.monotonic() - started)
    busy.join()
    assert slowest < (time.monotonic() - began) / 2  # one that waits for the batch takes as long as the batch


def test_nothing_of_all_this_was_logged_as_a_failure_of_ours(live: Live) -> None:
    assert live.log.read_text() == ""
