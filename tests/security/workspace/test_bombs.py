"""Documents that were made to hurt, sent to every route that takes one: refused in bounded memory, and served on."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import fleet_site
from database import server  # noqa: F401
from intake_world import World, drop_database, new_database
from live_server import Live
from often import often

MOST_MIB = 256  # over what the server holds before
MOST_CPU_S = 10.0  # of the server, whatever else the machine does


@pytest.fixture(scope="module")
def served(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[fleet_site.Site, Live]]:  # noqa: F811
    folder = tmp_path_factory.mktemp("bombs")
    url = new_database(server, "made")
    try:
        site = fleet_site.Site(World(url, folder / "home"))
        try:
            site.ingest(fleet_site.DJANGO)
            site.machine(site.operator, "target")
            with fleet_site.over(site, folder / "log") as live:
                site.url = live.url
                yield site, live
        finally:
            site.people.close()
    finally:
        drop_database(server, url)


def _zip(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def _nested(levels: int) -> bytes:
    data = _zip(("bom.json", b"0" * (64 << 20)))
    for _ in range(levels):
        data = _zip(*((f"{n}.zip", data) for n in range(8)))
    return data


_LAUGHS = b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha">' + b"".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">'.encode() for n in range(12)
)
_BOM = b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":'


def _million_keys() -> bytes:
    return b"{" + b",".join(b'"k%d":0' % n for n in range(1_000_000)) + b"}"


# Made for the test that sends it: together they take seconds, and each process of a run reads this file.
DOCUMENTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a zip of zeros": ("bom.zip", lambda: _zip(("bom.json", b"\0" * (256 << 20)))),
    "zips in zips in zips": ("bom.zip", lambda: _nested(3)),
    "a zip that climbs out": ("bom.zip", lambda: _zip(("../../etc/cron.d/x", b"{}"))),
    "a gzip of zeros": ("bom.json.gz", lambda: gzip.compress(b"\0" * (256 << 20), 9)),
    "a gzip of JSON": ("bom.json.gz", lambda: gzip.compress(_BOM + b"[" + b" " * (256 << 20) + b"]}", 9)),
    "deep arrays": ("bom.json", lambda: b"[" * 1_000_000),
    "deep arrays in a BOM": ("bom.json", lambda: _BOM + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep objects in a BOM": ("bom.json", lambda: _BOM + b'{"components":' * 100_000),
    "a million keys": ("bom.json", _million_keys),
    "the same key twice": ("bom.json", lambda: _BOM + b'[],"components":[]}'),
    "a huge integer": ("bom.json", lambda: b'{"bomFormat":"CycloneDX","version":' + b"9" * 2_000_000 + b"}"),
    "NaN": ("bom.json", lambda: _BOM + b"[NaN]}"),
    "a thousand million laughs": ("bom.xml", lambda: _LAUGHS + b"]><bom>&l;</bom>"),
    "an entity from a file": (
        "bom.xml",
        lambda: b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]><bom>&x;</bom>',
    ),
    "deep XML": ("bom.xml", lambda: b'<bom xmlns="http://cyclonedx.org/schema/bom/1.6">' + b"<a>" * 200_000),
    "nmap with a DTD": ("scan.xml", lambda: b'<!DOCTYPE nmaprun [<!ENTITY a "b">]><nmaprun scanner="nmap"/>'),
    "one field of CSV without end": ("list.csv", lambda: b'asset,cve,first_detected\n"' + b"a" * (16 << 20)),
    "binary": ("bom.json", lambda: bytes(range(256)) * 4096),
    "half of UTF-16": ("bom.json", lambda: '{"bomFormat":"CycloneDX"}'.encode("utf-16")[:-1]),
    "nothing": ("bom.json", lambda: b""),
    "more than a body may be": ("bom.json", lambda: b" " * (33 << 20)),
}


def _mib(live: Live, field: str) -> float:
    text = Path(f"/proc/{live.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(field)).split()[1]) / 1024


def _cpu_s(live: Live) -> float:
    """The processor seconds that the server has used; fields 14 and 15 of proc(5)'s stat."""
    fields = Path(f"/proc/{live.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _forget_peak(live: Live) -> None:
    Path(f"/proc/{live.process.pid}/clear_refs").write_text("5")


def _send(site: fleet_site.Site, path: str, data: bytes, name: str) -> httpx.Response:
    who = site.operator
    if path.startswith("/api/"):
        return site.ask("POST", f"{path}?filename={name}", who, content=data)
    return site.ask("POST", path, who, page=True, files={"document": (name, data)}, data={"name": "x"})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_bomb_is_refused_in_bounded_memory_and_the_server_lives(
    served: tuple[fleet_site.Site, Live], name: str
) -> None:
    site, live = served
    filename, make = DOCUMENTS[name]
    data = make()
    asset = site.assets["target"]
    for path in (
        f"/api/v1/assets/{asset}/inventories",
        "/api/v1/inventories",
        f"/assets/{asset}/inventories",
    ):
        _forget_peak(live)
        before = _mib(live, "VmRSS")
        used = _cpu_s(live)
        answer = _send(site, path, data, filename)
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:500])
        if path.startswith("/api/"):
            assert answer.headers["content-type"] == "application/problem+json"
            assert "passwd" not in answer.text.replace(filename, "")
            assert len(answer.content) < 4096
        assert _mib(live, "VmHWM") - before < MOST_MIB, path
        assert _cpu_s(live) - used < MOST_CPU_S, path
    assert site.ask("GET", f"/api/v1/assets/{asset}", site.operator).status_code == 200
    assert live.process.poll() is None


