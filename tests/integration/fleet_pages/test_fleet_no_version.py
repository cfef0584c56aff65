"""What is said where no loaded source names a fixed version, where a later date is past, and before "It is done"."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from clearway.exposure.fleet import page_why
from fleet_site import TODAY, Site
from intake_world import kev, osv, package
from site_client import words

FLAW = "CVE-2021-44228"


@pytest.fixture(scope="module")
def bare(site: Site) -> Site:
    """The site with a machine whose flaw has been in KEV since 2021, and of which no source names a fixed version."""
    catalogue = kev("2026.11.21", "CVE-2026-0001", added="2026-11-20")
    catalogue["vulnerabilities"] += kev("2026.11.21", FLAW, added="2021-12-10")["vulnerabilities"]
    catalogue["vulnerabilities"][-1]["requiredAction"] = "Apply updates per vendor instructions."
    catalogue["count"] = 2
    record = osv("PYSEC-2021-4", package("PyPI", "loggers", "2.0"), aliases=[FLAW])
    record["affected"][0]["ranges"][0]["events"] = [{"introduced": "0"}]
    site.ingest(record, catalogue)
    site.follow()
    site.machine(site.operator, "log-1", "pkg:pypi/loggers@1.0")
    with site.people.owner() as owner:
        owner.execute(
            """update clearway.exposure e set first_seen = '2021-06-01', detected = '2021-12-10'
            from clearway.asset a where a.asset = e.asset and a.name = 'log-1'"""
        )
    return site


def _page(site: Site, path: str = "/this-week") -> str:
    return words(site.ask("GET", path, site.operator, page=True).text)


def _step(site: Site) -> dict[str, Any]:
    found = site.ask("GET", "/api/v1/week", site.operator).json()["steps"]
    (step,) = [s for s in found if s["name"] == "loggers"]
    assert isinstance(step, dict)
    return step


def test_that_no_source_names_a_version_is_not_called_that_no_fix_is_out(bare: Site) -> None:
    assert _step(bare)["to"] == ""
    shown = _page(bare)
    assert "no fix is out" not in shown
    item = shown[shown.index("Find the vendor's fix for loggers on log-1") :]
    assert "No loaded source names a version that ends it, which does not mean that there is none" in item
    assert f"What the sources say of {FLAW}" in item
    assert "CISA says: Apply updates per vendor instructions." in item


def test_the_exposures_own_page_leads_to_the_vendor_and_to_what_kev_asks_for(bare: Site) -> None:
    (line,) = bare.exposures(query="?asset_name=log-1")
    shown = _page(bare, f"/exposure/{line['id']}")
    assert "No loaded source names a version that ends it, which does not mean that there is none" in shown
    assert "CISA says: Apply updates per vendor instructions." in shown


def test_a_later_date_that_is_past_is_not_offered(bare: Site) -> None:
    (line,) = bare.exposures(query="?asset_name=log-1")
    with bare.people.acting(bare.operator) as db:
        later = page_why.if_internal(db, [line["id"]], TODAY)
    assert later is not None
    assert later < TODAY
    assert _step(bare)["if_internal"] is None
    for path in ("/this-week", f"/exposure/{line['id']}"):
        assert "2022 instead" not in _page(bare, path)
        assert "then it is due" not in _page(bare, path).partition("log-1")[2][:1500]


@pytest.mark.parametrize(
    ("later", "due", "said"),
    [
        (date(2026, 12, 1), date(2026, 11, 20), (date(2026, 12, 1), False)),
        (date(2026, 11, 26), date(2026, 11, 20), (date(2026, 11, 26), False)),
        (date(2022, 3, 29), date(2021, 12, 24), (None, True)),
        (date(2026, 11, 20), date(2026, 11, 20), (None, False)),
        (None, date(2026, 11, 20), (None, False)),
        (date(2026, 12, 1), None, (None, False)),
    ],
)
def test_cutting_off_gives_a_date_only_while_that_is_to_come(
    later: date | None, due: date | None, said: tuple[date | None, bool]
) -> None:
    assert page_why.postponed(later, due, date(2026, 11, 26)) == said


def test_the_page_of_an_exposure_that_asks_for_traces_leads_to_the_workbook_before_it_is_done(
    bare: Site,
) -> None:
    (line,) = [e for e in bare.exposures(query="?asset_name=web-1") if e["flaw"] == "CVE-2026-0001"]
    text = bare.ask("GET", f"/exposure/{line['id']}", bare.operator, page=True).text
    assert text.index("Look for traces first.") < text.index("Start a workbook") < text.index("It is done")
    done = text[text.rindex("<a ", 0, text.index("It is done")) :]
    assert done.startswith('<a class="button" ')
    plain = next(e for e in bare.exposures() if not e["forensic_triage"])
    other = bare.ask("GET", f"/exposure/{plain['id']}", bare.operator, page=True).text
    assert "Look for traces first." not in other
    assert '<a class="button primary" href="/exposure/decide?act=fixed' in other


def test_an_update_says_how_much_else_of_the_component_is_open_there(bare: Site) -> None:
    catalogue = kev("2026.11.22", "CVE-2026-0001", "CVE-2026-0021", added="2026-11-20")
    bare.ingest(
        osv("PYSEC-2026-21", package("PyPI", "pictures", "10.0.1"), aliases=["CVE-2026-0021"]),
        osv("PYSEC-2026-22", package("PyPI", "pictures", "9.0"), aliases=["CVE-2026-0022"]),
        osv("PYSEC-2026-23", package("PyPI", "pictures", "9.1"), aliases=["CVE-2026-0023"]),
        catalogue,
    )
    bare.follow()
    bare.machine(bare.operator, "pic-1", exposure="internal")
    bare.upload(bare.operator, "pic-1", "pkg:pypi/pictures@8.0", detected=TODAY - timedelta(days=12))
    steps = bare.ask("GET", "/api/v1/week", bare.operator).json()["steps"]
    (step,) = [s for s in steps if s["name"] == "pictures"]
    assert (step["to"], step["flaws"]) == ("10.0.1", ["CVE-2026-0021"])
    shown = _page(bare)
    assert "2 other flaws of pictures are open on this machine" in shown
    assert "other flaw" not in shown[shown.index("log-1") :].partition("pictures")[0]
