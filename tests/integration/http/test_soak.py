"""After much work the server is as it was: its memory has not grown on, and it rests."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

import pytest

import live_server
import osv_world
from live_server import Live


def resident_mib(live: Live) -> float:
    text = Path(f"/proc/{live.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def cpu_seconds(live: Live) -> float:
    fields = Path(f"/proc/{live.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def work(live: Live, rounds: range) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=20)
    for number in rounds:
        asked = (
            {"package": {"ecosystem": "PyPI", "name": f"made-up-{number}"}, "version": "1"},
            {"package": {"ecosystem": "PyPI", "name": "example-web"}, "version": f"1.{number}"},
            {"package": {"ecosystem": "PyPI", "name": "example-web"}, "version": f"no-{number}"},
        )
        for query in asked:
            connection.request("POST", "/v1/query", json.dumps(query).encode())
            connection.getresponse().read()
    connection.close()


@pytest.mark.parametrize("rounds", [300, pytest.param(6_000, marks=pytest.mark.slow)])
def test_memory_does_not_grow_on_and_the_server_rests(tmp_path: Path, rounds: int) -> None:
    with live_server.over(osv_world.table(tmp_path / "t")) as live:
        work(live, range(rounds))
        settled = resident_mib(live)
        work(live, range(rounds, 2 * rounds))
        assert resident_mib(live) - settled < 12
        before = cpu_seconds(live)
        time.sleep(1)
        assert cpu_seconds(live) - before < 0.1
