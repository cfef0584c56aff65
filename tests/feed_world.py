"""Feeds in the layouts of their publishers, built from shared real data, and the pulls of them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zstandard

from clearway.advisories.feeds import store
from clearway.advisories.feeds.feed import HABITS, Feed, FeedStatus, Pulled
from clearway.advisories.feeds.pull import pull
from clearway.records.clock import FixedClock
from clearway.store.connect import connect
from intake_world import World, drop_database, new_database
from shared import shared

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OPEN = {"CLEARWAY_FEEDS_ALLOW": "127.0.0.1"}


class Feeds:
    """The feeds of one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def add(self, name: str, layout: Any, url: str, **more: Any) -> None:
        habits = HABITS[layout]
        feed = Feed(name=name, layout=layout, url=url, every_s=habits.every_s, stale_after_s=habits.stale_after_s,
                    oldest_s=habits.oldest_s, **more)  # fmt: skip
        with connect(self.world.url, autocommit=True) as db:
            store.add(db, feed, NOW)

    def pull(self, name: str, at: datetime = NOW, **more: Any) -> Pulled:
        return pull(self.world.url, self.world.home, name, FixedClock(at), environment=OPEN, **more)

    def good(self, name: str, at: datetime = NOW, **more: Any) -> Pulled:
        """A pull that must go well."""
        pulled = self.pull(name, at, **more)
        assert pulled.error == "", pulled.error
        return pulled

    def status(self, name: str, at: datetime = NOW) -> FeedStatus:
        with connect(self.world.url, autocommit=True) as db:
            (found,) = [s for s in store.status(db, at) if s.name == name]
        return found

    def problems(self, name: str) -> dict[str, str]:
        with connect(self.world.url, autocommit=True) as db:
            return {k: i.problem for k, i in store.items(db, name).items() if i.problem}


@contextlib.contextmanager
def a_world(server: str, folder: Path) -> Iterator[World]:
    """A database for many tests in a row: to copy one takes longer than most of them."""
    url = new_database(server, "made")
    yield World(url, folder / "home")
    drop_database(server, url)


def empty(world: World) -> None:
    """Takes every record and feed away."""
    with connect(world.url, autocommit=True) as db:
        db.execute(
            """truncate clearway.feed, clearway.feed_run, clearway.feed_item, clearway.record, clearway.edge,
            clearway.claim, clearway.catalogue, clearway.epss, clearway.set_aside, clearway.event"""
        )
        db.execute("delete from clearway.credential where kind = 'session'")
        db.execute("delete from clearway.person where kind = 'person'")
        db.execute("update clearway.generation set n = n + 1")
    shutil.rmtree(world.home, ignore_errors=True)
    world.home.mkdir(parents=True)


def lines(relative: str, count: int) -> list[dict[str, Any]]:
    """The first `count` records of a shared .jsonl.zst."""
    with shared(relative).open("rb") as file:
        text = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8")
        return [json.loads(line) for line, _ in zip(text, range(count), strict=False)]


def members(relative: str) -> dict[str, bytes]:
    """The files of a shared .tar.zst."""
    found = {}
    with shared(relative).open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                part = tar.extractfile(member)
                if part is not None:
                    found[member.name] = part.read()
    return found


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def osv_layout(records: list[dict[str, Any]]) -> dict[str, bytes]:
    """OSV.dev's export of one ecosystem."""
    bodies = {f"{r['id']}.json": json.dumps(r).encode() for r in records}
    ordered = sorted(((r["modified"], r["id"]) for r in records), reverse=True)
    index = "".join(f"{at},{name}\n" for at, name in ordered).encode()
    return {**bodies, "modified_id.csv": index, "all.zip": zipped(bodies)}


def kev_catalogues() -> tuple[bytes, bytes]:
    """The catalogue of 2025-08-25 and that of 2026-08-07."""
    files = members("kev/kev.tar.zst")
    return files["kev-2025.08.25.json"], files["kev-2026.08.07.json"]


def epss_scores(rows: int, dated: str = "") -> bytes:
    """The first rows of a day's scores, gzipped, under another day's date when one is given."""
    with shared("epss/epss_scores-2024-01-13.csv.zst").open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read(200 * rows).decode()
    head = text.split("\n")[: rows + 2]
    if dated:
        head[0] = head[0].replace("2024-01-13", dated)
    return gzip.compress(("\n".join(head) + "\n").encode(), mtime=0)


