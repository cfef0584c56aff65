"""The client for calls to the outside against a real server on loopback: manners, bounds, and taking up again."""

from __future__ import annotations

import gzip
import hashlib
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clearway.http.outbound import (
    Client,
    Fetched,
    Networks,
    NotModified,
    Pace,
    SlowError,
    StatusError,
    TooMuchError,
)
from clearway.records.clock import FixedClock
from clearway.records.errors import UpstreamError
from upstream import Asked, Reply, Upstream, serving

LOOPBACK = Networks.parse("127.0.0.0/8")
QUICK = Pace(connect_s=2, idle_s=0.4, least_bytes_s=100, window_s=0.3)
_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serving() as world:
        yield world


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(LOOPBACK, clock=FixedClock(NOW)) as made:
        yield made


@pytest.fixture
def hasty() -> Iterator[Client]:
    """For those who drip and stall; on a busy machine its bounds are met by the good as well."""
    with Client(LOOPBACK, pace=QUICK) as made:
        yield made


def get(client: Client, url: str, path: Path, **more: Any) -> Fetched | NotModified:
    return client.get_to_file(url, path, **{"max_bytes": 1 << 20, "deadline_s": 5, **more})


def test_a_file_is_written_whole_with_its_hash_and_validators(
    upstream: Upstream, client: Client, tmp_path: Path
) -> None:
    body = b"x" * 300_000
    upstream.pages["/a"] = Reply(body, headers={"Last-Modified": "Wed, 25 Nov 2026 10:00:00 GMT"})
    got = get(client, f"{upstream.url}/a", tmp_path / "a")
    assert isinstance(got, Fetched)
    assert (tmp_path / "a").read_bytes() == body
    assert got.size_bytes == 300_000
    assert got.sha256 == hashlib.sha256(body).hexdigest()
    assert got.etag
    assert got.modified == "Wed, 25 Nov 2026 10:00:00 GMT"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_what_is_current_is_not_fetched_again(upstream: Upstream, client: Client, tmp_path: Path) -> None:
    upstream.pages["/a"] = b"same"
    first = get(client, f"{upstream.url}/a", tmp_path / "a")
    assert isinstance(first, Fetched)
    again = get(client, f"{upstream.url}/a", tmp_path / "b", etag=first.etag)
    assert again == NotModified(url=f"{upstream.url}/a", etag=first.etag)
    assert not (tmp_path / "b").exists()
    assert upstream.connections == 1  # one connection a host


def test_a_304_that_nobody_asked_for_is_an_error(upstream: Upstream, client: Client, tmp_path: Path) -> None:
    upstream.pages["/a"] = Reply(status=304, validators=False)
    with pytest.raises(StatusError, match="answered 304"):
        get(client, f"{upstream.url}/a", tmp_path / "a")


def test_a_broken_download_is_taken_up_where_it_ended(
    upstream: Upstream, client: Client, tmp_path: Path
) -> None:
    body = bytes(range(256)) * 2000
    upstream.pages["/a"] = Reply(body, cut=300_000)
    with pytest.raises(UpstreamError, match="breaks off"):
        get(client, f"{upstream.url}/a", tmp_path / "a")
    assert not (tmp_path / "a").exists()
    upstream.pages["/a"] = body
    got = get(client, f"{upstream.url}/a", tmp_path / "a")
    assert isinstance(got, Fetched)
    assert (tmp_path / "a").read_bytes() == body
    assert got.sha256 == hashlib.sha256(body).hexdigest()
    assert got.resumed_at == 300_000
    assert upstream.asked[-1].headers["range"] == "bytes=300000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(
    upstream: Upstream, client: Client, tmp_path: Path
) -> None:
    upstream.pages["/a"] = Reply(b"old" * 1000, cut=1500)
    with pytest.raises(UpstreamError):
        get(client, f"{upstream.url}/a", tmp_path / "a")
    upstream.pages["/a"] = b"new" * 1000
    got = get(client, f"{upstream.url}/a", tmp_path / "a")
    assert isinstance(got, Fetched)
    assert got.resumed_at == 0
    assert (tmp_path / "a").read_bytes() == b"new" * 1000


