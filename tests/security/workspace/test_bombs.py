"""Documents that were made to hurt, sent to every route that takes one: refused in bounded memory, and served on."""

from __future__ import annotations

import gzip
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import fleet_site
from database import server  # noqa: F401
from intake_world import World, drop_database, new_database
from live_server import Live

MOST_MIB = 256  # over what the server holds before
MOST_S = 20.0  # on a loaded machine


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
DOCUMENTS: dict[str, tuple[str, bytes]] = {
    "a zip of zeros": ("bom.zip", _zip(("bom.json", b"\0" * (256 << 20)))),
    "zips in zips in zips": ("bom.zip", _nested(3)),
    "a zip that climbs out": ("bom.zip", _zip(("../../etc/cron.d/x", b"{}"))),
    "a gzip of zeros": ("bom.json.gz", gzip.compress(b"\0" * (256 << 20), 9)),
    "a gzip of JSON": ("bom.json.gz", gzip.compress(_BOM + b"[" + b" " * (256 << 20) + b"]}", 9)),
    "deep arrays": ("bom.json", b"[" * 1_000_000),
    "deep arrays in a BOM": ("bom.json", _BOM + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep objects in a BOM": ("bom.json", _BOM + b'{"components":' * 100_000),
    "a million keys": ("bom.json", b"{" + b",".join(b'"k%d":0' % n for n in range(1_000_000)) + b"}"),
    "the same key twice": ("bom.json", _BOM + b'[],"components":[]}'),
    "a huge integer": ("bom.json", b'{"bomFormat":"CycloneDX","version":' + b"9" * 2_000_000 + b"}"),
    "NaN": ("bom.json", _BOM + b"[NaN]}"),
    "a thousand million laughs": ("bom.xml", _LAUGHS + b"]><bom>&l;</bom>"),
    "an entity from a file": (
        "bom.xml",
        b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]><bom>&x;</bom>',
    ),
    "deep XML": ("bom.xml", b'<bom xmlns="http://cyclonedx.org/schema/bom/1.6">' + b"<a>" * 200_000),
    "nmap with a DTD": ("scan.xml", b'<!DOCTYPE nmaprun [<!ENTITY a "b">]><nmaprun scanner="nmap"/>'),
    "one field of CSV without end": ("list.csv", b'asset,cve,first_detected\n"' + b"a" * (16 << 20)),
    "binary": ("bom.json", bytes(range(256)) * 4096),
    "half of UTF-16": ("bom.json", '{"bomFormat":"CycloneDX"}'.encode("utf-16")[:-1]),
    "nothing": ("bom.json", b""),
    "more than a body may be": ("bom.json", b" " * (33 << 20)),
}


def _mib(live: Live, field: str) -> float:
    text = Path(f"/proc/{live.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(field)).split()[1]) / 1024


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
    filename, data = DOCUMENTS[name]
    asset = site.assets["target"]
    for path in (
        f"/api/v1/assets/{asset}/inventories",
        "/api/v1/inventories",
        f"/assets/{asset}/inventories",
    ):
        _forget_peak(live)
        before = _mib(live, "VmRSS")
        started = time.monotonic()
        answer = _send(site, path, data, filename)
        took = time.monotonic() - started
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:500])
        if path.startswith("/api/"):
            assert answer.headers["content-type"] == "application/problem+json"
            assert "passwd" not in answer.text.replace(filename, "")
            assert len(answer.content) < 4096
        assert _mib(live, "VmHWM") - before < MOST_MIB, path
        assert took < MOST_S, path
    assert site.ask("GET", f"/api/v1/assets/{asset}", site.operator).status_code == 200
    assert live.process.poll() is None


JSON: dict[str, bytes] = {
    "deep": b'{"name":' + b"[" * 500_000,
    "deep and closed": b'{"name":"a","details":{"names":' + b"[" * 5_000 + b"]" * 5_000 + b"}}",
    "a million keys": DOCUMENTS["a million keys"][1],
    "twice": b'{"name":"a","name":"b"}',
    "a huge name": json.dumps({"name": "a" * (8 << 20)}).encode(),
    "a million names": json.dumps({"name": "a", "details": {"names": ["x"] * 1_000_000}}).encode(),
    "half a surrogate": b'{"name":"\\ud800"}',
    "a NUL": b'{"name":"a\\u0000b"}',
    "a huge integer": b'{"name":' + b"9" * 1_000_000 + b"}",
    "NaN": b'{"name":NaN}',
}
ROUTES = ("/api/v1/assets", "/api/v1/tokens", "/api/v1/rules", "/api/v1/exposures/decisions",
          "/api/v1/directives/triages", "/api/v1/approvals", "/api/v1/ledger/cosignature")  # fmt: skip


@pytest.mark.parametrize("name", JSON)
def test_json_that_hurts_is_refused_by_every_route_that_takes_json(
    served: tuple[fleet_site.Site, Live], name: str
) -> None:
    site, live = served
    headers = {"content-type": "application/json"}
    for path in ROUTES:
        _forget_peak(live)
        before = _mib(live, "VmRSS")
        started = time.monotonic()
        answer: Any = site.ask("POST", path, site.operator, content=JSON[name], headers=headers)
        if not (name == "a NUL" and answer.status_code == 201):
            assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:300])
            assert answer.headers["content-type"] == "application/problem+json"
        assert _mib(live, "VmHWM") - before < MOST_MIB, path
        assert time.monotonic() - started < MOST_S, path
    assert live.process.poll() is None


def test_nothing_of_all_this_was_a_failure_of_ours(served: tuple[fleet_site.Site, Live]) -> None:
    """Runs last: the log has no word of it."""
    assert "Traceback" not in served[1].log.read_text()
