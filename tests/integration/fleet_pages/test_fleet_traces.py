"""A patch that the fleet records is held against the triage of its item, and asked about before it is taken."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

from clearway.exposure.fleet import asset
from fleet_site import TODAY, Site

FLAW = "CVE-2026-0001"


def _machine(site: Site, name: str) -> dict[str, Any]:
    """The exposure of a new machine that can be reached, with a flaw that attackers use."""
    site.machine(site.operator, name, "pkg:pypi/django@4.1", "pkg:pypi/attrs@24.1")
    return next(e for e in site.exposures(query=f"?asset_name={name}") if e["flaw"] == FLAW)


def _open(site: Site, name: str, component: str = "pkg:pypi/django@4.1") -> dict[str, Any]:
    made = site.ask(
        "POST",
        "/api/v1/directives/triages",
        site.operator,
        json={
            "asset": f"asset/{site.assets[name]}",
            "flaw": FLAW,
            "component": component,
            "kev_added": "2026-11-20T00:00:00Z",
        },
    )
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def _evidence(site: Site, triage: dict[str, Any], at: str = "2026-11-20T01:00:00Z") -> dict[str, Any]:
    event = {
        "event": "evidence_taken", "at": at, "by": "Olga", "evidence": "mem-1", "what": "memory", "volatile": True,
        "sha256": "a" * 64, "size_bytes": 4096, "place": "safe 2",
    }  # fmt: skip
    answer = site.ask(
        "POST",
        f"/api/v1/directives/triages/{triage['id']}/events",
        site.operator,
        json={"after": triage["events"], "event": event},
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _decide(site: Site, exposure: int, status: str = "fixed") -> None:
    answer = site.ask(
        "POST",
        "/api/v1/exposures/decisions",
        site.operator,
        json={"exposures": [exposure], "status": status},
    )
    assert answer.status_code == 200, answer.text


def _text(site: Site, path: str, **more: Any) -> str:
    return html.unescape(
        re.sub(r"<[^>]+>", " ", site.ask("GET", path, site.operator, page=True, **more).text)
    )


def test_a_decision_before_the_workbook_is_open_is_held_against_it(site: Site) -> None:
    line = _machine(site, "gone-1")
    _decide(site, line["id"])
    book = _open(site, "gone-1")["book"]
    assert book["patched_first"] is True
    assert [(s["where"], s["what"]) for s in book["seen"]] == [(f"exposure/{line['id']}", "recorded as done")]
    assert book["flags"][0].startswith("patched by ")
    assert book["flags"][0].endswith("no volatile evidence was taken")


def test_evidence_that_is_told_after_the_patch_under_an_earlier_time_does_not_undo_it(site: Site) -> None:
    line = _machine(site, "gone-2")
    triage = _open(site, "gone-2")
    assert triage["book"]["patched_first"] is False
    assert triage["book"]["seen"] == []
    _decide(site, line["id"])
    after = _evidence(site, triage)
    assert after["book"]["patched_first"] is True
    assert "recorded only after it" in after["book"]["flags"][0]
    path = f"/api/v1/directives/triages/{triage['id']}/report"
    report = site.ask("GET", path, site.operator).json()
    assert report["patched_first"] is True
    assert report["seen"][0]["where"] == f"exposure/{line['id']}"
    told = site.ask("GET", f"{path}?form=text", site.operator).text
    assert f"exposure/{line['id']}: recorded as done" in told


def test_evidence_that_was_recorded_first_keeps_the_workbook_clean(site: Site) -> None:
    line = _machine(site, "kept-1")
    triage = _evidence(site, _open(site, "kept-1"))
    _decide(site, line["id"])
    book = site.ask("GET", f"/api/v1/directives/triages/{triage['id']}", site.operator).json()["book"]
    assert len(book["seen"]) == 1
    assert book["patched_first"] is False
    assert not [f for f in book["flags"] if f.startswith("patched")]


def test_a_component_that_an_inventory_shows_no_more_was_patched_by_then(site: Site) -> None:
    _machine(site, "moved-1")
    site.upload(site.operator, "moved-1", "pkg:pypi/django@4.2", "pkg:pypi/attrs@24.1")
    book = _open(site, "moved-1")["book"]
    assert book["patched_first"] is True
    assert [s["where"] for s in book["seen"]] == [f"inventory/{site.inventories['moved-1']}"]
    page = _text(site, "/directives/bod-26-04")
    assert "fixed without a workbook" not in page.partition("moved-1")[2][:200]


def test_of_two_words_that_it_is_done_the_one_that_was_not_taken_back_counts(site: Site) -> None:
    line = _machine(site, "twice-1")
    _decide(site, line["id"])
    _decide(site, line["id"], "open")
    triage = _evidence(site, _open(site, "twice-1"))
    _decide(site, line["id"])
    _decide(site, line["id"])
    book = site.ask("GET", f"/api/v1/directives/triages/{triage['id']}", site.operator).json()["book"]
    assert book["seen"]
    assert book["patched_first"] is False


def test_to_say_it_again_after_the_evidence_moves_no_patch(site: Site) -> None:
    line = _machine(site, "again-1")
    _decide(site, line["id"])
    triage = _evidence(site, _open(site, "again-1"))
    _decide(site, line["id"])
    book = site.ask("GET", f"/api/v1/directives/triages/{triage['id']}", site.operator).json()["book"]
    assert len(book["seen"]) == 2
    assert book["patched_first"] is True


def test_what_was_taken_back_or_came_back_is_no_patch(site: Site) -> None:
    line = _machine(site, "back-1")
    _decide(site, line["id"])
    _decide(site, line["id"], "open")
    site.upload(site.operator, "back-1", "pkg:pypi/attrs@24.1")
    site.upload(site.operator, "back-1", "pkg:pypi/django@4.1", "pkg:pypi/attrs@24.1")
    book = _open(site, "back-1")["book"]
    assert (book["seen"], book["patched_first"]) == ([], False)


def test_a_patch_that_is_taken_back_for_the_evidence_and_done_again_stays_in_the_workbook(site: Site) -> None:
    line = _machine(site, "undo-1")
    triage = _open(site, "undo-1")
    _decide(site, line["id"])
    _decide(site, line["id"], "open")
    path = f"/api/v1/directives/triages/{triage['id']}"
    book = site.ask("GET", path, site.operator).json()["book"]
    (undone,) = book["taken_back"]
    assert (undone["where"], undone["what"]) == (f"exposure/{line['id']}", "recorded as done")
    assert undone["by"]
    assert undone["until"] > undone["at"]
    assert not [f for f in book["flags"] if "stood until" in f], "no evidence came after it"
    book = _evidence(site, triage)["book"]
    _decide(site, line["id"])
    report = site.ask("GET", f"{path}/report", site.operator).json()
    assert report["patched_first"] is False
    assert report["taken_back"] == [undone]
    assert [f for f in report["flags"] if f.endswith("volatile evidence came only after it")]
    told = site.ask("GET", f"{path}/report?form=text", site.operator).text
    assert "Taken back: a patch of" in told
    shown = _text(site, f"/directives/triages/{triage['id']}")
    assert f"recorded as done, by {undone['by']}; until" in shown
    assert "What was in memory before is lost" not in shown


def test_a_component_that_an_old_inventory_brought_back_keeps_its_note(site: Site) -> None:
    _machine(site, "undo-2")
    site.upload(site.operator, "undo-2", "pkg:pypi/attrs@24.1")
    gone = site.inventories["undo-2"]
    site.upload(site.operator, "undo-2", "pkg:pypi/django@4.1", "pkg:pypi/attrs@24.1")
    triage = _evidence(site, _open(site, "undo-2"))
    site.upload(site.operator, "undo-2", "pkg:pypi/attrs@24.1")
    book = site.ask("GET", f"/api/v1/directives/triages/{triage['id']}", site.operator).json()["book"]
    assert [s["where"] for s in book["taken_back"]] == [f"inventory/{gone}"]
    assert [f for f in book["flags"] if f"inventory/{gone}" in f and "stood until" in f]


def test_evidence_from_before_a_patch_that_was_taken_back_needs_no_flag(site: Site) -> None:
    line = _machine(site, "undo-3")
    triage = _evidence(site, _open(site, "undo-3"))
    for status in ("fixed", "open", "fixed"):
        _decide(site, line["id"], status)
    book = site.ask("GET", f"/api/v1/directives/triages/{triage['id']}", site.operator).json()["book"]
    assert len(book["taken_back"]) == 1
    assert not [f for f in book["flags"] if "stood until" in f]


def test_it_is_done_says_what_is_lost_and_asks_before_it_takes_it(site: Site) -> None:
    line = _machine(site, "ask-1")
    text = _text(site, f"/exposure/decide?act=fixed&ids={line['id']}")
    assert "No volatile evidence is recorded" in text
    assert "Start a workbook" in text
    form = {"act": "fixed", "ids": str(line["id"]), "expected": "1", "back": "/this-week"}
    refused = site.ask("POST", "/exposure/decide", site.operator, page=True, data=form)
    assert refused.status_code == 422
    assert "say that you know what is lost" in refused.text
    assert site.exposures(query="?asset_name=ask-1")[0]["status"] == "open"
    taken = site.ask("POST", "/exposure/decide", site.operator, page=True, data=form | {"lost": "yes"})
    assert taken.status_code == 303
    assert site.exposures(query="?asset_name=ask-1")[0]["status"] == "fixed"


def test_it_is_done_asks_nothing_once_the_evidence_is_there(site: Site) -> None:
    line = _machine(site, "calm-1")
    _evidence(site, _open(site, "calm-1"))
    text = _text(site, f"/exposure/decide?act=fixed&ids={line['id']}")
    assert "No volatile evidence" not in text
    assert f"the workbook of {FLAW} on calm-1" in text
    form = {"act": "fixed", "ids": str(line["id"]), "expected": "1", "back": "/this-week"}
    assert site.ask("POST", "/exposure/decide", site.operator, page=True, data=form).status_code == 303


def test_a_flaw_that_asks_for_no_traces_is_done_as_before(site: Site) -> None:
    site.machine(site.operator, "plain-1", "pkg:pypi/flask@2.0")
    (line,) = site.exposures(query="?asset_name=plain-1")
    form = {"act": "fixed", "ids": str(line["id"]), "expected": "1", "back": "/this-week"}
    assert site.ask("POST", "/exposure/decide", site.operator, page=True, data=form).status_code == 303


def test_a_program_is_told_how_many_it_said_were_done_without_evidence(site: Site) -> None:
    ids = [_machine(site, name)["id"] for name in ("api-1", "api-2")]
    _evidence(site, _open(site, "api-2"))
    said = {"exposures": ids, "status": "fixed"}
    answer = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=said).json()
    assert (answer["changed"], answer["without_evidence"]) == (2, 1)
    said["status"] = "open"
    answer = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=said).json()
    assert (answer["changed"], answer["without_evidence"]) == (2, 0)


def test_a_machine_that_is_taken_out_of_service_takes_its_memory_along(site: Site) -> None:
    _machine(site, "off-1")
    number = site.assets["off-1"]
    triage = _open(site, "off-1")

    def change(**what: Any) -> dict[str, Any]:
        with site.people.acting(site.operator) as db:
            asset.change(db, number, asset.one(db, number).version, asset.Details(**what))
        found = site.ask("GET", f"/api/v1/directives/triages/{triage['id']}", site.operator).json()
        book: dict[str, Any] = found["book"]
        return book

    book = change(decommissioned=TODAY + timedelta(days=9))
    assert (book["seen"], book["patched_first"]) == ([], False), "it is not out yet"
    book = change(decommissioned=TODAY)
    assert [(s["where"], s["what"]) for s in book["seen"]] == [(f"asset/{number}", "taken out of service")]
    assert book["patched_first"] is True
    first = book["seen"][0]["at"]
    assert change(decommissioned=TODAY, owner="Olga")["seen"][0]["at"] == first
    book = change(decommissioned=None)
    assert book["seen"] == []
    assert {(s["where"], s["what"]) for s in book["taken_back"]} == {
        (f"asset/{number}", "taken out of service")
    }