def test_a_part_that_was_not_asked_for_is_refused(upstream: Upstream, client: Client, tmp_path: Path) -> None:
    upstream.pages["/a"] = Reply(
        b"tail", status=206, validators=False, headers={"Content-Range": "bytes 100-103/104"}
    )
    with pytest.raises(UpstreamError, match="another part"):
        get(client, f"{upstream.url}/a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_rest_that_begins_elsewhere_is_not_joined_on(
    upstream: Upstream, client: Client, tmp_path: Path
) -> None:
    body = b"abcdefghij" * 100
    upstream.pages["/a"] = Reply(body, cut=500, headers={"ETag": '"one"'})
    with pytest.raises(UpstreamError):
        get(client, f"{upstream.url}/a", tmp_path / "a")
    upstream.pages["/a"] = Reply(
        body[400:],
        status=206,
        validators=False,
        headers={"ETag": '"one"', "Content-Range": "bytes 400-999/1000"},
    )
    with pytest.raises(UpstreamError, match="another part"):
        get(client, f"{upstream.url}/a", tmp_path / "a")
    upstream.pages["/a"] = body
    got = get(client, f"{upstream.url}/a", tmp_path / "a")
    assert isinstance(got, Fetched)
    assert (got.resumed_at, (tmp_path / "a").read_bytes()) == (0, body)


def test_a_failed_fetch_leaves_the_good_file_as_it_was(
    upstream: Upstream, hasty: Client, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"good")
    for fault in (Reply(b"y" * 9000, cut=4000), Reply(status=500), Reply(b"z" * 200, drip_s=0.05)):
        upstream.pages["/a"] = fault
        with pytest.raises(UpstreamError):
            get(hasty, f"{upstream.url}/a", tmp_path / "a")
        assert (tmp_path / "a").read_bytes() == b"good"


def test_size_is_bound_as_announced_as_met_and_unpacked(
    upstream: Upstream, client: Client, tmp_path: Path
) -> None:
    for reply in (
        Reply(b"x" * 2000),
        Reply(b"x" * 2000, chunked=True),
        Reply(b"x" * 2000, packed=True),
        Reply(b"", headers={"Content-Length": "99999999999"}),
    ):
        upstream.pages["/a"] = reply
        with pytest.raises(TooMuchError, match="larger than 1,000 bytes"):
            get(client, f"{upstream.url}/a", tmp_path / "a", max_bytes=1000)
        assert list(tmp_path.iterdir()) == []


def test_a_packed_answer_is_unpacked_and_a_bomb_is_not(
    upstream: Upstream, client: Client, tmp_path: Path
) -> None:
    upstream.pages["/a"] = Reply(b'{"a":1}' * 1000, packed=True)
    got = get(client, f"{upstream.url}/a", tmp_path / "a")
    assert isinstance(got, Fetched)
    assert got.size_bytes == 7000
    upstream.pages["/b"] = Reply(bytes(40 << 20), packed=True)
    with pytest.raises(TooMuchError, match="200 times"):
        get(client, f"{upstream.url}/b", tmp_path / "b", max_bytes=1 << 30)


@pytest.mark.parametrize(
    ("body", "coding", "said"),
    [
        (gzip.compress(b"x" * 5000)[:-9], "gzip", "cut short"),
        (b"no gzip at all", "gzip", "broken"),
        (gzip.compress(b"x") + b"more", "gzip", "more follows"),
        (b"x", "br", "not asked for"),
        (b"x", "gzip, gzip", "not asked for"),
    ],
    ids=["cut short", "no gzip", "more follows", "not asked for", "twice"],
)
def test_a_broken_or_unasked_coding_is_refused(
    upstream: Upstream, client: Client, tmp_path: Path, body: bytes, coding: str, said: str
) -> None:
    upstream.pages["/a"] = Reply(body, headers={"Content-Encoding": coding})
    with pytest.raises(UpstreamError, match=said):
        get(client, f"{upstream.url}/a", tmp_path / "a")