def cve_layout(
    records: list[dict[str, Any]], changed: list[dict[str, Any]], at: str, oldest: str
) -> dict[str, bytes]:
    """cvelistV5: every record under its path, the archive of `records`, and a log that lists `changed` at `at`."""

    def path(record: dict[str, Any]) -> str:
        _, year, number = record["cveMetadata"]["cveId"].split("-")
        return f"cves/{year}/{number[:-3]}xxx/CVE-{year}-{number}.json"

    def entry(record: dict[str, Any]) -> dict[str, str]:
        name = record["cveMetadata"]["cveId"]
        return {"cveId": name, "cveOrgLink": f"https://www.cve.org/CVERecord?id={name}",
                "githubLink": f"http://169.254.169.254/{path(record)}", "dateUpdated": at}  # fmt: skip

    delta = {"fetchTime": at, "numberOfChanges": len(changed), "new": [], "updated": [entry(r) for r in changed],
             "error": []}  # fmt: skip
    first = {"fetchTime": oldest, "numberOfChanges": 0, "new": [], "updated": [], "error": []}
    bodies = {path(r): json.dumps(r).encode() for r in records}
    inner = zipped(bodies)
    return {
        **bodies,
        **{path(r): json.dumps(r).encode() for r in changed},
        "cves/delta.json": json.dumps(delta).encode(),
        "cves/deltaLog.json": json.dumps([delta, first]).encode(),
        "2026-11-25_all.zip.zip": zipped({"cves.zip": inner}),
    }


CISA = "https://raw.githubusercontent.com/cisagov/CSAF/develop/"


def cisa_layout(only: int = 12) -> dict[str, bytes]:
    """CISA's provider with its signed documents: metadata, and the real ROLIE feed cut to those that are here."""
    files = members("csaf/cisa-provider-slice-signed.tar.zst")
    kept = sorted(n for n in files if n.endswith(".json") and "/2024/" in n)[:only]
    feed = json.loads(files["csaf_files/OT/white/cisa-csaf-ot-feed-tlp-white.json"])
    feed["feed"]["entry"] = [
        e for e in feed["feed"]["entry"] if e["content"]["src"].removeprefix(CISA) in kept
    ]
    assert len(feed["feed"]["entry"]) == only
    metadata = {
        "canonical_url": f"{CISA}provider-metadata.json",
        "distributions": [{"rolie": {"feeds": [{
            "summary": "OT", "tlp_label": "WHITE", "url": f"{CISA}csaf_files/OT/white/cisa-csaf-ot-feed-tlp-white.json",
        }]}}],
        "last_updated": "2024-10-24T00:00:00Z", "list_on_CSAF_aggregators": True, "mirror_on_CSAF_aggregators": True,
        "metadata_version": "2.0", "role": "csaf_trusted_provider", "public_openpgp_keys": [],
        "publisher": {"category": "coordinator", "name": "CISA", "namespace": "https://www.cisa.gov/"},
    }  # fmt: skip
    changes = files["csaf_files/OT/white/changes.csv"].decode().splitlines()
    here = [line for line in changes if line.partition(",")[0] in kept]
    out = {n: b for n, b in files.items() if n in kept or any(n.startswith(k + ".") for k in kept)}
    out["csaf_files/OT/white/cisa-csaf-ot-feed-tlp-white.json"] = json.dumps(feed).encode()
    out["csaf_files/OT/white/changes.csv"] = "\n".join(here).encode()
    out["provider-metadata.json"] = json.dumps(metadata).encode()
    return out


def gocsaf_layout(kind: str, url: str, **flags: bool) -> dict[str, bytes]:
    """A provider of gocsaf's test data ("directory" or "rolie"), its templates filled in."""
    found = {}
    start = f"testdata/simple-{kind}-provider/"
    for name, body in members("conformance/csaf-provider-fixtures-gocsaf.tar.zst").items():
        if name.startswith(start):
            text = body
            if b"{{" in body:
                text = _filled(body.decode(), url, flags).encode()
            found[name.removeprefix(start)] = text
    return found


def _filled(text: str, url: str, flags: dict[str, bool]) -> str:
    import re

    for flag in ("EnableSha256", "EnableSha512"):
        keep = r"\1" if flags.get(flag, True) else ""
        text = re.sub(r"\{\{if \." + flag + r"\}\}(.*?)\{\{end\}\}", keep, text, flags=re.DOTALL)
    return text.replace("{{.URL}}", url)


def as_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder
