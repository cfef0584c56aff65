"""Calls to the outside through the operator's proxy: tunnelled, with a login, and still not to where nobody may go."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from clearway.http.outbound import Client, Networks, Pace, RefusedError
from clearway.records.errors import ConfigError, UpstreamError
from proxy import Proxy, certificate, proxying

NAME = "feeds.example"
BODY = b"read by nobody on the way"


def nowhere(host: str, port: int) -> Sequence[str]:
    """A machine without a resolver, as behind many proxies."""
    raise OSError("no such name")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxying() as made:
        yield made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port of an https server of that name, and its certificate."""
    cert, key = certificate(tmp_path_factory.mktemp("site"), NAME)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            inside = self.path == "/inside"
            self.send_response(302 if inside else 200)
            if inside:
                self.send_header("location", "https://169.254.169.254/latest/")
            self.send_header("content-length", "0" if inside else str(len(BODY)))
            self.end_headers()
            self.wfile.write(b"" if inside else BODY)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(HTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that does not trust it hangs up, which is what is tested."""

    server = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server.server_port, cert
    server.shutdown()
    server.server_close()
    thread.join()


def client(by: Proxy, cert: Path, **more: Any) -> Client:
    given = {
        "proxy": by.url,
        "tls": ssl.create_default_context(cafile=str(cert)),
        "resolver": nowhere,
        **more,
    }
    return Client(**given)


def fetched(through: Client, url: str, path: Path) -> bytes:
    through.get_to_file(url, path, max_bytes=1 << 20, deadline_s=5)
    return path.read_bytes()


def test_https_goes_through_a_tunnel_in_which_the_proxy_reads_nothing(
    proxy: Proxy, site: tuple[int, Path], tmp_path: Path
) -> None:
    proxy.routes[NAME] = site[0]
    with client(proxy, site[1]) as through:
        assert fetched(through, f"https://{NAME}/x", tmp_path / "a") == BODY
        assert through.post(f"https://{NAME}/hook", b"signed", {}, 5).status == 204
    assert proxy.asked == [f"CONNECT {NAME}:443 HTTP/1.1"]
    assert BODY not in proxy.seen
    assert b"signed" not in proxy.seen


def test_a_proxy_that_leads_elsewhere_is_not_taken_for_the_site(
    proxy: Proxy, site: tuple[int, Path], tmp_path: Path
) -> None:
    proxy.routes["other.example"] = site[0]
    with client(proxy, site[1]) as through, pytest.raises(UpstreamError, match="certificate"):
        fetched(through, "https://other.example/x", tmp_path / "a")


@pytest.mark.parametrize(
    ("url", "found", "reason"),
    [
        ("https://169.254.169.254/latest/", [], "metadata service"),
        ("https://127.0.0.1/x", [], "loopback"),
        ("https://[::ffff:10.0.0.1]/x", [], "private"),
        ("https://2130706433/x", [], "decimal"),
        ("https://inside.example/x", ["10.1.2.3"], "private"),
        ("https://both.example/x", ["198.41.0.4", "192.168.1.1"], "private"),
        ("https://zone.example/x", ["fe80::1%eth0"], "link-local"),
        ("https://odd.example/x", ["no address"], "can't be checked"),
        ("http://inside.example/x", ["127.0.0.1"], "loopback"),
    ],
)
def test_a_proxy_is_not_asked_for_what_would_be_refused_without_one(
    proxy: Proxy, site: tuple[int, Path], tmp_path: Path, url: str, found: list[str], reason: str
) -> None:
    with (
        client(proxy, site[1], resolver=lambda host, port: found) as through,
        pytest.raises(RefusedError, match=reason),
    ):
        fetched(through, url, tmp_path / "a")
    assert proxy.asked == []


def test_a_network_that_the_operator_allows_is_reached_through_the_proxy_too(
    proxy: Proxy, site: tuple[int, Path], tmp_path: Path
) -> None:
    proxy.routes[NAME] = site[0]
    allow = Networks.parse("10.20.0.0/16")
    with client(proxy, site[1], allow=allow, resolver=lambda host, port: ["10.20.0.7"]) as through:
        assert fetched(through, f"https://{NAME}/x", tmp_path / "a") == BODY


def test_a_redirect_inside_the_tunnel_is_judged_as_any(
    proxy: Proxy, site: tuple[int, Path], tmp_path: Path
) -> None:
    proxy.routes[NAME] = site[0]
    with client(proxy, site[1]) as through, pytest.raises(RefusedError, match="metadata service"):
        fetched(through, f"https://{NAME}/inside", tmp_path / "a")
    assert len(proxy.asked) == 1


def test_a_login_goes_to_the_proxy_alone_and_into_no_error(
    proxy: Proxy, site: tuple[int, Path], tmp_path: Path
) -> None:
    proxy.routes[NAME] = site[0]
    proxy.login = "clearway:s3cret/word"
    good = f"http://clearway:s3cret%2Fword@127.0.0.1:{proxy.port}"
    with client(proxy, site[1], proxy=good) as through:
        assert fetched(through, f"https://{NAME}/x", tmp_path / "a") == BODY
    bad = f"http://clearway:w0rse@127.0.0.1:{proxy.port}"
    with client(proxy, site[1], proxy=bad) as through, pytest.raises(UpstreamError) as caught:
        fetched(through, f"https://{NAME}/x", tmp_path / "b")
    assert "the proxy refuses: 407" in str(caught.value)
    assert "w0rse" not in str(caught.value)
    assert b"Proxy-Authorization" not in proxy.seen.partition(b"established")[2]


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "the proxy refuses: 403"),
        (b"HTTP/1.1 200 OK\r\n\r\nno TLS is spoken here, and none ever will be", "failed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "breaks off or is no HTTP"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "the proxy refuses: 302"),
    ],
)  # fmt: skip
def test_a_proxy_that_does_not_do_its_work_is_an_error_with_its_reason(
    proxy: Proxy, site: tuple[int, Path], tmp_path: Path, says: bytes, reason: str
) -> None:
    proxy.says = says
    with client(proxy, site[1]) as through, pytest.raises(UpstreamError, match=reason):
        fetched(through, f"https://{NAME}/x", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_proxy_that_stalls_or_is_not_there_does_not_hold_the_caller(
    proxy: Proxy, site: tuple[int, Path], tmp_path: Path
) -> None:
    proxy.says = b"HTTP/1.1 200"  # and nothing more, on a connection that closes
    hasty = Pace(connect_s=1, idle_s=0.3, least_bytes_s=1, window_s=0.3)
    with client(proxy, site[1], pace=hasty) as through, pytest.raises(UpstreamError):
        fetched(through, f"https://{NAME}/x", tmp_path / "a")
    proxy.close()
    with (
        client(proxy, site[1], pace=hasty) as through,
        pytest.raises(UpstreamError, match="can't be reached"),
    ):
        fetched(through, f"https://{NAME}/x", tmp_path / "b")


@pytest.mark.parametrize("text", ["socks5://127.0.0.1:1080", "https://proxy.example:3128", "proxy.example:3128", "http://",
                                  "http://u:hidden@proxy.example/path", "\x00"])  # fmt: skip
def test_what_is_no_proxy_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ConfigError, match="no http:// address") as caught:
        Client(proxy=text)
    assert "hidden" not in str(caught.value)
