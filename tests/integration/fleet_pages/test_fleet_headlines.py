"""The first line of a page says what its list says."""

from __future__ import annotations

import pytest

from fleet_site import Site
from site_client import words


@pytest.fixture
def done_on_one(site: Site) -> None:
    """Of the machines with one flaw, the one that the list names first is done."""
    lines = [e for e in site.exposures() if e["flaw"] == "CVE-2026-0001"]
    assert len({e["asset"] for e in lines}) > 1
    body = {"exposures": [lines[0]["id"]], "status": "mitigated"}
    answer = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body)
    assert answer.status_code == 200, answer.text


@pytest.mark.usefixtures("done_on_one")
def test_a_flaw_that_is_done_on_one_machine_is_still_due_on_the_other(site: Site) -> None:
    shown = words(site.ask("GET", "/flaws/CVE-2026-0001", site.operator, page=True).text)
    headline = shown[shown.index("of your assets have it") :][:200]
    assert "· due " in headline
    assert "lines below are dealt with" in headline


def test_what_could_not_be_judged_is_open_and_is_said_to_be(site: Site) -> None:
    asset = next(e["asset"] for e in site.exposures() if e["flaw"] == "CVE-2026-0001")
    with site.people.owner() as owner:
        owner.execute("update clearway.exposure set verdict = 2 where asset = %s", (asset,))
    try:
        shown = words(site.ask("GET", f"/assets/{asset}", site.operator, page=True).text)
        assert "could not be judged" in shown
        assert "Nothing is open that we know of" not in shown
        listed = site.ask("GET", "/api/v1/assets", site.operator).json()["items"]
        assert next(a for a in listed if a["id"] == asset)["open"] > 0
    finally:
        with site.people.owner() as owner:
            owner.execute("update clearway.exposure set verdict = 1 where asset = %s", (asset,))


def test_what_no_source_speaks_of_is_not_called_safe(site: Site) -> None:
    printer = site.machine(site.operator, "print-1", "pkg:generic/firmware@1.0")
    shown = words(site.ask("GET", f"/assets/{printer}", site.operator, page=True).text)
    headline = shown[shown.index("Not all of it can be judged") :][:200]
    assert "nothing else is open. 1 component could not be judged: " in headline
    assert "firmware 1.0 (" in headline
    assert "Nothing is open that we know of" not in shown