JSON: dict[str, Callable[[], bytes]] = {
    "deep": lambda: b'{"name":' + b"[" * 500_000,
    "deep and closed": lambda: b'{"name":"a","details":{"names":' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
    "a million keys": _million_keys,
    "twice": lambda: b'{"name":"a","name":"b"}',
    "a huge name": lambda: json.dumps({"name": "a" * (8 << 20)}).encode(),
    "a million names": lambda: json.dumps({"name": "a", "details": {"names": ["x"] * 1_000_000}}).encode(),
    "half a surrogate": lambda: b'{"name":"\\ud800"}',
    "a NUL": lambda: b'{"name":"a\\u0000b"}',
    "a huge integer": lambda: b'{"name":' + b"9" * 1_000_000 + b"}",
    "NaN": lambda: b'{"name":NaN}',
}
LARGE = 1 << 20  # bodies that take seconds: all routes read them by one reader
ROUTES = ("/api/v1/assets", "/api/v1/tokens", "/api/v1/rules", "/api/v1/exposures/decisions",
          "/api/v1/directives/triages", "/api/v1/approvals", "/api/v1/ledger/cosignature")  # fmt: skip


@pytest.mark.parametrize("name", JSON)
def test_json_that_hurts_is_refused_by_every_route_that_takes_json(
    served: tuple[fleet_site.Site, Live], name: str
) -> None:
    site, live = served
    data = JSON[name]()
    headers = {"content-type": "application/json"}
    for path in ROUTES[: often(2, len(ROUTES))] if len(data) > LARGE else ROUTES:
        _forget_peak(live)
        before = _mib(live, "VmRSS")
        used = _cpu_s(live)
        answer: Any = site.ask("POST", path, site.operator, content=data, headers=headers)
        if not (name == "a NUL" and answer.status_code == 201):
            assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:300])
            assert answer.headers["content-type"] == "application/problem+json"
        assert _mib(live, "VmHWM") - before < MOST_MIB, path
        assert _cpu_s(live) - used < MOST_CPU_S, path
    assert live.process.poll() is None


def test_nothing_of_all_this_was_a_failure_of_ours(served: tuple[fleet_site.Site, Live]) -> None:
    """Runs last: the log has no word of it."""
    assert "Traceback" not in served[1].log.read_text()
