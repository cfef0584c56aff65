"""The whole API of the workspace, held to its own description by a tool that we did not write, as several people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fleet_site
from clearway.access.person import ROLES
from database import server  # noqa: F401
from findings_case_world import SETTINGS
from intake_world import World, drop_database, new_database
from live_server import Live
from people import Somebody
from report_documents import own

WHO = {"everything": ROLES, "operator": ("operator",), "auditor": ("auditor",)}


@pytest.fixture(scope="module")
def served(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[fleet_site.Site, Live]]:  # noqa: F811
    folder = tmp_path_factory.mktemp("api")
    url = new_database(server, "made")
    try:
        site = fleet_site.Site(World(url, folder / "home"))
        try:
            site.world.home.mkdir(parents=True, exist_ok=True)
            (site.world.home / "cases.toml").write_text(SETTINGS)
            site.ingest(fleet_site.DJANGO, fleet_site.FLASK)
            fleet_site.furnish(site)
            with fleet_site.over(site, folder / "log") as live:
                site.url = live.url
                yield site, live
        finally:
            site.people.close()
    finally:
        drop_database(server, url)


def known(site: fleet_site.Site, who: Somebody) -> str:
    """Settings of the tool that name things which are there, so that it reaches beyond 404."""

    def made(path: str, key: str, body: dict[str, Any]) -> int:
        answer = site.ask("POST", f"/api/v1/{path}", who, json=body)
        assert answer.status_code == 201, answer.text
        found = answer.json()[key]
        return int(found if isinstance(found, int) else found[key])

    name = f"of {who.person}"
    triage = {
        "asset": f"gateway {name}",
        "flaw": "CVE-2026-0001",
        "component": "a",
        "kev_added": "2026-11-20T00:00:00Z",
    }
    lists = made("lists", "list", {"org": who.org, "name": name})
    embargo = made("embargoes", "embargo", {"org": who.org, "name": name})
    ids: dict[str, object] = {
        "asset": site.assets["web-1"],
        "number": site.inventories["web-1"],
        "exposure": site.exposures()[0]["id"],
        "webhook": made(
            "webhooks", "webhook", {"org": who.org, "url": "https://hook.invalid/", "label": name}
        ),
        "triage": made("directives/triages", "id", triage),
        "report": made("directives/reports", "id", {"directive": "bod-26-04", "kind": "overdue"}),
        "which": min(lists, embargo),
        "who": site.auditor.person,
        "org": who.org,
        "entry": site.ask("GET", "/api/v1/ledger/entries?limit=1", who).json()["items"][0]["entry"],
        "flaw": "CVE-2026-0001",
        "identifier": "PYSEC-2026-1",
        "directive": "bod-26-04",
    }
    return "[parameters]\n" + "".join(f'"path.{key}" = {json.dumps(value)}\n' for key, value in ids.items())


def of_the_desk(site: fleet_site.Site, finder: Somebody, coordinator: Somebody) -> str:
    """Settings that name a finding, a lease and a case in the middle of its work."""

    def made(path: str, body: dict[str, Any], who: Somebody = coordinator) -> Any:
        answer = site.ask("POST", f"/api/v1/{path}", who, json=body)
        assert answer.status_code in (201, 202), answer.text
        return answer.json()

    first, second = (
        made("findings", {**own(), "title": f"report {n} of {finder.person}"}, finder)["taken"][0]["handling"]
        for n in range(2)
    )
    validation = made(f"findings/{first}/validations", {"upto": 1})["id"]
    joining = made(f"findings/{first}/merge", {"findings": [second], "why": "so"})["act"]
    flaw = made(f"findings/{first}/known", {"flaw": "CVE-2026-0001", "why": "so", "sure": True})["known"][0][
        "id"
    ]
    case = made("cases", {"findings": [first, second]})["handling"]
    talk = made(f"cases/{case}/threads", {"topic": "the flaw"})["id"]
    vendor = made(f"cases/{case}/parties", {"role": "vendor", "organisation": site.hospital})["id"]
    asked = made("leases", {"activity": "fuzzing", "scope": ["pkg:pypi/leased@1"]}, finder)
    lease = asked["lease"]["reference"]
    control = made("leases/controls", {"scope": "water.example.org"}, finder)["id"]
    shown = site.ask("GET", f"/api/v1/findings/{first}", finder).json()
    edge = site.ask("GET", f"/api/v1/findings/{first}/duplicates", coordinator).json()["edges"][0]["id"]
    numbers = {
        "validations": (first, validation), "duplicates": (first, joining), "known": (first, flaw),
        "edges": (first, edge), "files": (first, shown["files"][0]["id"]), "threads": (case, talk),
        "parties": (case, vendor), "controls": ("", control),
    }  # fmt: skip
    # Of the tables that match an operation the first one counts.
    settings = [
        *((f"/{part}/[{{]number", {"handling": h, "number": n}) for part, (h, n) in numbers.items()),
        ("/findings/[{]handling", {"handling": first}), ("/cases/[{]handling", {"handling": case}),
        ("/case-documents/", {"handling": case}), ("/leases/[{]reference", {"reference": lease}),
    ]  # fmt: skip
    # Fifty long values of each are more than an address holds (64 KiB): that the server refuses before it is ours.
    filters = dict.fromkeys(("organisation", "ecosystem", "package", "cwe", "cve", "embargo"), "a")
    return (
        "[parameters]\n"
        + "".join(f'"query.{k}" = "{v}"\n' for k, v in filters.items())
        + "".join(
            f"[[operations]]\ninclude-path-regex = '{place}'\n[operations.parameters]\n"
            + "".join(f'"path.{name}" = {json.dumps(value)}\n' for name, value in named.items())
            for place, named in settings
        )
    )


def fuzz(
    live: Live, who: Somebody, folder: Path, examples: int, seconds: int, settings: str, only: str = ""
) -> subprocess.CompletedProcess[str]:
    """At most about `seconds`; what it has not found by then it has not found."""
    (folder / "schemathesis.toml").write_text(settings)
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{live.url}/api/v1/openapi.json"),
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            *("--seed", "7", "--max-examples", str(examples), "--workers", "2", "--max-time", str(seconds)),
            *("--phases", "examples,fuzzing", "--mode", "all"),
            # It never ends by itself; and two that take the token's own rights away.
            *("--exclude-path", "/api/v1/events/live", "--exclude-path", "/api/v1/sign-out"),
            *("--exclude-path-regex", "/(tokens|sessions)/.*/revoke|/people/.*/active|/members/.*/roles"),
            *(("--include-path-regex", only) if only else ()),
            *("--header", f"Authorization: Bearer {who.secret}"),
            *("--generation-database", "none", "--max-failures", "20", "--request-timeout", "30"),
            *("--warnings", "off"),
        ],
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=False,
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "short_addresses", "PYTHONPATH": str(Path(__file__).parent)},
    )


@pytest.mark.parametrize(
    ("role", "examples", "seconds", "told"),
    [
        ("everything", 1, 8, True),
        pytest.param("everything", 20, 60, True, marks=pytest.mark.slow),
        *(pytest.param(role, 20, 60, False, marks=pytest.mark.slow) for role in WHO),
    ],
)
def test_no_route_fails_or_answers_with_what_is_not_documented(
    served: tuple[fleet_site.Site, Live], tmp_path: Path, role: str, examples: int, seconds: int, told: bool
) -> None:
    site, live = served
    somebody = site.people.somebody(site.water, *WHO[role], name=f"{role} {examples} {told}")
    done = fuzz(live, somebody, tmp_path, examples, seconds, known(site, somebody) if told else "")
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr
    assert live.process.poll() is None
    assert "Traceback" not in live.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("house", [True, False], ids=["a coordinator of the clearinghouse", "a finder"])
def test_no_route_of_the_desk_fails_where_the_ids_are_real(
    served: tuple[fleet_site.Site, Live], tmp_path: Path, house: bool
) -> None:
    """What the desk does to findings and cases, and what their finder may, beyond "there is no such case"."""
    site, live = served
    finder = site.people.somebody(site.water, "finder", name=f"Finder {house}")
    coordinator = site.people.somebody(site.people.house, "coordinator", name=f"Desk {house}")
    settings = of_the_desk(site, finder, coordinator)
    done = fuzz(
        live,
        coordinator if house else finder,
        tmp_path,
        20,
        60,
        settings,
        only="/(findings|cases|leases|case-)",
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr
    assert live.process.poll() is None
    assert "Traceback" not in live.log.read_text()
