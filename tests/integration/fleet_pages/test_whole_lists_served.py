"""A list of several steps from a real server: whole where all goes well, and visibly broken off where it does not."""

from __future__ import annotations

import csv
import io
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import fleet_site
from clearway.http.whole import OF_READER, STEP_ROWS
from fleet_site import Site
from people import Somebody

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
    assert [n for (n,) in rows] == [STEP_ROWS] * (MANY // STEP_ROWS) + [2]


def asking(site: Site, url: str, who: Somebody) -> socket.socket:
    """A client with little room to read into that has asked for all assets."""
    at = urlsplit(url)
    assert at.hostname is not None
    cookie = "; ".join(f"{k}={v}" for k, v in site.cookies(who).items())
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.settimeout(20)
    raw.connect((at.hostname, at.port))
    raw.sendall(
        f"GET /assets.csv?sort=name HTTP/1.1\r\nhost: {at.netloc}\r\ncookie: {cookie}\r\n\r\n".encode()
    )
    return raw


def resident_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def test_a_session_that_ends_while_it_leaves_breaks_the_connection_off(large: Site) -> None:
    """A client that reads slowly, with little room to read into: the server can't be far ahead of it."""
    with asking(large, large.url, large.operator) as raw:
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


@pytest.mark.slow
def test_clients_that_do_not_read_cost_little_memory_and_leave_room_for_others(
    large: Site, tmp_path: Path
) -> None:
    """Twelve, of three readers: each has its first rows, and the server waits with the next of each."""
    readers = [
        large.people.somebody(large.water, "operator", name=f"Reader {n}") for n in range(12 // OF_READER)
    ]
    other = large.people.somebody(large.water, "operator", name="Reader who reads")
    with fleet_site.over(large, tmp_path / "log") as live, ExitStack() as open_:
        httpx.get(f"{live.url}/assets.csv?limit=1000", cookies=large.cookies(other)).raise_for_status()
        before = resident_mb(live.process.pid)
        clients = [
            open_.enter_context(asking(large, live.url, who)) for who in readers for _ in range(OF_READER)
        ]
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 200"
        time.sleep(2)  # for what the server reads ahead
        after = resident_mb(live.process.pid)
        print(f"{len(clients)} clients that do not read: {before:.0f} -> {after:.0f} MB")
        with asking(large, live.url, readers[0]) as one_more:
            assert one_more.recv(12) == b"HTTP/1.1 429"
        httpx.get(f"{live.url}/assets.csv?limit=1", cookies=large.cookies(other)).raise_for_status()
    assert after - before < 20
