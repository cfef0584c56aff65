"""The whole workspace with two organisations that have the same kinds of things, each made through the API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from litestar.testing import TestClient

import kept_builds  # noqa: F401
from clearway.access.person import ROLES
from clearway.advisories.stored_records import StoredRecords
from clearway.advisories.table import TABLE_FILE
from clearway.app.server import build
from clearway.app.workspace import Workspace
from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.vault import Vault
from clearway.ledger.sequencer import integrate_all, signer_of
from clearway.store.connect import connect
from findings_case_world import SETTINGS
from fleet_world import document
from intake_world import World, osv, package, write
from people import People, Somebody
from report_documents import own

PARAMETER = re.compile(r"\{([^}:]+)(?::([^}]+))?\}")
NOWHERE = 987_654_321
FLAW = "CVE-2026-0001"
KEV_ADDED = "2026-11-20T00:00:00Z"
DRAFT = {
    "title": "Overflow",
    "description": "A string without an end is read beyond its buffer.",
    "products": [{"purl": "pkg:pypi/example", "introduced": "1.0", "fixed": "1.2.4"}],
    "cwe": "CWE-787",
}
ASSISTED = """url = "http://127.0.0.1:1/v1"
model = "m"
place = "inside"
send = { "AMBER+STRICT" = ["title"] }
"""


class Side:
    """One organisation: somebody with every role in it, and the ids of what it has."""

    def __init__(self, ask: Any, who: Somebody, colleague: Somebody, slug: str) -> None:
        self.ask, self.who, self.colleague, self.slug = ask, who, colleague, slug
        self.ids: dict[str, int | str] = {"who": who.person}
        self.tags: dict[str, str] = {}
        self.pages: dict[str, str] = {}

    def get(self, path: str) -> httpx.Response:
        found: httpx.Response = self.ask(self.who, "GET", path)
        assert found.status_code == 200, (path, found.text)
        return found

    def post(self, path: str, body: Any, *, raw: bytes | None = None) -> Any:
        answer = self.ask(self.who, "POST", path, json=body, content=raw)
        assert answer.status_code in (200, 201, 202), (path, answer.status_code, answer.text)
        return answer.json()

    def furnish(self) -> None:
        """Makes one of each kind."""
        ids, org = self.ids, self.who.org
        name = f"machine of {self.slug}"
        ids["asset"] = self.post("/api/v1/assets", {"name": name, "exposure": "public"})["id"]
        seen = document("pkg:pypi/django@4.1", f"pkg:pypi/{self.slug}-only@1")
        path = f"/api/v1/assets/{ids['asset']}/inventories"
        ids["inventory"] = self.post(f"{path}?witness=syft", None, raw=seen)["inventory"]
        listed = self.get("/api/v1/exposures").json()["items"]
        assert listed, "nothing is exposed"
        ids["exposure"] = listed[0]["id"]
        about = {"flaw": FLAW}
        expected = self.post("/api/v1/rules/dry-run", {"about": about})["total"]
        rule = {
            "name": f"rule of {self.slug}",
            "about": about,
            "say": {"status": "mitigated"},
            "expected": expected,
        }
        ids["rule"] = self.post("/api/v1/rules", rule)["rule"]
        hook = {"org": org, "url": "https://example.org/hook", "label": f"hook of {self.slug}"}
        ids["webhook"] = self.post("/api/v1/webhooks", hook)["webhook"]["webhook"]
        ids["delivery"] = self.post(f"/api/v1/webhooks/{ids['webhook']}/test", {})["delivery"]
        ids["token"] = self.post("/api/v1/tokens", {"label": f"token of {self.slug}"})["credential"]
        ids["session"] = self.get("/api/v1/sessions").json()["items"][0]["credential"]
        ids["list"] = self.post("/api/v1/lists", {"org": org, "name": f"list of {self.slug}"})["list"]
        ids["embargo"] = self.post("/api/v1/embargoes", {"org": org, "name": f"embargo of {self.slug}"})[
            "embargo"
        ]
        asked = {
            "org": org,
            "kind": "note",
            "subject": f"asset/{ids['asset']}",
            "proposal": {"of": self.slug},
            "why": "so",
        }
        ids["approval"] = self.post("/api/v1/approvals", asked)["approval"]
        triage = {
            "asset": f"asset/{ids['asset']}",
            "flaw": FLAW,
            "component": "django",
            "kev_added": KEV_ADDED,
        }
        ids["triage"] = self.post("/api/v1/directives/triages", triage)["id"]
        report = {"directive": "bod-26-04", "kind": "overdue"}
        ids["report"] = self.post("/api/v1/directives/reports", report)["id"]
        self.report(name)
        entries = self.get("/api/v1/ledger/entries?limit=1").json()
        ids["entry"] = entries["items"][0]["entry"]
        self.pages["/api/v1/ledger/entries"] = entries["next"]
        self.tags["asset"] = self.get(f"/api/v1/assets/{ids['asset']}").headers["etag"]

    def report(self, name: str) -> None:
        """A finding with a file, a limit, a lease and a proof of control; and numbers that only a clearinghouse has."""
        ids = self.ids
        taken = self.post("/api/v1/findings", {**own(), "title": f"report of {name}"})["taken"]
        ids["finding"] = taken[0]["handling"]
        ids["file"] = self.get(f"/api/v1/findings/{ids['finding']}").json()["files"][0]["id"]
        limit = {"package": f"p{self.slug}", "ecosystem": "PyPI", "per_week": 3}
        ids["limit"] = self.post("/api/v1/findings/limits", limit)["id"]
        asked = {"activity": "fuzzing", "scope": [f"pkg:pypi/{self.slug}-leased@1"]}
        ids["lease"] = self.post("/api/v1/leases", asked)["lease"]["reference"]
        ids["control"] = self.post("/api/v1/leases/controls", {"scope": f"{self.slug}.example.org"})["id"]


class Two:
    """`ours` and `theirs`, and the application between them."""

    def __init__(self, client: TestClient[Any], app: Any, people: People, vault: Vault) -> None:
        self.client, self.app, self.people, self.vault = client, app, people, vault
        sides = []
        for slug in ("aqua", "borea"):
            org = people.org(slug)
            who = people.somebody(org, *ROLES, name=f"Head of {slug}")
            sides.append(Side(self.ask, who, people.somebody(org, *ROLES, name=f"Other of {slug}"), slug))
        self.ours, self.theirs = sides

    def ask(self, who: Somebody | None, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"accept": "application/json", **more.pop("headers", {})}
        if who is not None:
            headers["authorization"] = f"Bearer {who.secret}"
        return self.client.request(method, path, headers=headers, follow_redirects=False, **more)

    def coordinate(self, side: Side) -> None:
        """What the clearinghouse makes of that organisation's finding."""
        desk = self.people.somebody(self.people.house, "coordinator", name=f"Desk for {side.slug}")

        def asked(method: str, path: str, body: Any = None) -> Any:
            answer = self.ask(desk, method, f"/api/v1{path}", json=body)
            assert answer.status_code in (200, 201, 202), (path, answer.text)
            return answer.json()

        def made(path: str, body: Any) -> Any:
            return asked("POST", path, body)

        ids = side.ids
        at = f"/findings/{ids['finding']}"
        ids["validation"] = made(f"{at}/validations", {"upto": 1})["id"]  # no worker is there to run it
        self.logged(str(ids["finding"]), int(ids["validation"]))
        second = side.post("/api/v1/findings", {**own(), "title": f"second report of {side.slug}"})
        one_flaw = second["taken"][0]["handling"]
        ids["joining"] = made(f"{at}/merge", {"findings": [one_flaw], "why": "so"})["act"]
        ids["edge"] = asked("GET", f"{at}/duplicates")["edges"][0]["id"]
        ids["known"] = made(f"{at}/known", {"flaw": FLAW, "why": "so", "sure": True})["known"][0]["id"]
        made(f"{at}/mark", {"mark": "invalid", "why": "so"})
        ids["proposal"] = made(f"{at}/assist", {"kind": "summary"})["id"]  # nor to send it
        ids["appeal"] = side.post(f"/api/v1{at}/appeal", {"why": "not so"})["id"]
        case = made("/cases", {"findings": [ids["finding"], one_flaw]})["handling"]
        ids["case"] = case
        ids["party"] = side.get(f"/api/v1/cases/{case}").json()["parties"][0]["id"]
        ids["thread"] = made(f"/cases/{case}/threads", {"topic": f"thread of {side.slug}"})["id"]
        made(f"/cases/{case}/drafts?summary=first", DRAFT)

    def logged(self, finding: str, number: int) -> None:
        """What a worker would have kept of the first run."""
        with self.people.owner() as db:
            log = File(kind="log", data=b"ran", name="validation.log", media="text/plain")
            of = kept.one(db, finding)
            added = artefact.add(db, self.vault, of, log)
            db.execute(
                "update clearway.validation set log = %s where finding = %s and nth = %s",
                (added.id, of.id, number),
            )

    def routes(self) -> Iterator[tuple[str, str]]:
        """(method, path template) of every route that names something by an id."""
        for route in self.app.framework.routes:
            for handler in getattr(route, "route_handlers", ()):
                if PARAMETER.search(route.path):
                    for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                        yield method, route.path

    def kept_of(self, side: Side) -> Mapping[str, str]:
        """A digest of the rows of each table that belong to that organisation."""
        with self.people.owner() as db:
            tables = [
                t
                for (t,) in db.execute(
                    """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    join pg_attribute a on a.attrelid = c.oid and a.attname = 'org' and not a.attisdropped
                    where n.nspname = 'clearway' and c.relkind = 'r' order by 1"""
                )
            ]
            found = {}
            for table in tables:
                row = db.execute(
                    f"""select md5(coalesce(string_agg((to_jsonb(t) - 'last_used')::text, ',' order by t::text), ''))
                    from clearway.{table} t where org = %s""".encode(),
                    (side.who.org,),
                ).fetchone()
                assert row is not None
                found[table] = row[0]
        return found


@contextmanager
def two_organisations(url: str, folder: Path) -> Iterator[Two]:
    """The application over the database at `url`, with both organisations furnished."""
    world = World(url, folder / "home")
    world.home.mkdir(parents=True, exist_ok=True)
    (world.home / "assist.toml").write_text(ASSISTED)
    (world.home / "cases.toml").write_text(SETTINGS)
    world.take(
        write(folder / "record.json", osv("PYSEC-2026-1", package("PyPI", "django", "4.2"), aliases=[FLAW])),
        at=datetime.now(UTC) - timedelta(minutes=1),
    )
    people = People(url)
    workspace = Workspace(world.home, url)
    app = build(world.home / TABLE_FILE, StoredRecords(url), workspace=workspace)
    try:
        with TestClient(app, base_url="http://127.0.0.1:8437", raise_server_exceptions=False) as client:  # type: ignore[arg-type]
            two = Two(client, app, people, Vault.of_home(world.home))
            two.ours.furnish()
            two.theirs.furnish()
            for side in (two.ours, two.theirs):
                two.coordinate(side)
            with connect(url, autocommit=True) as db:
                integrate_all(db, signer_of(db, world.home))
            yield two
    finally:
        people.close()
