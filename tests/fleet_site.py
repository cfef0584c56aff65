"""The whole workspace as a server over a fleet, with four kinds of people: for tests of its pages and its API."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

import kept_builds  # noqa: F401
import live_server
from clearway.advisories.stored_records import StoredRecords
from clearway.advisories.table import TABLE_FILE
from clearway.app.server import build
from clearway.app.workspace import Workspace
from clearway.exposure.fleet import asset, follow, prepare, take
from clearway.formats.inventory import read_inventory
from clearway.http.application import Application
from clearway.http.csrf import token
from clearway.http.ratelimit import Policy, Rates
from clearway.http.session_cookie import SESSION_COOKIE_PLAIN
from fleet_world import document
from intake_world import World, kev, osv, package, write
from people import People, Somebody

TODAY = datetime.now(UTC).date()

DJANGO = osv(
    "PYSEC-2026-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"], summary="SQL injection"
)
FLASK = osv(
    "PYSEC-2026-2", package("PyPI", "flask", "3.0"), aliases=["CVE-2026-0002"], summary="Path traversal"
)
ELSEWHERE = osv(
    "PYSEC-2026-3", package("PyPI", "zope", "5.0"), aliases=["CVE-2026-0003"], summary="In nobody's fleet"
)
OTHER_WORD = osv("GHSA-aaaa-bbbb-cccc", package("PyPI", "django", "4.1.9"), aliases=["CVE-2026-0001"])


# A tool that asks as fast as it can, from one address and partly without rights, is not what is told to slow down here.
UNHURRIED = Rates(
    address=Policy("address", 1_000_000, 1),
    principal=Policy("principal", 1_000_000, 1),
    failures=Policy("failures", 1_000_000, 1),
)


def application(url: str, home: str) -> Application:
    """The server's application; for `harness.served`."""
    folder = Path(home)
    return build(folder / TABLE_FILE, StoredRecords(url), workspace=Workspace(folder, url), rates=UNHURRIED)


class Site:
    """A served workspace. `water` has two machines, `hospital` one; `asset` and `theirs` are numbers of assets."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.people = People(world.url)
        self.water, self.hospital = self.people.org("water"), self.people.org("hospital")
        self.operator = self.people.somebody(self.water, "operator", name="Olga Operator")
        self.auditor = self.people.somebody(self.water, "auditor", name="Arne Auditor")
        self.other = self.people.somebody(self.hospital, "operator", name="Otto Other")
        self.url = ""
        self.assets: dict[str, int] = {}
        self.inventories: dict[str, int] = {}

    def ingest(self, *records: dict[str, Any]) -> None:
        folder = self.world.home.parent / "records"
        start = len(list(folder.glob("*"))) if folder.exists() else 0
        paths = [write(folder / f"{start + n}.json", r) for n, r in enumerate(records)]
        self.world.take(*paths, at=datetime.now(UTC))

    def follow(self) -> None:
        with self.people.owner() as owner:
            follow.follow(owner, self.world.table(), TODAY)

    def machine(self, who: Somebody, name: str, *purls: str, exposure: Any = "public", **details: Any) -> int:
        """An asset of `who`'s organisation with what runs on it."""
        with self.people.acting(who) as db:
            made = asset.add(
                db, who.org, name, exposure=exposure, since=TODAY - timedelta(days=30), said_by="a scan",
                details=asset.Details(**details),
            )  # fmt: skip
        self.assets[name] = made.asset
        if purls:
            self.upload(who, name, *purls)
        return made.asset

    def upload(self, who: Somebody, name: str, *purls: str, detected: date | None = None) -> take.Taken:
        data = document(*purls)
        with self.people.owner() as owner:
            prepared = prepare.one(owner, self.world.table(), read_inventory(data, "sbom.json"), TODAY)
        with self.people.acting(who) as db:
            taken = take.take(
                db, self.assets[name], prepared, data, day=TODAY, witness="syft", detected=detected
            )
        self.inventories[name] = taken.inventory
        return taken

    def ask(
        self,
        method: str,
        path: str,
        who: Somebody | None,
        *,
        page: bool = False,
        follow: bool = False,
        csrf: str = "",
        **more: Any,
    ) -> httpx.Response:
        """A request by `who`: with a token, or as a browser with a session for `page`."""
        headers = dict(more.pop("headers", {}))
        cookies = {}
        if page:
            headers["accept"] = "text/html"
            if who is not None:
                cookies[SESSION_COOKIE_PLAIN] = who.cookie
                if method != "GET":
                    headers |= {"x-csrf-token": csrf or token(who.key), "sec-fetch-site": "same-origin"}
        elif who is not None:
            headers["authorization"] = f"Bearer {who.secret}"
        # Nothing here is encrypted, and to read who vouches for whom takes longer than most of what is asked.
        with httpx.Client(
            base_url=self.url, cookies=cookies, follow_redirects=follow, timeout=20, verify=False
        ) as client:
            return client.request(method, path, headers=headers, **more)

    def exposures(self, who: Somebody | None = None, query: str = "") -> list[dict[str, Any]]:
        answer = self.ask("GET", f"/api/v1/exposures{query}", who or self.operator)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def cookies(self, who: Somebody) -> dict[str, str]:
        return {SESSION_COOKIE_PLAIN: who.cookie}


def over(site: Site, log: Path) -> AbstractContextManager[live_server.Live]:
    """A server process of it."""
    program = (
        "import sys; sys.path[:0] = [sys.argv[1]]\n"
        "import fleet_site\n"
        "from clearway.app import server\n"
        "app = fleet_site.application(sys.argv[2], sys.argv[3])\n"
        "server.run(app, '127.0.0.1', server._free_port('127.0.0.1', 0), lambda url: print(url, flush=True))\n"
    )
    here = str(Path(__file__).resolve().parent)
    return live_server.started(
        [sys.executable, "-c", program, here, site.world.url, str(site.world.home)], log
    )


@contextmanager
def empty_site(world: World) -> Iterator[Site]:
    """People, advisories, and no machine yet."""
    made = Site(world)
    try:
        made.ingest(
            DJANGO, FLASK, ELSEWHERE, OTHER_WORD, kev("2026.11.20", "CVE-2026-0001", added="2026-11-20")
        )
        made.follow()
        with live_server.within(application(world.url, str(world.home))) as made.url:
            yield made
    finally:
        made.people.close()


def furnish(site: Site) -> None:
    """Three machines."""
    site.machine(
        site.operator, "web-1", "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0", "pkg:pypi/attrs@24.1",
        owner="Web team", environment="production", kind="host",
    )  # fmt: skip
    site.machine(site.operator, "db-1", "pkg:pypi/django@4.0", exposure="internal", environment="production")
    site.machine(site.other, "ward-1", "pkg:pypi/django@4.1")


def shape(body: Mapping[str, Any]) -> list[str]:
    """The keys of a problem, whatever it says."""
    return sorted(body)


__all__ = ["TODAY", "Site", "empty_site", "furnish", "json", "over", "shape"]
