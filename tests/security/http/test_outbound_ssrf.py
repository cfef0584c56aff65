"""Server-side request forgery: what a hostile URL, name server or redirect can make the client connect to.

Real sockets on loopback, and a resolver that says what an attacker's name server would.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from clearway.http.outbound import Client, Fetched, Networks, Pace, RefusedError, SlowError
from clearway.records.errors import UpstreamError
from upstream import Reply, Upstream, serving

OPEN = Networks.parse("127.0.0.1")  # exactly one address of loopback: 127.0.0.2 stays closed
QUICK = Pace(connect_s=1, idle_s=0.5, least_bytes_s=100, window_s=0.3)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serving() as world:
        yield world


class NameServer:
    """Answers in turn, the last for ever; counts how often it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def fetch(
    url: str,
    folder: Path,
    names: Callable[[str, int], Sequence[str]] | None = None,
    allow: Networks = OPEN,
    pace: Pace | None = None,
) -> Any:
    more = {"resolver": names} if names else {}
    with Client(allow, pace=pace, **more) as client:  # type: ignore[arg-type]
        return client.get_to_file(url, folder / "out", max_bytes=1 << 20, deadline_s=20)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "2130706433",
     "0x7f000001", "0177.0.0.1", "127.1", "[64:ff9b::7f00:1]", "localhost"],
)  # fmt: skip
def test_no_spelling_of_loopback_reaches_a_listening_server(
    upstream: Upstream, tmp_path: Path, host: str
) -> None:
    upstream.pages["/"] = b"secret"
    with pytest.raises(RefusedError):
        fetch(f"http://{host}:{upstream.port}/", tmp_path, allow=Networks())
    assert upstream.connections == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.2", "10.0.0.8", "169.254.169.254", "::1", "::ffff:127.0.0.2", "fe80::1%lo", "64:ff9b::a9fe:a9fe",
     "0.0.0.0", "224.0.0.1", "fd00:ec2::254", "not-an-address", "100.100.100.200"],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused_at_connecting(
    upstream: Upstream, tmp_path: Path, address: str
) -> None:
    with pytest.raises(RefusedError, match="not reached from here"):
        fetch(f"http://feeds.example:{upstream.port}/", tmp_path, NameServer([address]))
    assert upstream.connections == 0


def test_a_rebinding_name_server_is_asked_once_and_what_it_said_then_is_connected_to(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.pages["/"] = b"good"
    names = NameServer(["127.0.0.1"], ["127.0.0.2"])  # good for the check, inside for the use
    got = fetch(f"http://feeds.example:{upstream.port}/", tmp_path, names)
    assert isinstance(got, Fetched)
    assert names.asked == 1


def test_each_hop_is_looked_up_and_judged_anew(upstream: Upstream, tmp_path: Path) -> None:
    upstream.pages["/"] = Reply(
        status=302, headers={"Location": "/again", "Connection": "close"}, validators=False
    )
    names = NameServer(["127.0.0.1"], ["127.0.0.2"])
    with pytest.raises(RefusedError, match=r"127\.0\.0\.2 is loopback"):
        fetch(f"http://feeds.example:{upstream.port}/", tmp_path, names)
    assert upstream.paths() == ["/"]


def test_only_the_good_addresses_of_a_mixed_answer_are_tried(upstream: Upstream, tmp_path: Path) -> None:
    upstream.pages["/"] = b"good"
    names = NameServer(["10.0.0.1", "169.254.169.254", "127.0.0.1"])
    assert isinstance(fetch(f"http://feeds.example:{upstream.port}/", tmp_path, names), Fetched)


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.2/", "http://[::1]/", "http://0177.0.0.1/",
     "http://2852039166/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "ftp://127.0.0.1/",
     "http://user:pass@127.0.0.1/", "//127.0.0.2/", "http://127.0.0.1\\@127.0.0.2/", "data:,x", "http://127.1/",
     "http://[::ffff:169.254.169.254]/", "jar:http://127.0.0.1!/", "\x00", "http://[", "h" * 5000],
)  # fmt: skip
def test_no_redirect_leads_inside_or_to_another_scheme(
    upstream: Upstream, tmp_path: Path, target: str
) -> None:
    upstream.pages["/"] = Reply(status=302, headers={"Location": target}, validators=False)
    with pytest.raises(UpstreamError):
        fetch(f"{upstream.url}/", tmp_path)
    assert upstream.connections == 1
    assert list(tmp_path.iterdir()) == []