def test_who_drips_or_stalls_is_left_long_before_the_deadline(
    upstream: Upstream, hasty: Client, tmp_path: Path
) -> None:
    upstream.pages["/drip"] = Reply(b"x" * 1000, drip_s=0.05)
    with pytest.raises(SlowError, match=r"only .* bytes came in 0\.3 s"):
        get(hasty, f"{upstream.url}/drip", tmp_path / "a", deadline_s=60)
    upstream.pages["/stall"] = Reply(b"x" * 10, drip_s=2)
    with pytest.raises(SlowError, match=r"nothing came for 0\.4 s"):
        get(hasty, f"{upstream.url}/stall", tmp_path / "a", deadline_s=60)


def test_a_call_ends_at_its_deadline_however_brisk_the_drip(upstream: Upstream, tmp_path: Path) -> None:
    upstream.pages["/a"] = Reply(b"x" * 100_000, drip_s=0.001)
    with (
        Client(LOOPBACK, pace=Pace(least_bytes_s=1)) as patient,
        pytest.raises(SlowError, match=r"not done within 0\.5 s"),
    ):
        get(patient, f"{upstream.url}/a", tmp_path / "a", deadline_s=0.5)


def test_retry_after_is_read_in_both_its_forms(upstream: Upstream, client: Client, tmp_path: Path) -> None:
    for text, seconds in (
        ("120", 120.0),
        ("Wed, 25 Nov 2026 12:01:00 GMT", 60.0),
        ("Wed, 25 Nov 2020 12:01:00 GMT", 0.0),
        ("99999999999", 604800.0),
        ("soon", None),
        ("-5", None),
    ):
        upstream.pages["/a"] = Reply(status=429, headers={"Retry-After": text}, validators=False)
        with pytest.raises(StatusError) as caught:
            get(client, f"{upstream.url}/a", tmp_path / "a")
        assert (caught.value.status, caught.value.retry_after_s) == (429, seconds)


def test_a_post_is_answered_whatever_its_status_and_follows_nothing(
    upstream: Upstream, client: Client
) -> None:
    upstream.pages["/hook"] = Reply(b"z" * 10_000, status=202, validators=False)
    answer = client.post(f"{upstream.url}/hook", b'{"a":1}', {"webhook-id": "m1"}, 5)
    assert (answer.status, len(answer.body)) == (202, 4096)
    assert upstream.asked[-1].body == b'{"a":1}'
    assert upstream.asked[-1].headers["webhook-id"] == "m1"
    upstream.pages["/moved"] = Reply(status=307, headers={"Location": "/hook"}, validators=False)
    assert client.post(f"{upstream.url}/moved", b"x", {}, 5).status == 307
    assert upstream.paths() == ["/hook", "/moved"]


def test_a_header_that_would_split_the_request_is_refused(upstream: Upstream, client: Client) -> None:
    with pytest.raises(UpstreamError, match="header"):
        client.post(f"{upstream.url}/hook", b"", {"webhook-id": "a\r\nX: y"}, 5)


def test_redirects_are_followed_up_to_five(upstream: Upstream, client: Client, tmp_path: Path) -> None:
    for hop in range(7):
        upstream.pages[f"/{hop}"] = Reply(status=302, headers={"Location": f"{hop + 1}"}, validators=False)
    upstream.pages["/7"] = b"there"
    got = get(client, f"{upstream.url}/2", tmp_path / "a")
    assert isinstance(got, Fetched)
    assert got.url == f"{upstream.url}/7"
    with pytest.raises(UpstreamError, match="more than 5 redirects"):
        get(client, f"{upstream.url}/1", tmp_path / "b")


