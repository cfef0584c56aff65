"""Where proofs of control are looked for, and what shows nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clearway.findings.lease.proof import PATH, Looker, Ports, place
from clearway.findings.lease.scope import parse
from clearway.http.outbound import Client, Networks
from clearway.records.errors import InputError, UpstreamError

NAMES = {
    "*.example.org": "_clearway-scan-control.example.org",
    "www.example.org": "_clearway-scan-control.www.example.org",
    "192.0.2.0/24": "_clearway-scan-control.2.0.192.in-addr.arpa",
    "10.0.0.0/8": "_clearway-scan-control.10.in-addr.arpa",
    "192.0.2.7": "_clearway-scan-control.7.2.0.192.in-addr.arpa",
    "2001:db8::/32": "_clearway-scan-control.8.b.d.0.1.0.0.2.ip6.arpa",
}


@pytest.mark.parametrize(("scope", "name"), NAMES.items())
def test_a_txt_record_is_looked_for_at_the_name_or_its_reverse_zone(scope: str, name: str) -> None:
    at = place(parse(scope), "dns-txt", "T")
    assert (at.name, at.content) == (name, "clearway-scan-control=T")


@pytest.mark.parametrize(
    ("scope", "method"),
    [
        ("192.0.2.0/25", "dns-txt"),
        ("2001:db8::/47", "dns-txt"),
        ("192.0.2.0/24", "well-known"),
        ("*.example.org", "well-known"),
        ("pkg:pypi/requests", "dns-txt"),
        ("pkg:pypi/requests", "well-known"),
        ("pkg:npm/%40scope/name", "repository-file"),
        ("git+https://git.example.org/a/b", "repository-file"),
        ("git+https://github.com/a", "repository-file"),
        ("git+https://github.com/a/too%E2%84%AAit", "repository-file"),
        ("pkg:maven/tool/tool", "dns-txt"),
        ("www.example.org", "repository-file"),
        ("192.0.2.7", "desk"),
    ],
)
def test_a_way_that_shows_nothing_about_the_scope_is_refused(scope: str, method: str) -> None:
    with pytest.raises(InputError):
        place(parse(scope), method, "T")  # type: ignore[arg-type]


def test_a_file_of_a_host_is_asked_for_over_https_and_of_an_address_over_http() -> None:
    assert place(parse("www.example.org"), "well-known", "T").url == f"https://www.example.org{PATH}"
    assert place(parse("192.0.2.7"), "well-known", "T").url == f"http://192.0.2.7{PATH}"
    assert place(parse("2001:db8::7"), "well-known", "T").url == f"http://[2001:db8::7]{PATH}"


class _Owner(BaseHTTPRequestHandler):
    body = b""
    redirect = ""

    def do_GET(self) -> None:
        if type(self).redirect and self.path == PATH:
            self.send_response(302)
            self.send_header("location", type(self).redirect)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def owner() -> Iterator[tuple[type[_Owner], Looker]]:
    """A web server on this machine, and who looks for proofs at it."""
    handler = type("Handler", (_Owner,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with Client(Networks.parse("127.0.0.0/8")) as client:
        yield handler, Looker(lambda name: (), client, Ports(http=server.server_address[1]))
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_token_alone_on_a_line_is_a_proof(owner: tuple[type[_Owner], Looker]) -> None:
    handler, looker = owner
    handler.body = b"# for the desk\n  TOKEN-1 \n"
    assert looker.holds(parse("127.0.0.1"), "well-known", "TOKEN-1")
    assert not looker.holds(parse("127.0.0.1"), "well-known", "TOKEN-2")


def test_a_page_that_repeats_whatever_it_was_asked_is_none(owner: tuple[type[_Owner], Looker]) -> None:
    handler, looker = owner
    handler.body = b"<p>you asked for TOKEN-1</p>"
    assert not looker.holds(parse("127.0.0.1"), "well-known", "TOKEN-1")


def test_a_redirect_proves_nothing_even_on_the_same_server(owner: tuple[type[_Owner], Looker]) -> None:
    handler, looker = owner
    handler.body, handler.redirect = b"TOKEN-1\n", "/uploads/anybody.txt"
    with pytest.raises(UpstreamError, match="redirects"):
        looker.holds(parse("127.0.0.1"), "well-known", "TOKEN-1")


def test_a_file_that_is_too_long_is_not_read(owner: tuple[type[_Owner], Looker]) -> None:
    handler, looker = owner
    handler.body = b"x" * 10_000 + b"\nTOKEN-1\n"
    with pytest.raises(UpstreamError):
        looker.holds(parse("127.0.0.1"), "well-known", "TOKEN-1")


def test_an_address_inside_this_network_is_not_asked_unless_the_operator_opens_it() -> None:
    with Client() as client, pytest.raises(UpstreamError):
        Looker(lambda name: (), client).holds(parse("127.0.0.1"), "well-known", "T")


def test_a_txt_record_counts_as_a_whole() -> None:
    zone = {"_clearway-scan-control.example.org": ("v=spf1", "clearway-scan-control=T")}
    with Client() as client:
        looker = Looker(lambda name: zone.get(name, ()), client)
        assert looker.holds(parse("*.example.org"), "dns-txt", "T")
        assert not looker.holds(parse("*.example.org"), "dns-txt", "TT")
        assert not looker.holds(parse("www.example.org"), "dns-txt", "T")