def test_the_operator_may_open_a_network_and_only_that(upstream: Upstream, tmp_path: Path) -> None:
    upstream.pages["/"] = b"mirror"
    assert isinstance(fetch(f"{upstream.url}/", tmp_path), Fetched)
    with pytest.raises(RefusedError):
        fetch(f"http://127.0.0.2:{upstream.port}/", tmp_path)


def test_a_name_server_that_never_answers_does_not_hold_the_call(tmp_path: Path) -> None:
    stop = threading.Event()

    def silent(host: str, port: int) -> Sequence[str]:
        stop.wait(60)
        return ["127.0.0.1"]

    with pytest.raises(UpstreamError, match="no answer in time"):
        fetch("http://feeds.example/", tmp_path, silent, pace=QUICK)
    stop.set()


@pytest.mark.parametrize(
    "failure", [socket.gaierror(-2, "no"), UnicodeError("label too long"), OSError(5, "io")]
)
def test_a_resolver_that_fails_is_an_upstream_error(tmp_path: Path, failure: Exception) -> None:
    def broken(host: str, port: int) -> Sequence[str]:
        raise failure

    with pytest.raises(UpstreamError, match="can't be resolved"):
        fetch("http://feeds.example/", tmp_path, broken)


def raw_server(answer: bytes, pause_s: float = 0.0) -> Any:
    """A server that sends exactly `answer`, byte by byte where `pause_s` says so, and hangs up."""
    import contextlib

    @contextlib.contextmanager
    def run() -> Iterator[int]:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with contextlib.suppress(OSError):
                sock, _ = listener.accept()
                with sock:
                    sock.recv(65536)
                    for at in range(0, len(answer), 1 if pause_s else 1 << 16):
                        sock.sendall(answer[at : at + (1 if pause_s else 1 << 16)])
                        time.sleep(pause_s)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    return run()


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
     b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000,
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
     b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"],
)  # fmt: skip
def test_what_is_no_http_is_an_upstream_error(tmp_path: Path, answer: bytes) -> None:
    with raw_server(answer) as port, pytest.raises(UpstreamError):
        fetch(f"http://127.0.0.1:{port}/", tmp_path)


def test_headers_that_drip_are_left_too(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + b"A: bbbbbbbb\r\n" * 1000
    with raw_server(answer, 0.02) as port, pytest.raises(SlowError):
        fetch(f"http://127.0.0.1:{port}/", tmp_path, pace=QUICK)


def test_a_tls_handshake_that_never_ends_is_left(tmp_path: Path) -> None:
    with raw_server(b"\x16\x03\x03\x40\x00" + b"\x00" * 3000, 0.02) as port, pytest.raises(UpstreamError):
        fetch(f"https://127.0.0.1:{port}/", tmp_path, pace=QUICK)


@pytest.mark.parametrize(
    "form",
    ["http://canary:s3cr3t@127.0.0.1:{port}/", "http://s3cr3t@[::1/", "http://a:s3cr3t@h:99999/", "ftp://a:s3cr3t@h/",
     "http://127.0.0.1:{port}/missing?token=s3cr3t", "http://127.0.0.1:{port}/cut?token=s3cr3t#s3cr3t",
     "http://127.0.0.1:{port}/inside?token=s3cr3t", "http://127.0.0.2:{port}/?token=s3cr3t",
     "http://a:s3cr3t\\@127.0.0.1/", "http://no-such-name.invalid/?s3cr3t"],
)  # fmt: skip
def test_no_secret_of_a_url_stands_in_an_error(upstream: Upstream, tmp_path: Path, form: str) -> None:
    upstream.pages["/cut?token=s3cr3t"] = Reply(b"x" * 5000, cut=100)
    upstream.pages["/inside?token=s3cr3t"] = Reply(
        status=302, headers={"Location": "http://127.0.0.2/?token=s3cr3t"}, validators=False
    )

    def names(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "no")

    with pytest.raises(UpstreamError) as caught:
        fetch(form.format(port=upstream.port), tmp_path, names)
    assert "s3cr3t" not in str(caught.value)