def test_credentials_stay_with_their_origin(upstream: Upstream, client: Client, tmp_path: Path) -> None:
    with serving() as other:
        other.pages["/x"] = b"there"
        upstream.pages["/a"] = Reply(status=302, headers={"Location": f"{other.url}/x"}, validators=False)
        upstream.pages["/b"] = Reply(status=302, headers={"Location": "/c"}, validators=False)
        upstream.pages["/c"] = b"here"
        secret = {"Authorization": "Bearer s3cret", "Cookie": "a=b", "X-Token": "t"}
        get(client, f"{upstream.url}/b", tmp_path / "b", headers=secret)
        assert upstream.asked[-1].headers["authorization"] == "Bearer s3cret"
        get(client, f"{upstream.url}/a", tmp_path / "a", headers=secret)
        assert not {"authorization", "cookie", "x-token"} & other.asked[-1].headers.keys()


def test_a_cookie_is_not_kept(upstream: Upstream, client: Client, tmp_path: Path) -> None:
    upstream.pages["/a"] = Reply(b"x", headers={"Set-Cookie": "track=1"})
    get(client, f"{upstream.url}/a", tmp_path / "a")
    get(client, f"{upstream.url}/a", tmp_path / "a")
    assert "cookie" not in upstream.asked[-1].headers


def test_the_environment_names_no_proxy_and_the_operator_may(
    upstream: Upstream, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    upstream.pages["/a"] = b"direct"
    get(client, f"{upstream.url}/a", tmp_path / "a")
    with serving() as proxy:
        proxy.pages["http://feeds.example/x"] = b"by proxy"
        with Client(proxy=proxy.url) as through:  # the proxy's own address needs no exception
            get(through, "http://feeds.example/x", tmp_path / "b")
            with pytest.raises(UpstreamError, match="loopback"):
                get(through, f"{upstream.url}/a", tmp_path / "c")
    assert (tmp_path / "b").read_bytes() == b"by proxy"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for feeds.example, signed by itself, and its key."""
    key, cert = tmp_path / "k.pem", tmp_path / "c.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-keyout", key, "-out", cert, "-subj", "/CN=feeds.example", "-addext", "subjectAltName=DNS:feeds.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def test_a_name_without_a_certificate_for_it_is_not_trusted(pair: tuple[Path, Path]) -> None:
    cert, _ = pair
    with tls_server(*pair) as port:
        trusting = ssl.create_default_context(cafile=str(cert))
        resolver = lambda host, port: ["127.0.0.1"]  # noqa: E731
        with Client(LOOPBACK, resolver=resolver, tls=trusting) as good:
            assert good.post(f"https://feeds.example:{port}/", b"", {}, 5).status == 200
            with pytest.raises(UpstreamError, match="certificate"):
                good.post(f"https://other.example:{port}/", b"", {}, 5)
        with Client(LOOPBACK, resolver=resolver) as strict, pytest.raises(UpstreamError, match="certificate"):
            strict.post(f"https://feeds.example:{port}/", b"", {}, 5)


def test_a_redirect_never_leads_from_https_to_http(
    upstream: Upstream, tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    upstream.pages["/x"] = b"in the clear"
    moved = f"HTTP/1.1 302 Found\r\nLocation: {upstream.url}/x\r\nContent-Length: 0\r\n\r\n".encode()
    trusting = ssl.create_default_context(cafile=str(pair[0]))
    with (
        tls_server(*pair, moved) as port,
        Client(LOOPBACK, resolver=lambda host, port: ["127.0.0.1"], tls=trusting) as client,
        pytest.raises(UpstreamError, match="from https to http"),
    ):
        get(client, f"https://feeds.example:{port}/", tmp_path / "a")
    assert upstream.asked == []


def tls_server(cert: Path, key: Path, answer_with: bytes = _EMPTY) -> Any:
    import contextlib
    import socket
    import threading

    @contextlib.contextmanager
    def run() -> Iterator[int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        listener = socket.create_server(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as sock:
                    sock.recv(65536)
                    sock.sendall(answer_with)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()

    return run()


def test_the_server_sees_who_asks_and_no_more(upstream: Upstream, client: Client, tmp_path: Path) -> None:
    upstream.pages["/a"] = b"x"
    get(client, f"{upstream.url}/a", tmp_path / "a")
    asked: Asked = upstream.asked[0]
    assert sorted(asked.headers) == ["accept", "accept-encoding", "host", "user-agent"]
    assert asked.headers["user-agent"].startswith("Clearway")
