"""A list of several steps from a real server: whole where all goes well, and visibly broken off where it does not."""

from __future__ import annotations

import csv
import io
import socket
from urllib.parse import urlsplit

import pytest

from fleet_site import Site

MANY = 50_000
MORE = """insert into clearway.asset (org, aud, name, exposure, environment)
    select org, aud, 'many-' || lpad(n::text, 6, '0'), 'internal', 'production'
    from clearway.asset, generate_series(1, %s) n where name = 'web-1'"""


@pytest.fixture(scope="module")
def large(site: Site) -> Site:
    with site.people.owner() as owner:
        owner.execute(MORE, (MANY,))
    return site


def test_a_list_of_many_steps_is_whole(large: Site) -> None:
    answer = large.ask("GET", "/assets.csv?sort=name", large.operator, page=True)
    assert answer.status_code == 200
    names = [row["name"] for row in csv.DictReader(io.StringIO(answer.text))]
    assert names == ["db-1", *(f"many-{n:06}" for n in range(1, MANY + 1)), "web-1"]
    with large.people.owner() as owner:
        rows = owner.execute(
            """select (content::json ->> 'rows')::int from clearway.log_entry
            where subject = 'list/assets' order by entry"""
        ).fetchall()
    assert [n for (n,) in rows] == [10_000] * 5 + [2]


def test_a_session_that_ends_while_it_leaves_breaks_the_connection_off(large: Site) -> None:
    """A client that reads slowly, with little room to read into: the server can't be far ahead of it."""
    at = urlsplit(large.url)
    assert at.hostname is not None
    cookie = "; ".join(f"{k}={v}" for k, v in large.cookies(large.operator).items())
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.settimeout(20)
        raw.connect((at.hostname, at.port))
        raw.sendall(
            f"GET /assets.csv?sort=name HTTP/1.1\r\nhost: {at.netloc}\r\ncookie: {cookie}\r\n\r\n".encode()
        )
        found = raw.recv(4_096)
        assert found.startswith(b"HTTP/1.1 200")
        with large.people.owner() as owner:
            owner.execute("update clearway.credential set revoked = clock_timestamp() where kind = 'session'")
        while more := raw.recv(1 << 20):
            found += more
    assert b"transfer-encoding: chunked" in found.partition(b"\r\n\r\n")[0].lower()
    assert not found.endswith(b"0\r\n\r\n"), "the chunk that ends a whole body"
    assert b"many-000001" in found
    assert f"many-{MANY:06}".encode() not in found
