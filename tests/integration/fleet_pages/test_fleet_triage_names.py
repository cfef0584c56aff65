"""A forensic triage is of the asset that its name means, however that is written, and of one item there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from clearway.access import audience, recipients
from clearway.access.marking import Marking
from clearway.exposure.fleet import asset
from fleet_site import Site

FLAW = "CVE-2026-0001"
DJANGO = "pkg:pypi/django@4.1"


@pytest.fixture
def gateway(site: Site) -> Iterator[str]:
    """A machine with every kind of name; its own name."""
    name = f"Edge-FW-{len(site.assets)}"
    site.machine(
        site.operator, name, DJANGO, "pkg:pypi/attrs@24.1",
        identifiers=(f"serial:FGT{name[-2:]}X",), addresses=("203.0.113.77",), names=(f"{name}.example.org",),
    )  # fmt: skip
    yield name
    with site.people.acting(site.operator) as db:  # its address is the next one's
        kept = asset.one(db, site.assets[name])
        asset.change(db, kept.asset, kept.version, asset.Details(), name=f"{name} of before")


def ask_open(site: Site, called: str, status: int = 201, **more: Any) -> dict[str, Any]:
    about = {"asset": called, "flaw": FLAW, "component": DJANGO, "kev_added": "2026-11-20T00:00:00Z"} | more
    answer = site.ask("POST", "/api/v1/directives/triages", site.operator, json=about)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def record(site: Site, triage: dict[str, Any], **event: Any) -> dict[str, Any]:
    answer = site.ask(
        "POST",
        f"/api/v1/directives/triages/{triage['id']}/events",
        site.operator,
        json={
            "after": triage["events"],
            "event": {"by": "Olga", "at": "2026-11-20T01:00:00Z", **event},
        },
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def evidence(site: Site, triage: dict[str, Any], sha256: str = "a" * 64) -> dict[str, Any]:
    return record(
        site, triage, event="evidence_taken", evidence="mem-1", what="memory", volatile=True,
        sha256=sha256, size_bytes=4096, place="safe 2",
    )  # fmt: skip


def conclude(site: Site, triage: dict[str, Any]) -> dict[str, Any]:
    for step in ("scope", "collect", "patch", "contain", "analyse"):
        triage = record(site, triage, event="step_skipped", step=step, reason="drill")
    return record(site, triage, event="concluded", conclusion="none", summary="nothing")


def read(site: Site, triage: dict[str, Any]) -> dict[str, Any]:
    answer = site.ask("GET", f"/api/v1/directives/triages/{triage['id']}/report", site.operator)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fixed(site: Site, name: str) -> int:
    line = next(e for e in site.exposures(query=f"?asset_name={name}") if e["flaw"] == FLAW)
    answer = site.ask(
        "POST",
        "/api/v1/exposures/decisions",
        site.operator,
        json={"exposures": [line["id"]], "status": "fixed"},
    )
    assert answer.status_code == 200, answer.text
    return int(line["id"])


def test_a_name_that_the_fleet_has_is_that_asset_however_it_is_written(site: Site, gateway: str) -> None:
    number = site.assets[gateway]
    exposure = fixed(site, gateway)
    made = ask_open(site, f" {gateway.upper()} ", asset_name="something else")
    subject = made["book"]["subject"]
    assert (subject["asset"], subject["asset_name"]) == (f"asset/{number}", gateway)
    assert made["book"]["patched_first"] is True
    assert [s["where"] for s in made["book"]["seen"]] == [f"exposure/{exposure}"]
    serial, wide = f"FGT{gateway[-2:]}X".lower(), "".join(chr(ord(c) + 0xFEE0) for c in gateway)
    for written in (
        gateway, gateway.lower(), f"asset/{number}", f"Asset/{number}", f"ASSET/0{number}", f"asset {number}",
        f"{number}", f"{gateway}.", f"{gateway.lower()}.example.org", f"serial:{serial}", serial, "203.0.113.77", wide,
    ):  # fmt: skip
        refused = ask_open(site, written, 409)
        assert f"triage {made['id']} of it is open" in refused["detail"], written


def test_a_name_of_the_fleet_without_that_flaw_is_refused_as_its_number_is(site: Site, gateway: str) -> None:
    number = site.assets[gateway]
    for wrong, where in (({"flaw": "CVE-2026-0002"}, "flaw"), ({"component": "gamma"}, "component")):
        by_number, by_name = (ask_open(site, w, 400, **wrong) for w in (f"asset/{number}", gateway.lower()))
        assert by_number["where"] == by_name["where"] == where
        assert f"is asset/{number} ({gateway}), which has no" in by_name["detail"]
    assert ask_open(site, gateway, 400, kev_added="2026-11-19T00:00:00Z")["where"] == "kev_added"


def test_two_spellings_of_flaw_and_component_make_one_item(site: Site, gateway: str) -> None:
    made = ask_open(site, gateway, flaw=FLAW.lower(), component="Django")
    subject = made["book"]["subject"]
    assert (subject["flaw"], subject["component"]) == (FLAW, DJANGO)
    for component in ("django@4.1", "PyPI:django@4.1", DJANGO, f"{DJANGO} (another build)"):
        refused = ask_open(site, f"asset/{site.assets[gateway]}", 409, component=component)
        assert f"triage {made['id']} of it is open" in refused["detail"]


def test_a_name_that_several_assets_have_is_refused_until_one_is_numbered(site: Site, gateway: str) -> None:
    other = site.machine(site.operator, f"{gateway}-twin", DJANGO, addresses=("203.0.113.77",))
    refused = ask_open(site, "203.0.113.77", 400)
    assert refused["where"] == "asset"
    assert f"asset/{site.assets[gateway]} ({gateway}), asset/{other}" in refused["detail"]
    with site.people.acting(site.operator) as db:
        asset.change(db, other, asset.one(db, other).version, asset.Details())


def test_a_former_name_is_still_that_asset_and_another_organisations_name_is_none(
    site: Site, gateway: str
) -> None:
    number = site.assets[gateway]
    with site.people.acting(site.operator) as db:
        kept = asset.one(db, number)
        asset.change(db, number, kept.version, kept.details, name=f"{gateway} renamed")
    assert ask_open(site, gateway)["book"]["subject"]["asset"] == f"asset/{number}"
    theirs = site.machine(site.other, f"{gateway}-theirs", DJANGO)
    made = ask_open(site, f"{gateway}-theirs")
    assert made["book"]["subject"]["asset"] == f"{gateway}-theirs"
    assert f"asset/{theirs}" not in str(made)


def test_what_the_fleet_does_not_know_by_name_says_where_the_flaw_is(site: Site, gateway: str) -> None:
    made = ask_open(site, f"{gateway} behind the door")
    (flag,) = [f for f in made["book"]["flags"] if "kept fleet" in f]
    assert flag.endswith("what the fleet records there is not held against it")
    assert re.search(r"on asset/\d+ \(", flag)
    assert not [f for f in ask_open(site, gateway)["book"]["flags"] if "kept fleet" in f]
    refused = ask_open(site, f"{gateway} in the cellar", 400, kev_added="2026-11-24T00:00:00Z")
    assert refused["where"] == "kev_added"


def test_a_flaw_whose_id_has_changed_is_still_the_item_of_its_open_workbook(site: Site, gateway: str) -> None:
    made = ask_open(site, gateway)
    with site.people.owner() as owner:
        owner.execute("insert into clearway.flaw_redirect (old, new) values ('CVE-2025-9999', %s)", (FLAW,))
        owner.execute("update clearway.triage set flaw = 'CVE-2025-9999' where triage = %s", (made["id"],))
    for flaw in (FLAW, "cve-2025-9999"):
        assert f"triage {made['id']} of it is open" in ask_open(site, gateway, 409, flaw=flaw)["detail"]
    with site.people.owner() as owner:
        owner.execute("delete from clearway.flaw_redirect where old = 'CVE-2025-9999'")


def test_an_asset_that_the_fleet_gets_to_know_later_is_found_by_the_name_it_was_opened_under(
    site: Site,
) -> None:
    early = ask_open(site, "late-1")
    site.machine(site.operator, "Late-1", DJANGO, "pkg:pypi/attrs@24.1")
    number = site.assets["Late-1"]
    exposure = fixed(site, "Late-1")
    report = read(site, early)
    assert [s["where"] for s in report["seen"]] == [f"exposure/{exposure}"]
    assert report["patched_first"] is True
    assert f"'late-1' is asset/{number} (Late-1) of the kept fleet" in report["flags"]
    assert f"triage {early['id']} of it is open" in ask_open(site, f"asset/{number}", 409)["detail"]


def test_a_second_workbook_of_the_item_keeps_what_the_first_one_told(site: Site, gateway: str) -> None:
    first = record(site, ask_open(site, gateway), event="step_done", step="patch")
    for step in ("scope", "collect", "contain", "analyse"):
        first = record(site, first, event="step_skipped", step=step, reason="drill")
    record(site, first, event="concluded", conclusion="none", summary="nothing")
    second = ask_open(site, gateway)
    assert second["book"]["patched_first"] is True
    assert [(s["where"], s["what"]) for s in second["book"]["seen"]] == [
        (f"triage/{first['id']}", "step patch done")
    ]
    report = read(site, evidence(site, second))
    assert report["patched_first"] is True
    assert [f for f in report["flags"] if f.startswith(f"triage/{first['id']} of this asset concluded none")]
    shown = site.ask("GET", f"/directives/triages/{second['id']}", site.operator, page=True).text
    assert f'href="/directives/triages/{first["id"]}"' in shown


def test_evidence_of_the_first_workbook_counts_in_the_second(site: Site, gateway: str) -> None:
    conclude(site, evidence(site, ask_open(site, gateway)))
    fixed(site, gateway)
    second = ask_open(site, gateway)
    assert second["book"]["seen"]
    assert second["book"]["patched_first"] is False


def test_memory_that_another_assets_workbook_has_too_is_said_to_be(site: Site, gateway: str) -> None:
    theirs = evidence(site, ask_open(site, "a machine elsewhere"), "c" * 64)
    mine = evidence(site, ask_open(site, gateway), "c" * 64)
    assert (
        f"evidence mem-1: the same bytes as mem-1 in triage/{theirs['id']}, of another asset"
        in read(site, mine)["flags"]
    )


def test_every_export_says_what_weakens_it(site: Site, gateway: str) -> None:
    fixed(site, gateway)
    made = ask_open(site, gateway)
    (flag, *_) = made["book"]["flags"]
    assert flag.startswith("patched by ")
    path = "/api/v1/directives/triages"
    for listed in (
        f"{path}.csv?flaw={FLAW}", f"{path}?flaw={FLAW}", f"/directives/triages.csv?flaw={FLAW}", "/directives/triages",
    ):  # fmt: skip
        assert flag in site.ask("GET", listed, site.operator, page=not listed.startswith("/api")).text, listed
    (line,) = [
        i for i in site.ask("GET", f"{path}.json", site.operator).json()["items"] if i["id"] == made["id"]
    ]
    assert (line["conclusion"], line["patched_first"]) == ("", True)
    for form in ("json", "csv", "oscal", "text"):
        answer = site.ask("GET", f"{path}/{made['id']}/report?form={form}", site.operator)
        assert answer.status_code == 200
        assert flag in " ".join(answer.text.split()), form


def narrowed(site: Site, gateway: str, exposure: int) -> None:
    """Makes an exposure one that the operator alone sees, as what a marked record says would be."""
    keeper = site.people.somebody(site.water, "coordinator", name="Cora Coordinator")
    with site.people.acting(keeper) as db:
        few = recipients.add(db, site.operator.org, f"about {gateway}").list
        recipients.set_member(db, few, person=site.operator.person)
    with site.people.owner() as owner:
        narrow = [
            audience.of(owner, Marking(tlp="RED", org=site.operator.org, recipients=r)) for r in (0, few)
        ]
        owner.execute(
            "update clearway.exposure set aud = %s where exposure = %s",
            (audience.meet(owner, narrow), exposure),
        )


def test_what_the_fleet_has_seen_is_told_to_those_alone_who_see_it_there(site: Site, gateway: str) -> None:
    made = ask_open(site, gateway)
    exposure = fixed(site, gateway)
    narrowed(site, gateway, exposure)
    after = record(site, made, event="step_started", step="scope")
    assert [s["where"] for s in after["book"]["seen"]] == [f"exposure/{exposure}"]
    path = f"/api/v1/directives/triages/{made['id']}"
    assert site.ask("GET", path, site.auditor).json()["book"]["seen"] == []
    with site.people.acting(site.auditor) as db:
        told = db.execute(
            "select body::text from clearway.event where subject = %s", (f"triage/{made['id']}",)
        ).fetchall()
    assert len(told) == 2
    assert not [body for (body,) in told if "exposure/" in body]


def test_a_triage_of_what_few_may_know_is_for_these_few(site: Site, gateway: str) -> None:
    line = next(e for e in site.exposures(query=f"?asset_name={gateway}") if e["flaw"] == FLAW)
    narrowed(site, gateway, line["id"])
    made = ask_open(site, gateway)
    path = f"/api/v1/directives/triages/{made['id']}"
    assert site.ask("GET", path, site.auditor).status_code == 404
    assert site.ask("GET", path, site.operator).status_code == 200
    with site.people.acting(site.auditor) as db:
        assert db.execute(
            "select count(*) from clearway.event where subject = %s", (f"triage/{made['id']}",)
        ).fetchone() == (0,)
